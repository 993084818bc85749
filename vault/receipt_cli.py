"""What whoever holds a receipt of a consent checks it with: it needs no vault, no database and no network, only the receipt and a key."""

import sys
from pathlib import Path
from typing import Literal, NoReturn

import rich_click as click

from vault.consent.receipt_note import LONGEST, ReceiptRefused, read
from vault.consent.receipt_words import lines, word
from vault.web.problems import SENTENCES


@click.group()
def receipt() -> None:
    """Receipts of consents, for whoever holds one: they are verified without a vault."""


@receipt.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--vkey", metavar="KEY", required=True, help="the key the association signs with, as it told it over another channel")
@click.option("--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said")
def verify_(file: Path, vkey: str, language: Literal["ar", "en"]) -> None:
    """Check that a receipt is whole and signed by that key, and say what it tells; exit 1 where it is not."""
    try:
        with file.open(encoding="utf-8", newline="") as content:
            said = list(lines(read(content.read(LONGEST + 1), vkey), language))
    except ReceiptRefused as refused:
        _end(f"{refused.code}: {SENTENCES[refused.code].say.in_language(language)}")
    except UnicodeDecodeError:
        _end(f"receipt-malformed: {SENTENCES['receipt-malformed'].say.in_language(language)}")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        _end(f"receipt-not-one: {SENTENCES['receipt-not-one'].say.in_language(language)}")
    except OSError as error:
        _end(f"{type(error).__name__}: {error.filename or error}")
    click.echo(word("holds", language))
    for label, words in said:
        click.echo(f"{label}: {words}")


def _end(message: str) -> NoReturn:
    """Tell what is refused in one line, and end with 1."""
    click.echo(f"amanah: {message}", err=True)
    sys.exit(1)
