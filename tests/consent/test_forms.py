"""The form to sign by hand: printed for what was published and is covered, whole and without a person, and matched when it comes back."""

import html
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
import pytest_asyncio
import segno
from msgspec.structs import replace

from tests.consent.test_notices import Desk, body, version
from tests.household import lay_down, partner, written
from tests.simulator import World
from vault.consent.api import ROUTES
from vault.consent.events_api import EVENT_ROUTES
from vault.consent.forms_api import form_routes
from vault.consent.forms_code import read
from vault.consent.notices_api import notice_routes
from vault.consent.receipt_note import read as read_receipt
from vault.consent.receipts_api import receipt_routes
from vault.records.api import ROUTES as RECORDS
from vault.rulebook.channels import Channels, Name
from vault.rulebook.shapes import PURPOSE, RECIPIENT, RECORD_TYPE, RecipientFact
from vault.web.paper import HEADERS
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
OURS = Channels(
    name=Name("جمعية للتجربة", "A probe association"), site="https://vault.example.org", email="privacy@example.org", social="@probe"
)
PARTNER = {"ar": "جهة شريكة للتجربة", "en": "A probe partner"}


class Office(Desk):
    """A counter that prints forms and takes signed ones down."""

    async def form(self, notice: dict[str, Any] | None = None, who: str = "key", **query: Any) -> Any:
        notice = notice or await self.current(query.get("purpose", "service_delivery"))
        asked = {"purpose": "service_delivery", **query}
        query_text = "&".join(f"{name}={value}" for name, value in asked.items() if value is not None)
        return await self(who, "GET", f"/notices/{notice['id']}/versions/{notice['version']}/form?{query_text}")

    async def signed(self, template: str | None, language: str = "ar", **changes: Any) -> Any:
        """A consent in writing that came on such a form."""
        kept = await self(
            "key", "POST", "/records", {"type": "beneficiary", "fields": {"full_name": "سارة بنت فهد", "national_id": "1000000008"}}
        )
        assert kept.status_code in (200, 201), kept.text
        notice, now = await self.current(), self.world.clock.now
        evidence = {name: each for name, each in (written("officer@probe", now) | {"template": template}).items() if each is not None}
        said = {
            "purpose": "service_delivery",
            "fields": ["full_name"],
            "form": "written",
            "explicit": False,
            "notice": {
                "id": notice["id"],
                "version": notice["version"],
                "language": language,
                "sha256": notice["texts"][language]["sha256"],
            },
            "given_by": "self",
            "indicated_at": write_time(now),
            "evidence": evidence,
            **changes,
        }
        return await self("key", "POST", f"/records/{kept.json()['id']}/consents", said)

    async def code(self, language: str = "ar") -> str:
        """The code on the form of the notice in force."""
        notice = await self.current()
        return f"amanah:form:1:{notice['id']}:{notice['version']}:{language}:{notice['texts'][language]['sha256']}"


@pytest_asyncio.fixture(loop_scope="function")
async def office(vault: World) -> AsyncIterator[Office]:
    channels = {vault.code: OURS}
    own = (*notice_routes(vault.identity.factor), *form_routes(channels), *receipt_routes(channels))
    async with vault.front(*ROUTES, *RECORDS, *EVENT_ROUTES, *own) as http:
        yield Office(vault, http)


def said(page: str) -> str:
    """What a page says, its tags and style taken away."""
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", page, flags=re.DOTALL))


def refusal(answer: Any) -> tuple[int, str, list[tuple[str, str]]]:
    told = answer.json()
    return answer.status_code, told["code"], [(one["field"], one["code"]) for one in told.get("errors", ())]


@pytest.mark.parametrize("language", ["ar", "en"])
async def test_a_form_shows_the_whole_text_of_the_version_its_code_and_everything_to_fill_in(office: Office, language: str):
    before = len(office.world.entries())
    answer = await office.form(language=language, type="beneficiary")
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digests = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in styles)
    assert len(styles) == 2
    assert policy == re.sub(r"'sha256-[^']+'", digests, HEADERS["Content-Security-Policy"])
    assert (answer.headers["content-language"], answer.headers["cache-control"]) == (language, "no-store")
    notice = await office.current()
    text = notice["texts"][language]
    page, words = answer.text, said(answer.text)
    assert f'<div class="document frame"><p>{html.escape(text["text"], quote=False)}</p></div>' in page.replace("&#39;", "'"), (
        "character by character"
    )
    code = await office.code(language)
    assert segno.make(code, error="m").svg_inline(omitsize=True, border=4) in page
    assert text["sha256"][:16] in words
    assert text["sha256"] not in words
    assert notice["id"] in words
    expected = {
        "ar": [
            *(
                "جمعية للتجربة",
                "نموذج موافقة خطية",
                "تقديم الخدمة",
                "داخل الجمعية وحدها",
                "الاسم الكامل",
                "ملاحظة صحية",
                "بعد انتهاء الغرض: 5 سنوات",
            ),
            *(
                "العدول عن الموافقة",
                "privacy@example.org",
                "@probe",
                "https://vault.example.org/probe/privacy",
                "أوافق موافقةً صريحةً",
                "لا أوافق",
            ),
            *(
                "اسم صاحب البيانات",
                "اسم من ينوب عنه",
                "وصي",
                "حاضن",
                "دون كتابة رقمها",
                "هـ",
                "المكان",
                "شاهد يقرأ ويكتب",
                "الموظف الذي أخذ الموافقة",
            ),
        ],
        "en": [
            *("A probe association", "Written consent form", "Service delivery", "inside the association only", "Full name", "Health note"),
            *("5 years", "How to withdraw", "privacy@example.org", "I agree explicitly", "I do not agree", "Name of the person"),
            *(
                "Name of the guardian",
                "never write its number",
                "Date, Hijri",
                "Gregorian",
                "Place",
                "Name of the witness",
                "Member of staff",
            ),
        ],
    }
    assert [one for one in expected[language] if one not in words] == []
    assert page.count('<span class="tick"></span>') == 2 + 5 + 5
    for nothing in ("<script", "<input", " checked", "style=", "☑", "✓"):
        assert nothing not in page
    assert len(office.world.entries()) == before, "nothing of a person was asked for"


