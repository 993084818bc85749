"""What is still to be done after data left: recalls nobody confirmed, what is to be taken down, what partners said of referrals.

Invariants: each look is an entry; a step is the same deed as over the API; nothing of a person stands here but a record's id, and where
something of hers was published, until it is gone from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault.access import publishing, recalls, referrals
from vault.access.publishing import PublicationFact
from vault.access.recall_facts import RecallFact
from vault.access.referral_facts import ReferralFact
from vault.access_log.deed import Deed
from vault.errors import Conflict, Invalid, Refused, TooMany, VaultError
from vault.officer.frame import Frame, Speaker, failed, left_to_right, link, looks, require_form, sends, speaker_of, typed
from vault.officer.report_steps import chosen, moment
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call, parse_id
from vault.web.door import led_to
from vault.web.route import Query, Route
from vault.web.times import fold_digits

RECALLS: Final = "/officer/recalls"
TAKE_DOWNS: Final = "/officer/take-downs"
REFERRALS: Final = "/officer/referrals"
PAGE: Final = 50
OUTCOMES: Final = ("destroyed", "corrected", "kept")
WAYS: Final = ("phone", "letter", "email", "visit")
STATES: Final = ("offered", "accepted", "refused", "outcome", "ended")
REPLIES: Final = ("accepted", "refused")
RESULTS: Final = ("served", "not-served")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a queue: its id, what it is called, and what is said of it by label."""

    id: str
    title: str
    says: list[tuple[str, str]]
    state: str = ""


