"""The frame of every page: links by what an officer is at, none that would be refused, and where she is marked once."""

import re

import pytest

from tests.officer.browser import Window

pytestmark = pytest.mark.asyncio(loop_scope="function")
LINK = re.compile(r'<li><a href="([^?"]+)\?lang=en"( aria-current="(?:page|true)")?>([^<]+)</a></li>')


def links(text: str) -> list[tuple[str, bool, str]]:
    """The links of the frame: where to, whether she is there, and what they are called."""
    (frame,) = re.findall(r'<nav class="places".*?</nav>', text, re.DOTALL)
    return [(path, bool(here), word) for path, here, word in LINK.findall(frame)]


async def test_whatever_the_home_page_leads_to_opens_and_the_frame_marks_it_with_its_neighbours(small_window: Window):
    home = await small_window.sign_in()
    paths = list(dict.fromkeys(re.findall(r'<(?:li|h2)><a href="(/officer/[^?"]+)\?lang=en"', home.text)))
    assert len(paths) > 12
    for path in paths:
        page = await small_window.get(path)
        marked = [word for to, here, word in links(page.text) if here]
        assert (page.status_code, len(marked)) in {(200, 1), (200, 2)}, path
        assert [to for to, here, _ in links(page.text) if here][-1] == path


async def test_at_home_only_kinds_of_work_are_offered(small_window: Window):
    home = await small_window.sign_in()
    words = [word for _, _, word in links(home.text)]
    assert words == ["Home", "The log", "Waiting for approval", "Reports and incidents", "Data subjects", "My account"]


async def test_one_page_alone_is_called_what_it_is(small_window: Window):
    home = await small_window.sign_in("admin")
    words = [word for _, _, word in links(home.text)]
    assert "Reports and incidents" not in words
    assert len(words) == len(set(words)) > 1
