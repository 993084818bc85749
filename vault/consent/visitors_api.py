"""The public calls of a website's visitor: saying yes and taking it back, without an account."""

from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Final, Literal

import msgspec

from vault.consent import visitors
from vault.consent.api import NoticeShown, NoticeText, StateAnswer, named
from vault.consent.visitor_limits import VisitorLimits, VisitorsFull
from vault.consent.visitors import ACTOR, Word, by_visitor
from vault.errors import NotFound
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand, Stranger
from vault.rulebook.association import Association, open_here
from vault.rulebook.channels import Channels
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.limits import Limits
from vault.web.route import KIBIBYTE, Body, Public, Query, Rate, Route

MOST_BYTES = 4 * KIBIBYTE
PER_NETWORK = Rate(bucket="visitor-consents", burst=600, per_second=10.0)
"""Wide enough for a mobile carrier whose customers share an address."""
OF_ALL = ("visitor-consents-of-all", 2000, 50.0)
"""What all visitors of one association together may say: each word is an entry of its log."""
WITHDRAWALS_PER_NETWORK = Rate(bucket="visitor-withdrawals", burst=600, per_second=10.0)


LOOKS: Final = Rate(bucket="visitor-notices", burst=600, per_second=10.0)
SCRIPT: Final = files("vault.consent").joinpath("pages", "visitors.js").read_text(encoding="utf-8")
"""The script for websites; the same bytes for every association: it finds its vault by the address it came from."""


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


class VisitorNoticeAnswer(msgspec.Struct, frozen=True):
    """What a website's visitor is asked: the notice in force for a purpose of visitors, and what pages call purpose and association."""

    id: str
    version: int
    purpose: str
    title: dict[str, str]
    name: dict[str, str]
    texts: dict[str, NoticeText]


class Visitors:
    """The calls, over the open associations by code; the mapping may grow."""

    def __init__(
        self, associations: Mapping[str, Association], limits: Limits, visitor_limits: VisitorLimits, channels: Mapping[str, Channels]
    ) -> None:
        """Serve these associations within these limits; `channels` hold their websites' origins, by code."""
        self._channels = channels
        self._associations = associations
        self._limits = limits
        self._visitor_limits = visitor_limits

    def sites(self, code: str) -> Collection[str]:
        """The origins of an association's websites."""
        return self._channels.get(code, Channels()).sites

    async def script(self, call: Call) -> Answer:
        """The script that a website includes."""
        self._association(call)
        return Answer(SCRIPT, headers={"Cross-Origin-Resource-Policy": "cross-origin"})

    async def notice(self, call: Call) -> Answer:
        """What a visitor is asked."""
        association = self._association(call)
        book = await association.book()
        purpose, notice = book.purposes.get(call.query["purpose"]), book.current_notice(call.query["purpose"])
        if purpose is None or not visitors.is_asked(purpose) or notice is None:
            raise NotFound
        texts = {language: NoticeText(text, notice.sha256[language]) for language, text in notice.texts.items()}
        name = self._channels.get(association.code, Channels()).names
        id_ = write_id(bytes.fromhex(notice.id))
        return Answer(VisitorNoticeAnswer(id_, notice.version, purpose.code, dict(purpose.title), name, texts))

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
        errand = Errand(Stranger(association, ACTOR), call.request_id)

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
        errand = Errand(Stranger(association, ACTOR), call.request_id)

        async def said() -> None:
            room = self._visitor_limits.room(association)
            await association.run(lambda deed: visitors.withdraw(deed, errand, body.visitor, body.purpose, room), weight=2)

        await heard(errand, said, by_visitor(body.visitor))
        return Answer(WithdrawnAnswer())

    def _association(self, call: Call) -> Association:
        return open_here(self._associations, call.path["association"])


def routes(
    associations: Mapping[str, Association],
    limits: Limits,
    visitor_limits: VisitorLimits | None = None,
    *,
    channels: Mapping[str, Channels] | None = None,
) -> list[Route]:
    """The calls of visitors; `channels` hold the websites' origins of each association, by code."""
    room = Visitors(associations, limits, visitor_limits or VisitorLimits(), channels or {})
    return [
        Route(
            method="GET",
            path="/{association}/visitors.js",
            name="visitor_consents.script",
            handler=room.script,
            access=Public(),
            media_type="text/javascript; charset=utf-8",
            limit=LOOKS,
            summary="The script by which an association's website asks its visitors.",
        ),
        Route(
            method="GET",
            path="/v1/public/{association}/visitor-notice",
            name="visitor_consents.notice",
            handler=room.notice,
            access=Public(),
            answer=VisitorNoticeAnswer,
            query={"purpose": Query(kind="text", required=True, high=64)},
            limit=LOOKS,
            sites=room.sites,
            summary="The notice in force that a website's visitor is shown before she is asked.",
        ),
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
            sites=room.sites,
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
            sites=room.sites,
            summary="A visitor of the website takes it back.",
        ),
    ]
