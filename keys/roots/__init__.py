"""Where the root key lives: each provider wraps and unwraps association keys, and nothing else ever sees the root."""

from typing import Protocol

from keys.secret import Secret


class Root(Protocol):
    """Something that holds a root key and lends its use.

    It may be slow or fail, as what lies behind a network does: OSError is taken for silence, Unopenable for a no.
    """

    @property
    def kind(self) -> str:
        """What kind of root this is, in one word of lower case, digits and hyphens: it stands in the file of epochs."""
        ...

    def wrap(self, context: bytes, key: Secret) -> bytes:
        """Return the key wrapped under the root for that context (what it is and whose)."""
        ...

    def unwrap(self, context: bytes, blob: bytes) -> Secret:
        """Return the wrapped key; Unopenable under another root or in another context."""
        ...

    def describe(self) -> str:
        """Say in one line, without a secret, what kind of root this is and where it lies."""
        ...

    def self_test(self) -> None:
        """Wrap and unwrap a key of no use; Unopenable if the root does not work."""
        ...
