"""`amanah audit` as a compliance officer uses it: she signs in, reads a table, keeps a file, and holds the checkpoint it ends in."""

import contextlib
import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests import programs
from tests.journeys.served import FIRST, Served
from vault.audit_cli import audit as command
from vault.calling import Person, Service


@pytest.fixture(scope="module")
def house(founded: Served) -> Served:
    """A served vault in which somebody was read, and somebody was not."""
    founded.start()
    fields = {"full_name": "فاطمة الشمري", "identity_note": "=1+1"}
    seen, unseen = founded.store(fields), founded.store(fields)
    founded.grant(seen["id"], founded.consent("electronic", "service_delivery", ["full_name"]))
    for one in (seen, unseen):
        founded.call("GET", f"/v1/records/{one['id']}?purpose=service_delivery&fields=full_name", token=founded.key())
    founded.data.joinpath("seen").write_text(seen["id"])
    return founded


@pytest.fixture
def audit(house: Served, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in this process against the service, in a session that is open already: each sign-in takes a code of its own."""

    @contextlib.contextmanager
    def session(service: Service, _person: Person) -> Iterator[None]:
        with contextlib.closing(service._line):
            service._token = house.session("officer")
            yield

    monkeypatch.setattr(Service, "session", session)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*words: str) -> Result:
        return CliRunner().invoke(command, [*words, "--server", f"http://127.0.0.1:{house.port}"])

    return run


def test_who_saw_a_person_is_a_table_that_ends_in_the_checkpoint(house: Served, audit: Callable[..., Result]):
    record = house.data.joinpath("seen").read_text()
    said = audit("who-saw", "--record", record)
    assert said.exit_code == 0, said.stderr
    assert "Record read" in said.stdout
    assert "service_delivery" in said.stdout
    assert "electronic_consent" in said.stdout
    last = said.stdout.split("Complete to this checkpoint of ")[1]
    assert f"entries:\namanah/{FIRST}/1\n" in last
    arabic = audit("who-saw", "--record", record, "--lang", "ar")
    assert "اطلاع على سجل" in arabic.stdout
    assert "مكتمل حتى نقطة التحقق التالية" in arabic.stdout


@pytest.mark.parametrize(("columns", "language"), [(80, "en"), (80, "ar"), (120, "ar"), (170, "en"), (200, "en"), (260, "ar")])
def test_on_an_ordinary_terminal_no_id_is_broken_and_an_entry_takes_few_lines(
    house: Served, audit: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, columns: int, language: str
):
    monkeypatch.setenv("COLUMNS", str(columns))
    record = house.data.joinpath("seen").read_text()
    said = audit("who-saw", "--record", record, "--lang", language).stdout
    (entry,) = house.call("GET", f"/v1/access-log/questions/who-saw?record={record}", token=house.session("officer")).json["items"]
    shown = said[: said.index("amanah/")].splitlines()
    for whole in (record, entry["entry"]["actor"], "service_delivery", "electronic_consent", "full_name"):
        assert any(whole in line for line in shown), whole
    assert len(shown) < 15
    assert max(map(len, shown)) <= columns


def test_the_checkpoint_an_answer_ends_in_verifies(house: Served, audit: Callable[..., Result], tmp_path: Path):
    note = tmp_path / "note"
    said = audit("refused").stdout
    note.write_text(said[said.index(f"amanah/{FIRST}/1\n") :], encoding="utf-8")
    verified = programs.run("vault", "log", "verify", "--checkpoint", str(note), env=house._environment())
    assert verified.returncode == 0, verified.stderr


def test_a_file_holds_every_page_and_no_formula_and_ends_in_the_checkpoint(house: Served, audit: Callable[..., Result], tmp_path: Path):
    lines, table = tmp_path / "log.jsonl", tmp_path / "log.csv"
    asked = ("between", "--from", "2000-01-01T00:00:00Z", "--most", "100000")
    said = audit(*asked, "--export", str(lines))
    assert said.exit_code == 0, said.stderr
    assert (lines.stat().st_mode & 0o777) == 0o600
    *items, end = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [one["entry"]["index"] for one in items] == list(range(end["complete_to"]))[::-1]
    assert end["checkpoint"].startswith(f"amanah/{FIRST}/1\n{end['complete_to']}\n")
    again = audit(*asked, "--export", str(lines))
    assert (again.exit_code, "nothing is written over" in again.stderr) == (1, True)
    assert audit(*asked, "--lang", "ar", "--export", str(table)).exit_code == 0
    content = table.read_text(encoding="utf-8")
    assert content.startswith('\ufeff"القيد","الوقت (الرياض)","من",')
    rows = list(csv.reader(content.splitlines()))
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)
    assert f"amanah/{FIRST}/1" in content


def test_more_than_was_asked_for_is_said_with_where_to_go_on(audit: Callable[..., Result]):
    said = audit("between", "--from", "2000-01-01T00:00:00Z", "--most", "2").stdout
    after = said.split("There is more: --after ")[1].split("\n")[0]
    more = audit("between", "--from", "2000-01-01T00:00:00Z", "--most", "1", "--after", after).stdout
    assert re.search(rf"^│ *{int(after) - 1} *│", more, re.MULTILINE) is not None


def test_what_cannot_be_asked_is_one_line(audit: Callable[..., Result], tmp_path: Path):
    assert audit("who-saw").stderr.startswith("amanah: invalid (record): ")
    assert "writes .jsonl or .csv" in audit("refused", "--export", str(tmp_path / "log.xlsx")).stderr
    assert audit("who").exit_code == 2


def test_it_signs_in_as_a_person_and_is_the_programs_own_command(house: Served):
    account, sign_in = house.secrets[FIRST]["staff"]["officer"], house.folder / "sign-in"
    told = {}
    for password in (account["password"], "another one"):
        sign_in.write_text("\n".join((account["username"], password, house.code("officer"))), encoding="utf-8")
        words = ["audit", "refused", "--server", f"http://127.0.0.1:{house.port}", "--sign-in-file", str(sign_in)]
        told[password] = subprocess.run([sys.executable, "-m", "vault", *words], env=house._environment(), capture_output=True, check=False)
        sign_in.unlink()
    assert b"Complete to this checkpoint" in told[account["password"]].stdout
    assert told["another one"].stderr.startswith(b"amanah: unauthenticated: ")
