"""A copy of 10,000 records made, proven from its sealed files and put back into SQLite: size, seconds and peak memory of each, printed.

`BENCH_RECORDS` says how many records. Each step is a process of its own, so that its peak is its own; a tenth of the records is measured
beside it, to show that memory does not grow with the vault.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from keys.packages import PackageKey
from tests.household import grant
from tests.simulator import Clock, World, world
from vault.demo.people import beneficiaries
from vault.records import service, shelf
from vault.records.service import Intake, Kept, Whose
from vault.rulebook.asker import Errand
from vault.storage import schema
from vault.storage.engine import Database

RECORDS = int(os.environ.get("BENCH_RECORDS", "10000"))
AT_ONCE = 500
CODE = "probe"


async def fill(made: World, count: int) -> None:
    """Store so many invented beneficiaries; one in a hundred agrees to something."""
    book = await made.association.book()
    shape, errand = service.type_of(book, "beneficiary"), Errand(await made.system(), "bench")
    families = beneficiaries("backup", 1447, min(count, 2000))
    fields = [member.fields for family in families for member in family.members if member.role != "guardian"]
    people = islice(cycle(fields), count)
    while some := [Intake("beneficiary", shelf.clean(shape, one), Whose()) for one in islice(people, AT_ONCE)]:
        kept = await made.association.run(partial(service.store_each, errand=errand, intakes=some), weight=len(some))
        assert isinstance(kept[0], Kept)
        await grant(made, kept[0].record)
    made.clock.forward(2)
    await made.association.checkpoint()


def command(data: Path, root: Path, *words: str) -> tuple[float, int]:
    """Seconds and peak bytes of one command."""
    program = (
        "import sys; from vault.cli import main\n"
        "try: main()\n"
        "finally: print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1], file=sys.stderr)"
    )
    environment = {**os.environ, "AMANAH_DATA_DIR": str(data), "AMANAH_ROOT_KEY_FILE": str(root)}
    begun = time.perf_counter()
    made = subprocess.run([sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert made.returncode == 0, made.stderr
    return time.perf_counter() - begun, int(made.stderr.split()[-1]) * 1024


def measure(folder: Path, count: int) -> None:
    """Fill a vault, copy, prove and restore it, and print what that took."""
    folder.mkdir()
    live, new = folder / "live", folder / "new"
    home = live / "associations"
    home.mkdir(parents=True)
    address = f"sqlite:///{live / 'amanah.sqlite3'}"
    database = Database(address)
    schema.upgrade(database)
    database.dispose()
    with world(address, home, code=CODE, clock=Clock(time.time_ns() // 1000 - 3_600_000_000)) as made:
        asyncio.run(fill(made, count))
    root, key = home / "root", PackageKey.create(folder / "key")
    recipient = folder / "key.pub"
    recipient.write_text(f'{{"type": "hpke-x25519", "public": "{key.public}"}}')
    size = (live / "amanah.sqlite3").stat().st_size
    seconds, peak = command(live, root, "backup", "--to", str(folder / "copies"), "--recipient", str(recipient))
    [copy] = (folder / "copies").iterdir()
    sizes = {name: (copy / name).stat().st_size / 1e6 for name in ("data", "keys")}
    print(f"{count} records, {size / 1e6:.0f} MB of SQLite: data {sizes['data']:.1f} MB, keys {sizes['keys']:.1f} MB")
    print(f"  backup  {seconds:7.1f} s  {peak / 1e6:6.0f} MB")
    seconds, peak = command(live, root, "backup", "verify", str(copy), "--identity", str(folder / "key"))
    print(f"  verify  {seconds:7.1f} s  {peak / 1e6:6.0f} MB")
    shutil.copytree(home / CODE, new / "associations" / CODE)
    seconds, peak = command(new, root, "restore", "--from", str(copy), "--identity", str(folder / "key"))
    print(f"  restore {seconds:7.1f} s  {peak / 1e6:6.0f} MB", flush=True)


def main() -> None:
    """Measure a tenth, then all."""
    with tempfile.TemporaryDirectory(prefix="amanah-bench-") as folder:
        for count in (RECORDS // 10, RECORDS):
            measure(Path(folder) / str(count), count)


if __name__ == "__main__":
    main()
