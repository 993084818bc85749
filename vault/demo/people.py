"""Families of invented beneficiaries as a Saudi association meets them: orphans with guardians, divorced mothers, elders, residents.

Invariants: the same seed and year give the same families; a ward comes after the guardian it names, and whoever is under age has one
(Personal Status Law 136 to 139: a mother may have the care of a child without being its wali).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from vault.demo.household import FAMILIES, GROWN, OLD, RESIDENTS, Fields, GuardianKind, Household, Registry

Role = Literal["head", "spouse", "ward", "guardian"]


@dataclass(frozen=True, slots=True)
class Guardianship:
    """In whose care somebody is: the guardian's place among the family's members, the kind, and the deed where a court gave one."""

    by: int
    kind: GuardianKind
    deed: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One person with the fields of the record, of type `beneficiary` or `guardian`."""

    role: Role
    fields: Fields
    guardianship: Guardianship | None = None

    @property
    def type(self) -> str:
        """The record type."""
        return "guardian" if self.role == "guardian" else "beneficiary"


@dataclass(frozen=True, slots=True)
class Family:
    """One household in the order in which it is stored: guardians before wards."""

    shape: str
    members: tuple[Member, ...]


def _wards(registry: Registry, house: Household, count: int, guardianship: Guardianship, orphan_status: str = "") -> tuple[Member, ...]:
    return tuple(Member("ward", fields, guardianship) for fields in registry.children(house, count, orphan_status))


def _orphans(registry: Registry) -> Family:
    """The father has died: the mother is the head; the grandfather is the wali, or an uncle whom the father named is the wasi."""
    count = registry.chance.randint(1, 5)
    house = registry.household(count + 1)
    if registry.chance.random() < 2 / 3:
        held = Guardianship(0, "wali")
        guardian = registry.guardian(house, "wali", "الجد لأب", registry.grandfather(house), OLD)
    else:
        held = Guardianship(0, "wasi", registry.deed())
        guardian = registry.guardian(house, "wasi", "العم، وصي اختاره الأب", registry.uncle(house), GROWN)
    mother = registry.adult(house, "widowed", woman=True, line=registry.line())
    return Family("orphans", (Member("guardian", guardian), Member("head", mother), *_wards(registry, house, count, held, "يتيم الأب")))


def _low_income(registry: Registry, *, resident: bool = False) -> Family:
    """Father, mother and children: the father is their wali."""
    count = registry.chance.randint(0, 5)
    house = registry.household(count + 2, resident=resident)
    given, line = registry.father(house)
    father = Member("head", registry.adult(house, "married", woman=False, given=given, line=line))
    mother = Member("spouse", registry.adult(house, "married", woman=True, line=registry.line(RESIDENTS if resident else FAMILIES)))
    return Family("residents" if resident else "low_income", (father, mother, *_wards(registry, house, count, Guardianship(0, "wali"))))


def _residents(registry: Registry) -> Family:
    """A family with residence permits."""
    return _low_income(registry, resident=True)


def _divorced(registry: Registry) -> Family:
    """A divorced mother with whom the children live by a court's deed of care."""
    count = registry.chance.randint(1, 4)
    house = registry.household(count + 1)
    mother = registry.adult(house, "divorced", woman=True, line=registry.line())
    return Family("divorced", (Member("head", mother), *_wards(registry, house, count, Guardianship(0, "carer", registry.deed()))))


def _foundling(registry: Registry) -> Family:
    """A child of unknown parents with a host family: the whole record is sensitive by law (1(11))."""
    house = registry.household(3)
    host = registry.guardian(house, "custodian", "الأسرة الحاضنة", (registry.line()[0], registry.line()), GROWN)
    held = Guardianship(0, "custodian", registry.deed())
    return Family("foundling", (Member("guardian", host), *_wards(registry, house, 1, held, "يتيم من ذوي الظروف الخاصة")))


def _alone(registry: Registry) -> Family:
    """An elder who lives alone."""
    house = registry.household(1, income=3000)
    woman = registry.chance.random() < 1 / 2
    return Family("alone", (Member("head", registry.adult(house, "widowed" if woman else "single", woman=woman, years=OLD)),))


_SHAPES: Final[tuple[tuple[Callable[[Registry], Family], int], ...]] = (
    (_orphans, 30),
    (_low_income, 30),
    (_divorced, 14),
    (_alone, 14),
    (_residents, 9),
    (_foundling, 3),
)


def families(seed: str | int, year: int) -> Iterator[Family]:
    """Families without end, the same for the same seed; `year` is the present Hijri year."""
    registry = Registry(f"families {seed}", year)
    shapes, weights = zip(*_SHAPES, strict=True)
    while True:
        (shape,) = registry.chance.choices(shapes, weights)
        yield shape(registry)


def beneficiaries(seed: str | int, year: int, count: int) -> list[Family]:
    """Families with exactly so many beneficiaries between them, guardians beside; the last may be cut short."""
    found: list[Family] = []
    missing, source = count, families(seed, year)
    while missing > 0:
        family = next(source)
        kept: list[Member] = []
        for member in family.members:
            if member.role != "guardian" and missing <= 0:
                break
            missing -= member.role != "guardian"
            kept.append(member)
        found.append(Family(family.shape, tuple(kept)))
    return found


def widow(seed: str | int, year: int) -> Fields:
    """The woman the story is about: every field of a beneficiary filled, in the ways a clerk types them."""
    registry = Registry(f"story {seed}", year)
    house = registry.household(4)
    fields = registry.adult(house, "widowed", woman=True, given="نورة", line=("سالم", "حمد", "الهلال"))
    return {
        **fields,
        "birth_date": f"17 رجب {year - 38}هـ",
        "health_note": "ربو، وتستعمل البخاخ عند اللزوم",
        "orphan_status": "أم لثلاثة أيتام",
        "identity_note": "طوبقت الهوية الأصلية عند التسجيل",
    }
