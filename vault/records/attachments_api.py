"""The call that takes in the file of a record's field; reading it is not here but behind the door in `vault.access`."""

import msgspec

from vault.attachments.receiving import RECORD, receive
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.form import Form
from vault.web.route import Needs, Rate, Route

ROUND_IT = 64 * 1024
"""Bytes of a body that are not the file's."""
SECONDS = 300.0


class AttachmentAnswer(msgspec.Struct, frozen=True):
    """A stored file: its id, which a field then names, and the SHA-256 of the file."""

    id: str
    sha256: str


def attachment_routes(most: int) -> list[Route]:
    """The call that takes in files of at most so many bytes."""

    async def store(call: Call) -> Answer:
        asker: Asker = call.caller
        upload = call.form.upload
        if upload is None:
            raise Invalid([FieldError("file", "missing")])
        errand, key = Errand(asker, call.request_id), call.idempotency_key
        received = await heard(errand, lambda: receive(errand, aiter(upload), most=most, key=key, purpose=RECORD))
        return Answer(AttachmentAnswer(write_id(received.id), received.sha256))

    return [
        Route(
            method="POST",
            path="/v1/attachments",
            name="attachments.store",
            handler=store,
            access=Needs("records:write"),
            form=Form(file="file", seconds=SECONDS),
            max_body=most + ROUND_IT,
            answer=AttachmentAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
            limit=Rate(bucket="attachments", burst=200, per_second=2.0),
            summary="Hand in a file that a field of a record will name.",
        ),
    ]
