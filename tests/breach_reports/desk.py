"""Strangers who report and officers who work on it, over the real front of one association."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.simulator import World
from vault.access.breach_letters_api import breach_letter_routes
from vault.access_log.verify import snapshot
from vault.breach_reports.api import routes
from vault.breach_reports.authority_notices_api import authority_notice_routes
from vault.breach_reports.examine import examine
from vault.breach_reports.holds_api import hold_routes
from vault.breach_reports.incident_examine import examine_incidents
from vault.breach_reports.incidents_api import incident_routes
from vault.breach_reports.letters_examine import examine_letters
from vault.breach_reports.limits import Intake
from vault.breach_reports.people_notices_api import people_notice_routes
from vault.breach_reports.reports import Reports
from vault.breach_reports.retention_api import retention_routes
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.channels import Channels

NARRATIVE = "نشرت الجمعية صورة ابنتي في حسابها دون أن أوافق على النشر."
PUBLIC = "/v1/public/probe/breach-reports"
PLENTY = 10**12


@dataclass(slots=True)
class Desk:
    """The room, its front, and the sessions of the ceremony's people."""

    world: World
    reports: Reports
    http: httpx.AsyncClient
    free: list[int]
    tokens: dict[str, str] = field(default_factory=dict)

    async def public(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A call of the public's."""
        return await self.http.post(PUBLIC + path, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def report(self, **changes: Any) -> dict[str, str]:
        """A report that was taken: reference and receipt."""
        body = {"category": "published_without_consent", "narrative": NARRATIVE, "language": "ar", **changes}
        answer = await self.public("", body)
        assert answer.status_code == 201, answer.text
        told: dict[str, str] = answer.json()
        return told

    async def as_(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call of somebody of the ceremony ("officer", "second_officer", "admin")."""
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Accept-Language": "en"}
        return await self.http.request(method, f"/v1/breach-reports{path}", json=body, headers=headers)

    async def id_of(self, reference: str, state: str = "") -> str:
        """The id an officer finds a report under."""
        listed = (await self.as_("officer", "GET", f"?state={state}" if state else "")).json()["items"]
        return next(str(each["id"]) for each in listed if each["reference"] == reference)

    async def read(self, id_: str) -> dict[str, Any]:
        """A report as an officer reads it."""
        answer = await self.as_("officer", "GET", f"/{id_}")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def findings(self) -> list[str]:
        """What `amanah doctor` finds in facts and rows of reports."""
        cabinet, association = self.world.association.cabinet, self.world.association.id
        with snapshot(self.world.database) as connection:
            found = [*facts.examine(connection, cabinet, association), *examine(connection, cabinet, association)]
            found += examine_letters(connection, cabinet, association)
            return [*found, *examine_incidents(connection, cabinet, association)]


@asynccontextmanager
async def desk_of(world: World, channels: Channels | None = None, sealed: Mapping[str, Association] | None = None) -> AsyncIterator[Desk]:
    """The desk of this world, or of one whose associations are these; `free` holds the bytes its disk has left."""
    free = [PLENTY]

    def left(_folder: Path) -> int:
        return free[0]

    told = {} if channels is None else {world.code: channels}
    intake = Intake(world.limits, world.clock, left)
    reports = Reports(world.associations if sealed is None else sealed, told, intake, world.identity.factor)
    factor = world.identity.factor
    more = (
        *incident_routes(factor),
        *hold_routes(factor),
        *retention_routes(reports),
        *authority_notice_routes(told),
        *people_notice_routes(factor),
        *breach_letter_routes(told),
    )
    async with world.front(*routes(reports), *more) as http:
        yield Desk(world, reports, http, free)
