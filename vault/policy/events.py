"""What happens to a person's consent, as small frozen facts: the history a sheet is folded from and can be rebuilt from.

Times are integer microseconds UTC. An event says what was recorded; what it does is said in `standing`.
"""

from dataclasses import dataclass
from typing import Literal

from vault.policy.facts import SELF, Grant, Guardian, Order, Person, Stop, Supersession


@dataclass(frozen=True, slots=True)
class Given:
    """Consent given, renewed, confirmed (after majority, or by the second step of double opt-in) or brought in by an import."""

    purpose: str
    recipient: str
    grant: Grant
    kind: Literal["grant", "renew", "confirm", "import_grant"] = "grant"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Consent withdrawn or refused `by` the person or a guardian, or invalidated by the association."""

    purpose: str
    recipient: str
    stop: Stop
    by: str = SELF


@dataclass(frozen=True, slots=True)
class Requested:
    """Consent asked for and not answered: silence is no word."""

    purpose: str
    recipient: str
    at: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A second person has seen the evidence of the grant with this id."""

    purpose: str
    recipient: str
    grant: str
    at: int


@dataclass(frozen=True, slots=True)
class GuardianAppointed:
    """A guardian recorded, or recorded anew (verified, other dates) under the same id."""

    guardian: Guardian


@dataclass(frozen=True, slots=True)
class GuardianshipEnded:
    """A guardian acts no longer; `for_cause` takes the ground from what that guardian gave."""

    guardian: str
    at: int
    for_cause: bool = False


@dataclass(frozen=True, slots=True)
class SubjectDeceased:
    """The death of the person became known."""

    at: int


@dataclass(frozen=True, slots=True)
class CapacityTold:
    """The day of full capacity became known, or became known otherwise."""

    full_capacity_from: int


@dataclass(frozen=True, slots=True)
class Interdicted:
    """A court took an adult's capacity, or gave it back (`on` False)."""

    at: int
    on: bool = True


@dataclass(frozen=True, slots=True)
class SubjectsMerged:
    """Another sheet turned out to be the same person's; the more restrictive state holds for each purpose and recipient."""

    absorbed: Person
    at: int


@dataclass(frozen=True, slots=True)
class Signal:
    """A visitor's browser says, or says no longer, that data about its user is not to be shared (Sec-GPC)."""

    at: int
    opted_out: bool = True


@dataclass(frozen=True, slots=True)
class Disclosed:
    """Data went to a recipient: recorded for those to be told of a withdrawal, without effect on consent."""

    purpose: str
    recipient: str
    at: int


@dataclass(frozen=True, slots=True)
class Restricted:
    """Use is suspended while the accuracy of the data is contested, or free again (implementing regulation 7)."""

    at: int
    on: bool = True


@dataclass(frozen=True, slots=True)
class Locked:
    """Erasure is asked for: nothing opens; or the request is cancelled."""

    at: int
    on: bool = True


@dataclass(frozen=True, slots=True)
class OrderIssued:
    """An order of an authority (article 4): independent of consent, so without effect on it."""

    order: Order


@dataclass(frozen=True, slots=True)
class NoticePublished:
    """A notice version published in place of another; `adds_recipient` is told in it and consented to by nobody yet."""

    supersession: Supersession
    adds_recipient: str | None = None


Event = (
    Given
    | Stopped
    | Requested
    | Verified
    | GuardianAppointed
    | GuardianshipEnded
    | SubjectDeceased
    | CapacityTold
    | Interdicted
    | SubjectsMerged
    | Signal
    | Disclosed
    | Restricted
    | Locked
    | OrderIssued
    | NoticePublished
)