async def test_a_form_names_the_recipient_and_is_for_no_other_than_the_notice_covers(office: Office):
    known = RecipientFact(code="partner", name=PARTNER, kind="partner", country="SA")
    await lay_down(office.world, RECIPIENT, "partner", known)
    shared = await office.form(purpose="partner_sharing", recipient="partner", language="en")
    assert shared.status_code == 200, shared.text
    assert PARTNER["en"] in said(shared.text)
    assert PARTNER["ar"] in said((await office.form(purpose="partner_sharing", recipient="partner")).text)
    assert "inside the association only" not in said(shared.text)
    assert refusal(await office.form(purpose="partner_sharing")) == (422, "invalid", [("recipient", "action-mismatch")])
    assert refusal(await office.form(purpose="partner_sharing", recipient="nobody")) == (
        422,
        "invalid",
        [("recipient", "unknown-recipient")],
    )
    assert refusal(await office.form(recipient="partner")) == (422, "invalid", [("recipient", "action-mismatch")])
    await partner(office.world, "other")
    drafted = await office.draft(said=body(purpose="partner_sharing", recipients=["partner"]))
    assert (await office.publish(drafted)).status_code == 200
    assert (await office.form(drafted, purpose="partner_sharing", recipient="partner")).status_code == 200
    other = await office.form(drafted, purpose="partner_sharing", recipient="other")
    assert refusal(other) == (422, "exceeds-notice", [("recipient", "exceeds-notice")])
    await partner(office.world, "partner", revoked_at=office.world.clock.now)
    gone = await office.form(drafted, purpose="partner_sharing", recipient="partner")
    assert refusal(gone) == (422, "invalid", [("recipient", "unknown-recipient")])


async def test_what_is_published_says_so_and_no_health_data_asks_for_no_explicit_word(office: Office):
    published = said((await office.form(purpose="publication", language="en")).text)
    assert "publication to everybody" in published
    told = await office.draft("/notices", body(fields=["full_name", "mobile"]))
    assert (await office.publish(told)).status_code == 200
    plain = said((await office.form(told, language="en")).text)
    assert "I agree to what this form says." in plain
    assert "Health" not in plain


async def test_only_a_version_that_was_published_has_a_form(office: Office):
    drafted = await office.draft()
    assert refusal(await office.form(drafted)) == (409, "notice-not-published", [])
    assert (await office.publish(drafted)).status_code == 200
    first = await office.form(drafted, language="en")
    assert "has taken the place" not in first.text
    assert "مجلس الإدارة، الاجتماع الخامس" in said(first.text)
    later = await office.draft(f"/notices/{drafted['id']}/versions", version(texts=body()["texts"] | {"en": "Other words"}))
    assert refusal(await office.form(later)) == (409, "notice-not-published", [])
    office.world.clock.forward(60)
    assert (await office.publish(later)).status_code == 200
    replaced = await office.form(drafted, language="en")
    assert "Version 2 has taken the place of this one" in replaced.text
    assert "Other words" in (await office.form(later, language="en")).text


async def test_every_refusal_has_its_stable_code(office: Office):
    notice = await office.current()
    never = await office.form({"id": "00000000-0000-4000-8000-000000000000", "version": 1})
    assert refusal(never) == (404, "not-found", [])
    for number in ("2", "0", "x", "٢", "9999"):
        assert refusal(await office.form(notice | {"version": number})) == (404, "not-found", []), number
    assert refusal(await office.form(notice, purpose="publication")) == (422, "exceeds-notice", [("purpose", "exceeds-notice")])
    assert refusal(await office.form(notice, purpose="none_such")) == (422, "invalid", [("purpose", "unknown-purpose")])
    assert refusal(await office.form(notice, purpose="legal_order")) == (422, "invalid", [("purpose", "no-consent-asked")])
    assert refusal(await office.form(notice, language="fr")) == (422, "invalid", [("language", "out-of-range")])
    assert refusal(await office.form(notice, purpose=None)) == (400, "missing-parameter", [])
    assert refusal(await office.form(notice, type="none_such")) == (422, "invalid", [("type", "unknown-type")])
    assert refusal(await office.form(purpose="sms_offers")) == (422, "invalid", [("purpose", "not-in-writing")])
    office.tokens["nobody"] = "x"
    assert (await office.form(notice, "nobody")).status_code == 401


