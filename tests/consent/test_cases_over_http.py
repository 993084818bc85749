"""The shared decision cases, set up by calls as a system and officers make them, get the answers they expect."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.consent.counter import Counter, routes
from tests.household import electronic, lay_down, written
from tests.policy.case_world import moment
from tests.simulator import World
from vault.access.orders_api import order_routes
from vault.policy.pack import load
from vault.rulebook.book import notice_key
from vault.rulebook.shapes import NOTICE, PURPOSE, RECIPIENT, RECORD_TYPE, FieldFact, NoticeFact, PurposeFact, RecipientFact, RecordTypeFact
from vault.web.call import write_id
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
BOOK = json.loads((Path(__file__).parent.parent / "vectors" / "decisions" / "shared.json").read_text(encoding="utf-8"))
ELSEWHERE = {
    "C12": "the door refuses what is not explicit (explicit-required), so that such a grant never lies there",
    "C22": "a decision is about now; the past is asked with as_of and permits nothing",
    "C31": "the door refuses what is wider than its notice (exceeds-notice)",
    "C53": "a visitor speaks through her browser's own calls (tests/consent/test_visitors.py)",
}
CASES = {case["id"]: case for case in BOOK["cases"] if case["id"] not in ELSEWHERE}
CLASSES = {
    "name": "identity",
    "phone": "contact",
    "income": "finance",
    "health": "health",
    "visit": "contact",
    "photo": "identity",
    "email": "contact",
}
TYPE = "applicant"
# Eighteen Hijri years before 2027-03-01.
BORN = {"M": "1430-09-22"}
PARTIES = ("R1", "R2", "COURT", "R_ANALYTICS")


def _name(notice: str, purpose: str) -> str:
    return sha256(f"{notice} {purpose}".encode()).hexdigest()[:32]


class Stage:
    """The people and rules of the file's fixtures in a served vault."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.people: dict[str, dict[str, Any]] = {}
        self.consents: dict[tuple[str, str, str], str] = {}
        self.notices: dict[str, str] = {}

    async def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        if who != "key":
            self.counter.tokens.pop(who, None)  # months lie between the events of a case
        return await self.counter(who, method, path, body)

    async def build(self) -> None:
        """Purposes, parties and a record type as the fixtures have them."""
        world, classes = self.counter.world, load("cooperative").classes
        fields = [
            FieldFact(name=name, number=number, kind="text", field_class=said, class_id=classes[said])
            for number, (name, said) in enumerate(CLASSES.items(), 1)
        ]
        born = FieldFact(name="birth_date", number=90, kind="date", field_class="identity", class_id=classes["identity"])
        await lay_down(world, RECORD_TYPE, TYPE, RecordTypeFact(name=TYPE, schema=0x9000, fields=(*fields, born)))
        for code, said in BOOK["fixtures"]["purposes"].items():
            purpose = PurposeFact(
                code=code,
                action=said["action"],
                forms=tuple(said["evidence"]),
                internal_only=said.get("third_party") == "never",
                double_opt_in=said.get("double_opt_in", False),
                honours_gpc=said.get("gpc", False),
                article="6.1",
                law="5",
            )
            await lay_down(world, PURPOSE, code, purpose)
        for code in PARTIES:
            kind = "authority" if code == "COURT" else "partner"
            await lay_down(world, RECIPIENT, code, RecipientFact(code=code, name={}, kind=kind, country="SA"))  # type: ignore[arg-type]
        await world.association.refresh()

    async def person(self, name: str) -> dict[str, Any]:
        """Somebody of the fixtures, met when she is first named."""
        if name not in self.people:
            fields = {"name": name} | ({"birth_date": BORN[name]} if name in BORN else {})
            answer = await self.call("key", "POST", "/records", {"type": TYPE, "fields": fields})
            assert answer.status_code == 201, answer.text
            self.people[name] = answer.json()
        return self.people[name]

    async def guardian(self, ward: str, name: str, *, verified: bool) -> str:
        """A guardian of the fixtures, his deed seen where it says so."""
        record, subject = (await self.person(ward))["id"], str((await self.person(name))["subject"])
        body = {"guardian": subject, "kind": "wali", "valid_from": "2020-01-01T00:00:00Z"}
        answer = await self.call("key", "POST", f"/records/{record}/guardians", body)
        if answer.status_code == 201 and verified:
            seen = {"result": "verified", "sighted": "original"}
            assert (await self.call("officer", "POST", f"/records/{record}/guardians/{subject}/verification", seen)).status_code == 201
        return subject

    async def notice(self, name: str, purpose: str, **more: Any) -> dict[str, Any]:
        """The notice a case names, published for its purpose when it is first named."""
        key = _name(name, purpose)
        text = f"نص {name}"
        digest = sha256(text.encode()).hexdigest()
        if key not in self.notices:
            fact = NoticeFact(
                id=key,
                version=1,
                purpose=purpose,
                state="published",
                texts={"ar": text},
                sha256={"ar": digest},
                fields=tuple(CLASSES),
                published_at=self.counter.world.clock.now,
                **more,
            )
            await lay_down(self.counter.world, NOTICE, notice_key(key, 1), fact)
            await self.counter.world.association.refresh()
            self.notices[key] = purpose
        return {"id": write_id(bytes.fromhex(key)), "version": 1, "language": "ar", "sha256": digest}

    async def happen(self, event: dict[str, Any]) -> None:
        """One event of a case, at the moment the vault knew of it."""
        at = event.get("recorded_at") or event.get("indicated_at") or event.get("at") or event["valid_from"]
        self.counter.world.clock.now = max(self.counter.world.clock.now, moment(at))
        deeds = {"grant": self._grant, "withdraw": self._withdraw, "order": self._order, "notice_published": self._replace}
        await deeds[event["type"]](event)

    async def _grant(self, event: dict[str, Any]) -> None:
        record = (await self.person(event["subject"]))["id"]
        notice = await self.notice(event["notice"], event["purpose"])
        by = "self" if event["by"] == event["subject"] else await self.guardian(event["subject"], event["by"], verified=True)
        said = moment(event.get("indicated_at") or event["recorded_at"])
        proof = written("officer@probe", said) if event["evidence"] == "written" else electronic(notice["sha256"], said)
        if not event.get("confirmed", True):
            proof["proof"]["method"] = "session"
        body = {
            "purpose": event["purpose"],
            "recipient": None if event["recipient"] == "INTERNAL" else event["recipient"],
            "fields": event["fields"],
            "form": event["evidence"],
            "explicit": event.get("explicit_sensitive", True),
            "notice": notice,
            "given_by": by,
            "indicated_at": write_time(said),
            "expires_at": write_time(moment(event["expires_at"])) if event.get("expires_at") else None,
            "evidence": proof,
        }
        answer = await self.call("officer", "POST", f"/records/{record}/consents", body)
        assert answer.status_code == 201, answer.text
        consent = answer.json()["id"]
        self.consents[event["subject"], event["purpose"], event["recipient"]] = consent
        if event["evidence"] == "written" and event.get("verified", True):
            found = {"result": "verified", "sighted": "original"}
            seen = await self.call("second_officer", "POST", f"/consents/{consent}/verification", found)
            # A paper signed before the last word against it stands for nothing, and nobody is asked to verify it.
            assert seen.status_code == 201 or seen.json()["code"] == "consent-not-standing", seen.text

    async def _withdraw(self, event: dict[str, Any]) -> None:
        consent = self.consents.get((event["subject"], event["purpose"], event["recipient"]))
        if consent is not None:
            answer = await self.call("officer", "POST", f"/consents/{consent}/withdrawal", {"given_by": "self"})
        else:
            # Nothing was given that could be withdrawn: she says no.
            record, now = (await self.person(event["subject"]))["id"], write_time(self.counter.world.clock.now)
            party = None if event["recipient"] == "INTERNAL" else event["recipient"]
            body = {"purpose": event["purpose"], "recipient": party, "given_by": "self", "indicated_at": now}
            answer = await self.call("officer", "POST", f"/records/{record}/refusals", body)
        assert answer.status_code == 201, answer.text

    async def _replace(self, event: dict[str, Any]) -> None:
        purpose = next(code for key, code in self.notices.items() if key == _name(event["replaces"], code))
        by = moment(event["reconsent_by"]) if event.get("reconsent_by") else None
        await self.notice(event["notice"], purpose, material=event.get("material", False), reconsent_by=by)

    async def _order(self, event: dict[str, Any]) -> None:
        record = (await self.person(event["subject"]))["id"]
        now = self.counter.world.clock.now
        body = {
            "authority": "المحكمة",
            "kind": event["kind"],
            "number": "1",
            "issued_on": write_time(now)[:10],
            "recipient": event["recipient"],
            "records": [record],
            "fields": event["fields"],
            "valid_from": write_time(moment(event["valid_from"])),
            "valid_to": write_time(moment(event["valid_to"])),
            "document_sha256": "cd" * 32,
        }
        made = await self.call("officer", "POST", "/orders", body)
        assert made.status_code == 201, made.text
        self.counter.tokens.pop("second_officer", None)
        assert (await self.counter.coded("second_officer", "POST", f"/orders/{made.json()['id']}/approval")).status_code == 200

    async def ask(self, query: dict[str, Any]) -> dict[str, Any]:
        """What an officer is answered at the moment of the query."""
        self.counter.world.clock.now = max(self.counter.world.clock.now, moment(query["at"]))
        fields = query["fields"].split(",") if isinstance(query["fields"], str) else query["fields"]
        record = (await self.person(query["subject"]))["id"]
        question = {name: query[name] for name in ("action", "purpose", "recipient")} | {"record": record, "fields": fields}
        answer = await self.call("officer", "POST", "/decisions", question)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest_asyncio.fixture(loop_scope="function")
async def stage(small: World) -> AsyncIterator[Stage]:
    async with small.front(*routes(small), *order_routes(small.identity.factor)) as http:
        made = Stage(Counter(small, http))
        await made.build()
        yield made


@pytest.mark.parametrize("case", CASES)
async def test_a_case_set_up_by_calls_gets_the_answer_it_expects(stage: Stage, case: str):
    told = CASES[case]
    for event in sorted(told["given"], key=lambda event: moment(event.get("recorded_at") or event.get("at") or event["valid_from"])):
        await stage.happen(event)
    answer, expect = await stage.ask(told["query"]), told["expect"]
    basis = "consent" if answer["basis"] in ("written_consent", "electronic_consent") else answer["basis"]
    assert (answer["decision"], answer["reason"], basis) == (expect["decision"], expect["reason"], expect["basis"])
    if "permitted_fields" in expect:
        assert sorted(answer["fields_covered"]) == sorted(expect["permitted_fields"])


async def test_what_the_file_tells_elsewhere_is_in_the_file():
    assert set(ELSEWHERE) < {case["id"] for case in BOOK["cases"]}
    assert len(CASES) == len(BOOK["cases"]) - len(ELSEWHERE)
