"""Consent in the vault: recorded as it was given, seen by a second person, ended at once, told and never decided on for the past."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.household import BASIC, FATIMA, HOUR, asked, errand, findings, grant, lay_down, partner, read, store, verify, withdraw, written
from tests.simulator import World
from vault.access import withdrawals
from vault.access_log.deed import EntryRefusal
from vault.consent import history
from vault.consent import service as consents
from vault.errors import Conflict, Gone, Invalid, NotFound, Refused, Unavailable
from vault.identity.callers import Caller
from vault.policy.events import GuardianAppointed, GuardianshipEnded, Locked
from vault.policy.facts import Guardian, GuardianKind
from vault.records import service as records
from vault.records.service import GuardianOf
from vault.rulebook.asker import once_for
from vault.rulebook.book import notice_key
from vault.rulebook.shapes import NOTICE, PURPOSE, STAFF
from vault.storage.group_commit import GroupCommit
from vault.subjects import people, tables
from vault.subjects.sheet import happened

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def refused_with(world: World, record: bytes, noticed: str = "service_delivery", **changes: Any) -> tuple[str, str, str]:
    """The code, member and member's code of a consent, to the notice of that purpose, that is refused at the door."""
    what = replace(await asked(world, noticed), **changes)
    before = len(world.entries())
    with pytest.raises(Invalid) as refused:
        await grant(world, record, what)
    assert len(world.entries()) == before, "what is refused with 422 leaves nothing behind"
    return refused.value.code, refused.value.errors[0].field, refused.value.errors[0].code


async def happen(world: World, record: bytes, *events: Any) -> None:
    """Something the articles know about, recorded by the system."""
    job = await errand(world)

    def unit(deed: Any) -> None:
        known = people.of_record(deed, record)
        told = [happened(event, at=deed.now, by=job.asker.ref) for event in events]
        people.change(deed, known, told, job.entry(kind="test.happened", outcome="allow"), record=record)

    await world.association.run(unit)


async def told(world: World, record: bytes, as_of: int | None = None, caller: Any = None) -> list[tuple[str, str]]:
    """Purpose and state of every consent, as `GET /records/{id}/consents` tells them."""
    job = await errand(world, caller)
    items = (await world.association.run(lambda deed: history.consents(deed, job, record, as_of))).items
    return [(one.purpose, one.state) for one in items]


async def on_paper(world: World, record: bytes, captured_by: str = "second_officer@probe", **changes: Any) -> consents.Recorded:
    paper = {"form": "written", "evidence": written(captured_by, world.clock.now)}
    return await grant(world, record, await asked(world, **{**paper, **changes}))


async def test_what_was_agreed_to_is_read_and_nothing_else(vault: World):
    kept = await store(vault)
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "no-consent"
    recorded = await grant(vault, kept.record)
    assert recorded.state == "recorded"
    assert (await read(vault, kept.record))["mobile"] == "+966551234567"
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record, fields=("birth_date",))
    assert refused.value.code == "fields-not-covered"
    (entry,) = [one for one in vault.entries() if one.kind == "consent.granted"]
    assert (entry.fields, entry.purpose, entry.recipient, entry.article) == (
        tuple(sorted(BASIC)),
        "service_delivery",
        "INTERNAL",
        "cooperative:6.1",
    )


CHANGES: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "an unknown purpose": ({"purpose": "sale"}, ("invalid", "purpose", "unknown-purpose")),
    "a duty of the law": ({"purpose": "subject_request"}, ("invalid", "purpose", "no-consent-asked")),
    "an unknown recipient": ({"recipient": "nobody"}, ("invalid", "recipient", "unknown-recipient")),
    "a recipient where nothing leaves the house": ({"recipient": "partner"}, ("invalid", "recipient", "action-mismatch")),
    "a notice of nobody": ({"notice": "00" * 16}, ("invalid", "notice.id", "unknown-notice")),
    "another version of the notice": ({"notice_version": 9}, ("invalid", "notice.id", "unknown-notice")),
    "a language it was not shown in": ({"language": "fr"}, ("invalid", "notice.language", "unknown-notice")),
    "another text": ({"sha256": "0" * 64}, ("notice-hash-mismatch", "notice.sha256", "notice-hash-mismatch")),
    "no fields": ({"fields": frozenset()}, ("invalid", "fields", "no-fields")),
    "an unknown field": ({"fields": frozenset({"shoe_size"})}, ("invalid", "fields", "unknown-field")),
    "a health note without an explicit word": (
        {"fields": frozenset({"health_note"})},
        ("explicit-required", "explicit", "explicit-required"),
    ),
    "an end before its beginning": ({"expires_at": 1}, ("invalid", "expires_at", "out-of-range")),
    "a guardian she never had": ({"given_by": "11" * 16}, ("invalid", "given_by", "unknown-guardian")),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_a_consent_that_does_not_hold_is_refused_member_by_member(small: World, case: str):
    changes, expected = CHANGES[case]
    kept = await store(small)
    await partner(small)
    assert await refused_with(small, kept.record, **changes) == expected


