"""The call that asks predicates in the place of values: yes, no or unknown, each with the verdict it rests on."""

from typing import Annotated, Any

import msgspec

from vault.access import predicates
from vault.access.api import DecisionShown, EntryPlace, Results
from vault.access.predicates import Answer as Answered
from vault.access.predicates import Questions
from vault.errors import FieldError, Invalid, Refused
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Asker, Errand
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.problems import problem_of
from vault.web.route import Body, Needs, Route

MOST_QUESTIONS = 10


class PredicatesBody(Body, frozen=True):
    """Predicates by the names the record's type declares them under, and what for."""

    purpose: str
    questions: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST_QUESTIONS)]


async def ask(call: Call) -> Answer:
    """Ask about one person: an entry for each question."""
    asker: Asker = call.caller
    body: PredicatesBody = call.body
    if len(set(body.questions)) != len(body.questions):
        raise Invalid([FieldError("questions", "out-of-range")])
    questions = Questions(call.path_id("record"), body.purpose, body.questions)
    errand, meant = Errand(asker, call.request_id), by_record(questions.record)
    found = await heard(errand, lambda: predicates.ask(errand, questions), meant)
    for one in found:
        if isinstance(one.failed, Refused):
            asker.association.refusals.refused(asker.ref)
        elif one.failed is not None:
            await ring(errand, one.failed, meant)
    return Answer(Results([_row(call, name, one) for name, one in zip(questions.names, found, strict=True)]))


def _row(call: Call, name: str, one: Answered) -> dict[str, Any]:
    """One row, with its own status."""
    if one.failed is not None:
        problem = problem_of(one.failed, call.request_id, call.language)
        return {"question": name, "status": problem.status, "problem": problem}
    verdict, place = one.judged.verdict, one.judged.appended
    leaf = place.leaf_hash.hex()
    decision = DecisionShown(leaf, verdict.article, verdict.basis, EntryPlace(place.index, leaf), verdict.law or None)
    return {"question": name, "status": 200, "answer": one.answer, "decision": decision}


ROUTES = [
    Route(
        method="POST",
        path="/v1/records/{record}/questions",
        name="records.ask",
        handler=ask,
        access=Needs("questions:ask"),
        body=PredicatesBody,
        answer=Results,
        headers=frozenset({"Amanah-On-Behalf-Of"}),
        summary="Ask declared predicates of a record in the place of its values: yes, no or unknown.",
    ),
]
