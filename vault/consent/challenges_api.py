"""The two calls of a challenge: asking somebody for a consent, and handing in her answer."""

import msgspec

from vault.consent import challenges
from vault.consent.api import NoticeShown, StateAnswer, ended_at, named, speaker
from vault.consent.challenges import Issued
from vault.consent.service import Recorded
from vault.consent.within import Consent
from vault.errors import FieldError, Invalid
from vault.policy.facts import INTERNAL, SELF
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Needs, Route
from vault.web.times import write_time


class ChallengeBody(Body):
    """What somebody shall be asked to agree to, and who will answer."""

    purpose: str
    fields: list[str]
    notice: NoticeShown
    recipient: str | None = None
    explicit: bool = False
    given_by: str = SELF
    expires_at: str | None = None


class ChallengeAnswer(msgspec.Struct, frozen=True):
    """The words to show, the code to bring to the person's own telephone or mailbox, and until when it counts; the code is told once."""

    id: str
    code: str
    text: str
    expires_at: str


class AnsweredBody(Body):
    """The code as the person gave it, and by which act she agreed."""

    code: str
    act: str


async def issue(call: Call) -> Answer:
    """Issue a challenge."""
    asker: Asker = call.caller
    record, errand = call.path_id("record"), Errand(asker, call.request_id)
    consent = _consent(call.body, call.now)

    async def issued() -> Issued:
        return await asker.association.run(lambda deed: challenges.issue(deed, errand, record, consent), weight=2)

    told = await heard(errand, issued, by_record(record))
    return Answer(ChallengeAnswer(write_id(told.id), told.code, told.text, write_time(told.ends_at)))


async def answer(call: Call) -> Answer:
    """Record the consent that a right answer gives."""
    asker: Asker = call.caller
    record, challenge, body = call.path_id("record"), call.path_id("challenge"), call.body
    request = once_for(asker, route=f"{call.route.name} {record.hex()} {challenge.hex()}", key=call.idempotency_key, body=body)
    errand = Errand(asker, call.request_id)

    async def taken() -> Recorded | None:
        return await asker.association.run(
            lambda deed: challenges.answer(deed, errand, record, challenge, code=body.code, act=body.act, once=request), weight=2
        )

    recorded = await heard(errand, taken, by_record(record))
    if recorded is None:
        raise Invalid([FieldError("code", "wrong-code")], "wrong-code")
    return Answer(StateAnswer(write_id(recorded.id), recorded.state))


def _consent(body: ChallengeBody, now: int) -> Consent:
    return Consent(
        purpose=body.purpose,
        recipient=body.recipient or INTERNAL,
        fields=frozenset(body.fields),
        form="electronic",
        explicit=body.explicit,
        notice=named(body.notice.id, "notice.id", "unknown-notice"),
        notice_version=body.notice.version,
        language=body.notice.language,
        sha256=body.notice.sha256,
        given_by=speaker(body.given_by),
        indicated_at=now,
        expires_at=ended_at(body.expires_at),
        evidence={},
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/records/{record}/consent-challenges",
        name="consents.challenge",
        handler=issue,
        access=Needs("consents:write"),
        body=ChallengeBody,
        answer=ChallengeAnswer,
        status=201,
        headers=frozenset({"Amanah-On-Behalf-Of"}),
        summary="Ask somebody for an electronic consent by a code.",
    ),
    Route(
        method="POST",
        path="/v1/records/{record}/consent-challenges/{challenge}/answer",
        name="consents.challenge.answer",
        handler=answer,
        access=Needs("consents:write"),
        body=AnsweredBody,
        answer=StateAnswer,
        status=201,
        headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
        summary="Record the consent that the right code gives.",
    ),
)
