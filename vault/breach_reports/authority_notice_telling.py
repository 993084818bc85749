"""Notices to the authority in the words of answers, and the page that is printed."""

from dataclasses import dataclass
from typing import Final

import msgspec

from vault.breach_reports import authority_notice as rules
from vault.breach_reports import authority_notice_bodies as bodies
from vault.breach_reports import door, lifecycle
from vault.breach_reports.authority_notice import PART_OF, Content, Task, Words
from vault.breach_reports.bodies import EntryTold
from vault.breach_reports.incident_shapes import AUTHORITY_NOTICE, AuthorityNotice, IncidentFact
from vault.breach_reports.incident_telling import state
from vault.web import write_id
from vault.web.answer import Answer
from vault.web.paper import Pages
from vault.web.times import in_words, moment, write_time

PAGES: Final = Pages("vault.breach_reports")


@dataclass(frozen=True, slots=True)
class Opened:
    """A notice that came through the door: the incident, what is known of the notice, its words, and the reasons it was filed with gaps."""

    fact: IncidentFact
    notice: AuthorityNotice
    content: Content
    reasons: str
    entry: EntryTold


def opened(taken: door.TakenIncident, parts: list[door.Opened], number: int) -> Opened:
    """What the door gave of one notice."""
    content, reasons = Content(), ""
    for part in parts:
        if part.told.kind == AUTHORITY_NOTICE:
            content = msgspec.json.decode(part.content, type=Content)
        else:
            reasons = msgspec.json.decode(part.content, type=str)
    fact = taken.case.fact
    return Opened(fact, rules.named(fact, number), content, reasons, EntryTold(taken.appended.index, taken.appended.leaf_hash.hex()))


def listed(fact: IncidentFact, within: int, now: int) -> bodies.NoticeList:
    """The notices of an incident, without their words."""
    return bodies.NoticeList(
        [item(each) for each in fact.notices], state(fact, "authority", within), _task(rules.task(fact, within, now), now)
    )


def item(notice: AuthorityNotice) -> bodies.NoticeItem:
    """A notice without its words."""
    is_filed = notice.filed_at is not None
    return bodies.NoticeItem(
        notice=notice.part,
        complete=not notice.gaps,
        gaps=_gaps(notice.gaps),
        drafted_by=notice.by,
        drafted_at=write_time(notice.at),
        kind=("supplement" if notice.supplement else "initial") if is_filed else None,
        partial=is_filed and bool(notice.gaps),
        filed_at=None if notice.filed_at is None else write_time(notice.filed_at),
        reference=notice.reference or None,
        noted_by=notice.noted_by or None,
        noted_at=None if notice.noted_at is None else write_time(notice.noted_at),
    )


def whole(found: Opened) -> bodies.AuthorityNoticeTold:
    """A notice with its words."""
    fact, content = found.fact, found.content
    return bodies.AuthorityNoticeTold(
        item=item(found.notice),
        incident=write_id(bytes.fromhex(fact.id)),
        reference=fact.reference,
        aware_at=write_time(fact.aware_at),
        aware_riyadh=lifecycle.in_riyadh(fact.aware_at).isoformat(),
        description=_words(content.description),
        happened_at=None if content.happened_at is None else write_time(content.happened_at),
        circumstances=_words(content.circumstances),
        categories=_words(content.categories),
        people=content.people,
        estimated=content.estimated,
        data=_words(content.data),
        effects=_words(content.effects),
        measures=_words(content.measures),
        planned=_words(content.planned),
        told=content.told or None,
        contact=_words(content.contact),
        reasons=found.reasons or None,
        entry=found.entry,
    )


def page(found: Opened, name: str, elsewhere: str, language: str) -> Answer:
    """The notice to print (A4): the five parts in the order of the law, in Arabic with the English beside it."""
    fact, content = found.fact, found.content
    return PAGES.answer(
        "authority_notice.html",
        language,
        name=name,
        elsewhere=elsewhere,
        reference=fact.reference,
        notice=found.notice,
        content=content,
        is_missing=frozenset(found.notice.gaps),
        reasons=found.reasons,
        aware=in_words(moment(fact.aware_at), language),
        happened=None if content.happened_at is None else in_words(moment(content.happened_at), language),
        filed=None if found.notice.filed_at is None else in_words(moment(found.notice.filed_at), language),
    )


def _task(found: Task | None, now: int) -> bodies.TaskTold | None:
    if found is None:
        return None
    return bodies.TaskTold(
        gaps=_gaps(found.gaps),
        since=write_time(found.since),
        hours=max(0, now - found.since) // lifecycle.HOUR,
        remind_at=write_time(found.remind_at),
        remind_riyadh=lifecycle.in_riyadh(found.remind_at).isoformat(),
    )


def _gaps(names: tuple[str, ...]) -> list[bodies.GapTold]:
    return [bodies.GapTold(PART_OF[name], name) for name in names]


def _words(words: Words) -> bodies.WordsTold:
    return bodies.WordsTold(words.ar, words.en)
