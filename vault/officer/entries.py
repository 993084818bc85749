"""Taking down a report that reached the association otherwise: the form, reading it back once, the slip for the reporter (article 8).

Invariants: what was typed comes back with what is wrong with it; the text and the receipt are shown in the answer to a form and stand under
no address; loading such a page again shows neither a second time.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vault.breach_reports import entering
from vault.breach_reports.entering import CHANNELS, SCOPE, Came
from vault.breach_reports.entries_api import EntryRead, read_back
from vault.breach_reports.exclusion import OFFICES, Wish
from vault.breach_reports.files import MOST_FILES, MOST_TOGETHER
from vault.breach_reports.intake import Told, plain
from vault.breach_reports.lifecycle import in_riyadh
from vault.breach_reports.reports import Reports
from vault.errors import Conflict, FieldError, Invalid, Malformed, NotFound, TooMany, Unavailable, VaultError
from vault.officer.frame import RIYADH, SIGN_IN, Frame, looks, require_form, speaker_of
from vault.rulebook.asker import Errand, once_for
from vault.rulebook.channels import Channels
from vault.storage.idempotency import Once
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id
from vault.web.form import Form
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import KIBIBYTE, Person, Query, Route
from vault.web.times import fold_digits, parse_time

PATH: Final = "/officer/entries"
CONFIRMED: Final = "/officer/entries/confirmation"
_TEXTS: Final = 160 * KIBIBYTE
_LINES: Final = ("token", "once", "channel", "category", "language", "seen_at", "posted_at", "noticed_on", "contact", "exclude")
_MORE: Final = ("late_reason", "platform", "handle", "link", "processor", "narrative")
_EXCLUDE: Final = {office: f"exclude_{office}" for office in OFFICES}
_FIELDS: Final = (*_LINES, *_EXCLUDE.values(), *_MORE)
MISMATCH: Final = "idempotency-mismatch"
_LANG: Final = {"lang": Query(kind="choice", choices=("ar", "en"))}


class EntryOther(Conflict):
    """The form was sent before with another report: what stands in it now was not taken down, and comes back to be sent again."""

    code = "entry-other"


def entry_pages(frame: Frame, reports: Reports) -> list[Route]:
    """The pages of this file."""
    pages = _Entries(frame, reports)
    form = Form(fields=dict.fromkeys(_FIELDS, _TEXTS), file="file", most=MOST_FILES, texts=_TEXTS, keeps=True, seconds=300.0)
    return [
        looks(PATH, "officer.entries", pages.look, SCOPE, "The form on which a report is taken down."),
        Route(
            method="POST",
            path=PATH,
            name="officer.entry-taken",
            handler=pages.take,
            access=Person(SCOPE),
            form=form,
            max_body=MOST_TOGETHER + _TEXTS,
            media_type=HTML,
            query=_LANG,
            sign_in=SIGN_IN,
            summary="Take a report down and read it back, once.",
        ),
        Route(
            method="POST",
            path=CONFIRMED,
            name="officer.entry-confirmed",
            handler=pages.confirm,
            access=Person(SCOPE),
            form=Form(fields={"token": 400, "report": 100, "correction": 24 * KIBIBYTE}),
            max_body=32 * KIBIBYTE,
            media_type=HTML,
            query=_LANG,
            sign_in=SIGN_IN,
            summary="Confirm it and show the slip for the reporter, once.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Entries:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        return await self._form(call, None)

    async def take(self, call: Call) -> Answer:
        require_form(call)
        errand = Errand(call.caller, call.request_id)
        if call.form.is_cut:
            return await self._form(call, Invalid([FieldError("narrative", "too-large")]))
        try:
            found, _ = await self.reports.take_down_with(errand, lambda: _said(call), call.form.uploads(), call.now)
        except (Invalid, Conflict, TooMany, Unavailable) as error:
            return await self._form(call, EntryOther() if error.code == MISMATCH else error)
        return await self._back(call, await read_back(call, found.id), None)

    async def confirm(self, call: Call) -> Answer:
        require_form(call)
        try:
            report = parse_id(call.form.fields.get("report", ""))
        except NotFound:
            raise Malformed from None
        correction = plain(call.form.fields.get("correction", ""))
        try:
            fact, receipt = await self.reports.confirm_entry(Errand(call.caller, call.request_id), report, correction)
        except Invalid as error:
            return await self._back(call, None, error)
        channels = self.frame.channels.get(call.caller.association.code, Channels())
        return await self.frame.page(
            "entry_slip.html",
            call,
            reference=fact.reference,
            receipt=receipt,
            received=speaker_of(call).time(fact.received_at),
            address=f"{channels.site}/{call.caller.association.code}/report/status",
            names={language: channels.named(call.caller.association.code, language) for language in ("ar", "en")},
            reach=channels,
        )

    async def _back(self, call: Call, shown: EntryRead | None, error: VaultError | None) -> Answer:
        speaker = speaker_of(call)
        return await self.frame.page(
            "entry_back.html",
            call,
            **_failed(call, error),
            shown=shown,
            report=call.form.fields.get("report", "") if shown is None else shown.id,
            correction=call.form.fields.get("correction", ""),
            category="" if shown is None else (await self._categories(call)).get(shown.category, shown.category),
            seen="" if shown is None else speaker.time(parse_time(shown.seen_at)),
            posted="" if shown is None or shown.taken_down.posted_at is None else speaker.time(parse_time(shown.taken_down.posted_at)),
        )

    async def _form(self, call: Call, error: VaultError | None) -> Answer:
        book = await call.caller.association.refresh()
        given = {name: call.form.fields.get(name, "") for name in _FIELDS}
        now = in_riyadh(call.now).strftime("%Y-%m-%dT%H:%M")
        wrong = error.errors if isinstance(error, Invalid) else ()
        return await self.frame.page(
            "entries.html",
            call,
            **_failed(call, error),
            wrong={each.field: f"entry_wrong_{each.code.replace('-', '_')}" for each in wrong},
            given=given | {"seen_at": given["seen_at"] or now, "language": given["language"] or call.language},
            once=uuid.uuid4().hex if isinstance(error, EntryOther) else given["once"] or uuid.uuid4().hex,
            now=now,
            today=now[:10],
            channels_=CHANNELS,
            categories=await self._categories(call),
            offices=[(name, office) for office, name in _EXCLUDE.items()],
            processors=[(code, book.recipients[code].name.get(call.language, code)) for code in entering.processors(book)],
        )

    async def _categories(self, call: Call) -> Mapping[str, str]:
        found = await self.reports.categories(call.caller.association)
        return {code: text.en if call.language == "en" else text.ar for code, text in found.items()}


def _failed(call: Call, error: VaultError | None) -> dict[str, Any]:
    """What a page says of what was not done."""
    if error is None:
        return {"problem": None}
    told = {"status": status_of(error), "headers": problem_headers(error)}
    return {**told, "problem": problem_of(error, call.request_id, call.language)}


def _said(call: Call) -> tuple[tuple[Came, Told], Once | None]:
    """What was filled in, and the key of the form it stands in: sent again with the same words it is the same report."""
    entry = _told(call)
    return entry, once_for(call.caller, route=call.route.name, key=_key(call.form.fields.get("once", "")), body=entry)


def _told(call: Call) -> tuple[Came, Told]:
    """What was filled in, once all of it was read. Raises Invalid for what is no channel or time, Malformed for no language of ours."""
    given = {name: text.strip() for name, text in call.form.fields.items()}
    channel: Any = given.get("channel", "")
    language: Any = given.get("language", "")
    wrong = [FieldError("channel", "missing")] if channel not in CHANNELS else []
    if language not in ("ar", "en"):
        raise Malformed
    seen, posted = _moment(given.get("seen_at", "")), _moment(given.get("posted_at", ""))
    wrong += [FieldError("seen_at", "wrong-type")] if seen is None else []
    wrong += [FieldError("posted_at", "wrong-type")] if posted is None and given.get("posted_at") else []
    if wrong or seen is None:
        raise Invalid(wrong)
    more = {name: given.get(name, "") for name in ("late_reason", "platform", "handle", "link", "processor")}
    wish = Wish(tuple(office for office, name in _EXCLUDE.items() if given.get(name)), given.get("exclude", ""))
    told = Told(
        given.get("category", ""), given.get("narrative", ""), language, given.get("noticed_on", ""), given.get("contact", ""), wish
    )
    return Came(channel, seen, posted, **more), told


def _moment(text: str) -> int | None:
    """A moment as the clocks in Riyadh show it, in microseconds UTC; None for what is none."""
    try:
        found = datetime.strptime(fold_digits(text), "%Y-%m-%dT%H:%M").replace(tzinfo=RIYADH)
    except ValueError:
        return None
    return int(found.timestamp()) * 1_000_000


def _key(text: str) -> str | None:
    return text if text.isascii() and text.isalnum() and len(text) == len(uuid.UUID(int=0).hex) else None
