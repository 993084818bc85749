"""The calls that give values and answers: reading one record or many, and deciding; each through the door or the articles."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from vault.access import reading
from vault.access.alarm import heard, ring
from vault.access.asking import ask
from vault.access.reading import Given, Read
from vault.access.refusals import Refusals
from vault.access.verdicts import Asked, Judged
from vault.errors import FieldError, Invalid, Malformed, Refused, VaultError
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.problems import problem_of
from vault.web.route import Body, Needs, Query, Route
from vault.web.times import write_time

T = TypeVar("T")
MOST_ITEMS = 500
ACTIONS = ("use", "contact", "publish", "disclose")


class EntryPlace(msgspec.Struct, frozen=True):
    """Where an entry stands: its number and leaf hash in hexadecimal."""

    index: int
    leaf_hash: str


class DecisionShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """The verdict a value was given on."""

    id: str
    article: str
    basis: str
    entry: EntryPlace
    law: str | None = None


class ReadAnswer(msgspec.Struct, frozen=True):
    """The values of a record that were asked for and allowed."""

    id: str
    type: str
    revision: int
    fields: dict[str, Any]
    decision: DecisionShown


class ReadManyBody(Body):
    """Records to read: up to 500 ids, one purpose, the same fields."""

    ids: list[str]
    purpose: str
    fields: list[str]


class Results(msgspec.Struct, frozen=True):
    """A result for each item, in order."""

    results: list[dict[str, Any]]


class QuestionBody(Body):
    """One question to the articles."""

    record: str
    action: str
    purpose: str
    recipient: str
    fields: list[str]


class QuestionsBody(Body):
    """Up to 500 questions."""

    items: list[QuestionBody]


class VerdictAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Yes or no, why, and until when it may be relied on."""

    decision: str
    reason: str
    article: str
    basis: str
    fields_covered: list[str]
    missing: list[str]
    entry: EntryPlace
    law: str | None = None
    valid_until: str | None = None


class Reading:
    """The four calls, with what bounds their refusals."""

    def __init__(self, refusals: Refusals) -> None:
        """Bound every caller's refusals by these."""
        self._refusals = refusals

    async def read(self, call: Call) -> Answer:
        """Read fields of one record for a purpose."""
        asker: Asker = call.caller
        query = call.query
        asked = Asked(call.path_id("record"), query["action"], query["purpose"], query["fields"])
        return Answer(_read(await self._heard(call, asked.record, lambda: reading.read(Errand(asker, call.request_id), asked))))

    async def decide(self, call: Call) -> Answer:
        """Answer one question without giving a value."""
        asker: Asker = call.caller
        asked = _question(call.body)
        judged = await self._heard(
            call, asked.record, lambda: asker.association.run(lambda deed: ask(deed, Errand(asker, call.request_id), asked))
        )
        if not judged.verdict.allowed:
            self._refusals.refused(asker)
        return Answer(_verdict(judged))

    async def read_many(self, call: Call) -> Answer:
        """Read the same fields of many records: one entry each, one commit."""
        asker: Asker = call.caller
        body: ReadManyBody = call.body
        if not 1 <= len(body.ids) <= MOST_ITEMS or len(set(body.ids)) != len(body.ids):
            raise Invalid([FieldError("ids", "out-of-range")])
        fields = _fields(body.fields)
        reads = [Read(Errand(asker, call.request_id), Asked(parse_id(text), None, body.purpose, fields)) for text in body.ids]
        answers = await self._heard(call, None, lambda: reading.read_many(asker, reads))
        return Answer(Results([await self._row(call, text, answer) for text, answer in zip(body.ids, answers, strict=True)]))

    async def decide_many(self, call: Call) -> Answer:
        """Answer up to 500 questions: one entry each."""
        asker: Asker = call.caller
        items = call.body.items
        if not 1 <= len(items) <= MOST_ITEMS:
            raise Invalid([FieldError("items", "out-of-range")])
        questions = [Read(Errand(asker, call.request_id), _question(item)) for item in items]
        answers = await self._heard(call, None, lambda: reading.ask_many(asker, questions))
        return Answer(Results([await self._row(call, item.record, answer) for item, answer in zip(items, answers, strict=True)]))

    async def _heard(self, call: Call, record: bytes | None, deed: Callable[[], Awaitable[T]]) -> T:
        """The deed within the caller's share of refusals; what does not hold rings the alarm."""
        errand = Errand(call.caller, call.request_id)
        return await heard(errand, record, lambda: self._refusals.bounded(errand.asker, errand.request, deed))

    async def _row(self, call: Call, record: str, answer: Given | Judged | VaultError) -> dict[str, Any]:
        """One row of a batch, with its own status."""
        if isinstance(answer, Given):
            shown = _read(answer)
            return {"id": record, "status": 200, "fields": shown.fields, "decision": shown.decision}
        if isinstance(answer, Judged):
            if not answer.verdict.allowed:
                self._refusals.refused(call.caller)
            return dict(msgspec.to_builtins(_verdict(answer)))
        if isinstance(answer, Refused):
            self._refusals.refused(call.caller)
        await ring(Errand(call.caller, call.request_id), answer, parse_id(record))
        problem = problem_of(answer, call.request_id, call.language)
        return {"id": record, "status": problem.status, "problem": problem}


