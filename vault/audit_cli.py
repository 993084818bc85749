"""`amanah audit`: the auditor's questions as a signed-in person asks the running service; tables to read, files to keep.

Invariants: the command holds no key and reads no database; what it prints came over the service's call, which is an entry; every answer
ends in the checkpoint it is complete to; a cell of a CSV file is never a formula, and none of a table a word to the terminal.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import urlencode

import rich_click as click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vault.access.questions import QUESTIONS
from vault.calling import Person, Service
from vault.commands import Failed, address_of, guarded, typed
from vault.officer.words import KINDS, OUTCOMES, reason_word
from vault.settings import read
from vault.web.paper import read_words
from vault.web.spreadsheet import write_table
from vault.web.times import in_words

_WORDS: Final = read_words("vault", "audit_words.toml")
COLUMNS: Final = ("index", "time", "hand", "kind", "outcome", "record", "purpose", "fields", "basis", "article", "why")
STANDING: Final = frozenset({"index", "time", "hand"})
"""Columns that are there also where they are empty."""
UNBROKEN: Final = frozenset({"index", "time"})
BORDER: Final = 3
PAGE: Final = 500
MOST: Final = 100_000
"""So many entries a command fetches; a file that would be longer says so, and where to go on."""


@dataclass(slots=True)
class Answer:
    """The entries of an answer over all its pages, and what it ends with."""

    items: list[dict[str, Any]]
    complete_to: int
    checkpoint: str
    withheld: int
    next: int | None


def _of_service(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that asks the running service as a person."""
    lines = "a file or descriptor with user name, password and one-time code, a line each; what it lacks is asked for"
    for option in (
        click.option("--sign-in-file", metavar="F", type=click.Path(path_type=Path), help=lines),
        click.option("--server", metavar="URL", help="the running service; default this machine and the port of the settings"),
    ):
        command = option(command)
    return command


