"""Nothing personal lies about: values planted in every place that takes one are in no file, row, log line, error, metric or address.

The values go in by every way there is (stored, read, refused, changed, mistyped, given as a consent, withdrawn, named for an account), and
are then looked for in every usual coding in all that the vault left.
"""

import random
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from keys.packages import PackageKey, read_package
from keys.secret import Secret
from tests.journeys.served import PDF, Answer, Served, filled_in, moment, multipart
from tests.journeys.traces import Canaries, found_in, left_by_the_server, left_in_files, left_in_postgres
from vault.policy.pack_file import PARTS

PURPOSE = "service_delivery"


@dataclass(slots=True)
class Life:
    """A vault that has lived: what was planted, every problem document it answered, and its metrics."""

    vault: Served
    canaries: Canaries
    problems: list[Answer] = field(default_factory=list)
    metrics: bytes = b""
    read_back: int = 0

    def call(self, method: str, path: str, body: object = None, *, expected: int | None = None, **more: Any) -> Answer:
        """One call; a problem document is kept to be looked through."""
        more.setdefault("token", self.vault.key())
        answer = self.vault.call(method, path, body, **more)
        assert expected is None or answer.status == expected, answer.text
        if answer.status > 399:
            assert answer.headers["content-type"] == "application/problem+json"
            self.problems.append(answer)
        return answer

    def types(self) -> dict[str, dict[str, Any]]:
        """Every record type by name."""
        return {each["name"]: each for each in self.call("GET", "/v1/record-types", expected=200).json["items"]}

    def fields(self, told: dict[str, Any]) -> dict[str, Any]:
        """A canary for every field of a type."""
        return {each["name"]: self.file() if each["type"] == "attachment" else self.canaries.value(each) for each in told["fields"]}

    def file(self) -> dict[str, str]:
        """A file full of canaries and called by one, as a field names it; its digest is planted too."""
        content = PDF + f"{self.canaries.text()} {self.canaries.ascii()} ".encode() * 3000
        raw, headers = multipart(content, filename=self.canaries.ascii() + ".pdf")
        told = self.call("POST", "/v1/attachments", raw=raw, headers=headers, expected=201).json
        self.canaries.number(told["sha256"])
        return {"id": told["id"]}


@pytest.fixture(scope="module")
def life(served: Served) -> Life:
    """A vault in which everything was done that takes a personal value."""
    life = Life(served, Canaries(random.Random(f"canaries {served.port}")))
    records = store_every_type(life)
    guarded(life, records["guardian"])
    consents(life, records["beneficiary"])
    papers(life)
    site(life)
    accounts(life)
    policies(life)
    third_parties(life, records["beneficiary"])
    notices_and_guardians(life, records["beneficiary"])
    wordings(life)
    reports(life)
    refusals(life, records["beneficiary"])
    erasures(life)
    life.metrics = served.call("GET", "/metrics", port=served.metrics_port).body
    return life


def store_every_type(life: Life) -> dict[str, dict[str, Any]]:
    """Store, read back, change and read every field of every type, one by one and in a batch."""
    kept: dict[str, dict[str, Any]] = {}
    for name, told in life.types().items():
        body = {"type": name, "fields": life.fields(told)}
        kept[name] = life.call("POST", "/v1/records", body, expected=201, headers={"Idempotency-Key": uuid.uuid4().hex}).json
        batch = life.call("POST", "/v1/records/batch", {"items": [{"type": name, "fields": life.fields(told)}]}, expected=200)
        assert [each["status"] for each in batch.json["results"]] == [201], batch.text
        again = life.fields(told)
        record = kept[name]["id"]
        life.call("PATCH", f"/v1/records/{record}", {"fields": again}, expected=200, headers={"If-Match": '"1"'})
        read = life.call("GET", f"/v1/records/{record}?purpose=intake&fields={','.join(again)}", expected=200)
        assert read.json["fields"].keys() == again.keys()
        life.read_back += len(found_in(read.body, life.canaries.traces()))
        for each in (each for each in told["fields"] if each["type"] == "attachment"):
            shown = life.call("GET", f"/v1/records/{record}/attachments/{each['name']}?purpose=intake", expected=200)
            life.read_back += len(found_in(shown.body, life.canaries.traces()))
        life.call("POST", "/v1/records/read", {"ids": [record], "purpose": "intake", "fields": list(again)}, expected=200)
        for purpose in ("intake", life.canaries.ascii()):
            asked = {"purpose": purpose, "questions": [life.canaries.ascii(), *(each["name"] for each in told["predicates"])]}
            rows = life.call("POST", f"/v1/records/{record}/questions", asked, expected=200).json["results"]
            assert [row["status"] for row in rows[1:]] == [200 if purpose == "intake" else 403] * len(told["predicates"])
        for each in (each for each in told["fields"] if each["searchable"]):
            sought = {"type": name, "field": each["name"], "value": again[each["name"]], "purpose": "intake"}
            assert record in life.call("POST", "/v1/records/search", sought, expected=200).text
            # A value that nobody here has is in no record and must lie nowhere all the same.
            life.call("POST", "/v1/records/search", {**sought, "value": life.canaries.value(each)}, expected=200)
    return kept