def _question(body: QuestionBody) -> Asked:
    if len(body.fields) != len(set(body.fields)):
        raise Invalid([FieldError("fields", "out-of-range")])
    return Asked(parse_id(body.record), body.action, body.purpose, tuple(body.fields), body.recipient, "decision")


def _fields(names: list[str]) -> tuple[str, ...]:
    if not names or len(set(names)) != len(names):
        raise Malformed("missing-parameter")
    return tuple(names)


def _read(given: Given) -> ReadAnswer:
    judged = given.judged
    verdict, place = judged.verdict, judged.appended
    return ReadAnswer(
        write_id(judged.asked.record),
        judged.state.type,
        judged.state.revision,
        given.values,
        DecisionShown(
            place.leaf_hash.hex(),
            verdict.article,
            verdict.basis,
            EntryPlace(place.index, place.leaf_hash.hex()),
            verdict.law or None,
        ),
    )


def _verdict(judged: Judged) -> VerdictAnswer:
    heard, place = judged.heard, judged.appended
    return VerdictAnswer(
        decision="permit" if heard.allowed else "deny",
        reason=heard.reason,
        article=heard.article,
        basis=heard.basis,
        fields_covered=sorted(heard.fields),
        missing=list(heard.missing),
        entry=EntryPlace(place.index, place.leaf_hash.hex()),
        law=heard.law or None,
        valid_until=write_time(heard.valid_until) if heard.valid_until is not None else None,
    )


def routes(refusals: Refusals) -> list[Route]:
    """The calls of this room."""
    rooms = Reading(refusals)
    return [
        Route(
            method="GET",
            path="/v1/records/{record}",
            name="records.read",
            handler=rooms.read,
            access=Needs("records:read"),
            answer=ReadAnswer,
            query={
                "purpose": Query(kind="text", required=True, high=64),
                "fields": Query(kind="fields", required=True),
                "action": Query(kind="choice", choices=ACTIONS),
            },
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Read fields of a record for a purpose.",
        ),
        Route(
            method="POST",
            path="/v1/records/read",
            name="records.read_many",
            handler=rooms.read_many,
            access=Needs("records:read"),
            body=ReadManyBody,
            answer=Results,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Read the same fields of many records.",
        ),
        Route(
            method="POST",
            path="/v1/decisions",
            name="decisions.ask",
            handler=rooms.decide,
            access=Needs("decisions:ask"),
            body=QuestionBody,
            answer=VerdictAnswer,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Ask the articles without getting a value.",
        ),
        Route(
            method="POST",
            path="/v1/decisions/batch",
            name="decisions.ask_many",
            handler=rooms.decide_many,
            access=Needs("decisions:ask"),
            body=QuestionsBody,
            answer=Results,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Ask the articles up to 500 questions.",
        ),
    ]
