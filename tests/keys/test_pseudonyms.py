"""Pseudonyms: one name for a person in one study, another in the next, and none without the study's own key."""

import json
from hashlib import sha256
from hmac import digest
from pathlib import Path

import pytest

from keys.errors import Unopenable, Unsealable
from keys.keyring import AssociationKeys, DataKey
from keys.pseudonyms import STUDY_CLASS, Pseudonyms, new_study_key
from keys.secret import Secret
from tests.keys.world import KEYS, OTHER, RECORD, SUBJECT

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/research/pseudonyms.json").read_text(encoding="utf-8"))


def test_a_pseudonym_is_that_of_the_vector():
    keys = AssociationKeys(bytes.fromhex(VECTOR["association"]), {1: Secret(bytes(31) + b"\x01")}, 1)
    study = bytes.fromhex(VECTOR["study"])
    names = Pseudonyms(keys, study, keys.wrap(study, DataKey(bytes.fromhex(VECTOR["key"]), STUDY_CLASS, 1)))
    for person, pseudonym in VECTOR["pseudonyms"].items():
        assert names.of(bytes.fromhex(person)) == pseudonym
        # And by hand, as docs/spec/research.md says it.
        parts = (keys.association, study, bytes.fromhex(person))
        said = b"vault/pseudonym/v1" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        assert digest(bytes.fromhex(VECTOR["key"]), said, sha256)[:16].hex() == pseudonym


def test_a_person_has_one_pseudonym_in_a_study_and_another_in_the_next():
    wrapped = new_study_key(KEYS, RECORD)
    names, again = Pseudonyms(KEYS, RECORD, wrapped), Pseudonyms(KEYS, RECORD, wrapped)
    other = Pseudonyms(KEYS, RECORD, new_study_key(KEYS, RECORD))
    assert names.of(SUBJECT) == again.of(SUBJECT) != other.of(SUBJECT)
    assert names.of(SUBJECT) != names.of(RECORD)
    assert len(names.of(SUBJECT)) == 32


def test_the_key_of_a_study_opens_for_it_alone_and_nothing_else():
    wrapped = new_study_key(KEYS, RECORD)
    theirs = AssociationKeys(OTHER, {1: Secret(bytes(31) + b"\x01"), 2: Secret(bytes(31) + b"\x02")}, 1)
    for keys, study, stored in ((KEYS, SUBJECT, wrapped), (theirs, RECORD, wrapped), (KEYS, RECORD, b""), (KEYS, RECORD, bytes(70))):
        with pytest.raises(Unopenable):
            Pseudonyms(keys, study, stored)
    with pytest.raises(Unopenable):
        KEYS.unwrap(RECORD, STUDY_CLASS - 1, wrapped)
    with pytest.raises(Unsealable):
        new_study_key(KEYS, bytes(16))
