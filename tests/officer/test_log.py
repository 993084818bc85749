"""Searching the log and a person's report: what the officer asks, sees, and leaves behind."""

import pytest

from tests.household import grant, read, store
from tests.officer.browser import Window, text_of, uuid_of
from tests.simulator import START
from vault.officer import log

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 86_400


async def seen(window: Window) -> bytes:
    """Somebody who consented and was read once."""
    kept = await store(window.world)
    await grant(window.world, kept.record)
    await read(window.world, kept.record)
    return kept.record


async def test_from_signing_in_it_takes_two_requests_to_see_who_saw_a_person(window: Window):
    record = await seen(window)
    home = await window.sign_in()
    assert 'action="/officer/person"' in home.text
    page = await window.get("/officer/person", person=uuid_of(record))
    assert window.requests == ["POST /officer/sign-in", "GET /officer", "GET /officer/person"]
    assert page.status_code == 200
    reader = next(each for each in window.world.entries() if each.kind == "record.read")
    assert f"client:{uuid_of(bytes.fromhex(reader.actor.partition(':')[2]))} 1 2026-01-01 03:0" in text_of(page)
    assert "Record read" in text_of(page)
    last = window.world.entries()[-1]
    assert (last.kind, last.about[0].record) == ("access_report.read", record)


async def test_no_value_of_hers_stands_on_any_page(small_window: Window):
    record = await seen(small_window)
    await small_window.sign_in()
    for path in ("/officer/log", "/officer/person"):
        page = await small_window.get(path, person=uuid_of(record))
        assert "National ID or Iqama number" in page.text
        assert not [word for word in ("فاطمة", "1000000008", "0551234567", "551234567") if word in page.text]


async def test_the_report_of_nobody_and_of_what_is_no_id_says_so(small_window: Window):
    await small_window.sign_in()
    for person in ("", "not an id", "00000000-0000-4000-8000-000000000000"):
        page = await small_window.get("/officer/person", person=person)
        assert page.status_code == 404
        assert 'aria-invalid="true"' in page.text


async def test_who_was_shown_nothing_is_told_in_words(small_window: Window):
    kept = await store(small_window.world)
    await small_window.sign_in()
    assert "Nobody was shown" in text_of(await small_window.get("/officer/person", person=f" {uuid_of(kept.record).upper()} "))


async def test_the_log_is_searched_by_person_actor_time_kind_and_outcome(window: Window):
    record = await seen(window)
    await store(window.world)
    await window.sign_in()
    reader = f"client:{uuid_of(bytes.fromhex((await window.world.system()).id))}"
    asked = {
        "person": uuid_of(record),
        "actor": reader,
        "kind": "record.read",
        "outcome": "allow",
        "since": "2026-01-01",
        "until": "٢٠٢٦-٠١-٠١",
    }
    page = await window.get("/officer/log", **asked)
    assert page.text.count('<td data-label="Entry">') == 1
    assert all(label in text_of(page) for label in ("Full name", "National ID or Iqama number", "Mobile"))
    for wrong in (
        {"person": "00000000-0000-4000-8000-000000000000"},
        {"actor": "staff:" + "0" * 32},
        {"kind": "disclose"},
        {"outcome": "error"},
        {"since": "2026-01-02"},
        {"until": "2025-12-31"},
    ):
        assert "No entry is like that" in text_of(await window.get("/officer/log", **{**asked, **wrong})), wrong
    assert [each.kind for each in window.world.entries()][-7:] == ["access_log.read"] * 7


async def test_what_cannot_be_asked_is_marked_and_leaves_no_entry(small_window: Window):
    await small_window.sign_in()
    before = len(small_window.world.entries())
    page = await small_window.get("/officer/log", person="x", actor="y", since="yesterday", until="9999-12-31")
    assert page.status_code == 422
    assert page.text.count('aria-invalid="true"') == 4
    assert len(small_window.world.entries()) == before


async def test_pages_of_the_log_follow_each_other(small_window: Window):
    for _ in range(52):
        await store(small_window.world)
    await small_window.sign_in()
    page = await small_window.get("/officer/log", kind="record.stored")
    assert page.text.count('<td data-label="Entry">') == 50
    after = page.text.rpartition("after=")[2].partition("&")[0]
    rest = await small_window.get("/officer/log", kind="record.stored", after=after)
    assert rest.text.count('<td data-label="Entry">') == 2
    assert "Older entries" not in text_of(rest)


async def test_a_long_report_has_pages_too(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "REPORT", 3)
    record = await seen(small_window)
    await small_window.sign_in()
    for _ in range(4):
        await small_window.get("/officer/person", person=uuid_of(record))
    page = await small_window.get("/officer/person", person=uuid_of(record))
    assert "there are older ones" in text_of(page)
    after = page.text.rpartition("after=")[2].partition("&")[0]
    second = text_of(await small_window.get("/officer/person", person=uuid_of(record), after=after))
    assert "Counted in the entries of this page only" in second
    assert "Record read" in second


async def test_times_are_those_of_riyadh(small_window: Window):
    assert small_window.world.clock.now == START
    await small_window.sign_in()
    assert "2026-01-01 03:00" in text_of(await small_window.get("/officer/log"))
