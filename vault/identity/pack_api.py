"""HTTP in and out of the association's pack: what is in force and was, what is proposed, whom it touches, and the second person's word."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import msgspec

from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Code
from vault.identity.pack_change import InForce, PackChanges, Weighed, shipped, written
from vault.identity.pack_effects import EFFECTS, Wanted
from vault.policy import pack as packs
from vault.policy.pack import Pack
from vault.rulebook.pinned import PackFact, months_after
from vault.web import Answer, Body, Call, Person, Query, Route, parse_id, write_id
from vault.web.route import MEBIBYTE
from vault.web.times import RIYADH, moment, write_time

LONGEST: Final = 262_144
MOST: Final = 500
USUAL: Final = 200


class PackBody(Body, frozen=True, kw_only=True):
    """Which pack: the name of one that ships, or the text of one's own; one of both."""

    pack: str | None = None
    text: str | None = None


class PackApprovalBody(Body, frozen=True, kw_only=True):
    """Which proposal is approved, and a one-time code where the session is not stepped up."""

    proposal: str
    code: Code | None = None


class PackRejectionBody(Body, frozen=True, kw_only=True):
    """Which proposal is turned down."""

    proposal: str


class Named(msgspec.Struct, frozen=True):
    """One pack: name, version and SHA-256 over its words."""

    name: str
    version: str
    sha256: str


class PackVersion(msgspec.Struct, frozen=True):
    """A version of the association's pack: who proposed and who approved it, empty for the one it was founded under."""

    number: int
    name: str
    version: str
    sha256: str
    reviewed: bool
    proposed_by: str | None
    proposed_at: str | None
    approved_by: str | None
    approved_at: str


class PackAnswer(msgspec.Struct, frozen=True):
    """The pack in force, until when it is to be looked at again, how it ships now, and whether another waits for approval."""

    number: int
    name: str
    version: str
    sha256: str
    title: dict[str, str]
    law: str
    looked_at: str
    review_due: str
    is_overdue: bool
    ships: Named | None
    proposal: str | None


class PackVersions(msgspec.Struct, frozen=True):
    """Every version, the newest first."""

    items: list[PackVersion]


class PackText(msgspec.Struct, frozen=True):
    """One version with its words, and those of the pack it is laid over, empty for none."""

    version: PackVersion
    text: str
    below: str


class TouchedShown(msgspec.Struct, frozen=True):
    """How many consents for one recipient open what they did not, nothing any more, less, or are kept for a shorter time."""

    recipient: str
    wider: int
    insufficient: int
    narrower: int
    shorter: int


class PurposeShown(msgspec.Struct, frozen=True):
    """What becomes of one purpose; `change` is null where only the time its records are kept changes."""

    code: str
    change: Literal["added", "changed", "shut"] | None
    narrower: bool
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    consents: list[TouchedShown]


class ProposedPack(msgspec.Struct, frozen=True):
    """What is proposed and all it would do; the counts are of the moment `counted_at`. `from` and `to` hold what is not of a purpose."""

    proposal: str
    pack: Named
    proposed_by: str
    proposed_at: str
    review_only: bool
    purposes: list[PurposeShown]
    otherwise: dict[str, dict[str, Any]]
    types: list[str]
    kept_types: list[str]
    notices: list[str]
    totals: dict[str, int]
    people: int
    counted_at: str
    text: str
    below: str


class TouchedConsent(msgspec.Struct, frozen=True):
    """One standing consent that the proposal touches, by the person's first record."""

    record: str
    purpose: str
    recipient: str
    effect: str