async def test_sharing_names_its_recipient(small: World):
    kept = await store(small)
    assert await refused_with(small, kept.record, "partner_sharing") == ("invalid", "recipient", "action-mismatch")
    await partner(small, "gone", revoked_at=small.clock.now)
    assert await refused_with(small, kept.record, "partner_sharing", recipient="gone") == ("invalid", "recipient", "unknown-recipient")


async def test_consent_wider_than_notice_or_purpose_is_refused(small: World):
    kept = await store(small)
    exceeded = ("exceeds-notice", "fields", "exceeds-notice")
    assert await refused_with(small, kept.record, "sms_offers", fields=frozenset({"health_note"}), explicit=True) == exceeded
    await partner(small)
    book = await small.association.refresh()
    for purpose, change in {"service_delivery": {"fields": ("full_name",)}, "partner_sharing": {"recipients": ("other",)}}.items():
        notice = book.current_notice(purpose)
        assert notice is not None
        await lay_down(small, NOTICE, notice_key(notice.id, 1), msgspec.structs.replace(notice, **change))
    assert await refused_with(small, kept.record) == exceeded
    assert await refused_with(small, kept.record, "partner_sharing", recipient="partner") == exceeded


async def test_an_unknown_record_is_not_found(small: World):
    with pytest.raises(NotFound):
        await grant(small, bytes(16))


async def test_incomplete_evidence_is_recorded_and_never_enough(vault: World):
    kept = await store(vault)
    proof = (await asked(vault)).evidence
    recorded = await grant(vault, kept.record, await asked(vault, evidence={k: v for k, v in proof.items() if k != "proof"}))
    assert recorded.state == "evidence-incomplete"
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "evidence-incomplete"
    paper = {k: v for k, v in written("second_officer@probe", vault.clock.now).items() if k != "place"}
    unsigned = await grant(vault, kept.record, await asked(vault, form="written", evidence=paper))
    assert await verify(vault, unsigned.id, await vault.person("officer")) == "verified"
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "evidence-incomplete"
    assert await told(vault, kept.record) == [("service_delivery", "evidence-incomplete")] * 2


async def test_paper_counts_once_a_second_person_has_seen_it(vault: World):
    kept = await store(vault)
    await partner(vault)
    officer = await vault.person("officer")
    recorded = await on_paper(vault, kept.record, purpose="partner_sharing", recipient="partner", **await shown(vault, "partner_sharing"))
    assert recorded.state == "awaiting-verification"
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record, "partner_sharing", recipient="partner")
    assert refused.value.code == "evidence-unverified"
    await verify(vault, recorded.id, officer)
    assert (await read(vault, kept.record, "partner_sharing", recipient="partner")).keys() == set(BASIC)


async def shown(world: World, purpose: str) -> dict[str, Any]:
    """The members of a consent that name the notice of this purpose."""
    what = await asked(world, purpose)
    return {"notice": what.notice, "notice_version": what.notice_version, "sha256": what.sha256}


async def test_a_click_is_never_writing(vault: World):
    kept = await store(vault)
    await partner(vault)
    await grant(vault, kept.record, await asked(vault, "partner_sharing", recipient="partner"))
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record, "partner_sharing", recipient="partner")
    assert refused.value.code == "evidence-insufficient"


