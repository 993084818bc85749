"""Sets the decision cases up by calls, as a system, officers and visitors make them: what `test_cases_over_http` plays on."""

from hashlib import sha256
from typing import Any

from tests.consent.counter import Counter
from tests.household import electronic, errand, written
from tests.policy.case_world import GIVEN, SILENT, STOPPED, indicated_at, known_at, moment
from vault.access_log.deed import Deed
from vault.policy.pack import load
from vault.rulebook.book import notice_key
from vault.rulebook.facts import write
from vault.rulebook.shapes import NOTICE, PURPOSE, RECIPIENT, RECORD_TYPE, FieldFact, NoticeFact, PurposeFact, RecipientFact, RecordTypeFact
from vault.web.call import write_id
from vault.web.times import write_time

Json = dict[str, Any]
CLASSES = {
    "name": "identity",
    "phone": "contact",
    "income": "finance",
    "health": "health",
    "visit": "contact",
    "photo": "identity",
    "email": "contact",
    "address": "contact",
}
TYPE, VISITOR = "applicant", "V"
# Eighteen Hijri years before 2027-03-01.
BORN = {"M": "1430-09-22"}
PARTIES = ("R1", "R2", "R3", "COURT", "REGULATOR", "R_ANALYTICS")
# Heeds the browser's signal and takes a click, so that visitors are asked about it: the way a signal comes to the vault.
HEARD_BY = "visitor_measurement"
SIGN_IN = 5 * 60 * 1_000_000
# What leaves the house is disclosed here: the vault lays down no use and no publication for a party outside.
OUTSIDE = {"web_sharing": "disclose"}


class TurnedAway(Exception):
    """The door keeps an event of a case out; the text is its answer."""


def browser(subject: str) -> str:
    """The browser's id of a visitor of the cases."""
    return (subject + "-browser-of-the-cases")[:22].ljust(22, "0")


