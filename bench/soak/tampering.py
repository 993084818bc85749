"""Three rows of every table altered column by column by SQL, deleted, copied and put back, on each engine: no no becomes a yes.

Ends with 1 as soon as one does, a value of another place comes out, or the doctor does not name the row. Usage: python
bench/soak/tampering.py; the tamperings and what they are held against are those of `tests/access/test_tampering.py`.
"""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.access.test_tampering import laid_out, tampered
from tests.servers import postgresql


def soak(name: str, address: str | None) -> None:
    """Tamper with a vault on one engine; None for SQLite."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="amanah-tampering-"))
        told = stack.enter_context(laid_out(address or f"sqlite:///{folder}/vault.sqlite3", Path(folder)))
        tried, bit = asyncio.run(tampered(*told, None))
    print(f"{name}: {tried} tamperings, {bit} of them changed an answer, none to a yes", flush=True)


def main() -> None:
    """Soak both engines."""
    soak("sqlite", None)
    with postgresql() as address:
        soak("postgresql", address)


if __name__ == "__main__":
    main()
