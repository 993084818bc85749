"""Several processes of one vault under load, some killed and started again meanwhile: one tree, and nothing acknowledged is lost."""

import http.client
import os
import random
import signal
import threading
import time

from tests.access.killing import PATIENCE, Acknowledged, Client, Killing
from tests.journeys.served import Served

ENOUGH = 12
"""How often each process answers its clients, at the least, between two kills."""


class Several(Killing):
    """One vault served by several processes at once, each with clients of its own."""

    def __init__(self, vault: Served, rng: random.Random, *, processes: int, clients: int) -> None:
        """Take a founded vault that does not run, how many serve it, and how many clients each of them has."""
        super().__init__(vault, rng)
        self.served = [Served(vault.folder, vault.address, secrets=vault.secrets, settings=vault.settings) for _ in range(processes)]
        self.clients = clients
        self.answered = [0] * processes
        self._ended = threading.Event()

    def live(self, kills: int, pause: float) -> Acknowledged:
        """Serve, killing one of the processes so many times; what was acknowledged, of which nothing was lost.

        Between two kills there are the pause and ENOUGH answers of each process, however long the machine takes for them.
        """
        for one in self.served:
            one.start()
        try:
            self._consent = self.served[0].consent("electronic", "service_delivery", ["full_name"])
            threads = [threading.Thread(target=self._ask, args=(place, self.rng.random())) for place in self._places()]
            for thread in threads:
                thread.start()
            for _ in range(kills):
                self._serve(pause)
                self._kill_one()
            self._serve(pause)
            self._ended.set()
            for thread in threads:
                thread.join(60)
        finally:
            self._ended.set()
            for one in self.served:
                one.stop()
        assert not self.odd, self.odd[:3]
        self.verify()
        self.nothing_lost()
        return self.said

    def _serve(self, pause: float) -> None:
        """Let them serve for a while, and each so long that it answered."""
        before, until = list(self.answered), time.monotonic() + PATIENCE
        time.sleep(pause)
        while any(now < was + ENOUGH for now, was in zip(self.answered, before, strict=True)):
            assert not self.odd, self.odd[:3]
            assert time.monotonic() < until, f"not all served: {self.answered} after {before}"
            time.sleep(0.05)

    def _places(self) -> list[int]:
        return [place for place in range(len(self.served)) for _ in range(self.clients)]

    def _kill_one(self) -> None:
        one = self.rng.choice(self.served)
        process = one._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        one.start()
        self.said.kills["any"] = self.said.kills.get("any", 0) + 1

    def _ask(self, place: int, seed: float) -> None:
        """Ask one process until the end; when it is killed, wait and ask it again."""
        rng, one = random.Random(seed), self.served[place]
        while not self._ended.is_set():
            client = Client(one)
            try:
                while not self._ended.is_set():
                    self._step(client, rng)
                    self.answered[place] += 1
            except AssertionError as error:
                self.odd.append(str(error))
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)  # it was killed: it comes again
            finally:
                client.line.close()