async def test_a_type_of_which_the_notice_covers_nothing_has_no_form_and_what_has_no_label_or_period_is_told_by_name(office: Office):
    told = await office.draft("/notices", body(fields=["mobile"]))
    assert (await office.publish(told)).status_code == 200
    book = await office.world.association.refresh()
    beneficiary = book.types["beneficiary"]
    odd = replace(next(one for one in beneficiary.fields if one.name == "mobile"), labels={}, field_class="own_class")
    await lay_down(office.world, RECORD_TYPE, "own", replace(beneficiary, name="own", fields=(odd,)))
    await lay_down(office.world, RECORD_TYPE, "other", replace(beneficiary, name="other", fields=(replace(odd, name="note"),)))
    await lay_down(office.world, PURPOSE, "service_delivery", replace(book.purposes["service_delivery"], title={}))
    own = said((await office.form(told, type="own", language="en")).text)
    assert "own_class" in own
    assert "mobile" in own
    assert "After the purpose has ended" not in own
    assert "service_delivery" in own
    assert refusal(await office.form(told, type="other")) == (422, "exceeds-notice", [("type", "exceeds-notice")])


@pytest.mark.parametrize("short", [False, True])
async def test_a_consent_signed_on_our_form_says_so_on_its_receipt(office: Office, short: bool):
    code = await office.code()
    named = code[:-48] if short else code
    answer = await office.signed(named)
    assert answer.status_code == 201, answer.text
    consent = answer.json()["id"]
    note = (await office("key", "GET", f"/consents/{consent}/receipt")).text
    record = read_receipt(note, office.world.association.cabinet.signer.vkey)["dpv:hasRecordOfActivity"][0]
    assert record["amanah:template"] == code
    for language, words in (
        ("ar", "نموذج طبعته هذه الخزنة للنسخة 1 من الإشعار، بالعربية"),
        ("en", "for version 1 of the notice, in Arabic"),
    ):
        page = (await office("key", "GET", f"/consents/{consent}/receipt/page?lang={language}")).text
        assert words in page


async def test_an_associations_own_form_and_none_are_taken_as_before_and_told_nobody(office: Office):
    for template, state in (("T-1", "awaiting-verification"), ("My amanah:form:1", "awaiting-verification"), (None, "evidence-incomplete")):
        answer = await office.signed(template)
        assert (answer.status_code, answer.json().get("state")) == (201, state), answer.text
        receipt = (await office("key", "GET", f"/consents/{answer.json()['id']}/receipt")).text
        assert "amanah:template" not in receipt


async def test_a_form_of_another_notice_version_language_or_text_is_refused(office: Office):
    code = await office.code()
    own = read(code)
    other = read(await office.code("en"))
    wrong = {
        "another notice": code.replace(own.notice, "00000000-0000-4000-8000-000000000000"),
        "another version": code.replace(":1:ar:", ":2:ar:"),
        "the other language": await office.code("en"),
        "the hash of the other language": code.replace(own.sha256, other.sha256),
        "another hash": code[:-1] + ("0" if code[-1] != "0" else "1"),
    }
    for name, template in wrong.items():
        assert refusal(await office.signed(template)) == (422, "form-mismatch", [("evidence.template", "form-mismatch")]), name
    malformed = [
        "amanah:form:1",
        "amanah:form:2" + code[13:],
        code + "0",
        code[:-1],
        code.upper().replace("AMANAH:FORM", "amanah:form"),
        code + "\n",
    ]
    for template in malformed:
        assert refusal(await office.signed(template)) == (422, "evidence-malformed", [("evidence.template", "evidence-malformed")]), (
            template
        )
    assert (await office.signed(await office.code("en"), "en")).status_code == 201


async def test_a_renewal_on_paper_names_its_own_form(office: Office):
    code, now = await office.code(), office.world.clock.now
    consent = (await office.signed(code)).json()["id"]
    notice = await office.current()
    again = {
        "form": "written",
        "explicit": False,
        "notice": {"id": notice["id"], "version": notice["version"], "language": "en", "sha256": notice["texts"]["en"]["sha256"]},
        "given_by": "self",
        "indicated_at": write_time(now),
        "evidence": written("officer@probe", now) | {"template": code},
    }
    assert refusal(await office("key", "POST", f"/consents/{consent}/renewal", again))[1] == "form-mismatch"
    again["evidence"] = written("officer@probe", now) | {"template": await office.code("en")}
    assert (await office("key", "POST", f"/consents/{consent}/renewal", again)).status_code in (200, 201)
