"""Keeps from a reader of the log what is about a case that she is excluded from: nothing of it is shown, and how much was kept is told.

Invariant: what is withheld is decided by the case as it stands inside the deed of the reading, and by nothing a caller says.
"""

from collections.abc import Collection

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.breach_reports.shapes import BREACH_REPORT
from vault.rulebook import facts
from vault.rulebook.asker import Errand


def withheld(deed: Deed, errand: Errand, entries: Collection[Entry]) -> frozenset[bytes]:
    """The cases named in these entries that this reader is excluded from. Raises Unavailable `integrity`."""
    named = {case for entry in entries for case in cases_of(entry)}
    readers = {errand.asker.ref, errand.asker.on_behalf}
    stored = facts.read_several(deed, BREACH_REPORT, sorted(case.hex() for case in named)) if named else {}
    return frozenset(bytes.fromhex(key) for key, report in stored.items() if readers & set(report.excluded))


def cases_of(entry: Entry) -> frozenset[bytes]:
    """The cases of breach reports an entry is about: it names one in the place of the person and of the record."""
    return frozenset(about.subject for about in entry.about if about.subject == about.record)
