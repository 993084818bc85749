"""What `amanah doctor` and `log verify` do on a vault, served or stopped: unseal, examine, say; never a value."""

import stat
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from keys.cabinet import Cabinet
from vault.access.copies import examine as examine_words
from vault.access.examine import examine as examine_orders
from vault.access.examine import overdue, papers, recalled, studied, unanswered
from vault.access_log import tables
from vault.access_log.checkpoint import Outside, opened
from vault.access_log.entry import EntryRefused, parse
from vault.access_log.verify import snapshot, verify
from vault.app import root_of
from vault.attachments.examine import examine as examine_scans
from vault.breach_reports.examine import examine as examine_reports
from vault.breach_reports.incident_examine import examine_incidents, late, late_reports
from vault.breach_reports.letters_examine import examine_letters, unsent
from vault.breach_reports.retention_examine import overdue as past_retention
from vault.breach_reports.service import hours
from vault.checkpoint_mail import Post
from vault.custody.examine import examine as examine_keys
from vault.errors import VaultError
from vault.identity.opening import JOURNAL, codes, journal_mac, unseal
from vault.identity.policy_version import has_acknowledged
from vault.notice_mail import FILE as NOTICE_MAIL
from vault.policy.pack import PackRefused, source
from vault.publication.versions import history, review_due
from vault.records.examine import examine as examine_containers
from vault.rulebook import facts
from vault.rulebook.book import Book, read_book
from vault.rulebook.facts import examine as examine_facts
from vault.rulebook.pinned import PACK, key_of, months_after
from vault.settings import Settings
from vault.storage import schema
from vault.storage.engine import Database
from vault.storage.journal import Closing, Journal
from vault.storage.octets import octets
from vault.subjects.examine import examine as examine_people
from vault.subjects.sheet import RecordState
from vault.web.times import RIYADH, moment

CLOSES = b'"cl":['
OLDEST_CHECKPOINT = 2 * 3600 * 1_000_000


def unsealed(settings: Settings, database: Database, code: str) -> tuple[bytes, Cabinet]:
    """The id and open keys of one association. Raises NotFound, Unavailable `sealed`."""
    return unseal(database, code=code, root=root_of(settings, code), folder=settings.association_folder(code))


def examine(settings: Settings, now: int) -> list[str]:
    """Everything that is not as it should be, in words, over all associations; empty for a healthy vault."""
    database = Database(settings.address)
    try:
        return _examine(settings, database, now)
    finally:
        database.dispose()


def _examine(settings: Settings, database: Database, now: int) -> list[str]:
    schema.check(database)
    findings: list[str] = []
    known = codes(database)
    for code in known:
        try:
            findings += [f"{code}: {what}" for what in _association(settings, database, code, now)]
        except VaultError as error:
            # One that does not open at all must not keep the others from being looked at.
            findings.append(f"{code}: association or association_key: does not open ({error.code})")
    findings += [f"{code}: association: missing, and its files are here" for code in settings.homes() if code not in known]
    return findings


def _association(settings: Settings, database: Database, code: str, now: int) -> Iterator[str]:
    identifier, cabinet = unsealed(settings, database, code)
    folder = settings.association_folder(code)
    outside = Outside(folder / "checkpoint")
    note = yield from _files(settings, code, cabinet, outside, now)
    with snapshot(database, identifier) as connection:
        yield from examine_facts(connection, cabinet, identifier)
        states: dict[bytes, RecordState] = {}
        scans: dict[bytes, bytes] = {}
        yield from examine_people(connection, cabinet, identifier, states, scans)
        yield from examine_scans(connection, cabinet, identifier, scans | papers(connection, cabinet, identifier))
        yield from examine_containers(connection, identifier, states)
        yield from examine_reports(connection, cabinet, identifier)
        yield from examine_incidents(connection, cabinet, identifier)
        yield from examine_letters(connection, cabinet, identifier)
        yield from examine_orders(connection, cabinet, identifier)
        yield from studied(connection, cabinet, identifier)
        yield from overdue(connection, cabinet, identifier, now)
        yield from recalled(connection, cabinet, identifier, now)
        yield from unanswered(connection, cabinet, identifier, now)
        yield from examine_keys(connection, cabinet, identifier)
        yield from examine_words(connection, cabinet, identifier, now)
        yield from _closings(connection, identifier, cabinet, folder)
        yield from (f"log {line}" for line in verify(connection, identifier, code, cabinet.signer.vkey_at, note, cabinet=cabinet).lines())
        try:
            book = read_book(connection, cabinet, identifier, 0)
        except VaultError:
            return  # named row by row above
        yield from late(connection, cabinet, identifier, hours(book), now)
        yield from unsent(connection, cabinet, identifier, hours(book), now, sends=(folder / NOTICE_MAIL).exists())
        yield from late_reports(connection, cabinet, identifier, hours(book), now)
        yield from past_retention(connection, cabinet, identifier, book.pack.retention_months, now)
        yield from _review(connection, cabinet, identifier, book, now)
    if book.restoration is not None and book.restoration.is_unconfirmed:
        yield "restore: not confirmed, so that nothing is disclosed, sent or published; two people confirm it (docs/operate.md, Restore)"
    for member in sorted(book.staff.values(), key=lambda each: each.id):
        who = f"staff {member.id} ({', '.join(member.roles)})"
        if member.ceremony and member.active:
            yield f"{who}: a ceremony account whose person has not set password and second factor of her own yet"
        elif member.active and not has_acknowledged(book.association, member):
            yield f"{who}: has not acknowledged the policy as it now stands (article 2)"


