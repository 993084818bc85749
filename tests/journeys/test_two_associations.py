"""What one association keeps does not exist for another: every route, every id, byte for byte as if it had never been."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.journeys.served import NOBODY, PDF, Answer, Served, moment, multipart
from vault.policy.pack_file import PARTS

pytestmark = pytest.mark.slow

OTHER = "second"
RNG = random.Random("two associations")
ENDED = ("DELETE", "/v1/sessions/current")  # takes no id and would end the session the other calls need
TOLD = ("full_name", "iban")
COURT = "court"
PARTY = {"name": {"ar": "محكمة", "en": "Court"}, "kind": "authority", "country": "SA"}

Body = Callable[["House", str], Any]


@dataclass(slots=True)
class House:
    """Both associations in one served vault, and what the first one has."""

    vault: Served
    record: str = ""
    subject: str = ""
    consent: str = ""
    written: str = ""
    scanned: str = ""
    client: str = ""
    staff: str = ""
    scan: str = ""
    report: str = ""
    incident: str = ""
    letter: str = ""
    piece: str = ""
    erasure: str = ""
    order: str = ""
    disclosure: str = ""
    agreement: str = ""
    notice: str = ""
    request: str = ""
    merge: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def ids(self) -> dict[str, tuple[str, ...]]:
        """The first association's ids by the name of the path parameter that takes one."""
        return {
            "record": (self.record, self.subject),
            "consent": (self.consent, self.written, self.scanned),
            "client": (self.client,),
            "staff": (self.staff,),
            "evidence": (self.scan,),
            "report": (self.report,),
            "incident": (self.incident,),
            "letter": (self.letter,),
            "piece": (self.piece,),
            "erasure": (self.erasure,),
            "order": (self.order,),
            "disclosure": (self.disclosure,),
            "agreement": (self.agreement,),
            "notice": (self.notice,),
            "rights_request": (self.request,),
            "merge": (self.merge,),
        }

    @property
    def others(self) -> list[str]:
        """The other association's credentials."""
        people = [self.vault.approver(who, OTHER) for who in ("officer", "second_officer")]
        return [self.vault.key(OTHER), *people, self.vault.session("admin", OTHER)]


@pytest.fixture(scope="module")
def house(founded: Served) -> House:
    founded.found(OTHER)
    founded.start()
    fields = founded.fields(RNG)
    kept = founded.store(fields)
    house = House(founded, kept["id"], kept["subject"], values=fields)
    house.consent = founded.grant(house.record, founded.consent("electronic", "service_delivery", ["full_name", "iban"]))
    house.written = founded.grant(house.record, founded.consent("written", "internal_research", ["full_name"]))
    house.scan = founded.hand_in()["id"]
    paper = founded.consent("written", "service_delivery", ["iban"])
    house.scanned = founded.grant(house.record, {**paper, "evidence": {**paper["evidence"], "scan": house.scan}})
    house.client, _ = founded.client("of the first")
    third_parties(house)
    house.staff = founded.call("GET", "/v1/staff", token=founded.session("admin")).json["items"][0]["id"]
    founded.report()
    house.report = founded.call("GET", "/v1/breach-reports", token=founded.session("officer")).json["items"][0]["id"]
    founded_incident = founded.call("POST", "/v1/incidents", {"summary": "x"}, token=founded.session("officer"))
    assert founded_incident.status == 201, founded_incident.text
    house.incident = founded_incident.json["id"]
    house.letter = letter_of(house)
    touched = {"actor": f"staff:{house.staff}", "from": moment(-3600), "to": moment(-1)}
    piece = founded.call("POST", f"/v1/incidents/{house.incident}/evidence", touched, token=founded.session("officer"))
    assert piece.status == 201, piece.text
    house.piece = piece.json["id"]
    other = founded.store(founded.fields(RNG))["id"]
    asked = founded.call("POST", f"/v1/records/{other}/erasure", {"reason": "r", "requested_by": "self"}, token=founded.session("officer"))
    house.erasure = asked.json["id"]
    return house


