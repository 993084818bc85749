"""Withdrawing by a link: a look changes nothing, one press ends it, no wrong link tells what is wrong with it, and giving asked no less."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from tests.household import FATIMA, asked, errand, grant, read, store, withdraw
from tests.simulator import World
from vault.access.withdrawal_api import withdrawal_routes
from vault.consent import link_token
from vault.consent.api import ROUTES as CONSENT
from vault.consent.challenges_api import ROUTES as CHALLENGES
from vault.consent.links import LASTS
from vault.consent.visitors_api import routes as visitor_routes
from vault.errors import NotFound, Refused
from vault.policy.events import GuardianshipEnded
from vault.records.service import GuardianOf
from vault.rulebook.channels import Channels
from vault.subjects import people
from vault.subjects.sheet import happened
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
PRESS = {"act": "withdraw"}


async def call(world: World, method: str, path: str, *, form: Mapping[str, str] | None = None, key: str = "", **json: Any) -> Any:
    channels = {world.code: Channels(site="https://vault.example.org")}
    async with world.front(
        *withdrawal_routes(world.associations, channels), *CONSENT, *CHALLENGES, *visitor_routes(world.associations, world.limits)
    ) as http:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await http.request(method, path, data=form, headers=headers, **json)


async def link(world: World, consent: bytes) -> str:
    """The path of a consent's link."""
    made = await call(world, "POST", f"/v1/consents/{write_id(consent)}/withdrawal-link", key=world.ceremony.api_key)
    assert made.status_code == 201, made.text
    assert made.json()["url"] == f"https://vault.example.org{made.json()['path']}"
    return str(made.json()["path"])


