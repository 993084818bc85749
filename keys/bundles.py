"""Several files in one: what a package holds, as a ZIP archive that every computer opens and that names the digest of each file in it.

Invariants: nothing is compressed, so that what comes out is as large as what went in; the same files give the same bytes; a reader takes
nothing but plain names, each once, and only files that have the digests `SHA256SUMS` lists. Format: docs/spec/package.md.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from keys.errors import Unopenable, Unsealable, quietly

LARGEST: Final = 1 << 28
SUMS: Final = "SHA256SUMS"
CONTENT: Final = "content.json"
"""What every package holds: the values for machines."""
MOST_FILES: Final = 4096
_BUCKET = 1024
_MOST_COMMENT = 65_535
_NAME = re.compile(r"(?:files/)?[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_WHEN = (1980, 1, 1, 0, 0, 0)  # the archive's own beginning of time: when a file was made is in the manifest
_PRIVATE = 0o100600 << 16


def sums(files: Mapping[str, bytes]) -> bytes:
    """The list of digests as `sha256sum --check` reads it, in the order of the names."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def bundle(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files by name with their list of digests, padded to a multiple of 1,024 bytes.

    Unsealable for a name that is none, more than 4,096 files or 256 MiB.
    """
    if not all(map(_NAME.fullmatch, files)) or SUMS in files or len(files) >= MOST_FILES or sum(map(len, files.values())) > LARGEST:
        raise Unsealable
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [*sorted(files.items()), (SUMS, sums(files))]:
            about = zipfile.ZipInfo(name, _WHEN)
            about.create_system, about.external_attr = 3, _PRIVATE
            archive.writestr(about, content)
        # Behind the last entry an archive may hold a remark of any length: so its size tells no more than a bucket.
        end = made.tell() + sum(46 + len(name) for name in archive.namelist()) + 22
        archive.comment = b" " * (-end % _BUCKET)
    return made.getvalue()


def unbundled(content: bytes) -> dict[str, bytes]:
    """The files of an archive that `bundle` made, without the list of digests. Unopenable for anything else."""
    with quietly, suppress(zipfile.BadZipFile, EOFError, RuntimeError):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            if not 0 < len(listed) <= MOST_FILES or sum(one.file_size for one in listed) > len(content):
                raise Unopenable
            if any(one.compress_type != zipfile.ZIP_STORED or not _NAME.fullmatch(one.filename) for one in listed):
                raise Unopenable
            files = {one.filename: archive.read(one) for one in listed}
        told = files.pop(SUMS)
        if len(files) + 1 == len(listed) and told == sums(files):
            return files
    raise Unopenable