def letter_of(house: House) -> str:
    """A letter to the first association's person, on the list of a notice."""
    vault, place = house.vault, f"/v1/incidents/{house.incident}/people-notices"
    made = vault.call(
        "POST", place, {key: {"ar": "س"} for key in ("description", "risks", "contact", "advice")}, token=vault.session("officer")
    )
    assert made.status == 201, made.text
    place = f"{place}/{made.json['notice']}"
    assert vault.call("POST", f"{place}/people", {"records": [house.record]}, token=vault.session("officer")).status == 200
    return str(vault.call("GET", f"{place}/letters", token=vault.session("officer")).json["items"][0]["id"])


def third_parties(house: House) -> None:
    """The same recipient in both associations; in the first an order for it and a disclosure on that order."""
    vault = house.vault
    for association in ("first", OTHER):
        made = vault.call("PUT", f"/v1/recipients/{COURT}", PARTY, token=vault.session("officer", association))
        assert made.status == 201, made.text
    order = vault.call("POST", "/v1/orders", _order(house.record), token=vault.session("officer"))
    assert order.status == 201, order.text
    house.order = order.json["id"]
    asked = {**_disclosure(house.record), "basis": "order", "order": house.order, "purpose": "legal_order"}
    disclosure = vault.call("POST", "/v1/disclosures", asked, token=vault.session("officer"))
    assert disclosure.status == 201, disclosure.text
    house.disclosure = disclosure.json["id"]
    agreement = vault.call("POST", "/v1/agreements", _agreement(), token=vault.session("officer"))
    assert agreement.status == 201, agreement.text
    house.agreement = agreement.json["id"]
    notice = vault.call("POST", "/v1/notices", _notice() | {"purpose": "service_delivery"}, token=vault.session("admin"))
    assert notice.status == 201, notice.text
    house.notice = notice.json["id"]
    request = vault.call("POST", "/v1/requests", _request(house.record), token=vault.session("officer"))
    assert request.status == 201, request.text
    house.request = request.json["id"]
    twin = {"kept": house.record, "absorbed": vault.store(vault.fields(RNG))["id"], "reason": "same card"}
    merge = vault.call("POST", "/v1/merges", twin, token=vault.session("officer"))
    assert merge.status == 201, merge.text
    house.merge = merge.json["id"]


def _order(record: str) -> dict[str, Any]:
    return {
        "authority": "المحكمة",
        "kind": "judicial",
        "number": "1",
        "issued_on": moment()[:10],
        "recipient": COURT,
        "records": [record],
        "fields": ["full_name"],
        "valid_from": moment(-60),
        "valid_to": moment(600),
        "document_sha256": "cd" * 32,
    }


def _request(record: str) -> dict[str, Any]:
    return {"record": record, "kind": "complaint", "channel": "interview", "says": "كلام"}


def _agreement() -> dict[str, Any]:
    return {
        "recipient": COURT,
        "purposes": ["partner_sharing"],
        "record_types": ["beneficiary"],
        "classes": ["identity"],
        "from": moment()[:10],
        "until": moment(86_400)[:10],
        "reference": "مذكرة 1",
        "reason": "because",
    }


def _notice() -> dict[str, Any]:
    """A notice that says all it must."""
    return {
        "texts": {"ar": "نص الإشعار", "en": "The notice"},
        "parts": dict.fromkeys(PARTS, "جزء"),
        "approved_by": "المجلس",
        "approved_on": "1445-01-09",
    }


def _disclosure(record: str) -> dict[str, Any]:
    return {"basis": "consent", "recipient": COURT, "records": [record], "fields": ["full_name"], "purpose": "partner_sharing"}


