"""Evidence on an incident: which people somebody touched between two times, saved out of the access log, read, and held against it again.

Invariants: a step is the same deed as over the API, and each look at a piece is an entry; the pages name records by id and no person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vault.access import incident_evidence
from vault.access.audit_api import actor_of
from vault.access.incident_evidence import KEY, Asked, Told
from vault.access.incident_evidence_api import MANY, Job, held_against_log, named, saved
from vault.access.proving import Proven
from vault.errors import Conflict, Invalid, Malformed, Refused, TooMany, VaultError
from vault.officer.frame import Frame, Speaker, failed, link, looks, require_form, sends, speaker_of, typed
from vault.officer.incident_events import shown as shown_at
from vault.officer.report_steps import moment
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.route import Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/evidence"
PEOPLE: Final = "/officer/evidence/people"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence in words, and where its people are."""

    id: str
    hand: str
    since: str
    until: str
    saved_by: str
    saved_at: str
    entries: int
    people: int
    many: bool
    link: str


@dataclass(frozen=True, slots=True)
class Touched:
    """One person: a record of hers, what was shown or given, what was done how often, and when first and last."""

    record: str
    fields: str
    deeds: list[tuple[str, int]]
    first: str
    last: str


def evidence_pages(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages, incident = _Evidence(frame), Query(kind="id", required=True)
    return [
        looks(
            PATH,
            "officer.evidence",
            pages.look,
            "reports",
            "The evidence of an incident out of the access log.",
            incident=incident,
            done=Query(kind="choice", choices=("saved",)),
        ),
        sends(
            PATH,
            "officer.evidence-step",
            pages.step,
            "reports",
            "Save a piece of evidence, or hold one against the log again.",
            *("act", "incident", "piece", "actor", "since", "until"),
        ),
        looks(
            PEOPLE,
            "officer.evidence-people",
            pages.people,
            "reports",
            "The people of a piece of evidence.",
            incident=incident,
            piece=incident,
            after=Query(kind="integer", low=0, high=1_000_000, default=0),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        return await self._shown(call, call.query["incident"])

    async def step(self, call: Call) -> Answer:
        require_form(call)
        filled = typed(call)
        incident = parse_id(fold_digits(filled["incident"]).lower())
        job = _job(call, incident)
        if filled["act"] == "verify":
            piece = parse_id(fold_digits(filled["piece"]).lower())
            _, proven = await held_against_log(job, piece)
            return await self._shown(call, incident, proven=(write_id(piece), proven))
        if filled["act"] != "save":
            raise Malformed
        try:
            asked = Asked(_actor(filled["actor"]), moment(filled["since"], "from"), moment(filled["until"], "to"))
            await heard(job.errand, lambda: saved(job, asked, None), job.about)
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._shown(call, incident, error, filled)
        return led_to(link(PATH, call.language, incident=write_id(incident), done="saved"))

    async def people(self, call: Call) -> Answer:
        incident, piece = call.query["incident"], call.query["piece"]
        job, shown = _job(call, incident), write_id(piece)
        found = await heard(job.errand, lambda: named(job, piece, call.query["after"]), job.about)
        speaker = speaker_of(call, await call.caller.association.book())
        return await self.frame.page(
            "evidence_people.html",
            call,
            people=[
                Touched(
                    record=each.record or speaker.word("a_visitor"),
                    fields=speaker.fields(each.fields),
                    deeds=[(speaker.kind(kind), count) for kind, count in each.deeds.items()],
                    first=shown_at(each.first_at),
                    last=shown_at(each.last_at),
                )
                for each in found.items
            ],
            back=link(PATH, call.language, incident=write_id(incident)),
            next=None if found.next is None else link(PEOPLE, call.language, incident=write_id(incident), piece=shown, after=found.next),
        )

    async def _shown(
        self,
        call: Call,
        incident: bytes,
        error: VaultError | None = None,
        filled: Mapping[str, str] | None = None,
        proven: tuple[str, Proven] | None = None,
    ) -> Answer:
        job = _job(call, incident)
        run = call.caller.association.run
        known = await heard(job.errand, lambda: run(lambda deed: incident_evidence.listed(deed, job.errand, incident)), job.about)
        speaker = speaker_of(call, await call.caller.association.book())
        return await self.frame.page(
            "evidence.html",
            call,
            **failed(call, error),
            incident=write_id(incident),
            pieces=[_piece(each, incident, speaker) for each in known.items],
            withheld=known.withheld,
            proven=None if proven is None else (proven[0], proven[1].fault.replace("-", "_"), proven[1].index),
            done=call.query.get("done"),
            given=filled or {},
        )


def _job(call: Call, incident: bytes) -> Job:
    return Job(Errand(call.caller, call.request_id), incident)


def _actor(text: str) -> str:
    """A hand as the log's pages show it, or a key by the start of its digest. Raises Invalid."""
    text = fold_digits(text).strip().lower()
    return text if text.startswith(KEY) else actor_of(text)


def _piece(told: Told, incident: bytes, speaker: Speaker) -> Piece:
    fact = told.fact
    id_ = speaker.id(fact.id)
    return Piece(
        id=id_,
        hand=f"{KEY}{fact.key}" if fact.key else speaker.actor(fact.hand),
        since=speaker.time(fact.since),
        until=speaker.time(fact.until),
        saved_by=speaker.actor(fact.by),
        saved_at=speaker.time(fact.at),
        entries=told.entries,
        people=told.people,
        many=told.people > MANY,
        link=link(PEOPLE, speaker.language, incident=write_id(incident), piece=id_),
    )