class TouchedPage(msgspec.Struct, frozen=True):
    """The consents of the records looked at, and the record the next page begins after, null at the end."""

    items: list[TouchedConsent]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    changes: PackChanges

    async def in_force(self, call: Call) -> Answer:
        return Answer(_in_force(await self.changes.in_force(call.caller), call.now))

    async def versions(self, call: Call) -> Answer:
        return Answer(PackVersions([_version(one) for one in (await self.changes.in_force(call.caller)).versions]))

    async def version(self, call: Call) -> Answer:
        found = await self.changes.in_force(call.caller)
        for one in found.versions:
            if str(one.number) == call.path["number"]:
                return Answer(PackText(_version(one), one.own, one.below))
        raise NotFound

    async def propose(self, call: Call) -> Answer:
        body: PackBody = call.body
        if (body.pack is None) == (body.text is None):
            raise Invalid([FieldError("pack", "missing" if body.pack is None else "out-of-range")])
        if body.text is not None and len(body.text) > LONGEST:
            raise Invalid([FieldError("text", "out-of-range")])
        words = shipped(body.pack) if body.pack is not None else written(body.text or "")
        return Answer(_proposed(await self.changes.propose(call.caller, words)))

    async def waiting(self, call: Call) -> Answer:
        return Answer(_proposed(await self.changes.waiting(call.caller)))

    async def affected(self, call: Call) -> Answer:
        query = call.query
        wanted = Wanted(purpose=query["purpose"], recipient=query["recipient"], after=query["after"], limit=query["limit"])
        found, more = await self.changes.affected(call.caller, call.request_id, wanted)
        items = [TouchedConsent(write_id(one.record or b""), one.purpose, one.recipient, one.effect) for one in found]
        return Answer(TouchedPage(items, None if more is None else write_id(more)))

    async def withdraw(self, call: Call) -> Answer:
        await self.changes.withdraw(call.caller)
        return Answer(_in_force(await self.changes.in_force(call.caller), call.now))

    async def approve(self, call: Call) -> Answer:
        body: PackApprovalBody = call.body
        return Answer(_version(await self.changes.approve(call.caller, _proposal(body), body.code)))

    async def turn_down(self, call: Call) -> Answer:
        await self.changes.turn_down(call.caller, _proposal(call.body))
        return Answer(_in_force(await self.changes.in_force(call.caller), call.now))


def review_due(found: InForce) -> dt.date:
    """The day in Riyadh on which the pack is to be looked at again (004 6.4)."""
    return months_after(moment(found.looked_at).astimezone(RIYADH).date(), found.pack.review.policy_months)


def is_overdue(found: InForce, now: int) -> bool:
    """Whether that day has come."""
    return moment(now).astimezone(RIYADH).date() >= review_due(found)


def _in_force(found: InForce, now: int) -> PackAnswer:
    pack = found.pack
    ships = Named(pack.name, packs.load(pack.name).version, packs.shipped(pack.name).sha256) if pack.name in packs.names() else None
    return PackAnswer(
        number=found.versions[0].number if found.versions else 0,
        name=pack.name,
        version=pack.version,
        sha256=found.sha256,
        title={"ar": pack.title.ar, "en": pack.title.en},
        law=pack.law,
        looked_at=write_time(found.looked_at),
        review_due=review_due(found).isoformat(),
        is_overdue=is_overdue(found, now),
        ships=ships,
        proposal=write_id(bytes.fromhex(found.waits.id)) if found.waits is not None else None,
    )


def _version(one: PackFact) -> PackVersion:
    return PackVersion(
        number=one.number,
        name=one.name,
        version=one.version,
        sha256=one.sha256,
        reviewed=one.reviewed,
        proposed_by=one.proposed_by or None,
        proposed_at=write_time(one.proposed_at) if one.proposed_by else None,
        approved_by=one.approved_by or None,
        approved_at=write_time(one.approved_at),
    )


def _proposed(told: Weighed) -> ProposedPack:
    proposal, plan = told.proposal, told.plan
    return ProposedPack(
        proposal=write_id(bytes.fromhex(proposal.id)),
        pack=Named(proposal.name, proposal.version, proposal.sha256),
        proposed_by=proposal.proposed_by,
        proposed_at=write_time(proposal.proposed_at),
        review_only=proposal.sha256 == told.sha256,
        purposes=_purposes(told),
        otherwise=otherwise(told.old, plan.pack),
        types=sorted(plan.types),
        kept_types=list(plan.kept_types),
        notices=sorted(one.purpose for one in plan.notices),
        totals={effect: told.tally.total(effect) for effect in EFFECTS},
        people=told.tally.people,
        counted_at=write_time(told.at),
        text=proposal.own,
        below=proposal.below,
    )


