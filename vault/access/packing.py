"""Makes the package of a released disclosure: the content for the recipient's eyes, and the manifest that anybody may see.

Invariants: values go into the sealed content and nowhere else; the manifest holds references, codes and names of fields.
Format: docs/spec/package.md.
"""

from typing import Any, Final

import msgspec

from keys.notes import Signer
from keys.packages import Manifest, seal_package
from vault.access.disclosures import Releasing
from vault.access_log.checkpoint import origin_of
from vault.web.call import write_id
from vault.web.times import write_time

LASTS: Final = 30 * 24 * 3600
_SECOND: Final = 1_000_000
_content = msgspec.json.Encoder()


def packed(releasing: Releasing, code: str, signer: Signer, checkpoint: str) -> bytes:
    """Open what the committed entries name, and seal it for the recipient. Raises Unavailable `integrity`."""
    content = _content.encode(_told(releasing, code))
    return seal_package(_manifest(releasing, signer), releasing.recipient.key_public, content, signer, checkpoint)


def _manifest(releasing: Releasing, signer: Signer) -> Manifest:
    found, issued = releasing.disclosure, releasing.at // _SECOND
    verdict = releasing.judged[0].verdict
    return Manifest(
        association=origin_of(signer.vkey),
        disclosure=_uuid(found.id),
        serial=found.released,
        recipient=found.recipient,
        key=found.key,
        purpose=found.purpose,
        basis=verdict.basis,
        article=verdict.article,
        law=verdict.law,
        order=_uuid(found.order) if found.order else "",
        fields=tuple(sorted({name for part in found.granted for name in part.fields})),
        issued=issued,
        expires=issued + LASTS,
        entries=tuple((judged.appended.index, judged.appended.leaf_hash.hex()) for judged in releasing.judged),
    )


def _told(releasing: Releasing, code: str) -> dict[str, Any]:
    found, order = releasing.disclosure, releasing.order
    types = {judged.state.type for judged in releasing.judged}
    given = {name for part in found.granted for name in part.fields}
    return {
        "association": code,
        "disclosure": _uuid(found.id),
        "serial": found.released,
        "recipient": found.recipient,
        "purpose": found.purpose,
        "issued": write_time(releasing.at),
        **({"order": {"authority": order.authority, "number": order.number, "issued_on": order.issued_on}} if order else {}),
        "labels": {
            name: {field.name: field.labels for field in releasing.book.types[name].fields if field.name in given} for name in sorted(types)
        },
        "records": [
            {"id": write_id(judged.asked.record), "type": judged.state.type, "revision": judged.state.revision, "fields": values}
            for judged, values in zip(releasing.judged, releasing.values(), strict=True)
        ],
    }


def _uuid(text: str) -> str:
    return write_id(bytes.fromhex(text))
