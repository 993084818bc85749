"""Signing in with a browser: the cookie, what it counts for, and forms that are not ours."""

import re
from html import unescape

import pytest

from tests.officer.browser import OURS, Window, text_of

pytestmark = pytest.mark.asyncio(loop_scope="function")
PLACES = ("/officer", "/officer/log", "/officer/person")


async def test_who_signs_in_gets_a_cookie_no_script_and_no_other_site_can_use(small_window: Window):
    account = small_window.world.ceremony.staff["officer"]
    given = {"username": account.username, "password": account.password, "code": small_window.world.one_time_code("officer")}
    answer = await small_window.send("/officer/sign-in", **given)
    assert (answer.status_code, answer.headers["location"]) == (303, "/officer?lang=en")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-amanah=ams_")
    assert set(cookie.split("; ")[1:]) == {"Path=/", "Max-Age=28800", "Secure", "HttpOnly", "SameSite=Strict"}
    page = await small_window.get("/officer")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in policy + page.text.lower()
    assert 'style="' not in page.text
    assert small_window.cookie not in page.text


async def test_nobody_without_a_session_sees_a_page(small_window: Window):
    for cookie in ("", "ams_probe_0011223344556677_" + "A" * 43, small_window.world.ceremony.api_key):
        small_window.cookie = cookie
        for path in PLACES:
            answer = await small_window.get(path)
            assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/officer/sign-in?lang=en", "")
    small_window.cookie = ""
    answer = await small_window.send("/officer/sign-out", token="x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/officer/sign-in?lang=en")


async def test_the_cookie_opens_nothing_under_v1_and_a_token_no_page(small_window: Window):
    await small_window.sign_in()
    answer = await small_window.http.get("/v1/clients", headers={"Cookie": f"__Host-amanah={small_window.cookie}"})
    assert answer.status_code == 401
    answer = await small_window.http.get("/officer/log", headers={"Authorization": f"Bearer {small_window.cookie}"})
    assert answer.status_code == 303
    twice = f"__Host-amanah={small_window.cookie}; __Host-amanah={small_window.cookie}"
    assert (await small_window.http.get("/officer", headers={"Cookie": twice})).status_code == 303


async def test_what_is_wrong_is_told_on_the_page_and_no_secret_comes_back(small_window: Window):
    answer = await small_window.sign_in(password="not-the-password-55")
    assert answer.status_code == 401
    assert "We do not know you by that" in text_of(answer)
    assert "set-cookie" not in answer.headers
    assert "not-the-password-55" not in answer.text
    assert small_window.world.ceremony.staff["officer"].username in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Origin": "null"}, {"Origin": "https://elsewhere.example"}]
    + [{"Origin": each} for each in ("http://[", "vault", "https://vault.elsewhere.example", "https://vault@elsewhere.example")],
)
async def test_a_form_of_another_site_does_nothing(small_window: Window, headers: dict[str, str]):
    account = small_window.world.ceremony.staff["officer"]
    given = {"username": account.username, "password": account.password, "code": small_window.world.one_time_code("officer")}
    assert (await small_window.send("/officer/sign-in", headers, **given)).status_code == 409
    await small_window.sign_in()
    answer = await small_window.send("/officer/sign-out", headers)
    assert answer.status_code == 409
    assert (await small_window.get("/officer")).status_code == 200


async def test_a_form_without_this_sessions_token_does_nothing(small_window: Window):
    await small_window.sign_in()
    old = small_window.token
    await small_window.sign_in()
    assert old != small_window.token
    for wrong in (old, "", "ا"):
        answer = await small_window.send("/officer/sign-out", token=wrong)
        assert answer.status_code == 409
        assert "too old" in text_of(answer)
    assert (await small_window.send("/officer/sign-out", {**OURS, "Origin": "http://vault"})).status_code == 303


async def test_who_signs_in_again_leaves_the_session_this_browser_was_in_and_no_other(small_window: Window):
    await small_window.sign_in()
    elsewhere, small_window.cookie = small_window.cookie, ""
    await small_window.sign_in()
    before = small_window.cookie
    await small_window.sign_in()
    now = small_window.cookie
    seen = {}
    for name, cookie in (("elsewhere", elsewhere), ("before", before), ("now", now)):
        small_window.cookie = cookie
        seen[name] = (await small_window.get("/officer")).status_code
    assert seen == {"elsewhere": 200, "before": 303, "now": 200}
    assert [each.kind for each in small_window.world.entries()][-2:] == ["session.opened", "session.ended"]


