"""The call that shows a scan to a person who is to verify a consent."""

import asyncio
from typing import Final

from vault.access import scans
from vault.access.alarm import heard
from vault.access.refusals import Refusals
from vault.access.scans import Shown
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call
from vault.web.route import Person, Route

AT_ONCE: Final = 2
"""Scans opened at once in this process: each is whole in memory while it leaves."""
# What somebody handed in is shown as a file and never as a page of ours.
HEADERS: Final = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}


def routes(refusals: Refusals) -> list[Route]:
    """The call, with what bounds its refusals."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def show(call: Call) -> Answer:
        asker: Asker = call.caller
        errand, scan = Errand(asker, call.request_id), call.path_id("evidence")

        async def shown() -> Shown:
            return await refusals.bounded(asker, call.request_id, lambda: scans.show(errand, scan))

        async with turns:
            found = await heard(errand, None, shown)
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
