"""Storing in bulk against one by one over HTTP: 500 records a call, or one; prints both sides, ends with 1 below the gate.

`BENCH_RECORDS` says how many records go in bulk (100,000 by default); the other side is measured on a hundredth of them, with one client.
The people come from the demonstration's generator.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from read_path import call, free_port, running

from vault.demo.people import beneficiaries

RECORDS = int(os.environ.get("BENCH_RECORDS", "100000"))
ALONE = max(200, RECORDS // 100)
AT_ONCE = 500
GATE = 5.0


def people(count: int) -> list[dict[str, Any]]:
    """Requests to store this many beneficiaries, each without a guardian."""
    members = (member for family in beneficiaries("bench", 1447, count) for member in family.members if member.role != "guardian")
    return [{"type": "beneficiary", "fields": member.fields} for member in islice(members, count)]


def main() -> None:
    """Measure both sides on SQLite."""
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "AMANAH_DATA_DIR": f"{name}/data", "AMANAH_ROOT_KEY_FILE": f"{name}/root"}
        vault = [sys.executable, "-m", "vault"]
        made = subprocess.run([*vault, "init", "--association", "bench", "--json"], env=environment, capture_output=True, check=True)  # noqa: S603 - our own command
        key, port, requests = json.loads(made.stdout)["api_key"], free_port(), people(AT_ONCE * 4)
        with running([*vault, "serve", "--port", str(port)], port, environment):
            began = time.perf_counter()
            for number in range(ALONE):
                call(port, "POST", "/v1/records", key, requests[number % len(requests)])
            alone = ALONE / (time.perf_counter() - began)
            began = time.perf_counter()
            for first in range(0, RECORDS, AT_ONCE):
                start = first % len(requests)
                results = call(port, "POST", "/v1/records/batch", key, {"items": requests[start : start + AT_ONCE]})["results"]
                if any(result["status"] != 201 for result in results):
                    raise SystemExit("a row of the bulk was not stored")
            bulk = RECORDS / (time.perf_counter() - began)
    print(f"sqlite: one by one {alone:7.0f}/s ({ALONE} records)  in bulk {bulk:7.0f}/s ({RECORDS} records)")
    print(f"  ratio {bulk / alone:.1f}  gate {GATE:.0f}")
    sys.exit(bulk / alone < GATE)


if __name__ == "__main__":
    main()
