"""Lost secrets: recovery codes that each count once, and a reset by two others; a person's sessions seen and ended."""

import uuid
from collections.abc import AsyncIterator

import msgspec
import pyotp
import pytest
import pytest_asyncio

from tests.access.test_silences import joined
from tests.household import store
from tests.identity.test_api import Caller, acknowledge, approved_staff, code_of, new_staff, own_credentials, sign_in
from tests.identity.test_entrance import change
from tests.roof.test_reclosing import orphan
from tests.simulator import SECOND, World
from vault.errors import Invalid, Unauthenticated
from vault.identity.recovery import ALPHABET
from vault.identity.scopes import ROLES
from vault.identity.second_factor import RECOVERY
from vault.identity.strength import require_strong
from vault.reclosing import reclose
from vault.rulebook import facts
from vault.rulebook.shapes import STAFF, StaffFact
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")
CODES = "/v1/credentials/recovery-codes"


@pytest_asyncio.fixture
async def ask(vault: World) -> AsyncIterator[Caller]:
    async with vault.front() as http:
        yield Caller(vault, http)


async def codes(ask: Caller, who: str = "officer") -> list[str]:
    # The session first: it takes a code of its own, and codes count in their order.
    await ask(who, "GET", "/v1/acknowledgements")
    body = {"password": ask.world.ceremony.staff[who].password, "code": ask.world.one_time_code(who)}
    made = await ask(who, "POST", CODES, body)
    assert made.status_code == 201, made.text
    return list(made.json()["codes"])


async def with_code(ask: Caller, code: str, who: str = "officer", password: str | None = None):
    account = ask.world.ceremony.staff[who]
    shown = {"username": account.username, "password": password or account.password, "code": code}
    return await ask.http.post("/v1/sessions", json=shown)


async def test_ten_codes_each_open_one_session_and_the_log_says_by_what(ask: Caller):
    made = await codes(ask)
    assert len(set(made)) == 10
    assert all(len(one) == 27 and set(one) <= set(ALPHABET) | {"-"} for one in made)
    opened = await with_code(ask, made[0])
    assert (opened.status_code, opened.json()["recovery_codes_left"]) == (201, 9)
    told = ask.world.entries()[-1]
    assert (told.kind, "recovery-code" in told.flags) == ("session.opened", True)
    assert code_of(await with_code(ask, made[0])) == (401, "unauthenticated"), "each once"
    aloud = made[1].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await with_code(ask, aloud)).json()["recovery_codes_left"] == 8
    assert code_of(await with_code(ask, made[2], password="another one")) == (401, "unauthenticated")
    assert (await with_code(ask, made[2])).status_code == 201, "a wrong password uses none up"
    await codes(ask)
    assert code_of(await with_code(ask, made[3])) == (401, "unauthenticated"), "new ones take the place of the old"


async def test_a_code_is_nobody_elses_and_lies_nowhere_but_as_a_hash(ask: Caller):
    made = await codes(ask)
    assert code_of(await with_code(ask, made[0], "admin")) == (401, "unauthenticated")
    member = await ask.world.person("officer")
    kept = await ask.world.association.run(lambda deed: facts.read(deed, RECOVERY, member.id))
    assert kept is not None
    assert not set(made) & set(kept.hashes)
    assert all(one not in str(ask.world.entries()) for one in made)


async def test_a_code_approves_nothing_and_steps_no_session_up(ask: Caller):
    made = await codes(ask)
    opened = await with_code(ask, made[0])
    ask.tokens["officer"] = opened.json()["token"]
    stepped = await ask("officer", "POST", "/v1/sessions/current/step-up", {"code": made[1][:16]})
    assert code_of(stepped) == (403, "step-up-required")
    assert (await ask("officer", "POST", "/v1/sessions/current/step-up", {"code": made[1]})).status_code == 422


