"""Bad input at the real door: told apart by a stable code, never beyond 499, never told back, and never in the server's output."""

import copy
import json
import random
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.journeys.served import NOBODY, Answer, Served, iban, moment, national_id, word

pytestmark = pytest.mark.slow

RNG = random.Random("bad input")
ECHO = "ECHO482913CANARY"
JSON = {"Content-Type": "application/json"}
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
MALFORMED: Mapping[str, bytes] = {
    "a thousand lists": b"[" * 1000 + b"]" * 1000,
    "a thousand objects": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "fifty thousand braces": b"{" * 50_000,
    "no UTF-8": b'{"type":"\xff\xfe"}',
    "NUL": b'{"type":"\0"}',
    "escaped NUL": b'{"type":"\\u0000"}',
    "a lone surrogate": b'{"type":"\\ud800"}',
    "a member twice": b'{"type":"a","type":"b"}',
    "a member twice, deep": b'{"fields":{"a":1,"\\u0061":2}}',
    "nothing": b"",
    "NaN": b'{"a":NaN}',
    "half": f'{{"type":"{ECHO}'.encode(),
    "text": ECHO.encode(),
}
WRONG: tuple[Any, ...] = (None, [], {}, "", True, -1, 2**53, 1e308, ECHO, [ECHO], {ECHO: ECHO}, "A" * 70_000, "2026-13-45T99:99:99Z")
SPOILT = {"NUL": "a\0", "a lone surrogate": "a\ud800"}
BIG = 10 * 1024 * 1024
SMALLEST_BODY = 4 * 1024


@pytest.fixture
def record(served: Served) -> str:
    return str(served.store(served.fields(RNG))["id"])


@pytest.fixture
def sound(served: Served, record: str) -> dict[tuple[str, str], tuple[dict[str, Any], str]]:
    """A sound body of each kind, and who may send it."""
    key, admin = served.key(), served.session("admin")
    question = {"record": record, "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}
    client = {"name": "n", "party": "INTERNAL", "kind": "batch", "scopes": ["notices:read"], "purposes": [], "expires_at": moment(600)}
    return {
        ("POST", "/v1/records"): ({"type": "beneficiary", "fields": served.fields(RNG)}, key),
        ("POST", "/v1/records/batch"): ({"items": [{"type": "beneficiary", "fields": served.fields(RNG)}]}, key),
        ("PATCH", f"/v1/records/{record}"): ({"fields": {"email": "a@example.org"}}, key),
        ("POST", "/v1/records/read"): ({"ids": [record], "purpose": "service_delivery", "fields": ["full_name"]}, key),
        ("POST", "/v1/records/search"): (
            {"type": "beneficiary", "field": "full_name", "value": "سارة", "purpose": "service_delivery"},
            key,
        ),
        ("POST", f"/v1/records/{record}/consents"): (served.consent("electronic", "service_delivery", ["full_name"]), key),
        ("POST", f"/v1/consents/{NOBODY}/verification"): ({"result": "verified", "sighted": "original"}, served.session("officer")),
        ("POST", f"/v1/consents/{NOBODY}/withdrawal"): ({"given_by": "self"}, key),
        ("POST", f"/v1/records/{NOBODY}/erasure"): (
            {"reason": "r", "requested_by": "self", "classes": ["health"]},
            served.session("officer"),
        ),
        ("POST", "/v1/visitors/erasure"): ({"visitor": "v" * 22, "reason": "r", "requested_by": "self"}, served.session("officer")),
        ("POST", "/v1/decisions"): (question, key),
        ("POST", "/v1/decisions/batch"): ({"items": [question]}, key),
        ("POST", "/v1/clients"): (client, admin),
        ("POST", "/v1/public/first/visitor-consents"): (served.word("v" * 22), key),
        ("POST", "/v1/public/first/visitor-consents/withdrawal"): ({"visitor": "v" * 22, "purpose": "visitor_analytics"}, key),
        ("POST", "/v1/policies"): ({"text": "سياسة", "approved_by": "المجلس", "approved_on": "1445-01-09"}, admin),
        ("PUT", "/v1/recipients/court"): (_recipient(), admin),
        ("POST", "/v1/orders"): (_order(record), served.session("officer")),
        ("POST", "/v1/disclosures"): (_disclosure(record), served.session("officer")),
        ("PUT", "/v1/purposes/sms_offers"): ({"action": "contact", "forms": ["electronic"], "title": {"ar": "ع", "en": "o"}}, admin),
        ("PUT", "/v1/record-types/donor"): ({"fields": [{"name": "full_name", "type": "name", "class": "identity"}]}, admin),
        ("POST", "/v1/purposes/sms_offers/approval"): ({"proposal": NOBODY}, served.session("officer")),
        ("POST", "/v1/record-types/donor/approval"): ({"proposal": NOBODY}, served.session("officer")),
        ("POST", "/v1/public/first/breach-reports"): (
            {"category": "other", "narrative": "ا" * 30, "language": "ar", "noticed_on": "2026-01-01", "contact": "x"},
            key,
        ),
        ("POST", "/v1/public/first/breach-reports/status"): ({"receipt": "00000-00000-00000-00000"}, key),
        ("POST", "/v1/public/first/breach-reports/messages"): ({"receipt": "00000-00000-00000-00000", "text": "x"}, key),
        ("POST", f"/v1/breach-reports/{NOBODY}/triage"): ({"finding": "breach", "note": "x"}, served.session("officer")),
        ("POST", "/v1/breach-reports/groups/triage"): (
            {"reports": [NOBODY], "deed": "triage", "finding": "no_breach", "note": "x"},
            served.session("officer"),
        ),
        ("POST", "/v1/breach-reports/entries"): (_entry(), served.session("officer")),
        ("POST", f"/v1/breach-reports/entries/{NOBODY}/confirmation"): ({"correction": "x"}, served.session("officer")),
        ("POST", f"/v1/breach-reports/{NOBODY}/reply"): ({"text": "x"}, served.session("officer")),
        ("POST", f"/v1/breach-reports/{NOBODY}/dismissal"): ({"reason": "spam"}, served.session("officer")),
        ("POST", f"/v1/breach-reports/{NOBODY}/awareness/approval"): ({"aware_at": moment()}, served.session("officer")),
        ("POST", "/v1/staff"): ({"username": "n@first", "engagement": "volunteer", "roles": ["officer"]}, admin),
    }


def _entry() -> dict[str, Any]:
    lines = {"platform": "x", "handle": "@x", "link": "https://x.example/1", "posted_at": moment(-3600)}
    told = {"category": "other", "narrative": "ا" * 30, "language": "ar", "contact": "x"}
    return {"channel": "social_media", "seen_at": moment(-60), "exclude": {"offices": ["second"]}, **told, **lines}


def _recipient() -> dict[str, Any]:
    key = {"type": "hpke-x25519", "public": "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="}
    return {"name": {"ar": "جهة", "en": "Party"}, "kind": "partner", "country": "SA", "key": key}


def _order(record: str) -> dict[str, Any]:
    return {
        "authority": "المحكمة",
        "kind": "judicial",
        "number": "1",
        "issued_on": moment()[:10],
        "recipient": "court",
        "records": [record],
        "fields": ["iban"],
        "valid_from": moment(),
        "valid_to": moment(600),
        "document_sha256": "cd" * 32,
    }


def _disclosure(record: str) -> dict[str, Any]:
    return {"basis": "consent", "recipient": "court", "records": [record], "fields": ["iban"], "purpose": "partner_sharing"}


def send(served: Served, route: tuple[str, str], raw: bytes, token: str, **headers: str) -> Answer:
    more = {"If-Match": '"1"'} if route[0] == "PATCH" else {}
    return judged(served.call(*route, raw=raw, token=token, headers={**JSON, **more, **headers}))


def judged(answer: Answer) -> Answer:
    """Fail unless the answer is one that a stranger may get."""
    assert answer.status <= 499 or answer.status == 503, answer.text
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    if answer.status > 399:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["type"] == f"urn:amanah:problem:{answer.code}"
        assert ECHO not in answer.text + str(answer.headers)
        assert len(answer.body) < 3000
    return answer


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*place, name)
        yield from places(each, (*place, name))


