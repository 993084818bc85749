"""Closes again, at start, every door the journal closed and the stored facts say is open.

A line of the journal is on the disk before its deed commits. Where the process died between the two, or somebody put an older database
back, the door the line names stands open: it is closed before the service opens its own. Lines that the checkpoint outside already covers
need no look: the log was found to hold everything up to it. A closing that nobody was told of only refuses.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import msgspec

from vault.access import agreements, erasing_again, person_links, silences, studies
from vault.access.disclosures import end as end_disclosure
from vault.access.erasure_words import ERASE, LOCK
from vault.access.orders import end
from vault.access.shapes import DISCLOSURE, ORDER
from vault.access_log.checkpoint import opened
from vault.access_log.closed import ended_consent
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.breach_reports import kept_again, left_again, letters, tombstones
from vault.consent import capacity, guardians, merging
from vault.consent.service import No
from vault.errors import NotFound, Unavailable
from vault.identity.proposals import PURPOSE_PROPOSAL
from vault.policy.events import Stopped
from vault.policy.facts import Standing, Stop, StopKind, key
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.book import notice_key
from vault.rulebook.key_facts import EPOCH
from vault.rulebook.pinned import JOURNAL as PACK_PURPOSE
from vault.rulebook.shapes import CLIENT, NOTICE, PURPOSE, RECIPIENT, SESSION, STAFF
from vault.storage.group_commit import MOST_IN_A_BATCH
from vault.storage.journal import RESTORED, Line
from vault.subjects import people
from vault.subjects.sheet import Unassigned, happened

SYSTEM = "system"
# The last unit taken into a transaction may bring as many entries again.
MOST_ENTRIES = 2 * MOST_IN_A_BATCH
FLAGS = ("from-journal",)
_STOPS: dict[str, StopKind] = {"withdrawal": "withdraw", "invalidation": "invalidate", "refusal": "refuse"}
_KINDS = {"withdrawal": "consent.withdrawn", "invalidation": "consent.invalidated", "refusal": "consent.refused"}


def reclose(association: Association, clock: Callable[[], int]) -> int:
    """Close what the journal says was closed; how many doors stood open. Raises Unavailable where log or facts do not hold."""
    covered = opened(association.outside.read(), association.cabinet.signer.vkey_at, association.code).size
    lines = [line for line in _since_restored(association.log.journal.lines()) if line.base + MOST_ENTRIES > covered]
    if not lines:
        return 0
    return sum(association.log.run_now(association.database, [partial(close, association=association, line=line) for line in lines], clock))


def _since_restored(lines: Iterable[Line]) -> list[Line]:
    """The lines after the last that tells of a restore: it carried out all before, whose sizes are of a history that is lost."""
    found: list[Line] = []
    for line in lines:
        if line.closing.kind == RESTORED:
            found.clear()
        else:
            found.append(line)
    return found


def close(deed: Deed, *, association: Association, line: Line) -> int:
    """Close the door of one line, where it stands open; how many that were."""
    closing = line.closing
    if closing.kind in _STOPS:
        return _stop(deed, association, line)
    if closing.kind in _OF_PEOPLE:
        return _OF_PEOPLE[closing.kind](deed, line)
    if closing.kind in _ERASURES:
        return _erasure(deed, association, line)
    if closing.kind in _CASES:
        return _case(deed, line)
    written = _FACTS[closing.kind](deed, association, line)
    if not written:
        return 0
    entry = Entry(kind=f"{closing.kind}.ended", outcome="allow", actor=SYSTEM, facts=tuple(written), flags=FLAGS)
    deed.append(entry, changes_law=True, closes=closing)
    return 1


def _stop(deed: Deed, association: Association, line: Line) -> int:
    """End a consent the journal says ended: for the person, purpose and recipient of the line."""
    closing = line.closing
    purpose, recipient, words = ended_consent(closing.detail)
    silent = silences.again(deed, purpose, words) if words else ()
    told = Entry(kind=_KINDS[closing.kind], outcome="allow", actor=SYSTEM, purpose=purpose, recipient=recipient, facts=silent, flags=FLAGS)
    known = _somebody(deed, closing.reference)
    if known is None or _is_stopped(known, key(purpose, recipient), line.time):
        # Whoever it was that said it: the number stays silent through everybody else's record.
        if silent:
            deed.append(told, closes=closing)
        return int(bool(silent))
    stop = Stop(_STOPS[closing.kind], line.time, deed.now)
    if not words and stop.kind != "invalidate":
        # A line of before there were such words: what her record holds now is all that is known.
        silent = silences.written(deed, association.books.at(deed), known, No(purpose, recipient, line.time)).facts
        told = replace(told, facts=silent)
    record = bytes.fromhex(next(iter(known.sheet.records))) if known.sheet and known.sheet.records else None
    event = happened(Stopped(purpose, recipient, stop), at=deed.now, by=SYSTEM)
    people.change(deed, known, [event], told, record=record, closes=closing)
    return 1


def _is_stopped(known: people.Known, name: str, since: int) -> bool:
    """Whether the sheet knows of a stop of that moment or a later one."""
    standing = known.sheet.person.standings.get(name, Standing()) if known.sheet else Standing()
    return standing.newest_stop is not None and standing.newest_stop.recorded_at >= since


def _assignment(deed: Deed, line: Line) -> int:
    """End an assignment the journal says ended."""
    closing = line.closing
    known = _somebody(deed, closing.reference)
    if known is None or known.sheet is None or all(one.id != closing.detail for one in known.sheet.assignments):
        return 0
    told = Entry(kind="assignment.ended", outcome="allow", actor=SYSTEM, flags=FLAGS)
    people.change(deed, known, [Unassigned(assignment=closing.detail, at=deed.now, by=SYSTEM)], told, closes=closing)
    return 1


def _merge(deed: Deed, line: Line) -> int:
    """Join again whom the journal says two people joined: what was said of one since holds for both."""
    told = Entry(kind=merging.APPROVED, outcome="allow", actor=SYSTEM, flags=FLAGS)
    try:
        return merging.join_again(deed, (line.closing.reference, line.closing.detail), told, by=SYSTEM)
    except NotFound:
        return 0
    except Unavailable:
        deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", flags=FLAGS))
        return 0


def _capacity(deed: Deed, line: Line) -> int:
    """End a guardian's office again, or take capacity again by a court or by death, where the journal says so and the sheet does not."""
    closing = line.closing
    known = _somebody(deed, closing.reference)
    if known is None:
        return 0
    told = Entry(kind=_OF_CAPACITY[closing.kind], outcome="allow", actor=SYSTEM, flags=FLAGS)
    if closing.kind == guardians.JOURNAL:
        guardian, _, cause = closing.detail.partition("|")
        return guardians.end_again(deed, known, bytes.fromhex(guardian), told, for_cause=bool(cause), by=SYSTEM)
    return capacity.close_again(deed, known, closing.kind, told, by=SYSTEM, at=line.time)


