"""The golden files are made once per format: today's code still writes the same bytes, and a second reader opens them."""

import json
from pathlib import Path
from typing import Any

import pytest

from keys.blind_index import Index, check
from keys.blobs import open_blob, seal_blob
from keys.container import Place, Sealed, header, seal
from keys.facts import FactMac
from keys.keyring import NAMED, AssociationKeys, DataKey
from keys.notes import Signer, verify, verify_bytes
from keys.secret import Secret
from tests.keys import second_reader
from tests.keys.world import opened

FOLDER = Path(__file__).parents[1] / "vectors/keys"
Row = dict[str, Any]


def rows(name: str, least: int) -> list[Row]:
    found: list[Row] = json.loads((FOLDER / f"{name}.json").read_text())
    assert len(found) >= least
    return found


def raw(row: Row, *names: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(row[name]) for name in names)


def _value(cell: dict[str, Any]) -> Any:
    ((kind, value),) = cell.items()
    return bytes.fromhex(value) if kind == "bytes" else value


@pytest.mark.parametrize("row", rows("containers", 50))
def test_a_golden_container(row: Row) -> None:
    data_key, association, subject, record, entropy, content = raw(
        row, "data_key", "association", "subject", "record", "entropy", "container"
    )
    place = Place(association, subject, record, row["class_id"], row["key_version"], row["revision"], row["schema"])
    cells = {int(field): _value(cell) for field, cell in row["cells"].items()}
    key = DataKey(data_key, place.class_id, place.key_version)
    floors = {int(field): floor for field, floor in row["floors"].items()}
    assert seal(key, place, cells, floors=floors, entropy=lambda _: entropy) == content
    assert second_reader.container(data_key, association, subject, record, content) == cells
    keys = AssociationKeys(association, {1: Secret.random()}, 1)
    fields = {str(field): field for field in cells}
    sealed = Sealed(place, keys._wrap(subject, key), content, header(content).salt, fields)
    assert opened(sealed, keys=keys) == {str(field): value for field, value in cells.items()}


@pytest.mark.parametrize("row", rows("wrapped_keys", 20))
def test_a_golden_wrapped_key(row: Row) -> None:
    epoch_key, association, subject, nonce, key, wrapped = raw(row, "epoch_key", "association", "subject", "nonce", "key", "wrapped")
    keys = AssociationKeys(association, {row["epoch"]: Secret(epoch_key)}, 1)
    assert keys._wrap(subject, DataKey(key, row["class_id"], row["key_version"]), entropy=lambda _: nonce) == wrapped
    assert second_reader.wrapped_key(epoch_key, association, subject, row["class_id"], wrapped) == (key, row["epoch"], row["key_version"])
    if subject == bytes(16):
        name = next(name for name, class_id in NAMED.items() if class_id == row["class_id"])
        assert keys.named(name, wrapped).reveal() == key
    else:
        assert keys.unwrap(subject, row["class_id"], wrapped).reveal() == key


@pytest.mark.parametrize("row", rows("blobs", 20))
def test_a_golden_blob(row: Row) -> None:
    data_key, nonce, context, plaintext, blob = raw(row, "data_key", "nonce", "context", "plaintext", "blob")
    key = DataKey(data_key, 1, 1)
    assert seal_blob(key, context, plaintext, bucket=row["bucket"], entropy=lambda _: nonce) == blob
    assert open_blob(key, context, blob) == plaintext
    assert second_reader.blob(data_key, context, blob) == plaintext


@pytest.mark.parametrize("row", rows("fact_macs", 20))
def test_a_golden_mac(row: Row) -> None:
    key, primary_key, body, mac = raw(row, "key", "primary_key", "body", "mac")
    assert FactMac(Secret(key)).seal(row["table"], primary_key, body) == mac
    assert second_reader.fact_mac(key, row["table"], primary_key, body) == mac


@pytest.mark.parametrize("row", rows("blind_index", 30))
def test_a_golden_token(row: Row) -> None:
    root, association, data_key, expected = raw(row, "index_root", "association", "data_key", "check")
    field, version, bits, partition, values = (row[name] for name in ("field_id", "index_version", "bits", "partition", "values"))
    assert Index(Secret(root), association).token(field, version, bits, *values, partition=partition) == row["token"]
    assert second_reader.token(root, association, field, version, bits, partition, values) == row["token"]
    assert check(DataKey(data_key, 1, 1), field, version, values[0]) == expected
    assert second_reader.check(data_key, field, version, values[0]) == expected


@pytest.mark.parametrize("row", rows("notes", 16))
def test_a_golden_note(row: Row) -> None:
    seed, content, signature = raw(row, "seed", "bytes", "signature")
    signer = Signer(row["name"], Secret(seed))
    assert (signer.vkey, signer.sign(row["text"]), signer.sign_bytes(content)) == (row["vkey"], row["note"], signature)
    assert verify(row["note"], row["vkey"]) == row["text"]
    assert second_reader.note(row["note"], row["vkey"]) == row["text"]
    verify_bytes(content, signature, row["vkey"])


def test_the_second_reader_imports_nothing_of_ours() -> None:
    text = Path(second_reader.__file__).read_text()
    assert not [line for line in text.splitlines() if line.startswith(("from keys", "import keys", "from vault", "from tests"))]
