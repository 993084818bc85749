"""The calls of withdrawal, the one that makes a link for it, and the page behind such a link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vault.access import withdrawals
from vault.consent import links
from vault.consent.api import StateAnswer, speaker
from vault.consent.evidence import moment as indicated
from vault.consent.links import ACTOR, Link, Shown, by_link
from vault.consent.log_words import not_lost
from vault.consent.service import Refusal
from vault.errors import FieldError, Invalid
from vault.policy.facts import INTERNAL
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, Stranger
from vault.rulebook.association import Association, open_here
from vault.rulebook.channels import Channels
from vault.subjects.meant import by_consent, by_record
from vault.web.answer import HTML, Answer
from vault.web.call import Call, write_id
from vault.web.form import Form
from vault.web.paper import Pages
from vault.web.route import KIBIBYTE, Body, Needs, Public, Query, Rate, Route
from vault.web.times import in_words, moment, write_time

PAGES: Final = Pages("vault.access")
PATH: Final = "/{association}/withdrawal/{token}"
LONGEST_REASON: Final = 2000
PRESSED: Final = Form(fields={"act": 16, "List-Unsubscribe": 32})
"""The button, and what a mail program sends for its own (RFC 8058)."""
LOOKS: Final = Rate(bucket="withdrawal-links", burst=600, per_second=10.0)
"""As wide as for visitors, whose networks a mobile carrier shares."""
_LANG: Final = {"lang": Query(kind="choice", choices=("ar", "en"))}


class WithdrawalBody(Body):
    """Who withdraws, and why if she cares to say."""

    given_by: str
    reason: str | None = None


class RefusalBody(Body, frozen=True, kw_only=True):
    """A no: for which purpose and recipient, who said it, when."""

    purpose: str
    given_by: str
    indicated_at: str
    recipient: str | None = None
    reason: str | None = None


class SaidNo(msgspec.Struct, frozen=True):
    """What was recorded."""

    state: Literal["refused"]


class LinkAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A link to hand to whoever gave the consent: its path here, until when it opens, and the whole address where the site is known."""

    path: str
    opens_until: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _Withdrawals:
    """The handlers."""

    associations: Mapping[str, Association]
    channels: Mapping[str, Channels]

    async def withdraw(self, call: Call) -> Answer:
        """Withdraw: for this purpose and recipient nothing is allowed from this answer on."""
        asker: Asker = call.caller
        consent, body = call.path_id("consent"), call.body
        given_by = speaker(body.given_by)
        if body.reason is not None and len(body.reason) > LONGEST_REASON:
            raise Invalid([FieldError("reason", "too-long")])
        errand = Errand(asker, call.request_id)

        async def ended() -> None:
            await asker.association.run(lambda deed: withdrawals.withdraw(deed, errand, consent, given_by, body.reason), weight=2)

        await heard(errand, lambda: not_lost(asker.association, consent, ended), by_consent(consent))
        return Answer(StateAnswer(write_id(consent), "withdrawn"))

    async def refuse(self, call: Call) -> Answer:
        """Record that somebody said no."""
        asker: Asker = call.caller
        record, body = call.path_id("record"), call.body
        if body.reason is not None and len(body.reason) > LONGEST_REASON:
            raise Invalid([FieldError("reason", "too-long")])
        when = indicated(body.indicated_at, "indicated_at", call.now)
        said = Refusal(body.purpose, body.recipient or INTERNAL, speaker(body.given_by), when, body.reason or "")
        errand = Errand(asker, call.request_id)

        async def said_no() -> None:
            await asker.association.run(lambda deed: withdrawals.refuse(deed, errand, record, said), weight=2)

        await heard(errand, said_no, by_record(record))
        return Answer(SaidNo("refused"))

    async def link(self, call: Call) -> Answer:
        """Make the link of a consent."""
        asker: Asker = call.caller
        consent, errand = call.path_id("consent"), Errand(asker, call.request_id)

        async def made() -> Link:
            return await asker.association.run(lambda deed: links.make(deed, errand, consent))

        link = await heard(errand, lambda: not_lost(asker.association, consent, made), by_consent(consent))
        path, site = links.path_of(asker.association.code, link), self._channels(asker.association).site
        return Answer(LinkAnswer(path, write_time(link.until), site + path if site else None))

    async def look(self, call: Call) -> Answer:
        """Show what a link is for."""
        errand, token = self._errand(call), call.path["token"]
        run = errand.asker.association.run
        shown = await heard(errand, lambda: run(lambda deed: links.look(deed, errand, token)), by_link(token))
        return await self._page(call, errand, shown, done=False)

    async def press(self, call: Call) -> Answer:
        """Withdraw what a link is for."""
        errand, token = self._errand(call), call.path["token"]
        run = errand.asker.association.run
        shown = await heard(errand, lambda: run(lambda deed: withdrawals.by_link(deed, errand, token), weight=2), by_link(token))
        return await self._page(call, errand, shown, done=True)

    def _errand(self, call: Call) -> Errand:
        return Errand(Stranger(open_here(self.associations, call.path["association"]), ACTOR), call.request_id)

    def _channels(self, association: Association) -> Channels:
        return self.channels.get(association.code, Channels())

    async def _page(self, call: Call, errand: Errand, shown: Shown, *, done: bool) -> Answer:
        association, tongue, told = errand.asker.association, "en" if call.language == "en" else "ar", shown.told
        book, channels = await association.book(), self._channels(association)
        purpose = book.purposes.get(told.purpose)
        labels = {field.name: field.labels for shape in book.types.values() for field in shape.fields}
        recipient = (
            book.recipients[told.recipient].name.get(tongue, told.recipient) if told.recipient in book.recipients else told.recipient
        )
        return PAGES.answer(
            "withdrawal.html",
            tongue,
            name=channels.named(association.code, tongue),
            demonstration=channels.demonstration,
            purpose=purpose.title.get(tongue, told.purpose) if purpose is not None else told.purpose,
            recipient=None if told.recipient == INTERNAL else recipient,
            fields=sorted(labels.get(name, {}).get(tongue, name) for name in told.grant.fields),
            given=in_words(moment(told.grant.recorded_at), tongue),
            stands=shown.stands,
            done=done,
        )


