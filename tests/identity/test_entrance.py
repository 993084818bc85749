"""The door of every call: who is let in, who is nobody, and how soon a closed door is closed."""

import asyncio
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import msgspec
import pytest

from keys.tokens import new_api_key, new_session_token
from tests.simulator import NETWORK, World
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Invalid, Malformed, Refused, TooMany, Unauthenticated
from vault.identity import entrance
from vault.identity.callers import may
from vault.identity.opening import unseal
from vault.identity.policy_version import policy_sha256
from vault.identity.scopes import OWN, PEOPLE, ROLES, SCOPES, SYSTEM, SYSTEM_SCOPES, require_roles
from vault.rulebook import facts
from vault.rulebook.asker import Asker
from vault.rulebook.shapes import CLIENT, RECIPIENT, STAFF, ClientFact, RecipientFact, StaffFact
from vault.web import Needs, Person, Public, write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def change(world: World, kind: facts.Kind, key: str, value: object) -> None:
    """Write one fact as a deed of the vault would."""

    def unit(deed: Deed) -> None:
        deed.append(
            Entry(kind="test.changed", outcome="allow", actor="system", facts=(facts.write(deed, kind, key, value),)), changes_law=True
        )

    await world.association.run(unit)


async def add_client(world: World, **changes: object) -> tuple[str, str]:
    """A client in the book; its key's text and the key's id."""
    own = next(client for client in (await world.association.book()).clients.values() if client.ceremony)
    key = new_api_key(world.code)
    hashed = world.association.cabinet.pepper.hash("key", key.secret).hex()
    made = msgspec.structs.replace(own, **{"id": "ab" * 16, "secret_hash": hashed, "ceremony": False, **changes})
    await change(world, CLIENT, key.id, made)
    return key.text, key.id


async def officer_fact(world: World, who: str = "officer") -> StaffFact:
    caller = await world.person(who)
    return (await world.association.refresh()).staff[caller.id]


async def test_the_key_of_the_ceremony_comes_in_with_what_a_system_may(vault: World):
    caller = await vault.knock(vault.ceremony.api_key)
    asker: Asker = caller
    assert asker.ref == f"client:{caller.id}"
    assert (caller.kind, caller.party, caller.on_behalf, caller.session) == ("client", "INTERNAL", None, None)
    assert caller.scopes == set(SYSTEM_SCOPES)
    assert caller.association is vault.association
    assert not caller.asker.may_ask_orders
    assert not caller.asker.sees_reasons
    assert may(caller, Needs("records:read"))
    assert not may(caller, Person("records:read"))
    assert not may(caller, Needs(OWN))
    assert may(caller, Public())


async def test_a_person_comes_in_with_what_her_roles_may(vault: World):
    caller = await vault.knock(await vault.session("officer"))
    assert caller.scopes == {*ROLES["officer"], OWN}
    assert caller.purposes is None
    assert caller.asker.may_ask_orders
    assert caller.asker.sees_reasons
    assert may(caller, Person("log:read"))
    assert may(caller, Needs("decisions:ask"))
    assert not may(caller, Person("clients:write"))


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "amn_probe",
        "amn_probe_" + "0" * 16 + "_" + "A" * 43,
        "ams_probe_" + "0" * 16 + "_" + "A" * 43,
        "amn_00000000_" + "A" * 43,
        "x",
    ],
)
async def test_a_token_that_is_none_is_nobody(small: World, token: str | None):
    assert await small.knock(token) is None


async def test_a_key_of_another_association_is_nobody(small: World):
    assert await small.knock(new_api_key("another").text) is None
    assert await small.knock(new_session_token("another").text) is None


async def test_one_changed_letter_of_the_secret_is_nobody(vault: World):
    key = vault.ceremony.api_key
    other = "B" if key[-5] == "A" else "A"
    assert await vault.knock(key[:-5] + other + key[-4:]) is None
    session = await vault.session("admin")
    other = "B" if session[-5] == "A" else "A"
    assert await vault.knock(session[:-5] + other + session[-4:]) is None


async def test_a_key_and_a_session_never_pass_for_each_other(vault: World):
    assert await vault.knock("ams" + vault.ceremony.api_key[3:]) is None
    assert await vault.knock("amn" + (await vault.session("admin"))[3:]) is None


