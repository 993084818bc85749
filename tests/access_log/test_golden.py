"""Entries and a checkpoint frozen for good: today's code makes the same bytes, and a reader of the specification opens them."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.access_log import second_reader
from tests.access_log.logs import CODE, World, person, signer, some_entry, world, written
from vault.access_log.checkpoint import Checkpoint, opened, origin
from vault.access_log.entry import About, Entry, parse
from vault.access_log.merkle import Frontier, leaf_hash
from vault.access_log.tables import entry as entries

VECTORS = Path(__file__).parents[1] / "vectors" / "access_log"
GOLDEN = json.loads((VECTORS / "golden.json").read_text())
BODIES = [one["body"].encode() for one in GOLDEN["entries"]]
COUNT = 24

DIGESTS = [hashlib.sha256(text).hexdigest() for text in (b"sheet 9", b"event 9")]
FULLEST = Entry(
    kind="disclose",
    outcome="allow",
    actor="client-1",
    on_behalf="staff-2",
    about=(written(person(1), person(101), 9), About(person(2), person(102)), About(person(3))),
    fields=("full_name", "mobile"),
    purpose="partner_sharing",
    recipient="recipient-1",
    basis="written_consent",
    article="cooperative:6.2",
    law="sa-pdpl:15",
    consents=("consent-1:2",),
    order="order-1",
    flags=("bulk", "off-hours"),
    request="request-1",
    count=3,
)


def filled(log: World) -> str:
    log.append(COUNT - 1)
    log.append(1, lambda _number: FULLEST)
    return log.sign()


def test_the_same_deeds_still_make_the_same_bytes_and_the_same_checkpoint(database_url: str, tmp_path: Path):
    with world(database_url, tmp_path / "outside") as log:
        note = filled(log)
        with log.reading() as transaction:
            made = [bytes(row.body) for row in transaction.connection.execute(entries.select().order_by(entries.c.number))]
    assert made == BODIES
    assert note == GOLDEN["checkpoint"]
    assert signer().vkey == GOLDEN["vkey"]


def test_frozen_entries_have_their_frozen_hashes_and_root():
    frontier = Frontier()
    for body, one in zip(BODIES, GOLDEN["entries"], strict=True):
        assert leaf_hash(body).hex() == one["leaf"]
        frontier.append(leaf_hash(body))
    assert opened(GOLDEN["checkpoint"], GOLDEN["vkey"], CODE) == Checkpoint(origin(CODE), COUNT, frontier.root())


def test_frozen_entries_are_still_read_as_what_was_done():
    for number, body in enumerate(BODIES[:-1]):
        stored = parse(body)
        assert stored.entry == some_entry(number)
        assert (stored.counter, stored.writer) == (number, "00112233aabbccdd")
    assert parse(BODIES[-1]).entry == FULLEST


def test_a_reader_of_the_specification_opens_frozen_entries_and_checkpoint():
    members = [second_reader.entry(body) for body in BODIES]
    assert [one["ws"] for one in members] == list(range(COUNT))
    assert members[-1]["s"] == [
        [person(1).hex(), person(101).hex(), 9, DIGESTS[0], DIGESTS[1]],
        [person(2).hex(), person(102).hex()],
        [person(3).hex(), ""],
    ]
    size, root = second_reader.checkpoint(GOLDEN["checkpoint"], GOLDEN["vkey"])
    assert (size, root) == (COUNT, second_reader.root([second_reader.leaf(body) for body in BODIES]))


@pytest.mark.parametrize("at", range(0, len(GOLDEN["checkpoint"]), 7))
def test_a_frozen_checkpoint_with_one_character_changed_opens_for_nobody(at: int):
    text = GOLDEN["checkpoint"]
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises((second_reader.Wrong, ValueError)):
        second_reader.checkpoint(changed, GOLDEN["vkey"])
    with pytest.raises(Exception, match="checkpoint-unreadable"):
        opened(changed, GOLDEN["vkey"], CODE)
