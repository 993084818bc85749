"""The checkpoint as a sheet of paper: what somebody outside keeps who has no mailbox and no program (promise 8)."""

from collections.abc import Mapping
from typing import Final

import segno
from markupsafe import Markup

from vault.access.audit_api import standing
from vault.access_log.checkpoint import claimed
from vault.rulebook.channels import Channels
from vault.web.answer import HTML, Answer
from vault.web.call import Call
from vault.web.paper import Pages
from vault.web.route import Needs, Query, Route
from vault.web.times import in_words, moment

PAGES: Final = Pages("vault.access")


def checkpoint_page_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The call; `channels` hold the associations' names by code."""

    async def page(call: Call) -> Answer:
        """The newest checkpoint to print, with the whole signed note in a QR code."""
        association, language = await standing(call), call.query["lang"]
        note, code = await association.checkpoint(), association.code
        drawn = Markup(segno.make(note, error="m", encoding="utf-8").svg_inline(scale=4, border=2))  # noqa: S704  # drawn by us of our own note
        found, printed = claimed(note), PAGES.words(language).checkpoint_riyadh.format(time=in_words(moment(call.now), language))
        name = channels.get(code, Channels()).named(code, language)
        said = {"name": name, "log": found.origin, "size": found.size, "printed": printed, "lines": note.splitlines(), "code": drawn}
        return PAGES.answer("checkpoint.html", language, **said)

    return [
        Route(
            method="GET",
            path="/v1/access-log/checkpoint/page",
            name="access_log.checkpoint_page",
            handler=page,
            access=Needs("log:verify"),
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"), default="ar")},
            summary="The newest signed checkpoint as a page to print, with a QR code of the whole note.",
        ),
    ]
