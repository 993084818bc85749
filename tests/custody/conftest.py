"""A founded vault on each engine, and one laid out as the doctor finds it."""

from tests.access.test_tampering import told
from tests.identity.conftest import small, vault

__all__ = ["small", "told", "vault"]
