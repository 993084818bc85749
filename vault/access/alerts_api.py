"""The calls about alerts: showing and reviewing them, and declaring the rules' thresholds, which takes two people."""

from datetime import date
from typing import Annotated, Final

import msgspec

from vault.access import alerts
from vault.access.alert_facts import AlertFact, DetectionProposal, Reason
from vault.access.alert_words import say
from vault.access.alerts import Wanted
from vault.access.approving import Approver
from vault.access.detection import Day, DetectionFact
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.declarations_api import ApprovalBody
from vault.identity.second_factor import SecondFactor
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Person, Query, Route
from vault.web.times import write_time

MOST: Final = 100
Threshold = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Holiday = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
_USUAL = DetectionFact()


class ReviewBody(Body, frozen=True):
    """What the alert was: `explained`, `mistaken` (the rule is), `misuse`, or a `test`."""

    reason: Reason


class DetectionBody(Body, frozen=True, kw_only=True):
    """Every threshold; what is left out is as usual. `canaries` are ids of records; hours are those of Riyadh, `closes` exclusive."""

    people_an_hour: Threshold = _USUAL.people_an_hour
    people_an_hour_systems: Threshold = _USUAL.people_an_hour_systems
    misses: Threshold = _USUAL.misses
    misses_systems: Threshold = _USUAL.misses_systems
    days: Annotated[tuple[Day, ...], msgspec.Meta(max_length=7)] = _USUAL.days
    opens: Annotated[int, msgspec.Meta(ge=0, le=24)] = _USUAL.opens
    closes: Annotated[int, msgspec.Meta(ge=0, le=24)] = _USUAL.closes
    holidays: Annotated[tuple[Holiday, ...], msgspec.Meta(max_length=MOST)] = ()
    hours_after_withdrawal: Annotated[int, msgspec.Meta(ge=1, le=24 * 30)] = _USUAL.hours_after_withdrawal
    canaries: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST)] = ()


class DetectionShown(msgspec.Struct, frozen=True, kw_only=True):
    """Every threshold as it stands."""

    people_an_hour: int
    people_an_hour_systems: int
    misses: int
    misses_systems: int
    days: tuple[Day, ...]
    opens: int
    closes: int
    holidays: tuple[str, ...]
    hours_after_withdrawal: int
    canaries: tuple[str, ...]


class ProposedShown(msgspec.Struct, frozen=True):
    """Thresholds that wait for another person."""

    proposal: str
    proposed_by: str
    proposed_at: str
    rules: DetectionShown


class DetectionAnswer(msgspec.Struct, frozen=True):
    """The thresholds in force and those that wait."""

    in_force: DetectionShown
    proposed: ProposedShown | None


