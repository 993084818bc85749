"""Where a log was put back from a copy: which checkpoints are of its history, which cover what was lost, and who is told."""

from pathlib import Path

import pytest
from sqlalchemy import update

from tests.access_log.logs import CODE, signer
from vault.access_log import tables
from vault.access_log.checkpoint import Checkpoint, NotACheckpoint, epoch_of, opened, opened_of_any_epoch, origin, origin_of
from vault.access_log.restored import Beginning, beginnings, lost_after, quoted
from vault.access_log.verify import snapshot
from vault.storage.engine import Database
from vault.storage.metadata import metadata

ROOT = bytes(range(32))


def note(epoch: int, size: int = 5, key: bytes = bytes(range(32))) -> str:
    return signer(seed=key).named(origin(CODE, epoch)).sign(Checkpoint(origin(CODE, epoch), size, ROOT).text())


def test_a_checkpoint_of_this_epoch_or_an_earlier_one_is_taken_and_none_of_a_later() -> None:
    vkey = signer().named(origin(CODE, 3)).vkey
    assert origin_of(vkey) == "amanah/birr/3"
    for epoch in (1, 2, 3):
        assert opened_of_any_epoch(note(epoch), vkey, CODE).origin == origin(CODE, epoch)
    for wrong in (note(4), note(2, key=bytes(32)), note(2).replace("birr/2\n", "other/2\n", 1), "", "amanah/birr/2\n"):
        with pytest.raises(NotACheckpoint):
            opened_of_any_epoch(wrong, vkey, CODE)


def test_a_checkpoint_signed_under_another_name_than_its_own_is_none() -> None:
    made = signer().named(origin(CODE, 1)).sign(Checkpoint(origin(CODE, 2), 5, ROOT).text())
    with pytest.raises(NotACheckpoint):
        opened(made, signer().named(origin(CODE, 1)).vkey, CODE)


@pytest.mark.parametrize(
    "name", ["", "amanah/birr", "amanah/birr/0", "amanah/birr/01", "amanah/birr/1/journal", "amanah/other/1", "amanah/birr/x"]
)
def test_what_names_no_epoch_of_this_log_is_refused(name: str) -> None:
    with pytest.raises(NotACheckpoint):
        epoch_of(name, CODE)


def test_what_a_checkpoint_covers_beyond_a_later_beginning_is_lost() -> None:
    begun = [Beginning(10, 2), Beginning(30, 4)]
    assert lost_after(Checkpoint(origin(CODE), 10, ROOT), CODE, begun) is None
    assert lost_after(Checkpoint(origin(CODE), 11, ROOT), CODE, begun) == begun[0]
    assert lost_after(Checkpoint(origin(CODE, 2), 30, ROOT), CODE, begun) is None
    assert lost_after(Checkpoint(origin(CODE, 3), 31, ROOT), CODE, begun) == begun[1]
    assert lost_after(Checkpoint(origin(CODE, 4), 99, ROOT), CODE, begun) is None
    assert lost_after(Checkpoint("amanah/other/1", 99, ROOT), CODE, begun) is None


def test_the_entry_quotes_epoch_copy_and_what_was_held_outside() -> None:
    copy, outside = Checkpoint(origin(CODE), 10, ROOT), Checkpoint(origin(CODE), 12, bytes(32))
    assert quoted(2, copy, None) == ("epoch:2", f"copy:amanah/birr/1:10:{ROOT.hex()}")
    assert quoted(2, copy, outside)[2] == f"outside:amanah/birr/1:12:{bytes(32).hex()}"


def test_what_is_no_such_entry_begins_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'log.sqlite3'}")
    with database.connect() as connection, connection.begin():
        metadata.create_all(connection)
        for number, body in enumerate(
            (b"x", b'{"v":1}', b'{"a":"s","fl":["epoch:x"],"k":"log.restored","n":"00","o":"allow","t":1,"v":1,"w":"w","ws":0}')
        ):
            row = {"association_id": bytes(16), "number": number, "time": 1, "kind": "log.restored", "outcome": "allow", "actor": "system"}
            connection.execute(tables.entry.insert().values(**row, leaf=bytes(32), body=body))
    with snapshot(database, bytes(16)) as connection:
        assert beginnings(connection, bytes(16)) == []
    whole = b'{"a":"s","fl":["epoch:2"],"k":"log.restored","n":"00","o":"allow","t":1,"v":1,"w":"w","ws":0}'
    with database.connect() as connection, connection.begin():
        connection.execute(update(tables.entry).where(tables.entry.c.number == 1).values(body=whole))
    with snapshot(database, bytes(16)) as connection:
        assert beginnings(connection, bytes(16)) == [Beginning(1, 2)]
    database.dispose()
