"""Gives the file in a field of a record to whoever may read that field: facts, verdict, entry, commit, bytes.

Invariants: the verdict is that of a read of this one field, made by the same function; which file lies there the person's sheet says, and
the entry names it beside the field; where there is none, that is an answer and an entry too. The bytes leave through the door, against the
receipt of that entry.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keys.attachments import SealedAttachment
from vault.access.door import give_out_scan
from vault.access.scans import Shown
from vault.access.showing import Hers, Showing, Standing
from vault.access.verdicts import Asked, Judged, enter, weigh
from vault.access_log.deed import Deed
from vault.access_log.entry import FILE_OF_RECORD
from vault.attachments import scans
from vault.errors import NotFound
from vault.records import filing
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.subjects import people
from vault.subjects.sheet import RecordState
from vault.web.ranges import Wish

KIND = FILE_OF_RECORD


@dataclass(frozen=True, slots=True)
class Opening:
    """The file in a field as its row has it: what it is, and what opens it."""

    about: scans.About
    sealed: SealedAttachment


@dataclass(frozen=True, slots=True)
class Decided:
    """The verdict on one wish to have the file in a field, and the file where it is allowed and there is one."""

    judged: Judged
    opening: Opening | None = None


async def show(errand: Errand, asked: Asked, wish: Callable[[bytes], Wish], done: Callable[[], None] = lambda: None) -> Shown:
    """The part of the file that `wish` says of its id; its first piece has opened, and `done` is called after the last.

    Raises a refusal with its entry, NotFound for a record nobody has here and a field without a file, RangeNotSatisfiable, Stale,
    Unavailable.
    """
    decided = await errand.asker.association.run(lambda deed: decide(deed, errand, asked), weight=2)
    judged, opening = decided.judged, decided.opening
    if not judged.verdict.allowed:
        raise judged.refusal()
    if opening is None:
        raise NotFound
    scan = opening.sealed.place.attachment
    part = wish(scan).of(opening.about.size)
    standing = Standing(errand, judged.appended, scan, Hers(judged.subject, judged.sheet.version))
    pieces = Showing(standing, give_out_scan(judged.appended, opening.sealed), part, done)
    await pieces.ready()
    return Shown(opening.about.type, part, pieces)


def decide(deed: Deed, errand: Errand, asked: Asked) -> Decided:
    """Decide a read of the one field, and append the entry. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    known = people.of_record(deed, asked.record)
    weighed = weigh(deed, errand, asked, known)
    scan = named_file(errand.book(deed), weighed.state, asked.fields[0]) if weighed.verdict.allowed else None
    if scan is None:
        return Decided(enter(deed, errand, weighed))
    found = filing.hers(deed, known.subject, scan)
    return Decided(enter(deed, errand, weighed, scan.hex()), Opening(found.about, scans.sealed_scan(deed.association, found)))


def named_file(book: Book, state: RecordState, field: str) -> bytes | None:
    """The file that this field of the record names; None for a field of another kind and one that is empty."""
    number = next((str(one.number) for one in book.types[state.type].fields if one.name == field), "")
    scan = state.scans.get(number)
    return bytes.fromhex(scan) if scan is not None else None
