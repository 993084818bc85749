"""The fact of a breach report: everything decided about it, and the digest of every sealed part; what people wrote is in the parts.

Field names are those of the bytes kept for years: a new member gets a default, none changes its meaning. Times in microseconds UTC.
"""

from typing import Final, Literal

import msgspec

from vault.breach_reports.tables import KIND
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

State = Literal["received", "quarantined", "acknowledged", "triaged", "dismissed"]
Finding = Literal["", "breach", "no_breach"]
Reason = Literal["not_privacy", "duplicate", "spam", "no_basis"]
Doubt = Literal["", "trap", "elsewhere", "network", "association", "automatic", "junk"]
Grade = Literal["verified", "provider_asserted", "unverified", "failed", "temp_error"]
Answered = Literal["", "due", "sent", "refused", "unsent", "doubtful"]
Language = Literal["ar", "en"]
REPORTER: Final = "reporter"

# The kinds of parts: what a part holds, and what an entry names as opened.
REPORT: Final = "report"
CONTACT: Final = "contact"
MESSAGE: Final = "message"
REPLY: Final = "reply"
NOTE: Final = "note"
EXCLUSION: Final = "exclusion"
FILE: Final = "file"
MAIL: Final = "mail"
MAIL_CHECK: Final = "mail-check"
MAIL_HEAD: Final = "mail-head"
ORIGIN: Final = "origin"
ALL_KINDS: Final = (CONTACT, FILE, MAIL_CHECK, MAIL_HEAD, MESSAGE, NOTE, ORIGIN, REPLY, REPORT)
"""What an officer's look opens; the bytes of a mail (`mail`) are a look of their own."""
TO_REPORTER: Final = (MESSAGE, REPLY)


class PartFact(Fact, frozen=True):
    """One sealed part: what it holds, who wrote it and when, and SHA-256 of its bytes in hexadecimal."""

    kind: str
    by: str
    at: int
    sha256: str


class FileFact(Fact, frozen=True):
    """One file: by whose hand it came and when, with the text of which part; media type by its bytes, size, header, number of chunks.

    `sha256` is that of header and sealed chunks in order. Its name, where one is kept, is a part of kind `file`.
    """

    id: str
    by: str
    at: int
    part: int
    type: str
    size: int
    sha256: str
    header: str
    chunks: int


