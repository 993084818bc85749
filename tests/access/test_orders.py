"""Orders of authorities (article 4): registered by one officer, approved by another, and nothing beyond what they name."""

import asyncio
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.access.counter import FIELDS, HOUR, Counter, by_law_of_orders, told
from tests.access.desk import put, rows_of, written
from tests.breach_reports.browser import CHROMIUM, chromium, looking
from tests.household import FATIMA, store
from vault.access.tables import order_record
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.policy.events import Locked, SubjectDeceased
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.sheet import happened
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def decide(counter: Counter, record: bytes, who: str = "officer", **changes: Any) -> tuple[str, str, str]:
    """Ask whether this may be given to the court: decision, reason, basis."""
    question = {"record": written(record), "action": "disclose", "purpose": "legal_order", "recipient": "court", "fields": list(FIELDS)}
    answer = await counter.ask(who, "POST", "/decisions", {**question, **changes})
    assert answer.status_code == 200, answer.text
    many = (await counter.ask(who, "POST", "/decisions/batch", {"items": [{**question, **changes}]})).json()["results"]
    assert [each["reason"] for each in many] == [answer.json()["reason"]]
    return answer.json()["decision"], answer.json()["reason"], answer.json()["basis"]


async def test_an_order_counts_once_another_person_approved_it_and_for_what_it_names_alone(counter: Counter):
    kept, other = await store(counter.world), await store(counter.world, FATIMA | {"national_id": "1000000016"})
    await counter.recipient("court", kind="authority")
    await counter.recipient("partner")
    assert await decide(counter, kept.record) == ("deny", "NO_ORDER", "none")
    made = await counter.ask("officer", "POST", "/orders", counter.order(kept.record))
    assert (made.status_code, made.json()["state"]) == (201, "registered")
    path = f"/orders/{made.json()['id']}"
    assert await decide(counter, kept.record) == ("deny", "ORDER_UNVERIFIED", "none")
    assert told(await counter.approve("officer", f"{path}/approval")) == (403, "same-person")
    assert told(await counter.ask("second_officer", "POST", f"{path}/approval")) == (403, "step-up-required")
    approved = await counter.approve("second_officer", f"{path}/approval")
    assert (approved.status_code, approved.json()) == (200, {"id": made.json()["id"], "state": "approved"})
    assert await decide(counter, kept.record) == ("permit", "ORDER_OK", "judicial_order")
    assert await decide(counter, kept.record, fields=["full_name", "health_note"]) == ("deny", "ORDER_SCOPE", "none")
    assert await decide(counter, kept.record, recipient="partner") == ("deny", "ORDER_RECIPIENT", "none")
    assert await decide(counter, other.record) == ("deny", "NO_ORDER", "none")
    assert await decide(counter, kept.record, "key") == ("deny", "NOT_PERMITTED", "none")
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "conflict")