@pytest.mark.parametrize("cookie", ["ams_probe_0011223344556677_" + "A" * 43, "ams_nowhere_0011223344556677_" + "A" * 43, "ams_x"])
async def test_a_cookie_of_no_session_keeps_nobody_from_signing_in(small_window: Window, cookie: str):
    small_window.cookie = cookie
    assert (await small_window.sign_in()).status_code == 200


async def test_who_is_led_to_the_sign_in_page_is_led_there_in_the_language_she_reads(small_window: Window):
    for query, led in (("?lang=ar", "?lang=ar"), ("?person=x&lang=en", "?lang=en"), ("?xlang=en", ""), ("?lang=en%0d", ""), ("", "")):
        answer = await small_window.http.get(f"/officer/log{query}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/officer/sign-in{led}"), query


async def test_after_a_form_the_page_can_still_be_read_in_the_other_language(small_window: Window):
    wrong = await small_window.sign_in(password="not-the-password-55")
    assert 'href="?lang=ar"' in wrong.text
    await small_window.sign_in()
    nobody = {"id": "00000000-0000-4000-8000-000000000000", "code": "000000", "act": "verify"}
    for path, fields, leads in (
        ("/officer/approvals", {"kind": "order"}, "/officer/approvals?lang=ar"),
        ("/officer/consents", {"person": "x"}, "/officer/consents?person=x&amp;lang=ar"),
    ):
        answer = await small_window.send(path, **{**nobody, "act": "approve"} if "kind" in fields else nobody, **fields)
        assert f'href="{leads}"' in answer.text, path


async def test_a_wrong_code_is_told_as_one_and_what_to_do(small_window: Window):
    await small_window.sign_in()
    answer = await small_window.send("/officer/consents", person="", id="00000000-0000-4000-8000-000000000000", act="verify", code="000000")
    assert "The code is wrong, too old or was used before" in text_of(answer)


async def test_what_comes_to_stand_in_the_address_can_only_be_an_id(small_window: Window):
    await small_window.sign_in()
    lines = {"person": ("/officer", "/officer/log", "/officer/consents", "/officer/person"), "actor": ("/officer/log",)}
    ids = {"person": "00000000-0000-4000-8000-00000000000f", "actor": "staff:00000000-0000-4000-8000-00000000000f"}
    for name, paths in lines.items():
        for path in paths:
            page = await small_window.get(path)
            [pattern] = re.findall(rf'<input id="{name}"[^>]* pattern="([^"]+)"', page.text)
            sent = re.compile(unescape(pattern))
            assert sent.fullmatch(f" {ids[name].replace('0', '٠')} "), path
            assert not [typed for typed in ("1000000008", "فاطمة", "staff:", "0551234567", "client:1000000008") if sent.fullmatch(typed)]


async def test_who_signs_out_is_out(small_window: Window):
    await small_window.sign_in()
    kept = small_window.cookie
    answer = await small_window.send("/officer/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/officer/sign-in?lang=en")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    small_window.cookie = kept
    assert (await small_window.get("/officer")).status_code == 303


async def test_signing_out_stands_on_every_page_she_may_see(small_window: Window):
    home = await small_window.sign_in()
    places = sorted(set(re.findall(r'href="(/officer[^"?#]*)', home.text)))
    assert len(places) > 10
    for path in (*places, "/officer/person"):
        page = await small_window.get(path)
        (form,) = re.findall(
            r'<form method="post" action="/officer/sign-out[^"]*">\s*<input type="hidden" name="token" value="([0-9a-f]{64})">', page.text
        )
        assert form == small_window.token, path


async def test_the_password_is_typed_unseen(small_window: Window):
    page = await small_window.get("/officer/sign-in")
    (field,) = re.findall(r'<input id="password"[^>]*>', page.text)
    assert 'type="password"' in field
    assert "value=" not in field
    assert 'autocomplete="current-password"' in field


async def test_who_may_little_is_shown_little(small_window: Window):
    page = await small_window.sign_in("admin")
    assert "/officer/log?" not in page.text
    refused = await small_window.get("/officer/log")
    assert refused.status_code == 403
    assert [each.reason for each in small_window.world.entries()][-1] == "OUT_OF_SCOPE"


@pytest.mark.parametrize(("language", "direction", "word"), [("ar", "rtl", "دخول منسوبي الجمعية"), ("en", "ltr", "Sign in")])
async def test_pages_speak_both_languages(small_window: Window, language: str, direction: str, word: str):
    small_window.language = language
    page = await small_window.get("/officer/sign-in")
    assert f'<html lang="{language}" dir="{direction}">' in page.text
    assert word in text_of(page)
    assert page.headers["content-language"] == language
