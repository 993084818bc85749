"""The recipient's commands: they need no vault, no database and no network, only a package and a key.

Invariants: what is opened goes where the user says, to the standard output or new files of hers alone, and nowhere else; with a register of
what was taken, no package is taken twice and none after a later one of its disclosure.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from typing import Final, NoReturn, ParamSpec, TypeVar

import rich_click as click

from keys.age import START as AGE_START
from keys.age import AgeKey
from keys.age_packages import CHECKPOINT, MANIFEST, open_age_package
from keys.bundles import CONTENT, unbundled
from keys.errors import Unopenable
from keys.files import locked, read_private, replace, write_new
from keys.packages import HPKE, Manifest, Package, PackageKey, PackageRefused, read_package, require_standing
from vault.web.problems import SENTENCES

P = ParamSpec("P")
T = TypeVar("T")
_FILE = click.Path(path_type=Path)
_LARGEST_REGISTER: Final = 1 << 24


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
@click.option("--key", "key_file", metavar="FILE", type=_FILE, required=True, help="the private key that keygen, or age-keygen, made")
@click.option("--vkey", metavar="KEY", help="the key the association signs with, as it told it over another channel")
@click.option("--out", metavar="FILE", type=_FILE, help="a new file for content.json (mode 0600); default the standard output")
@click.option("--folder", metavar="DIR", type=_FILE, help="a new folder for all that is in it: pages to read, tables, documents")
@click.option("--seen", metavar="FILE", type=_FILE, help="a register of packages taken: what was taken before is refused")
@_guarded
def open_(file: Path, *, key_file: Path, vkey: str | None, out: Path | None, folder: Path | None, seen: Path | None) -> None:
    """Open a package with the key it was sealed to: its content.json, or with --folder all that is in it."""
    found, files = _opened(file, key_file)
    require_standing(found, int(time.time()), vkey)
    if vkey is None:
        click.echo("amanah: nobody's signature was checked: give --vkey to know who sealed this", err=True)
    with nullcontext() if seen is None else _taken(seen, found.manifest):
        if folder is not None:
            _unpack(folder, {**files, MANIFEST: found.note.encode(), CHECKPOINT: found.checkpoint.encode()})
        elif out is not None:
            write_new(out, files[CONTENT], 0o600)
        else:
            click.echo(files[CONTENT])


@package.command("verify")
@click.argument("file", type=_FILE)
@click.option("--vkey", metavar="KEY", required=True, help="the key the association signs with, as it told it over another channel")
@click.option("--key", "key_file", metavar="FILE", type=_FILE, help="the private key, which a package for age is verified with")
@_guarded
def verify_(file: Path, vkey: str, key_file: Path | None) -> None:
    """Check that a package is whole, in force and signed by that key, and print its manifest; nothing of the content is shown."""
    found = read_package(file.read_bytes()) if key_file is None else _opened(file, key_file)[0]
    require_standing(found, int(time.time()), vkey)
    click.echo(found.manifest.text(), nl=False)


def _opened(file: Path, key_file: Path) -> tuple[Package, dict[str, bytes]]:
    content = file.read_bytes()
    if content.startswith(AGE_START):
        return open_age_package(content, AgeKey.read(key_file))
    found = read_package(content)
    plain = PackageKey.read(key_file).opened(found)
    with suppress(Unopenable):
        return found, unbundled(plain)
    raise PackageRefused("package-altered")


def _unpack(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(mode=0o700, exist_ok=True)
        write_new(place, content, 0o600)


@contextmanager
def _taken(register: Path, manifest: Manifest) -> Iterator[None]:
    """Note a package in the register once it was taken. PackageRefused `package-replayed` where it, or a later one, stands there."""
    with locked(register.parent):
        lines = read_private(register, _LARGEST_REGISTER).decode().splitlines() if register.exists() else []
        # The pages of one disclosure come in any order, each of them once.
        page = f"/{manifest.page}" if manifest.pages else ""
        own = f"{manifest.association} {manifest.disclosure}{page} "
        if any(line.startswith(own) and int(line.removeprefix(own)) >= manifest.serial for line in lines):
            raise PackageRefused("package-replayed")
        yield
        replace(register, "".join(f"{line}\n" for line in [*lines, f"{own}{manifest.serial}"]).encode(), 0o600)
