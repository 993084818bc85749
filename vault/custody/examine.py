"""What the doctor says of the keys: a file older than the log knows, and a retirement that was begun and not completed."""

from collections.abc import Iterator

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.errors import Unavailable
from vault.rulebook.facts import holding
from vault.rulebook.key_facts import CEREMONY, keys_fact_from
from vault.web import write_id


def examine(connection: Connection, cabinet: Cabinet, association: bytes) -> Iterator[str]:
    """What is not as it should be, in words."""
    try:
        known = keys_fact_from(connection, cabinet, association)
    except Unavailable:
        return  # named with the facts
    keys = cabinet.keys
    if keys.minimum_epoch < known.minimum or keys.epoch < known.newest:
        yield "epochs: the file is older than the log says: somebody put an older copy back"
    for each in holding(connection, cabinet, association, CEREMONY).values():
        if each.state == "carrying-out":
            yield f"key_ceremony {write_id(bytes.fromhex(each.id))}: begun and not completed; amanah keys carry-out completes it"
