"""The calls that save evidence out of the access log on an incident, tell whom it names, and hold it against the log again."""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from vault.access import incident_evidence as evidence
from vault.access.audit_api import actor_of
from vault.access.incident_evidence import KEY, Asked, Found, Meant, Told
from vault.access.proving import Proof, Proven, answer_holds, entries_hold
from vault.access.questions import GIVEN
from vault.access.touches import entries, touched
from vault.access_log.checkpoint import opened, opened_of_any_epoch
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.breach_reports.evidence_facts import EvidenceFact, EvidencePage, PagePerson
from vault.breach_reports.incident_shapes import INCIDENT
from vault.errors import FieldError, Invalid, Unavailable
from vault.rulebook import facts
from vault.rulebook.alarm import INTEGRITY, heard, ring
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.association import Association
from vault.storage.idempotency import Once
from vault.storage.transaction import Transaction
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Person, Query, Route
from vault.web.times import parse_time, write_time

OF_INCIDENT: Final = "/v1/incidents/{incident}/evidence"
ONE: Final = "/v1/incidents/{incident}/evidence/{piece}"
MANY: Final = 100
"""The law's question of weight: more people than this?"""
_Short = Annotated[str, msgspec.Meta(max_length=64)]


class SaveEvidence(Body):
    """Whose entries: `staff:<id>`, `client:<id>` or `key:<the 16 hex digits of an API key>`; `from` on, before `to`, times RFC 3339."""

    actor: _Short
    since: _Short = msgspec.field(name="from")
    until: _Short = msgspec.field(name="to")


class EvidenceTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One piece of evidence: the question, how many entries and distinct people answer it, and the checkpoint it is complete to.

    The entries lie from `first_index` on and before `end_index`. `actor` is the hand as the log writes it; the keys of one client are one.
    """

    id: str
    actor: str
    key: str | None = None
    since: str = msgspec.field(name="from")
    until: str = msgspec.field(name="to")
    saved_by: str
    saved_at: str
    entries: int
    people: int
    over_100: bool
    first_index: int
    end_index: int
    complete_to: int
    checkpoint: str


class EvidenceList(msgspec.Struct):
    """The evidence of an incident, oldest first; `withheld` counts the entries of the whole log that are kept from the reader."""

    items: list[EvidenceTold]
    withheld: int


class PersonTouched(msgspec.Struct, kw_only=True):
    """One person: a record she was touched through, the fields that were shown or given, how often what was done, through which entries."""

    record: str | None
    fields: list[str]
    deeds: dict[str, int]
    first_at: str
    last_at: str
    indexes: list[int]


class PeopleTouched(msgspec.Struct):
    """A page of the people, and the number of the next; their records are the list of those to tell of an incident."""

    items: list[PersonTouched]
    next: int | None
    withheld: int


class EvidenceProven(msgspec.Struct, kw_only=True):
    """Whether the log still says what it said: else the first entry that does not, and why.

    `fault`: `entry-altered`, `entry-missing`, `answer-differs` (the same question has another answer), `log-forked` (the log is another).
    """

    holds: bool
    fault: str | None
    index: int | None
    entries: int
    complete_to: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Job:
    """One call about an incident's evidence."""

    errand: Errand
    incident: bytes

    def about(self, deed: Deed) -> tuple[About, ...]:
        """What an alarm names: the incident, if the log ever heard of it."""
        return (About(self.incident, self.incident),) if facts.version(deed, INCIDENT, self.incident.hex()) else ()


def job_of(call: Call) -> Job:
    """The job of a call whose path names an incident."""
    asker: Asker = call.caller
    return Job(Errand(asker, call.request_id), call.path_id("incident"))


async def save(call: Call) -> Answer:
    """Save what a hand touched."""
    job, body = job_of(call), call.body
    asked = Asked(_actor(body.actor), _time(body.since, "from"), _time(body.until, "to"))
    once = once_for(call.caller, route=call.route.name, key=call.idempotency_key, body=body)
    return Answer(_shown(call, await heard(job.errand, lambda: saved(job, asked, once), job.about)))


async def saved(job: Job, asked: Asked, once: Once | None) -> Told:
    """Save what a hand touched, out of what the newest checkpoint covers. Raises NotFound, Invalid, refusals, Unavailable."""
    association, errand, incident = job.errand.asker.association, job.errand, job.incident
    note = await association.checkpoint()
    below = opened(note, association.cabinet.signer.vkey_at, association.code).size
    meant: Meant = await association.run(lambda deed: evidence.meant(deed, errand, incident, asked, below=below, once=once))
    if meant.made is not None:
        return await association.run(lambda deed: evidence.one(deed, errand, incident, meant.made or b""))
    found = await association.look(lambda transaction: touched(transaction, association.id, meant.span))
    kept = Found(meant.span, found, note)
    return await association.run(lambda deed: evidence.save(deed, errand, incident, asked, kept, once=once))


async def listed(call: Call) -> Answer:
    """The evidence of an incident."""
    job = job_of(call)
    run = job.errand.asker.association.run
    known = await heard(job.errand, lambda: run(lambda deed: evidence.listed(deed, job.errand, job.incident)), job.about)
    return Answer(EvidenceList([_shown(call, each) for each in known.items], known.withheld))


async def people(call: Call) -> Answer:
    """The people of one piece of evidence, with what was touched of each as the log tells it."""
    job, id_, number = job_of(call), call.path_id("piece"), call.query["after"]
    return Answer(await heard(job.errand, lambda: named(job, id_, number), job.about))


