"""HTTP in and out of files that come with reports, messages and replies; a file always leaves as a file and never as a page of ours."""

from dataclasses import dataclass
from typing import Final

from vault.breach_reports import bodies, service, telling
from vault.breach_reports.files import MOST_FILES, MOST_TOGETHER, Bringing, Wrong
from vault.breach_reports.intake import plain
from vault.breach_reports.page import RECEIPTS, leaving
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Knock, Reports, given
from vault.errors import Malformed
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web import Answer, Call, Form, Person, Public, Route, parse_id, write_id
from vault.web.answer import OCTETS
from vault.web.route import KIBIBYTE

PUBLIC: Final = "/v1/public/{association}/breach-reports"
ONE: Final = "/v1/breach-reports/{report}"
MOST_TEXT: Final = 36 * KIBIBYTE
MOST_RECEIPT: Final = 4 * KIBIBYTE
SECONDS: Final = 300.0


def file_routes(reports: Reports) -> list[Route]:
    """Return the calls of this file."""
    api = _Files(reports)
    texts = {"receipt": MOST_RECEIPT, "text": MOST_TEXT}
    return [
        Route(
            method="POST",
            path=f"{PUBLIC}/messages/files",
            name="breach_reports.write_files",
            handler=api.write,
            access=Public(),
            form=Form(fields=texts, file="file", most=MOST_FILES, seconds=SECONDS),
            answer=bodies.Status,
            status=201,
            max_body=MOST_TOGETHER + MOST_RECEIPT + MOST_TEXT,
            limit=RECEIPTS,
            summary="Add files to a report, with its receipt, and a message beside them.",
        ),
        Route(
            method="POST",
            path=f"{PUBLIC}/file",
            name="breach_reports.file_of_reply",
            handler=api.of_reply,
            access=Public(),
            body=bodies.WithFile,
            media_type=OCTETS,
            max_body=MOST_RECEIPT,
            limit=RECEIPTS,
            summary="Fetch a file that the association sent with a reply, with the receipt.",
        ),
        Route(
            method="GET",
            path=f"{ONE}/files/{{file}}",
            name="breach_reports.file",
            handler=api.read,
            access=Person("reports"),
            media_type=OCTETS,
            summary="Fetch a file of a report; the look is an entry of the access log.",
        ),
        Route(
            method="POST",
            path=f"{ONE}/reply/files",
            name="breach_reports.reply_files",
            handler=api.reply,
            access=Person("reports"),
            form=Form(fields={"text": MOST_TEXT}, file="file", most=MOST_FILES, seconds=SECONDS),
            answer=bodies.ReportStands,
            max_body=MOST_TOGETHER + MOST_TEXT,
            summary="Answer the reporter with files, which she fetches with the receipt.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Files:
    """The handlers."""

    reports: Reports

    async def write(self, call: Call) -> Answer:
        association, form = self.reports.association(call.path["association"]), call.form
        knock = Knock(call.network, call.now, call.request_id)
        try:
            followed = await self.reports.write_with(
                association, form.fields.get("receipt", ""), lambda: plain(form.fields.get("text", "")), form.uploads(), knock
            )
        except Wrong as wrong:
            raise said(wrong) from None
        return Answer(telling.status(followed))

    async def of_reply(self, call: Call) -> Answer:
        body: bodies.WithFile = call.body
        association = self.reports.association(call.path["association"])
        knock = Knock(call.network, call.now, call.request_id)
        return leaving(await self.reports.file(association, body.receipt, body.file.replace("-", ""), knock))

    async def read(self, call: Call) -> Answer:
        (asker, errand), report, file = _errand(call), call.path_id("report"), parse_id(call.path["file"]).hex()
        taken = await heard(
            errand, lambda: asker.association.run(lambda deed: service.read_file(deed, errand, report, file)), about(report)
        )
        return leaving(await given(errand, taken))

    async def reply(self, call: Call) -> Answer:
        (asker, errand), report = _errand(call), call.path_id("report")
        association = asker.association
        key = await heard(errand, lambda: association.run(lambda deed: service.opened_to(deed, errand, report)), about(report))
        brought = Bringing(association, report, key, lambda: None, errand.still)
        try:
            async with brought:
                await brought.take(call.form.uploads())
                brought.require_sound()
                text = plain(call.form.fields.get("text", ""))
                service.require_text(text)
                fact = await heard(
                    errand, lambda: association.run(lambda deed: service.reply(deed, errand, report, text, brought)), about(report)
                )
        except Wrong as wrong:
            raise said(wrong) from None
        hours = service.hours(await association.book())
        return Answer(bodies.ReportStands(write_id(report), fact.state, telling.clock(fact, hours, call.now)))


def said(wrong: Wrong) -> Malformed | Wrong:
    """What a program is told of a file that is not taken."""
    return Malformed("too-large") if wrong.errors[0].code == "too-large" else wrong


def _errand(call: Call) -> tuple[Asker, Errand]:
    return call.caller, Errand(call.caller, call.request_id)
