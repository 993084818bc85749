"""Sessions of people: one answer for whatever does not fit, each code once, and an end that bites at once."""

import asyncio
import re
import threading
import time

import pyotp
import pytest

from keys import passwords
from tests.simulator import NETWORK, World
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Refused, TooMany, Unauthenticated, Unavailable
from vault.identity import sessions as room
from vault.identity.callers import Caller
from vault.identity.second_factor import Approval
from vault.rulebook import facts
from vault.rulebook.shapes import SESSION, STEP

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def sign_in(world: World, who: str = "officer", *, network: str = NETWORK, **spoilt: str) -> room.Opened:
    account = world.ceremony.staff[who]
    shown = {"username": account.username, "password": account.password, **spoilt}
    code = shown.pop("code", None) or world.one_time_code(who)
    return await world.identity.sessions.sign_in(**shown, code=code, network=network)


async def test_name_password_and_code_make_a_session_of_eight_hours(vault: World):
    opened = await sign_in(vault)
    assert opened.token.startswith("ams_probe_")
    assert opened.expires_at == vault.clock.now + 8 * 3600 * 1_000_000
    assert (await vault.knock(opened.token)).is_person
    entry = vault.entries()[-1]
    assert (entry.kind, entry.outcome, entry.flags) == ("session.opened", "allow", ("ceremony",))
    assert [fact.kind for fact in entry.facts] == ["one_time_step", "session"]
    assert opened.token not in repr(opened)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"password": "wrong password"},
        {"code": "000000"},
        {"code": "not a code"},
        {"username": "nobody@probe"},
        {"username": "officer@another"},
        {"username": "officer"},
        {"username": "v1@v1"},
        {"username": ""},
        {"password": ""},
        {"password": "x" * 5000},
        {"username": "admin@probe"},
    ],
)
async def test_whatever_does_not_fit_has_one_answer_and_leaves_no_entry(small: World, spoilt: dict[str, str]):
    before = len(small.entries())
    with pytest.raises(Unauthenticated) as refused:
        await sign_in(small, **spoilt)
    assert refused.value.code == "unauthenticated"
    assert len(small.entries()) == before


async def test_case_and_blanks_of_a_user_name_do_not_matter(small: World):
    assert (await sign_in(small, username=" Officer@PROBE ")).token


async def test_a_code_opens_one_session(vault: World):
    code = vault.one_time_code("officer")
    assert (await sign_in(vault, code=code)).token
    with pytest.raises(Unauthenticated):
        await sign_in(vault, code=code)


async def test_one_code_shown_twice_at_the_same_time_opens_one_session(vault: World):
    code = vault.one_time_code("officer")
    results = await asyncio.gather(*(sign_in(vault, code=code) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, room.Opened) for result in results) == 1
    assert sum(isinstance(result, Unauthenticated) for result in results) == 3


