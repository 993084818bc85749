"""The door of this room: the one place where what people wrote is opened, against the receipt of a committed entry (promise 1).

Invariant: `give_out` opens the kinds of parts its entry names, of that report at that version, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from keys.case_file import CaseFile, Part, open_parts
from keys.errors import Unopenable
from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import Entry
from vault.breach_reports import incident_file, incident_tables, tables
from vault.breach_reports.case import Case, sealed_parts
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.shapes import PartFact
from vault.errors import Unavailable

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
    """One part as it was written: what the fact says of it, and its content as JSON bytes."""

    told: PartFact
    content: bytes


def take(deed: Deed, case: Case, told: Entry, kinds: Sequence[str]) -> Taken:
    """Append the entry of an allowed look at these kinds of parts, and take them as they are stored. Raises Unavailable `integrity`."""
    file = _file(case, tables.wrapped_key(deed, case.id), sealed_parts(deed, case, kinds))
    return _Taken(case, _told(deed, case, replace(told, kind="breach_report.read", fields=tuple(kinds))), file)


def take_incident(deed: Deed, found: Incident, told: Entry, kinds: Sequence[str]) -> TakenIncident:
    """The same for all that was written about an incident. Raises Unavailable `integrity`."""
    file = _file(found, incident_tables.wrapped_key(deed, found.id), incident_file.sealed_parts(deed, found))
    return _Taken(found, _told(deed, found, replace(told, kind="incident.read", fields=tuple(kinds))), file)


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
    return [Opened(parts[part.number], content) for part, content in zip(taken.file.parts, contents, strict=True)]
