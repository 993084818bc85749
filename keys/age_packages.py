"""Disclosure packages for a recipient who has the age tool and nothing of ours: an age file with a bundle and the signed manifest in it.

Invariants: the manifest signs the digests of all files beside it and names the key it was sealed for, so that a bundle sealed anew for
somebody else is refused; every fault is a PackageRefused, and none says more. Format: docs/spec/package.md.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from keys.age import START, AgeKey, sealed_to
from keys.bundles import bundle, sums, unbundled
from keys.errors import Unopenable, Unsealable, quietly
from keys.notes import Signer
from keys.packages import AGE, Manifest, Package, PackageRefused, fingerprint, put_together

MANIFEST: Final = "manifest.txt"
CHECKPOINT: Final = "checkpoint.txt"


def seal_age_package(manifest: Manifest, public: str, files: Mapping[str, bytes], signer: Signer, checkpoint: str) -> bytes:
    """Return the age file of these files, manifest and checkpoint among them, for the holder of this key.

    Unsealable where the key is not the manifest's, a part of the manifest is no word, or the files are no bundle.
    """
    if fingerprint(AGE, public) != manifest.key or {MANIFEST, CHECKPOINT} & files.keys():
        raise Unsealable
    note = signer.sign(f"{manifest.text()}sealed {hashlib.sha256(sums(files)).hexdigest()}\n")
    return sealed_to(public, bundle({**files, MANIFEST: note.encode(), CHECKPOINT: checkpoint.encode()}))


def open_age_package(content: bytes, key: AgeKey) -> tuple[Package, dict[str, bytes]]:
    """Return the package and its files by name; what is sealed is then the list of their digests.

    PackageRefused `not-a-package`, `package-altered`, and `package-foreign` for one that was made for another key.
    """
    if not content.startswith(START):
        raise PackageRefused("not-a-package")
    code = "package-altered"
    with quietly, suppress(Unopenable):
        plain = key.opened(content)
        if plain is None:
            raise PackageRefused("package-foreign")
        files = unbundled(plain)
        note, checkpoint = files.pop(MANIFEST).decode(), files.pop(CHECKPOINT).decode()
        package = put_together(note, checkpoint, sums(files))
        if package.manifest.key == fingerprint(AGE, key.public):
            return package, files
        code = "package-foreign"
    raise PackageRefused(code)
