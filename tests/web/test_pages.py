"""Pages: in her language, without a script, and never a problem document where a person looks."""

import base64
import hashlib
import re

import httpx
import pytest
from jinja2 import UndefinedError

from tests.web.fake_roof import KEY, PAGES
from vault.errors import Invalid
from vault.web.paper import page_of_problem
from vault.web.problems import internal_problem
from vault.web.query import parse_query
from vault.web.route import Query

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
aio = pytest.mark.asyncio(loop_scope="function")


@aio
@pytest.mark.parametrize(
    ("query", "accepts", "language"),
    [("", "", "ar"), ("", "en", "en"), ("?lang=ar", "en", "ar"), ("?lang=en", "ar", "en"), ("", "ar;q=0.5, en", "en"), ("", "fr", "ar")],
)
async def test_a_page_comes_in_the_language_that_was_chosen(calls: httpx.AsyncClient, query: str, accepts: str, language: str):
    answer = await calls.post(f"/first/form{query}", content=b"note=1", headers=FORM | {"Accept-Language": accepts})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in answer.text


@aio
async def test_a_page_brings_its_style_along_and_its_policy_lets_nothing_else_in(calls: httpx.AsyncClient):
    answer = await calls.post("/first/form", content=b"note=1", headers=FORM)
    style = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    for told in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert told in policy
    assert "script" not in answer.text + policy
    assert "://" not in answer.text
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


@aio
async def test_what_is_written_into_a_page_is_text(calls: httpx.AsyncClient):
    answer = await calls.post("/first/form", content=b"note=%3Cscript%3E%22%27%26", headers=FORM)
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


@aio
async def test_whatever_goes_wrong_on_a_page_is_told_on_a_page_in_her_language(calls: httpx.AsyncClient):
    wrong = [
        ("POST", "/first/form?lang=en", b"note=boom", 500),
        ("POST", "/first/form?lang=en", b"other=1", 400),
        ("POST", "/first/form?lang=en&x=1", b"", 400),
        ("GET", "/first/privacy?" + "a" * 17_000, b"", 400),
    ]
    for method, path, content, status in wrong:
        answer = await calls.request(method, path, content=content or None, headers=FORM | {"Accept-Language": "en"})
        number = re.search(r'<code dir="ltr">([0-9a-f]{32})</code>', answer.text)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert number
        assert '<html lang="en"' in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@aio
@pytest.mark.parametrize(
    "query", ["?fbclid=abc", "?utm_source=x&utm_medium=", "?x=%ff%00&lang", "?lang=fr", "?lang=", "?lang=en&lang=ar", "?&&"]
)
async def test_a_link_that_somebody_added_to_leads_to_the_page(calls: httpx.AsyncClient, query: str):
    assert (await calls.get(f"/first/privacy{query}")).status_code == 200
    assert (await calls.get(f"/v1/records{query}", headers={"Authorization": f"Bearer {KEY}"})).status_code == 400


def test_a_language_we_do_not_speak_leaves_it_to_the_browser():
    declared = {"lang": Query(kind="choice", choices=("ar", "en")), "version": Query(kind="integer", low=1)}
    assert parse_query(b"lang=fr&fbclid=x", declared, linked=True) == {"lang": None, "version": None}
    assert parse_query(b"l%61ng=fr&lang=en&lang=ar&version=2", declared, linked=True) == {"lang": "en", "version": 2}
    with pytest.raises(Invalid):
        parse_query(b"version=x", declared, linked=True)


@aio
async def test_a_page_answers_head_as_get_without_its_body(calls: httpx.AsyncClient):
    whole, head = await calls.get("/first/privacy"), await calls.head("/first/privacy")
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers} == {**whole.headers}
    assert (await calls.head("/v1/records")).status_code == 405
    assert (await calls.options("/first/privacy")).headers["allow"] == "GET, HEAD"
    assert (await calls.head("/first/form")).status_code == 405


@aio
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("/first/privacy/", "/first/privacy"),
        ("/first/privacy/?lang=en&fbclid=a%20b", "/first/privacy?lang=en&fbclid=a%20b"),
        ("/\\evil.example/privacy/", "/%5Cevil.example/privacy"),
        ("/%D8%B3/privacy/", "/%D8%B3/privacy"),
    ],
)
async def test_a_slash_at_the_end_leads_to_the_one_spelling(calls: httpx.AsyncClient, asked: str, told: str):
    answer = await calls.get(asked)
    assert (answer.status_code, answer.headers["location"]) == (308, told)
    assert answer.headers["cache-control"] == "no-store"


@aio
@pytest.mark.parametrize("path", ["/", "/first/privacy//", "//evil.example/privacy/", "/v1/records/", "/first/form/", "/first/nothing/"])
async def test_a_slash_at_the_end_of_anything_else_leads_nowhere(calls: httpx.AsyncClient, path: str):
    assert (await calls.get(httpx.URL("http://vault", raw_path=path.encode()))).status_code == 404


@aio
@pytest.mark.parametrize(
    ("path", "accepts", "kind"),
    [
        ("/first/nothing", "text/html,application/xhtml+xml", "text/html; charset=utf-8"),
        ("/first/nothing/", "text/html", "text/html; charset=utf-8"),
        ("/first/nothing", "application/json", "application/problem+json"),
        ("/first/nothing", "*/*", "application/problem+json"),
        ("/v1/nothing", "text/html", "application/problem+json"),
    ],
)
async def test_where_nothing_is_people_read_a_page_and_programs_a_problem(calls: httpx.AsyncClient, path: str, accepts: str, kind: str):
    answer = await calls.get(path, headers={"Accept": accepts})
    assert (answer.status_code, answer.headers["content-type"]) == (404, kind)


def test_a_value_that_a_template_was_not_given_is_an_error_and_no_blank():
    with pytest.raises(UndefinedError):
        PAGES.answer("problem.html", "ar")


def test_the_page_of_a_problem_keeps_its_status_and_headers():
    page = page_of_problem(internal_problem("0" * 32, "ar"), "ar", {"Retry-After": "2"})
    assert (page.status, page.headers["Retry-After"]) == (500, "2")
    assert "حدث خطأ" in str(page.body) or "خطأ" in str(page.body)
