"""Shares of a root key: enough of them open what it wrapped, and whatever is wrong with one is told by its number and not repeated."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import epochs
from keys.errors import Unopenable, Unsealable
from keys.roots import shamir
from keys.roots.local import LocalRoot
from keys.roots.shamir import Share, ShareRefused, combined, create
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, stream

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors/keys/shamir.json").read_text())
ROOT, SHARES = create(entropy=stream("board"))
OTHER = create(entropy=stream("another board"))[1]
WRAPPED = ROOT.wrap(b"x", Secret(b"k" * 32))


def refused(deed: Callable[[], object], code: str, share: int, group: int = 0) -> None:
    with pytest.raises(ShareRefused) as caught:
        deed()
    assert (caught.value.code, caught.value.share, caught.value.group) == (code, share, group)
    assert str(caught.value) == f"{code} share {share} group {group}"
    assert caught.value.__context__ is None


def changed(share: Share, group: int, to: Callable[[str], str]) -> str:
    groups = list(share.groups())
    groups[group - 1] = to(groups[group - 1])
    return " ".join(groups)


def other_digit(group: str) -> str:
    return group[:2] + str((int(group[2]) + 1) % 10) + group[3:]


@pytest.mark.parametrize("row", ROWS, ids=[row["source"].partition(";")[0] for row in ROWS])
def test_any_shares_give_the_published_secret_and_all_other_shares(row: dict[str, Any]) -> None:
    shares = dict(enumerate(map(bytes.fromhex, row["shares"])))
    for chosen in itertools.combinations(shares, row["threshold"]):
        points = {one: shares[one] for one in chosen}
        assert shamir._at(255, points).hex() == row["secret"]
        assert {one: shamir._at(one, points) for one in shares} == shares


def test_the_field_is_that_of_the_published_standard() -> None:
    assert (shamir._times(0x57, 0x83), shamir._times(0x57, 0x13)) == (0xC1, 0xFE)  # FIPS 197, sections 4.2 and 4.2.1
    assert all(shamir._times(value, shamir._inverse(value)) == 1 for value in range(1, 256))


def test_any_three_of_five_open_what_the_root_wrapped_and_fewer_say_nothing() -> None:
    for chosen in itertools.permutations(SHARES, 3):
        assert combined(chosen).unwrap(b"x", WRAPPED).reveal() == b"k" * 32
    assert combined(SHARES).unwrap(b"x", WRAPPED).reveal() == b"k" * 32
    assert combined(SHARES[1:4]).describe() == ROOT.describe() == f"shares of set {SHARES[0].set_id}"


@given(st.integers(2, 6), st.integers(0, 4))
def test_any_number_of_shares_gives_the_root_back(threshold: int, more: int) -> None:
    root, shares = create(threshold, threshold + more)
    assert combined(shares[more:]).unwrap(b"x", root.wrap(b"x", Secret(b"k" * 32))).reveal() == b"k" * 32


@pytest.mark.parametrize(("threshold", "shares"), [(1, 5), (0, 0), (6, 5), (3, 17), (-1, 3)])
def test_shares_that_open_alone_or_never_are_not_made(threshold: int, shares: int) -> None:
    with pytest.raises(Unsealable):
        create(threshold, shares)


def test_attack_43_too_few_shares_are_refused() -> None:
    refused(lambda: combined(SHARES[:2]), "shares-too-few", 2)
    refused(lambda: combined([SHARES[4]]), "shares-too-few", 5)
    refused(lambda: combined([]), "shares-too-few", 0)


def test_attack_43_a_share_of_another_set_is_named() -> None:
    refused(lambda: combined([SHARES[0], OTHER[3], SHARES[2]]), "share-of-another-set", 4)
    same_set = Share(SHARES[1].set_id, 2, 4, Secret(bytes(32)))
    refused(lambda: combined([SHARES[0], same_set, SHARES[2]]), "share-of-another-set", 2)


def test_attack_43_a_share_that_is_there_twice_is_named() -> None:
    refused(lambda: combined([SHARES[0], SHARES[3], SHARES[3]]), "share-twice", 4)


@pytest.mark.parametrize("group", range(1, 22))
def test_attack_43_a_mistyped_share_is_named_with_the_first_wrong_group(group: int) -> None:
    named = 0 if group == 3 else 4
    refused(lambda: Share.parse(changed(SHARES[3], group, other_digit)), "share-mistyped", named, group)


def test_attack_43_one_wrong_digit_or_two_exchanged_neighbours_are_always_seen() -> None:
    digits = "".join(SHARES[1].groups())
    for at, digit in enumerate(digits):
        for other in "0123456789":
            if other != digit:
                with pytest.raises(ShareRefused):
                    Share.parse(digits[:at] + other + digits[at + 1 :])
        exchanged = digits[:at] + digits[at : at + 2][::-1] + digits[at + 2 :]
        if exchanged != digits:
            with pytest.raises(ShareRefused):
                Share.parse(exchanged)


def test_attack_43_groups_that_are_right_by_themselves_and_not_together_are_seen() -> None:
    # Group 10 of another share stands where group 10 stood: each group holds, the checksum does not.
    refused(lambda: Share.parse(changed(SHARES[0], 10, lambda _: SHARES[1].groups()[9])), "share-mistyped", 1)
    nothing = Share(SHARES[0].set_id, 0, 3, Secret(bytes(32)))
    refused(lambda: Share.parse(" ".join(nothing.groups())), "share-mistyped", 0)
    alone = Share(SHARES[0].set_id, 1, 1, Secret(bytes(32)))
    refused(lambda: Share.parse(" ".join(alone.groups())), "share-mistyped", 1)


def test_attack_43_a_share_that_was_forged_opens_nothing(tmp_path: Path) -> None:
    daily = LocalRoot(Secret.random())
    epochs.create(tmp_path / "epochs", ASSOCIATION, daily, 1)
    epochs.add_slot(tmp_path / "epochs", ASSOCIATION, daily, "board", ROOT)
    assert epochs.load(tmp_path / "epochs", ASSOCIATION, combined(SHARES[:3])).epoch == 1
    assert epochs.told(tmp_path / "epochs", ASSOCIATION, daily).slots[1] == ("board", "shamir")
    forged = Share(SHARES[2].set_id, 3, 3, Secret(b"f" * 32))
    with pytest.raises(Unopenable):
        epochs.load(tmp_path / "epochs", ASSOCIATION, combined([*SHARES[:2], forged]))


@pytest.mark.parametrize(
    "typed",
    [
        lambda share: share.printed(),
        lambda share: share.printed().translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        lambda share: "".join(share.groups()),
        lambda share: "\n".join(share.groups()),
        lambda share: " - ".join(share.groups()) + "\r\n",
        lambda share: "،".join(share.groups()).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        lambda share: "\u200f".join(share.groups()).translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")),
        lambda share: "\u2067" + "\t".join(share.groups()) + "\u2069",
    ],
)
def test_a_share_is_understood_however_it_is_typed(typed: Callable[[Share], str]) -> None:
    read = [Share.parse(typed(share)) for share in SHARES[2:]]
    assert [(one.set_id, one.index, one.threshold) for one in read] == [(SHARES[0].set_id, index, 3) for index in (3, 4, 5)]
    assert combined(read).unwrap(b"x", WRAPPED).reveal() == b"k" * 32


@given(st.text(max_size=200) | st.text("0123456789٠١٢ -\n", min_size=100, max_size=180))
def test_random_texts_raise_only_the_one_error_and_are_not_repeated(text: str) -> None:
    with pytest.raises(ShareRefused) as caught:
        Share.parse(text)
    assert re.fullmatch(r"share-mistyped share \d+ group \d+", str(caught.value))


def test_a_sheet_says_in_both_languages_what_its_keeper_needs() -> None:
    sheet = SHARES[1].printed()
    assert "أمانة: الحصة رقم 2 من مفتاح الاسترداد" in sheet
    assert "Amanah: share 2 of the recovery key" in sheet
    assert f"Set           {SHARES[1].set_id}\n" in sheet
    assert "Needed    3\n" in sheet
    typed = sheet.split("-----")[1].strip("\n").splitlines()
    assert len(typed) == 7
    assert all(re.fullmatch(r" \d(   \d{6}){3}", line) or re.fullmatch(r"\d\d(   \d{6}){3}", line) for line in typed)


GOLDEN = (
    "033632 147227 006698 000017 006700 013383 020066 026749 033432 040115 046798 "
    "053481 060151 066834 073517 080200 086883 093566 100249 368726 508958"
)


def test_a_share_was_written_once_as_it_is_now() -> None:
    share = Share("0a1b2c3d", 2, 3, Secret(bytes(range(32))))
    assert " ".join(share.groups()) == GOLDEN
    assert Share.parse(GOLDEN).point() == (2, bytes(range(32)))