async def test_whoever_approves_sees_the_order_and_her_look_is_an_entry(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient("court", kind="authority")
    body = counter.order(kept.record, issued_on="١٤٤٧/٠٧/٠٩", document_sha256="CD" * 32)
    made = (await counter.ask("officer", "POST", "/orders", body)).json()
    shown = (await counter.ask("second_officer", "GET", f"/orders/{made['id']}")).json()
    assert shown == {
        **body,
        "id": made["id"],
        "state": "registered",
        "issued_on": "1447-07-09",
        "issued_days": {"gregorian": "2025-12-29", "hijri": "1447-07-09"},
        "document_sha256": "cd" * 32,
        "executed": 0,
        "secret": False,
        "statute": None,
        "uses": None,
    }
    entry = counter.world.entries()[-1]
    assert (entry.kind, entry.order) == ("order.read", uuid.UUID(made["id"]).hex)


async def test_the_log_names_the_persons_and_neither_authority_nor_number(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    await small_counter.ordered(kept.record)
    registered, approved = [entry for entry in small_counter.world.entries() if entry.kind.startswith("order.")]
    assert (registered.kind, registered.recipient, registered.article) == ("order.registered", "court", "cooperative:4")
    assert [about.record for about in registered.about] == [kept.record]
    assert registered.fields == FIELDS
    assert (approved.kind, approved.order) == ("order.approved", registered.order)
    report = await small_counter.ask("officer", "GET", f"/records/{written(kept.record)}/access-report")
    assert "order.registered" in [item["kind"] for item in report.json()["items"]]
    assert "45/112" not in report.text


async def test_an_order_ends_with_its_time_and_when_it_is_revoked(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient("court", kind="authority")
    first = await counter.ordered(kept.record, valid_to=write_time(counter.world.clock.now + HOUR * 1_000_000))
    counter.world.clock.forward(HOUR)
    assert await decide(counter, kept.record) == ("deny", "ORDER_EXPIRED", "none")
    second = await counter.ordered(kept.record)
    assert await decide(counter, kept.record) == ("permit", "ORDER_OK", "judicial_order")
    counter.world.clock.forward(1)
    ended = await counter.ask("officer", "POST", f"/orders/{second}/revocation")
    assert (ended.status_code, ended.json()["state"]) == (200, "revoked")
    lines = [line.closing for line in counter.world.association.log.journal.lines()]
    assert lines[-1] == Closing("order", uuid.UUID(second).hex)
    assert await decide(counter, kept.record) == ("deny", "ORDER_EXPIRED", "none")
    count = len(counter.world.entries())
    assert (await counter.ask("officer", "POST", f"/orders/{second}/revocation")).json()["state"] == "revoked"
    assert len(counter.world.entries()) == count
    waiting = (await counter.ask("officer", "POST", "/orders", counter.order(kept.record))).json()["id"]
    await counter.ask("second_officer", "POST", f"/orders/{waiting}/revocation")
    assert told(await counter.approve("second_officer", f"/orders/{waiting}/approval")) == (409, "order-revoked")
    assert first != second


async def test_an_order_outlasts_death_and_reaches_nobody_whose_erasure_was_asked_for(small_counter: Counter):
    world, kept = small_counter.world, await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    await small_counter.ordered(kept.record)

    async def event(what: Any) -> None:
        def change(deed: Deed) -> None:
            known = people.of_record(deed, kept.record)
            people.change(deed, known, [happened(what, at=deed.now, by="staff:01")], Entry(kind="test", outcome="allow", actor="staff:01"))

        await world.association.run(change)

    await event(SubjectDeceased(world.clock.now))
    assert await decide(small_counter, kept.record) == ("permit", "ORDER_OK", "judicial_order")
    await event(Locked(world.clock.now))
    assert await decide(small_counter, kept.record) == ("deny", "ERASURE_PENDING", "none")


async def test_a_repeated_request_registers_one_order(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    body, once = small_counter.order(kept.record), {"Idempotency-Key": uuid.uuid4().hex}
    one, two = [await small_counter.ask("officer", "POST", "/orders", body, **once) for _ in range(2)]
    assert one.json() == two.json()
    other = await small_counter.ask("officer", "POST", "/orders", {**body, "number": "46"}, **once)
    assert told(other) == (409, "idempotency-mismatch")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"recipient": "nobody"}, "recipient", "unknown-recipient"),
        ({"records": []}, "records", "out-of-range"),
        ({"records": ["x"]}, "records.0", "unknown-record"),
        ({"records": [str(uuid.uuid4())]}, "records.0", "unknown-record"),
        ({"fields": []}, "fields", "out-of-range"),
        ({"fields": ["full_name", "shoe_size"]}, "fields.1", "unknown-field"),
        ({"fields": ["mobile", "mobile"]}, "fields", "out-of-range"),
        ({"kind": "private"}, "kind", "out-of-range"),
        ({"authority": " "}, "authority", "out-of-range"),
        ({"number": "a\u202eb"}, "number", "out-of-range"),
        ({"issued_on": "soon"}, "issued_on", "not-a-date"),
        ({"issued_on": "2025-12"}, "issued_on", "out-of-range"),
        ({"issued_on": "2026-01-03"}, "issued_on", "out-of-range"),
        ({"valid_to": "2025-12-01T00:00:00Z"}, "valid_to", "out-of-range"),
        ({"valid_from": "2030-01-01T00:00:00Z"}, "valid_to", "out-of-range"),
        ({"valid_to": "2026-13-01T00:00:00Z"}, "valid_to", "wrong-type"),
        ({"document_sha256": "xyz"}, "document_sha256", "out-of-range"),
        ({"document_sha256": "cd" * 32 + "\n"}, "document_sha256", "out-of-range"),
    ],
)
async def test_what_does_not_hold_is_named_by_its_member(small_counter: Counter, change: dict[str, Any], field: str, code: str):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    answer = await small_counter.ask("officer", "POST", "/orders", small_counter.order(kept.record, **change))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [{"field": field, "code": code}]
    assert [entry.kind for entry in small_counter.world.entries() if entry.kind.startswith("order.")] == []


