"""Kills a served vault under sixteen readers and writers, starts it again, and holds what was acknowledged against what is there.

Invariants: a value that was given has a durable entry that names it; what was acknowledged is there after the next start; a withdrawal that
was acknowledged is in force; the log verifies before each start.
"""

import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from tests import programs
from tests.access.mortal import MOMENTS
from tests.journeys.served import FIRST, READY_SECONDS, Answer, Served
from tests.ports import free_port
from vault.access_log.checkpoint import Outside
from vault.access_log.entry import parse
from vault.access_log.merkle import leaf_hash
from vault.access_log.tables import entry
from vault.access_log.verify import snapshot, verify
from vault.examining import unsealed
from vault.settings import Settings
from vault.storage.engine import Database
from vault.subjects.tables import record

CLIENTS = 16
PATIENCE = 60.0
"""Seconds within which a life ends: a machine that stands still makes it longer, and none lives on by itself."""
BUSY = frozenset({429, 503})
ARRIVED = "arrived"
"""The moment only a client can see: its answer is there."""


@dataclass(slots=True)
class Acknowledged:
    """What the vault said it did: reads by entry number, records by id with their name, consents and withdrawals by record."""

    reads: dict[int, tuple[str, str]] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    consented: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    kills: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say how much there was to lose."""
        moments = ", ".join(f"{count} at {moment}" for moment, count in sorted(self.kills.items()))
        return (
            f"{sum(self.kills.values())} kills ({moments}); acknowledged and all there: {len(self.reads)} reads, "
            f"{len(self.stored)} stores, {len(self.consented)} consents, {len(self.withdrawn)} withdrawals"
        )


class Killing:
    """One vault and all that was acknowledged over its lives."""

    def __init__(self, vault: Served, rng: random.Random) -> None:
        """Take a founded vault that does not run."""
        self.vault = vault
        self.rng = rng
        self.said = Acknowledged()
        self.odd: list[str] = []
        self._consent: Mapping[str, Any] = {}
        address = vault.address or f"sqlite:///{vault.data / 'amanah.sqlite3'}"
        self.settings = Settings(data_dir=str(vault.data), database_url=address, root_key_file=str(vault.root))

    def round(self, moment: str) -> None:
        """One life under load, ended at this moment; the log verifies afterwards."""
        process = self._start(moment, self.rng.randrange(20, 220))
        self._consent = self.vault.consent("electronic", "service_delivery", ["full_name"])
        self._load(process, moment)
        assert process.wait(10) == -signal.SIGKILL, self.vault.log.read_text(errors="replace")[-800:]
        self.vault._process = None
        assert not self.odd, self.odd[:3]
        self.said.kills[moment] = self.said.kills.get(moment, 0) + 1
        self.verify()

    def _start(self, moment: str, count: int) -> programs.Program:
        vault = self.vault
        vault.port, vault.metrics_port = free_port(), free_port()
        ports = ("--port", str(vault.port), "--metrics-port", str(vault.metrics_port))
        program = ["vault"] if moment == ARRIVED else ["tests.access.mortal", moment, str(count)]
        with vault.log.open("ab") as said:
            process = programs.begin(*program, "serve", *ports, env=vault._environment(), out=said)
        vault._process = process
        end = time.monotonic() + READY_SECONDS
        while not vault._is_ready():
            assert process.poll() is None, vault.log.read_text(errors="replace")[-800:]
            assert time.monotonic() < end, "not ready"
            time.sleep(0.03)
        return process

    def _load(self, process: programs.Program, moment: str) -> None:
        answers = Countdown(self.rng.randrange(60, 400) if moment == ARRIVED else sys.maxsize, process)
        threads = [threading.Thread(target=self._work, args=(self.rng.random(), answers)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()  # it should have died by itself: the round falls short
                self.odd.append(f"{moment}: it lived on")
            for thread in threads:
                thread.join(30)

    def _work(self, seed: float, answers: "Countdown") -> None:
        rng = random.Random(seed)
        client = Client(self.vault)
        try:
            while True:
                self._step(client, rng)
                answers.one_more()
        except (OSError, http.client.HTTPException):
            return  # the vault is gone
        except AssertionError as error:
            self.odd.append(str(error))
        finally:
            client.line.close()

    def _step(self, client: "Client", rng: random.Random) -> None:
        """Read somebody who consented, or take somebody new in, who may consent, and may think again."""
        chance, consented = rng.random(), [*self.said.consented]
        if chance < 0.5 and consented:
            self._read(client, rng.choice(consented))
            return
        fields = self.vault.fields(rng)
        answer = client.call("POST", "/v1/records", {"type": "beneficiary", "fields": fields})
        if answer.status in BUSY:
            return
        assert answer.status == 201, answer.text
        id_ = str(answer.json["id"])
        self.said.stored[id_] = str(fields["full_name"])
        if chance < 0.6:
            return
        answer = client.call("POST", f"/v1/records/{id_}/consents", self._consent)
        if answer.status in BUSY:
            return
        assert answer.status == 201, answer.text
        if chance < 0.85:
            self.said.consented.add(id_)
            return
        answer = client.call("POST", f"/v1/consents/{answer.json['id']}/withdrawal", {"given_by": "self"})
        assert answer.status in {201, *BUSY}, answer.text
        if answer.status == 201:
            self.said.withdrawn.add(id_)

    def _read(self, client: "Client", id_: str) -> None:
        answer = client.call("GET", f"/v1/records/{id_}?purpose=service_delivery&fields=full_name")
        if answer.status in BUSY:
            return
        assert answer.status == 200, answer.text
        assert answer.json["fields"] == {"full_name": self.said.stored[id_]}, answer.text
        place = answer.json["decision"]["entry"]
        told = (str(place["leaf_hash"]), id_)
        assert self.said.reads.setdefault(int(place["index"]), told) == told, "two answers with one entry"

    def verify(self) -> None:
        """The log verifies as it lies, and holds an entry for every value that was given."""
        database = Database(self.settings.address)
        try:
            association, cabinet = unsealed(self.settings, database, FIRST)
            note = Outside(self.settings.association_folder(FIRST) / "checkpoint").read()
            with snapshot(database, association) as connection:
                found = verify(connection, association, FIRST, cabinet.signer.vkey, note, deep=True)
                assert [str(one) for one in found] == []
                bodies = dict(connection.execute(select(entry.c.number, entry.c.body).where(entry.c.association_id == association)).all())
                kept = set(connection.execute(select(record.c.record).where(record.c.association_id == association)).scalars())
        finally:
            database.dispose()
        for index, (leaf, id_) in self.said.reads.items():
            assert index in bodies, "a value was given without a durable entry"
            assert leaf_hash(bodies[index]).hex() == leaf
            told = parse(bodies[index]).entry
            assert (told.kind, told.outcome, told.fields, told.purpose) == ("record.read", "allow", ("full_name",), "service_delivery")
            assert told.about[0].record == uuid.UUID(id_).bytes
        assert {uuid.UUID(id_).bytes for id_ in self.said.stored} <= kept, "an acknowledged record is lost"

    def nothing_lost(self) -> None:
        """After one more start the consents open and the withdrawals do not; of each as many are asked about as the limits allow."""
        self.vault.start()
        client = Client(self.vault)
        for id_ in self.rng.sample(sorted(self.said.consented), min(300, len(self.said.consented))):
            answer = client.call("GET", f"/v1/records/{id_}?purpose=service_delivery&fields=full_name")
            assert (answer.status, answer.json.get("fields")) == (200, {"full_name": self.said.stored[id_]}), answer.text
        for id_ in self.rng.sample(sorted(self.said.withdrawn), min(300, len(self.said.withdrawn))):
            answer = client.call("GET", f"/v1/records/{id_}?purpose=service_delivery&fields=full_name")
            assert (answer.status, answer.code) == (403, "consent-withdrawn"), answer.text
        client.line.close()
        self.vault.stop()
        self.verify()


class Countdown:
    """Kills the process from outside in the instant the last of so many answers has arrived."""

    def __init__(self, left: int, process: programs.Program) -> None:
        """Count down from `left`."""
        self.left = left
        self.process = process
        self.lock = threading.Lock()

    def one_more(self) -> None:
        """Note an answer."""
        with self.lock:
            self.left -= 1
            if self.left == 0:
                os.kill(self.process.pid, signal.SIGKILL)


class Client:
    """One connection that is kept."""

    def __init__(self, vault: Served) -> None:
        """Connect with the system's key."""
        self.line = http.client.HTTPConnection("127.0.0.1", vault.port, timeout=20)
        self.headers = {"Authorization": f"Bearer {vault.key()}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """The answer to one request. Raises OSError and HTTPException where the vault is gone."""
        raw = None if body is None else json.dumps(body).encode()
        self.line.request(method, path, raw, self.headers)
        found = self.line.getresponse()
        return Answer(found.status, {}, found.read())


def lives(vault: Served, count: int, rng: random.Random) -> Acknowledged:
    """Live and be killed so many times, at every moment in turn; returns what was acknowledged, of which nothing was lost."""
    killing = Killing(vault, rng)
    moments = (*MOMENTS, ARRIVED)
    for number in range(count):
        killing.round(moments[number % len(moments)])
    killing.nothing_lost()
    return killing.said
