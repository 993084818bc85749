"""What a person's copy holds, as files: all values for machines and for readers in both languages, her documents, what else she is told.

Invariant: everything here came through the door against a committed entry, and goes nowhere but into the seal.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from keys.age_packages import seal_age_package
from keys.bundles import CONTENT
from keys.notes import Signer
from keys.packages import AGE, Manifest, fingerprint
from vault.access.contents import Enclosed, Held, hold
from vault.access.copying import PURPOSE, Copying
from vault.access.packing import LASTS
from vault.access_log.checkpoint import origin_of
from vault.consent.history import Told
from vault.policy.facts import INTERNAL
from vault.web.call import write_id
from vault.web.paper import LONE, Pages
from vault.web.times import in_words, moment, write_time

RECIPIENT: Final = "data-subject"
_PAGES: Final = Pages("vault.access")
_LANGUAGES: Final[tuple[Literal["ar", "en"], ...]] = ("ar", "en")
_content = msgspec.json.Encoder()
_SECOND: Final = 1_000_000


def packed(copying: Copying, enclosed: Enclosed, signer: Signer, checkpoint: str) -> bytes:
    """Open what the committed entries name, and seal it for her. Raises Unavailable `integrity`."""
    key = copying.request.copy.key if copying.request.copy is not None else ""
    issued, verdict = copying.at // _SECOND, copying.judged[0].verdict
    manifest = Manifest(
        association=origin_of(signer.vkey),
        disclosure=_uuid(copying.request.id),
        serial=1 + sum(done.what == "copy" for done in copying.request.deeds),
        recipient=RECIPIENT,
        key=fingerprint(AGE, key),
        purpose=PURPOSE,
        basis=verdict.basis,
        article=verdict.article,
        law=verdict.law,
        order="",
        fields=tuple(sorted({name for one in copying.judged for name in one.asked.fields})),
        issued=issued,
        expires=issued + LASTS,
        entries=tuple(
            (one.appended.index, one.appended.leaf_hash.hex()) for one in (*copying.judged, *(each.judged for each in copying.documents))
        ),
    )
    return seal_age_package(manifest, key, contents(copying, enclosed), signer, checkpoint)


def contents(copying: Copying, enclosed: Enclosed) -> dict[str, bytes]:
    """Open what the committed entries name; every file of the copy by its name. Raises Unavailable `integrity`."""
    held, documents = [], dict[str, bytes]()
    for number, (judged, values) in enumerate(zip(copying.judged, copying.values(), strict=True), 1):
        one, its = hold(enclosed, number, judged, values)
        held.append(one)
        documents |= its
    return {
        CONTENT: _content.encode(_told(copying, enclosed.code, held)),
        **{f"page.{language}.html": _page(copying, enclosed, held, language).encode() for language in _LANGUAGES},
        **documents,
    }


def _told(copying: Copying, code: str, held: Sequence[Held]) -> dict[str, Any]:
    types = sorted({one.judged.state.type for one in held})
    return {
        "association": code,
        "request": _uuid(copying.request.id),
        "issued": write_time(copying.at),
        "labels": {type_: {field.name: field.labels for field in copying.book.types[type_].fields} for type_ in types},
        "records": [
            {
                "id": write_id(one.judged.asked.record),
                "type": one.judged.state.type,
                "revision": one.judged.state.revision,
                "fields": one.values,
                **({"files": one.files} if one.files else {}),
            }
            for one in held
        ],
        "consents": [
            {
                "id": _uuid(one.grant.id),
                "purpose": one.purpose,
                "recipient": one.recipient,
                "fields": sorted(one.grant.fields),
                "form": one.grant.form,
                "state": "ended" if one.state == "invalidated" else one.state,
                "given_at": write_time(one.grant.indicated_at),
                **({"stopped_at": write_time(one.stopped_at)} if one.stopped_at is not None else {}),
            }
            for one in copying.agreed
        ],
        "given_to": [{"recipient": one.recipient, "record": _uuid(one.record), "at": write_time(one.at)} for one in copying.given],
    }


def _page(copying: Copying, enclosed: Enclosed, held: Sequence[Held], language: Literal["ar", "en"]) -> str:
    words, other = _PAGES.words(language), "ar" if language == "en" else "en"
    return _PAGES.page(
        "copy.html",
        language,
        policy=LONE,
        other=f"page.{other}.html",
        demonstration=enclosed.channels.demonstration,
        name=enclosed.channels.named(enclosed.code, language),
        request=_uuid(copying.request.id),
        issued=in_words(moment(copying.at), language),
        records=[
            {
                "id": write_id(one.judged.asked.record),
                "fields": [
                    {"label": field.labels.get(language, field.name), "text": one.text(field), "link": one.files.get(field.name)}
                    for field in copying.book.types[one.judged.state.type].fields
                    if field.name in one.values
                ],
            }
            for one in held
        ],
        consents=[_consent(copying, one, language, vars(words)) for one in copying.agreed],
        given=[{"recipient": _named(copying, one.recipient, language), "at": in_words(moment(one.at), language)} for one in copying.given],
    )


def _consent(copying: Copying, one: Told, language: str, words: Mapping[str, str]) -> dict[str, str]:
    purpose = copying.book.purposes.get(one.purpose)
    return {
        "purpose": one.purpose if purpose is None else purpose.title.get(language, one.purpose),
        "recipient": "" if one.recipient == INTERNAL else _named(copying, one.recipient, language),
        "form": words[f"copy_form_{one.grant.form}"],
        "state": words.get(f"copy_state_{one.state}", words["copy_state_other"]),
        "at": in_words(moment(one.grant.indicated_at), language),
    }


def _named(copying: Copying, recipient: str, language: str) -> str:
    found = copying.book.recipients.get(recipient)
    return recipient if found is None else found.name.get(language, recipient)


def _uuid(text: str) -> str:
    return write_id(bytes.fromhex(text))
