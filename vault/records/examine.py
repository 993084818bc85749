"""Examines containers and tokens against the person's sheet: header, revision, salt, digest; it opens no cell.

No two containers have one salt: under one key that would be one cipher key and one nonce for two plaintexts.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select

from keys.container import Header, header
from keys.errors import Unopenable
from vault.records import index, tables
from vault.storage.octets import octets
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import RecordState


def examine(connection: Connection, association: bytes, states: Mapping[bytes, RecordState]) -> Iterator[str]:
    """What does not hold, each with its table and row; `states` are those of every record, from the sheets."""
    container = tables.container
    expected = {(record, int(class_id)): salt for record, state in states.items() for class_id, salt in state.salts.items()}
    salts: set[bytes] = set()
    query = select(octets(container.c.record), container.c.class_id, container.c.revision, octets(container.c.container))
    for record, class_id, revision, sealed in connection.execute(query.where(container.c.association_id == association)):
        place = f"record_container {record.hex()} {class_id}"
        salt = expected.pop((record, class_id), None)
        try:
            found = header(sealed)
        except Unopenable:
            yield f"{place}: is no container"
            continue
        if found.salt in salts:
            yield f"{place}: has the salt of another container"
        salts.add(found.salt)
        if salt is None:
            yield f"{place}: of no record"
        elif not _fits(found, class_id, states[record], salt) or revision != found.revision:
            yield f"{place}: not the one the person's sheet names"
    for record, class_id in expected:
        yield f"record_container {record.hex()} {class_id}: missing"
    yield from _keys(connection, association)
    yield from _tokens(connection, association, states)


def _keys(connection: Connection, association: bytes) -> Iterator[str]:
    """Keys of another version than the container says it was sealed under: one that was replaced and is put back opens by itself."""
    place, key, container = subject_tables.record, subject_tables.data_key, tables.container
    owned = (key.c.association_id == place.c.association_id) & (key.c.subject == place.c.subject)
    held = (container.c.association_id == place.c.association_id) & (container.c.record == place.c.record)
    both = place.join(key, owned).join(container, held & (container.c.class_id == key.c.class_id))
    query = select(octets(place.c.subject), key.c.class_id, key.c.key_version, octets(container.c.container)).select_from(both)
    mine = query.where(place.c.association_id == association)
    for subject, class_id, version, sealed in connection.execute(mine, execution_options={"yield_per": 500}):
        try:
            if header(sealed).key_version != version:
                yield f"subject_key {subject.hex()} {class_id}: not the one that what it opens was sealed under"
        except Unopenable:
            continue  # named already


def _tokens(connection: Connection, association: bytes, states: Mapping[bytes, RecordState]) -> Iterator[str]:
    """Records of which a token is not what it was written as: the value is needed to make one again, so their digest is compared."""
    token = tables.token
    found: dict[bytes, list[index.Entry]] = {}
    query = select(octets(token.c.record), token.c.field_id, token.c.token, octets(token.c.proof))
    for record, *row in connection.execute(query.where(token.c.association_id == association)):
        found.setdefault(record, []).append(index.Entry(*row))
    yield from (f"record_token {record.hex()}: of no record" for record in found.keys() - states.keys())
    for record, state in states.items():
        if not index.holds(found.get(record, []), state):
            yield f"record_token {record.hex()}: not the ones the person's sheet names"


def _fits(found: Header, class_id: int, state: RecordState, salt: str) -> bool:
    said = (found.class_id, found.revision, found.schema, found.salt.hex())
    return said == (class_id, state.revision, state.schema, salt)
