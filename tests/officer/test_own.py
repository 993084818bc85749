"""A person's own account in the browser: secrets of her own, the policy acknowledged, codes for a lost phone, and her sessions."""

import re

import pyotp
import pytest

from tests.identity.test_api import Caller, approved_staff
from tests.officer.browser import Window, text_of
from tests.simulator import SECOND
from vault.officer.own import PATH

pytestmark = pytest.mark.asyncio(loop_scope="function")
OWN_WORDS = "كلمات تخص سارة وحدها"


async def first_day(window: Window) -> dict[str, str]:
    """An account on its first day, signed in with what two people handed its person."""
    async with window.world.front() as http:
        made = await approved_staff(Caller(window.world, http), username="sara@probe", roles=["officer"])
    window.world.clock.forward(60)
    return {"password": made["password"], "secret": made["totp_secret"]}


def now(window: Window, secret: str) -> str:
    return pyotp.TOTP(secret).at(window.world.clock.now // SECOND)


async def enter(window: Window, password: str, secret: str) -> str:
    """Sign in as her and look at the first page."""
    window.token = ""
    window.world.clock.forward(60)
    answer = await window.send("/officer/sign-in", username="sara@probe", password=password, code=now(window, secret))
    assert answer.status_code == 303, text_of(answer)
    window.world.clock.forward(60)
    return text_of(await window.get("/officer"))


async def test_who_is_handed_an_account_makes_it_her_own_in_the_browser_alone(window: Window):
    first = await first_day(window)
    assert "No page is open to this account" in await enter(window, first["password"], first["secret"])
    page = await window.get(PATH)
    assert "still has its first secrets" in text_of(page)
    (secret,) = re.findall(r'name="totp_secret" value="([A-Z2-7]{32})"', page.text)
    assert secret[:4] in text_of(page)
    assert "<svg" in page.text
    (policy,) = re.findall(r'name="policy" value="([0-9a-f]{64})"', page.text)
    early = await window.send(PATH, act="acknowledge", policy=policy)
    assert early.status_code == 409, "not while others know the account's secrets"
    given = {"act": "credentials", "password": first["password"], "code": now(window, first["secret"]), "totp_secret": secret}
    for wrong, status, said in (
        ({"new_password": "password1234"}, 422, "easy to guess"),
        ({"new_password": first["password"]}, 422, "which others were told"),
        ({"totp_code": "000000"}, 422, "does not fit the key"),
        ({"password": "wrong"}, 401, "The present password or code is not right"),
        ({"new_password": "short"}, 422, "12 to 256 characters"),
        ({"totp_secret": "<b>"}, 422, ""),
    ):
        form = {**given, "new_password": OWN_WORDS, "totp_code": now(window, secret), **wrong}
        again = await window.send(PATH, **form)
        assert (again.status_code, said in text_of(again)) == (status, True), wrong
        assert OWN_WORDS not in again.text
        assert "<b>" not in again.text
        (shown,) = re.findall(r'name="totp_secret" value="([A-Z2-7]{32})"', again.text)
        assert (shown == secret) == ("totp_secret" not in wrong), "what is in her phone stays, what is no secret does not"
    done = await window.send(PATH, **given, new_password=OWN_WORDS, totp_code=now(window, secret))
    assert (done.status_code, done.headers["location"]) == (303, "/officer/sign-in?lang=en")
    assert "Max-Age=0" in done.headers["set-cookie"]
    await enter(window, OWN_WORDS, secret)
    page = await window.get(PATH)
    assert "still has its first secrets" not in text_of(page)
    assert (await window.send(PATH, act="acknowledge", policy="0" * 64)).status_code == 422, "another wording than stands now"
    done = await window.send(PATH, act="acknowledge", policy=policy)
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=acknowledged&lang=en")
    assert window.world.entries()[-1].kind == "policy.acknowledged"
    said = text_of(await window.get(PATH, done="acknowledged"))
    assert ("You have acknowledged the policy as it now stands" in said, "I have read it" in said) == (True, False)
    assert "Access log" in text_of(await window.get("/officer"))


async def test_recovery_codes_are_shown_once_and_each_opens_a_session(small_window: Window):
    window, account = small_window, small_window.world.ceremony.staff["officer"]
    await window.sign_in()
    await window.get(PATH)
    made = await window.send(PATH, act="recovery-codes", password=account.password, code=window.world.one_time_code("officer"))
    codes = re.findall(r"<code>([0-9A-Z]{6}(?:-[0-9A-Z]{6}){3})</code>", made.text)
    assert (made.status_code, len(set(codes))) == (200, 10)
    assert not re.findall(r"<code>[0-9A-Z]{6}-", (await window.get(PATH)).text)
    refused = await window.send(PATH, act="recovery-codes", password="wrong", code="000000")
    assert refused.status_code == 401
    assert "Max-Age=0" not in refused.headers.get("set-cookie", "")
    window.token = ""
    opened = await window.send("/officer/sign-in", username=account.username, password=account.password, code=codes[0])
    assert opened.status_code == 303


async def test_ones_sessions_are_seen_and_the_others_ended(small_window: Window):
    window = small_window
    other = await window.world.session("officer")
    await window.sign_in()
    said = text_of(await window.get(PATH))
    assert ("this one" in said, "another" in said) == (True, True)
    assert (await window.send(PATH, token="0", act="end-others")).status_code == 409
    assert await window.world.knock(other) is not None
    done = await window.send(PATH, act="end-others")
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=ended&lang=en")
    assert await window.world.knock(other) is None
    assert "End the others" not in text_of(await window.get(PATH))
    assert (await window.send(PATH, act="nothing")).status_code == 400
    window.language = "ar"
    assert "الإقرار بسياسة الخصوصية" in text_of(await window.get(PATH))
    window.language, kept = "en", window.cookie
    await window.send("/officer/sign-out")
    window.cookie = kept
    assert (await window.send(PATH, act="end-others")).status_code == 303, "who is out is led to sign in"
