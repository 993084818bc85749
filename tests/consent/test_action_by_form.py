"""The action by form matrix of the articles (tests/vectors/articles/action_by_form.json), over HTTP on both engines."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.consent.counter import Counter, routes
from tests.household import lay_down
from tests.simulator import World
from vault.access.orders_api import order_routes
from vault.rulebook.shapes import RECIPIENT, RecipientFact
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
MATRIX = json.loads((Path(__file__).parent.parent / "vectors" / "articles" / "action_by_form.json").read_text(encoding="utf-8"))
ROWS = {row["id"]: row for row in MATRIX["rows"]}
PARTIES = {"partner_a": "partner", "partner_b": "partner", "court": "authority"}
# Eighteen Hijri years after it is 2026-04-25 (Umm al-Qura as printed), some months into the life of the world of the tests.
WARD = "2008-11-06"
DAY = 24 * 3600


class Scene:
    """One person of the matrix, what was said of her, and what was made of it last."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.record = self.consent = self.guardian = ""

    async def call(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call in a session of now: months may lie between two."""
        if who != "key":
            self.counter.tokens.pop(who, None)
        return await self.counter(who, method, path, body)

    async def enter(self, kind: str) -> None:
        """Whom the row is about."""
        self.record = (await self.counter.store(WARD if kind == "ward" else "1990-05-10"))["id"]

    async def happen(self, said: dict[str, Any]) -> None:
        """One deed of the row, which has to go through."""
        if said["deed"] == "wait":
            self.counter.world.clock.forward(said["days"] * DAY)
            return
        deeds = {
            "consent": self.ask_consent,
            "verify": self.verify,
            "withdraw": self.withdraw,
            "order": self.order,
            "guardian": self.appoint,
        }
        answer = await deeds[said["deed"]](said)
        assert answer.status_code in (200, 201), answer.text

    async def ask_consent(self, said: dict[str, Any]) -> httpx.Response:
        more = {"recipient": said["recipient"]} if "recipient" in said else {}
        if "fields" in said:
            more["fields"] = said["fields"]
        if said["form"] in ("verbal", "implied"):
            more["evidence"] = {}
        by = self.guardian if said.get("by") == "guardian" else "self"
        body = await self.counter.body(said["purpose"], said["form"], given_by=by, **more)
        answer = await self.call("key", "POST", f"/records/{self.record}/consents", body)
        self.consent = answer.json().get("id", "")
        return answer

    async def verify(self, _said: dict[str, Any]) -> httpx.Response:
        seen = {"result": "verified", "sighted": "original"}
        return await self.call("officer", "POST", f"/consents/{self.consent}/verification", seen)

    async def withdraw(self, _said: dict[str, Any]) -> httpx.Response:
        return await self.call("key", "POST", f"/consents/{self.consent}/withdrawal", {"given_by": "self"})

    async def appoint(self, said: dict[str, Any]) -> httpx.Response:
        self.guardian = (await self.counter.store(national_id="1000000016"))["subject"]
        answer = await self.call("key", "POST", f"/records/{self.record}/guardians", {"guardian": self.guardian, "kind": "wali"})
        if not said["verified"]:
            return answer
        seen = {"result": "verified", "sighted": "original"}
        return await self.call("officer", "POST", f"/records/{self.record}/guardians/{self.guardian}/verification", seen)

    async def order(self, said: dict[str, Any]) -> httpx.Response:
        now = self.counter.world.clock.now
        body = {
            "authority": "المحكمة العامة",
            "kind": "judicial",
            "number": "12",
            "issued_on": write_time(now)[:10],
            "recipient": "court",
            "records": [self.record],
            "fields": said["fields"],
            "valid_from": write_time(now),
            "valid_to": write_time(now + 30 * DAY * 1_000_000),
            "document_sha256": "cd" * 32,
        }
        made = await self.call("officer", "POST", "/orders", body)
        if not said.get("approved", True):
            return made
        self.counter.tokens.pop("second_officer", None)
        return await self.counter.coded("second_officer", "POST", f"/orders/{made.json()['id']}/approval")


@pytest_asyncio.fixture(loop_scope="function")
async def scene(vault: World) -> AsyncIterator[Scene]:
    for code, kind in PARTIES.items():
        await lay_down(vault, RECIPIENT, code, RecipientFact(code=code, name={}, kind=kind, country="SA"))  # type: ignore[arg-type]
    await vault.association.refresh()
    async with vault.front(*routes(vault), *order_routes(vault.identity.factor)) as http:
        yield Scene(Counter(vault, http))


@pytest.mark.parametrize("row", ROWS)
async def test_a_row_of_the_matrix_is_answered_as_the_article_has_it(scene: Scene, row: str):
    told = ROWS[row]
    await scene.enter(told.get("of", "adult"))
    for said in told["given"]:
        await scene.happen(said)
        scene.counter.world.clock.forward(1)
    if refused := told.get("refused"):
        answer = await scene.ask_consent(refused["given"])
        assert answer.status_code == refused["status"], answer.text
        assert answer.json()["code"] == refused.get("code", answer.json()["code"])
    question = {"recipient": "INTERNAL", "fields": ["mobile"], **told["ask"], "record": scene.record}
    answer = await scene.call("officer", "POST", "/decisions", question)
    assert answer.status_code == 200, answer.text
    found = {name: answer.json()[name] for name in told["expect"]}
    assert found == told["expect"]


async def test_every_action_of_the_contract_has_rows():
    assert {row["ask"]["action"] for row in ROWS.values()} == {"use", "contact", "publish", "disclose"}
    assert len(ROWS) == len(MATRIX["rows"])
