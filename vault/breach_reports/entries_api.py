"""HTTP in and out of what members of staff take down: telephone, counter, letter, social account, a processor's notice (article 8)."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from vault.breach_reports import bodies, entering, telling
from vault.breach_reports.door import Opened
from vault.breach_reports.entering import Came, Channel
from vault.breach_reports.exclusion import Wish
from vault.breach_reports.files import MOST_FILES, MOST_TOGETHER, Wrong
from vault.breach_reports.files_api import SECONDS, said
from vault.breach_reports.intake import Told, plain
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports, opened
from vault.breach_reports.shapes import CONTACT, FILE, REPORT, Language
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand, once_for
from vault.rulebook.working_days import holidays
from vault.web import Answer, Body, Call, Form, Person, Route, write_id
from vault.web.route import KIBIBYTE
from vault.web.times import parse_time, write_time

PATH: Final = "/v1/breach-reports/entries"
ONE: Final = f"{PATH}/{{report}}"
MOST_BODY: Final = 96 * KIBIBYTE
"""A report as the public may send it, and the lines beside it."""
_Short = Annotated[str, msgspec.Meta(max_length=2_000)]
_Text = Annotated[str, msgspec.Meta(max_length=20_000)]


class NewEntry(Body):
    """A report as it was told to somebody of the house, in its own words; `seen_at` is when somebody of the house first knew of it.

    `posted_at` is when it was posted, sent or written; `late_reason` is asked where more than a day went by since `seen_at`. Of a social
    account `platform`, `posted_at`, and `link` or `handle`; `processor` is the code of the processor whose notice it is.
    """

    channel: Channel
    category: _Short
    narrative: _Text
    language: Language
    seen_at: _Short
    posted_at: _Short | None = None
    late_reason: _Short = ""
    noticed_on: _Short | None = None
    contact: _Short | None = None
    exclude: bodies.Excluding | None = None
    platform: _Short = ""
    handle: _Short = ""
    link: _Short = ""
    processor: _Short = ""


class EntryTaken(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A report that was taken down: it waits to be read back and confirmed, and is a report whether that is done or not."""

    id: str
    reference: str
    entered_at: str
    seen_at: str
    acknowledge_by: str | None
    already: bool = False


class EntryRead(msgspec.Struct, kw_only=True):
    """What was taken down, shown once to who did, to be read to the reporter."""

    id: str
    reference: str
    channel: str
    category: str
    language: str
    entered_at: str
    seen_at: str
    narrative: str
    noticed_on: str | None
    contact: str | None
    taken_down: bodies.TakenDownTold
    files: list[bodies.FileTold]
    entry: bodies.EntryTold


class EntryConfirmation(Body):
    """That it is what was told, with what the reporter put right or added when it was read back (5,000 characters)."""

    correction: _Text = ""


class EntryConfirmed(msgspec.Struct):
    """The end of taking a report down: its receipt, shown this once, null where nobody is there to take one."""

    id: str
    reference: str
    receipt: str | None


class EntryFiles(msgspec.Struct):
    """How many files lie with a report that was taken down."""

    id: str
    files: int


