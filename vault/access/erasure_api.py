"""The calls of an erasure: asking for it, which locks, showing it, and carrying it out or calling it off, which takes another person."""

from typing import Annotated

import msgspec

from vault.access import erasing, erasures
from vault.access.certificate import Certificate, ErasureFact, note
from vault.access.copies import day_of, since
from vault.access.erasing import Officer, Wanted
from vault.access.erasure_limits import ErasureLimits
from vault.access.erasure_words import ASSOCIATION
from vault.consent.visitors import by_visitor
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.policy.facts import SELF
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.association import Association
from vault.rulebook.key_facts import KeysFact
from vault.subjects.meant import Meant, by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Person, Query, Route
from vault.web.times import write_time

LONGEST_REASON = 2000
MOST_CLASSES = 16


class ErasureBody(Body):
    """Why, by whose word (`self`, `association` where the law orders it, or a guardian's subject id), and which classes if not all.

    `request` is the request of hers (`POST /v1/requests`) that it answers.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_REASON)]
    requested_by: str
    classes: list[str] | None = None
    request: str | None = None


class VisitorErasureBody(Body):
    """Why, by whose word (`self` or `association`), and the random id her browser keeps, which is no part of any address."""

    visitor: str
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_REASON)]
    requested_by: str


class ErasureAnswer(msgspec.Struct, frozen=True):
    """An erasure and how it stands."""

    id: str
    state: str


class KeptShown(msgspec.Struct, frozen=True):
    """Something that stays, and the rule it stays by."""

    what: str
    rule: str


class GivenTo(msgspec.Struct, frozen=True):
    """A party outside the house that holds something of hers and is to be told."""

    recipient: str
    record: str
    at: str
    entry: int


class CopiesShown(msgspec.Struct, frozen=True):
    """Until when a copy of the database taken before still opens: as long as one of these epochs is not retired (below the minimum).

    `due` is the day after which it opens no more, by the association's word; null where no key was destroyed.
    """

    epochs: list[int]
    minimum_epoch: int
    opens_until: str
    due: str | None


class EpochRetired(msgspec.Struct, frozen=True):
    """An epoch, and the day it was retired."""

    epoch: int
    on: str


class CopiesSince(msgspec.Struct, frozen=True, kw_only=True):
    """What became true since: `opens` while an older copy still opens, `gone` from the day `gone_on`.

    `copies_left` are named copies of the keys that nobody has accounted for yet.
    """

    state: str
    epochs: list[int]
    due: str | None
    retired: list[EpochRetired]
    copies_left: list[str]
    gone_on: str | None


class CertificateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate of an erasure; `note` is the same, signed by the log's key."""

    id: str
    state: str
    scope: str
    records: list[str]
    classes: list[str]
    requested_by: str
    asked_by: str
    asked_at: str
    approved_by: str
    approved_at: str
    kept: list[KeptShown]
    recipients: list[GivenTo]
    copies: CopiesShown
    entry: int
    note: str


