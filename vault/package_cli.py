"""The recipient's commands: they need no vault, no database and no network, only a package and a key.

Invariant: what is opened goes where the user says, to the standard output or a new file of hers alone, and nowhere else.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import rich_click as click

from keys.errors import Unopenable
from keys.files import write_new
from keys.packages import HPKE, Package, PackageKey, PackageRefused, read_package, require_standing
from vault.web.problems import SENTENCES

P = ParamSpec("P")
T = TypeVar("T")
_FILE = click.Path(path_type=Path)


def _end(message: str) -> NoReturn:
    """Tell what is refused in one plain line, which a program can read too, and end with 1."""
    click.echo(f"amanah: {message}", err=True)
    sys.exit(1)


def _guarded(deed: Callable[P, T]) -> Callable[P, T]:
    """Tell what is refused in one line and end with 1."""

    @wraps(deed)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return deed(*arguments, **options)
        except PackageRefused as refused:
            _end(f"{refused.code}: {SENTENCES[refused.code].say.en}")
        except Unopenable:
            _end("the key file holds no package key")
        except OSError as error:
            _end(f"{type(error).__name__}: {error.filename or error}")

    return guarded


@click.group()
def package() -> None:
    """Disclosure packages, for who receives them: they are opened and verified without a vault."""


@package.command()
@click.argument("file", type=_FILE)
@_guarded
def keygen(file: Path) -> None:
    """Make a key pair: the private half in a new FILE (mode 0400), the public half and its fingerprint printed."""
    key = PackageKey.create(file)
    click.echo(json.dumps({"type": HPKE, "public": key.public}))
    click.echo(f"fingerprint {key.fingerprint}", err=True)


@package.command("open")
@click.argument("file", type=_FILE)
@click.option("--key", "key_file", metavar="FILE", type=_FILE, required=True, help="the private key that keygen made")
@click.option("--vkey", metavar="KEY", help="the key the association signs with, as it told it over another channel")
@click.option("--out", metavar="FILE", type=_FILE, help="a new file for the content (mode 0600); default the standard output")
@_guarded
def open_(file: Path, key_file: Path, vkey: str | None, out: Path | None) -> None:
    """Open a package with the key it was sealed to; the content is JSON."""
    found = _standing(file, vkey)
    content = PackageKey.read(key_file).opened(found)
    if vkey is None:
        click.echo("amanah: nobody's signature was checked: give --vkey to know who sealed this", err=True)
    if out is None:
        click.echo(content)
    else:
        write_new(out, content, 0o600)


@package.command("verify")
@click.argument("file", type=_FILE)
@click.option("--vkey", metavar="KEY", required=True, help="the key the association signs with, as it told it over another channel")
@_guarded
def verify_(file: Path, vkey: str) -> None:
    """Check that a package is whole, in force and signed by that key, and print its manifest; nothing is opened."""
    found = _standing(file, vkey)
    click.echo(found.manifest.text(), nl=False)


def _standing(file: Path, vkey: str | None) -> Package:
    found = read_package(file.read_bytes())
    require_standing(found, int(time.time()), vkey)
    return found
