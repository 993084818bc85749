"""Publishing and reading: versions with their hashes, one entry each, a second factor, and no row that the vault did not write."""

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from tests.household import errand, findings, lay_down
from tests.publication.damaged import DAMAGED
from tests.publication.policies import POLICIES, policy
from tests.simulator import World
from vault.access_log.deed import Deed
from vault.access_log.tables import fact as told
from vault.errors import Invalid, NotFound, Refused, Unavailable
from vault.examining import _review
from vault.identity.callers import Caller
from vault.identity.policy_version import policy_sha256
from vault.publication import service
from vault.publication.document import DocumentRefused
from vault.publication.readers import SILENCE, Readers
from vault.publication.service import Document
from vault.publication.versions import POLICY_TEXT, PolicyFact, PolicyTextFact, Published, published, review_due
from vault.rulebook.asker import once_for
from vault.rulebook.tables import fact as rows
from vault.storage.idempotency import remember

pytestmark = pytest.mark.asyncio(loop_scope="function")

BOARD = "مجلس الإدارة"
DAY = "1445-01-09"
READERS = Readers()


async def publish(world: World, text: str = DAMAGED, by: Caller | None = None, **changes: Any) -> PolicyFact:
    """A document published by the administrator, with a code of its own where none is given."""
    job = await errand(world, by or await world.person("admin"))
    if "code" not in changes:
        changes["code"] = world.one_time_code("admin")
    given = Document(**{"text": text, "approved_by": BOARD, "approved_on": DAY, **changes})
    return await world.association.run(lambda deed: service.publish(deed, job, given, world.identity.factor, None))


async def newest(world: World) -> Published:
    found = await READERS.read(world.association)
    assert found is not None
    return found


async def test_before_the_first_there_is_nothing_and_no_version_of_it(vault: World):
    assert await READERS.read(vault.association) is None
    with pytest.raises(NotFound):
        await READERS.read(vault.association, 1)


async def test_versions_are_counted_kept_whole_and_told_newest_first(vault: World):
    first = await publish(vault)
    vault.clock.forward(3600)
    second = await publish(vault, "النسخة الثانية", approved_by=" الجمعية العمومية ", approved_on="2025-12-31")
    assert (first.version, second.version) == (1, 2)
    found = await newest(vault)
    assert (found.content.decode(), found.is_newest, found.history) == ("النسخة الثانية", True, (second, first))
    assert (second.approved_by, second.approved_on.calendar, second.published_at) == ("الجمعية العمومية", "gregorian", vault.clock.now)
    old = await READERS.read(vault.association, 1)
    assert old is not None
    assert (old.content, old.is_newest, old.policy) == (DAMAGED.encode(), False, first)
    with pytest.raises(NotFound):
        await READERS.read(vault.association, 3)


@pytest.mark.parametrize("name", POLICIES)
async def test_the_associations_own_policies_go_through_byte_for_byte(small: World, name: str):
    content = policy(name)
    made = await publish(small, content.decode())
    found = await newest(small)
    assert (found.content, made.size) == (content, len(content))


async def test_publishing_is_one_entry_that_cites_article_5_and_names_what_it_wrote(vault: World):
    await publish(vault)
    entry = vault.entries()[-1]
    assert (entry.kind, entry.outcome, entry.article, entry.flags) == ("policy.published", "allow", "cooperative:5", ("ceremony",))
    assert [each.kind for each in entry.facts] == ["one_time_step", "association", "policy", "policy_text"]
    assert entry.actor.startswith("staff:")


