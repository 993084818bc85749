"""The sealed files of a backup open whole, for a recipient, at their place; anything else is the one refusal."""

import hashlib
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys import backups
from keys.backups import DATA, KEYS, BackupSealer, opened
from keys.chunks import CHUNK
from keys.errors import Unopenable, Unsealable
from keys.packages import PackageKey, secret_to
from keys.secret import Secret

BACKUP = bytes(range(16))
ONE, OTHER = PackageKey(Secret(bytes(31) + b"\x01")), PackageKey(Secret(bytes(31) + b"\x02"))
CONTENT = bytes(range(256)) * 600  # two chunks and a part of the third


def sealed(content: bytes = CONTENT, *keys: PackageKey) -> bytes:
    sealer = BackupSealer([key.public for key in keys or (ONE,)], BACKUP, DATA)
    pieces = [content[at : at + 10_000] for at in range(0, len(content), 10_000)]
    return b"".join([sealer.head, *(chunk for piece in pieces for chunk in sealer.take(piece)), sealer.end()])


def whole(file: bytes, key: PackageKey = ONE, backup: bytes = BACKUP, part: int = DATA) -> bytes:
    return b"".join(opened(BytesIO(file), key, backup, part))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, len(CONTENT)])
def test_what_was_sealed_comes_back_in_steps_of_one_size(size: int):
    content = CONTENT[:size]
    file = sealed(content)
    assert whole(file) == content
    assert (len(file) - len(BackupSealer([ONE.public], BACKUP, DATA).head)) % (CHUNK + 16) == 0


def test_each_recipient_opens_it_and_nobody_else():
    file = sealed(CONTENT, ONE, OTHER)
    assert whole(file) == whole(file, OTHER) == CONTENT
    with pytest.raises(Unopenable):
        whole(file, PackageKey(Secret(bytes(31) + b"\x03")))


def test_nothing_of_the_content_shows_and_no_two_files_are_alike():
    content = "فاطمة بنت خالد".encode() * 100
    one, other = sealed(content), sealed(content)
    assert content[:20] not in one
    assert one[-1000:] != other[-1000:]


@pytest.mark.parametrize(("backup", "part"), [(bytes(16), DATA), (BACKUP, KEYS)])
def test_a_file_opens_only_as_this_part_of_this_backup(backup: bytes, part: int):
    with pytest.raises(Unopenable):
        whole(sealed(), backup=backup, part=part)


def test_one_bit_anywhere_refuses():
    file = sealed(CONTENT[:300])
    head = len(file) - CHUNK - 16
    for place in [*range(head), *range(head, len(file), 997), len(file) - 1]:
        wrong = bytearray(file)
        wrong[place] ^= 1
        with pytest.raises(Unopenable):
            whole(bytes(wrong))


def test_chunks_cut_moved_doubled_or_added_refuse():
    file = sealed()
    head = len(file) - 3 * (CHUNK + 16)
    chunks = [file[at : at + CHUNK + 16] for at in range(head, len(file), CHUNK + 16)]
    for other in (chunks[:2], [chunks[1], chunks[0], chunks[2]], [chunks[0], *chunks], [*chunks, chunks[2]], [chunks[2]], []):
        with pytest.raises(Unopenable):
            whole(file[:head] + b"".join(other))
    for end in (0, 5, 30, head - 1, head, head + 100, len(file) - 1):
        with pytest.raises(Unopenable):
            whole(file[:end])


def test_a_last_chunk_without_its_end_refuses():
    sealer = BackupSealer([ONE.public], BACKUP, DATA)
    chunk = sealer._seal(bytes(CHUNK), last=True)
    with pytest.raises(Unopenable):
        whole(sealer.head + chunk)


def test_what_cannot_be_sealed_is_said(monkeypatch: pytest.MonkeyPatch):
    for keys in ([], [ONE.public] * 17, ["x"]):
        with pytest.raises(Unsealable):
            BackupSealer(keys, BACKUP, DATA)
    sealer = BackupSealer([ONE.public], BACKUP, DATA)
    sealer.end()
    with pytest.raises(Unsealable):
        sealer.end()
    assert backups.MOST_RECIPIENTS == 16


def test_a_secret_sealed_to_a_key_opens_with_it_under_its_info_alone():
    secret = Secret(bytes(range(32)))
    wrapped = secret_to(ONE.public, secret, b"this")
    assert len(wrapped) == 80
    assert ONE.secret(wrapped, b"this").reveal() == secret.reveal()
    for key, info in ((OTHER, b"this"), (ONE, b"that")):
        with pytest.raises(Unopenable):
            key.secret(wrapped, info)


def read_by_the_page(file: bytes, private: bytes, fingerprint: str) -> bytes:
    """A reader written from docs/spec/backup.md alone."""
    assert file[:12] == b"amanah-bak\x41\x01"
    info, count = b"amanah/backup/v1\x00" + file[12:28] + file[28:29], file[29]
    slots = [file[30 + 96 * n : 126 + 96 * n] for n in range(count)]
    wrapped = next(slot[16:] for slot in slots if slot[:16].hex() == fingerprint)
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    key = suite.decrypt(wrapped, X25519PrivateKey.from_private_bytes(private), info)
    end = 30 + 96 * count + 48
    salt, commitment = file[end - 48 : end - 32], file[end - 32 : end]
    okm = HKDF(SHA256(), 64, salt, info).derive(key)
    assert okm[32:] == commitment
    chunks = [file[at : at + 65_552] for at in range(end, len(file), 65_552)]
    bound = b"amanah/backup/v1\x00" + hashlib.sha256(file[:end]).digest()
    nonces = [bytes(7) + n.to_bytes(4, "big") + bytes([n == len(chunks) - 1]) for n in range(len(chunks))]
    whole = b"".join(AESGCM(okm[:32]).decrypt(nonce, chunk, bound) for nonce, chunk in zip(nonces, chunks, strict=True))
    return whole.rstrip(b"\x00").removesuffix(b"\x80")


def test_a_second_reader_written_from_the_page_opens_it():
    file = sealed(CONTENT, OTHER, ONE)
    assert read_by_the_page(file, bytes(31) + b"\x01", ONE.fingerprint) == CONTENT