def spoilt(value: Any, place: tuple[Any, ...], by: Any) -> Any:
    made = copy.deepcopy(value)
    at = made
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = by
    return made


def test_malformed_bodies_are_refused_on_every_route(served: Served, sound: dict[tuple[str, str], tuple[dict[str, Any], str]]):
    for route, (_, token) in sound.items():
        for what, raw in MALFORMED.items():
            answer = send(served, route, raw, token)
            told = (answer.status, answer.code)
            assert told in ((400, "malformed"), (415, "content-type"), (413, "too-large")), (route, what)
            assert answer.status != 415 or not raw
            assert answer.status != 413 or len(raw) > SMALLEST_BODY


def test_an_unknown_member_is_refused_at_every_place(served: Served, sound: dict[tuple[str, str], tuple[dict[str, Any], str]]):
    for route, (body, token) in sound.items():
        inside = [place for place in [(), *places(body)] if isinstance(_at(body, place), dict)]
        for place in inside:
            answer = send(served, route, json.dumps(spoilt(body, (*place, ECHO), ECHO)).encode(), token)
            assert answer.status == 422 or (answer.status == 200 and b'"status":422' in answer.body), (route, place, answer.text)
            assert ECHO.encode() not in answer.body


def _at(body: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        body = body[step]
    return body


def test_values_of_another_kind_are_answered_and_never_told_back(served: Served, sound: dict[tuple[str, str], tuple[dict[str, Any], str]]):
    for route, (body, token) in sound.items():
        for place in places(body):
            for value in WRONG:
                answer = send(served, route, json.dumps(spoilt(body, place, value)).encode(), token)
                assert answer.status not in (401, 403) or answer.code in (
                    "no-consent",
                    "unknown-purpose",
                    "unknown-field",
                    "same-person",
                    "step-up-required",
                ), (route, place)
                assert ECHO.encode() not in answer.body, (route, place)
            for what, end in SPOILT.items():
                if isinstance(_at(body, place), str):
                    answer = send(served, route, json.dumps(spoilt(body, place, end)).encode(), token)
                    assert (answer.status, answer.code) == (400, "malformed"), (route, place, what)


def test_only_json_is_taken(served: Served, sound: dict[tuple[str, str], tuple[dict[str, Any], str]]):
    for route, (body, token) in sound.items():
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ECHO):
            answer = judged(served.call(*route, raw=json.dumps(body).encode(), token=token, headers={"Content-Type": kind}))
            assert (answer.status, answer.code) == (415, "content-type"), (route, kind)


