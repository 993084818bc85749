"""What was allowed after its door was closed is found from the bodies alone, and nothing that was opened anew is."""

from dataclasses import replace

import pytest

from vault.access_log import closed as closed_doors
from vault.access_log.closed import DAY, Closed, of_consent
from vault.access_log.entry import About, Entry, Stored, WrittenFact
from vault.access_log.findings import Findings

WHO, OTHER = bytes(15) + b"\x01", bytes(15) + b"\x02"
SENT = f"{WHO.hex()}|x|self||1|staff:2|"
READ = Entry(
    kind="record.read",
    outcome="allow",
    actor="client:1",
    on_behalf="staff:3",
    about=(About(WHO),),
    purpose="p",
    recipient="INTERNAL",
    basis="electronic_consent",
    consents=("c1",),
)
ORDERED = Entry(kind="disclose", outcome="allow", actor="staff:1", recipient="court", basis="judicial_order", order="o1")
RELEASED = Entry(kind="disclosure.released", outcome="allow", actor="staff:1", facts=(WrittenFact("disclosure", "d1", 3, b""),))
SHARED = Entry(kind="record.read", outcome="allow", actor="client:1", recipient="court", basis="written_consent", agreement="g1")
GRANTED = Entry(kind="consent.granted", outcome="allow", actor="client:1", about=(About(WHO),), purpose="p", recipient="INTERNAL")
OPENED = Entry(kind="session.opened", outcome="allow", actor="staff:1", facts=(WrittenFact("session", "s1", 1, b""),))
DEED = Entry(kind="order.read", outcome="allow", actor="staff:1", basis="law")
SIGN_OUT = Entry(kind="session.ended", outcome="allow", actor="staff:1")
Told = Entry | tuple[Entry, tuple[str, ...]]


def closing(kind: str, reference: str, detail: str = "") -> Told:
    return Entry(kind="closing", outcome="allow", actor="system"), (kind, reference, detail)


def held(*told: Told) -> list[str]:
    """The findings over these entries, numbered from 0."""
    findings = Findings()
    walk = Closed(findings)
    for number, one in enumerate(told):
        entry, closes = one if isinstance(one, tuple) else (one, ())
        walk.hold(number, Stored(entry, number * 1_000_000, b"", "w", number, closes=closes))
    return findings.lines()


def second(entry: Entry, name: str) -> Entry:
    return replace(entry, facts=(WrittenFact("session", name, 1, b""),))


WITHDRAWN = closing("withdrawal", WHO.hex(), "p|INTERNAL")
CASE_READ = Entry(kind="breach_report.read", outcome="allow", actor="staff:3", about=(About(WHO, WHO),), basis="law")
AFTER = [
    (closing("case-exclusion", WHO.hex(), "report|staff:3|staff:1"), CASE_READ, "to whom a case is kept from"),
    (
        closing("case-exclusion", WHO.hex(), "report|staff:3|"),
        replace(CASE_READ, actor="client:1", on_behalf="staff:3"),
        "to whom a case is kept from",
    ),
    # Each case of a circle is kept from her: its fact was written with the entry.
    *(
        (
            (
                Entry(kind="closing", outcome="allow", actor="system", facts=(WrittenFact(kind, WHO.hex(), 3, b""),)),
                ("case-exclusion", OTHER.hex(), "incident|staff:3|staff:1"),
            ),
            CASE_READ,
            "to whom a case is kept from",
        )
        for kind in ("breach_report", "incident")
    ),
    (closing("case-exclusion", WHO.hex(), "report|staff:2,staff:3|"), CASE_READ, "to whom a case is kept from"),
    (WITHDRAWN, READ, "on a consent"),
    (closing("invalidation", WHO.hex(), "p|INTERNAL"), replace(READ, kind="decision"), "on a consent"),
    (closing("withdrawal", WHO.hex(), of_consent("p", "INTERNAL", "c2lsZW50")), READ, "on a consent"),
    (closing("refusal", WHO.hex(), "p|INTERNAL"), replace(READ, kind="evidence.read", basis="law"), "on a consent"),
    (WITHDRAWN, replace(READ, kind="contact", agreement="g2"), "on a consent"),
    (closing("lock", WHO.hex(), SENT), replace(READ, kind="contact.asked"), "about a person"),
    (closing("order", "o1"), ORDERED, "on an order"),
    (closing("agreement", "g1"), SHARED, "under an agreement"),
    (closing("disclosure", "d1"), RELEASED, "on a disclosure"),
    (closing("recipient", "court"), ORDERED, "to a recipient"),
    (closing("recipient-key", "court"), ORDERED, "under a recipient's key"),
    (closing("client", "1"), READ, "to a client"),
    (closing("staff", "1"), DEED, "to a member of staff"),
    (closing("staff", "3"), READ, "on behalf of a member of staff"),
    (closing("lock", WHO.hex(), SENT), READ, "about a person"),
    (closing("lock", WHO.hex(), SENT), replace(READ, basis="law", consents=()), "about a person"),
    (closing("erasure", WHO.hex(), SENT), GRANTED, "about a person"),
    (closing("breach-case", WHO.hex(), "report|r|1|spam"), replace(READ, kind="incident.read", basis="law", consents=()), "about a case"),
]


