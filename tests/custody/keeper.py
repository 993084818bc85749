"""The calls about the keys as people make them, in this process, and what their steps come to."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.simulator import World
from vault.custody import carrying_out, rewrapping, rotating
from vault.custody.api import routes
from vault.rulebook.association import Association
from vault.rulebook.key_facts import CeremonyFact, KeysFact, keys_fact


@dataclass(slots=True)
class Keeper:
    """One vault and its keys' calls; `tokens` are sessions of the ceremony's people."""

    world: World
    http: httpx.AsyncClient
    tokens: dict[str, str]

    @classmethod
    @asynccontextmanager
    async def over(cls, world: World) -> AsyncIterator["Keeper"]:
        """Open the calls over this world, with three people signed in."""
        async with world.front(*routes(world.identity.factor)) as http:
            yield cls(world, http, {who: await world.session(who) for who in ("admin", "officer", "second_officer")})

    async def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One call of a person, or of the system."""
        token = self.tokens.get(who, self.world.ceremony.api_key)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(
            method, f"/v1/keys/ceremonies{path}", json=body, headers={"Authorization": f"Bearer {token}", **more}
        )

    async def propose(self, act: str, **members: Any) -> str:
        """A ceremony the administrator proposed: its id."""
        answer = await self.ask("admin", "POST", "", {"act": act, **members})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def approve(self, id_: str, who: str = "officer") -> httpx.Response:
        """Approve it with a fresh code."""
        return await self.ask(who, "POST", f"/{id_}/approval", {"code": self.world.one_time_code(who)})

    async def agreed(self, act: str, **members: Any) -> bytes:
        """A ceremony two people agreed on: its id."""
        id_ = await self.propose(act, **members)
        answer = await self.approve(id_)
        assert (answer.status_code, answer.json()["state"]) == (200, "approved"), answer.text
        return uuid.UUID(id_).bytes

    async def carried_out(self, act: str, **members: Any) -> CeremonyFact:
        """Agreed on and carried out."""
        return carry_out(self.world, await self.agreed(act, **members))


def rotate(world: World) -> int:
    """A new epoch, as the machine makes it."""
    return rotating.rotate(world.association, world.root, world.clock)


def rewrap(world: World, association: Association | None = None) -> rewrapping.Rewrapped:
    """Everything under the newest epoch; nobody waits."""
    return rewrapping.rewrap(association or world.association, world.clock, pause=lambda _: None)


def carry_out(world: World, id_: bytes, association: Association | None = None) -> CeremonyFact:
    """What was agreed on, as the machine carries it out."""
    return carrying_out.carry_out(association or world.association, world.root, world.clock, id_)


def known(world: World) -> KeysFact:
    """What the log says of the keys."""
    return world.association.log.run_now(world.database, [keys_fact], world.clock)[0]
