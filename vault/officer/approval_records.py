"""The records of an order or a disclosure that waits, page by page: whom it names, what each would be given and what not, and no value.

Invariant: a look is the same deed as the call's that shows a page to who approves it, an entry each.
"""

from dataclasses import dataclass
from typing import Final, Literal

from vault.access import disclosures, orders
from vault.access.orders_api import PAGE
from vault.access.paging import pages_of
from vault.access.shapes import DisclosureFact, DisclosurePage, OrderFact, Refusal
from vault.access_log.deed import Deed
from vault.officer.frame import Frame, Speaker, link, looks, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Query, Route

Kind = Literal["order", "disclosure"]
PATH: Final = "/officer/approvals/records"
BACK: Final = "/officer/approvals"
ID: Final = Query(kind="id", required=True)


@dataclass(frozen=True, slots=True)
class Line:
    """One record: what of it would be given, and what would not with the reason."""

    record: str
    given: str
    not_given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of how many, its lines, and how many records all pages name."""

    pages: int
    people: int
    lines: list[Line]


def approval_records(frame: Frame) -> list[Route]:
    """The page of this file."""
    kind = Query(kind="choice", choices=("order", "disclosure"), required=True)
    pages = _Records(frame)
    says = "The records on one page of an order or a disclosure that waits."
    return [looks(PATH, "officer.approval-records", pages.look, "approve", says, kind=kind, id=ID, page=PAGE)]


def address(language: str, kind: Kind, id_: str, page: int = 1) -> str:
    """Where one page of an order or a disclosure is looked at; `id_` as it travels."""
    return link(PATH, language, kind=kind, id=id_, page=page)


def not_given(say: Speaker, part: Refusal) -> str:
    """A field that is not given, and why."""
    why = say.joined((say.reason(part.code), f"{say.word('article')} {say.article(part.article)}"))
    return f"{say.fields([part.field])} ({why})"


@dataclass(frozen=True, slots=True)
class _Records:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        kind, id_, number = call.query["kind"], call.query["id"], call.query["page"]
        say = speaker_of(call, await call.caller.association.book())
        errand, read = Errand(call.caller, call.request_id), _order if kind == "order" else _disclosure
        found = await heard(errand, lambda: call.caller.association.run(lambda deed: read(deed, errand, call, say)))

        def at(page: int) -> str | None:
            return address(call.language, kind, write_id(id_), page) if 1 <= page <= found.pages else None

        return await self.frame.page(
            "approval_records.html",
            call,
            kind=kind,
            id=write_id(id_),
            number=number,
            found=found,
            refuses=any(line.not_given for line in found.lines),
            before=at(number - 1),
            after=at(number + 1),
            back=link(BACK, call.language),
        )


def _order(deed: Deed, errand: Errand, call: Call, say: Speaker) -> Leaf:
    found, records = orders.shown(deed, errand, call.query["id"], call.query["page"])
    return Leaf(found.pages, _named(found), [Line(say.id(record), say.fields(found.fields)) for record in records])


def _disclosure(deed: Deed, errand: Errand, call: Call, say: Speaker) -> Leaf:
    found, page, _ = disclosures.shown_page(deed, errand, call.query["id"], call.query["page"])
    return Leaf(pages_of(found), _granted(found), _lines(page, say))


def _named(order: OrderFact) -> int:
    return len(order.records) + order.further


def _granted(found: DisclosureFact) -> int:
    return len(found.granted) + (0 if found.further is None else found.further.granted)


def _lines(page: DisclosurePage, say: Speaker) -> list[Line]:
    """A line for each record: first those of which something is given, then the others."""
    given: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    for part in page.granted:
        given.setdefault(part.record, []).extend(part.fields)
    for one in page.refused:
        refused.setdefault(one.record, []).append(not_given(say, one))
    return [
        Line(say.id(record), say.fields(given.get(record, ())), tuple(refused.get(record, ())))
        for record in dict.fromkeys([*given, *refused])
    ]
