"""A contact list of 100,000 people while withdrawals keep coming in: nobody on it behind her withdrawal, and what one person on it costs.

Everybody agreed to offers by text message. The list is made page by page through one log while people withdraw through another over the
same database, as two processes do. Prints both costs, a person on a page against a `may-contact` alone, each with its commit; ends with 1
where anybody was given out behind her withdrawal, or where the list costs more. A smaller number of people can be given as argument.
"""

import asyncio
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from keys.roots import key_file
from vault.access import contact
from vault.access.contact import Wanted
from vault.access.withdrawals import withdraw
from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import parse
from vault.app import clock
from vault.consent import service as consents
from vault.consent.within import Consent
from vault.errors import Unavailable
from vault.identity.callers import client_caller
from vault.identity.founding import found
from vault.identity.opening import open_association
from vault.policy.facts import INTERNAL, SELF
from vault.records import service, shelf
from vault.records.service import Intake
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.storage import schema
from vault.storage.engine import Database
from vault.web.times import write_time

LARGE, PAGE, ALONE, AT_ONCE = 100_000, 500, 400, 100
PAUSE = 0.004
"""Seconds between two withdrawals."""


@dataclass(frozen=True, slots=True)
class Process:
    """The association as one process has it open."""

    association: Association
    errand: Errand


def opened(database: Database, folder: Path, executor: ThreadPoolExecutor) -> Process:
    """Open the association in a process of its own."""
    root, home = key_file.KeyFile(folder / "root"), folder / "home"
    association = open_association(database, code="bench", root=root, folder=home, executor=executor, clock=clock)
    book = association.log.run_now(database, [association.books.at], clock)[0]
    key, client = next(iter(book.clients.items()))
    return Process(association, Errand(client_caller(association, book, key, client), "bench"))


async def people(process: Process, count: int) -> dict[bytes, bytes]:
    """Store so many people who agree to offers by text message: consents by record."""
    made: dict[bytes, bytes] = {}
    association, errand = process.association, process.errand
    for start in range(0, count, AT_ONCE):
        records = await association.run(partial(_all_stored, errand=errand, first=start), weight=500)
        made |= await association.run(partial(_all_agreed, errand=errand, records=records), weight=500)
    return made


def _all_stored(deed: Deed, errand: Errand, first: int) -> list[bytes]:
    return [_stored(deed, errand, first + number) for number in range(AT_ONCE)]


def _all_agreed(deed: Deed, errand: Errand, records: list[bytes]) -> dict[bytes, bytes]:
    return {one: _agreed(deed, errand, one) for one in records}


def _stored(deed: Deed, errand: Errand, number: int) -> bytes:
    shape = errand.book(deed).types["beneficiary"]
    fields = {"full_name": "علي حسن", "identity_note": "x", "mobile": f"05{number:08}"}
    return service.store(deed, errand, Intake("beneficiary", shelf.clean(shape, fields))).record


def _agreed(deed: Deed, errand: Errand, record: bytes) -> bytes:
    notice = errand.book(deed).current_notice("sms_offers")
    if notice is None:
        raise SystemExit("no notice")
    at = write_time(deed.now)
    evidence = {
        "act": "checkbox",
        "text_sha256": notice.sha256["ar"],
        "served_at": at,
        "answered_at": at,
        "proof": {"method": "one_time_code", "verified_at": at},
        "asserted_by": "client",
    }
    consent = Consent(
        purpose="sms_offers",
        recipient=INTERNAL,
        fields=frozenset({"mobile"}),
        form="electronic",
        explicit=False,
        notice=notice.id,
        notice_version=notice.version,
        language="ar",
        sha256=notice.sha256["ar"],
        given_by=SELF,
        indicated_at=deed.now,
        expires_at=None,
        evidence=evidence,
    )
    return consents.grant(deed, errand, record, consent, None).id


