"""Which tests of two engines run on which of them: in `make test` most run on one, chosen by their names and so always the same.

Invariants: where the engine matters (`ROOMS`, and tests marked with `engines`) nothing is left out; in a file with two such tests or more
each engine has one, but where one vault is served to a whole file (`WHOLE`) that has one engine; `ENGINES=both` leaves nothing out
anywhere, as a plain `pytest` does; what was left out is counted (docs/adr/0100-most-tests-run-on-one-engine.md).
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ENGINES: Final = ("sqlite", "postgresql")
ROOMS: Final = frozenset({"access", "access_log", "backup", "identity", "policy", "storage"})
"""The rooms of `tests` where everything runs on both: transactions, locks and races are what they are about."""
WHOLE: Final = frozenset({"journeys"})
"""The rooms of `tests` in which founding and serving a vault costs more than most of the tests that ask it."""
KEPT: Final = Path(__file__).parents[1] / "build" / "engines.json"


@dataclass(frozen=True, slots=True)
class Variant:
    """A test on one engine: its file, its name without the engine, its engine, and those it has to run on."""

    file: str
    name: str
    engine: str
    wanted: frozenset[str]


def variant(item: pytest.Item) -> Variant | None:
    """What this test is a variant of; None where it knows no engine."""
    given = getattr(item, "callspec", None)
    engine = next((each for each in given.params.values() if each in ENGINES), None) if given is not None else None
    if engine is None:
        return None
    file, _, name = item.nodeid.partition("::")
    _, room, *_ = Path(file).parts
    marked = item.get_closest_marker("engines")
    wanted = marked.args if marked is not None else ENGINES if room in ROOMS else ()
    return Variant(file, name.replace(engine, "*", 1), engine, frozenset(wanted))


def left_out(variants: Iterable[Variant]) -> set[Variant]:
    """Which of these variants do not run where most run on one engine: never all of one test."""
    files: dict[str, dict[str, list[Variant]]] = defaultdict(lambda: defaultdict(list))
    for each in variants:
        files[each.file][each.name].append(each)
    return {each for tests in files.values() for each in _in_file(tests)}


def _in_file(tests: dict[str, list[Variant]]) -> Iterable[Variant]:
    file = next(iter(tests.values()))[0].file
    whole = Path(file).parts[1] in WHOLE
    free = {name: found for name, found in tests.items() if len(found) > 1 and not found[0].wanted}
    drawn = {name: ENGINES[_number(file if whole else f"{file}::{name}") % 2] for name in free}
    if not whole and len(drawn) > 1 and len(set(drawn.values())) == 1:
        first = min(drawn, key=_number)
        drawn[first] = next(each for each in ENGINES if each != drawn[first])
    for name, found in tests.items():
        wanted = found[0].wanted or {drawn.get(name, found[0].engine)}
        if len(found) > 1:
            yield from (each for each in found if each.engine not in wanted)


def _number(text: str) -> int:
    """A number of this text that is the same on every machine and in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def line(left: int) -> str:
    """Returns `on one engine: none`, or how many variants on the other did not run and how they do."""
    return (
        f"on one engine: {left} tests, whose variant on the other did not run; make test ENGINES=both runs all"
        if left
        else ("on one engine: none")
    )


def keep(left: int) -> None:
    """Adds to the number that `kept` reads: `make test` takes the file away first, and is two runs."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(left + (kept() if KEPT.exists() else 0)), encoding="utf-8")


def kept() -> int:
    """Returns how many variants did not run since the file was taken away; FileNotFoundError where there was none."""
    return int(json.loads(KEPT.read_text(encoding="utf-8")))
