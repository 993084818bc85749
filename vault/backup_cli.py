"""`amanah backup` and `amanah restore`: copies made beside the running service, proven, and put back into an empty database.

Invariant: neither shows a value; what opens a copy is a recovery key in a file and the association's own keys on this machine, both needed.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import rich_click as click

from keys.errors import Unopenable
from keys.packages import PackageKey
from vault.access_log.journal_note import NAME
from vault.app import clock, root_of
from vault.backup.journals import copy_journal
from vault.backup.manifest import look
from vault.backup.opening import Sources
from vault.backup.parts import KEYS
from vault.backup.refused import BackupRefused
from vault.backup.restoring import Place, Restored, Shows
from vault.backup.restoring import restore as put_back
from vault.backup.taking import check, read_recipient, take
from vault.commands import Failed, guarded, sentence, settings_of
from vault.identity.opening import codes, open_association
from vault.rulebook.association import Association
from vault.settings import Settings, read
from vault.storage import schema
from vault.storage.engine import Database

KEPT_DAYS: Final = 35
"""Keys of an old copy open what was erased since, as long as their epoch lives: they are kept no longer than this."""
Given = str | int | None
T = TypeVar("T")
_PATH = click.Path(path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--to", "folder", metavar="DIR", type=_PATH, help="where the copy is made, in a new folder of its own")
@click.option("--recipient", "recipients", metavar="FILE", type=_PATH, multiple=True, help="the public half that `package keygen` printed")
@click.option("--journal-to", metavar="DIR", type=_PATH, help="copy the journal of closed doors too: never to where the backups lie")
@click.option("--association", "only", metavar="CODE", help="this one alone; default every one")
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@click.pass_context
@guarded
def backup(
    context: click.Context, /, folder: Path | None, recipients: Sequence[Path], journal_to: Path | None, only: str | None, **given: Given
) -> None:
    """Make a sealed, proven copy while the service runs."""
    if context.invoked_subcommand is not None:
        return
    if folder is None and journal_to is None:
        raise Failed("--to names where the copy is made")
    if folder is not None and not recipients:
        raise Failed("--recipient names the key that opens the copy; without one nobody could")
    if folder is not None and journal_to is not None and folder.resolve() == journal_to.resolve():
        raise Failed("the journal is not kept beside the copies: who put both back together would undo what was withdrawn and erased")
    keys = [_told(partial(read_recipient, path.read_bytes())) for path in recipients]
    settings = settings_of(given)
    with _opened(settings, only) as associations:
        for association in associations:
            if folder is not None:
                _make(association, folder, keys)
            if journal_to is not None:
                copy_journal(association.folder, journal_to / association.code)
                click.echo(f"{association.code}: the journal is copied to {journal_to / association.code}")


def _make(association: Association, folder: Path, keys: Sequence[str]) -> None:
    made = _told(partial(take, association, folder, keys, clock))
    manifest = made.backup.manifest
    size = sum(each.size for each in manifest.files)
    click.echo(f"{association.code}: {made.backup.folder}")
    click.echo(
        f"  {manifest.head.size} entries, {sum(count for _, _, count in manifest.rows)} rows, {size / 1_000_000:.1f} MB in two files"
    )
    click.echo(
        f"  proven: the log from its bytes up, and {made.proof.containers} containers that open; manifest sha256 {made.backup.digest}"
    )


@backup.command("verify")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--identity", metavar="FILE", type=_PATH, required=True, help="the private half of a recovery key")
@click.option("--keys", "keys_from", metavar="DIR", type=_PATH, help="take the keys from this backup instead")
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@guarded
def backup_verify(folder: Path, identity: Path, keys_from: Path | None, **given: Given) -> None:
    """Open a copy into a scratch database and prove it; nothing is shown, and the log is told."""
    settings = settings_of(given)
    sources = _sources(folder, identity, keys_from)
    with _opened(settings, sources.data.manifest.code) as associations:
        for association in associations:
            proof = _told(partial(check, association, sources, clock))
            click.echo(f"{association.code}: the copy holds: {proof.entries} entries, and {proof.containers} containers that open")


@backup.command("prune")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--older-than", metavar="DAYS", type=click.IntRange(0, KEPT_DAYS), default=KEPT_DAYS, show_default=True)
@guarded
def backup_prune(folder: Path, older_than: int) -> None:
    """Remove the files of keys that are older, and what was never finished: an old key file opens what was erased since."""
    end = datetime.now(UTC) - timedelta(days=older_than)
    for manifest in sorted(folder.glob("*/manifest")):
        found = _told(partial(look, manifest.parent))
        keys = found.folder / KEYS
        if keys.exists() and found.manifest.at < end.timestamp() * 1_000_000:
            keys.unlink()
            click.echo(f"{keys}: removed")
    for left in sorted(folder.glob("*.part")):
        shutil.rmtree(left)
        click.echo(f"{left}: removed, it was never finished")


@click.command()
@click.option("--from", "folder", metavar="DIR", type=_PATH, required=True, help="the folder of one backup")
@click.option("--identity", metavar="FILE", type=_PATH, required=True, help="the private half of a recovery key")
@click.option("--keys", "keys_from", metavar="DIR", type=_PATH, help="take the keys from this backup instead: the newest there is")
@click.option("--journal", "journals", metavar="FILE", type=_PATH, multiple=True, help=f"a journal, its {NAME} beside it; every node's")
@click.option("--checkpoint", "checkpoints", metavar="FILE", type=_PATH, multiple=True, help="a checkpoint held outside, the newest known")
@click.option("--without-journal", is_flag=True, help="go on without a whole journal: every key and session is revoked, two must confirm")
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@click.option("--root-key-file", metavar="F")
@click.option("--root-passphrase-file", metavar="F")
@guarded
def restore(
    folder: Path,
    identity: Path,
    keys_from: Path | None,
    journals: Sequence[Path],
    checkpoints: Sequence[Path],
    *,
    without_journal: bool,
    **given: Given,
) -> None:
    """Put a copy back into an empty database, and close again what was closed since."""
    settings = read(given)
    sources = _sources(folder, identity, keys_from)
    code = sources.data.manifest.code
    home = settings.association_folder(code)
    if not home.is_dir():
        raise Failed(f"the association's own files lie in {home}: put its epochs there first; they are in no backup")
    database = Database(settings.address)
    try:
        place = Place(database, home, root_of(settings, code), clock)
        done = _told(partial(put_back, place, sources, Shows(journals, checkpoints, without_journal)))
    finally:
        database.dispose()
    for line in _said(code, done):
        click.echo(line)


def _said(code: str, done: Restored) -> Iterator[str]:
    if done.finished:
        yield f"{code}: everything was in the database already; its checkpoint is outside now"
    yield f"{code}: restored; the log goes on as epoch {done.epoch}: copy the new checkpoint out, and tell who pins the log's key"
    if not done.finished:
        yield f"{code}: {done.closed} doors closed again that were closed after the copy was made"
    if done.unopened:
        yield f"{code}: {done.unopened} people do not open; amanah doctor names them"
    if not done.complete:
        yield f"{code}: without a whole journal: every API key and session is revoked, and nothing leaves until two people confirm"


def _sources(folder: Path, identity: Path, keys_from: Path | None) -> Sources:
    data = _told(partial(look, folder))
    try:
        key = PackageKey.read(identity)
    except Unopenable:
        raise Failed("the file of --identity holds no private key") from None
    return Sources(data, data if keys_from is None else _told(partial(look, keys_from)), key)


def _told(deed: Callable[[], T]) -> T:
    """What the deed gives; where a copy does not hold, the file is named."""
    try:
        return deed()
    except BackupRefused as error:
        raise Failed(f"{error.part}: {sentence(error)}" if error.part else sentence(error)) from error


@contextmanager
def _opened(settings: Settings, only: str | None) -> Iterator[list[Association]]:
    """The associations of this vault, open beside the running service."""
    database = Database(settings.address)
    try:
        schema.check(database)
        wanted = [code for code in codes(database) if only in {None, code}]
        if not wanted:
            raise Failed("there is no such association in this vault")
        with ThreadPoolExecutor(1) as executor:
            yield [_open(database, settings, code, executor) for code in wanted]
    finally:
        database.dispose()


def _open(database: Database, settings: Settings, code: str, executor: ThreadPoolExecutor) -> Association:
    return open_association(
        database,
        code=code,
        root=root_of(settings, code),
        folder=settings.association_folder(code),
        executor=executor,
        clock=clock,
    )
