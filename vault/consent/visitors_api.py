"""The public calls of a website's visitor: saying yes and taking it back, without an account."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from vault.consent import visitors
from vault.consent.api import NoticeShown, StateAnswer, named
from vault.consent.visitor_limits import VisitorLimits, VisitorsFull
from vault.consent.visitors import Visitor, Word, by_visitor
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association, open_here
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.limits import Limits
from vault.web.route import KIBIBYTE, Body, Public, Rate, Route

MOST_BYTES = 4 * KIBIBYTE
PER_NETWORK = Rate(bucket="visitor-consents", burst=600, per_second=10.0)
"""Wide enough for a mobile carrier whose customers share an address."""
OF_ALL = ("visitor-consents-of-all", 2000, 50.0)
"""What all visitors of one association together may say: each word is an entry of its log."""
WITHDRAWALS_PER_NETWORK = Rate(bucket="visitor-withdrawals", burst=600, per_second=10.0)


class VisitorConsentBody(Body):
    """A visitor's consent: her browser's random id (22 characters base64url), purpose, notice, act, and the browser's signal."""

    visitor: str
    purpose: str
    notice: NoticeShown
    act: str
    gpc: bool


class VisitorWithdrawalBody(Body):
    """A visitor takes back what she agreed to for a purpose."""

    visitor: str
    purpose: str


class WithdrawnAnswer(msgspec.Struct, frozen=True):
    """The one answer to every withdrawal."""

    state: Literal["withdrawn"] = "withdrawn"


class Visitors:
    """Both calls, over the open associations by code; the mapping may grow."""

    def __init__(self, associations: Mapping[str, Association], limits: Limits, visitor_limits: VisitorLimits) -> None:
        """Serve these associations within these limits."""
        self._associations = associations
        self._limits = limits
        self._visitor_limits = visitor_limits

    async def consent(self, call: Call) -> Answer:
        """Record a visitor's consent."""
        association, body = self._association(call), call.body
        bucket, burst, per_second = OF_ALL
        self._limits.take(bucket, association.code, burst, per_second)
        word = Word(
            visitor=body.visitor,
            purpose=body.purpose,
            notice=named(body.notice.id, "notice.id", "unknown-notice"),
            notice_version=body.notice.version,
            language=body.notice.language,
            sha256=body.notice.sha256,
            act=body.act,
            # The browser's own header counts as well as what the page read of it.
            gpc=body.gpc or call.header("sec-gpc") == b"1",
        )
        errand = Errand(Visitor(association), call.request_id)

        async def said() -> tuple[bytes, str]:
            room = self._visitor_limits.room(association)
            return await association.run(lambda deed: visitors.consent(deed, errand, word, room), weight=2)

        try:
            consent, state = await heard(errand, said, by_visitor(word.visitor))
        except VisitorsFull:
            await self._visitor_limits.ring(errand)
            raise
        return Answer(StateAnswer(write_id(consent), state))

    async def withdraw(self, call: Call) -> Answer:
        """End a visitor's consent."""
        association, body = self._association(call), call.body
        errand = Errand(Visitor(association), call.request_id)

        async def said() -> None:
            room = self._visitor_limits.room(association)
            await association.run(lambda deed: visitors.withdraw(deed, errand, body.visitor, body.purpose, room), weight=2)

        await heard(errand, said, by_visitor(body.visitor))
        return Answer(WithdrawnAnswer())

    def _association(self, call: Call) -> Association:
        return open_here(self._associations, call.path["association"])


def routes(associations: Mapping[str, Association], limits: Limits, visitor_limits: VisitorLimits | None = None) -> list[Route]:
    """The calls of visitors."""
    room = Visitors(associations, limits, visitor_limits or VisitorLimits())
    return [
        Route(
            method="POST",
            path="/v1/public/{association}/visitor-consents",
            name="visitor_consents.give",
            handler=room.consent,
            access=Public(),
            body=VisitorConsentBody,
            max_body=MOST_BYTES,
            answer=StateAnswer,
            status=201,
            limit=PER_NETWORK,
            summary="A visitor of the website agrees.",
        ),
        Route(
            method="POST",
            path="/v1/public/{association}/visitor-consents/withdrawal",
            name="visitor_consents.withdraw",
            handler=room.withdraw,
            access=Public(),
            body=VisitorWithdrawalBody,
            max_body=MOST_BYTES,
            answer=WithdrawnAnswer,
            status=201,
            limit=WITHDRAWALS_PER_NETWORK,
            summary="A visitor of the website takes it back.",
        ),
    ]
