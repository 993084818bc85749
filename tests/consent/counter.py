"""A counter at which people and systems call about somebody: what the tests of the consent room share."""

from typing import Any

import httpx

from tests.household import electronic, written
from tests.simulator import World
from vault.access.api import routes as reading
from vault.access.withdrawal_api import withdrawal_routes
from vault.consent.api import ROUTES
from vault.consent.events_api import EVENT_ROUTES
from vault.consent.guardians_api import guardian_routes
from vault.consent.merging_api import merge_routes
from vault.records.api import ROUTES as RECORDS
from vault.web.route import Route
from vault.web.times import write_time


def routes(world: World) -> list[Route]:
    """The calls of the room, and storing and reading beside them."""
    factor = world.identity.factor
    withdrawing = withdrawal_routes(world.associations, {})
    return [*ROUTES, *withdrawing, *EVENT_ROUTES, *merge_routes(factor), *guardian_routes(factor), *RECORDS, *reading()]


class Counter:
    """Calls by whoever is named: "key" for the system, else a person of the ceremony."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http
        self.tokens: dict[str, str] = {"key": world.ceremony.api_key}

    async def __call__(self, who: str, method: str, path: str, body: Any = None, *, key: str = "") -> httpx.Response:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | ({"Idempotency-Key": key} if key else {})
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers)

    async def coded(self, who: str, method: str, path: str, **body: Any) -> httpx.Response:
        """The same with a fresh one-time code in the body."""
        await self(who, "GET", "/purposes")
        return await self(who, method, path, {**body, "code": self.world.one_time_code(who)})

    async def store(self, birth_date: str = "1990-05-10", national_id: str = "1000000008") -> dict[str, Any]:
        """Somebody new."""
        fields = {"full_name": "سارة بنت فهد", "national_id": national_id, "birth_date": birth_date, "mobile": "0551234567"}
        answer = await self("key", "POST", "/records", {"type": "beneficiary", "fields": fields})
        assert answer.status_code == 201, answer.text
        kept: dict[str, Any] = answer.json()
        return kept

    async def notice(self, purpose: str) -> dict[str, Any]:
        """What a consent says of the notice in force."""
        told = (await self("key", "GET", f"/notices/current?purpose={purpose}")).json()
        return {"id": told["id"], "version": told["version"], "language": "ar", "sha256": told["texts"]["ar"]["sha256"]}

    async def body(self, purpose: str = "service_delivery", form: str = "electronic", **changes: Any) -> dict[str, Any]:
        """A sound consent of now."""
        notice, now = await self.notice(purpose), self.world.clock.now
        proof = electronic(notice["sha256"], now) if form == "electronic" else written("second_officer@probe", now)
        whole: dict[str, Any] = {
            "purpose": purpose,
            "fields": ["full_name", "mobile"],
            "form": form,
            "explicit": False,
            "notice": notice,
            "given_by": "self",
            "indicated_at": write_time(now),
            "evidence": proof,
        }
        return {**whole, **changes}

    async def again(self, purpose: str = "service_delivery", form: str = "electronic", **changes: Any) -> dict[str, Any]:
        """The same as a renewal or confirmation takes it."""
        whole = await self.body(purpose, form, **changes)
        return {name: value for name, value in whole.items() if name not in ("purpose", "fields", "recipient")}

    async def grant(self, record: str, purpose: str = "service_delivery", form: str = "electronic", **changes: Any) -> str:
        """A consent that was recorded."""
        answer = await self("key", "POST", f"/records/{record}/consents", await self.body(purpose, form, **changes))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def reason(self, record: str, purpose: str = "service_delivery", who: str = "officer", **changes: Any) -> str:
        """What a decision says."""
        action = {"service_delivery": "use", "partner_sharing": "disclose"}.get(purpose, "contact")
        question = {"record": record, "action": action, "purpose": purpose, "recipient": "INTERNAL", "fields": ["mobile"], **changes}
        answer = await self(who, "POST", "/decisions", question)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["reason"])

    async def consents(self, record: str, who: str = "officer") -> dict[str, Any]:
        """What is told of somebody's consents."""
        answer = await self(who, "GET", f"/records/{record}/consents")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told
