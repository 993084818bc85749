"""Invented people of one household: what they share, and each one's own fields.

Invariants: nobody is a real person; brothers and sisters share father, grandfather and family name; the same source of chance makes the
same people.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any, Final, Literal

from vault.demo.numbers import Numbers, arabic_indic, hijri_birthday

GuardianKind = Literal["wali", "wasi", "carer", "custodian"]
Fields = Mapping[str, Any]
Years = tuple[int, int]
Line = tuple[str, str, str]
"""Father, grandfather and family name: what stands behind a given name."""

_DATA: Final = tomllib.loads(files("vault.demo").joinpath("names.toml").read_text(encoding="utf-8"))
MEN: Final = tuple(_DATA["men"].split())
WOMEN: Final = tuple(_DATA["women"].split())
FAMILIES: Final = tuple(_DATA["families"].split())
RESIDENTS: Final = tuple(_DATA["residents"].split())
HEALTH_NOTES: Final = tuple(_DATA["health_notes"])
_NATIONALITIES: Final = tuple(zip(_DATA["nationalities"], _DATA["nationalities_of_women"], strict=True))
_SAUDI: Final = ("سعودي", "سعودية")
_HOUSING: Final = ("ملك", "إيجار سنوي", "سكن خيري", "مع الأقارب", "إسكان تنموي")
_NO_NUMBER_YET: Final = "مولود حديثًا ورقم الهوية قيد الإصدار"
_GUARDIAN_FIELDS: Final = ("full_name", "national_id", "birth_date", "gender", "nationality", "mobile", "email")

YOUNG: Final[Years] = (24, 50)
GROWN: Final[Years] = (30, 60)
OLD: Final[Years] = (60, 88)
EVER_A_CHILD: Final = 15
"""The oldest child: under age for some years yet, so that a long-lived test needs no clock."""


@dataclass(frozen=True, slots=True)
class Household:
    """What the members of one household share; `nationality` for men and women, `styled` where son-of and daughter-of are written."""

    number: int
    line: Line
    size: int
    nationality: tuple[str, str]
    address: Mapping[str, str]
    iban: str
    mobile: str
    income: int
    housing: str
    styled: bool

    @property
    def first_digit(self) -> str:
        """With what identity numbers here begin: 1 for citizens, 2 for residents."""
        return "1" if self.nationality == _SAUDI else "2"

    def name(self, given: str, line: Line, *, woman: bool) -> str:
        """Given name, father, grandfather and family, as this household writes them."""
        of_father, of_grandfather = (" بنت " if woman else " بن ", " بن ") if self.styled else (" ", " ")
        return f"{given}{of_father}{line[0]}{of_grandfather}{line[1]} {line[2]}"


class Registry:
    """Makes households and their people from one source of chance; `year` is the present Hijri year."""

    def __init__(self, seed: str, year: int) -> None:
        """Take the seed and the year that ages are counted from."""
        self.chance = Random(seed)
        self.numbers = Numbers(self.chance)
        self.year = year
        self._made = 0

    def household(self, size: int, *, resident: bool = False, income: int = 4200) -> Household:
        """A household of so many people, with an address, an account and a telephone of its own; income below this many riyals a month."""
        self._made += 1
        chance = self.chance
        city, postal, region = chance.choice(_DATA["places"])
        short = self.numbers.short_address(region)
        return Household(
            number=self._made,
            line=self.line(RESIDENTS if resident else FAMILIES),
            size=size,
            nationality=chance.choice(_NATIONALITIES) if resident else _SAUDI,
            address={
                "building": short[-4:],
                "street": chance.choice(_DATA["streets"]),
                "district": f"حي {chance.choice(_DATA['districts'])}",
                "city": city,
                "postal_code": postal + self.numbers.digits(4),
                "additional": self.numbers.digits(4),
                "short_address": short,
            },
            iban=self.numbers.iban(),
            mobile=self.numbers.mobile(),
            income=chance.randrange(0, income, 50),
            housing=chance.choice(_HOUSING),
            styled=chance.random() < 1 / 3,
        )

    def line(self, families: tuple[str, ...] = FAMILIES) -> Line:
        """A father, a grandfather and a family name."""
        return self.chance.choice(MEN), self.chance.choice(MEN), self.chance.choice(families)

    def grandfather(self, of: Household) -> tuple[str, Line]:
        """The given name and line of the household's grandfather on the father's side: his name is the one the children carry third."""
        return of.line[1], (self.chance.choice(MEN), self.chance.choice(MEN), of.line[2])

    def father(self, of: Household) -> tuple[str, Line]:
        """The given name and line of the household's father: his name is the one the children carry second."""
        return of.line[0], (of.line[1], self.chance.choice(MEN), of.line[2])

    def uncle(self, of: Household) -> tuple[str, Line]:
        """The given name and line of a brother of the household's father."""
        return self.chance.choice(MEN), (of.line[1], self.chance.choice(MEN), of.line[2])

    def deed(self) -> str:
        """The number of a court's deed."""
        return self.numbers.digits(9)

    def adult(
        self, house: Household, marital: str, *, woman: bool, given: str = "", line: Line | None = None, years: Years = YOUNG
    ) -> Fields:
        """A grown person's fields; `given` and `line` where the name is settled or of another family."""
        chance = self.chance
        given = given or chance.choice(WOMEN if woman else MEN)
        mark = f"{house.number:05d}{chance.randrange(100):02d}"
        return self._person(house, house.name(given, line or house.line, woman=woman), woman=woman) | {
            "birth_date": hijri_birthday(chance, self.year - chance.randint(*years)),
            "mobile": self.numbers.mobile(),
            "email": f"usra{mark}@example.{chance.choice(('org', 'com', 'net'))}",
            "social_handle": f"@usra_{mark}",
            "iban": house.iban,
            "monthly_income": house.income,
            "marital_status": marital,
        }

    def children(self, house: Household, count: int, orphan_status: str = "") -> list[Fields]:
        """Brothers and sisters under age, no two of the same name: the household's telephone, a new-born without a number."""
        sons = sum(self.chance.random() < 1 / 2 for _ in range(count))
        found = [self._child(house, given, orphan_status, woman=False) for given in self.chance.sample(MEN, sons)]
        found += [self._child(house, given, orphan_status, woman=True) for given in self.chance.sample(WOMEN, count - sons)]
        self.chance.shuffle(found)
        return found

    def _child(self, house: Household, given: str, orphan_status: str, *, woman: bool) -> Fields:
        age = self.chance.randint(0, EVER_A_CHILD)
        name = house.name(given, house.line, woman=woman)
        found = self._person(house, name, woman=woman) | {
            "birth_date": hijri_birthday(self.chance, self.year - age, whole=True),
            "mobile": house.mobile,
            "marital_status": "single",
        }
        if orphan_status:
            found["orphan_status"] = orphan_status
        if age == 0:
            del found["national_id"]
            found["identity_note"] = _NO_NUMBER_YET
        return found

    def guardian(self, house: Household, kind: GuardianKind, relation: str, named: tuple[str, Line], years: Years) -> Fields:
        """The fields of a guardian who gets nothing from the association."""
        given, line = named
        person = self.adult(house, "married", woman=False, given=given, line=line, years=years)
        return {name: person[name] for name in _GUARDIAN_FIELDS} | {"guardian_kind": kind, "relation": relation}

    def _person(self, house: Household, name: str, *, woman: bool) -> dict[str, Any]:
        number = self.numbers.national_id(house.first_digit)
        found: dict[str, Any] = {
            "full_name": name,
            "national_id": arabic_indic(number) if self.chance.random() < 1 / 5 else number,
            "gender": "female" if woman else "male",
            "nationality": house.nationality[woman],
            "short_address": house.address["short_address"],
            "national_address": dict(house.address),
            "family_size": house.size,
            "housing": house.housing,
        }
        if self.chance.random() < 1 / 5:
            found["health_note"] = self.chance.choice(HEALTH_NOTES)
        return found
