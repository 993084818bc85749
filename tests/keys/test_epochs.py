"""The file of epochs: what is changed, dropped or moved is refused, and one writer at a time replaces it in one step."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import epochs, files
from keys.errors import Unopenable, Unsealable
from keys.keyring import AssociationKeys
from keys.roots import Root
from keys.roots.local import LocalRoot
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, OTHER, SUBJECT

ROOT: Root = LocalRoot(Secret(b"r" * 32))
NOW = 1_790_000_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three epochs."""
    path = tmp_path / "epochs"
    epochs.create(path, ASSOCIATION, ROOT, NOW)
    epochs.rotate(path, ASSOCIATION, ROOT, NOW + 1)
    epochs.rotate(path, ASSOCIATION, ROOT, NOW + 2)
    return path


def refused(path: Path, content: bytes, root: Root = ROOT, association: bytes = ASSOCIATION) -> None:
    files.replace(path, content, 0o600)
    with pytest.raises(Unopenable) as caught:
        epochs.load(path, association, root)
    assert caught.value.__context__ is None


def test_a_new_file_has_one_epoch_and_lets_its_owner_alone_in(tmp_path: Path) -> None:
    made = epochs.create(tmp_path / "epochs", ASSOCIATION, ROOT, NOW)
    assert (made.epoch, made.minimum_epoch, made.association) == (1, 1, ASSOCIATION)
    assert (tmp_path / "epochs").stat().st_mode & 0o777 == 0o600
    _, wrapped = made.new_key(SUBJECT, 3)
    assert epochs.load(tmp_path / "epochs", ASSOCIATION, ROOT).unwrap(SUBJECT, 3, wrapped).version == 1


def test_a_file_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        epochs.create(path, ASSOCIATION, ROOT, NOW)
    assert path.read_bytes() == before


def test_an_association_without_an_id_gets_no_file(tmp_path: Path) -> None:
    with pytest.raises(Unsealable):
        epochs.create(tmp_path / "epochs", b"short", ROOT, NOW)
    assert not (tmp_path / "epochs").exists()


def test_a_new_epoch_wraps_what_is_new_and_the_old_ones_stay_readable(path: Path) -> None:
    first = epochs.load(path, ASSOCIATION, ROOT)
    _, wrapped = first.new_key(SUBJECT, 3)
    second = epochs.rotate(path, ASSOCIATION, ROOT, NOW)
    assert (first.epoch, second.epoch) == (3, 4)
    assert second.unwrap(SUBJECT, 3, wrapped).version == 1


def test_a_retired_epoch_is_gone_from_the_file(path: Path) -> None:
    old = epochs.load(path, ASSOCIATION, ROOT)
    _, wrapped = old.new_key(SUBJECT, 3)
    epochs.rotate(path, ASSOCIATION, ROOT, NOW)
    line = path.read_text().splitlines()[7]
    kept = epochs.retire(path, ASSOCIATION, ROOT, 4)
    assert line.startswith("epoch 3 ")
    assert line not in path.read_text()
    assert (kept.epoch, kept.minimum_epoch) == (4, 4)
    with pytest.raises(Unopenable):
        kept.unwrap(SUBJECT, 3, wrapped)


@pytest.mark.parametrize("minimum", [0, 1, 4])
def test_the_minimum_only_rises_and_never_above_the_newest(path: Path, minimum: int) -> None:
    with pytest.raises(Unsealable):
        epochs.retire(path, ASSOCIATION, ROOT, minimum)


