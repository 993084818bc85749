"""`amanah keys`: the life of the keys, at the machine where the root key is; what people agree on goes through the running service.

Invariants: rotating, rewrapping and carrying out need the root key and work beside the running service or without it; proposing, approving
and confirming are calls of a signed-in person; no secret is printed but the shares of a new root, once.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import rich_click as click

from keys import epochs
from keys.roots import Root, key_file, passphrase_file, shamir
from keys.roots.key_file import KeyFile
from keys.roots.passphrase_file import PassphraseFile
from keys.roots.systemd_credential import SystemdCredential
from vault.access.copies import words_given
from vault.access_log.verify import snapshot
from vault.app import clock, root_of
from vault.calling import Person, Service
from vault.commands import Failed, address_of, guarded, settings_of, typed
from vault.custody import carrying_out, retiring, rewrapping, rotating
from vault.custody.retiring import StillInUse
from vault.custody.service import ROOTS
from vault.custody.status import Awaited, Standing, lines, standing
from vault.errors import NotFound, VaultError
from vault.examining import unsealed
from vault.identity.opening import EPOCHS, codes, open_association
from vault.rulebook.association import Association
from vault.rulebook.key_facts import CeremonyFact, keys_fact
from vault.settings import Settings, read
from vault.storage import schema
from vault.storage.engine import Database
from vault.web import parse_id

MOST_NAMED: Final = 20
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
Given = str | int | None


def _at_the_machine(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that works on the vault itself."""
    for option in (
        click.option("--database-url-file", metavar="F"),
        click.option("--data-dir", metavar="D"),
        click.option("--association", "only", metavar="CODE", help="needed where there are several"),
    ):
        command = option(command)
    return command


def _signed_in(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that calls the running service as a person."""
    lines_ = "a file or descriptor with user name, password, one-time code and the next one, a line each; what it lacks is asked for"
    for option in (
        click.option("--sign-in-file", metavar="F", type=click.Path(path_type=Path), help=lines_),
        click.option("--server", metavar="URL", help="the running service; default this machine and the port of the settings"),
    ):
        command = option(command)
    return command


@click.group()
def keys() -> None:
    """The association's keys: how they stand, new epochs, and retiring old ones, which takes two people."""


@keys.command("status")
@click.option("--json", "as_json", is_flag=True)
@_at_the_machine
@guarded
def status(*, as_json: bool, only: str | None, **given: Given) -> None:
    """Say how the keys stand and what to do next; exit 1 where a day that a certificate names has passed."""
    settings = settings_of(given)
    with _database(settings) as database:
        found = [standing_of(settings, database, code, clock()) for code in ([only] if only else codes(database))]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(each) for each in found], ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(line for each in found for line in lines(each)))
    if any(each.late for each in found):
        sys.exit(1)


def standing_of(settings: Settings, database: Database, code: str, now: int) -> Standing:
    """How the keys of one association stand. Raises VaultError for one that does not open."""
    association, cabinet = unsealed(settings, database, code)
    told = epochs.told(settings.association_folder(code) / EPOCHS, association, root_of(settings, code))
    with snapshot(database, association) as connection:
        words = words_given(connection, cabinet, association)
        awaited = [Awaited(max(each.epochs), each.due) for _, each in words if each.gone_at is None]
        return standing(connection, cabinet, code, told=told, awaited=awaited, now=now)


@keys.command("rotate")
@_at_the_machine
@guarded
def rotate(*, only: str | None, **given: Given) -> None:
    """Make a new epoch: everything new is wrapped under it from now on, in the running service too."""
    with _opened(given, only) as (association, root):
        click.echo(f"{association.code}: epoch {rotating.rotate(association, root, clock)} is the newest; amanah keys rewrap follows")


@keys.command("rewrap")
@_at_the_machine
@guarded
def rewrap(*, only: str | None, **given: Given) -> None:
    """Wrap every key anew under the newest epoch while the service runs; exit 1 where one does not open."""
    with _opened(given, only) as (association, _):
        count = rewrapping.waiting(association)
        with click.progressbar(length=count, label="keys", file=sys.stderr) as bar:
            done = rewrapping.rewrap(association, clock, progress=bar.update)
        for line in done.failed[:MOST_NAMED]:
            click.echo(f"{association.code}: {line}", err=True)
        click.echo(f"{association.code}: {done.moved} keys moved to epoch {association.cabinet.keys.epoch}; {len(done.failed)} do not open")
    if done.failed:
        sys.exit(1)


@keys.command("retire")
@click.option("--below", required=True, type=click.IntRange(2), metavar="N", help="every epoch below this one")
@_signed_in
@guarded
def retire(below: int, server: str | None, sign_in_file: Path | None) -> None:
    """Propose to retire old epochs; another person approves it with `amanah keys approve`."""
    _propose({"act": "retire", "below": below}, server, sign_in_file)


