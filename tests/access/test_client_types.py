"""A key for records of some types: every way to a record of another type is shut, and a withdrawal is taken wherever it is brought."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.access.desk import written
from tests.access.test_tampering import client
from tests.household import FATIMA, asked, grant, store
from tests.simulator import World
from vault.access.api import routes as reading
from vault.access.assignments_api import assignment_routes
from vault.access.consent_proof_api import consent_proof_routes
from vault.access.search_api import routes as search_routes
from vault.access.withdrawal_api import withdrawal_routes
from vault.consent.api import ROUTES as CONSENT
from vault.consent.receipts_api import receipt_routes
from vault.identity.scopes import require_system
from vault.records.api import ROUTES as RECORDS

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture
async def http(vault: World) -> AsyncIterator[httpx.AsyncClient]:
    calls = (*RECORDS, *CONSENT, *receipt_routes({}), *consent_proof_routes({}), *reading(), *search_routes())
    calls = (*calls, *withdrawal_routes(vault.associations, {}))
    async with vault.front(*calls, *assignment_routes(vault.identity.factor)) as made:
        yield made


async def test_nothing_about_a_record_of_another_type_is_answered(vault: World, http: httpx.AsyncClient):
    mine, other = await store(vault, type_="beneficiary"), await store(vault, {"full_name": "منى"}, type_="donor")
    vault.clock.forward(1)
    given = await grant(vault, mine.record)
    theirs = await grant(vault, other.record, await asked(vault, fields=frozenset({"full_name"})))
    key, _, _ = await client(vault, "donors", types=("donor",))
    count = len(vault.entries())

    async def call(method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await http.request(method, f"/v1{path}", json=body, headers={"Authorization": f"Bearer {key}", **headers})

    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json().get("code", "")

    shut = (403, "out-of-scope")
    reads = "purpose=service_delivery&fields=full_name"
    record = f"/records/{written(mine.record)}"
    question = {"action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}
    assert told(await call("GET", f"{record}?{reads}")) == shut
    assert told(await call("PATCH", record, {"fields": {"full_name": "x"}}, **{"If-Match": '"1"'})) == shut
    assert told(await call("POST", "/records", {"type": "beneficiary", "fields": {"full_name": "x"}})) in {shut, (422, "invalid")}
    assert told(await call("GET", "/records?type=beneficiary&limit=5")) == shut
    assert told(await call("GET", f"{record}/consents")) == shut
    assert told(await call("GET", f"{record}/assignments")) == shut
    assert told(await call("POST", f"{record}/assignments", {"to": {"unit": "north"}, "reason": "because"})) == shut
    assert told(await call("GET", f"/consents/{uuid.UUID(bytes=given.id)}/receipt")) == shut
    assert told(await call("GET", f"/consents/{uuid.UUID(bytes=given.id)}/proof")) == shut
    assert told(await call("GET", f"{record}/consent-proof")) == shut
    search = {"field": "mobile", "value": "0551234567", "purpose": "service_delivery"}
    assert told(await call("POST", "/records/search", {"type": "beneficiary", **search})) == shut
    decision = (await call("POST", "/decisions", {"record": written(mine.record), **question})).json()
    assert (decision["decision"], decision["reason"]) == ("deny", "OUT_OF_SCOPE")
    many = {"ids": [written(mine.record), written(other.record)], "purpose": "service_delivery", "fields": ["full_name"]}
    assert [one["status"] for one in (await call("POST", "/records/read", many)).json()["results"]] == [403, 200]
    refused = [entry for entry in vault.entries()[count:] if entry.outcome == "refuse"]
    assert {entry.reason for entry in refused} == {"OUT_OF_SCOPE"}
    assert len(refused) >= 12
    listed = (await call("GET", "/records?limit=50")).json()["items"]
    assert [(one["id"], one["type"]) for one in listed] == [(written(other.record), "donor")]
    assert (await call("GET", f"/records/{written(other.record)}?{reads}")).status_code == 200
    assert (await call("GET", f"/consents/{uuid.UUID(bytes=theirs.id)}/receipt")).status_code == 200
    assert (await call("POST", f"/consents/{uuid.UUID(bytes=given.id)}/withdrawal", {"given_by": "self"})).status_code == 201


async def test_the_key_of_a_public_form_stores_and_is_told_nothing_of_anybody(vault: World, http: httpx.AsyncClient):
    """004 5-2: whoever steals it from the form learns nothing, not even who is here already."""
    known = await store(vault)
    given = await grant(vault, known.record)
    scopes = require_system(("applications:write", "consents:write", "notices:read"), internal=True)
    key, _, _ = await client(vault, "form", scopes=scopes, types=("beneficiary",))

    async def call(method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await http.request(method, f"/v1{path}", json=body, headers={"Authorization": f"Bearer {key}", **headers})

    body = {"type": "beneficiary", "fields": FATIMA}
    once = {"Idempotency-Key": "0123456789abcdef"}
    twin, new = await call("POST", "/applications", body, **once), await call("POST", "/applications", body)
    assert (twin.status_code, new.status_code) == (201, 201), "that she is here already is not told"
    assert set(twin.json()) == set(new.json()) == {"id"}
    assert (await call("POST", "/applications", body, **once)).json() == twin.json()
    assert len({written(known.record), twin.json()["id"], new.json()["id"]}) == 3
    assert (await call("POST", "/applications", {"type": "donor", "fields": {"full_name": "منى"}})).json()["code"] == "out-of-scope"
    wrong: tuple[dict[str, Any], ...] = ({"subject": {"id": written(known.subject)}}, {"fields": {**FATIMA, "dragon": "x"}}, {"fields": {}})
    for more in wrong:
        answer = await call("POST", "/applications", {**body, **more})
        assert answer.status_code == 422
        assert FATIMA["full_name"] not in answer.text
    own, hers = f"/records/{twin.json()['id']}", f"/records/{written(known.record)}"
    question = {"action": "use", "purpose": "intake", "recipient": "INTERNAL", "fields": ["full_name"], "record": twin.json()["id"]}
    search = {"type": "beneficiary", "field": "national_id", "value": FATIMA["national_id"], "purpose": "intake"}
    refused = [
        *[await call("GET", f"{record}?purpose=intake&fields=full_name") for record in (own, hers)],
        *[await call("GET", f"{record}/{what}") for record in (own, hers) for what in ("consents", "consent-proof", "assignments")],
        await call("GET", f"/consents/{uuid.UUID(bytes=given.id)}/receipt"),
        await call("GET", "/records?limit=5"),
        await call("PATCH", own, {"fields": {"full_name": "x"}}, **{"If-Match": '"1"'}),
        await call("POST", "/records", body),
        await call("POST", "/records/search", search),
        await call("POST", "/records/read", {"ids": [twin.json()["id"]], "purpose": "intake", "fields": ["full_name"]}),
        await call("POST", "/decisions", question),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(403, "out-of-scope")}
    assert not any(FATIMA["full_name"] in answer.text for answer in refused)
