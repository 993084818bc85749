"""Tells what somebody agreed to: every consent with its state, now or as it was known at an earlier moment.

Invariant: what was the case permits nothing; it is told and never decided on.
"""

from dataclasses import dataclass, field, replace

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.consent.forms_code import is_ours
from vault.consent.within import require_case
from vault.errors import NotFound, Unavailable
from vault.policy.events import Given, Stopped, Verified
from vault.policy.facts import Grant, Person, Standing, key
from vault.policy.standing import apply, replaced
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects.sheet import Happened, policy_event


@dataclass(frozen=True, slots=True)
class Told:
    """One consent as it stands at the moment asked for: who gave it when, and what became of it.

    `seen` is what a second person found, `scan` the id (hex) of the scan it rests on; both empty where there is none. `language` is that of
    the notice that was shown; `asserted_by` by whose word an electronic one was answered: `client`, or `vault` for its own challenge;
    `channel` the one it came by, empty where that was not said; `template` the code of the form it was signed on where we printed it, else
    empty.
    """

    grant: Grant
    purpose: str
    recipient: str
    kind: str
    verified_at: int | None
    stopped_at: int | None
    state: str
    seen: str = ""
    scan: str = ""
    language: str = "ar"
    asserted_by: str = ""
    channel: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The newest stop for a purpose and a recipient, whether anything was ever given there or not."""

    purpose: str
    recipient: str
    kind: str
    indicated_at: int
    recorded_at: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a person's consents, the one the next page begins behind (None: these were the last), and the moment they are told for.

    `ended` are the newest stops for every purpose and recipient, a no to what was never given among them.
    """

    at: int
    items: list[Told]
    more: bytes | None
    ended: list[Ended] = field(default_factory=list)


def consents(deed: Deed, errand: Errand, record: bytes, as_of: int | None, *, after: bytes | None = None, limit: int = 50) -> Page:
    """The consents of the record's person known at `as_of`, newest last, at most `limit` behind the one named. Leaves an entry.

    That the association invalidated a consent says more than the person's own word: named to who may hear reasons, else `ended`.
    Raises NotFound for who is not here, and for an `after` that is no consent of hers known then.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_case(deed, errand, known, record, "consent.read")
    at = deed.now if as_of is None else min(as_of, deed.now)
    happened = [event for event in happened_to(deed, known) if event.at <= at]
    deed.append(errand.entry(kind="consent.read", outcome="allow", about=(About(known.subject, record),), basis="law"))
    told = [_heard(one, errand) for one in tell(happened, at)]
    behind = told[_place(told, after) :]
    more = bytes.fromhex(behind[limit - 1].grant.id) if len(behind) > limit else None
    return Page(at, behind[:limit], more, _ended(happened, errand))


def _ended(happened: list[Happened], errand: Errand) -> list[Ended]:
    """The newest stops in these events, as this asker may hear of them."""
    newest: dict[str, Ended] = {}
    for one in happened:
        event = policy_event(one)
        if isinstance(event, Stopped):
            stop = event.stop
            kind = {"withdraw": "withdrawn", "refuse": "refused", "invalidate": "invalidated"}[stop.kind]
            heard = "ended" if kind == "invalidated" and not errand.asker.asker.sees_reasons else kind
            newest[key(event.purpose, event.recipient)] = Ended(event.purpose, event.recipient, heard, stop.indicated_at, stop.recorded_at)
    return [newest[name] for name in sorted(newest)]


def _place(told: list[Told], after: bytes | None) -> int:
    if after is None:
        return 0
    for place, one in enumerate(told, 1):
        if one.grant.id == after.hex():
            return place
    raise NotFound


def happened_to(deed: Deed, known: people.Known) -> list[Happened]:
    """All that happened to somebody, oldest first. Raises Unavailable `integrity`."""
    return [event for events in people.history(deed, known) for event in events if isinstance(event, Happened)]


def one(errand: Errand, happened: list[Happened], consent: bytes, at: int) -> Told:
    """One consent as it stands at a moment, as this asker may hear of it. Raises Unavailable `integrity` where it is not there."""
    for told in tell(happened, at):
        if told.grant.id == consent.hex():
            return _heard(told, errand)
    raise Unavailable("integrity")


def heard(errand: Errand, happened: list[Happened], at: int) -> list[Told]:
    """Every consent given in these events, oldest first, as it stands at a moment and as this asker may hear of it."""
    return [_heard(told, errand) for told in tell(happened, at)]


def _heard(told: Told, errand: Errand) -> Told:
    """A consent as this asker may hear of it: that the association invalidated it says more than the person's own word."""
    hidden = told.state == "invalidated" and not errand.asker.asker.sees_reasons
    return replace(told, state="ended") if hidden else told


def tell(happened: list[Happened], at: int) -> list[Told]:
    """Every consent that was given in these events, oldest first, as it stands at a moment."""
    person = Person()
    told: dict[str, Told] = {}
    for one in happened:
        event, seen = policy_event(one), told.get(str(one.detail.get("consent", "")))
        if seen is not None and "result" in one.detail:
            told[seen.grant.id] = replace(seen, seen=str(one.detail["result"]))
        person = apply(person, event)
        if isinstance(event, Given):
            scan, language = str(one.detail.get("scan", {}).get("id", "")), str(one.detail.get("language", "ar"))
            grant, by = _folded(person, event), str(one.detail.get("evidence", {}).get("asserted_by", ""))
            read = Told(grant, event.purpose, event.recipient, event.kind, None, None, "", scan=scan, language=language, asserted_by=by)
            read = replace(read, channel=str(one.detail.get("channel", "")), template=_template(one))
            told[grant.id] = read
        elif isinstance(event, Verified) and event.grant in told:
            told[event.grant] = replace(told[event.grant], verified_at=event.at)
        elif isinstance(event, Stopped):
            for id_, each in told.items():
                if (each.purpose, each.recipient) == (event.purpose, event.recipient) and each.stopped_at is None:
                    told[id_] = replace(each, stopped_at=event.stop.recorded_at, state=event.stop.kind)
    return [replace(each, state=_state(each, person, at)) for each in told.values()]


def _template(one: Happened) -> str:
    """The form it was signed on where it is one of ours: what an association calls its own may be anything, and is told nobody."""
    template = str(one.detail.get("evidence", {}).get("template", ""))
    return template if is_ours(template) else ""


def _folded(person: Person, given: Given) -> Grant:
    """The grant as the fold took it, with her capacity settled."""
    standing = person.standings.get(key(given.purpose, given.recipient), Standing())
    return next((one for one in standing.grants if one.id == given.grant.id), given.grant)


def _state(told: Told, person: Person, at: int) -> str:
    if told.stopped_at is not None:
        return {"withdraw": "withdrawn", "refuse": "refused", "invalidate": "invalidated"}[told.state]
    standing = person.standings.get(key(told.purpose, told.recipient), Standing())
    # What another consent outlasts was given all the same, and is told as that.
    if all(one.id != told.grant.id for one in standing.grants) and not replaced(standing, told.grant):
        return "stale"
    if told.grant.expires_at is not None and told.grant.expires_at <= at:
        return "expired"
    if told.seen == "rejected":
        return "rejected"
    if not told.grant.complete:
        return "evidence-incomplete"
    return "given" if told.grant.verified or told.verified_at is not None else "awaiting-verification"
