"""Numbers of people who do not exist: right in form and check digit, never twice from one maker, and from ranges that name nobody.

Invariants: identity and residence numbers begin with 19 and 29, which are not known to be issued; IBANs name bank 00, which is none.
Everything is drawn from the generator given, so that the same seed gives the same numbers.
"""

from collections.abc import Callable
from random import Random

from vault.records.values import check_digit, iban_check

NO_BANK = "00"
_MOBILE_PREFIXES = ("050", "053", "054", "055", "056", "058", "059")
_LETTERS = "ABDEFGHJKLMNRSTY"
_ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_HIJRI_MONTHS = (
    *("محرم", "صفر", "ربيع الأول", "ربيع الآخر", "جمادى الأولى", "جمادى الآخرة"),
    *("رجب", "شعبان", "رمضان", "شوال", "ذو القعدة", "ذو الحجة"),
)


class Numbers:
    """Makes numbers from one source of chance and remembers them, so that no two people share one."""

    def __init__(self, chance: Random) -> None:
        """Take the seeded source."""
        self._chance = chance
        self._given: set[str] = set()

    def digits(self, count: int) -> str:
        """So many digits."""
        return "".join(self._chance.choice("0123456789") for _ in range(count))

    def national_id(self, first: str) -> str:
        """Ten digits with the right check digit: first 1 for a citizen, 2 for a resident."""
        return self._new(lambda: self._checked(f"{first}9{self.digits(7)}"))

    def mobile(self) -> str:
        """A Saudi mobile number as dialled at home: ten digits."""
        return self._new(lambda: self._chance.choice(_MOBILE_PREFIXES) + self.digits(7))

    def iban(self) -> str:
        """A Saudi IBAN of 24 characters."""
        bban = self._new(lambda: NO_BANK + self.digits(18))
        return f"SA{iban_check(bban)}{bban}"

    def short_address(self, region: str) -> str:
        """Four letters, the first that of the region, and the four digits of a building."""
        letters = "".join(self._chance.choice(_LETTERS) for _ in range(3))
        return f"{region}{letters}{self._chance.randint(2000, 8999)}"

    def slip(self, national_id: str) -> str:
        """The same number as a slip of the finger makes it: the last digit is another, so the check digit does not hold."""
        return national_id[:-1] + str((int(national_id[-1]) + self._chance.randint(1, 9)) % 10)

    def _checked(self, nine: str) -> str:
        return nine + check_digit(nine)

    def _new(self, make: Callable[[], str]) -> str:
        while (found := make()) in self._given:
            pass
        self._given.add(found)
        return found


def arabic_indic(text: str) -> str:
    """The text with its digits as an Arabic keyboard types them."""
    return text.translate(_ARABIC_INDIC)


def hijri_birthday(chance: Random, year: int, *, whole: bool = False) -> str:
    """A day of this Hijri year as one of the ways a clerk types it; unless `whole`, now and then only its month or year."""
    month, day = chance.randint(1, 12), chance.randint(1, 29)
    ways = [
        f"{year}-{month:02d}-{day:02d}",
        f"{day}/{month}/{year}",
        f"{day} {_HIJRI_MONTHS[month - 1]} {year}هـ",
        f"{year}/{month:02d}/{day:02d}هـ",
    ]
    if not whole:
        ways += [f"{year}-{month:02d}", f"{_HIJRI_MONTHS[month - 1]} {year}", str(year)]
    typed = chance.choice(ways)
    return arabic_indic(typed) if chance.random() < 1 / 3 else typed
