"""What whoever holds a receipt or a proof of consents checks it with: it needs no vault, no database and no network, only a key."""

import sys
from pathlib import Path
from typing import NoReturn

import rich_click as click

from vault.access.proof_bundle import MOST_BYTES, ProofRefused, proven
from vault.consent.receipt_note import LONGEST, ReceiptRefused, read
from vault.consent.receipt_words import lines, word
from vault.web.problems import SENTENCES

_VKEY = click.option("--vkey", metavar="KEY", required=True, help="the key the association signs with, as it told it over another channel")
_LANGUAGE = click.option(
    "--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said"
)


@click.group()
def receipt() -> None:
    """Receipts of consents, for whoever holds one: they are verified without a vault."""


@receipt.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_VKEY
@_LANGUAGE
def verify_(file: Path, vkey: str, language: str) -> None:
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


@click.group()
def proof() -> None:
    """Proofs of consents, for whoever holds one: they are verified without a vault."""


@proof.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_VKEY
@_LANGUAGE
def verify_proof(file: Path, vkey: str, language: str) -> None:
    """Check that a proof is whole, signed by that key and in its log, and say what it proves; exit 1 where it is not."""
    try:
        with file.open("rb") as content:
            found = proven(content.read(MOST_BYTES + 1), vkey)
    except ProofRefused as refused:
        _end(f"{refused.code}: {SENTENCES[refused.code].say.in_language(language)}{f' ({refused.file})' if refused.file else ''}")
    except OSError as error:
        _end(f"{type(error).__name__}: {error.filename or error}")
    click.echo(word("proof_holds", language).format(entries=found.entries))
    for each in found.receipts:
        click.echo()
        for label, words in lines(each, language):
            click.echo(f"{label}: {words}")
    click.echo()
    click.echo(found.checkpoint, nl=False)


def _end(message: str) -> NoReturn:
    """Tell what is refused in one line, and end with 1."""
    click.echo(f"amanah: {message}", err=True)
    sys.exit(1)
