"""Every kind of entry the vault writes has a word in both languages, and every word is used."""

import re
from pathlib import Path

import pytest

from tests.officer.browser import Window
from vault.officer.frame import Speaker
from vault.officer.words import KINDS, reason_word
from vault.reclosing import _FACTS

WRITTEN = re.compile(r"(?:kind=|^[A-Z_]+(?:: Final)? = |_tell\(run, |told\(deed, association, )\"([a-z_-]+\.[a-z-]+)\"", re.MULTILINE)
NO_KINDS = {"amanah.visit", "journal.note", "backup.lock"}


def sources() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(Path("vault").rglob("*.py")) if "officer" not in path.parts)


def test_every_kind_that_is_written_has_a_word():
    written = {kind for kind in WRITTEN.findall(sources()) if not kind.endswith(".toml")} - NO_KINDS
    assert written | {"alarm", "decision", "disclose"} <= KINDS.keys()
    assert written >= {"record.read", "log.restored", "keys.rewrap-begun", "keys.retired", "disclosure.approved"}


def test_every_door_the_journal_closes_again_has_a_word():
    assert {f"{kind}.ended" for kind in _FACTS} <= KINDS.keys()


def test_every_word_is_of_a_kind_that_is_written():
    text = sources()
    assert [kind for kind in KINDS if f'"{kind}"' not in text and not kind.endswith(".ended")] == []


@pytest.mark.asyncio(loop_scope="function")
async def test_every_kind_in_a_lived_in_log_has_a_word(small_window: Window):
    await small_window.counter.under_an_order()
    await small_window.sign_in()
    assert {each.kind for each in small_window.world.entries()} - KINDS.keys() == set()


def test_what_has_no_word_is_told_as_it_is():
    speaker = Speaker("ar")
    assert (speaker.kind("never.was"), speaker.actor("system"), speaker.purpose("p")) == ("never.was", "system", "p")
    assert (speaker.purpose(None), reason_word("NEVER_WAS", "ar")) == ("بلا غرض", "NEVER_WAS")
