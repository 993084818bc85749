"""Consent over HTTP: statuses, codes and shapes as the contract has them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.household import BASIC, electronic, lay_down, store, written
from tests.simulator import SECOND, World
from vault.access.withdrawal_api import withdrawal_routes
from vault.access_log.tables import entry
from vault.consent import api
from vault.consent.api import ROUTES
from vault.errors import Unauthenticated
from vault.records.api import types
from vault.rulebook import refusals
from vault.rulebook.shapes import CLIENT
from vault.subjects import tables
from vault.subjects.meant import NOBODY
from vault.web.call import write_id
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Desk:
    """A stored person, and the system and officers who call about her."""

    def __init__(self, world: World, http: httpx.AsyncClient, record: bytes) -> None:
        self.world, self.http, self.record = world, http, write_id(record)

    async def call(self, method: str, path: str, body: Any = None, *, token: str | None = None, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.world.ceremony.api_key}"} | ({"Idempotency-Key": key} if key else {})
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers)

    async def body(self, purpose: str = "service_delivery", **changes: Any) -> dict[str, Any]:
        notice = (await self.call("GET", f"/notices/current?purpose={purpose}")).json()
        text = notice["texts"]["ar"]["sha256"]
        now = self.world.clock.now
        return {
            "purpose": purpose,
            "fields": list(BASIC),
            "form": "electronic",
            "explicit": False,
            "notice": {"id": notice["id"], "version": notice["version"], "language": "ar", "sha256": text},
            "given_by": "self",
            "indicated_at": write_time(now),
            "evidence": electronic(text, now),
            **changes,
        }

    async def grant(self, body: dict[str, Any] | None = None, *, key: str = "") -> httpx.Response:
        return await self.call("POST", f"/records/{self.record}/consents", body or await self.body(), key=key)


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    async with vault.front(*ROUTES, *withdrawal_routes(vault.associations, {})) as http:
        yield Desk(vault, http, (await store(vault)).record)


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World) -> AsyncIterator[Desk]:
    async with small.front(*ROUTES, *withdrawal_routes(small.associations, {})) as http:
        yield Desk(small, http, (await store(small)).record)


async def test_a_consent_from_notice_to_withdrawal(desk: Desk):
    paper = await desk.body(form="written", evidence=written("second_officer@probe", desk.world.clock.now))
    made = await desk.grant(paper)
    assert (made.status_code, made.json()["state"]) == (201, "awaiting-verification")
    consent = made.json()["id"]
    officer = await desk.world.session("officer")
    seen = await desk.call("POST", f"/consents/{consent}/verification", {"result": "verified", "sighted": "original"}, token=officer)
    assert (seen.status_code, seen.json()) == (201, {"id": consent, "state": "verified"})
    gone = await desk.call("POST", f"/consents/{consent}/withdrawal", {"given_by": "self", "reason": "too many letters"})
    assert (gone.status_code, gone.json()) == (201, {"id": consent, "state": "withdrawn"})
    told = (await desk.call("GET", f"/records/{desk.record}/consents")).json()
    (item,) = told["items"]
    assert (item["id"], item["state"], item["recipient"], item["form"], item["given_by"]) == (
        consent,
        "withdrawn",
        "INTERNAL",
        "written",
        "self",
    )
    assert {"verified_at", "ended_at", "recorded_at"} <= item.keys()
    early = write_time(desk.world.clock.now - 365 * 24 * 3600 * SECOND)
    past = (await desk.call("GET", f"/records/{desk.record}/consents?as_of={early}")).json()
    assert past == {"as_of": early, "items": [], "next": None}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a consent of tomorrow": ({"indicated_at": "2100-01-01T00:00:00Z"}, "future-dated"),
    "no time": ({"indicated_at": "today"}, "invalid"),
    "no end": ({"expires_at": "never"}, "invalid"),
    "a notice that is no id": ({"notice": {"id": "x", "version": 1, "language": "ar", "sha256": "0"}}, "invalid"),
    "a guardian that is no id": ({"given_by": "my uncle"}, "invalid"),
    "a pre-ticked box": ({"evidence": {"act": "preticked"}}, "not-affirmative"),
    "evidence of another shape": ({"evidence": {"selfie": "x"}}, "evidence-malformed"),
    "a health note without an explicit word": ({"fields": ["health_note"]}, "explicit-required"),
    "an unknown form": ({"form": "telepathic"}, "invalid"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_does_not_hold_is_422_by_its_code(till: Desk, case: str):
    change, code = WRONG[case]
    answer = await till.grant(await till.body(**change))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_wider_than_the_notice_is_422(till: Desk):
    answer = await till.grant(await till.body("sms_offers", fields=["health_note"], explicit=True))
    assert (answer.status_code, answer.json()["code"]) == (422, "exceeds-notice")


async def test_a_repeat_with_its_key_is_the_same_consent(till: Desk):
    body = await till.body()
    first, again = await till.grant(body, key="k" * 16), await till.grant(body, key="k" * 16)
    assert first.json() == again.json()
    assert (await till.grant(body | {"explicit": True}, key="k" * 16)).status_code == 409


async def test_what_somebody_agreed_to_is_told_page_by_page(desk: Desk):
    made = []
    for _ in range(5):
        desk.world.clock.forward(1)
        made.append((await desk.grant()).json()["id"])
        desk.world.clock.forward(1)
        await desk.call("POST", f"/consents/{made[-1]}/withdrawal", {"given_by": "self"})
    path, seen, after = f"/records/{desk.record}/consents", [], ""
    now = write_time(desk.world.clock.now)
    while True:
        page = (await desk.call("GET", f"{path}?limit=2{after}")).json()
        assert (page["as_of"], len(page["items"]) <= 2) == (now, True)
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        assert page["next"] == seen[-1]
        after = f"&after={page['next']}"
    assert seen == made
    whole = (await desk.call("GET", path)).json()
    assert ([one["id"] for one in whole["items"]], whole["next"]) == (made, None)
    assert (await desk.call("GET", f"{path}?after={made[-1]}")).json()["items"] == []
    early = write_time(desk.world.clock.now - 2_500_000)
    known = (await desk.call("GET", f"{path}?as_of={early}&after={made[2]}")).json()
    assert [one["id"] for one in known["items"]] == [made[3]]
    for query, status in (("limit=0", 422), ("limit=501", 422), (f"as_of={early}&after={made[4]}", 404), (f"after={desk.record}", 404)):
        assert (await desk.call("GET", f"{path}?{query}")).status_code == status, query


async def test_the_same_person_is_403_with_an_entry(till: Desk):
    made = (await till.grant(await till.body(form="written", evidence=written("officer@probe", till.world.clock.now)))).json()
    officer = await till.world.session("officer")
    answer = await till.call("POST", f"/consents/{made['id']}/verification", {"result": "verified", "sighted": "original"}, token=officer)
    assert (answer.status_code, answer.json()["code"], answer.json()["article"]) == (403, "same-person", "cooperative:6.1")
    assert answer.json()["entry"]["leaf_hash"]


async def test_a_scan_nobody_handed_in_proves_nothing(till: Desk):
    made = (await till.grant(await till.body(form="written", evidence=written("second_officer@probe", till.world.clock.now)))).json()
    body = {"result": "verified", "sighted": "scan", "scan_sha256": "ab" * 32}
    answer = await till.call("POST", f"/consents/{made['id']}/verification", body, token=await till.world.session("officer"))
    assert (answer.status_code, answer.json()["code"]) == (422, "evidence-mismatch")


async def test_a_system_verifies_nothing(till: Desk):
    made = (await till.grant()).json()
    answer = await till.call("POST", f"/consents/{made['id']}/verification", {"result": "verified", "sighted": "original"})
    assert answer.status_code == 403


async def test_a_reason_is_a_sentence_and_not_a_file(till: Desk):
    made = (await till.grant()).json()
    answer = await till.call("POST", f"/consents/{made['id']}/withdrawal", {"given_by": "self", "reason": "x" * 2001})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "reason", "code": "too-long"}])


async def test_what_is_not_there_is_not_found(till: Desk):
    nobody = "00000000-0000-0000-0000-000000000001"
    assert (await till.call("POST", f"/consents/{nobody}/withdrawal", {"given_by": "self"})).status_code == 404
    assert (await till.call("GET", f"/records/{nobody}/consents")).status_code == 404
    assert (await till.call("GET", "/notices/current?purpose=sale")).status_code == 404


async def test_purposes_tell_forms_and_articles(till: Desk):
    items = {one["code"]: one for one in (await till.call("GET", "/purposes")).json()["items"]}
    assert items["partner_sharing"]["forms"] == ["written"]
    assert (items["sms_offers"]["action"], items["sms_offers"]["article"]) == ("contact", "cooperative:6.4")
    assert items["sms_offers"]["classes"] == ["contact", "identity"]


async def test_a_withdrawal_of_a_consent_whose_row_was_taken_out_is_an_alarm_and_not_404(desk: Desk):
    consent = (await desk.grant()).json()["id"]
    await desk.call("GET", f"/records/{desk.record}/consents")
    with desk.world.database.connect() as connection, connection.begin():
        connection.execute(tables.consent.delete())
    for path, body, token in (
        ("withdrawal", {"given_by": "self"}, None),
        ("verification", {"result": "rejected", "sighted": "original"}, await desk.world.session("officer")),
    ):
        answer = await desk.call("POST", f"/consents/{consent}/{path}", body, token=token)
        assert (answer.status_code, answer.json()["code"]) == (503, "integrity")


async def test_a_consent_whose_entry_was_falsified_as_well_is_an_alarm(desk: Desk):
    consent = (await desk.grant()).json()["id"]
    with desk.world.database.connect() as connection, connection.begin():
        connection.execute(tables.consent.delete())
        broken = b"{" + consent.replace("-", "").encode()
        connection.execute(entry.update().where(entry.c.kind == "consent.granted").values(body=broken))
    answer = await desk.call("POST", f"/consents/{consent}/withdrawal", {"given_by": "self"})
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")


async def test_refusals_about_consent_are_counted_beyond_the_limit_and_one_entry_tells_how_many(till: Desk, monkeypatch: Any):
    monkeypatch.setattr(refusals, "BURST", 3)
    world = till.world
    paper = await till.body(form="written", evidence=written("officer@probe", world.clock.now))
    verification = f"/consents/{(await till.grant(paper)).json()['id']}/verification"
    officer, seen = await world.session("officer"), {"result": "verified", "sighted": "original"}
    for _ in range(4):
        assert (await till.call("POST", verification, seen, token=officer)).status_code == 403
    before = len(world.entries())
    for path, body in ((verification, seen), (f"/records/{till.record}/consents", None), (f"/records/{till.record}/consents", paper)):
        method = "GET" if body is None else "POST"
        answer = await till.call(method, path, body, token=officer)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert len(world.entries()) == before
    # Another caller is not shut out with her.
    assert (await till.call("POST", verification, seen, token=await world.session("second_officer"))).status_code == 201
    world.clock.forward(1)
    assert (await till.call("POST", verification, seen, token=officer)).status_code == 403
    counted, refused = world.entries()[-2:]
    assert (counted.kind, counted.reason, counted.count, counted.article) == ("call.refused", "TOO_MANY", 3, "cooperative:1")
    assert counted.actor == refused.actor


async def test_every_call_about_consent_rings_the_alarm_for_its_person(till: Desk):
    world, given = till.world, await till.body()
    consent = (await till.grant(given)).json()["id"]
    person = next(entry for entry in world.entries() if entry.kind == "consent.granted").about[0]
    with world.database.connect() as connection, connection.begin():
        connection.execute(tables.sheet.update().values(sealed=b"x"))
    officer = await world.session("officer")
    for method, path, body in (
        ("POST", f"/records/{till.record}/consents", given),
        ("GET", f"/records/{till.record}/consents", None),
        ("POST", f"/consents/{consent}/withdrawal", {"given_by": "self"}),
        ("POST", f"/consents/{consent}/verification", {"result": "verified", "sighted": "original"}),
    ):
        before = len(world.entries())
        answer = await till.call(method, path, body, token=officer)
        assert (answer.status_code, answer.json()["code"]) == (503, "integrity"), path
        (rung,) = world.entries()[before:]
        assert (rung.kind, rung.outcome, rung.reason, rung.article) == ("alarm", "error", "INTEGRITY", "cooperative:7")
        assert [(about.subject, about.record) for about in rung.about] == [(NOBODY, person.record)]


async def test_an_alarm_about_a_consent_no_row_leads_to_names_nobody(till: Desk):
    consent = (await till.grant()).json()["id"]
    with till.world.database.connect() as connection, connection.begin():
        connection.execute(tables.consent.delete())
    assert (await till.call("POST", f"/consents/{consent}/withdrawal", {"given_by": "self"})).status_code == 503
    rung = till.world.entries()[-1]
    assert (rung.kind, rung.about) == ("alarm", ())


async def test_the_id_of_something_else_in_the_log_is_not_found(desk: Desk):
    await desk.grant()
    answer = await desk.call("POST", f"/consents/{desk.record}/withdrawal", {"given_by": "self"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(("handler", "query"), [(api.purposes, {}), (api.current_notice, {"purpose": "service_delivery"}), (types, {})])
async def test_a_key_revoked_since_it_knocked_is_told_nothing(small: World, handler: Any, query: dict[str, str]):
    caller = await small.system()
    call = small.call()
    call.caller, call.query = caller, query
    assert (await handler(call)).body is not None
    client = (await small.association.refresh()).clients[caller.key]
    await lay_down(small, CLIENT, caller.key, msgspec.structs.replace(client, revoked_at=small.clock.now))
    with pytest.raises(Unauthenticated):
        await handler(call)
