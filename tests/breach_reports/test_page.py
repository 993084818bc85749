"""The pages without a browser: what they answer, what they keep, and what they never tell."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.breach_reports.desk import NARRATIVE, Desk, desk_of
from tests.simulator import World
from vault.breach_reports.page import PAGES
from vault.errors import Unavailable
from vault.policy.pack import load
from vault.rulebook.association import Association
from vault.rulebook.channels import Channels, ChannelsRefused, Name, read_channels
from vault.web.paper import read_words

aio = pytest.mark.asyncio(loop_scope="function")
FORM = {"category": "visitor_data", "narrative": NARRATIVE, "noticed_on": "", "contact": "", "website": ""}


def receipt_in(page: httpx.Response) -> str:
    found = re.search(r'id="receipt"[^>]*>([0-9A-Z-]{23})<', page.text)
    assert found, page.text[-3000:]
    return found[1]


@aio
@pytest.mark.parametrize("multipart", [False, True])
async def test_a_report_is_sent_in_both_encodings_and_its_receipt_told_once(desk: Desk, multipart: bool):
    sent = {"files": {name: (None, value) for name, value in FORM.items()}} if multipart else {"data": FORM}
    page = await desk.http.post("/probe/report", **sent)
    assert (page.status_code, page.headers["content-language"]) == (201, "ar")
    receipt = receipt_in(page)
    assert "set-cookie" not in page.headers
    followed = await desk.http.post("/probe/report/status?lang=en", data={"receipt": receipt.lower()})
    assert followed.status_code == 200
    assert "received, waiting to be looked at" in followed.text
    assert NARRATIVE not in followed.text
    added = await desk.http.post("/probe/report/status", data={"receipt": receipt, "text": "<b>هل من جديد؟</b>"})
    assert "&lt;b&gt;هل من جديد؟&lt;/b&gt;" in added.text


@aio
async def test_the_form_has_every_category_of_the_pack_in_both_languages(desk: Desk):
    for language in ("ar", "en"):
        page = await desk.http.get(f"/probe/report?lang={language}")
        for code, label in load("cooperative").report_categories.items():
            assert f'<option value="{code}">{label.ar if language == "ar" else label.en}</option>' in page.text


@aio
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(desk: Desk):
    wrong = {"category": "x", "narrative": "قصير <i>", "noticed_on": "2099-01-01", "contact": "0" * 301}
    page = await desk.http.post("/probe/report?lang=ar", data=wrong)
    assert page.status_code == 422
    words = PAGES.words("ar")
    for sentence in (words.wrong_category, words.wrong_narrative, words.wrong_future, words.wrong_contact):
        assert page.text.count(sentence) == 2, "in the summary and at the field"
    assert "قصير &lt;i&gt;" in page.text
    assert "0" * 301 in page.text
    assert words.wrong_day in (await desk.http.post("/probe/report", data=FORM | {"noticed_on": "soon"})).text
    assert desk.world.entries()[-1].kind != "breach_report.received"


@aio
async def test_a_field_that_people_do_not_see_filled_in_looks_like_success(desk: Desk):
    page = await desk.http.post("/probe/report", data=FORM | {"website": "http://spam.example"})
    assert page.status_code == 201
    receipt_in(page)
    listed = (await desk.as_("officer", "GET", "?state=quarantined")).json()["items"]
    assert [each["doubt"] for each in listed] == ["trap"]


@aio
async def test_a_form_from_another_sites_page_is_kept_apart_and_one_of_ours_is_not(desk: Desk):
    for site, doubt in (("cross-site", "elsewhere"), ("same-origin", None)):
        await desk.http.post("/probe/report", data=FORM, headers={"Sec-Fetch-Site": site, "Origin": "null"})
        state = "?state=quarantined" if doubt else ""
        assert (await desk.as_("officer", "GET", state)).json()["items"][0]["doubt"] == doubt


@aio
async def test_a_wrong_receipt_and_a_message_that_cannot_be_are_told_on_the_page(desk: Desk):
    missing = await desk.http.post("/probe/report/status?lang=en", data={"receipt": "nothing"})
    assert missing.status_code == 404
    assert "There is no report with this receipt" in missing.text
    taken = await desk.report()
    empty = await desk.http.post("/probe/report/status?lang=en", data={"receipt": taken["receipt"], "text": " "})
    assert empty.status_code == 422
    assert PAGES.words("en").wrong_text in empty.text
    assert taken["reference"] in empty.text


@aio
async def test_what_was_typed_survives_a_wrong_receipt_a_control_character_and_great_length(desk: Desk):
    missing = await desk.http.post("/probe/report/status?lang=en", data={"receipt": "nothing", "text": "a long message"})
    assert missing.status_code == 404
    assert "a long message</textarea>" in missing.text
    assert 'id="receipt"' in missing.text, "and the receipt can be put right"
    long = "ا" * 31_000
    page = await desk.http.post("/probe/report?lang=en", data=FORM | {"narrative": long})
    assert (page.status_code, long in page.text) == (422, True)
    assert PAGES.words("en").wrong_narrative in page.text
    assert (await desk.http.post("/probe/report", data=FORM | {"narrative": NARRATIVE + "\x01\x1b."})).status_code == 201


@aio
async def test_both_doors_read_a_control_character_as_a_space(desk: Desk):
    told = await desk.report(narrative=NARRATIVE + "\x01x\r\ty\nz", contact="0500\x01")
    read = await desk.read(await desk.id_of(told["reference"]))
    assert (read["narrative"], read["contact"]) == (NARRATIVE + " x \ty\nz", "0500")
    seen = await desk.public("/messages", {"receipt": told["receipt"], "text": "a\x1bb"})
    assert seen.json()["messages"][0]["text"] == "a b"


@aio
async def test_over_a_limit_the_page_keeps_what_was_typed_and_says_when(desk: Desk):
    for _ in range(20):
        await desk.http.post("/probe/report/status", data={"receipt": "x"})
    page = await desk.http.post("/probe/report/status", data={"receipt": "x", "text": "kept"})
    assert (page.status_code, page.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert int(page.headers["retry-after"]) >= 1
    assert "kept</textarea>" in page.text


@aio
@pytest.mark.parametrize("path", ["/report", "/report/status"])
async def test_an_association_there_is_none_of_is_one_page_of_404(desk: Desk, path: str):
    for code in ("elsewhere", "v1", "health"):
        for method in ("GET", "POST"):
            page = await desk.http.request(
                method, f"/{code}{path}", headers={"Accept": "text/html"}, data=FORM if method == "POST" else None
            )
            assert page.status_code in (404, 400)
            assert "probe" not in page.text


@aio
async def test_a_form_that_cannot_be_read_is_told_on_a_page(desk: Desk):
    for content, kind, status in ((b"{}", "application/json", 415), (b"a=1", "application/x-www-form-urlencoded", 400)):
        page = await desk.http.post("/probe/report", content=content, headers={"Content-Type": kind})
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")


LONG = "نص طويل جدا " * 100_000


def encoded(kind: str, **fields: str) -> tuple[bytes, dict[str, str]]:
    """A form as a browser sends it in this encoding."""
    files = {name: (None, value) for name, value in fields.items()}
    made = httpx.Request("POST", "http://x", files=files) if kind == "multipart" else httpx.Request("POST", "http://x", data=fields)
    return made.read(), {"Content-Type": made.headers["content-type"]}


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """The same in pieces, each of which ends somewhere in a character."""
    for at in range(0, len(content), 65_521):
        yield content[at : at + 65_521]


@aio
@pytest.mark.parametrize("kind", ["multipart", "urlencoded"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_text_longer_than_can_be_taken_comes_back_as_far_as_it_came(desk: Desk, kind: str, at_once: bool):
    content, headers = encoded(kind, category="other", contact="0551234567", narrative=LONG)
    for language, sentence in (("ar", "فلم يصل آخره"), ("en", "its end did not arrive")):
        body = content if at_once else pieces(content)
        page = await desk.http.post(f"/probe/report?lang={language}", content=body, headers=headers)
        assert (page.status_code, page.headers["content-type"]) == (422, "text/html; charset=utf-8")
        assert sentence in page.text
        assert LONG[:30_000] in page.text, "what was typed is not lost"
        assert 'value="0551234567"' in page.text
        assert "\ufffd" not in page.text
    assert not [one for one in desk.world.entries() if one.kind == "breach_report.received"]


@aio
async def test_a_message_longer_than_can_be_taken_comes_back_too(desk: Desk):
    receipt = (await desk.report())["receipt"]
    content, headers = encoded("urlencoded", receipt=receipt, text=LONG)
    page = await desk.http.post("/probe/report/status?lang=en", content=pieces(content), headers=headers)
    assert page.status_code == 422
    assert "its end did not arrive" in page.text
    assert LONG[:30_000] in page.text
    assert f'value="{receipt}"' in page.text


@aio
@pytest.mark.parametrize("kind", ["multipart", "urlencoded"])
async def test_a_character_that_no_page_can_hold_becomes_a_space_and_the_report_is_taken(desk: Desk, kind: str):
    content, headers = encoded(kind, category="other", narrative=f"{NARRATIVE}\0end")
    page = await desk.http.post("/probe/report?lang=en", content=content, headers=headers)
    assert page.status_code == 201
    [item] = (await desk.as_("officer", "GET", "")).json()["items"]
    assert (await desk.read(item["id"]))["narrative"] == f"{NARRATIVE} end"


HOSTILE = [
    (b"narrative=%ED%A0%80", "application/x-www-form-urlencoded", 400),
    (b"category=a&category=b", "application/x-www-form-urlencoded", 400),
    (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1000 + b"--x--", "multipart/form-data; boundary=x", 400),
    (b'--x\r\nContent-Disposition: form-data; name="contact"; filename="x"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x", 400),
    (b"[" * 1000, "application/x-www-form-urlencoded", 400),
    (b"<a/>", "text/xml", 415),
]


@aio
@pytest.mark.parametrize(("content", "kind", "status"), HOSTILE, ids=lambda each: str(each)[:24])
async def test_no_form_breaks_the_public_door(desk: Desk, content: bytes, kind: str, status: int):
    for path in ("/probe/report", "/probe/report/status"):
        page = await desk.http.post(path, content=content, headers={"Content-Type": kind})
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert (await desk.report())["receipt"], "the next one is served"


@aio
async def test_the_other_channels_and_the_right_to_complain_stand_beside_the_form(vault: World):
    async with desk_of(vault, Channels(Name("جمعية مثال", "Example"), "@example", "privacy@example.org")) as desk:
        for path in ("/report", "/report/status"):
            page = (await desk.http.get(f"/probe{path}?lang=ar")).text
            assert "@example" in page
            assert "privacy@example.org" in page
            assert "سدايا" in page
            assert "جمعية مثال" in page
        assert "Example" in (await desk.http.get("/probe/report?lang=en")).text


@aio
async def test_every_page_of_a_demonstration_says_so_and_no_other_page_does(vault: World):
    arabic, english = "هذا عرض تجريبي", "This is a demonstration"
    for channels in (Channels(demonstration=True), Channels()):
        async with desk_of(vault, channels) as desk:
            for language in ("ar", "en"):
                taken = await desk.http.post(f"/probe/report?lang={language}", data=FORM)
                pages = [
                    taken,
                    await desk.http.get(f"/probe/report?lang={language}"),
                    await desk.http.post(f"/probe/report?lang={language}", data=FORM | {"narrative": "short"}),
                    await desk.http.get(f"/probe/report/status?lang={language}"),
                    await desk.http.post(f"/probe/report/status?lang={language}", data={"receipt": receipt_in(taken)}),
                    await desk.http.post(f"/probe/report/status?lang={language}", data={"receipt": "wrong"}),
                ]
                for page in pages:
                    assert (arabic in page.text, english in page.text) == (channels.demonstration, channels.demonstration)
                    assert page.text.find(arabic) <= page.text.find(english)


def test_the_file_of_channels_is_read_or_refused(tmp_path: Path):
    assert read_channels(tmp_path) == Channels()
    (tmp_path / "public.toml").write_text('social = "@x"\n[name]\nar = "أ"\nen = "a"\n', encoding="utf-8")
    assert read_channels(tmp_path) == Channels(Name("أ", "a"), "@x")
    (tmp_path / "public.toml").write_text("demonstration = true\n", encoding="utf-8")
    assert read_channels(tmp_path) == Channels(demonstration=True)
    (tmp_path / "public.toml").write_text("site = 'https://vault.example.org:8443'\n", encoding="utf-8")
    assert read_channels(tmp_path).site == "https://vault.example.org:8443"
    names = [f'[name]\nar = "جمعية{end}البر"\nen = "A"' for end in ("\\n", "\\r", "\\u0000", "\\u0085", "\\u2028", "\\u2029")]
    wrongs = ("social = 1", "other = 'x'", "= =", "demonstration = 'yes'", "site = 'http://x.org'", "site = 'https://x.org/'")
    for wrong in (*wrongs, *names, '[name]\nar = "أ"\nen = "Charity\\nBcc: somebody@example.org"'):
        (tmp_path / "public.toml").write_text(wrong, encoding="utf-8")
        with pytest.raises(ChannelsRefused):
            read_channels(tmp_path)


@pytest.mark.parametrize("package", ["vault.web", "vault.breach_reports"])
def test_every_text_of_a_page_is_there_in_both_languages(package: str):
    for name, words in read_words(package).items():
        assert words.ar.strip(), name
        assert words.en.strip(), name
        assert name == "other_language" or not re.search(r"[A-Za-z]", re.sub(r"\{[a-z]+\}|\n", "", words.ar)), name
        assert name == "other_language" or not re.search(r"[\u0600-\u06ff]", words.en), name


class _Sealed(dict[str, Association]):
    """The associations of a process that has no key of this one."""

    def __getitem__(self, code: str) -> Association:
        if code != "probe":
            raise KeyError(code)
        raise Unavailable("sealed")

    def get(self, code: str, default: Any = None) -> Any:
        """As a mapping's own, which asks by item."""
        try:
            return self[code]
        except KeyError:
            return default


