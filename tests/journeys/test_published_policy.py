"""An association publishes its own policy from the command line, and the public reads it: the program as an operator starts it."""

import hashlib

import pytest

from tests import programs
from tests.journeys.served import FIRST, Served
from tests.publication.damaged import DAMAGED
from tests.publication.policies import POLICIES, policy

OTHER = "second"
NOTICE = f"/v1/public/{FIRST}/notice"


@pytest.fixture(scope="module")
def house(founded: Served) -> Served:
    """Two associations in one served vault."""
    founded.found(OTHER)
    founded.start()
    return founded


def run(vault: Served, content: bytes) -> str:
    """Run `amanah notice publish` as the administrator of the other association; return what it printed."""
    account = vault.secrets[OTHER]["staff"]["admin"]
    folder = vault.folder / "publishing"
    folder.mkdir(exist_ok=True)
    path, sign_in = folder / "policy.txt", folder / "sign-in"
    path.write_bytes(content)
    sign_in.write_text(
        "\n".join((account["username"], account["password"], vault.code("admin", OTHER), vault.code("admin", OTHER))), encoding="utf-8"
    )
    command = ["notice", "publish", str(path), "--approved-by", "مجلس الإدارة", "--on", "1445-01-09"]
    command += ["--server", f"http://127.0.0.1:{vault.port}", "--sign-in-file", str(sign_in)]
    made = programs.run("vault", *command, env=vault._environment())
    assert made.returncode == 0, made.stderr.decode(errors="replace")[-800:]
    # What was handed over is no file of the vault's, and is not looked for there.
    for each in (path, sign_in):
        each.unlink()
    return made.stdout.decode()


def publish(vault: Served, text: str) -> int:
    """Publish in a session that is stepped up; return the version."""
    body = {"text": text, "approved_by": "مجلس الإدارة", "approved_on": "1445-01-09"}
    made = vault.call("POST", "/v1/policies", body, token=vault.approver("admin"))
    assert made.status == 201, made.text
    return int(made.json["version"])


def test_a_policy_goes_from_the_file_to_the_page_and_another_associations_stays_as_it_was(house: Served):
    before = house.call("GET", NOTICE).json
    said = run(house, DAMAGED.encode())
    sha256 = hashlib.sha256(DAMAGED.encode()).hexdigest()
    told = house.call("GET", f"/v1/public/{OTHER}/notice")
    assert said.splitlines()[:2] == [f"version {told.json['policy']['version']['version']} is published", f"sha256 {sha256}"]
    assert (told.status, told.json["policy"]["text"], told.json["policy"]["version"]["sha256"]) == (200, DAMAGED, sha256)
    page = house.call("GET", f"/{OTHER}/privacy", headers={"Accept-Language": "en"})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert sha256 in page.text
    assert "set-cookie" not in page.headers
    assert house.call("GET", NOTICE).json == before


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_there_is_goes_through_whole(house: Served, name: str):
    content = policy(name)
    version = publish(house, content.decode())
    told = house.call("GET", f"{NOTICE}/document")
    assert (told.status, told.body) == (200, content)
    assert house.call("GET", NOTICE).json["history"][0]["version"] == version
    assert house.call("GET", f"/{FIRST}/privacy").status == 200


def test_after_a_restart_every_version_is_there_and_doctor_has_nothing_against_them(house: Served):
    publish(house, "النسخة الأخيرة")
    before = house.call("GET", NOTICE).json
    house.stop()
    house.start()
    assert house.call("GET", NOTICE).json == before
    for each in before["history"]:
        told = house.call("GET", f"{NOTICE}/document?version={each['version']}")
        assert hashlib.sha256(told.body).hexdigest() == each["sha256"]
    examined = programs.run("vault", "doctor", env=house._environment())
    assert not [
        line for line in examined.stdout.decode().splitlines() if "ceremony account" not in line and "its review was due" not in line
    ]
    house.run("log", "verify", "--deep")


def test_the_output_of_the_service_holds_nothing_of_a_document(house: Served):
    publish(house, DAMAGED)
    assert house.call("GET", f"/{FIRST}/privacy").status == 200
    said = house.said(b'"route":"/{association}/privacy"').decode()
    assert DAMAGED.split()[0] not in said
    assert "النسخة" not in said
    assert "Traceback" not in said
