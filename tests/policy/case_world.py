"""The world a case file describes, built with the same functions as a live sheet: fixtures and events in, question and facts out.

An event the door would refuse (422: future-dated, pre-ticked, another notice's hash, wider than its notice; 403: a former guardian) leaves
nothing behind, and neither does a second one under an idempotency key already used. Events are known from `recorded_at` on; a grant that
nobody knew yet is added last, and only where nothing else is known for the purpose and recipient asked about.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from vault.policy.decide import decide
from vault.policy.events import (
    Given,
    GuardianAppointed,
    GuardianshipEnded,
    NoticePublished,
    Signal,
    Stopped,
    SubjectDeceased,
    SubjectsMerged,
)
from vault.policy.facts import (
    INTERNAL,
    NEVER,
    SELF,
    Caller,
    Grant,
    Guardian,
    Order,
    Person,
    Purpose,
    Question,
    Rules,
    Standing,
    Stop,
    Supersession,
    Verdict,
    key,
)
from vault.policy.pack import load
from vault.policy.signers import may_speak
from vault.policy.standing import apply, blank, publish

GIVEN = ("grant", "renew", "confirm", "import_grant")
STOPPED = ("withdraw", "refuse", "invalidate")
SILENT = ("request", "disclosure", "expire_marker")
SKEW = 5 * 60 * 1_000_000
RECIPIENTS = frozenset({"R1", "R2", "R3", "COURT", "REGULATOR", "R_ANALYTICS", "PUBLIC"})
FIELDS = frozenset({"name", "phone", "income", "health", "visit", "photo", "address"})
OFFICER = Caller(may_ask_orders=True, sees_reasons=True)


def moment(text: str) -> int:
    """Microseconds UTC of an RFC 3339 time, seconds optional."""
    when = datetime.fromisoformat(text)
    return int(when.astimezone(UTC).timestamp()) * 1_000_000 + when.microsecond


def known_at(event: Mapping[str, Any]) -> int:
    """When the vault knew of it; an event that bears no time at all is known at the moment asked about, whose time `answer` lends it."""
    return moment(event.get("recorded_at") or event.get("indicated_at") or event["at"])


def indicated_at(event: Mapping[str, Any]) -> int:
    return moment(event.get("indicated_at") or event.get("recorded_at") or event["at"])


@dataclass
class World:
    """What one case file's fixtures say, and what has happened so far in one case."""

    rules: Rules
    people: dict[str, Person]
    orders: dict[str, list[Order]] = field(default_factory=dict)
    same_as: dict[str, str] = field(default_factory=dict)
    distrusted: set[tuple[str, str]] = field(default_factory=set)
    used: set[tuple[str, str]] = field(default_factory=set)
    exceeded: set[tuple[str, str]] = field(default_factory=set)
    count: int = 0

    def who(self, subject: str) -> str:
        while subject in self.same_as:
            subject = self.same_as[subject]
        return subject

    def person(self, subject: str) -> Person:
        return self.people.setdefault(self.who(subject), Person())

    def happen(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        if kind in SILENT:
            return
        if kind == "notice_published":
            self.rules = publish(self.rules, notice(event))
        elif kind == "order":
            self._order(event)
        elif kind == "subjects_merged":
            kept, absorbed = self.who(event["kept"]), self.who(event["absorbed"])
            self.people[kept] = apply(self.person(kept), SubjectsMerged(self.person(absorbed), known_at(event)))
            self.same_as[absorbed] = kept
        elif kind in (*GIVEN, *STOPPED):
            self._spoken(event)
        else:
            self._of_the_person(event)

    def _of_the_person(self, event: Mapping[str, Any]) -> None:
        subject, at = self.who(event["subject"]), known_at(event)
        person = self.person(subject)
        if event["type"] == "subject_deceased":
            person = apply(person, SubjectDeceased(at))
        elif event["type"] == "signal":
            if event["signal"].lower() in ("gpc", "sec-gpc"):
                person = apply(person, Signal(at, bool(int(event["value"]))))
        elif event["type"] == "guardianship_ended":
            named = event.get("guardian") or event.get("by")
            for guardian in person.guardians:
                if named in (None, guardian.id):
                    person = apply(person, GuardianshipEnded(guardian.id, at, bool(event.get("for_cause", False))))
        else:
            raise ValueError(f"an event of no known type: {event['type']}")
        self.people[subject] = person

    def _order(self, event: Mapping[str, Any]) -> None:
        if event["kind"] not in ("judicial", "regulatory"):
            return
        self.count += 1
        order = Order(
            id=event.get("id", f"order-{self.count}"),
            kind=event["kind"],
            recipient=event["recipient"],
            fields=frozenset(event["fields"]),
            valid_from=moment(event["valid_from"]) if event.get("valid_from") else 0,
            valid_to=moment(event["valid_to"]) if event.get("valid_to") else NEVER,
            verified=event.get("verified", True),
        )
        for subject in event.get("subjects", [event.get("subject")]):
            self.orders.setdefault(subject, []).append(order)

    def _spoken(self, event: Mapping[str, Any]) -> None:
        subject = self.who(event["subject"])
        by = SELF if event.get("by", subject) == SELF or self.who(event.get("by", subject)) == subject else event["by"]
        if event["type"] == "invalidate":
            by = SELF
        self._meet(subject, by, event)
        if not self._admitted(subject, by, event):
            return
        person = self.person(subject)
        for purpose, recipient in self._keys(person, event):
            self.count += 1
            if event["type"] in STOPPED:
                stop = Stop(event["type"], indicated_at(event), known_at(event))
                person = apply(person, Stopped(purpose, recipient, stop, by))
            else:
                standing = person.standings.get(key(purpose, recipient), Standing())
                grant = self._grant(event, by, standing)
                if grant is not None:
                    person = apply(person, Given(purpose, recipient, grant, event["type"]))
        self.people[subject] = person

    def _meet(self, subject: str, by: str, event: Mapping[str, Any]) -> None:
        """A guardian the fixtures do not name is one all the same for a ward; an adult's agent only where the event says so."""
        person = self.person(subject)
        if by == SELF:
            return
        ward = person.interdicted or person.full_capacity_from is not None
        known = next((guardian for guardian in person.guardians if guardian.id == by), None)
        if known is None and not ward and event.get("guardianship_verified") is not True:
            return
        guardian = known or Guardian(by, "wali" if ward else "agent")
        trusted = event.get("guardianship_verified", (subject, by) not in self.distrusted)
        if event["type"] in GIVEN and trusted:
            guardian = replace(guardian, verified=True)
        self.people[subject] = apply(person, GuardianAppointed(guardian))

    def _admitted(self, subject: str, by: str, event: Mapping[str, Any]) -> bool:
        """What the door lets in; a key counts as used only by what was let in."""
        recorded, indicated = known_at(event), indicated_at(event)
        if not may_speak(self.person(subject), by, indicated):
            return False
        if event["type"] in GIVEN:
            scope = event.get("notice_scope_fields")
            if indicated > recorded + SKEW or event.get("default_checked", False) or not event.get("notice_hash_matches", True):
                return False
            if scope is not None and not set(event.get("fields", ())) <= set(scope):
                self.exceeded.add((subject, key(event["purpose"], event["recipient"])))
                return False
        route = "consents" if event["type"] in GIVEN[:3] else event["type"]
        once = event.get("idempotency_key")
        if once is not None and (route, once) in self.used:
            return False
        if once is not None:
            self.used.add((route, once))
        return True

    def _keys(self, person: Person, event: Mapping[str, Any]) -> list[tuple[str, str]]:
        """A stop that names no purpose or no recipient stops all of them."""
        if event.get("purpose") and event.get("recipient"):
            return [(event["purpose"], event["recipient"])]
        pairs = [tuple(name.split("|")) for name in person.standings]
        return [(p, r) for p, r in pairs if event.get("purpose") in (None, p) and event.get("recipient") in (None, r)]

    def _grant(self, event: Mapping[str, Any], by: str, standing: Standing) -> Grant | None:
        """A renewal or confirmation that does not say what it renews takes it from the newest grant in force; of nothing it is nothing."""
        recorded, indicated = known_at(event), indicated_at(event)
        newest = standing.grants[-1] if standing.grants and event["type"] in ("renew", "confirm") else None
        if newest is None and "fields" not in event:
            return None
        own = newest is None or "evidence" in event
        base: Any = newest
        verified_at = moment(event["verified_at"]) if event.get("verified_at") else recorded
        return Grant(
            id=event.get("id", f"g{self.count}"),
            form=event.get("evidence", base.form if base else ""),
            fields=frozenset(event["fields"]) if "fields" in event else base.fields,
            notice=event.get("notice", base.notice if base else ""),
            by=by,
            indicated_at=indicated,
            recorded_at=recorded,
            usable_from=max(recorded, verified_at),
            expires_at=moment(event["expires_at"]) if event.get("expires_at") else None if own else base.expires_at,
            explicit=event.get("explicit_sensitive", True if own else base.explicit),
            complete=event.get("evidence_complete", True if own else base.complete),
            verified=event.get("verified", True if own else base.verified),
            confirmed=event.get("confirmed", True),
            imported=event["type"] == "import_grant",
        )


def notice(event: Mapping[str, Any]) -> NoticePublished:
    by = moment(event["reconsent_by"]) if event.get("reconsent_by") else None
    news = Supersession(event.get("replaces", ""), bool(event.get("material", False)), by, known_at(event), event["notice"])
    return NoticePublished(news, event.get("adds_recipient"))


def build(book: Mapping[str, Any]) -> World:
    """The fixtures of a file, before anything has happened."""
    fixtures, cases = book["fixtures"], book["cases"]
    events = [event for case in cases for event in case["given"]]
    purposes = {code: _purpose(code, said) for code, said in fixtures["purposes"].items()}
    purposes.setdefault("legal_order", Purpose("legal_order", "disclose", basis="order", article="4", law="15"))
    named = {event[member] for event in events for member in ("recipient", "adds_recipient") if event.get(member)}
    recipients = frozenset(fixtures["recipients"]) if "recipients" in fixtures else RECIPIENTS | named
    told = {name for event in events for member in ("fields", "notice_scope_fields") for name in event.get(member) or ()}
    declared = load("cooperative").record_types["beneficiary"].fields
    fields = set(fixtures["fields"]) if "fields" in fixtures else {*FIELDS, *told, *declared}
    sensitive = set(fixtures.get("sensitive_fields", ()))
    classes = {name: "sensitive" if name in sensitive else "identity" for name in fields | sensitive}
    world = World(Rules(purposes, recipients - {INTERNAL}, classes), {})
    for name, said in fixtures["subjects"].items():
        world.people[name], distrusted = _subject(said)
        world.distrusted |= {(name, guardian) for guardian in distrusted}
    return world


def _purpose(code: str, said: Mapping[str, Any]) -> Purpose:
    return Purpose(
        code=code,
        action=said["action"],
        forms=frozenset(said["evidence"]),
        internal_only=said.get("third_party") == "never",
        double_opt_in=said.get("double_opt_in", False),
        honours_gpc=said.get("gpc", False),
        article={"disclose": "6.2", "contact": "6.4"}.get(said["action"], "6.1"),
        law="5",
    )


def _subject(said: str) -> tuple[Person, set[str]]:
    """The person a fixture's words describe, and the guardians it calls unverified."""
    day = re.search(r"full capacity from (\S+)", said)
    guardians = re.findall(r"guardian (\w+)(?: (verified|unverified|not verified))?", said)
    person = Person(
        guardians=tuple(Guardian(name, "wali", verified=False) for name, _ in guardians),
        full_capacity_from=moment(day[1].rstrip(",")) if day else NEVER if "minor" in said else None,
        interdicted="interdict" in said,
    )
    return person, {name for name, state in guardians if state in ("unverified", "not verified")}


def rank(event: Mapping[str, Any]) -> int:
    kind = event["type"]
    return 3 if kind in STOPPED else 2 if kind == "import_grant" else 1 if kind in GIVEN else 0


def answer(book: Mapping[str, Any], case: Mapping[str, Any], caller: Caller = OFFICER) -> Verdict:
    """The verdict on a case's query, as of its moment."""
    world, query = build(book), case["query"]
    at = moment(query["at"])
    events: list[Any] = sorted(({"at": query["at"], **event} for event in case["given"]), key=lambda event: (known_at(event), rank(event)))
    for event in events:
        if known_at(event) <= at:
            world.happen(event)
    subject, name = world.who(query["subject"]), key(query["purpose"], query["recipient"])
    if blank(world.person(subject).standings.get(name, Standing())):
        for event in _later(events, world, subject, name, at):
            world.happen(event)
    fields = query["fields"].split(",") if isinstance(query["fields"], str) else query["fields"]
    question = Question(query["action"], query["purpose"], query["recipient"], frozenset(fields), at)
    orders = [order for owner, each in world.orders.items() if world.who(owner) == subject for order in each]
    verdict = decide(question, world.person(subject), world.rules, caller, orders)
    if verdict.reason in ("NO_CONSENT", "RECIPIENT_NOT_COVERED") and (subject, name) in world.exceeded:
        return replace(verdict, reason="FIELDS_NOT_COVERED")
    return verdict


def _later(events: Sequence[Mapping[str, Any]], world: World, subject: str, name: str, at: int) -> list[Mapping[str, Any]]:
    mine = [event for event in events if event["type"] in GIVEN and known_at(event) > at and world.who(event["subject"]) == subject]
    return [event for event in mine if key(event["purpose"], event["recipient"]) == name]


def differs(verdict: Verdict, expect: Mapping[str, Any]) -> str:
    """What of the answer is not what the case expects; empty where all is."""
    basis = "consent" if verdict.basis in ("written_consent", "electronic_consent", "agreement") else verdict.basis
    got = {"decision": "permit" if verdict.allowed else "deny", "reason": verdict.reason, "basis": basis}
    wrong = [f"{name}: {got[name]}, not {expect[name]}" for name in got if name in expect and got[name] != expect[name]]
    if "permitted_fields" in expect and verdict.fields != frozenset(expect["permitted_fields"]):
        wrong.append(f"permitted_fields: {sorted(verdict.fields)}, not {sorted(expect['permitted_fields'])}")
    return "; ".join(wrong)
