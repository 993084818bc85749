"""Rewraps a served vault by two workers, one of them killed at random moments and begun again, under eight clients who read and write.

Invariants: no request fails; at the end no key names an older epoch, and the doctor has nothing to say.
"""

import http.client
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import programs
from tests.access.killing import Client
from tests.journeys.served import FIRST, Served
from vault.custody.tables import counted
from vault.examining import examine, unsealed
from vault.settings import Settings
from vault.storage.engine import Database, enter

CLIENTS = 8
AT_ONCE = 250
READABLE = 200
"""People of whom a consent is recorded, so that they may be read; every one of the others is rewrapped all the same."""


@dataclass(slots=True)
class Worn:
    """What a run came to: keys, seconds of rewrapping, kills, requests, and their times in seconds, before and during."""

    keys: int = 0
    seconds: float = 0.0
    kills: int = 0
    before: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.keys} keys in {self.seconds:.1f} s ({self.keys / self.seconds:,.0f} a second, {self.kills} kills); "
            f"{len(self.during)} requests meanwhile, median {_at(self.during, 0.5):.1f} ms, 99th {_at(self.during, 0.99):.1f} ms; "
            f"before {_at(self.before, 0.5):.1f} and {_at(self.before, 0.99):.1f} ms; none failed"
        )


def _at(times: list[float], part: float) -> float:
    return 1000 * sorted(times)[min(len(times) - 1, int(part * len(times)))] if times else 0.0


class Wearing:
    """One founded vault that serves, with so many people in it."""

    def __init__(self, vault: Served, people: int, rng: random.Random) -> None:
        """Store the people and let some of them agree."""
        self.vault, self.rng = vault, rng
        self.odd: list[str] = []
        self.worn = Worn()
        self.going = True
        self.times = self.worn.before
        address = vault.address or f"sqlite:///{vault.data / 'amanah.sqlite3'}"
        self.settings = Settings(data_dir=str(vault.data), database_url=address, root_key_file=str(vault.root))
        vault.start()
        self.names: dict[str, str] = {}
        for _ in range(0, people, AT_ONCE):
            self._store(min(AT_ONCE, people - len(self.names)))
        agreed = vault.consent("electronic", "service_delivery", ["full_name"])
        self.readable = rng.sample(sorted(self.names), min(READABLE, people))
        for record in self.readable:
            vault.grant(record, agreed)

    def run(self, kills: int, seconds_before: float = 2.0) -> Worn:
        """Rotate and rewrap under load; returns what it came to, of which nothing was lost."""
        threads = [threading.Thread(target=self._client, args=(self.rng.random(),)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(seconds_before)
            self._keys("rotate").wait(60)
            self.worn.keys = self._behind()
            self.times = self.worn.during
            begun = time.monotonic()
            self._rewrap(kills)
            self.worn.seconds = time.monotonic() - begun
        finally:
            self.going = False
            for thread in threads:
                thread.join(60)
        assert not self.odd, self.odd[:3]
        # What was written between the last count and the end lies under the newest epoch as it was written.
        assert self._behind() == 0
        red = [line for line in examine(self.settings, 0) if "ceremony account" not in line and "checkpoint" not in line]
        assert red == [], red[:3]
        return self.worn

    def _rewrap(self, kills: int) -> None:
        steady, mortal = self._keys("rewrap"), self._keys("rewrap")
        while self.worn.kills < kills:
            time.sleep(self.rng.uniform(0.3, 2.0))
            if mortal.poll() is None:
                os.kill(mortal.pid, signal.SIGKILL)
                self.worn.kills += 1
            mortal.wait(60)
            mortal = self._keys("rewrap")
        assert (mortal.wait(600), steady.wait(600)) == (0, 0), self._said.read_text(errors="replace")[-800:]

    def _client(self, seed: float) -> None:
        rng = random.Random(seed)
        client = Client(self.vault)
        try:
            while self.going:
                begun = time.perf_counter()
                status, text = self._step(client, rng)
                self.times.append(time.perf_counter() - begun)
                if status not in {200, 201}:
                    self.odd.append(f"{status} {text[:200]}")
        except (OSError, http.client.HTTPException) as error:
            self.odd.append(repr(error))
        finally:
            client.line.close()

    def _step(self, client: Client, rng: random.Random) -> tuple[int, str]:
        """Read somebody, or take somebody new in, or write another e-mail address for her."""
        chance, record = rng.random(), rng.choice(self.readable)
        if chance < 0.7:
            answer = client.call("GET", f"/v1/records/{record}?purpose=service_delivery&fields=full_name")
            if answer.status == 200 and answer.json["fields"] != {"full_name": self.names[record]}:
                self.odd.append("another's name")
        else:
            answer = client.call("POST", "/v1/records", {"type": "beneficiary", "fields": self.vault.fields(rng)})
        return answer.status, answer.text

    def _store(self, count: int) -> None:
        fields = [self.vault.fields(self.rng) for _ in range(count)]
        body = {"items": [{"type": "beneficiary", "fields": each} for each in fields]}
        answer = self.vault.call("POST", "/v1/records/batch", body, token=self.vault.key())
        assert answer.status == 200, answer.text
        for result, each in zip(answer.json["results"], fields, strict=True):
            self.names[result["id"]] = each["full_name"]

    @property
    def _said(self) -> Path:
        return self.vault.folder / "rewrap.log"

    def _keys(self, command: str) -> programs.Program:
        with self._said.open("ab") as said:
            return programs.begin("vault", "keys", command, env=self.vault._environment(), out=said)

    def _behind(self) -> int:
        database = Database(self.settings.address)
        try:
            association, cabinet = unsealed(self.settings, database, FIRST)
            with database.connect() as connected, connected.execution_options(reading=True).begin():
                enter(connected, association)
                found: dict[str, dict[int, int]] = counted(connected, association)
        finally:
            database.dispose()
        newest: Any = cabinet.keys.epoch
        return sum(count for epochs in found.values() for epoch, count in epochs.items() if epoch != newest)


def wear(vault: Served, people: int, kills: int, rng: random.Random) -> Worn:
    """Found a vault, fill it, and rewrap it under load with so many kills."""
    try:
        vault.found()
        return Wearing(vault, people, rng).run(kills)
    finally:
        vault.stop()
