"""The command line as a tired compliance officer reads it: one line for each thing, in words, and the exit code says yes or no."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, text, update

from vault.access_log import tables
from vault.cli import main
from vault.rulebook.tables import fact
from vault.storage.engine import Database


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one association in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(tmp_path, "init", "--association", "demo", "--json").exit_code == 0
    return tmp_path


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data-dir", str(home / "data")], catch_exceptions=False)


def tampered(home: Path) -> None:
    """An entry altered, another taken out, a fact put out of step."""
    database = Database(f"sqlite:///{home / 'data' / 'amanah.sqlite3'}")
    with database.connect() as connection, connection.begin():
        for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(update(tables.entry).where(tables.entry.c.number == 2).values(actor="client:00"))
        connection.execute(delete(tables.entry).where(tables.entry.c.number == 3))
        connection.execute(update(fact).where(fact.c.kind == "client").values(version=9))
    database.dispose()


def test_a_log_that_holds_says_how_much_was_looked_at(home: Path):
    said = run(home, "log", "verify")
    assert (said.exit_code, said.stderr) == (0, "")
    assert re.fullmatch(r"demo: the log holds: \d+ entries, the tree and every column, every checkpoint\n", said.stdout)
    held = home / "data" / "associations" / "demo" / "checkpoint"
    said = run(home, "log", "verify", "--tree", "--checkpoint", str(held))
    assert said.stdout.endswith(" entries, the tree, every checkpoint, and the checkpoint you gave is of this log\n")


def test_a_vault_of_an_older_version_is_brought_to_this_ones_schema(home: Path):
    database = Database(f"sqlite:///{home / 'data' / 'amanah.sqlite3'}")
    with database.connect() as connection, connection.begin():
        for back in (
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
        ):
            connection.execute(text(back))
    database.dispose()
    refused = run(home, "log", "verify")
    assert (refused.exit_code, refused.stderr.startswith("amanah: schema-outdated")) == (1, True)
    said = run(home, "upgrade")
    assert (said.exit_code, said.stdout.startswith("the schema is that of this version")) == (0, True)
    assert run(home, "log", "verify").exit_code == 0
    assert run(home, "upgrade").exit_code == 0


def test_a_database_without_a_vault_is_not_upgraded(tmp_path: Path):
    (tmp_path / "data").mkdir()
    Database(f"sqlite:///{tmp_path / 'data' / 'amanah.sqlite3'}").dispose()
    (tmp_path / "data" / "amanah.sqlite3").touch()
    said = run(tmp_path, "upgrade")
    assert (said.exit_code, said.stderr) == (1, "amanah: this database holds no vault; amanah init makes one\n")


def test_a_log_that_does_not_names_the_first_bad_entry_each_thing_once_and_ends_with_1(home: Path):
    tampered(home)
    said = run(home, "log", "verify")
    lines = said.stderr.splitlines()
    assert (said.exit_code, said.stdout) == (1, "")
    assert lines[:2] == ["demo: entry 2: the column actor does not say what was hashed", "demo: entry 3: it is missing"]
    assert len(lines) == len(set(lines))
    assert any(line.endswith(" times)") for line in lines)
    assert lines[-1].startswith("demo: the log DOES NOT hold")


def test_the_doctor_names_every_row_and_account_and_ends_with_1(home: Path):
    said = run(home, "doctor")
    assert said.exit_code == 1
    assert said.stdout.count("a ceremony account whose person has not set password and second factor of her own yet") == 3
    assert said.stderr == "3 to be looked after; docs/operate.md says what to do\n"
    tampered(home)
    said = run(home, "doctor")
    assert "demo: log entry 3: it is missing\n" in said.stdout
    assert "demo: rulebook_fact client " in said.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("log", "verify", "--association", "other"), "other: there is no association of this code here\n"),
        (("serve", "--host", "192.0.2.1"), "amanah: an address other than loopback needs --tls-cert and --tls-key, or a trusted proxy\n"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(home: Path, words: tuple[str, ...], told: str):
    said = run(home, *words)
    assert (said.exit_code, said.stdout, said.stderr) == (1, "", told)


def test_a_root_key_that_is_gone_is_named(home: Path):
    (home / ".config" / "amanah" / "demo" / "root").unlink()
    said = run(home, "log", "verify")
    assert said.exit_code == 1
    assert said.stderr == f"demo: the log cannot be verified: its root key is not at {home}/.config/amanah/demo/root\n"


def test_a_folder_without_a_vault_is_one_line(tmp_path: Path):
    for words in (("log", "verify"), ("doctor",)):
        said = run(tmp_path, *words)
        assert said.exit_code == 1
        assert said.stderr.startswith("amanah: ")
        assert said.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("doctor",), ("log", "verify"), ("serve",), ("association", "add", "second")])
def test_a_folder_without_a_vault_is_named_and_stays_empty(tmp_path: Path, words: tuple[str, ...]):
    said = run(tmp_path, *words)
    assert said.exit_code == 1
    assert said.stderr.startswith(f"amanah: there is no vault in {tmp_path / 'data'};")
    assert len(said.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_checkpoint_is_not_told_back(home: Path):
    held = home / "held"
    for content in ("SECRET-CANARY\n", "amanah/SECRET-CANARY/1\nx\n", ""):
        held.write_text(content, encoding="utf-8")
        for more in ((), ("--association", "demo")):
            said = run(home, "log", "verify", "--checkpoint", str(held), *more)
            assert (said.exit_code, said.stderr) == (1, "amanah: the file of --checkpoint holds no checkpoint\n")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (("TRUSTED_PROXIES", "foo"), "AMANAH_TRUSTED_PROXIES is no list of networks"),
        (("TRUSTED_PROXIES", "10.0.0.1/8"), "AMANAH_TRUSTED_PROXIES is no list of networks"),
        (("PORT", "80000"), "a setting is unknown or not of its kind"),
        (("CONFIG", "/nowhere/amanah.toml"), "the file that AMANAH_CONFIG names cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_is_said_in_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str], told: str):
    monkeypatch.setenv(f"AMANAH_{setting[0]}", setting[1])
    said = run(home, "serve")
    assert said.exit_code == 1
    assert told in said.stderr
    assert len(said.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("demo", "--serve"), ("serve",)])
def test_a_port_there_is_none_of_is_said_and_nothing_begun(words: tuple[str, ...]):
    said = CliRunner().invoke(main, [*words, "--port", "80000"], catch_exceptions=False)
    assert said.exit_code == 2
    assert "80000 is not in the range" in said.stderr
