"""The operator's page tells the truth: every setting is in it, and every setting in it is one."""

import re
from pathlib import Path
from typing import Any

from vault.cli import main
from vault.settings import PREFIX, Settings

PAGE = Path("docs/operate.md").read_text(encoding="utf-8")
NOT_A_MEMBER = {"CONFIG"}


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
