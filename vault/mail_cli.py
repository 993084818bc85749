"""The command that brings an association's mail in: it holds the mailbox's password and one narrow key, and no key of the vault."""

from pathlib import Path

import rich_click as click

from keys import process
from vault.commands import Failed, address_of, guarded
from vault.mail_intake import Poller, Vault
from vault.mail_settings import FILE, read_mail_intake
from vault.settings import read


@click.command("mail-intake")
@click.option("--association", "code", metavar="CODE", help="whose mailbox; default the only one of the data folder")
@click.option("--config", metavar="F", type=click.Path(path_type=Path), help=f"the settings; default the association's {FILE}")
@click.option("--server", metavar="URL", help="the running service; default this machine and the port of the settings")
@click.option("--once", is_flag=True, help="go round the mailbox once, then end: for a timer")
@click.option("--data-dir", metavar="D")
@guarded
def mail_intake(code: str | None, config: Path | None, server: str | None, *, once: bool, **given: str | int | None) -> None:
    """Fetch what lies in the association's mailbox and hand each message to the running service as a breach report."""
    process.shut()
    settings = read(given)
    if config is None:
        homes = settings.homes()
        if code is None and len(homes) != 1:
            raise Failed("there is not one association here alone; --association names it, or --config its file")
        config = settings.association_folder(code or homes[0]) / FILE
    found = read_mail_intake(config)
    if found is None or found.imap is None or found.key is None:
        raise Failed(f"no mailbox and key are set up in {config}; docs/operate.md tells how")
    poller = Poller(found.imap, Vault(server or address_of(settings), found.key.read()), say=_say)
    if not once:
        poller.run()
    put_away, aside = poller.round()
    click.echo(f"{put_away} put away" + (f", {aside} set aside" if aside else ""))


def _say(line: str) -> None:
    click.echo(f"amanah: {line}", err=True)
