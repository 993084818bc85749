"""HTTP in and out for who speaks for whom: guardians, capacity, interdiction, death, and who comes of age."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from vault.consent import capacity, guardians
from vault.consent.api import ended_at, named
from vault.consent.evidence import moment
from vault.errors import FieldError, Invalid
from vault.policy.facts import NEVER, GuardianKind
from vault.rulebook.alarm import heard
from vault.rulebook.approving import Factor, Second
from vault.rulebook.asker import Asker, Errand
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.body import InWords
from vault.web.call import Call, write_id
from vault.web.route import Body, Needs, Person, Query, Route
from vault.web.times import write_time

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
_ENDLESS = 2**62


class GuardianBody(Body, frozen=True, kw_only=True):
    """A guardian: a known person, the kind, the deed by its number."""

    guardian: Text
    kind: GuardianKind
    deed: Text | None = None
    valid_from: str | None = None
    valid_to: str | None = None


class SeenBody(Body, frozen=True, kw_only=True):
    """What a second person found in the deed."""

    result: Literal["verified", "rejected"]
    sighted: Literal["original", "copy"]
    deed: Text | None = None


class EndBody(Body, frozen=True, kw_only=True):
    """Why an office ended; `for_cause` takes the ground from what he gave too."""

    reason: InWords
    for_cause: bool = False


class InterdictionBody(Body, frozen=True, kw_only=True):
    """What a court did: took capacity (`on`) or gave it back, which takes another person and a code."""

    on: bool
    judgment: InWords
    code: Code | None = None


class DeathBody(Body, frozen=True, kw_only=True):
    """What shows the death."""

    evidence: InWords


class Stands(msgspec.Struct, frozen=True):
    """What was recorded."""

    state: str


class GuardianShown(msgspec.Struct, frozen=True, kw_only=True):
    """One guardian as he stands."""

    guardian: str
    kind: str
    state: str
    valid_from: str
    valid_to: str | None


class KeyShown(msgspec.Struct, frozen=True):
    """A purpose and a recipient."""

    purpose: str
    recipient: str


class CapacityShown(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody stands; `full_capacity_from` is None for who has it and where the day is not known (`day_unknown`)."""

    state: str
    full_capacity_from: str | None
    day_unknown: bool
    guardians: list[GuardianShown]
    given_by_guardians: list[KeyShown]
    in_conflict: list[KeyShown]


class ComingShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who comes, or came, of age; `days` until then, below zero after it."""

    record: str
    full_capacity_from: str
    days: int
    reaffirm: list[KeyShown]


class ComingAnswer(msgspec.Struct, frozen=True):
    """Those found among the people looked through, and where the next page begins."""

    items: list[ComingShown]
    next: str | None


def guardian_routes(factor: Factor) -> list[Route]:
    """Return the calls about guardians and capacity."""
    api = _Api(factor)
    return [
        Route(
            method="POST",
            path="/v1/records/{record}/guardians",
            name="guardians.record",
            handler=api.appoint,
            access=Needs("consents:write"),
            body=GuardianBody,
            answer=Stands,
            status=201,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Record a guardian of the record's person; he counts once another person has seen the deed.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/guardians/{guardian}/verification",
            name="guardians.verify",
            handler=api.verify,
            access=Person("consents:verify"),
            body=SeenBody,
            answer=Stands,
            status=201,
            summary="Record that a second person has seen the deed, or rejected it.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/guardians/{guardian}/end",
            name="guardians.end",
            handler=api.end,
            access=Person("consents:verify"),
            body=EndBody,
            answer=Stands,
            status=201,
            summary="End a guardian's office; for cause, what he gave ends with it.",
        ),
        Route(
            method="GET",
            path="/v1/records/{record}/capacity",
            name="capacity.read",
            handler=api.capacity,
            access=Person("decisions:reasons"),
            answer=CapacityShown,
            summary="How a record's person stands: majority, interdiction, death, guardians and conflicts; the reading is an entry.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/interdiction",
            name="capacity.interdict",
            handler=api.interdict,
            access=Person("consents:verify"),
            body=InterdictionBody,
            answer=Stands,
            status=201,
            summary="Record that a court took an adult's capacity, or, by another person, that it gave it back.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/death",
            name="capacity.death",
            handler=api.death,
            access=Person("consents:verify"),
            body=DeathBody,
            answer=Stands,
            status=201,
            summary="Record a death: consent ends with it, orders are still answered.",
        ),
        Route(
            method="GET",
            path="/v1/majorities",
            name="capacity.majorities",
            handler=api.majorities,
            access=Person("decisions:reasons"),
            answer=ComingAnswer,
            query={
                "within_days": Query(kind="integer", low=0, high=366, default=90),
                "after": Query(kind="id"),
                "limit": Query(kind="integer", low=1, high=500, default=100),
            },
            summary="Who comes of age soon, or has not confirmed since, and what guardians gave for her; the look is an entry.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: Factor

    async def appoint(self, call: Call) -> Answer:
        body: GuardianBody = call.body
        _require_seen(body.deed, "deed")
        asker, errand, record = _who(call)
        wanted = guardians.Wanted(
            subject=bytes.fromhex(named(body.guardian, "guardian", "unknown-subject")),
            kind=body.kind,
            deed=body.deed or "",
            valid_from=None if body.valid_from is None else moment(body.valid_from, "valid_from", _ENDLESS),
            valid_to=ended_at(body.valid_to, "valid_to"),
        )
        await heard(errand, lambda: asker.association.run(lambda deed: guardians.appoint(deed, errand, record, wanted)), by_record(record))
        return Answer(Stands("awaiting-verification"))

    async def verify(self, call: Call) -> Answer:
        body: SeenBody = call.body
        _require_seen(body.deed, "deed")
        asker, errand, record = _who(call)
        guardian, what = call.path_id("guardian"), guardians.Seen(body.result, body.sighted, body.deed or "")

        async def seen() -> str:
            return await asker.association.run(lambda deed: guardians.verify(deed, errand, record, guardian, what))

        return Answer(Stands(await heard(errand, seen, by_record(record))))

    async def end(self, call: Call) -> Answer:
        body: EndBody = call.body
        _require_seen(body.reason, "reason")
        asker, errand, record = _who(call)
        guardian = call.path_id("guardian")

        async def ended() -> None:
            await asker.association.run(lambda deed: guardians.end(deed, errand, record, guardian, body.reason, for_cause=body.for_cause))

        await heard(errand, ended, by_record(record))
        return Answer(Stands("removed" if body.for_cause else "over"))

    async def capacity(self, call: Call) -> Answer:
        asker, errand, record = _who(call)
        found = await heard(errand, lambda: asker.association.run(lambda deed: capacity.shown(deed, errand, record)), by_record(record))
        day = found.full_capacity_from
        return Answer(
            CapacityShown(
                state=found.state,
                full_capacity_from=None if day is None or day == NEVER else write_time(day),
                day_unknown=day == NEVER,
                guardians=[
                    GuardianShown(
                        guardian=write_id(bytes.fromhex(one.id)),
                        kind=one.kind,
                        state=state,
                        valid_from=write_time(one.valid_from),
                        valid_to=None if one.valid_to is None else write_time(one.valid_to),
                    )
                    for one, state in found.guardians
                ],
                given_by_guardians=_keys(found.reaffirm),
                in_conflict=_keys(found.in_conflict),
            )
        )

    async def interdict(self, call: Call) -> Answer:
        body: InterdictionBody = call.body
        _require_seen(body.judgment, "judgment")
        asker, errand, record = _who(call)
        second = Second(asker, call.request_id, body.code, self.factor)

        async def recorded() -> None:
            if body.on:
                await asker.association.run(lambda deed: capacity.interdict(deed, errand, record, body.judgment))
            else:
                await asker.association.run(lambda deed: capacity.give_back(deed, second, record, body.judgment))

        await heard(errand, recorded, by_record(record))
        return Answer(Stands("interdicted" if body.on else "given-back"))

    async def death(self, call: Call) -> Answer:
        body: DeathBody = call.body
        _require_seen(body.evidence, "evidence")
        asker, errand, record = _who(call)

        async def recorded() -> None:
            await asker.association.run(lambda deed: capacity.died(deed, errand, record, body.evidence))

        await heard(errand, recorded, by_record(record))
        return Answer(Stands("deceased"))

    async def majorities(self, call: Call) -> Answer:
        asker: Asker = call.caller
        errand, query = Errand(asker, call.request_id), call.query
        within = query["within_days"] * capacity.DAY
        found, more = await heard(
            errand,
            lambda: asker.association.run(
                lambda deed: capacity.coming_of_age(deed, errand, within, after=query["after"], limit=query["limit"])
            ),
        )
        items = [
            ComingShown(
                record=write_id(one.record),
                full_capacity_from=write_time(one.full_capacity_from),
                days=(one.full_capacity_from - call.now) // capacity.DAY,
                reaffirm=_keys(one.reaffirm),
            )
            for one in found
        ]
        return Answer(ComingAnswer(items, None if more is None else write_id(more)))


def _who(call: Call) -> tuple[Asker, Errand, bytes]:
    return call.caller, Errand(call.caller, call.request_id), call.path_id("record")


def _require_seen(text: str | None, member: str) -> None:
    if text is not None and (not text.strip() or not text.isprintable()):
        raise Invalid([FieldError(member, "out-of-range")])


def _keys(names: tuple[str, ...]) -> list[KeyShown]:
    return [KeyShown(*name.split("|", 1)) for name in names]
