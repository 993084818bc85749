"""Invented values that can be found again, the usual forms they could lie about in, and every byte a vault left to look for them in.

Invariants: a text canary holds one of two marks made for the run, so that one search finds all of them; numbers are sought one by one.
"""

import base64
import hashlib
import json
import random
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.journeys.served import iban, national_id, word

SHORTEST = 8
"""Fewer characters are met by chance in what is random; a postal code, a choice or a count is sought nowhere."""


@dataclass(slots=True)
class Canaries:
    """Makes values and remembers what to look for; `planted` counts the values handed out."""

    rng: random.Random
    numbers: list[str] = field(default_factory=list)
    arabic: str = ""
    latin: str = ""
    planted: int = 0

    def __post_init__(self) -> None:
        """Draw the two marks."""
        self.arabic = word(self.rng, 11)
        self.latin = "zq" + "".join(self.rng.choices("bcdfghjkmnpqrstvwxz", k=11))

    def text(self) -> str:
        """A value in Arabic letters."""
        self.planted += 1
        return f"{self.arabic} {word(self.rng, 4)}"

    def ascii(self) -> str:
        """A value in Latin letters and digits."""
        self.planted += 1
        return f"{self.latin}{self.rng.randrange(10**6)}"

    def number(self, value: str) -> str:
        """A value that has a form of its own."""
        self.planted += 1
        self.numbers += [value] if len(value) >= SHORTEST else []
        return value

    def digits(self, count: int) -> str:
        """So many digits, none of them a leading zero."""
        return str(self.rng.randrange(10 ** (count - 1), 10**count))

    def value(self, told: dict[str, Any]) -> Any:
        """A value for a field of a record type as `GET /v1/record-types` tells it."""
        forms: dict[str, Callable[[], Any]] = {
            "national_id": lambda: self.number(national_id(self.rng)),
            "iban": lambda: self.number(iban(self.rng)),
            "mobile": lambda: self.number("+96655" + self.digits(7)),
            "unified_number": lambda: self.number("7" + self.digits(9)),
            "postal_code": lambda: self.number("1" + self.digits(4)),
            "short_address": lambda: self.number("".join(self.rng.choices("ABCDEFGH", k=4)) + self.digits(4)),
            "email": lambda: f"{self.ascii()}@example.org",
            "national_address": lambda: {"street": self.text(), "district": self.text(), "city": self.text()},
            "date": lambda: self.number(f"19{self.rng.randrange(50, 100)}-0{self.rng.randrange(1, 10)}-1{self.rng.randrange(10)}"),
            "integer": lambda: int(self.digits(2)),
            "choice": lambda: self.rng.choice(told["choices"]),
        }
        return forms.get(told["type"], self.text)()

    def brief(self) -> dict[str, bytes]:
        """The traces in the codings databases write: for files of hundreds of megabytes."""
        kept = (" plain", " hex", " UTF-16")
        return {what: trace for what, trace in self.traces().items() if what.endswith(kept) and "bare" not in what}

    def traces(self) -> dict[str, bytes]:
        """What any of the values would look like in the usual codings, by what it is."""
        found: dict[str, bytes] = {}
        for value in (self.arabic, self.latin, *dict.fromkeys(self.numbers)):
            found |= {f"{value} {how}": trace for how, trace in codings(value).items()}
        for value in dict.fromkeys(self.numbers):
            found |= {f"{value} {how}": trace for how, trace in hashes(value).items()}
        return found


def codings(value: str) -> dict[str, bytes]:
    """A value in the codings programs write values in."""
    plain = value.encode()
    found = {
        "plain": plain,
        "reversed": value[::-1].encode(),
        "JSON": json.dumps(value)[1:-1].encode(),
        "URL": urllib.parse.quote(value).encode(),
        "UTF-16": value.encode("utf-16-le"),
        "UTF-16 big-endian": value.encode("utf-16-be"),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
    }
    for shift in range(3):  # at each of the three places of four characters that it may begin in
        whole = (shift + len(plain)) // 3 * 3 - shift
        found[f"base64 at {shift}"] = base64.b64encode(bytes(shift) + plain[:whole])[(0, 2, 3)[shift] :]
    return found


def hashes(value: str) -> dict[str, bytes]:
    """The bare hashes of a value that could be guessed from them."""
    found: dict[str, bytes] = {}
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, value.encode()).digest()
        found |= {f"bare {name}": digest, f"bare {name} in hex": digest.hex().encode()}
    return found


def found_in(content: bytes, traces: dict[str, bytes]) -> list[str]:
    """What is found in these bytes."""
    return [what for what, trace in traces.items() if trace in content]


def left_in_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder with its bytes; what is gone when it is its turn is left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def left_in_postgres(address: str) -> Iterator[tuple[str, bytes]]:
    """Every column of every table: the bytes of what is bytes, the text of the rest."""
    with psycopg.connect(address, autocommit=True) as keeper:
        columns = keeper.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        for table, column, kind in columns:
            query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
            values = [row[0] for row in keeper.execute(query).fetchall() if row[0] is not None]
            raw = [bytes(each) if kind == "bytea" else str(each).encode() for each in values]
            yield f"{table}.{column}", b"\n".join(raw)


def left_by_the_server(address: str) -> Iterator[tuple[str, bytes]]:
    """The files of the database, rows that are gone and indexes included, and those of the server's write-ahead log."""
    with psycopg.connect(address, autocommit=True) as keeper:
        keeper.execute("CHECKPOINT")
        ours = keeper.execute(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert ours is not None
    for folder in (Path(ours[0]), Path(ours[0]).parents[1] / "pg_wal"):
        yield from left_in_files(folder)
