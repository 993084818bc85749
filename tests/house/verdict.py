"""The end of `make test`: what each part of the house is covered to, whether that is enough, what ran on one engine, and last the skips.

Reads the coverage report of the run before it, its skips, what it left out, and the gates of pyproject.toml; exits 1 when a part falls
short.
"""

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import engines
from tests.house import skips

TREE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Part:
    """A gated part of the tree: `covered` of `total` lines and branches, and the per cent it must reach."""

    name: str
    covered: int
    total: int
    gate: float

    @property
    def reached(self) -> float:
        """Per cent, rounded down to a hundredth so that 100 means all."""
        return self.covered * 10_000 // self.total / 100 if self.total else 100.0

    @property
    def holds(self) -> bool:
        """Whether the gate is reached."""
        return self.reached >= self.gate

    def __str__(self) -> str:
        """Returns the part's line of the verdict."""
        name = self.name or "over all"
        if not self.total:
            return f"{name}: not in this tree"
        return f"{name}: {self.reached:.2f} % of {self.total} lines and branches, gate {self.gate:g} %" + (
            "" if self.holds else ": FALLS SHORT"
        )


def parts(files: dict[str, Any], gates: dict[str, float]) -> list[Part]:
    """Returns the gated parts of a coverage report's `files`, in the order of the gates; the gate named "" is over all."""
    found = []
    for name, gate in gates.items():
        inside = [file["summary"] for path, file in files.items() if not name or Path(path).is_relative_to(name)]
        covered = sum(one["covered_lines"] + one["covered_branches"] for one in inside)
        total = sum(one["num_statements"] + one["num_branches"] for one in inside)
        found.append(Part(name, covered, total, gate))
    return found


def main() -> int:
    """Prints the verdict; 0 if every gate holds, else 1."""
    gates = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["amanah"]["coverage"]
    report = json.loads((TREE / "build" / "coverage.json").read_text(encoding="utf-8"))
    found = parts(report["files"], gates)
    print(*found, engines.line(engines.kept()), skips.line(skips.kept()), sep="\n")  # noqa: T201  this is what the program is for
    return 0 if all(part.holds for part in found) else 1


if __name__ == "__main__":
    sys.exit(main())
