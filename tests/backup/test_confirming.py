"""Without a whole journal nothing is disclosed, sent or published until two people confirm, and every key and session is revoked."""

import uuid
from typing import Any

import pytest

from tests.access.counter import Counter
from tests.backup.rescue import Rescue
from tests.backup.test_restoring import client
from tests.household import FATIMA, asked, grant, store
from tests.simulator import World
from vault.access.restoration_api import restoration_routes
from vault.access_log.journal_note import NAME
from vault.backup.refused import BackupRefused
from vault.records.service import Kept

pytestmark = pytest.mark.asyncio(loop_scope="function")
CONFIRM = "/restoration/confirmation"


class Confirming(Counter):
    """The calls about third parties, and the one that confirms."""

    @classmethod
    def over(cls, world: World) -> Any:
        """Open the door over this world, with that call."""
        front = world.front

        class Wider:
            """The world with one room more."""

            def __getattr__(self, name: str) -> Any:
                return getattr(world, name)

            def front(self, *more: Any) -> Any:
                return front(*more, *restoration_routes(world.identity.factor))

        return super().over(Wider())  # type: ignore[arg-type]


async def prepared(world: World) -> tuple[Kept, str]:
    """Somebody who agreed to much, and a disclosure of hers that two people approved."""
    kept = await store(world, FATIMA)
    await grant(world, kept.record)
    await grant(world, kept.record, await asked(world, "sms_offers"))
    async with Counter.over(world) as counter:
        await counter.recipient()
        await counter.shared(kept.record)
        return kept, await counter.approved(kept.record)


async def reasons(counter: Counter, record: bytes) -> dict[str, str]:
    """What the articles say about each kind of deed."""
    found = {}
    for purpose, action, recipient in (
        ("service_delivery", "use", "INTERNAL"),
        ("sms_offers", "contact", "INTERNAL"),
        ("publication", "publish", "INTERNAL"),
        ("partner_sharing", "disclose", "partner"),
        ("legal_order", "disclose", "partner"),
    ):
        body = {
            "record": str(uuid.UUID(bytes=record)),
            "action": action,
            "purpose": purpose,
            "recipient": recipient,
            "fields": ["full_name"],
        }
        answer = await counter.ask("officer", "POST", "/decisions", body)
        assert answer.status_code == 200, answer.text
        found[purpose] = answer.json()["reason"]
        if answer.json()["reason"] == "RESTORED_UNCONFIRMED":
            assert (answer.json()["article"], answer.json()["missing"]) == ("cooperative:7", ["confirmation-of-the-restore"])
    return found


async def test_nothing_leaves_until_two_people_confirm(rescue: Rescue, empty: str):
    world = rescue.world
    kept, disclosure = await prepared(world)
    officer = await world.session("officer")
    copy = rescue.take()
    home = rescue.home("epochs")
    with pytest.raises(BackupRefused, match="journal-incomplete"):
        rescue.restore(empty, home, copy)
    done = rescue.restore(empty, home, copy, without_journal=True)
    assert not done.complete
    no = "RESTORED_UNCONFIRMED"
    with rescue.opened(empty, home) as after:
        assert await after.knock(world.ceremony.api_key) is None
        assert await after.knock(officer) is None
        async with Confirming.over(after) as counter:
            before = await reasons(counter, kept.record)
            assert before == {
                "service_delivery": "CONSENT_OK",
                "sms_offers": no,
                "publication": no,
                "partner_sharing": no,
                "legal_order": no,
            }
            answer = await counter.package(disclosure)
            assert (answer.status_code, answer.json()["code"], answer.json()["article"]) == (403, "restored-unconfirmed", "cooperative:7")
            asked_for = await counter.ask("officer", "POST", "/disclosures", counter.disclosure(kept.record))
            assert {one["code"] for one in asked_for.json()["refused"]} == {"restored-unconfirmed"}
            assert asked_for.json()["granted"] == []
            key = await client(after)
            path = f"/v1/records/{uuid.UUID(bytes=kept.record)}?purpose=service_delivery&fields=full_name"
            read = await counter.http.get(path, headers={"Authorization": f"Bearer {key}"})
            assert read.status_code == 200, "what the house itself does with them goes on"
            entry = after.entries()[-1]
            assert (await counter.ask("officer", "POST", CONFIRM)).json()["code"] == "step-up-required"
            first = await counter.approve("officer", CONFIRM)
            assert (first.status_code, first.json()["state"], first.json()["confirmations"]) == (200, "unconfirmed", 1)
            assert (await counter.approve("officer", CONFIRM)).json()["code"] == "same-person"
            assert (await counter.approve("admin", CONFIRM)).status_code == 403
            assert (await reasons(counter, kept.record))["partner_sharing"] == no
            second = await counter.approve("second_officer", CONFIRM)
            assert (second.json()["state"], second.json()["confirmations"], second.json()["epoch"]) == ("confirmed", 2, 2)
            assert (await reasons(counter, kept.record))["partner_sharing"] == "CONSENT_OK"
            assert (await counter.package(disclosure)).status_code == 200
            assert (await counter.approve("officer", CONFIRM)).json()["code"] == "nothing-to-confirm"
        told = [one for one in after.entries() if one.kind == "restore.confirmed"]
        assert [(one.outcome, one.count) for one in told if one.outcome == "allow"] == [("allow", 1), ("allow", 2)]
        assert entry.kind == "record.read"


async def test_nobody_confirms_for_whom_the_other_made(small_rescue: Rescue, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    copy, home, url = small_rescue.take(), small_rescue.home("epochs"), f"sqlite:///{tmp_path / 'made.sqlite3'}"
    small_rescue.restore(url, home, copy, without_journal=True)
    with small_rescue.opened(url, home) as after:
        async with Confirming.over(after) as counter:
            assert (await counter.approve("officer", CONFIRM)).status_code == 200
            monkeypatch.setattr("vault.identity.two_people.same_person", lambda *_: True)
            assert (await counter.approve("second_officer", CONFIRM)).json()["code"] == "same-person"


async def test_a_vault_that_was_not_restored_has_nothing_to_confirm(small: World):
    async with Confirming.over(small) as counter:
        answer = await counter.approve("officer", CONFIRM)
        assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-confirm")


async def test_a_whole_journal_leaves_keys_and_doors_as_they_were(small_rescue: Rescue, tmp_path: Any):
    world = small_rescue.world
    kept, _ = await prepared(world)
    copy, home, url = small_rescue.take(), small_rescue.home(), f"sqlite:///{tmp_path / 'whole.sqlite3'}"
    # What was found whole is whole, whatever is said beside it.
    assert small_rescue.restore(url, home, copy, without_journal=True).complete
    with small_rescue.opened(url, home) as after:
        assert await after.knock(world.ceremony.api_key)
        async with Confirming.over(after) as counter:
            assert (await reasons(counter, kept.record))["partner_sharing"] == "CONSENT_OK"
    assert (home / NAME).exists()
