"""A founded vault on each engine."""

from tests.identity.conftest import small, vault

__all__ = ["small", "vault"]