@pytest.mark.parametrize("code", [None, "000000"])
async def test_without_a_code_of_its_own_it_is_refused_and_the_refusal_is_an_entry(vault: World, code: str | None):
    with pytest.raises(Refused) as refused:
        await publish(vault, code=code)
    assert (refused.value.code, refused.value.article) == ("step-up-required", "cooperative:7")
    assert (vault.entries()[-1].kind, vault.entries()[-1].outcome) == ("policy.published", "refuse")
    assert await READERS.read(vault.association) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"approved_by": " "}, "approved_by"),
        ({"approved_by": "x" * 201}, "approved_by"),
        ({"approved_by": "مجلس\nالإدارة"}, "approved_by"),
        ({"approved_by": "مجلس\u202eالإدارة"}, "approved_by"),
        ({"approved_on": "1445"}, "approved_on"),
        ({"approved_on": "2026-01-02"}, "approved_on"),
    ],
)
async def test_what_does_not_hold_is_named_and_nothing_is_published(small: World, changes: dict[str, Any], field: str):
    before = len(small.entries())
    with pytest.raises(Invalid) as refused:
        await publish(small, **changes)
    assert [each.field for each in refused.value.errors] == [field]
    # Signing in is an entry, publishing left none.
    assert [entry.kind for entry in small.entries()[before:]] == ["session.opened"]


async def test_a_document_that_cannot_be_is_refused_before_the_code_is_used(small: World):
    admin = await small.person("admin")
    code = small.one_time_code("admin")
    for text in (" \n ", "a" * (1 << 20) + "b"):
        with pytest.raises(DocumentRefused):
            await publish(small, text, by=admin, code=code)
    assert (await publish(small, by=admin, code=code)).version == 1


async def test_another_policy_is_another_acknowledgement_and_the_same_words_are_not(vault: World):
    own = (await vault.association.refresh()).association
    first = await publish(vault)
    published = (await vault.association.refresh()).association
    assert published.published_policy == first.sha256
    assert policy_sha256(published) != policy_sha256(own)
    await publish(vault, approved_on="1445-01-10")
    assert policy_sha256((await vault.association.refresh()).association) == policy_sha256(published)
    await publish(vault, "كلمات أخرى")
    assert policy_sha256((await vault.association.refresh()).association) != policy_sha256(published)


async def test_a_healthy_vault_with_policies_has_nothing_to_complain_of(vault: World):
    await publish(vault)
    await publish(vault, "النسخة الثانية")
    assert findings(vault) == []


async def due(world: World) -> list[str]:
    book = await world.association.refresh()
    with world.database.connect() as connection:
        return list(_review(connection, world.association.cabinet, world.association.id, book, world.clock.now))


async def test_a_policy_is_due_for_review_a_year_after_its_approval(vault: World):
    assert await due(vault) == []
    policy_ = await publish(vault, approved_on="2025-12-31")
    assert review_due(policy_, 12).isoformat() == "2026-12-31"
    assert review_due(policy_, 14).isoformat() == "2027-02-28"
    vault.clock.forward(363 * 86_400)
    assert await due(vault) == []
    vault.clock.forward(86_400)
    [said] = await due(vault)
    assert "approved on 2025-12-31, its review was due on 2026-12-31" in said


@pytest.mark.parametrize("kind", ["policy", "policy_text"])
@pytest.mark.parametrize("how", ["altered", "deleted", "copied", "put back"])
async def test_a_row_that_is_not_as_written_is_no_policy_and_doctor_names_it(vault: World, kind: str, how: str):
    await publish(vault)
    place = (rows.c.kind == kind, rows.c.key == "1")
    with vault.database.connect() as connection, connection.begin():
        before = dict(connection.execute(select(rows).where(*place)).one()._mapping)
    await publish(vault, "النسخة الثانية")
    with vault.database.connect() as connection, connection.begin():
        other = dict(connection.execute(select(rows).where(rows.c.kind == kind, rows.c.key == "2")).one()._mapping)
        if how == "altered":
            spoilt = before["sealed"][:-1] + bytes([before["sealed"][-1] ^ 1])
            connection.execute(update(rows).where(*place).values(sealed=spoilt))
        elif how == "deleted":
            connection.execute(delete(rows).where(*place))
        elif how == "copied":
            connection.execute(update(rows).where(*place).values(sealed=other["sealed"], version=other["version"]))
        else:
            # The newest version hidden behind an older one of the same words.
            connection.execute(update(rows).where(rows.c.kind == kind, rows.c.key == "2").values(sealed=before["sealed"]))
    with pytest.raises(Unavailable) as refused:
        await READERS.read(vault.association, 2 if how == "put back" else 1)
    assert refused.value.code == "integrity"
    assert [finding for finding in findings(vault) if finding.startswith(f"rulebook_fact {kind} ")]