@aio
async def test_a_sealed_vault_names_the_other_channels_and_keeps_what_was_typed(vault: World):
    async with desk_of(vault, Channels(Name("جمعية مثال", "Example"), "@example", "privacy@example.org"), sealed=_Sealed()) as desk:
        kept = FORM | {"contact": "0551234567", "exclude": "مدير الفرع"}
        pages = [
            await desk.http.post("/probe/report?lang=ar", data=kept),
            await desk.http.post("/probe/report?lang=ar", files={name: (None, value) for name, value in kept.items()}),
            await desk.http.post("/probe/report/status?lang=ar", data={"receipt": "00000", "text": NARRATIVE}),
            await desk.http.post("/probe/report/status/file?lang=ar", data={"receipt": "00000", "file": "x"}),
            await desk.http.get("/probe/report?lang=ar"),
            await desk.http.get("/probe/report/status?lang=ar"),
        ]
        for page in pages:
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
            for told in ("خزنة البيانات مغلقة", "@example", "privacy@example.org", "سدايا", "جمعية مثال"):
                assert told in page.text
        assert all(f"{NARRATIVE}</textarea>" in page.text for page in pages[:3])
        assert all('name="contact" value="0551234567"' in page.text and 'value="مدير الفرع"' in page.text for page in pages[:2])
        for path, body in (("", {"category": "other", "narrative": NARRATIVE, "language": "ar"}), ("/status", {"receipt": "x"})):
            answer = await desk.public(path, body)
            assert (answer.status_code, answer.json()["code"]) == (503, "intake-sealed")
            assert "بريد موثقة" in answer.json()["say"]
        assert (await desk.http.get("/elsewhere/report")).status_code == 404
