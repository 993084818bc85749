"""The C2SP tlog-proof of one entry: what we write proves, and nothing else does."""

import base64

import pytest

from keys.notes import Signer
from keys.secret import Secret
from vault.access_log.checkpoint import Checkpoint
from vault.access_log.merkle import inclusion, leaf_hash, node_hash, root_of
from vault.access_log.tlog_proof import proves, written

SIGNER = Signer("amanah/probe", Secret(bytes(range(32))))
BODIES = [f"entry {number}".encode() for number in range(7)]


def hash_at(level: int, index: int) -> bytes:
    """The hash of a perfect subtree of the seven."""
    return leaf_hash(BODIES[index]) if level == 0 else node_hash(hash_at(level - 1, 2 * index), hash_at(level - 1, 2 * index + 1))


def note(size: int = 7) -> str:
    return SIGNER.sign(Checkpoint("amanah/probe", size, root_of(size, hash_at)).text())


@pytest.mark.parametrize("index", range(7))
def test_every_entry_is_proven_by_its_own_proof_and_by_no_other(index: int):
    proof = written(index, inclusion(index, 7, hash_at), note())
    assert proof.startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n")
    assert [proves(proof, body, SIGNER.vkey) for body in BODIES] == [number == index for number in range(7)]


def test_the_proof_of_the_only_entry_has_no_hashes():
    assert proves(written(0, [], note(1)), BODIES[0], SIGNER.vkey)


SOUND = written(3, inclusion(3, 7, hash_at), note())
HASH = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        SOUND.replace("@v1", "@v2"),
        SOUND.replace("index 3", "index 03"),
        SOUND.replace("index 3", "index x"),
        SOUND.replace("index 3", "index -1"),
        SOUND.replace("index 3", "index 7"),
        SOUND.replace("index 3", "number 3"),
        SOUND.replace("index 3", "extra AAAA\nindex 3"),
        SOUND.replace("index 3\n", f"index 3\n{HASH}\n"),
        SOUND.replace("index 3\n", f"index 3\n{HASH[:8]}\n"),
        SOUND.replace("index 3\n", "index 3\n*\n"),
        SOUND.replace("index 3\n", "index 3\n" + f"{HASH}\n" * 65),
        SOUND.replace("—", "-"),
        written(3, inclusion(3, 7, hash_at), SIGNER.sign("no checkpoint\n")),
    ],
)
def test_what_is_no_sound_proof_proves_nothing(proof: str):
    assert proves(SOUND, BODIES[3], SIGNER.vkey)
    assert not proves(proof, BODIES[3], SIGNER.vkey)


def test_a_checkpoint_of_another_key_proves_nothing():
    assert not proves(SOUND, BODIES[3], Signer("amanah/probe", Secret(bytes(32))).vkey)