async def test_a_revoked_recipient_is_none_an_order_can_name(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    await small_counter.ask("admin", "POST", "/recipients/court/revocation")
    answer = await small_counter.ask("officer", "POST", "/orders", small_counter.order(kept.record))
    assert answer.json()["errors"] == [{"field": "recipient", "code": "unknown-recipient"}]


async def test_a_record_twice_and_more_than_five_hundred_are_refused(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    for records in ([written(kept.record)] * 2, [str(uuid.uuid4()) for _ in range(501)]):
        answer = await small_counter.ask("officer", "POST", "/orders", small_counter.order(records=records))
        assert answer.json()["errors"] == [{"field": "records", "code": "out-of-range"}]


async def test_nobody_but_an_officer_touches_orders(small_counter: Counter):
    nobody = uuid.uuid4()
    for who in ("key", "admin"):
        for method, path in (("POST", "/orders"), ("GET", f"/orders/{nobody}"), ("POST", f"/orders/{nobody}/approval")):
            answer = await small_counter.ask(who, method, path, {} if method == "POST" else None)
            assert told(answer) == (403, "out-of-scope"), (who, path)
    for method, path in (("GET", f"/orders/{nobody}"), ("POST", f"/orders/{nobody}/approval"), ("POST", f"/orders/{nobody}/revocation")):
        assert told(await small_counter.ask("officer", method, path)) == (404, "not-found")


async def test_what_lies_in_the_index_loses_an_order_and_makes_none(counter: Counter):
    kept, other = await store(counter.world), await store(counter.world, FATIMA | {"national_id": "1000000016"})
    await counter.recipient("court", kind="authority")
    await counter.ordered(kept.record)
    [row] = rows_of(counter.world, order_record)
    for lie in ({**row, "record": other.record}, {**row, "order_id": bytes(16)}):
        put(counter.world, order_record, [row, lie])
        assert await decide(counter, other.record) == ("deny", "NO_ORDER", "none")
        assert await decide(counter, kept.record) == ("permit", "ORDER_OK", "judicial_order")
    put(counter.world, order_record, [])
    assert await decide(counter, kept.record) == ("deny", "NO_ORDER", "none")


async def test_a_text_in_the_index_is_no_order(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    await small_counter.ordered(kept.record)
    with small_counter.world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE order_record SET order_id = 'text'")
    assert await decide(small_counter, kept.record) == ("deny", "NO_ORDER", "none")


async def test_an_order_is_of_a_registered_authority(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("partner")
    answer = await small_counter.ask("officer", "POST", "/orders", small_counter.order(kept.record, recipient="partner"))
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "recipient", "code": "no-authority"}])
    assert [entry.kind for entry in small_counter.world.entries() if entry.kind.startswith("order.")] == []


async def test_an_order_is_spent_with_the_last_of_its_uses_and_no_package_more_leaves(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient("court", kind="authority")
    order = await counter.ordered(kept.record, uses=2, kind="regulatory", statute="المادة 15 من نظام مكافحة غسل الأموال")
    one, two = [await counter.approved(kept.record, **by_law_of_orders(order)) for _ in range(2)]
    assert (await counter.package(one)).status_code == 200
    shown = (await counter.ask("officer", "GET", f"/orders/{order}")).json()
    assert (shown["state"], shown["executed"], shown["uses"]) == ("approved", 1, 2)
    assert shown["statute"] == "المادة 15 من نظام مكافحة غسل الأموال"
    assert await decide(counter, kept.record) == ("permit", "ORDER_OK", "regulatory_order")
    assert (await counter.package(two)).status_code == 200
    counter.world.clock.forward(1)
    assert await decide(counter, kept.record) == ("deny", "ORDER_EXPIRED", "none")
    for id_ in (one, two):
        assert told(await counter.package(id_)) == (409, "decision-stale")
    shown = (await counter.ask("officer", "GET", f"/orders/{order}")).json()
    assert (shown["state"], shown["executed"]) == ("spent", 2)


async def test_of_two_who_fetch_at_once_one_gets_the_only_use(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient("court", kind="authority")
    order = await counter.ordered(kept.record, uses=1)
    one, two = [await counter.approved(kept.record, **by_law_of_orders(order)) for _ in range(2)]
    counter.world.clock.forward(2)
    answers = await asyncio.gather(*(counter.ask("officer", "GET", f"/disclosures/{id_}/package") for id_ in (one, two)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len([entry for entry in counter.world.entries() if entry.kind == "disclosure.released"]) == 1


@pytest.mark.parametrize("change", [{"uses": 0}, {"uses": 1001}, {"uses": True}, {"statute": " "}, {"statute": "a\u2028b"}, {"secret": 1}])
async def test_what_is_no_bound_and_no_statute_is_refused(small_counter: Counter, change: dict[str, Any]):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    answer = await small_counter.ask("officer", "POST", "/orders", small_counter.order(kept.record, **change))
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [*change]


async def test_of_a_secret_order_the_person_is_told_nothing_and_the_officer_all(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient("court", kind="authority")
    await counter.recipient("police", kind="authority")
    order = await counter.ordered(kept.record, secret=True)
    await counter.ordered(kept.record, recipient="police")
    await counter.package(await counter.approved(kept.record, **by_law_of_orders(order, fields=[*FIELDS, "email"])))
    path = f"/records/{written(kept.record)}/access-report"
    officer = (await counter.ask("officer", "GET", f"{path}?limit=500")).json()["items"]
    person = (await counter.ask("officer", "GET", f"{path}?limit=500&reader=person")).json()["items"]
    kinds = [item["kind"] for item in person]
    assert [item["kind"] for item in officer if item not in person and item["kind"] != "access_report.read"] == [
        "disclose",
        "disclosure.decided",
        "disclosure.decided",
        "order.registered",
    ]
    assert kinds.count("order.registered") == 1
    assert "court" not in json.dumps(person)
    paged: list[dict[str, Any]] = []
    after = ""
    while True:
        page = (await counter.ask("officer", "GET", f"{path}?limit=1&reader=person{after}")).json()
        paged += page["items"]
        if page.get("next") is None:
            break
        after = f"&after={page['next']}"
    assert [item for item in paged if item["kind"] != "access_report.read"] == [
        item for item in person if item["kind"] != "access_report.read"
    ]


async def test_the_answer_to_the_court_says_what_was_given_and_what_not_and_no_value(counter: Counter, tmp_path: Path):
    kept, other = await store(counter.world), await store(counter.world, FATIMA | {"national_id": "1000000016"})
    await counter.recipient("court", kind="authority")
    order = await counter.ordered(kept.record, other.record, secret=True, statute="المادة 3")
    id_ = await counter.approved(kept.record, other.record, **by_law_of_orders(order, fields=[*FIELDS, "email"]))
    before = await counter.ask("officer", "GET", f"/disclosures/{id_}/letter")
    assert "البيانات التي تقرَّر تسليمها" in before.text
    await counter.package(id_)
    received = {"serial": 1, "received_at": write_time(counter.world.clock.now)}
    for _ in range(2):
        noted = await counter.ask("officer", "POST", f"/disclosures/{id_}/receipts", received)
        assert (noted.status_code, noted.json()) == (200, {"id": id_, "state": "approved"})
    letter = await counter.ask("officer", "GET", f"/disclosures/{id_}/letter")
    assert letter.headers["content-type"] == "text/html; charset=utf-8"
    for said in (
        "المحكمة العامة بالرياض",
        "45/112",
        "1447-07-10 هـ",
        "2025-12-30 م",
        "المادة 3",
        "البيانات المسلَّمة",
        "الاسم الكامل",
        "الأمر لا يشمل ذلك",
        "cooperative:4",
        counter.key.fingerprint,
        "فلم يُبلَّغ أصحاب البيانات به",
        "تسلُّم النسخة رقم 1",
    ):
        assert said in letter.text, said
    english = (await counter.ask("officer", "GET", f"/disclosures/{id_}/letter?lang=en")).text
    assert "Outside the order" in english
    for page in (letter.text, english):
        assert not [value for value in FATIMA.values() if value in page]
    if CHROMIUM.exists():
        await asyncio.to_thread(look, tmp_path, {"ar": letter.text, "en": english})
    shown = (await counter.ask("officer", "GET", f"/disclosures/{id_}")).json()
    assert shown["received"] == [received]
    last = [entry for entry in counter.world.entries() if entry.kind in {"disclosure.received", "disclosure.read"}]
    assert [entry.kind for entry in last] == [
        "disclosure.read",
        "disclosure.received",
        "disclosure.read",
        "disclosure.read",
        "disclosure.read",
    ]


def look(folder: Path, pages: dict[str, str]) -> None:
    """The letters as a browser shows and prints them."""
    with chromium() as browser:
        for language, text in pages.items():
            (folder / f"{language}.html").write_text(text, encoding="utf-8")
            for width in (360, 1280):
                with looking(browser, width=width, language=language) as looked:
                    looked.page.goto((folder / f"{language}.html").as_uri())
                    if shots := os.environ.get("AMANAH_TESTS_SCREENSHOTS"):
                        looked.page.screenshot(path=str(Path(shots) / f"letter-{language}-{width}.png"), full_page=True)
                    assert looked.serious() == []
                    assert not looked.is_wider_than_the_window()


async def test_an_answer_that_gives_nothing_says_so_and_one_to_nobody_is_none(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("partner")
    made = (await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record))).json()["id"]
    letter = (await small_counter.ask("officer", "GET", f"/disclosures/{made}/letter")).text
    assert "لم يتقرَّر تسليم شيء" in letter
    assert "لا توجد موافقة" in letter
    nobody = small_counter.disclosure(kept.record, recipient="nobody")
    unknown = (await small_counter.ask("officer", "POST", "/disclosures", nobody)).json()["id"]
    assert told(await small_counter.ask("officer", "GET", f"/disclosures/{unknown}/letter")) == (404, "not-found")


async def test_a_receipt_is_of_a_package_that_left_and_of_a_time_between(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.requested(kept.record)
    now = small_counter.world.clock.now
    path = f"/disclosures/{id_}"

    async def refused(serial: int, at: int) -> list[str]:
        answer = await small_counter.ask("officer", "POST", f"{path}/receipts", {"serial": serial, "received_at": write_time(at)})
        assert answer.status_code == 422, answer.text
        return [each["field"] for each in answer.json()["errors"]]

    assert await refused(1, now) == ["serial"]
    await small_counter.approve("second_officer", f"{path}/approval")
    await small_counter.package(id_)
    assert await refused(2, small_counter.world.clock.now) == ["serial"]
    assert await refused(1, now - 1) == ["received_at"]
    assert await refused(1, small_counter.world.clock.now + 1) == ["received_at"]
