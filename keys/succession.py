"""One key handed down to the key that follows it: what the former sealed and may not be sealed anew opens by way of the new one.

Invariants: the former key lies sealed under its heir alone and is gone with it; it is handed down in one place and opens in no other; its
bytes never leave this package. Format: docs/spec/sheet.md.
"""

import struct

from keys.blobs import open_blob, seal_blob
from keys.errors import Unopenable, quietly
from keys.keyring import DataKey

_BUCKET = 64
_HEAD = struct.Struct(">HI")


def hand_down(heir: DataKey, context: bytes, former: DataKey) -> bytes:
    """Return the former key sealed under its heir, for that context."""
    return seal_blob(heir, context, _HEAD.pack(former.class_id, former.version) + former.reveal(), bucket=_BUCKET)


def handed_down(heir: DataKey, context: bytes, sealed: bytes) -> DataKey:
    """Return the former key; Unopenable under another heir, in another context, or where it is none of an earlier version of its class."""
    with quietly:
        content = open_blob(heir, context, sealed)
        class_id, version = _HEAD.unpack_from(content)
        if class_id == heir.class_id and version < heir.version:
            return DataKey(content[_HEAD.size :], class_id, version)
    raise Unopenable