@pytest.mark.parametrize(("shut", "deed", "what"), AFTER)
def test_a_deed_that_went_through_a_closed_door_is_named_with_what_closed_it(shut: Told, deed: Entry, what: str):
    assert held(deed, shut, deed) == [f"entry 2: it was allowed {what} that entry 1 closed"]


@pytest.mark.parametrize(("shut", "deed", "_what"), AFTER)
def test_a_refusal_and_a_deed_before_the_door_closed_are_no_finding(shut: Told, deed: Entry, _what: str):
    assert held(deed, shut, replace(deed, outcome="refuse")) == []


@pytest.mark.parametrize(
    "deed",
    [
        replace(READ, about=(About(OTHER),)),
        replace(READ, purpose="q"),
        replace(READ, recipient="court"),
        replace(READ, basis="law", consents=()),
        replace(READ, consents=()),
    ],
)
def test_a_withdrawal_ends_what_it_names_and_nothing_else(deed: Entry):
    assert held(WITHDRAWN, deed) == []


def test_consent_given_anew_counts_and_the_old_one_beside_it_does_not():
    anew = replace(GRANTED, consents=("c2",))
    assert held(WITHDRAWN, anew, replace(READ, consents=("c2",))) == []
    assert len(held(WITHDRAWN, anew, replace(READ, consents=("c1", "c2")))) == 1
    assert len(held(WITHDRAWN, anew, WITHDRAWN, replace(READ, consents=("c2",)))) == 1
    assert len(held(WITHDRAWN, replace(anew, about=(About(OTHER),)), replace(READ, consents=("c2",)))) == 1


def test_a_search_that_names_several_needs_a_consent_of_each():
    several = replace(READ, kind="record.search", about=(About(WHO), About(OTHER)), consents=("c2", "d1"))
    assert held(WITHDRAWN, replace(GRANTED, consents=("c2",)), several) == []
    assert len(held(WITHDRAWN, replace(GRANTED, consents=("c3",)), several)) == 1


def test_a_lock_ends_when_the_erasure_is_called_off_or_was_of_some_classes():
    called_off = Entry(kind="erasure.cancelled", outcome="allow", actor="staff:1", about=(About(WHO),))
    lock = closing("lock", WHO.hex(), SENT)
    assert held(lock, called_off, READ) == []
    assert held(lock, closing("erasure", WHO.hex(), SENT + "health"), READ) == []
    assert len(held(lock, replace(called_off, about=(About(OTHER),)), READ)) == 1


def test_what_only_looks_at_an_erasure_is_no_deed_about_her():
    looks = Entry(kind="erasure.read", outcome="allow", actor="staff:1", about=(About(WHO),), basis="law")
    assert held(closing("lock", WHO.hex(), SENT), looks) == []


def test_a_key_that_was_confirmed_anew_seals_packages():
    confirmed = Entry(kind="recipient.key-confirmed", outcome="allow", actor="staff:2", recipient="court")
    assert held(closing("recipient-key", "court", "f1"), confirmed, ORDERED) == []


def test_who_signed_out_of_every_session_did_nothing_since():
    out = (SIGN_OUT, ("session", "s1", ""))
    assert held(OPENED, DEED, out, DEED) == ["entry 3: it was allowed in a session that entry 2 closed"]
    assert held(OPENED, out, second(OPENED, "s2"), DEED) == []
    assert held(OPENED, second(OPENED, "s2"), out, DEED) == [], "another session of hers is open"
    assert len(held(OPENED, second(OPENED, "s2"), out, (SIGN_OUT, ("session", "s2", "")), DEED)) == 1
    assert held(closing("session", "s9"), DEED) == [], "nobody knows whose it was"


def test_sessions_of_another_day_are_forgotten_and_the_walk_stays_small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(closed_doors, "_MANY", 4)
    many = [second(OPENED, f"s{number}") for number in range(40)]
    walk = Closed(Findings(), _tidy_at=4)
    for number, entry in enumerate(many):
        walk.hold(number, Stored(entry, number * DAY // 2, b"", "w", number))
    assert len(walk._sessions) <= 5


@pytest.mark.parametrize("closes", [("order",), ("order", "o1"), ("order", "o1", "", "")])
def test_a_closing_of_another_form_closes_nothing(closes: tuple[str, ...]):
    assert held((DEED, closes), ORDERED) == []


def test_an_exclusion_closes_no_case_by_facts_that_are_none_of_a_case():
    kept = WrittenFact("breach_exclusions", WHO.hex(), 3, b"")
    entry = Entry(kind="closing", outcome="allow", actor="system", facts=(kept,))
    assert held((entry, ("case-exclusion", OTHER.hex(), "incident|staff:3|")), CASE_READ) == []


def test_a_closing_of_too_few_words_closes_nothing_and_one_that_is_no_text_is_no_entry():
    assert held(closing("case-exclusion", WHO.hex(), "x"), CASE_READ) == []
    with pytest.raises(TypeError):
        held((Entry(kind="closing", outcome="allow", actor="system"), ("withdrawal", WHO.hex(), 7)), CASE_READ)  # type: ignore[arg-type]
