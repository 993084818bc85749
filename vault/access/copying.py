"""A person's copy of her own data (law 4): all of hers, released on her request and sealed to a key that is hers alone.

Invariants: every record of hers, in whichever of her sheets, is a read of its own, with verdict, entry, commit and value; all or nothing is
given. What she opens it with and what it is sealed in go through two people's hands: one shows her the key and never has the file, another
makes the file and never saw the key. The vault keeps the public half alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from keys.age import checked_public, new_key
from keys.container import Sealed
from keys.errors import Unsealable
from keys.packages import AGE, fingerprint
from vault.access import enclosing, orders
from vault.access.approving import Approver
from vault.access.certificate import Told as Given
from vault.access.door import give_out, take_sealed
from vault.access.enclosing import Document
from vault.access.given import given_to
from vault.access.request_deeds import COPIED
from vault.access.verdicts import Asked, Judged, enter, weigh
from vault.access_log.deed import Deed
from vault.access_log.entry import About, WrittenFact
from vault.consent.history import Told, happened_to, tell
from vault.errors import Conflict, FieldError, Invalid
from vault.rulebook import facts, requests
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.requests import FITS, REQUEST, CopyFact, RequestFact
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import RecordState

PURPOSE: Final = "subject_request"
PREPARED: Final = "request.copy-prepared"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A copy that may be made: the key it is sealed to, its fingerprint, and the private half to show once, None where she brought one."""

    key: str
    fingerprint: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Copying:
    """What a committed copy rests on: her request, each record's verdict and what is sealed of it, what she agreed to, who was given it."""

    request: RequestFact
    book: Book
    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]
    documents: Sequence[Document]
    agreed: Sequence[Told]
    given: Sequence[Given]
    at: int

    def values(self) -> list[dict[str, Any]]:
        """The values of every record through the door, once. Raises Unavailable `integrity`."""
        return [give_out(judged, sealed) for judged, sealed in zip(self.judged, self.sealed, strict=True)]


def prepare(deed: Deed, errand: Errand, request: bytes, key: str | None) -> Prepared:
    """Lay down which key her copy is sealed to: one she brought, or one made here for her, whose private half is told now and never again.

    Raises NotFound, Invalid `request-kind` for a request that asks for no copy and `no-key`, Conflict `request-settled`,
    `identity-unchecked`.
    """
    errand = errand.still(deed)
    found = _for_copy(requests.of(deed, request))
    secret, public = (None, _checked(key)) if key is not None else new_key()
    told = msgspec.structs.replace(found, copy=CopyFact(key=public, prepared_by=errand.hand, prepared_at=deed.now))
    own = errand.book(deed).association
    deed.append(
        errand.entry(
            kind=PREPARED,
            outcome="allow",
            about=(_about(found),),
            basis="law",
            article=f"{own.pack}:1",
            law=f"{own.law_pack}:4",
            facts=(facts.write(deed, REQUEST, found.id, told),),
        )
    )
    return Prepared(public, fingerprint(AGE, public), secret)


def release(deed: Deed, approver: Approver, request: bytes) -> Copying | Judged:
    """Decide and enter the copy that another person prepared; the verdict that says no, where one does.

    Raises NotFound, Conflict `copy-not-prepared` and as `prepare`, refusals `same-person` and `step-up-required`, TooMany, Conflict
    `package-too-large`, Unavailable `integrity`.
    """
    approver = approver.still(deed)
    found = _for_copy(requests.of(deed, request))
    if found.copy is None:
        raise Conflict("copy-not-prepared")
    approval = approver.approve(deed, found.copy.prepared_by, COPIED)
    return gather(deed, approver.errand, found, facts=approval.facts, flags=approval.flags)


def gather(
    deed: Deed, errand: Errand, found: RequestFact, *, facts: tuple[WrittenFact, ...] = (), flags: tuple[str, ...] = ()
) -> Copying | Judged:
    """Decide and enter a read of every record of hers, and write the copy into the request; or the first verdict that says no.

    `facts` and `flags` are those of an approval, for the entry of the copy. Her own page needs none: what it opens it shows to herself.
    Raises as `release`, and NotFound where she was erased.
    """
    _for_copy(found)
    book, known = errand.book(deed), people.of_subject(deed, bytes.fromhex(found.subject))
    hers = [known, *people.others(deed, known)]
    own = book.association
    told = {"about": (_about(found),), "basis": "law", "article": f"{own.pack}:1", "law": f"{own.law_pack}:4", "purpose": PURPOSE}
    weighed = [weigh(deed, errand, asked, one) for one in hers for asked in _asked(book, one)]
    for one in weighed:
        if not one.verdict.allowed:
            refused = enter(deed, errand, one)
            # The use of an approver's code stands in an entry whatever the articles say.
            deed.append(errand.entry(kind=COPIED, outcome="refuse", reason=one.verdict.reason, facts=facts, flags=flags, **told))
            return refused
    files = enclosing.named(deed, errand, weighed)
    judged = [enter(deed, errand, one) for one in weighed]
    documents = enclosing.entered(deed, errand, files)
    sealed = take_sealed(deed, book, judged)
    written = requests.answering(deed, found, "copy", found.record, errand.hand)
    deed.append(errand.entry(kind=COPIED, outcome="allow", facts=(*facts, written), flags=flags, count=len(judged), **told))
    return Copying(
        request=found,
        book=book,
        judged=judged,
        sealed=[sealed[number] for number in range(len(judged))],
        documents=documents,
        agreed=_agreed(deed, hers),
        given=[each for one in hers for each in given_to(deed, book, one.subject, orders.told_of(deed, book))],
        at=deed.now,
    )


def _agreed(deed: Deed, hers: Sequence[Known]) -> list[Told]:
    """What she agreed to through whichever record, each once: what was said since her records were joined stands in all her sheets."""
    told = {one.grant.id: one for known in hers for one in tell(happened_to(deed, known), deed.now)}
    return sorted(told.values(), key=lambda one: one.grant.recorded_at)


def _for_copy(found: RequestFact) -> RequestFact:
    if found.kind not in FITS["copy"]:
        raise Invalid([FieldError("request", "request-kind")])
    requests.require_verified(found)
    return found


def _checked(key: str) -> str:
    try:
        return checked_public(key)
    except Unsealable:
        raise Invalid([FieldError("key", "no-key")]) from None


def _about(found: RequestFact) -> About:
    return About(bytes.fromhex(found.subject), bytes.fromhex(found.record))


def _asked(book: Book, known: Known) -> list[Asked]:
    """A read of all that lies in each record of one sheet of hers."""
    records = known.sheet.records if known.sheet is not None else {}
    return [Asked(bytes.fromhex(record), "use", PURPOSE, _fields(book, state)) for record, state in sorted(records.items())]


def _fields(book: Book, state: RecordState) -> tuple[str, ...]:
    """The fields of a record's type that lie in classes it was stored with: one declared since has nothing to open yet."""
    return tuple(field.name for field in book.types[state.type].fields if str(field.class_id) in state.salts)
