"""Several roots open the same keys, each by a slot of its own; no write needs another root than the one at hand."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keys import epochs, epochs_file, files, slots
from keys.epochs_file import Epoch, File
from keys.errors import Unopenable, Unsealable
from keys.keyring import AssociationKeys
from keys.roots import Root, key_file
from keys.roots.local import LocalRoot
from keys.secret import Secret
from keys.slots import Slot, commitment, sealed_for
from tests.keys import second_reader
from tests.keys.world import ASSOCIATION, OTHER, SUBJECT

DAILY: Root = LocalRoot(Secret(b"d" * 32))
BOARD: Root = LocalRoot(Secret(b"b" * 32))
THIRD: Root = LocalRoot(Secret(b"t" * 32))
NOW = 1_790_000_000_000_000
GOLDEN: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors/keys/epochs.json").read_text())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two slots."""
    epochs.create(tmp_path / "epochs", ASSOCIATION, DAILY, NOW)
    epochs.add_slot(tmp_path / "epochs", ASSOCIATION, DAILY, "board", BOARD)
    return tmp_path / "epochs"


def test_each_root_opens_the_same_keys(path: Path) -> None:
    _, wrapped = epochs.load(path, ASSOCIATION, DAILY).new_key(SUBJECT, 3)
    assert epochs.load(path, ASSOCIATION, BOARD).unwrap(SUBJECT, 3, wrapped).version == 1
    with pytest.raises(Unopenable):
        epochs.load(path, ASSOCIATION, THIRD)


def test_a_new_epoch_is_for_every_slot_though_one_root_is_at_hand(path: Path) -> None:
    _, wrapped = epochs.rotate(path, ASSOCIATION, BOARD, NOW + 1).new_key(SUBJECT, 3)
    for root in (DAILY, BOARD):
        found = epochs.load(path, ASSOCIATION, root)
        assert (found.epoch, found.unwrap(SUBJECT, 3, wrapped).version) == (2, 1)
    assert epochs.retire(path, ASSOCIATION, DAILY, 2).minimum_epoch == 2
    assert epochs.load(path, ASSOCIATION, BOARD).minimum_epoch == 2


def test_a_slot_that_was_removed_opens_nothing_more(path: Path) -> None:
    epochs.remove_slot(path, ASSOCIATION, DAILY, "board")
    assert b"board" not in path.read_bytes()
    with pytest.raises(Unopenable):
        epochs.load(path, ASSOCIATION, BOARD)
    assert epochs.load(path, ASSOCIATION, DAILY).epoch == 1
    epochs.add_slot(path, ASSOCIATION, DAILY, "board", THIRD)
    assert epochs.load(path, ASSOCIATION, THIRD).epoch == 1


@pytest.mark.parametrize("name", ["main", "board", "", "Board", "1st", "a b", "a\nb", "لوحة", "x" * 33])
def test_a_name_that_is_taken_or_none_gets_no_slot(path: Path, name: str) -> None:
    before = path.read_bytes()
    with pytest.raises(Unsealable):
        epochs.add_slot(path, ASSOCIATION, DAILY, name, THIRD)
    assert path.read_bytes() == before


def test_there_is_no_ninth_slot(path: Path) -> None:
    for number in range(6):
        epochs.add_slot(path, ASSOCIATION, DAILY, f"slot{number}", LocalRoot(Secret.random()))
    with pytest.raises(Unsealable):
        epochs.add_slot(path, ASSOCIATION, DAILY, "ninth", THIRD)
    assert len(epochs.told(path, ASSOCIATION, BOARD).slots) == 8


@pytest.mark.parametrize(("root", "name"), [(DAILY, "main"), (BOARD, "board"), (DAILY, "nobody")])
def test_the_slot_at_hand_and_one_of_no_name_are_not_removed(path: Path, root: Root, name: str) -> None:
    before = path.read_bytes()
    with pytest.raises(Unsealable):
        epochs.remove_slot(path, ASSOCIATION, root, name)
    assert path.read_bytes() == before


