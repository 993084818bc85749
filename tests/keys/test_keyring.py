"""A wrapped key opens only for its association, subject, class, version and epoch."""

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import Unopenable, Unsealable
from keys.keyring import NAMED, AssociationKeys, DataKey, epoch_of, head_of
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, KEYS, OTHER, SUBJECT, named_id, opened, place, stored, stuck

FIRST, SECOND = Secret(bytes(31) + b"\x01"), Secret(bytes(31) + b"\x02")
OLD = AssociationKeys(ASSOCIATION, {1: FIRST}, 1)
RETIRED = AssociationKeys(ASSOCIATION, {1: FIRST, 2: SECOND}, 2)
KEY, WRAPPED = KEYS.new_key(SUBJECT, 3)


def refused(wrapped: bytes, subject: bytes = SUBJECT, class_id: int = 3, keys: AssociationKeys = KEYS) -> None:
    with pytest.raises(Unopenable) as caught:
        keys.unwrap(subject, class_id, wrapped)
    assert caught.value.__context__ is None


def test_a_wrapped_key_opens_where_it_belongs() -> None:
    assert KEYS.unwrap(SUBJECT, 3, WRAPPED).reveal() == KEY.reveal()
    assert len(WRAPPED) == 70
    assert epoch_of(WRAPPED) == KEYS.epoch == 2
    assert WRAPPED.startswith(head_of(2))


def test_16_an_unknown_epoch_is_refused() -> None:
    refused(WRAPPED, keys=OLD)
    refused(WRAPPED[:2] + struct.pack(">I", 3) + WRAPPED[6:])


def test_17_a_retired_epoch_is_refused_though_its_key_is_still_at_hand() -> None:
    _, wrapped = OLD.new_key(SUBJECT, 3)
    assert KEYS.unwrap(SUBJECT, 3, wrapped).version == 1
    refused(wrapped, keys=RETIRED)
    RETIRED._living.ciphers[1] = KEYS._living.ciphers[1]
    refused(wrapped, keys=RETIRED)


def test_17_a_retired_epoch_is_refused_before_any_cipher_runs() -> None:
    class Never:
        def decrypt(self, *_: object) -> bytes:
            raise AssertionError

    keys = AssociationKeys(ASSOCIATION, {1: FIRST, 2: SECOND}, 2)
    keys._living = dataclasses.replace(keys._living, ciphers={1: Never(), 2: Never()})  # type: ignore[dict-item]
    refused(OLD.new_key(SUBJECT, 3)[1], keys=keys)
    with pytest.raises(AssertionError):
        keys.unwrap(SUBJECT, 3, WRAPPED)


def test_23_a_wrapped_key_moved_to_another_place_is_refused() -> None:
    refused(WRAPPED, subject=named_id("somebody"))
    refused(WRAPPED, class_id=4)
    refused(WRAPPED[:6] + struct.pack(">I", 2) + WRAPPED[10:])
    refused(OLD.new_key(SUBJECT, 3)[1][:2] + struct.pack(">I", 2) + OLD.new_key(SUBJECT, 3)[1][6:])
    refused(WRAPPED, keys=AssociationKeys(OTHER, {2: SECOND}, 1))


def test_24_a_key_the_attacker_wrapped_under_an_old_epoch_is_refused() -> None:
    planted = OLD._wrap(SUBJECT, DataKey(bytes(32), 3, 1))
    assert KEYS.unwrap(SUBJECT, 3, planted).reveal() == bytes(32)
    refused(planted, keys=RETIRED)


def test_39_a_class_whose_key_is_gone_is_gone_alone() -> None:
    contact, identity = stored({1: "0550000000"}, place(class_id=4))[1], stored({1: "اسم"})[1]
    with pytest.raises(Unopenable):
        opened(dataclasses.replace(contact, wrapped=b""))
    with pytest.raises(Unopenable):
        opened(dataclasses.replace(contact, wrapped=identity.wrapped))
    assert opened(identity) == {"1": "اسم"}


def test_every_truncation_and_every_changed_bit_is_refused() -> None:
    for length in range(70):
        refused(WRAPPED[:length])
    refused(WRAPPED + b"\x00")
    for position in range(70):
        for bit in range(8):
            changed = bytearray(WRAPPED)
            changed[position] ^= 1 << bit
            refused(bytes(changed))


@given(st.binary(max_size=80) | st.binary(min_size=60, max_size=60).map(lambda rest: WRAPPED[:10] + rest))
def test_random_bytes_raise_only_the_one_error(content: bytes) -> None:
    refused(content)
    with pytest.raises(Unopenable):
        KEYS.named("pepper", content)
    with pytest.raises(Unopenable):
        KEYS.rewrap_named("pepper", content)


@pytest.mark.parametrize(
    "content",
    [b"", WRAPPED[:-1], b"\x12" + WRAPPED[1:], WRAPPED[:1] + b"\x02" + WRAPPED[2:]],
    ids=["nothing", "cut", "another format", "another suite"],
)
def test_the_epoch_of_what_is_no_wrapped_key_is_not_told(content: bytes) -> None:
    with pytest.raises(Unopenable):
        epoch_of(content)


