"""Releases a disclosure: everything that was granted is decided again in the deed whose entries open it, a page at a time.

Invariants: a disclosure of one page leaves whole or not at all; of one with several each page leaves alone, as often as it is fetched and
under the one number, and what does not hold any more is left out of it and named; all its pages are one execution of the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from keys.container import Sealed
from vault.access import enclosing, orders
from vault.access.disclosures import APPROVAL_LASTS, DISCLOSE, RELEASED, Covering, Matter, Moved, of, recipient_of
from vault.access.door import give_out, take_sealed
from vault.access.enclosing import Document
from vault.access.paging import disclosure_page, page_out, place
from vault.access.shapes import DISCLOSURE, ORDER, PAGE_OUT, DisclosureFact, DisclosurePage, LeftOut, OrderFact, PageOut
from vault.access.verdicts import Asked, Judged, Weighed, enter
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.errors import Conflict, Unavailable
from vault.identity.callers import is_engaged
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecipientFact
from vault.subjects import people
from vault.subjects.people import Known

GONE = "gone"


@dataclass(frozen=True, slots=True)
class Releasing:
    """What a committed release rests on: each record's verdict with what is sealed of it, the recipient, and the page that leaves.

    `left_out` are the records of the page that do not leave with it.
    """

    disclosure: DisclosureFact
    page: DisclosurePage
    recipient: RecipientFact
    order: OrderFact | None
    book: Book
    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]
    at: int
    documents: Sequence[Document] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def serial(self) -> int:
        """The number of the package: how many left before it and it, or which page of several it is."""
        return self.disclosure.released if self.disclosure.further is None else self.page.number

    @property
    def fields(self) -> frozenset[str]:
        """What any record has that leaves: what only somebody left out would have given is not spoken of."""
        return frozenset(name for one in self.judged for name in one.asked.fields)

    def values(self) -> list[dict[str, Any]]:
        """The values of every record through the door, once. Raises Unavailable `integrity`."""
        return [give_out(judged, sealed) for judged, sealed in zip(self.judged, self.sealed, strict=True)]


def release(deed: Deed, errand: Errand, disclosure: bytes, number: int = 1) -> Releasing | Moved:
    """Decide again everything that was granted on a page, and append the entries that release it; the values come out after the commit.

    Raises NotFound, Invalid where there is no such page, Conflict `not-approved`, `approval-expired`, `disclosure-revoked`,
    `nothing-granted` for a page without anything, and refusals: `out-of-scope` for who neither asked nor approved, `approver-ended` where
    one of the two does not stand any more, `recipient-key-changed` and what else stands against the recipient; `restored-unconfirmed`;
    Conflict `package-too-large` where the files are too many bytes.
    """
    errand = errand.still(deed)
    found, book = of(deed, disclosure), errand.book(deed)
    matter = Matter(deed, errand, book, found)
    _require_open(matter)
    page = disclosure_page(deed, found, number)
    if not page.granted:
        raise Conflict("nothing-granted")
    recipient = recipient_of(matter, DISCLOSE)
    order = facts.read(deed, ORDER, found.order) if found.order else None
    weighed = _again(matter, order, page)
    standing = [one for one in weighed if one is not None and one.verdict.allowed]
    failing = len(weighed) - len(standing)
    if failing and (found.further is None or not standing):
        # Nothing of the others is released, so nothing is said of them.
        for one in weighed:
            if one is not None and not one.verdict.allowed:
                enter(deed, errand, one)
        return matter.moved(failing)
    files = enclosing.named(deed, errand, standing)
    left_out = _left_out(matter, page, weighed)
    judged = [enter(deed, errand, one) for one in standing]
    documents = enclosing.entered(deed, errand, files)
    sealed = take_sealed(deed, book, judged)
    released = msgspec.structs.replace(found, released=found.released + 1)
    # All pages of a disclosure are one execution of the order, whichever of them leaves first and however often each is fetched.
    executed = [orders.executed(deed, order)] if order and not _is_under_way(found) else []
    told = (facts.write(deed, DISCLOSURE, found.id, released), *executed, *_page_left(deed, found, page, left_out))
    matter.tell(kind=RELEASED, facts=told, count=len(judged))
    opened = [sealed[place_] for place_ in range(len(judged))]
    return Releasing(released, page, recipient, order, book, judged, opened, deed.now, documents, left_out)


def _require_open(matter: Matter) -> None:
    """Return if packages may leave on the disclosure to this asker. Raises as `release` does."""
    found, errand, now = matter.found, matter.errand, matter.deed.now
    if found.revoked_at is not None:
        raise Conflict("disclosure-revoked")
    if found.approved_at is None:
        raise Conflict("not-approved")
    if errand.asker.ref not in {found.requested_by, found.approved_by}:
        raise matter.refusal(DISCLOSE, "OUT_OF_SCOPE", 1)
    if now >= found.approved_at + APPROVAL_LASTS:
        raise Conflict("approval-expired")
    if not all(_stands(matter, ref) for ref in (found.requested_by, found.approved_by)):
        raise matter.refusal(DISCLOSE, "APPROVER_ENDED", 7)
    if matter.book.restoration is not None and matter.book.restoration.is_unconfirmed:
        raise matter.refusal(DISCLOSE, "RESTORED_UNCONFIRMED", 7)


def _is_under_way(found: DisclosureFact) -> bool:
    """Whether a page of several left already: the others belong to the same execution of the order."""
    return found.further is not None and found.released > 0


def _again(matter: Matter, order: OrderFact | None, page: DisclosurePage) -> list[Weighed | None]:
    """The verdict of this moment on everything that was granted, None for a record that is gone. Raises Unavailable `integrity`."""
    deed, found = matter.deed, matter.found
    known = people.of_records(deed, [bytes.fromhex(part.record) for part in page.granted])
    covers = Covering.of(deed, order, [part.record for part in page.granted], under_way=_is_under_way(found))
    weighed: list[Weighed | None] = []
    for part in page.granted:
        asked = Asked(bytes.fromhex(part.record), "disclose", found.purpose, part.fields, found.recipient, DISCLOSE)
        person = known[asked.record]
        if isinstance(person, Unavailable):
            raise person
        weighed.append(covers.weighed(deed, matter.errand, person, asked) if isinstance(person, Known) else None)
    return weighed


def _left_out(matter: Matter, page: DisclosurePage, weighed: Sequence[Weighed | None]) -> tuple[LeftOut, ...]:
    """The records of the page that do not leave with it, each refusal an entry."""
    found = []
    for part, one in zip(page.granted, weighed, strict=True):
        if one is None:
            found.append(LeftOut(record=part.record, code=GONE, article=f"{matter.book.association.pack}:{orders.ARTICLE}"))
        elif not one.verdict.allowed:
            enter(matter.deed, matter.errand, one)
            code = one.heard.reason.lower().replace("_", "-")
            found.append(LeftOut(record=part.record, code=code, article=one.heard.article))
    return tuple(found)


def _page_left(deed: Deed, found: DisclosureFact, page: DisclosurePage, left_out: tuple[LeftOut, ...]) -> list[WrittenFact]:
    """Write that a page of several left, and what was left out of it."""
    if found.further is None:
        return []
    before = page_out(deed, found, page.number)
    times = 1 + (0 if before is None else before.times)
    out = PageOut(disclosure=found.id, number=page.number, times=times, at=deed.now, left_out=left_out)
    return [facts.write(deed, PAGE_OUT, place(found.id, page.number), out)]


def _stands(matter: Matter, ref: str) -> bool:
    """Whether this person's account stands at this moment: two people answer for what leaves."""
    member = matter.book.staff.get(ref.removeprefix("staff:"))
    return member is not None and is_engaged(member, matter.deed.now)