async def named(job: Job, piece: bytes, number: int) -> PeopleTouched:
    """A page of the people of one piece of evidence. Raises NotFound, refusals, Unavailable."""
    association = job.errand.asker.association
    page = await association.run(lambda deed: evidence.people(deed, job.errand, job.incident, piece, number))
    items = await association.look(lambda transaction: [_person(transaction, association.id, each) for each in page.people])
    return PeopleTouched(items, page.next, page.withheld)


async def proven(call: Call) -> Answer:
    """Hold a piece of evidence against the log; what does not hold rings the alarm."""
    proof, found = await held_against_log(job_of(call), call.path_id("piece"))
    return Answer(
        EvidenceProven(
            holds=not found.fault,
            fault=found.fault or None,
            index=found.index,
            entries=len(proof.rows),
            complete_to=proof.saved.size,
            checkpoint=proof.fact.note,
        )
    )


async def held_against_log(job: Job, piece: bytes) -> tuple[Proof, Proven]:
    """What a piece of evidence rests on, and whether the log still says so; where it does not the alarm was rung. Raises as `named`."""
    association = job.errand.asker.association

    async def held() -> tuple[Proof, Proven]:
        fact = await association.run(lambda deed: evidence.to_prove(deed, job.errand, job.incident, piece))
        pages = [await _page(job, fact, number) for number in range(fact.pages)]
        proof = Proof(fact, pages, opened_of_any_epoch(fact.note, association.cabinet.signer.vkey_at, association.code))
        found = await association.look(lambda transaction: entries_hold(transaction, association.id, proof))
        return proof, found if found.fault else await _answer_holds(association, proof)

    proof, found = await heard(job.errand, held, job.about)
    if found.fault:
        await ring(job.errand, Unavailable(INTEGRITY), job.about)
    return proof, found


async def _answer_holds(association: Association, proof: Proof) -> Proven:
    try:
        newest = opened(await association.checkpoint(), association.cabinet.signer.vkey_at, association.code)
    except Unavailable:
        # Nothing is signed over a tree that does not hold.
        return Proven("log-forked")
    return await association.look(lambda transaction: answer_holds(transaction, association.id, proof, newest))


async def _page(job: Job, fact: EvidenceFact, number: int) -> EvidencePage:
    return await job.errand.asker.association.run(lambda deed: evidence.page(deed, fact, number))


def _person(transaction: Transaction, association: bytes, person: PagePerson) -> PersonTouched:
    """One person as the log tells of her now: fields only of entries by which something was shown or given."""
    fields: set[str] = set()
    deeds: dict[str, int] = {}
    times: list[int] = []
    for _, stored in entries(transaction, association, person.numbers):
        deeds[stored.entry.kind] = deeds.get(stored.entry.kind, 0) + 1
        times.append(stored.time)
        if stored.entry.kind in GIVEN:
            fields.update(stored.entry.fields)
    return PersonTouched(
        record=write_id(bytes.fromhex(person.record)) if person.record else None,
        fields=sorted(fields),
        deeds=dict(sorted(deeds.items())),
        first_at=write_time(min(times)),
        last_at=write_time(max(times)),
        indexes=person.numbers,
    )


def _shown(call: Call, told: Told) -> EvidenceTold:
    fact, association = told.fact, call.caller.association
    size = opened_of_any_epoch(fact.note, association.cabinet.signer.vkey_at, association.code).size
    return EvidenceTold(
        id=write_id(bytes.fromhex(fact.id)),
        actor=fact.hand,
        key=fact.key or None,
        since=write_time(fact.since),
        until=write_time(fact.until),
        saved_by=fact.by,
        saved_at=write_time(fact.at),
        entries=told.entries,
        people=told.people,
        over_100=told.people > MANY,
        first_index=fact.first,
        end_index=fact.end,
        complete_to=size,
        checkpoint=fact.note,
    )


def _actor(text: str) -> str:
    return text if text.startswith(KEY) else actor_of(text)


def _time(text: str, field: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid([FieldError(field, "wrong-type")]) from None


EVIDENCE_ROUTES: Final = (
    Route(
        method="POST",
        path=OF_INCIDENT,
        name="incidents.evidence.save",
        handler=save,
        access=Person("reports"),
        body=SaveEvidence,
        answer=EvidenceTold,
        status=201,
        headers=frozenset({"Idempotency-Key"}),
        summary="Save on the incident which people somebody touched between two times, out of the access log.",
    ),
    Route(
        method="GET",
        path=OF_INCIDENT,
        name="incidents.evidence.list",
        handler=listed,
        access=Person("reports"),
        answer=EvidenceList,
        summary="List the evidence of an incident; the look is an entry of the access log.",
    ),
    Route(
        method="GET",
        path=f"{ONE}/people",
        name="incidents.evidence.people",
        handler=people,
        access=Person("reports"),
        query={"after": Query(kind="integer", low=0, high=1_000_000, default=0)},
        answer=PeopleTouched,
        summary="Tell the people of one piece of evidence, with the fields that were shown or given, page by page.",
    ),
    Route(
        method="POST",
        path=f"{ONE}/verification",
        name="incidents.evidence.prove",
        handler=proven,
        access=Person("reports"),
        answer=EvidenceProven,
        summary="Hold a piece of evidence against the access log it came from.",
    ),
)
