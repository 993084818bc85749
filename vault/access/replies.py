"""The letter about a person's request, ready to print in Arabic or English: taken down, more time, answered, refused or taken back.

Invariants: it says what the request's fact and the log's entries say, and of what was said only the words that were meant for her; her name
is left for who hands it over, since nothing of a record is opened for a letter.
"""

from typing import Any, Final, Literal

from vault.access.request_queue import Shown
from vault.access.rights_words import LISTS, Ground
from vault.records.values.dates import date
from vault.web.answer import Answer
from vault.web.call import write_id
from vault.web.paper import Pages
from vault.web.times import RIYADH, moment

PAGES: Final = Pages("vault.access")
Stage = Literal["received", "extended", "answered", "refused", "taken_back"]
_TOLD: Final = {"extended": "extension", "answered": "answer", "refused": "refusal", "taken_back": "taken-back"}
"""The step whose words are the letter's, by stage."""


def stage_of(shown: Shown) -> Stage:
    """What there is to tell her now."""
    match shown.fact.outcome:
        case "":
            return "received" if shown.fact.extension is None else "extended"
        case "taken-back":
            return "taken_back"
        case outcome:
            return outcome


def letter(shown: Shown, name: str, elsewhere: str, now: int, language: str) -> Answer:
    """The page of the letter, as the association of this name sends it; `elsewhere` is where it stands in the other language."""
    return PAGES.answer("reply.html", language, name=name, elsewhere=elsewhere, **_said(shown, now, language))


def _said(shown: Shown, now: int, language: str) -> dict[str, Any]:
    found, stage, words = shown.fact, stage_of(shown), PAGES.words(language)
    kind, refusal = LISTS.kinds[found.kind], LISTS.refusals.get(found.reason)
    reason = refusal.in_language(language) if refusal is not None else ""
    if stage == "extended" and found.extension is not None:
        reason = LISTS.extensions[found.extension.reason].in_language(language)
    return {
        "stage": stage,
        "kind": found.kind,
        "right": kind.in_language(language),
        "article": words.reply_article.format(number=kind.law),
        "reason": reason,
        "cited": "" if refusal is None else _cited(refusal, language),
        "today": _days(now),
        "received": _days(found.received_at),
        "due": _days(found.due_at),
        "number": write_id(bytes.fromhex(found.id)),
        "words": "\n".join(one.text for one in shown.said if one.what == _TOLD.get(stage)),
        "deeds": [(done.what, _days(done.at), entry) for done, entry in shown.deeds] if stage == "answered" else [],
    }


def _cited(ground: Ground, language: str) -> str:
    words = PAGES.words(language)
    if ground.law:
        return str(words.reply_article_law.format(number=ground.law))
    return str(words.reply_article_regulation.format(number=ground.regulation))


def _days(at: int) -> tuple[str, str]:
    """The day of a moment in Riyadh, in both calendars."""
    found = date(moment(at).astimezone(RIYADH).date().isoformat())
    return found.hijri or "", found.normal
