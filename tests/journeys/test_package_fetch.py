"""`amanah package fetch` as an officer uses it: all pages, taken up after a break, what is there left alone, what is missing said."""

import contextlib
import hashlib
import json
import random
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from keys.age import AgeKey, new_key
from keys.age_packages import open_age_package
from keys.notes import Signer
from keys.packages import AGE, HPKE, PackageKey, fingerprint, read_package, require_standing
from keys.secret import Secret
from tests.journeys.served import NOBODY, Served, moment
from tests.journeys.test_package_pages import ask
from vault import package_fetch
from vault.calling import Person, Service
from vault.cli import main

RNG = random.Random("fetch")
PAGES = 3


@dataclass
class Court:
    """A served vault whose officer discloses to a court, and to one that has the stock tool."""

    vault: Served
    key: PackageKey
    age: AgeKey

    def disclosed(self, pages: int = PAGES, recipient: str = "court", *, approved: bool = True) -> tuple[str, list[list[str]]]:
        """A disclosure of two people a page on an order of its own; its id, and the records of each page."""
        records = [[self.vault.store(self.vault.fields(RNG))["id"] for _ in range(2)] for _ in range(pages)]
        order: dict[str, Any] = {
            "authority": "المحكمة",
            "kind": "judicial",
            "number": "1",
            "issued_on": moment()[:10],
            "recipient": recipient,
        }
        order |= {"fields": ["full_name"], "valid_from": moment(-60), "valid_to": moment(3600), "document_sha256": "cd" * 32}
        made = self._paged("/orders", order, records)
        asked = {"basis": "order", "order": made, "recipient": recipient, "fields": ["full_name"], "purpose": "legal_order"}
        return self._paged("/disclosures", asked, records, approved=approved), records

    def released(self, id_: str) -> int:
        """How many packages left on a disclosure."""
        return int(ask(self.vault, "GET", f"/disclosures/{id_}")["packages"])

    def _paged(self, path: str, body: dict[str, Any], records: list[list[str]], *, approved: bool = True) -> str:
        id_ = str(ask(self.vault, "POST", path, {**body, "records": records[0]})["id"])
        for page in records[1:]:
            ask(self.vault, "POST", f"{path}/{id_}/records", {"records": page})
        if approved:
            ask(self.vault, "POST", f"{path}/{id_}/approval", {"pages": len(records)}, "second_officer")
        return id_


@pytest.fixture(scope="module")
def court(served: Served) -> Court:
    key, (private, public) = PackageKey(Secret.random()), new_key()
    for code, kind, shown in (("court", HPKE, key.public), ("tool", AGE, public)):
        party = {"name": {"ar": "محكمة", "en": "Court"}, "kind": "authority", "country": "SA", "key": {"type": kind, "public": shown}}
        ask(served, "PUT", f"/recipients/{code}", party)
        ask(served, "POST", f"/recipients/{code}/key-confirmation", {"fingerprint": fingerprint(kind, shown)}, "second_officer")
    return Court(served, key, AgeKey(private))


