"""HTTP in and out for agreements with parties outside: registering, listing, showing, approving, revoking."""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from vault.access import agreements
from vault.access.approving import Approver
from vault.access.orders_api import distinct
from vault.errors import FieldError, Invalid
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.records.values.capacity import begins
from vault.records.values.cleaning import ValueRefused
from vault.records.values.dates import date
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.shapes import AgreementFact, ProcessingTerms
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Person, Route
from vault.web.times import RIYADH, moment, write_time

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Names = Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, max_length=32)]
State = Literal["registered", "to-come", "in-force", "over", "revoked"]


class ProcessingBody(Body):
    """What regulation 17(1) asks of an agreement with a processor besides purpose, data and term; `foreign_law` "" for none."""

    breach_notice: bool
    mandatory_disclosure: bool
    foreign_law: Annotated[str, msgspec.Meta(max_length=200)]
    subprocessors: Annotated[tuple[Text, ...], msgspec.Meta(max_length=32)]


class AgreementBody(Body, frozen=True, kw_only=True, rename={"since": "from"}):
    """An agreement as it was signed: its first and its last day in Riyadh, Hijri or Gregorian as the paper has them."""

    recipient: Code
    purposes: Names
    record_types: Names
    classes: Names
    since: Text
    until: Text
    reference: Text
    reason: Reason
    processing: ProcessingBody | None = None


class AgreementStands(msgspec.Struct, frozen=True):
    """How an agreement stands."""

    id: str
    state: State


class ProcessingShown(msgspec.Struct, frozen=True):
    """The terms of processing as they were signed."""

    breach_notice: bool
    mandatory_disclosure: bool
    foreign_law: str
    subprocessors: tuple[str, ...]


class AgreementShown(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """An agreement in full; the days are Gregorian, the last one included."""

    id: str
    state: State
    recipient: str
    purposes: tuple[str, ...]
    record_types: tuple[str, ...]
    classes: tuple[str, ...]
    since: str
    until: str
    reference: str
    reason: str
    registered_by: str
    registered_at: str
    approved_by: str | None
    revoked_by: str | None
    revoked_at: str | None
    processing: ProcessingShown | None


class AgreementsAnswer(msgspec.Struct, frozen=True):
    """Every agreement there ever was, by recipient, the newest of each first."""

    items: list[AgreementShown]


def agreement_routes(factor: SecondFactor) -> list[Route]:
    """Return the calls about agreements."""
    api = _Api(factor)
    return [
        Route(
            method="POST",
            path="/v1/agreements",
            name="agreements.register",
            handler=api.register,
            access=Person("recipients:write"),
            body=AgreementBody,
            answer=AgreementStands,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Register an agreement with a party outside; its system reads nothing under it before another person approved it.",
        ),
        Route(
            method="GET",
            path="/v1/agreements",
            name="agreements.list",
            handler=api.listed,
            access=Person("recipients:read"),
            answer=AgreementsAnswer,
            summary="List the agreements with parties outside, those that are over or revoked too.",
        ),
        Route(
            method="GET",
            path="/v1/agreements/{agreement}",
            name="agreements.read",
            handler=api.read,
            access=Person("recipients:read"),
            answer=AgreementShown,
            summary="Show an agreement.",
        ),
        Route(
            method="POST",
            path="/v1/agreements/{agreement}/approval",
            name="agreements.approve",
            handler=api.approve,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            answer=AgreementStands,
            summary="Approve an agreement that another person registered.",
        ),
        Route(
            method="POST",
            path="/v1/agreements/{agreement}/revocation",
            name="agreements.revoke",
            handler=api.revoke,
            access=Person("recipients:write"),
            answer=AgreementStands,
            summary="Revoke an agreement: the party's system reads nothing under it from this answer on.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: SecondFactor

    async def register(self, call: Call) -> Answer:
        asker: Asker = call.caller
        wanted, errand = _wanted(call.body), Errand(asker, call.request_id)
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=call.body)

        async def registered() -> AgreementFact:
            return await asker.association.run(lambda deed: agreements.register(deed, errand, wanted, once))

        return Answer(_stands(await heard(errand, registered), call.now))

    async def listed(self, call: Call) -> Answer:
        asker: Asker = call.caller
        errand = Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: agreements.listed(deed, errand)))
        return Answer(AgreementsAnswer([_shown(one, call.now) for one in found]))

    async def read(self, call: Call) -> Answer:
        asker: Asker = call.caller
        agreement, errand = call.path_id("agreement"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: agreements.shown(deed, errand, agreement)))
        return Answer(_shown(found, call.now))

    async def approve(self, call: Call) -> Answer:
        asker: Asker = call.caller
        agreement, errand = call.path_id("agreement"), Errand(asker, call.request_id)
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)

        async def approved() -> AgreementFact:
            return await asker.association.run(lambda deed: agreements.approve(deed, approver, agreement))

        return Answer(_stands(await heard(errand, approved), call.now))

    async def revoke(self, call: Call) -> Answer:
        asker: Asker = call.caller
        agreement, errand = call.path_id("agreement"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: agreements.revoke(deed, errand, agreement)))
        return Answer(_stands(found, call.now))


