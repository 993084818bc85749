"""What the calls of incidents take and give. Times RFC 3339, ids lower-case UUIDs; `…_riyadh` is that moment on the clocks of Riyadh."""

from typing import Annotated, Literal

import msgspec

from vault.breach_reports.bodies import ClockTold, EntryTold, HoldTold
from vault.breach_reports.incident_shapes import Answer, Moved, Track
from vault.web import Body

_Text = Annotated[str, msgspec.Meta(max_length=20_000)]
_Short = Annotated[str, msgspec.Meta(max_length=2_000)]
_Ids = Annotated[tuple[_Short, ...], msgspec.Meta(max_length=500)]


class NewIncident(Body):
    """An incident: what happened, the reports it is opened from, and since when the association was aware, where that is earlier."""

    summary: _Text
    reports: _Ids = ()
    aware_at: _Short | None = None


class LinkReport(Body):
    """The report to link."""

    report: _Short


class UnlinkReport(Body):
    """The report to take out again, and why."""

    report: _Short
    reason: _Text


class MoveIncident(Body):
    """The next state."""

    state: Moved
    note: _Text = ""


class WeighIncident(Body):
    """The two questions: is data of a sensitive class touched, and are more than a hundred people."""

    sensitive: Answer
    over_100: Answer
    note: _Text = ""


class ProposeAwareness(Body):
    """The moment of awareness proposed, with its reason."""

    aware_at: _Short
    reason: _Text


class ProposeNotRequired(Body):
    """That nobody need be told on a track, and why."""

    track: Track
    reason: _Text


class WithReason(Body):
    """Why."""

    reason: _Text


class ApproveProposal(Body):
    """The proposal meant by the second person; `code` a one-time code unless her session is stepped up."""

    proposal: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    code: _Short | None = None


class TurnDownProposal(Body):
    """The proposal that is turned down."""

    proposal: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class FileTrack(Body):
    """That somebody was told: when, and the reference of the authority's platform; `late_reason` where it was after the time."""

    track: Track
    filed_at: _Short
    reference: _Short = ""
    late_reason: _Text = ""


class ReopenTrack(Body):
    """The track that is not settled after all, and why."""

    track: Track
    reason: _Text


class ExcludeStaff(Body):
    """Whom the incident may be about."""

    staff: _Short


class TrackTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How a track stands: `open`, `filed`, `late` (filed after the time), `not_required`; what was before a reopening has `reopened_at`."""

    state: Literal["open", "filed", "late", "not_required"]
    settled_at: str | None = None
    by: str | None = None
    approved_by: str | None = None
    filed_at: str | None = None
    reference: str | None = None
    reason: str | None = None
    reopened_at: str | None = None
    reopened_by: str | None = None
    reopened_reason: str | None = None


class ProposalTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A deed that waits for a second person, under the number her approval names."""

    proposal: int
    act: str
    track: str | None = None
    aware_at: str | None = None
    proposed_by: str
    proposed_at: str
    approved_by: str | None = None
    approved_at: str | None = None
    replaced: bool = False
    turned_down_by: str | None = None
    turned_down_at: str | None = None
    overtaken_by: str | None = None
    overtaken_at: str | None = None
    reason: str | None = None


class IncidentItem(msgspec.Struct, kw_only=True):
    """One incident in a list: nothing anybody wrote is opened for it. `weight` holds the newest answers to the two questions."""

    id: str
    reference: str
    state: str
    opened_at: str
    clock: ClockTold | None
    authority: str
    people: str
    reports: int
    sensitive: str
    over_100: str
    waiting: list[ProposalTold]
    legal_hold: bool


class IncidentList(msgspec.Struct):
    """A page of incidents, the least time left first; `withheld` counts all kept from the reader, whatever was asked for."""

    items: list[IncidentItem]
    next: str | None
    withheld: int


class AwareTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One event of the moment of awareness: `opened` and `linked` by rule, `corrected` by two people."""

    why: str
    was: str | None = None
    to: str
    by: str
    at: str
    approved_by: str | None = None
    reason: str | None = None


class RingTold(msgspec.Struct):
    """A clock: so many hours after awareness, when it is or was due, and when it rang, null where it has not."""

    hours: int
    due_at: str
    due_riyadh: str
    fired_at: str | None


class StepTold(msgspec.Struct, omit_defaults=True):
    """One change of state."""

    state: str
    by: str
    at: str
    approved_by: str | None = None
    note: str | None = None


class WeightTold(msgspec.Struct, omit_defaults=True):
    """One answer to the two questions of weight."""

    sensitive: str
    over_100: str
    by: str
    at: str
    note: str | None = None


class UnlinkedTold(msgspec.Struct):
    """A report that was linked and is no more."""

    report: str
    by: str
    at: str
    reason: str


class IncidentTold(msgspec.Struct, kw_only=True):
    """An incident as an officer reads it, with all that was before."""

    id: str
    reference: str
    state: str
    summary: str
    opened_at: str
    opened_by: str
    aware_at: str
    aware_riyadh: str
    aware_confirmed: bool
    awareness: list[AwareTold]
    clock: ClockTold | None
    clocks: list[RingTold]
    authority: TrackTold
    people: TrackTold
    settled_before: dict[str, list[TrackTold]]
    reports: list[str]
    unlinked: list[UnlinkedTold]
    steps: list[StepTold]
    weights: list[WeightTold]
    proposals: list[ProposalTold]
    holds: list[HoldTold]
    entry: EntryTold


class IncidentStands(msgspec.Struct, kw_only=True):
    """How the incident stands after a deed; `waiting` are the proposals that wait for a second person."""

    id: str
    reference: str
    state: str
    aware_at: str
    clock: ClockTold | None
    authority: str
    people: str
    waiting: list[ProposalTold]