class ErasureShown(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure as it is shown to who settles it; `record` is the one it was asked through, `records` are all that it takes.

    `classes` is empty for the whole person, and `records` where it was asked for before one erasure took all. `copies` is null until it was
    carried out.
    """

    id: str
    state: str
    record: str | None
    records: list[str]
    scope: str
    classes: list[str]
    requested_by: str
    asked_by: str
    asked_at: str
    settled_by: str | None
    settled_at: str | None
    request: str | None
    copies: CopiesSince | None


class ErasureTold(ErasureShown, frozen=True, kw_only=True):
    """One erasure; `reason` for who may settle it as the second person, while it waits."""

    reason: str | None


class ErasuresAnswer(msgspec.Struct, frozen=True):
    """A page of erasures, newest first, and where the next begins."""

    items: list[ErasureShown]
    next: int | None


class Erasures:
    """The calls, with what checks one-time codes and what bounds the asking."""

    def __init__(self, factor: SecondFactor) -> None:
        """Let approvals through by this."""
        self._factor = factor
        self._limits = ErasureLimits()

    async def ask(self, call: Call) -> Answer:
        """Lock a person whose erasure is asked for through a record."""
        record, body = call.path_id("record"), call.body
        wanted = Wanted(_reason(body.reason), _requested_by(body.requested_by), _classes(body.classes), _request(body.request))
        return await self._locked(call, f"{call.route.name} {record.hex()}", record, wanted, by_record(record))

    async def ask_visitor(self, call: Call) -> Answer:
        """Lock a website's visitor whose erasure is asked for, whether anything was stored of her or not."""
        body: VisitorErasureBody = call.body
        wanted = Wanted(_reason(body.reason), _requested_by(body.requested_by))
        return await self._locked(call, call.route.name, body.visitor, wanted, by_visitor(body.visitor))

    async def _locked(self, call: Call, route: str, whom: bytes | str, wanted: Wanted, meant: Meant) -> Answer:
        asker: Asker = call.caller
        request, errand = once_for(asker, route=route, key=call.idempotency_key, body=call.body), Errand(asker, call.request_id)
        await self._limits.admit(errand)

        async def locked() -> erasing.Asked:
            return await asker.association.run(lambda deed: erasing.ask(deed, errand, whom, wanted, request), weight=2)

        asked = await heard(errand, locked, meant)
        return Answer(ErasureAnswer(write_id(asked.id), asked.state))

    async def read(self, call: Call) -> Answer:
        """Show one."""
        asker: Asker = call.caller
        erasure, errand = call.path_id("erasure"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: erasures.shown(deed, errand, erasure)))
        return Answer(ErasureTold(**msgspec.structs.asdict(_asked(found.fact, found.known)), reason=found.reason))

    async def page(self, call: Call) -> Answer:
        """Show a page of them."""
        asker: Asker = call.caller
        errand = Errand(asker, call.request_id)
        wanted = erasures.Wanted(call.query["state"], call.query["after"], call.query["limit"])
        found, known, more = await heard(errand, lambda: asker.association.run(lambda deed: erasures.page(deed, errand, wanted)))
        return Answer(ErasuresAnswer([_asked(one, known) for one in found], more))

    async def approve(self, call: Call) -> Answer:
        """Carry it out and certify it."""
        errand, officer = self._settling(call)
        erasure, association = call.path_id("erasure"), errand.asker.association

        async def erased() -> Certificate:
            return await association.run(lambda deed: erasing.approve(deed, errand, officer, erasure), weight=4)

        certificate = await heard(errand, erased)
        await association.settle()
        return Answer(_shown(certificate, association))

    async def cancel(self, call: Call) -> Answer:
        """Call it off."""
        errand, officer = self._settling(call)
        erasure = call.path_id("erasure")

        async def cancelled() -> None:
            await errand.asker.association.run(lambda deed: erasing.cancel(deed, errand, officer, erasure), weight=2)

        await heard(errand, cancelled)
        return Answer(ErasureAnswer(write_id(erasure), "cancelled"))

    def _settling(self, call: Call) -> tuple[Errand, Officer]:
        return Errand(call.caller, call.request_id), Officer(call.caller, self._factor, call.body.code)


def _reason(text: str) -> str:
    """The reason. Raises Invalid where there is no letter and no digit in it."""
    if not any(map(str.isalnum, text)):
        raise Invalid([FieldError("reason", "out-of-range")])
    return text


def _request(text: str | None) -> bytes | None:
    """The id of the request a deed names, None for none. Raises Invalid `unknown-request` for what is no id."""
    try:
        return None if text is None else parse_id(text)
    except NotFound as error:
        raise Invalid([FieldError("request", "unknown-request")]) from error


def _requested_by(text: str) -> str:
    if text in {SELF, ASSOCIATION}:
        return text
    try:
        return parse_id(text).hex()
    except NotFound as error:
        raise Invalid([FieldError("requested_by", "unknown-guardian")]) from error


