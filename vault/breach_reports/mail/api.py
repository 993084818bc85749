"""HTTP in and out of mail: a message is handed in as it came, and an officer fetches its bytes (article 8, رسالة موثقة)."""

from dataclasses import dataclass
from typing import Final

import msgspec

from vault.breach_reports import service
from vault.breach_reports.mail.room import MailRoom
from vault.breach_reports.mail.taking import Brought
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import opened
from vault.errors import Malformed
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web import Answer, Call, Needs, Person, Query, Rate, Route
from vault.web.route import MEBIBYTE
from vault.web.times import write_time

MESSAGE: Final = "message/rfc822"
MOST_MAIL: Final = 25 * MEBIBYTE
SCOPE: Final = "reports:mail"


class MailTaken(msgspec.Struct, kw_only=True):
    """What became of a message: its report's reference, how well its sender is known, whether it was a report before.

    `done` is false while something is left to do: then the same message should be handed in again at `again_at`.
    """

    reference: str
    grade: str
    already: bool
    acknowledged: bool
    done: bool
    again_at: str | None


def mail_routes(room: MailRoom) -> list[Route]:
    """The calls of mail."""
    api = _Api(room)
    return [
        Route(
            method="POST",
            path="/v1/breach-reports/mail",
            name="breach_reports.mail.take",
            handler=api.take,
            access=Needs(SCOPE),
            raw_body=True,
            accepts=(MESSAGE,),
            max_body=MOST_MAIL,
            answer=MailTaken,
            status=201,
            query={
                "arrived_at": Query(kind="time"),
                "junk": Query(kind="choice", choices=("true", "false"), default="false"),
                "cut": Query(kind="choice", choices=("true", "false"), default="false"),
            },
            limit=Rate(bucket="report-mail-calls", burst=120, per_second=2.0),
            summary="Hand in a message as it came; whoever sent it, it becomes a report.",
        ),
        Route(
            method="GET",
            path="/v1/breach-reports/{report}/mail",
            name="breach_reports.mail.read",
            handler=api.read,
            access=Person("reports"),
            media_type=MESSAGE,
            summary="The exact bytes of the message a report came in; the look is an entry of the access log.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the room, shape the answer, return."""

    room: MailRoom

    async def take(self, call: Call) -> Answer:
        kind = (call.header("content-type") or b"").partition(b";")[0].strip().lower()
        if kind != MESSAGE.encode() or call.header("content-encoding") is not None:
            raise Malformed("content-type")
        asker: Asker = call.caller
        errand = Errand(asker, call.request_id)
        brought = Brought(call.raw, call.query["arrived_at"], call.query["junk"] == "true", call.query["cut"] == "true")
        kept = await heard(errand, lambda: self.room.take(errand, brought))
        told = MailTaken(
            reference=kept.reference,
            grade=kept.grade,
            already=kept.already,
            acknowledged=kept.answered == "sent",
            done=kept.again_at is None,
            again_at=None if kept.again_at is None else write_time(kept.again_at),
        )
        return Answer(told, status=200 if kept.already else None)

    async def read(self, call: Call) -> Answer:
        asker: Asker = call.caller
        errand, report = Errand(asker, call.request_id), call.path_id("report")
        taken = await heard(errand, lambda: asker.association.run(lambda deed: service.read_mail(deed, errand, report)), about(report))
        pieces = await opened(errand, taken)
        headers = {"Content-Disposition": f'attachment; filename="{taken.case.fact.reference}.eml"'}
        return Answer(b"".join(each.content for each in pieces), headers=headers, media_type=MESSAGE)
