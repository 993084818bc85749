"""The words of the articles an answer cites: the pack's, or those of an association's own policy document.

A document's articles stand under headings such as `المادة (6)`, their clauses behind `١.`; whatever stands before the first heading is
another policy. Nothing of the document decides anything: it is shown beside the verdict that cites its number.
"""

import re
from collections.abc import Mapping

from vault.policy.pack import load

PACK = "cooperative"
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_HEADING = re.compile(r"^\s*المادة\s*\(?\s*([0-9]{1,2})\s*\)?(.*)$")
_CLAUSE = re.compile(r"^\s*([0-9]{1,2})\s*[.)\-]\s*(.+)$")


class NoArticles(ValueError):
    """A document in which no article has a heading of its own."""


def of_pack() -> Mapping[str, str]:
    """The articles in the pack's words, by number (`6.1`): Arabic, then English."""
    return {number: f"{text.ar} · {text.en}" for number, text in load(PACK).articles.items()}


def of_document(text: str) -> Mapping[str, str]:
    """The articles of a policy document by number: `6` the whole article, `6.1` its first clause. Raises NoArticles."""
    found: dict[str, str] = {}
    article = clause = ""
    for line in text.splitlines():
        heading = _HEADING.match(line.translate(_DIGITS))
        if heading:
            article = clause = heading[1]
            found[article] = f"{heading[2].strip()}:".removeprefix(":")
            continue
        if not article or not line.strip():
            continue
        numbered = _CLAUSE.match(line.translate(_DIGITS))
        if numbered:
            clause = f"{article}.{numbered[1]}"
            found[clause] = ""
        words = numbered[2] if numbered else line.strip()
        found[clause] = f"{found[clause]} {words}".strip()
    if not found:
        raise NoArticles
    return found
