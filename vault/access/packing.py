"""Makes the package of a released disclosure: the bundle for the recipient's eyes, and the manifest that says what it is.

Invariants: values go into what is sealed and nowhere else; the manifest holds references, codes and names of fields.
Format: docs/spec/package.md.
"""

from typing import Final

from keys.age_packages import seal_age_package
from keys.bundles import bundle
from keys.notes import Signer
from keys.packages import AGE, Manifest, seal_package
from vault.access.contents import Enclosed, contents
from vault.access.releasing import Releasing
from vault.access.verdicts import Judged
from vault.access_log.checkpoint import origin_of
from vault.web.call import write_id

LASTS: Final = 30 * 24 * 3600
_SECOND: Final = 1_000_000


def packed(releasing: Releasing, enclosed: Enclosed, signer: Signer, checkpoint: str) -> bytes:
    """Open what the committed entries name, and seal it for the recipient. Raises Unavailable `integrity`."""
    recipient, files, manifest = releasing.recipient, contents(releasing, enclosed), _manifest(releasing, signer)
    if recipient.key_type == AGE:
        return seal_age_package(manifest, recipient.key_public, files, signer, checkpoint)
    return seal_package(manifest, recipient.key_public, bundle(files), signer, checkpoint)


def _manifest(releasing: Releasing, signer: Signer) -> Manifest:
    found, issued = releasing.disclosure, releasing.at // _SECOND
    verdict = releasing.judged[0].verdict
    return Manifest(
        association=origin_of(signer.vkey),
        disclosure=_uuid(found.id),
        serial=releasing.serial,
        recipient=found.recipient,
        key=found.key,
        purpose=found.purpose,
        basis=verdict.basis,
        article=verdict.article,
        law=verdict.law,
        order=_uuid(found.order) if found.order else "",
        fields=tuple(sorted(releasing.fields)),
        issued=issued,
        expires=issued + LASTS,
        page=releasing.page.number if found.further else 0,
        pages=found.further.pages if found.further else 0,
        plan=found.further.plan if found.further else "",
        entries=tuple((judged.appended.index, judged.appended.leaf_hash.hex()) for judged in _released(releasing)),
    )


def _released(releasing: Releasing) -> list[Judged]:
    """Whose entries released something, in their order: of each record, then of each file."""
    return [*releasing.judged, *(document.judged for document in releasing.documents)]


def _uuid(text: str) -> str:
    return write_id(bytes.fromhex(text))
