"""The call that prints a letter about a breach for who has no mail address: name and postal address open for it, each an entry (24(5))."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault.access import breach_letters
from vault.access.breach_letters import NAME, Taken
from vault.access.verdicts import Judged
from vault.access_log.deed import Deed
from vault.breach_reports import door, people_notices
from vault.breach_reports.authority_notice_telling import PAGES
from vault.breach_reports.incidents_api import about_incident
from vault.breach_reports.letter_text import Letter
from vault.records.values.addresses import MEMBERS
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.channels import Channels
from vault.web.answer import HTML, Answer
from vault.web.call import Call
from vault.web.route import Person, Query, Route
from vault.web.times import in_words, moment

PATH: Final = "/v1/incidents/{incident}/letters/{letter}/page"


@dataclass(frozen=True, slots=True)
class _Printed:
    taken: Taken
    words: door.TakenIncident


def breach_letter_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The call; `channels` hold the associations' names by code."""

    async def page(call: Call) -> Answer:
        """One letter to print."""
        return await printed(call, call.path_id("incident"), call.path_id("letter"), channels)

    return [
        Route(
            method="GET",
            path=PATH,
            name="breach_letters.page",
            handler=page,
            access=Person("reports"),
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"), default="ar")},
            summary="A letter about a breach to print, with name and postal address; each look is an entry of the access log.",
        ),
    ]


async def printed(call: Call, incident: bytes, letter: bytes, channels: Mapping[str, Channels]) -> Answer:
    """The page of one letter. Raises NotFound, IncidentState, refusals with their entries, Unavailable."""
    asker: Asker = call.caller
    errand, association, language = Errand(asker, call.request_id), asker.association, call.language

    def unit(deed: Deed) -> _Printed | Judged:
        found = breach_letters.by_hand(deed, errand, incident, letter)
        if isinstance(found, Judged):
            return found
        return _Printed(found, people_notices.read(deed, errand, incident, found.letter.notice))

    async def given() -> tuple[_Printed, list[dict[str, Any]], people_notices.Wording]:
        made = await association.run(unit)
        if isinstance(made, Judged):
            raise made.refusal()
        return made, made.taken.values(), people_notices.words_of(door.give_out(made.words))

    made, values, wording = await heard(errand, given, about_incident(incident))
    told = channels.get(association.code, Channels())
    names = {each: told.named(association.code, each) for each in ("ar", "en")}
    ward = str(values[1][NAME]) if made.taken.letter_is_for_ward else ""
    return PAGES.answer(
        "breach_letter.html",
        language,
        name=names[language],
        letter=Letter(wording, names, made.words.case.fact.reference, ward),
        addressee=values[0][NAME],
        address=_address(values[0]),
        today=in_words(moment(call.now), language),
    )


def _address(values: Mapping[str, Any]) -> str:
    """The postal address in one line, "" for none."""
    found = next((value for name, value in values.items() if name != NAME), None) or ""
    return found if isinstance(found, str) else "، ".join(str(found[member]) for member in MEMBERS if member in found)
