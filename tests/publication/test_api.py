"""The room over HTTP: publishing signed in, and what the public reads as JSON, as bytes and as a page."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.publication.damaged import DAMAGED, RLO
from tests.publication.policies import POLICIES, policy
from tests.publication.test_document import bare
from tests.simulator import World
from vault.publication import page
from vault.publication.api import READERS, routes
from vault.publication.summary import processing
from vault.rulebook.channels import Channels, Name
from vault.rulebook.refusals import BURST
from vault.web.answer import Answer

pytestmark = pytest.mark.asyncio(loop_scope="function")

NOTICE = "/v1/public/probe/notice"
PAGE = "/probe/privacy"


class Room:
    """A vault behind the front, and its administrator."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http
        self.tokens: dict[str, str] = {}

    async def post(self, who: str = "admin", **headers: str) -> dict[str, str]:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return {"Authorization": f"Bearer {self.tokens[who]}", **headers}

    async def publish(self, text: str = DAMAGED, *, who: str = "admin", key: str = "", **changes: Any) -> httpx.Response:
        headers = await self.post(who, **({"Idempotency-Key": key} if key else {}))
        body = {"text": text, "approved_by": "مجلس الإدارة", "approved_on": "1445-01-09", **changes}
        if "code" not in body:
            body["code"] = self.world.one_time_code(who)
        return await self.http.post("/v1/policies", json=body, headers=headers)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)


@pytest_asyncio.fixture
async def room(vault: World) -> AsyncIterator[Room]:
    async with _front(vault) as http:
        yield Room(vault, http)


@pytest_asyncio.fixture
async def small_room(small: World) -> AsyncIterator[Room]:
    async with _front(small) as http:
        yield Room(small, http)


def _front(world: World, told: Channels | None = None) -> httpx.AsyncClient:
    return world.front(*routes(world.associations, world.identity.factor, {} if told is None else {world.code: told}))


