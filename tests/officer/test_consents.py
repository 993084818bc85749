"""Written consents on the page: shown while they wait, verified by another person with the paper and a fresh code."""

import pytest

from tests.consent.test_service import ward
from tests.household import asked, grant, store, written
from tests.officer.browser import Window, text_of, uuid_of

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH = "/officer/consents"


async def signed(window: Window) -> tuple[str, str]:
    """Somebody whose written consent waits, taken down by the officer; her record and the consent."""
    world = window.world
    kept = await store(world)
    officer = world.ceremony.staff["officer"].username
    paper = await asked(world, form="written", evidence=written(officer, world.clock.now))
    given = await grant(world, kept.record, paper, await world.person("officer"))
    return uuid_of(kept.record), uuid_of(given.id)


async def settled(window: Window, who: str, **fields: str) -> tuple[int, str]:
    """What came of a form of the page: status, and where it leads."""
    answer = await window.send(PATH, code=window.world.one_time_code(who), **fields)
    return answer.status_code, answer.headers.get("location", "")


async def test_a_second_person_verifies_what_waits(window: Window):
    person, consent = await signed(window)
    await window.sign_in("second_officer")
    page = await window.get(PATH, person=person)
    assert consent in page.text
    said = text_of(page)
    assert "National ID or Iqama number" in said
    assert "Signed by the person Explicit no Signed on 2026-01-01 03:00 (Riyadh time) Recorded on 2026-01-01 03:00" in said
    status, leads = await settled(window, "second_officer", person=person, id=consent, act="verify")
    assert (status, leads) == (303, f"{PATH}?person={person}&done=verified&lang=en")
    assert window.world.entries()[-1].kind == "consent.verified"
    page = await window.get(PATH, person=person, done="verified")
    assert "The consent is verified" in text_of(page)
    assert "No written consent" in text_of(page)


async def test_without_a_person_the_page_lists_the_papers_that_wait_of_whomever(window: Window):
    papers = [await signed(window) for _ in range(2)]
    await grant(window.world, (await store(window.world)).record)
    await window.sign_in("second_officer")
    page = await window.get(PATH)
    assert all(person in page.text and consent in page.text for person, consent in papers)
    told = window.world.entries()[-1]
    assert (told.kind, told.count, {uuid_of(about.record or b"") for about in told.about}) == (
        "consent.read",
        2,
        {one for one, _ in papers},
    )
    status, leads = await settled(window, "second_officer", person="", id=papers[0][1], act="verify")
    assert (status, leads) == (303, f"{PATH}?done=verified&lang=en")
    page = await window.get(PATH)
    assert papers[0][1] not in page.text
    assert papers[1][1] in page.text


async def test_every_paper_of_a_person_is_found_however_many_consents_she_gave(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.officer.consents.MOST", 1)
    person, consent = await signed(small_window)
    world, officer = small_window.world, small_window.world.ceremony.staff["officer"].username
    later = await asked(
        world,
        purpose="publication",
        fields=frozenset({"full_name"}),
        form="written",
        explicit=True,
        expires_at=world.clock.now + 86_400_000_000,
        evidence=written(officer, world.clock.now),
    )
    second = await grant(world, bytes.fromhex(person.replace("-", "")), later, await world.person("officer"))
    await small_window.sign_in("second_officer")
    page = await small_window.get(PATH, person=person)
    assert consent in page.text
    assert uuid_of(second.id) in page.text
    assert "Explicit yes" in text_of(page)
    assert "Ends on 2026-01-02 03:00" in text_of(page)


@pytest.mark.parametrize("bound", ["vault.consent.awaiting.MOST_PEOPLE", "vault.consent.awaiting.MOST_LOOKED_AT"])
async def test_where_older_papers_were_not_looked_at_the_page_does_not_say_that_none_waits(
    small_window: Window, monkeypatch: pytest.MonkeyPatch, bound: str
):
    person, consent = await signed(small_window)
    await grant(small_window.world, (await store(small_window.world)).record)
    await small_window.sign_in("second_officer")
    page = await small_window.get(PATH)
    assert (consent in page.text, "Only the newest consents" in page.text) == (True, False)
    monkeypatch.setattr(bound, 1)
    page = await small_window.get(PATH)
    assert consent not in page.text
    assert "Only the newest consents" in text_of(page)
    assert "No written consent" not in text_of(page)
    assert consent in (await small_window.get(PATH, person=person)).text


async def test_beyond_a_page_of_papers_the_page_says_that_there_may_be_more(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.officer.consents.PAGE", 1)
    await signed(small_window)
    await small_window.sign_in("second_officer")
    assert "Only the newest consents" in text_of(await small_window.get(PATH))


async def test_what_a_guardian_signed_says_so(small_window: Window):
    world, officer = small_window.world, small_window.world.ceremony.staff["officer"].username
    kept, guardian = await ward(world)
    paper = await asked(world, form="written", given_by=guardian, evidence=written(officer, world.clock.now))
    await grant(world, kept.record, paper, await world.person("officer"))
    await small_window.sign_in("second_officer")
    page = await small_window.get(PATH)
    assert f"whoever acts for the person by law: {uuid_of(bytes.fromhex(guardian))}" in text_of(page)


async def test_what_is_rejected_waits_no_longer(window: Window):
    person, consent = await signed(window)
    await window.sign_in("second_officer")
    await window.get(PATH, person=person)
    status, _ = await settled(window, "second_officer", person=person, id=consent, act="reject")
    assert status == 303
    assert window.world.entries()[-1].kind == "consent.rejected"
    assert "No written consent" in text_of(await window.get(PATH, person=person))
    status, _ = await settled(window, "second_officer", person=person, id=consent, act="verify")
    assert status == 409


async def test_who_took_it_down_and_who_has_no_code_verify_nothing(small_window: Window):
    person, consent = await signed(small_window)
    await small_window.sign_in("officer")
    await small_window.get(PATH, person=person)
    assert await settled(small_window, "officer", person=person, id=consent, act="verify") == (403, "")
    assert small_window.world.entries()[-2].reason == "SAME_PERSON"
    await small_window.sign_in("second_officer")
    await small_window.get(PATH, person=person)
    wrong = await small_window.send(PATH, person=person, id=consent, act="verify", code="000000")
    assert wrong.status_code == 403
    assert consent in wrong.text
    assert "consent.verified" not in [each.kind for each in small_window.world.entries() if each.outcome == "allow"]


async def test_nobody_and_no_form_of_ours_are_told_so(small_window: Window):
    await small_window.sign_in("second_officer")
    assert (await small_window.get(PATH)).status_code == 200
    nobody = "00000000-0000-4000-8000-000000000000"
    for person in ("x", nobody):
        page = await small_window.get(PATH, person=person)
        assert page.status_code == 404
        assert 'aria-invalid="true"' in page.text
    assert (await settled(small_window, "second_officer", person=nobody, id=nobody, act="verify"))[0] == 404
    assert (await settled(small_window, "second_officer", person=nobody, id=nobody, act="more"))[0] == 400
