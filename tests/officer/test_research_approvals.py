"""Studies and extracts that wait, on the page of approvals: shown as they are worded, settled by another person with a fresh code."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.access.laboratory import AGE, GENDER, REGION, Laboratory
from tests.officer.browser import Window, text_of
from vault.access.studies import of
from vault.access.study_shapes import EXTRACT_REQUEST
from vault.rulebook import facts

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH = "/officer/approvals"
DAY = 24 * 3600


@pytest_asyncio.fixture
async def lab(window: Window) -> AsyncIterator[Laboratory]:
    """Research on each engine, beside the window."""
    async with Laboratory.over(window.world) as made:
        yield made


@pytest_asyncio.fixture
async def small_lab(small_window: Window) -> AsyncIterator[Laboratory]:
    """Research on SQLite, beside the small window."""
    async with Laboratory.over(small_window.world) as made:
        yield made


async def proposed(lab: Laboratory, code: str, *dimensions: dict[str, Any], **changes: Any) -> str:
    """A study the administrator proposed: the id of its wording."""
    made = await lab.propose(code, *dimensions, **changes)
    assert made.status_code == 200, made.text
    return str(made.json()["proposal"])


async def state(lab: Laboratory, code: str) -> str:
    return str((await lab.ask("officer", "GET", f"/research/{code}/proposal")).json()["state"])


async def asked(lab: Laboratory, code: str) -> str:
    """The month of an extract the officer asked for."""
    made = await lab.ask("officer", "POST", f"/research/{code}/extract")
    assert made.status_code == 200, made.text
    return str(made.json()["month"])


async def test_a_study_is_shown_in_full_and_approved_by_another_with_a_fresh_code(window: Window, lab: Laboratory):
    wording = await proposed(lab, "by_age", AGE, GENDER)
    await window.sign_in("officer")
    page = await window.get(PATH)
    said = text_of(page).replace("\u2066", "").replace("\u2069", "")
    assert all(text in page.text for text in (wording, "by_age", "beneficiary"))
    assert "Study (its code) Study (by_age)" in said
    assert "0-17, 18-34, 35-59, 60+, unknown" in said
    assert "female, male, other, unknown" in said
    assert "female: female" in said
    assert "a table of numbers each month" in said
    assert (await window.send(PATH, kind="study", id=wording, named="by_age", act="approve", code="000000")).status_code == 403
    assert await state(lab, "by_age") == "proposed"
    done = await window.approve("officer", kind="study", id=wording, named="by_age", act="approve")
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=approved&lang=en"), done.text
    assert await state(lab, "by_age") == "in-force"
    assert wording not in (await window.get(PATH)).text
    entries = [each for each in window.world.entries() if each.kind == "study.approved"]
    assert [(each.outcome, each.reason) for each in entries] == [("refuse", "STEP_UP_REQUIRED"), ("allow", None)]


async def test_an_extract_is_approved_by_another_than_asked_for_it(window: Window, lab: Laboratory):
    wording = await proposed(lab, "rows", REGION, form="extract")
    await lab.laid_down("table", GENDER)
    await lab.approve("officer", "/research/rows/approval", proposal=wording)
    month = await asked(lab, "rows")
    given = {"kind": "extract", "id": wording, "named": f"rows:{month}"}
    await window.sign_in("officer")
    page = await window.get(PATH)
    assert "You made it" in text_of(page)
    assert 'value="approve"' not in page.text
    refused = await window.approve("officer", **given, act="approve")
    assert refused.status_code == 403
    assert [each.reason for each in window.world.entries() if each.kind == "research.approved"] == ["SAME_PERSON"]
    await window.sign_in("second_officer")
    said = text_of(await window.get(PATH))
    assert "A month's extract of a study" in said
    assert month in said
    done = await window.approve("second_officer", **given, act="approve")
    assert done.headers["location"] == f"{PATH}?done=approved&lang=en", done.text
    assert "A month's extract of a study" not in text_of(await window.get(PATH))
    assert (await lab.released("rows"))["rows"] == []


async def test_what_waits_is_turned_down_by_who_may_approve_and_nothing_in_force_ends_by_that(window: Window, lab: Laboratory):
    old = await proposed(lab, "by_age", AGE)
    await window.sign_in("second_officer")
    await window.get(PATH)
    wording = await proposed(lab, "by_age", AGE, GENDER)
    late = await window.approve("second_officer", kind="study", id=old, named="by_age", act="turn-down")
    assert (late.status_code, await state(lab, "by_age")) == (409, "proposed")
    assert "Turn the study down" in text_of(late)
    wrong = await window.send(PATH, kind="study", id=wording, named="by_age", act="turn-down", code="000000")
    assert (wrong.status_code, await state(lab, "by_age")) == (403, "proposed")
    done = await window.approve("second_officer", kind="study", id=wording, named="by_age", act="turn-down")
    assert done.headers["location"] == f"{PATH}?done=turned-down&lang=en"
    assert await state(lab, "by_age") == "ended"
    assert window.world.entries()[-1].kind in {"study.ended", "study.read"}
    await lab.laid_down("rows", REGION, form="extract")
    stands = (await lab.ask("officer", "GET", "/research/rows/proposal")).json()["proposal"]
    in_force = await window.approve("second_officer", kind="study", id=stands, named="rows", act="turn-down")
    assert (in_force.status_code, await state(lab, "rows")) == (409, "in-force")
    month = await asked(lab, "rows")
    await window.get(PATH)
    turned = await window.approve("second_officer", kind="extract", id=stands, named=f"rows:{month}", act="turn-down")
    assert turned.status_code == 303, turned.text
    assert "A month's extract of a study" not in text_of(await window.get(PATH))
    late = await window.approve("second_officer", kind="extract", id=stands, named=f"rows:{month}", act="approve")
    assert late.status_code == 409


async def test_an_extract_of_a_month_that_is_over_or_of_a_study_that_ended_waits_no_longer(small_window: Window, small_lab: Laboratory):
    await small_lab.laid_down("rows", REGION, form="extract")
    await small_lab.laid_down("more", GENDER, form="extract")
    await asked(small_lab, "rows")
    await asked(small_lab, "more")
    await small_window.sign_in("second_officer")
    assert text_of(await small_window.get(PATH)).count("A month's extract of a study") == 2
    await small_lab.ask("admin", "POST", "/research/more/end")
    assert text_of(await small_window.get(PATH)).count("A month's extract of a study") == 1
    small_window.world.clock.forward(31 * DAY)
    await small_window.sign_in("second_officer")
    assert "A month's extract of a study" not in text_of(await small_window.get(PATH))


@pytest.mark.parametrize("act", ["approve", "turn-down"])
async def test_a_form_that_names_another_study_or_no_month_settles_nothing(small_window: Window, small_lab: Laboratory, act: str):
    await small_lab.laid_down("rows", REGION, form="extract")
    month = await asked(small_lab, "rows")
    world = small_window.world
    wording = (await small_lab.ask("officer", "GET", "/research/rows/proposal")).json()["proposal"]
    other = await proposed(small_lab, "other", GENDER)
    await small_window.sign_in("second_officer")
    await small_window.get(PATH)
    for kind, id_, named in (
        ("extract", other, f"rows:{month}"),
        ("extract", wording, f"none:{month}"),
        ("extract", wording, "rows"),
        ("extract", wording, "rows:2026-13"),
        ("extract", wording, "rows:2027-01"),
        ("extract", wording, ""),
        ("study", other, ""),
        ("study", other, "x" * 40),
    ):
        answer = await small_window.approve("second_officer", kind=kind, id=id_, named=named, act=act)
        assert answer.status_code == 404, (kind, named, answer.status_code)
        world.clock.forward(30)

    def waits(deed: Any) -> tuple[bool, bool]:
        found = facts.read(deed, EXTRACT_REQUEST, f"rows:{month}")
        return found is not None and found.waits, of(deed, "other").ended_at is None

    assert await world.association.run(waits) == (True, True)
