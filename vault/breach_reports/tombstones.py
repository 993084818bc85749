"""Destroys one report or incident: its key and rows go, its fact is emptied, and a tombstone stays.

Invariants: the entry, which names the tombstone, stands before the first row goes, and the database lets go of sealed parts only then; the
journal has the line before the commit, so that no restore brings a case back; what stays opens nothing and tells of nobody.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Self

from sqlalchemy import Table, delete, select, text

from keys.errors import Unopenable
from keys.keyring import epoch_of
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, EntryRefused, WrittenFact, parse
from vault.breach_reports import evidence_facts, file_tables, incident_tables, letters, tables
from vault.breach_reports.incident_lifecycle import settled
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact
from vault.breach_reports.retention import What
from vault.breach_reports.shapes import BREACH_REPORT, TOMBSTONE, ReportFact, TombstoneFact
from vault.errors import NotFound, Unavailable
from vault.rulebook import facts
from vault.storage.journal import Closing, Line
from vault.storage.octets import octets

JOURNAL: Final = "breach-case"
KINDS: Final[dict[What, str]] = {"report": "breach_report.destroyed", "incident": "incident.destroyed"}
LETTERS: Final = "incident.letters-destroyed"
EVIDENCE: Final = "incident.evidence-destroyed"
FACTS_IN_AN_ENTRY: Final = 300
"""An entry holds 64 KiB, and names each fact with its digest."""
LINKED: Final = "linked"
OVERTAKEN: Final = "DESTRUCTION_OVERTAKEN"
"""The alarm of a destruction whose commit was lost, where something was done about the case since: it is not carried out."""
_MAY_DELETE: Final = text("SELECT has_table_privilege(current_user, 'breach_report_part', 'DELETE')")
_DESTROY: Final = text("SELECT amanah_destroy_case(:lost)")


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a case goes: under which release (hex id), when it was closed, what became of it."""

    run: str
    closed_at: int
    outcome: str

    def closing(self, what: What, id_: str) -> Closing:
        """The journal's line: random references, a moment and a code."""
        return Closing(JOURNAL, id_, "|".join((what, self.run, str(self.closed_at), self.outcome)))

    @classmethod
    def read(cls, detail: str) -> tuple[What, Self]:
        """What a line's detail says."""
        what, run, closed_at, outcome = detail.split("|")
        return "incident" if what == "incident" else "report", cls(run, int(closed_at), outcome)


def of_report(fact: ReportFact, ending: Ending, now: int) -> TombstoneFact:
    """What stays of a report."""
    return TombstoneFact(
        what="report",
        reference=fact.reference,
        opened_at=fact.received_at,
        closed_at=ending.closed_at,
        destroyed_at=now,
        outcome=ending.outcome,
        run=ending.run,
        category=fact.category,
        incident=fact.incident,
        excluded=tuple(sorted({*fact.excluded, *fact.held})),
    )


def of_incident(fact: IncidentFact, ending: Ending, now: int) -> TombstoneFact:
    """What stays of an incident: how its tracks were settled, and under which number the authority has it."""
    authority, people = settled(fact, "authority"), settled(fact, "people")
    return TombstoneFact(
        what="incident",
        reference=fact.reference,
        opened_at=fact.opened_at,
        closed_at=ending.closed_at,
        destroyed_at=now,
        outcome=ending.outcome,
        run=ending.run,
        reports=fact.reports,
        authority="" if authority is None else authority.how,
        people="" if people is None else people.how,
        filed_at=None if authority is None else authority.filed_at,
        reference_there="" if authority is None else authority.reference,
        excluded=fact.excluded,
    )


def outcome_of(fact: ReportFact) -> str:
    """What became of a report, in a word."""
    if fact.incident or fact.dismissal is None:
        return LINKED
    return fact.dismissal.reason


def bury(deed: Deed, told: Entry, fact: ReportFact | IncidentFact, ending: Ending) -> frozenset[int]:
    """Destroy a case with this entry; the epochs its key was wrapped under, of which older copies of the database still open it."""
    if isinstance(fact, IncidentFact):
        return _bury(deed, told, ("incident", fact.id), of_incident(fact, ending, deed.now), (), ending)
    files = [bytes.fromhex(each.id) for each in fact.files]
    return _bury(deed, told, ("report", fact.id), of_report(fact, ending, deed.now), files, ending)


def bury_again(deed: Deed, line: Line, told: Entry) -> int:
    """Destroy again what the journal says was destroyed and the stored rows say was not; how many doors stood open (0 or 1).

    A case whose fact does not hold goes all the same, with an alarm: of its files nothing opens without the key. One about which, or about
    what it is linked with, something was written since the line stays, with an alarm: the commit of the release was lost, and a hold, or
    what the reporter wrote, may have come after it. Raises NotFound for one that is not in this database at all.
    """
    what, ending = Ending.read(line.closing.detail)
    id_ = line.closing.reference
    try:
        if facts.read(deed, TOMBSTONE, id_) is not None:
            return 0
        fact = facts.read(deed, INCIDENT, id_) if what == "incident" else facts.read(deed, BREACH_REPORT, id_)
    except Unavailable:
        return _bury_unread(deed, line, told)
    if fact is None:
        raise NotFound
    if _overtaken(deed, line, told, {id_, *(fact.reports if isinstance(fact, IncidentFact) else _beside(deed, fact))}):
        return _left(deed, told, id_)
    bury(deed, told, fact, ending)
    return 1


