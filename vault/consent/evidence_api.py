"""The call that takes in scans of signed forms; looking at one is not here but behind the door in `vault.access`."""

import msgspec

from vault.attachments.receiving import receive
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.form import Form
from vault.web.route import Needs, Rate, Route

DEFAULT_MOST = 25 * 1024 * 1024
ROUND_IT = 64 * 1024
"""Bytes of a body that are not the file's."""
SECONDS = 300.0


class EvidenceAnswer(msgspec.Struct, frozen=True):
    """A stored scan: its id and the SHA-256 of the file."""

    id: str
    sha256: str


def routes(most: int = DEFAULT_MOST) -> list[Route]:
    """The call that takes in files of at most so many bytes."""

    async def store(call: Call) -> Answer:
        asker: Asker = call.caller
        upload = call.form.upload
        if upload is None:
            raise Invalid([FieldError("file", "missing")])
        errand, key = Errand(asker, call.request_id), call.idempotency_key
        received = await heard(errand, lambda: receive(errand, aiter(upload), most=most, key=key))
        return Answer(EvidenceAnswer(write_id(received.id), received.sha256))

    return [
        Route(
            method="POST",
            path="/v1/evidence",
            name="evidence.store",
            handler=store,
            access=Needs("evidence:write"),
            form=Form(file="file", seconds=SECONDS),
            max_body=most + ROUND_IT,
            answer=EvidenceAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
            limit=Rate(bucket="evidence", burst=200, per_second=2.0),
            summary="Hand in the scan of a signed form.",
        ),
    ]
