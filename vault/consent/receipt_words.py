"""What a receipt says in words, in one language: lines for the printed page and for `amanah receipt verify`.

Invariant: nothing is said that does not stand in the document; names of purposes are the document's own.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

from vault.consent.forms_code import read
from vault.consent.receipt import Json
from vault.web.paper import read_words
from vault.web.times import in_words

_WORDS: Final = read_words("vault.consent")
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def word(name: str, language: str) -> str:
    """A word of receipts in a language, by its name in `pages/words.toml` behind `receipt_`. Raises KeyError."""
    return _WORDS[f"receipt_{name}"].in_language(language)


def lines(document: Json, language: str) -> Iterator[tuple[str, str]]:
    """Label and words of each line.

    A document that is not one of ours raises KeyError, IndexError, TypeError, ValueError or AttributeError.
    """
    record = document["dpv:hasRecordOfActivity"][0]
    process, notice, us = record["dpv:hasProcess"][0], record["dpv:hasNotice"][0], record["dct:publisher"]

    def label(name: str) -> str:
        return word(f"label_{name}", language)

    comma = word("comma", language)
    form = [word(f"form_{record['amanah:form']}", language), *([word("explicit", language)] if record["amanah:explicit"] else [])]
    if asserted := record.get("amanah:assertedBy"):
        form.append(word(f"asserted_by_{asserted}", language))
    recipient = process["dpv:hasRecipient"]
    shown = word("notice", language).format(version=notice["dct:hasVersion"], sha256=notice["amanah:sha256"])
    yield label("number"), document["dct:identifier"]
    yield label("association"), _named(record["dpv:hasEntity"][0]["dpv:hasName"], language)
    yield label("purpose"), _named(process["dpv:hasPurpose"]["skos:prefLabel"], language)
    yield label("recipient"), word("inside", language) if recipient == us else recipient.rpartition(":")[2]
    yield (
        label("fields"),
        comma.join(_named(one["skos:prefLabel"] or one["dct:identifier"], language) for one in process["dpv:hasPersonalData"]),
    )
    yield label("form"), comma.join(form)
    if template := record.get("amanah:template"):
        signed = read(template)
        yield (
            label("template"),
            word("template", language).format(version=signed.version, language=word(f"template_{signed.language}", language)),
        )
    for event in record["dpv:hasConsentStatus"]:
        happened = _CAPITAL.sub("_", event["@type"][0].removeprefix("dpv:")).lower()
        yield word(f"event_{happened}", language), _moment(event["dpv:isIndicatedAtTime"], language)
    yield label("state"), word(f"state_{document['amanah:state'].replace('-', '_')}", language)
    if least := process.get("amanah:leastDecisionTime"):
        yield label("decision"), word("least_days", language).format(days=int(least["@value"].removeprefix("P").removesuffix("D")))
    yield label("notice"), shown
    pack, _, number = process["amanah:article"].partition(":")
    yield label("article"), word("article", language).format(number=number, pack=pack)


def _moment(text: str, language: str) -> str:
    """A time in words, as the clock in Riyadh shows it."""
    return word("riyadh", language).format(time=in_words(dt.datetime.fromisoformat(text), language))


def _named(name: str | list[dict[str, str]], language: str) -> str:
    """A name in a language, a name without one as it is."""
    if isinstance(name, str):
        return name
    found = {one["@language"]: one["@value"] for one in name}
    return found.get(language) or next(iter(found.values()))
