"""Mutation tests where it matters most: `python -m tests.house.mutants [NAME …]` runs those of `[tool.amanah.mutants]`, one after another.

Each runs mutmut in a folder of its own under `build/mutants`, a copy of the tree in which only its files are mutated and only its tests are
run, so that a run ends in minutes and leaves the tree alone. It falls short where more than `MOST_LIVING` of a hundred mutants live;
docs/mutants.md names those that may and says why. `--sample N` tries N mutants of a round, drawn by a fixed seed.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

MOST_LIVING = 5.0
TREE = ("keys", "vault", "tests", "docs", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "Makefile")
BUILD = Path("build/mutants")
# A mutant that is caught in no other way than by running out of time is caught.
CAUGHT = frozenset({"killed", "timeout", "segfault", "caught by type check"})
QUIET = ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"]


def rounds() -> dict[str, dict[str, Any]]:
    """What is mutated and tested in each round, by name."""
    told: dict[str, dict[str, Any]] = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["amanah"]["mutants"]
    return told


def prepared(name: str, told: dict[str, Any]) -> Path:
    """A copy of the tree for one round, with mutmut's settings in its pyproject.toml."""
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for each in TREE:
        source = Path(each)
        if source.is_dir():
            shutil.copytree(source, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / each)
    settings = {
        "source_paths": sorted({f"{path.split('/')[0]}/" for path in told["mutate"]}),
        "only_mutate": told["mutate"],
        "also_copy": [f"{each}/" if Path(each).is_dir() else each for each in TREE],
        "pytest_add_cli_args": QUIET,
        # An endless loop is caught by its time; the rest is far from it even on a busy machine.
        "timeout_multiplier": 5.0,
        "timeout_constant": 10.0,
        "pytest_add_cli_args_test_selection": told["tests"],
    }
    page = folder / "pyproject.toml"
    lines = "\n".join(f"{key} = {value!r}" for key, value in settings.items())
    page.write_text(f"{page.read_text(encoding='utf-8')}\n[tool.mutmut]\nuse_git_change_detection = false\n{lines}\n", encoding="utf-8")
    return folder


def drawn(folder: Path, mutmut: Path, sample: int) -> list[str]:
    """So many mutants of a round by name, always the same ones of the same code; none for all of them."""
    if not sample:
        return []
    # A run for a mutant there is none of makes them all and tries none.
    subprocess.run([mutmut, "run", "none.at.all"], cwd=folder, capture_output=True, check=False)
    names = sorted(results(folder, mutmut))
    return random.Random(f"{sample} of {len(names)}").sample(names, min(sample, len(names)))


def results(folder: Path, mutmut: Path) -> dict[str, str]:
    """The state of every mutant by its name."""
    said = subprocess.run([mutmut, "results", "--all", "true"], cwd=folder, capture_output=True, text=True, check=False).stdout
    return dict(re.findall(r"^\s+(\S+): ([a-z ]+)$", said, re.MULTILINE))


def run(name: str, told: dict[str, Any], sample: int = 0) -> bool:
    """Run one round and tell its figures; True where few enough mutants live."""
    folder, mutmut = prepared(name, told), Path(sys.executable).parent.absolute() / "mutmut"
    some = drawn(folder, mutmut, sample)
    with (folder / "mutmut.log").open("wb") as log:
        subprocess.run([mutmut, "run", "--max-children", str(os.cpu_count() or 1), *some], cwd=folder, stdout=log, stderr=log, check=False)
    found = {mutant: state for mutant, state in results(folder, mutmut).items() if not some or mutant in some}
    count, living = Counter(found.values()), sorted(mutant for mutant, state in found.items() if state not in CAUGHT)
    share = 100 * len(living) / len(found) if found else 100.0
    sys.stdout.write(f"{name}: {len(found)} mutants, {len(living)} live ({share:.1f} %): {dict(count)}\n")
    if count["not checked"]:
        sys.stdout.write(f"  the tests themselves fall short; see {folder / 'mutmut.log'}\n")
        return False
    for mutant in living:
        shown = subprocess.run([mutmut, "show", mutant], cwd=folder, capture_output=True, text=True, check=False).stdout
        changed = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        sys.stdout.write("\n".join([f"  {mutant}: {found[mutant]}", *(f"    {line}" for line in changed), ""]))
    return bool(found) and share <= MOST_LIVING


if __name__ == "__main__":
    every, names, many = rounds(), sys.argv[1:], 0
    if "--sample" in names:
        at = names.index("--sample")
        many = int(names[at + 1])
        del names[at : at + 2]
    fell_short = [name for name in names or every if not run(name, every[name], many)]
    sys.exit(f"more than {MOST_LIVING} % live in: {', '.join(fell_short)}" if fell_short else 0)
