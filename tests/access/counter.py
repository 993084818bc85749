"""The calls about third parties as officers make them, in this process: recipients, orders, disclosures, packages; people are invented."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from keys.bundles import CONTENT, unbundled
from keys.packages import PackageKey, read_package
from keys.secret import Secret
from keys.tokens import new_api_key
from tests.access.desk import written as uuid_of
from tests.household import asked, grant, lay_down, store, verify, written
from tests.simulator import World
from vault.access.agreements_api import agreement_routes
from vault.access.api import routes
from vault.access.audit_api import ROUTES
from vault.access.disclosures_api import disclosure_routes
from vault.access.erasure_api import routes as erasure_routes
from vault.access.letters import letter_routes
from vault.access.order_scans_api import order_scan_routes
from vault.access.orders_api import order_routes
from vault.access.renewing_api import ROUTES as RENEWING
from vault.access.search_api import routes as search_routes
from vault.records.service import Kept
from vault.rulebook.shapes import CLIENT
from vault.web.times import RIYADH, moment, write_time

FIELDS = ("full_name", "national_id", "mobile")
HOUR = 3600
MOST_PAPER = 3 * 1024 * 1024


@dataclass(slots=True)
class Counter:
    """One vault with its door; `key` is the private key of every recipient registered here."""

    world: World
    http: httpx.AsyncClient
    key: PackageKey = field(default_factory=lambda: PackageKey(Secret(bytes(31) + b"\x05")))
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def over(cls, world: World) -> AsyncIterator["Counter"]:
        """Open the door over this world."""
        factor = world.identity.factor
        calls = (
            *order_routes(factor),
            *order_scan_routes(MOST_PAPER),
            *agreement_routes(factor),
            *disclosure_routes(factor, {}),
            *letter_routes({}),
            *erasure_routes(factor),
        )
        async with world.front(*routes(), *ROUTES, *calls, *RENEWING, *search_routes()) as http:
            yield cls(world, http, tokens={"key": world.ceremony.api_key})

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

    def party(self, kind: str = "partner", **changes: Any) -> dict[str, Any]:
        """A recipient's body."""
        key = {"type": "hpke-x25519", "public": self.key.public}
        return {"name": {"ar": "جهة", "en": "Party"}, "kind": kind, "country": "SA", "key": key, **changes}

    async def recipient(self, code: str = "partner", **changes: Any) -> None:
        """A recipient, registered by the officer and confirmed by the second."""
        made = await self.ask("officer", "PUT", f"/recipients/{code}", self.party(**changes))
        assert made.status_code in (200, 201), made.text
        done = await self.confirm(code)
        assert done.status_code == 200, done.text

    async def confirm(self, code: str = "partner", who: str = "second_officer") -> httpx.Response:
        """Look at a recipient and confirm its key by the fingerprint that is shown."""
        listed = (await self.ask("admin", "GET", "/recipients")).json()["items"]
        seen = next(each["key"]["fingerprint"] for each in listed if each["code"] == code)
        return await self.approve(who, f"/recipients/{code}/key-confirmation", fingerprint=seen)

    async def shared(self, record: bytes, recipient: str = "partner", fields: tuple[str, ...] = FIELDS, **more: Any) -> bytes:
        """A written consent to sharing with this recipient, verified; its id."""
        paper = {"form": "written", "evidence": written("second_officer@probe", self.world.clock.now)}
        consent = await asked(self.world, "partner_sharing", recipient=recipient, fields=frozenset(fields), **paper, **more)
        given = await grant(self.world, record, consent)
        await verify(self.world, given.id, await self.world.person("officer"))
        return given.id

    async def agreed(self) -> Kept:
        """Somebody who agreed in writing that the partner, who is registered, is given her data."""
        kept = await store(self.world)
        await self.recipient()
        self.world.clock.forward(1)
        await self.shared(kept.record)
        return kept

    async def under_an_order(self) -> tuple[Kept, str]:
        """Somebody whom an approved order of the court names, and the order's id."""
        kept = await store(self.world)
        await self.recipient("court", kind="authority")
        return kept, await self.ordered(kept.record)

    def order(self, *records: bytes, **changes: Any) -> dict[str, Any]:
        """The body of an order for the court."""
        now = self.world.clock.now
        return {
            "authority": "المحكمة العامة بالرياض",
            "kind": "judicial",
            "number": "45/112",
            "issued_on": "2025-12-30",
            "recipient": "court",
            "records": [uuid_of(record) for record in records],
            "fields": list(FIELDS),
            "valid_from": write_time(now - HOUR * 1_000_000),
            "valid_to": write_time(now + 24 * HOUR * 1_000_000),
            "document_sha256": "cd" * 32,
            **changes,
        }

    async def paper(self, order: str, content: bytes, who: str = "officer", **headers: str) -> httpx.Response:
        """Hand in the scan of an order's paper."""
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        sent = {"Authorization": f"Bearer {self.tokens[who]}", "Accept-Language": "en", **headers}
        return await self.http.post(f"/v1/orders/{order}/scan", files={"file": ("paper", content)}, headers=sent)

    async def ordered(self, *records: bytes, **changes: Any) -> str:
        """An order, registered by the officer and approved by the second; its id."""
        made = await self.ask("officer", "POST", "/orders", self.order(*records, **changes))
        assert made.status_code == 201, made.text
        done = await self.approve("second_officer", f"/orders/{made.json()['id']}/approval")
        assert done.status_code == 200, done.text
        return str(made.json()["id"])

    def disclosure(self, *records: bytes, **changes: Any) -> dict[str, Any]:
        """The body of a disclosure to the partner on consent."""
        return {
            "basis": "consent",
            "recipient": "partner",
            "records": [uuid_of(record) for record in records],
            "fields": list(FIELDS),
            "purpose": "partner_sharing",
            **changes,
        }

    def agreement(self, **changes: Any) -> dict[str, Any]:
        """The body of an agreement with the partner, from today in Riyadh for ten days."""
        return {
            "recipient": "partner",
            "purposes": ["partner_sharing"],
            "record_types": ["beneficiary"],
            "classes": ["contact", "identity"],
            "from": self.day(),
            "until": self.day(9),
            "reference": "مذكرة تفاهم 45/7",
            "reason": "برنامج مشترك",
            **changes,
        }

    def day(self, later: int = 0) -> str:
        """So many days from now as the day is called in Riyadh."""
        return moment(self.world.clock.now + later * 24 * HOUR * 1_000_000).astimezone(RIYADH).date().isoformat()

    async def allied(self, **changes: Any) -> str:
        """An agreement, registered by the officer and approved by the second; its id."""
        made = await self.ask("officer", "POST", "/agreements", self.agreement(**changes))
        assert made.status_code == 201, made.text
        done = await self.approve("second_officer", f"/agreements/{made.json()['id']}/approval")
        assert done.status_code == 200, done.text
        return str(made.json()["id"])

    async def system_of(self, recipient: str = "partner", **changes: Any) -> None:
        """A key of this party's own system, who asks by the name `recipient` from now on."""
        key = new_api_key(self.world.code)
        own = next(iter((await self.world.association.refresh()).clients.values()))
        hashed = self.world.association.cabinet.pepper.hash("key", key.secret).hex()
        fact = msgspec.structs.replace(own, id=key.id.ljust(32, "0"), party=recipient, secret_hash=hashed, **changes)
        await lay_down(self.world, CLIENT, key.id, fact)
        self.tokens[recipient] = key.text

    async def requested(self, *records: bytes, **changes: Any) -> str:
        """A disclosure that the officer asked for; its id."""
        made = await self.ask("officer", "POST", "/disclosures", self.disclosure(*records, **changes))
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def approved(self, *records: bytes, **changes: Any) -> str:
        """A disclosure that the officer asked for and the second approved; its id."""
        id_ = await self.requested(*records, **changes)
        done = await self.approve("second_officer", f"/disclosures/{id_}/approval")
        assert done.status_code == 200, done.text
        return id_

    async def package(self, id_: str, who: str = "officer") -> httpx.Response:
        """Fetch a package; time passes first, so that a checkpoint can be signed."""
        self.world.clock.forward(2)
        return await self.ask(who, "GET", f"/disclosures/{id_}/package")

    def opened(self, answer: httpx.Response) -> bytes:
        """The values in a package that was fetched, as its content.json."""
        return self.files(answer)[CONTENT]

    def files(self, answer: httpx.Response) -> dict[str, bytes]:
        """All that is sealed in a package that was fetched, by name."""
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/octet-stream"
        return unbundled(self.key.opened(read_package(answer.content)))


def by_law_of_orders(order: str, **more: Any) -> dict[str, Any]:
    """What makes a disclosure one on this order, for the court."""
    return {"basis": "order", "order": order, "recipient": "court", "purpose": "legal_order", **more}


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, answer.json().get("code", "")
