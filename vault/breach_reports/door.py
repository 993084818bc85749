"""The door of this room: the one place where what people wrote is opened, against the receipt of a committed entry (promise 1).

Invariants: `give_out` opens the kinds of parts its entry names, of that report at that version, once; `give_out_file` the one
file its entry names, once.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, TypeVar

from keys.attachments import SealedAttachment, open_attachment
from keys.case_file import CaseFile, Part, open_parts, sealed_file
from keys.errors import Unopenable
from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import Entry
from vault.breach_reports import file_tables, incident_file, incident_tables, tables
from vault.breach_reports.case import Case, sealed_parts
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.shapes import FILE, FileFact, PartFact
from vault.errors import NotFound, Unavailable

FILE_READ: Final = "breach_report.file-read"

C = TypeVar("C", Case, Incident)


@dataclass(frozen=True, slots=True)
class _Taken(Generic[C]):
    """A report or incident whose entry is appended: what may be given out once that is committed."""

    case: C
    appended: Appended
    file: CaseFile


Taken = _Taken[Case]
TakenIncident = _Taken[Incident]


@dataclass(frozen=True, slots=True)
class Opened:
    """One part as it was written: its number, what the fact says of it, and its content as JSON bytes."""

    number: int
    told: PartFact
    content: bytes


def take(deed: Deed, case: Case, told: Entry, kinds: Sequence[str]) -> Taken:
    """Append the entry of an allowed look at these kinds of parts, and take them as they are stored. Raises Unavailable `integrity`."""
    file = _file(case, tables.wrapped_key(deed, case.id), sealed_parts(deed, case, kinds))
    return _Taken(case, _told(deed, case, replace(told, kind="breach_report.read", fields=tuple(kinds))), file)


def take_incident(
    deed: Deed,
    found: Incident,
    told: Entry,
    kinds: Sequence[str],
    only: Collection[int] | None = None,
    *,
    kind: Literal["incident.read", "incident.exported"] = "incident.read",
) -> TakenIncident:
    """The same for what was written about an incident, read or exported, of `only` these parts where they are given.

    Raises Unavailable `integrity`.
    """
    file = _file(found, incident_tables.wrapped_key(deed, found.id), incident_file.sealed_parts(deed, found, kinds, only))
    return _Taken(found, _told(deed, found, replace(told, kind=kind, fields=tuple(kinds))), file)


def _file(case: Case | Incident, wrapped: bytes | None, parts: Sequence[Part]) -> CaseFile:
    if wrapped is None:
        raise Unavailable("integrity")
    return CaseFile(case.id, case.version, wrapped, parts)


def _told(deed: Deed, case: Case | Incident, told: Entry) -> Appended:
    return deed.append(replace(told, outcome="allow", about=case.about, basis="law"), revision=case.version)


def give_out(taken: _Taken[C]) -> list[Opened]:
    """What was written in the parts the committed entry names, once. Raises Unavailable before the commit, and `integrity`."""
    deed = taken.appended.deed
    receipt = deed.receipt(taken.appended)
    try:
        contents = open_parts(receipt, deed.cabinet.keys, taken.file)
    except Unopenable:
        # Without its cause: what a cipher saw of a part is nobody's to read.
        raise Unavailable("integrity") from None
    parts = taken.case.fact.parts
    return [Opened(part.number, parts[part.number], content) for part, content in zip(taken.file.parts, contents, strict=True)]


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file whose entry is appended: what may be given out once that is committed."""

    case: Case
    appended: Appended
    told: FileFact
    sealed: SealedAttachment
    chunks: Sequence[bytes]


def take_file(deed: Deed, case: Case, told: Entry, file: str) -> TakenFile:
    """Append the entry of an allowed look at this file, and take it as it is stored. Raises NotFound, Unavailable `integrity`."""
    found = next((each for each in case.fact.files if each.id == file), None)
    if found is None:
        raise NotFound
    wrapped, header = tables.wrapped_key(deed, case.id), bytes.fromhex(found.header)
    chunks = file_tables.chunks(deed, bytes.fromhex(found.id))
    if wrapped is None or hashlib.sha256(b"".join([header, *chunks])).hexdigest() != found.sha256:
        raise Unavailable("integrity")
    file_of = CaseFile(case.id, case.version, wrapped, ())
    sealed = sealed_file(deed.association, bytes.fromhex(found.id), file_of, header, found.chunks)
    entry = replace(told, kind=FILE_READ, outcome="allow", about=case.about, fields=(FILE,), basis="law", evidence=found.id)
    return TakenFile(case, deed.append(entry, revision=case.version), found, sealed, chunks)


def give_out_file(taken: TakenFile) -> bytes:
    """The file the committed entry names, once. Raises Unavailable before the commit, and `integrity`."""
    deed = taken.appended.deed
    receipt = deed.receipt(taken.appended)
    try:
        opener = open_attachment(receipt, deed.cabinet.keys, taken.sealed)
        return b"".join(opener.open(number, chunk) for number, chunk in enumerate(taken.chunks))
    except Unopenable:
        raise Unavailable("integrity") from None