def afterwards_routes(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Afterwards(frame)
    after, done = Query(kind="id"), Query(kind="choice", choices=("noted",))
    state = Query(kind="choice", choices=STATES, default="offered")
    return [
        looks(RECALLS, "officer.recalls", pages.recalls, "disclosures", "Recalls nobody confirmed, oldest first.", after=after, done=done),
        sends(RECALLS, "officer.recall-confirmed", pages.confirm, "disclosures", "Note what a recipient confirmed.", "recall", "outcome"),
        looks(TAKE_DOWNS, "officer.take-downs", pages.take_downs, "publications:write", "What is to be taken down.", done=done),
        sends(TAKE_DOWNS, "officer.taken-down", pages.taken_down, "publications:write", "Note that something is gone.", "publication"),
        looks(
            REFERRALS,
            "officer.referrals",
            pages.referrals,
            "disclosures",
            "Referrals by how they stand, oldest first.",
            state=state,
            after=after,
            done=done,
        ),
        sends(
            REFERRALS,
            "officer.referral-noted",
            pages.note,
            "disclosures",
            "Note what a partner said of a referral, how and when.",
            *("referral", "act", "word", "way", "at"),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Afterwards:
    """The handlers."""

    frame: Frame

    async def recalls(self, call: Call) -> Answer:
        return await self._recalls(call, call.query["after"])

    async def confirm(self, call: Call) -> Answer:
        require_form(call)
        filled, errand = typed(call), Errand(call.caller, call.request_id)
        recall, outcome = _id(filled["recall"]), chosen(filled["outcome"], OUTCOMES)
        await heard(errand, lambda: call.caller.association.run(lambda deed: recalls.confirm(deed, errand, recall, outcome)))
        return led_to(link(RECALLS, call.language, done="noted"))

    async def _recalls(self, call: Call, after: bytes | None) -> Answer:
        errand = Errand(call.caller, call.request_id)
        wanted = recalls.Wanted(after=after, limit=PAGE)
        found, more = await heard(errand, lambda: call.caller.association.run(lambda deed: recalls.listed(deed, errand, wanted)))
        speaker = speaker_of(call, await call.caller.association.book())
        items = [_recall(each, speaker) for each in found]
        return await self.frame.page(
            "recalls.html",
            call,
            items=items,
            outcomes=OUTCOMES,
            next=link(RECALLS, call.language, after=items[-1].id) if more else None,
            done=call.query["done"],
        )

    async def take_downs(self, call: Call) -> Answer:
        errand = Errand(call.caller, call.request_id)
        found = await heard(errand, lambda: call.caller.association.run(lambda deed: publishing.listed(deed, errand, "due")))
        speaker = speaker_of(call, await call.caller.association.book())
        return await self.frame.page("take_downs.html", call, items=[_due(each, speaker) for each in found], done=call.query["done"])

    async def taken_down(self, call: Call) -> Answer:
        require_form(call)
        errand, publication = Errand(call.caller, call.request_id), _id(typed(call)["publication"])
        await heard(errand, lambda: call.caller.association.run(lambda deed: publishing.taken_down(deed, errand, publication)))
        return led_to(link(TAKE_DOWNS, call.language, done="noted"))

    async def referrals(self, call: Call) -> Answer:
        return await self._referrals(call, call.query["state"], call.query["after"])

    async def note(self, call: Call) -> Answer:
        require_form(call)
        filled, errand = typed(call), Errand(call.caller, call.request_id)
        referral, act = _id(filled["referral"]), chosen(filled["act"], ("answer", "outcome"))
        word, way = chosen(filled["word"], REPLIES if act == "answer" else RESULTS), chosen(filled["way"], WAYS)
        done = referrals.answer if act == "answer" else referrals.conclude

        def deed(open_: Deed) -> ReferralFact:
            return done(open_, errand, referral, word, told)

        try:
            told = referrals.Heard(way, moment(filled["at"], "said_at"))
            noted = await heard(errand, lambda: call.caller.association.run(deed))
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._referrals(call, "offered" if act == "answer" else "accepted", None, error, filled)
        return led_to(link(REFERRALS, call.language, state=noted.state, done="noted"))

    async def _referrals(
        self,
        call: Call,
        state: Any,  # noqa: ANN401 - one of the states, which the deed names by type
        after: bytes | None,
        error: VaultError | None = None,
        filled: Mapping[str, str] | None = None,
    ) -> Answer:
        errand, page = Errand(call.caller, call.request_id), referrals.Page(state=state, after=after, limit=PAGE)
        found, more = await heard(errand, lambda: call.caller.association.run(lambda deed: referrals.listed(deed, errand, page)))
        speaker = speaker_of(call, await call.caller.association.book())
        items = [_referral(each, speaker) for each in found]
        return await self.frame.page(
            "referrals.html",
            call,
            **failed(call, error),
            items=items,
            state=state,
            states=STATES,
            ways=WAYS,
            words=RESULTS if state == "accepted" else REPLIES,
            next=link(REFERRALS, call.language, state=state, after=items[-1].id) if more else None,
            done=call.query.get("done"),
            given=filled or {},
        )


def _recall(one: RecallFact, speaker: Speaker) -> Item:
    says = [
        ("record", speaker.id(one.record)),
        ("fields", speaker.fields(one.fields)),
        *([("purpose", speaker.purpose(one.purpose))] if one.purpose else []),
        ("raised", speaker.time(one.raised_at)),
        ("told", speaker.word("recall_not_told") if one.told_at is None else speaker.time(one.told_at)),
    ]
    return Item(speaker.id(one.id), f"{_party(one.recipient, speaker)}: {speaker.word(f'recall_{one.what}')}", says)


def _due(one: PublicationFact, speaker: Speaker) -> Item:
    says = [
        ("place", one.place),
        ("fields", speaker.fields(one.fields)),
        ("record", speaker.id(one.record)),
        ("purpose", speaker.purpose(one.purpose)),
        ("published", speaker.time(one.published_at)),
        *([] if one.due_at is None else [("due", speaker.time(one.due_at))]),
    ]
    return Item(speaker.id(one.id), speaker.word(f"channel_{one.channel}"), says)


def _referral(one: ReferralFact, speaker: Speaker) -> Item:
    says = [
        ("record", speaker.id(one.record)),
        ("service", speaker.word(f"service_{one.service}")),
        ("with_data", speaker.word("referral_with_data" if one.disclosure else "referral_without_data")),
        ("offered", speaker.time(one.offered_at)),
        *([] if one.reply is None else [("answer", _said(one, one.reply, speaker))]),
        *([] if one.outcome is None else [("outcome", _said(one, one.outcome, speaker))]),
    ]
    return Item(speaker.id(one.id), _party(one.recipient, speaker), says, one.state)


def _said(one: ReferralFact, word: str, speaker: Speaker) -> str:
    """The partner's word, and how it came: by its own system, or as an officer noted it."""
    said = speaker.word(f"referral_word_{word.replace('-', '_')}")
    note = next((each for each in one.notes if each.word == word), None)
    if note is None:
        return speaker.joined([said, speaker.word("referral_by_system")])
    return speaker.joined(
        [said, speaker.word(f"way_{note.way}"), left_to_right(speaker.time(note.said_at)), left_to_right(speaker.actor(note.by))]
    )


def _party(code: str, speaker: Speaker) -> str:
    """A party by its name, its code where it has none."""
    known = speaker.book.recipients.get(code) if speaker.book else None
    return code if known is None else known.name.get(speaker.language, code)


def _id(text: str) -> bytes:
    return parse_id(fold_digits(text).lower())