async def test_who_lost_her_phone_sets_new_credentials_with_a_code(ask: Caller):
    made = await codes(ask)
    ask.tokens["officer"] = (await with_code(ask, made[0])).json()["token"]
    new = pyotp.random_base32()
    body = {
        "password": ask.world.ceremony.staff["officer"].password,
        "code": made[1],
        "new_password": "هاتف جديد وكلمات أخرى",
        "totp_secret": new,
        "totp_code": pyotp.TOTP(new).at(ask.world.clock.now // SECOND),
    }
    assert (await ask("officer", "POST", "/v1/credentials", body)).status_code == 204
    told = ask.world.entries()[-1]
    assert (told.kind, told.flags) == ("staff.credentials-set", ("recovery-code",))
    assert (await ask("officer", "GET", "/v1/clients")).status_code == 401
    again = await ask.http.post("/v1/sessions", json={"username": "officer@probe", "password": body["new_password"], "code": made[1]})
    assert again.status_code == 401, "it was used up by the change"
    other = await ask.http.post("/v1/sessions", json={"username": "officer@probe", "password": body["new_password"], "code": made[2]})
    assert other.status_code == 401, "with the secrets they were made under they are gone"


async def test_whoever_holds_first_secrets_makes_no_codes_that_outlast_them(ask: Caller):
    made = await approved_staff(ask)
    await sign_in(ask, "sara", made)
    code = ask.world.one_time_code(f"sara {made['totp_secret']}", made["totp_secret"])
    refused = await ask("sara", "POST", CODES, {"password": made["password"], "code": code})
    assert code_of(refused) == (409, "credentials-first")


async def test_secrets_that_were_replaced_open_nothing_after_a_restore_and_no_session_of_theirs_is_listed(ask: Caller):
    other = await ask.world.session("officer")
    officer = (await ask.world.person("officer")).id
    under_way = await ask.world.knock(other)
    ask.tokens["officer"] = other
    new = pyotp.random_base32()
    body = {
        "password": ask.world.ceremony.staff["officer"].password,
        "code": ask.world.one_time_code("officer"),
        "new_password": "كلمات أخرى لا يعرفها أحد",
        "totp_secret": new,
        "totp_code": pyotp.TOTP(new).at(ask.world.clock.now // SECOND),
    }
    assert (await ask("officer", "POST", "/v1/credentials", body)).status_code == 204
    lines = [line.closing for line in ask.world.association.log.journal.lines()]
    assert Closing("credentials", officer) in lines
    assert reclose(ask.world.association, ask.world.clock) == 0, "the secrets of now are those of after it"
    with pytest.raises(Unauthenticated):
        await ask.world.association.run(under_way.still)
    ask.world.clock.forward(60)
    assert (await sign_in(ask, "officer", {"password": body["new_password"], "totp_secret": new})).status_code == 201
    await acknowledge(ask, "officer")
    assert len((await ask("officer", "GET", "/v1/sessions")).json()["items"]) == 1


async def test_two_who_approve_are_left_while_one_of_them_is_reset(ask: Caller):
    ids = {who: (await ask.world.person(who)).id for who in ("officer", "second_officer")}
    written = {who: f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}" for who, id_ in ids.items()}
    await ask("admin", "POST", f"/v1/staff/{written['officer']}/reset")
    assert (await ask.approve("second_officer", f"/v1/staff/{written['officer']}/reset/approval")).status_code == 200
    for who, staff in written.items():
        assert code_of(await ask("admin", "POST", f"/v1/staff/{staff}/end")) == (409, "last-approver"), who


@pytest.mark.parametrize("spoilt", [{"password": "wrong"}, {"code": "000000"}])
async def test_codes_are_made_for_whoever_shows_both_secrets(small: World, spoilt: dict[str, str]):
    async with small.front() as http:
        ask = Caller(small, http)
        account = small.ceremony.staff["officer"]
        token = await small.session("officer")
        ask.tokens["officer"] = token
        body = {"password": account.password, "code": small.one_time_code("officer"), **spoilt}
        assert code_of(await ask("officer", "POST", CODES, body)) == (401, "unauthenticated")


@pytest.mark.parametrize("deed", ["credentials", "recovery-codes"])
async def test_who_guesses_codes_in_a_session_that_was_taken_rings_as_at_sign_in(small: World, deed: str):
    """Who has the session and the password, and not the code, makes the account her own by this door as well."""
    async with small.front() as http:
        ask, account = Caller(small, http), small.ceremony.staff["officer"]
        ask.tokens["officer"] = await small.session("officer")
        body, path = {"password": account.password, "code": "000000"}, CODES
        if deed == "credentials":
            secret = pyotp.random_base32()
            body |= {"new_password": "كلمات تخص من أخذها", "totp_secret": secret, "totp_code": "000000"}
            path = "/v1/credentials"
        before = len(small.entries())
        for _ in range(20):
            small.clock.forward(120)
            assert code_of(await ask("officer", "POST", path, body)) == (401, "unauthenticated")
        (alarm,) = small.entries()[before:]
        who = f"staff:{(await small.person('officer')).id}"
        assert (alarm.kind, alarm.actor, alarm.reason, alarm.count) == ("alarm", who, "CODES_GUESSED", 10)


async def test_a_reset_takes_two_others_and_the_account_is_as_on_its_first_day(ask: Caller):
    made = await approved_staff(ask)
    await sign_in(ask, "sara", made)
    own = await own_credentials(ask, "sara", made)
    await acknowledge(ask, "sara")
    before = ask.tokens["sara"]
    path = f"/v1/staff/{made['id']}/reset"
    proposed = await ask("admin", "POST", path)
    assert (proposed.status_code, set(proposed.json())) == (201, {"id", "state", "password_start"})
    assert (await sign_in(ask, "sara", own)).status_code == 201, "nothing ends before somebody approved it"
    assert code_of(await ask("admin", "POST", f"{path}/approval", {"code": "000000"})) == (403, "out-of-scope")
    # Whose secrets are reset approves it as little as who proposed it.
    assert code_of(await ask("sara", "POST", f"{path}/approval", {"code": "000000"})) == (403, "same-person")
    assert code_of(await ask("officer", "POST", f"{path}/approval", {"code": "000000"})) == (403, "step-up-required")
    told = await ask.approve("officer", f"{path}/approval")
    assert (told.status_code, told.json()["state"]) == (200, "reset")
    for token in (before, ask.tokens["sara"]):
        assert await ask.world.knock(token) is None
    assert (await sign_in(ask, "sara", own)).status_code == 401
    first = {"password": proposed.json()["password_start"] + told.json()["password_end"], "totp_secret": told.json()["totp_secret"]}
    assert (await sign_in(ask, "sara", first)).status_code == 201
    assert (await ask("sara", "GET", "/v1/staff")).status_code == 403, "no scope before she came with secrets of her own"
    await own_credentials(ask, "sara", first)
    assert (await ask("sara", "GET", "/v1/staff")).status_code == 200
    assert code_of(await ask.approve("officer", f"{path}/approval")) == (409, "conflict"), "each reset once"
    lines = [line.closing for line in ask.world.association.log.journal.lines()]
    assert Closing("credentials", made["id"].replace("-", "")) in lines


async def test_a_reset_takes_her_recovery_codes_along(ask: Caller):
    made = await codes(ask)
    officer = (await ask.world.person("officer")).id
    id_ = f"{officer[:8]}-{officer[8:12]}-{officer[12:16]}-{officer[16:20]}-{officer[20:]}"
    start = (await ask("admin", "POST", f"/v1/staff/{id_}/reset")).json()["password_start"]
    told = (await ask.approve("second_officer", f"/v1/staff/{id_}/reset/approval")).json()
    assert code_of(await with_code(ask, made[0], password=start + told["password_end"])) == (401, "unauthenticated")


async def test_nobody_resets_herself_or_somebody_who_is_not_here(ask: Caller):
    admin = (await ask.world.person("admin")).id
    own = f"{admin[:8]}-{admin[8:12]}-{admin[12:16]}-{admin[16:20]}-{admin[20:]}"
    assert code_of(await ask("admin", "POST", f"/v1/staff/{own}/reset")) == (403, "same-person")
    nobody = "00000000-0000-0000-0000-000000000000"
    assert code_of(await ask("admin", "POST", f"/v1/staff/{nobody}/reset")) == (404, "not-found")
    assert code_of(await ask.approve("officer", f"/v1/staff/{own}/reset/approval")) == (404, "not-found")


async def test_nobody_resets_the_other_account_of_hers(ask: Caller):
    """Two accounts that name one record are one person's: through the one she takes no part in a reset of the other."""
    staff = (await ask.world.association.refresh()).staff
    members = {who: staff[(await ask.world.person(who)).id] for who in ("admin", "officer", "second_officer")}
    for who in ("admin", "officer"):
        await change(ask.world, STAFF, members[who].id, msgspec.structs.replace(members[who], record="ab" * 16))
    path = f"/v1/staff/{uuid.UUID(members['officer'].id)}/reset"
    assert code_of(await ask("admin", "POST", path)) == (403, "same-person")
    await change(ask.world, STAFF, members["admin"].id, members["admin"])
    assert (await ask("admin", "POST", path)).status_code == 201
    for who in ("officer", "second_officer"):
        await change(ask.world, STAFF, members[who].id, msgspec.structs.replace(members[who], record="ab" * 16))
    assert code_of(await ask.approve("second_officer", f"{path}/approval")) == (403, "same-person")


async def test_a_reset_that_only_the_journal_knows_leaves_the_old_secrets_shut(vault: World):
    member = (await vault.person("officer")).id
    assert await vault.session("officer")
    orphan(vault, Closing("credentials", member))
    assert reclose(vault.association, vault.clock) == 1
    with pytest.raises(Exception, match="unauthenticated"):
        await vault.session("officer")
    kept: StaffFact = (await vault.association.refresh()).staff[member]
    assert (kept.password_hash, kept.scopes) == ("", ())
    assert reclose(vault.association, vault.clock) == 0


async def test_ones_own_sessions_are_listed_and_ended(ask: Caller):
    tokens = [await ask.world.session("officer") for _ in range(3)]
    ask.tokens["officer"] = tokens[2]
    found = (await ask("officer", "GET", "/v1/sessions")).json()["items"]
    assert [one["current"] for one in found] == [True, False, False]
    assert all(token not in str(found) for token in tokens)
    other = (await ask("admin", "GET", "/v1/sessions")).json()["items"][0]["id"]
    assert code_of(await ask("officer", "POST", f"/v1/sessions/{other}/end")) == (404, "not-found"), "another's"
    assert (await ask("officer", "POST", f"/v1/sessions/{found[2]['id']}/end")).json() == {"ended": 1}
    assert await ask.world.knock(tokens[0]) is None
    assert (await ask("officer", "POST", "/v1/sessions/end-others")).json() == {"ended": 1}
    assert await ask.world.knock(tokens[1]) is None
    assert (await ask("officer", "GET", "/v1/sessions")).status_code == 200
    for strange in ("0" * 16, "x", "current2"):
        assert code_of(await ask("officer", "POST", f"/v1/sessions/{strange}/end")) == (404, "not-found")


async def test_who_keeps_accounts_ends_anybodys_sessions(ask: Caller):
    token = await ask.world.session("officer")
    officer = (await ask.world.person("officer")).id
    id_ = f"{officer[:8]}-{officer[8:12]}-{officer[12:16]}-{officer[16:20]}-{officer[20:]}"
    ended = await ask("admin", "POST", f"/v1/staff/{id_}/sessions/end")
    assert ended.json() == {"ended": 2}
    assert await ask.world.knock(token) is None
    lines = [line.closing.kind for line in ask.world.association.log.journal.lines()]
    assert lines.count("session") == 2
    assert code_of(await ask("admin", "POST", f"/v1/staff/{'0' * 8}-0000-0000-0000-{'0' * 12}/sessions/end")) == (404, "not-found")


async def test_the_report_says_who_has_not_acknowledged_the_policy_by_unit(ask: Caller):
    made = await approved_staff(ask, unit="north")
    report = (await ask("officer", "GET", "/v1/acknowledgements/missing")).json()
    assert (report["people"], report["units"]) == (4, {"": 3, "north": 1})
    assert {"staff": made["id"], "engagement": "employee", "unit": "north", "roles": ["officer"], "earlier": False} in report["items"]
    await sign_in(ask, "sara", made)
    await own_credentials(ask, "sara", made)
    await acknowledge(ask, "sara")
    report = (await ask("officer", "GET", "/v1/acknowledgements/missing")).json()
    assert made["id"] not in str(report["items"])
    assert report["policy_sha256"] == (await ask("officer", "GET", "/v1/acknowledgements")).json()["policy_sha256"]


async def test_name_and_contacts_of_an_account_lie_in_a_record_of_staff(ask: Caller):
    sealed = await store(ask.world, {"full_name": "سارة القحطاني", "identity_note": "لا يوجد"}, type_="staff")
    other = await store(ask.world)
    made = await approved_staff(ask, record=str(uuid.UUID(bytes=sealed.record)))
    (item,) = [one for one in (await ask("officer", "GET", "/v1/staff")).json()["items"] if one["id"] == made["id"]]
    assert item["record"] == str(uuid.UUID(bytes=sealed.record))
    for wrong in (str(uuid.UUID(bytes=other.record)), str(uuid.UUID(int=1)), "somebody"):
        refused = await ask("admin", "POST", "/v1/staff", new_staff(username="noura@probe", record=wrong))
        assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "record", "code": "unknown-record"}])


