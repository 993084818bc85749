"""HTTP in and out of notices to the authority: officers write, read, print, file and supplement them (regulation 24)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vault.access_log.deed import Deed
from vault.breach_reports import authority_notice_bodies as bodies
from vault.breach_reports import authority_notice_telling as telling
from vault.breach_reports import authority_notices, door, service
from vault.breach_reports.authority_notice import Content, Words
from vault.breach_reports.authority_notices import Filing
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.incidents_api import about_incident, time_of
from vault.errors import NotFound, Unavailable
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.channels import Channels
from vault.web import Answer, Call, Person, Query, Route
from vault.web.answer import HTML

ALL: Final = "/v1/incidents/{incident}/authority-notices"
ONE: Final = "/v1/incidents/{incident}/authority-notices/{version}"
_DIGITS: Final = 6


def authority_notice_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """Return the calls of this file; `channels` hold the associations' names by code."""
    api, work = _Api(channels), Person("reports")
    return [
        Route(
            method="GET",
            path=ALL,
            name="authority_notices.list",
            handler=api.listed,
            access=work,
            answer=bodies.NoticeList,
            summary="List an incident's notices to the authority without their words, and the supplement that is owed.",
        ),
        Route(
            method="POST",
            path=ALL,
            name="authority_notices.draft",
            handler=api.draft,
            access=work,
            body=bodies.NewAuthorityNotice,
            answer=bodies.NoticeItem,
            status=201,
            summary="Write a notice to the authority: five parts, whole or with gaps.",
        ),
        Route(
            method="GET",
            path=ONE,
            name="authority_notices.read",
            handler=api.read,
            access=work,
            answer=bodies.AuthorityNoticeTold,
            summary="Read a notice to the authority; the look is an entry of the access log.",
        ),
        Route(
            method="GET",
            path=f"{ONE}/page",
            name="authority_notices.page",
            handler=api.page,
            access=work,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"), default="ar")},
            summary="A notice to the authority to print in Arabic with the English beside it; the look is an entry of the access log.",
        ),
        Route(
            method="POST",
            path=f"{ONE}/filing",
            name="authority_notices.file",
            handler=api.file,
            access=work,
            body=bodies.FileNotice,
            answer=bodies.NoticeList,
            summary="Note that the authority's platform took a notice, as partial where it has gaps, or a supplement.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the room, shape the answer, return."""

    channels: Mapping[str, Channels]

    async def listed(self, call: Call) -> Answer:
        fact = await _done(call, authority_notices.shown)
        return await _list(call, fact)

    async def draft(self, call: Call) -> Answer:
        content = content_of(call.body)
        fact = await _done(call, lambda deed, errand, incident: authority_notices.draft(deed, errand, incident, content))
        return Answer(telling.item(fact.notices[-1]))

    async def read(self, call: Call) -> Answer:
        return Answer(telling.whole(await opened(call, call.path_id("incident"), number_of(call))))

    async def page(self, call: Call) -> Answer:
        language, code = call.query["lang"], call.caller.association.code
        found = await opened(call, call.path_id("incident"), number_of(call))
        name = self.channels.get(code, Channels()).named(code, language)
        return telling.page(found, name, f"?lang={'ar' if language == 'en' else 'en'}", language)

    async def file(self, call: Call) -> Answer:
        body, number = call.body, number_of(call)
        filing = Filing(time_of(body.filed_at, "filed_at"), body.reference, body.partial, body.reasons, body.late_reason)
        fact = await _done(call, lambda deed, errand, incident: authority_notices.file(deed, errand, incident, number, filing))
        return await _list(call, fact)


async def opened(call: Call, incident: bytes, number: int) -> telling.Opened:
    """One notice through the door, for who asks. Raises NotFound, refusals, Unavailable."""
    errand, meant = _errand(call), about_incident(incident)
    association = errand.asker.association
    taken = await heard(errand, lambda: association.run(lambda deed: authority_notices.read(deed, errand, incident, number)), meant)
    try:
        return telling.opened(taken, door.give_out(taken), number)
    except Unavailable as error:
        await ring(errand, error, meant)
        raise


def content_of(body: bodies.NewAuthorityNotice) -> Content:
    """The words of a notice as they are kept. Raises Invalid for a time that is none."""

    def words(one: bodies.WordsBody) -> Words:
        return Words(one.ar.strip(), one.en.strip())

    return Content(
        description=words(body.description),
        happened_at=None if body.happened_at is None else time_of(body.happened_at, "happened_at"),
        circumstances=words(body.circumstances),
        categories=words(body.categories),
        people=body.people,
        estimated=body.estimated,
        data=words(body.data),
        effects=words(body.effects),
        measures=words(body.measures),
        planned=words(body.planned),
        told=body.told or "",
        contact=words(body.contact),
    )


def number_of(call: Call) -> int:
    """The number of a notice as the path has it. Raises NotFound for what is none."""
    text = call.path["version"]
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise NotFound
    return int(text)


async def _done(call: Call, deed_of: Callable[[Deed, Errand, bytes], IncidentFact]) -> IncidentFact:
    errand, incident = _errand(call), call.path_id("incident")
    association = errand.asker.association
    return await heard(errand, lambda: association.run(lambda deed: deed_of(deed, errand, incident)), about_incident(incident))


async def _list(call: Call, fact: IncidentFact) -> Answer:
    within = service.hours(await call.caller.association.book())
    return Answer(telling.listed(fact, within, call.now))


def _errand(call: Call) -> Errand:
    asker: Asker = call.caller
    return Errand(asker, call.request_id)
