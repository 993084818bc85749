"""Parts of a case: they open against their receipt, once, in their case, at their number, as their kind; and what reporters are given."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.case_file import CaseFile, Part, case_key, new_case_key, open_parts, seal_part
from keys.errors import Unopenable
from keys.keyring import AssociationKeys
from keys.receipt import Receipt
from keys.reporters import ALPHABET, DAY, Passers, fold_reporter_receipt, new_reporter_receipt
from keys.secret import Secret
from tests.keys.world import KEYS, OTHER, RECORD, SUBJECT, stream

KEY, WRAPPED = new_case_key(KEYS, RECORD)
PARTS = (
    seal_part(KEYS, KEY, RECORD, b"what happened", number=0, kind="report"),
    seal_part(KEYS, KEY, RECORD, b"0500000000", number=1, kind="contact"),
)
FILE = CaseFile(RECORD, 3, WRAPPED, PARTS)
THEIRS = AssociationKeys(OTHER, {1: Secret(bytes(31) + b"\x01"), 2: Secret(bytes(31) + b"\x02")}, 1)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/breach_reports/receipts.json").read_text(encoding="utf-8"))


def receipt(**changes: object) -> Receipt:
    facts: dict[str, object] = {"index": 1, "leaf_hash": bytes(32), "record": RECORD, "revision": 3}
    return Receipt(**({"fields": frozenset({"report", "contact"})} | facts | changes))  # type: ignore[arg-type]


def test_parts_open_in_order_against_a_receipt_that_names_their_kinds():
    assert open_parts(receipt(), KEYS, FILE) == [b"what happened", b"0500000000"]
    assert open_parts(receipt(fields=frozenset({"report", "contact", "note"})), KEYS, FILE) == [b"what happened", b"0500000000"]
    assert open_parts(receipt(fields=frozenset({"contact"})), KEYS, CaseFile(RECORD, 3, WRAPPED, PARTS[1:])) == [b"0500000000"]


def test_a_receipt_opens_once_whatever_follows():
    for file in (FILE, CaseFile(SUBJECT, 3, WRAPPED, PARTS)):
        used = receipt()
        for _ in range(2):
            try:
                open_parts(used, KEYS, file)
            except Unopenable:
                continue
        with pytest.raises(Unopenable):
            open_parts(used, KEYS, FILE)


@pytest.mark.parametrize(
    "changes", [{"record": SUBJECT}, {"revision": 2}, {"revision": 4}, {"fields": frozenset({"report"})}, {"fields": frozenset()}]
)
def test_a_receipt_for_something_else_opens_nothing(changes: dict[str, object]):
    with pytest.raises(Unopenable):
        open_parts(receipt(**changes), KEYS, FILE)


def test_a_part_moved_to_another_case_number_kind_or_association_does_not_open():
    other_key, other_wrapped = new_case_key(KEYS, SUBJECT)
    moved = seal_part(KEYS, other_key, SUBJECT, b"another's", number=0, kind="report")
    first = PARTS[0]
    wrong = [
        CaseFile(RECORD, 3, WRAPPED, [moved]),
        CaseFile(RECORD, 3, other_wrapped, [first]),
        CaseFile(RECORD, 3, b"", [first]),
        CaseFile(RECORD, 3, WRAPPED, [Part(1, "report", first.sealed)]),
        CaseFile(RECORD, 3, WRAPPED, [Part(0, "contact", first.sealed)]),
        CaseFile(RECORD, 3, WRAPPED, [Part(0, "report", first.sealed[:-1])]),
    ]
    for file in wrong:
        with pytest.raises(Unopenable):
            open_parts(receipt(), KEYS, file)
    with pytest.raises(Unopenable):
        open_parts(receipt(), THEIRS, FILE)
    with pytest.raises(Unopenable):
        case_key(KEYS, SUBJECT, WRAPPED)


def test_the_key_of_a_case_seals_what_comes_later():
    later = seal_part(KEYS, case_key(KEYS, RECORD, WRAPPED), RECORD, b"a note", number=2, kind="note")
    assert open_parts(receipt(fields=frozenset({"note"})), KEYS, CaseFile(RECORD, 3, WRAPPED, [later])) == [b"a note"]
    assert len(later.sealed) == len(PARTS[0].sealed), "sizes go in steps"


@pytest.mark.parametrize(("typed", "meant"), VECTORS["typed"])
def test_a_receipt_is_understood_however_it_is_typed(typed: str, meant: str | None):
    if meant is None:
        with pytest.raises(Unopenable):
            fold_reporter_receipt(typed)
    else:
        assert fold_reporter_receipt(typed) == meant


def test_a_receipt_is_four_groups_of_five_and_folds_to_itself():
    told = new_reporter_receipt(entropy=stream("receipts"))
    assert [len(group) for group in told.split("-")] == [5, 5, 5, 5]
    assert fold_reporter_receipt(told) == told.replace("-", "")
    assert set("ILOU").isdisjoint(ALPHABET)
    assert len({new_reporter_receipt() for _ in range(200)}) == 200


@given(st.text(max_size=100))
def test_no_text_breaks_the_folding(typed: str):
    try:
        assert len(fold_reporter_receipt(typed)) == 20
    except Unopenable:
        return


def test_a_network_has_one_mark_a_day_and_none_that_tells_it():
    passers = Passers(entropy=stream("networks"))
    mark = passers.mark("203.0.113.9", DAY)
    assert passers.mark("203.0.113.200", DAY + 5) == mark, "one network"
    assert passers.mark("203.0.114.9", DAY) != mark
    assert passers.mark("2001:db8:0:1::1", DAY) == passers.mark("2001:db8:0:1:ffff::", DAY) != passers.mark("2001:db8:0:2::1", DAY)
    assert passers.mark("", DAY) == passers.mark("no address", DAY) != mark
    assert passers.mark("203.0.113.9", 2 * DAY) != mark, "the key of a day is forgotten with it"
    assert Passers(entropy=stream("others")).mark("203.0.113.9", DAY) != mark
    assert "203" not in mark


def test_an_address_of_ipv4_written_as_one_of_ipv6_is_marked_as_what_it_is():
    passers = Passers(entropy=stream("networks"))
    marks = [passers.mark(address, DAY) for address in ("203.0.113.9", "::ffff:203.0.113.9", "::ffff:203.0.114.9")]
    assert marks[0] == marks[1] != marks[2], "all people behind such a proxy are not one network"


def test_a_site_of_ipv6_has_one_mark_and_other_addresses_have_none_of_a_site():
    passers = Passers(entropy=stream("networks"))
    site = passers.mark_of_site("2001:db8:1:2::3", DAY)
    assert passers.mark_of_site("2001:db8:1:ffff::9", DAY) == site != passers.mark_of_site("2001:db8:2::1", DAY)
    assert site != passers.mark("2001:db8:1::", DAY), "a site is no network"
    assert [passers.mark_of_site(each, DAY) for each in ("203.0.113.9", "::ffff:203.0.113.9", "")] == ["", "", ""]