async def test_roles_stay_apart_also_over_two_accounts_of_one_person(ask: Caller):
    kept = await store(ask.world, {"full_name": "سارة القحطاني", "identity_note": "لا يوجد"}, type_="staff")
    again = await store(ask.world, {"full_name": "سارة القحطاني", "identity_note": "لا يوجد"}, type_="staff", known=kept.subject)
    elsewhere = await store(ask.world, {"full_name": "سارة القحطاني", "identity_note": "لا يوجد"}, type_="staff")
    sealed, second, third = (str(uuid.UUID(bytes=one.record)) for one in (kept, again, elsewhere))
    wanted = new_staff(username="first@probe", record=sealed, roles=["caseworker"])
    first = (await ask("admin", "POST", "/v1/staff", wanted)).json()
    apart = new_staff(username="another@probe", record=sealed, roles=["officer"])
    for _ in ("waits", "stands"):
        refused = await ask("admin", "POST", "/v1/staff", apart)
        assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "roles", "code": "out-of-range"}])
        await ask.approve("officer", f"/v1/staff/{first['id']}/approval")
    await joined(ask.world, kept.subject, elsewhere.subject)
    for other in (second, third):
        refused = await ask("admin", "POST", "/v1/staff", new_staff(username="another@probe", record=other, roles=["caseworker"]))
        assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "record", "code": "out-of-range"}])
    assert (await ask("admin", "POST", "/v1/staff", {**wanted, "username": "same@probe"})).status_code == 201, "of one role"
    for waits in [one["id"] for one in (await ask("admin", "GET", "/v1/staff")).json()["items"] if one["record"] == sealed]:
        assert (await ask("admin", "POST", f"/v1/staff/{waits}/end")).status_code == 200
    assert (await ask("admin", "POST", "/v1/staff", apart)).status_code == 201, "who is no caseworker any more may be an officer"


