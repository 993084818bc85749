"""The command line: makes associations, serves, verifies the log, examines the vault; it never shows a value of a record."""

import hashlib
import ipaddress
import re
import sys
from pathlib import Path
from typing import ParamSpec, TypeVar

import rich_click as click

from keys import process
from keys.roots import key_file, passphrase_file
from vault.access_log.checkpoint import Outside
from vault.access_log.export import export
from vault.access_log.verify import snapshot, verify
from vault.app import clock, root_of
from vault.audit_cli import audit
from vault.backup_cli import backup, restore
from vault.calling import Person, Service
from vault.commands import Failed
from vault.commands import address_of as _address
from vault.commands import guarded as _guarded
from vault.commands import sentence as _sentence
from vault.commands import settings_of as _settings
from vault.commands import typed as _typed
from vault.errors import VaultError
from vault.examining import examine, unsealed
from vault.identity.founding import Ceremony, found
from vault.identity.opening import codes
from vault.keys_cli import keys
from vault.mail_cli import mail_intake
from vault.pack_cli import pack
from vault.package_cli import package
from vault.package_fetch import fetch
from vault.publication import document
from vault.publication.words import WORDS
from vault.receipt_cli import proof, receipt
from vault.reports_cli import reports
from vault.rulebook.approval_day import approval_day
from vault.settings import Settings, read
from vault.storage import schema
from vault.storage.engine import Database

P = ParamSpec("P")
T = TypeVar("T")
DEFAULT_PACK = "cooperative"
MOST_LINES = 40
PORT = click.IntRange(0, 65_535)
_CHECKPOINT = re.compile(r"amanah/([a-z0-9-]{1,64})/[^/\n]{1,64}\n[0-9]+\n")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Amanah (أمانة): a privacy-first data vault and consent service for charitable associations."""
    process.shut()  # whatever the command, it may open keys


package.add_command(fetch)
main.add_command(audit)
main.add_command(reports)
main.add_command(backup)
main.add_command(keys)
main.add_command(mail_intake)
main.add_command(pack)
main.add_command(package)
main.add_command(proof)
main.add_command(receipt)
main.add_command(restore)


@main.command()
@click.option("--data-dir", metavar="D", help="where the vault's own files lie")
@click.option("--database-url-file", metavar="F", help="a file that holds the database's address; default SQLite in the data folder")
@click.option("--association", "code", default="demo", show_default=True, metavar="CODE", help="the first association's code")
@click.option("--pack", default=DEFAULT_PACK, show_default=True, help="the policy pack it follows")
@click.option("--root-key-file", metavar="F", help="where the root key is made; default ~/.config/amanah/<association>/root")
@click.option("--root-passphrase-file", metavar="F", help="a file with the passphrase that seals the root key")
@click.option("--json", "as_json", is_flag=True, help="print the secrets as JSON")
@_guarded
def init(code: str, pack: str, *, as_json: bool, **given: str | int | None) -> None:
    """Make the schema, a root key and the first association, and print its secrets once."""
    settings = read(given)
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.address)
    schema.upgrade(database)
    _tell(_found(settings, database, code, pack), as_json=as_json)


@main.command("upgrade")
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@_guarded
def upgrade(**given: str | int | None) -> None:
    """Bring a vault that an older version made to this version's schema; the service stands still meanwhile."""
    database = Database(_settings(given).address)
    if schema.is_empty(database):
        raise Failed("this database holds no vault; amanah init makes one")
    schema.upgrade(database)
    click.echo(f"the schema is that of this version ({schema.newest()}); amanah doctor looks over what is stored")


@main.group()
def association() -> None:
    """Associations of this vault."""


@association.command("add")
@click.argument("code")
@click.option("--pack", default=DEFAULT_PACK, show_default=True)
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@click.option("--root-key-file", metavar="F")
@click.option("--root-passphrase-file", metavar="F")
@click.option("--json", "as_json", is_flag=True)
@_guarded
def association_add(code: str, pack: str, *, as_json: bool, **given: str | int | None) -> None:
    """Make another association, and print its secrets once; the service takes it in at its next start."""
    settings = _settings(given)
    database = Database(settings.address)
    schema.check(database)
    _tell(_found(settings, database, code, pack), as_json=as_json)


