"""HTTP in and out for two records that are one person's: asking, listing, approving."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from vault.consent import merging
from vault.consent.api import named
from vault.consent.merging import MergeFact
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.approving import Factor, Second
from vault.rulebook.asker import Asker, Errand, once_for
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Person, Route
from vault.web.times import write_time

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class MergeBody(Body, frozen=True, kw_only=True):
    """Two records of one person, and how that is known."""

    kept: str
    absorbed: str
    reason: Reason


class MergeApproval(Body, frozen=True, kw_only=True):
    """A one-time code, where the session is not stepped up by one."""

    code: Code | None = None


class MergeStands(msgspec.Struct, frozen=True):
    """How it stands."""

    id: str
    state: str


class MergeListed(msgspec.Struct, frozen=True, kw_only=True):
    """One of them; records and people by their ids."""

    id: str
    state: str
    kept: str
    absorbed: str
    subjects: tuple[str, str]
    reason: str
    requested_by: str
    requested_at: str
    approved_by: str | None


class MergesAnswer(msgspec.Struct, frozen=True):
    """All there were; those that wait come first."""

    items: list[MergeListed]


def merge_routes(factor: Factor) -> list[Route]:
    """Return the calls about merges."""
    api = _Api(factor)
    return [
        Route(
            method="POST",
            path="/v1/merges",
            name="merges.request",
            handler=api.request,
            access=Person("consents:verify"),
            body=MergeBody,
            answer=MergeStands,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Ask for two records to be taken for one person's; nothing changes before another person approved it.",
        ),
        Route(
            method="GET",
            path="/v1/merges",
            name="merges.list",
            handler=api.listed,
            access=Person("approve"),
            answer=MergesAnswer,
            summary="The records that are, or are said to be, one person's; the look is an entry.",
        ),
        Route(
            method="POST",
            path="/v1/merges/{merge}/approval",
            name="merges.approve",
            handler=api.approve,
            access=Person("approve"),
            body=MergeApproval,
            optional_body=True,
            answer=MergeStands,
            summary="Approve that two records are one person's: the stricter of both holds for her from this answer on.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: Factor

    async def request(self, call: Call) -> Answer:
        asker: Asker = call.caller
        body: MergeBody = call.body
        if not body.reason.strip() or not body.reason.isprintable():
            raise Invalid([FieldError("reason", "out-of-range")])
        kept, absorbed = (bytes.fromhex(named(getattr(body, name), name, "unknown-record")) for name in ("kept", "absorbed"))
        errand = Errand(asker, call.request_id)
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=body)

        async def requested() -> MergeFact:
            return await asker.association.run(lambda deed: merging.request(deed, errand, (kept, absorbed), body.reason, once))

        return Answer(_stands(await heard(errand, requested)))

    async def listed(self, call: Call) -> Answer:
        asker: Asker = call.caller
        errand = Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: merging.listed(deed, errand)))
        return Answer(MergesAnswer([_listed(one) for one in found]))

    async def approve(self, call: Call) -> Answer:
        asker: Asker = call.caller
        merge, second = call.path_id("merge"), Second(asker, call.request_id, call.body.code, self.factor)

        async def approved() -> MergeFact:
            return await asker.association.run(lambda deed: merging.approve(deed, second, merge), weight=4)

        return Answer(_stands(await heard(second.errand, approved)))


def _state(merge: MergeFact) -> str:
    return "approved" if merge.approved_by else "requested"


def _stands(merge: MergeFact) -> MergeStands:
    return MergeStands(write_id(bytes.fromhex(merge.id)), _state(merge))


def _listed(merge: MergeFact) -> MergeListed:
    one, other = (write_id(bytes.fromhex(subject)) for subject in merge.subjects)
    return MergeListed(
        id=write_id(bytes.fromhex(merge.id)),
        state=_state(merge),
        kept=write_id(bytes.fromhex(merge.kept)),
        absorbed=write_id(bytes.fromhex(merge.absorbed)),
        subjects=(one, other),
        reason=merge.reason,
        requested_by=merge.requested_by,
        requested_at=write_time(merge.requested_at),
        approved_by=merge.approved_by or None,
    )
