"""HTTP in and out of what two people agree on about the keys; it is carried out at the machine, by `amanah keys carry-out`."""

from dataclasses import dataclass

import msgspec

from vault.custody import service
from vault.custody.service import Wanted
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.key_facts import Act, CeremonyFact, Retirement
from vault.web import Answer, Body, Call, Person, Query, Route, write_id
from vault.web.times import write_time

STATES = ("proposed", "approved", "carrying-out", "carried-out", "withdrawn")


class CeremonyBody(Body, frozen=True, kw_only=True):
    """What is to be done: `retire` with `below`; `slot-add` with `name` and `root`; the others with `name`."""

    act: Act
    below: int | None = None
    name: str | None = None
    root: str | None = None


class CeremonyAnswer(msgspec.Struct, frozen=True):
    """A ceremony and how it stands."""

    id: str
    state: str


class CopyShown(msgspec.Struct, frozen=True):
    """A named copy of the day epochs were retired, and when somebody said that it is gone."""

    name: str
    gone_by: str | None
    gone_at: str | None


class CeremonyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A ceremony as it is shown to who approves it; `copies` where it retired epochs."""

    id: str
    act: str
    below: int | None
    name: str | None
    root: str | None
    state: str
    proposed_by: str
    proposed_at: str
    approved_by: str | None
    approved_at: str | None
    settled_by: str | None
    settled_at: str | None
    copies: list[CopyShown]


class CeremoniesAnswer(msgspec.Struct, frozen=True):
    """A page of ceremonies, newest first, and where the next begins."""

    items: list[CeremonyShown]
    next: int | None


class CopyGoneAnswer(msgspec.Struct, frozen=True):
    """The named copies of a retirement, and since when no epoch of it is anywhere; null while one is not accounted for."""

    copies: list[CopyShown]
    gone_at: str | None


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: SecondFactor

    async def propose(self, call: Call) -> Answer:
        errand, body = Errand(call.caller, call.request_id), call.body
        wanted = Wanted(body.act, body.below, body.name, body.root)
        run, key = errand.asker.association.run, call.idempotency_key
        return _answer(await heard(errand, lambda: run(lambda deed: service.propose(deed, errand, wanted, key))))

    async def page(self, call: Call) -> Answer:
        errand, query = Errand(call.caller, call.request_id), call.query
        run = errand.asker.association.run
        found, known, more = await heard(
            errand, lambda: run(lambda deed: service.page(deed, errand, query["state"], query["after"], query["limit"]))
        )
        copies = {each.ceremony: each for each in known.retirements}
        return Answer(CeremoniesAnswer([_shown(one, copies.get(one.id)) for one in found], more))

    async def approve(self, call: Call) -> Answer:
        errand, id_ = Errand(call.caller, call.request_id), call.path_id("ceremony")
        approver = service.Approver(call.caller, call.request_id, self.factor, call.body.code)
        run = errand.asker.association.run
        approved = await heard(errand, lambda: run(lambda deed: service.approve(deed, approver, id_)))
        return _answer(approved)

    async def withdraw(self, call: Call) -> Answer:
        errand, id_ = Errand(call.caller, call.request_id), call.path_id("ceremony")
        run = errand.asker.association.run
        return _answer(await heard(errand, lambda: run(lambda deed: service.withdraw(deed, errand, id_))))

    async def confirm(self, call: Call) -> Answer:
        errand, id_, copy = Errand(call.caller, call.request_id), call.path_id("ceremony"), call.path["copy"]
        run = errand.asker.association.run
        settled = await heard(errand, lambda: run(lambda deed: service.confirm(deed, errand, id_, copy)))
        return Answer(CopyGoneAnswer(_copies(settled), _time(settled.gone_at)))


def _answer(one: CeremonyFact) -> Answer:
    return Answer(CeremonyAnswer(write_id(bytes.fromhex(one.id)), one.state))


def _shown(one: CeremonyFact, retirement: Retirement | None) -> CeremonyShown:
    return CeremonyShown(
        id=write_id(bytes.fromhex(one.id)),
        act=one.act,
        below=one.below,
        name=one.name or None,
        root=one.root or None,
        state=one.state,
        proposed_by=one.proposed_by,
        proposed_at=write_time(one.proposed_at),
        approved_by=one.approved_by or None,
        approved_at=_time(one.approved_at),
        settled_by=one.settled_by or None,
        settled_at=_time(one.settled_at),
        copies=[] if retirement is None else _copies(retirement),
    )


def _copies(retirement: Retirement) -> list[CopyShown]:
    return [CopyShown(each.name, each.gone_by or None, _time(each.gone_at)) for each in retirement.copies]


def _time(moment: int | None) -> str | None:
    return None if moment is None else write_time(moment)


def routes(factor: SecondFactor) -> list[Route]:
    """The calls about ceremonies of the keys."""
    api, write = _Api(factor), Person("keys:write")
    return [
        Route(
            method="POST",
            path="/v1/keys/ceremonies",
            name="keys.propose",
            handler=api.propose,
            access=write,
            body=CeremonyBody,
            answer=CeremonyAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Propose what is to be done with the keys; another person approves, and the machine with the root key carries it out.",
        ),
        Route(
            method="GET",
            path="/v1/keys/ceremonies",
            name="keys.ceremonies",
            handler=api.page,
            access=Person("keys:read"),
            answer=CeremoniesAnswer,
            query={
                "state": Query(kind="choice", choices=STATES),
                "after": Query(kind="integer", low=0),
                "limit": Query(kind="integer", low=1, high=500, default=50),
            },
            summary="Show what was proposed to be done with the keys, newest first, and how it stands.",
        ),
        Route(
            method="POST",
            path="/v1/keys/ceremonies/{ceremony}/approval",
            name="keys.approve",
            handler=api.approve,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            answer=CeremonyAnswer,
            summary="Approve what another person proposed to be done with the keys.",
        ),
        Route(
            method="POST",
            path="/v1/keys/ceremonies/{ceremony}/withdrawal",
            name="keys.withdraw",
            handler=api.withdraw,
            access=write,
            answer=CeremonyAnswer,
            summary="Call off what was proposed to be done with the keys and was not carried out yet.",
        ),
        Route(
            method="POST",
            path="/v1/keys/ceremonies/{ceremony}/copies/{copy}/confirmation",
            name="keys.copy-gone",
            handler=api.confirm,
            access=write,
            answer=CopyGoneAnswer,
            summary="Say that a named copy of the keys was replaced or destroyed after epochs were retired.",
        ),
    ]
