"""Shows the scan of a signed form to whoever is to verify the consent it proves: facts, verdict, entry, commit, bytes.

Invariants: only a scan that a consent in the person's own history names is shown, for the purpose of that consent; yes or no, the answer is
an entry, and so is each part of it that is asked for; the bytes leave through the door, against its receipt.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from keys.attachments import SealedAttachment
from vault.access.door import give_out_scan
from vault.access.showing import Hers, Showing, Standing
from vault.access_log.deed import Appended, Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.attachments import scans
from vault.consent import service
from vault.consent.service import Taken
from vault.errors import NotFound, Unavailable
from vault.policy.decide import CONFIDED
from vault.policy.sighting import Paper, sighted
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person
from vault.subjects import people
from vault.subjects.meant import Meant, by_subject
from vault.subjects.people import Known
from vault.web.ranges import WHOLE, Part, Wish

KIND = "evidence.read"


@dataclass(frozen=True, slots=True)
class Decided:
    """The verdict on one wish to see a scan: its entry, what the scan is, and what opens it, or what the asker is refused with."""

    standing: Standing
    about: scans.About
    sealed: SealedAttachment | None
    refusal: EntryRefusal | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A scan as it leaves: its media type, which part of it, and the pieces of that part."""

    type: str
    part: Part
    pieces: Showing


async def show(errand: Errand, scan: bytes, wish: Wish = WHOLE, done: Callable[[], None] = lambda: None) -> Shown:
    """The part wished for of the scan of this id; its first piece has opened, and `done` is called after the last.

    Raises a refusal with its entry, NotFound where no consent rests on such a scan, RangeNotSatisfiable, Stale, Unavailable.
    """
    decided = await errand.asker.association.run(lambda deed: decide(deed, errand, scan), weight=2)
    if decided.sealed is None:
        raise decided.refusal or NotFound()
    part = wish.of(decided.about.size)
    pieces = Showing(decided.standing, give_out_scan(decided.standing.appended, decided.sealed), part, done)
    await pieces.ready()
    return Shown(decided.about.type, part, pieces)


def by_scan(scan: bytes) -> Meant:
    """Whom a deed on a scan is about, where its row still tells."""
    return lambda deed: by_subject(scans.whose(deed, scan))(deed)


def decide(deed: Deed, errand: Errand, scan: bytes) -> Decided:
    """Decide whether this asker may see the scan, and append the entry. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    found = scans.stored(deed, scan)
    if found.subject is None:
        raise NotFound
    known = people.of_subject(deed, found.subject)
    book = errand.book(deed)
    taken = [one for one in service.taken_all(deed, known).values() if one.scan == scan.hex()]
    if known.sheet is None or not taken:
        raise Unavailable("integrity")
    paper, reason = sighted(known.sheet.person, [_paper(book, errand, known, one) for one in taken])
    record = next(one.record for one in taken if one.given.grant.id == paper.consent)
    told = replace(_entry(errand, book, paper, reason), about=(About(known.subject, record or None),), evidence=scan.hex())
    appended = deed.append(told)
    standing = Standing(errand, appended, scan, Hers(known.subject, known.version))
    if reason is None:
        return Decided(standing, found.about, scans.sealed_scan(deed.association, found))
    return Decided(standing, found.about, None, _refusal(errand, told, reason, appended))


def _paper(book: Book, errand: Errand, known: Known, taken: Taken) -> Paper:
    given = taken.given
    return Paper(
        consent=given.grant.id,
        purpose=given.purpose,
        recipient=given.recipient,
        own_hand=any(same_person(book, errand.asker.ref, hand) for hand in taken.hands),
        rejected="rejected" in taken.results,
        stands=service.standing_of(known, given) is not None,
    )


def _entry(errand: Errand, book: Book, paper: Paper, reason: str | None) -> Entry:
    purpose, own = book.purposes[paper.purpose], book.association
    return errand.entry(
        kind=KIND,
        outcome="allow" if reason is None else "refuse",
        purpose=paper.purpose,
        recipient=paper.recipient,
        basis="law" if reason is None else "none",
        article=f"{own.pack}:{purpose.article}",
        law=f"{own.law_pack}:{purpose.law}" if purpose.law else None,
        reason=reason,
        consents=(paper.consent,),
        flags=errand.asker.flags,
    )


def _refusal(errand: Errand, told: Entry, reason: str, appended: Appended) -> EntryRefusal:
    heard = reason if errand.asker.asker.sees_reasons or reason not in CONFIDED else "NOT_PERMITTED"
    refusal = EntryRefusal(Entry(kind=KIND, outcome="refuse", actor="", reason=heard, article=told.article, law=told.law))
    refusal.leaf_hash = appended.leaf_hash
    return refusal