def _somebody(deed: Deed, subject: str) -> people.Known | None:
    """Whom a line names, None for who is not in this database at all or whose rows do not hold: nothing of hers opens."""
    try:
        return people.of_subject(deed, bytes.fromhex(subject))
    except NotFound:
        return None
    except Unavailable:
        # The others need not wait for that.
        deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", flags=FLAGS))
        return None


def _erasure(deed: Deed, association: Association, line: Line) -> int:
    """Lock again, or erase again, whom the journal says was locked or erased."""
    kind, deed_again = _ERASURES[line.closing.kind]
    told = Entry(kind=kind, outcome="allow", actor=SYSTEM, basis="law", flags=FLAGS)
    try:
        return deed_again(deed, association, line, told)
    except NotFound:
        return 0
    except Unavailable:
        deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", flags=FLAGS))
        return 0


def _case(deed: Deed, line: Line) -> int:
    """Destroy, exclude from or hold again the report or incident the journal says was destroyed, kept from somebody or held.

    And note again which letters about it left.
    """
    told = Entry(kind="", outcome="allow", actor=SYSTEM, basis="law", flags=FLAGS)
    try:
        return _CASES[line.closing.kind](deed, line, told)
    except NotFound:
        return 0
    except Unavailable:
        case = bytes.fromhex(line.closing.reference)
        deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, about=(About(case, case),), reason="INTEGRITY", flags=FLAGS))
        return 0


