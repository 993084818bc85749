"""Secrets in the process: whatever class of `keys` holds one is found here by itself, and gives nothing away but by its use."""

import copy
import ctypes
import importlib
import inspect
import json
import pickle
import pkgutil
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyrage
import pytest

import keys
from keys import epochs, process
from keys.age import AgeKey
from keys.attachments import Attached, Opener, Sealer
from keys.backups import DATA, BackupSealer
from keys.blind_index import Index
from keys.cabinet import OWN, Cabinet, furnish
from keys.chunks import ChunkOpener
from keys.facts import FactMac
from keys.keyring import AssociationKeys, DataKey
from keys.notes import Signer
from keys.packages import PackageKey
from keys.pseudonyms import STUDY_CLASS, Pseudonyms
from keys.receipt import Receipt
from keys.reporters import Passers
from keys.roots import Root
from keys.roots.key_file import KeyFile, create
from keys.roots.local import LocalRoot
from keys.roots.passphrase_file import PassphraseFile
from keys.roots.shamir import ShamirRoot, Share
from keys.roots.systemd_credential import FOLDER, SystemdCredential
from keys.secret import Secret, Unspoken
from keys.slots import OpenSlot
from keys.tokens import ApiKey, Pepper, SessionToken, new_api_key, new_session_token

CANARY = b"canary, thirty-two bytes of it !"
SECRET = Secret(CANARY)
OWNER = b"o" * 16
# What holds no secret of its own: sealed bytes, places, words, errors.
OPEN = {
    "keys.attachments": {"Attached", "SealedAttachment"},
    "keys.case_file": {"Part", "CaseFile"},
    "keys.container": {"Place", "Sealed", "Header", "Checked"},
    "keys.epochs": {"Told"},
    "keys.epochs_file": {"Epoch", "File"},
    "keys.packages": {"Manifest", "Package"},
    "keys.receipt": {"Receipt"},
    "keys.roots": {"Root"},
    "keys.slots": {"Slot"},
}


def classes() -> Iterator[type]:
    """Every class that is defined in `keys`, errors left out."""
    for found in pkgutil.walk_packages(keys.__path__, "keys."):
        module = importlib.import_module(found.name)
        for _, made in inspect.getmembers(module, inspect.isclass):
            if made.__module__ == found.name and not issubclass(made, Exception):
                yield made


def held(folder: Path) -> list[Unspoken]:
    """One of each kind of thing that holds a secret, made of the canary."""
    association = AssociationKeys(OWNER, {1: SECRET}, 1)
    wrapped = furnish(association)
    (folder / "root").write_bytes(b"amanah-root-1 " + CANARY.hex().encode() + b"\n")
    (folder / "root").chmod(0o400)
    data_key = DataKey(CANARY, 64, 1)
    assert set(wrapped) == {"facts", *OWN}
    root = LocalRoot(SECRET)
    epochs.create(folder / "epochs", OWNER, root, 1)
    return [
        SECRET,
        data_key,
        association,
        association._living,
        Cabinet.open(association, wrapped, "log"),
        FactMac(SECRET),
        Pepper(SECRET),
        Index(SECRET, OWNER),
        Signer("log", SECRET),
        Signer("log", SECRET)._order,
        Signer("log", SECRET)._order.pairs[0],
        PackageKey(SECRET),
        AgeKey(str(pyrage.x25519.Identity.generate())),
        Sealer(data_key, Attached(OWNER, OWNER, OWNER, 64)),
        ChunkOpener(CANARY, b""),
        Opener(ChunkOpener(CANARY, b""), 0),
        BackupSealer([PackageKey(SECRET).public], OWNER, DATA, entropy=lambda size: CANARY[:size]),
        Passers(entropy=lambda _: CANARY),
        Pseudonyms(association, b"s" * 16, association.wrap(b"s" * 16, DataKey(CANARY, STUDY_CLASS, 1))),
        new_api_key("first", entropy=lambda size: CANARY[:size]),
        new_session_token("first", entropy=lambda size: CANARY[:size]),
        root,
        KeyFile(folder / "root"),
        SystemdCredential("root", {FOLDER: str(folder)}),
        ShamirRoot(SECRET, "00000000"),
        Share("00000000", 1, 2, SECRET),
        OpenSlot(OWNER, "main", SECRET),
        epochs._read(folder / "epochs", OWNER, root),
    ]


