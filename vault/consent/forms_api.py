"""The form to sign by hand as a page: one call that prints it, and the page itself for whoever shows it elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode

import segno
from babel import Locale
from babel.dates import format_date
from markupsafe import Markup

from vault.consent import forms
from vault.consent.forms import Sheet, Wanted
from vault.consent.forms_code import SHORT, TEMPLATE
from vault.consent.notices_api import version_of
from vault.policy.facts import INTERNAL
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.channels import Channels
from vault.web.answer import HTML, Answer
from vault.web.call import Call, write_id
from vault.web.paper import Pages, headers_with
from vault.web.route import Needs, Query, Route
from vault.web.times import RIYADH, moment

PAGES: Final = Pages("vault.consent")
_STYLE: Final = files("vault.consent").joinpath("pages", "form.css").read_text(encoding="utf-8")
LANGUAGE: Final = Query(kind="choice", choices=("ar", "en"), default="ar")
ASKED: Final[Mapping[str, Query]] = {
    "purpose": Query(kind="text", required=True, high=64),
    "recipient": Query(kind="text", high=64, default=INTERNAL),
    "type": Query(kind="text", high=64, default=""),
}
GUARDIANS: Final = ("wali", "wasi", "custodian", "carer", "agent")
PAPERS: Final = ("national_id", "resident_id", "family_register", "passport")
_MONTHS: Final = 12


def form_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The call; `channels` hold the associations' names by code."""

    async def printed(call: Call) -> Answer:
        query = call.query
        asked = {name: query[name] for name in ASKED}
        wanted = Wanted(call.path_id("notice"), version_of(call), language=query["language"], **asked)
        other = "ar" if wanted.language == "en" else "en"
        return await page(
            call, wanted, channels, f"?{urlencode({name: text for name, text in asked.items() if text} | {'language': other})}"
        )

    return [
        Route(
            method="GET",
            path="/v1/notices/{notice}/versions/{version}/form",
            name="notices.form",
            handler=printed,
            access=Needs("notices:read"),
            media_type=HTML,
            query={**ASKED, "language": LANGUAGE},
            summary="The form to sign by hand under this version of a notice, ready to print on A4; nothing of a person is on it.",
        ),
    ]


async def page(call: Call, wanted: Wanted, channels: Mapping[str, Channels], elsewhere: str) -> Answer:
    """The form that is wanted; `elsewhere` is where it stands in the other language. Raises as `forms.sheet`."""
    asker: Asker = call.caller
    errand, own = Errand(asker, call.request_id), channels.get(asker.association.code, Channels())
    found = await heard(errand, lambda: asker.association.run(lambda deed: forms.sheet(deed, errand, wanted)))
    say = _Said(found, wanted.language)
    code = found.code.text
    return PAGES.answer(
        "form.html",
        wanted.language,
        headers=headers_with(_STYLE),
        own_style=Markup(_STYLE),  # noqa: S704  # our own file, whose hash the policy names
        name=own.named(asker.association.code, wanted.language),
        demonstration=own.demonstration,
        elsewhere=elsewhere,
        sheet=found,
        printed=TEMPLATE,
        number=write_id(bytes.fromhex(found.notice.id)),
        short=found.code.sha256[:SHORT],
        drawn=Markup(segno.make(code, error="m").svg_inline(omitsize=True, border=4)),  # noqa: S704  # drawn by us of our own code
        purpose=found.purpose.title.get(wanted.language, found.purpose.code),
        recipient=found.recipient or say.word("published_to" if found.purpose.action == "publish" else "inside"),
        fields=[(say.class_(name), say.joined(labels)) for name, labels in found.fields.items()],
        kept=[(say.joined(labels), say.period(months)) for months, labels in found.kept.items()],
        ways=list(_ways(own, asker.association.code, say)),
        published=say.day(found.notice.published_at or 0),
        guardians=[say.word(f"guardian_{one}") for one in GUARDIANS],
        papers=[say.word(f"paper_{one}") for one in PAPERS],
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """Puts what stands on a form into words of one language."""

    sheet: Sheet
    language: str

    def word(self, name: str) -> str:
        """A word of forms."""
        return str(getattr(PAGES.words(self.language), f"form_{name}"))

    def class_(self, name: str) -> str:
        """A class of data in a word, its name where an association has one of its own."""
        return str(getattr(PAGES.words(self.language), f"form_class_{name}", name))

    def joined(self, labels: tuple[str, ...]) -> str:
        """Labels one after another."""
        return str(PAGES.words(self.language).receipt_comma).join(labels)

    def day(self, microseconds: int) -> str:
        """The day of a moment as the clock in Riyadh has it."""
        locale = "en_GB" if self.language == "en" else "ar_SA"
        return format_date(moment(microseconds).astimezone(RIYADH).date(), "d MMMM y", locale=locale)

    def period(self, months: int) -> str:
        """A length of time as the language counts it, whole years where months make them."""
        unit, number = ("years", months // _MONTHS) if months % _MONTHS == 0 else ("months", months)
        category = partial(getattr, PAGES.words(self.language))
        plural = Locale.parse(self.language).plural_form(number)
        return str(category(f"form_{unit}_{plural}", category(f"form_{unit}_other"))).format(n=number)


def _ways(own: Channels, code: str, say: _Said) -> Iterator[tuple[str, str]]:
    """How the association is reached about a withdrawal, as far as somebody wrote it down: label, and the address."""
    if own.email:
        yield say.word("way_email"), own.email
    if own.social:
        yield say.word("way_social"), own.social
    if own.site:
        yield say.word("way_site"), f"{own.site}/{code}/privacy"