class _Proposed(Fact, frozen=True, kw_only=True):
    """What somebody proposed: in force once another person has settled it, of no effect once somebody turned it down.

    Nor once somebody changed what it rested on (`overtaken_by`).
    """

    proposed_by: str
    proposed_at: int
    settled_by: str = ""
    settled_at: int | None = None
    turned_down_by: str = ""
    turned_down_at: int | None = None
    overtaken_by: str = ""
    overtaken_at: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a second person."""
        return not (self.settled_by or self.turned_down_by or self.overtaken_by)


class Dismissal(_Proposed, frozen=True):
    """A dismissal somebody proposed."""

    reason: Reason


class Move(_Proposed, frozen=True):
    """A move of the moment of awareness somebody proposed."""

    was: int
    to: int


class MailFact(Fact, frozen=True):
    """How a report came by e-mail: how well its sender is known and why, SHA-256 and size of the message, when it reached the mailbox.

    `looks` counts how often DNS was asked, `again_at` is when it is asked next. `answered`: the machine's acknowledgement, if it is due,
    was sent, was refused by the reporter's own server, or was never sent: her address could not be written as it stands, she had her share
    of that day or an answer to the same message, the message was found in the junk, or no server took it for days; `doubtful` where it was
    handed over and no word came back. `tries` counts how often it was to leave; until `sending_until` whoever said so may be
    sending what is due, and nobody else tries. `cut` where the message was larger than what is kept of it, `automatic` why no person is
    taken to have written it, `marks` what of it could not be read or went beyond a limit.
    """

    grade: Grade
    reasons: tuple[str, ...]
    sha256: str
    size: int
    arrived_at: int
    looks: int = 1
    again_at: int | None = None
    answered: Answered = ""
    answered_at: int | None = None
    tries: int = 0
    cut: bool = False
    automatic: str = ""
    marks: tuple[str, ...] = ()
    sending_until: int | None = None


class WorkFired(Fact, frozen=True):
    """A clock of the work on a report that rang: what was to be done, when that was due and when it rang."""

    work: Literal["triage", "answer"]
    due_at: int
    fired_at: int


class Fired(Fact, frozen=True):
    """A clock that rang: so many hours after awareness, when that was due and when it rang."""

    hours: int
    due_at: int
    fired_at: int


class Hold(Fact, frozen=True):
    """A legal hold one person laid on a case; it stands until another agrees with who proposed to lift it. Reasons are numbers of parts."""

    by: str
    at: int
    reason: int
    lifting_by: str = ""
    lifting_at: int | None = None
    lifting_reason: int | None = None
    lifted_by: str = ""
    lifted_at: int | None = None


class TakenDown(Fact, frozen=True):
    """How a report was taken down by somebody of the house ("staff:<hex id>"), and when it was posted, sent or written, where that is told.

    `processor` is the code of the processor that tells of it. `read_at` is when it was read back to the reporter, `confirmed_at` when it
    was confirmed: from then on who took it down sees nothing of it.
    """

    by: str
    posted_at: int | None = None
    processor: str = ""
    read_at: int | None = None
    confirmed_at: int | None = None


class ReportFact(Fact, frozen=True):
    """One report as it stands; `doubt` says why it was put into quarantine, `receipt` is the keyed hash of the reporter's receipt.

    `seen_at` is when somebody of the house could first know of it, where that was before it was entered; `mail` how it came by e-mail.
    `excluded` are the people ("staff:<hex id>") who see nothing of it, since it may be about them; `excluded_by` are those who
    excluded somebody else. `offices` are those the reporter excluded; `held` are the people who see nothing of it until somebody says
    whom she meant (`settled_by`, `settled_at`). `incident` is the incident it is linked to (hex id), whose clock is then the report's.
    `holds` are the legal holds laid on it, the last of them the one that may stand; `fired` the clocks of the work on it that rang. Where
    `gone`, the case was destroyed: its tombstone (`TOMBSTONE`) tells what stays, and nothing else here means anything.
    `unlinked_at` is when it was last taken out of an incident, `authority_fired` the clocks of the time to tell the authority that rang
    while it was judged a breach and in none. `likeness` is the sketch of its text until somebody has looked at it,
    `apart` where it was taken out of its group. `staff` is how it was taken down, where somebody of the house did.
    """

    id: str
    reference: str
    state: State
    received_at: int
    language: Language
    category: str
    receipt: str
    parts: tuple[PartFact, ...]
    channel: str = "web"
    doubt: Doubt = ""
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    triaged_at: int | None = None
    triaged_by: str = ""
    finding: Finding = ""
    aware_at: int | None = None
    dismissal: Dismissal | None = None
    moves: tuple[Move, ...] = ()
    excluded: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    incident: str = ""
    offices: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    settled_by: str = ""
    settled_at: int | None = None
    files: tuple[FileFact, ...] = ()
    seen_at: int | None = None
    mail: MailFact | None = None
    holds: tuple[Hold, ...] = ()
    fired: tuple[WorkFired, ...] = ()
    gone: bool = False
    likeness: str = ""
    apart: bool = False
    staff: TakenDown | None = None
    unlinked_at: int | None = None
    authority_fired: tuple[Fired, ...] = ()

    @property
    def arrived_at(self) -> int:
        """When it reached the house: the provisional clock runs from then (implementing regulation 24)."""
        return self.received_at if self.seen_at is None else min(self.seen_at, self.received_at)


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of the part that says where a report came from, in words that may be personal."""

    platform: str = ""
    handle: str = ""
    link: str = ""
    late_reason: str = ""


class ExclusionsFact(Fact, frozen=True):
    """The reports and incidents (hex ids) one member of staff is excluded from; kept under her id."""

    cases: tuple[str, ...] = ()


class TombstoneFact(Fact, frozen=True):
    """What stays of a destroyed report or incident, under its id; nothing of it can be known to be about anybody.

    `opened_at` is when it arrived or was opened, `outcome` why a report was dismissed (`linked` for one that went with its incident), or
    the state an incident ended in; `authority` and `people` how its tracks were settled, `reference_there` the authority's number.
    `run` is the release it was destroyed under (hex id), `excluded` who sees nothing of it still.
    """

    what: Literal["report", "incident"]
    reference: str
    opened_at: int
    closed_at: int
    destroyed_at: int
    outcome: str
    run: str
    category: str = ""
    incident: str = ""
    reports: tuple[str, ...] = ()
    authority: str = ""
    people: str = ""
    filed_at: int | None = None
    reference_there: str = ""
    excluded: tuple[str, ...] = ()


TOMBSTONE: Kind[TombstoneFact] = Kind("breach_tombstone", TombstoneFact, in_book=False)
EXCLUSIONS: Kind[ExclusionsFact] = Kind("breach_exclusions", ExclusionsFact, in_book=False)
BREACH_REPORT: Kind[ReportFact] = Kind(KIND, ReportFact, in_book=False)
