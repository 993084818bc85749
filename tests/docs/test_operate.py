"""The operator's page tells the truth: every setting is in it, and every setting in it is one."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vault.cli import main
from vault.settings import PREFIX, Settings

PAGE = Path("docs/operate.md").read_text(encoding="utf-8")
NOT_A_MEMBER = {"CONFIG"}
MANY = 20


def test_every_setting_is_on_the_page_and_none_that_is_no_setting():
    named = set(re.findall(rf"`{PREFIX}([A-Z_]+)`", PAGE))
    assert named == {name.upper() for name in Settings.__struct_fields__} | NOT_A_MEMBER


def test_every_default_on_the_page_is_the_one_in_force():
    defaults = Settings()
    told = dict(re.findall(rf"\| `{PREFIX}([A-Z_]+)` \|[^|\n]*\| `([^`|]+)` \|", PAGE))
    assert told == {
        "DATA_DIR": defaults.data_dir,
        "HOST": defaults.host,
        "PORT": str(defaults.port),
        "LARGEST_SCAN": str(defaults.largest_scan),
    }


def test_every_command_named_on_the_page_exists():
    for words in set(re.findall(r"`amanah ([a-z ]+?)(?: -|[A-Z]|`)", PAGE)):
        group: Any = main
        for word in words.split():
            assert word in group.commands, f"amanah {words}"
            group = group.commands[word]


def commands() -> Iterator[str]:
    """Every command on the page with what follows it: in a span, in a block, or in a unit."""
    joined = re.sub(r"\\\n\s*", "", PAGE)
    for span in re.findall(r"`amanah ([a-z][^`]*)`", joined):
        yield " ".join(span.split())
    yield from re.findall(r"^    .*?(?<![\w/-])(?:/opt/amanah/\.venv/bin/)?amanah ([a-z].*)$", joined, re.MULTILINE)


def resolved(words: list[str]) -> Any:
    group: Any = main
    for word in words:
        if word not in getattr(group, "commands", {}):
            return group
        group = group.commands[word]
    return group


def test_every_command_named_on_the_page_has_the_options_it_is_given_there():
    seen = 0
    for line in commands():
        command = resolved(line.split())
        assert command is not main, line
        known = {option for each in command.params for option in each.opts}
        for option in re.findall(r"(?<!\S)--[a-z-]+", line):
            assert option in known, line
            seen += 1
    assert seen > MANY


def test_every_link_on_the_page_leads_to_a_heading_of_it():
    there = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^##+ (.*)$", PAGE, re.MULTILINE)}
    linked = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert linked - there == set()
    assert len(linked) > MANY / 2


def test_every_line_of_the_checklist_leads_to_a_procedure():
    rows = [row for row in PAGE.split("## The checklist")[1].split("\n## ")[0].splitlines() if row.startswith("| ")][1:]
    assert len(rows) > MANY / 2
    assert [row for row in rows if "](#" not in row] == []


def units() -> dict[str, str]:
    """The three units of the page, as they would be written into files."""
    found = re.findall(r"^(    \[Unit\]\n(?:    .*\n|\n(?=    ))+)", PAGE, re.MULTILINE)
    texts = ["[Unit]" + each for each in "".join(re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found).split("[Unit]")[1:]]
    return dict(zip(("amanah.service", "amanah-backup.service", "amanah-backup.timer"), texts, strict=True))


def test_the_units_on_the_page_keep_the_process_shut():
    for name in ("amanah.service", "amanah-backup.service"):
        lines = units()[name].splitlines()
        for line in ("User=amanah", "LimitCORE=0", "MemorySwapMax=0", "NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectSystem=strict"):
            assert line in lines, name


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_units_on_the_page(tmp_path: Path):
    for name, text in units().items():
        (tmp_path / name).write_text(text.replace("/opt/amanah/.venv/bin/amanah", "/bin/true"), encoding="utf-8")
    paths = [str(tmp_path / name) for name in units()]
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, check=False)
    assert (said.returncode, said.stderr) == (0, b"")