async def test_a_version_taken_out_together_with_its_trace_is_missed(small: World):
    await publish(small)
    await publish(small, "النسخة الثانية")
    gone = ["policy", "policy_text"]
    with small.database.connect() as connection, connection.begin():
        connection.execute(delete(rows).where(rows.c.kind.in_(gone), rows.c.key == "2"))
        connection.execute(delete(told).where(told.c.fact_kind.in_(gone), told.c.fact_key == "2"))
    with pytest.raises(Unavailable) as refused:
        await READERS.read(small.association)
    assert refused.value.code == "integrity"


async def test_what_does_not_hold_rings_the_alarm_and_not_for_every_reader(vault: World):
    await publish(vault)
    with vault.database.connect() as connection, connection.begin():
        connection.execute(delete(rows).where(rows.c.kind == "policy_text"))
    readers = Readers()

    async def alarms() -> int:
        with pytest.raises(Unavailable):
            await readers.read(vault.association)
        return [(entry.actor, entry.reason) for entry in vault.entries() if entry.kind == "alarm"].count(("public", "INTEGRITY"))

    assert [await alarms(), await alarms()] == [1, 1]
    vault.clock.now += SILENCE
    assert await alarms() == 2


async def test_an_alarm_that_cannot_be_written_is_rung_by_the_next_reader(small: World, monkeypatch: pytest.MonkeyPatch):
    await publish(small)
    with small.database.connect() as connection, connection.begin():
        connection.execute(delete(rows).where(rows.c.kind == "policy_text"))
    readers = Readers()

    async def full(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(type(small.association), "run", full)
        with pytest.raises(Unavailable) as refused:
            await readers.read(small.association)
    assert refused.value.code == "integrity"
    with pytest.raises(Unavailable):
        await readers.read(small.association)
    assert small.entries()[-1].kind == "alarm"


async def test_a_text_of_another_hash_than_its_version_is_never_given_out(small: World):
    await publish(small)
    await lay_down(small, POLICY_TEXT, "1", PolicyTextFact(text="كلمات أخرى"))
    with pytest.raises(Unavailable) as refused:
        await READERS.read(small.association)
    assert refused.value.code == "integrity"


async def test_an_association_that_the_rulebook_does_not_know_has_published_nothing_that_holds(small: World):
    cabinet, association = small.association.cabinet, small.association.id
    with small.database.connect() as connection, pytest.raises(Unavailable) as refused:
        published(connection, cabinet, association, "nobody", None)
    assert refused.value.code == "integrity"


async def test_a_repeated_request_that_made_a_version_there_is_none_of_is_no_success(small: World):
    job = await errand(small, await small.person("admin"))
    request = once_for(job.asker, route="policy.publish", key="k" * 16, body={})
    assert request is not None
    given = Document("سياسة", BOARD, DAY)

    def unit(deed: Deed) -> PolicyFact:
        remember(deed.transaction, deed.association, request, (9).to_bytes(16, "big"), 201)
        return service.publish(deed, job, given, small.identity.factor, request)

    with pytest.raises(Unavailable) as refused:
        await small.association.run(unit)
    assert refused.value.code == "integrity"


async def test_a_database_that_is_gone_is_unavailable_and_no_trace_of_a_library(small: World):
    await publish(small)
    with small.database.connect() as connection, connection.begin():
        rows.drop(connection)
    with pytest.raises(Unavailable) as refused:
        await READERS.read(small.association)
    assert refused.value.code == "log-unavailable"
