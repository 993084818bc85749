"""Every kind of entry the vault writes has a word in both languages, and every word is used."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.officer.browser import Window
from vault.officer.frame import Speaker
from vault.officer.words import KINDS, reason_word
from vault.reclosing import _FACTS

WRITTEN = re.compile(r"(?:kind=|^[A-Z_]+(?:: Final)? = |_tell\(run, |told\(deed, association, )\"([a-z_-]+\.[a-z-]+)\"", re.MULTILINE)
NO_KINDS = {"amanah.visit", "journal.note", "backup.lock", "incident.json", "manifest.txt"}


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


def test_who_and_what_of_the_log_is_told_in_words():
    arabic, english = Speaker("ar"), Speaker("en")
    assert (arabic.hand("system"), arabic.hand("reporter"), english.hand("public")) == (
        "الخزنة نفسها",
        "مُبلِّغ",
        "somebody on the public pages",
    )
    assert (arabic.purpose("breach_report"), english.article("cooperative:6.2")) == ("النظر في بلاغ", "6.2")
    assert (arabic.class_("health"), arabic.class_("own")) == ("البيانات الصحية", "own")
    assert (arabic.joined("ab"), english.joined("ab")) == ("a، b", "a, b")


@pytest.mark.parametrize(
    ("number", "arabic", "english"),
    [
        (0, "أقل من ساعة", "less than 1 h"),
        (1, "ساعة واحدة", "1 h"),
        (2, "ساعتان", "2 h"),
        (3, "3 ساعات", "3 h"),
        (10, "10 ساعات", "10 h"),
        (11, "11 ساعة", "11 h"),
        (71, "71 ساعة", "71 h"),
        (100, "100 ساعة", "100 h"),
    ],
)
def test_hours_are_counted_as_the_language_counts_them(number: int, arabic: str, english: str):
    assert (Speaker("ar").counted("hours", number), Speaker("en").counted("hours", number)) == (arabic, english)


@pytest.mark.asyncio(loop_scope="function")
async def test_a_field_is_told_by_its_label_where_all_types_label_it_so(small_window: Window):
    book = await small_window.world.association.book()
    speaker = Speaker("ar", book)
    assert (speaker.field("full_name"), speaker.field("never_was")) == ("الاسم الكامل", "never_was")
    types = dict(book.types)
    one = types["donor"]
    renamed = [msgspec.structs.replace(each, labels={"ar": "اللقب"}) if each.name == "full_name" else each for each in one.fields]
    types["donor"] = msgspec.structs.replace(one, fields=tuple(renamed))
    assert Speaker("ar", replace(book, types=types)).field("full_name") == "full_name"


def test_what_has_no_word_is_told_as_it_is():
    speaker = Speaker("ar")
    assert (speaker.kind("never.was"), speaker.actor("system"), speaker.purpose("p")) == ("never.was", "system", "p")
    assert (speaker.purpose(None), reason_word("NEVER_WAS", "ar")) == ("بلا غرض", "NEVER_WAS")
