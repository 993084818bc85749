"""The sheet: the same events give the same bytes, each change raises the version by one, and it opens at its place only."""

from collections import Counter
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from keys.blobs import open_blob, seal_blob
from keys.cabinet import SHEET_CLASS
from keys.errors import Unopenable
from tests.household import asked, grant, store, verify, withdraw, written
from tests.policy import strategies
from tests.simulator import World
from vault.access_log.deed import Deed
from vault.policy.events import (
    CapacityTold,
    Disclosed,
    Event,
    Given,
    GuardianAppointed,
    GuardianshipEnded,
    Interdicted,
    Locked,
    Requested,
    Restricted,
    Signal,
    Stopped,
    SubjectDeceased,
    SubjectsMerged,
    Verified,
)
from vault.policy.facts import SELF, Grant, Guardian, Person, Stop
from vault.policy.standing import apply
from vault.subjects import people, tables
from vault.subjects.sheet import (
    Created,
    Joined,
    Sheet,
    SheetEvent,
    Stored,
    decode,
    decode_events,
    encode,
    encode_events,
    fold,
    happened,
    of_all,
    policy_event,
)

created = Created(kind="beneficiary", at=0, by="client:00")
stored = st.builds(
    Stored,
    record=st.sampled_from(["aa" * 16, "bb" * 16]),
    type=st.just("beneficiary"),
    schema=st.integers(1, 3),
    revision=st.integers(1, 9),
    salts=st.dictionaries(st.sampled_from(["2", "3", "7"]), st.sampled_from(["00" * 16, "11" * 16])),
    at=strategies.moments,
    by=st.sampled_from(["client:00", "staff:01"]),
    review_month=st.just("2027-01"),
    full_capacity_from=st.none() | strategies.moments,
)
spoken = st.one_of(strategies.events, strategies.states, strategies.merges).map(
    lambda event: happened(event, at=1, by="client:00", record=b"\xaa" * 16)
)
versions = st.lists(st.lists(st.one_of(stored, spoken), min_size=1, max_size=3), max_size=8).map(lambda more: [[created], *more])


@settings(max_examples=200)
@given(versions)
def test_a_sheet_rebuilt_from_its_stored_events_has_the_same_bytes(history: list[list[SheetEvent]]):
    live = None
    for events in history:
        live = fold(live, events)
        assert decode(encode(live)) == live
    kept = [encode_events(events) for events in history]
    rebuilt = people.rebuild(decode_events(content) for content in kept)
    assert rebuilt is not None
    assert live is not None
    assert encode(rebuilt) == encode(live)
    assert rebuilt.version == len(history)


MANY = 10_000