@pytest.fixture
def run(court: Court, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """The command in this process against the service, in a session that is open already: each sign-in takes a code of its own."""

    @contextlib.contextmanager
    def session(service: Service, _person: Person) -> Iterator[None]:
        with contextlib.closing(service._line):
            service._token = court.vault.session("officer")
            yield

    monkeypatch.setattr(Service, "session", session)
    monkeypatch.setenv("COLUMNS", "200")

    def told(*words: str) -> Result:
        at = ("--server", f"http://127.0.0.1:{court.vault.port}", "--folder", str(tmp_path / "out"))
        return CliRunner().invoke(main, ["package", "fetch", *words, *at])

    return told


def file_of(folder: Path, id_: str, number: int, pages: int = PAGES) -> Path:
    return folder / "out" / f"{id_}-page-{number:02}-of-{pages:02}.package"


def states(result: Result) -> list[tuple[str, str]]:
    """How each page stands and why, of a run with --json."""
    return [(page["state"], page["why"]) for page in json.loads(result.stdout)["pages"]]


def test_every_page_is_fetched_once_and_the_table_says_so(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, records = court.disclosed()
    first = run(id_)
    assert first.exit_code == 0, first.output
    assert all(
        said in first.stdout for said in (f"Disclosure {id_} for court", "fetched now", "Records given", "No page is missing. Pages: 3.")
    )
    assert court.released(id_) == PAGES
    signed_by = ask(court.vault, "GET", "/recipients")["signed_by"]
    lines = (line.split("  ") for line in (tmp_path / "out" / package_fetch.SUMS).read_text().splitlines())
    sums = {name: digest for digest, name in lines}
    for number, page in enumerate(records, 1):
        file = file_of(tmp_path, id_, number)
        content = file.read_bytes()
        require_standing(read_package(content), 0, signed_by)
        assert all(record.encode() in court.key.opened(read_package(content)) for record in page)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert sums[file.name] == hashlib.sha256(content).hexdigest()
    again = run(id_, "--lang", "ar", "--vkey", signed_by)
    assert again.exit_code == 0, again.output
    assert all(said in again.stdout for said in ("لا ينقص أي جزء، وعدد الأجزاء 3.", "موجود"))
    assert "جُلب الآن" not in again.stdout
    assert court.released(id_) == PAGES, "what is there is not fetched again"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*sums, package_fetch.SUMS}


def test_after_a_kill_it_goes_on_with_what_is_missing(
    court: Court, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    id_, _ = court.disclosed()
    asked, whole = list[str](), Service.fetch

    def killed(service: Service, method: str, path: str, body: object = None) -> bytes:
        asked.append(path)
        if path.endswith("package?page=2"):
            process = court.vault._process
            assert process is not None
            process.kill()
            process.wait()
        return whole(service, method, path, body)

    with monkeypatch.context() as patched:
        patched.setattr(Service, "fetch", killed)
        broken = run(id_, "--json")
    assert broken.exit_code == 1
    assert states(broken) == [("fetched", ""), ("missing", "service-unreachable"), ("missing", "service-unreachable")]
    assert json.loads(broken.stdout)["missing"] == [2, 3]
    assert not [path for path in asked if path.endswith("package?page=3")], "nothing more is asked for"
    court.vault.start()
    before = court.released(id_)
    rest = run(id_)
    assert (rest.exit_code, court.released(id_) - before) == (0, 2), rest.output
    assert [word in rest.stdout for word in ("here already", "fetched now")] == [True, True]
    assert file_of(tmp_path, id_, 3).is_file()


def test_what_is_there_and_does_not_verify_is_fetched_again(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, _ = court.disclosed()
    other, _ = court.disclosed()
    assert [run(one).exit_code for one in (id_, other)] == [0, 0]
    files = [file_of(tmp_path, id_, number) for number in range(1, PAGES + 1)]
    files[0].write_bytes(files[0].read_bytes()[:-1])
    files[1].write_bytes(files[2].read_bytes())
    again = run(id_, "--json")
    assert states(again) == [("fetched", ""), ("fetched", ""), ("here", "")]
    files[0].write_bytes(file_of(tmp_path, other, 1).read_bytes())
    files[1].unlink()
    (tmp_path / "out" / package_fetch.SUMS).unlink()
    assert states(run(id_, "--json")) == [("fetched", ""), ("fetched", ""), ("here", "")]
    assert court.released(id_) == PAGES + 4
    sums = (tmp_path / "out" / package_fetch.SUMS).read_text().splitlines()
    assert len(sums) == PAGES, "what verifies is noted though it was not fetched"


def test_what_is_sealed_for_the_stock_tool_is_held_against_its_noted_digest(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, records = court.disclosed(2, "tool")
    assert run(id_).exit_code == 0
    file = file_of(tmp_path, id_, 1, 2)
    _, files = open_age_package(file.read_bytes(), court.age)
    assert records[0][0].encode() in files["content.json"]
    checked = subprocess.run(["sha256sum", "-c", package_fetch.SUMS], cwd=file.parent, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    file.write_bytes(file.read_bytes()[:-1])
    assert states(run(id_, "--json")) == [("fetched", ""), ("here", "")]
    (file.parent / package_fetch.SUMS).write_bytes(b"\xff no list\n")
    assert states(run(id_, "--json")) == [("fetched", "")] * 2, "whose digest nobody noted may have been cut short"


def test_a_page_that_may_not_be_given_is_missing_and_the_others_are_here(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, records = court.disclosed()
    ask_erasure = {"reason": "طلبت ذلك", "requested_by": "self"}
    for record in (*records[1], records[2][0]):
        made = court.vault.call("POST", f"/v1/records/{record}/erasure", ask_erasure, token=court.vault.session("officer"))
        assert made.status == 202, made.text
    told = run(id_, "--json")
    assert told.exit_code == 1
    pages = json.loads(told.stdout)["pages"]
    assert [(page["state"], page["why"], page["records"], page["left_out"]) for page in pages] == [
        ("fetched", "", 2, 0),
        ("missing", "decision-stale", None, None),
        ("fetched", "", 1, 1),
    ]
    assert [file_of(tmp_path, id_, number).is_file() for number in (1, 2, 3)] == [True, False, True]
    said = run(id_)
    assert "Pages missing: 1 of 3 (2)" in said.stdout
    ask(court.vault, "POST", f"/disclosures/{id_}/revocation", None, "second_officer")
    ended = run(id_, "--json")
    assert states(ended) == [("here", ""), ("missing", "disclosure-revoked"), ("here", "")]


def test_a_page_on_which_nothing_is_granted_has_no_package_and_is_not_missing(court: Court, run: Callable[..., Result]):
    id_, _ = court.disclosed(1, approved=False)
    [stranger] = [court.vault.store(court.vault.fields(RNG))["id"]]
    ask(court.vault, "POST", f"/disclosures/{id_}/records", {"records": [stranger]})
    early = run(id_, "--json")
    assert (early.exit_code, states(early)) == (1, [("missing", "not-approved")] * 2)
    ask(court.vault, "POST", f"/disclosures/{id_}/approval", {"pages": 2}, "second_officer")
    told = run(id_)
    assert (told.exit_code, "has no package" in told.stdout, "Nothing was granted" in told.stdout) == (0, True, True), told.output


def test_a_disclosure_of_one_page_is_fetched_too(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, _ = court.disclosed(1)
    assert (run(id_).exit_code, run(id_).exit_code, court.released(id_)) == (0, 0, 1)
    assert read_package(file_of(tmp_path, id_, 1, 1).read_bytes()).manifest.pages == 0


def test_what_another_key_signed_or_is_another_page_is_not_kept(
    court: Court, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    id_, _ = court.disclosed(2)
    foreign = run(id_, "--json", "--vkey", Signer("amanah/first/1", Secret.random()).vkey)
    assert (foreign.exit_code, states(foreign)) == (1, [("missing", "package-unsigned")] * 2)
    whole = Service.fetch
    with monkeypatch.context() as patched:
        patched.setattr(
            Service, "fetch", lambda service, method, path, body=None: whole(service, method, path.replace("e?page=2", "e?page=1"), body)
        )
        mixed = run(id_)
    assert mixed.exit_code == 1
    assert "missing: the package of another page came" in mixed.stdout
    assert [file_of(tmp_path, id_, number, 2).is_file() for number in (1, 2)] == [True, False]


def test_an_officer_signs_in_with_a_file_and_out_again(court: Court, tmp_path: Path):
    id_, _ = court.disclosed(1)
    account = court.vault.secrets["first"]["staff"]["officer"]
    lines = tmp_path / "lines"
    lines.write_text("\n".join((account["username"], account["password"], court.vault.code("officer"))), encoding="utf-8")
    at = ("--server", f"http://127.0.0.1:{court.vault.port}", "--sign-in-file", str(lines))
    said = court.vault.run("package", "fetch", id_, "--folder", str(tmp_path / "out"), *at)
    assert b"No page is missing" in said
    assert file_of(tmp_path, id_, 1, 1).is_file()


@pytest.mark.parametrize(("which", "said"), [("x", "amanah: not-found: a disclosure is named by its id"), (NOBODY, "amanah: not-found: ")])
def test_a_disclosure_that_is_none_is_said_in_one_line(run: Callable[..., Result], which: str, said: str):
    told = run(which)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith(said)
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("lie", [-1, 41, 10**9, "x", 1.5, True, [3], {"of": 3}])
def test_a_server_that_lies_about_the_pages_is_no_service_of_ours(
    court: Court, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: object
):
    id_, _ = court.disclosed(1)
    whole = Service.call

    def lying(service: Service, method: str, path: str, body: object = None) -> dict[str, Any]:
        told = whole(service, method, path, body)
        return {**told, "pages": lie} if path == f"/v1/disclosures/{id_}" else told

    monkeypatch.setattr(Service, "call", lying)
    told = run(id_)
    assert (told.exit_code, told.stdout) == (1, ""), told.output
    assert told.stderr.startswith("amanah: service-unreachable")
    assert [*(tmp_path / "out").iterdir()] == []


@pytest.mark.parametrize(("path", "member"), [("/v1/recipients", "signed_by"), ("", "recipient")])
def test_an_answer_that_lacks_what_ours_have_is_said_in_one_line(
    court: Court, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, path: str, member: str
):
    id_, _ = court.disclosed(1)
    whole = Service.call

    def short(service: Service, method: str, asked: str, body: object = None) -> dict[str, Any]:
        told = whole(service, method, asked, body)
        return {name: said for name, said in told.items() if name != member} if asked in {path, f"/v1/disclosures/{id_}{path}"} else told

    monkeypatch.setattr(Service, "call", short)
    told = run(id_)
    assert told.exit_code == 1
    assert told.stderr.startswith("amanah: service-unreachable"), (told.output, told.exception)


def test_a_link_in_the_folder_leads_no_package_elsewhere(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, _ = court.disclosed(2)
    (tmp_path / "out").mkdir(mode=0o700)
    victims = [tmp_path / name for name in ("page", "new", "sums")]
    for victim in victims:
        victim.write_bytes(b"mine")
    file = file_of(tmp_path, id_, 1, 2)
    file.symlink_to(victims[0])
    file.with_name(file.name + ".new").symlink_to(victims[1])
    (tmp_path / "out" / package_fetch.SUMS).symlink_to(victims[2])
    told = run(id_, "--json")
    assert states(told) == [("fetched", "")] * 2, told.output
    assert [victim.read_bytes() for victim in victims] == [b"mine"] * 3
    assert not file.is_symlink()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(court: Court, run: Callable[..., Result], tmp_path: Path):
    id_, _ = court.disclosed(1)
    (tmp_path / "out").write_bytes(b"a file")
    told = run(id_)
    assert told.exit_code in {1, 2}
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
