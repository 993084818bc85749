"""The answer to an authority or a partner about a disclosure, ready to print: what was given, what was not and why, without a value.

Invariant: the letter says what the disclosure's fact says, decided field by field; whose data it is stands in it by no name.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault.access import disclosures
from vault.access.paging import each_page, page_out
from vault.access.shapes import ORDER, DisclosureFact, OrderFact
from vault.access_log.deed import Deed
from vault.errors import NotFound
from vault.records.values.dates import date
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.book import Book
from vault.rulebook.channels import Channels
from vault.rulebook.shapes import RecipientFact
from vault.web.answer import HTML, Answer
from vault.web.call import Call, write_id
from vault.web.paper import Pages
from vault.web.problems import SENTENCES
from vault.web.route import Person, Query, Route
from vault.web.times import RIYADH, in_words, moment

_PAGES: Final = Pages("vault.access")


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records each field is given of, and how many are refused it, why and by which article, over all pages."""

    given: Counter[str]
    refused: Counter[tuple[str, str, str]]

    @classmethod
    def of(cls, deed: Deed, found: DisclosureFact) -> "Counted":
        """What was decided; what did not leave with a page that left counts as refused. Raises Unavailable `integrity`."""
        counted = cls(Counter(), Counter())
        for page in each_page(deed, found):
            out = page_out(deed, found, page.number)
            left_out = {} if out is None else {one.record: one for one in out.left_out}
            counted.refused.update((one.field, one.code, one.article) for one in page.refused)
            for part in page.granted:
                why = left_out.get(part.record)
                if why is None:
                    counted.given.update(part.fields)
                else:
                    counted.refused.update((name, why.code, why.article) for name in part.fields)
        return counted


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter is written from."""

    disclosure: DisclosureFact
    order: OrderFact | None
    recipient: RecipientFact
    book: Book
    at: int
    decided: "Counted"

    @classmethod
    def of(cls, deed: Deed, errand: Errand, disclosure: bytes) -> "Letter":
        """The letter of this disclosure; the look is an entry. Raises NotFound, Unavailable `integrity`."""
        found = disclosures.shown(deed, errand, disclosure)
        book = errand.book(deed)
        recipient = book.recipients.get(found.recipient)
        if recipient is None:  # asked for a party nobody registered: there is nobody to answer
            raise NotFound
        order = facts.read(deed, ORDER, found.order) if found.order else None
        return cls(found, order, recipient, book, deed.now, Counted.of(deed, found))

    def given(self, language: str) -> list[tuple[str, int]]:
        """Each field that was granted, as people call it, and of how many records."""
        return [(self._label(name, language), count) for name, count in self.decided.given.items() if count]

    def refused(self, language: str) -> list[tuple[str, int, str, str]]:
        """Each field that was refused, of how many records, why, and by which article."""
        return [
            (self._label(name, language), count, SENTENCES[code].title.in_language(language), article)
            for (name, code, article), count in self.decided.refused.items()
        ]

    def _label(self, name: str, language: str) -> str:
        """What a field is called: of types that share a name the first says it."""
        named = (field.labels for type_ in self.book.types.values() for field in type_.fields if field.name == name)
        return next(named, {}).get(language, name)


def letter_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The call; `channels` hold the associations' names by code."""

    async def page(call: Call) -> Answer:
        """The answer to who asked, to print and sign."""
        asker: Asker = call.caller
        disclosure, errand, language = call.path_id("disclosure"), Errand(asker, call.request_id), call.query["lang"]
        found = await heard(errand, lambda: asker.association.run(lambda deed: Letter.of(deed, errand, disclosure)))
        own = channels.get(asker.association.code, Channels())
        return _PAGES.answer("letter.html", language, name=own.named(asker.association.code, language), **_said(found, language))

    return [
        Route(
            method="GET",
            path="/v1/disclosures/{disclosure}/letter",
            name="disclosures.letter",
            handler=page,
            access=Person("approve"),
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"), default="ar")},
            summary="The answer to who asked for a disclosure, ready to print: what was given, what was not and why, without a value.",
        ),
    ]


def _said(letter: Letter, language: str) -> dict[str, Any]:
    found, order = letter.disclosure, letter.order
    today = date(moment(letter.at).astimezone(RIYADH).date().isoformat())
    return {
        "today": (today.hijri, today.normal),
        "recipient": letter.recipient.name[language],
        "order": order,
        "issued": None if order is None else _days(order.issued_on),
        "given": letter.given(language),
        "refused": letter.refused(language),
        "released": found.released,
        "fingerprint": found.key,
        "received": [(each.serial, in_words(moment(each.at), language)) for each in found.received],
        "number": write_id(bytes.fromhex(found.id)),
    }


def _days(issued_on: str) -> tuple[str, str]:
    found = date(issued_on)
    return found.hijri or "", found.first.isoformat()
