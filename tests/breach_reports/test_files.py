# ruff: noqa: S608  # tampering is SQL put together, with our own names
"""Files with reports, messages and replies: judged by their bytes, sealed under the case's key, opened by an entry each, inert outside."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from tests.breach_reports.desk import NARRATIVE, PUBLIC, Desk
from tests.breach_reports.test_page import FORM, receipt_in
from tests.journeys.traces import left_in_files
from vault.access_log.deed import Deed
from vault.access_log.verify import snapshot
from vault.breach_reports import case, door, file_tables, files, limits, service, telling
from vault.breach_reports.files import MEBIBYTE, MOST_FILE
from vault.breach_reports.page import PAGES
from vault.errors import NotFound, Unavailable
from vault.rulebook.asker import Errand

aio = pytest.mark.asyncio(loop_scope="function")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 800
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 70_000
PDF = b"%PDF-1.7\n" + b"canary-of-a-pdf " * 9000
WORDS = "سجل المكالمات كما رأيته\n" * 40
ALL = [("a.jpg", JPEG), ("b.png", PNG), ("c.pdf", PDF), ("d.txt", WORDS.encode()), ("../../x.pdf", b"\xff\xd8\xff" + b"y" * 100)]


def brought(*chosen: tuple[str, bytes], **fields: str) -> dict[str, Any]:
    """A form as a browser sends it, texts first."""
    texts = [(name, (None, value)) for name, value in fields.items()]
    return {"files": [*texts, *(("file", (name, content, "application/x-whatever")) for name, content in chosen)]}


async def sent(desk: Desk, *chosen: tuple[str, bytes], language: str = "en", **changes: str) -> httpx.Response:
    return await desk.http.post(f"/probe/report?lang={language}", **brought(*chosen, **{**FORM, **changes}))


async def only(desk: Desk) -> dict[str, Any]:
    """The one report there is, as an officer reads it."""
    [item] = (await desk.as_("officer", "GET", "")).json()["items"]
    return await desk.read(item["id"])


async def fetched(desk: Desk, report: str, file: str, who: str = "officer") -> httpx.Response:
    return await desk.as_(who, "GET", f"/{report}/files/{file}")


def rows(desk: Desk) -> tuple[int, int]:
    """Chunks and files on their way in the database."""
    with snapshot(desk.world.database, desk.world.association.id) as connection:
        return tuple(  # type: ignore[return-value]  # two of them
            int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in (file_tables.chunk, file_tables.upload)
        )


@aio
async def test_five_files_come_with_a_report_and_an_officer_opens_each_by_an_entry(desk: Desk):
    page = await sent(desk, *ALL)
    assert page.status_code == 201, page.text[-2000:]
    assert receipt_in(page)
    told = await only(desk)
    kinds = ["image/jpeg", "image/png", "application/pdf", "text/plain", "image/jpeg"]
    assert [(each["name"], each["type"], each["size"]) for each in told["files"]] == [
        (name.split("/")[-1], kind, len(content)) for (name, content), kind in zip(ALL, kinds, strict=True)
    ]
    for each, (_, content) in zip(told["files"], ALL, strict=True):
        answer = await fetched(desk, told["id"], each["id"])
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"] == each["type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["content-disposition"].startswith('attachment; filename="file.')
        assert answer.headers["cache-control"] == "no-store"
        entry = desk.world.entries()[-1]
        assert (entry.kind, entry.outcome, entry.fields, entry.basis) == ("breach_report.file-read", "allow", ("file",), "law")
        assert entry.evidence == each["id"].replace("-", "")
        assert entry.about[0].record == uuid.UUID(told["id"]).bytes
    assert rows(desk) == (4 + 2 + 3 + 1 + 1, 0)
    assert desk.findings() == []


@aio
async def test_no_file_chosen_is_a_report_without_files(desk: Desk):
    page = await sent(desk, ("", b""))
    assert page.status_code == 201
    assert (await only(desk))["files"] == []
    assert (await sent(desk, ("", b"plain words"))).status_code == 201, "and one without a name is a file all the same"
    assert rows(desk) == (1, 0)


HTML = b"<html><script>alert(1)</script>"
REFUSED = {
    "an archive": ([("a.zip", b"PK\x03\x04" + b"x" * 100)], "wrong_file_type"),
    "a program called a picture": ([("a.jpg", b"MZ\x90\x00" + b"\x00" * 100)], "wrong_file_type"),
    "nothing under a name": ([("a.txt", b"")], "wrong_file_type"),
    "half a character": ([("a.txt", "ا".encode()[:1])], "wrong_file_type"),
    "text with a NUL at its very end": ([("a.txt", b"a" * 100_000 + b"\x00")], "wrong_file_type"),
    "text in no UTF-8": ([("a.txt", "سجل".encode("cp1256") * 20)], "wrong_file_type"),
    "a TIFF": ([("a.tif", b"II*\x00" + b"x" * 100)], "wrong_file_type"),
    "one of several": ([("a.jpg", JPEG), ("b.exe", b"\x7fELF" + b"\x00" * 100), ("c.pdf", PDF)], "wrong_file_type"),
    "six": ([("a.txt", b"words")] * 6, "wrong_files_many"),
    "one too large": ([("a.pdf", b"%PDF-" + b"x" * MOST_FILE)], "wrong_file_large"),
    "all together too large": ([("a.pdf", b"%PDF-" + b"x" * (MOST_FILE - 9))] * 3, "wrong_file_large"),
    "a body without an end": ([("a.pdf", b"%PDF-" + b"x" * (MOST_FILE - 9))] * 4, "wrong_file_large"),
}


@aio
@pytest.mark.parametrize("name", REFUSED)
async def test_a_file_that_is_not_taken_is_told_beside_the_field_and_nothing_typed_is_lost(desk: Desk, name: str):
    chosen, sentence = REFUSED[name]
    for language in ("ar", "en"):
        page = await sent(desk, *chosen, language=language, contact="0551234567")
        assert page.status_code == 422
        assert page.text.count(str(getattr(PAGES.words(language), sentence))) == 2, "in the summary and at the field"
        assert f"{NARRATIVE}</textarea>" in page.text
        assert 'value="0551234567"' in page.text
    assert rows(desk) == (0, 0), "nothing of it lies anywhere"
    assert [entry for entry in desk.world.entries() if entry.kind == "breach_report.received"] == []
    assert (await sent(desk)).status_code == 201


@aio
async def test_what_is_a_page_or_a_script_leaves_as_text_that_nothing_runs(desk: Desk):
    assert (await sent(desk, ("a.html", HTML), ("b.svg", b"<svg onload='x()'/>"))).status_code == 201
    told = await only(desk)
    for each in told["files"]:
        answer = await fetched(desk, told["id"], each["id"])
        assert answer.headers["content-type"] == "text/plain"
        assert answer.headers["content-disposition"] == 'attachment; filename="file.txt"'


@aio
async def test_a_text_too_short_with_a_file_stores_neither(desk: Desk):
    page = await sent(desk, ("a.jpg", JPEG), narrative="قصير")
    assert page.status_code == 422
    assert rows(desk) == (0, 0)
    long = await sent(desk, ("a.jpg", JPEG), narrative="ا" * 120_000)
    assert long.status_code == 422
    assert "ا" * 90_000 in long.text, "as far as texts may go"
    assert "its end did not arrive" in long.text
    assert rows(desk) == (0, 0)


@aio
async def test_reporter_and_officer_send_each_other_files_and_nobody_else_opens_them(desk: Desk):
    told = await desk.report()
    receipt = told["receipt"]
    arabic = receipt.lower().replace("-", " ").translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    added = await desk.http.post(f"{PUBLIC}/messages/files", **brought(("p.png", PNG), receipt=arabic, text="انظروا"))
    assert added.status_code == 201, added.text
    [message] = added.json()["messages"]
    assert (message["text"], [each["type"] for each in message["files"]]) == ("انظروا", ["image/png"])
    assert "name" not in message["files"][0]
    wordless = await desk.http.post(f"{PUBLIC}/messages/files", **brought(("q.txt", b"words"), receipt=receipt))
    assert [each["text"] for each in wordless.json()["messages"]] == ["انظروا", ""]
    id_ = await desk.id_of(told["reference"])
    read = await desk.read(id_)
    assert [[each["name"] for each in one["files"]] for one in read["messages"]] == [["p.png"], ["q.txt"]]
    assert (await fetched(desk, id_, read["messages"][0]["files"][0]["id"])).content == PNG
    headers = {"Authorization": f"Bearer {desk.tokens['officer']}"}
    replied = await desk.http.post(
        f"/v1/breach-reports/{id_}/reply/files", headers=headers, **brought(("النتيجة.pdf", PDF), text="انتهينا")
    )
    assert (replied.status_code, replied.json()["state"]) == (200, "received")
    seen = (await desk.public("/status", {"receipt": receipt})).json()["messages"][-1]
    assert (seen["from"], seen["text"], len(seen["files"])) == ("association", "انتهينا", 1)
    theirs = seen["files"][0]["id"]
    given = await desk.public("/file", {"receipt": receipt, "file": theirs})
    assert (given.status_code, given.content, given.headers["content-type"]) == (200, PDF, "application/pdf")
    assert (desk.world.entries()[-1].kind, desk.world.entries()[-1].actor) == ("breach_report.file-read", "reporter")
    on_page = await desk.http.post("/probe/report/status?lang=en", data={"receipt": receipt})
    assert f'name="file" value="{theirs}"' in on_page.text
    form = {"receipt": receipt, "file": theirs}
    assert (await desk.http.post("/probe/report/status/file?lang=en", data=form)).content == PDF
    other = (await desk.report())["receipt"]
    own = read["messages"][0]["files"][0]["id"]
    answers = set()
    for wrong in ({"receipt": other, "file": theirs}, {"receipt": receipt, "file": own}, {"receipt": "x", "file": theirs}):
        answer = await desk.public("/file", wrong)
        answers.add((answer.status_code, answer.json()["code"], answer.json()["title"]))
        assert (await desk.http.post("/probe/report/status/file?lang=en", data=wrong)).status_code == 404
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert desk.findings() == []


@aio
async def test_the_page_takes_files_with_a_message_and_keeps_the_words_where_one_is_not_taken(desk: Desk):
    receipt = (await desk.report())["receipt"]
    path = "/probe/report/status?lang=en"
    page = await desk.http.post(path, **brought(("a.jpg", JPEG), receipt=receipt, text="here it is"))
    assert page.status_code == 200
    assert "JPG, 201 KiB" in page.text
    page = await desk.http.post(path, **brought(("a.zip", b"PK\x03\x04xxxx"), receipt=receipt, text="and another"))
    assert page.status_code == 422
    assert page.text.count(str(PAGES.words("en").wrong_file_type)) == 2
    assert "and another</textarea>" in page.text
    nobody = await desk.http.post(path, **brought(("a.jpg", JPEG), receipt="nothing", text="kept words"))
    assert nobody.status_code == 404
    assert "kept words</textarea>" in nobody.text
    empty = await desk.http.post(path, **brought(("", b""), receipt=receipt, text=""))
    assert empty.status_code == 422
    assert len((await desk.public("/status", {"receipt": receipt})).json()["messages"]) == 1
    assert rows(desk) == (4, 0)


@aio
async def test_files_before_the_receipt_are_nobodys_and_what_programs_send_wrong_is_said(desk: Desk):
    receipt = (await desk.report())["receipt"]

    async def code(*chosen: tuple[str, bytes], first: bool = False, **fields: str) -> tuple[int, str]:
        form = brought(*chosen, **fields)
        if first:
            form["files"].reverse()
        answer = await desk.http.post(f"{PUBLIC}/messages/files", **form)
        return answer.status_code, answer.json()["code"]

    assert await code(("a.jpg", JPEG), receipt=receipt, first=True) == (404, "not-found")
    assert await code(("a.zip", b"PK\x03\x04xxxx"), receipt=receipt) == (422, "invalid")
    assert await code(("a.pdf", b"%PDF-" + b"x" * MOST_FILE), receipt=receipt) == (413, "too-large")
    assert await code(*[("a.pdf", b"%PDF-" + b"x" * (MOST_FILE - 9))] * 3, receipt=receipt) == (413, "too-large")
    assert await code(*[("a.txt", b"x")] * 6, receipt=receipt) == (400, "unknown-form-field")
    assert await code(("a.txt", b"x"), receipt=receipt, other="x") == (400, "unknown-form-field")
    assert await code(receipt=receipt) == (422, "invalid"), "no words and no file"
    assert rows(desk) == (0, 0)


@aio
async def test_files_turned_away_for_the_disks_sake_leave_words_their_room(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.free[0] = limits.LEAST_FREE_FOR_FILES - 1
    page = await sent(desk, ("a.jpg", JPEG))
    assert page.status_code == 422
    assert page.text.count(str(PAGES.words("en").wrong_files_room)) == 2
    assert (await sent(desk)).status_code == 201
    desk.free[0] = 10**12
    monkeypatch.setattr(limits, "CARRYING", ("report-files-network", 2, 0))
    codes = [(await sent(desk, ("a.jpg", JPEG))).status_code for _ in range(3)]
    assert codes == [201, 201, 422], "a network's share"


@aio
async def test_a_case_takes_so_many_files_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(case, "MOST_OF_CASE", 2)
    receipt = (await desk.report())["receipt"]
    statuses = []
    for _ in range(3):
        answer = await desk.http.post(f"{PUBLIC}/messages/files", **brought(("a.txt", b"words"), receipt=receipt))
        statuses.append(answer.status_code)
    assert statuses == [201, 201, 429]
    assert rows(desk) == (2, 0)


@aio
async def test_an_upload_that_ends_early_leaves_nothing_and_what_a_crash_left_goes_after_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    whole = httpx.Request("POST", "http://x", **brought(("a.pdf", b"%PDF-" + b"x" * 2 * MEBIBYTE), **FORM))
    content, headers = whole.read(), {"Content-Type": whole.headers["content-type"]}

    async def broken() -> AsyncIterator[bytes]:
        yield content[: len(content) * 6 // 10]

    page = await desk.http.post("/probe/report", content=broken(), headers=headers)
    assert (page.status_code, rows(desk)) == (400, (0, 0))
    real = files.Bringing.drop

    async def crashed(self: files.Bringing) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(files.Bringing, "drop", crashed)
    await desk.http.post("/probe/report", content=broken(), headers=headers)
    left = rows(desk)
    assert left[0] > 0
    assert left[1] == 1
    assert desk.findings() == [], "it is on its way, for all anybody knows"
    monkeypatch.setattr(files.Bringing, "drop", real)
    desk.world.clock.forward(23 * 3600)
    assert (await sent(desk, ("a.txt", b"words"))).status_code == 201
    assert rows(desk) == (left[0] + 1, 1)
    desk.world.clock.forward(2 * 3600)
    files.clear_away(desk.world.association, desk.world.clock)
    assert rows(desk) == (1, 0)
    assert desk.findings() == []


@aio
async def test_a_row_that_says_a_kept_file_is_on_its_way_takes_nothing_away(desk: Desk):
    await sent(desk, ("a.txt", b"words"))
    told = await only(desk)
    file, report = uuid.UUID(told["files"][0]["id"]).bytes, uuid.UUID(told["id"]).bytes
    world = desk.world
    world.association.log.run_now(world.database, [lambda deed: file_tables.begin(deed, file, report)], world.clock)
    desk.world.clock.forward(25 * 3600)
    files.clear_away(world.association, world.clock)
    assert rows(desk) == (1, 0)
    desk.tokens.clear()  # a session does not last a day
    assert (await fetched(desk, told["id"], told["files"][0]["id"])).content == b"words"


CHUNK, KEY = "breach_report_chunk", "breach_report_key"
TAMPERED = {
    "a chunk altered": f"UPDATE {CHUNK} SET sealed = (SELECT sealed FROM {CHUNK} c WHERE c.number = 1) WHERE number = 0",
    "the last chunk deleted": f"DELETE FROM {CHUNK} WHERE number = 3",
    "all deleted": f"DELETE FROM {CHUNK}",
    "a chunk put in": f"INSERT INTO {CHUNK} SELECT association_id, file, 7, sealed FROM {CHUNK} WHERE number = 0",
    "another case's key": f"UPDATE {KEY} SET wrapped = (SELECT k.wrapped FROM {KEY} k WHERE k.report <> {KEY}.report)",
}


@aio
@pytest.mark.parametrize("name", TAMPERED)
async def test_what_was_done_to_a_files_rows_is_named_and_opens_nothing(desk: Desk, name: str):
    await sent(desk, ("a.jpg", JPEG))
    told = await only(desk)
    await desk.report()
    with desk.world.database.connect() as connection, connection.begin():
        connection.execute(text(TAMPERED[name]))
    answer = await fetched(desk, told["id"], told["files"][0]["id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    assert desk.world.entries()[-1].kind == "alarm"
    assert desk.findings() != []


@aio
async def test_a_chunk_of_a_file_no_report_knows_is_named(desk: Desk):
    await sent(desk, ("a.jpg", JPEG))
    with desk.world.database.connect() as connection, connection.begin():
        connection.execute(
            text(
                "INSERT INTO breach_report_chunk SELECT association_id, association_id, 0, sealed FROM breach_report_chunk WHERE number = 0"
            )
        )
    assert ["of no file a report knows" in each for each in desk.findings()] == [True]


@aio
async def test_whom_a_report_excludes_opens_no_file_of_it_and_sends_none(desk: Desk):
    await sent(desk, ("a.jpg", JPEG))
    told = await only(desk)
    officer = await desk.world.person("officer")
    await desk.as_("second_officer", "POST", f"/{told['id']}/exclusion", {"staff": str(uuid.UUID(officer.id))})
    answer = await fetched(desk, told["id"], told["files"][0]["id"])
    assert (answer.status_code, answer.json()["code"]) == (403, "excluded")
    headers = {"Authorization": f"Bearer {desk.tokens['officer']}"}
    sent_ = await desk.http.post(f"/v1/breach-reports/{told['id']}/reply/files", headers=headers, **brought(("a.txt", b"x"), text="جواب"))
    assert (sent_.status_code, sent_.json()["code"]) == (403, "excluded")
    assert rows(desk) == (4, 0)
    for file in (str(uuid.UUID(int=1)), told["id"], "x"):
        assert (await fetched(desk, told["id"], file, "second_officer")).status_code == 404


@aio
async def test_what_an_officer_sends_wrong_is_said_and_nothing_is_kept(desk: Desk):
    told = await desk.report()
    id_ = await desk.id_of(told["reference"])
    headers = {"Authorization": f"Bearer {desk.tokens['officer']}"}
    path = f"/v1/breach-reports/{id_}/reply/files"
    for chosen, words, status in (
        (("a.zip", b"PK\x03\x04xxxx"), "جواب", 422),
        (("a.txt", b"x"), " ", 422),
        (("a.pdf", b"%PDF-" + b"x" * MOST_FILE), "y", 413),
    ):
        answer = await desk.http.post(path, headers=headers, **brought(chosen, text=words))
        assert answer.status_code == status, answer.text
    assert rows(desk) == (0, 0)


@aio
async def test_no_file_opens_before_the_commit_of_its_entry_nor_twice(desk: Desk):
    await sent(desk, ("a.jpg", JPEG))
    told = await only(desk)
    errand = Errand(await desk.world.person("officer"), "r")
    report, file = uuid.UUID(told["id"]).bytes, uuid.UUID(told["files"][0]["id"]).hex

    def unit(deed: Deed) -> door.TakenFile:
        taken = service.read_file(deed, errand, report, file)
        with pytest.raises(Unavailable):
            door.give_out_file(taken)
        with pytest.raises(NotFound):
            service.read_file(deed, errand, report, "00" * 16)
        return taken

    taken = await desk.world.association.run(unit)
    assert door.give_out_file(taken) == JPEG
    with pytest.raises(Unavailable):
        door.give_out_file(taken)


@aio
async def test_neither_bytes_nor_name_of_a_file_lie_anywhere(desk: Desk):
    assert (await sent(desk, ("اسم-المدير-canary.pdf", PDF))).status_code == 201
    told = await only(desk)
    await fetched(desk, told["id"], told["files"][0]["id"])
    desk.world.database.settle()
    for place, content in left_in_files(desk.world.folder):
        for mark in (b"canary-of-a-pdf", "اسم-المدير".encode(), b"canary.pdf"):
            assert mark not in content, place


@pytest.mark.parametrize(
    ("sent_", "shown"),
    [("../../x.pdf", "x.pdf"), ("C:\\Users\\x\\a.png", "a.png"), ("a\u202egpj.exe", "agpj.exe"), ("\x00\x1bn.txt ", "n.txt"), ("..", "")],
)
def test_a_name_is_shown_without_what_it_could_do(sent_: str, shown: str):
    assert telling.harmless(sent_) == shown


@aio
async def test_files_on_their_way_hold_a_bounded_part_of_memory(desk: Desk):
    held = desk.http._transport.app.front.door.strangers  # type: ignore[attr-defined]  # the application under the client
    most = 0
    whole = httpx.Request("POST", "http://x", **brought(("a.pdf", b"%PDF-" + b"x" * (MOST_FILE - 9)), **FORM))
    content = whole.read()

    async def slowly() -> AsyncIterator[bytes]:
        nonlocal most
        for at in range(0, len(content), 65_536):
            most = max(most, held.bytes)
            yield content[at : at + 65_536]

    page = await desk.http.post("/probe/report", content=slowly(), headers={"Content-Type": whole.headers["content-type"]})
    assert page.status_code == 201
    assert 0 < most <= 448 * 1024
    assert held.bytes == 0


HEAD = b'--x\r\nContent-Disposition: form-data; name="'
HOSTILE = {
    "a thousand parts": (HEAD + b'file"; filename="a"\r\n\r\n1\r\n') * 1000 + b"--x--",
    "twenty thousand headers": HEAD + b'file"; filename="a"' + b"\r\nX: y" * 20_000 + b"\r\n\r\n1\r\n--x--",
    "a name without an end": HEAD + b'file"; filename="' + b"a" * 100_000 + b'"\r\n\r\n1\r\n--x--',
    "a field nobody knows": HEAD + b'staff"\r\n\r\n1\r\n--x--',
    "a field twice": (HEAD + b'narrative"\r\n\r\nword\r\n') * 2 + b"--x--",
    "a surrogate": HEAD + b'narrative"\r\n\r\n\xed\xa0\x80\r\n--x--',
    "a text as a file": HEAD + b'narrative"; filename="a"\r\n\r\nword\r\n--x--',
    "no end": HEAD + b'file"; filename="a"\r\n\r\nword',
    "nothing": b"--x--",
}


@aio
@pytest.mark.parametrize("name", HOSTILE)
async def test_no_multipart_breaks_the_public_door_or_leaves_anything(desk: Desk, name: str):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for path in ("/probe/report", "/probe/report/status", f"{PUBLIC}/messages/files"):
        answer = await desk.http.post(path, content=HOSTILE[name], headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
        assert "Content-Disposition" not in answer.text
    for wrong in ("multipart/form-data", "multipart/form-data; boundary=x; charset=utf-16", "multipart/mixed; boundary=x"):
        assert (await desk.http.post("/probe/report", content=HOSTILE[name], headers={"Content-Type": wrong})).status_code == 415
    packed = headers | {"Content-Encoding": "gzip"}
    assert (await desk.http.post("/probe/report", content=HOSTILE[name], headers=packed)).status_code == 415
    assert rows(desk) == (0, 0)
    assert (await sent(desk, ("a.txt", b"words"))).status_code == 201, "the next one is served"
