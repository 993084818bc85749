"""The procedures of docs/operate.md as they are written there, by the command line and over HTTP, with invented people.

The loss of the root takes one-time codes of several half minutes: bench/soak/lost_root.py.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.journeys.served import FIRST, Served
from vault.storage.engine import Database

pytestmark = pytest.mark.slow

BACK_TO_0007 = (
    "DROP TABLE notice_outbox",
    "DROP TABLE study_key",
    "DROP TABLE breach_report_chunk",
    "DROP TABLE breach_report_upload",
    "DROP TABLE incident_part",
    "DROP TABLE incident_key",
    "DROP TABLE recall_outbox",
    "DROP INDEX ix_access_log_entry_not_allowed",
    "DROP INDEX ix_breach_report_state",
    "ALTER TABLE access_log_head DROP COLUMN mac",
    "UPDATE alembic_version SET version_num = '0007'",
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    yield from begun(Served(tmp_path, None))


@pytest.fixture
def on_each(tmp_path: Path, database_url: str) -> Iterator[Served]:
    yield from begun(Served(tmp_path, database_url))


def begun(made: Served) -> Iterator[Served]:
    """A founded vault that serves and holds a record."""
    made.found()
    made.start()
    try:
        made.store(made.fields(random.Random(1)))
        yield made
    finally:
        made.stop()


def home(served: Served) -> Path:
    return served.data / "associations" / FIRST


def backed_up(served: Served) -> Path:
    """The folder of a copy, with the recovery key beside it and the newest checkpoint; the journal is copied after both."""
    public = served.folder / "recovery.pub"
    public.write_bytes(served.run("package", "keygen", str(served.folder / "recovery.key")))
    served.run("backup", "--to", str(served.folder / "backups"), "--recipient", str(public))
    shutil.copy(home(served) / "checkpoint", served.folder / "newest")
    served.run("backup", "--journal-to", str(served.folder / "journals"))
    return next((served.folder / "backups").iterdir())


def restore(served: Served, copy: Path, *more: str) -> str:
    return served.run("restore", "--from", str(copy), "--identity", str(served.folder / "recovery.key"), *more).decode()


def client_of(served: Served) -> str:
    return str(served.call("GET", "/v1/clients", token=served.session("admin")).json["items"][0]["id"])


def revoke(served: Served) -> str:
    """Revoke the key of the association's system: the client's id."""
    client = client_of(served)
    answer = served.call("POST", f"/v1/clients/{client}/revocation", {}, token=served.session("admin"))
    assert (answer.status, answer.json["state"]) == (200, "revoked")
    return client


def is_shut_out(served: Served) -> bool:
    return served.call("GET", "/v1/records", token=served.key()).status == 401


def test_a_database_that_is_lost_is_put_back_and_what_was_closed_since_stays_closed(served: Served):
    copy = backed_up(served)
    revoke(served)
    served.stop()
    for path in served.data.glob("amanah.sqlite3*"):
        path.unlink()
    assert "restored; the log goes on as epoch 2" in restore(served, copy)
    assert b"the log holds" in served.run("log", "verify", "--deep")
    served.start()
    assert is_shut_out(served)


def test_a_machine_that_is_lost_with_its_database_is_followed_by_another(served: Served):
    copy, kept = backed_up(served), served.folder / "epochs"
    shutil.copy(home(served) / "epochs", kept)
    served.stop()
    shutil.rmtree(served.data)
    home(served).mkdir(parents=True, mode=0o700)
    shutil.copy(kept, home(served) / "epochs")
    journal = served.folder / "journals" / FIRST / "journal"
    said = restore(served, copy, "--journal", str(journal), "--checkpoint", str(served.folder / "newest"))
    assert "restored; the log goes on as epoch 2" in said
    served.start()
    assert not is_shut_out(served)


def test_a_machine_is_lost_and_the_database_stands(on_each: Served):
    served = on_each
    backed_up(served)
    revoke(served)  # not in the journal that was copied
    kept = served.folder / "epochs"
    shutil.copy(home(served) / "epochs", kept)
    served.stop()
    shutil.rmtree(home(served))
    home(served).mkdir(mode=0o700)
    shutil.copy(kept, home(served) / "epochs")
    shutil.copy(served.folder / "newest", home(served) / "checkpoint")
    for path in (served.folder / "journals" / FIRST).iterdir():
        shutil.copy(path, home(served) / path.name)
    served.start()
    assert is_shut_out(served), "it stands in the database"
    assert b"the log holds" in served.run("log", "verify")


def test_a_key_that_leaked_opens_nothing_and_the_log_says_what_it_did(served: Served):
    client = revoke(served)
    assert is_shut_out(served)
    found = served.call("GET", f"/v1/access-log?actor=client:{client}", token=served.session("officer"))
    assert "record.stored" in {each["kind"] for each in found.json["items"]}


def test_an_officer_who_is_one_of_the_last_two_who_approve_leaves_only_after_a_successor(served: Served):
    admin = served.session("admin")
    officers = [each["id"] for each in served.call("GET", "/v1/staff", token=admin).json["items"] if each["roles"] == ["officer"]]
    answer = served.call("POST", f"/v1/staff/{officers[0]}/end", {}, token=admin)
    assert (len(officers), answer.status, answer.code) == (2, 409, "last-approver")


def test_a_vault_of_schema_0007_is_upgraded_and_serves(on_each: Served):
    served = on_each
    served.stop()
    database = Database(served.address or f"sqlite:///{served.data / 'amanah.sqlite3'}")
    with database.connect() as connection, connection.begin():
        for back in BACK_TO_0007:
            connection.execute(text(back))
    database.dispose()
    with pytest.raises(AssertionError, match="schema-outdated"):
        served.start()
    assert b"the schema is that of this version" in served.run("upgrade")
    served.start()
    served.store(served.fields(random.Random(2)))
    assert b"the log holds" in served.run("log", "verify")