class Stage:
    """The people and rules of a file's fixtures in a served vault; `refused` holds what the door answered to what it did not let in."""

    def __init__(self, counter: Counter, book: Json) -> None:
        self.counter, self.book = counter, book
        self.people: dict[str, Json] = {}
        self.consents: dict[tuple[str, str, str], list[str]] = {}
        self.notices: dict[tuple[str, str], NoticeFact] = {}
        self.guardians: dict[tuple[str, str], str] = {}
        self.seen: set[tuple[str, str]] = set()
        self.refused: list[str] = []
        self.later: list[tuple[int, str]] = []
        self.same_as: dict[str, str] = {}
        self.fields: dict[tuple[str, str, str], Any] = {}
        self._signed_in: dict[str, int] = {}

    async def call(self, who: str, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        now = self.counter.world.clock.now
        if who != "key" and now - self._signed_in.get(who, 0) > SIGN_IN:  # months lie between the events of a case
            self.counter.tokens.pop(who, None)
            self._signed_in[who] = now
        return await self.counter(who, method, path, body, key=key)

    async def must(self, who: str, path: str, body: Any = None, *, key: str = "") -> Json:
        """What a POST answers that is let in. Raises TurnedAway with the door's answer."""
        return self.let_in(await self.call(who, "POST", path, body, key=key))

    def let_in(self, answer: Any) -> Json:
        """The answer's body. Raises TurnedAway with the codes of a refusal, which is kept."""
        if answer.status_code >= 400:
            problem = answer.json()
            codes = [problem["code"], *(one["code"] for one in problem.get("errors", ()))]
            self.refused.append(" ".join(dict.fromkeys(codes)))
            raise TurnedAway(f"{answer.status_code} {' '.join(dict.fromkeys(codes))}")
        told: Json = answer.json()
        return told

    async def coded(self, who: str, path: str) -> None:
        """A POST with a one-time code, let in."""
        self.counter.tokens.pop(who, None)
        self._signed_in[who] = self.counter.world.clock.now
        answer = await self.counter.coded(who, "POST", path)
        if answer.status_code >= 400:
            raise TurnedAway(f"{answer.status_code} {answer.json()['code']}")

    async def build(self) -> None:
        """Purposes, parties and a record type as the fixtures have them."""
        classes = load("cooperative").classes
        fields = [
            FieldFact(name=name, number=number, kind="text", field_class=said, class_id=classes[said])
            for number, (name, said) in enumerate(CLASSES.items(), 1)
        ]
        born = FieldFact(name="birth_date", number=90, kind="date", field_class="identity", class_id=classes["identity"])
        facts: list[tuple[Any, str, Any]] = [(RECORD_TYPE, TYPE, RecordTypeFact(name=TYPE, schema=0x9000, fields=(*fields, born)))]
        for code, said in self.book["fixtures"]["purposes"].items():
            purpose = PurposeFact(
                code=code,
                action=OUTSIDE.get(code, said["action"]),
                forms=tuple(said["evidence"]),
                internal_only=said.get("third_party") == "never",
                double_opt_in=said.get("double_opt_in", False),
                honours_gpc=said.get("gpc", False),
                article="6.1",
                law="5",
            )
            facts.append((PURPOSE, code, purpose))
        heard = PurposeFact(code=HEARD_BY, action="use", forms=("electronic",), honours_gpc=True, article="6.5", law="5")
        facts.append((PURPOSE, HEARD_BY, heard))
        for code in PARTIES:
            kind: Any = "authority" if code in ("COURT", "REGULATOR") else "partner"
            facts.append((RECIPIENT, code, RecipientFact(code=code, name={}, kind=kind, country="SA")))
        await self._lay_down(facts)

    async def _lay_down(self, facts: list[tuple[Any, str, Any]]) -> None:
        """Facts of the association, with the entry of each, in one deed."""
        job = await errand(self.counter.world)

        def unit(deed: Deed) -> None:
            for kind, key, value in facts:
                written_fact = write(deed, kind, key, value)
                deed.append(job.entry(kind=f"{kind.name}.written", outcome="allow", facts=(written_fact,)), changes_law=True)

        await self.counter.world.association.run(unit)
        await self.counter.world.association.refresh()

    async def person(self, name: str) -> Json:
        """Somebody of the fixtures, met when she is first named; by her words there a visitor, a minor, an adult under interdiction."""
        if name not in self.people:
            said = self.book["fixtures"]["subjects"].get(name, "adult")
            body: Json = {"type": TYPE, "fields": {"name": name} | ({"birth_date": BORN[name]} if name in BORN else {})}
            if "visitor" in said:
                body = {"type": "visitor", "fields": {"visit": "three pages"}, "subject": {"visitor": browser(name)}}
            self.people[name] = await self.must("key", "/records", body)
            if "interdiction" in said:
                judgment = {"on": True, "judgment": "judgment 12"}
                await self.must("second_officer", f"/records/{self.people[name]['id']}/interdiction", judgment)
        return self.people[name]

    async def guardian(self, ward: str, name: str, *, verified: bool) -> str:
        """Who speaks for somebody, his deed seen where it says so: a guardian for a ward, an agent for an adult."""
        record, subject = (await self.person(ward))["id"], str((await self.person(name))["subject"])
        is_ward = ward in BORN or "interdiction" in self.book["fixtures"]["subjects"].get(ward, "")
        if (ward, name) not in self.guardians:
            kind = "wali" if is_ward else "agent"
            body = {"guardian": subject, "kind": kind, "deed": "deed 7", "valid_from": "2020-01-01T00:00:00Z"}
            await self.must("key", f"/records/{record}/guardians", body)
            self.guardians[ward, name] = subject
        if verified and (ward, name) not in self.seen:
            found = {"result": "verified", "sighted": "original"}
            await self.must("officer", f"/records/{record}/guardians/{subject}/verification", found)
            self.seen.add((ward, name))
        return subject

    async def by(self, event: Json) -> str:
        """Who speaks, as the calls name it."""
        speaker, subject = str(event.get("by", event["subject"])), event["subject"]
        if speaker in (subject, "self") or event["type"] == "invalidate":
            return "self"
        is_ward = subject in BORN or "interdiction" in self.book["fixtures"]["subjects"].get(subject, "")
        trusted = event.get("guardianship_verified", is_ward)
        return await self.guardian(subject, speaker, verified=trusted and event["type"] in GIVEN)

    async def notice(self, name: str, purpose: str, fields: Any = None, **more: Any) -> Json:
        """The notice a case names, published for its purpose when it is first named."""
        if (name, purpose) not in self.notices:
            key, text = sha256(f"{name} {purpose}".encode()).hexdigest()[:32], f"نص {name}"
            fact = NoticeFact(
                id=key,
                version=1,
                purpose=purpose,
                state="published",
                texts={"ar": text},
                sha256={"ar": sha256(text.encode()).hexdigest()},
                fields=tuple(CLASSES) if fields is None else tuple(fields),
                published_at=self.counter.world.clock.now,
                **more,
            )
            await self._lay_down([(NOTICE, notice_key(key, 1), fact)])
            self.notices[name, purpose] = fact
        shown = self.notices[name, purpose]
        return {"id": write_id(bytes.fromhex(shown.id)), "version": 1, "language": "ar", "sha256": shown.sha256["ar"]}

    async def happen(self, event: Json) -> None:
        """One event of a case, at the moment the vault knew of it: what changes no answer is not told. Raises TurnedAway."""
        await self.pass_to(known_at(event))
        kind = event["type"]
        if kind in SILENT:
            return
        if kind in GIVEN:
            await self._given(event)
        elif kind in STOPPED:
            await self._stopped(event)
        else:
            deeds = {
                "order": self._order,
                "notice_published": self._replace,
                "signal": self._signal,
                "subjects_merged": self._merge,
                "subject_deceased": self._death,
                "guardianship_ended": self._ended,
            }
            await deeds[kind](event)

    async def _given(self, event: Json) -> None:
        record, place = (await self.person(event["subject"]))["id"], (self.who(event["subject"]), event["purpose"], event["recipient"])
        said, made = indicated_at(event), self.consents.get(place, [])
        # Given on is what was given, neither more nor less of it; what was ended, or other fields, is given anew.
        again = event["type"] in ("renew", "confirm") and bool(made) and event.get("fields", self.fields.get(place)) == self.fields[place]
        name = event.get("notice") or self._last_notice(event["purpose"])
        by, notice = await self.by(event), await self.notice(name, event["purpose"], event.get("notice_scope_fields"))
        form = event.get("evidence") or "written"
        body: Json = {
            "form": form,
            "explicit": event.get("explicit_sensitive", True),
            "notice": notice if event.get("notice_hash_matches", True) else notice | {"sha256": "ab" * 32},
            "given_by": by,
            "indicated_at": write_time(said),
            "expires_at": write_time(moment(event["expires_at"])) if event.get("expires_at") else None,
            "evidence": self._evidence(event, form, notice["sha256"], said),
        }
        whole = {
            "purpose": event["purpose"],
            "recipient": None if event["recipient"] == "INTERNAL" else event["recipient"],
            "fields": event.get("fields"),
        }
        key = f"{event['type']}-{event['idempotency_key']}".ljust(20, "-") if event.get("idempotency_key") else ""
        if event["type"] == "import_grant":
            (row,) = (await self.must("officer", "/consents/imports", {"items": [{**whole, **body, "record": record}]}))["results"]
            if row["status"] == 422:
                raise TurnedAway(f"422 {row['problem']['code']}")
            consent = row.get("id")
        else:
            consent = await self._again(event, made[-1], body, key) if again else None
            if consent is None:
                consent = (await self.must("officer", f"/records/{record}/consents", {**whole, **body}, key=key))["id"]
        if consent is None:  # an import that met no gap
            return
        if consent not in made:
            self.consents.setdefault(place, []).append(consent)
            self.fields[place] = event.get("fields", self.fields.get(place))
        if form == "written" and event.get("verified", True):
            at = moment(event["verified_at"]) if event.get("verified_at") else 0
            if at > self.counter.world.clock.now:
                self.later.append((at, consent))
            else:
                await self.sight(consent)

    async def _again(self, event: Json, consent: str, body: Json, key: str) -> str | None:
        """Given on or, by herself, confirmed; None where that was ended. Raises TurnedAway."""
        deed = "confirmation" if event["type"] == "confirm" and body["given_by"] == "self" else "renewal"
        answer = await self.call("officer", "POST", f"/consents/{consent}/{deed}", body, key=key)
        if answer.status_code == 409 and answer.json()["code"] == "consent-not-standing" and "fields" in event:
            return None
        return str(self.let_in(answer)["id"])

    async def sight(self, consent: str) -> None:
        """A second person sees the paper; one signed before the last word against it stands for nothing, and nobody is asked to."""
        found = {"result": "verified", "sighted": "original"}
        seen = await self.call("second_officer", "POST", f"/consents/{consent}/verification", found)
        assert seen.status_code == 201 or seen.json()["code"] in ("consent-not-standing", "already-verified"), seen.text

    def _last_notice(self, purpose: str) -> str:
        return [name for name, of in self.notices if of == purpose][-1]

    def _evidence(self, event: Json, form: str, text_sha256: str, said: int) -> Json:
        if form == "written":
            proof = written("officer@probe", said)
        elif form == "electronic":
            proof = electronic(text_sha256, said)
            if event.get("default_checked"):
                proof["act"] = "pre_ticked"
            if not event.get("confirmed", True):
                proof["proof"]["method"] = "session"
        else:
            return {"note": "said at the desk"}
        if not event.get("evidence_complete", True):
            proof.pop("place" if form == "written" else "served_at")
        return proof

    def who(self, subject: str) -> str:
        """The name under which somebody of two names is kept."""
        return self.same_as.get(subject, subject)

    async def _stopped(self, event: Json) -> None:
        places = [
            place
            for place in self.consents
            if self.who(place[0]) == self.who(event["subject"])
            and event.get("purpose") in (None, place[1])
            and event.get("recipient") in (None, place[2])
        ]
        # Where nothing was given that a withdrawal could name, she says no.
        if event["type"] == "refuse" or (event["type"] == "withdraw" and not places):
            record = (await self.person(event["subject"]))["id"]
            body = {
                "purpose": event["purpose"],
                "recipient": None if event["recipient"] == "INTERNAL" else event["recipient"],
                "given_by": await self.by(event),
                "indicated_at": write_time(indicated_at(event)),
            }
            await self.must("officer", f"/records/{record}/refusals", body)
            return
        if not places:
            raise TurnedAway(f"there is no consent to {event['type']}: the call names one")
        for place in places:
            consent = self.consents[place][-1]
            if event["type"] == "withdraw":
                await self.must("officer", f"/consents/{consent}/withdrawal", {"given_by": await self.by(event)})
            else:
                await self.must("second_officer", f"/consents/{consent}/invalidation", {"reason": "the signature was not hers"})

    async def _replace(self, event: Json) -> None:
        purpose = next((of for name, of in self.notices if name == event["replaces"]), None)
        if purpose is None:  # a notice nobody of the case was shown: of another purpose
            purpose = "school_support"
            await self.notice(event["replaces"], purpose)
            self.counter.world.clock.forward(1)
        by = moment(event["reconsent_by"]) if event.get("reconsent_by") else None
        await self.notice(event["notice"], purpose, material=event.get("material", False), reconsent_by=by)

    async def _order(self, event: Json) -> None:
        records = [(await self.person(name))["id"] for name in event.get("subjects", [event.get("subject")])]
        now = self.counter.world.clock.now
        body = {
            "authority": "المحكمة",
            "kind": event["kind"],
            "number": "1",
            "issued_on": write_time(now)[:10],
            "recipient": event["recipient"],
            "records": records,
            "fields": event["fields"],
            "valid_from": write_time(moment(event.get("valid_from") or "2020-01-01T00:00Z")),
            "valid_to": write_time(moment(event.get("valid_to") or "2029-01-01T00:00Z")),
            "document_sha256": "cd" * 32,
        }
        made = await self.must("officer", "/orders", body)
        if event.get("verified", True):
            await self.coded("second_officer", f"/orders/{made['id']}/approval")

    async def _signal(self, event: Json) -> None:
        if event["signal"].lower() not in ("gpc", "sec-gpc"):
            raise TurnedAway("the visitor's call takes one signal, Sec-GPC, and no other")
        notice = await self.notice("M1", HEARD_BY)
        body = {
            "visitor": browser(event["subject"]),
            "purpose": HEARD_BY,
            "notice": notice,
            "act": "button",
            "gpc": bool(int(event["value"])),
        }
        answer = await self.counter.http.post("/v1/public/probe/visitor-consents", json=body)
        assert answer.status_code == 201, answer.text

    async def _merge(self, event: Json) -> None:
        kept, absorbed = [(await self.person(event[name]))["id"] for name in ("kept", "absorbed")]
        asked = await self.must("officer", "/merges", {"kept": kept, "absorbed": absorbed, "reason": "same identity card"})
        await self.coded("second_officer", f"/merges/{asked['id']}/approval")
        self.same_as[event["absorbed"]] = event["kept"]

    async def _death(self, event: Json) -> None:
        record = (await self.person(event["subject"]))["id"]
        await self.must("officer", f"/records/{record}/death", {"evidence": "death certificate"})

    async def _ended(self, event: Json) -> None:
        named = event.get("guardian") or event.get("by")
        names = [str(named)] if named else [name for ward, name in self.guardians if ward == event["subject"]]
        record = (await self.person(event["subject"]))["id"]
        for name in names:
            if (event["subject"], name) not in self.guardians:
                await self.guardian(event["subject"], name, verified=True)
            subject = self.guardians[event["subject"], name]
            body = {"reason": "a judgment", "for_cause": bool(event.get("for_cause", False))}
            await self.must("second_officer", f"/records/{record}/guardians/{subject}/end", body)

    async def pass_to(self, at: int) -> None:
        """Let time pass to a moment, papers being seen on the way at the times the case says."""
        for when, consent in sorted(self.later):
            if when <= at:
                self.counter.world.clock.now = max(self.counter.world.clock.now, when)
                await self.sight(consent)
        self.later = [one for one in self.later if one[0] > at]
        self.counter.world.clock.now = max(self.counter.world.clock.now, at)

    async def ask(self, query: Json) -> Json:
        """What an officer is answered at the moment of the query."""
        await self.pass_to(moment(query["at"]))
        fields = query["fields"].split(",") if isinstance(query["fields"], str) else query["fields"]
        record = (await self.person(query["subject"]))["id"]
        question = {name: query[name] for name in ("action", "purpose", "recipient")} | {"record": record, "fields": fields}
        if question["action"] == self.book["fixtures"]["purposes"].get(query["purpose"], {}).get("action"):
            question["action"] = OUTSIDE.get(query["purpose"], query["action"])
        return await self.must("officer", "/decisions", question)
