"""Facts and opened parts in the words of answers."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from vault.breach_reports import bodies, clocks, door, lifecycle
from vault.breach_reports.mail.taking import Check, Head
from vault.breach_reports.reports import Follow
from vault.breach_reports.retention import standing
from vault.breach_reports.shapes import (
    CONTACT,
    FILE,
    MAIL_CHECK,
    MAIL_HEAD,
    NOTE,
    ORIGIN,
    REPORT,
    TO_REPORTER,
    Dismissal,
    Hold,
    MailFact,
    Move,
    Origin,
    ReportFact,
    TakenDown,
)
from vault.web import write_id
from vault.web.times import write_time

_NAMELESS: Final[Mapping[str, str]] = {}
_WORDLESS: Final[Mapping[int, str]] = {}


def status(follow: Follow) -> bodies.Status:
    """What the holder of a receipt is told."""
    fact = follow.taken.case.fact
    state = lifecycle.PUBLIC_STATE[fact.state]
    return bodies.Status(fact.reference, state, write_time(fact.received_at), [message(each, fact) for each in follow.messages])


def message(opened: door.Opened, fact: ReportFact, names: Mapping[str, str] = _NAMELESS) -> bodies.Message:
    """One message with its files; which officer wrote is the house's own business."""
    sender = "reporter" if opened.told.kind == "message" else "association"
    return bodies.Message(
        sender, msgspec.json.decode(opened.content, type=str), write_time(opened.told.at), files(fact, opened.number, names)
    )


def files(fact: ReportFact, part: int, names: Mapping[str, str] = _NAMELESS) -> list[bodies.FileTold]:
    """The files that came with the text of this number."""
    return [
        bodies.FileTold(write_id(bytes.fromhex(each.id)), each.type, each.size, names.get(each.id))
        for each in fact.files
        if each.part == part
    ]


