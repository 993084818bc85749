"""The checkpoint on paper: the whole signed note stands on it, in letters and in the code."""

from typing import Any

import pytest
import segno
from markupsafe import escape

from tests.simulator import World
from vault.access.audit_api import ROUTES
from vault.access.checkpoint_page import checkpoint_page_routes
from vault.access_log.checkpoint import opened
from vault.rulebook.channels import Channels, Name

pytestmark = pytest.mark.asyncio(loop_scope="function")
LOG = "/v1/access-log/checkpoint"
NAMES = {"probe": Channels(name=Name("جمعية للتجربة", "A probe association"))}


async def fetch(world: World, path: str, token: str) -> Any:
    async with world.front(*checkpoint_page_routes(NAMES), *ROUTES) as http:
        return await http.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    ("language", "words"),
    [("ar", ("نقطة تحقق من سجل الاطلاع", "جمعية للتجربة")), ("en", ("Checkpoint of the access log", "A probe association"))],
)
async def test_the_page_holds_the_note_that_verifies(small: World, language: str, words: tuple[str, str]):
    officer = await small.session("officer")
    note = (await fetch(small, LOG, officer)).text
    page = await fetch(small, f"{LOG}/page?lang={language}", officer)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert all(each in page.text for each in (*words, f'lang="{language}"'))
    assert f">{opened(note, small.association.cabinet.signer.vkey, small.code).size}<" in page.text
    assert all(str(escape(line)) in page.text for line in note.splitlines())
    assert segno.make(note, error="m", encoding="utf-8").svg_inline(scale=4, border=2) in page.text


async def test_it_is_for_who_may_verify_the_log(small: World):
    assert (await fetch(small, f"{LOG}/page", small.ceremony.api_key)).status_code == 403
    assert (await fetch(small, f"{LOG}/page?lang=fr", await small.session("officer"))).status_code == 422