def _review(connection: Connection, cabinet: Cabinet, association: bytes, book: Book, now: int) -> Iterator[str]:
    """A published policy that nobody has looked at within the time its pack sets."""
    yield from _pack_review(connection, cabinet, association, book, now)
    try:
        every = history(connection, cabinet, association, book.association.published_policy)
    except VaultError:
        return  # named with the facts
    if every:
        due = review_due(every[0], book.pack.review.policy_months)
        if moment(now).astimezone(RIYADH).date() >= due:
            approved = every[0].approved_on.day
            yield f"policy: approved on {approved}, its review was due on {due.isoformat()}; publish it anew, changed or not"


def _pack_review(connection: Connection, cabinet: Cabinet, association: bytes, book: Book, now: int) -> Iterator[str]:
    """A pack that nobody has looked at within the time it sets itself, and one that a law of this release does not let stand."""
    own, looked_at = book.association, book.association.founded_at
    version = facts.read_from(connection, cabinet, association, PACK, key_of(own.pack_number)) if own.pack_sha256 else None
    if version is not None:
        looked_at = version.approved_at
        try:
            source(version.own)
        except PackRefused as error:
            yield f"pack: {own.pack} {own.pack_version} does not hold under the packs of this release ({error}); change it"
    due = months_after(moment(looked_at).astimezone(RIYADH).date(), book.pack.review.policy_months)
    if moment(now).astimezone(RIYADH).date() >= due:
        yield f"pack: {own.pack}, its review was due on {due.isoformat()}; propose it anew, changed or not (PUT /v1/pack)"


def _closings(connection: Connection, association: bytes, cabinet: Cabinet, folder: Path) -> Iterator[str]:
    """Doors the log says were closed without a line in the journal: somebody cut it, or it is another node's."""
    try:
        lines = Counter(line.closing for line in Journal(folder / JOURNAL, journal_mac(cabinet)).lines())
    except VaultError:
        return  # named with the files
    place = tables.entry.c
    for number, body in connection.execute(
        select(place.number, octets(place.body)).where(place.association_id == association).order_by(place.number)
    ):
        if not isinstance(body, bytes) or CLOSES not in body:
            continue
        try:
            closing = Closing(*parse(body).closes)
        except (EntryRefused, TypeError, ValueError):
            continue  # named by the log's own verification
        if not lines[closing]:
            yield f"journal: entry {number} closed a door ({closing.kind}), and no line of the journal says so"
        lines[closing] -= 1


def _files(settings: Settings, code: str, cabinet: Cabinet, outside: Outside, now: int) -> Generator[str, None, str | None]:
    folder = settings.association_folder(code)
    note = None
    try:
        note = outside.read()
        opened(note, cabinet.signer.vkey_at, code)
        if outside.age(now) > OLDEST_CHECKPOINT:
            yield f"checkpoint: the newest one outside is {outside.age(now) // 3_600_000_000} hours old"
        post = Post.of(code, folder)
        if post is not None and (behind := post.behind(note, now / 1e6)):
            yield f"checkpoint: the newest one has not been mailed for two hours to number {_listed(behind)} of checkpoint-mail.toml"
        if post is not None and (doubtful := post.doubtful()):
            yield f"checkpoint: nobody knows whether the last mail reached number {_listed(doubtful)} of checkpoint-mail.toml"
    except VaultError as error:
        yield f"checkpoint: the file outside the database does not hold ({error.code})"
    try:
        Journal(folder / JOURNAL, journal_mac(cabinet))
    except VaultError as error:
        yield f"journal: the file does not hold ({error.code})"
    # What systemd hands to a unit is systemd's to keep.
    roots = [settings.root_path(code)] if settings.root_credential is None else []
    for path in (*roots, folder / "epochs", folder / "journal", folder / "checkpoint"):
        yield from _permissions(path)
    return note


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _permissions(path: Path) -> Iterator[str]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        yield f"{path.name}: missing"
        return
    if mode & 0o077:
        yield f"{path.name}: others may touch it (mode {mode:03o})"
