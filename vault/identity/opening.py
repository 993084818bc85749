"""Opens an association that was founded: its keys under the root, its journal and the checkpoint outside the database, or a named refusal.

Invariants: a missing file is a refusal and never a fresh start; a database that lacks what the checkpoint outside covers is not opened; an
open association follows its epochs whenever the law moves, and never back.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from keys import epochs
from keys.cabinet import Cabinet
from keys.errors import Unopenable
from keys.files import read_private
from keys.keyring import AssociationKeys
from keys.roots import Root
from vault.access_log import journal_note
from vault.access_log.checkpoint import EPOCH, Outside, check_at_start, origin
from vault.access_log.deed import Deed
from vault.access_log.log import AccessLog
from vault.errors import NotFound, Unavailable, VaultError
from vault.rulebook import facts, signing, tables
from vault.rulebook.association import Association
from vault.rulebook.book import Books
from vault.rulebook.key_facts import keys_fact
from vault.rulebook.shapes import RESTORATION, RESTORATION_KEY
from vault.storage.engine import Database, enter
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.journal import Journal, JournalRefused
from vault.storage.transaction import Transaction

EPOCHS: Final = "epochs"
JOURNAL: Final = "journal"
CHECKPOINT: Final = "checkpoint"
RESTORING: Final = "restoring"
"""The file that stands while `amanah restore` is at work: with it there the association does not open."""

Renewing = Callable[[], AssociationKeys]


def codes(database: Database) -> tuple[str, ...]:
    """Return the codes of all associations in the database, sorted."""
    with _reading(database) as connection:
        return tuple(connection.execute(select(tables.association.c.code).order_by(tables.association.c.code)).scalars())


def open_association(
    database: Database,
    *,
    code: str,
    root: Root,
    folder: Path,
    executor: Executor,
    clock: Callable[[], int],
) -> Association:
    """Open one association; `executor` is its queue's (one thread), `folder` holds its epochs, journal and checkpoint.

    Raises NotFound for a code of none; Unavailable `epochs-missing`, `sealed` (another root, or keys that were touched),
    `checkpoint-missing`, `log-shorter-than-checkpoint`, `log-forked` and the others of `check_at_start`; JournalRefused
    `journal-missing` or `journal-altered`.
    """
    load = partial(load_keys, identifier_of(database, code), root, folder)
    return open_with(database, code=code, load=load, folder=folder, executor=executor, clock=clock)


def open_with(
    database: Database,
    *,
    code: str,
    load: Renewing,
    folder: Path,
    executor: Executor,
    clock: Callable[[], int],
) -> Association:
    """Open one association; `load` gives its keys, now and when the file that holds them is another. Raises as `open_association` does."""
    identifier, wrapped = _rows(database, code)
    require_no_restore(folder, stands=True)
    keys = load()
    keys.renew = partial(_once_more, load)
    cabinet = _cabinet(keys, wrapped, code)
    cabinet = cabinet.signing_as(origin(code, _epoch(database, identifier, cabinet)))
    journal = Journal(folder / JOURNAL, journal_mac(cabinet))
    outside, looked_at = Outside(folder / CHECKPOINT), None
    # Read before the transaction: a snapshot from before another process signed would lack what its checkpoint covers. And again after it,
    # for what was put outside meanwhile is held against the database too.
    while (note := outside.read()) != looked_at:
        with _reading(database) as connection, connection.begin():
            enter(connection, identifier)
            signing.settle(connection, cabinet, identifier, clock())
            held = check_at_start(Transaction(connection, clock()), identifier, note, code, cabinet.signer.vkey_at)
        looked_at = note
    noted = journal_note.read(folder / journal_note.NAME, cabinet.signer.vkey_at, code)
    if noted is not None and not journal.begins_with(noted.reached):
        raise JournalRefused("journal-altered")
    log = AccessLog(cabinet, journal, database, executor, clock=clock, least_size=held.size)
    log.law_moved = partial(_keep_up, cabinet, load)
    return Association(identifier, code, cabinet, log, Books(cabinet), database, folder)


def unseal(database: Database, *, code: str, root: Root, folder: Path) -> tuple[bytes, Cabinet]:
    """Return the id and open keys of one association, for tools that only look. Raises as `open_association` does for its keys."""
    identifier, wrapped = _rows(database, code)
    keys = load_keys(identifier, root, folder)
    keys.renew = partial(_once_more, partial(load_keys, identifier, root, folder))
    cabinet = _cabinet(keys, wrapped, code)
    try:
        epoch = _epoch(database, identifier, cabinet)
    except (Unavailable, *DATABASE_ERRORS):
        # Who only looks is told of it by what looks at facts.
        epoch = EPOCH
    cabinet = cabinet.signing_as(origin(code, epoch))
    with _reading(database) as connection, connection.begin():
        enter(connection, identifier)
        signing.settle(connection, cabinet, identifier, 0)
    return identifier, cabinet


def identifier_of(database: Database, code: str) -> bytes:
    """Return the 16-byte id of the association of this code. Raises NotFound."""
    return _rows(database, code)[0]


def require_epochs(folder: Path) -> None:
    """Return if the file of epochs is there for its owner alone. Raises Unavailable `epochs-missing`, OSError."""
    try:
        read_private(folder / EPOCHS, 0)
    except FileNotFoundError as error:
        raise Unavailable("epochs-missing") from error


def load_keys(identifier: bytes, root: Root, folder: Path) -> AssociationKeys:
    """Return an association's keys as its root opens them. Raises Unavailable `epochs-missing`, `sealed`; OSError as root and file do."""
    require_epochs(folder)
    try:
        return epochs.load(folder / EPOCHS, identifier, root)
    except Unopenable:
        raise Unavailable("sealed") from None


