"""What every page of the officer stands in: who is signed in, where she may go, and the words things are told in.

Invariants: a page tells ids, kinds, times and counts, never a name and never a value; a link that would be refused is not shown; a form
counts only from a page of ours, opened in the same session.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final, Literal
from urllib.parse import urlencode

from babel import Locale

from vault.errors import Conflict, VaultError
from vault.identity.callers import Caller
from vault.identity.scopes import OWN
from vault.identity.service import Identity
from vault.officer.words import KINDS, OUTCOMES, reason_word
from vault.rulebook.book import Book
from vault.rulebook.channels import Channels
from vault.web.answer import HTML, Answer
from vault.web.call import Call, write_id
from vault.web.form import Form
from vault.web.paper import Pages
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import Handler, Person, Query, Route
from vault.web.times import moment

PAGES: Final = Pages("vault.officer")
SIGN_IN: Final = "/officer/sign-in"
LANG: Final = Query(kind="choice", choices=("ar", "en"))
FORM_STALE: Final = "form-stale"
TYPED: Final = {
    "person": r"\s*[0-9a-fA-F٠-٩۰-۹]{8}(-[0-9a-fA-F٠-٩۰-۹]{4}){3}-[0-9a-fA-F٠-٩۰-۹]{12}\s*",
    "actor": r"\s*(staff|client):[0-9a-fA-F٠-٩۰-۹\-]{32,36}\s*",
}
"""What a browser sends of a line that comes to stand in the address: an id, and never a name or a number of somebody's (promise 6)."""
RIYADH: Final = dt.timezone(dt.timedelta(hours=3))
HANDS: Final = frozenset({"system", "reporter", "visitor", "public"})
"""Hands in the log that are nobody's account."""
REPORTS: Final = "breach_report"
"""What the log names as the purpose of work on reports."""
CLASSES: Final = frozenset({"identity", "contact", "finance", "family", "health", "sensitive"})
_AREAS: Final = {
    "home": (("/officer", "home", OWN),),
    "log": (
        ("/officer/log", "log", "log:read"),
        ("/officer/alerts", "alerts", "log:read"),
        ("/officer/month", "month", "log:read"),
        ("/officer/statistics", "statistics", "log:read"),
        ("/officer/standing", "standing", "log:verify"),
    ),
    "approvals": (("/officer/approvals", "approvals", "approve"),),
    "cases": (
        ("/officer/reports", "reports", "reports"),
        ("/officer/incidents", "incidents", "reports"),
        ("/officer/quarantine", "quarantine", "reports"),
        ("/officer/exclusions", "exclusions", "staff:read"),
        ("/officer/entries", "entries", "reports:enter"),
        ("/officer/retention", "retention", "reports"),
    ),
    "people": (
        ("/officer/requests", "requests", "requests"),
        ("/officer/referrals", "referrals", "disclosures"),
        ("/officer/recalls", "recalls", "disclosures"),
        ("/officer/take-downs", "take_downs", "publications:write"),
    ),
    "own": (("/officer/own", "own", OWN),),
}
"""Every page a link of the frame leads to, with the scope it asks for, by what an officer is at."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Puts what the rooms tell into words of one language."""

    language: Literal["ar", "en"]
    book: Book | None = None

    def word(self, name: str) -> str:
        """A word of the pages."""
        return str(getattr(PAGES.words(self.language), name))

    def time(self, microseconds: int) -> str:
        """A moment as the clocks in Riyadh show it."""
        return moment(microseconds).astimezone(RIYADH).strftime("%Y-%m-%d %H:%M")

    def counted(self, unit: str, number: int) -> str:
        """So many `hours` or `minutes`, as the language counts them."""
        category = "zero" if number == 0 else Locale.parse(self.language).plural_form(number)
        words = vars(PAGES.words(self.language))
        return str(words.get(f"{unit}_{category}", words[f"{unit}_other"])).format(n=number)

    def id(self, hexadecimal: str) -> str:
        """An id as it travels."""
        return write_id(bytes.fromhex(hexadecimal))

    def actor(self, ref: str) -> str:
        """An actor as a search takes it: `staff:<uuid>`; others as the log writes them."""
        kind, _, id_ = ref.partition(":")
        return f"{kind}:{self.id(id_)}" if kind in ("staff", "client") else ref

    def hand(self, ref: str) -> str:
        """Whose hand it was, for people: who has no id in a word of ours."""
        return self.word(f"hand_{ref}") if ref in HANDS else self.actor(ref)

    def kind(self, code: str) -> str:
        """A kind of entry in words, its code where there are none yet."""
        return KINDS[code].in_language(self.language) if code in KINDS else code

    def outcome(self, code: str) -> str:
        """An answer in a word."""
        return OUTCOMES[code].in_language(self.language)

    def reason(self, code: str) -> str:
        """Why it was refused."""
        return reason_word(code, self.language)

    def purpose(self, code: str | None) -> str:
        """A purpose by its title, its code where it has none."""
        if code is None:
            return self.word("no_purpose")
        if code == REPORTS:
            return self.word("purpose_reports")
        known = self.book.purposes.get(code) if self.book else None
        return known.title.get(self.language, code) if known else code

    def field(self, name: str) -> str:
        """A field by its label where every record type that has it labels it so, else by its name."""
        types = self.book.types.values() if self.book else ()
        labels = {one.labels.get(self.language, name) for each in types for one in each.fields if one.name == name}
        return labels.pop() if len(labels) == 1 else name

    def fields(self, names: Iterable[str]) -> str:
        """Fields one after another."""
        return self.joined(map(self.field, names))

    def class_(self, name: str) -> str:
        """A class of data in a word, its name where an association has one of its own."""
        return self.word(f"class_{name}") if name in CLASSES else name

    def joined(self, words: Iterable[str]) -> str:
        """Words one after another, with the comma of the language."""
        return self.word("comma").join(words)

    def article(self, text: str) -> str:
        """An article by its number: which policy it is of, every page of the association knows."""
        return text.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Place:
    """A link of the frame; `is_here` where the page it leads to is the one that is shown."""

    path: str
    word: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Area:
    """The pages of one kind of work, of those that are open to who asks; one page alone is called what the page is."""

    word: str
    is_here: bool
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pages are made with."""

    identity: Identity
    channels: Mapping[str, Channels]

    async def page(
        self, template: str, call: Call, *, status: int | None = None, headers: Mapping[str, str] | None = None, **values: object
    ) -> Answer:
        """A page for whoever is signed in."""
        caller: Caller = call.caller
        association = caller.association
        channels = self.channels.get(association.code, Channels())
        speaker = speaker_of(call, await association.book())
        return PAGES.answer(
            template,
            call.language,
            status=status,
            headers=headers,
            name=channels.named(association.code, call.language),
            demonstration=channels.demonstration,
            areas=list(_areas(speaker, call.route.path, caller.scopes)),
            who=speaker.actor(caller.ref),
            scopes=caller.scopes,
            token=form_token(caller),
            elsewhere=_in_the_other_language(call),
            say=speaker,
            typed=TYPED,
            **values,
        )


def _areas(speaker: Speaker, here: str, scopes: Collection[str]) -> Iterator[Area]:
    for name, pages in _AREAS.items():
        places = tuple([Place(path, speaker.word(f"place_{page}"), path == here) for path, page, scope in pages if scope in scopes])
        if places:
            word = speaker.word(f"area_{name}") if len(places) > 1 else places[0].word
            yield Area(word, any(here == path or here.startswith(f"{path}/") for path, _, _ in pages if path != "/officer"), places)


def left_to_right(text: str) -> str:
    """A time or an id within a sentence, in the order of its own signs also where the sentence runs the other way (UAX 9, isolates)."""
    return f"\u2066{text}\u2069" if text else ""


def speaker_of(call: Call, book: Book | None = None) -> Speaker:
    """Who speaks the language of this call."""
    return Speaker("en" if call.language == "en" else "ar", book)


def form_token(caller: Caller) -> str:
    """What a form must bring back: known to nobody who cannot read a page of this session."""
    return caller.association.cabinet.pepper.hash("page-form", caller.session or "").hex()


def require_ours(call: Call) -> None:
    """Refuse a form that another site's page made. Raises Conflict `form-stale`.

    Under our own `Referrer-Policy: no-referrer` browsers send `Origin: null` for our own forms, so Fetch Metadata has to agree with it.
    """
    origin, host = call.header("origin"), call.header("host")
    own = origin is None or origin == b"null" or origin.partition(b"://")[1:] == (b"://", host)
    if call.is_from_elsewhere or not own:
        raise Conflict(FORM_STALE)


def require_form(call: Call) -> None:
    """Refuse a form that is not of this session's pages. Raises Conflict `form-stale`."""
    require_ours(call)
    if not compare_digest(call.form.fields.get("token", "").encode(), form_token(call.caller).encode()):
        raise Conflict(FORM_STALE)