@pytest.mark.parametrize("name", ["officer@probe", " OFFICER@PROBE ", "by id"])
async def test_who_took_it_down_may_not_verify_and_that_refusal_is_an_entry(vault: World, name: str):
    kept = await store(vault)
    officer = await vault.person("officer")
    recorded = await on_paper(vault, kept.record, officer.id if name == "by id" else name)
    with pytest.raises(EntryRefusal) as refused:
        await verify(vault, recorded.id, officer)
    assert refused.value.code == "same-person"
    last = vault.entries()[-1]
    assert (last.kind, last.outcome, last.reason, last.consents) == ("consent.verified", "refuse", "SAME_PERSON", (recorded.id.hex(),))
    assert last.about[0].record == kept.record
    with pytest.raises(Refused):
        await read(vault, kept.record)


async def test_who_recorded_it_in_anothers_name_may_not_verify_it_alone(vault: World):
    kept = await store(vault)
    officer = await vault.person("officer")
    paper = await asked(vault, form="written", evidence=written("second_officer@probe", vault.clock.now))
    recorded = await grant(vault, kept.record, paper, officer)
    with pytest.raises(EntryRefusal) as refused:
        await verify(vault, recorded.id, officer)
    assert refused.value.code == "same-person"


async def test_who_made_the_others_account_is_no_second_person(vault: World):
    kept = await store(vault)
    officer, second = await vault.person("officer"), await vault.person("second_officer")
    recorded = await on_paper(vault, kept.record, "second_officer@probe")
    member = (await vault.association.refresh()).staff[second.id]
    await lay_down(vault, STAFF, second.id, msgspec.structs.replace(member, made_by=officer.ref))
    with pytest.raises(EntryRefusal) as refused:
        await verify(vault, recorded.id, officer)
    assert refused.value.code == "same-person"


@pytest.mark.parametrize("name", ["nobody@probe", "00000000-0000-0000-0000-000000000000", ""])
async def test_evidence_that_names_staff_there_is_none_of(small: World, name: str):
    kept = await store(small)
    evidence = written(name, small.clock.now)
    if not name:
        recorded = await grant(small, kept.record, await asked(small, form="written", evidence=evidence))
        assert recorded.state == "evidence-incomplete"
        return
    assert await refused_with(small, kept.record, form="written", evidence=evidence) == (
        "evidence-malformed",
        "evidence.captured_by",
        "unknown-staff",
    )


async def test_what_was_rejected_is_never_verified(vault: World):
    kept = await store(vault)
    officer = await vault.person("officer")
    recorded = await on_paper(vault, kept.record)
    assert await verify(vault, recorded.id, officer, "rejected") == "rejected"
    assert await told(vault, kept.record) == [("service_delivery", "rejected")]
    with pytest.raises(Conflict) as refused:
        await verify(vault, recorded.id, officer)
    assert refused.value.code == "consent-rejected"
    with pytest.raises(Refused):
        await read(vault, kept.record)


async def test_the_rejection_of_what_counted_ends_it_and_closes_the_door_in_the_journal(vault: World):
    kept = await store(vault)
    officer = await vault.person("officer")
    recorded = await on_paper(vault, kept.record)
    await verify(vault, recorded.id, officer)
    await read(vault, kept.record)
    await verify(vault, recorded.id, officer, "rejected")
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "not-permitted"  # confided: that the association invalidated it is an officer's to know
    assert [line.closing.kind for line in vault.association.log.journal.lines()] == ["invalidation"]
    assert await told(vault, kept.record, caller=officer) == [("service_delivery", "invalidated")]
    assert await told(vault, kept.record) == [("service_delivery", "ended")]


async def test_a_withdrawal_ends_every_consent_of_the_purpose_and_recipient_at_once(vault: World):
    kept = await store(vault)
    first, second = await grant(vault, kept.record), await grant(vault, kept.record)
    other = await grant(vault, kept.record, await asked(vault, "sms_offers", fields=frozenset({"mobile"})))
    await read(vault, kept.record)
    await withdraw(vault, first.id)
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "consent-withdrawn"
    assert await told(vault, kept.record) == [("service_delivery", "withdrawn"), ("service_delivery", "withdrawn"), ("sms_offers", "given")]
    assert await read(vault, kept.record, "sms_offers", ("mobile",)) == {"mobile": "+966551234567"}
    with pytest.raises(Conflict) as conflict:
        await verify(vault, second.id, await vault.person("officer"))
    assert conflict.value.code == "consent-not-standing"
    (line,) = vault.association.log.journal.lines()
    assert (line.closing.kind, line.closing.reference, line.closing.detail) == (
        "withdrawal",
        kept.subject.hex(),
        "service_delivery|INTERNAL",
    )
    vault.clock.forward(1)
    await grant(vault, kept.record)
    await read(vault, kept.record)
    assert other.state == "recorded"


