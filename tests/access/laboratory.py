"""Research as people and systems of a house ask for it, in this process; whoever is counted is invented."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from keys.tokens import new_api_key
from tests.household import asked, grant, lay_down, store
from tests.simulator import World
from vault.access.audit_api import ROUTES as AUDIT
from vault.access.erasure_api import routes as erasure_routes
from vault.access.research_api import research_routes
from vault.access.studies_api import study_routes
from vault.rulebook.shapes import CLIENT, ClientFact

PURPOSE = "internal_research"
AGE = {"name": "age", "field": "birth_date", "steps": [18, 35, 60]}
INCOME = {"name": "income", "field": "monthly_income", "steps": [2000, 5000]}
GENDER = {"name": "gender", "field": "gender", "groups": {"female": ["female"], "male": ["male"]}}
REGION = {"name": "region", "field": "short_address", "groups": {"riyadh": ["R"], "makkah": ["M"]}}
HOUSING = {"name": "housing", "field": "housing", "groups": {"rented": ["إيجار"], "owned": ["ملك"]}}
FIELDS = frozenset({"birth_date", "gender", "short_address", "monthly_income", "housing"})


@dataclass(slots=True)
class Laboratory:
    """One vault with its calls about research."""

    world: World
    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def over(cls, world: World) -> AsyncIterator["Laboratory"]:
        """Open the calls over this world."""
        factor = world.identity.factor
        async with world.front(*study_routes(factor), *research_routes(factor), *erasure_routes(factor), *AUDIT) as http:
            yield cls(world, http, {"key": world.ceremony.api_key})

    async def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One call by a person of the ceremony, or by the system (`key`)."""
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        sent = {"Authorization": f"Bearer {self.tokens[who]}", "Accept-Language": "en", **headers}
        return await self.http.request(method, f"/v1{path}", json=body, headers=sent)

    async def approve(self, who: str, path: str, **more: Any) -> httpx.Response:
        """One approval with a fresh code."""
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return await self.ask(who, "POST", path, {"code": self.world.one_time_code(who), **more})

    async def propose(self, code: str, *dimensions: dict[str, Any], form: str = "table", **changes: Any) -> httpx.Response:
        """A study as the administrator proposes it."""
        title = {"ar": "دراسة", "en": "Study"}
        body = {"form": form, "type": "beneficiary", "purpose": PURPOSE, "title": title, "dimensions": list(dimensions), **changes}
        return await self.ask("admin", "PUT", f"/research/{code}", body)

    async def laid_down(self, code: str, *dimensions: dict[str, Any], **changes: Any) -> None:
        """A study in force."""
        made = await self.propose(code, *dimensions, **changes)
        assert made.status_code == 200, made.text
        done = await self.approve("officer", f"/research/{code}/approval", proposal=made.json()["proposal"])
        assert (done.status_code, done.json()["state"]) == (200, "in-force"), done.text

    async def released(self, code: str, who: str = "key") -> Any:
        """What a system is given."""
        answer = await self.ask(who, "POST", f"/research/{code}/release", {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def extract(self, code: str) -> Any:
        """The month's extract, asked for by the officer, approved by the second, fetched by the system."""
        await self.asked_for(code)
        return await self.released(code)

    async def asked_for(self, code: str) -> None:
        """The month's extract asked for and approved."""
        made = await self.ask("officer", "POST", f"/research/{code}/extract")
        assert made.status_code == 200, made.text
        done = await self.approve("second_officer", f"/research/{code}/extract/{made.json()['month']}/approval")
        assert (done.status_code, done.json()["state"]) == (200, "approved"), done.text

    async def client(self, name: str, party: str = "INTERNAL", *scopes: str, **changes: Any) -> None:
        """A system of this party, by this name."""
        key, book = new_api_key(self.world.code), await self.world.association.refresh()
        secret = self.world.association.cabinet.pepper.hash("key", key.secret).hex()
        held: dict[str, Any] = {"name": name, "kind": "batch", "scopes": scopes, "purposes": tuple(sorted(book.purposes)), **changes}
        await lay_down(self.world, CLIENT, key.id, ClientFact(id=uuid.uuid4().hex, party=party, secret_hash=secret, **held))
        self.tokens[name] = key.text

    async def erased(self, record: bytes) -> None:
        """A person erased: asked for by the officer, approved by the second."""
        body = {"reason": "طلبت صاحبة البيانات إتلاف بياناتها كلها", "requested_by": "self"}
        locked = await self.ask("officer", "POST", f"/records/{uuid.UUID(bytes=record)}/erasure", body)
        assert locked.status_code == 202, locked.text
        done = await self.approve("second_officer", f"/erasures/{locked.json()['id']}/approval")
        assert done.status_code == 200, done.text


def people(*groups: tuple[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """So many people of each kind, each with a name and a number of her own, which nothing of research may tell."""
    every = [dict(each) for count, each in groups for _ in range(count)]
    return [
        {"full_name": f"مستفيد رقم {number}", "national_id": saudi(number), "mobile": f"05512{number:05}", **each}
        for number, each in enumerate(every)
    ]


def saudi(number: int) -> str:
    """A national ID with its check digit, of nobody."""
    digits = [1, *(int(each) for each in f"{number:08}")]
    total = sum(sum(divmod(2 * each, 10)) if at % 2 == 0 else each for at, each in enumerate(digits))
    return "".join(map(str, digits)) + str(-total % 10)


async def settle(world: World, everybody: Sequence[dict[str, Any]], *, fields: frozenset[str] = FIELDS) -> list[tuple[bytes, bytes]]:
    """Store these people, each of whom agreed to research with these fields: record and consent of each."""
    kept = [(await store(world, one)).record for one in everybody]
    world.clock.forward(1)
    consent = await asked(world, PURPOSE, fields=fields)
    given = [(record, (await grant(world, record, consent)).id) for record in kept]
    world.clock.forward(1)
    return given