async def test_a_key_made_by_another_process_opens_at_its_first_use(vault: World):
    await vault.association.book()
    token, _ = await add_client(vault)
    assert vault.association.books.latest is not None
    assert (await vault.knock(token)).id == "ab" * 16


async def test_an_expired_key_is_nobody_from_its_last_moment_on(vault: World):
    token, _ = await add_client(vault, expires_at=vault.clock.now + 10_000_000)
    assert await vault.knock(token) is not None
    vault.clock.forward(10)
    assert await vault.knock(token) is None


async def test_a_revoked_key_is_nobody(vault: World):
    token, key = await add_client(vault)
    assert await vault.knock(token) is not None
    made = (await vault.association.book()).clients[key]
    await change(vault, CLIENT, key, msgspec.structs.replace(made, revoked_at=vault.clock.now))
    await vault.association.refresh()
    assert await vault.knock(token) is None


@pytest.mark.parametrize(
    ("networks", "comes_in"),
    [
        ((), True),
        ((f"{NETWORK}/32",), True),
        (("198.51.100.0/24", "192.0.2.0/24"), True),
        (("198.51.100.0/24",), False),
        (("::/0",), False),
    ],
)
async def test_a_key_opens_only_from_its_networks(small: World, networks: tuple[str, ...], comes_in: bool):
    token, _ = await add_client(small, networks=networks)
    assert (await small.knock(token) is not None) == comes_in


async def test_an_address_that_is_none_is_in_no_network(small: World):
    token, _ = await add_client(small, networks=("0.0.0.0/0",))
    call = small.call()
    call.network = ""
    assert await small.identity.entrance.authenticate(token, call) is None


async def test_the_system_of_a_party_comes_in_only_while_the_party_is_registered(vault: World):
    token, _ = await add_client(vault, party="court")
    assert await vault.knock(token) is None
    court = RecipientFact(code="court", name={"ar": "جهة", "en": "Court"}, kind="authority", country="SA")
    await change(vault, RECIPIENT, "court", court)
    await vault.association.refresh()
    caller = await vault.knock(token)
    assert caller.party == caller.asker.party == "court"
    await change(vault, RECIPIENT, "court", msgspec.structs.replace(court, revoked_at=vault.clock.now))
    await vault.association.refresh()
    assert await vault.knock(token) is None


async def test_a_batch_client_names_nobody_at_the_screen(small: World):
    with pytest.raises(Malformed):
        await small.knock(small.ceremony.api_key, amanah_on_behalf_of=write_id(bytes(16)))


async def test_an_interactive_client_names_an_acknowledged_person_on_every_call(vault: World):
    token, _ = await add_client(vault, kind="interactive")
    member = await officer_fact(vault)
    name = write_id(bytes.fromhex(member.id))
    for header, on_behalf in (
        ({}, None),
        ({"amanah_on_behalf_of": "somebody"}, None),
        ({"amanah_on_behalf_of": name}, f"staff:{member.id}"),
    ):
        with pytest.raises(Refused) as refused:
            await vault.knock(token, **header)
        assert (refused.value.code, refused.value.article) == ("not-acknowledged", "cooperative:2")
        entry = vault.entries()[-1]
        assert (entry.kind, entry.outcome, entry.reason, entry.on_behalf) == ("call.refused", "refuse", "NOT_ACKNOWLEDGED", on_behalf)
        assert refused.value.leaf_hash
    own = (await vault.association.book()).association
    acknowledged = msgspec.structs.replace(member, acknowledged=policy_sha256(own))
    await change(vault, STAFF, member.id, acknowledged)
    with pytest.raises(Refused) as refused:
        await vault.knock(token, amanah_on_behalf_of=name)
    assert (refused.value.code, refused.value.article) == ("out-of-scope", "cooperative:1"), "an officer sees no values, at no screen"
    acknowledged = msgspec.structs.replace(acknowledged, scopes=ROLES["clerk"])
    await change(vault, STAFF, member.id, acknowledged)
    caller = await vault.knock(token, amanah_on_behalf_of=name)
    assert (caller.ref, caller.on_behalf) == (f"client:{'ab' * 16}", f"staff:{member.id}")
    await change(vault, STAFF, member.id, msgspec.structs.replace(acknowledged, acknowledged="0" * 64))
    with pytest.raises(Refused) as refused:
        await vault.association.run(caller.still)
    assert refused.value.code == "not-acknowledged"


