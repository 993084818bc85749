"""One incident inside a deed: its fact, checked against the log, the parts written with it, and the reports it shares its readers with.

Invariants: fact, parts and entry change in one transaction; whom the incident or one of its reports excludes is excluded from all of them,
so that nobody learns of one from what changes in another.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from keys.case_file import Part, case_key, new_case_key, seal_part
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import About, WrittenFact
from vault.breach_reports import case, incident_tables
from vault.breach_reports.case import Case, Text
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact, PartFact, ReportFact
from vault.errors import NotFound, Unavailable
from vault.rulebook import facts
from vault.rulebook.two_people import STAFF


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as the log knows it, at this version of its fact."""

    id: bytes
    fact: IncidentFact
    version: int

    @property
    def about(self) -> tuple[About, ...]:
        """How an entry names it: by its id, in the place of subject and record."""
        return (About(self.id, self.id),)


def load(deed: Deed, incident: bytes) -> Incident:
    """The incident with this id. Raises NotFound, also where it was destroyed, Unavailable `integrity`."""
    fact = facts.read(deed, INCIDENT, incident.hex())
    if fact is None or fact.gone:
        raise NotFound
    return Incident(incident, fact, facts.version(deed, INCIDENT, incident.hex()))


def known(deed: Deed) -> dict[str, IncidentFact]:
    """Every incident by id in hexadecimal, without those destroyed. Raises Unavailable `integrity` if one of them does not hold."""
    found = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, INCIDENT)
    return {key: fact for key, fact in found.items() if not fact.gone}


def begin(deed: Deed, fact: IncidentFact, texts: Sequence[Text]) -> WrittenFact:
    """Write a new incident with its first texts; the caller puts what is returned into the entry of the same deed."""
    incident = bytes.fromhex(fact.id)
    key, wrapped = new_case_key(deed.cabinet.keys, incident)
    incident_tables.add_key(deed, incident, wrapped)
    return facts.write(deed, INCIDENT, fact.id, _with(deed, fact, key, texts))


def change(deed: Deed, found: Incident, fact: IncidentFact, *texts: Text) -> WrittenFact:
    """Write the incident's next version, with texts that came with it. Raises TooMany beyond `MOST_PARTS`, Unavailable `integrity`."""
    if texts:
        case.require_room(fact.parts, texts)
        fact = _with(deed, fact, _key(deed, found.id), texts)
    return facts.write(deed, INCIDENT, fact.id, fact)


def sealed_parts(deed: Deed, found: Incident, kinds: Sequence[str], only: Collection[int] | None = None) -> list[Part]:
    """The parts of these kinds as the fact names them, in order; of `only` these numbers where they are given.

    Raises Unavailable `integrity` where one is missing or another.
    """
    wanted = {number: part for number, part in enumerate(found.fact.parts) if part.kind in kinds and (only is None or number in only)}
    stored = incident_tables.parts(deed, found.id, [*wanted])
    if any(number not in stored or _sha256(stored[number]) != part.sha256 for number, part in wanted.items()):
        raise Unavailable("integrity")
    return [Part(number, part.kind, stored[number]) for number, part in wanted.items()]


@dataclass(frozen=True, slots=True)
class Circle:
    """An incident with its reports: who is excluded from one is excluded from all."""

    incident: Incident | None
    reports: tuple[Case, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids in hexadecimal."""
        return (*(() if self.incident is None else (self.incident.fact.id,)), *(each.fact.id for each in self.reports))

    def exclude(self, deed: Deed, excluded: tuple[str, ...], by: tuple[str, ...]) -> tuple[WrittenFact, ...]:
        """Write that these people are excluded, by these, into every fact of the circle."""
        put = {"excluded": excluded, "excluded_by": by}
        told = () if self.incident is None else (change(deed, self.incident, msgspec.structs.replace(self.incident.fact, **put)),)
        return (*told, *(case.change(deed, each, msgspec.structs.replace(each.fact, **put)) for each in self.reports))


def circle_of(deed: Deed, report: ReportFact) -> Circle:
    """The incident a report is linked to with its other reports; nothing where it is linked to none. Raises Unavailable `integrity`."""
    if not report.incident:
        return Circle(None, ())
    found = load(deed, bytes.fromhex(report.incident))
    return Circle(found, tuple(each for each in _linked(deed, found) if each.fact.id != report.id))


def circle(deed: Deed, found: Incident) -> Circle:
    """An incident with all its reports. Raises Unavailable `integrity`."""
    return Circle(found, tuple(_linked(deed, found)))


def _linked(deed: Deed, found: Incident) -> Iterator[Case]:
    """The reports of an incident that are there: one may have been destroyed again after a restore, when it was not linked any more."""
    for each in found.fact.reports:
        with suppress(NotFound):
            yield case.load(deed, bytes.fromhex(each))


def hide(deed: Deed, excluded: Iterable[str], ids: Iterable[str]) -> tuple[WrittenFact, ...]:
    """Write for each of these people that nothing about these incidents and reports is shown to her."""
    written, more = [], set(ids)
    for who in sorted(excluded):
        key = who.removeprefix(STAFF)
        kept = facts.read(deed, EXCLUSIONS, key) or ExclusionsFact()
        if not more <= set(kept.cases):
            written.append(facts.write(deed, EXCLUSIONS, key, ExclusionsFact(cases=tuple(sorted({*kept.cases, *more})))))
    return tuple(written)


def _with(deed: Deed, fact: IncidentFact, key: DataKey, texts: Sequence[Text]) -> IncidentFact:
    incident, told = bytes.fromhex(fact.id), list(fact.parts)
    for text in texts:
        part = seal_part(deed.cabinet.keys, key, incident, text.content, number=len(told), kind=text.kind)
        incident_tables.add_part(deed, incident, part.number, part.sealed)
        told.append(PartFact(kind=text.kind, by=text.by, at=deed.now, sha256=_sha256(part.sealed)))
    return msgspec.structs.replace(fact, parts=tuple(told))


def _key(deed: Deed, incident: bytes) -> DataKey:
    wrapped = incident_tables.wrapped_key(deed, incident)
    if wrapped is None:
        raise Unavailable("integrity")
    try:
        return case_key(deed.cabinet.keys, incident, wrapped)
    except Unopenable:
        raise Unavailable("integrity") from None


def _sha256(sealed: bytes) -> str:
    return hashlib.sha256(sealed).hexdigest()