def _purposes(told: Weighed) -> list[PurposeShown]:
    """Every purpose that changes or whose consents are touched, in the order of codes."""
    changed = {one.code: one for one in told.changes}
    counted: dict[str, list[TouchedShown]] = {}
    for (code, recipient), of in sorted(told.tally.counts.items()):
        counted.setdefault(code, []).append(TouchedShown(recipient, **of))
    shown = []
    for code in sorted(changed.keys() | counted.keys()):
        one = changed.get(code)
        members = {"change": None, "narrower": False, "before": None, "after": None} if one is None else asdict(one)
        shown.append(PurposeShown(**{**members, "code": code, "consents": counted.get(code, [])}))
    return shown


def otherwise(old: Pack, new: Pack) -> dict[str, dict[str, Any]]:
    """What else is otherwise: switches, review, reply, retention, channels and reports, each member before and after, null for none."""
    found = {}
    for table, (one, other) in {
        "switches": (asdict(old.switches), asdict(new.switches)),
        "review": (asdict(old.review), asdict(new.review)),
        "reply": (old.reply, new.reply),
        "retention_months": (old.retention_months, new.retention_months),
        "channels": (_channels(old), _channels(new)),
        "report_categories": (dict.fromkeys(old.report_categories, True), dict.fromkeys(new.report_categories, True)),
    }.items():
        members = _members(one, other)
        if members:
            found[table] = members
    return found


def _members(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    names = sorted(one.keys() | other.keys())
    return {name: {"before": one.get(name), "after": other.get(name)} for name in names if one.get(name) != other.get(name)}


def _channels(pack: Pack) -> dict[str, list[str]]:
    return {name: sorted(channel.forms) for name, channel in pack.channels.items()}


def _proposal(body: PackApprovalBody | PackRejectionBody) -> bytes:
    try:
        return parse_id(body.proposal)
    except NotFound:
        raise Invalid([FieldError("proposal", "out-of-range")]) from None


def routes(changes: PackChanges) -> list[Route]:
    """The calls about the association's pack."""
    api = _Api(changes)
    anybody, first, second = Person("notices:read"), Person("purposes:write"), Person("approve")
    named = Query(kind="text", low=1, high=64)
    return [
        Route(
            method="GET",
            path="/v1/pack",
            name="pack.read",
            handler=api.in_force,
            access=anybody,
            answer=PackAnswer,
            summary="The pack in force, and when it is to be reviewed.",
        ),
        Route(
            method="PUT",
            path="/v1/pack",
            name="pack.propose",
            handler=api.propose,
            access=first,
            body=PackBody,
            max_body=MEBIBYTE,
            answer=ProposedPack,
            summary="Propose another pack or version; tells what it would change and how many standing consents it touches.",
        ),
        Route(
            method="GET",
            path="/v1/pack/proposal",
            name="pack.waiting",
            handler=api.waiting,
            access=second,
            answer=ProposedPack,
            summary="The pack that waits for approval, weighed anew.",
        ),
        Route(
            method="DELETE",
            path="/v1/pack/proposal",
            name="pack.withdraw",
            handler=api.withdraw,
            access=first,
            answer=PackAnswer,
            summary="Take back the proposal that waits.",
        ),
        Route(
            method="GET",
            path="/v1/pack/proposal/affected",
            name="pack.affected",
            handler=api.affected,
            access=second,
            answer=TouchedPage,
            query={
                "purpose": named,
                "recipient": named,
                "after": Query(kind="id"),
                "limit": Query(kind="integer", low=1, high=MOST, default=USUAL),
            },
            summary="The records whose standing consents the proposal touches, page by page, without values.",
        ),
        Route(
            method="POST",
            path="/v1/pack/approval",
            name="pack.approve",
            handler=api.approve,
            access=second,
            body=PackApprovalBody,
            answer=PackVersion,
            summary="Approve the pack that another person proposed; in force from this answer on.",
        ),
        Route(
            method="POST",
            path="/v1/pack/rejection",
            name="pack.turn_down",
            handler=api.turn_down,
            access=second,
            body=PackRejectionBody,
            answer=PackAnswer,
            summary="Turn down the pack that another person proposed.",
        ),
        Route(
            method="GET",
            path="/v1/pack/versions",
            name="pack.versions",
            handler=api.versions,
            access=anybody,
            answer=PackVersions,
            summary="Every version of the association's pack, with who proposed and approved it.",
        ),
        Route(
            method="GET",
            path="/v1/pack/versions/{number}",
            name="pack.version",
            handler=api.version,
            access=anybody,
            answer=PackText,
            summary="One version of the association's pack with its words.",
        ),
    ]
