"""What an alarm names of a report."""

from collections.abc import Callable

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.breach_reports.shapes import BREACH_REPORT
from vault.rulebook import facts


def about(report: bytes) -> Callable[[Deed], tuple[About, ...]]:
    """What an alarm names: the report, if the log ever heard of it."""

    def meant(deed: Deed) -> tuple[About, ...]:
        return (About(report, report),) if facts.version(deed, BREACH_REPORT, report.hex()) else ()

    return meant