async def test_a_withdrawal_ends_it_for_every_record_of_the_person(vault: World):
    kept = await store(vault)
    again = await store(vault, known=kept.subject)
    recorded = await grant(vault, kept.record)
    await read(vault, again.record)
    await withdraw(vault, recorded.id)
    for record in (kept.record, again.record):
        with pytest.raises(Refused):
            await read(vault, record)


async def test_the_journal_has_the_line_before_the_commit(vault: World, monkeypatch: pytest.MonkeyPatch):
    kept = await store(vault)
    recorded = await grant(vault, kept.record)
    whole = GroupCommit._transact

    def dies_before_the_commit(self: Any, jobs: Any) -> Any:
        begin = self._begin

        def session(transaction: Any) -> Any:
            deed = begin(transaction)
            close = deed.close

            class Dying:
                """A deed whose process dies between journal and commit."""

                def __getattr__(self, name: str) -> Any:
                    return getattr(deed, name)

                def close(self) -> None:
                    close()
                    raise OSError("power cut")

            return Dying()

        self._begin = session
        try:
            return whole(self, jobs)
        finally:
            self._begin = begin

    with monkeypatch.context() as patched:
        patched.setattr(GroupCommit, "_transact", dies_before_the_commit)
        with pytest.raises(Unavailable):
            await withdraw(vault, recorded.id)
    assert [line.closing.kind for line in vault.association.log.journal.lines()] == ["withdrawal"]
    # Nothing was committed: a line too many only refuses, and only after a restore.
    assert [entry.kind for entry in vault.entries()][-1] != "consent.withdrawn"


async def ward(world: World, kind: GuardianKind = "wali", fields: dict[str, Any] | None = None) -> tuple[Any, str]:
    """A child with a verified guardian: her record and the guardian's id in hexadecimal."""
    guardian = await store(world, FATIMA | {"national_id": "1000000016"})
    child = FATIMA | {"birth_date": "2020-05-10"} if fields is None else fields
    kept = await store(world, child, kind="beneficiary", guardian=GuardianOf(guardian.subject, kind))
    await happen(world, kept.record, GuardianAppointed(Guardian(guardian.subject.hex(), kind, verified=True)))
    return kept, guardian.subject.hex()


async def test_a_guardian_agrees_for_a_ward_and_the_ward_does_not(vault: World):
    kept, guardian = await ward(vault)
    await grant(vault, kept.record)
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "not-permitted"
    await grant(vault, kept.record, await asked(vault, given_by=guardian))
    assert (await read(vault, kept.record)).keys() == set(BASIC)


async def test_a_former_guardian_neither_gives_nor_withdraws_and_the_refusal_is_an_entry(vault: World):
    kept, guardian = await ward(vault)
    recorded = await grant(vault, kept.record, await asked(vault, given_by=guardian))
    vault.clock.forward(1)
    await happen(vault, kept.record, GuardianshipEnded(guardian, vault.clock.now))
    for attempt in (grant(vault, kept.record, await asked(vault, given_by=guardian)), withdraw(vault, recorded.id, guardian)):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.code == "guardian-removed"
        last = vault.entries()[-1]
        assert (last.kind, last.outcome, last.reason, last.about[0].record) == (
            "consent.refused",
            "refuse",
            "GUARDIAN_REMOVED",
            kept.record,
        )
    assert (await read(vault, kept.record)).keys() == set(BASIC)


async def test_a_guardian_is_a_former_one_from_the_day_of_majority(vault: World):
    kept, guardian = await ward(vault)
    recorded = await grant(vault, kept.record, await asked(vault, given_by=guardian))
    vault.clock.now += 20 * 366 * 24 * HOUR
    with pytest.raises(Refused) as refused:
        await withdraw(vault, recorded.id, guardian)
    assert refused.value.code == "guardian-removed"
    await withdraw(vault, recorded.id)


