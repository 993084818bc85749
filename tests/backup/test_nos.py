"""Nobody is contacted after a no, by whatever order of granting, refusing, withdrawing, merging, erasing, copying and restoring.

Hypothesis chooses the deeds; the model knows only moments: a no holds for whoever said it and for every number that was hers then, through
every restore, until a consent is given that is newer than all of them.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.access.erasures import verified
from tests.access.test_silences import joined
from tests.backup.rescue import Rescue
from tests.household import FATIMA, asked, errand, grant, refuse, store, withdraw
from tests.simulator import World, world
from vault.access import contact, erasing
from vault.access.contact import Wanted
from vault.access.erasing import Officer
from vault.policy.facts import SELF
from vault.reclosing import reclose
from vault.records import service

NUMBERS = ("+966551234567", "+966557654321")
WHO = st.integers(0, 3)
DEEDS = st.one_of(
    st.tuples(st.sampled_from(["grant", "refuse", "withdraw", "store"]), WHO, st.just(0)),
    st.tuples(st.sampled_from(["renumber"]), WHO, st.integers(0, 1)),
    st.tuples(st.sampled_from(["merge"]), WHO, WHO),
    st.tuples(st.sampled_from(["erase", "copy", "restore"]), WHO, st.just(0)),
)


@dataclass(slots=True)
class One:
    """A record: its person, number, revision, newest consent and when it was given; `same` are the people she was found to be."""

    record: bytes
    subject: bytes
    number: int
    revision: int = 1
    consent: bytes = b""
    given_at: int = 0
    joined_at: int = 0
    same: set[int] = field(default_factory=set)


@dataclass(slots=True)
class No:
    """A no: when, by whom, and which numbers were hers."""

    at: int
    by: frozenset[int]
    numbers: frozenset[int]


class Life:
    """One vault and what comes of its copies, with the model beside it."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.runner = stack.enter_context(asyncio.Runner())
        first = folder / "first"
        first.mkdir()
        self.world: World = stack.enter_context(world(f"sqlite:///{first / 'vault.sqlite3'}", first))
        self.lives, self.copies = 0, list[Any]()
        self.rescue = Rescue(self.world, folder / "rescue")
        self.here: dict[int, One] = {}
        self.nos: list[No] = []
        self.gone: set[int] = set()
        self.merged: list[tuple[int, int, int]] = []

    def run(self, deed: Coroutine[Any, Any, Any]) -> Any:
        self.world.clock.forward(1)
        return self.runner.run(deed)

    def whole(self, who: int) -> set[int]:
        """Everybody she is."""
        return {who, *(self.here[who].same if who in self.here else ())}

    def store(self, who: int, _: int) -> None:
        if who not in self.here and who not in self.gone:
            kept = self.run(store(self.world, {**FATIMA, "mobile": NUMBERS[who % 2]}))
            self.here[who] = One(kept.record, kept.subject, who % 2)

    def grant(self, who: int, _: int) -> None:
        if who in self.here:
            self.world.clock.forward(1)
            wanted = self.run(asked(self.world, "sms_offers", fields=frozenset({"mobile", "full_name"})))
            given_ = self.run(grant(self.world, self.here[who].record, wanted))
            for one in self.whole(who):
                # Signed a second before it was recorded, and no no comes between.
                self.here[one].consent, self.here[one].given_at = given_.id, self.world.clock.now

    def said_no(self, who: int) -> None:
        hers = self.whole(who)
        self.nos.append(No(self.world.clock.now, frozenset(hers), frozenset(self.here[one].number for one in hers)))

    def refuse(self, who: int, _: int) -> None:
        if who in self.here:
            self.run(refuse(self.world, self.here[who].record))
            self.said_no(who)

    def withdraw(self, who: int, _: int) -> None:
        if who in self.here and self.here[who].consent:
            self.run(withdraw(self.world, self.here[who].consent))
            self.said_no(who)

    def renumber(self, who: int, number: int) -> None:
        if who in self.here:
            one, job = self.here[who], self.run(errand(self.world))
            fields = {"mobile": NUMBERS[number]}
            self.run(self.world.association.run(lambda deed: service.update(deed, job, one.record, one.revision, fields)))
            one.number, one.revision = number, one.revision + 1

    def merge(self, who: int, other: int) -> None:
        if who in self.here and other in self.here and other not in self.whole(who):
            self.run(joined(self.world, self.here[who].subject, self.here[other].subject))
            self.merged.append((who, other, self.world.clock.now))
            self.join(who, other, self.world.clock.now)

    def join(self, who: int, other: int, at: int) -> None:
        whole = self.whole(who) | self.whole(other)
        for one in whole:
            self.here[one].same, self.here[one].joined_at = whole - {one}, at

    def erase(self, who: int, _: int) -> None:
        if who in self.here:
            record = self.here[who].record
            id_ = self.run(self.by("officer", lambda deed, job, _: erasing.ask(deed, job, record, erasing.Wanted("x", SELF), None))).id
            self.run(self.by("second_officer", lambda deed, job, officer: erasing.approve(deed, job, officer, id_)))
            for one in self.whole(who):
                self.here.pop(one)
                self.gone.add(one)

    async def by(self, who: str, deed: Any) -> Any:
        caller = await self.world.person(who)
        job, officer = await errand(self.world, caller), Officer(caller, self.world.identity.factor, self.world.one_time_code(who))
        return await self.world.association.run(lambda open_: deed(open_, job, officer))

    def copy(self, _who: int, _: int) -> None:
        self.copies.append((self.rescue.take(), deepcopy(self.here)))

    def restore(self, _who: int, _: int) -> None:
        if not self.copies:
            return
        copy, then = self.copies.pop()
        self.copies.clear()
        self.run(self.world.association.checkpoint())
        self.lives += 1
        home, url = self.rescue.home(), f"sqlite:///{self.folder / f'life-{self.lives}.sqlite3'}"
        self.rescue.restore(url, home, copy)
        # All a restore keeps of what was done since is what was closed.
        self.here = {who: one for who, one in then.items() if who not in self.gone}
        for one in self.here.values():
            one.same &= set(self.here)
        for who, other, at in self.merged:
            if who in self.here and other in self.here and other not in self.whole(who):
                self.join(who, other, at)
        self.world = self.stack.enter_context(self.rescue.opened(url, home))
        self.rescue = Rescue(self.world, self.folder / f"rescue-{self.lives}")
        assert reclose(self.world.association, self.world.clock) == 0

    def check(self) -> None:
        """Whom the vault would contact, by one question and by a page, against what the model forbids and demands."""
        job = self.run(errand(self.world))
        wanted = Wanted(type="beneficiary", purpose="sms_offers", channel="sms")
        page = self.run(self.world.association.run(lambda deed: contact.page(deed, job, wanted)))
        listed = {one.record for one in page.contacts()}
        assert listed <= {one.record for one in self.here.values()}
        for who, one in self.here.items():
            allowed = self.run(self.world.association.run(self.asked(job, one.record))).verdict.allowed
            assert allowed == (one.record in listed)
            hers = self.whole(who)
            newest = max((no.at for no in self.nos if no.by & hers or one.number in no.numbers), default=0)
            if allowed:
                assert max(self.here[each].given_at for each in hers) > newest, (who, "contacted after a no")
            elif one.given_at > max(newest, one.joined_at):
                raise AssertionError((who, "agreed to after every no, and not contacted"))

    def asked(self, job: Any, record: bytes) -> Any:
        return lambda deed: contact.may_contact(deed, job, record, "sms_offers", "sms")