async def test_where_there_is_a_custodian_nobody_else_keeps_the_keys(ask: Caller):
    admin = await ask.world.person("admin")
    assert "keys:write" in admin.scopes
    book = await ask.book()
    clerk = next(iter(book.staff.values()))
    custodian = StaffFact(
        id="ab" * 16, name_hash="cd" * 32, engagement="employee", roles=("custodian",), scopes=ROLES["custodian"], password_hash="",
        totp_secret=clerk.totp_secret,
    )  # fmt: skip
    await change(ask.world, STAFF, custodian.id, custodian)
    assert "keys:write" not in (await ask.world.person("admin")).scopes


@pytest.mark.parametrize(
    "password", ["Password1234!", "qwertyuiop123", "amanahamanah", "xxxxxxxxxxxxxxxxxxxx", "probe-probe-1", "123456789012"]
)
async def test_a_password_people_guess_is_too_weak(password: str):
    with pytest.raises(Invalid) as refused:
        require_strong(password, ("probe",), "new_password")
    assert [(one.field, one.code) for one in refused.value.errors] == [("new_password", "too-weak")]


@pytest.mark.parametrize("password", ["كلمات تخص سارة وحدها", "correct horse battery staple", "x" * 5 + "Rt7#kqPz!mN2" * 20])
async def test_a_password_of_any_characters_and_length_is_taken(password: str):
    require_strong(password, ("probe",), "new_password")


async def test_weak_credentials_are_refused_and_named(ask: Caller):
    ask.tokens["officer"] = await ask.world.session("officer")
    new = pyotp.random_base32()
    body = {
        "password": ask.world.ceremony.staff["officer"].password,
        "code": ask.world.one_time_code("officer"),
        "new_password": "Password1234!",
        "totp_secret": new,
        "totp_code": pyotp.TOTP(new).at(ask.world.clock.now // SECOND),
    }
    refused = await ask("officer", "POST", "/v1/credentials", body)
    assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "new_password", "code": "too-weak"}])
