"""The notices of an incident as the officer's pages show and take them."""

import re
import uuid
from typing import Any

import pytest

from tests.breach_reports.desk import desk_of
from tests.breach_reports.incident_desk import done
from tests.breach_reports.notices import WORDING, approved, notifier, person, ruled_out, states
from tests.officer.browser import Window, text_of
from tests.officer.test_incidents import opened

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH = "/officer/notices"
SECRET = "أُرسل كشف المستفيدين إلى بريد خاطئ"
WHOLE = {
    "description_ar": SECRET,
    "description_en": "The list went to a wrong mailbox",
    "happened_at": "2026-01-01T03:00",
    "circumstances_ar": "أُرفق الملف برسالة",
    "categories_ar": "مستفيدون",
    "people": "١٢٠",
    "estimated": "yes",
    "data_ar": "أسماء",
    "effects_ar": "قد يُتواصل معهم",
    "measures_ar": "طُلب الإتلاف",
    "planned_ar": "منع الإرسال",
    "told": "not_yet",
    "contact_ar": "مسؤول حماية البيانات",
}
PEOPLE = {f"{name}_ar": words["ar"] for name, words in WORDING.items()}


async def step(window: Window, incident: str, act: str, **fields: Any) -> Any:
    """Send a form; the page that follows, or the one that says why not."""
    answer = await window.send(PATH, act=act, incident=incident, **fields)
    if answer.status_code != 303:
        return answer
    place, _, query = answer.headers["location"].partition("?")
    return await window.get(place, **dict(each.split("=") for each in query.split("&") if not each.startswith("lang")))


async def begun(window: Window) -> tuple[str, str]:
    """Reference and id of an incident that is six hours old, whose notices are looked at."""
    window.world.clock.forward(6 * 3600)
    reference, id_ = await opened(window, window.world.clock.now - 6 * 3600 * 1_000_000)
    incident = str(uuid.UUID(bytes=id_))
    await window.sign_in()
    assert f"{PATH}?incident={incident}" in (await window.get("/officer/incidents")).text.replace("&amp;", "&")
    page = await window.get(PATH, incident=incident)
    assert page.status_code == 200
    return reference, incident


async def test_a_notice_is_written_printed_and_noted_as_filed(window: Window):
    reference, incident = await begun(window)
    page = await step(window, incident, "draft", **WHOLE)
    said = text_of(page)
    assert "The notice is written." in said
    assert "Complete" in said
    assert SECRET not in page.text, "the page of all notices opens nothing"
    number = int(re.search(r"Show and print notice (\d+)", said)[1])  # type: ignore[index]
    printed = await window.get(f"{PATH}/authority", incident=incident, notice=number)
    for words in (SECRET, "120", "estimated", "1 January 2026, 03:00", reference):
        assert words in text_of(printed), words
    page = await step(window, incident, "file", notice=number, filed_at="2026-01-01T09:00", reference="SDAIA-7")
    assert "The filing is noted." in text_of(page)
    assert "SDAIA-7" in page.text
    assert "A supplement is owed" not in page.text


async def test_gaps_are_named_kept_from_filing_and_owed_once_filed_as_partial(small_window: Window):
    _, incident = await begun(small_window)
    page = await step(small_window, incident, "draft", **{**WHOLE, "contact_ar": "", "people": ""})
    said = text_of(page)
    assert "Missing: How many people (b), Whom to contact (e)" in said
    number = int(re.search(r"Show and print notice (\d+)", said)[1])  # type: ignore[index]
    filing = {"notice": number, "filed_at": "2026-01-01T09:00", "reference": "SDAIA-7"}
    page = await step(small_window, incident, "file", **filing)
    assert page.status_code == 422
    assert "See: How many people, Whom to contact." in text_of(page)
    assert 'value="SDAIA-7"' in page.text, "what was typed is given back"
    page = await step(small_window, incident, "file", **filing, reasons="لم يُعرف بعد")
    assert "A supplement is owed to the authority How many people (b), Whom to contact (e)" in text_of(page)
    small_window.language = "ar"
    assert "إشعار تكميلي مطلوب للجهة المختصة" in text_of(await small_window.get(PATH, incident=incident))


async def test_letters_go_out_after_a_second_person_read_the_words_and_those_by_hand_are_printed_and_noted(window: Window, free_port: int):
    _, incident = await begun(window)
    record = await person(window.world, 1, email=None)
    page = await step(window, incident, "people", **{**PEOPLE, "advice_ar": ""})
    assert "See: What they are advised to do." in text_of(page)
    page = await step(window, incident, "people", **PEOPLE)
    assert WORDING["risks"]["ar"] in page.text
    number = int(re.search(r'name="notice" value="(\d+)"', page.text)[1])  # type: ignore[index]
    page = await step(window, incident, "list", notice=number, records="x" * 40)
    assert page.status_code == 404
    page = await step(window, incident, "list", notice=number, records=f"{record}\n{record}")
    assert "waiting for a second person" in text_of(await window.get(PATH, incident=incident))
    page = await step(window, incident, "approve", notice=number, people=1, list_version=1, code=window.world.one_time_code("officer"))
    assert page.status_code == 403
    await window.sign_in("second_officer")
    await window.get(f"{PATH}/people", incident=incident, notice=number)
    page = await step(window, incident, "approve", notice=number, people=1, list_version=1, code="")
    assert page.status_code == 403, "a fresh code, whatever the session was stepped up by"
    code = window.world.one_time_code("second_officer")
    page = await step(window, incident, "approve", notice=number, people=1, list_version=1, code=code)
    assert "the letters are leaving" in text_of(page)
    await notifier(window.world, free_port).round()
    page = await window.get(f"{PATH}/people", incident=incident, notice=number)
    assert "by hand or post، no e-mail address" in text_of(page)
    letter = re.search(r'name="letter" value="([0-9a-f-]{36})"', page.text)[1]  # type: ignore[index]
    printed = await window.get(f"{PATH}/letter", incident=incident, letter=letter)
    assert "فاطمة بنت خالد الشمري" in printed.text
    assert "فاطمة" not in page.text
    page = await step(window, incident, "note", notice=number, letter=letter, result="delivered")
    assert "delivered" in text_of(page)
    page = await step(window, incident, "again", notice=number)
    assert "They are sent again." in text_of(page)


