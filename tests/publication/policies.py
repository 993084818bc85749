"""The policies of real associations, where they lie beside the tree: they go through whole and never come into the repository."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("AMANAH_POLICIES") or Path(__file__).parents[2].parent / "shared" / "policies")
FOUND = sorted(path.name for path in FOLDER.glob("*.txt"))
# Without the folder one case stays, which skips and says why.
POLICIES = FOUND or ["none"]


def policy(name: str) -> bytes:
    """The bytes of one; skips where the folder is not there."""
    if not FOUND:
        pytest.skip("no policies beside the tree, and AMANAH_POLICIES names no folder that holds any")
    return (FOLDER / name).read_bytes()
