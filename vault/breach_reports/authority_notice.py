"""What the authority is told of an incident (implementing regulation 24(1)): five parts, what is missing of them, what is still owed.

Pure functions of the words and of the incident's fact.

Invariants: a notice is complete when every member of the five parts is there, the words in Arabic at least; what was filed with gaps, or
filed elsewhere without a copy here, leaves a task that ends only when the gaps were filed too (24(2), 24(3)).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from vault.breach_reports import incident_lifecycle as lifecycle
from vault.breach_reports.incident_lifecycle import IncidentState
from vault.breach_reports.incident_shapes import AuthorityNotice, IncidentFact, Settled
from vault.breach_reports.lifecycle import HOUR
from vault.errors import FieldError, Invalid, NotFound

Told = Literal["told", "in_part", "not_yet"]
DAY: Final = 24 * HOUR
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "a": ("description", "happened_at", "circumstances"),
    "b": ("categories", "people", "data"),
    "c": ("effects", "measures", "planned"),
    "d": ("told",),
    "e": ("contact",),
}
"""The five parts of regulation 24(1) by their letter; the moment of awareness, which is of (a), stands in the incident."""
MEMBERS: Final = tuple(member for members in PARTS.values() for member in members)
PART_OF: Final = {member: part for part, members in PARTS.items() for member in members}


class Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text in Arabic and English; "" for what nobody wrote."""

    ar: str = ""
    en: str = ""


class Content(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The words of a notice as they are sealed; time in microseconds UTC, None and "" for what is not known yet."""

    description: Words = Words()
    happened_at: int | None = None
    circumstances: Words = Words()
    categories: Words = Words()
    people: int | None = None
    estimated: bool = False
    data: Words = Words()
    effects: Words = Words()
    measures: Words = Words()
    planned: Words = Words()
    told: Told | Literal[""] = ""
    contact: Words = Words()


@dataclass(frozen=True, slots=True)
class Task:
    """What is still to be told to the authority: the members, since when, and when that is reminded of next (every 24 hours)."""

    gaps: tuple[str, ...]
    since: int
    remind_at: int


def gaps(content: Content) -> tuple[str, ...]:
    """The members that are missing, in the order of the law."""
    return tuple(name for name in MEMBERS if not _is_there(getattr(content, name)))


def _is_there(value: Any) -> bool:  # noqa: ANN401 - the members are of several types
    return bool(value.ar.strip()) if isinstance(value, Words) else value not in {None, ""}


def task(fact: IncidentFact, within: int, now: int) -> Task | None:
    """What is still owed of a notice that was filed, None where nothing is, or where nothing was filed."""
    stands = lifecycle.settled(fact, "authority")
    if stands is None or stands.filed_at is None:
        return None
    filed = [frozenset(each.gaps) for each in fact.notices if each.filed_at is not None]
    left = frozenset(MEMBERS).intersection(*filed)
    if not left:
        return None
    begins = max(stands.filed_at, fact.aware_at + within * HOUR)
    return Task(tuple(name for name in MEMBERS if name in left), stands.filed_at, begins + (max(0, now - begins) // DAY + 1) * DAY)


def owes(fact: IncidentFact) -> bool:
    """Whether something filed as partial waits for its supplement."""
    return any(each.filed_at is not None for each in fact.notices) and task(fact, 0, 0) is not None


def named(fact: IncidentFact, number: int) -> AuthorityNotice:
    """The notice of this number. Raises NotFound."""
    found = next((each for each in fact.notices if each.part == number), None)
    if found is None:
        raise NotFound
    return found


def drafted(fact: IncidentFact, made: AuthorityNotice) -> IncidentFact:
    """The incident with another draft. Raises IncidentState where nobody need be told any more."""
    stands = lifecycle.settled(fact, "authority")
    if fact.state in lifecycle.OVER or (stands is not None and stands.how != "filed"):
        raise IncidentState
    return msgspec.structs.replace(fact, notices=(*fact.notices, made))


def require_fileable(notice: AuthorityNotice, *, partial: bool, reasons: str) -> None:
    """Raise Invalid for a notice with gaps that is not filed as partial with reasons, and for a whole one that is."""
    if notice.gaps and not partial:
        raise Invalid([FieldError(name, "missing") for name in notice.gaps])
    if notice.gaps and not reasons.strip():
        raise Invalid([FieldError("reasons", "missing")])
    if partial and not notice.gaps:
        raise Invalid([FieldError("partial", "out-of-range")])


def filed(fact: IncidentFact, notice: AuthorityNotice, made: Settled, within: int, now: int) -> IncidentFact:
    """The incident with this notice filed as `made` says: it settles the track, or supplements what settled it before.

    Raises IncidentState, and Invalid as `lifecycle.filed` does.
    """
    if notice.filed_at is not None or fact.state in lifecycle.OVER:
        raise IncidentState
    stands = lifecycle.settled(fact, "authority")
    if stands is None:
        fact = lifecycle.filed(fact, made, within, now)
    else:
        _require_supplements(stands, made, now)
    done = msgspec.structs.replace(
        notice,
        filed_at=made.filed_at,
        noted_by=made.by,
        noted_at=now,
        reference=made.reference,
        supplement=stands is not None,
    )
    return msgspec.structs.replace(fact, notices=tuple(done if each.part == notice.part else each for each in fact.notices))


def _require_supplements(stands: Settled, made: Settled, now: int) -> None:
    if stands.filed_at is None:
        raise IncidentState
    at = lifecycle.require_moment(made.filed_at or 0, now, "filed_at")
    if at < stands.filed_at:
        raise Invalid([FieldError("filed_at", "out-of-range")])
    if not made.reference:
        raise Invalid([FieldError("reference", "missing")])
