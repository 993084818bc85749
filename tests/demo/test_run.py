"""The demonstration as a whole, over real HTTP: the story comes out as told, and one wrong word in it makes exit 1."""

import json
import os
import re
import shlex
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.demo.test_own_words import DOCUMENT
from vault.demo import run as demo
from vault.demo import story, vault_process
from vault.demo.client import Answer, Client
from vault.demo.people import Family, beneficiaries
from vault.demo.scene import Scene
from vault.demo.story import STEPS, Step
from vault.demo.telling import Line, Teller, Told

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN = [
    line for block in re.findall(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL) for line in block.splitlines() if line.strip()
]


@pytest.fixture(autouse=True)
def nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    yield
    assert list(tmp_path.glob("amanah-demo-*")) == []
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_every_answer_of_the_story_is_as_told(capsys: pytest.CaptureFixture[str]):
    assert demo.run(records=12, seed="test") == 0
    told = capsys.readouterr().out
    for number in range(1, 11):
        assert f"\n{number}. " in told
    for part in (
        "check-digit",
        "no-consent",
        "fields-not-covered",
        "unknown-purpose",
        "CONSENT_WITHDRAWN",
        "EVIDENCE_INSUFFICIENT",
        "order-scope",
        "503 integrity",
        "copy-opens-until-retired",
        "the log holds",
    ):
        assert part in told
    assert "every answer as told" in told
    assert "not as told" not in told
    lines = {line.strip() for line in told.splitlines()}
    assert [line for line in SHOWN if line.strip() not in lines] == [], "the README shows what the demonstration does not say"


def test_steps_stand_in_the_order_of_the_design():
    assert [step.number for step in STEPS] == sorted({step.number for step in STEPS})


@pytest.mark.slow
def test_one_answer_that_is_not_as_told_makes_exit_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    policy = tmp_path / "policy.txt"
    policy.write_text(DOCUMENT, encoding="utf-8")

    def wrong(teller: Teller, scene: Scene) -> None:
        teller.ask(Line("", ""), story._store(scene.widow), Told(status=201))
        teller.ask(Line("", ""), story._store(scene.widow), Told(status=403, code="no-consent"))

    monkeypatch.setattr(story, "STEPS", (STEPS[0], Step(2, Line("", ""), wrong)))
    assert demo.run(records=1, policy=policy) == 1
    told = capsys.readouterr().out
    assert told.count("✗ 2: status: 201, told 403") == 1
    assert "1 من 4" in told


def test_a_document_without_articles_is_refused_before_anything_is_founded(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    policy = tmp_path / "policy.txt"
    policy.write_text("لا شيء", encoding="utf-8")
    assert demo.run(records=1, policy=policy) == 1
    assert "policy.txt" in capsys.readouterr().out


def test_a_port_that_is_taken_is_said_and_nothing_is_left(capsys: pytest.CaptureFixture[str], free_port: int):
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        assert demo.run(records=1, serve=True, port=free_port) == 1
    assert f"127.0.0.1:{free_port} is taken" in capsys.readouterr().out


def pasted(line: str) -> Answer:
    """What the vault answers to a curl line, read as a shell would read it."""
    words = shlex.split(line)
    headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
    bodies = [words[i + 1] for i, word in enumerate(words) if word == "-d"]
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*)", words[-1])
    assert found
    client = Client(int(found[1]), headers["Authorization"].removeprefix("Bearer "))
    answer = client.call("POST" if bodies else "GET", found[2], json.loads(bodies[0]) if bodies else None)
    client.close()
    return answer


@pytest.mark.slow
def test_served_it_says_loudly_what_it_is_and_its_curl_lines_work_until_it_is_ended(capfd: pytest.CaptureFixture[str], free_port: int):
    said: list[str] = []
    answers: list[Answer] = []
    pages: list[str] = []
    ended = threading.Event()

    def visitor() -> None:
        while not ended.wait(0.05) and "Ctrl-C" not in "".join(said):
            said.append(capfd.readouterr().out)
        if ended.is_set():
            # It never served: a signal now would end the tests themselves.
            return
        answers.extend(pasted(line) for line in "".join(said).splitlines() if line.startswith("curl "))
        pages.extend(httpx.get(f"http://127.0.0.1:{free_port}/demo/{page}?lang=en").text for page in ("privacy", "report", "report/status"))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=visitor)
    thread.start()
    status = demo.run(records=1, serve=True, port=free_port)
    ended.set()
    thread.join()
    told = "".join(said)
    assert status == 0
    assert [answer.status for answer in answers] == [201, 200, 200]
    assert set(answers[1].json["fields"]) == {"full_name", "mobile"}
    assert answers[2].json["reason"] == "NO_CONSENT"
    for page in pages:
        assert "هذا عرض تجريبي" in page
        assert "Demonstration association" in page
    assert len(pages) == 3
    for part in ("THIS IS A DEMONSTRATION", "عرض تجريبي", "officer@demo", "totp_secret", "code now: ", f"http://127.0.0.1:{free_port}"):
        assert part in told


def test_a_server_that_ends_by_itself_ends_the_demonstration(
    capsys: pytest.CaptureFixture[str], free_port: int, monkeypatch: pytest.MonkeyPatch
):
    def ended(_vault: object, _port: int) -> None:
        raise vault_process.NotServing("log-missing")

    monkeypatch.setattr(vault_process.VaultProcess, "serve", ended)
    assert demo.run(records=1, serve=True, port=free_port) == 1
    assert "log-missing" in capsys.readouterr().out


def test_a_people_the_vault_does_not_take_ends_the_demonstration(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def spoilt(seed: str, year: int, count: int) -> list[Family]:
        family = beneficiaries(seed, year, count)[0]
        members = tuple(replace(member, fields={**member.fields, "full_name": ""}) for member in family.members)
        return [replace(family, members=members)]

    monkeypatch.setattr(demo, "beneficiaries", spoilt)
    assert demo.run(records=1) == 1
    assert "full_name" in capsys.readouterr().out
