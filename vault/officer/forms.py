"""The forms there are to sign today, by purpose and recipient, and each of them to print.

Invariant: only what a consent in writing is enough for is listed, under the notice in force; nothing of a person stands here.
"""

from dataclasses import dataclass
from typing import Final

from vault.consent.forms import Wanted, on_offer
from vault.consent.forms_api import ASKED, page
from vault.identity.callers import Caller
from vault.officer.frame import Frame, link, looks, speaker_of
from vault.policy.facts import INTERNAL
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Query, Route

PATH: Final = "/officer/forms"
PRINTED: Final = "/officer/forms/print"
LANGUAGES: Final = ("ar", "en")


@dataclass(frozen=True, slots=True)
class Offered:
    """A form that can be printed: for what, who receives it, and its address by language."""

    purpose: str
    recipient: str
    version: int
    addresses: dict[str, str]


def form_pages(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Forms(frame)
    which = {"notice": Query(kind="id", required=True), "version": Query(kind="integer", required=True, low=1, high=999)}
    return [
        looks(PATH, "officer.forms", pages.look, "notices:read", "Forms to sign by hand, by purpose and recipient.", type=ASKED["type"]),
        looks(PRINTED, "officer.form", pages.printed, "notices:read", "One of them, to print.", **which, **ASKED),
    ]


@dataclass(frozen=True, slots=True)
class _Forms:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        caller: Caller = call.caller
        book = await Errand(caller, call.request_id).newest_book()
        chosen = call.query["type"] if call.query["type"] in book.types else ""
        labels = book.pack.record_types
        types = [(name, getattr(labels[name].label, call.language) if name in labels else name) for name in sorted(book.types)]
        return await self.frame.page("forms.html", call, offered=_offered(book, call, chosen), types=types, chosen=chosen)

    async def printed(self, call: Call) -> Answer:
        query, language = call.query, call.language
        asked = {name: query[name] for name in ASKED}
        said = {"notice": write_id(query["notice"]), "version": query["version"], **asked, "type": asked["type"] or None}
        wanted = Wanted(query["notice"], query["version"], language=language, **asked)
        return await page(call, wanted, self.frame.channels, link(PRINTED, "ar" if language == "en" else "en", **said))


def _offered(book: Book, call: Call, type_: str) -> list[Offered]:
    """The forms for records of a type, of all types where none is chosen."""
    speaker = speaker_of(call, book)
    own = {one.name for one in book.types[type_].fields} if type_ else None
    found = []
    for notice, purpose, party in on_offer(book):
        if own is not None and own.isdisjoint(notice.fields):
            continue
        which = {"notice": speaker.id(notice.id), "version": notice.version, "type": type_ or None}
        said = {**which, "purpose": purpose.code, "recipient": party}
        name = speaker.word("forms_published" if purpose.action == "publish" else "forms_inside")
        if party != INTERNAL:
            name = book.recipients[party].name.get(speaker.language, party)
        found.append(Offered(speaker.purpose(purpose.code), name, notice.version, {one: link(PRINTED, one, **said) for one in LANGUAGES}))
    return found
