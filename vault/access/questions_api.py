"""The call that answers an auditor's question to the log, complete to a signed checkpoint."""

from typing import Final

import msgspec

from vault.access import questions
from vault.access.audit import Wanted
from vault.access.audit_api import EntryShown, actor_of, shown_as
from vault.access.questions import Found
from vault.access_log.checkpoint import opened
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Needs, Query, Route


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of an answer; `why` is there where a rule put it into the answer, such as `consent-ended`."""

    entry: EntryShown
    why: str = ""


class QuestionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an answer, newest first: complete to the entries below `complete_to`, the size of the signed `checkpoint`.

    `looked_at` entries were looked at one by one; `withheld` of them are about a case the reader is excluded from.
    """

    question: str
    items: list[Answered]
    next: int | None
    looked_at: int
    withheld: int
    complete_to: int
    checkpoint: str


async def answer(call: Call) -> Answer:
    """Answer a question."""
    asker: Asker = call.caller
    query, association, errand = call.query, asker.association, Errand(asker, call.request_id)
    name = call.path["question"]
    wanted = Wanted(
        record=query["record"],
        actor=actor_of(query["actor"]) if query["actor"] is not None else None,
        since=query["from"],
        until=query["to"],
        after=query["after"],
        limit=query["limit"],
    )

    async def asked() -> tuple[Found, int, str]:
        note = await association.checkpoint()
        below = opened(note, association.cabinet.signer.vkey_at, association.code).size
        recipient = query["recipient"]
        return await association.run(lambda deed: questions.ask(deed, errand, name, wanted, recipient=recipient, below=below)), below, note

    found, below, note = await heard(errand, asked)
    items = [Answered(shown_as(one), why) for one, why in found.items]
    return Answer(
        QuestionAnswer(
            question=name,
            items=items,
            next=found.next,
            looked_at=found.looked_at,
            withheld=found.withheld,
            complete_to=below,
            checkpoint=note,
        )
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/access-log/questions/{question}",
        name="access_log.question",
        handler=answer,
        access=Needs("log:read"),
        answer=QuestionAnswer,
        query={
            "record": Query(kind="id"),
            "actor": Query(kind="text", high=64),
            "recipient": Query(kind="text", high=64),
            "from": Query(kind="time"),
            "to": Query(kind="time"),
            "after": Query(kind="integer", low=0),
            "limit": Query(kind="integer", low=1, high=500, default=50),
        },
        summary="Answer one of the auditor's questions, page by page, complete to a checkpoint; the asking is an entry itself.",
    ),
)