def _found(settings: Settings, database: Database, code: str, pack: str) -> Ceremony:
    path = settings.root_path(code)
    if settings.root_credential is None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if settings.root_passphrase_file is not None:
            passphrase_file.create(path, Path(settings.root_passphrase_file).read_bytes().rstrip(b"\n"))
        else:
            key_file.create(path)
    return found(database, code=code, pack=pack, folder=settings.association_folder(code), root=root_of(settings, code), clock=clock)


def _tell(ceremony: Ceremony, *, as_json: bool) -> None:
    if as_json:
        click.echo(ceremony.as_json())
        return
    click.echo(f"Association  {ceremony.association}\nAPI key      {ceremony.api_key}\n")
    for who, account in ceremony.staff.items():
        click.echo(f"{who}: {account.username}\n  password              {account.password}\n  one-time-code secret  {account.totp_secret}")
    click.echo(
        "\nThese secrets are shown this once. The accounts are marked `ceremony` until each has set its own password and second factor."
    )


@main.command()
@click.option("--host", metavar="ADDRESS", help="default 127.0.0.1; any other needs TLS or a trusted proxy")
@click.option("--port", type=PORT, help="default 8080")
@click.option("--metrics-port", type=PORT, help="serve /metrics on this loopback port")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--tls-cert", metavar="F")
@click.option("--tls-key", metavar="F")
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@_guarded
def serve(workers: int, **given: str | int | None) -> None:
    """Serve the API; the door opens only when every check at start has passed."""
    from vault import serving  # noqa: PLC0415 - the server is loaded by the one command that serves

    settings = _settings(given)
    refuse_open_door(settings)
    serving.run(settings, workers)


def refuse_open_door(settings: Settings) -> None:
    """Raise Failed where the service would be reachable from elsewhere without TLS and without a trusted proxy."""
    try:
        local = settings.host == "localhost" or ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        local = False
    if not local and not (settings.tls_cert and settings.tls_key) and not settings.trusted_proxies:
        raise Failed("an address other than loopback needs --tls-cert and --tls-key, or a trusted proxy")


@main.group()
def log() -> None:
    """The access log."""


@log.command("verify")
@click.option("--tree", is_flag=True, help="the tree alone")
@click.option("--deep", is_flag=True, help="every column, canonical form, and each writer's counter")
@click.option(
    "--export", "folder", metavar="DIR", type=click.Path(path_type=Path), help="write the log as static tiles for other verifiers"
)
@click.option("--checkpoint", "held", metavar="FILE", type=click.Path(path_type=Path), help="a checkpoint held outside the vault")
@click.option("--association", "only", metavar="CODE")
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@_guarded
def log_verify(*, tree: bool, deep: bool, folder: Path | None, held: Path | None, only: str | None, **given: str | int | None) -> None:
    """Verify the log: tree, signatures, every column; exit 1 and name the first entry that does not hold."""
    settings = _settings(given)
    database = Database(settings.address)
    schema.check(database)
    held_text = held.read_text(encoding="utf-8", errors="replace") if held is not None else None
    of_log = _CHECKPOINT.match(held_text) if held_text is not None else None
    if held_text is not None and of_log is None:
        raise Failed("the file of --checkpoint holds no checkpoint")  # and what it holds is not for the screen
    wanted = [only] if only else sorted({*codes(database), *settings.homes()})
    if of_log is not None and only is None:
        # A checkpoint is of one log: that one is verified, and a log that is not here at all is no reason to be silent.
        wanted = [of_log[1]]
    if not wanted:
        raise Failed("there is no log here to verify")
    results = [_verify_one(settings, database, code, tree=tree, deep=deep, held=held_text, folder=folder) for code in wanted]
    if not all(results):
        sys.exit(1)


