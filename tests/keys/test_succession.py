"""A signing key that is followed by another: which is in force when, who signs, and what moves a reader from one to the next."""

import pytest

from keys.errors import Unopenable, Unsealable
from keys.notes import Signer, succeeded, verify
from keys.secret import Secret

NAME = "example.org/log"
SEEDS = [Secret(bytes([number]) * 32) for number in range(1, 4)]
VKEYS = [Signer(NAME, seed).vkey for seed in SEEDS]


def settled(*, overlaps: bool = True) -> Signer:
    signer = Signer(NAME, SEEDS[0])
    signer.settle(SEEDS[1:], [(VKEYS[1], 10), (VKEYS[2], 20)], overlaps=overlaps)
    return signer


def test_the_newest_signs_and_the_one_before_beside_it_while_they_overlap() -> None:
    note = settled().sign("x\n")
    assert [verify(note, VKEYS[number]) for number in (1, 2)] == ["x\n", "x\n"]
    for signed, other in ((note, VKEYS[0]), (settled(overlaps=False).sign("x\n"), VKEYS[1])):
        with pytest.raises(Unopenable):
            verify(signed, other)
    assert settled().vkey == VKEYS[2]
    assert settled().vkeys == tuple(VKEYS)


def test_each_key_is_in_force_from_its_size_on() -> None:
    signer = settled()
    assert [signer.vkey_at(size) for size in (0, 9, 10, 19, 20, 10**9)] == [VKEYS[at] for at in (0, 0, 1, 1, 2, 2)]
    signer.settle([], [], overlaps=True)
    assert (signer.vkeys, signer.vkey_at(99)) == ((VKEYS[0],), VKEYS[0])
    assert verify(signer.sign("x\n"), VKEYS[0]) == "x\n"


@pytest.mark.parametrize(
    "told",
    [
        [],
        [(VKEYS[1], 10)],
        [(VKEYS[2], 10), (VKEYS[1], 20)],
        [(VKEYS[1], 20), (VKEYS[2], 10)],
        [(VKEYS[1], 10), (VKEYS[2], 10)],
        [(VKEYS[1], 0), (VKEYS[2], 1)],
    ],
)
def test_keys_other_than_what_is_told_are_not_taken(told: list[tuple[str, int]]) -> None:
    signer = Signer(NAME, SEEDS[0])
    with pytest.raises(Unsealable):
        signer.settle(SEEDS[1:], told, overlaps=True)
    assert signer.vkeys == (VKEYS[0],)


def test_the_old_key_names_the_new_one_and_both_sign_that() -> None:
    vkey, note = Signer(NAME, SEEDS[0]).succession(SEEDS[1], 10)
    assert vkey == VKEYS[1]
    assert succeeded(note, VKEYS[0]) == (VKEYS[1], 10)
    assert note.split("\n")[:4] == ["amanah-signing-key/1", VKEYS[0], VKEYS[1], "10"]


def test_a_reader_follows_nobody_whom_the_old_key_did_not_name() -> None:
    """A checkpoint can be given a second signature by anybody; that does not make him the successor."""
    old, new = Signer(NAME, SEEDS[0]), Signer(NAME, SEEDS[1])
    text = f"amanah-signing-key/1\n{old.vkey}\n{new.vkey}\n10\n"
    line = {who: signer.sign(text).split("\n\n")[1] for who, signer in {"old": old, "new": new}.items()}
    assert succeeded(f"{text}\n{line['old']}{line['new']}", old.vkey) == (new.vkey, 10)
    for wrong in (
        f"{text}\n{line['new']}",
        f"{text}\n{line['old']}",
        old.sign("example.org/log\n10\nx\n"),
        *(
            changed + "\n" + old.sign(changed).split("\n\n")[1] + new.sign(changed).split("\n\n")[1]
            for changed in (
                text.replace("10\n", "010\n"),
                text.replace("10\n", "0\n"),
                text.replace("10\n", "x\n"),
                text.replace("key/1", "key/2"),
                text + "more\n",
                f"amanah-signing-key/1\n{new.vkey}\n{old.vkey}\n10\n",
                f"amanah-signing-key/1\n{old.vkey}\n{old.vkey}\n10\n",
                f"amanah-signing-key/1\n{old.vkey}\nother{new.vkey}\n10\n",
            )
        ),
    ):
        with pytest.raises(Unopenable):
            succeeded(wrong, old.vkey)


def test_under_another_name_the_same_keys_are_in_force() -> None:
    other = settled().named("example.org/log/2")
    assert [one.rpartition("+")[2] for one in other.vkeys] == [one.rpartition("+")[2] for one in VKEYS]
    assert [other.vkey_at(size) for size in (9, 10, 20)] == list(other.vkeys)
    assert verify(other.sign("x\n"), other.vkeys[1]) == verify(other.sign("x\n"), other.vkeys[2]) == "x\n"
    with pytest.raises(Unopenable):
        verify(other.sign("x\n"), VKEYS[2])
    other.settle(SEEDS[1:], [(VKEYS[1], 10), (VKEYS[2], 20)], overlaps=False)
    with pytest.raises(Unsealable):
        settled().named("two words")
