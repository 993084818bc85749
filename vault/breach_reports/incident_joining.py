"""Reports and an incident put together: whom one of them excludes is excluded from all, somebody is left, and nobody empties the desk.

Invariant: nothing is written before all of that was found to hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import msgspec

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, WrittenFact
from vault.breach_reports import case, incident_file
from vault.breach_reports import incident_lifecycle as lifecycle
from vault.breach_reports.case import Case
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.lifecycle import overtaken
from vault.breach_reports.service import SCOPE
from vault.breach_reports.shapes import ReportFact
from vault.errors import Conflict
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import STAFF, accounts_of, same_person


def require_officer(book: Book, excluded: Sequence[str], now: int) -> None:
    """Raise Conflict `last-officer` where nobody would be left who works on it."""
    kept = accounts_of(book, excluded)
    left = [each for key, each in book.staff.items() if SCOPE in each.scopes and each.active and f"{STAFF}{key}" not in kept]
    if all(each.valid_to is not None and each.valid_to <= now for each in left):
        raise Conflict("last-officer")


@dataclass(frozen=True, slots=True)
class Joined:
    """An incident with reports that are new to it, before anything is written: whom one of them excludes is excluded from all."""

    fact: IncidentFact
    changed: tuple[tuple[Case, ReportFact], ...]
    ids: tuple[str, ...]

    def written(self, deed: Deed) -> tuple[WrittenFact, ...]:
        """Write what changes in the reports and for the people excluded."""
        return (
            *(case.change(deed, found, fact) for found, fact in self.changed),
            *incident_file.hide(deed, self.fact.excluded, self.ids),
        )


def join(deed: Deed, errand: Errand, fact: IncidentFact, new: Sequence[Case], *, members: Sequence[Case]) -> Joined:
    """The incident with these reports. Raises IncidentState, Conflict `last-officer`, and the refusal `same-person`."""
    book = errand.book(deed)
    met: list[IncidentFact | ReportFact] = [fact, *(each.fact for each in new)]
    for one, other in combinations(met, 2):
        # Nobody excludes two others, and not by joining what she excluded one from with what she excluded another from.
        both = ((a, b) for a in one.excluded_by for b in other.excluded_by)
        if set(one.excluded) != set(other.excluded) and any(same_person(book, a, b) for a, b in both):
            about = (About(bytes.fromhex(fact.id), bytes.fromhex(fact.id)), *(each.about[0] for each in new))
            raise refusal(deed, errand, about, "incident.linked", reason="SAME_PERSON")
    excluded = tuple(sorted({*fact.excluded, *(who for each in new for who in each.fact.excluded)}))
    by = tuple(dict.fromkeys((*fact.excluded_by, *(who for each in new for who in each.fact.excluded_by))))
    require_officer(book, excluded, deed.now)
    for each in new:
        lifecycle.require_linkable(fact, each.fact)
        fact = lifecycle.linked(fact, each.fact, errand.hand, deed.now)
    fact = msgspec.structs.replace(fact, excluded=excluded, excluded_by=by)
    changed = [
        *(
            (
                each,
                msgspec.structs.replace(overtaken(each.fact, errand.hand, deed.now), incident=fact.id, excluded=excluded, excluded_by=by),
            )
            for each in new
        ),
        *(
            (each, msgspec.structs.replace(each.fact, excluded=excluded, excluded_by=by))
            for each in members
            if (each.fact.excluded, each.fact.excluded_by) != (excluded, by)
        ),
    ]
    return Joined(fact, tuple(changed), (fact.id, *fact.reports))


def refusal(deed: Deed, errand: Errand, about: tuple[About, ...], kind: str, *, reason: str) -> EntryRefusal:
    """A refusal with its entry: `EXCLUDED` by article 8, `SAME_PERSON` by article 7."""
    article = f"{errand.book(deed).association.pack}:{8 if reason == 'EXCLUDED' else 7}"
    told = {"about": about, "flags": errand.asker.flags}
    return EntryRefusal(errand.entry(kind=kind, outcome="refuse", reason=reason, article=article, **told))