def _wanted(body: AgreementBody) -> agreements.Wanted:
    for name in ("reference", "reason"):
        text: str = getattr(body, name)
        if not text.strip() or not text.isprintable():
            raise Invalid([FieldError(name, "out-of-range")])
    return agreements.Wanted(
        recipient=body.recipient,
        purposes=distinct(body.purposes, "purposes"),
        types=distinct(body.record_types, "record_types"),
        classes=distinct(body.classes, "classes"),
        valid_from=begins(_day(body.since, "from")),
        valid_to=begins(_day(body.until, "until") + dt.timedelta(days=1)),
        reference=body.reference,
        reason=body.reason,
        processing=None if body.processing is None else _terms(body.processing),
    )


def _terms(said: ProcessingBody) -> ProcessingTerms:
    """The terms as they are kept. Raises Invalid for an agreement without one of the two duties, which is none with a processor."""
    missing = [name for name in ("breach_notice", "mandatory_disclosure") if not getattr(said, name)]
    if missing:
        raise Invalid([FieldError(f"processing.{name}", "out-of-range") for name in missing])
    return ProcessingTerms(
        breach_notice=True,
        mandatory_disclosure=True,
        foreign_law=said.foreign_law,
        subprocessors=distinct(said.subprocessors, "processing.subprocessors"),
    )


def _day(text: str, member: str) -> dt.date:
    """The Gregorian day that is written. Raises Invalid where it is no whole day."""
    try:
        found = date(text)
    except ValueRefused as error:
        raise Invalid([FieldError(member, error.code)]) from None
    if found.precision != "day":
        raise Invalid([FieldError(member, "out-of-range")])
    return found.first


def _state(one: AgreementFact, now: int) -> State:
    if one.revoked_at is not None:
        return "revoked"
    if one.valid_to <= now:
        return "over"
    if not one.approved_by:
        return "registered"
    return "in-force" if one.valid_from <= now else "to-come"


def _stands(one: AgreementFact, now: int) -> AgreementStands:
    return AgreementStands(write_id(bytes.fromhex(one.id)), _state(one, now))


def _shown(one: AgreementFact, now: int) -> AgreementShown:
    return AgreementShown(
        id=write_id(bytes.fromhex(one.id)),
        state=_state(one, now),
        recipient=one.recipient,
        purposes=one.purposes,
        record_types=one.types,
        classes=one.classes,
        since=_in_riyadh(one.valid_from),
        until=_in_riyadh(one.valid_to - 1),
        reference=one.reference,
        reason=one.reason,
        registered_by=one.registered_by,
        registered_at=write_time(one.registered_at),
        approved_by=one.approved_by or None,
        revoked_by=one.revoked_by or None,
        revoked_at=None if one.revoked_at is None else write_time(one.revoked_at),
        processing=None if one.processing is None else _shown_terms(one.processing),
    )


def _shown_terms(terms: ProcessingTerms) -> ProcessingShown:
    return ProcessingShown(terms.breach_notice, terms.mandatory_disclosure, terms.foreign_law, terms.subprocessors)


def _in_riyadh(at: int) -> str:
    return moment(at).astimezone(RIYADH).date().isoformat()