@pytest.mark.parametrize("ended", [{"active": False}, {"valid_to": 1}])
async def test_a_person_whose_engagement_ended_is_not_at_any_screen(vault: World, ended: dict[str, object]):
    token, _ = await add_client(vault, kind="interactive")
    member = await officer_fact(vault)
    own = (await vault.association.book()).association
    await change(vault, STAFF, member.id, msgspec.structs.replace(member, acknowledged=policy_sha256(own), **ended))
    with pytest.raises(Refused) as refused:
        await vault.knock(token, amanah_on_behalf_of=write_id(bytes.fromhex(member.id)))
    assert (refused.value.code, refused.value.article) == ("engagement-ended", "cooperative:2")


async def test_a_session_ends_with_the_engagement(vault: World):
    token = await vault.session("officer")
    member = await officer_fact(vault, "second_officer")
    assert await vault.knock(token) is not None
    caller = await vault.knock(token)
    await change(vault, STAFF, caller.id, msgspec.structs.replace((await vault.association.book()).staff[caller.id], active=False))
    assert await vault.knock(token) is None
    with pytest.raises(Unauthenticated):
        await vault.association.run(caller.still)
    assert member.active


async def test_who_has_not_acknowledged_may_do_nothing_else(vault: World):
    token = await vault.session("officer")
    caller = await vault.knock(token)
    member = (await vault.association.book()).staff[caller.id]
    await change(vault, STAFF, caller.id, msgspec.structs.replace(member, ceremony=False))
    bound = await vault.knock(token, Person("log:read"))
    assert bound.scopes == {OWN}
    call = vault.call(Person("log:read"))
    call.caller = bound
    refused = await vault.identity.entrance.out_of_scope(call)
    assert (refused.code, refused.article) == ("not-acknowledged", "cooperative:2")
    await change(
        vault,
        STAFF,
        caller.id,
        msgspec.structs.replace(member, ceremony=False, acknowledged=policy_sha256((await vault.association.book()).association)),
    )
    assert (await vault.knock(token)).scopes == {*ROLES["officer"], OWN}


async def test_a_caller_is_itself_while_nothing_moved(vault: World):
    system, officer = await vault.system(), await vault.person("officer")
    for caller in (system, officer):
        assert await vault.association.run(caller.still) is caller


async def test_what_moved_is_looked_up_again_inside_the_deed(vault: World):
    caller = await vault.system()
    client = (await vault.association.book()).clients[caller.key]
    await change(vault, CLIENT, caller.key, msgspec.structs.replace(client, scopes=("records:list",)))
    narrowed = await vault.association.run(caller.still)
    assert narrowed.scopes == {"records:list"}
    assert narrowed.law > caller.law
    with pytest.raises(Refused) as refused:
        await vault.association.run(replace(caller, needs="records:read").still)
    assert (refused.value.code, refused.value.article) == ("out-of-scope", "cooperative:1")
    await change(vault, CLIENT, caller.key, msgspec.structs.replace(client, revoked_at=vault.clock.now))
    with pytest.raises(Unauthenticated):
        await vault.association.run(caller.still)


async def test_a_key_that_expires_on_the_way_opens_nothing(vault: World):
    token, _ = await add_client(vault, expires_at=vault.clock.now + 1_000_000)
    caller = await vault.knock(token)
    vault.clock.forward(1)
    with pytest.raises(Unauthenticated):
        await vault.association.run(caller.still)


async def test_a_revocation_recorded_while_a_call_is_under_way_is_in_force_for_it(vault: World):
    """Revocation and a deed of the revoked client in one transaction, the revocation first."""
    caller = await vault.system()
    client: ClientFact = (await vault.association.book()).clients[caller.key]

    def revoke(deed: Deed) -> None:
        written = facts.write(deed, CLIENT, caller.key, msgspec.structs.replace(client, revoked_at=deed.now))
        deed.append(Entry(kind="client.revoked", outcome="allow", actor="system", facts=(written,)), changes_law=True)

    results = await asyncio.gather(vault.association.run(revoke), vault.association.run(caller.still), return_exceptions=True)
    assert isinstance(results[1], Unauthenticated)