def test_the_last_slot_is_not_removed(path: Path) -> None:
    epochs.remove_slot(path, ASSOCIATION, BOARD, "main")
    with pytest.raises(Unsealable):
        epochs.remove_slot(path, ASSOCIATION, BOARD, "board")


def test_a_root_that_does_not_open_what_it_wrapped_gets_no_slot(path: Path) -> None:
    class Forgetful(LocalRoot):
        def unwrap(self, context: bytes, blob: bytes) -> Secret:
            return Secret.random() if blob else super().unwrap(context, blob)

    before = path.read_bytes()
    with pytest.raises(Unopenable):
        epochs.add_slot(path, ASSOCIATION, DAILY, "forgetful", Forgetful(Secret.random()))
    assert path.read_bytes() == before


def test_a_root_of_a_kind_that_is_no_word_gets_no_slot(path: Path) -> None:
    class Odd(LocalRoot):
        kind = "a b"

    with pytest.raises(Unsealable):
        epochs.add_slot(path, ASSOCIATION, DAILY, "odd", Odd(Secret.random()))


def test_what_a_file_tells_holds_no_secret_and_names_the_copy(path: Path, tmp_path: Path) -> None:
    found = key_file.create(tmp_path / "root")
    epochs.add_slot(path, ASSOCIATION, DAILY, "file", found)
    epochs.rotate(path, ASSOCIATION, DAILY, NOW + 1)
    assert epochs.told(path, ASSOCIATION, found) == epochs.Told(
        minimum=1,
        epochs=((1, NOW), (2, NOW + 1)),
        slots=(("main", "memory"), ("board", "memory"), ("file", "key-file")),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    with pytest.raises(Unopenable):
        epochs.told(path, ASSOCIATION, THIRD)


def test_a_root_is_asked_for_the_slots_of_its_kind_first(path: Path, tmp_path: Path) -> None:
    asked: list[bytes] = []

    class Counted(LocalRoot):
        kind = "network"

        def unwrap(self, context: bytes, blob: bytes) -> Secret:
            asked.append(context)
            return super().unwrap(context, blob)

    root = Counted(Secret.random())
    epochs.add_slot(path, ASSOCIATION, DAILY, "network", root)
    asked.clear()
    epochs.load(path, ASSOCIATION, root)
    assert len(asked) == 1


def _forged(path: Path, root_of_attacker: Root | None = None) -> File:
    """A file as somebody writes it who read the slots and holds no root of theirs: an epoch and a file key of his own."""
    found = epochs_file.parsed(path.read_text())
    file_key, mine = Secret(b"f" * 32), Secret(b"e" * 32)
    kept = found.slots if root_of_attacker is None else (slots.new_slot("main", root_of_attacker, ASSOCIATION, file_key),)
    return File(
        ASSOCIATION,
        1,
        commitment(file_key),
        kept,
        tuple(sealed_for(slot, ASSOCIATION, 0, file_key) for slot in kept),
        (Epoch(1, NOW, tuple(sealed_for(slot, ASSOCIATION, 1, mine) for slot in kept)),),
        "",
        b"",
    )


def test_a_file_made_by_somebody_without_a_root_opens_for_none(path: Path) -> None:
    """Anybody can seal to a public half: without the root's word for the file's key he could lay his own epoch under the vault."""
    genuine = epochs_file.parsed(path.read_text())
    forged = _forged(path)
    kept_commitment = dataclasses.replace(forged, commitment=genuine.commitment)
    own_slot = _forged(path, THIRD)
    for made in (forged, kept_commitment, own_slot):
        files.replace(path, epochs_file.written(made, Secret(b"f" * 32)), 0o600)
        for root in (DAILY, BOARD):
            with pytest.raises(Unopenable):
                epochs.load(path, ASSOCIATION, root)


def test_a_slot_moved_to_another_file_name_or_association_does_not_open(path: Path, tmp_path: Path) -> None:
    found, other = epochs_file.parsed(path.read_text()), Secret.random()
    slot = found.slots[0]
    assert slots.open_slot(slot, DAILY, ASSOCIATION, found.commitment).name == "main"
    renamed, exchanged = Slot("niam", *_rest(slot)), Slot("main", "memory", found.slots[1].public, slot.wrapped)
    for changed, association, committed in [
        (slot, ASSOCIATION, commitment(other)),
        (slot, OTHER, found.commitment),
        (renamed, ASSOCIATION, found.commitment),
        (exchanged, ASSOCIATION, found.commitment),
    ]:
        with pytest.raises(Unopenable):
            slots.open_slot(changed, DAILY, association, committed)


def _rest(slot: Slot) -> tuple[str, bytes, bytes]:
    return slot.kind, slot.public, slot.wrapped


def test_a_key_sealed_for_one_slot_epoch_or_association_opens_for_no_other() -> None:
    pair = Secret(b"p" * 32)
    mine = slots.OpenSlot(ASSOCIATION, "main", pair)
    slot = Slot("main", "memory", mine.public, b"")
    assert mine.opened(2, sealed_for(slot, ASSOCIATION, 2, Secret(b"k" * 32))).reveal() == b"k" * 32
    other_name = Slot("other", "memory", mine.public, b"")
    for sealed in [
        sealed_for(slot, ASSOCIATION, 1, Secret(b"k" * 32)),
        sealed_for(slot, OTHER, 2, Secret(b"k" * 32)),
        sealed_for(other_name, ASSOCIATION, 2, Secret(b"k" * 32)),
        b"",
    ]:
        with pytest.raises(Unopenable):
            mine.opened(2, sealed)
    for bad in (b"", bytes(32)):  # no point, and a point of small order
        with pytest.raises(Unsealable):
            sealed_for(Slot("main", "memory", bad, b""), ASSOCIATION, 1, pair)


def test_what_would_not_open_does_not_take_the_place_of_what_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setattr(epochs_file, "written", lambda *_: b"amanah-epochs 2\n")
    with pytest.raises(Unopenable):
        epochs.rotate(path, ASSOCIATION, DAILY, NOW)
    assert path.read_bytes() == before


def test_a_file_that_would_be_too_long_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setattr(epochs_file, "LONGEST", len(before) + 10)
    with pytest.raises(Unsealable):
        epochs.rotate(path, ASSOCIATION, DAILY, NOW)
    assert path.read_bytes() == before


_ROTATES = """
import sys
from pathlib import Path
from keys import epochs
from keys.roots.key_file import KeyFile
for _ in range(10):
    epochs.rotate(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), KeyFile(Path(sys.argv[3])), 1)
"""


def test_two_processes_that_write_at_once_lose_no_epoch(tmp_path: Path) -> None:
    root = key_file.create(tmp_path / "root")
    epochs.create(tmp_path / "epochs", ASSOCIATION, root, NOW)
    words = [sys.executable, "-c", _ROTATES, str(tmp_path / "epochs"), ASSOCIATION.hex(), str(tmp_path / "root")]
    running = [subprocess.Popen(words) for _ in range(2)]
    assert [one.wait(60) for one in running] == [0, 0]
    told = epochs.told(tmp_path / "epochs", ASSOCIATION, root)
    assert [number for number, _ in told.epochs] == list(range(1, 22))


def test_a_running_service_takes_over_what_was_rewritten(path: Path) -> None:
    held = epochs.load(path, ASSOCIATION, DAILY)
    _, old = held.new_key(SUBJECT, 3)
    held.take(epochs.rotate(path, ASSOCIATION, DAILY, NOW))
    assert (held.epoch, held.minimum_epoch) == (2, 1)
    _, new = held.new_key(SUBJECT, 3)
    assert held.unwrap(SUBJECT, 3, old).version == 1
    held.take(epochs.retire(path, ASSOCIATION, DAILY, 2))
    assert (held.epoch, held.minimum_epoch) == (2, 2)
    assert held.unwrap(SUBJECT, 3, new).version == 1
    with pytest.raises(Unopenable):
        held.unwrap(SUBJECT, 3, old)


@pytest.mark.parametrize(
    "made",
    [
        lambda held: AssociationKeys(OTHER, {9: Secret.random()}, 2),
        lambda held: AssociationKeys(held.association, {1: Secret.random()}, 1),
        lambda held: AssociationKeys(held.association, {2: Secret.random()}, 1),
    ],
    ids=["another association's", "an older file's", "a lower minimum"],
)
def test_older_or_foreign_keys_are_not_taken_over(path: Path, made: Callable[[AssociationKeys], AssociationKeys]) -> None:
    epochs.rotate(path, ASSOCIATION, DAILY, NOW)
    held = epochs.retire(path, ASSOCIATION, DAILY, 2)
    _, wrapped = held.new_key(SUBJECT, 3)
    with pytest.raises(Unopenable):
        held.take(made(held))
    assert (held.epoch, held.unwrap(SUBJECT, 3, wrapped).version) == (2, 1)


def test_attack_41_rotation_and_takeover_fail_no_read_and_no_write(path: Path) -> None:
    held = epochs.load(path, ASSOCIATION, DAILY)
    failed: list[BaseException] = []
    over = threading.Event()

    def works() -> None:
        try:
            while not over.is_set():
                _, wrapped = held.new_key(SUBJECT, 3)
                held.unwrap(SUBJECT, 3, wrapped)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is counted
            failed.append(error)

    threads = [threading.Thread(target=works) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        held.take(epochs.rotate(path, ASSOCIATION, DAILY, NOW))
    over.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert held.epoch == 21


@pytest.mark.parametrize("row", GOLDEN, ids=[row["format"] for row in GOLDEN])
def test_a_golden_file_opens_for_every_root_and_for_a_second_reader(row: dict[str, Any], tmp_path: Path) -> None:
    files.write_new(tmp_path / "epochs", row["file"].encode(), 0o600)
    association, subject, wrapped = (bytes.fromhex(row[name]) for name in ("association", "subject", "wrapped"))
    for root in map(bytes.fromhex, row["roots"]):
        keys = epochs.load(tmp_path / "epochs", association, LocalRoot(Secret(root)))
        assert keys.unwrap(subject, row["class_id"], wrapped).reveal().hex() == row["key"]
        read = second_reader.epochs(row["file"], root)
        assert list(read) == row["epochs"]
        assert keys.epoch == max(read)
        assert second_reader.wrapped_key(read[keys.epoch], association, subject, row["class_id"], wrapped)[0].hex() == row["key"]


def test_a_file_of_the_first_format_is_read_and_becomes_one_of_the_second_when_it_is_next_written(tmp_path: Path) -> None:
    (row,) = (row for row in GOLDEN if row["format"] == "1")
    path, association = tmp_path / "epochs", bytes.fromhex(row["association"])
    root = LocalRoot(Secret(bytes.fromhex(row["roots"][0])))
    files.write_new(path, row["file"].encode(), 0o600)
    assert epochs.told(path, association, root).slots == (("main", "memory"),)
    assert path.read_text() == row["file"]
    for line in (2, 3, 4):
        changed = row["file"].splitlines(keepends=True)
        changed[line] = changed[line].replace("1", "2", 1)
        files.replace(path, "".join(changed).encode(), 0o600)
        with pytest.raises(Unopenable):
            epochs.load(path, association, root)
    files.replace(path, row["file"].encode(), 0o600)
    epochs.add_slot(path, association, root, "board", BOARD)
    assert path.read_text().startswith("amanah-epochs 2\n")
    assert [name for name, _ in epochs.told(path, association, BOARD).slots] == ["main", "board"]
    assert epochs.load(path, association, BOARD).unwrap(bytes.fromhex(row["subject"]), 3, bytes.fromhex(row["wrapped"])).version == 1
