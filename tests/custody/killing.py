"""Kills `amanah keys carry-out` at any step, and holds what is there afterwards against the old state and the new.

Invariants: after a death the old state stands, or the next start, or the same command once more, completes it; then file, journal, log and
facts say the same, everything that was readable is, and what was wrapped under a retired epoch opens no more.
"""

import json
import random
import re
from dataclasses import dataclass, field

from click.testing import CliRunner

from keys.errors import Unopenable
from tests import programs
from tests.journeys.served import FIRST, Served
from vault.cli import main
from vault.examining import examine, unsealed
from vault.settings import Settings
from vault.storage.engine import Database

STEPS = re.compile(r"steps (\d+)")


@dataclass(slots=True)
class Deaths:
    """How often it died, and how it went on: `old` where nothing was done yet, else by which way it was completed."""

    ways: dict[str, int] = field(default_factory=dict)

    def note(self, way: str) -> None:
        """Count one."""
        self.ways[way] = self.ways.get(way, 0) + 1

    def __str__(self) -> str:
        """Say what became of them."""
        return ", ".join(f"{count} {way}" for way, count in sorted(self.ways.items()))


class Killing:
    """One served vault, somebody in it who may be read, and a retirement after the other."""

    def __init__(self, vault: Served, rng: random.Random) -> None:
        """Take a founded vault that does not run."""
        self.vault, self.rng, self.steps = vault, rng, 0
        self.deaths = Deaths()
        address = vault.address or f"sqlite:///{vault.data / 'amanah.sqlite3'}"
        self.settings = Settings(data_dir=str(vault.data), database_url=address, root_key_file=str(vault.root))
        vault.start()
        self.record = vault.store(vault.fields(rng))["id"]
        vault.grant(self.record, vault.consent("electronic", "service_delivery", ["full_name"]))

    def round(self) -> None:
        """A new epoch, everything under it, a retirement agreed on, and its carrying out killed; then whatever it takes to end well."""
        for command in ("rotate", "rewrap"):
            self.keys(command)
        before = self.minimum()
        id_ = self.agreed("retire", below=before + 1)
        count = self.rng.randrange(1, self.steps + 1) if self.steps else 0
        died, said = self.carry_out(id_, count)
        if not died:
            self.steps = int(STEPS.search(said)[1]) if not self.steps else self.steps  # type: ignore[index]
            self.deaths.note("lived")
        elif self.rng.random() < 0.5:
            self.vault.stop()
            self.vault.start()
            if self.minimum() == before:
                self.deaths.note("old")
                self.must(id_)
            else:
                self.deaths.note("completed by the start")
        else:
            again, said = self.carry_out(id_, 0)
            assert not again
            done = "is carried out" in said
            assert done or "ceremony-settled" in said, said
            self.deaths.note("completed by the command")
        self.whole(before + 1)

    def must(self, id_: str) -> None:
        """Carry it out, undisturbed."""
        died, said = self.carry_out(id_, 0)
        assert not died
        assert "is carried out" in said, said

    def whole(self, minimum: int) -> None:
        """Everything says the same, and she can be read."""
        assert self.minimum() == minimum
        told = json.loads(self.keys("status", "--json"))[0]
        assert (told["minimum"], told["behind"], [each["state"] for each in told["ceremonies"]]) == (minimum, 0, []), told
        answer = self.vault.call("GET", f"/v1/records/{self.record}?purpose=service_delivery&fields=full_name", token=self.vault.key())
        assert answer.status == 200, answer.text
        red = [line for line in examine(self.settings, 0) if "ceremony account" not in line and "checkpoint" not in line]
        assert red == []

    def minimum(self) -> int:
        """The lowest epoch the file opens; what was below does not."""
        database = Database(self.settings.address)
        try:
            _, cabinet = unsealed(self.settings, database, FIRST)
        finally:
            database.dispose()
        keys = cabinet.keys
        old = b"\x11\x01" + (keys.minimum_epoch - 1).to_bytes(4, "big") + bytes(64)
        try:
            keys.unwrap(bytes(15) + b"\x01", 1, old)
        except Unopenable:
            return keys.minimum_epoch
        raise AssertionError

    def agreed(self, act: str, **what: object) -> str:
        """Proposed by the administrator and approved by the officer, over HTTP."""
        made = self.vault.call("POST", "/v1/keys/ceremonies", {"act": act, **what}, token=self.vault.session("admin"))
        assert made.status == 201, made.text
        path = f"/v1/keys/ceremonies/{made.json['id']}/approval"
        done = self.vault.call("POST", path, token=self.vault.approver("officer"))
        assert done.status == 200, done.text
        return str(made.json["id"])

    def keys(self, *command: str) -> str:
        """What `amanah keys …` prints, in this process; it must end with 0."""
        made = CliRunner().invoke(main, ["keys", *command], env=self.vault._environment())
        assert made.exit_code == 0, made.output
        return made.stdout

    def carry_out(self, id_: str, count: int, *more: str) -> tuple[bool, str]:
        """Whether it was killed, and what it said."""
        return self.struck(count, "carry-out", id_, *more)

    def struck(self, count: int, *arguments: str) -> tuple[bool, str]:
        """Whether a command of `amanah keys` was killed at this step (0: at none), and what it said."""
        made = programs.run("tests.custody.mortal", str(count), "keys", *arguments, env=self.vault._environment(), seconds=120)
        return made.returncode < 0, (made.stdout + made.stderr).decode()


def deaths(vault: Served, count: int, rng: random.Random) -> Deaths:
    """Retire and be killed so many times; returns how it went on each time."""
    killing = Killing(vault, rng)
    killing.round()
    for _ in range(count):
        killing.round()
    return killing.deaths