def guarded(life: Life, guardian: dict[str, Any]) -> None:
    """A child with a guardian, the deed's number named."""
    told = life.types()["beneficiary"]
    named = {"subject": guardian["subject"], "kind": "wali", "deed": life.canaries.text()}
    body = {"type": "beneficiary", "fields": life.fields(told), "subject": {"kind": "beneficiary", "guardian": named}}
    life.call("POST", "/v1/records", body, expected=201)


def consents(life: Life, record: dict[str, Any]) -> None:
    """Written, electronic and spoken consents with a canary in every part that is text; verified, rejected, withdrawn with a reason."""
    canaries, served, path = life.canaries, life.vault, f"/v1/records/{record['id']}/consents"
    given = []
    for purpose in (PURPOSE, "internal_research", "publication"):
        written = served.consent("written", purpose, ["full_name"])
        written["evidence"] |= {name: canaries.text() for name in ("original_kept_at", "template", "witness", "identity_check", "place")}
        given.append(life.call("POST", path, written, expected=201, headers={"Idempotency-Key": uuid.uuid4().hex}).json["id"])
    life.call("POST", path, served.consent("electronic", "sms_offers", ["mobile"]), expected=201)
    spoken = served.consent("verbal", PURPOSE, ["full_name"], evidence={"heard_by": canaries.text(), canaries.ascii(): canaries.text()})
    life.call("POST", path, spoken)
    second = served.session("second_officer")
    for consent, result in zip(given, ("verified", "rejected"), strict=False):
        life.call("POST", f"/v1/consents/{consent}/verification", {"result": result, "sighted": "original"}, token=second, expected=201)
    life.call("POST", f"/v1/consents/{given[0]}/withdrawal", {"given_by": "self", "reason": canaries.text()}, expected=201)
    life.call("GET", path, expected=200)
    life.call("GET", f"{path}?as_of={moment(-60)}", expected=200)


def papers(life: Life) -> None:
    """Scans with canaries in them and for names: kept, cited, seen; too large, of another kind, torn, never cited."""
    canaries, served = life.canaries, life.vault
    body = {"type": "beneficiary", "fields": life.fields(life.types()["beneficiary"])}
    path = f"/v1/records/{life.call('POST', '/v1/records', body, expected=201).json['id']}/consents"
    content = PDF + f"{canaries.text()} {canaries.ascii()} ".encode() * 4000
    kept = served.hand_in(content, filename=canaries.ascii() + ".pdf")
    canaries.number(kept["sha256"])
    served.hand_in(PDF + canaries.text().encode())
    paper = served.consent("written", PURPOSE, ["iban"])
    paper["evidence"] |= {"scan": kept["id"]}
    consent = life.call("POST", path, paper, expected=201).json["id"]
    second = served.session("second_officer")
    seen = life.call("GET", f"/v1/evidence/{kept['id']}", token=second, expected=200)
    assert seen.body == content
    life.read_back += len(found_in(seen.body, canaries.traces()))
    for shown, expected in ((canaries.ascii(), 422), (kept["sha256"], 201)):
        said = {"result": "verified", "sighted": "scan", "scan_sha256": shown}
        life.call("POST", f"/v1/consents/{consent}/verification", said, token=second, expected=expected)
    for wrong, name, expected in (
        (canaries.text().encode() * 9, "file", 422),
        (content, canaries.ascii(), 400),
        (PDF * 3_000_000, "file", 413),
    ):
        raw, headers = multipart(wrong, name, canaries.ascii())
        life.call("POST", "/v1/evidence", raw=raw, headers=headers, expected=expected)
    raw, headers = multipart(content * 20)
    life.call("POST", "/v1/evidence", raw=raw[: len(raw) - 90], headers=headers, expected=400)
    life.call("GET", f"/v1/evidence/{canaries.ascii()}", token=second, expected=404)
    paper["evidence"] |= {"scan": canaries.ascii()}
    life.call("POST", path, paper, expected=422)


