"""The call that shows a scan to a person who is to verify a consent."""

import asyncio
from typing import Final

from vault.access import scans
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call
from vault.web.route import Person, Route

AT_ONCE: Final = 2
"""Scans opened at once in this process: each is whole in memory while it leaves."""
# What somebody handed in is shown as a file and never as a page of ours.
HEADERS: Final = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}


def routes() -> list[Route]:
    """The call, with the turns it takes."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def show(call: Call) -> Answer:
        asker: Asker = call.caller
        errand, scan = Errand(asker, call.request_id), call.path_id("evidence")
        async with turns:
            found = await heard(errand, lambda: scans.show(errand, scan), scans.by_scan(scan))
        return Answer(found.content, media_type=found.type, headers=HEADERS)

    return [
        Route(
            method="GET",
            path="/v1/evidence/{evidence}",
            name="evidence.read",
            handler=show,
            access=Person("consents:verify"),
            media_type=OCTETS,
            summary="See the scan a consent rests on, in order to verify it.",
        ),
    ]