def entry_routes(reports: Reports) -> list[Route]:
    """Return the calls of this file."""
    api, access = _Entries(reports), Person(entering.SCOPE)
    return [
        Route(
            method="POST",
            path=PATH,
            name="breach_reports.entries.take",
            handler=api.take,
            access=access,
            body=NewEntry,
            answer=EntryTaken,
            status=201,
            max_body=MOST_BODY,
            headers=frozenset({"Idempotency-Key"}),
            summary="Take down a report that came by telephone, letter, social account, at the counter or from a processor.",
        ),
        Route(
            method="GET",
            path=ONE,
            name="breach_reports.entries.read",
            handler=api.read,
            access=access,
            answer=EntryRead,
            summary="Read back what one took down oneself, once and before it is confirmed; the look is an entry.",
        ),
        Route(
            method="POST",
            path=f"{ONE}/files",
            name="breach_reports.entries.files",
            handler=api.files,
            access=access,
            form=Form(file="file", most=MOST_FILES, seconds=SECONDS),
            answer=EntryFiles,
            status=201,
            max_body=MOST_TOGETHER,
            summary="Add files to what one took down oneself, before it is confirmed: a screenshot, a scanned letter.",
        ),
        Route(
            method="POST",
            path=f"{ONE}/confirmation",
            name="breach_reports.entries.confirm",
            handler=api.confirm,
            access=access,
            body=EntryConfirmation,
            answer=EntryConfirmed,
            summary="Confirm it, for the reporter's receipt; who took it down sees nothing of it any more.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Entries:
    """The handlers: call the room, shape the answer, return."""

    reports: Reports

    async def take(self, call: Call) -> Answer:
        body: NewEntry = call.body
        errand = Errand(call.caller, call.request_id)
        once = once_for(call.caller, route=call.route.name, key=call.idempotency_key, body=body)
        found, already = await self.reports.take_down(errand, (_came(body), _told(body)), once, call.now)
        fact, days = found.fact, await call.caller.association.run(holidays)
        taken = EntryTaken(
            id=write_id(found.id),
            reference=fact.reference,
            entered_at=write_time(fact.received_at),
            seen_at=write_time(fact.arrived_at),
            acknowledge_by=telling.acknowledge_by(fact, days),
            already=already,
        )
        return Answer(taken, status=200 if already else None)

    async def read(self, call: Call) -> Answer:
        return Answer(await read_back(call, call.path_id("report")))

    async def files(self, call: Call) -> Answer:
        errand, report = Errand(call.caller, call.request_id), call.path_id("report")
        try:
            fact = await self.reports.add_to_entry(errand, report, call.form.uploads())
        except Wrong as wrong:
            raise said(wrong) from None
        return Answer(EntryFiles(write_id(report), len(fact.files)))

    async def confirm(self, call: Call) -> Answer:
        body: EntryConfirmation = call.body
        errand, report = Errand(call.caller, call.request_id), call.path_id("report")
        fact, receipt = await self.reports.confirm_entry(errand, report, plain(body.correction))
        return Answer(EntryConfirmed(write_id(report), fact.reference, receipt))


async def read_back(call: Call, report: bytes) -> EntryRead:
    """What was taken down, after the commit of the entry that says it is shown. Raises NotFound, Refused, Unavailable."""
    errand, association = Errand(call.caller, call.request_id), call.caller.association
    taken = await heard(errand, lambda: association.run(lambda deed: entering.read_back(deed, errand, report)), about(report))
    fact, shown = taken.case.fact, await opened(errand, taken)
    first = next(msgspec.json.decode(each.content) for each in shown if each.told.kind == REPORT)
    names = {each["file"]: telling.harmless(each["name"]) for each in _contents(shown, FILE)}
    return EntryRead(
        id=write_id(report),
        reference=fact.reference,
        channel=fact.channel,
        category=fact.category,
        language=fact.language,
        entered_at=write_time(fact.received_at),
        seen_at=write_time(fact.arrived_at),
        narrative=first["narrative"],
        noticed_on=first.get("noticed_on"),
        contact=next(iter(_contents(shown, CONTACT)), None),
        taken_down=telling.taken_down(entering.staff_of(taken.case), shown),
        files=telling.files(fact, 0, names),
        entry=bodies.EntryTold(taken.appended.index, taken.appended.leaf_hash.hex()),
    )


def _contents(shown: list[Opened], kind: str) -> list[Any]:
    return [msgspec.json.decode(each.content) for each in shown if each.told.kind == kind]


def _told(body: NewEntry) -> Told:
    wish = Wish() if body.exclude is None else Wish(body.exclude.offices, plain(body.exclude.words))
    return Told(body.category, plain(body.narrative), body.language, body.noticed_on or "", plain(body.contact or ""), wish)


def _came(body: NewEntry) -> Came:
    posted = None if body.posted_at is None else _time(body.posted_at, "posted_at")
    return Came(
        channel=body.channel,
        seen_at=_time(body.seen_at, "seen_at"),
        posted_at=posted,
        late_reason=plain(body.late_reason),
        platform=plain(body.platform),
        handle=plain(body.handle),
        link=plain(body.link),
        processor=body.processor,
    )


def _time(text: str, name: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid([FieldError(name, "wrong-type")]) from None
