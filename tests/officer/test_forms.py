"""The officer's list of forms to sign by hand: what is in force and taken on paper, for whom, and each to print in both languages."""

import re
from html import unescape

import pytest
from msgspec.structs import replace

from tests.household import asked, grant, lay_down, store, written
from tests.officer.browser import Window, text_of, uuid_of
from vault.consent.forms_code import code_of
from vault.officer.forms import PATH, PRINTED
from vault.rulebook.shapes import NOTICE, RECIPIENT, RECORD_TYPE, RecipientFact

pytestmark = pytest.mark.asyncio(loop_scope="function")


def addresses(text: str) -> list[str]:
    return [unescape(found) for found in re.findall(rf'href="({PRINTED}\?[^"]*notice[^"]*)"', text)]


async def test_every_form_in_force_is_listed_with_its_recipient_and_prints_in_both_languages(window: Window):
    party = RecipientFact(code="partner", name={"ar": "جهة شريكة", "en": "A partner"}, kind="partner", country="SA")
    await lay_down(window.world, RECIPIENT, "partner", party)
    await lay_down(window.world, RECIPIENT, "gone", replace(party, code="gone", name={"ar": "أخرى", "en": "Gone"}, revoked_at=1))
    await lay_down(window.world, RECIPIENT, "court", replace(party, code="court", name={"ar": "المحكمة", "en": "Court"}, kind="authority"))
    await window.sign_in("officer")
    consents = await window.get("/officer/consents")
    assert f'href="{PATH}?lang=en"' in consents.text
    page = await window.get(PATH)
    words = text_of(page)
    assert "Service delivery inside the association 1" in words
    assert "Sharing with a partner A partner 1" in words
    assert "Publication publication to everybody 1" in words
    assert not {"Gone", "Court"} & set(words.split())
    assert "Offers by text message" not in words, "paper is not enough for it"
    links = addresses(page.text)
    assert len(links) >= 6
    assert {re.findall(r"lang=(ar|en)$", one)[0] for one in links} == {"ar", "en"}
    before = len(window.world.entries())
    for link in links:
        path, _, query = link.partition("?")
        window.language = query[-2:]
        printed = await window.get(path, **dict(each.split("=") for each in query.split("&")[:-1]))
        assert printed.status_code == 200, link
        assert f'lang="{query[-2:]}"' in printed.text
        other = "ar" if query.endswith("en") else "en"
        assert any(one.endswith(f"lang={other}") for one in addresses(printed.text)), "the switch of languages leads to the same form"
    assert len(window.world.entries()) == before


async def test_the_list_is_bounded_to_one_type_of_record_and_says_where_there_is_none(small_window: Window):
    world = small_window.world
    book = await world.association.refresh()
    own = replace(book.types["beneficiary"], name="own", fields=(replace(book.types["beneficiary"].fields[0], name="stamp"),))
    await lay_down(world, RECORD_TYPE, "own", own)
    await small_window.sign_in("officer")
    chosen = await small_window.get(PATH, type="beneficiary")
    assert '<option value="beneficiary" selected>Beneficiary</option>' in chosen.text
    assert all("type=beneficiary" in one for one in addresses(chosen.text))
    assert addresses(chosen.text)
    none = await small_window.get(PATH, type="own")
    assert '<option value="own" selected>own</option>' in none.text
    assert "There is no form for this" in text_of(none)
    every = await small_window.get(PATH, type="none-such")
    assert '<option value="none-such"' not in every.text
    assert addresses(every.text)


async def test_a_notice_that_covers_one_recipient_has_one_form_and_a_form_there_is_none_of_is_told_on_a_page(small_window: Window):
    world = small_window.world
    for code in ("one", "two"):
        await lay_down(world, RECIPIENT, code, RecipientFact(code=code, name={"ar": code, "en": code}, kind="partner", country="SA"))
    current = (await world.association.refresh()).current_notice("partner_sharing")
    assert current is not None
    await lay_down(world, NOTICE, f"{current.id}:{current.version}", replace(current, recipients=("one",)))
    await small_window.sign_in("officer")
    links = [one for one in addresses((await small_window.get(PATH)).text) if "partner_sharing" in one]
    assert ["recipient=one" in one for one in links] == [True, True]
    missing = await small_window.get(PRINTED, notice="00000000-0000-4000-8000-000000000000", version="1", purpose="service_delivery")
    assert missing.status_code == 404
    assert "<h1>" in missing.text


async def test_who_verifies_a_consent_signed_on_our_form_is_told_the_code_on_it(small_window: Window):
    world = small_window.world
    kept = await store(world)
    notice = (await world.association.refresh()).current_notice("service_delivery")
    assert notice is not None
    code = code_of(notice, "ar").text
    taken = written(world.ceremony.staff["officer"].username, world.clock.now)
    await grant(world, kept.record, await asked(world, form="written", evidence=taken | {"template": code}))
    await small_window.sign_in("second_officer")
    assert f"Code of the form {code}" in text_of(await small_window.get("/officer/consents", person=uuid_of(kept.record)))
