"""Holds the rows of the outbox for letters against their facts, for `amanah doctor`, and names what waits for somebody."""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from keys.cabinet import Cabinet
from vault.breach_reports import authority_notice
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact
from vault.breach_reports.letters import LETTER, WORD, LetterFact, outbox
from vault.breach_reports.lifecycle import HOUR
from vault.rulebook.facts import holding
from vault.storage.octets import octets

WAITING = frozenset({"listed", "sending", "waiting"})


def examine_letters(connection: Connection, cabinet: Cabinet, association: bytes) -> Iterator[str]:
    """What does not hold, row by row in words; facts that do not hold are named with all others."""
    states: dict[str, str] = {key: one.state for key, one in holding(connection, cabinet, association, LETTER).items()}
    states |= {key: one.state for key, one in holding(connection, cabinet, association, WORD).items()}
    missing = {key for key, state in states.items() if state in WAITING}
    for row in connection.execute(select(octets(outbox.c.letter)).where(outbox.c.association_id == association)).scalars():
        name = row.hex()
        if name not in states:
            yield f"notice_outbox {name}: no letter says so"
        missing.discard(name)
    yield from (f"notice_outbox {name}: missing, and the letter never left" for name in sorted(missing))


def unsent(connection: Connection, cabinet: Cabinet, association: bytes, within: int, now: int, *, sends: bool) -> Iterator[str]:
    """Letters that wait for somebody, all that wait where nobody `sends`, and supplements owed to the authority (regulation 24)."""
    incidents = holding(connection, cabinet, association, INCIDENT)
    counts: dict[tuple[str, str], int] = {}
    for one in holding(connection, cabinet, association, LETTER).values():
        state = "approved" if one.state == "listed" and _is_approved(incidents.get(one.incident), one) else one.state
        counts[one.incident, state] = counts.get((one.incident, state), 0) + 1
    for key, fact in sorted(incidents.items()):
        if not sends and (count := counts.get((key, "approved"))):
            yield f"incident {fact.reference}: {count} letters wait, and no server is named to send them by (notice-mail.toml)"
        for state, what in (("failed", "failed"), ("doubtful", "may have arrived or not"), ("post", "go by post or by hand")):
            if count := counts.get((key, state)):
                yield f"incident {fact.reference}: {count} letters {what} (GET /v1/incidents/{{incident}}/people-notices)"
        owed = authority_notice.task(fact, within, now) if authority_notice.owes(fact) else None
        if owed is not None:
            yield f"incident {fact.reference}: a supplement is owed to the authority, for {(now - owed.since) // HOUR} hours"
    lost = [one for one in holding(connection, cabinet, association, WORD).values() if one.state in {"failed", "doubtful"}]
    for mail in sorted(lost, key=lambda one: one.id):
        of = "about what waits at /officer/exclusions" if mail.what == "held" else f"of {mail.hours} hours"
        yield f"mail to staff {mail.staff}: that {of} is {mail.state}"


def _is_approved(fact: IncidentFact | None, letter: LetterFact) -> bool:
    """Whether two people let this letter go out."""
    return fact is not None and any(each.part == letter.notice and letter.place <= each.approved for each in fact.people_notices)