def require_no_restore(folder: Path, *, stands: bool) -> None:
    """Raise Unavailable where a restore was not ended: `restore-to-finish` where the database has all of it, `restore-unfinished`."""
    if (folder / RESTORING).exists():
        raise Unavailable("restore-to-finish" if stands else "restore-unfinished")


def journal_mac(cabinet: Cabinet) -> Callable[[bytes], bytes]:
    """Return the MAC of the journal's lines, bound to the association."""
    association = cabinet.keys.association
    return lambda line: cabinet.journal.seal("journal", association, line)


@contextmanager
def _reading(database: Database) -> Iterator[Connection]:
    """A connection that takes no lock: another process may be at work on the same file."""
    with database.connect() as connection:
        yield connection.execution_options(reading=True)


def _rows(database: Database, code: str) -> tuple[bytes, dict[str, bytes]]:
    with _reading(database) as connection:
        identifier = connection.execute(select(tables.association.c.association_id).where(tables.association.c.code == code)).scalar()
        if identifier is None:
            raise NotFound
        kept = select(tables.association_key.c.name, tables.association_key.c.wrapped)
        rows = connection.execute(kept.where(tables.association_key.c.association_id == identifier)).all()
    return bytes(identifier), {row.name: bytes(row.wrapped) for row in rows}


def _epoch(database: Database, identifier: bytes, cabinet: Cabinet) -> int:
    """The epoch its log is in, by a fact: the file outside must be of it. Raises Unavailable `integrity`."""
    with _reading(database) as connection, connection.begin():
        enter(connection, identifier)
        found = facts.read_from(connection, cabinet, identifier, RESTORATION, RESTORATION_KEY)
    return EPOCH if found is None else found.epoch


def _keep_up(cabinet: Cabinet, renew: Renewing, deed: Deed) -> None:
    """Take over the epochs as the file has them by now, where the log tells of others than are open here.

    Raises Unavailable `sealed`, and `epochs-older` for a file put back, or that of a machine the present one was not brought to.
    """
    keys = cabinet.keys
    try:
        known = keys_fact(deed)
    except Unavailable:
        return  # whatever needs the fact says so, and the alarm must have a log to ring in
    # Twice: the first answer may be that to a question put before the file was rewritten.
    for _ in range(2):
        if keys.epoch >= known.newest and keys.minimum_epoch >= known.minimum:
            return
        try:
            newer = _once_more(renew)
        except Unopenable:
            raise Unavailable("sealed") from None
        with suppress(Unopenable):
            keys.take(newer)
    if keys.epoch < known.newest or keys.minimum_epoch < known.minimum:
        raise Unavailable("epochs-older")


def _once_more(renew: Renewing) -> AssociationKeys:
    """The keys as they are by now, for whoever knows no error of the vault. Raises Unopenable."""
    try:
        return renew()
    except (VaultError, OSError):
        raise Unopenable from None


def _cabinet(keys: AssociationKeys, wrapped: dict[str, bytes], code: str) -> Cabinet:
    try:
        return Cabinet.open(keys, wrapped, origin(code))
    except Unopenable:
        raise Unavailable("sealed") from None
