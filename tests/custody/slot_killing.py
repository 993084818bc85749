"""Kills the changes of slots at any step: the slot is there or it is not, and the same command once more says so and completes it."""

import random
from pathlib import Path

from keys import epochs
from keys.errors import Unopenable
from keys.roots import shamir
from keys.roots.key_file import KeyFile
from tests.custody.killing import STEPS, Deaths, Killing
from tests.journeys.served import FIRST, Served
from vault.identity.opening import identifier_of
from vault.storage.engine import Database


class SlotKilling(Killing):
    """One served vault whose roots come and go."""

    def __init__(self, vault: Served, rng: random.Random) -> None:
        """Take a founded vault that does not run, and give it a recovery slot with its shares in files."""
        super().__init__(vault, rng)
        self.epochs = self.settings.association_folder(FIRST) / "epochs"
        database = Database(self.settings.address)
        self.id = identifier_of(database, FIRST)
        database.dispose()
        root, shares = shamir.create()
        epochs.add_slot(self.epochs, self.id, KeyFile(vault.root), "recovery", root)
        self.shares = [vault.folder / f"share-{number}" for number, _ in enumerate(shares)]
        for file, share in zip(self.shares, shares, strict=True):
            file.write_text(share.printed(), encoding="utf-8")
        self.longest: dict[str, int] = {}
        self.number = 0

    def rounds(self, count: int) -> Deaths:
        """So many deaths of each of the three commands; returns in which state each left the file."""
        for live in (True, *(False for _ in range(count))):
            self.give("slot-add", live=live)
            self.take(live=live)
            self.give("recover", live=live)
            self.take(live=live)
            self.whole(1)
        return self.deaths

    def give(self, how: str, *, live: bool) -> None:
        """A root gets a slot, by two people or by the shares."""
        self.number += 1
        name, file = f"s{self.number}", self.vault.folder / f"root-{self.number}"
        if how == "slot-add":
            command = ["carry-out", self.agreed("slot-add", name=name, root="key-file")]
        else:
            command = ["recover", name, *(part for share in self.shares for part in ("--share-file", str(share)))]
        self.suffer(how, (*command, "--root-file", str(file)), name, live=live)
        assert self.opens(file)

    def take(self, *, live: bool) -> None:
        """The last root that got a slot loses it."""
        name, file = f"s{self.number}", self.vault.folder / f"root-{self.number}"
        self.suffer("slot-remove", ("carry-out", self.agreed("slot-remove", name=name)), name, live=live)
        assert not self.opens(file)

    def suffer(self, how: str, command: tuple[str, ...], name: str, *, live: bool) -> None:
        """Run the command, killed at any step; then once more, which has to say that it is done."""
        before = name in self.slots()
        died, said = self.struck(0 if live else self.rng.randrange(1, self.longest[how] + 1), *command)
        if not died:
            self.longest[how] = max(self.longest.get(how, 0), int(STEPS.search(said)[1]))  # type: ignore[index]
            if not live:
                self.deaths.note(f"{how}: lived")
            return
        self.deaths.note(f"{how}: {'old' if (name in self.slots()) == before else 'new'}")
        again, said = self.struck(0, *command)
        assert not again
        assert any(each in said for each in ("is carried out", "ceremony-settled", f"opens the keys by the slot {name}")), said
        assert (name in self.slots()) != before

    def slots(self) -> set[str]:
        """The names of the slots, as the root of every day sees them; the file opens, whatever happened."""
        return {name for name, _ in epochs.told(self.epochs, self.id, KeyFile(self.vault.root)).slots}

    def opens(self, file: Path) -> bool:
        """Whether this root opens the keys."""
        try:
            epochs.load(self.epochs, self.id, KeyFile(file))
        except Unopenable:
            return False
        return True


def slot_deaths(vault: Served, count: int, rng: random.Random) -> Deaths:
    """Change slots and be killed so many times at each of the three commands; returns how each death left the file."""
    return SlotKilling(vault, rng).rounds(count)