def test_after_ten_thousand_random_events_of_every_kind_the_rebuilt_sheet_has_the_bytes_of_the_live_one():
    """Two sheets of one person, joined on the way, through everything that can happen to her: 10,000 events in all."""
    random = Random(20260127)
    purposes, recipients = ("serve", "share", "offer"), ("INTERNAL", "R1")
    live: list[Sheet | None] = [None, None]
    kept: list[list[bytes]] = [[], []]
    kinds: Counter[str] = Counter()

    def write(which: int, events: list[SheetEvent]) -> None:
        live[which] = fold(live[which], events)
        kept[which].append(encode_events(events))

    def what(at: int) -> SheetEvent:
        purpose, recipient, by = random.choice(purposes), random.choice(recipients), random.choice([SELF, "G", "H"])
        said = at - random.choice([0, 0, 0, 3, 40])
        grant = Grant(
            f"{at:032x}",
            random.choice(["written", "electronic"]),
            frozenset({"name"}),
            "n:1",
            by,
            said,
            at,
            at,
            random.choice([None, at + 50]),
        )
        guardian = Guardian(random.choice(["G", "H"]), random.choice(["wali", "agent"]), random.random() < 0.7, at - 5)
        day = random.choice([at - 1000, at + 200])
        everything: list[Event] = [
            *([Given(purpose, recipient, grant, kind) for kind in ("grant", "renew", "confirm", "import_grant")] * 2),
            *(Stopped(purpose, recipient, Stop(kind, said, at), by) for kind in ("withdraw", "refuse", "invalidate")),
            Requested(purpose, recipient, at),
            Verified(purpose, recipient, f"{max(0, at - 2):032x}", at),
            GuardianAppointed(guardian),
            GuardianshipEnded(guardian.id, at, for_cause=random.random() < 0.2),
            CapacityTold(day),
            Interdicted(at, on=random.random() < 0.5),
            Signal(at, opted_out=random.random() < 0.5),
            Disclosed(purpose, recipient, at),
            Restricted(at, on=random.random() < 0.5),
            Locked(at, on=random.random() < 0.5),
            *([SubjectDeceased(at)] if at > MANY * 9 // 10 else []),
        ]
        event = random.choice(everything)
        kinds[type(event).__name__] += 1
        return happened(event, at=at, by="client:00")

    for which in (0, 1):
        write(which, [created])
    joined = MANY // 3
    for at in range(MANY):
        which = random.randrange(2)
        events: list[SheetEvent] = [what(at)]
        write(which, events)
        if at == joined:
            before = [sheet.person for sheet in live if sheet is not None]
            for one, other in ((0, 1), (1, 0)):
                merged = SubjectsMerged(before[other], at)
                write(one, [Joined(others=(f"{other:032x}",), at=at, by="staff:01"), happened(merged, at=at, by="staff:01")])
        shared = of_all(events, f"{which:032x}")
        if at > joined and shared:
            write(1 - which, shared)
        if at % 2500 == 0 or at == MANY - 1:
            for each, content in zip(live, kept, strict=True):
                rebuilt = people.rebuild(decode_events(one) for one in content)
                assert each is not None
                assert rebuilt is not None
                assert encode(rebuilt) == encode(each)
    assert len(kinds) == len(get_args(Event)) - 3  # a merge comes once; an order and a notice are no one's own


@given(st.lists(st.one_of(strategies.events, strategies.states, strategies.merges), max_size=8))
def test_a_sheet_knows_of_a_person_what_the_articles_fold(happened_then: list[Event]):
    person = Person()
    sheet = fold(None, [created])
    for event in happened_then:
        person = apply(person, event)
        sheet = fold(sheet, [happened(event, at=1, by="client:00")])
    assert sheet.person == person


@given(st.one_of(strategies.events, strategies.states, strategies.merges))
def test_an_event_of_the_articles_is_kept_word_for_word(event: Event):
    (again,) = decode_events(encode_events([happened(event, at=1, by="staff:00")]))
    assert policy_event(again) == event  # type: ignore[arg-type]  # the one that was put in


def test_the_bytes_do_not_hang_on_the_order_of_insertion():
    def events(*salts: tuple[str, str]) -> list[SheetEvent]:
        one = Stored(record="aa" * 16, type="t", schema=1, revision=1, salts=dict(salts), at=0, by="x", review_month="2027-01")
        return [created, one]

    assert encode(fold(None, events(("2", "a"), ("3", "b")))) == encode(fold(None, events(("3", "b"), ("2", "a"))))


@pytest.mark.parametrize("events", [[], [happened(SubjectDeceased(1), at=1, by="x")], [created, created]])
def test_a_sheet_begins_with_one_creation(events: list[SheetEvent]):
    with pytest.raises(ValueError, match=r"created once|begins with"):
        fold(None, events)


def test_nobody_is_created_a_second_time_with_an_empty_sheet():
    with pytest.raises(ValueError, match="created once"):
        fold(fold(None, [created]), [created])


def test_what_is_no_sheet_does_not_decode():
    with pytest.raises(msgspec.DecodeError):
        decode(b'{"version":1}')


@pytest.mark.asyncio(loop_scope="function")
async def test_every_change_raises_the_version_by_one_in_sheet_events_and_log(vault: World):
    kept = await store(vault)
    officer = await vault.person("officer")
    paper = await asked(vault, form="written", evidence=written("second_officer@probe", vault.clock.now))
    consent = await grant(vault, kept.record, paper)
    await verify(vault, consent.id, officer)
    await withdraw(vault, consent.id)
    told = [(entry.kind, about.version) for entry in vault.entries() for about in entry.about if about.version is not None]
    assert told == [("record.stored", 1), ("consent.granted", 2), ("consent.verified", 3), ("consent.withdrawn", 4)]
    with vault.database.connect() as connection:
        assert connection.execute(select(tables.sheet.c.version)).scalars().all() == [4]
        assert connection.execute(select(tables.event.c.version).order_by(tables.event.c.version)).scalars().all() == [1, 2, 3, 4]
    known = await vault.association.run(lambda deed: people.of_record(deed, kept.record))
    assert known.version == 4


@pytest.mark.asyncio(loop_scope="function")
async def test_a_sheet_opens_for_its_person_association_and_version_only(small: World):
    kept = await store(small)

    def look(deed: Deed) -> None:
        row: Any = deed.transaction.connection.execute(select(tables.sheet)).one()
        keys, subject, version = deed.cabinet.keys, kept.subject, row.version
        key = keys.unwrap(subject, SHEET_CLASS, row.wrapped)
        at = people.context(b"sheet/v1", deed.association, subject, version)
        assert decode(open_blob(key, at, row.sealed)).version == version
        for other in (
            people.context(b"event/v1", deed.association, subject, version),
            people.context(b"sheet/v1", bytes(16), subject, version),
            people.context(b"sheet/v1", deed.association, bytes(16), version),
            people.context(b"sheet/v1", deed.association, subject, version + 1),
        ):
            with pytest.raises(Unopenable):
                open_blob(key, other, row.sealed)
        with pytest.raises(Unopenable):
            keys.unwrap(b"\x07" * 16, SHEET_CLASS, row.wrapped)
        assert open_blob(key, at, seal_blob(key, at, b"x")) == b"x"

    await small.association.run(look)