@click.command("audit")
@click.argument("question", type=click.Choice(list(QUESTIONS)))
@click.option("--record", metavar="ID", help="the record of the person asked about")
@click.option("--actor", metavar="ACTOR", help="staff:ID or client:ID")
@click.option("--recipient", metavar="CODE", help="a registered party outside the house")
@click.option("--from", "since", metavar="TIME", help="from this time on, such as 2026-01-31T00:00:00Z")
@click.option("--to", "until", metavar="TIME", help="before this time")
@click.option("--after", type=click.IntRange(0), metavar="N", help="go on before entry N, as the end of an answer says")
@click.option("--most", type=click.IntRange(1, MOST), default=PAGE, show_default=True, help="at most so many entries")
@click.option("--export", type=click.Path(path_type=Path, dir_okay=False), help="a new file, .jsonl or .csv, instead of a table")
@click.option("--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said")
@_of_service
@guarded
def audit(
    *,
    question: str,
    most: int,
    export: Path | None,
    language: str,
    sign_in_file: Path | None,
    server: str | None,
    **asked: str | int | None,
) -> None:
    """Put a question to the access log, as a signed-in person: every answer is an entry, and complete to a checkpoint."""
    if export is not None and export.suffix not in _WRITERS:
        raise Failed("--export writes .jsonl or .csv")
    if export is not None and export.exists():
        raise Failed(f"{export.name} is there already; nothing is written over")
    query = {{"since": "from", "until": "to"}.get(name, name): value for name, value in asked.items() if value is not None}
    service = Service(server or address_of(read({})))
    with service.session(Person.from_file(sign_in_file, typed)):
        found = _all(service, question, query, most)
    if export is None:
        _print(found, language)
        return
    with os.fdopen(os.open(export, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as out:
        _WRITERS[export.suffix](out, found, language)
    click.echo(f"{export}: {_word('entries', language).format(count=len(found.items))}")
    _end(found, language)


def _all(service: Service, question: str, query: dict[str, str | int], most: int) -> Answer:
    """Page after page, until there is no more or enough; the first page's checkpoint is what the whole is complete to."""
    found = Answer([], 0, "", 0, None)
    after = query.get("after")
    while True:
        asked = {**query, "limit": min(PAGE, most - len(found.items)), **({} if after is None else {"after": after})}
        page = service.call("GET", f"/v1/access-log/questions/{question}?{urlencode(asked)}")
        if not found.checkpoint:
            found.complete_to, found.checkpoint = page["complete_to"], page["checkpoint"]
        found.items += page["items"]
        found.withheld = page["withheld"]
        found.next = after = page["next"]
        if after is None or len(found.items) >= most:
            return found


def _print(found: Answer, language: str) -> None:
    """Print a table, or the entries one below the other where the terminal is too narrow for one: an id that is broken is no id."""
    shown = [name for name in COLUMNS if name in STANDING or any(_cell(one, name, language) for one in found.items)]
    cells = [{name: as_seen(_cell(one, name, language)) for name in shown} for one in found.items]
    console, heads = Console(soft_wrap=False), {name: _word(name, language) for name in shown}
    if not cells:
        click.echo(_word("nothing", language))
        _end(found, language)
        return
    room = console.width - BORDER * len(heads)
    widths = _widths({name: [head, *(one[name].plain for one in cells)] for name, head in heads.items()}, room)
    if widths is not None:
        console.print(_table(cells, heads, widths))
    else:
        for one in cells:
            console.print(_slip(one, heads), "")
    _end(found, language)


def _table(cells: list[dict[str, Text]], heads: dict[str, str], widths: list[int]) -> Table:
    table = Table(show_lines=False, header_style="bold", pad_edge=False)
    for (name, head), width in zip(heads.items(), widths, strict=True):
        table.add_column(head, no_wrap=name in UNBROKEN, width=width, overflow="fold")
    for one in cells:
        table.add_row(*one.values())
    return table


def _slip(one: dict[str, Text], heads: dict[str, str]) -> Table:
    """One entry, a line for each thing it says."""
    slip = Table.grid(padding=(0, 2))
    slip.add_column(no_wrap=True, style="bold")
    slip.add_column(overflow="fold")
    for name, head in heads.items():
        if one[name]:
            slip.add_row(head, one[name])
    return slip


def _widths(texts: dict[str, list[str]], room: int) -> list[int] | None:
    """How wide each column is so that no word is broken, wider from the first on where there is room; None where the room is too small."""
    widths = [max(cell_len(word) for text in some for word in _words_of(name, text)) for name, some in texts.items()]
    left = room - sum(widths)
    if left < 0:
        return None
    for at, some in enumerate(texts.values()):
        more = min(left, max(map(cell_len, some)) - widths[at])
        widths[at], left = widths[at] + more, left - more
    return widths


def _words_of(name: str, text: str) -> list[str]:
    return [text] if name in UNBROKEN else text.split() or [""]


def _end(found: Answer, language: str) -> None:
    """What every answer ends with: what was kept back, where to go on, and the checkpoint it is complete to."""
    if found.withheld:
        click.echo(_word("withheld", language).format(count=found.withheld))
    if found.next is not None:
        click.echo(_word("goes_on", language).format(next=found.next))
    click.echo(_word("complete", language).format(size=found.complete_to))
    click.echo(found.checkpoint, nl=False)


def _cell(one: dict[str, Any], name: str, language: str) -> str:
    """One cell in words: times as the clock in Riyadh shows them, hands as the log names them."""
    entry = one["entry"]
    hand = entry.get("for") or entry["actor"]
    kind, outcome, reason = KINDS.get(entry["kind"]), OUTCOMES[entry["outcome"]], entry.get("reason")
    words: dict[str, Callable[[], str]] = {
        "time": lambda: in_words(datetime.fromisoformat(entry["time"]), language),
        "hand": lambda: hand if hand == entry["actor"] else f"{hand} ({entry['actor']})",
        "kind": lambda: entry["kind"] if kind is None else kind.in_language(language),
        "outcome": lambda: outcome.in_language(language) + (f" ({reason_word(reason, language)})" if reason else ""),
        "fields": lambda: ", ".join(entry.get("fields", ())),
        "why": lambda: _word(one["why"].replace("-", "_"), language) if one.get("why") else "",
    }
    return words[name]() if name in words else str(entry.get(name, ""))


def _write_jsonl(out: TextIO, found: Answer, _language: str) -> None:
    out.writelines(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in found.items)
    end = {"complete_to": found.complete_to, "checkpoint": found.checkpoint, "withheld": found.withheld, "next": found.next}
    out.write(json.dumps(end, ensure_ascii=False, sort_keys=True) + "\n")


def _write_csv(out: TextIO, found: Answer, language: str) -> None:
    rows = [[_word(name, language) for name in (*COLUMNS, "leaf_hash")]]
    rows += [[*(_cell(one, name, language) for name in COLUMNS), one["entry"]["leaf_hash"]] for one in found.items]
    write_table(out, [*rows, *([line] for line in _last(found, language))])


def _last(found: Answer, language: str) -> Iterator[str]:
    if found.withheld:
        yield _word("withheld", language).format(count=found.withheld)
    if found.next is not None:
        yield _word("goes_on", language).format(next=found.next)
    yield _word("complete", language).format(size=found.complete_to)
    yield found.checkpoint


def as_seen(cell: str) -> Text:
    """A cell as it stands, no markup in it, and a question mark for every sign that a terminal would obey and not show."""
    return Text("".join(sign if sign.isprintable() else "?" for sign in cell))


def _word(name: str, language: str) -> str:
    return _WORDS[name].in_language(language)


_WRITERS: Final = {".jsonl": _write_jsonl, ".csv": _write_csv}