def site(life: Life) -> None:
    """Visitors whose browsers' own ids are canaries: agreeing, stored, taking back, and mistaken."""
    canaries, served = life.canaries, life.vault
    public = "/v1/public/first/visitor-consents"
    for gpc in (False, True):
        visitor = canaries.number("".join(canaries.rng.choices("ABCDEFGHabcdefgh0123456789_-", k=22)))
        word = served.word(visitor, gpc=gpc)
        life.call("POST", public, word, token=None, expected=201)
        body = {"type": "visitor", "fields": {"visit": canaries.text()}, "subject": {"visitor": visitor}}
        life.call("POST", "/v1/records", body, expected=201)
        life.call("POST", f"{public}/withdrawal", {"visitor": visitor, "purpose": "visitor_analytics"}, token=None, expected=201)
        for wrong in ({"act": canaries.text()}, {"purpose": canaries.ascii()}, {"visitor": visitor + "x"}, {canaries.ascii(): "x"}):
            life.call("POST", public, {**word, **wrong}, token=None, expected=422)
        life.call("POST", f"/v1/public/{canaries.ascii()}/visitor-consents", word, token=None, expected=404)


def erasures(life: Life) -> None:
    """Asked for with a reason that tells something, called off once, carried out once; for one class and for all."""
    served, told = life.vault, life.types()["beneficiary"]
    officer = served.session("officer")
    for what, classes in (("cancellation", None), ("approval", ["health"]), ("approval", None)):
        record = life.call("POST", "/v1/records", {"type": "beneficiary", "fields": life.fields(told)}, expected=201).json["id"]
        body = {"reason": life.canaries.text(), "requested_by": "self"} | ({"classes": classes} if classes else {})
        asked = life.call("POST", f"/v1/records/{record}/erasure", body, token=officer, expected=202).json
        life.call("POST", f"/v1/erasures/{asked['id']}/{what}", token=served.approver("second_officer"), expected=200)
    life.call("POST", f"/v1/records/{record}/erasure", {**body, "requested_by": life.canaries.text()}, token=officer)


def accounts(life: Life) -> None:
    """A client and a member of staff with canaries for names; their secrets, and those of the sessions, are canaries too."""
    canaries, served = life.canaries, life.vault
    _, key = served.client(canaries.text())
    canaries.number(key.split("_", 3)[3])
    canaries.number(served.key().split("_", 3)[3])
    admin = served.session("admin")
    body = {"username": f"{canaries.ascii()}@first", "engagement": "volunteer", "roles": ["officer"], "valid_to": moment(3600)}
    made = life.call("POST", "/v1/staff", body, token=admin, expected=201).json
    told = life.call("POST", f"/v1/staff/{made['id']}/approval", token=served.approver("officer"), expected=200).json
    for secret in (made["password_start"], told["password_end"], told["totp_secret"], admin.split("_", 3)[3]):
        canaries.number(secret)
    for account in served.secrets["first"]["staff"].values():
        canaries.number(account["password"])
        canaries.number(account["totp_secret"])
    life.call(
        "POST", "/v1/sessions", {"username": body["username"], "password": canaries.ascii(), "code": "000000"}, token=None, expected=401
    )
    life.call(
        "POST", "/v1/sessions", {"username": canaries.text(), "password": canaries.text(), "code": "000000"}, token=None, expected=401
    )


def policies(life: Life) -> None:
    """The association's own policy: published on purpose, and still in no file, row or line but sealed; wrong ones are not told back."""
    canaries, served = life.canaries, life.vault
    sound = {"text": f"{canaries.text()}\n{canaries.ascii()}", "approved_by": canaries.text(), "approved_on": "1445-01-09"}
    admin = served.approver("admin")
    life.call("POST", "/v1/policies", sound, token=admin, expected=201, headers={"Idempotency-Key": uuid.uuid4().hex})
    for path in ("/v1/public/first/notice", "/v1/public/first/notice/document", "/first/privacy"):
        told = life.call("GET", path, token=None, expected=200)
        assert found_in(told.body, canaries.traces())
    life.call("POST", "/v1/policies", {**sound, "approved_on": canaries.text()}, token=admin, expected=422)
    life.call("POST", "/v1/policies", {**sound, "approved_by": f"{canaries.text()}\n"} | {canaries.ascii(): 1}, token=admin, expected=422)
    life.call("POST", "/v1/policies", {**sound, "approved_by": canaries.text() * 20}, token=admin, expected=422)
    life.call("GET", f"/v1/public/{canaries.ascii()}/notice", token=None, expected=404)
    life.call("GET", f"/v1/public/first/notice?{canaries.ascii()}=1", token=None, expected=400)