def failed(call: Call, error: VaultError | None) -> dict[str, Any]:
    """What a page says of a step that was not taken."""
    if error is None:
        return {"problem": None}
    return {
        "status": status_of(error),
        "headers": problem_headers(error),
        "problem": problem_of(error, call.request_id, call.language),
    }


def typed(call: Call) -> dict[str, str]:
    """What was typed into each field of the form, "" where nothing came."""
    return defaultdict(str, {name: text.strip() for name, text in call.form.fields.items()})


def looks(path: str, name: str, handler: Handler, scope: str, summary: str, **query: Query) -> Route:
    """A page to look at."""
    return Route(
        method="GET",
        path=path,
        name=name,
        handler=handler,
        access=Person(scope),
        media_type=HTML,
        query={"lang": LANG, **query},
        sign_in=SIGN_IN,
        summary=summary,
    )


def sends(path: str, name: str, handler: Handler, scope: str, summary: str, *fields: str) -> Route:
    """A form of a page; each field takes a line."""
    return Route(
        method="POST",
        path=path,
        name=name,
        handler=handler,
        access=Person(scope),
        form=Form(fields=dict.fromkeys(("token", *fields), 400)),
        max_body=8 * 1024,
        media_type=HTML,
        query={"lang": LANG},
        sign_in=SIGN_IN,
        summary=summary,
    )


def link(path: str, language: str, **query: object) -> str:
    """The address of a page of ours in this language; what is None is left out."""
    return f"{path}?{urlencode({**{name: value for name, value in query.items() if value is not None}, 'lang': language})}"


def _in_the_other_language(call: Call) -> str:
    """The same page in the other language; after a form the page it stood on, for whom it stood there."""
    asked = {name: write_id(value) if isinstance(value, bytes) else value for name, value in call.query.items()}
    if call.route.method != "GET":
        asked = {"person": call.form.fields.get("person") or None}
    return link(call.route.path, "ar" if call.language == "en" else "en", **{**asked, "lang": None})
