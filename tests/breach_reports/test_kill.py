"""SIGKILL between the bytes that arrived and the answer: either nobody was given a receipt, or the report is there (promise 10)."""

import http.client
import random
import re
import signal
import time

import pytest

from tests import programs
from tests.access.mortal import MOMENTS
from tests.journeys.served import FIRST, PDF, READY_SECONDS, Served, filled_in
from tests.journeys.traces import left_in_files, left_in_postgres
from tests.ports import free_port

pytestmark = pytest.mark.slow
NARRATIVE = "رأيت ملفات المستفيدين في مكان لا ينبغي أن تكون فيه"
STRANGER = "203.0.113.9"
CONTENT = PDF + b"what was seen " * 45_000


def start(vault: Served, moment: str, count: int) -> programs.Program:
    """Start the vault so that it dies at the count-th such moment."""
    vault.port, vault.metrics_port = free_port(), free_port()
    with vault.log.open("ab") as said:
        ports = ("--port", str(vault.port), "--metrics-port", str(vault.metrics_port))
        process = programs.begin("tests.access.mortal", moment, str(count), "serve", *ports, env=vault._environment(), out=said)
    vault._process = process
    end = time.monotonic() + READY_SECONDS
    while not vault._is_ready():
        assert process.poll() is None, vault.log.read_text(errors="replace")[-800:]
        assert time.monotonic() < end, "not ready"
        time.sleep(0.03)
    return process


def bring_files_until_it_dies(vault: Served, process: programs.Program) -> list[str]:
    """Report with a file of ten pieces, one after another, until the vault is gone; the references of those whose receipt was given."""
    given: list[str] = []
    raw, headers = filled_in({"category": "other", "narrative": NARRATIVE}, [("a.pdf", CONTENT)])
    try:
        for _ in range(40):
            answer = vault.call("POST", f"/{FIRST}/report", raw=raw, headers=headers)
            assert answer.status == 201, answer.text
            found = re.search(r'id="receipt"[^>]*>[0-9A-Z-]{23}<.*id="reference">(BR-[0-9-]+)<', answer.text, re.DOTALL)
            assert found
            given.append(found[1])
    except (OSError, http.client.HTTPException):
        pass  # the vault is gone, as it should be
    assert process.wait(20) == -signal.SIGKILL, vault.log.read_text(errors="replace")[-800:]
    vault._process = None
    return given


def bring_until_it_dies(vault: Served, process: programs.Program) -> list[str]:
    """Report one after another until the vault is gone; the receipts of those that were answered."""
    receipts: list[str] = []
    try:
        for _ in range(40):
            body = {"category": "other", "narrative": NARRATIVE, "language": "ar"}
            path, via = f"/v1/public/{FIRST}/breach-reports", {"X-Forwarded-For": STRANGER}
            answer = vault.call("POST", path, body, headers=via)
            assert answer.status == 201, answer.text
            receipts.append(answer.json["receipt"])
    except (OSError, http.client.HTTPException):
        pass  # the vault is gone, as it should be
    assert process.wait(20) == -signal.SIGKILL, vault.log.read_text(errors="replace")[-800:]
    vault._process = None
    return receipts


@pytest.mark.engines("sqlite", "postgresql")
def test_a_receipt_that_was_given_opens_its_report_whenever_the_vault_was_killed(unserved: Served):
    vault, rng, kept = unserved, random.Random(), 0
    vault.settings["AMANAH_TRUSTED_PROXIES"] = "127.0.0.0/8"  # so that it learns the reporters' addresses
    vault.found()
    for moment in MOMENTS:
        # Start and readiness are such moments too, so the least leaves room for them.
        receipts = bring_until_it_dies(vault, start(vault, moment, rng.randrange(8, 18)))
        vault.start()
        for receipt in receipts:
            answer = vault.call("POST", f"/v1/public/{FIRST}/breach-reports/status", {"receipt": receipt})
            assert answer.status == 200, (moment, answer.text)
        kept += len(receipts)
        assert vault.call("GET", "/metrics", port=vault.metrics_port).body.count(STRANGER.encode()) == 0
        vault.stop()
    assert kept > 10
    vault.run("log", "verify")
    left = [*left_in_files(vault.folder), *(left_in_postgres(vault.address) if vault.address else ())]
    assert [place for place, content in left if STRANGER.encode() in content or STRANGER.encode().hex().encode() in content] == []
    print(f"{len(MOMENTS)} kills, {kept} receipts given and all of them open")  # noqa: T201 - the counts are asked for


def test_a_report_whose_receipt_was_given_has_its_files_whole_whenever_the_vault_was_killed(unserved: Served):
    vault, rng, kept = unserved, random.Random(), 0
    given: set[str] = set()
    vault.found()
    for moment in MOMENTS:
        # A report with a file of ten pieces is a handful of deeds; now and then the stroke falls among the pieces.
        given.update(bring_files_until_it_dies(vault, start(vault, moment, rng.randrange(9, 19))))
        vault.start()
        officer, there = vault.session("officer"), set()
        lists = [vault.call("GET", f"/v1/breach-reports?limit=500{more}", token=officer) for more in ("", "&state=quarantined")]
        for item in (each for one in lists for each in one.json["items"]):  # ten of one network at once, and those after aside
            read = vault.call("GET", f"/v1/breach-reports/{item['id']}", token=officer).json
            [file] = read["files"]
            shown = vault.call("GET", f"/v1/breach-reports/{item['id']}/files/{file['id']}", token=officer)
            assert (shown.status, shown.body) == (200, CONTENT), moment
            there.add(item["reference"])
        assert given <= there, moment
        kept = len(there)
        vault.stop()
    assert given
    vault.run("log", "verify")
    print(f"{len(MOMENTS)} kills, {len(given)} receipts given, every file of {kept} reports whole")  # noqa: T201 - the counts are asked for