def notices_and_guardians(life: Life, record: dict[str, Any]) -> None:
    """A notice in canary words, and a person in two records with a guardian, a judgment and a death that canaries tell of."""
    canaries, served = life.canaries, life.vault
    officer = served.session("officer")
    notice: dict[str, Any] = {
        "purpose": "call_offers",
        "texts": {"ar": canaries.text(), "en": canaries.ascii()},
        "parts": {part: canaries.text() for part in PARTS},
        "approved_by": canaries.text(),
        "approved_on": "1445-01-09",
    }
    twin = served.store(served.fields(random.Random(62)))
    merge = {"kept": record["id"], "absorbed": twin["id"], "reason": canaries.text()}
    life.call("POST", "/v1/merges", merge, token=officer, expected=201)
    life.call("POST", "/v1/merges", {**merge, "absorbed": canaries.ascii()}, token=officer, expected=422)
    guardians = f"/v1/records/{twin['id']}/guardians"
    life.call("POST", guardians, {"guardian": record["subject"], "kind": "wasi", "deed": canaries.text()}, expected=201)
    life.call("POST", guardians, {"guardian": canaries.text(), "kind": canaries.ascii()}, expected=422)
    life.call("POST", f"/v1/records/{twin['id']}/interdiction", {"on": True, "judgment": canaries.text()}, token=officer, expected=201)
    life.call("POST", f"/v1/records/{twin['id']}/death", {"evidence": canaries.text()}, token=officer, expected=201)
    admin = served.session("admin")
    life.call("POST", "/v1/notices", notice, token=admin, expected=201)
    amiss: dict[str, Any] = {"approved_on": canaries.text(), "texts": {"ar": canaries.text()}, "purpose": canaries.ascii()}
    for name, said in amiss.items():
        life.call("POST", "/v1/notices", {**notice, name: said}, token=admin, expected=422)


def third_parties(life: Life, record: dict[str, Any]) -> None:
    """Recipients by canary names, orders whose authority and number are canaries, and packages that hold the values of a record."""
    canaries, served, secret = life.canaries, life.vault, PackageKey(Secret.random())
    officer, approver, second = served.session("officer"), served.approver("second_officer"), served.session("second_officer")
    canaries.number(secret._private.private_bytes_raw().hex())
    for code in ("court", "partner"):
        key = {"type": "hpke-x25519", "public": secret.public}
        kind = "partner" if code == "partner" else "authority"
        body = {"name": {"ar": canaries.text(), "en": canaries.ascii()}, "kind": kind, "country": "SA", "key": key}
        life.call("PUT", f"/v1/recipients/{code}", body, token=officer, expected=201)
        life.call("POST", f"/v1/recipients/{code}/key-confirmation", token=approver, expected=200)
    names = [name for name, told in life.fields(life.types()["beneficiary"]).items() if told is not None]
    agreement = {
        "recipient": "partner",
        "purposes": ["partner_sharing"],
        "record_types": ["beneficiary"],
        "classes": ["identity"],
        "from": moment()[:10],
        "until": moment(86_400)[:10],
        "reference": canaries.text(),
        "reason": canaries.text(),
    }
    made = life.call("POST", "/v1/agreements", agreement, token=officer, expected=201).json["id"]
    life.call("POST", f"/v1/agreements/{made}/approval", token=approver, expected=200)
    shown = life.call("GET", f"/v1/agreements/{made}", token=second, expected=200)
    assert found_in(shown.body, canaries.traces()), "the agreement is shown to officers"
    wrong = {"reference": canaries.text() + "\u202e", "from": canaries.text(), "recipient": canaries.ascii(), "classes": [canaries.ascii()]}
    for part, value in wrong.items():
        life.call("POST", "/v1/agreements", {**agreement, part: value}, token=officer, expected=422)
    referral = {"record": record["id"], "recipient": "partner", "service": "housing"}
    life.call("POST", "/v1/referrals", referral, token=officer, expected=201)
    for part, status in (("service", 422), ("recipient", 403), ("purpose", 403), ("disclosure", 404), ("record", 404)):
        life.call("POST", "/v1/referrals", {**referral, part: canaries.ascii()}, token=officer, expected=status)
    life.call("GET", "/v1/referrals", token=officer, expected=200)
    order = {
        "authority": canaries.text(),
        "kind": "regulatory",
        "number": canaries.ascii(),
        "issued_on": moment()[:10],
        "recipient": "court",
        "records": [record["id"]],
        "fields": names,
        "valid_from": moment(-60),
        "valid_to": moment(3600),
        "document_sha256": "cd" * 32,
    }
    made = life.call("POST", "/v1/orders", order, token=officer, expected=201).json["id"]
    life.call("POST", f"/v1/orders/{made}/approval", token=approver, expected=200)
    shown = life.call("GET", f"/v1/orders/{made}", token=second, expected=200)
    assert found_in(shown.body, canaries.traces()), "the order is shown to who approves it"
    given = served.consent("written", "partner_sharing", ["full_name"], recipient="partner")
    consent = life.call("POST", f"/v1/records/{record['id']}/consents", given, expected=201).json["id"]
    seen = {"result": "verified", "sighted": "original"}
    life.call("POST", f"/v1/consents/{consent}/verification", seen, token=second, expected=201)
    ways = (
        {"basis": "order", "order": made, "recipient": "court", "fields": names, "purpose": "legal_order"},
        {"basis": "consent", "recipient": "partner", "fields": ["full_name"], "purpose": "partner_sharing"},
    )
    for way in ways:
        asked = life.call("POST", "/v1/disclosures", {**way, "records": [record["id"]]}, token=officer, expected=201).json
        path = f"/v1/disclosures/{asked['id']}"
        life.call("POST", f"{path}/approval", token=approver, expected=200)
        package = life.call("GET", f"{path}/package", token=officer, expected=200)
        assert found_in(package.body, canaries.traces()) == []
        assert found_in(secret.opened(read_package(package.body)), canaries.traces())
    undeclared = {**ways[1], "fields": ["full_name", canaries.ascii()], "records": [record["id"]]}
    life.call("POST", "/v1/disclosures", undeclared, token=officer, expected=422)
    for part in ("recipient", "purpose"):
        life.call("POST", "/v1/disclosures", {**ways[1], part: canaries.ascii(), "records": [record["id"]]}, token=officer, expected=201)
    bad = (("authority", canaries.text() + "\u202e"), ("issued_on", canaries.text()), ("recipient", canaries.ascii()))
    for part, value in bad:
        life.call("POST", "/v1/orders", {**order, part: value}, token=officer, expected=422)


