"""Written consents that nobody has verified yet, the newest or one person's: verified or rejected by who has the original before her.

Invariant: verifying takes a fresh one-time code and another person than those through whose hands the paper went (002 6.2, promise 9).
"""

from dataclasses import dataclass
from typing import Final, Literal

from vault.access_log.deed import Deed
from vault.consent import awaiting, history, service
from vault.consent.awaiting import awaits
from vault.consent.history import Told
from vault.consent.log_words import not_lost
from vault.errors import Conflict, Malformed, NotFound, Refused, TooMany, VaultError
from vault.identity.callers import Caller
from vault.officer.frame import Frame, Speaker, link, looks, require_form, sends, speaker_of
from vault.policy.facts import INTERNAL, SELF
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.subjects.meant import by_consent, by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/consents"
MOST: Final = 500
PAGE: Final = 50
Result = Literal["verified", "rejected"]
RESULTS: Final[dict[str, Result]] = {"verify": "verified", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Paper:
    """A written consent that waits, with all that has to be the same on the signed paper; `guardian` is empty where she signed herself.

    `template` is the code that has to stand on the paper where it is a form of ours, else empty.
    """

    id: str
    purpose: str
    recipient: str | None
    fields: str
    guardian: str
    signed: str
    expires: str | None
    explicit: bool
    recorded: str
    record: str
    template: str


def consent_routes(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Consents(frame)
    person = Query(kind="text", high=100)
    done = Query(kind="choice", choices=tuple(RESULTS.values()))
    return [
        looks(PATH, "officer.consents", pages.look, "consents:read", "Written consents of a person to verify.", person=person, done=done),
        sends(
            PATH,
            "officer.verify-consent",
            pages.settle,
            "consents:verify",
            "Verify or reject a written consent with its original at hand and a fresh one-time code.",
            *("person", "id", "act", "code"),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Consents:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        return await self._shown(call, call.query["person"] or "")

    async def settle(self, call: Call) -> Answer:
        require_form(call)
        caller: Caller = call.caller
        given, errand = call.form.fields, Errand(caller, call.request_id)
        person, result = given.get("person", ""), RESULTS.get(given.get("act", ""))
        if result is None:
            raise Malformed
        association = caller.association
        try:
            consent = parse_id(given.get("id", ""))

            async def seen() -> str:
                return await association.run(lambda deed: service.verify(deed, errand, consent, result, "original"), weight=2)

            # Verifying takes no code of its own: the session is stepped up by it first.
            await heard(errand, lambda: self.frame.identity.sessions.step_up(caller, fold_digits(given.get("code", "")).strip()))
            await heard(errand, lambda: not_lost(association, consent, seen), by_consent(consent))
        except (Refused, Conflict, NotFound, TooMany) as error:
            return await self._shown(call, person, error)
        return led_to(link(PATH, call.language, person=person or None, done=result))

    async def _shown(self, call: Call, person: str, error: VaultError | None = None) -> Answer:
        papers: list[Paper] | None = None
        missing = is_cut = False
        try:
            papers, is_cut = await (_papers(call, parse_id(fold_digits(person).strip().lower())) if person else _all(call))
        except NotFound as unknown:
            missing, error = True, error or unknown
        return await self.frame.page(
            "consents.html",
            call,
            status=None if error is None else status_of(error),
            headers={} if error is None else problem_headers(error),
            papers=papers,
            is_cut=is_cut,
            person=person,
            missing=missing,
            done=call.query.get("done"),
            problem=None if error is None or missing else problem_of(error, call.request_id, call.language),
        )


async def _papers(call: Call, record: bytes) -> tuple[list[Paper], bool]:
    """The written consents of the record's person that stand and that nobody has verified, all of them. Raises NotFound."""
    caller: Caller = call.caller
    errand, speaker = Errand(caller, call.request_id), speaker_of(call, await caller.association.book())

    def of_record(deed: Deed) -> list[Told]:
        page = history.consents(deed, errand, record, None, limit=MOST)
        found = list(page.items)
        while page.more is not None:
            page = history.consents(deed, errand, record, None, after=page.more, limit=MOST)
            found += page.items
        return found

    told = await heard(errand, lambda: caller.association.run(of_record), by_record(record))
    return [_paper(one, record, speaker) for one in told if awaits(one)], False


async def _all(call: Call) -> tuple[list[Paper], bool]:
    """The written consents that wait, of the people who gave one last, and whether there may be others."""
    caller: Caller = call.caller
    errand, speaker = Errand(caller, call.request_id), speaker_of(call, await caller.association.book())
    found = await heard(errand, lambda: caller.association.run(lambda deed: awaiting.papers(deed, errand, PAGE)))
    return [_paper(one.told, one.record, speaker) for one in found.papers], found.is_cut


def _paper(one: Told, record: bytes, speaker: Speaker) -> Paper:
    return Paper(
        id=speaker.id(one.grant.id),
        purpose=speaker.purpose(one.purpose),
        recipient=None if one.recipient == INTERNAL else one.recipient,
        fields=speaker.fields(sorted(one.grant.fields)),
        guardian="" if one.grant.by == SELF else speaker.id(one.grant.by),
        signed=speaker.time(one.grant.indicated_at),
        expires=None if one.grant.expires_at is None else speaker.time(one.grant.expires_at),
        explicit=one.grant.explicit,
        recorded=speaker.time(one.grant.recorded_at),
        record=write_id(record) if record else "",
        template=one.template,
    )
