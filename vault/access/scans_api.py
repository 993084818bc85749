"""The call that shows a scan to a person who is to verify a consent, whole or from where an earlier answer ended."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from vault.access import scans
from vault.access.scans import Shown
from vault.attachments.receiving import ENDINGS
from vault.errors import Unavailable
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import OCTETS, Answer, Stream
from vault.web.call import Call
from vault.web.ranges import HEADERS, PARTIAL, wished
from vault.web.route import Person, Route

AT_ONCE: Final = 16
"""Scans on their way out at once in this process; who comes then is told at once to come again."""
# What somebody handed in is shown as a file and never as a page of ours.
_SANDBOX: Final = {"Content-Security-Policy": "sandbox; default-src 'none'"}


@dataclass(slots=True)
class Turns:
    """How many scans are on their way out."""

    taken: int = 0

    def take(self) -> Callable[[], None]:
        """Take a turn; what is returned gives it back, once. Raises Unavailable `busy` where none is left."""
        if self.taken >= AT_ONCE:
            raise Unavailable("busy")
        self.taken += 1
        held = [None]

        def give_back() -> None:
            if held:
                held.pop()
                self.taken -= 1

        return give_back


def etag(association: bytes, scan: bytes) -> str:
    """The entity tag of a scan, from its id alone: its bytes never change, and a digest of them would tell the paper again elsewhere."""
    return f'"{sha256(b"evidence/etag/v1" + association + scan).hexdigest()[:32]}"'


def leaving(shown: Shown, name: str, tag: str) -> Answer:
    """The answer that gives a file away piece by piece, under a name that tells its kind and nothing else."""
    named = {"Content-Disposition": f'attachment; filename="{name}.{ENDINGS[shown.type]}"'}
    return Answer(
        Stream(shown.part.length, shown.pieces),
        status=PARTIAL if shown.part.asked else None,
        media_type=shown.type,
        headers={**_SANDBOX, **named, **shown.part.headers(tag)},
    )


def routes() -> list[Route]:
    """The call, with the turns it takes."""
    turns = Turns()

    async def show(call: Call) -> Answer:
        asker: Asker = call.caller
        errand, scan = Errand(asker, call.request_id), call.path_id("evidence")
        tag = etag(asker.association.id, scan)
        wish, done = wished(call, tag), turns.take()
        try:
            shown = await heard(errand, lambda: scans.show(errand, scan, wish, done), scans.by_scan(scan))
        except BaseException:
            done()
            raise
        return leaving(shown, "scan", tag)

    return [
        Route(
            method="GET",
            path="/v1/evidence/{evidence}",
            name="evidence.read",
            handler=show,
            access=Person("consents:verify"),
            media_type=OCTETS,
            headers=HEADERS,
            summary="See the scan a consent rests on, or a part of it, in order to verify it.",
        ),
    ]