def test_attack_45_every_class_that_holds_a_secret_is_known_here(tmp_path: Path) -> None:
    """A new class of `keys` either is Unspoken, and then one of it is tried below, or is named above as holding none."""
    tried = {type(one) for one in held(tmp_path)}
    for made in classes():
        if made.__name__ in OPEN.get(made.__module__, set()):
            assert not issubclass(made, Unspoken), made
        elif made is not Unspoken:
            assert issubclass(made, Unspoken), f"{made}: does it hold a secret?"
            assert any(issubclass(one, made) for one in tried | {PassphraseFile}), f"{made} is not tried"


def test_attack_45_nothing_open_is_made_of_a_secret() -> None:
    for made in classes():
        if not issubclass(made, Unspoken):
            hints = inspect.get_annotations(made)
            assert not any(word in str(hint) for hint in hints.values() for word in ("Secret", "DataKey", "AESGCM", "PrivateKey")), made


def _marks() -> tuple[str, ...]:
    return CANARY.decode(), CANARY.hex(), repr(CANARY)[2:-1], CANARY.decode()[:16]


DEEDS: list[Callable[[Any], object]] = [
    copy.copy,
    copy.deepcopy,
    pickle.dumps,
    lambda one: pickle.dumps({"inside": [one]}),
    json.dumps,
    msgspec.json.encode,
    lambda one: f"{one}",
    lambda one: format(one, ">9"),
    bytes,
    vars,
]


def test_attack_45_no_secret_prints_pickles_copies_formats_or_encodes_itself(tmp_path: Path) -> None:
    for one in held(tmp_path):
        for text in (repr(one), str(one), "%r %s" % (one, [one]), repr({"key": one})):  # noqa: UP031
            assert not any(mark in text for mark in _marks()), type(one)
            assert type(one).__name__ in text
        for deed in DEEDS:
            with pytest.raises(TypeError) as caught:
                deed(one)
            assert not any(mark in str(caught.value) for mark in _marks()), type(one)


def test_a_tokens_text_is_given_by_name_only() -> None:
    for token in (new_api_key("first"), new_session_token("first")):
        assert isinstance(token, ApiKey | SessionToken)
        assert token.text.endswith(token.secret)
        assert token.secret not in repr(token)


def test_a_receipt_is_no_secret_and_is_not_doubled_either() -> None:
    with pytest.raises(TypeError):
        copy.copy(Receipt(1, bytes(32), OWNER, frozenset(), 1))


def test_a_root_is_what_every_kind_of_root_is(tmp_path: Path) -> None:
    roots: list[Root] = [LocalRoot(SECRET), create(tmp_path / "root"), ShamirRoot(SECRET, "00000000")]
    assert {root.kind for root in roots} == {"memory", "key-file", "shamir"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_DUMPABLE")
def test_attack_45_a_process_that_is_shut_leaves_no_core_dump_and_reads_its_own_descriptors_still() -> None:
    program = (
        "import ctypes, os, resource\nfrom keys import process\nfrom pathlib import Path\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # nobody: root reads whatever it likes
        "process.shut()\nreading, writing = os.pipe()\nos.write(writing, b'word')\nos.close(writing)\n"
        "print(Path(f'/dev/fd/{reading}').read_text(), resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert said.stdout == "word (0, 0) 0\n", said.stderr


def test_a_kernel_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __init__(self, *_: object, **__: object) -> None:
            self.prctl = lambda *_: answers.pop()

    limits: list[object] = []
    answers = [0, -1]
    monkeypatch.setattr(resource, "setrlimit", lambda *given: limits.append(given))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", Refusing)
    with pytest.raises(OSError, match="prctl"):
        process.shut()
    process.shut()
    monkeypatch.setattr(sys, "platform", "darwin")
    process.shut()
    assert len(limits) == 3