@keys.group()
def slot() -> None:
    """Roots that open the keys."""


@slot.command("add")
@click.argument("name")
@click.option("--root", required=True, type=click.Choice(ROOTS))
@_signed_in
@guarded
def slot_add(name: str, root: str, server: str | None, sign_in_file: Path | None) -> None:
    """Propose to let another root open the keys."""
    _propose({"act": "slot-add", "name": name, "root": root}, server, sign_in_file)


@slot.command("remove")
@click.argument("name")
@_signed_in
@guarded
def slot_remove(name: str, server: str | None, sign_in_file: Path | None) -> None:
    """Propose to take a root its slot."""
    _propose({"act": "slot-remove", "name": name}, server, sign_in_file)


@keys.group("copy")
def copy_() -> None:
    """Named copies of the file `epochs`, two at most."""


@copy_.command("add")
@click.argument("name")
@_signed_in
@guarded
def copy_add(name: str, server: str | None, sign_in_file: Path | None) -> None:
    """Propose to keep a named copy."""
    _propose({"act": "copy-add", "name": name}, server, sign_in_file)


@copy_.command("remove")
@click.argument("name")
@_signed_in
@guarded
def copy_remove(name: str, server: str | None, sign_in_file: Path | None) -> None:
    """Propose to destroy a named copy."""
    _propose({"act": "copy-remove", "name": name}, server, sign_in_file)


@keys.command("approve")
@click.argument("ceremony", metavar="ID")
@_signed_in
@guarded
def approve(ceremony: str, server: str | None, sign_in_file: Path | None) -> None:
    """Approve what another person proposed."""
    person, service = _service(server, sign_in_file)
    with service.session(person):
        code = person.next("The next one-time code")
        service.call("POST", f"/v1/keys/ceremonies/{_written(ceremony)}/approval", {"code": code})
    click.echo(f"approved; at the machine with the root key: amanah keys carry-out {ceremony}")


@keys.command("withdraw")
@click.argument("ceremony", metavar="ID")
@_signed_in
@guarded
def withdraw(ceremony: str, server: str | None, sign_in_file: Path | None) -> None:
    """Call off what was proposed and not carried out yet."""
    person, service = _service(server, sign_in_file)
    with service.session(person):
        service.call("POST", f"/v1/keys/ceremonies/{_written(ceremony)}/withdrawal")
    click.echo("withdrawn")


@keys.command("confirm")
@click.argument("ceremony", metavar="ID")
@click.argument("copies", metavar="NAME", nargs=-1, required=True)
@_signed_in
@guarded
def confirm(ceremony: str, copies: tuple[str, ...], server: str | None, sign_in_file: Path | None) -> None:
    """Say that named copies were replaced or destroyed after epochs were retired."""
    _confirm(ceremony, copies, server, sign_in_file)


@keys.command("carry-out")
@click.argument("ceremony", metavar="ID")
@click.option("--root-file", "new_file", metavar="F", type=_FILE, help="a new slot's root: a file that is made where it is not there")
@click.option("--passphrase-file", "new_passphrase", metavar="F", type=_FILE, help="a file with the passphrase of a new slot's root")
@click.option("--credential", metavar="NAME", help="a new slot's root: a credential of systemd")
@click.option("--gone", "gone", multiple=True, metavar="NAME", help="a named copy that was replaced or destroyed; asked for on a terminal")
@_signed_in
@_at_the_machine
@guarded
def carry_out(  # noqa: PLR0917 - each is an option of its own
    ceremony: str,
    new_file: Path | None,
    new_passphrase: Path | None,
    credential: str | None,
    gone: tuple[str, ...],
    server: str | None,
    sign_in_file: Path | None,
    only: str | None,
    **given: Given,
) -> None:
    """Carry out what two people agreed on, where the root key is; what was begun and broke off is completed."""
    with _opened(given, only) as (association, root):
        agreed = carrying_out.approved(association, clock, _id(ceremony))
        new = _new_root(agreed, new_file, new_passphrase, credential) if agreed.act == "slot-add" else None
        try:
            done = carrying_out.carry_out(association, root, clock, _id(ceremony), new)
        except StillInUse as error:
            left = ", ".join(f"{count} in {table}" for table, count in error.left.items())
            raise Failed(f"epochs-in-use: keys still name an older epoch: {left}; amanah keys rewrap first") from error
        click.echo(f"{association.code}: {done.act} {done.below or done.name} is carried out")
        copies = _copies_of(association, done)
    if copies:
        gone = gone or tuple(name for name in copies if _asked(name))
        if gone:
            _confirm(ceremony, gone, server, sign_in_file)
        if left_ := [name for name in copies if name not in gone]:
            click.echo(f"Not gone yet: {', '.join(left_)}. When they are replaced or destroyed: amanah keys confirm {ceremony} NAME")