async def test_a_call_beyond_ones_scopes_is_an_entry(vault: World):
    caller = await vault.system()
    call = vault.call(Person("log:read"))
    call.caller = caller
    refused = await vault.identity.entrance.out_of_scope(call)
    assert (refused.code, refused.article) == ("out-of-scope", "cooperative:1")
    entry = vault.entries()[-1]
    assert (entry.kind, entry.actor, entry.reason, entry.flags) == ("call.refused", caller.ref, "OUT_OF_SCOPE", ("test",))
    assert refused.leaf_hash


async def test_beyond_the_limit_refusals_are_counted_and_one_entry_tells_how_many(small: World, fewer_refusals: int):
    call = small.call(Person("log:read"))
    call.caller = await small.system()
    before = len(small.entries())
    for _ in range(fewer_refusals + 1):
        await small.identity.entrance.out_of_scope(call)
    for _ in range(7):
        with pytest.raises(TooMany):
            await small.identity.entrance.out_of_scope(call)
    small.clock.forward(1)
    await small.identity.entrance.out_of_scope(call)
    entries = small.entries()[before:]
    assert len(entries) == fewer_refusals + 3
    assert [(entry.reason, entry.count) for entry in entries[-3:]] == [("OUT_OF_SCOPE", None), ("TOO_MANY", 7), ("OUT_OF_SCOPE", None)]


async def test_a_network_that_tries_unknown_tokens_meets_a_limit(small: World):
    for _ in range(50):
        assert await small.knock(new_api_key(small.code).text) is None
        assert await small.knock(new_session_token(small.code).text) is None
    with pytest.raises(TooMany):
        await small.knock(new_api_key(small.code).text)
    with pytest.raises(TooMany):
        await small.knock(new_session_token(small.code).text)
    assert await small.knock(small.ceremony.api_key) is not None


async def test_no_secret_is_in_a_callers_words(vault: World):
    token = await vault.session("officer")
    for secret, caller in ((vault.ceremony.api_key, await vault.system()), (token, await vault.knock(token))):
        assert secret.split("_", 3)[-1] not in repr(caller)


@pytest.mark.parametrize("role", list(ROLES))
async def test_no_role_shows_a_value(role: str):
    assert set(ROLES[role]) <= set(SCOPES)
    assert not {"records:read", "records:search", "records:write", "intake"} & set(ROLES[role])


async def test_roles_that_must_be_apart_are_not_joined():
    for wanted in chain.from_iterable(combinations(ROLES, count) for count in range(1, len(ROLES) + 1)):
        if len(wanted) == 1:
            assert require_roles(wanted * 2) == wanted
        else:
            with pytest.raises(Invalid):
                require_roles(wanted)


async def test_who_lays_down_does_not_approve_and_systems_hold_no_scope_of_people():
    assert "approve" not in ROLES["administrator"]
    assert not set(SYSTEM) & set(PEOPLE)
    assert set(SYSTEM_SCOPES) <= set(SYSTEM)
    assert OWN not in SCOPES
    assert all(sentence.endswith(".") for sentence in SCOPES.values())


async def test_the_person_at_the_screen_is_refused_within_the_same_limit(small: World, fewer_refusals: int):
    token, _ = await add_client(small, kind="interactive")
    for _ in range(fewer_refusals + 1):
        with pytest.raises(Refused):
            await small.knock(token)
    with pytest.raises(TooMany):
        await small.knock(token)


async def test_an_interactive_call_under_way_goes_on_where_only_the_law_moved(vault: World):
    token, _ = await add_client(vault, kind="interactive")
    member = await officer_fact(vault)
    own = (await vault.association.book()).association
    await change(vault, STAFF, member.id, msgspec.structs.replace(member, acknowledged=policy_sha256(own), scopes=ROLES["clerk"]))
    caller = await vault.knock(token, amanah_on_behalf_of=write_id(bytes.fromhex(member.id)))
    await add_client(vault, id="cd" * 16)
    again = await vault.association.run(caller.still)
    assert again is not caller
    assert (again.ref, again.on_behalf) == (caller.ref, caller.on_behalf)


