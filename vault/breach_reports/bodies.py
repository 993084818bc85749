"""What the calls of breach reports take and give, in the words of the contract. Times RFC 3339, ids lower-case UUIDs."""

from typing import Annotated, Any, Literal

import msgspec

from vault.breach_reports.exclusion import Office
from vault.breach_reports.shapes import Language, Reason
from vault.web import Body

_Text = Annotated[str, msgspec.Meta(max_length=20_000)]
_Short = Annotated[str, msgspec.Meta(max_length=2_000)]


class Excluding(Body):
    """Who is to see nothing of a report: everybody of these offices, or whom `words` (300 characters) describe, as somebody else says."""

    offices: tuple[Office, ...] = ()
    words: _Short = ""


class NewReport(Body):
    """A report. `narrative` 20 to 10,000 characters, `noticed_on` a day as YYYY-MM-DD, `contact` whatever reaches the reporter."""

    category: _Short
    narrative: _Text
    language: Language
    noticed_on: _Short | None = None
    contact: _Short | None = None
    exclude: Excluding | None = None


class ReportTaken(msgspec.Struct, omit_defaults=True):
    """A report that was taken: its public reference, and its receipt, shown this once."""

    reference: str
    receipt: str | None = None
    already: bool = False


class WithReceipt(Body):
    """The receipt as it is typed."""

    receipt: _Short


class NewMessage(Body):
    """A message of the reporter's."""

    receipt: _Short
    text: _Text


class FileTold(msgspec.Struct, omit_defaults=True):
    """A file: media type by its bytes, and size in bytes; officers are told the name it was sent under, made harmless."""

    id: str
    type: str
    size: int
    name: str | None = None


class Message(msgspec.Struct):
    """One message: from the reporter or the association, with the files that came with it."""

    sender: str = msgspec.field(name="from")
    text: str
    at: str
    files: list[FileTold]


class WithFile(Body):
    """The receipt as it is typed, and the id of a file that the association sent."""

    receipt: _Short
    file: _Short


class Status(msgspec.Struct):
    """What the holder of the receipt is told: `state` is received, acknowledged, in_review or closed."""

    reference: str
    state: str
    received_at: str
    messages: list[Message]


class ClockTold(msgspec.Struct):
    """The time to tell the authority: provisional until an officer judged it a breach; only a dismissal ends it.

    `due_riyadh` is the same moment on the clocks of Riyadh.
    """

    aware_at: str
    due_at: str
    due_riyadh: str
    seconds_left: int
    overdue: bool
    provisional: bool


class WorkTold(msgspec.Struct):
    """A clock of the work on a report: `triage` within 24 hours, `answer` (of the reporter) within 30 days of its arrival."""

    work: str
    due_at: str
    due_riyadh: str
    seconds_left: int
    overdue: bool


class HoldTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A legal hold: while it stands nothing of the case is destroyed. `proposal` is the number of the proposal to lift it."""

    by: str
    at: str
    reason: str | None = None
    proposal: int | None = None
    lifting_by: str | None = None
    lifting_at: str | None = None
    lifting_reason: str | None = None
    lifted_by: str | None = None
    lifted_at: str | None = None


class ReportItem(msgspec.Struct, kw_only=True):
    """One report in a list: nothing anybody wrote is opened for it. `incident` is the one it is linked to, whose clock is then its own.

    `acknowledge_by` is the end of the second working day (Sunday to Thursday without official holidays, by Riyadh's calendar), null once
    somebody looks at it. `work` are the clocks of the work on it that run, the earliest first.
    `unanswered` counts the reporter's messages since the last reply, `last_message_at` is when the newest of them came.
    """

    id: str
    reference: str
    state: str
    category: str
    language: str
    channel: str
    received_at: str
    seen_at: str | None
    grade: str | None
    doubt: str | None
    incident: str | None
    acknowledge_by: str | None
    acknowledge_by_riyadh: str | None
    work: list[WorkTold]
    legal_hold: bool
    clock: ClockTold | None
    unanswered: int
    last_message_at: str | None


class ReportList(msgspec.Struct):
    """A page of reports, newest first; `quarantined` counts those that lie in quarantine, whatever the page shows.

    `withheld` counts all reports that exclude the reader, whatever was asked for; they are on no page and in no other number.
    """

    items: list[ReportItem]
    next: str | None
    quarantined: int
    withheld: int


class Written(msgspec.Struct):
    """One text of a case: who wrote it and when."""

    by: str
    text: str
    at: str


class Waiting(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A deed that takes two people: what was proposed, by whom and when, who settled it, turned it down or changed what it rested on."""

    reason: str | None = None
    was: str | None = None
    to: str | None = None
    proposed_by: str
    proposed_at: str
    settled_by: str | None = None
    settled_at: str | None = None
    turned_down_by: str | None = None
    turned_down_at: str | None = None
    overtaken_by: str | None = None
    overtaken_at: str | None = None


class LookupTold(msgspec.Struct):
    """One look-up in DNS as it was answered when the sender was checked."""

    name: str
    records: list[str]
    failed: bool


class EnclosedTold(msgspec.Struct):
    """What lies with a message: the name and type its sender claims, and its size in bytes."""

    name: str
    type: str
    size: int


class MailTold(msgspec.Struct, kw_only=True):
    """The message a report came in, by its header and by who signed it; its bytes are fetched apart.

    `froms` are the authors it names, `sent_at` is what its sender's clock said, `text_is` says whether the narrative was its plain text or
    its HTML shown as text. `lookups` are the answers of DNS that the newest `grade` rests on.
    """

    grade: str
    reasons: list[str]
    arrived_at: str
    froms: list[str]
    subject: str
    sent_at: str
    message_id: str
    text_is: str
    files: list[EnclosedTold]
    marks: list[str]
    automatic: str | None
    sha256: str
    size: int
    cut: bool
    lookups: list[LookupTold]
    checked_at: str
    again_at: str | None
    answered: str | None
    answered_at: str | None


class TakenDownTold(msgspec.Struct, kw_only=True):
    """How somebody of the house took a report down: who, where it came from, and since when she no longer sees it (`confirmed_at`)."""

    by: str
    posted_at: str | None
    processor: str | None
    platform: str | None
    handle: str | None
    link: str | None
    late_reason: str | None
    read_at: str | None
    confirmed_at: str | None


class ReportTold(msgspec.Struct, kw_only=True):
    """A report as an officer reads it."""

    id: str
    reference: str
    state: str
    category: str
    language: str
    channel: str
    received_at: str
    seen_at: str | None
    grade: str | None
    doubt: str | None
    incident: str | None
    acknowledge_by: str | None
    acknowledge_by_riyadh: str | None
    work: list[WorkTold]
    legal_hold: bool
    clock: ClockTold | None
    narrative: str
    noticed_on: str | None
    contact: str | None
    files: list[FileTold]
    messages: list[Message]
    notes: list[Written]
    finding: str | None
    acknowledged_at: str | None
    triaged_at: str | None
    dismissal: Waiting | None
    awareness: list[Waiting]
    holds: list[HoldTold]
    mail: MailTold | None
    taken_down: TakenDownTold | None
    entry: "EntryTold"


class EntryTold(msgspec.Struct):
    """The entry of this look: its index and leaf hash in hexadecimal."""

    index: int
    leaf_hash: str


class ReportStands(msgspec.Struct):
    """How the report stands after a deed."""

    id: str
    state: str
    clock: ClockTold | None


class Triage(Body):
    """The judgement: `breach` where it is or may be a breach of personal data. `aware_at` no later than the report's arrival."""

    finding: Literal["breach", "no_breach"]
    aware_at: _Short | None = None
    note: _Text = ""


class Reply(Body):
    """An answer to the reporter, 1 to 5,000 characters."""

    text: _Text


class Exclude(Body):
    """Whom a report may be about."""

    staff: str


class Settlement(Body):
    """Whom the reporter meant, by the ids of their accounts; nobody only where she used her own words."""

    staff: Annotated[tuple[_Short, ...], msgspec.Meta(max_length=50)]


class Settlements(Body):
    """The same for many reports at once, by id; whom their reporters describe is to be read before."""

    reports: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=36)], ...], msgspec.Meta(max_length=500)]
    staff: Annotated[tuple[_Short, ...], msgspec.Meta(max_length=50)]


class ExclusionItem(msgspec.Struct):
    """One report that waits for somebody to say whom its reporter meant; nothing else is told of it.

    `described` where she used her own words. `like` is the oldest report its text is like, with the same offices: itself where it is alone.
    """

    id: str
    received_at: str
    offices: tuple[str, ...]
    described: bool
    like: str


class ExclusionList(msgspec.Struct):
    """A page of the reports that wait so, oldest first; `waiting` is how many there are in all."""

    items: list[ExclusionItem]
    next: str | None
    waiting: int


class ExclusionTold(msgspec.Struct):
    """Whom a reporter wants to see nothing of her report: offices, and her own words where she used them."""

    id: str
    offices: tuple[str, ...]
    words: str | None
    entry: "EntryTold"


class ManySettled(msgspec.Struct):
    """A result for each report, in order: `{id, status, excluded}` or `{id, status, problem}`."""

    results: list[dict[str, Any]]


class ExclusionSettled(msgspec.Struct):
    """A report after it was said who is meant: how many people are excluded from it."""

    id: str
    excluded: int


class Dismiss(Body):
    """A dismissal proposed."""

    reason: Reason
    note: _Text = ""


class DismissApproval(Body):
    """The same dismissal, meant by a second person; `code` a one-time code unless her session is stepped up."""

    reason: Reason
    code: _Short | None = None


class DismissRejection(Body):
    """The dismissal that is turned down."""

    reason: Reason


class AwarenessRejection(Body):
    """The moment of awareness that is turned down."""

    aware_at: _Short


class Awareness(Body):
    """Another moment of awareness proposed, with its reason."""

    aware_at: _Short
    reason: _Text


class AwarenessApproval(Body):
    """The same moment, meant by a second person."""

    aware_at: _Short
    code: _Short | None = None