@pytest.mark.parametrize(("step", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_the_neighbouring_steps_count_and_no_others(small: World, step: int, opens: bool):
    present = small.clock.now // 30_000_000
    code = pyotp.HOTP(small.ceremony.staff["officer"].totp_secret).at(present + step)
    result = (await asyncio.gather(sign_in(small, code=code), return_exceptions=True))[0]
    assert isinstance(result, room.Opened) == opens


async def test_a_code_in_arabic_digits_is_the_code(small: World):
    code = small.one_time_code("officer").translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert (await sign_in(small, code=code)).token


async def test_each_sign_in_makes_another_token(small: World):
    first, second = await sign_in(small), await sign_in(small)
    assert first.token != second.token
    assert await small.knock(first.token) is not None


async def test_a_session_ends_after_eight_hours_whatever_was_done_with_it(vault: World):
    opened = await sign_in(vault)
    caller = await vault.knock(opened.token)
    vault.clock.now = opened.expires_at - 1
    assert await vault.knock(opened.token) is not None
    await vault.identity.sessions.step_up(caller, vault.one_time_code("officer"))
    vault.clock.now = opened.expires_at
    assert await vault.knock(opened.token) is None
    with pytest.raises(Unauthenticated):
        await vault.association.run(caller.still)


async def test_a_session_that_was_ended_opens_nothing_from_that_answer_on(vault: World):
    opened = await sign_in(vault)
    caller = await vault.knock(opened.token)
    await vault.identity.sessions.sign_out(caller)
    assert await vault.knock(opened.token) is None
    with pytest.raises(Unauthenticated):
        await vault.association.run(caller.still)
    with pytest.raises(Unauthenticated):
        await vault.identity.sessions.sign_out(caller)
    line = list(vault.association.log.journal.lines())[-1]
    assert (line.closing.kind, line.closing.reference) == ("session", caller.session)


async def test_a_token_lies_nowhere_but_as_a_hash(small: World):
    opened = await sign_in(small)
    caller = await small.knock(opened.token)
    secret = opened.token.split("_", 3)[-1]
    session = await small.association.run(lambda deed: facts.read(deed, SESSION, caller.session))
    assert session is not None
    assert secret not in session.secret_hash
    for path in small.folder.parent.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


async def test_the_fast_hand_at_one_account_meets_a_limit_before_any_hashing(small: World, monkeypatch: pytest.MonkeyPatch):
    hashed: list[str] = []

    def never(stored: str, _password: str) -> bool:
        hashed.append(stored)
        return False

    monkeypatch.setattr(passwords, "check_password", never)
    monkeypatch.setattr(passwords, "burn", hashed.append)
    for who in ("officer", "nobody"):
        for n in range(12):
            with pytest.raises(Unauthenticated if n < 10 else TooMany):
                await small.identity.sessions.sign_in(f"{who}@probe", "wrong", "000000", network=NETWORK)
        assert len(hashed) == 10, who
        hashed.clear()
    small.clock.forward(10)
    with pytest.raises(Unauthenticated):
        await small.identity.sessions.sign_in("officer@probe", "wrong", "000000", network=NETWORK)


async def test_a_stranger_elsewhere_shuts_nobody_out(vault: World, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(passwords, "check_password", lambda _stored, _password: False)
        for n in range(150):
            with pytest.raises(Unauthenticated if n % 15 < 10 else TooMany):
                await sign_in(vault, password="wrong", code="000000", network=f"198.51.100.{n // 15}")
    assert (await sign_in(vault)).token


async def test_a_crowd_at_one_account_keeps_its_person_out_of_no_network_she_works_in(small: World, monkeypatch: pytest.MonkeyPatch):
    assert (await sign_in(small)).token
    with monkeypatch.context() as patched:
        patched.setattr(passwords, "check_password", lambda _stored, _password: False)
        for n in range(200):
            with pytest.raises(Unauthenticated if n < 199 else TooMany):
                await sign_in(small, password="wrong", code="000000", network=f"203.0.{n}.0/24")
    assert (await sign_in(small)).token


async def test_many_networks_at_one_account_meet_a_limit_whether_it_exists_or_not(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "check_password", lambda _stored, _password: False)
    monkeypatch.setattr(passwords, "burn", lambda _password: None)
    for username in ("officer@probe", "nobody@probe", "no name"):
        for n in range(201):
            with pytest.raises(Unauthenticated if n < 200 else TooMany):
                await small.identity.sessions.sign_in(username, "wrong", "000000", network=f"198.51.100.{n}")
    small.clock.forward(0.5)
    with pytest.raises(Unauthenticated):
        await small.identity.sessions.sign_in("officer@probe", "wrong", "000000", network=NETWORK)


async def test_the_fast_hand_from_one_network_meets_a_limit(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "burn", lambda _password: None)
    for n in range(100):
        with pytest.raises(Unauthenticated):
            await small.identity.sessions.sign_in(f"n{n}@probe", "wrong", "000000", network=NETWORK)
    with pytest.raises(TooMany):
        await small.identity.sessions.sign_in("one-more@probe", "wrong", "000000", network=NETWORK)
    small.clock.forward(1)
    assert (await sign_in(small)).token


async def test_a_name_nobody_has_costs_the_same_work(small: World, monkeypatch: pytest.MonkeyPatch):
    burnt: list[str] = []
    monkeypatch.setattr(passwords, "burn", burnt.append)
    for username in ("nobody@probe", "officer@another", "officer", "@", "v1@v1"):
        with pytest.raises(Unauthenticated):
            await small.identity.sessions.sign_in(username, "a password", "000000", network=NETWORK)
    assert burnt == ["a password"] * 5


async def test_hashing_never_holds_up_the_writer_or_the_loop(small: World, monkeypatch: pytest.MonkeyPatch):
    threads: set[str] = set()
    release = threading.Event()

    def slow(_stored: str, _password: str) -> bool:
        threads.add(threading.current_thread().name)
        return release.wait(10)

    monkeypatch.setattr(passwords, "check_password", slow)
    tries = [asyncio.ensure_future(sign_in(small, who)) for who in small.ceremony.staff]
    while not threads:  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(0.005)
    started = time.monotonic()
    assert await small.knock(small.ceremony.api_key) is not None
    await small.association.run(lambda deed: deed.size)
    assert time.monotonic() - started < 5
    release.set()
    assert len(await asyncio.gather(*tries)) == 3
    assert all(name.startswith("password") for name in threads)


async def approve(world: World, caller: Caller, code: str | None = None) -> Approval:
    """An approval as any room would make it: a deed of its own kind, the code used up with it."""

    def unit(deed: Deed) -> Approval:
        approval = world.identity.factor.approve(deed, caller.still(deed), code, kind="thing.approved")
        deed.append(Entry(kind="thing.approved", outcome="allow", actor=caller.ref, facts=approval.facts, flags=approval.flags))
        return approval

    return await world.association.run(unit)


async def test_an_approval_needs_a_code_or_a_session_stepped_up(vault: World):
    caller = await vault.person("officer")
    with pytest.raises(Refused) as refused:
        await approve(vault, caller)
    assert (refused.value.code, refused.value.article) == ("step-up-required", "cooperative:7")
    assert vault.entries()[-1].kind == "thing.approved"
    assert vault.entries()[-1].outcome == "refuse"
    assert (await approve(vault, caller, vault.one_time_code("officer"))).flags == ("ceremony",)
    with pytest.raises(Refused):
        await approve(vault, caller)


async def test_step_up_opens_five_minutes_of_that_session_only(vault: World):
    token = await vault.session("officer")
    other = await vault.session("officer")
    until = await vault.identity.sessions.step_up(await vault.knock(token), vault.one_time_code("officer"))
    assert until == vault.clock.now + 5 * 60 * 1_000_000
    assert (await approve(vault, await vault.knock(token))).facts == ()
    with pytest.raises(Refused):
        await approve(vault, await vault.knock(other))
    caller = await vault.knock(token)
    vault.clock.now = until
    with pytest.raises(Refused):
        await approve(vault, caller)
    entry = next(entry for entry in vault.entries() if entry.kind == "session.stepped-up")
    assert (entry.outcome, entry.flags) == ("allow", ("ceremony",))


@pytest.mark.parametrize("code", ["000000", "", "12345", "abcdef"])
async def test_a_wrong_code_neither_steps_up_nor_approves(small: World, code: str):
    caller = await small.person("officer")
    with pytest.raises(Refused) as refused:
        await small.identity.sessions.step_up(caller, code)
    assert refused.value.code == "step-up-required"
    with pytest.raises(Refused) as refused:
        await approve(small, caller, code)
    assert refused.value.code == "step-up-required"


async def test_a_code_approves_once_and_opens_nothing_besides(vault: World):
    caller = await vault.person("officer")
    code = vault.one_time_code("officer")
    assert (await approve(vault, caller, code)).facts[0].kind == STEP.name
    with pytest.raises(Refused):
        await approve(vault, caller, code)
    with pytest.raises(Refused):
        await vault.identity.sessions.step_up(caller, code)
    with pytest.raises(Unauthenticated):
        await sign_in(vault, code=code)


async def test_guesses_at_a_code_are_limited_across_all_calls(small: World):
    caller = await small.person("officer")
    for n in range(10):
        guess = approve(small, caller, "000000") if n % 2 else small.identity.sessions.step_up(caller, "000000")
        with pytest.raises(Refused):
            await guess
    with pytest.raises(TooMany):
        await approve(small, caller, "000000")
    with pytest.raises(TooMany):
        await small.identity.sessions.step_up(caller, small.one_time_code("officer"))
    assert (await small.person("admin")).is_person


async def test_who_guesses_codes_behind_a_right_password_is_in_the_log_and_keeps_its_owner_from_nothing(vault: World):
    caller = await vault.person("officer")
    before = len(vault.entries())
    for n in range(40):
        # From many networks, so that the account's own limit for one network is not what stops it.
        with pytest.raises((Unauthenticated, TooMany)):
            await sign_in(vault, code="000000", network=f"198.51.100.{n}")
    (alarm,) = vault.entries()[before:]
    assert (alarm.kind, alarm.outcome, alarm.actor, alarm.reason, alarm.count) == ("alarm", "error", caller.ref, "CODES_GUESSED", 10)
    assert await vault.identity.sessions.step_up(caller, vault.one_time_code("officer")) > vault.clock.now


async def test_a_slow_guesser_rings_as_well_and_once_an_hour(small: World):
    for _ in range(60):
        with pytest.raises(Unauthenticated):
            await sign_in(small, code="000000")
        small.clock.forward(120)
    alarms = [entry for entry in small.entries() if entry.kind == "alarm"]
    assert len(alarms) == 2
    small.clock.forward(7200)
    for _ in range(9):
        with pytest.raises(Unauthenticated):
            await sign_in(small, code="000000")
    assert len([entry for entry in small.entries() if entry.kind == "alarm"]) == 2, "nine mistakes in an hour are a clumsy hand"


async def test_a_system_approves_nothing(vault: World):
    with pytest.raises(Refused) as refused:
        await approve(vault, await vault.system(), "000000")
    assert (refused.value.code, refused.value.article) == ("out-of-scope", "cooperative:1")


async def test_what_was_approved_and_failed_leaves_the_code_unused(vault: World):
    caller = await vault.person("officer")
    code = vault.one_time_code("officer")

    def unit(deed: Deed) -> None:
        vault.identity.factor.approve(deed, caller.still(deed), code, kind="thing.approved")
        raise Unavailable("busy")

    with pytest.raises(Unavailable):
        await vault.association.run(unit)
    assert re.fullmatch(r"\d{6}", code)
    assert (await approve(vault, caller, code)).facts