async def test_an_interactive_call_lasts_no_longer_than_the_engagement_of_the_person_at_the_screen(vault: World):
    end = vault.clock.now + 600_000_000
    token, _ = await add_client(vault, kind="interactive", expires_at=end + 1_000_000)
    member = await officer_fact(vault)
    own = (await vault.association.book()).association
    seated = msgspec.structs.replace(member, acknowledged=policy_sha256(own), valid_to=end, scopes=ROLES["clerk"])
    await change(vault, STAFF, member.id, seated)
    name = write_id(bytes.fromhex(member.id))
    caller = await vault.knock(token, amanah_on_behalf_of=name)
    assert caller.expires == end
    await add_client(vault, id="cd" * 16)
    again = await vault.association.run(caller.still)
    assert (again.expires, again.law > caller.law) == (end, True)
    late = await vault.knock(token, amanah_on_behalf_of=name)
    vault.clock.now = end
    for under_way in (caller, late):
        with pytest.raises(Refused) as refused:
            await vault.association.run(under_way.still)
        assert (refused.value.code, refused.value.article) == ("engagement-ended", "cooperative:2")


async def test_the_clients_own_end_counts_where_it_comes_first(small: World):
    end = small.clock.now + 600_000_000
    token, _ = await add_client(small, kind="interactive", expires_at=end)
    member = await officer_fact(small)
    own = (await small.association.book()).association
    for valid_to in (None, end + 1_000_000):
        seated = msgspec.structs.replace(member, acknowledged=policy_sha256(own), valid_to=valid_to, scopes=ROLES["clerk"])
        await change(small, STAFF, member.id, seated)
        caller = await small.knock(token, amanah_on_behalf_of=write_id(bytes.fromhex(member.id)))
        assert caller.expires == end


async def test_an_unknown_session_token_meets_the_limit_before_the_database(vault: World, monkeypatch: pytest.MonkeyPatch):
    known = await vault.session("admin")
    assert await vault.knock(known) is not None
    other = await vault.session("officer")
    for _ in range(99):
        assert await vault.knock(new_session_token(vault.code).text) is None
    asked: list[object] = []
    run = type(vault.association).run

    async def counted(association: Any, unit: Any, **more: Any) -> Any:
        asked.append(unit)
        return await run(association, unit, **more)

    monkeypatch.setattr(type(vault.association), "run", counted)
    for token in (new_session_token(vault.code).text, other, known[:-1] + ("E" if known[-1] == "A" else "A")):
        with pytest.raises(TooMany):
            await vault.knock(token)
    assert asked == []
    # A session this process has let in before is not held up by strangers of its network.
    assert await vault.knock(known) is not None
    vault.clock.forward(1)
    assert await vault.knock(other) is not None


async def test_a_session_that_ended_is_no_longer_known(small: World):
    token = await small.session("officer")
    await small.identity.sessions.sign_out(await small.knock(token))
    for _ in range(100):
        assert await small.knock(token) is None
    with pytest.raises(TooMany):
        await small.knock(token)


async def test_no_more_sessions_are_remembered_than_was_said(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entrance, "MOST_KNOWN", 1)
    first, second = await small.session("officer"), await small.session("admin")
    for token in (first, second):
        assert await small.knock(token) is not None
    for _ in range(98):
        assert await small.knock(new_session_token(small.code).text) is None
    with pytest.raises(TooMany):
        await small.knock(first)
    assert await small.knock(second) is not None


async def test_a_persons_call_under_way_goes_on_where_only_the_law_moved(vault: World):
    caller = await vault.person("officer")
    await add_client(vault)
    again = await vault.association.run(caller.still)
    assert (again.ref, again.session, again.expires, again.scopes) == (caller.ref, caller.session, caller.expires, caller.scopes)


async def test_tools_that_only_look_get_the_keys_and_take_no_lock(small: World):
    with small.database.connect() as writer, writer.begin():
        identifier, cabinet = unseal(small.database, code=small.code, root=small.root, folder=small.folder)
    assert identifier == small.association.id
    assert cabinet.signer.vkey == small.association.cabinet.signer.vkey
