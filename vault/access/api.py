"""The calls that give values and answers: reading one record or many, and deciding; each through the door or the articles."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from vault.access import reading
from vault.access.asking import ask
from vault.access.reading import Given, Read
from vault.access.verdicts import Asked, Judged
from vault.errors import FieldError, Invalid, Malformed, Refused, VaultError
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Asker, Errand
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.problems import problem_of
from vault.web.route import MEBIBYTE, Body, Needs, Query, Route
from vault.web.times import write_time

T = TypeVar("T")
Answers = list[Given | VaultError] | list[Judged | VaultError]
Deeds = Callable[[Sequence[Read]], Awaitable[Answers]]
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
    """The four calls."""

    async def read(self, call: Call) -> Answer:
        """Read fields of one record for a purpose."""
        asker: Asker = call.caller
        query = call.query
        asked = Asked(call.path_id("record"), query["action"], query["purpose"], query["fields"])
        errand = Errand(asker, call.request_id)
        return Answer(_read(await heard(errand, lambda: reading.read(errand, asked), by_record(asked.record))))

    async def decide(self, call: Call) -> Answer:
        """Answer one question without giving a value."""
        asker: Asker = call.caller
        asked = _question(call.body)
        errand = Errand(asker, call.request_id)
        judged = await heard(errand, lambda: asker.association.run(lambda deed: ask(deed, errand, asked)), by_record(asked.record))
        if not judged.verdict.allowed:
            asker.association.refusals.refused(asker.ref)
        return Answer(verdict_answer(judged))

    async def read_many(self, call: Call) -> Answer:
        """Read the same fields of many records: one entry each, one commit."""
        asker: Asker = call.caller
        body: ReadManyBody = call.body
        if not 1 <= len(body.ids) <= MOST_ITEMS or len(set(body.ids)) != len(body.ids):
            raise Invalid([FieldError("ids", "out-of-range")])
        fields = _fields(body.fields)
        asked = _each(body.ids, lambda text: Asked(parse_id(text), None, body.purpose, fields))
        return Answer(Results(await self._rows(call, asked, lambda reads: reading.read_many(asker, reads))))

    async def decide_many(self, call: Call) -> Answer:
        """Answer up to 500 questions: one entry each."""
        asker: Asker = call.caller
        items = call.body.items
        if not 1 <= len(items) <= MOST_ITEMS:
            raise Invalid([FieldError("items", "out-of-range")])
        asked = _each(items, _question)
        return Answer(Results(await self._rows(call, asked, lambda questions: reading.ask_many(asker, questions))))

    async def _rows(self, call: Call, asked: Sequence[Asked | VaultError], deed: Deeds) -> list[dict[str, Any]]:
        """A row for each item, in order; one that cannot be read is answered by its problem and leaves the others alone."""
        errand = Errand(call.caller, call.request_id)
        sound = [Read(errand, one) for one in asked if isinstance(one, Asked)]
        answers = iter(await heard(errand, lambda: deed(sound)) if sound else [])
        return [await self._row(call, one, next(answers) if isinstance(one, Asked) else one) for one in asked]

    async def _row(self, call: Call, asked: Asked | VaultError, answer: Given | Judged | VaultError) -> dict[str, Any]:
        """One row of a batch, with its own status; what was no id is not said again."""
        asker: Asker = call.caller
        record = write_id(asked.record) if isinstance(asked, Asked) else None
        if isinstance(answer, Given):
            shown = _read(answer)
            return {"id": record, "status": 200, "fields": shown.fields, "decision": shown.decision}
        if isinstance(answer, Judged):
            if not answer.verdict.allowed:
                asker.association.refusals.refused(asker.ref)
            return dict(msgspec.to_builtins(verdict_answer(answer)))
        if isinstance(answer, Refused):
            asker.association.refusals.refused(asker.ref)
        if isinstance(asked, Asked):
            await ring(Errand(asker, call.request_id), answer, by_record(asked.record))
        problem = problem_of(answer, call.request_id, call.language)
        return {"id": record, "status": problem.status, "problem": problem}


def _each(items: Sequence[T], asked: Callable[[T], Asked]) -> list[Asked | VaultError]:
    """What each item asks, or why that cannot be read."""
    found: list[Asked | VaultError] = []
    for item in items:
        try:
            found.append(asked(item))
        except VaultError as error:
            found.append(error)
    return found


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


def verdict_answer(judged: Judged) -> VerdictAnswer:
    """The verdict as the caller may hear it."""
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


def routes() -> list[Route]:
    """The calls of this room."""
    rooms = Reading()
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
            max_body=MEBIBYTE,
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
            max_body=MEBIBYTE,
            answer=Results,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Ask the articles up to 500 questions.",
        ),
    ]