def harmless(name: str) -> str:
    """The name of a file as people are shown it: its last step, without what is drawn as nothing or turns the direction of what follows."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(each for each in last if unicodedata.category(each)[0] != "C").strip(" .")


def item(fact: ReportFact, running: lifecycle.Clock | None, now: int, holidays: Collection[date] = ()) -> bodies.ReportItem:
    """One report in a list."""
    waiting = lifecycle.unanswered(fact)
    newest = waiting[-1].at if waiting else None
    return bodies.ReportItem(**_head(fact, now, holidays), clock=told(running, now), unanswered=len(waiting), last_message_at=_time(newest))


def clock(fact: ReportFact, hours: int, now: int) -> bodies.ClockTold | None:
    """The clock of a report at this moment."""
    return told(lifecycle.clock(fact, hours), now)


def whole(taken: door.Taken, opened: Sequence[door.Opened], hours: int, now: int, holidays: Collection[date] = ()) -> bodies.ReportTold:
    """A report as an officer reads it."""
    fact = taken.case.fact
    first = next(msgspec.json.decode(each.content) for each in opened if each.told.kind == REPORT)
    contact = next((msgspec.json.decode(each.content, type=str) for each in opened if each.told.kind == CONTACT), None)
    told = [msgspec.json.decode(each.content) for each in opened if each.told.kind == FILE]
    names = {each["file"]: harmless(each["name"]) for each in told}
    noted = {each.number: msgspec.json.decode(each.content, type=str) for each in opened if each.told.kind == NOTE}
    return bodies.ReportTold(
        **_head(fact, now, holidays),
        clock=clock(fact, hours, now),
        narrative=first["narrative"],
        noticed_on=first.get("noticed_on"),
        contact=contact,
        files=files(fact, 0, names),
        messages=[message(each, fact, names) for each in opened if each.told.kind in TO_REPORTER],
        notes=[_note(each) for each in opened if each.told.kind == NOTE],
        finding=fact.finding or None,
        acknowledged_at=_time(fact.acknowledged_at),
        triaged_at=_time(fact.triaged_at),
        dismissal=None if fact.dismissal is None else _waiting(fact.dismissal),
        holds=[hold(each, noted) for each in fact.holds],
        awareness=[_waiting(each) for each in fact.moves],
        mail=None if fact.mail is None else mailed(fact.mail, opened),
        taken_down=None if fact.staff is None else taken_down(fact.staff, opened),
        entry=bodies.EntryTold(taken.appended.index, taken.appended.leaf_hash.hex()),
    )


def mailed(mail: MailFact, opened: Sequence[door.Opened]) -> bodies.MailTold:
    """The message a report came in; the newest check of its sender counts."""
    head = next(msgspec.json.decode(each.content, type=Head) for each in opened if each.told.kind == MAIL_HEAD)
    check = [msgspec.json.decode(each.content, type=Check) for each in opened if each.told.kind == MAIL_CHECK][-1]
    return bodies.MailTold(
        grade=mail.grade,
        reasons=list(mail.reasons),
        arrived_at=write_time(mail.arrived_at),
        froms=head.froms,
        subject=head.subject,
        sent_at=head.sent,
        message_id=head.message_id,
        text_is=head.text_is,
        files=[bodies.EnclosedTold(each.name, each.type, each.size) for each in head.files],
        marks=list(mail.marks),
        automatic=mail.automatic or None,
        sha256=mail.sha256,
        size=mail.size,
        cut=mail.cut,
        lookups=[bodies.LookupTold(each.name, each.records, each.failed) for each in check.dns],
        checked_at=write_time(check.at),
        again_at=_time(mail.again_at),
        answered=mail.answered or None,
        answered_at=_time(mail.answered_at),
    )


def taken_down(staff: TakenDown, opened: Sequence[door.Opened]) -> bodies.TakenDownTold:
    """How somebody of the house took a report down, and where it came from."""
    told = next((msgspec.json.decode(each.content, type=Origin) for each in opened if each.told.kind == ORIGIN), Origin())
    return bodies.TakenDownTold(
        by=staff.by,
        posted_at=_time(staff.posted_at),
        processor=staff.processor or None,
        platform=told.platform or None,
        handle=told.handle or None,
        link=told.link or None,
        late_reason=told.late_reason or None,
        read_at=_time(staff.read_at),
        confirmed_at=_time(staff.confirmed_at),
    )


def acknowledge_by(fact: ReportFact, holidays: Collection[date]) -> str | None:
    """By when somebody says that she looks at it, None once somebody does."""
    return _time(_acknowledge_by(fact, holidays))


def _head(fact: ReportFact, now: int, holidays: Collection[date]) -> dict[str, Any]:
    by = _acknowledge_by(fact, holidays)
    return {
        "id": write_id(bytes.fromhex(fact.id)),
        "reference": fact.reference,
        "state": fact.state,
        "category": fact.category,
        "language": fact.language,
        "channel": fact.channel,
        "received_at": write_time(fact.received_at),
        "seen_at": _time(fact.seen_at),
        "grade": None if fact.mail is None else fact.mail.grade,
        "doubt": fact.doubt or None,
        "incident": write_id(bytes.fromhex(fact.incident)) if fact.incident else None,
        "acknowledge_by": _time(by),
        "acknowledge_by_riyadh": None if by is None else lifecycle.in_riyadh(by).isoformat(),
        "work": [_work(each, now) for each in clocks.of_report(fact)],
        "legal_hold": standing(fact.holds) is not None,
    }


def _acknowledge_by(fact: ReportFact, holidays: Collection[date]) -> int | None:
    if fact.state not in {"received", "quarantined"}:
        return None
    return clocks.working_deadline(fact.arrived_at, clocks.ACKNOWLEDGED_WITHIN, holidays)


def _work(running: clocks.WorkClock, now: int) -> bodies.WorkTold:
    due = running.due_at
    return bodies.WorkTold(running.work, write_time(due), lifecycle.in_riyadh(due).isoformat(), (due - now) // 1_000_000, overdue=now > due)


def told(running: lifecycle.Clock | None, now: int) -> bodies.ClockTold | None:
    """A clock in words, None where none runs."""
    if running is None:
        return None
    return bodies.ClockTold(
        aware_at=write_time(running.aware_at),
        due_at=write_time(running.due_at),
        due_riyadh=lifecycle.in_riyadh(running.due_at).isoformat(),
        seconds_left=running.left(now) // 1_000_000,
        overdue=running.is_overdue(now),
        provisional=running.provisional,
    )


def _waiting(proposed: Dismissal | Move) -> bodies.Waiting:
    return bodies.Waiting(
        reason=proposed.reason if isinstance(proposed, Dismissal) else None,
        was=write_time(proposed.was) if isinstance(proposed, Move) else None,
        to=write_time(proposed.to) if isinstance(proposed, Move) else None,
        proposed_by=proposed.proposed_by,
        proposed_at=write_time(proposed.proposed_at),
        settled_by=proposed.settled_by or None,
        settled_at=_time(proposed.settled_at),
        turned_down_by=proposed.turned_down_by or None,
        turned_down_at=_time(proposed.turned_down_at),
        overtaken_by=proposed.overtaken_by or None,
        overtaken_at=_time(proposed.overtaken_at),
    )


def _note(opened: door.Opened) -> bodies.Written:
    return bodies.Written(opened.told.by, msgspec.json.decode(opened.content, type=str), write_time(opened.told.at))


def hold(one: Hold, words: Mapping[int, str] = _WORDLESS) -> bodies.HoldTold:
    """A legal hold, with its reasons where they were opened (by the numbers of their parts)."""
    return bodies.HoldTold(
        by=one.by,
        at=write_time(one.at),
        reason=words.get(one.reason),
        proposal=one.lifting_reason,
        lifting_by=one.lifting_by or None,
        lifting_at=_time(one.lifting_at),
        lifting_reason=None if one.lifting_reason is None else words.get(one.lifting_reason),
        lifted_by=one.lifted_by or None,
        lifted_at=_time(one.lifted_at),
    )


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else write_time(microseconds)
