"""The door of this room: the one place where what people wrote is opened, against the receipt of a committed entry (promise 1).

Invariant: `give_out` opens the kinds of parts its entry names, of that report at that version, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keys.case_file import CaseFile, open_parts
from keys.errors import Unopenable
from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import Entry
from vault.breach_reports import tables
from vault.breach_reports.case import Case, sealed_parts
from vault.breach_reports.shapes import PartFact
from vault.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Taken:
    """A report whose entry is appended: what may be given out once that is committed."""

    case: Case
    appended: Appended
    file: CaseFile


@dataclass(frozen=True, slots=True)
class Opened:
    """One part as it was written: what the fact says of it, and its content as JSON bytes."""

    told: PartFact
    content: bytes


def take(deed: Deed, case: Case, told: Entry, kinds: Sequence[str]) -> Taken:
    """Append the entry of an allowed look at these kinds of parts, and take them as they are stored. Raises Unavailable `integrity`."""
    wrapped = tables.wrapped_key(deed, case.id)
    if wrapped is None:
        raise Unavailable("integrity")
    file = CaseFile(case.id, case.version, wrapped, sealed_parts(deed, case, kinds))
    entry = replace(told, kind="breach_report.read", outcome="allow", about=case.about, fields=tuple(kinds), basis="law")
    return Taken(case, deed.append(entry, revision=case.version), file)


def give_out(taken: Taken) -> list[Opened]:
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
