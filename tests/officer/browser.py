"""The pages as a browser without a script sees them, in this process: it keeps the session's cookie and fills in forms."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx

from tests.access.counter import Counter
from tests.simulator import World
from vault.breach_reports.limits import Intake
from vault.breach_reports.reports import Reports
from vault.officer.api import routes
from vault.officer.frame import Frame
from vault.rulebook.channels import Channels

COOKIE = "__Host-amanah"
OURS = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}


@dataclass(slots=True)
class Window:
    """One browser; `requests` counts what it asked for, `counter` is what systems and officers do beside it."""

    world: World
    http: httpx.AsyncClient
    counter: Counter
    reports: Reports
    language: str = "en"
    cookie: str = ""
    token: str = ""
    requests: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def over(cls, world: World) -> AsyncIterator["Window"]:
        """Open the pages over this world."""
        channels = {world.code: Channels()}
        reports = Reports(world.associations, channels, Intake(world.limits, world.clock), world.identity.factor)
        async with Counter.over(world) as counter, world.front(*routes(Frame(world.identity, channels), reports)) as http:
            yield cls(world, http, counter, reports)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """Look at a page."""
        return await self._ask("GET", path, {"lang": self.language, **query})

    async def send(self, path: str, headers: Any = None, **fields: Any) -> httpx.Response:
        """Send a form of the page that was looked at last."""
        form = {"token": self.token, **fields} if self.token else fields
        return await self._ask("POST", path, {"lang": self.language}, data=form, headers=OURS if headers is None else headers)

    async def sign_in(self, who: str = "officer", **over: str) -> httpx.Response:
        """Sign in as somebody of the ceremony, and follow to the first page."""
        account = self.world.ceremony.staff[who]
        given = {"username": account.username, "password": account.password, "code": self.world.one_time_code(who)}
        self.token = ""
        answer = await self.send("/officer/sign-in", **{**given, **over})
        if answer.status_code != 303:
            return answer
        return await self.get(answer.headers["location"].partition("?")[0])

    async def approve(self, who: str, **fields: Any) -> httpx.Response:
        """Approve or reject as the page offers it, with a fresh code."""
        return await self.send("/officer/approvals", code=self.world.one_time_code(who), **fields)

    async def _ask(self, method: str, path: str, query: dict[str, Any], **more: Any) -> httpx.Response:
        headers = {**(more.pop("headers", None) or {}), "Accept": "text/html"}
        if self.cookie:
            headers["Cookie"] = f"{COOKIE}={self.cookie}"
        answer = await self.http.request(method, path, params=query, headers=headers, **more)
        self.requests.append(f"{method} {path}")
        if set_ := answer.headers.get("set-cookie"):
            self.cookie = set_.partition("=")[2].partition(";")[0]
        if found := re.search(r'name="token" value="([0-9a-f]+)"', answer.text):
            self.token = found[1]
        return answer


def text_of(answer: httpx.Response) -> str:
    """What a page says, without its tags and style."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)).split())


def uuid_of(id_: bytes) -> str:
    """An id as it travels."""
    return str(uuid.UUID(bytes=id_))
