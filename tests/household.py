"""Invented people in a simulated vault: stored, consenting, asked about; shared by the tests of rooms that need somebody to be there."""

from dataclasses import replace
from typing import Any

from tests.simulator import START, World
from vault.access import reading, withdrawals
from vault.access.examine import papers
from vault.access.verdicts import Asked
from vault.access_log.verify import snapshot
from vault.attachments.examine import examine as examine_scans
from vault.consent import service as consents
from vault.consent.service import Refusal
from vault.consent.within import Consent
from vault.identity.callers import Caller
from vault.policy.facts import INTERNAL, SELF
from vault.records import service, shelf
from vault.records.examine import examine as examine_containers
from vault.records.service import Intake, Kept, Whose
from vault.rulebook import facts
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.association import Association
from vault.rulebook.shapes import AGREEMENT, RECIPIENT, AgreementFact, RecipientFact
from vault.subjects.examine import examine as examine_people
from vault.subjects.sheet import RecordState
from vault.web.times import write_time

HOUR = 3_600_000_000
FATIMA: dict[str, Any] = {
    "full_name": "فاطمة بنت خالد الشمري",
    "national_id": "1000000008",
    "birth_date": "1990-05-10",
    "mobile": "0551234567",
    "health_note": "ضغط الدم",
}
BASIC = ("full_name", "national_id", "mobile")


async def errand(world: World, caller: Asker | None = None, request: str = "request-1") -> Errand:
    """An errand of this caller, else of the system of the ceremony."""
    return Errand(caller or await world.system(), request)


async def store(world: World, fields: dict[str, Any] | None = None, *, type_: str = "beneficiary", **whose: Any) -> Kept:
    """Somebody stored by the system of the ceremony; `whose` as `Whose` takes it."""
    shape = service.type_of(await world.association.book(), type_)
    intake = Intake(type_, shelf.clean(shape, FATIMA if fields is None else fields), Whose(**whose))
    job = await errand(world)
    return await world.association.run(lambda deed: service.store(deed, job, intake))


async def partner(world: World, code: str = "partner", *, revoked_at: int | None = None) -> None:
    """A registered party outside the house."""
    await lay_down(world, RECIPIENT, code, RecipientFact(code=code, name={}, kind="partner", country="SA", revoked_at=revoked_at))


async def agreement(world: World, recipient: str = "partner", **changes: Any) -> AgreementFact:
    """An agreement in force with this party about everything there is; `changes` replace members."""
    book, now = await world.association.refresh(), world.clock.now
    everything: dict[str, Any] = {
        "purposes": tuple(sorted(book.purposes)),
        "types": tuple(sorted(book.types)),
        "classes": tuple(sorted({field.field_class for shape in book.types.values() for field in shape.fields})),
    }
    times = {"valid_from": now - HOUR, "valid_to": now + 24 * HOUR, "registered_at": now}
    hands = {"registered_by": "staff:01", "approved_by": "staff:02", "reference": "MoU 1", "reason": "shared programme"}
    told = {"id": f"{len(book.agreements):032x}", "recipient": recipient, **everything, **times, **hands, **changes}
    made = AgreementFact(**told)
    await lay_down(world, AGREEMENT, made.id, made)
    return made


async def lay_down(world: World, kind: Any, key: str, value: Any) -> None:
    """Write one association-wide fact with its entry, as a deed does."""
    job = await errand(world)
    await world.association.run(
        lambda deed: deed.append(
            job.entry(kind=f"{kind.name}.written", outcome="allow", facts=(facts.write(deed, kind, key, value),)), changes_law=True
        ),
    )


async def asked(world: World, purpose: str = "service_delivery", **changes: Any) -> Consent:
    """A consent to the present notice of a purpose, electronic and complete; `changes` replace members."""
    notice = (await world.association.refresh()).current_notice(purpose)
    assert notice is not None, purpose
    now = world.clock.now
    consent = Consent(
        purpose=purpose,
        recipient=INTERNAL,
        fields=frozenset(BASIC),
        form="electronic",
        explicit=False,
        notice=notice.id,
        notice_version=notice.version,
        language="ar",
        sha256=notice.sha256["ar"],
        given_by=SELF,
        indicated_at=now,
        expires_at=None,
        evidence=electronic(notice.sha256["ar"], now),
    )
    return replace(consent, **changes)


