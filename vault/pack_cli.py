"""What whoever writes a pack checks it with: it needs no vault and no database."""

import sys
from pathlib import Path
from typing import Final, NoReturn

import rich_click as click

from vault.policy.pack import PackRefused, lint, load, names
from vault.web.paper import read_words

_WORDS: Final = read_words("vault", "pack_words.toml")
_LONGEST: Final = 1024 * 1024
_LANGUAGE = click.option(
    "--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said"
)


@click.group()
def pack() -> None:
    """Policy packs: what an association's policy allows, in a file."""


@pack.command("list")
@_LANGUAGE
def list_(language: str) -> None:
    """The packs that ship, each with its version and title."""
    for name in names():
        found = load(name)
        click.echo(f"{name}  {found.version}  {getattr(found.title, language)}")


@pack.command("lint")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_LANGUAGE
def lint_(file: Path, language: str) -> None:
    """Check a pack, and say what it lays down, or where it does not hold and why; exit 1 where it does not."""
    try:
        found = lint(_whole(file))
    except PackRefused as refused:
        said = _WORDS[refused.code.replace("-", "_")].in_language(language)
        _end(f"{refused.path or file.name}: {refused.code}: {said}")
    except UnicodeDecodeError:
        _end(f"{file.name}: not-toml: {_WORDS['not_toml'].in_language(language)}")
    except OSError as error:
        _end(f"{type(error).__name__}: {error.filename or error}")
    holds = _WORDS["holds"].in_language(language)
    click.echo(holds.format(name=found.name, purposes=len(found.purposes), types=len(found.record_types), articles=len(found.articles)))


def _whole(file: Path) -> str:
    """The text of a file. Raises PackRefused `too-long`: judged by its beginning, a pack could say anything after it."""
    with file.open(encoding="utf-8") as content:
        text = content.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise PackRefused("", "too-long")
    return text


def _end(message: str) -> NoReturn:
    """Tell what does not hold in one line, and end with 1."""
    click.echo(f"amanah: {message}", err=True)
    sys.exit(1)
