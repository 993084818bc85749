"""`amanah demo`: founds a vault in a throw-away folder, loads invented families, and tells the story or serves.

Invariants: only processes started here are ended, and the folder is removed, however it goes; exit 0 only if every answer was as told.
"""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from rich.console import Console
from rich.text import Text

from vault.demo.client import Authenticator, Client, signed_in, token_of
from vault.demo.loading import load
from vault.demo.numbers import Numbers
from vault.demo.own_words import NoArticles, of_document, of_pack
from vault.demo.people import beneficiaries, widow
from vault.demo.scene import ASSOCIATION, Scene
from vault.demo.serving import keep_open
from vault.demo.story import STEPS, tell
from vault.demo.telling import Teller
from vault.demo.vault_process import NotServing, VaultProcess, is_free
from vault.records.values.dates import hijri_of

DEFAULT_SEED = "amanah"
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: how many beneficiaries, the seed, whether to serve and where, and a policy document to quote."""

    records: int
    seed: str
    serve: bool
    port: int
    policy: Path | None


def run(records: int = 1000, seed: str = DEFAULT_SEED, *, serve: bool = False, port: int = 8080, policy: Path | None = None) -> int:
    """Run the demonstration and return the exit status.

    With `serve` it tells no story and stays on `port` until interrupted; the articles of `policy`, an association's own document, are
    quoted instead of the pack's.
    """
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="amanah-demo-"))
    vault = VaultProcess(folder / "vault", folder / "root-key")
    vault.folder.mkdir()
    try:
        with _ended_kindly():
            return _demonstrate(console, vault, Wanted(records, seed, serve, port, policy))
    except (NotServing, OSError) as error:
        console.print(Text(f"✗ لم يتم العرض · the demonstration could not go on: {error}", style="bold red"))
        return 1
    except KeyboardInterrupt:
        return 0 if serve else INTERRUPTED
    finally:
        vault.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _demonstrate(console: Console, vault: VaultProcess, wanted: Wanted) -> int:
    began = time.monotonic()
    words = _words(wanted.policy)
    if wanted.serve and not is_free(wanted.port):
        raise NotServing(f"127.0.0.1:{wanted.port} is taken")
    console.print(Text("تُؤسَّس خزنة في مجلد مؤقت · a vault is founded in a throw-away folder", style="dim"))
    secrets = vault.found(ASSOCIATION)
    vault.introduce(ASSOCIATION)
    vault.serve(wanted.port if wanted.serve else 0)
    with closing(Client(vault.port, secrets["api_key"])) as client:
        year = int(hijri_of(datetime.now(tz=UTC).date())[:4])
        loaded = load(client, beneficiaries(wanted.seed, year, wanted.records), console)
        if loaded.complaint:
            raise NotServing(loaded.complaint)
        console.print(Text(f"{loaded.records} records · {time.monotonic() - began:.1f} s", style="dim"))
        woman, numbers = widow(wanted.seed, year), Numbers(Random(f"numbers {wanted.seed}"))
        if wanted.serve:
            return keep_open(console, vault, client, secrets, (woman, numbers.national_id("1")))
        authenticators = {who: Authenticator(login["totp_secret"]) for who, login in secrets["staff"].items()}
        reader = _reader(client, secrets["staff"], authenticators)
        teller = Teller(client, reader, words, console)
        with closing(teller.stranger):
            tell(teller, Scene(vault, secrets["staff"], woman, numbers, authenticators, sessions={"second_officer": reader}))
    return _verdict(teller, time.monotonic() - began)


def _reader(client: Client, staff: Mapping[str, Mapping[str, Any]], authenticators: Mapping[str, Authenticator]) -> str:
    """A token of the second officer, to look entries up with, so that the first may sign in before everybody's eyes."""
    return token_of(signed_in(client, staff["second_officer"], authenticators["second_officer"], time.time()))


def _words(policy: Path | None) -> Mapping[str, str]:
    """The words shown beside a cited article: the document's where one is given. Raises NotServing where it has no articles."""
    if policy is None:
        return of_pack()
    try:
        return of_document(policy.read_text(encoding="utf-8-sig"))
    except (NoArticles, UnicodeDecodeError) as error:
        raise NotServing(f"{policy.name}: no article headed المادة (1), المادة (2)… in UTF-8 text") from error


def _verdict(teller: Teller, seconds: float) -> int:
    """Say how the story ended; the exit status."""
    steps = ", ".join(str(step.number) for step in STEPS)
    console = teller.console
    console.print()
    for fault in teller.faults:
        console.print(Text(f"✗ {fault}", style="bold red"))
    if teller.faults:
        console.print(Text(f"{len(teller.faults)} من {teller.checked} ليست كما في القصة · not as told ({seconds:.1f} s)", style="bold red"))
        return 1
    console.print(
        Text(f"✓ كل جواب كما في القصة · every answer as told: steps {steps}, {teller.checked} checks, {seconds:.1f} s", style="bold green")
    )
    return 0


@contextmanager
def _ended_kindly() -> Iterator[None]:
    """Inside, a SIGTERM ends the demonstration like Ctrl-C, so that its server and folder do not stay behind."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
