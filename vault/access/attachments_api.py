"""The call that gives the file in a field of a record, whole or from where an earlier answer ended."""

from vault.access import attachments
from vault.access.api import ACTIONS
from vault.access.scans_api import Turns, etag, leaving
from vault.access.verdicts import Asked
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.subjects.meant import by_record
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call
from vault.web.ranges import HEADERS, wished
from vault.web.route import Needs, Query, Route


def attachment_routes() -> list[Route]:
    """The call, with turns of its own: whoever reads many documents keeps nobody from verifying."""
    turns = Turns()

    async def show(call: Call) -> Answer:
        asker: Asker = call.caller
        query, association = call.query, asker.association.id
        asked = Asked(call.path_id("record"), query["action"], query["purpose"], (call.path["field"],), kind=attachments.KIND)
        errand, done = Errand(asker, call.request_id), turns.take()
        try:
            shown = await heard(
                errand,
                lambda: attachments.show(errand, asked, lambda file: wished(call, etag(association, file)), done),
                by_record(asked.record),
            )
        except BaseException:
            done()
            raise
        return leaving(shown, "attachment", etag(association, shown.pieces.standing.scan))

    return [
        Route(
            method="GET",
            path="/v1/records/{record}/attachments/{field}",
            name="attachments.read",
            handler=show,
            access=Needs("records:read"),
            media_type=OCTETS,
            query={"purpose": Query(kind="text", required=True, high=64), "action": Query(kind="choice", choices=ACTIONS)},
            headers=HEADERS | {"Amanah-On-Behalf-Of"},
            summary="Read the file in a field of a record for a purpose, or a part of it.",
        ),
    ]
