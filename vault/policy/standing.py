"""How events become a standing: the one fold that the live sheet, a rebuilt sheet and the cases share.

Invariants: a stop ends every grant folded before it and every grant not recorded later than it, whatever date it bears and whatever the
order of insertion; a grant counts only if it is later than every stop in both orders, recorded and signed; grants on either side of a
stop never merge; an import fills a gap and nothing else; a question put to a person (`Requested`) and a disclosure change nothing; a grant
that another one outlasts in every respect is not kept beside it, which changes no answer; what she gave herself while, by any day of full
capacity told then or since, she lacked it counts for nothing ever after (docs/adr/0017-capacity.md).
"""

from dataclasses import replace
from typing import Final

from vault.policy.events import (
    CapacityTold,
    Event,
    Given,
    GuardianAppointed,
    GuardianshipEnded,
    Interdicted,
    Locked,
    NoticePublished,
    Requested,
    Restricted,
    Signal,
    Stopped,
    SubjectDeceased,
    SubjectsMerged,
    Verified,
)
from vault.policy.facts import SELF, Grant, Guardian, Person, Rules, Standing, Stop, Word, key

_PRECEDENCE: Final = {"invalidate": 0, "refuse": 1, "withdraw": 2}


def blank(standing: Standing) -> bool:
    """True where nobody ever said anything for this purpose and recipient."""
    return not standing.grants and standing.newest_stop is None and not standing.stale


def fold(standing: Standing, event: Given | Stopped | Requested) -> Standing:
    """The standing after one more event, in the order of recording; rules of consent.md 2.2."""
    if isinstance(event, Given):
        return _given(standing, event)
    return _stopped(standing, event) if isinstance(event, Stopped) else standing


def lacks_capacity(person: Person, at: int) -> bool:
    """True for a minor before the day of full capacity and for an adult under interdiction."""
    return person.interdicted or (person.full_capacity_from is not None and at < person.full_capacity_from)


def told_capacity(person: Person, day: int) -> Person:
    """The person with this day of full capacity; what she gave herself before it counts no more, whatever day is told later."""
    return _judged(replace(person, full_capacity_from=day))


def outlasts(newer: Grant, older: Grant) -> bool:
    """True where whatever the older grant allows from the newer's recording on, the newer allows too, whatever happens to the person.

    Only what counts already is compared: two papers are each seen by a second person. A guardian's office may be found to have ended
    between two signatures, so what guardians gave at different moments stands side by side.
    """
    alike = (older.form, older.notice, older.by, older.complete, older.confirmed, older.capable)
    ends = newer.expires_at is None or (older.expires_at is not None and older.expires_at <= newer.expires_at)
    return (
        (newer.form, newer.notice, newer.by, newer.complete, newer.confirmed, newer.capable) == alike
        and (newer.verified and older.verified)
        and older.fields <= newer.fields
        and newer.explicit >= older.explicit
        and ends
        and older.recorded_at <= newer.recorded_at
        and newer.usable_from <= max(newer.recorded_at, older.usable_from)
        and (older.indicated_at == newer.indicated_at or (newer.by == SELF and older.indicated_at < newer.indicated_at))
    )


def replaced(standing: Standing, grant: Grant) -> bool:
    """True for a grant that is not in the standing only because a live one outlasts it; none that a stop ended is."""
    stop, signed = standing.newest_stop, standing.latest_stopped
    ended = (stop is not None and grant.recorded_at <= stop.recorded_at) or (signed is not None and grant.indicated_at <= signed)
    return not ended and any(one.id != grant.id and outlasts(one, grant) for one in standing.grants)


def verify(standing: Standing, grant_id: str, at: int) -> Standing:
    """The standing in which this grant's evidence has been seen by a second person: usable from then, never from the paper's date."""

    def seen(grant: Grant) -> Grant:
        return replace(grant, verified=True, usable_from=max(grant.usable_from, at)) if grant.id == grant_id else grant

    return replace(
        standing,
        grants=tuple(map(seen, standing.grants)),
        twins=tuple(verify(twin, grant_id, at) for twin in standing.twins),
    )