async def alone(process: Process, records: list[bytes]) -> float:
    """Seconds for one `may-contact` with its commit, the mean over these records."""
    begun = time.perf_counter()
    for record in records:
        asked = partial(contact.may_contact, errand=process.errand, record=record, purpose="sms_offers", channel="sms")
        await process.association.run(asked)
    return (time.perf_counter() - begun) / len(records)


async def listed(process: Process) -> tuple[float, int, int]:
    """Make the whole list: seconds, people on it, people left out."""
    after, given, left_out, begun = None, 0, 0, time.perf_counter()
    while True:
        wanted = Wanted(type="beneficiary", purpose="sms_offers", channel="sms", after=after, limit=PAGE)
        try:
            page = await process.association.run(partial(contact.page, errand=process.errand, wanted=wanted), weight=PAGE)
        except Unavailable:
            continue  # the other process had the database: the page is asked for again
        given += len(await asyncio.to_thread(page.contacts))
        left_out += page.left_out
        after = page.next
        if after is None:
            return time.perf_counter() - begun, given, left_out


async def withdrawals(process: Process, given: list[bytes], done: asyncio.Event) -> int:
    """Withdraw one consent after another until the list is made; how many."""
    count = 0
    for consent in given:
        while not done.is_set():
            try:
                withdrawn = partial(withdraw, errand=process.errand, consent=consent, given_by=SELF, reason=None)
                await process.association.run(withdrawn)
            except Unavailable:
                continue
            count += 1
            break
        await asyncio.sleep(PAUSE)
        if done.is_set():
            break
    return count


def behind(database: Database, association: bytes) -> tuple[int, int]:
    """How many were given out behind their withdrawal, and how many withdrew before their page was made, by the log itself."""
    ended: set[bytes] = set()
    wrong = kept_out = 0
    with database.connect() as connection:
        place = tables.entry.c
        query = select(place.kind, place.outcome, place.body).where(place.association_id == association).order_by(place.number)
        for kind, outcome, body in connection.execute(query):
            if kind == "consent.withdrawn":
                ended |= {about.subject for about in parse(bytes(body)).entry.about}
            elif kind == contact.GIVEN:
                met = len(ended & {about.subject for about in parse(bytes(body)).entry.about}) if ended else 0
                wrong += met if outcome == "allow" else 0
                kept_out += met if outcome == "refuse" else 0
    return wrong, kept_out


async def measure(folder: Path, count: int) -> int:
    """Build, list and compare."""
    address = f"sqlite:///{folder / 'vault.sqlite3'}"
    database, other = Database(address), Database(address)
    schema.upgrade(database)
    root, home = key_file.create(folder / "root"), folder / "home"
    found(database, code="bench", pack="cooperative", folder=home, root=root, clock=clock)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
        lister, closer = opened(database, folder, one), opened(other, folder, two)
        made = await people(lister, count)
        rng, records = random.Random(1447), list(made)
        single = await alone(lister, rng.sample(records, min(ALONE, count)))
        done, order = asyncio.Event(), list(made.values())
        rng.shuffle(order)
        ending = asyncio.ensure_future(withdrawals(closer, order, done))
        seconds, given, left_out = await listed(lister)
        done.set()
        withdrawn = await ending
        wrong, kept_out = behind(database, lister.association.id)
        lister.association.log.close()
        closer.association.log.close()
    database.dispose()
    other.dispose()
    each = seconds / (given + left_out)
    print(f"sqlite: a list of {count} people while {withdrawn} withdrew: {given} on it, {left_out} left out, {seconds:.1f} s")
    print(f"  {kept_out} had withdrawn before their page was made; given out behind a withdrawal: {wrong}")
    print(f"  a person on a page {each * 1e6:.0f} us  a may-contact alone {single * 1e6:.0f} us  ratio {each / single:.2f}  gate 1")
    return int(wrong > 0 or kept_out == 0 or each > single)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(asyncio.run(measure(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else LARGE)))