def electronic(text_sha256: str, now: int = START) -> dict[str, Any]:
    """Complete evidence of an electronic consent."""
    at = write_time(now)
    return {
        "act": "checkbox",
        "text_sha256": text_sha256,
        "served_at": at,
        "answered_at": at,
        "proof": {"method": "one_time_code", "verified_at": at},
        "asserted_by": "client",
    }


def written(captured_by: str, now: int = START) -> dict[str, Any]:
    """Complete evidence of a consent in writing, taken down by this member of staff."""
    return {
        "original_kept_at": "shelf 4",
        "template": "T-1",
        "signature": "signature",
        "identity_check": "national_id",
        "signed_at": write_time(now),
        "place": "Riyadh",
        "captured_by": captured_by,
    }


async def grant(world: World, record: bytes, consent: Consent | None = None, caller: Asker | None = None) -> consents.Recorded:
    """Record a consent, by default the system's electronic one to service delivery."""
    job, what = await errand(world, caller), consent or await asked(world)
    return await world.association.run(lambda deed: consents.grant(deed, job, record, what, None))


async def verify(world: World, consent: bytes, caller: Caller, result: Any = "verified") -> str:
    """Record what a second person found."""
    job = await errand(world, caller)
    return await world.association.run(lambda deed: consents.verify(deed, job, consent, result, "original"))


async def withdraw(world: World, consent: bytes, given_by: str = SELF) -> None:
    """Withdraw, by default by the person herself through the system."""
    job = await errand(world)
    await world.association.run(lambda deed: withdrawals.withdraw(deed, job, consent, given_by, None))


async def refuse(world: World, record: bytes, purpose: str = "sms_offers", *, said_at: int | None = None) -> None:
    """Say no, by default the person herself, now."""
    job, said = await errand(world), Refusal(purpose, INTERNAL, SELF, world.clock.now if said_at is None else said_at)
    await world.association.run(lambda deed: withdrawals.refuse(deed, job, record, said))


async def read(
    world: World,
    record: bytes,
    purpose: str = "service_delivery",
    fields: tuple[str, ...] = BASIC,
    *,
    through: Association | None = None,
    recipient: str | None = None,
) -> dict[str, Any]:
    """What the system reads of a record, through the world's association or another process's. Raises what it is answered with."""
    caller = await world.system()
    if through is not None:
        # Another process knows no law yet, so it reads the book again.
        caller = replace(caller, association=through, law=-1)
    purposes = (await world.association.refresh()).purposes
    action = purposes[purpose].action if purpose in purposes else None
    given = await reading.read(Errand(caller, "read"), Asked(record, action, purpose, fields, recipient))
    return given.values


def none_disclosed_behind_a_withdrawal(world: World) -> set[bytes]:
    """Whose consents the log ends, once every disclosure before its person's withdrawal is allowed in it and every one after it is not."""
    ended: set[bytes] = set()
    for entry in world.entries():
        for about in entry.about:
            if entry.kind == "consent.withdrawn":
                ended.add(about.subject)
            elif entry.kind == "disclose":
                assert (entry.outcome == "allow") == (about.subject not in ended)
    return ended


def findings(world: World) -> list[str]:
    """What the examiners of `amanah doctor` find in facts, people and containers, and in scans."""
    states: dict[bytes, RecordState] = {}
    cabinet, association = world.association.cabinet, world.association.id
    with snapshot(world.database) as connection:
        found = facts.examine(connection, cabinet, association)
        scans: dict[bytes, bytes] = {}
        found += examine_people(connection, cabinet, association, states, scans)
        found += examine_scans(connection, cabinet, association, scans | papers(connection, cabinet, association))
        return [*found, *examine_containers(connection, association, states)]
