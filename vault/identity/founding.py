"""Founds an association: keys, log, journal and first checkpoint, its packs as facts, three people and one client, in one transaction.

Invariants: what fails leaves nothing behind, neither rows nor files; secrets are returned once and kept as hashes or sealed; accounts made
here are marked `ceremony` and made by nobody.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from sqlalchemy import Connection, insert, select

from keys import epochs
from keys.cabinet import Cabinet, furnish
from keys.one_time_codes import new_secret
from keys.passwords import hash_password
from keys.roots import Root
from keys.tokens import new_api_key
from vault.access_log import head
from vault.access_log import tables as log_tables
from vault.access_log.checkpoint import Checkpointer, Outside, origin
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.access_log.log import AccessLog
from vault.errors import Conflict, FieldError, Invalid
from vault.identity import packs
from vault.identity.names import is_code, name_hash
from vault.identity.opening import CHECKPOINT, EPOCHS, JOURNAL, journal_mac
from vault.identity.scopes import SYSTEM_SCOPES, scopes_of
from vault.policy.facts import INTERNAL
from vault.policy.pack import Pack, load
from vault.policy.reader import PackRefused
from vault.rulebook import facts, tables
from vault.rulebook.book import notice_key
from vault.rulebook.pinned import PACK, key_of
from vault.rulebook.shapes import (
    ASSOCIATION,
    CLIENT,
    NOTICE,
    PURPOSE,
    RECORD_TYPE,
    STAFF,
    AssociationFact,
    ClientFact,
    StaffFact,
)
from vault.storage.engine import Database, enter
from vault.storage.journal import Journal
from vault.storage.transaction import Transaction

PEOPLE = {"admin": "administrator", "officer": "officer", "second_officer": "officer"}
SYSTEM_NAME = "system"
_PASSWORD_BYTES = 18


class FilesExist(Conflict):
    """The folder holds files of an association that this database does not know.

    They are a founding's that was killed before its commit, and `files` is what to remove then, or another database's, and never to be.
    """

    code = "association-files-exist"

    def __init__(self, files: tuple[Path, ...]) -> None:
        """Hold the paths of the files."""
        super().__init__()
        self.files = files


@dataclass(frozen=True, slots=True)
class Account:
    """What one person of the ceremony signs in with: told once."""

    username: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """The secrets of a new association, told once: one API key and three accounts."""

    association: str
    api_key: str = field(repr=False)
    staff: dict[str, Account]

    def as_json(self) -> bytes:
        """Return the secrets in the shape of CONTRACT 1 (`amanah init --json`)."""
        return msgspec.json.encode(self)


def found(
    database: Database,
    *,
    code: str,
    pack: str,
    folder: Path,
    root: Root,
    clock: Callable[[], int],
    made_by: str = "ceremony",
) -> Ceremony:
    """Found an association of this code under this pack; its files lie in `folder`, its rows in the database, whose schema stands.

    `made_by` is kept with the accounts and the client. Raises Invalid for a code or pack there cannot be, Conflict `association-exists`,
    FilesExist where the folder already holds an association's files.
    """
    laid_down = _checked(code, pack)
    accounts = {who: _account(f"{who}@{code}") for who in PEOPLE}
    hashes = {who: hash_password(account.password) for who, account in accounts.items()}
    with _undone_on_failure(folder), database.connect() as connection, connection.begin():
        deed, checkpointer = _begin(connection, database, code=code, folder=folder, root=root, clock=clock)
        _lay_down(deed, code, laid_down)
        _make_staff(deed, code, accounts, hashes, made_by)
        key = _make_client(deed, code, laid_down, made_by)
        deed.close()
        checkpointer.first(deed.transaction)
    return Ceremony(code, key, accounts)


def _checked(code: str, pack: str) -> Pack:
    if not is_code(code):
        raise Invalid([FieldError("association", "out-of-range")])
    try:
        found_pack = load(pack)
    except PackRefused as error:
        raise Invalid([FieldError("pack", "out-of-range")]) from error
    if found_pack.kind != "association":
        raise Invalid([FieldError("pack", "out-of-range")])
    return found_pack


@contextmanager
def _undone_on_failure(folder: Path) -> Iterator[None]:
    """Take back the folder's new files when what is done inside fails; what stood there before stays."""
    stood = folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = set(folder.iterdir())
    try:
        yield
    except BaseException:
        for path in set(folder.iterdir()) - before:
            path.unlink()
        if not stood:
            folder.rmdir()
        raise