def wordings(life: Life) -> None:
    """A purpose and a record type under canary titles and labels: one of each approved, one of each left waiting."""
    served, admin = life.vault, life.vault.session("admin")

    def title() -> dict[str, str]:
        return {"ar": life.canaries.text(), "en": life.canaries.ascii()}

    purpose = {"action": "contact", "forms": ["electronic"]}
    fields = [{"name": "full_name", "type": "name", "class": "identity", "searchable": True, "required": True}]
    for path, body in (
        ("/v1/purposes/winter_offers", lambda: purpose | {"title": title()}),
        ("/v1/record-types/press_contact", lambda: {"fields": [fields[0] | {"labels": title()}]}),
    ):
        waits = life.call("PUT", path, body(), token=admin, expected=200).json["proposal"]
        life.call("GET", f"{path}/proposal", token=served.session("officer"), expected=200)
        life.call("POST", f"{path}/approval", {"proposal": waits}, token=served.approver("officer"), expected=200)
        life.call("PUT", path, body(), token=admin, expected=200)
    life.call("PUT", f"/v1/purposes/{life.canaries.ascii()}-", purpose | {"title": title()}, token=admin, expected=422)
    wrong = {"name": life.canaries.ascii(), "type": life.canaries.ascii(), "class": life.canaries.text(), "choices": [life.canaries.text()]}
    life.call("PUT", "/v1/record-types/press_contact", {"fields": [wrong]}, token=admin, expected=422)


def exclusions_and_files(life: Life, body: dict[str, Any], receipt: str) -> bytes:
    """Somebody described whom the reporter excludes; files with canaries in them and for names, taken, torn, refused: what is in one."""
    canaries, served, path = life.canaries, life.vault, "/v1/public/first/breach-reports"
    life.call("POST", path, {**body, "exclude": {"words": canaries.text()}}, token=None, expected=201)
    life.call("POST", path, {**body, "exclude": {"offices": [canaries.ascii()]}}, token=None, expected=422)
    [waits] = life.call("GET", "/v1/breach-reports/reporter-exclusions", token=served.session("admin"), expected=200).json["items"]
    described = life.call("GET", f"/v1/breach-reports/{waits['id']}/reporter-exclusion", token=served.session("admin"), expected=200)
    life.read_back += len(found_in(described.body, life.canaries.traces()))
    bring = f"{path}/messages/files"
    content = PDF + f"{canaries.text()} {canaries.ascii()} ".encode() * 3000
    texts = {"receipt": receipt, "text": canaries.text()}
    raw, headers = filled_in(texts, [(canaries.ascii() + ".pdf", content)])
    life.call("POST", bring, raw=raw, headers=headers, token=None, expected=201)
    life.call("POST", bring, raw=raw[: len(raw) - 90], headers=headers, token=None, expected=400)
    raw, headers = filled_in(texts, [(canaries.ascii(), b"PK" + canaries.text().encode() * 3000 + b"\x00")])
    life.call("POST", bring, raw=raw, headers=headers, token=None, expected=422)
    raw, headers = filled_in({"receipt": canaries.ascii()}, [(canaries.ascii(), content)])
    life.call("POST", bring, raw=raw, headers=headers, token=None, expected=404)
    raw, headers = filled_in({"category": "other", "narrative": canaries.text() * 9}, [(canaries.ascii() + ".pdf", content)] * 2)
    assert served.call("POST", "/first/report", raw=raw, headers=headers).status == 201
    raw, headers = filled_in({"category": "other", "narrative": canaries.text() * 9}, [(canaries.ascii() + ".exe", b"MZ\x00" + content)])
    assert served.call("POST", "/first/report", raw=raw, headers=headers).status == 422
    return content


