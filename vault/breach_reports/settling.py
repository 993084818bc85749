"""Whom a reporter meant is said by somebody who is none of those who may be meant: she reads those words and nothing else of the report.

Invariants: reading the words is an entry first; nobody settles a report that she may be meant by; somebody is always left who works on it.
Of a flood those that are alike stand together, the few before the many, and are settled together: each by a deed and an entry of its own.
"""

from collections.abc import Collection, Iterable, Mapping

from vault.access_log.deed import Deed
from vault.breach_reports import case, door, exclusion, kept_again, service
from vault.breach_reports.case import Case
from vault.breach_reports.lifecycle import ReportState
from vault.breach_reports.likeness import WAITING, Group, groups
from vault.breach_reports.shapes import EXCLUSION, ReportFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import STAFF

KIND = "breach_report.exclusion-settled"


def waiting(deed: Deed, errand: Errand, known: Mapping[bytes, ReportFact]) -> list[tuple[bytes, ReportFact]]:
    """The reports that wait for somebody to say whom they mean, oldest first, without those that may mean who asks."""
    errand = errand.still(deed)
    found = [(id_, fact) for id_, fact in known.items() if fact.held and not service.is_excluded(errand, fact)]
    return sorted(found, key=lambda each: (each[1].received_at, each[0]))


def behind(deed: Deed, errand: Errand, known: Mapping[bytes, ReportFact], after: bytes) -> list[tuple[bytes, ReportFact]]:
    """Those behind the place of this report, whether it waits still or was settled meanwhile. Raises NotFound for one that is none."""
    errand = errand.still(deed)
    last = known.get(after)
    if last is None or service.is_excluded(errand, last) or not (last.held or last.settled_at is not None):
        raise NotFound
    place = last.received_at, after
    return [(id_, fact) for id_, fact in waiting(deed, errand, known) if (fact.received_at, id_) > place]


def describes(fact: ReportFact) -> bool:
    """Whether the reporter used her own words for whom she means, which are to be read before it is settled."""
    return any(part.kind == EXCLUSION for part in fact.parts)


def alike(found: Iterable[ReportFact]) -> list[Group]:
    """These reports by likeness, by how and whom they exclude, the few before the many; nothing anybody wrote is opened.

    One word on a group sets nobody free whom the example does not keep from it.
    """
    kinds = dict[tuple[tuple[str, ...], tuple[str, ...], bool], list[ReportFact]]()
    for fact in found:
        kinds.setdefault((fact.offices, fact.held, describes(fact)), []).append(fact)
    made = [group for facts in kinds.values() for group in groups(facts)]
    # What somebody looked at meanwhile is kept without its sketch, and stands alone.
    made += [Group([fact]) for facts in kinds.values() for fact in facts if fact.state not in WAITING]
    return sorted(made, key=lambda group: (len(group.members), group.example.arrived_at, group.example.id))


def read(deed: Deed, errand: Errand, report: bytes) -> door.Taken:
    """Whom the reporter describes: the entry is appended, and the words open once that is committed.

    Raises NotFound where nothing waits, the refusal `excluded` for who may be meant, Unavailable.
    """
    errand = errand.still(deed)
    return door.take(deed, _waiting(deed, errand, report), service.entry_of(errand, deed, "breach_report.read"), (EXCLUSION,))


def settle(deed: Deed, errand: Errand, report: bytes, staff: Collection[bytes]) -> ReportFact:
    """Say who is meant: they see nothing of it for good, and the others who were kept from it do.

    Nobody is named only where the reporter used her own words. Raises NotFound, ReportState where it is settled, Invalid, Conflict
    `last-officer`, and the refusal `excluded`.
    """
    errand = errand.still(deed)
    found = _waiting(deed, errand, report)
    book, fact = errand.book(deed), found.fact
    meant = {f"{STAFF}{one.hex()}" for one in staff}
    if any(one.hex() not in book.staff for one in staff):
        raise Invalid([FieldError("staff", "unknown-staff")])
    if not meant and not describes(fact):
        raise Invalid([FieldError("staff", "out-of-range")])
    after = exclusion.settled(fact, meant, errand.hand, deed.now)
    if not exclusion.somebody(book, exclusion.WORKS, after.excluded, deed.now):
        raise Conflict("last-officer")
    hidden = exclusion.hide(deed, fact.id, sorted(meant - {*fact.held}))
    shown = exclusion.show(deed, fact.id, sorted({*fact.held} - {*after.excluded}))
    written = case.change(deed, found, after)
    told = service.entry_of(errand, deed, KIND, about=found.about, facts=(written, *hidden, *shown), flags=errand.asker.flags)
    line = kept_again.exclusions(sorted(meant), (), reports=[fact.id])[0] if meant else None
    deed.append(told, closes=line)
    return after


def _waiting(deed: Deed, errand: Errand, report: bytes) -> Case:
    found = service.seen(deed, errand, report)
    if not found.fact.held:
        raise ReportState if found.fact.settled_at is not None else NotFound
    return found