async def test_an_agent_of_an_adult_may_withdraw_what_he_gave(vault: World):
    kept, agent = await ward(vault, "agent", FATIMA)
    recorded = await grant(vault, kept.record, await asked(vault, given_by=agent))
    await withdraw(vault, recorded.id, agent)
    assert await told(vault, kept.record) == [("service_delivery", "withdrawn")]


async def test_the_past_is_told_and_permits_nothing(vault: World):
    kept = await store(vault)
    recorded = await grant(vault, kept.record)
    given_at = vault.clock.now
    vault.clock.forward(60)
    await withdraw(vault, recorded.id)
    assert await told(vault, kept.record, given_at) == [("service_delivery", "given")]
    assert await told(vault, kept.record, given_at - 1) == []
    assert await told(vault, kept.record, vault.clock.now + HOUR) == [("service_delivery", "withdrawn")]
    last = vault.entries()[-1]
    assert (last.kind, last.outcome, last.about[0].record) == ("consent.read", "allow", kept.record)
    with pytest.raises(Refused):
        await read(vault, kept.record)


async def test_each_state_has_its_word(vault: World):
    kept = await store(vault)
    now = vault.clock.now
    await grant(vault, kept.record, await asked(vault, expires_at=now + HOUR))
    await on_paper(vault, kept.record)
    recorded = await grant(vault, kept.record, await asked(vault, "sms_offers", fields=frozenset({"mobile"})))
    await withdraw(vault, recorded.id)
    vault.clock.forward(60)
    await grant(vault, kept.record, await asked(vault, "sms_offers", fields=frozenset({"mobile"}), indicated_at=now - HOUR))
    vault.clock.forward(3600)
    assert [state for _, state in await told(vault, kept.record)] == ["expired", "awaiting-verification", "withdrawn", "stale"]


async def test_a_consent_signed_before_the_withdrawal_does_not_revive(vault: World):
    kept = await store(vault)
    early = await asked(vault)
    recorded = await grant(vault, kept.record)
    vault.clock.forward(60)
    await withdraw(vault, recorded.id)
    vault.clock.forward(60)
    # The act itself is older than the withdrawal, whatever date the caller puts on it.
    await grant(vault, kept.record, replace(early, indicated_at=vault.clock.now))
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "stale-grant"


@pytest.mark.parametrize(("method", "code"), [("one_time_code", None), ("session", "pending-confirmation")])
async def test_double_opt_in_counts_where_the_number_answered(small: World, method: str, code: str | None):
    kept = await store(small)
    laid = (await small.association.refresh()).purposes["sms_offers"]
    await lay_down(small, PURPOSE, "sms_offers", msgspec.structs.replace(laid, double_opt_in=True))
    what = await asked(small, "sms_offers", fields=frozenset({"mobile"}))
    proof = {"method": method, "verified_at": what.evidence["answered_at"]}
    await grant(small, kept.record, replace(what, evidence={**what.evidence, "proof": proof}))
    if code is None:
        await read(small, kept.record, "sms_offers", ("mobile",))
        return
    with pytest.raises(Refused) as refused:
        await read(small, kept.record, "sms_offers", ("mobile",))
    assert refused.value.code == code


async def test_a_key_records_no_consent_to_what_it_is_not_for(small: World):
    kept = await store(small)
    caller: Caller = await small.system()
    narrow = replace(caller, asker=replace(caller.asker, purposes=frozenset({"sms_offers"})))
    recorded = await grant(small, kept.record)
    with pytest.raises(Refused) as refused:
        await grant(small, kept.record, caller=narrow)
    assert refused.value.code == "out-of-scope"
    assert small.entries()[-1].reason == "OUT_OF_SCOPE"
    # Closing a door is anybody's who may write consents.
    job = await errand(small, narrow)
    await small.association.run(lambda deed: withdrawals.withdraw(deed, job, recorded.id, "self", "asked by telephone"))


async def test_nothing_is_agreed_to_while_erasure_is_pending_but_withdrawal_is_heard(small: World):
    kept = await store(small)
    recorded = await grant(small, kept.record)
    paper = await on_paper(small, kept.record)
    await happen(small, kept.record, Locked(small.clock.now))
    for attempt in (grant(small, kept.record), verify(small, paper.id, await small.person("officer"))):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.code == "erasure-pending"
    await withdraw(small, recorded.id)


async def test_a_consent_of_nobody_is_not_found(small: World):
    with pytest.raises(NotFound):
        await withdraw(small, bytes(16))