def test_another_association_or_another_root_is_refused(path: Path) -> None:
    content = path.read_bytes()
    refused(path, content, association=OTHER)
    refused(path, content, root=LocalRoot(Secret(b"s" * 32)))
    refused(path, content.replace(ASSOCIATION.hex().encode(), OTHER.hex().encode()), association=OTHER)


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:5] + lines[6:],
        lambda lines: lines[:7] + lines[8:],
        lambda lines: lines[:5] + lines[8:],
        lambda lines: lines[:4] + lines[5:],
        lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]],
        lambda lines: [*lines[:5], lines[5], *lines[5:]],
        lambda lines: [*lines[:4], lines[4], *lines[4:]],
        lambda lines: [*lines[:4], lines[4], lines[4].replace(b"slot main", b"slot other"), *lines[5:]],
        lambda lines: [*lines[:4], lines[4].replace(b"memory", b"key-file"), *lines[5:]],
        lambda lines: [*lines[:4], lines[4].replace(b"slot main", b"slot niam"), *lines[5:]],
        lambda lines: [*lines[:4], b"slot main memory\n", *lines[5:]],
        lambda lines: [*lines[:4], b" ".join([*lines[4].split()[:3], b"AAAA", *lines[4].split()[4:]]) + b"\n", *lines[5:]],
        lambda lines: [*lines[:3], b"commitment " + b"0" * 64 + b"\n", *lines[4:]],
        lambda lines: [*lines[:2], b"minimum 2\n", *lines[3:4], *lines[4:5], *lines[6:]],
        lambda lines: [*lines[:2], b"minimum 0\n", *lines[3:]],
        lambda lines: [*lines[:2], b"minimum 4\n", *lines[3:]],
        lambda lines: [*lines[:5], lines[5].replace(b" 1790", b" 1791"), *lines[6:]],
        lambda lines: [*lines[:5], lines[5].replace(b"epoch 1", b"epoch 01"), *lines[6:]],
        lambda lines: [*lines[:5], b"epoch 1 1 " + lines[6].split()[3] + b"\n", *lines[6:]],
        lambda lines: [*lines[:5], lines[5][:-1] + b" " + lines[5].split()[3] + b"\n", *lines[6:]],
        lambda lines: [*lines[:5], b"epoch 1 1 ====\n", *lines[6:]],
        lambda lines: [*lines[:5], b"epoch 1 1 " + b"A" * 5000 + b"\n", *lines[6:]],
        lambda lines: lines[:-1],
        lambda lines: [*lines, b"\n"],
        lambda lines: [*lines, *lines],
        lambda lines: [b"amanah-epochs 1\n", *lines[1:]],
        lambda lines: [b"amanah-epochs 3\n", *lines[1:]],
        lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
        lambda lines: [*lines[:7], b"epoch 4294967296 1 " + lines[7].split()[3] + b"\n", lines[8]],
    ],
)
def test_a_line_changed_dropped_added_or_moved_is_seen(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    content = path.read_bytes()
    refused(path, b"".join(change(_lines(content))))
    files.replace(path, content, 0o600)
    assert epochs.load(path, ASSOCIATION, ROOT).epoch == 3


def test_every_truncation_and_a_changed_bit_in_every_byte_are_refused(path: Path) -> None:
    content = path.read_text()
    _whole(content)
    for position in range(len(content)):
        for changed in (
            content[:position],
            content[:position] + chr(ord(content[position]) ^ (1 << position % 8)) + content[position + 1 :],
        ):
            with pytest.raises(Unopenable):
                _whole(changed)


def _whole(text: str) -> None:
    """Open the text, as loading does, without a file."""
    epochs._opened(text.encode("latin-1"), ASSOCIATION, ROOT)


@given(st.binary(max_size=300) | st.text("amanh-epochs 01234\n", max_size=200).map(str.encode))
def test_random_bytes_raise_only_the_one_error(content: bytes) -> None:
    with pytest.raises(Unopenable):
        _whole(content.decode("latin-1"))


def test_a_file_too_long_is_refused(path: Path) -> None:
    refused(path, b"x" * (1 << 19))
    content = path.read_bytes()
    refused(path, content + b" " * (1 << 18))


def test_a_crash_before_the_replacement_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def crash(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", crash)
        with pytest.raises(OSError):
            epochs.rotate(path, ASSOCIATION, ROOT, NOW)
    assert path.read_bytes() == before
    assert epochs.rotate(path, ASSOCIATION, ROOT, NOW).epoch == 4
    assert sorted(one.name for one in path.parent.iterdir()) == ["epochs"]


def test_file_and_folder_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    real = os.fsync

    def watch(handle: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", watch)
    epochs.create(tmp_path / "epochs", ASSOCIATION, ROOT, NOW)
    epochs.rotate(tmp_path / "epochs", ASSOCIATION, ROOT, NOW)
    assert flushed == [str(tmp_path / "epochs.new"), str(tmp_path)] * 2


def test_keys_loaded_are_an_associations_keys(path: Path) -> None:
    assert isinstance(epochs.load(path, ASSOCIATION, ROOT), AssociationKeys)