class Shown(HTMLParser):
    """What a page's document says, its framed numbers turned back into their characters, and every element and attribute of the page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words, self.elements, self.attributes = "", set[str](), set[str]()
        self._inside, self._number = False, False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._inside = self._inside or tag == "article"
        self._number = ("class", "number") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "article"
        self._number = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.words += chr(int(data.removeprefix("U+"), 16)) if self._number else data


async def test_what_is_published_is_told_with_its_hash_and_what_to_look_at(room: Room):
    answer = await room.publish()
    sha256 = hashlib.sha256(DAMAGED.encode()).hexdigest()
    made = answer.json()
    assert (answer.status_code, made["version"], made["sha256"], made["bytes"]) == (201, 1, sha256, len(DAMAGED.encode()))
    assert {each["code"] for each in made["remarks"]} >= {"direction-controls", "presentation-forms", "lost-characters"}
    told = (await room.get(NOTICE)).json()
    assert told["policy"]["text"] == DAMAGED
    assert told["policy"]["newest"]
    assert told["policy"]["version"] == {
        "version": 1,
        "sha256": sha256,
        "bytes": len(DAMAGED.encode()),
        "approved_by": "مجلس الإدارة",
        "approved_on": {"written": "1445-01-09", "calendar": "hijri", "day": "2023-07-27"},
        "published_at": made["published_at"],
    }
    assert told["history"] == [told["policy"]["version"]]


async def test_before_the_first_the_public_reads_how_data_is_processed_and_that_there_is_no_document(room: Room):
    told = (await room.get(NOTICE)).json()
    assert (told["association"], told["policy"], told["history"]) == ("probe", None, [])
    assert [each["code"] for each in told["processing"]["purposes"]] == [each.code for each in processing("cooperative").purposes]
    page = await room.get(PAGE)
    assert page.status_code == 200
    assert "لم تنشر الجمعية وثيقتها بعد" in page.text
    assert (await room.get(f"{NOTICE}/document")).status_code == 404


@pytest.mark.parametrize("name", ["damaged", *POLICIES])
async def test_a_document_comes_back_byte_for_byte_and_its_words_stand_whole_on_the_page(small_room: Room, name: str):
    content = DAMAGED.encode() if name == "damaged" else policy(name)
    assert (await small_room.publish(content.decode())).status_code == 201
    told = await small_room.get(f"{NOTICE}/document")
    assert (told.content, told.headers["content-type"]) == (content, "text/plain; charset=utf-8")
    assert told.headers["content-disposition"] == 'attachment; filename="policy-probe-1.txt"'
    for language in ("ar", "en"):
        page = await small_room.get(f"{PAGE}?lang={language}")
        assert (page.status_code, page.headers["content-language"]) == (200, language)
        assert bare(Shown(page.text).words) == bare(content.decode())
        assert hashlib.sha256(content).hexdigest() in page.text


async def test_nothing_of_a_document_becomes_markup_or_turns_the_page(small_room: Room):
    await small_room.publish(approved_by="<b>مجلس</b>")
    page = await small_room.get(PAGE)
    shown = Shown(page.text)
    assert not shown.elements & {"script", "b", "img", "iframe", "form"}
    assert not {name for name in shown.attributes if name.startswith("on")}
    assert RLO not in page.text
    assert "U+202E" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "noindex" not in page.text, "what is published may be found"


async def test_an_older_version_stays_and_says_that_it_is_old(room: Room):
    await room.publish("النسخة الأولى")
    await room.publish("النسخة الثانية")
    old = (await room.get(f"{NOTICE}?version=1")).json()
    assert (old["policy"]["text"], old["policy"]["newest"]) == ("النسخة الأولى", False)
    assert [each["version"] for each in old["history"]] == [2, 1]
    assert (await room.get(f"{NOTICE}/document?version=1")).text == "النسخة الأولى"
    page = (await room.get(f"{PAGE}?version=1&lang=en")).text
    assert "This is an older version" in page
    assert 'href="?version=1&amp;lang=ar"' in page
    assert "This is an older version" not in (await room.get(f"{PAGE}?lang=en")).text
    for path in (NOTICE, f"{NOTICE}/document", PAGE):
        assert (await room.get(f"{path}?version=3")).status_code == 404


@pytest.mark.parametrize("language", ["ar", "en"])
async def test_the_page_says_all_that_the_summary_says(small_room: Room, language: str):
    page = (await small_room.get(f"{PAGE}?lang={language}")).text.replace("&#39;", "'")
    told = processing("cooperative")
    named = [*told.recipients, *told.reply, *told.channels, *told.explicit_classes, *told.complaint, *told.promises]
    purposes = (*told.purposes, *told.duties)
    texts = [each.text for each in named] + [each.title for each in purposes] + [each.title for each in told.kept]
    texts += [each.article.text for each in purposes if each.article] + [each.law.text for each in purposes]
    texts += [each.law.text for each in told.rights]
    texts += [each.period for each in told.kept] + [each.text for each in told.rights]
    assert [text for text in texts if getattr(text, language) not in page] == []
    assert f'href="/probe/report?lang={language}"' in page


@pytest.mark.parametrize("path", [NOTICE, f"{NOTICE}/document", PAGE])
async def test_an_association_there_is_none_of_is_not_found(small_room: Room, path: str):
    answer = await small_room.get(path.replace("probe", "nobody"))
    assert answer.status_code == 404
    assert "nobody" not in answer.text


@pytest.mark.parametrize(
    ("query", "status"), [("version=0", 422), ("version=x", 422), ("version=", 400), ("versoin=1", 400), ("version=1&version=1", 400)]
)
async def test_a_strange_query_is_refused(small_room: Room, query: str, status: int):
    for path in (NOTICE, f"{NOTICE}/document"):
        assert (await small_room.get(f"{path}?{query}")).status_code == status
    # The page is found by links that others added to: only a version that cannot be, or is not there, is refused.
    told = {"version=": 200, "versoin=1": 200, "version=1&version=1": 404}
    assert (await small_room.get(f"{PAGE}?{query}")).status_code == told.get(query, status)


async def test_the_page_bears_the_associations_name_and_its_code_where_nobody_wrote_one_down(small: World):
    async with _front(small) as http:
        page_ = (await http.get(f"{PAGE}?lang=ar")).text
        assert '<p class="brand"><bdi>probe</bdi></p>' in page_
        assert 'class="demo"' not in page_
    async with _front(small, Channels(Name("جمعية <مثال>", "Example"))) as http:
        for language, name in (("ar", "جمعية &lt;مثال&gt;"), ("en", "Example")):
            page_ = (await http.get(f"{PAGE}?lang={language}")).text
            assert f'<p class="brand"><bdi>{name}</bdi></p>' in page_
            assert f"| {name}</title>" in page_
            assert 'href="/probe/report' in page_, "addresses keep the code"


async def test_the_page_of_a_demonstration_says_so_in_both_languages_arabic_first(small: World):
    async with _front(small, Channels(demonstration=True)) as http:
        for language in ("ar", "en"):
            page_ = (await http.get(f"{PAGE}?lang={language}")).text
            arabic, english = (
                page_.index("هذا عرض تجريبي: كل من فيه مختلَق"),
                page_.index("This is a demonstration: everybody in it is invented"),
            )
            assert page_.index('class="demo" role="note"') < arabic < english < page_.index("<main")


async def test_many_who_ask_for_a_page_at_once_have_it_laid_out_once(small_room: Room, monkeypatch: pytest.MonkeyPatch):
    await small_room.publish()
    laid: list[str] = []
    lay_out = page.privacy

    def slowly(*wanted: Any) -> Answer:
        laid.append(wanted[3])
        time.sleep(0.3)
        return lay_out(*wanted)

    monkeypatch.setattr(page, "privacy", slowly)
    told = await asyncio.gather(*(small_room.get(f"{PAGE}?lang={language}") for language in ("ar", "en") * 4))
    assert {answer.status_code for answer in told} == {200}
    assert sorted(laid) == ["ar", "en"]
    assert (await small_room.get(f"{PAGE}?lang=en")).status_code == 200
    assert sorted(laid) == ["ar", "en", "en"]


async def test_the_frame_does_not_say_in_which_language_the_document_is(small_room: Room):
    await small_room.publish("A policy in English.")
    told = await small_room.get(f"{PAGE}?lang=en")
    assert "in Arabic" not in told.text
    assert ".document{overflow:clip}" in told.text


async def test_only_who_may_write_notices_publishes(room: Room):
    for who in ("officer", "second_officer"):
        answer = await room.publish(who=who)
        assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")
    body = {"text": "س", "approved_by": "س", "approved_on": "1445-01-09"}
    key = {"Authorization": f"Bearer {room.world.ceremony.api_key}"}
    answer = await room.http.post("/v1/policies", json=body, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")
    assert (await room.get(NOTICE)).json()["policy"] is None


async def test_a_session_alone_publishes_nothing_and_one_stepped_up_does(room: Room):
    answer = await room.publish(code=None)
    assert (answer.status_code, answer.json()["code"], answer.json()["article"]) == (403, "step-up-required", "cooperative:7")
    stepped = {"code": room.world.one_time_code("admin")}
    assert (await room.http.post("/v1/sessions/current/step-up", json=stepped, headers=await room.post())).status_code == 200
    assert (await room.publish(code=None)).status_code == 201


async def test_refusals_of_one_publisher_are_bounded(small_room: Room):
    admin = await small_room.world.person("admin")
    for _ in range(BURST):
        admin.association.refusals.refused(admin.ref)
    codes = [(await small_room.publish(code=None)).status_code for _ in range(2)]
    assert codes == [403, 429]


async def test_a_request_that_is_repeated_publishes_once(room: Room):
    await room.post()  # signs in before the code is drawn
    code = room.world.one_time_code("admin")
    first = await room.publish(key="k" * 16, code=code)
    again = await room.publish(key="k" * 16, code=code)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await room.publish("كلمات أخرى", key="k" * 16, code=code)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-mismatch")
    assert len((await room.get(NOTICE)).json()["history"]) == 1


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"text": ""}, "document-empty", "text"),
        ({"text": "x" * (1 << 20) + "x"}, "document-too-large", "text"),
        ({"approved_by": ""}, "invalid", "approved_by"),
        ({"approved_on": "yesterday"}, "invalid", "approved_on"),
        ({"approved_on": "2999-01-01"}, "invalid", "approved_on"),
    ],
)
async def test_what_does_not_hold_is_named_and_never_told_back(small_room: Room, changes: dict[str, str], code: str, field: str):
    answer = await small_room.publish(**changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert "yesterday" not in answer.text


@pytest.mark.parametrize(
    ("approved_on", "ar", "en"),
    [
        ("1445-01-09", "9 محرم 1445هـ، الموافق 27 يوليو 2023", "9 Muharram 1445 AH, which is 27 July 2023"),
        ("2021-01-01", "1 يناير 2021", "1 January 2021"),
    ],
)
async def test_the_page_says_who_approved_it_and_when_in_the_calendar_it_was_written_in(
    small_room: Room, approved_on: str, ar: str, en: str
):
    await small_room.publish(approved_on=approved_on)
    assert f"<dd>{ar}</dd>" in (await small_room.get(f"{PAGE}?lang=ar")).text
    english = (await small_room.get(f"{PAGE}?lang=en")).text
    assert f"<dd>{en}</dd>" in english
    assert "<dd><bdi>مجلس الإدارة</bdi></dd>" in english


async def test_staff_acknowledge_another_policy_before_they_go_on(room: Room):
    asked = (await room.http.get("/v1/acknowledgements", headers=await room.post("officer"))).json()
    await room.publish()
    after = (await room.http.get("/v1/acknowledgements", headers=await room.post("officer"))).json()
    assert after["policy_sha256"] != asked["policy_sha256"]
    old = {"policy_sha256": asked["policy_sha256"]}
    refused = await room.http.post("/v1/acknowledgements", json=old, headers=await room.post("officer"))
    assert (refused.status_code, refused.json()["code"]) == (422, "notice-hash-mismatch")
    given = {"policy_sha256": after["policy_sha256"]}
    assert (await room.http.post("/v1/acknowledgements", json=given, headers=await room.post("officer"))).status_code == 201
    assert (await room.http.get("/v1/acknowledgements", headers=await room.post("officer"))).json()["acknowledged"]


async def test_readers_of_one_network_are_bounded(small_room: Room):
    codes = [(await small_room.get(f"{NOTICE}/document")).status_code for _ in range(READERS.burst + 1)]
    assert (codes[0], codes[-1]) == (404, 429)
