"""The calls for the receipt of a consent: the signed note, and a page to print for who asks on paper."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import segno
from markupsafe import Markup

from vault.consent import links, receipts
from vault.consent.log_words import not_lost
from vault.consent.receipt import Json
from vault.consent.receipt_note import written
from vault.consent.receipt_words import lines
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.channels import Channels
from vault.subjects.meant import by_consent
from vault.web.answer import HTML, TEXT, Answer
from vault.web.call import Call
from vault.web.paper import Pages
from vault.web.route import Needs, Query, Route

PAGES: Final = Pages("vault.consent")
RECORDS: Final = "consents:write"


def receipt_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The two calls; `channels` hold the associations' names by code."""

    async def document(call: Call) -> Json:
        asker: Asker = call.caller
        consent, errand = call.path_id("consent"), Errand(asker, call.request_id)
        names = channels.get(asker.association.code, Channels()).names

        async def made() -> Json:
            return await asker.association.run(lambda deed: receipts.document(deed, errand, consent, names))

        return await heard(errand, lambda: not_lost(asker.association, consent, made), by_consent(consent))

    async def way_out(call: Call, site: str) -> str:
        """The address by which the consent is withdrawn, for who may record withdrawals; "" where the site is not known."""
        asker: Asker = call.caller
        if not site or RECORDS not in asker.scopes:
            return ""
        consent, errand = call.path_id("consent"), Errand(asker, call.request_id)
        link = await asker.association.run(lambda deed: links.make(deed, errand, consent))
        return site + links.path_of(asker.association.code, link)

    async def note(call: Call) -> Answer:
        """The receipt as a signed note."""
        return Answer(written(await document(call), call.caller.association.cabinet.signer))

    async def page(call: Call) -> Answer:
        """The receipt to print."""
        found, language = await document(call), call.query["lang"]
        text = written(found, call.caller.association.cabinet.signer).partition("\n")[0] + "\n"
        hashed = sha256(text.encode()).hexdigest()
        code = segno.make(f"amanah:receipt:{found['dct:identifier']}:{hashed}", error="m")
        drawn = Markup(code.svg_inline(scale=4, border=2))  # noqa: S704  # drawn by us of hexadecimal digits
        told = channels.get(call.caller.association.code, Channels())
        name, address = told.named(call.caller.association.code, language), await way_out(call, told.site)
        out = Markup(segno.make(address, error="m").svg_inline(scale=4, border=2)) if address else ""  # noqa: S704  # drawn by us of our own address
        said = list(lines(found, language))
        return PAGES.answer("receipt.html", language, name=name, said=said, sha256=hashed, code=drawn, address=address, out=out)

    return [
        Route(
            method="GET",
            path="/v1/consents/{consent}/receipt",
            name="consents.receipt",
            handler=note,
            access=Needs("consents:read"),
            media_type=TEXT,
            summary="The signed receipt of a consent: a note whose text is a JSON-LD document (ISO/IEC TS 27560, W3C DPV).",
        ),
        Route(
            method="GET",
            path="/v1/consents/{consent}/receipt/page",
            name="consents.receipt_page",
            handler=page,
            access=Needs("consents:read"),
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"), default="ar")},
            summary="The receipt of a consent as a page to print, with a QR code of its number and SHA-256.",
        ),
    ]
