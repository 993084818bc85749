"""HTTP in and out of retention: what is due, the run that two people make, and the tombstones."""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from vault.breach_reports import destroying
from vault.breach_reports.destroying import DestructionFact, Done, Preview
from vault.breach_reports.reports import Reports
from vault.breach_reports.retention import SOON, Term
from vault.breach_reports.shapes import TombstoneFact
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web import Answer, Body, Call, Person, Query, Route, write_id
from vault.web.times import write_time

ALL: Final = "/v1/breach-retention"
PAGES: Final = {"after": Query(kind="id"), "limit": Query(kind="integer", low=1, high=500, default=50)}


class ReleaseBody(Body):
    """A one-time code, where the session is not stepped up."""

    code: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class TermTold(msgspec.Struct, kw_only=True):
    """A closed case: when it was closed and may be destroyed; `state` is `due`, `soon` (within 30 days), `later`, or what stops it.

    `linked` counts the reports that go with an incident.
    """

    what: str
    id: str
    reference: str
    closed_at: str
    due_at: str
    state: str
    linked: int


class RunTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A run: what was proposed, by whom and when, and who released it or turned it down."""

    id: str
    cases: list[str]
    proposed_by: str
    proposed_at: str
    released_by: str | None = None
    released_at: str | None = None
    turned_down_by: str | None = None
    turned_down_at: str | None = None


class RetentionTold(msgspec.Struct):
    """A page of closed cases, the earliest due first; `waiting` is the newest run that waits for a second person.

    It is one with a case the reader may see. `withheld` counts the reports and incidents kept from the reader, closed or not.
    """

    items: list[TermTold]
    next: str | None
    withheld: int
    waiting: RunTold | None


class ReleaseTold(msgspec.Struct):
    """What a release did: the cases that are gone, linked reports among them, and those of the run that stay.

    `epochs` are those the destroyed keys were wrapped under: an older copy of the database opens them until these are retired.
    """

    run: RunTold
    destroyed: list[str]
    left: list[str]
    epochs: list[int]


class TombstoneTold(msgspec.Struct, kw_only=True):
    """What stays of a destroyed case."""

    id: str
    what: str
    reference: str
    opened_at: str
    closed_at: str
    destroyed_at: str
    outcome: str
    category: str | None
    incident: str | None
    reports: list[str]
    authority: str | None
    people: str | None
    filed_at: str | None
    reference_there: str | None


class TombstoneList(msgspec.Struct):
    """A page of tombstones, the newest first; `withheld` are kept from the reader."""

    items: list[TombstoneTold]
    next: str | None
    withheld: int


def retention_routes(reports: Reports) -> list[Route]:
    """Return the calls of this file."""
    api, work = _Retention(reports), Person("reports")
    return [
        Route(
            method="GET",
            path=ALL,
            name="breach_retention.preview",
            handler=api.preview,
            access=work,
            answer=RetentionTold,
            query=PAGES,
            summary="List closed reports and incidents by when they may be destroyed, and what stops that.",
        ),
        Route(
            method="POST",
            path=ALL,
            name="breach_retention.propose",
            handler=api.propose,
            access=work,
            answer=RunTold,
            status=201,
            summary="Propose to destroy what is due; nothing goes before another person releases it.",
        ),
        Route(
            method="POST",
            path=f"{ALL}/{{run}}/release",
            name="breach_retention.release",
            handler=api.release,
            access=Person("approve"),
            body=ReleaseBody,
            answer=ReleaseTold,
            summary="Destroy what another proposed and is due still; a tombstone of each case stays.",
        ),
        Route(
            method="POST",
            path=f"{ALL}/{{run}}/rejection",
            name="breach_retention.turn_down",
            handler=api.turn_down,
            access=Person("approve"),
            answer=RunTold,
            summary="Turn down what somebody proposed to destroy; nothing of it goes.",
        ),
        Route(
            method="GET",
            path=f"{ALL}/tombstones",
            name="breach_retention.tombstones",
            handler=api.tombstones,
            access=work,
            answer=TombstoneList,
            query=PAGES,
            summary="List what stays of destroyed reports and incidents.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Retention:
    """The handlers."""

    reports: Reports

    async def preview(self, call: Call) -> Answer:
        errand, association, after = Errand(call.caller, call.request_id), call.caller.association, call.query["after"]
        known = await heard(errand, lambda: self.reports.index.known(association))
        found: Preview = await heard(errand, lambda: association.run(lambda deed: destroying.preview(deed, errand, known, after)))
        waiting = None if found.waiting is None else _run(found.waiting)
        here, more = found.page(call.query["limit"])
        items = [_term(each, call.now) for each in here]
        return Answer(RetentionTold(items, None if more is None else _id(more), found.withheld, waiting))

    async def propose(self, call: Call) -> Answer:
        errand = Errand(call.caller, call.request_id)
        known = await heard(errand, lambda: self.reports.index.known(call.caller.association))
        return Answer(_run(await heard(errand, lambda: call.caller.association.run(lambda deed: destroying.propose(deed, errand, known)))))

    async def release(self, call: Call) -> Answer:
        errand, run, code = Errand(call.caller, call.request_id), call.path_id("run"), call.body.code
        association, factor = call.caller.association, self.reports.factor
        done: Done = await heard(
            errand, lambda: association.run(lambda deed: destroying.release(deed, errand, factor, run, code), weight=destroying.MOST)
        )
        await association.settle()
        return Answer(ReleaseTold(_run(done.run), [_id(each) for each in done.gone], [_id(each) for each in done.left], list(done.epochs)))

    async def turn_down(self, call: Call) -> Answer:
        errand, run = Errand(call.caller, call.request_id), call.path_id("run")
        return Answer(_run(await heard(errand, lambda: call.caller.association.run(lambda deed: destroying.turn_down(deed, errand, run)))))

    async def tombstones(self, call: Call) -> Answer:
        errand, after, limit = Errand(call.caller, call.request_id), call.query["after"], call.query["limit"]
        found, more, withheld = await heard(
            errand, lambda: call.caller.association.run(lambda deed: destroying.tombstones(deed, errand, after, limit))
        )
        return Answer(TombstoneList([_stone(key, each) for key, each in found], None if more is None else _id(more), withheld))


def _term(term: Term, now: int) -> TermTold:
    due = "due" if term.due_at <= now else "soon" if term.due_at <= now + SOON else "later"
    return TermTold(
        what=term.what,
        id=_id(term.id),
        reference=term.reference,
        closed_at=write_time(term.closed_at),
        due_at=write_time(term.due_at),
        state=term.stop or due,
        linked=len(term.cases) - 1,
    )


def _run(run: DestructionFact) -> RunTold:
    return RunTold(
        id=_id(run.id),
        cases=[_id(each.id) for each in run.cases],
        proposed_by=run.proposed_by,
        proposed_at=write_time(run.proposed_at),
        released_by=run.released_by or None,
        released_at=_time(run.released_at),
        turned_down_by=run.turned_down_by or None,
        turned_down_at=_time(run.turned_down_at),
    )


def _stone(key: str, stone: TombstoneFact) -> TombstoneTold:
    return TombstoneTold(
        id=_id(key),
        what=stone.what,
        reference=stone.reference,
        opened_at=write_time(stone.opened_at),
        closed_at=write_time(stone.closed_at),
        destroyed_at=write_time(stone.destroyed_at),
        outcome=stone.outcome,
        category=stone.category or None,
        incident=_id(stone.incident) if stone.incident else None,
        reports=[_id(each) for each in stone.reports],
        authority=stone.authority or None,
        people=stone.people or None,
        filed_at=_time(stone.filed_at),
        reference_there=stone.reference_there or None,
    )


def _id(hexadecimal: str) -> str:
    return write_id(bytes.fromhex(hexadecimal))


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else write_time(microseconds)