def _bury_unread(deed: Deed, line: Line, told: Entry) -> int:
    """The same for a case whose fact does not hold: what stays of it is what the line says."""
    (what, ending), id_ = Ending.read(line.closing.detail), line.closing.reference
    if _overtaken(deed, line, told, {id_}):
        return _left(deed, told, id_)
    deed.append(Entry(kind="alarm", outcome="error", actor=told.actor, reason="INTEGRITY", flags=told.flags))
    bare = TombstoneFact(
        what=what,
        reference="",
        opened_at=0,
        closed_at=ending.closed_at,
        destroyed_at=deed.now,
        outcome=ending.outcome,
        run=ending.run,
    )
    _bury(deed, told, (what, id_), bare, (), ending)
    return 1


def _left(deed: Deed, told: Entry, id_: str) -> int:
    """Leave the case, and say which it is."""
    about = (About(bytes.fromhex(id_), bytes.fromhex(id_)),)
    deed.append(Entry(kind="alarm", outcome="error", actor=told.actor, about=about, reason=OVERTAKEN, flags=told.flags))
    return 0


def _overtaken(deed: Deed, line: Line, told: Entry, ids: Iterable[str]) -> bool:
    """Whether somebody wrote to one of these that is there still after the line; in a copy of before the destruction all is older than it.

    What the journal's other lines brought back is flagged as this is told, and counts for nothing.
    """
    there = [id_ for id_ in ids if not facts.version(deed, TOMBSTONE, id_)]
    numbers = facts.written_since(deed, (BREACH_REPORT.name, INCIDENT.name), there, line.base)
    place = log_tables.entry.c
    query = select(octets(place.body)).where(place.association_id == deed.association, place.number.in_(numbers))
    return any(_is_anothers(body, told) for body in deed.transaction.connection.execute(query).scalars())


def _is_anothers(body: bytes, told: Entry) -> bool:
    try:
        return frozenset(told.flags).isdisjoint(parse(body).entry.flags)
    except (EntryRefused, TypeError):
        return True  # what cannot be read may have been anything


def _beside(deed: Deed, fact: ReportFact) -> tuple[str, ...]:
    """The incident a report is linked to and the reports of that, as far as they hold."""
    if not fact.incident:
        return ()
    with suppress(Unavailable):
        found = facts.read(deed, INCIDENT, fact.incident)
        return (fact.incident, *(() if found is None else found.reports))
    return (fact.incident,)


def _bury(  # noqa: PLR0917 - a case is named by what it is and its id
    deed: Deed, told: Entry, case: tuple[What, str], stone: TombstoneFact, files: Sequence[bytes], ending: Ending
) -> frozenset[int]:
    what, id_ = case
    lost = bytes.fromhex(id_)
    written = (facts.write(deed, TOMBSTONE, id_, stone), _emptied(deed, what, id_))
    about = (About(lost, lost),)
    emptied = {LETTERS: letters.empty(deed, lost), EVIDENCE: evidence_facts.empty(deed, lost)} if what == "incident" else {}
    for kind, every in emptied.items():
        for begin in range(0, len(every), FACTS_IN_AN_ENTRY):
            some = tuple(every[begin : begin + FACTS_IN_AN_ENTRY])
            deed.append(replace(told, kind=kind, about=about, facts=some, count=len(some)))
    # First the entry: only where it stands does the database let go of sealed parts.
    deed.append(_with(told, KINDS[what], about, written), closes=ending.closing(what, id_))
    epochs = _epochs(deed, lost)
    for file in {*files, *_coming(deed, lost)}:
        file_tables.drop(deed, file)
    _delete_parts(deed, lost)
    for table, column in ((tables.report, "report"), (tables.report_key, "report"), (incident_tables.incident_key, "incident")):
        _delete(deed, table, column, lost)
    return epochs


def _with(told: Entry, kind: str, about: tuple[About, ...], written: tuple[WrittenFact, ...]) -> Entry:
    return replace(told, kind=kind, about=about, facts=(*told.facts, *written))


def _emptied(deed: Deed, what: What, id_: str) -> WrittenFact:
    """The fact's last version: the log names it, so it cannot be missing, and it says nothing."""
    if what == "incident":
        bare = IncidentFact(id=id_, reference="", state="closed", opened_at=0, opened_by="", aware_at=0, awareness=(), gone=True)
        return facts.write(deed, INCIDENT, id_, bare)
    empty = ReportFact(id=id_, reference="", state="dismissed", received_at=0, language="ar", category="", receipt="", parts=(), gone=True)
    return facts.write(deed, BREACH_REPORT, id_, empty)


def _epochs(deed: Deed, lost: bytes) -> frozenset[int]:
    found = (tables.wrapped_key(deed, lost), incident_tables.wrapped_key(deed, lost))
    try:
        return frozenset(epoch_of(wrapped) for wrapped in found if wrapped is not None)
    except Unopenable:
        return frozenset()  # what never was a key opens nothing in any copy


def _coming(deed: Deed, lost: bytes) -> list[bytes]:
    """Files on their way to a report."""
    place = file_tables.upload.c
    query = select(place.file).where(place.association_id == deed.association, place.report == lost)
    return [bytes(file) for file in deed.transaction.connection.execute(query).scalars()]


def _delete_parts(deed: Deed, lost: bytes) -> None:
    """Delete the sealed parts; on PostgreSQL through the function that asks the log first, where the service's role may not delete them."""
    connection = deed.transaction.connection
    if connection.dialect.name == "postgresql" and not connection.execute(_MAY_DELETE).scalar():
        connection.execute(_DESTROY, {"lost": lost})
        return
    _delete(deed, tables.part, "report", lost)
    _delete(deed, incident_tables.incident_part, "incident", lost)


def _delete(deed: Deed, table: Table, column: str, lost: bytes) -> None:
    deed.transaction.connection.execute(delete(table).where(table.c.association_id == deed.association, table.c[column] == lost))
