"""The skips of a test run in one line, kept in a file between the run and the end of `make test`."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

KEPT = Path(__file__).parents[2] / "build" / "skips.json"


def line(reasons: Iterable[str]) -> str:
    """Returns `skipped: 0`, or the number with every reason and how often it was given."""
    told = Counter(reason.removeprefix("Skipped: ") for reason in reasons)
    why = "; ".join(f"{reason} ({times})" for reason, times in told.most_common())
    return f"skipped: {told.total()}" + (f": {why}" if why else "")


def keep(reasons: list[str]) -> None:
    """Adds the reasons of this run to the file that `kept` reads: `make test` takes it away first, and is two runs."""
    KEPT.parent.mkdir(exist_ok=True)
    before = kept() if KEPT.exists() else []
    KEPT.write_text(json.dumps([*before, *reasons], ensure_ascii=False), encoding="utf-8")


def kept() -> list[str]:
    """Returns the reasons of the runs since the file was taken away; FileNotFoundError where there was none."""
    reasons: list[str] = json.loads(KEPT.read_text(encoding="utf-8"))
    return reasons