# A sound body for every route that takes one, holding the id that is tried wherever a body can hold one.
BODIES: dict[str, Body] = {
    "acknowledgement.give": lambda _, __: {"policy_sha256": "0" * 64},
    "assignments.make": lambda _, __: {"to": {"unit": "north"}, "reason": "because"},
    "assignments.end": lambda _, __: {"reason": "because"},
    "assignments.break_glass": lambda _, __: {"reason": "because", "code": "123456"},
    "agreements.register": lambda _, __: _agreement(),
    "agreements.approve": lambda _, __: {},
    "recovery.codes": lambda _, __: {"password": "p", "code": "1"},
    "recovery.reset.approve": lambda _, __: {},
    "alerts.review": lambda _, __: {"reason": "explained"},
    "breach_reports.receive": lambda _, __: {"category": "other", "narrative": "ا" * 30, "language": "ar"},
    "breach_reports.status": lambda _, __: {"receipt": "00000-00000-00000-00000"},
    "breach_reports.write": lambda _, __: {"receipt": "00000-00000-00000-00000", "text": "x"},
    "breach_reports.mail.take": lambda _, __: (b"From: a@example.org\r\n\r\nx", {"Content-Type": "message/rfc822"}),
    "breach_reports.submit": lambda _, __: b"category=other",
    "breach_reports.follow": lambda _, __: b"receipt=00000",
    "breach_reports.fetch": lambda _, id_: f"receipt=00000&file={id_}".encode(),
    "breach_reports.write_files": lambda _, __: multipart(PDF),
    "breach_reports.file_of_reply": lambda _, id_: {"receipt": "00000-00000-00000-00000", "file": id_},
    "breach_reports.reply_files": lambda _, __: multipart(PDF),
    "breach_reports.triage": lambda _, __: {"finding": "breach"},
    "breach_reports.reply": lambda _, __: {"text": "x"},
    "breach_reports.exclude": lambda _, other: {"staff": other},
    "breach_reports.exclusion.settle": lambda _, other: {"staff": [other]},
    "breach_reports.exclusions.settle": lambda _, id_: {"reports": [id_], "staff": []},
    "breach_reports.dismissal.propose": lambda _, __: {"reason": "spam"},
    "breach_reports.dismissal.approve": lambda _, __: {"reason": "spam"},
    "breach_reports.groups.triage": lambda _, id_: {"reports": [id_], "deed": "acknowledgement"},
    "breach_reports.groups.dismiss": lambda _, id_: {"reports": [id_], "reason": "spam"},
    "breach_reports.entries.take": lambda _, __: _entry(),
    "breach_reports.entries.files": lambda _, __: multipart(PDF),
    "breach_reports.entries.confirm": lambda _, __: {},
    "breach_reports.awareness.propose": lambda _, __: {"aware_at": moment(-60), "reason": "x"},
    "breach_reports.awareness.approve": lambda _, __: {"aware_at": moment(-60)},
    "breach_reports.hold": lambda _, __: {"reason": "x"},
    "breach_reports.hold.lifting": lambda _, __: {"reason": "x"},
    "breach_reports.hold.approval": lambda _, __: {"proposal": 1},
    "incidents.hold": lambda _, __: {"reason": "x"},
    "incidents.hold.lifting": lambda _, __: {"reason": "x"},
    "incidents.hold.approval": lambda _, __: {"proposal": 1},
    "breach_retention.release": lambda _, __: {},
    "breach_retention.turn_down": lambda _, __: {},
    "breach_reports.dismissal.turn_down": lambda _, __: {"reason": "spam"},
    "breach_reports.awareness.turn_down": lambda _, __: {"aware_at": moment(-60)},
    "incidents.open": lambda _, other: {"summary": "x", "reports": [other]},
    "incidents.link": lambda _, other: {"report": other},
    "incidents.unlink": lambda _, other: {"report": other, "reason": "x"},
    "incidents.state": lambda _, __: {"state": "confirmed"},
    "incidents.assessment": lambda _, __: {"sensitive": "yes", "over_100": "no"},
    "incidents.awareness": lambda _, __: {"aware_at": moment(-60), "reason": "x"},
    "incidents.not_required": lambda _, __: {"track": "people", "reason": "x"},
    "incidents.ruling_out": lambda _, __: {"reason": "x"},
    "incidents.approval": lambda _, __: {"proposal": 1},
    "incidents.rejection": lambda _, __: {"proposal": 1},
    "incidents.filing": lambda _, __: {"track": "people", "filed_at": moment(-60)},
    "incidents.reopening": lambda _, __: {"track": "people", "reason": "x"},
    "incidents.exclusion": lambda _, other: {"staff": other},
    "authority_notices.draft": lambda _, __: {"people": 1},
    "authority_notices.file": lambda _, __: {"filed_at": moment(-60), "reference": "R"},
    "people_notices.draft": lambda _, __: {key: {"ar": "س"} for key in ("description", "risks", "contact", "advice")},
    "people_notices.people": lambda _, id_: {"records": [id_]},
    "people_notices.approve": lambda _, __: {"people": 1, "list_version": 1},
    "people_notices.again": lambda _, __: {},
    "people_notices.note": lambda _, __: {"result": "delivered"},
    "officer.notice-step": lambda _, id_: f"token=0&act=again&incident={id_}&notice=1".encode(),
    "incidents.evidence.save": lambda _, other: {"actor": f"staff:{other}", "from": moment(-3600), "to": moment(-1)},
    "client.approve": lambda _, __: {},
    "client.propose": lambda _, __: {
        "name": "n",
        "party": "INTERNAL",
        "kind": "batch",
        "scopes": ["notices:read"],
        "purposes": [],
        "expires_at": moment(600),
    },
    "client.change": lambda _, __: {"scopes": ["records:list"]},
    "applications.store": lambda house, _: {"type": "beneficiary", "fields": house.values},
    "client.rotate": lambda _, __: {},
    "consents.grant": lambda house, id_: house.vault.consent("electronic", "service_delivery", ["full_name"], OTHER, given_by=id_),
    "consents.challenge": lambda house, _: _asked(house),
    "consents.challenge.answer": lambda _, __: {"code": "000000", "act": "button"},
    "consents.verify": lambda _, __: {"result": "verified", "sighted": "original"},
    "evidence.store": lambda _, __: multipart(PDF),
    "attachments.store": lambda _, __: multipart(PDF),
    "visitor_consents.give": lambda house, _: house.vault.word("v" * 22, OTHER),
    "visitor_consents.withdraw": lambda _, __: {"visitor": "v" * 22, "purpose": "visitor_analytics"},
    "consents.withdraw": lambda _, __: {"given_by": "self"},
    "person_pages.issue": lambda _, __: {},
    "person_pages.say": lambda _, __: b"code=00000000",
    "withdrawal.press": lambda _, __: b"act=withdraw",
    "erasures.ask": lambda _, __: {"reason": "r", "requested_by": "self"},
    "erasures.ask_visitor": lambda _, __: {"visitor": "v" * 22, "reason": "r", "requested_by": "self"},
    "erasures.approve": lambda _, __: {},
    "erasures.cancel": lambda _, __: {},
    "contacts.ask": lambda _, id_: {"record": id_, "purpose": "sms_offers", "channel": "sms"},
    "contacts.page": lambda _, id_: {"type": "beneficiary", "purpose": "sms_offers", "channel": "sms", "after": id_},
    "decisions.ask": lambda _, id_: _question(id_),
    "decisions.ask_many": lambda _, id_: {"items": [_question(id_)]},
    "policy.publish": lambda _, __: {"text": "سياسة", "approved_by": "المجلس", "approved_on": "1445-01-09", "code": "000000"},
    "recipients.register": lambda _, __: PARTY,
    "recipients.confirm": lambda _, __: {},
    "officer.signed-in": lambda _, __: b"username=nobody&password=p&code=1",
    "officer.sign-out": lambda _, __: b"token=0",
    "officer.approve": lambda _, id_: f"token=0&kind=order&id={id_}&act=approve&code=000000".encode(),
    "officer.quarantine-deed": lambda _, id_: f"token=0&act=acknowledgement&report={id_}&reports={id_}".encode(),
    "officer.exclusions-settled": lambda _, id_: f"token=0&report={id_}&reports={id_}&staff=".encode(),
    "officer.entry-taken": lambda _, __: b"token=0&channel=telephone&language=ar",
    "officer.entry-confirmed": lambda _, id_: f"token=0&report={id_}".encode(),
    "officer.request-step": lambda _, id_: f"token=0&act=taking-back&request={id_}".encode(),
    "officer.report-step": lambda _, id_: f"token=0&act=acknowledge&report={id_}".encode(),
    "officer.incident-step": lambda _, id_: f"token=0&act=assess&incident={id_}&sensitive=yes&over_100=yes".encode(),
    "officer.recall-confirmed": lambda _, id_: f"token=0&recall={id_}&outcome=destroyed".encode(),
    "officer.taken-down": lambda _, id_: f"token=0&publication={id_}".encode(),
    "officer.evidence-step": lambda _, id_: f"token=0&act=verify&incident={id_}&piece={id_}".encode(),
    "officer.own-step": lambda _, __: b"token=0&act=end-others",
    "officer.alert-reviewed": lambda _, id_: f"token=0&alert={id_}&reason=explained".encode(),
    "officer.retention-proposed": lambda _, __: b"token=0",
    "officer.referral-noted": lambda _, id_: f"token=0&referral={id_}&act=answer&word=accepted&way=phone&at=".encode(),
    "officer.verify-consent": lambda _, id_: f"token=0&person={id_}&id={id_}&act=verify&code=000000".encode(),
    "orders.register": lambda _, id_: _order(id_),
    "orders.approve": lambda _, __: {},
    "orders.scan": lambda _, __: multipart(PDF),
    "orders.extend": lambda house, _: {"records": [house.record]},
    "disclosures.extend": lambda house, _: {"records": [house.record]},
    "keys.propose": lambda _, __: {"act": "retire", "below": 2},
    "keys.approve": lambda _, __: {},
    "restoration.confirm": lambda _, __: {},
    "detection.propose": lambda _, __: {},
    "detection.approve": lambda _, __: {"proposal": NOBODY},
    "referrals.offer": lambda _, id_: {"record": id_, "recipient": "partner", "service": "housing"},
    "referrals.answer": lambda _, __: {"answer": "accepted"},
    "referrals.outcome": lambda _, __: {"outcome": "served"},
    "referrals.note_answer": lambda _, __: {"answer": "accepted", "way": "phone", "said_at": moment(-60)},
    "referrals.note_outcome": lambda _, __: {"outcome": "served", "way": "letter", "said_at": moment(-60)},
    "records.ask": lambda _, __: {"purpose": "service_delivery", "questions": ["is_minor"]},
    "publications.register": lambda _, id_: {"record": id_, "items": ["full_name"], "channel": "website", "place": "p"},
    "recalls.confirm": lambda _, __: {"outcome": "destroyed"},
    "recalls.own.confirm": lambda _, __: {"outcome": "destroyed"},
    "disclosures.request": lambda _, id_: _disclosure(id_),
    "disclosures.receive": lambda _, __: {"serial": 1, "received_at": "2026-01-01T00:00:00Z"},
    "disclosures.approve": lambda _, __: {},
    "requests.make": lambda _, id_: _request(id_),
    "requests.identity": lambda _, __: {"result": "verified", "method": "call_back"},
    "requests.extension": lambda _, __: {"reason": "unusual_effort", "says": "because"},
    "requests.refusal": lambda _, __: {"reason": "unfounded", "says": "because"},
    "requests.answer": lambda _, __: {"says": "because"},
    "requests.taking-back": lambda _, __: {},
    "requests.copy": lambda _, __: {},
    "requests.package": lambda _, __: {},
    "records.search": lambda house, _: {
        "type": "beneficiary",
        "field": "national_id",
        "value": house.values["national_id"],
        "purpose": "intake",
    },
    "consents.refuse": lambda _, __: {"purpose": "sms_offers", "given_by": "self", "indicated_at": moment(-60)},
    "consents.renew": lambda house, _: _once_more(house),
    "consents.confirm": lambda house, _: _once_more(house),
    "consents.invalidate": lambda _, __: {"reason": "the signature is forged"},
    "consents.import": lambda house, id_: {
        "items": [house.vault.consent("electronic", "service_delivery", ["full_name"], OTHER) | {"record": id_}]
    },
    "merges.request": lambda _, id_: {"kept": id_, "absorbed": NOBODY, "reason": "same card"},
    "merges.approve": lambda _, __: {},
    "guardians.record": lambda _, id_: {"guardian": id_, "kind": "wali"},
    "guardians.verify": lambda _, __: {"result": "verified", "sighted": "original"},
    "guardians.end": lambda _, __: {"reason": "custody moved"},
    "capacity.interdict": lambda _, __: {"on": True, "judgment": "صك حجر"},
    "capacity.death": lambda _, __: {"evidence": "شهادة وفاة"},
    "notices.draft": lambda _, __: _notice() | {"purpose": "service_delivery"},
    "notices.draft_version": lambda _, __: _notice(),
    "notices.publish": lambda _, __: {},
    "purpose.propose": lambda _, __: {"action": "contact", "forms": ["electronic"], "title": {"ar": "ع", "en": "o"}},
    "purpose.approve": lambda _, __: {"proposal": NOBODY},
    "pack.propose": lambda _, __: {"pack": "health"},
    "pack.approve": lambda _, __: {"proposal": NOBODY},
    "pack.turn_down": lambda _, __: {"proposal": NOBODY},
    "research.propose": lambda _, __: {
        "form": "table",
        "type": "beneficiary",
        "purpose": "internal_research",
        "title": {"ar": "د", "en": "s"},
        "dimensions": [{"name": "age", "field": "birth_date", "steps": [18]}],
    },
    "research.approve": lambda _, __: {"proposal": NOBODY},
    "research.reject": lambda _, __: {"proposal": NOBODY},
    "research.approve-extract": lambda _, __: {"code": "123456"},
    "research.release": lambda _, __: {},
    "record-type.propose": lambda _, __: {"fields": [{"name": "full_name", "type": "name", "class": "identity", "required": True}]},
    "record-type.approve": lambda _, __: {"proposal": NOBODY},
    "records.read_many": lambda _, id_: {"ids": [id_], "purpose": "service_delivery", "fields": ["full_name"]},
    "records.store": lambda house, id_: {"type": "beneficiary", "fields": house.values, "subject": {"id": id_}},
    "records.store_batch": lambda house, id_: {
        "items": [
            {
                "type": "beneficiary",
                "fields": house.values,
                "subject": {"kind": "beneficiary", "guardian": {"subject": id_, "kind": "wali"}},
            }
        ]
    },
    "records.update": lambda _, __: {"fields": {"full_name": "x"}},
    "credentials.set": lambda _, __: {"password": "p", "code": "1", "new_password": "n", "totp_secret": "s", "totp_code": "1"},
    "session.step-up": lambda _, __: {"code": "000000"},
    "session.open": lambda _, __: {"username": "nobody", "password": "p", "code": "1"},
    "staff.approve": lambda _, __: {},
    "staff.propose": lambda _, __: {"username": f"u{RNG.randrange(10**9)}", "engagement": "volunteer", "roles": ["nothing"]},
}
QUERIES = {
    "records.read": "?purpose=service_delivery&fields=full_name",
    "attachments.read": "?purpose=service_delivery",
    "notices.current": "?purpose=service_delivery",
    "notices.form": "?purpose=service_delivery",
    "visitor_consents.notice": "?purpose=visitor_analytics",
    "access_log.inclusion": "?index=0&size=1",
    "access_log.consistency": "?from=1&to=1",
}