def test_a_body_that_is_too_large_is_413_wherever_it_is_sent(served: Served, sound: dict[tuple[str, str], tuple[dict[str, Any], str]]):
    body = b'{"type":"' + b"x" * BIG + b'"}'
    nothing_there: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
        ("POST", f"/v1/public/first/{ECHO}"): ({}, served.key()),
        ("PUT", "/v1/records"): ({}, served.key()),
    }
    for route, (_, token) in (sound | nothing_there).items():
        for raw in (body, (body[at : at + 65_536] for at in range(0, len(body), 65_536))):
            answer = judged(served.call(*route, raw=raw, token=token, headers=JSON))
            assert (answer.status, answer.code) == (413, "too-large"), route


def test_unknown_repeated_and_empty_parameters_are_refused(served: Served, record: str):
    plain = {
        f"/v1/records/{record}": "purpose=service_delivery&fields=full_name",
        "/v1/records": "limit=1",
        "/v1/notices/current": "purpose=service_delivery",
        "/v1/public/first/notice": "version=1",
    }
    for path, query in plain.items():
        name = query.partition("=")[0]
        for more in (f"{ECHO}={ECHO}", f"{name}=1", f"{name}=", "&", "=1", f"{ECHO}", "%ff=1"):
            answer = judged(served.call("GET", f"{path}?{query}&{more}", token=served.key()))
            assert answer.status == 400, (path, more)
            assert answer.code in ("unknown-parameter", "malformed")
    for bad in ("0", "501", "-1", "1e9", "9" * 400, "%00", "%ED%A0%80", ECHO):
        assert judged(served.call("GET", f"/v1/records?limit={bad}", token=served.key())).status in (400, 422)


def test_arabic_digits_are_taken_and_folded(served: Served):
    number, account, name = national_id(RNG), iban(RNG), f"سارة {word(RNG)}"
    written = {
        "full_name": name,
        "national_id": number.translate(ARABIC),
        "iban": "SA" + account[2:].translate(ARABIC),
        "mobile": "٠٥٠١٢٣٤٥٦٧",
    }
    kept = served.store(written)
    served.grant(kept["id"], served.consent("electronic", "service_delivery", ["national_id", "iban", "mobile"]))
    path = f"/v1/records/{kept['id']}?purpose=service_delivery&fields=national_id,iban,mobile"
    told = served.call("GET", path, token=served.key()).json["fields"]
    assert (told["national_id"], told["iban"]) == (number, account)
    assert told["mobile"].endswith("501234567")
    assert served.call("GET", "/v1/records?limit=%D9%A3", token=served.key()).status == 200


def test_strange_paths_and_headers_are_answered(served: Served):
    for value in (ECHO, "%00", "%ff", "..%2f..%2fetc%2fpasswd", "a" * 3000, "%ED%A0%80", "%0d%0aX:%20y", "-1", "%"):
        for path in (f"/v1/records/{value}?purpose=p&fields=a", f"/v1/records/{value}/consents", f"/{value}", f"/v1//{value}"):
            assert judged(served.call("GET", path, token=served.key())).status in (400, 404, 422), path
    for name in ("Idempotency-Key", "If-Match", "Accept-Language", "Amanah-On-Behalf-Of", "Accept"):
        for value in ("", ECHO, "x" * 5000, "\xff"):
            judged(served.call("PATCH", f"/v1/records/{NOBODY}", {"fields": {}}, token=served.key(), headers={name: value}))


def test_a_value_that_does_not_hold_is_named_by_its_field_and_not_told_back(served: Served):
    fields = served.fields(RNG)
    wrong = fields["national_id"][:-1] + ("7" if fields["national_id"][-1] != "7" else "3")
    answer = judged(
        served.call(
            "POST",
            "/v1/records",
            {"type": "beneficiary", "fields": {**fields, "national_id": wrong}},
            token=served.key(),
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
    )
    assert (answer.status, {each["field"] for each in answer.json["errors"]}) == (422, {"fields.national_id"})
    assert wrong not in answer.text


def test_nothing_of_all_this_is_in_the_servers_output(served: Served):
    answer = served.call("POST", f"/v1/{ECHO}?{ECHO}={ECHO}", raw=ECHO.encode() + b"x" * BIG, headers={"X-Note": ECHO})
    assert answer.status == 413
    said = served.said(b'"status":413')
    assert ECHO.encode() not in said
    assert b"Traceback" not in said