def _begin(
    connection: Connection,
    database: Database,
    *,
    code: str,
    folder: Path,
    root: Root,
    clock: Callable[[], int],
) -> tuple[Deed, Checkpointer]:
    if connection.execute(select(tables.association.c.code).where(tables.association.c.code == code)).first() is not None:
        raise Conflict("association-exists")
    left = tuple(path for path in (folder / name for name in (EPOCHS, JOURNAL, CHECKPOINT)) if path.exists())
    if left:
        raise FilesExist(left)
    identifier, now = os.urandom(16), clock()
    keys = epochs.create(folder / EPOCHS, identifier, root, now)
    wrapped = furnish(keys)
    cabinet = Cabinet.open(keys, wrapped, origin(code))
    Journal.create(folder / JOURNAL)
    enter(connection, identifier)
    connection.execute(insert(tables.association).values(association_id=identifier, code=code))
    connection.execute(
        insert(tables.association_key),
        [{"association_id": identifier, "name": name, "wrapped": blob} for name, blob in sorted(wrapped.items())],
    )
    mac = head.seal(cabinet, size=0, frontier=b"", law=0, newest=now)
    connection.execute(insert(log_tables.head).values(association_id=identifier, size=0, frontier=b"", law=0, newest=now, mac=mac))
    # The executor belongs to a queue that founding never uses: it starts no thread.
    log = AccessLog(cabinet, Journal(folder / JOURNAL, journal_mac(cabinet)), database, ThreadPoolExecutor(1), clock=clock)
    return log.begin(Transaction(connection, now)), Checkpointer(cabinet.signer, code, identifier, Outside(folder / CHECKPOINT))


def _lay_down(deed: Deed, code: str, pack: Pack) -> None:
    """Write the association and its pack's purposes, record types and provisional notices, an entry for each kind."""
    first = packs.first_version(pack, deed.now)
    own = AssociationFact(
        code=code,
        pack=pack.name,
        law_pack=pack.law,
        founded_at=deed.now,
        pack_number=first.number,
        pack_version=first.version,
        pack_sha256=first.sha256,
    )
    written = [facts.write(deed, ASSOCIATION, code, own), facts.write(deed, PACK, key_of(first.number), first)]
    _told(deed, "association.founded", written)
    _told(deed, "purpose.laid-down", [facts.write(deed, PURPOSE, each.code, each) for each in packs.purpose_facts(pack)])
    _told(deed, "record-type.laid-down", [facts.write(deed, RECORD_TYPE, each.name, each) for each in packs.record_type_facts(pack)])
    notices = packs.provisional_notices(pack, deed.now)
    _told(deed, "notice.published", [facts.write(deed, NOTICE, notice_key(each.id, each.version), each) for each in notices])


def _make_staff(deed: Deed, code: str, accounts: Mapping[str, Account], hashes: Mapping[str, str], made_by: str) -> None:
    written = []
    for who, account in accounts.items():
        identifier, role = os.urandom(16).hex(), PEOPLE[who]
        member = StaffFact(
            id=identifier,
            name_hash=name_hash(deed.cabinet, who, code),
            engagement="employee",
            roles=(role,),
            scopes=scopes_of((role,)),
            password_hash=hashes[who],
            totp_secret=account.totp_secret,
            ceremony=True,
            made_by=made_by,
        )
        written.append(facts.write(deed, STAFF, identifier, member))
    _told(deed, "staff.made", written)


def _make_client(deed: Deed, code: str, pack: Pack, made_by: str) -> str:
    key = new_api_key(code)
    client = ClientFact(
        id=os.urandom(16).hex(),
        name=SYSTEM_NAME,
        party=INTERNAL,
        kind="batch",
        scopes=tuple(sorted(SYSTEM_SCOPES)),
        # A duty of the law is asked for under its own scope; of these the system holds `intake` alone.
        purposes=tuple(sorted({*pack.purposes, "intake"})),
        secret_hash=deed.cabinet.pepper.hash("key", key.secret).hex(),
        ceremony=True,
        made_by=made_by,
    )
    _told(deed, "client.made", [facts.write(deed, CLIENT, key.id, client)])
    return key.text


def _told(deed: Deed, kind: str, written: list[WrittenFact]) -> None:
    deed.append(Entry(kind=kind, outcome="allow", actor="system", facts=tuple(written), flags=("ceremony",)), changes_law=True)


def _account(username: str) -> Account:
    return Account(username, secrets.token_urlsafe(_PASSWORD_BYTES), new_secret())