def told(*deeds: str) -> list[tuple[str, int, int]]:
    """These deeds, as Hypothesis draws them."""
    found = []
    for deed in deeds:
        name, *numbers = deed.split()
        who, more = (*map(int, numbers), 0, 0)[:2]
        found.append((name, who, more))
    return found


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(DEEDS, min_size=6, max_size=16))
@example(told("copy", "store 0", "grant 0", "withdraw 0", "store 2", "restore", "store 2"))
@example(told("grant 1", "copy", "store 2", "grant 2", "merge 1 2", "refuse 2", "restore"))
@example(told("copy", "store 2", "grant 2", "withdraw 2", "restore"))
@example(told("grant 1", "copy", "store 2", "merge 1 2", "renumber 1 0", "refuse 2", "restore"))
@example(told("refuse 0", "grant 1", "renumber 1 0", "merge 0 1", "grant 0", "copy", "refuse 1", "erase 1", "restore"))
def test_nobody_is_contacted_after_a_no(deeds: list[tuple[str, int, int]]):
    with ExitStack() as stack:
        life = Life(stack, Path(stack.enter_context(TemporaryDirectory(prefix="amanah-nos-"))))
        for who in (0, 1):
            life.store(who, 0)
            life.grant(who, 0)
        for name, who, more in deeds:
            getattr(life, name)(who, more)
            life.check()
        assert life.run(verified(life.world)) == []
