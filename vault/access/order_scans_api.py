"""The calls about the paper of an order: handing it in, and seeing it, whole or from where an earlier answer ended."""

from typing import Final

import msgspec

from vault.access import order_scans
from vault.access.scans import Shown
from vault.access.scans_api import Turns, etag, leaving
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call, write_id
from vault.web.form import Form
from vault.web.ranges import HEADERS, wished
from vault.web.route import Person, Rate, Route

NAME: Final = "order"
ROUND_IT: Final = 64 * 1024
"""Bytes of a body that are not the file's."""
SECONDS: Final = 300.0


class PaperAnswer(msgspec.Struct, frozen=True):
    """The paper of an order: its id and the SHA-256 of the file."""

    id: str
    sha256: str


async def shown(call: Call, order: bytes, turns: Turns) -> Answer:
    """The answer that gives the paper of this order away piece by piece."""
    asker: Asker = call.caller
    errand, done = Errand(asker, call.request_id), turns.take()

    def tag(scan: bytes) -> str:
        return etag(asker.association.id, scan)

    async def found() -> Shown:
        return await order_scans.show(errand, order, lambda scan: wished(call, tag(scan)), done)

    try:
        paper = await heard(errand, found)
    except BaseException:
        done()
        raise
    return leaving(paper, NAME, tag(paper.pieces.standing.scan))


def order_scan_routes(most: int) -> list[Route]:
    """The calls, for papers of at most so many bytes, with turns of their own: whoever reads orders keeps nobody from verifying."""
    turns = Turns()

    async def hand_in(call: Call) -> Answer:
        asker: Asker = call.caller
        upload = call.form.upload
        if upload is None:
            raise Invalid([FieldError("file", "missing")])
        errand, order, key = Errand(asker, call.request_id), call.path_id("order"), call.idempotency_key
        received = await heard(errand, lambda: order_scans.hand_in(errand, order, aiter(upload), most=most, key=key))
        return Answer(PaperAnswer(write_id(received.id), received.sha256))

    async def show(call: Call) -> Answer:
        return await shown(call, call.path_id("order"), turns)

    return [
        Route(
            method="POST",
            path="/v1/orders/{order}/scan",
            name="orders.scan",
            handler=hand_in,
            access=Person("orders"),
            form=Form(file="file", seconds=SECONDS),
            max_body=most + ROUND_IT,
            answer=PaperAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            limit=Rate(bucket="order-scans", burst=50, per_second=1.0),
            summary="Hand in the scan of an order's paper, the one whose SHA-256 it was registered with.",
        ),
        Route(
            method="GET",
            path="/v1/orders/{order}/scan",
            name="orders.scan-read",
            handler=show,
            access=Person("approve"),
            media_type=OCTETS,
            headers=HEADERS,
            summary="See the paper of an order, or a part of it, in order to approve it; who saw the whole may.",
        ),
    ]