async def test_what_was_withheld_while_the_incident_was_over_is_offered_to_go_again_once_it_is_open(window: Window, free_port: int):
    _, incident = await begun(window)
    async with desk_of(window.world) as desk:
        number = await approved(desk, incident, await person(window.world, 1))
        await ruled_out(desk, incident)
        await notifier(window.world, free_port).round()
        await done(desk, f"/{incident}/state", {"state": "suspected"})
    page = await window.get(f"{PATH}/people", incident=incident, notice=number)
    assert "Send again what failed" in text_of(page)
    assert "the incident is over" in text_of(page)
    page = await step(window, incident, "again", notice=number)
    assert "waits for a second person" in text_of(page)
    assert 'value="approve"' in page.text
    assert 'value="again"' not in page.text


async def test_whoever_two_people_let_a_letter_go_to_leaves_the_list_with_a_second_persons_approval(window: Window):
    _, incident = await begun(window)
    first, second, stranger = [await person(window.world, number) for number in (1, 2, 3)]
    async with desk_of(window.world) as desk:
        number = await approved(desk, incident, first, second)
    page = await step(window, incident, "remove", notice=number, record=stranger)
    assert (page.status_code, "See: Record id." in text_of(page)) == (422, True)
    page = await step(window, incident, "remove", notice=number, record=str(uuid.uuid4()))
    assert page.status_code == 422
    page = await step(window, incident, "remove", notice=number, record=second)
    assert "waiting for a second person" in text_of(page)
    assert "waiting for a second person: 1" in text_of(await window.get(PATH, incident=incident))
    await window.sign_in("second_officer")
    page = await window.get(f"{PATH}/people", incident=incident, notice=number)
    assert f"unless they were before: {second} proposed by staff:" in text_of(page)
    fields = {name: re.search(rf'name="{name}" value="(\d+)"', page.text)[1] for name in ("people", "list_version")}  # type: ignore[index]
    code = window.world.one_time_code("second_officer")
    page = await step(window, incident, "approve", notice=number, code=code, **fields)
    assert "Approved" in text_of(page)
    assert second not in page.text
    async with desk_of(window.world) as desk:
        assert await states(desk, incident, number) == {first: "listed", second: "removed"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"act": "burn"}, 400),
        ({"act": "draft", "told": "maybe"}, 400),
        ({"act": "draft", "happened_at": "noon"}, 422),
        ({"act": "draft", "people": "many"}, 422),
        ({"act": "file", "notice": "x", "filed_at": "2026-01-01T09:00"}, 404),
        ({"act": "file", "notice": "1", "filed_at": ""}, 422),
        ({"act": "note", "result": "lost", "letter": str(uuid.uuid4())}, 400),
        ({"act": "note", "result": "returned", "letter": str(uuid.uuid4()), "notice": "1"}, 404),
        ({"act": "list", "notice": "1", "records": ""}, 404),
        ({"act": "remove", "notice": "1", "record": "nobody"}, 404),
        ({"act": "remove", "notice": "1", "record": str(uuid.uuid4())}, 404),
        ({"act": "again", "notice": "999"}, 404),
        ({"act": "approve", "notice": "1", "people": "x"}, 404),
        ({"act": "draft", "incident": "nobody"}, 404),
    ],
)
async def test_a_form_that_holds_nothing_is_answered_with_a_page(small_window: Window, fields: dict[str, str], status: int):
    _, incident = await begun(small_window)
    answer = await small_window.send(PATH, **{"incident": incident, **fields})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


async def test_whom_the_incident_excludes_sees_none_of_its_pages(small_window: Window):
    _, incident = await begun(small_window)
    await step(small_window, incident, "people", **PEOPLE)
    await small_window.sign_in("second_officer")
    from_here = {"incident": incident}
    assert (await small_window.get(PATH, **from_here)).status_code == 200
    world = small_window.world
    who = str(uuid.UUID((await world.person("second_officer")).id))
    async with desk_of(world) as desk:
        await done(desk, f"/{incident}/exclusion", {"staff": who})
    for place, query in ((PATH, {}), (f"{PATH}/people", {"notice": 1}), (f"{PATH}/authority", {"notice": 1})):
        page = await small_window.get(place, **from_here, **query)
        assert (page.status_code, "IN-" in page.text) == (403, False), place
