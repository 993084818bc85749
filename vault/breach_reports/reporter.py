"""Who asks where nobody says who: the reporter, as the log and the alarm take her. One for all, so that nothing tells two apart."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.breach_reports.shapes import BREACH_REPORT, REPORTER
from vault.policy.facts import Caller
from vault.rulebook import facts
from vault.rulebook.association import Association


@dataclass(frozen=True, slots=True)
class Reporter:
    """An asker without name, scope or credential."""

    association: Association
    ref: str = REPORTER
    on_behalf: str | None = None
    scopes: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()
    assignees: frozenset[str] = frozenset()
    asker: Caller = field(default_factory=Caller)

    def still(self, _deed: Deed) -> Self:
        """Return the same reporter: there is nothing of hers that could end."""
        return self


def about(report: bytes) -> Callable[[Deed], tuple[About, ...]]:
    """What an alarm names: the report, if the log ever heard of it."""

    def meant(deed: Deed) -> tuple[About, ...]:
        return (About(report, report),) if facts.version(deed, BREACH_REPORT, report.hex()) else ()

    return meant
