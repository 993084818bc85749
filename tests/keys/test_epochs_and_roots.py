"""The file of epochs and the two kinds of root: what is changed, dropped, moved or readable by others is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import epochs, files
from keys.errors import Unopenable, Unsealable, quietly
from keys.keyring import AssociationKeys
from keys.roots import Root, key_file, passphrase_file
from keys.roots.key_file import KeyFile
from keys.roots.local import LocalRoot
from keys.roots.passphrase_file import PassphraseFile, _opened, _sealed
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, OTHER, SUBJECT, stream

ROOT: Root = LocalRoot(Secret(b"r" * 32))
NOW = 1_790_000_000_000_000
LOW = 8  # KiB: the private form takes a cost that tests can pay


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
    line = path.read_text().splitlines()[5]
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
        lambda lines: lines[:3] + lines[4:],
        lambda lines: lines[:5] + lines[6:],
        lambda lines: lines[:3] + lines[6:],
        lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
        lambda lines: [*lines[:3], lines[3], *lines[3:]],
        lambda lines: [*lines[:2], b"minimum 2\n", *lines[4:]],
        lambda lines: [*lines[:2], b"minimum 0\n", *lines[3:]],
        lambda lines: [*lines[:2], b"minimum 4\n", *lines[3:]],
        lambda lines: [*lines[:3], lines[3].replace(b" 1790", b" 1791"), *lines[4:]],
        lambda lines: [*lines[:3], lines[3].replace(b"epoch 1", b"epoch 01"), *lines[4:]],
        lambda lines: [*lines[:3], b"epoch 1 1 " + lines[4].split()[3] + b"\n", *lines[4:]],
        lambda lines: [*lines[:3], b"epoch 1 1 ====\n", *lines[4:]],
        lambda lines: [*lines[:3], b"epoch 1 1 " + b"A" * 5000 + b"\n", *lines[4:]],
        lambda lines: lines[:-1],
        lambda lines: [*lines, b"\n"],
        lambda lines: [*lines, *lines],
        lambda lines: [b"amanah-epochs 2\n", *lines[1:]],
        lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
        lambda lines: [*lines[:5], b"epoch 4294967296 1 " + lines[5].split()[3] + b"\n", lines[6]],
    ],
)
def test_a_line_changed_dropped_added_or_moved_is_seen(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    content = path.read_bytes()
    refused(path, b"".join(change(_lines(content))))
    files.replace(path, content, 0o600)
    assert epochs.load(path, ASSOCIATION, ROOT).epoch == 3


def test_every_truncation_and_a_changed_bit_in_every_byte_are_refused(path: Path) -> None:
    content = path.read_text()
    assert epochs._parsed(content, ASSOCIATION, ROOT).minimum == 1
    for position in range(len(content)):
        for changed in (
            content[:position],
            content[:position] + chr(ord(content[position]) ^ (1 << position % 8)) + content[position + 1 :],
        ):
            with pytest.raises(Unopenable):
                _whole(changed)


def _whole(text: str) -> None:
    """Parse the text and open its epochs, as loading does, without a file."""
    with quietly:
        epochs._parsed(text, ASSOCIATION, ROOT)
        return
    raise Unopenable


@given(st.binary(max_size=300) | st.text("amanh-epochs 01234\n", max_size=200).map(str.encode))
def test_random_bytes_raise_only_the_one_error(content: bytes) -> None:
    for parse in (
        lambda: _whole(content.decode("latin-1")),
        lambda: ROOT.unwrap(b"x", content),
        lambda: _opened(content, b"passphrase", least_memory=LOW),
    ):
        with pytest.raises(Unopenable):
            parse()


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
    assert flushed == [str(tmp_path / "epochs"), str(tmp_path), str(tmp_path / "epochs.new"), str(tmp_path)]


def test_a_key_file_serves_its_epochs(tmp_path: Path) -> None:
    root = key_file.create(tmp_path / "root")
    root.self_test()
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o400
    assert root.describe() == f"key file {tmp_path / 'root'}"
    made = epochs.create(tmp_path / "epochs", ASSOCIATION, root, NOW)
    _, wrapped = made.new_key(SUBJECT, 3)
    assert epochs.load(tmp_path / "epochs", ASSOCIATION, KeyFile(tmp_path / "root")).unwrap(SUBJECT, 3, wrapped).version == 1
    with pytest.raises(FileExistsError):
        key_file.create(tmp_path / "root")


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o644, 0o420, 0o401])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, path: Path, mode: int) -> None:
    key_file.create(tmp_path / "root").self_test()
    (tmp_path / "root").chmod(mode)
    path.chmod(mode)
    with pytest.raises(PermissionError):
        KeyFile(tmp_path / "root")
    with pytest.raises(PermissionError):
        epochs.load(path, ASSOCIATION, ROOT)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        KeyFile(tmp_path)
    with pytest.raises(PermissionError):
        KeyFile(Path("/dev/null"))
    with pytest.raises(FileNotFoundError):
        KeyFile(tmp_path / "none")


@pytest.mark.parametrize(
    "content",
    [b"", b"r" * 32, b"amanah-root-1 " + b"a" * 63 + b"\n", b"amanah-root-1 " + b"A" * 64, b"amanah-root-1 " + b"a" * 64 + b"\n\n"],
)
def test_a_file_that_is_no_root_key_is_refused(tmp_path: Path, content: bytes) -> None:
    files.write_new(tmp_path / "root", content, 0o400)
    with pytest.raises(Unopenable):
        KeyFile(tmp_path / "root")


def test_a_wrapped_epoch_opens_in_its_context_alone() -> None:
    blob = ROOT.wrap(b"one", Secret(b"k" * 32))
    assert ROOT.unwrap(b"one", blob).reveal() == b"k" * 32
    for context, changed in [(b"two", blob), (b"one", blob[:-1]), (b"one", b"\x30" + blob[1:]), (b"one", blob[:2] + bytes(12) + blob[14:])]:
        with pytest.raises(Unopenable):
            ROOT.unwrap(context, changed)


def test_a_root_that_does_not_bring_a_key_back_fails_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    root = LocalRoot(Secret(b"r" * 32))
    root.self_test()
    assert root.describe() == "root key in memory"
    monkeypatch.setattr(LocalRoot, "unwrap", lambda *_: Secret(bytes(32)))
    with pytest.raises(Unopenable):
        root.self_test()


def test_a_passphrase_opens_its_file_at_the_full_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase_file, "_MEMORY", passphrase_file._LEAST_MEMORY)
    passphrase_file.create(tmp_path / "root", b"a long passphrase")
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o400
    root = PassphraseFile(tmp_path / "root", b"a long passphrase")
    root.self_test()
    assert root.describe() == f"passphrase file {tmp_path / 'root'}"
    with pytest.raises(Unopenable):
        PassphraseFile(tmp_path / "root", b"another passphrase")
    with pytest.raises(FileExistsError):
        passphrase_file.create(tmp_path / "root", b"a long passphrase")
    with pytest.raises(Unsealable):
        passphrase_file.create(tmp_path / "other", b"short")


def noted(calls: list[int]) -> bytes:
    calls.append(1)
    return bytes(32)


def test_42_lowered_or_huge_costs_are_refused_before_any_hashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = _sealed(Secret(b"k" * 32), b"passphrase", memory=LOW, entropy=stream("cheap"))
    assert _opened(cheap, b"passphrase", least_memory=LOW).reveal() == b"k" * 32
    hashed: list[int] = []
    monkeypatch.setattr(passphrase_file, "hash_secret_raw", lambda *_: noted(hashed))
    files.write_new(tmp_path / "root", cheap, 0o400)
    with pytest.raises(Unopenable):
        PassphraseFile(tmp_path / "root", b"passphrase")
    for field, numbers in {2: (0, 7, 2**20 + 1, 2**32 - 1), 6: (0, 2, 17, 2**32 - 1)}.items():
        for number in numbers:
            with pytest.raises(Unopenable):
                _opened(cheap[:field] + number.to_bytes(4, "big") + cheap[field + 4 :], b"passphrase", least_memory=LOW)
    for changed in (b"\x40" + cheap[1:], cheap[:1] + b"\x02" + cheap[2:], cheap[:10] + b"\x02" + cheap[11:], cheap[:-1], cheap + b"x"):
        with pytest.raises(Unopenable):
            _opened(changed, b"passphrase", least_memory=LOW)
    assert not hashed


def test_42_the_costs_are_authenticated() -> None:
    cheap = _sealed(Secret(b"k" * 32), b"passphrase", memory=LOW, entropy=stream("cheap"))
    for position in range(11, len(cheap)):
        changed = cheap[:position] + bytes([cheap[position] ^ 1]) + cheap[position + 1 :]
        with pytest.raises(Unopenable):
            _opened(changed, b"passphrase", least_memory=LOW)
    with pytest.raises(Unopenable):
        _opened(cheap[:2] + (2 * LOW).to_bytes(4, "big") + cheap[6:], b"passphrase", least_memory=LOW)


def test_keys_loaded_are_an_associations_keys(path: Path) -> None:
    assert isinstance(epochs.load(path, ASSOCIATION, ROOT), AssociationKeys)
