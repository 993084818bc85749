"""The files that the fields of a release name: each with a verdict and an entry of its own, and then through the door.

Invariants: no file leaves in a package but against the entry of kind `attachment.read` that names it, its field and the recipient; as soon
as anything was written about the person since that verdict, nothing more of it is opened and no package is made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vault.access.attachments import KIND, Opening, named_file
from vault.access.door import give_out_scan
from vault.access.showing import Hers, Showing, Standing
from vault.access.verdicts import Judged, Weighed, enter
from vault.access_log.deed import Deed
from vault.attachments import scans
from vault.attachments.scans import Scan
from vault.errors import Conflict, Stale
from vault.records import filing
from vault.rulebook.asker import Errand
from vault.web.ranges import WHOLE
from vault.web.streaming import CutShort

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of all files in one package together: they are whole in memory until it is sealed."""


@dataclass(frozen=True, slots=True)
class Named:
    """The file in one field of a record that is weighed, by a verdict on that one field."""

    weighed: Weighed
    scan: Scan


@dataclass(frozen=True, slots=True)
class Document:
    """A file that a committed entry releases, and what opens it."""

    judged: Judged
    opening: Opening


def named(deed: Deed, errand: Errand, weighed: Iterable[Weighed]) -> list[Named]:
    """The files that the fields of these allowed verdicts name. Raises Conflict `package-too-large`, Unavailable `integrity`.

    What is asked of each is one field of what its record was allowed as a whole, of the same person in the same deed.
    """
    book, found = errand.book(deed), list[Named]()
    for one in weighed:
        for field in one.asked.fields:
            scan = named_file(book, one.state, field)
            if scan is not None:
                alone = replace(one, asked=replace(one.asked, fields=(field,), kind=KIND))
                found.append(Named(alone, filing.hers(deed, one.subject, scan)))
    if sum(each.scan.about.size for each in found) > MOST_BYTES:
        raise Conflict("package-too-large")
    return found


def entered(deed: Deed, errand: Errand, found: Iterable[Named]) -> list[Document]:
    """Append the entry of each file."""
    return [
        Document(
            enter(deed, errand, each.weighed, each.scan.id.hex()), Opening(each.scan.about, scans.sealed_scan(deed.association, each.scan))
        )
        for each in found
    ]


async def opened(errand: Errand, documents: Sequence[Document]) -> dict[tuple[bytes, str], bytes]:
    """The files by record (16-byte id) and field, each once. Raises Stale where what a verdict rested on has moved, Unavailable."""
    files = {}
    for document in documents:
        judged, opening = document.judged, document.opening
        place = opening.sealed.place.attachment
        standing = Standing(errand, judged.appended, place, Hers(judged.subject, judged.sheet.version))
        pieces = Showing(standing, give_out_scan(judged.appended, opening.sealed), WHOLE.of(opening.about.size))
        try:
            files[judged.asked.record, judged.asked.fields[0]] = b"".join([piece async for piece in pieces])
        except CutShort:
            raise Stale(judged.appended.leaf_hash) from None
    return files
