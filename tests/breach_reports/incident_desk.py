"""What tests of incidents do at the desk: open them, act on them, and let their clocks ring."""

import uuid
from typing import Any

import httpx

from tests.breach_reports.desk import Desk
from tests.simulator import START
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.ringing import Ringer
from vault.web.times import write_time

SUMMARY = "وصلت قائمة أسماء إلى جهة لا شأن لها بها"
PARTS = "a reason that nobody but officers reads"


def hours(number: float) -> str:
    """A moment so many hours after the beginning of the world."""
    return write_time(START + int(number * HOUR))


async def incident(desk: Desk, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """A call about incidents of somebody of the ceremony, who signs in again where her session is over."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if who in desk.tokens:
        answer = await _call(desk, who, method, path, body, told)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
    desk.tokens[who] = await desk.world.session(who)
    return await _call(desk, who, method, path, body, told)


async def _call(desk: Desk, who: str, method: str, path: str, body: Any, told: dict[str, str]) -> httpx.Response:  # noqa: PLR0917
    by = {"Authorization": f"Bearer {desk.tokens[who]}", "Accept-Language": "en", **told}
    return await desk.http.request(method, f"/v1/incidents{path}", json=body, headers=by)


async def done(desk: Desk, path: str, body: Any = None, who: str = "officer", method: str = "POST") -> dict[str, Any]:
    """A call that succeeds, and what it told."""
    answer = await incident(desk, who, method, path, body)
    assert answer.status_code in {200, 201}, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def refused(desk: Desk, path: str, body: Any = None, who: str = "officer", method: str = "POST") -> tuple[int, str, list[Any]]:
    """A call that does not succeed: status, code, and the members that do not hold."""
    answer = await incident(desk, who, method, path, body)
    assert answer.status_code >= 400, answer.text
    problem = answer.json()
    return answer.status_code, problem["code"], [(each["field"], each["code"]) for each in problem.get("errors", ())]


async def opened(desk: Desk, *reports: str, **more: Any) -> str:
    """The id of a new incident."""
    return str((await done(desk, "", {"summary": SUMMARY, "reports": list(reports), **more}))["id"])


async def report(desk: Desk, **changes: Any) -> str:
    """The id of a report somebody looks at."""
    await incident(desk, "officer", "GET", "")
    id_ = await desk.id_of((await desk.report(**changes))["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/acknowledgement")).status_code == 200
    return id_


async def read(desk: Desk, id_: str, who: str = "officer") -> dict[str, Any]:
    """An incident as an officer reads it."""
    return await done(desk, f"/{id_}", who=who, method="GET")


async def approve(desk: Desk, id_: str, proposal: int, who: str = "second_officer") -> dict[str, Any]:
    """What the second person's approval told; she signs in first, with a code of its own."""
    await incident(desk, who, "GET", "")
    return await done(desk, f"/{id_}/approval", {"proposal": proposal, "code": desk.world.one_time_code(who)}, who)


async def proposed(desk: Desk, id_: str, path: str, who: str = "officer", **body: Any) -> int:
    """The number of what is proposed now."""
    told = await done(desk, f"/{id_}/{path}", {"reason": PARTS, **body}, who)
    return int(told["waiting"][-1]["proposal"])


def now(desk: Desk) -> str:
    """The moment that it is."""
    return write_time(desk.world.clock.now)


def rang(desk: Desk) -> list[int | None]:
    """The hours of the clocks that rang, by the entries of the log."""
    return [entry.count for entry in desk.world.entries() if entry.kind == "incident.clock"]


async def ring(desk: Desk, until: float | None = None) -> list[int | None]:
    """Let it be so many hours after the beginning, let the clocks ring, and tell all that ever rang."""
    if until is not None:
        desk.world.clock.now = max(desk.world.clock.now, START + int(until * HOUR))
    await Ringer(desk.world.association).round()
    return rang(desk)


def plain(id_: str) -> str:
    """An id as facts write it."""
    return uuid.UUID(id_).hex