def merge(kept: Standing, absorbed: Standing) -> Standing:
    """The more restrictive of two standings of one person: both must say yes, unless one of them never heard of it."""
    if blank(absorbed):
        return kept
    if blank(kept):
        return absorbed
    return replace(kept, twins=(*kept.twins, replace(absorbed, twins=()), *absorbed.twins))


def apply(person: Person, event: Event) -> Person:
    """The person after one more event; an order and a notice are no one's own and change nobody."""
    match event:
        case Given() | Stopped() | Verified():
            return _spoken(person, event)
        case GuardianAppointed() | GuardianshipEnded():
            return replace(person, guardians=_guarded(person, event))
        case SubjectsMerged():
            return _merged(person, event.absorbed)
        case CapacityTold():
            return told_capacity(person, event.full_capacity_from)
        case SubjectDeceased() | Signal() | Restricted() | Locked() | Interdicted():
            return _changed(person, event)
        case _:
            return person


def publish(rules: Rules, event: NoticePublished) -> Rules:
    """The rules after a notice version took another's place; what it adds is known as a recipient and consented to by nobody."""
    news = event.supersession
    known = rules.recipients | ({event.adds_recipient} if event.adds_recipient else set())
    return replace(
        rules,
        recipients=known,
        superseded={**rules.superseded, news.notice: (*rules.superseded.get(news.notice, ()), news)},
    )


def _given(standing: Standing, event: Given) -> Standing:
    grant, stop = event.grant, standing.newest_stop
    if event.kind == "import_grant" and not blank(standing):
        return standing
    after = replace(
        standing,
        granted=True,
        words=_said(standing.words, Word(grant.by, "grant")),
        twins=tuple(_given(twin, event) for twin in standing.twins),
    )
    if stop is not None and grant.recorded_at <= stop.recorded_at:
        return after
    if standing.latest_stopped is not None and grant.indicated_at <= standing.latest_stopped:
        return replace(after, stale=True)
    return replace(after, grants=(*(old for old in standing.grants if not outlasts(grant, old)), grant))


def _stopped(standing: Standing, event: Stopped) -> Standing:
    stop = event.stop
    words = standing.words if stop.kind == "invalidate" else _said(standing.words, Word(event.by, stop.kind))
    return replace(
        standing,
        grants=(),
        stale=False,
        newest_stop=_newer(standing.newest_stop, stop),
        latest_stopped=max(stop.indicated_at, standing.latest_stopped if standing.latest_stopped is not None else stop.indicated_at),
        words=words,
        twins=tuple(_stopped(twin, event) for twin in standing.twins),
    )


def _newer(old: Stop | None, new: Stop) -> Stop:
    """The later recorded of two stops; at one instant a withdrawal goes before a refusal, that before an invalidation."""
    if old is None:
        return new
    return max(old, new, key=lambda stop: (stop.recorded_at, _PRECEDENCE[stop.kind]))


def _said(words: tuple[Word, ...], word: Word) -> tuple[Word, ...]:
    """Each guardian's last word; the person's own need no keeping, they are folded."""
    return words if word.by == SELF else (*(old for old in words if old.by != word.by), word)


def _spoken(person: Person, event: Given | Stopped | Verified) -> Person:
    name = key(event.purpose, event.recipient)
    before = person.standings.get(name, Standing())
    if isinstance(event, Given):
        event = replace(event, grant=_settled(person, event.grant))
    after = verify(before, event.grant, event.at) if isinstance(event, Verified) else fold(before, event)
    return person if blank(after) else replace(person, standings={**person.standings, name: after})


def _settled(person: Person, grant: Grant) -> Grant:
    """The grant with her capacity as it is known now: a day of majority told later takes away and never gives back."""
    # Never the later of the two: a date minutes ahead is let in at the door, and that day may be her majority.
    signed = min(grant.indicated_at, grant.recorded_at)
    return replace(grant, capable=False) if grant.by == SELF and lacks_capacity(person, signed) else grant


