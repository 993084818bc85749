"""Asks the articles about one person and writes the answer down: the one function every read, decision and disclosure goes through.

Invariants: yes or no, the verdict is an entry; nothing a caller typed stands in it that the rulebook does not know; a caller hears no
reason that tells more than the person's own agreement, unless it is an officer's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vault.access.silences import heeded
from vault.access_log.deed import Appended, Deed, EntryRefusal
from vault.access_log.entry import FILE_OF_RECORD, RELEASES, About, Entry
from vault.policy.decide import decide, masked
from vault.policy.facts import INTERNAL, Caller, Channel, Order, Person, Question, Rules, Verdict
from vault.records.shelf import Whole
from vault.rulebook.asker import Errand
from vault.subjects.people import Known
from vault.subjects.sheet import RecordState, Sheet


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about one record; `recipient` None stands for the asker's own party, `channel` is the means of a contact.

    `predicate` names the question that is asked in the place of a value, empty where the value itself is. `case` is the id of the incident
    in whose course it is asked: the entry names it beside the person, so that it is kept from whom the incident excludes.
    """

    record: bytes
    action: str | None
    purpose: str
    fields: tuple[str, ...]
    recipient: str | None = None
    kind: str = "record.read"
    channel: Channel = ""
    predicate: str = ""
    case: bytes = b""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A verdict that no entry tells of yet, and what it rests on."""

    asked: Asked
    verdict: Verdict
    heard: Verdict
    subject: bytes
    sheet: Sheet
    state: RecordState


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with its place in the log, and the person's sheet and the record's state it rests on."""

    asked: Asked
    verdict: Verdict
    heard: Verdict
    appended: Appended
    subject: bytes
    sheet: Sheet
    state: RecordState

    def refusal(self) -> EntryRefusal:
        """The error a refused reader gets; its entry stands in the log already."""
        heard = self.heard
        told = Entry(kind=self.asked.kind, outcome="refuse", actor="", reason=heard.reason, article=heard.article, law=heard.law or None)
        error = EntryRefusal(told, fields_covered=tuple(sorted(heard.fields)), missing=heard.missing)
        error.leaf_hash = self.appended.leaf_hash
        return error


def judge(deed: Deed, errand: Errand, asked: Asked, known: Known, orders: Sequence[Order] = ()) -> Judged:
    """Decide one question about one person and append the entry. Raises nothing for a person who is known."""
    return enter(deed, errand, weigh(deed, errand, asked, known, orders))


def weigh(deed: Deed, errand: Errand, asked: Asked, known: Known, orders: Sequence[Order] = ()) -> Weighed:
    """Decide one question about one person; nothing is written yet, and nothing opens on it."""
    if known.sheet is None:
        raise ValueError(asked.kind)
    state = known.sheet.records[asked.record.hex()]
    book, policy = errand.book(deed), errand.asker.asker
    rules = book.rules[state.type]
    purpose = rules.purposes.get(asked.purpose)
    recipient = _recipient(policy, rules, asked)
    action = asked.action or ("use" if recipient == INTERNAL else "disclose")
    # Only a purpose that ends with hours asks who stored the record.
    timed = purpose is not None and purpose.within_hours is not None
    caller = replace(policy, is_storer=state.stored_by in (errand.asker.ref, errand.asker.on_behalf)) if timed else policy
    caller = as_assigned(errand, caller, known.sheet, deed.now)
    question = Question(action, asked.purpose, recipient, frozenset(asked.fields), deed.now, asked.channel)

    def about(person: Person) -> Verdict:
        return decide(question, person, rules, caller, orders)

    place = Whole(deed.association, known.subject, asked.record, state.revision)
    verdict = heeded(deed, book, question, place, known.sheet, decided=about)
    return Weighed(asked, verdict, masked(verdict, caller), known.subject, known.sheet, state)


def _recipient(policy: Caller, rules: Rules, asked: Asked) -> str:
    """Whom the question names; else the asker's own party, which for a processor is the association where nothing is disclosed."""
    if asked.recipient is not None:
        return asked.recipient
    purpose = rules.purposes.get(asked.purpose)
    return INTERNAL if policy.processes and purpose is not None and purpose.action != "disclose" else policy.party


def as_assigned(errand: Errand, caller: Caller, sheet: Sheet, now: int) -> Caller:
    """The caller of a verdict on this person: a caseworker's with the end of what assigns the person to her or her unit."""
    if not caller.only_assigned:
        return caller
    return replace(caller, assigned_until=sheet.assigned_until(errand.asker.assignees, now))


def enter(deed: Deed, errand: Errand, weighed: Weighed, file: str | None = None) -> Judged:
    """Append the entry of a verdict made in this very deed; `file` names the one in the field asked for, in hexadecimal."""
    asked, verdict, state = weighed.asked, weighed.verdict, weighed.state
    book = errand.book(deed)
    rules = book.rules[state.type]
    recipient = _recipient(errand.asker.asker, rules, asked)
    # Where there is no file, the entry that says so opens nothing.
    opens = asked.kind in RELEASES and (asked.kind != FILE_OF_RECORD or file is not None)
    appended = deed.append(
        errand.entry(
            kind=asked.kind,
            outcome="allow" if verdict.allowed else "refuse",
            about=(About(weighed.subject, asked.record), *([About(asked.case, asked.case)] if asked.case else ())),
            fields=tuple(sorted(rules.field_classes.keys() & asked.fields)),
            purpose=asked.purpose if asked.purpose in rules.purposes else None,
            recipient=recipient if recipient == INTERNAL or recipient in book.recipients else None,
            basis=verdict.basis if verdict.allowed else "none",
            article=verdict.article,
            law=verdict.law or None,
            reason=None if verdict.allowed else verdict.reason,
            consents=verdict.grants,
            order=verdict.order,
            evidence=file,
            agreement=verdict.agreement,
            predicate=asked.predicate or None,
        ),
        revision=state.revision if verdict.allowed and opens else None,
    )
    return Judged(asked, verdict, weighed.heard, appended, weighed.subject, weighed.sheet, state)
