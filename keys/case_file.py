"""The sealed parts of a case (a breach report and what was written about it), each a blob under the case's own random key.

Invariants: a part opens only in its case, at its number and as its kind; parts are opened against the receipt of a committed entry that
names the case, these kinds and this revision, once; the key of one case is no key of another. Format: docs/spec/breach-report.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from keys.attachments import Attached, SealedAttachment, Sealer
from keys.blobs import open_blob, seal_blob
from keys.errors import Unopenable
from keys.keyring import AssociationKeys, DataKey
from keys.receipt import Receipt

CASE_CLASS = 0x0101
"""The class of a case's key; fields of records have classes of one byte."""
BUCKET = 512
_LABEL = b"case-part/v1"


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed part of a case: its number from 0, its kind (a word of ours), its bytes."""

    number: int
    kind: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case as it is stored: id (16 bytes), revision, wrapped key, parts."""

    case: bytes
    revision: int
    wrapped: bytes
    parts: Sequence[Part]


def new_case_key(keys: AssociationKeys, case: bytes) -> tuple[DataKey, bytes]:
    """Make the key of a new case and return it with its wrapped form, which opens for this association and case only."""
    return keys.new_key(case, CASE_CLASS)


def case_key(keys: AssociationKeys, case: bytes, wrapped: bytes) -> DataKey:
    """Return the key of a case, to seal another part with; Unopenable for another's."""
    return keys.unwrap(case, CASE_CLASS, wrapped)


def seal_part(keys: AssociationKeys, key: DataKey, case: bytes, content: bytes, *, number: int, kind: str) -> Part:
    """Return the content sealed as a part, padded to steps of 512 bytes."""
    return Part(number, kind, seal_blob(key, _context(keys.association, case, number, kind), content, bucket=BUCKET))


def file_sealer(keys: AssociationKeys, key: DataKey, case: bytes, file: bytes) -> Sealer:
    """Return what seals a file of a case, chunk by chunk, under the case's key."""
    return Sealer(key, Attached(keys.association, file, case, CASE_CLASS))


def sealed_file(association: bytes, file: bytes, case: CaseFile, header: bytes, chunks: int) -> SealedAttachment:
    """Return what opens a file of a case, as the door takes it: with the key of the case, so that the files go with it."""
    return SealedAttachment(Attached(association, file, case.case, CASE_CLASS), case.wrapped, header, chunks)


def open_parts(receipt: Receipt, keys: AssociationKeys, file: CaseFile) -> list[bytes]:
    """Return the contents of the parts, in order. The receipt is used up first, whatever follows.

    It must name the case, its revision, and every kind that is among the parts. Unopenable otherwise.
    """
    receipt.consume()
    if (receipt.record, receipt.revision) != (file.case, file.revision) or not {part.kind for part in file.parts} <= receipt.fields:
        raise Unopenable
    key = case_key(keys, file.case, file.wrapped)
    return [open_blob(key, _context(keys.association, file.case, part.number, part.kind), part.sealed) for part in file.parts]


def _context(association: bytes, case: bytes, number: int, kind: str) -> bytes:
    return b"\x00".join((_LABEL, association, case, str(number).encode(), kind.encode()))