def _session(deed: Deed, _association: Association, line: Line) -> list[WrittenFact]:
    session = facts.read(deed, SESSION, line.closing.reference)
    if session is None or session.ended_at is not None:
        return []
    return [facts.write(deed, SESSION, session.id, msgspec.structs.replace(session, ended_at=deed.now))]


def _staff(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    member = association.books.at(deed).staff.get(line.closing.reference)
    if member is None or not member.active:
        return []
    return [facts.write(deed, STAFF, member.id, msgspec.structs.replace(member, active=False, valid_to=deed.now))]


def _credentials(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    """A reset that only the journal knows: her secrets of before open nothing, and two people reset them anew."""
    member = association.books.at(deed).staff.get(line.closing.reference)
    if member is None or member.reset_at >= line.time:
        return []
    shut = msgspec.structs.replace(member, password_hash="", scopes=(), reset_at=line.time)
    return [facts.write(deed, STAFF, member.id, shut)]


def _client(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    keys = association.books.at(deed).clients
    return [
        facts.write(deed, CLIENT, key, msgspec.structs.replace(client, revoked_at=deed.now))
        for key, client in keys.items()
        if client.id == line.closing.reference and client.revoked_at is None
    ]


def _narrowed(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    """A client that was made narrower at the moment of the line and is not, opens nothing until two people make one anew."""
    keys = association.books.at(deed).clients
    return [
        facts.write(deed, CLIENT, key, msgspec.structs.replace(client, revoked_at=deed.now))
        for key, client in keys.items()
        if client.id == line.closing.reference
        and client.revoked_at is None
        and client.changed_at < line.time
        and (client.expires_at is None or deed.now < client.expires_at)
    ]


def _client_key(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    key, end = line.closing.reference, int(line.closing.detail)
    client = association.books.at(deed).clients.get(key)
    if client is None or client.revoked_at is not None or (client.expires_at is not None and client.expires_at <= end):
        return []
    return [facts.write(deed, CLIENT, key, msgspec.structs.replace(client, expires_at=end))]


def _recipient(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    recipient = association.books.at(deed).recipients.get(line.closing.reference)
    if recipient is None or recipient.revoked_at is not None:
        return []
    return [facts.write(deed, RECIPIENT, recipient.code, msgspec.structs.replace(recipient, revoked_at=deed.now))]


def _recipient_key(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    """Take the confirmation back from the key of the line, unless it was confirmed anew since."""
    recipient = association.books.at(deed).recipients.get(line.closing.reference)
    if recipient is None or recipient.confirmed_at is None or recipient.confirmed_at > line.time:
        return []
    open_again = msgspec.structs.replace(recipient, confirmed_by="", confirmed_at=None, hands=(recipient.registered_by,))
    return [facts.write(deed, RECIPIENT, recipient.code, open_again)]


def _order(deed: Deed, _association: Association, line: Line) -> list[WrittenFact]:
    order = facts.read(deed, ORDER, line.closing.reference)
    return [] if order is None or order.revoked_at is not None else [end(deed, order)[1]]


def _agreement(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    agreement = association.books.at(deed).agreements.get(line.closing.reference)
    return [] if agreement is None or agreement.revoked_at is not None else [agreements.end(deed, agreement, SYSTEM)[1]]


def _disclosure(deed: Deed, _association: Association, line: Line) -> list[WrittenFact]:
    found = facts.read(deed, DISCLOSURE, line.closing.reference)
    return [] if found is None or found.revoked_at is not None else [end_disclosure(deed, found, SYSTEM)[1]]


def _purpose(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    """A purpose that was made narrower at the moment of the line and is not, opens nothing until two people lay it down again."""
    code = line.closing.reference
    purpose, settled = association.books.at(deed).purposes.get(code), facts.read(deed, PURPOSE_PROPOSAL, code)
    known = settled is not None and settled.settled_at >= line.time
    if purpose is None or known or purpose.classes == ():
        return []
    return [facts.write(deed, PURPOSE, code, msgspec.structs.replace(purpose, classes=()))]


def _pack_purpose(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    """A purpose that a version of the pack made narrower, and the database knows no such version: it opens nothing, as above."""
    if association.books.at(deed).association.pack_number >= int(line.closing.detail):
        return []
    return _purpose(deed, association, line)


def _notice(deed: Deed, association: Association, line: Line) -> list[WrittenFact]:
    """A notice that was materially changed at the moment of the line and is not: what was agreed to under it ends on the day told then."""
    mine = [one for one in association.books.at(deed).notices.values() if one.purpose == line.closing.reference and one.published_at]
    if any(one.material and (one.published_at or 0) >= line.time for one in mine):
        return []
    ends = int(line.closing.detail or line.time)
    open_ones = [one for one in mine if one.ends_at is None or one.ends_at > ends]
    return [facts.write(deed, NOTICE, notice_key(one.id, one.version), msgspec.structs.replace(one, ends_at=ends)) for one in open_ones]


def _study(deed: Deed, _association: Association, line: Line) -> list[WrittenFact]:
    return studies.end_again(deed, line.closing.reference, SYSTEM)


def _study_release(deed: Deed, _association: Association, line: Line) -> list[WrittenFact]:
    return studies.lose_again(deed, line.closing.reference, line.closing.detail, SYSTEM)


def _person_page(deed: Deed, _association: Association, line: Line) -> list[WrittenFact]:
    """A code that let somebody in, or was tried, and a session that was left, come back to nobody."""
    return person_links.end_again(deed, line)


def _epoch(_deed: Deed, _association: Association, _line: Line) -> list[WrittenFact]:
    """Retired epochs are settled before anything else is (vault.custody.retiring): nothing is left to do here."""
    return []


_ERASURES: dict[str, tuple[str, Callable[[Deed, Association, Line, Entry], int]]] = {
    LOCK: ("erasure.requested", erasing_again.lock_again),
    ERASE: ("erasure.approved", erasing_again.erase_again),
}
_CASES: dict[str, Callable[[Deed, Line, Entry], int]] = {
    tombstones.JOURNAL: tombstones.bury_again,
    kept_again.EXCLUDED: kept_again.exclude_again,
    kept_again.HELD: kept_again.hold_again,
    letters.JOURNAL: left_again.note_again,
}
_OF_CAPACITY = {guardians.JOURNAL: guardians.ENDED, "interdiction": capacity.INTERDICTED, "death": capacity.DECEASED}
_OF_PEOPLE: dict[str, Callable[[Deed, Line], int]] = {
    **dict.fromkeys(_OF_CAPACITY, _capacity),
    "assignment": _assignment,
    merging.JOURNAL: _merge,
}
_FACTS: dict[str, Callable[[Deed, Association, Line], list[WrittenFact]]] = {
    "session": _session,
    "staff": _staff,
    "credentials": _credentials,
    "client": _client,
    "client-key": _client_key,
    "client-narrowed": _narrowed,
    "agreement": _agreement,
    "order": _order,
    "disclosure": _disclosure,
    "recipient": _recipient,
    "recipient-key": _recipient_key,
    "purpose": _purpose,
    PACK_PURPOSE: _pack_purpose,
    "notice": _notice,
    EPOCH: _epoch,
    person_links.JOURNAL: _person_page,
    studies.JOURNAL: _study,
    studies.RELEASED: _study_release,
}