async def test_a_repeat_gives_the_same_consent_and_no_second_one(vault: World):
    kept = await store(vault)
    job, what = await errand(vault), await asked(vault)
    once = once_for(job.asker, route="consents.grant", key="k" * 16, body={"a": 1})
    first = await vault.association.run(lambda deed: consents.grant(deed, job, kept.record, what, once))
    assert await vault.association.run(lambda deed: consents.grant(deed, job, kept.record, what, once)) == first
    other = once_for(job.asker, route="consents.grant", key="k" * 16, body={"a": 2})
    with pytest.raises(Conflict) as refused:
        await vault.association.run(lambda deed: consents.grant(deed, job, kept.record, what, other))
    assert refused.value.code == "idempotency-mismatch"
    with vault.database.connect() as connection, connection.begin():
        connection.execute(tables.consent.delete())
    with pytest.raises(Gone):
        await vault.association.run(lambda deed: consents.grant(deed, job, kept.record, what, once))


async def test_the_same_consent_given_again_and_again_is_one_in_the_sheet_and_each_in_the_log(vault: World):
    kept = await store(vault)
    first = await grant(vault, kept.record)
    for _ in range(5):
        vault.clock.forward(1)
        await grant(vault, kept.record)
    job = await errand(vault)
    person = (await vault.association.run(lambda deed: people.of_record(deed, kept.record))).sheet
    assert person is not None
    assert len(person.person.standings["service_delivery|INTERNAL"].grants) == 1
    assert [entry.kind for entry in vault.entries()].count("consent.granted") == 6
    assert await told(vault, kept.record) == [("service_delivery", "given")] * 6
    await read(vault, kept.record)
    assert len(vault.entries()[-1].consents) == 1
    # What another took the place of can still be found wanting, and then ends them all.
    assert await verify(vault, first.id, await vault.person("officer"), "rejected") == "rejected"
    with pytest.raises(Refused):
        await read(vault, kept.record)
    assert job.asker.flags == ()


async def test_no_more_consents_stand_side_by_side_than_a_sheet_can_bear(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(consents, "MOST_GRANTS", 3)
    kept = await store(small)
    for _ in range(3):
        await on_paper(small, kept.record)
    before = len(small.entries())
    with pytest.raises(Conflict) as refused:
        await on_paper(small, kept.record)
    assert (refused.value.code, len(small.entries())) == ("too-many-consents", before)
    sms = await asked(small, "sms_offers", fields=frozenset({"mobile"}))
    recorded = await grant(small, kept.record, sms)
    for _ in range(4):
        await grant(small, kept.record, sms)
    await withdraw(small, recorded.id)


async def test_a_birth_date_told_later_gives_no_minors_word_back(vault: World):
    kept, _ = await ward(vault)
    await grant(vault, kept.record)
    job = await errand(vault)
    await vault.association.run(lambda deed: records.update(deed, job, kept.record, 1, {"birth_date": "1980-05-10"}))
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "not-permitted"
    assert vault.entries()[-1].reason == "NO_CAPACITY"
    vault.clock.forward(1)
    await grant(vault, kept.record)
    assert (await read(vault, kept.record)).keys() == set(BASIC)
    await vault.association.run(lambda deed: records.update(deed, job, kept.record, 2, {"birth_date": "2019-05-10"}))
    with pytest.raises(Refused):
        await read(vault, kept.record)
    # Once judged given without capacity, no correction gives it back: she says it anew, being of age.
    await vault.association.run(lambda deed: records.update(deed, job, kept.record, 3, {"birth_date": "1980-05-10"}))
    with pytest.raises(Refused):
        await read(vault, kept.record)
    assert vault.entries()[-1].reason == "NO_CAPACITY"
    assert findings(vault) == []
    vault.clock.forward(1)
    await grant(vault, kept.record)
    assert (await read(vault, kept.record)).keys() == set(BASIC)


@pytest.mark.parametrize("result", ["verified", "rejected"])
async def test_what_a_ceremony_account_verifies_carries_the_flag(small: World, result: Any):
    kept = await store(small)
    recorded = await on_paper(small, kept.record)
    await verify(small, recorded.id, await small.person("officer"), result)
    last = small.entries()[-1]
    assert (last.kind, last.flags) == (f"consent.{result}", ("ceremony",))