@keys.command("recover")
@click.argument("name")
@click.option("--share-file", "share_files", type=_FILE, multiple=True, required=True, help="a share as it was printed; once for each")
@click.option("--root-file", "new_file", type=_FILE, help="where the new root key is made; default where the settings look for it")
@_at_the_machine
@guarded
def recover(name: str, share_files: tuple[Path, ...], new_file: Path | None, only: str | None, **given: Given) -> None:
    """Put a lost root key's place right again: shares of a recovery slot open the keys, and a new key file gets the slot NAME."""
    try:
        root = shamir.combined([shamir.Share.parse(path.read_text(encoding="utf-8")) for path in share_files])
    except UnicodeDecodeError as error:
        raise Failed("a file of --share-file is no text") from error
    except shamir.ShareRefused as error:
        raise Failed(f"{error.code}: share {error.share}, group {error.group} (0: not known, or the whole)") from error
    with _opened(given, only, root) as (association, _):
        path = new_file or settings_of(given).root_path(association.code)
        there = path.exists()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = KeyFile(path) if there else key_file.create(path)
        try:
            carrying_out.recover(association, root, clock, name, new)
        except VaultError:
            if not there:
                path.unlink()  # it opens nothing
            raise
        click.echo(f"{association.code}: the key file {path} opens the keys by the slot {name}")
    click.echo("Agree on the removal of the lost root's slot now (amanah keys slot remove), then rotate, rewrap and retire.")


def _copies_of(association: Association, done: CeremonyFact) -> list[str]:
    known = association.log.run_now(association.database, [keys_fact], clock)[0]
    return [copy.name for each in known.retirements if each.ceremony == done.id for copy in each.copies if copy.gone_at is None]


def _asked(name: str) -> bool:
    return sys.stdin.isatty() and click.confirm(f"Has the copy {name} been replaced or destroyed?", default=False)


def _new_root(agreed: CeremonyFact, file: Path | None, passphrase: Path | None, credential: str | None) -> Root:
    """The root of a new slot, made where it is not there yet. Raises Failed where an option lacks."""
    match agreed.root:
        case "key-file" if file is not None:
            return KeyFile(file) if file.exists() else key_file.create(file)
        case "passphrase-file" if file is not None and passphrase is not None:
            words = passphrase.read_bytes().rstrip(b"\n")
            if not file.exists():
                passphrase_file.create(file, words)
            return PassphraseFile(file, words)
        case "systemd-credential" if credential is not None:
            return SystemdCredential(credential)
        case "shamir":
            root, shares = shamir.create()
            click.echo("\n\n".join(share.printed() for share in shares))
            return root
    raise Failed(f"the new slot is for a {agreed.root}: --root-file, with --passphrase-file for a passphrase file, or --credential")


@contextmanager
def _opened(given: dict[str, Any], only: str | None, by: Root | None = None) -> Iterator[tuple[Association, Root]]:
    """One association, open beside the running service, by its root or another. Raises Failed where it is not said which."""
    settings = settings_of(given)
    with _database(settings) as database, ThreadPoolExecutor(1) as executor:
        known = codes(database)
        if only is None and len(known) != 1:
            raise Failed(f"which association? --association {' or '.join(known)}")
        code = only or known[0]
        root, folder = by or root_of(settings, code), settings.association_folder(code)
        association = open_association(database, code=code, root=root, folder=folder, executor=executor, clock=clock)
        try:
            retiring.settle(association, lambda: root, clock)
            yield association, root
        finally:
            association.log.close()


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database of these settings, of this version's schema; nothing of it stays open."""
    database = Database(settings.address)
    try:
        schema.check(database)
        yield database
    finally:
        database.dispose()


def _propose(body: dict[str, object], server: str | None, sign_in_file: Path | None) -> None:
    person, service = _service(server, sign_in_file)
    with service.session(person):
        made = service.call("POST", "/v1/keys/ceremonies", body)
    click.echo(f"proposed; another person says yes with: amanah keys approve {made['id']}")


def _confirm(ceremony: str, copies: Sequence[str], server: str | None, sign_in_file: Path | None) -> None:
    person, service = _service(server, sign_in_file)
    with service.session(person):
        for name in copies:
            told = service.call("POST", f"/v1/keys/ceremonies/{_written(ceremony)}/copies/{_segment(name)}/confirmation")
    click.echo(f"the epochs are gone since {told['gone_at']}" if told["gone_at"] else "noted; other copies are not accounted for yet")


def _service(server: str | None, sign_in_file: Path | None) -> tuple[Person, Service]:
    return Person.from_file(sign_in_file, typed), Service(server or address_of(read()))


def _id(ceremony: str) -> bytes:
    try:
        return parse_id(ceremony)
    except NotFound:
        raise VaultError("not-found") from None


def _written(ceremony: str) -> str:
    _id(ceremony)
    return ceremony


def _segment(name: str) -> str:
    if not name.isascii() or not name.replace("-", "").isalnum():
        raise VaultError("not-found")
    return name
