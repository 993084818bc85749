"""The roots: what is changed or readable by others is refused, and each opens what it wrapped, in its context alone."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import epochs, files
from keys.errors import Unopenable, Unsealable
from keys.roots import Root, key_file, passphrase_file
from keys.roots.key_file import KeyFile
from keys.roots.local import LocalRoot
from keys.roots.passphrase_file import PassphraseFile, _opened, _sealed
from keys.roots.systemd_credential import FOLDER, SystemdCredential
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, SUBJECT, stream

ROOT: Root = LocalRoot(Secret(b"r" * 32))
NOW = 1_790_000_000_000_000
LOW = 8  # KiB: the private form takes a cost that tests can pay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one epoch."""
    epochs.create(tmp_path / "epochs", ASSOCIATION, ROOT, NOW)
    return tmp_path / "epochs"


@given(st.binary(max_size=300))
def test_random_bytes_raise_only_the_one_error(content: bytes) -> None:
    for parse in (lambda: ROOT.unwrap(b"x", content), lambda: _opened(content, b"passphrase", least_memory=LOW)):
        with pytest.raises(Unopenable):
            parse()


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


def test_attack_42_lowered_or_huge_costs_are_refused_before_any_hashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_attack_42_the_costs_are_authenticated() -> None:
    cheap = _sealed(Secret(b"k" * 32), b"passphrase", memory=LOW, entropy=stream("cheap"))
    for position in range(11, len(cheap)):
        changed = cheap[:position] + bytes([cheap[position] ^ 1]) + cheap[position + 1 :]
        with pytest.raises(Unopenable):
            _opened(changed, b"passphrase", least_memory=LOW)
    with pytest.raises(Unopenable):
        _opened(cheap[:2] + (2 * LOW).to_bytes(4, "big") + cheap[6:], b"passphrase", least_memory=LOW)


def unit(folder: Path, mode: int = 0o400, content: bytes | None = None) -> dict[str, str]:
    """What systemd gives a unit: a folder of its own with the credential, and its name in the environment."""
    (folder / "unit").mkdir()
    files.write_new(folder / "unit/amanah-root", content or b"amanah-root-1 " + b"ab" * 32 + b"\n", 0o600)
    (folder / "unit/amanah-root").chmod(mode)
    return {FOLDER: str(folder / "unit")}


def test_a_credential_opens_what_the_same_key_in_a_file_wrapped(tmp_path: Path) -> None:
    root = SystemdCredential("amanah-root", unit(tmp_path))
    root.self_test()
    assert root.describe() == "systemd credential amanah-root"
    assert KeyFile(tmp_path / "unit/amanah-root").unwrap(b"x", root.wrap(b"x", Secret(b"k" * 32))).reveal() == b"k" * 32
    epochs.create(tmp_path / "epochs", ASSOCIATION, KeyFile(tmp_path / "unit/amanah-root"), NOW)
    assert epochs.load(tmp_path / "epochs", ASSOCIATION, root).epoch == 1


def test_the_readable_group_of_roots_file_is_an_access_list_and_of_anybody_elses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = unit(tmp_path, 0o440)
    real = os.fstat

    def owned_by(owner: int) -> None:
        def facts(handle: int) -> object:
            found = list(real(handle))
            found[4] = owner
            return os.stat_result(found)

        monkeypatch.setattr(os, "fstat", facts)

    owned_by(0)
    SystemdCredential("amanah-root", environment).self_test()
    with pytest.raises(PermissionError):
        KeyFile(tmp_path / "unit/amanah-root")
    owned_by(1000)
    with pytest.raises(PermissionError):
        SystemdCredential("amanah-root", environment)
    owned_by(0)
    for mode in (0o404, 0o460, 0o444):
        (tmp_path / "unit/amanah-root").chmod(mode)
        with pytest.raises(PermissionError):
            SystemdCredential("amanah-root", environment)


def test_outside_a_unit_there_is_no_credential(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SystemdCredential("amanah-root", {})
    with pytest.raises(FileNotFoundError):
        SystemdCredential("another", unit(tmp_path))


@pytest.mark.parametrize("name", ["", ".", "..", "../root", "a/b", "-x", "x" * 129, "سر"])
def test_a_name_that_leads_elsewhere_is_no_credential(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unopenable):
        SystemdCredential(name, unit(tmp_path))


def test_a_credential_that_is_no_root_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unopenable):
        SystemdCredential("amanah-root", unit(tmp_path, content=b"r" * 32))


def test_each_kind_of_root_has_a_word_of_its_own() -> None:
    assert [one.kind for one in (LocalRoot, KeyFile, PassphraseFile, SystemdCredential)] == [
        "memory",
        "key-file",
        "passphrase-file",
        "systemd-credential",
    ]