def _asked(house: House) -> dict[str, Any]:
    """What somebody is asked to agree to by a code."""
    consent = house.vault.consent("electronic", "service_delivery", ["full_name"], OTHER)
    return {name: consent[name] for name in ("purpose", "fields", "explicit", "notice")}


def _entry() -> dict[str, Any]:
    """A report somebody was told on the telephone."""
    return {"channel": "telephone", "category": "other", "narrative": "ا" * 30, "language": "ar", "seen_at": moment(-60)}


def _once_more(house: House) -> dict[str, Any]:
    """A consent given on or confirmed."""
    consent = house.vault.consent("electronic", "service_delivery", ["full_name"], OTHER)
    return {name: value for name, value in consent.items() if name not in ("purpose", "fields", "recipient")}


def _question(record: str) -> dict[str, Any]:
    return {"record": record, "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}


def ask(house: House, route: tuple[str, str], told: dict[str, Any], id_: str, token: str) -> Answer:
    """One call of a route with this id wherever it takes one."""
    method, path = route
    url = "/".join("1" if part == "{version}" else id_ if part.startswith("{") else part for part in path.split("/")) + QUERIES.get(
        told["operationId"], ""
    )
    body = BODIES[told["operationId"]](house, id_) if "requestBody" in told else None
    headers = {"If-Match": '"1"', "Idempotency-Key": uuid.uuid4().hex}
    if isinstance(body, tuple):  # a form and the header that says so
        return house.vault.call(method, url, raw=body[0], token=token, headers={**headers, **body[1]})
    if isinstance(body, bytes):  # a form
        headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        return house.vault.call(method, url, raw=body, token=token, headers=headers)
    return house.vault.call(method, url, body, token=token, headers=headers)


def test_every_route_that_takes_an_id_answers_as_if_it_had_never_been(house: House):
    reached: set[str] = set()
    for route, told in house.vault.openapi().items():
        takes = [part[1:-1] for part in route[1].split("/") if part.startswith("{")]
        in_body = told["operationId"] in (
            "decisions.ask",
            "decisions.ask_many",
            "contacts.ask",
            "publications.register",
            "referrals.offer",
            "records.read_many",
            "records.store",
            "records.store_batch",
            "orders.register",
            "disclosures.request",
            "requests.make",
            "consents.import",
            "merges.request",
            "breach_reports.groups.triage",
            "breach_reports.exclusions.settle",
        )
        # A recipient's code is no id: both associations may have one of the same code.
        if takes == ["code"] or (not takes and not in_body) or route == ENDED:
            continue
        for id_ in house.ids.get(takes[0] if takes else "record", (house.record,)):
            for token in house.others:
                theirs, nobodys = (ask(house, route, told, each, token) for each in (id_, NOBODY))
                same = [(each.status, each.sane[1].replace(used.encode(), b"ID")) for each, used in ((theirs, id_), (nobodys, NOBODY))]
                if theirs.code == "out-of-scope":  # of its own entry each
                    assert nobodys.code == "out-of-scope"
                    continue
                assert same[0] == same[1], (route, told["operationId"])
                assert theirs.status in (404, 422) or b'"status":404' in theirs.body or b'"status":422' in theirs.body, (route, theirs.text)
                reached.add(told["operationId"])
    assert reached >= {
        *("records.read", "records.read_many", "records.update", "records.store", "records.store_batch", "records.access_report"),
        *(
            "consents.grant",
            "consents.read",
            "consents.verify",
            "consents.withdraw",
            "consents.withdrawal_link",
            "person_pages.issue",
            "decisions.ask",
            "decisions.ask_many",
        ),
        *("contacts.ask", "publications.register", "records.ask", "referrals.offer", "referrals.answer", "referrals.outcome"),
        *("consents.challenge", "consents.challenge.answer", "attachments.read"),
        *("research.propose", "research.approve", "research.ask", "research.release", "research.read"),
        *("research.reject", "research.approve-extract", "research.reject-extract"),
        *("orders.register", "orders.read", "orders.approve", "orders.revoke", "evidence.read"),
        *("orders.extend", "orders.scan", "orders.scan-read", "disclosures.extend"),
        *("erasures.ask", "erasures.read", "erasures.approve", "erasures.cancel"),
        *("breach_reports.read", "breach_reports.triage", "breach_reports.dismissal.approve", "breach_reports.status"),
        *("breach_reports.group", "breach_reports.groups.triage", "breach_reports.apart", "breach_reports.entries.read"),
        "breach_reports.exclusions.settle",
        *("incidents.read", "incidents.link", "incidents.approval", "incidents.filing", "incidents.exclusion"),
        *("incidents.evidence.save", "incidents.evidence.people", "incidents.evidence.prove", "incidents.export"),
        *(
            "disclosures.request",
            "disclosures.read",
            "disclosures.approve",
            "disclosures.package",
            "disclosures.letter",
            "disclosures.receive",
        ),
        *("notices.read", "notices.form", "notices.draft_version", "notices.publish"),
        *("requests.make", "requests.read", "requests.identity", "requests.extension", "requests.refusal", "requests.answer"),
        *("requests.copy", "requests.package", "requests.letter"),
        *("consents.refuse", "consents.renew", "consents.confirm", "consents.invalidate", "consents.import"),
        *("merges.request", "merges.approve", "guardians.record", "guardians.verify", "guardians.end"),
        *("capacity.read", "capacity.interdict", "capacity.death"),
        *("client.approve", "client.rotate", "client.revoke", "staff.approve", "staff.end"),
    }


def test_no_answer_to_the_other_association_holds_anything_of_the_first(house: House):
    marks = [each.encode() for ids in house.ids.values() for each in ids] + [str(house.values[name]).encode() for name in TOLD]
    for route, told in house.vault.openapi().items():
        if "{" in route[1] or route == ENDED:
            continue
        for token in house.others:
            answer = ask(house, route, told, NOBODY, token)
            assert not [mark for mark in marks if mark in answer.body], route


def test_lists_and_the_log_of_the_other_association_begin_after_nothing_of_the_first(house: House):
    officer = house.vault.session("officer", OTHER)
    log = house.vault.call("GET", f"/v1/access-log?record={house.record}", token=officer).json
    assert (log["items"], log["next"]) == ([], None)
    for actor in (f"client:{house.client}", f"staff:{house.staff}"):
        assert house.vault.call("GET", f"/v1/access-log?actor={actor}", token=officer).json["items"] == []
    listed = house.vault.call("GET", "/v1/records?limit=500", token=house.vault.key(OTHER)).json["items"]
    assert house.record not in [each["id"] for each in listed]


def test_the_officers_pages_of_the_other_association_know_nobody_of_the_first(house: House):
    cookie = {"Cookie": f"__Host-amanah={house.vault.session('officer', OTHER)}"}
    pages = {
        path: [house.vault.call("GET", f"/officer/{path}?person={id_}", headers=cookie) for id_ in (house.record, NOBODY)]
        for path in ("person", "consents", "log")
    }
    for path, (theirs, nobodys) in pages.items():
        assert theirs.status == nobodys.status == (200 if path == "log" else 404)
        assert theirs.body.replace(house.record.encode(), b"ID") == nobodys.body.replace(NOBODY.encode(), b"ID")


def test_a_key_of_one_association_under_the_other_ones_name_is_nobody(house: House):
    _, _, rest = house.vault.key().split("_", 2)
    assert house.vault.call("GET", "/v1/records", token=f"amn_{OTHER}_{rest}").status == 401
    session = house.vault.session("admin")
    swapped = session.replace("_first_", f"_{OTHER}_")
    assert swapped != session
    assert house.vault.call("GET", "/v1/clients", token=swapped).status == 401


def test_the_first_association_still_has_everything(house: House):
    answer = house.vault.call("GET", f"/v1/records/{house.record}?purpose=service_delivery&fields=full_name,iban", token=house.vault.key())
    assert answer.json["fields"] == {name: house.values[name] for name in ("full_name", "iban")}
    states = house.vault.call("GET", f"/v1/records/{house.record}/consents", token=house.vault.key()).json["items"]
    assert {each["id"] for each in states} == {house.consent, house.written, house.scanned}
    seen = house.vault.call("GET", f"/v1/evidence/{house.scan}", token=house.vault.session("second_officer"))
    assert (seen.status, seen.body) == (200, PDF)


def test_every_route_with_a_body_is_tried_with_a_sound_one(house: House):
    assert {told["operationId"] for told in house.vault.openapi().values() if "requestBody" in told} <= BODIES.keys()


def test_a_scan_of_the_first_proves_nothing_in_the_other(house: House):
    kept = house.vault.store(house.vault.fields(RNG), OTHER)
    paper = house.vault.consent("written", "service_delivery", ["iban"], OTHER)
    answers = [
        house.vault.call(
            "POST",
            f"/v1/records/{kept['id']}/consents",
            {**paper, "evidence": {**paper["evidence"], "scan": scan}},
            token=house.vault.key(OTHER),
        )
        for scan in (house.scan, NOBODY)
    ]
    assert [(each.status, each.code) for each in answers] == [(422, "evidence-malformed")] * 2
    assert answers[0].sane == answers[1].sane


def test_one_browser_is_two_people_to_two_associations(house: House):
    record = {"type": "visitor", "fields": {"visit": "v"}, "subject": {"visitor": "b" * 22}}
    kept = [house.vault.call("POST", "/v1/records", record, token=house.vault.key(code)).json for code in ("first", OTHER)]
    assert kept[0]["subject"] != kept[1]["subject"]
    assert house.vault.call("POST", "/v1/public/first/visitor-consents", house.vault.word("b" * 22)).status == 201
    query = "?purpose=visitor_analytics&fields=visit"
    answers = [
        house.vault.call("GET", f"/v1/records/{one['id']}{query}", token=house.vault.key(code))
        for one, code in zip(kept, ("first", OTHER), strict=True)
    ]
    assert [(each.status, each.code) for each in answers] == [(200, ""), (403, "no-consent")]
