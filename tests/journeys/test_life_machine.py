"""The life of a vault in any order, against a plain model: whatever was done before, a read gives what the model says and nothing else.

Hypothesis chooses the deeds: store, grant, update, withdraw, lock, call off, erase, renew, rotate, rewrap, retire, copy, restore. At the
end `doctor` and the log's own verification find nothing. A long form of it is bench/soak/life.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.access.erasures import REASON, verified
from tests.backup.rescue import Rescue
from tests.custody.keeper import Keeper, known, rewrap, rotate
from tests.household import BASIC, FATIMA, errand, grant, read, store, withdraw
from tests.journeys.life import Closed, Copy, Door, Model, One, agreed, free, locked, silent
from tests.simulator import World, world
from vault.access import erasing
from vault.access.erasing import Officer, Wanted
from vault.access.renewing import renew_keys
from vault.custody.retiring import StillInUse, settle
from vault.errors import Conflict, NotFound, Refused, Unavailable
from vault.examining import examine
from vault.policy.facts import SELF
from vault.reclosing import reclose
from vault.records import service
from vault.rulebook.asker import Errand
from vault.settings import Settings
from vault.storage import schema
from vault.storage.engine import Database
from vault.subjects import people

T = TypeVar("T")
NAMES = ("فاطمة بنت خالد الشمري", "نورة بنت سعد القحطاني", "سارة بنت علي الزهراني")
NUMBERS = ("1000000008", "1000000016", "1000000024")
WHICH = st.integers(0, 11)


def any_of(state: Callable[[One], bool]) -> Any:
    """A rule that needs somebody of this state."""
    return precondition(lambda machine: any(map(state, machine.model.people.values())))


class Life(RuleBasedStateMachine):
    """One vault on SQLite, and the vaults that come of its copies; `lives` counts the restores."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(TemporaryDirectory(prefix="amanah-life-")))
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.model, self.lives = Model(), 0
        self.world = self.founded()
        self.rescue = Rescue(self.world, self.folder / "rescue")

    def founded(self) -> World:
        """A vault laid out as the doctor finds one."""
        home, url = self.home / "associations", self.url
        home.mkdir(mode=0o700, parents=True)
        database = Database(url)
        schema.upgrade(database)
        database.dispose()
        return self.stack.enter_context(world(url, home))

    @property
    def home(self) -> Path:
        return self.folder / f"life-{self.lives}"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home / 'vault.sqlite3'}"

    def teardown(self) -> None:
        try:
            assert self.run(verified(self.world)) == []
            assert [line for line in self.told() if " staff " not in line] == []
        finally:
            self.stack.close()

    def told(self) -> list[str]:
        """What `amanah doctor` says."""
        root = str(self.folder / "life-0" / "associations" / "root")
        return examine(Settings(data_dir=str(self.home), database_url=self.url, root_key_file=root), self.world.clock.now)

    def run(self, deed: Awaitable[T]) -> T:
        """Do it now; time passes first."""

        async def done() -> T:
            return await deed

        self.world.clock.forward(1)
        return self.runner.run(done())

    async def by(self, who: str, deed: Callable[[Any, Errand, Officer], T]) -> T:
        """A deed of a person of the ceremony, with a fresh code."""
        caller = await self.world.person(who)
        job = await errand(self.world, caller)
        officer = Officer(caller, self.world.identity.factor, self.world.one_time_code(who))
        return await self.world.association.run(lambda open_: deed(open_, job, officer))

    def one(self, which: int, state: Callable[[One], bool]) -> One:
        some = [one for one in self.model.people.values() if state(one)]
        return some[which % len(some)]

    def close(self, one: One, what: Closed) -> None:
        self.model.doors.append(Door(one.subject, what, one.erasure))

    @initialize()
    def begin(self) -> None:
        for which in range(2):
            self.store(which)
            self.grant(which)
        self.copy()

    @rule(which=WHICH)
    def store(self, which: int) -> None:
        values = {"full_name": NAMES[which % 3], "national_id": NUMBERS[which % 3], "mobile": f"+96655123450{which % 10}"}
        kept = self.run(store(self.world, {**FATIMA, **values}))
        self.model.people[kept.subject] = One(kept.record, kept.subject, values)
        self.model.ever[kept.subject] = kept.record

    @any_of(silent)
    @rule(which=WHICH)
    def grant(self, which: int) -> None:
        one = self.one(which, silent)
        one.consent, one.agreed = self.run(grant(self.world, one.record)).id, True

    @any_of(agreed)
    @rule(which=WHICH)
    def withdraw(self, which: int) -> None:
        one = self.one(which, agreed)
        assert one.consent is not None
        self.run(withdraw(self.world, one.consent))
        one.agreed = False
        self.close(one, "withdrawn")

    async def changed(self, one: One, fields: dict[str, str]) -> service.Kept:
        job = await errand(self.world)
        return await self.world.association.run(lambda deed: service.update(deed, job, one.record, one.revision, fields))

    @any_of(free)
    @rule(which=WHICH, name=st.sampled_from(NAMES))
    def update(self, which: int, name: str) -> None:
        one = self.one(which, free)
        one.revision = self.run(self.changed(one, {"full_name": name})).revision
        one.values["full_name"] = name

    @any_of(free)
    @rule(which=WHICH)
    def renew(self, which: int) -> None:
        one = self.one(which, free)
        done = self.run(self.by("officer", lambda deed, job, _: renew_keys(deed, job, one.record)))
        one.revision += 1
        assert done.records == ((one.record, one.revision),)

    @any_of(free)
    @rule(which=WHICH)
    def lock(self, which: int) -> None:
        one, wanted = self.one(which, free), Wanted(REASON, SELF)
        one.erasure = self.run(self.by("officer", lambda deed, job, _: erasing.ask(deed, job, one.record, wanted, None))).id
        self.close(one, "locked")

    @any_of(locked)
    @rule(which=WHICH)
    def nothing_is_changed_while_locked(self, which: int) -> None:
        one = self.one(which, locked)
        for deed in (
            self.changed(one, {"full_name": NAMES[0]}),
            self.by("officer", lambda deed, job, _: renew_keys(deed, job, one.record)),
        ):
            with pytest.raises(Conflict, match="erasure-pending"):
                self.run(deed)

    @any_of(locked)
    @rule(which=WHICH)
    def call_off(self, which: int) -> None:
        one = self.one(which, locked)
        id_ = one.erasure or b""
        self.run(self.by("second_officer", lambda deed, job, officer: erasing.cancel(deed, job, officer, id_)))
        one.erasure = None

    @any_of(locked)
    @rule(which=WHICH)
    def erase(self, which: int) -> None:
        one = self.one(which, locked)
        id_ = one.erasure or b""
        self.run(self.by("second_officer", lambda deed, job, officer: erasing.approve(deed, job, officer, id_)))
        del self.model.people[one.subject]
        self.close(one, "erased")

    @any_of(free)
    @rule(which=WHICH)
    def lock_and_erase(self, which: int) -> None:
        self.lock(which)
        self.erase(which)

    @rule()
    def rotate(self) -> None:
        self.model.newest += 1
        assert rotate(self.world) == self.model.newest

    @rule()
    def rewrap(self) -> None:
        rewrap(self.world)
        self.model.oldest = self.model.newest

    @precondition(lambda self: self.model.newest > self.model.minimum)
    @rule()
    def retire(self) -> None:
        below = self.model.newest
        if self.model.oldest < below:
            with pytest.raises(StillInUse):
                self.run(self.retired(below))
            return
        self.run(self.retired(below))
        self.model.minimum = below

    async def retired(self, below: int) -> None:
        async with Keeper.over(self.world) as keeper:
            await keeper.carried_out("retire", below=below)

    @rule()
    def copy(self) -> None:
        model = self.model
        model.copies.append(Copy(self.rescue.take(), deepcopy(model.people), len(model.doors), model.oldest))

    @precondition(lambda self: self.model.copies)
    @rule(which=WHICH)
    def restore(self, which: int) -> None:
        copy = self.model.copies[which % len(self.model.copies)]
        self.world.clock.forward(2)
        self.run(self.world.association.checkpoint())
        outside = self.rescue.home()
        self.lives += 1
        place = self.home / "associations" / self.world.code
        place.parent.mkdir(mode=0o700, parents=True)
        outside.rename(place)
        if copy.oldest < self.model.minimum:
            # Its keys are of an epoch that was retired since: it opens nowhere, and the vault of before goes on.
            with pytest.raises(Unavailable, match="sealed"):
                self.rescue.restore(self.url, place, copy.backup)
            self.lives -= 1
            (self.home.parent / f"life-{self.lives + 1}").rename(self.folder / f"refused-{len(list(self.folder.iterdir()))}")
            return
        assert self.rescue.restore(self.url, place, copy.backup).complete
        self.world = self.stack.enter_context(self.rescue.opened(self.url, place))
        self.rescue = replace(self.rescue, world=self.world)
        settle(self.world.association, lambda: self.world.root, self.world.clock)
        assert reclose(self.world.association, self.world.clock) == 0, "all is closed before the door opens"
        self.model.restore(copy)

    @invariant()
    def reads_give_what_the_model_says(self) -> None:
        for subject, record in self.model.ever.items():
            one = self.model.people.get(subject)
            if one is None:
                with pytest.raises(NotFound):
                    self.run(read(self.world, record))
                assert not self.run(self.world.association.run(partial(people.has_rows, subject=subject)))
            elif one.refusal is not None:
                with pytest.raises(Refused, match=one.refusal):
                    self.run(read(self.world, record))
            else:
                assert self.run(read(self.world, record)) == {name: one.values[name] for name in BASIC}

    @invariant()
    def the_epochs_are_those_of_the_model(self) -> None:
        keys, model = self.world.association.cabinet.keys, self.model
        assert (keys.minimum_epoch, keys.epoch, known(self.world).minimum) == (model.minimum, model.newest, model.minimum)


BOUNDED = settings(
    max_examples=12, stateful_step_count=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
"""The same few lives each time: a failure is no flake. No step is bounded in time, for the machine may be busy."""
TestLife = pytest.mark.slow(Life.TestCase)
TestLife.settings = BOUNDED