class DetectionDeclared(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of it: `in-force`, or `proposed` under an id that the approval names."""

    state: str
    proposal: str | None = None


class AlertShown(msgspec.Struct, frozen=True, kw_only=True):
    """An alert: the rule, whose deeds, the entries of the log it rests on, and what was found.

    `review_by` is the time by which somebody must have looked into a case that was opened in an emergency, null under the other rules.
    """

    id: str
    rule: str
    say: dict[str, str]
    actor: str
    entries: tuple[int, ...]
    threshold: int | None
    raised_at: str
    review_by: str | None
    state: str
    reason: str | None
    reviewed_by: str | None
    reviewed_at: str | None


class AlertsAnswer(msgspec.Struct, frozen=True):
    """A page of alerts, newest first, and where the next begins; `withheld` counts those about a case the reader is excluded from."""

    items: list[AlertShown]
    next: int | None
    withheld: int


async def page(call: Call) -> Answer:
    """A page of alerts."""
    asker: Asker = call.caller
    errand, query = Errand(asker, call.request_id), call.query
    wanted = Wanted(query["state"], query["after"], query["limit"])
    found = await heard(errand, lambda: asker.association.run(lambda deed: alerts.page(deed, errand, wanted)))
    return Answer(AlertsAnswer([_alert(id_, one) for id_, one in found.items], found.more, found.withheld))


async def declared(call: Call) -> Answer:
    """The thresholds in force and those that wait."""
    asker: Asker = call.caller
    errand = Errand(asker, call.request_id)
    standing, waits = await heard(errand, lambda: asker.association.run(lambda deed: alerts.declared(deed, errand)))
    return Answer(DetectionAnswer(_shown(standing), None if waits is None else _proposed(waits)))


async def propose(call: Call) -> Answer:
    """Propose thresholds."""
    asker: Asker = call.caller
    errand, wanted, canaries = Errand(asker, call.request_id), _wanted(call.body), _canaries(call.body)
    made = await heard(errand, lambda: asker.association.run(lambda deed: alerts.propose(deed, errand, wanted, canaries)))
    return Answer(DetectionDeclared("proposed", write_id(bytes.fromhex(made.id))))


class _Approvals:
    """The calls that one person makes about what another did."""

    def __init__(self, factor: SecondFactor) -> None:
        self._factor = factor

    async def review(self, call: Call) -> Answer:
        """Say what an alert was."""
        approver, alert = Approver(call.caller, call.request_id, None, self._factor), call.path_id("alert")
        reason = call.body.reason
        found = await heard(
            approver.errand, lambda: approver.caller.association.run(lambda deed: alerts.review(deed, approver, alert, reason))
        )
        return Answer(_alert(alert.hex(), found))

    async def approve(self, call: Call) -> Answer:
        """Approve thresholds."""
        approver = Approver(call.caller, call.request_id, call.body.code, self._factor)
        try:
            proposal = parse_id(call.body.proposal)
        except NotFound:
            raise Invalid([FieldError("proposal", "out-of-range")]) from None
        await heard(approver.errand, lambda: approver.caller.association.run(lambda deed: alerts.approve(deed, approver, proposal)))
        return Answer(DetectionDeclared("in-force"))


def _wanted(body: DetectionBody) -> DetectionFact:
    for each in body.holidays:
        try:
            date.fromisoformat(each)
        except ValueError:
            raise Invalid([FieldError("holidays", "out-of-range")]) from None
    if body.opens > body.closes:
        raise Invalid([FieldError("closes", "out-of-range")])
    named = {name: getattr(body, name) for name in DetectionBody.__struct_fields__ if name != "canaries"}
    return DetectionFact(**named)


def _canaries(body: DetectionBody) -> tuple[bytes, ...]:
    try:
        return tuple(parse_id(each) for each in body.canaries)
    except NotFound:
        raise Invalid([FieldError("canaries", "unknown-record")]) from None


def _shown(rules: DetectionFact) -> DetectionShown:
    named = {name: getattr(rules, name) for name in DetectionShown.__struct_fields__ if name != "canaries"}
    return DetectionShown(**named, canaries=tuple(write_id(bytes.fromhex(record)) for record, _ in rules.canaries))


def _proposed(one: DetectionProposal) -> ProposedShown:
    return ProposedShown(write_id(bytes.fromhex(one.id)), one.proposed_by, write_time(one.proposed_at), _shown(one.rules))


def _alert(id_: str, one: AlertFact) -> AlertShown:
    return AlertShown(
        id=write_id(bytes.fromhex(id_)),
        rule=one.rule,
        say=say(one.rule, one.limit),
        actor=one.hand,
        entries=one.indexes,
        threshold=one.limit or None,
        raised_at=write_time(one.raised_at),
        review_by=write_time(one.review_by) if one.review_by is not None else None,
        state=one.state,
        reason=one.reason,
        reviewed_by=one.reviewed_by or None,
        reviewed_at=write_time(one.reviewed_at) if one.reviewed_at else None,
    )


def alert_routes(factor: SecondFactor) -> list[Route]:
    """The calls of this file."""
    calls = _Approvals(factor)
    return [
        Route(
            method="GET",
            path="/v1/alerts",
            name="alerts.page",
            handler=page,
            access=Person("log:read"),
            answer=AlertsAnswer,
            query={
                "state": Query(kind="choice", choices=("unreviewed", "overdue", "reviewed")),
                "after": Query(kind="integer", low=0),
                "limit": Query(kind="integer", low=1, high=100, default=50),
            },
            summary="Show the alerts of the detection rules, newest first; the look is an entry itself.",
        ),
        Route(
            method="POST",
            path="/v1/alerts/{alert}/review",
            name="alerts.review",
            handler=calls.review,
            access=Person("log:read"),
            body=ReviewBody,
            answer=AlertShown,
            summary="Say what an alert was; by another person than whose deeds it is about.",
        ),
        Route(
            method="GET",
            path="/v1/detection",
            name="detection.read",
            handler=declared,
            access=Person("approve"),
            answer=DetectionAnswer,
            summary="The thresholds of the detection rules in force, and those that wait for approval.",
        ),
        Route(
            method="PUT",
            path="/v1/detection",
            name="detection.propose",
            handler=propose,
            access=Person("log:read"),
            body=DetectionBody,
            answer=DetectionDeclared,
            summary="Propose the thresholds and canaries of the detection rules; in force after another person's approval.",
        ),
        Route(
            method="POST",
            path="/v1/detection/approval",
            name="detection.approve",
            handler=calls.approve,
            access=Person("approve"),
            body=ApprovalBody,
            answer=DetectionDeclared,
            summary="Approve the thresholds that another person proposed.",
        ),
    ]
