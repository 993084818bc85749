"""Records over HTTP: stored, updated, listed and told of; what does not hold is said member by member and leaves the rest alone."""

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.household import FATIMA, findings
from tests.simulator import World
from vault.access_log.entry import Entry
from vault.errors import Unavailable
from vault.records import service
from vault.records.api import MOST_IN_A_DEED, ROUTES
from vault.records.values import ValueRefused, national_id
from vault.rulebook.alarm import ring
from vault.rulebook.asker import Errand
from vault.storage.journal import Closing
from vault.subjects import people, tables
from vault.subjects.meant import NOBODY, by_subject
from vault.web.call import parse_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
KEY = "a-key-of-the-caller"


class Desk:
    """The system of the ceremony, calling over HTTP."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(
            method, f"/v1{path}", json=body, headers={"Authorization": f"Bearer {self.world.ceremony.api_key}", **names}
        )

    async def store(self, fields: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        return await self.call(
            "POST", "/records", {"type": "beneficiary", "fields": FATIMA if fields is None else fields, **more}, **headers
        )


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(one["field"], one["code"]) for one in answer.json()["errors"]]


def identity(number: int) -> str:
    """A national ID with its check digit, of nobody."""

    def holds(digit: int) -> bool:
        try:
            return bool(national_id(f"1{number:08d}{digit}"))
        except ValueRefused:
            return False

    return next(f"1{number:08d}{digit}" for digit in range(10) if holds(digit))


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World):
    async with vault.front(*ROUTES) as http:
        yield Desk(vault, http)


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World):
    async with small.front(*ROUTES) as http:
        yield Desk(small, http)


async def test_a_record_is_stored_and_its_entry_holds_no_value(desk: Desk):
    answer = await desk.store()
    assert answer.status_code == 201
    assert answer.json().keys() == {"id", "subject", "revision"}
    last = desk.world.entries()[-1]
    assert (last.kind, last.outcome, last.fields) == ("record.stored", "allow", ())
    assert last.about[0].record == parse_id(answer.json()["id"])
    assert last.request


async def test_the_same_person_twice_is_not_told_that_she_exists(desk: Desk):
    first, second = await desk.store(), await desk.store()
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["subject"] != second.json()["subject"]


REFUSED: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "an unknown type": ({"type": "orphan"}, [("type", "unknown-type")]),
    "an unknown field": ({"fields": FATIMA | {"shoe_size": 1}}, [("fields", "unknown-field")]),
    "a wrong check digit": ({"fields": FATIMA | {"national_id": "1000000009"}}, [("fields.national_id", "check-digit")]),
    "no name": ({"fields": {"national_id": "1000000008"}}, [("fields.full_name", "missing")]),
    "neither ID nor a note why": ({"fields": {"full_name": "فاطمة الشمري"}}, [("fields.national_id", "missing")]),
    "an income beyond belief": ({"fields": FATIMA | {"monthly_income": 10**9}}, [("fields.monthly_income", "out-of-range")]),
    "a choice nobody offered": ({"fields": FATIMA | {"gender": "x"}}, [("fields.gender", "not-an-option")]),
    "nobody's id": ({"subject": {"id": "00000000-0000-0000-0000-000000000001"}}, [("subject.id", "unknown-subject")]),
    "no id": ({"subject": {"id": "nobody"}}, [("subject.id", "unknown-subject")]),
    "both id and kind": ({"subject": {"id": "00000000-0000-0000-0000-000000000001", "kind": "x"}}, [("subject", "id-or-kind")]),
    "a kind of the caller's own making": ({"subject": {"kind": "orphan"}}, [("subject.kind", "unknown-kind")]),
    "an unknown guardian": (
        {"subject": {"kind": "beneficiary", "guardian": {"subject": "00000000-0000-0000-0000-000000000001", "kind": "wali"}}},
        [("subject.guardian.subject", "unknown-subject")],
    ),
    "a guardianship without a time": (
        {
            "subject": {
                "kind": "beneficiary",
                "guardian": {"subject": "00000000-0000-0000-0000-000000000001", "kind": "wali", "valid_to": "soon"},
            }
        },
        [("subject.guardian.valid_to", "wrong-type")],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_does_not_hold_is_named_and_stores_nothing(till: Desk, case: str):
    changes, errors = REFUSED[case]
    before = len(till.world.entries())
    answer = await till.call("POST", "/records", {"type": "beneficiary", "fields": FATIMA, **changes})
    assert (answer.status_code, told(answer)) == (422, errors)
    assert FATIMA["full_name"] not in answer.text
    assert len(till.world.entries()) == before


async def test_every_fault_of_a_record_is_told_at_once(till: Desk):
    answer = await till.store({"mobile": "12", "email": "no"})
    assert {field for field, _ in told(answer)} == {"fields.mobile", "fields.email", "fields.full_name", "fields.national_id"}


async def test_a_repeat_with_the_same_key_gives_the_same_record(desk: Desk):
    first, again = await desk.store(headers={"Idempotency_Key": KEY}), await desk.store(headers={"Idempotency_Key": KEY})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    reordered = dict(reversed(FATIMA.items()))
    assert (await desk.store(reordered, headers={"Idempotency_Key": KEY})).json() == first.json()
    other = await desk.store(FATIMA | {"mobile": "0559999999"}, headers={"Idempotency_Key": KEY})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-mismatch")
    assert (await desk.store()).json()["id"] != first.json()["id"]
    desk.world.clock.forward(24 * 3600 + 1)
    assert (await desk.store(headers={"Idempotency_Key": KEY})).json()["id"] != first.json()["id"]


async def test_a_repeat_after_its_record_is_erased_is_gone(till: Desk):
    first = await till.store(headers={"Idempotency_Key": KEY})
    subject, record = parse_id(first.json()["subject"]), parse_id(first.json()["id"])
    told, closes = Entry(kind="erasure.approved", outcome="allow", actor="system"), Closing("erasure", subject.hex())
    await till.world.association.run(lambda deed: people.erase(deed, subject, [record], told, closes=closes))
    again = await till.store(headers={"Idempotency_Key": KEY})
    assert (first.status_code, again.status_code, again.json()["code"]) == (201, 410, "gone")


async def test_a_batch_stands_row_by_row(desk: Desk):
    bad = {"type": "beneficiary", "fields": {"full_name": "فاطمة الشمري"}}
    strange = {"type": "beneficiary", "fields": FATIMA, "subject": {"id": "00000000-0000-0000-0000-000000000001"}}
    good = {"type": "beneficiary", "fields": FATIMA}
    answer = await desk.call("POST", "/records/batch", {"items": [good, bad, strange, good]})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 422, 422, 201]
    assert results[1]["problem"]["errors"] == [{"field": "fields.national_id", "code": "missing"}]
    assert results[2]["problem"]["errors"] == [{"field": "subject.id", "code": "unknown-subject"}]
    assert [entry.kind for entry in desk.world.entries()][-2:] == ["record.stored", "record.stored"]
    listed = await desk.call("GET", "/records")
    assert {one["id"] for one in listed.json()["items"]} == {results[0]["id"], results[3]["id"]}


async def test_a_row_that_fails_late_undoes_itself_alone(desk: Desk):
    kept = (await desk.store()).json()
    with desk.world.database.connect() as connection, connection.begin():
        connection.execute(tables.data_key.delete())
    good = {"type": "beneficiary", "fields": FATIMA}
    answer = await desk.call("POST", "/records/batch", {"items": [good, good | {"subject": {"id": kept["subject"]}}, good]})
    assert [one["status"] for one in answer.json()["results"]] == [201, 503, 201]
    assert answer.json()["results"][1]["problem"]["code"] == "integrity"


async def test_what_a_failing_row_wrote_is_undone_with_it(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    place, calls = service._add_place, []

    def second_fails(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise Unavailable("integrity")
        place(*arguments)

    monkeypatch.setattr(service, "_add_place", second_fails)
    before = len(desk.world.entries())
    answer = await desk.call("POST", "/records/batch", {"items": [{"type": "beneficiary", "fields": FATIMA}] * 3})
    assert [one["status"] for one in answer.json()["results"]] == [201, 503, 201]
    assert [entry.kind for entry in desk.world.entries()[before:]] == ["record.stored", "record.stored", "alarm"]
    assert findings(desk.world) == []


async def test_a_batch_is_cut_into_deeds(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    deeds: list[int] = []
    await desk.world.association.book()
    run = type(desk.world.association).run

    async def counted(self: Any, unit: Any, *, weight: int = 1) -> Any:
        deeds.append(weight)
        return await run(self, unit, weight=weight)

    monkeypatch.setattr(type(desk.world.association), "run", counted)
    items = [{"type": "beneficiary", "fields": FATIMA | {"national_id": identity(number)}} for number in range(MOST_IN_A_DEED + 1)]
    headers = {"Idempotency_Key": KEY}
    answer = await desk.call("POST", "/records/batch", {"items": items}, **headers)
    assert [one["status"] for one in answer.json()["results"]] == [201] * len(items)
    assert deeds == [MOST_IN_A_DEED, 1]
    again = await desk.call("POST", "/records/batch", {"items": items}, **headers)
    assert again.json() == answer.json()


@pytest.mark.parametrize("count", [0, 501])
async def test_a_batch_has_one_to_five_hundred_rows(till: Desk, count: int):
    answer = await till.call("POST", "/records/batch", {"items": [{"type": "beneficiary", "fields": {}}] * count})
    assert (answer.status_code, told(answer)) == (422, [("items", "out-of-range")])


async def test_what_was_stored_before_the_vault_got_busy_is_told(till: Desk, monkeypatch: pytest.MonkeyPatch):
    items = [{"type": "beneficiary", "fields": FATIMA}] * (MOST_IN_A_DEED + 1)
    await till.world.association.book()
    run = type(till.world.association).run
    deeds: list[int] = []

    async def second_fails(self: Any, unit: Any, *, weight: int = 1) -> Any:
        deeds.append(weight)
        if len(deeds) > 1:
            raise Unavailable("busy")
        return await run(self, unit, weight=weight)

    monkeypatch.setattr(type(till.world.association), "run", second_fails)
    answer = await till.call("POST", "/records/batch", {"items": items})
    assert [one["status"] for one in answer.json()["results"]] == [201] * MOST_IN_A_DEED + [503]
    answer = await till.call("POST", "/records/batch", {"items": items[:1]})
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


async def test_an_update_needs_the_present_revision(desk: Desk):
    kept = (await desk.store()).json()
    path, change = f"/records/{kept['id']}", {"fields": {"mobile": "0559999999"}}
    assert (await desk.call("PATCH", path, change)).status_code == 428
    done = await desk.call("PATCH", path, change, If_Match='"1"')
    assert (done.status_code, done.json(), done.headers["etag"]) == (200, {"id": kept["id"], "revision": 2}, '"2"')
    lost = await desk.call("PATCH", path, change, If_Match='"1"')
    assert (lost.status_code, lost.json()["code"]) == (412, "revision-mismatch")
    last = desk.world.entries()[-1]
    assert (last.kind, last.fields) == ("record.updated", ("mobile",))


async def test_of_two_updates_at_once_one_loses(desk: Desk):
    kept = (await desk.store()).json()
    change = {"fields": {"mobile": "0559999999"}}
    both = await asyncio.gather(*[desk.call("PATCH", f"/records/{kept['id']}", change, If_Match='"1"') for _ in range(2)])
    assert sorted(one.status_code for one in both) == [200, 412]


UPDATES: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "nothing": ({}, [("fields", "no-fields")]),
    "an unknown field": ({"shoe_size": 1}, [("fields", "unknown-field")]),
    "the name emptied": ({"full_name": None}, [("fields.full_name", "missing")]),
    "the ID emptied with nothing in its place": ({"national_id": None}, [("fields.national_id", "missing")]),
    "the ID emptied with a note why": ({"national_id": None, "identity_note": "يصدر قريبا"}, []),
    "a wrong number": ({"mobile": "1"}, [("fields.mobile", "not-a-mobile")]),
}


@pytest.mark.parametrize("case", UPDATES)
async def test_an_update_is_checked_like_a_record(till: Desk, case: str):
    fields, errors = UPDATES[case]
    kept = (await till.store()).json()
    answer = await till.call("PATCH", f"/records/{kept['id']}", {"fields": fields}, If_Match='"1"')
    if not errors:
        assert answer.status_code == 200
        return
    assert answer.status_code == 422
    assert [field for field, _ in told(answer)] == [field for field, _ in errors]


async def test_an_unknown_record_is_not_found(till: Desk):
    for name in ("00000000-0000-0000-0000-000000000001", "nobody"):
        assert (await till.call("PATCH", f"/records/{name}", {"fields": {"mobile": "0559999999"}}, If_Match='"1"')).status_code == 404


async def test_a_list_goes_page_by_page_by_key(desk: Desk):
    made = sorted([(await desk.store()).json()["id"] for _ in range(5)])
    guardian = await desk.call(
        "POST", "/records", {"type": "guardian", "fields": {"full_name": "خالد الشمري", "national_id": "1000000016"}}
    )
    seen, after, pages = [], "", 0
    while True:
        page = (await desk.call("GET", f"/records?type=beneficiary&limit=2{after}")).json()
        seen += [one["id"] for one in page["items"]]
        pages += 1
        assert page["items"][0].keys() == {"id", "type", "revision", "review_month"}
        assert page["items"][0]["review_month"] == "2027-01"
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert (seen, pages) == (made, 3)
    last = desk.world.entries()[-1]
    assert (last.kind, last.count, last.about) == ("record.listed", 1, ())
    everybody = (await desk.call("GET", "/records")).json()["items"]
    assert {one["id"] for one in everybody} == {*made, guardian.json()["id"]}


async def test_record_types_are_told_field_by_field(till: Desk):
    answer = await till.call("GET", "/record-types")
    assert answer.status_code == 200
    types = {one["name"]: one for one in answer.json()["items"]}
    assert {"beneficiary", "guardian", "donor", "visitor"} <= types.keys()
    beneficiary = types["beneficiary"]
    fields = {one["name"]: one for one in beneficiary["fields"]}
    assert fields["full_name"].keys() == {"name", "type", "class", "searchable", "required", "labels", "choices"}
    assert (fields["full_name"]["class"], fields["full_name"]["required"], fields["full_name"]["searchable"]) == ("identity", True, True)
    assert fields["health_note"]["class"] == "health"
    assert fields["gender"]["choices"] == ["male", "female", "unspecified"]
    assert beneficiary["one_of"] == [["national_id", "identity_note"]]


async def test_every_deed_of_this_room_on_a_person_rings_the_alarm(desk: Desk):
    world = desk.world
    made = (await desk.store()).json()
    subject, record = parse_id(made["subject"]), parse_id(made["id"])
    again = {"type": "beneficiary", "fields": FATIMA, "subject": {"id": made["subject"]}}
    with world.database.connect() as connection, connection.begin():
        connection.execute(tables.sheet.update().values(sealed=b"x"))
    for method, path, body, headers, about in (
        ("PATCH", f"/records/{made['id']}", {"fields": {"mobile": None}}, {"If_Match": '"1"'}, (NOBODY, record)),
        ("POST", "/records", again, {}, (subject, None)),
        ("POST", "/records/batch", {"items": [again, {"type": "beneficiary", "fields": FATIMA}]}, {}, (subject, None)),
    ):
        answer = await desk.call(method, path, body, **headers)
        problem = answer.json() if answer.status_code != 200 else answer.json()["results"][0]["problem"]
        assert problem["code"] == "integrity", path
        rung = world.entries()[-1]
        assert (rung.kind, rung.outcome, rung.reason, rung.article) == ("alarm", "error", "INTEGRITY", "cooperative:7")
        assert [(each.subject, each.record) for each in rung.about] == [about]


async def test_a_deed_about_nobody_the_vault_knows_rings_no_alarm(desk: Desk):
    before = len(desk.world.entries())
    stranger = {"id": "00000000-0000-4000-8000-000000000000"}
    assert (await desk.store(subject=stranger)).status_code == 422
    assert len(desk.world.entries()) == before
    await ring(Errand(await desk.world.system(), "r"), Unavailable("integrity"), by_subject(parse_id(stranger["id"])))
    await ring(Errand(await desk.world.system(), "r"), Unavailable("integrity"), by_subject(None))
    assert [entry.about for entry in desk.world.entries()[before:]] == [(), ()]