def _classes(names: list[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    if not 1 <= len(names) <= MOST_CLASSES or len(set(names)) != len(names):
        raise Invalid([FieldError("classes", "out-of-range")])
    return tuple(names)


def _shown(one: Certificate, association: Association) -> CertificateAnswer:
    return CertificateAnswer(
        id=_id(one.erasure),
        state="erased",
        scope="person" if one.whole else "classes",
        records=[_id(record) for record in one.records],
        classes=list(one.classes),
        requested_by=_speaker(one.requested_by),
        asked_by=one.asked_by,
        asked_at=write_time(one.asked_at),
        approved_by=one.approved_by,
        approved_at=write_time(one.approved_at),
        kept=[KeptShown(each.what, each.rule) for each in one.kept],
        recipients=[GivenTo(each.recipient, _id(each.record), write_time(each.at), each.index) for each in one.recipients],
        copies=CopiesShown(list(one.epochs), one.minimum_epoch, "epoch-retired", one.due or None),
        entry=one.index,
        note=note(one, association.code, association.cabinet.signer),
    )


def _asked(one: ErasureFact, known: KeysFact) -> ErasureShown:
    return ErasureShown(
        id=_id(one.id),
        state=one.state,
        record=_id(one.record) if one.record else None,
        records=[_id(record) for record in one.records],
        scope="classes" if one.classes else "person",
        classes=list(one.classes),
        requested_by=_speaker(one.requested_by),
        asked_by=one.asked_by,
        asked_at=write_time(one.asked_at),
        settled_by=one.settled_by or None,
        settled_at=None if one.settled_at is None else write_time(one.settled_at),
        request=_id(one.request) if one.request else None,
        copies=None if one.certificate is None else _since(one.certificate, known),
    )


def _since(certificate: Certificate, known: KeysFact) -> CopiesSince:
    found = since(certificate, known)
    return CopiesSince(
        state="opens" if found.gone_at is None else "gone",
        epochs=list(found.epochs),
        due=found.due or None,
        retired=[EpochRetired(epoch, day_of(at)) for epoch, at in found.retired],
        copies_left=list(found.left),
        gone_on=None if found.gone_at is None else day_of(found.gone_at),
    )


def _speaker(by: str) -> str:
    return by if by in {SELF, ASSOCIATION} else _id(by)


def _id(text: str) -> str:
    return write_id(bytes.fromhex(text))


def routes(factor: SecondFactor) -> list[Route]:
    """The calls of this file."""
    calls = Erasures(factor)
    return [
        Route(
            method="POST",
            path="/v1/records/{record}/erasure",
            name="erasures.ask",
            handler=calls.ask,
            access=Person("erasures"),
            body=ErasureBody,
            answer=ErasureAnswer,
            status=202,
            headers=frozenset({"Idempotency-Key"}),
            summary="Ask for the erasure of a record's person; from the answer on nothing of hers opens.",
        ),
        Route(
            method="POST",
            path="/v1/visitors/erasure",
            name="erasures.ask_visitor",
            handler=calls.ask_visitor,
            access=Person("erasures"),
            body=VisitorErasureBody,
            answer=ErasureAnswer,
            status=202,
            headers=frozenset({"Idempotency-Key"}),
            summary="Ask for the erasure of a website's visitor, by the id her browser keeps.",
        ),
        Route(
            method="GET",
            path="/v1/erasures",
            name="erasures.page",
            handler=calls.page,
            access=Person("approve"),
            answer=ErasuresAnswer,
            query={
                "state": Query(kind="choice", choices=("locked", "erased", "cancelled")),
                "after": Query(kind="integer", low=0),
                "limit": Query(kind="integer", low=1, high=100, default=50),
            },
            summary="Show the erasures that were asked for, newest first.",
        ),
        Route(
            method="GET",
            path="/v1/erasures/{erasure}",
            name="erasures.read",
            handler=calls.read,
            access=Person("approve"),
            answer=ErasureTold,
            summary="Show an erasure to who settles it: who asked, when, for whom, of which classes, and why.",
        ),
        Route(
            method="POST",
            path="/v1/erasures/{erasure}/approval",
            name="erasures.approve",
            handler=calls.approve,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            answer=CertificateAnswer,
            summary="Carry out an erasure that another person asked for, and certify it.",
        ),
        Route(
            method="POST",
            path="/v1/erasures/{erasure}/cancellation",
            name="erasures.cancel",
            handler=calls.cancel,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            answer=ErasureAnswer,
            summary="Call off an erasure that another person asked for.",
        ),
    ]
