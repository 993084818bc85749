"""People's requests on the officer's pages: the queue by the time left, every step by a form, the letter; what was typed comes back."""

import re
import uuid

import pytest

from tests.access.test_requests import opened
from tests.household import FATIMA, grant, store, withdraw
from tests.officer.browser import Window, text_of, uuid_of
from vault.records.service import GuardianOf

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH, ONE = "/officer/requests", "/officer/requests/one"
DAY = 24 * 3600
SAID = "أريد أن أعرف ما لديكم عني"


async def taken(window: Window, record: bytes, kind: str = "knowledge", **more: str) -> str:
    """A request as the page takes it down."""
    answer = await window.send(PATH, act="open", record=uuid_of(record), kind=kind, channel="phone", says=SAID, **more)
    assert answer.status_code == 303, answer.text
    found = re.search(r"request=([0-9a-f-]{36})", answer.headers["location"])
    assert found is not None
    return found[1]


async def step(window: Window, request: str, act: str, **fields: str) -> tuple[int, str]:
    answer = await window.send(PATH, act=act, request=request, **fields)
    return answer.status_code, answer.headers.get("location", "") or text_of(answer)


async def test_a_request_said_on_the_telephone_goes_from_the_form_to_the_letter(window: Window):
    kept = await store(window.world)
    await window.sign_in()
    assert "There are no requests here" in text_of(await window.get(PATH))
    request = await taken(window, kept.record)
    said = text_of(await window.get(PATH))
    assert f"30 days {request} Information telephone who asks is not checked 2026-01-31 03:00" in said
    page = await window.get(ONE, request=request, done="opened")
    assert "The request was taken down." in text_of(page)
    assert SAID in text_of(page)
    assert "Answer the request" not in page.text
    assert window.world.entries()[-1].kind == "request.read"
    leads = f"{ONE}?request={request}&done="
    verified = {"method": "call_back", "result": "verified"}
    assert await step(window, request, "identity", **verified, says="اتصلنا بها") == (303, f"{leads}identity&lang=en")
    assert await step(window, request, "extension", reason="unusual_effort", says="ملف ورقي") == (303, f"{leads}extension&lang=en")
    assert await step(window, request, "answer", says="نجمع اسمك وجوالك") == (303, f"{leads}answer&lang=en")
    told = text_of(await window.get(ONE, request=request))
    for words in ("call back to a number on record", "because carrying out the request", "نجمع اسمك وجوالك", "answered"):
        assert words in told
    assert "Refuse the request" not in told
    letter = await window.get("/officer/requests/letter", request=request)
    assert "Answer to your request" in text_of(letter)
    assert "نجمع اسمك وجوالك" in text_of(letter)
    assert FATIMA["full_name"] not in letter.text
    assert request in text_of(await window.get(PATH, state="answered"))


async def test_what_is_refused_gives_back_what_was_typed_and_does_nothing(small_window: Window):
    window = small_window
    kept = await store(window.world)
    await window.sign_in()
    request = await taken(window, kept.record, "copy")
    status, said = await step(window, request, "answer", says="كلام طويل")
    assert (status, "Not known yet who asks" in said) == (409, True)
    status, said = await step(window, request, "refusal", reason="kept_by_law", says="كلام طويل")
    assert (status, "كلام طويل" in said) == (422, True)
    unknown = await window.send(PATH, act="open", record=str(uuid.uuid4()), kind="copy", channel="phone", says="كلام طويل")
    assert (unknown.status_code, "كلام طويل" in unknown.text) == (404, True)
    for fields in (
        {"act": "open", "record": uuid_of(kept.record), "kind": "gossip", "channel": "phone"},
        {"act": "burn", "request": request},
        {"act": "identity", "request": request, "result": "perhaps", "method": "call_back"},
    ):
        assert (await window.send(PATH, **fields)).status_code == 400
    assert (await window.send(PATH, act="answer", request="x")).status_code == 404
    assert (await window.send(PATH, act="open", kind="copy")).status_code == 404, "a field that did not come is an empty one"
    stale = await window.send(PATH, {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}, act="answer", request=request)
    assert stale.status_code == 409
    assert await step(window, request, "taking-back", says="") == (303, f"{ONE}?request={request}&done=taking-back&lang=en")


async def test_a_guardians_request_a_withdrawal_and_a_refusal_are_told_as_they_are(small_window: Window):
    window, world = small_window, small_window.world
    mother = await store(world)
    ward = await store(world, {**FATIMA, "birth_date": "2018-05-10"}, kind="beneficiary", guardian=GuardianOf(mother.subject, "wali"))
    body = {"record": uuid_of(ward.record), "kind": "destruction", "channel": "letter", "given_by": uuid_of(mother.subject)}
    await window.sign_in()
    async with await opened(world) as http:
        made = await http.post("/v1/requests", json=body, headers={"Authorization": f"Bearer {world.ceremony.api_key}"})
    request = made.json()["id"]
    page = text_of(await window.get(ONE, request=request))
    assert uuid_of(mother.subject) in page
    assert await step(window, request, "refusal", reason="kept_by_law", says="نظام الجمعيات") == (
        303,
        f"{ONE}?request={request}&done=refusal&lang=en",
    )
    assert "a legal ground orders the data to be kept" in text_of(await window.get(ONE, request=request))
    kept = await store(world)
    consent = await grant(world, kept.record)
    hers = await taken(window, kept.record, "withdrawal")
    await step(window, hers, "identity", method="call_back", result="verified")
    await withdraw(world, consent.id)
    assert "The consent that was withdrawn" in text_of(await window.get(ONE, request=hers))
    assert (await step(window, hers, "answer", consent=uuid_of(consent.id)))[0] == 303
    assert "Withdrawal recorded" in text_of(await window.get(ONE, request=hers))


async def test_the_queue_goes_on_page_by_page_and_marks_what_is_late(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    window = small_window
    monkeypatch.setattr("vault.officer.requests.PAGE", 1)
    kept = await store(window.world)
    await window.sign_in()
    first, second = await taken(window, kept.record), await taken(window, kept.record)
    page = await window.get(PATH)
    last = {first, second} - {one for one in (first, second) if one in page.text}
    assert len(last) == 1
    after = re.search(r"after=([0-9a-f-]{36})", page.text)
    assert after is not None
    assert last.pop() in (await window.get(PATH, after=after[1])).text
    window.world.clock.forward(31 * DAY)
    await window.sign_in()
    late = await window.get(PATH, state="overdue")
    assert "overdue by 1 days" in text_of(late)