def reports(life: Life) -> None:
    """Reports by both doors of the public with a canary in every part that is text; followed, answered, judged, proposed to dismiss."""
    canaries, served, path = life.canaries, life.vault, "/v1/public/first/breach-reports"
    body = {"category": "other", "narrative": f"{canaries.text()} {canaries.ascii()}", "language": "ar", "contact": canaries.ascii()}
    key = {"Idempotency-Key": canaries.ascii() + uuid.uuid4().hex, "X-Forwarded-For": canaries.number("203.0.113.77")}
    receipt = life.call("POST", path, body, token=None, headers=key, expected=201).json["receipt"]
    for form in (receipt, receipt.replace("-", ""), receipt.replace("-", "").lower()):
        canaries.number(form)
    life.call("POST", path, {**body, "noticed_on": canaries.ascii(), "category": canaries.text()}, token=None, expected=422)
    life.call("POST", f"{path}/messages", {"receipt": receipt, "text": canaries.text()}, token=None, expected=201)
    life.call("POST", f"{path}/status", {"receipt": canaries.ascii()}, token=None, expected=404)
    content = exclusions_and_files(life, body, receipt)
    filled = {
        "category": "other",
        "narrative": f"{canaries.text()} {canaries.ascii()}",
        "contact": canaries.text(),
        "website": canaries.ascii(),
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert served.call("POST", "/first/report", raw=urllib.parse.urlencode(filled).encode(), headers=form).status == 201
    wrong = urllib.parse.urlencode({"category": canaries.ascii(), "narrative": canaries.ascii()}).encode()
    assert served.call("POST", "/first/report", raw=wrong, headers=form).status == 422
    unread = served.call("POST", f"/{canaries.ascii()}/report", raw=wrong, headers=form)
    assert unread.status == 404
    life.problems.append(unread)
    officer = served.session("officer")
    one = life.call("GET", "/v1/breach-reports", token=officer, expected=200).json["items"][0]["id"]
    read = life.call("GET", f"/v1/breach-reports/{one}", token=officer, expected=200)
    life.read_back += len(found_in(read.body, life.canaries.traces()))
    items = life.call("GET", "/v1/breach-reports", token=officer, expected=200).json["items"]
    brought = [life.call("GET", f"/v1/breach-reports/{each['id']}", token=officer, expected=200).json for each in items]
    kept = [(each["id"], file["id"]) for each in brought for file in each["files"] + [f for m in each["messages"] for f in m["files"]]]
    assert len(kept) == 3
    for report, file in kept:
        shown = life.call("GET", f"/v1/breach-reports/{report}/files/{file}", token=officer, expected=200)
        assert shown.body == content
    raw, headers = filled_in({"text": canaries.text()}, [(canaries.ascii() + ".pdf", content)])
    life.call("POST", f"/v1/breach-reports/{one}/reply/files", raw=raw, headers=headers, token=officer, expected=200)
    for deed, words in (("triage", {"finding": "breach", "note": canaries.text()}), ("reply", {"text": canaries.text()})):
        life.call("POST", f"/v1/breach-reports/{one}/{deed}", words, token=officer, expected=200)
    moved = {"aware_at": moment(-60), "reason": canaries.text()}
    life.call("POST", f"/v1/breach-reports/{one}/awareness", moved, token=officer, expected=200)
    dismissed = {"reason": "spam", "note": canaries.text()}
    life.call("POST", f"/v1/breach-reports/{one}/dismissal", dismissed, token=officer, expected=200)
    taken_down(life, officer)
    incidents(life, one)  # before the hold, under which no report is taken out of an incident
    for deed in ("legal-hold", "legal-hold/lifting"):
        life.call("POST", f"/v1/breach-reports/{one}/{deed}", {"reason": canaries.text()}, token=officer, expected=200)


def taken_down(life: Life, officer: str) -> None:
    """A report that staff take down with a canary in every line: read back, confirmed, its receipt, its group; what is refused of it."""
    canaries, path = life.canaries, "/v1/breach-reports/entries"
    lines = {"platform": canaries.ascii(), "handle": canaries.ascii(), "link": f"https://x.example/{canaries.ascii()}"}
    words = {"narrative": canaries.text() * 9, "contact": canaries.text(), "late_reason": canaries.text()}
    told = {"channel": "social_media", "category": "other", "language": "ar", "seen_at": moment(-90_000), "posted_at": moment(-95_000)}
    made = life.call("POST", path, {**told, **lines, **words}, token=officer, expected=201).json["id"]
    life.call("POST", path, {**told, **lines, **words, "channel": canaries.ascii()}, token=officer, expected=422)
    life.call("POST", path, {**told, **lines, **words, "processor": canaries.ascii()}, token=officer, expected=422)
    raw, headers = filled_in({}, [(canaries.ascii() + ".pdf", PDF + canaries.text().encode())])
    life.call("POST", f"{path}/{made}/files", raw=raw, headers=headers, token=officer, expected=201)
    back = life.call("GET", f"{path}/{made}", token=officer, expected=200)
    life.read_back += len(found_in(back.body, canaries.traces()))
    life.call("GET", f"{path}/{made}", token=officer, expected=403)
    life.call("POST", f"{path}/{made}/confirmation", {"correction": canaries.text()}, token=officer, expected=200)
    life.call("GET", f"/v1/breach-reports/groups/{made}", token=officer, expected=200)
    deed = {"reports": [made], "deed": "dismissal", "reason": "spam", "note": canaries.text()}
    life.call("POST", "/v1/breach-reports/groups/triage", deed, token=officer, expected=200)


def incidents(life: Life, report: str) -> None:
    """An incident with a canary in every text: opened from a report, weighed, proposed about, filed late, reopened, read."""
    canaries, path = life.canaries, "/v1/incidents"
    officer = life.vault.session("officer")
    body = {"summary": canaries.text(), "reports": [report], "aware_at": moment(-100 * 3600)}
    one = life.call("POST", path, body, token=officer, expected=201).json["id"]
    late = {"filed_at": moment(-1), "reference": canaries.ascii(), "late_reason": canaries.text()}
    deeds: list[tuple[str, dict[str, Any]]] = [
        ("state", {"state": "confirmed", "note": canaries.text()}),
        ("assessment", {"sensitive": "yes", "over_100": "unknown", "note": canaries.text()}),
        ("awareness", {"aware_at": moment(-60), "reason": canaries.text()}),
        ("not-required", {"track": "people", "reason": canaries.text()}),
        ("filing", {"track": "authority", **late}),
        ("reopening", {"track": "authority", "reason": canaries.text()}),
        ("unlink", {"report": report, "reason": canaries.text()}),
        ("legal-hold", {"reason": canaries.text()}),
        ("legal-hold/lifting", {"reason": canaries.text()}),
    ]
    for deed, words in deeds:
        life.call("POST", f"{path}/{one}/{deed}", words, token=officer, expected=200)
    life.call("POST", f"{path}/{one}/filing", {"track": "people", "filed_at": canaries.ascii()}, token=officer, expected=422)
    asked = {"actor": "client:" + "0" * 32, "from": moment(-3600), "to": moment(-1)}
    piece = life.call("POST", f"{path}/{one}/evidence", asked, token=officer, expected=201).json["id"]
    life.call("POST", f"{path}/{one}/evidence", {**asked, "actor": canaries.text()}, token=officer, expected=422)
    life.call("GET", f"{path}/{one}/evidence/{piece}/people", token=officer, expected=200)
    life.call("GET", f"{path}/{one}/export", token=officer, expected=200)
    read = life.call("GET", f"{path}/{one}", token=officer, expected=200)
    life.read_back += len(found_in(read.body, life.canaries.traces()))


def refusals(life: Life, record: dict[str, Any]) -> None:
    """Everything that is refused: unknown names, values that do not hold, strange headers, addresses and bodies."""
    canaries, path = life.canaries, f"/v1/records/{record['id']}"
    told = life.types()["beneficiary"]
    life.call("GET", f"{path}?purpose={canaries.ascii()}&fields={canaries.ascii()}", expected=403)
    life.call("GET", f"{path}?purpose=publication&fields=iban", expected=403)
    life.call("GET", f"{path}?{canaries.ascii()}={canaries.ascii()}", expected=400)
    life.call("GET", f"/v1/records/{canaries.ascii()}?purpose={PURPOSE}&fields=iban", expected=404)
    life.call("GET", f"/{canaries.ascii()}?x={canaries.ascii()}", expected=404)
    question = {"record": record["id"], "action": canaries.text(), "purpose": canaries.text(), "recipient": canaries.text()}
    life.call("POST", "/v1/decisions", {**question, "fields": [canaries.text()]})
    number = canaries.value({"type": "national_id", "name": "national_id"})
    mistyped = canaries.number(number[:-1] + ("7" if number[-1] != "7" else "3"))
    for wrong in ({"national_id": mistyped}, {"iban": canaries.text()}, {canaries.ascii(): canaries.text()}, {"gender": canaries.text()}):
        life.call("POST", "/v1/records", {"type": "beneficiary", "fields": {**life.fields(told), **wrong}}, expected=422)
        life.call("PATCH", path, {"fields": wrong}, expected=422, headers={"If-Match": '"2"'})
    for wrong in ({"value": mistyped}, {"field": canaries.ascii()}, {"type": canaries.ascii()}, {"purpose": canaries.ascii()}):
        life.call(
            "POST", "/v1/records/search", {"type": "beneficiary", "field": "national_id", "value": number, "purpose": PURPOSE} | wrong
        )
    life.call("POST", "/v1/records", {canaries.ascii(): canaries.text()}, expected=422)
    life.call(
        "POST", "/v1/records", raw=f'{{"type":"{canaries.text()}'.encode(), headers={"Content-Type": "application/json"}, expected=400
    )
    life.call("POST", "/v1/records", raw=canaries.text().encode(), headers={"Content-Type": canaries.ascii()}, expected=415)
    for name in ("Idempotency-Key", "If-Match", "Accept-Language", "Amanah-On-Behalf-Of", "Cookie", "User-Agent", "X-Forwarded-For"):
        life.call("POST", "/v1/records", {"type": "beneficiary", "fields": {}}, headers={name: canaries.ascii()})
    life.call("GET", "/v1/records", token=canaries.ascii(), expected=401)
    first, second = life.fields(told), life.fields(told)
    once = {"Idempotency-Key": canaries.ascii() + uuid.uuid4().hex}
    life.call("POST", "/v1/records", {"type": "beneficiary", "fields": first}, headers=once, expected=201)
    life.call("POST", "/v1/records", {"type": "beneficiary", "fields": first}, headers=once, expected=201)
    life.call("POST", "/v1/records", {"type": "beneficiary", "fields": second}, headers=once, expected=409)


def everything(life: Life) -> Iterator[tuple[str, bytes]]:
    """All that was left: the folder with database, write-ahead log, journal, checkpoint, keys and output, and the tables."""
    # The address of the database and the root key lie outside what a thief of the data has, and hold nothing of anybody.
    yield from left_in_files(life.vault.folder)
    if life.vault.address is not None:
        yield from left_in_postgres(life.vault.address)


def test_the_values_were_planted_and_come_back_where_they_are_asked_for(life: Life):
    assert life.canaries.planted > 400
    assert len(life.problems) > 25
    assert life.read_back >= 9  # record types, each read back whole


def test_no_error_repeats_a_value(life: Life):
    traces = life.canaries.traces()
    for answer in life.problems:
        assert found_in(answer.body + str(answer.headers).encode(), traces) == [], answer.status


def test_no_metric_and_no_line_of_the_log_holds_a_value_or_names_an_association(life: Life):
    said = life.vault.log.read_bytes()
    assert said.count(b'"event":"answer"') > 100
    assert found_in(life.metrics + said, life.canaries.traces()) == []
    assert b"first" not in life.metrics
    assert b"amanah" in life.metrics
    assert b"?" not in b"".join(line.partition(b'"route":')[2] for line in said.splitlines())


NAMED = {
    *("/v1/agreements", "/v1/merges", "/v1/notices", "/v1/clients", "/v1/purposes", "/v1/recipients", "/v1/record-types"),
    *("/officer/forms", "/officer/referrals"),
}
"""Lists that tell by what names an association calls its own things; a canary is such a name, and stands for no person."""


def test_no_list_and_no_page_shows_a_value(life: Life):
    vault, traces, asked, shown = life.vault, life.canaries.traces(), 0, set[str]()
    ways = [path for method, path in vault.openapi() if method == "GET" and "{" not in path]
    people = vault.call("GET", "/v1/records?limit=500", token=vault.key()).json["items"]
    ways += [f"/officer/{page}?person={one['id']}" for page in ("person", "consents") for one in people[:: len(people) // 5]]
    for who in ("officer", "second_officer", "admin"):
        token = vault.session(who)
        for path in ways:
            answer = vault.call("GET", path, token=token, headers={"Cookie": f"__Host-amanah={token}"})
            assert answer.status < 500, (who, path)
            asked += answer.status == 200
            shown |= {path} if found_in(answer.body, traces) else set()
    assert asked > 60
    assert shown == NAMED


@pytest.mark.slow
def test_no_file_and_no_row_holds_a_value_while_the_vault_serves_and_after_it_stopped(life: Life):
    nothing_lies_in_the_clear(life, "serving")
    life.vault.stop()
    try:
        nothing_lies_in_the_clear(life, "stopped")
    finally:
        life.vault.start()  # the tests are shuffled: the next one asks it
    if life.vault.address is not None:
        brief = life.canaries.brief()
        for place, content in left_by_the_server(life.vault.address):
            assert found_in(content, brief) == [], place


def nothing_lies_in_the_clear(life: Life, state: str) -> None:
    traces, looked = life.canaries.traces(), 0
    for place, content in everything(life):
        looked += len(content)
        assert found_in(content, traces) == [], (place, state)
    assert looked > 100_000


def test_a_value_laid_beside_the_vault_is_found(life: Life):
    planted = life.vault.folder / "tmp" / f"note{time.time_ns()}"
    for trace in life.canaries.traces().values():
        planted.write_bytes(b"x" * 5000 + trace + b"y" * 5000)
        found = [place for place, content in left_in_files(planted.parent) if found_in(content, life.canaries.traces())]
        assert found == [planted.name]
        break
    planted.unlink()
