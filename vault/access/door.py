"""The door: the one place in the vault where cells and scans are opened, against the receipt of a committed entry.

Invariant: `give_out` opens exactly the record, fields and revision the committed entry of a verdict names, and for each entry once;
`give_out_scan` the one scan its entry names, once: what it gives opens the chunks of that scan and nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from keys.attachments import Opener, SealedAttachment, open_attachment
from keys.container import Place, Sealed, open_cells
from keys.errors import Unopenable
from vault.access.verdicts import Judged
from vault.access_log.deed import Appended, Deed
from vault.errors import Unavailable
from vault.records import tables
from vault.rulebook.book import Book


def take_sealed(deed: Deed, book: Book, allowed: Sequence[Judged]) -> dict[int, list[Sealed]]:
    """The sealed containers of every allowed read, by its place in the list, read in the transaction of its entry."""
    if not allowed:
        return {}
    rows = tables.SEALED.rows(deed.transaction, {"association": deed.association}, [judged.asked.record for judged in allowed])
    by_record: dict[bytes, dict[int, tuple[bytes, int, bytes]]] = {}
    for record, class_id, container, key_version, wrapped in rows:
        by_record.setdefault(record, {})[class_id] = (container, key_version, wrapped)
    # Those who ask together mostly ask for the same fields: where these lie is looked up once for all of them.
    places = {asked: _places(book, *asked) for asked in {(judged.state.type, judged.asked.fields) for judged in allowed}}
    return {
        number: _sealed(deed.association, judged, by_record.get(judged.asked.record, {}), places[judged.state.type, judged.asked.fields])
        for number, judged in enumerate(allowed)
    }


def _places(book: Book, type_: str, names: Sequence[str]) -> dict[int, dict[str, int]]:
    """The number of each of these fields of a record type, by class id and name."""
    by_class: dict[int, dict[str, int]] = {}
    for field in book.types[type_].fields:
        if field.name in names:
            by_class.setdefault(field.class_id, {})[field.name] = field.number
    return by_class


def _sealed(
    association: bytes, judged: Judged, found: Mapping[int, tuple[bytes, int, bytes]], by_class: Mapping[int, dict[str, int]]
) -> list[Sealed]:
    """What is needed to open the fields asked for; what is missing here fails at the door, for the receipt names more than is there."""
    sealed = []
    for class_id, fields in by_class.items():
        salt, row = judged.state.salts.get(str(class_id)), found.get(class_id)
        if salt is None or row is None:
            continue
        container, key_version, wrapped = row
        place = Place(association, judged.subject, judged.asked.record, class_id, key_version, judged.state.revision, judged.state.schema)
        sealed.append(Sealed(place, wrapped, container, bytes.fromhex(salt), fields))
    return sealed


def give_out(judged: Judged, sealed: Sequence[Sealed]) -> dict[str, Any]:
    """The values the committed entry of an allowed verdict names, once.

    Raises Unavailable before the commit, and `integrity` where they do not open at their place or were given out before.
    """
    deed = judged.appended.deed
    receipt = deed.receipt(judged.appended)
    try:
        return open_cells(receipt, deed.cabinet.keys, sealed)
    except Unopenable:
        # Without its cause: what a parser saw of a container is nobody's to read.
        raise Unavailable("integrity") from None


def give_out_scan(appended: Appended, sealed: SealedAttachment) -> Opener:
    """What opens the chunks of the file the committed entry of an allowed verdict names, once. Raises as `give_out` does."""
    deed = appended.deed
    receipt = deed.receipt(appended)
    try:
        return open_attachment(receipt, deed.cabinet.keys, sealed)
    except Unopenable:
        raise Unavailable("integrity") from None
