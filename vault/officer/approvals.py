"""What waits for a second person, to approve or to turn down: orders, disclosures, research, erasures, keys, the pack, reports, incidents.

Invariants: every settling takes a fresh one-time code in its own form; who made a thing is not offered to approve it, and is refused by the
room itself when she tries; a link back shows what was done, so that loading again does nothing twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from vault.access import disclosures, erasing, erasures, orders
from vault.access.approving import Approver
from vault.access.certificate import ErasureFact
from vault.access.order_scans_api import shown
from vault.access.paging import pages_of
from vault.access.scans_api import Turns
from vault.access.shapes import BARS, DisclosureFact, OrderFact
from vault.access.waiting import waiting
from vault.access_log.deed import Deed
from vault.breach_reports.reports import Reports
from vault.custody import service as custody
from vault.errors import Conflict, Malformed, NotFound, Refused, TooMany, VaultError
from vault.identity.callers import Caller
from vault.identity.pack_api import is_overdue, review_due
from vault.identity.pack_change import PackChanges, Weighed
from vault.identity.pack_effects import EFFECTS
from vault.officer import approval_records, breach_approvals, research_approvals
from vault.officer.approval_item import Item
from vault.officer.approval_records import Kind, not_given
from vault.officer.frame import Frame, Speaker, left_to_right, link, looks, require_form, sends, speaker_of
from vault.officer.report_steps import number
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.key_facts import CeremonyFact
from vault.rulebook.two_people import same_person
from vault.web.answer import Answer
from vault.web.call import Call, parse_id
from vault.web.door import led_to
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import Query, Route
from vault.web.times import fold_digits

T = TypeVar("T")
PATH: Final = "/officer/approvals"
PAPER: Final = "/officer/approvals/paper"
PAGE: Final = 100
MOST: Final = 500
MOST_PAGES: Final = 50
"""What waits longest is looked for among that many pages of what was settled since."""
PACK_CHANGES: Final = ("added", "changed", "shut")
TURNED_DOWN_BY: Final = {
    "order": "orders",
    "keys": "keys:write",
    **dict.fromkeys(("disclosure", "erasure", "pack", *research_approvals.KINDS, *breach_approvals.TURNED_DOWN), "approve"),
}
"""The scope that turning down takes, by kind."""


def approval_routes(frame: Frame, reports: Reports) -> list[Route]:
    """The pages of this file."""
    pages = _Approvals(frame, reports)
    done = Query(kind="choice", choices=("approved", "turned-down"))
    turns = Turns()

    async def paper(call: Call) -> Answer:
        return await shown(call, call.query["order"], turns)

    return [
        looks(PATH, "officer.approvals", pages.look, "approve", "What waits for a second person's approval.", done=done),
        sends(
            PATH,
            "officer.approve",
            pages.settle,
            "approve",
            "Approve or turn down what another person made, with a fresh one-time code.",
            *("kind", "id", "named", "act", "code", *(f"bar_{bar}" for bar in BARS), "considered"),
        ),
        looks(
            PAPER,
            "officer.order-paper",
            paper,
            "approve",
            "The paper of an order that waits, as it was handed in.",
            order=Query(kind="id", required=True),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Approvals:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        return await self._shown(call)

    async def settle(self, call: Call) -> Answer:
        require_form(call)
        given, act = call.form.fields, call.form.fields.get("act", "")
        try:
            if act not in ("approve", "turn-down"):
                raise Malformed
            id_, code = parse_id(given.get("id", "")), fold_digits(given.get("code", "")).strip()
            errand = Errand(call.caller, call.request_id)
            if act == "approve" and given.get("kind") in breach_approvals.KINDS:
                await breach_approvals.approve(call, self.reports, given["kind"], id_, code)
            elif act == "approve":
                await heard(errand, lambda: self._approve(call, given.get("kind", ""), id_, code))
            else:
                await self._turn_down(call, given.get("kind", ""), id_, code)
        except (Refused, Conflict, NotFound, TooMany) as error:
            return await self._shown(call, error)
        ended = act != "approve" or (given.get("kind") == "disclosure" and bool(_bars(given)))
        return led_to(link(PATH, call.language, done="turned-down" if ended else "approved"))

    async def _approve(self, call: Call, kind: str, id_: bytes, code: str) -> None:
        caller: Caller = call.caller
        run, factor = caller.association.run, self.frame.identity.factor
        errand = Errand(caller, call.request_id)
        if kind == "order":
            named = call.form.fields.get("named", "")
            await run(lambda deed: _approve_order(deed, Approver(caller, call.request_id, code, factor), id_, named))
        elif kind == "disclosure":
            bars, named = _bars(call.form.fields), call.form.fields.get("named", "")
            await run(lambda deed: _approve_disclosure(deed, Approver(caller, call.request_id, code, factor), id_, bars, named))
        elif kind in research_approvals.KINDS:
            approver, named = Approver(caller, call.request_id, code, factor), call.form.fields.get("named", "")
            await run(lambda deed: research_approvals.approve(deed, approver, kind, id_, named))
        elif kind == "keys":
            await run(lambda deed: custody.approve(deed, custody.Approver(caller, call.request_id, factor, code), id_))
        elif kind == "pack":
            await run(lambda deed: self.frame.identity.packs.approve_in(deed, caller, id_, code), weight=8)
            await caller.association.refresh()
        elif kind == "erasure":
            await run(lambda deed: erasing.approve(deed, errand, erasing.Officer(caller, factor, code), id_), weight=4)
            await caller.association.settle()
        else:
            raise Malformed

    async def _turn_down(self, call: Call, kind: str, id_: bytes, code: str) -> None:
        caller: Caller = call.caller
        scope = TURNED_DOWN_BY.get(kind)
        if scope is None:
            raise Malformed
        if scope not in caller.scopes:
            raise await self.frame.identity.entrance.out_of_scope(call)
        run, factor = caller.association.run, self.frame.identity.factor
        errand = Errand(replace(caller, needs=scope), call.request_id)
        if kind == "erasure":
            officer = erasing.Officer(caller, factor, code)
            await heard(errand, lambda: run(lambda deed: erasing.cancel(deed, errand, officer, id_), weight=2))
            return
        # These take no code of their own: the session is stepped up by it first.
        await heard(errand, lambda: self.frame.identity.sessions.step_up(caller, code))
        if kind == "order":
            await heard(errand, lambda: run(lambda deed: orders.revoke(deed, errand, id_)))
        elif kind == "disclosure":
            await heard(errand, lambda: run(lambda deed: disclosures.revoke(deed, errand, id_)))
        elif kind in research_approvals.KINDS:
            named = call.form.fields.get("named", "")
            await heard(errand, lambda: run(lambda deed: research_approvals.turn_down(deed, errand, kind, id_, named)))
        elif kind == "pack":
            await self.frame.identity.packs.turn_down(caller, id_)
        elif kind in breach_approvals.TURNED_DOWN:
            await breach_approvals.turn_down(call, kind, id_)
        else:
            await heard(errand, lambda: run(lambda deed: custody.withdraw(deed, errand, id_)))

    async def _shown(self, call: Call, error: VaultError | None = None) -> Answer:
        items, is_cut = await _items(call)
        pack, review = await _pack(call, self.frame.identity.packs)
        breaches, withheld = await breach_approvals.breach_items(call, self.reports)
        return await self.frame.page(
            "approvals.html",
            call,
            status=None if error is None else status_of(error),
            headers={} if error is None else problem_headers(error),
            bars=BARS,
            items=[*breaches, *items, *pack],
            withheld=withheld,
            review=review,
            is_cut=is_cut,
            done=call.query.get("done"),
            problem=None if error is None else problem_of(error, call.request_id, call.language),
        )


def _bars(given: Mapping[str, str]) -> tuple[str, ...] | None:
    """The bars of law 16 that were ticked, None where nobody said that she considered them."""
    ticked = tuple(bar for bar in BARS if f"bar_{bar}" in given)
    return ticked if ticked or "considered" in given else None


def _pages(named: str) -> int | None:
    """The pages a form was shown with. Raises Malformed for what no form of ours carries."""
    return number(named) if named else None


def _approve_order(deed: Deed, approver: Approver, order: bytes, named: str) -> None:
    """Approve as the call does, with the pages it had when it was shown. Raises Conflict for others."""
    orders.approve(deed, approver, order, seen=_pages(named))


def _approve_disclosure(deed: Deed, approver: Approver, disclosure: bytes, bars: tuple[str, ...] | None, named: str) -> None:
    """Approve as the call does, with the pages it had when it was shown; here nobody is silent about bars where no authority ordered it.

    Raises Conflict for other pages, and `bars-unsaid`.
    """
    ordered = disclosures.of(deed, disclosure).basis == "order"
    if not ordered and bars is None:
        raise Conflict("bars-unsaid")
    disclosures.approve(deed, approver, disclosure, None if ordered else bars, _pages(named))


async def _items(call: Call) -> tuple[list[Item], bool]:
    """All that waits and the caller may see, by kind, each look an entry; and whether more waits than is shown."""
    caller: Caller = call.caller
    association, errand = caller.association, Errand(caller, call.request_id)
    maker = _Maker(caller, await association.book(), speaker_of(call, await association.book()))
    found = await heard(errand, lambda: association.run(lambda deed: waiting(deed, errand)))
    research = research_approvals.Maker(maker.book, caller, maker.say)
    items = [*map(maker.order, found.orders), *map(maker.disclosure, found.disclosures), *map(research.study, found.studies)]
    items += [research.extract(study, asked) for study, asked in found.extracts]

    async def locked(after: int | None) -> tuple[list[ErasureFact], int | None]:
        wanted = erasures.Wanted("locked", after, PAGE)
        here, _, more = await heard(errand, lambda: association.run(lambda deed: erasures.page(deed, errand, wanted)))
        return here, more

    async def proposed(after: int | None) -> tuple[list[CeremonyFact], int | None]:
        here, _, more = await heard(errand, lambda: association.run(lambda deed: custody.page(deed, errand, "proposed", after, PAGE)))
        return here, more

    erased, is_cut = await _every(locked)
    items += map(maker.erasure, erased)
    if "keys:read" in caller.scopes:
        ceremonies, too = await _every(proposed)
        items, is_cut = [*items, *map(maker.keys, ceremonies)], is_cut or too
    return items, is_cut


async def _pack(call: Call, packs: PackChanges) -> tuple[list[Item], str]:
    """The pack that waits, weighed for its approver, and the day its review was due, empty while it is not."""
    caller: Caller = call.caller
    found = await packs.in_force(caller)
    review = review_due(found).isoformat() if is_overdue(found, call.now) else ""
    if found.waits is None:
        return [], review
    book = await caller.association.book()
    return [_Maker(caller, book, speaker_of(call, book)).pack(await packs.waiting(caller))], review


async def _every(page: Callable[[int | None], Awaitable[tuple[list[T], int | None]]]) -> tuple[list[T], bool]:
    """What stands on all pages, and whether it goes on: a page may be empty and yet not the last."""
    found: list[T] = []
    after: int | None = None
    for _ in range(MOST_PAGES):
        here, after = await page(after)
        found += here
        if after is None or len(found) >= MOST:
            break
    return found, after is not None


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes items in the words of a language, as one caller may see them."""

    caller: Caller
    book: Book
    say: Speaker

    def order(self, fact: OrderFact) -> Item:
        says = [
            ("authority", fact.authority),
            ("order_kind", self.say.word(f"order_{fact.kind}")),
            ("order_number", f"{fact.number} ({fact.issued_on})"),
            ("recipient", fact.recipient),
            ("records", ", ".join(map(self.say.id, fact.records))),
            *([("people", f"{len(fact.records) + fact.further} ({fact.pages})")] if fact.pages > 1 else []),
            ("fields", self.say.fields(fact.fields)),
            ("valid_from", self.say.time(fact.valid_from)),
            ("valid_to", self.say.time(fact.valid_to)),
            ("document", fact.document_sha256),
            *([("statute", fact.statute)] if fact.statute else []),
            *([("uses", str(fact.uses))] if fact.uses is not None else []),
            *([("secrecy", self.say.word("order_secret"))] if fact.secret else []),
        ]
        item = self._item("order", fact.id, fact.registered_by, fact.registered_at, says)
        return replace(item, paper=bool(fact.scan), named=str(fact.pages), records=self._records("order", fact.id, fact.pages))

    def disclosure(self, fact: DisclosureFact) -> Item:
        says = [
            ("recipient", fact.recipient),
            ("purpose", self.say.purpose(fact.purpose)),
            ("basis", self.say.word(f"basis_{fact.basis}")),
            *([("order", self.say.id(fact.order))] if fact.order else []),
            *(("given", f"{left_to_right(self.say.id(part.record))}: {self.say.fields(part.fields)}") for part in fact.granted),
            *(("not_given", f"{left_to_right(self.say.id(part.record))}: {not_given(self.say, part)}") for part in fact.refused),
            *([("people", f"{len(fact.granted) + fact.further.granted} ({fact.further.pages})")] if fact.further else []),
        ]
        item = self._item("disclosure", fact.id, fact.requested_by, fact.requested_at, says)
        records = self._records("disclosure", fact.id, pages_of(fact))
        return replace(item, weighed=fact.basis != "order", named=str(pages_of(fact)), records=records)

    def erasure(self, fact: ErasureFact) -> Item:
        says = [
            ("record", self.say.id(fact.record) if fact.record else self.say.word("a_visitor")),
            *([("records", ", ".join(map(self.say.id, fact.records)))] if fact.others else []),
            ("scope", self.say.joined(map(self.say.class_, fact.classes)) or self.say.word("whole_person")),
        ]
        return self._item("erasure", fact.id, fact.asked_by, fact.asked_at, says)

    def keys(self, fact: CeremonyFact) -> Item:
        root = self.say.word(f"root_{fact.root.replace('-', '_')}") if fact.root else ""
        act, below = self.say.word(f"act_{fact.act.replace('-', '_')}"), "" if fact.below is None else str(fact.below)
        told = [("act", act), ("below", below), ("copy_name", fact.name), ("root", root)]
        return self._item("keys", fact.id, fact.proposed_by, fact.proposed_at, [each for each in told if each[1]])

    def pack(self, told: Weighed) -> Item:
        fact, counted = told.proposal, told.tally
        changed = [
            (f"pack_{kind}", self.say.joined(self.say.purpose(one.code) for one in told.changes if one.change == kind))
            for kind in PACK_CHANGES
        ]
        says = [
            ("pack", f"{fact.name} {fact.version}"),
            ("pack_sha256", fact.sha256),
            *(each for each in changed if each[1]),
            *((f"pack_{effect}", str(counted.total(effect))) for effect in EFFECTS),
        ]
        return self._item("pack", fact.id, fact.proposed_by, fact.proposed_at, says)

    def _records(self, kind: Kind, id_: str, pages: int) -> str:
        """Where the records of all pages are, "" where the first is the only one."""
        return approval_records.address(self.say.language, kind, self.say.id(id_)) if pages > 1 else ""

    def _item(self, kind: str, id_: str, by: str, at: int, says: list[tuple[str, str]]) -> Item:
        yours = same_person(self.book, by, self.caller.ref)
        may = TURNED_DOWN_BY.get(kind, "") in self.caller.scopes and not (kind == "erasure" and yours)
        return Item(kind, self.say.id(id_), self.say.actor(by), self.say.time(at), yours, may, says)
