"""The alerts of the detection rules: what was found, by when somebody must have looked into it, and what she says it was.

Invariants: the look is an entry, and so is the review; who reviews is another than whose deeds an alert rests on, which the room itself
holds; what rests on a case the reader is excluded from is counted and not shown.
"""

from dataclasses import dataclass
from typing import Any, Final

from vault.access import alerts
from vault.access.alert_facts import AlertFact
from vault.access.alert_words import say
from vault.access.alerts import Wanted
from vault.access.approving import Approver
from vault.errors import Conflict, NotFound, Refused, VaultError
from vault.officer.frame import Frame, Speaker, failed, link, looks, require_form, sends, speaker_of, typed
from vault.officer.report_steps import chosen
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call, parse_id
from vault.web.door import led_to
from vault.web.route import Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/alerts"
PAGE: Final = 50
STATES: Final = ("unreviewed", "overdue", "reviewed")
REASONS: Final = ("explained", "mistaken", "misuse", "test")


@dataclass(frozen=True, slots=True)
class Line:
    """One alert in words: whose deeds, the entries it rests on with the place in the log that begins at the newest, and how it stands."""

    id: str
    says: str
    hand: str
    is_somebody: bool
    entries: str
    before: int
    raised: str
    review_by: str
    is_overdue: bool
    reason: str
    reviewed_by: str
    reviewed: str


def alert_pages(frame: Frame) -> list[Route]:
    """The page of this file."""
    pages = _Alerts(frame)
    state = Query(kind="choice", choices=STATES, default="unreviewed")
    after, done = Query(kind="integer", low=0), Query(kind="choice", choices=("reviewed",))
    return [
        looks(PATH, "officer.alerts", pages.look, "log:read", "What the detection rules found.", state=state, after=after, done=done),
        sends(PATH, "officer.alert-reviewed", pages.review, "log:read", "Say what an alert was.", "alert", "reason"),
    ]


@dataclass(frozen=True, slots=True)
class _Alerts:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        return await self._shown(call, call.query["state"], call.query["after"])

    async def review(self, call: Call) -> Answer:
        require_form(call)
        filled = typed(call)
        reason: Any = chosen(filled["reason"], REASONS)
        approver = Approver(call.caller, call.request_id, None, self.frame.identity.factor)
        try:
            alert = parse_id(fold_digits(filled["alert"]).lower())
            run = approver.caller.association.run
            await heard(approver.errand, lambda: run(lambda deed: alerts.review(deed, approver, alert, reason)))
        except (Refused, Conflict, NotFound) as error:
            return await self._shown(call, "unreviewed", None, error)
        return led_to(link(PATH, call.language, done="reviewed"))

    async def _shown(self, call: Call, state: str, after: int | None, error: VaultError | None = None) -> Answer:
        association, errand = call.caller.association, Errand(call.caller, call.request_id)
        wanted = Wanted(state, after, PAGE)
        found = await heard(errand, lambda: association.run(lambda deed: alerts.page(deed, errand, wanted)))
        speaker = speaker_of(call, await association.book())
        return await self.frame.page(
            "alerts.html",
            call,
            **failed(call, error),
            lines=[_line(id_, one, speaker, call.now) for id_, one in found.items],
            state=state,
            states=STATES,
            reasons=REASONS,
            withheld=found.withheld,
            next=None if found.more is None else link(PATH, call.language, state=state, after=found.more),
            done=call.query.get("done"),
        )


def _line(id_: str, one: AlertFact, speaker: Speaker, now: int) -> Line:
    return Line(
        id=speaker.id(id_),
        says=say(one.rule, one.limit)[speaker.language],
        hand=speaker.hand(one.hand),
        is_somebody=one.hand.startswith(("staff:", "client:")),
        entries=speaker.joined(map(str, one.indexes)),
        before=max(one.indexes) + 1,
        raised=speaker.time(one.raised_at),
        review_by="" if one.review_by is None else speaker.time(one.review_by),
        is_overdue=one.is_overdue(now),
        reason="" if one.reason is None else speaker.word(f"alert_{one.reason}"),
        reviewed_by=speaker.actor(one.reviewed_by) if one.reviewed_by else "",
        reviewed=speaker.time(one.reviewed_at) if one.reviewed_at else "",
    )