def _judged(person: Person) -> Person:
    """The person with every consent settled by what is known of her now; none is given back."""
    return replace(person, standings={name: _settled_all(person, standing) for name, standing in person.standings.items()})


def _settled_all(person: Person, standing: Standing) -> Standing:
    return replace(
        standing,
        grants=tuple(_settled(person, grant) for grant in standing.grants),
        twins=tuple(_settled_all(person, twin) for twin in standing.twins),
    )


def _guarded(person: Person, event: GuardianAppointed | GuardianshipEnded) -> tuple[Guardian, ...]:
    if isinstance(event, GuardianshipEnded):
        return tuple(_ended(guardian, event) for guardian in person.guardians)
    return (*(guardian for guardian in person.guardians if guardian.id != event.guardian.id), event.guardian)


def _changed(person: Person, event: SubjectDeceased | Signal | Restricted | Locked | Interdicted) -> Person:
    if isinstance(event, Interdicted):
        return replace(person, interdicted=event.on)
    if isinstance(event, SubjectDeceased):
        return replace(person, deceased_at=_least(person.deceased_at, event.at))
    if isinstance(event, Signal):
        return _signalled(person, event)
    return replace(person, restricted=event.on) if isinstance(event, Restricted) else replace(person, locked=event.on)


def _ended(guardian: Guardian, event: GuardianshipEnded) -> Guardian:
    if guardian.id != event.guardian:
        return guardian
    cause = _least(guardian.removed_for_cause_at, event.at if event.for_cause else None)
    return replace(guardian, valid_to=_least(guardian.valid_to, event.at), removed_for_cause_at=cause)


def _signalled(person: Person, event: Signal) -> Person:
    if event.opted_out:
        return replace(person, opted_out_at=_most(person.opted_out_at, event.at))
    return replace(person, signal_ended_at=_most(person.signal_ended_at, event.at))


def _merged(kept: Person, absorbed: Person) -> Person:
    """The stricter of both in every respect (consent.md 2.2)."""
    standings = dict(kept.standings)
    for name, standing in absorbed.standings.items():
        standings[name] = merge(standings.get(name, Standing()), standing)
    known = {guardian.id for guardian in kept.guardians}
    doubly = {guardian.id: guardian for guardian in absorbed.guardians}
    guardians = tuple(_stricter(guardian, doubly.get(guardian.id, guardian)) for guardian in kept.guardians)
    merged = Person(
        standings=standings,
        guardians=(*guardians, *(guardian for guardian in absorbed.guardians if guardian.id not in known)),
        full_capacity_from=_most(kept.full_capacity_from, absorbed.full_capacity_from),
        interdicted=kept.interdicted or absorbed.interdicted,
        deceased_at=_least(kept.deceased_at, absorbed.deceased_at),
        restricted=kept.restricted or absorbed.restricted,
        locked=kept.locked or absorbed.locked,
        opted_out_at=_most(kept.opted_out_at, absorbed.opted_out_at),
        signal_ended_at=_signal_ended(kept, absorbed),
        stored_at=_least(kept.stored_at, absorbed.stored_at),
    )
    return _judged(merged)


def _signal_ended(*people: Person) -> int | None:
    """When the opt-out signal was gone from every browser that ever sent it; None while one still may."""
    ends = [person.signal_ended_at for person in people if person.opted_out_at is not None]
    known = [end for end in ends if end is not None]
    return min(known) if known and len(known) == len(ends) else None


def _stricter(one: Guardian, other: Guardian) -> Guardian:
    return replace(
        one,
        verified=one.verified and other.verified,
        valid_from=max(one.valid_from, other.valid_from),
        valid_to=_least(one.valid_to, other.valid_to),
        removed_for_cause_at=_least(one.removed_for_cause_at, other.removed_for_cause_at),
    )


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _most(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)