@given(st.binary(max_size=20).filter(lambda subject: len(subject) != 16) | st.just(bytes(16)))
def test_a_subject_that_is_no_id_or_nobody_gets_no_key(subject: bytes) -> None:
    with pytest.raises(Unsealable):
        KEYS.new_key(subject, 3)
    refused(WRAPPED, subject=subject)


@pytest.mark.parametrize("class_id", [0, -1, 0xFF00, 0xFF02, 0xFFFF, 0x10000])
def test_a_class_that_is_kept_or_does_not_fit_gets_no_key(class_id: int) -> None:
    with pytest.raises(Unsealable):
        KEYS.new_key(SUBJECT, class_id)
    refused(WRAPPED, class_id=class_id)


@pytest.mark.parametrize("version", [-1, 2**32])
def test_a_version_that_does_not_fit_gets_no_key(version: int) -> None:
    with pytest.raises(Unsealable):
        KEYS.new_key(SUBJECT, 3, version)


def test_a_key_rewrapped_is_the_same_key_under_the_newest_epoch() -> None:
    key, wrapped = OLD.new_key(SUBJECT, 3, 7)
    newer = KEYS.rewrap(SUBJECT, 3, wrapped)
    assert (epoch_of(wrapped), epoch_of(newer)) == (1, 2)
    found = RETIRED.unwrap(SUBJECT, 3, newer)
    assert (found.reveal(), found.version, found.class_id) == (key.reveal(), 7, 3)
    own = OLD.new_named("pepper")
    assert RETIRED.named("pepper", KEYS.rewrap_named("pepper", own)).reveal() == OLD.named("pepper", own).reveal()


def test_a_key_at_hand_is_wrapped_under_the_newest_epoch() -> None:
    key, wrapped = OLD.new_key(SUBJECT, 3, 7)
    found = RETIRED.unwrap(SUBJECT, 3, KEYS.wrap(SUBJECT, key))
    assert (found.reveal(), found.version, epoch_of(wrapped)) == (key.reveal(), 7, 1)
    with pytest.raises(Unsealable):
        KEYS.wrap(bytes(16), key)


def test_newer_keys_are_taken_over_in_place_and_older_ones_never() -> None:
    keys = AssociationKeys(ASSOCIATION, {1: FIRST}, 1)
    old = keys.new_key(SUBJECT, 3)[1]
    keys.take(KEYS)
    assert (keys.epoch, keys.minimum_epoch) == (2, 1)
    assert epoch_of(keys.new_key(SUBJECT, 3)[1]) == 2
    assert keys.unwrap(SUBJECT, 3, old).version == 1
    keys.take(RETIRED)
    refused(old, keys=keys)
    for other in (OLD, KEYS, AssociationKeys(OTHER, {2: SECOND}, 2)):
        with pytest.raises(Unopenable):
            keys.take(other)
    assert (keys.epoch, keys.minimum_epoch) == (2, 2)


def test_an_epoch_that_is_not_known_is_asked_for_once() -> None:
    keys, asked = AssociationKeys(ASSOCIATION, {1: FIRST}, 1), []

    def renew() -> AssociationKeys:
        asked.append(1)
        return KEYS

    keys.renew = renew
    assert keys.unwrap(SUBJECT, 3, WRAPPED).reveal() == KEY.reveal()
    assert keys.unwrap(SUBJECT, 3, WRAPPED).reveal() == KEY.reveal()
    assert asked == [1]
    refused(WRAPPED[:2] + struct.pack(">I", 3) + WRAPPED[6:], keys=keys)
    assert asked == [1, 1]


def test_an_own_key_opens_under_its_name_alone() -> None:
    for name in NAMED:
        wrapped = KEYS.new_named(name)
        assert isinstance(KEYS.named(name, wrapped), Secret)
        for other in [*NAMED, "none"]:
            if other != name:
                with pytest.raises(Unopenable):
                    KEYS.named(other, wrapped)
    with pytest.raises(KeyError):
        KEYS.new_named("none")


def test_no_two_keys_are_alike_and_none_is_derived() -> None:
    assert len({KEYS.new_key(SUBJECT, 3)[0].reveal() for _ in range(1000)}) == 1000


def test_20_wraps_never_share_a_nonce() -> None:
    assert len({KEYS._wrap(SUBJECT, KEY)[10:22] for _ in range(10_000)}) == 10_000
    assert KEYS._wrap(SUBJECT, KEY, entropy=stuck) == KEYS._wrap(SUBJECT, KEY, entropy=stuck)


@pytest.mark.parametrize(
    ("association", "epochs", "minimum"), [(b"short", {1: FIRST}, 1), (ASSOCIATION, {}, 1), (ASSOCIATION, {1: FIRST}, 2)]
)
def test_keys_without_a_living_epoch_or_an_id_are_no_keys(association: bytes, epochs: dict[int, Secret], minimum: int) -> None:
    with pytest.raises(ValueError, match="living epoch"):
        AssociationKeys(association, epochs, minimum)
