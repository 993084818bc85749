"""A disclosure of several pages over the network: killed and cut off in its midst, taken up where it ended, nowhere in the clear."""

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest

from keys.bundles import CONTENT, unbundled
from keys.packages import PackageKey, read_package
from keys.secret import Secret
from tests.journeys.served import Answer, Served, moment
from tests.journeys.test_scans import watched

RNG = random.Random("pages")
CANARY = "سعدى"
PAGES, ON_A_PAGE = 3, 4


@dataclass
class Released:
    """An approved disclosure of several pages on an order of a court, and who stands on each."""

    vault: Served
    key: PackageKey
    id: str
    order: str
    pages: list[list[str]]

    def page(self, number: int) -> Answer:
        """The package of one page."""
        path = f"/v1/disclosures/{self.id}/package?page={number}"
        return self.vault.call("GET", path, token=self.vault.session("officer"))

    def opened(self, answer: Answer) -> dict[str, Any]:
        """What is in it."""
        assert answer.status == 200, answer.text
        found: dict[str, Any] = json.loads(unbundled(self.key.opened(read_package(answer.body)))[CONTENT])
        return found


def ask(vault: Served, method: str, path: str, body: object = None, who: str = "officer") -> Any:
    token = vault.approver(who) if who == "second_officer" else vault.session(who)
    answer = vault.call(method, f"/v1{path}", body, token=token)
    assert answer.status in (200, 201), (path, answer.text)
    return answer.json


@pytest.fixture(scope="module")
def released(served: Served) -> Released:
    key = PackageKey(Secret.random())
    names = [f"{CANARY} {number}" for number in range(PAGES * ON_A_PAGE)]
    records = [served.store(served.fields(RNG, full_name=name))["id"] for name in names]
    pages = [records[first : first + ON_A_PAGE] for first in range(0, len(records), ON_A_PAGE)]
    public = {"type": "hpke-x25519", "public": key.public}
    ask(served, "PUT", "/recipients/court", {"name": {"ar": "محكمة", "en": "Court"}, "kind": "authority", "country": "SA", "key": public})
    ask(served, "POST", "/recipients/court/key-confirmation", {"fingerprint": key.fingerprint}, "second_officer")
    order: dict[str, Any] = {"authority": "المحكمة", "kind": "judicial", "number": "1", "issued_on": moment()[:10], "recipient": "court"}
    order |= {"fields": ["full_name"], "valid_from": moment(-60), "valid_to": moment(3600), "document_sha256": "cd" * 32, "uses": 1}
    made = ask(served, "POST", "/orders", {**order, "records": pages[0]})["id"]
    asked = {"basis": "order", "order": made, "recipient": "court", "fields": ["full_name"], "purpose": "legal_order"}
    for page in pages[1:]:
        ask(served, "POST", f"/orders/{made}/records", {"records": page})
    ask(served, "POST", f"/orders/{made}/approval", {"pages": PAGES}, "second_officer")
    id_ = ask(served, "POST", "/disclosures", {**asked, "records": pages[0]})["id"]
    for page in pages[1:]:
        ask(served, "POST", f"/disclosures/{id_}/records", {"records": page})
    ask(served, "POST", f"/disclosures/{id_}/approval", {"pages": PAGES}, "second_officer")
    return Released(served, key, id_, made, pages)


def killed(released: Released, number: int, after: float) -> None:
    """Ask for a page, kill the server so many seconds later, and start it again."""

    def asking() -> None:
        try:
            released.page(number)
        except (OSError, http.client.HTTPException):
            return  # nobody is there any more

    asker = threading.Thread(target=asking)
    released.vault.session("officer")
    asker.start()
    time.sleep(after)
    process = released.vault._process
    assert process is not None
    process.kill()
    process.wait()
    asker.join()
    released.vault.start()


def hung_up(released: Released, number: int) -> None:
    """Ask for a page and leave after the first bytes of it."""
    line = http.client.HTTPConnection("127.0.0.1", released.vault.port, timeout=30)
    token = released.vault.session("officer")
    line.request("GET", f"/v1/disclosures/{released.id}/package?page={number}", headers={"Authorization": f"Bearer {token}"})
    line.getresponse().read(100)
    line.close()


def test_after_a_kill_and_a_broken_line_every_page_is_there_and_everybody_is_in_the_log(released: Released):
    vault = released.vault
    assert released.opened(released.page(1))["page"] == {"number": 1, "of": PAGES}
    for after in (0.0, 0.03, 0.2):
        killed(released, 2, after)
    hung_up(released, 2)
    given = [record["id"] for number in range(1, PAGES + 1) for record in released.opened(released.page(number))["records"]]
    assert given == [record for page in released.pages for record in page]
    for record in given:
        report = vault.call("GET", f"/v1/records/{record}/access-report", token=vault.session("officer")).json["items"]
        assert [item["basis"] for item in report if item["kind"] == "disclose"], record
    order = ask(vault, "GET", f"/orders/{released.order}", None, "second_officer")
    assert (order["executed"], order["state"]) == (1, "spent")
    assert vault.run("log", "verify", "--deep")
    for file in [one for one in (*vault.data.rglob("*"), vault.log) if one.is_file()]:
        assert CANARY.encode() not in file.read_bytes(), file.name


def test_nothing_of_a_page_is_ever_in_a_file(released: Released):
    released.page(3)  # what a process reads once, it has read by now
    with watched(released.vault) as opened:
        names = [record["fields"]["full_name"] for record in released.opened(released.page(3))["records"]]
    assert [name[: len(CANARY)] for name in names] == [CANARY] * ON_A_PAGE
    own = (str(released.vault.data), str(released.vault.log), "/dev/", "/proc/")
    assert {one for one in opened if one.startswith("/") and not one.startswith(own)} == set(), "a temporary file"