async def test_a_look_changes_nothing_and_one_press_ends_it_at_once(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    path = await link(vault, given.id)
    for _ in range(2):
        shown = await call(vault, "GET", path)
        assert (shown.status_code, shown.headers["referrer-policy"], shown.headers["cache-control"]) == (200, "no-referrer", "no-store")
        assert "أسحب موافقتي" in shown.text
        assert not [value for value in FATIMA.values() if value in shown.text]
    assert await read(vault, kept.record)
    done = await call(vault, "POST", path, form=PRESS)
    assert done.status_code == 200
    assert "سُحبت الموافقة" in done.text
    assert "<form" not in done.text
    with pytest.raises(Refused, match="consent-withdrawn"):
        await read(vault, kept.record)
    size = len(vault.entries())
    again = await call(vault, "POST", path, form=PRESS)
    assert (again.status_code, [one.kind for one in vault.entries()[size:]]) == (200, ["consent.read"]), "pressed twice, withdrawn once"
    assert "منتهية من قبل" in (await call(vault, "GET", path)).text


async def test_every_step_is_an_entry_and_the_withdrawal_is_the_persons_own(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    path = await link(vault, given.id)
    await call(vault, "GET", path)
    await call(vault, "POST", path, form=PRESS)
    told = [(one.kind, one.actor, one.consents, one.about[0].record) for one in vault.entries() if one.consents][-4:]
    assert [(kind, actor) for kind, actor, *_ in told][1:] == [
        ("consent.read", "link"),
        ("consent.read", "link"),
        ("consent.withdrawn", "link"),
    ]
    assert (told[0][0], told[0][1].partition(":")[0]) == ("consent.link-made", "client")
    assert {(consents, record) for _, _, consents, record in told} == {((given.id.hex(),), kept.record)}


async def test_what_a_mail_program_sends_for_its_own_button_withdraws_too(small: World):
    kept = await store(small)
    path = await link(small, (await grant(small, kept.record)).id)
    assert (await call(small, "POST", path, form={"List-Unsubscribe": "One-Click"})).status_code == 200
    with pytest.raises(Refused, match="consent-withdrawn"):
        await read(small, kept.record)
    assert (await call(small, "POST", path, form={"reason": "x"})).status_code == 400


async def test_altered_guessed_and_old_links_and_those_of_others_are_one_answer(small: World):
    kept = await store(small)
    given = await grant(small, kept.record)
    path = await link(small, given.id)
    head, _, token = path.rpartition("/")
    cabinet, id_ = small.association.cabinet, small.association.id
    raw = bytearray(base64.urlsafe_b64decode(token))
    flipped = []
    for place in range(len(raw)):
        raw[place] ^= 1
        flipped.append(base64.urlsafe_b64encode(bytes(raw)).decode())
        raw[place] ^= 1
    far = small.clock.now + LASTS
    wrong = [
        *flipped,
        *("x", token[:-1], token + "A", token.lower(), "A" * 52, "%00" * 17 + "A", "ا" * 52),
        link_token.write(cabinet, id_, "person", given.id, far),
        link_token.write(cabinet, b"o" * 16, "withdrawal", given.id, far),
        link_token.write(cabinet, id_, "withdrawal", b"n" * 16, far),
        link_token.write(cabinet, id_, "withdrawal", given.id, small.clock.now),
    ]
    answers = set()
    for one in wrong:
        for method, form in (("GET", None), ("POST", PRESS)):
            told = await call(small, method, f"{head}/{one}", form=form)
            answers.add((told.status_code, told.text.replace(told.text.partition('<code dir="ltr">')[2][:32], "")))
    assert [status for status, _ in answers] == [404]
    assert await read(small, kept.record)
    small.clock.forward(LASTS / 1_000_000 + 1)
    assert (await call(small, "GET", path)).status_code == 404


async def test_a_link_holds_no_id_but_the_consents_and_a_token_reads_back(small: World):
    cabinet, id_ = small.association.cabinet, small.association.id
    token = link_token.write(cabinet, id_, "person", b"p" * 16, 5_000_000)
    assert len(token) == link_token.LENGTH
    assert base64.urlsafe_b64decode(token)[:23] == b"\x02" + b"p" * 16 + (5).to_bytes(6, "big")
    assert link_token.read(cabinet, id_, "person", token, 4_999_999) == b"p" * 16
    with pytest.raises(NotFound):
        link_token.read(cabinet, id_, "person", token, 5_000_000)


async def test_a_guardian_withdraws_what_she_gave_and_nothing_once_her_office_ended(small: World):
    mother = await store(small)
    child = await store(small, {**FATIMA, "birth_date": "2020-01-01"}, kind="beneficiary", guardian=GuardianOf(mother.subject, "wali"))
    given = await grant(small, child.record, await asked(small, given_by=mother.subject.hex()))
    path = await link(small, given.id)
    assert "أسحب موافقتي" in (await call(small, "GET", path)).text
    job, event = await errand(small), happened(GuardianshipEnded(mother.subject.hex(), small.clock.now), at=small.clock.now, by="client:1")
    await small.association.run(
        lambda deed: people.change(
            deed, people.of_subject(deed, child.subject), [event], job.entry(kind="guardianship.ended", outcome="allow")
        )
    )
    small.clock.forward(1)
    size = len(small.entries())
    assert [(await call(small, method, path, form=form)).status_code for method, form in (("GET", None), ("POST", PRESS))] == [404, 404]
    assert len(small.entries()) == size


async def test_nobody_makes_links_without_the_scope_or_for_a_consent_there_is_none_of(small: World):
    kept = await store(small)
    given = await grant(small, kept.record)
    path = f"/v1/consents/{write_id(given.id)}/withdrawal-link"
    assert (await call(small, "POST", path)).status_code == 401
    assert (await call(small, "POST", f"/v1/consents/{write_id(b'n' * 16)}/withdrawal-link", key=small.ceremony.api_key)).status_code == 404


async def test_a_reason_is_never_asked_and_one_that_is_too_long_is_refused(small: World):
    kept = await store(small)
    path = f"/v1/consents/{write_id((await grant(small, kept.record)).id)}/withdrawal"
    told = await call(small, "POST", path, key=small.ceremony.api_key, json={"given_by": "self", "reason": "x" * 2001})
    assert (told.status_code, told.json()["errors"]) == (422, [{"field": "reason", "code": "too-long"}])
    assert (await call(small, "POST", path, key=small.ceremony.api_key, json={"given_by": "self"})).status_code == 201


async def test_who_was_withdrawn_by_another_way_finds_it_over(small: World):
    kept = await store(small)
    given = await grant(small, kept.record)
    path = await link(small, given.id)
    await withdraw(small, given.id)
    shown = await call(small, "GET", f"{path}?lang=en")
    assert "has ended already" in shown.text
    assert "<form" not in shown.text


async def test_withdrawing_asks_no_more_requests_and_fields_than_giving_on_the_same_channel(small: World):
    """Counted: the electronic consent of a system, the vault's own challenge, the link, and a website's visitor."""
    kept, what, key = await store(small), await asked(small), small.ceremony.api_key
    notice = {"id": write_id(bytes.fromhex(what.notice)), "version": what.notice_version, "language": "ar", "sha256": what.sha256}
    electronic = {
        "purpose": what.purpose,
        "fields": sorted(what.fields),
        "form": "electronic",
        "explicit": False,
        "notice": notice,
        "given_by": "self",
        "indicated_at": what.evidence["answered_at"],
        "evidence": dict(what.evidence),
    }
    system = await many(small, key, [("POST", f"/v1/records/{write_id(kept.record)}/consents", electronic)])
    ended = await many(small, key, [("POST", f"/v1/consents/{system.made}/withdrawal", {"given_by": "self"})])
    assert ended <= system
    small.clock.forward(1)  # what was asked before a no is not answered any more
    question = {"purpose": what.purpose, "fields": sorted(what.fields), "notice": notice}
    issued = await many(small, key, [("POST", path := f"/v1/records/{write_id(kept.record)}/consent-challenges", question)])
    reply = {"code": issued.answer["code"], "act": "reply_code"}
    answered = await many(small, key, [("POST", f"{path}/{issued.made}/answer", reply)])
    challenge = issued + answered
    way = await link(small, bytes.fromhex(answered.made.replace("-", "")))
    looked, pressed = await call(small, "GET", way), await call(small, "POST", way, form=PRESS)
    assert (looked.status_code, pressed.status_code) == (200, 200)
    assert looked.text.count("<input") + looked.text.count("<textarea") + looked.text.count("<select") == 0
    assert Count(2, len(PRESS)) <= challenge, "asked and answered; looked at and pressed"
    shown = await asked(small, "visitor_analytics")
    said = {"id": write_id(bytes.fromhex(shown.notice)), "version": shown.notice_version, "language": "ar", "sha256": shown.sha256}
    word = {"visitor": "v" * 22, "purpose": "visitor_analytics", "notice": said, "act": "button", "gpc": False}
    public = f"/v1/public/{small.code}/visitor-consents"
    visitor = await many(small, "", [("POST", public, word)])
    taken_back = await many(small, "", [("POST", f"{public}/withdrawal", {"visitor": "v" * 22, "purpose": "visitor_analytics"})])
    assert taken_back <= visitor


class Count:
    """HTTP requests and the fields filled in for them; `made` is the id of what came of it."""

    def __init__(self, requests: int, fields: int, answer: Mapping[str, Any] | None = None) -> None:
        self.requests, self.fields, self.answer = requests, fields, dict(answer or {})
        self.made = str(self.answer.get("id", ""))

    def __add__(self, other: "Count") -> "Count":
        return Count(self.requests + other.requests, self.fields + other.fields, other.answer)

    def __le__(self, other: "Count") -> bool:
        return self.requests <= other.requests and self.fields <= other.fields


async def many(world: World, key: str, requests: list[tuple[str, str, Mapping[str, Any]]]) -> Count:
    """Send these requests, which all succeed, and count them."""
    fields, answer = 0, {}
    for method, path, body in requests:
        told = await call(world, method, path, key=key, json=body)
        assert told.status_code == 201, told.text
        fields, answer = fields + len(body), told.json()
    return Count(len(requests), fields, answer)