def withdrawal_routes(associations: Mapping[str, Association], channels: Mapping[str, Channels]) -> list[Route]:
    """The calls of this file; `channels` hold what pages tell of the associations, by code."""
    room = _Withdrawals(associations, channels)
    return [
        Route(
            method="POST",
            path="/v1/consents/{consent}/withdrawal",
            name="consents.withdraw",
            handler=room.withdraw,
            access=Needs("consents:write"),
            body=WithdrawalBody,
            answer=StateAnswer,
            status=201,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Withdraw a consent.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/refusals",
            name="consents.refuse",
            handler=room.refuse,
            access=Needs("consents:write"),
            body=RefusalBody,
            answer=SaidNo,
            status=201,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Record that somebody was asked and said no.",
        ),
        Route(
            method="POST",
            path="/v1/consents/{consent}/withdrawal-link",
            name="consents.withdrawal_link",
            handler=room.link,
            access=Needs("consents:write"),
            answer=LinkAnswer,
            status=201,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Make the link by which whoever gave a consent withdraws it with one button.",
        ),
        Route(
            method="GET",
            path=PATH,
            name="withdrawal.look",
            handler=room.look,
            access=Public(),
            media_type=HTML,
            query=_LANG,
            limit=LOOKS,
            summary="What a link of withdrawal is for; nothing changes by looking.",
        ),
        Route(
            method="POST",
            path=PATH,
            name="withdrawal.press",
            handler=room.press,
            access=Public(),
            form=PRESSED,
            max_body=KIBIBYTE,
            media_type=HTML,
            query=_LANG,
            limit=LOOKS,
            summary="Withdraw what the link is for.",
        ),
    ]
