"""The intruders of step 9: what they change is what they mean to change, and a vault that lets them through is a fault."""

import io
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from tests.demo.wire import Wire
from vault.demo import log_story
from vault.demo.client import Client
from vault.demo.log_story import last_words, put_back
from vault.demo.numbers import Numbers
from vault.demo.scene import Scene
from vault.demo.telling import Teller
from vault.demo.vault_process import VaultProcess, is_database

HER, OTHER = b"h" * 16, b"o" * 16
NOTE = "amanah/demo/1\n{}\n" + "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=" + "\n\n— amanah/demo/1 c2ln\n"


def database(path: Path, version: int, *, guarded: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE subject_sheet (subject BLOB PRIMARY KEY, version INTEGER)")
        opened.execute("CREATE TABLE access_log_subject (subject BLOB, number INTEGER)")
        opened.execute("CREATE TABLE law (key TEXT)")
        opened.executemany("INSERT INTO subject_sheet VALUES (?, ?)", [(HER, version), (OTHER, version)])
        opened.execute("INSERT INTO access_log_subject VALUES (?, ?)", (HER, version))
        if guarded:
            opened.execute("CREATE TRIGGER keep BEFORE DELETE ON subject_sheet BEGIN SELECT RAISE(ABORT, 'append-only'); END")
    return path


def test_only_her_rows_outside_the_log_are_put_back_whatever_guards_them(tmp_path: Path):
    newer, older = database(tmp_path / "newer", 2, guarded=True), database(tmp_path / "older", 1)
    assert put_back(newer, older, HER) == 1
    with closing(sqlite3.connect(newer)) as opened:
        assert dict(opened.execute("SELECT subject, version FROM subject_sheet")) == {HER: 1, OTHER: 2}
        assert opened.execute("SELECT number FROM access_log_subject").fetchall() == [(2,)]


def test_a_copy_holds_the_database_and_the_files_beside_it(tmp_path: Path):
    vault = VaultProcess(tmp_path / "vault", tmp_path / "root")
    database(vault.data / "amanah.sqlite3", 1)
    (vault.data / "epochs").write_text("e")
    copy = vault.copy(tmp_path / "copy")
    assert is_database(copy.database())
    assert (copy.data / "epochs").read_text() == "e"
    assert {path.name for path in copy.data.iterdir()} == {"amanah.sqlite3", "epochs"}


@pytest.mark.parametrize(
    ("output", "words"),
    [("╭─ Error ─╮\n│ log-shorter   │\n╰─────────╯\n", "log-shorter"), ("one\ntwo\n\n", "two"), ("", "")],
)
def test_the_last_words_of_a_program_come_without_their_frame(output: str, words: str):
    assert last_words(output) == words


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as opened:
        yield opened


@pytest.fixture
def teller(wire: Wire) -> Iterator[Teller]:
    client = Client(wire.port, "key")
    yield Teller(client, "reader", console=Console(file=io.StringIO(), width=200))
    client.close()


def scene(folder: Path) -> Scene:
    return Scene(VaultProcess(folder / "vault", folder / "root"), {}, {}, Numbers(Random(1)), {})


def test_a_checkpoint_that_does_not_cover_the_entry_yet_is_waited_for(teller: Teller, wire: Wire):
    wire.answer("GET", "/v1/access-log/checkpoint", 200, NOTE.format(7), NOTE.format(8))
    assert log_story._covering(teller, 7, "officer").text == NOTE.format(8)
    assert len(wire.requests) == 3


def test_a_checkpoint_that_never_covers_the_entry_is_not_waited_for_for_ever(teller: Teller, wire: Wire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_story, "_PATIENCE", 0.3)
    wire.answer("GET", "/v1/access-log/checkpoint", 200, NOTE.format(7))
    assert log_story._covering(teller, 7, "officer").text == NOTE.format(7)


def test_a_server_that_opens_on_an_older_database_is_a_fault(teller: Teller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told = scene(tmp_path)
    database(told.vault.data / "amanah.sqlite3", 2)
    database(told.earlier.data / "amanah.sqlite3", 1)
    monkeypatch.setattr(VaultProcess, "serve", lambda _self, _port=0: None)
    monkeypatch.setattr(VaultProcess, "run", lambda _self, *_words: subprocess.CompletedProcess((), 0, b"the log holds", b""))
    log_story._put_back_the_database(teller, told)
    assert [fault.partition(":")[2].partition(":")[0].strip() for fault in teller.faults] == ["an older database", "log verify"]


@pytest.mark.parametrize(("status", "named", "faults"), [(1, 7, 0), (0, 7, 1), (1, 8, 1)])
def testlog_verify_must_fail_and_name_the_entry(teller: Teller, monkeypatch: pytest.MonkeyPatch, status: int, named: int, faults: int):
    run = subprocess.CompletedProcess((), status, b"demo: entry 7: its bytes are not those", b"")
    monkeypatch.setattr(VaultProcess, "run", lambda _self, *_words: run)
    log_story.log_verify(teller, VaultProcess(Path(), Path()), 1, named)
    assert len(teller.faults) == faults
