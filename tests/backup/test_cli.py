"""`amanah backup` and `amanah restore` as an operator types them: what they print, what they refuse, and in how many words."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vault.cli import main
from vault.identity.opening import RESTORING
from vault.settings import PREFIX

NOBODY = "amanah: "


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a vault of one association, a recovery key and its public half."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AMANAH_ROOT_KEY_FILE", str(tmp_path / "root"))
    monkeypatch.chdir(tmp_path)
    assert run("init", "--association", "birr", "--data-dir", "live").exit_code == 0
    made = run("package", "keygen", "recovery.key")
    (tmp_path / "recovery.pub").write_text(made.stdout)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def copied(home: Path) -> Path:
    made = run("backup", "--to", "copies", "--recipient", "recovery.pub", "--data-dir", "live")
    assert made.exit_code == 0, made.output
    return max((home / "copies").iterdir())


def test_a_copy_is_made_proven_and_put_back_as_the_page_says(home: Path):
    made = run("backup", "--to", "copies", "--recipient", "recovery.pub", "--journal-to", "journals", "--data-dir", "live")
    assert made.exit_code == 0, made.output
    assert "birr: copies/birr-" in made.stdout
    assert "proven: the log from its bytes up" in made.stdout
    assert "birr: the journal is copied to journals/birr" in made.stdout
    [copy] = (home / "copies").iterdir()
    verified = run("backup", "verify", str(copy), "--identity", "recovery.key", "--data-dir", "live")
    assert (verified.exit_code, verified.stdout) == (0, "birr: the copy holds: 6 entries, and 0 containers that open\n")
    place = home / "new" / "associations" / "birr"
    words = ("restore", "--from", str(copy), "--identity", "recovery.key", "--data-dir", "new")
    assert run(*words).stderr.startswith(f"amanah: the association's own files lie in {place}: put its epochs there first")
    place.mkdir(parents=True)
    assert run(*words).stderr.startswith("amanah: epochs-missing: ")
    shutil.copy(home / "live" / "associations" / "birr" / "epochs", place)
    assert run(*words, "--journal", "journals/birr/journal").stderr.startswith("amanah: journal-incomplete: ")
    checkpoint = "live/associations/birr/checkpoint"
    done = run(*words, "--journal", "journals/birr/journal", "--checkpoint", checkpoint)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "birr: restored; the log goes on as epoch 2: copy the new checkpoint out, and tell who pins the log's key",
        "birr: 0 doors closed again that were closed after the copy was made",
    ]
    assert run("log", "verify", "--deep", "--data-dir", "new").exit_code == 0
    assert run("log", "verify", "--data-dir", "new", "--checkpoint", checkpoint).exit_code == 0
    assert "checkpoint" not in run("doctor", "--data-dir", "new").output
    assert run(*words).stderr.startswith("amanah: restore-not-empty: ")


def test_without_a_journal_it_has_to_be_said_and_says_what_follows(home: Path):
    copy, place = copied(home), home / "new" / "associations" / "birr"
    place.mkdir(parents=True)
    shutil.copy(home / "live" / "associations" / "birr" / "epochs", place)
    done = run("restore", "--from", str(copy), "--identity", "recovery.key", "--data-dir", "new", "--without-journal")
    assert done.exit_code == 0, done.output
    assert "every API key and session is revoked, and nothing leaves until two people confirm" in done.stdout
    assert "birr: restore: not confirmed, so that nothing is disclosed, sent or published" in run("doctor", "--data-dir", "new").stdout


def test_what_was_lost_is_told_to_who_holds_a_newer_checkpoint(home: Path):
    copy = copied(home)
    made = run("backup", "--to", "later", "--recipient", "recovery.pub", "--data-dir", "live")
    assert made.exit_code == 0, made.output
    place = home / "new" / "associations" / "birr"
    shutil.copytree(home / "live" / "associations" / "birr", place)
    assert run("restore", "--from", str(copy), "--identity", "recovery.key", "--data-dir", "new").exit_code == 0
    told = run("log", "verify", "--data-dir", "new", "--checkpoint", "live/associations/birr/checkpoint")
    assert told.exit_code == 1
    assert "the log was put back from a copy of 6 and goes on as epoch 2" in told.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("backup", "--data-dir", "live"), "--to names where the copy is made"),
        (("backup", "--to", "copies", "--data-dir", "live"), "--recipient names the key that opens the copy; without one nobody could"),
        (
            ("backup", "--to", "x", "--recipient", "recovery.pub", "--journal-to", "x", "--data-dir", "live"),
            "the journal is not kept beside",
        ),
        (("backup", "--to", "copies", "--recipient", "recovery.key", "--data-dir", "live"), "backup-recipient: "),
        (("backup", "--to", "copies", "--recipient", "nowhere", "--data-dir", "live"), "FileNotFoundError: nowhere"),
        (
            ("backup", "--to", "c", "--recipient", "recovery.pub", "--association", "x", "--data-dir", "live"),
            "there is no such association",
        ),
        (("backup", "--to", "c", "--recipient", "recovery.pub", "--data-dir", "nowhere"), "there is no vault in "),
        (("backup", "verify", "nowhere", "--identity", "recovery.key", "--data-dir", "live"), "manifest: backup-altered: "),
        (("restore", "--from", "nowhere", "--identity", "recovery.key", "--data-dir", "new"), "manifest: backup-altered: "),
    ],
)
def test_what_cannot_be_done_is_one_line(home: Path, words: tuple[str, ...], told: str):
    done = run(*words)
    assert done.exit_code == 1
    assert done.stderr.startswith(NOBODY + told), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_no_private_key_is_said(home: Path):
    copy = copied(home)
    (home / "wrong").write_text("x")
    (home / "wrong").chmod(0o400)
    told = run("backup", "verify", str(copy), "--identity", "wrong", "--data-dir", "live")
    assert told.stderr == "amanah: the file of --identity holds no private key\n"
    run("package", "keygen", "other.key")
    told = run("backup", "verify", str(copy), "--identity", "other.key", "--data-dir", "live")
    assert told.stderr.startswith("amanah: backup-foreign: ")


def test_old_keys_and_what_was_never_finished_are_removed(home: Path):
    copy = copied(home)
    (home / "copies" / "birr-20200101T000000Z.part").mkdir()
    assert run("backup", "prune", "copies").stdout.endswith("removed, it was never finished\n")
    assert (copy / "keys").exists()
    assert run("backup", "prune", "copies", "--older-than", "36").exit_code == 2, "no longer than 35 days"
    text = (copy / "manifest").read_text()
    (copy / "manifest").write_text(text.replace(text.partition("time ")[2][:4], "2020", 1))
    gone = run("backup", "prune", "copies")
    assert gone.stdout == f"{copy.relative_to(home)}/keys: removed\n"
    assert (copy / "data").exists()
    told = run("backup", "verify", str(copy), "--identity", "recovery.key", "--data-dir", "live")
    assert told.stderr.startswith("amanah: keys: backup-altered: ")


def test_a_restore_that_was_not_ended_opens_nothing(home: Path):
    marker = home / "live" / "associations" / "birr" / RESTORING
    marker.write_text(json.dumps({"backup": "00"}))
    told = run("serve", "--data-dir", "live")
    assert told.stderr.startswith("amanah: restore-to-finish: ")
    (home / "live" / "associations" / "other").mkdir()
    shutil.move(marker, home / "live" / "associations" / "other" / RESTORING)
    told = run("serve", "--data-dir", "live")
    assert told.stderr.startswith("amanah: restore-unfinished: ")