def _verify_one(
    settings: Settings, database: Database, code: str, *, tree: bool, deep: bool, held: str | None, folder: Path | None
) -> bool:
    if code not in {*codes(database), *settings.homes()}:
        click.echo(f"{code}: there is no association of this code here", err=True)
        return False
    try:
        identifier, cabinet = unsealed(settings, database, code)
    except VaultError as error:
        click.echo(f"{code}: the log cannot be verified: {_sentence(error)}", err=True)
        return False
    except FileNotFoundError as error:
        click.echo(f"{code}: the log cannot be verified: its root key is not at {error.filename}", err=True)
        return False
    # The note is read before the snapshot is taken, so that a log that grows meanwhile is never shorter than its checkpoint.
    try:
        outside: str | None = Outside(settings.association_folder(code) / "checkpoint").read()
    except VaultError:
        outside = None
    with snapshot(database, identifier) as connection:
        findings = verify(
            connection, identifier, code, cabinet.signer.vkey_at, outside, held=held, tree_only=tree, deep=deep, cabinet=cabinet
        )
        if folder is not None and not findings and outside is not None:
            export(connection, identifier, code, vkey=cabinet.signer.vkey_at, note=outside, folder=folder)
    if not findings:
        what = "the tree" if tree else "the tree and every column"
        given = ", and the checkpoint you gave is of this log" if held is not None else ""
        click.echo(f"{code}: the log holds: {findings.size} entries, {what}, every checkpoint{given}")
        return True
    lines = findings.lines()
    for line in lines[:MOST_LINES]:
        click.echo(f"{code}: {line}", err=True)
    if len(lines) > MOST_LINES:
        click.echo(f"{code}: and {len(lines) - MOST_LINES} more", err=True)
    click.echo(f"{code}: the log DOES NOT hold: what is named above is not as the vault wrote it, or was allowed on such rows", err=True)
    return False


@main.group()
def notice() -> None:
    """What the association publishes of itself."""


@notice.command("publish")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--approved-by", required=True, metavar="WHO", help="the body or person that approved the document; it is published with it")
@click.option("--on", "approved_on", required=True, metavar="DAY", help="YYYY-MM-DD, Hijri from 1343 to 1500")
@click.option("--server", metavar="URL", help="the running service; default this machine and the port of the settings")
@click.option(
    "--sign-in-file",
    metavar="F",
    type=click.Path(path_type=Path),
    help="a file or descriptor with user name, password, one-time code and the next one, a line each; what it does not hold is asked for",
)
@_guarded
def notice_publish(path: Path, approved_by: str, approved_on: str, server: str | None, sign_in_file: Path | None) -> None:
    """Publish the association's own policy, plain text in UTF-8, as its next version: signed in, by the running service."""
    content = path.read_bytes()
    text, sha256 = document.read(content), hashlib.sha256(content).hexdigest()
    for each in document.remarks(text):
        click.echo(f"note: {WORDS.remarks[each.code].en.format(count=each.count, line=each.line)}", err=True)
    approval_day(approved_on, clock())  # before anybody types a password for nothing
    person, service = Person.from_file(sign_in_file, _typed), Service(server or _address(read()))
    with service.session(person):
        body = {"text": text, "approved_by": approved_by, "approved_on": approved_on, "code": person.next("The next one-time code")}
        made = service.call("POST", "/v1/policies", body)
    if made.get("sha256") != sha256:
        raise Failed("the service published other bytes than those of the file")
    click.echo(
        f"version {made['version']} is published\nsha256 {sha256}\nIf its words are new, all staff acknowledge them before they go on."
    )


@main.command()
@click.option("--records", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--seed", default="amanah", show_default=True)
@click.option("--policy", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--serve", "stay", is_flag=True, help="keep serving the demonstration until Ctrl-C")
@click.option("--port", type=PORT, default=8080, show_default=True)
def demo(records: int, seed: str, policy: Path | None, port: int, *, stay: bool) -> None:
    """Tell the story over HTTP in a throw-away folder with invented people; exit 0 only if every answer is the expected one."""
    from vault.demo.run import run  # noqa: PLC0415

    sys.exit(run(records=records, seed=seed, serve=stay, port=port, policy=policy))


@main.command()
@click.option("--data-dir", metavar="D")
@click.option("--database-url-file", metavar="F")
@_guarded
def doctor(**given: str | int | None) -> None:
    """Examine everything that is stored and how it lies there; exit 1 with the list of what is not as it should be."""
    settings = _settings(given)
    findings = examine(settings, clock())
    for finding in findings:
        click.echo(finding)
    if findings:
        click.echo(f"{len(findings)} to be looked after; docs/operate.md says what to do", err=True)
        sys.exit(1)
    click.echo("all that is stored holds, and nothing is left to do")
