"""Examines the indexes to orders and to recalls, keys of studies, emergencies nobody looked into, and requests past due: for `doctor`."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, select

from keys.cabinet import Cabinet
from keys.errors import Unopenable
from keys.pseudonyms import Pseudonyms
from vault.access.alert_facts import ALERT
from vault.access.copies import day_of
from vault.access.recall_facts import RECALL
from vault.access.shapes import ORDER, ORDER_PAGE
from vault.access.study_shapes import STUDY
from vault.access.tables import order_record, recall_outbox
from vault.errors import Unavailable
from vault.rulebook.facts import holding, read_all
from vault.rulebook.requests import REQUEST
from vault.rulebook.study_keys import study_key
from vault.storage.octets import octets

DAY = 86_400_000_000


def examine(connection: Connection, cabinet: Cabinet, association: bytes) -> Iterator[str]:
    """What does not hold, row by row in words; orders that do not hold are named with the other facts."""
    try:
        found = read_all(connection, cabinet, association, {ORDER.name, ORDER_PAGE.name})
    except Unavailable:
        return
    told = [msgspec.json.decode(content, type=ORDER.shape) for content in found.get(ORDER.name, {}).values()]
    pages = [msgspec.json.decode(content, type=ORDER_PAGE.shape) for content in found.get(ORDER_PAGE.name, {}).values()]
    named = [*((order.id, order.records) for order in told), *((page.order, page.records) for page in pages)]
    expected = {(bytes.fromhex(record), bytes.fromhex(order)) for order, records in named for record in records}
    query = select(octets(order_record.c.record), octets(order_record.c.order_id))
    for place in connection.execute(query.where(order_record.c.association_id == association)):
        if tuple(place) not in expected:
            yield f"order_record {place.record.hex()}: no order says so ({place.order_id.hex()})"
        expected.discard((place.record, place.order_id))
    for record, order_id in expected:
        yield f"order_record {record.hex()}: missing, and order {order_id.hex()} names it"


def papers(connection: Connection, cabinet: Cabinet, association: bytes) -> dict[bytes, bytes]:
    """Which scan is the paper of which order, by the orders that hold: both 16 bytes."""
    told = holding(connection, cabinet, association, ORDER).values()
    return {bytes.fromhex(order.scan): bytes.fromhex(order.id) for order in told if order.scan}


def studied(connection: Connection, cabinet: Cabinet, association: bytes) -> Iterator[str]:
    """Keys of pseudonyms that are of no study, do not open or are missing; studies that do not hold are named with the facts."""
    known = holding(connection, cabinet, association, STUDY).values()
    missing = {bytes.fromhex(one.id) for one in known if one.stands and one.form == "extract"}
    query = select(octets(study_key.c.study), octets(study_key.c.wrapped)).where(study_key.c.association_id == association)
    for study, wrapped in connection.execute(query):
        name = f"study_key {study.hex()}"
        if study not in missing:
            yield f"{name}: of no study that stands"
            continue
        missing.discard(study)
        try:
            Pseudonyms(cabinet.keys, study, wrapped)
        except Unopenable:
            yield f"{name}: does not open for its study"
    yield from (f"study_key {study.hex()}: missing, so the study gives no pseudonyms" for study in sorted(missing))


def overdue(connection: Connection, cabinet: Cabinet, association: bytes, now: int) -> Iterator[str]:
    """Cases opened in an emergency that nobody looked into within 48 hours; alerts that do not hold are named with the facts."""
    try:
        found = read_all(connection, cabinet, association, {ALERT.name}).get(ALERT.name, {})
    except Unavailable:
        return
    for key, content in found.items():
        alert = msgspec.json.decode(content, type=ALERT.shape)
        if alert.is_overdue(now):
            yield f"alert {key}: a case was opened in an emergency by {alert.hand}, and nobody has looked into it within 48 hours"


def recalled(connection: Connection, cabinet: Cabinet, association: bytes, now: int) -> Iterator[str]:
    """Recipients who have not confirmed what they were to destroy or correct, and rows of the outbox that do not fit the recalls."""
    try:
        found = read_all(connection, cabinet, association, {RECALL.name}).get(RECALL.name, {})
    except Unavailable:
        return
    told = {bytes.fromhex(key): msgspec.json.decode(content, type=RECALL.shape) for key, content in found.items()}
    untold = {key for key, one in told.items() if one.is_open and one.told_at is None}
    query = select(octets(recall_outbox.c.recall)).where(recall_outbox.c.association_id == association)
    for row in connection.execute(query).scalars():
        if row not in told:
            yield f"recall_outbox {row.hex()}: no recall says so"
        untold.discard(row)
    for key in sorted(untold):
        yield f"recall_outbox {key.hex()}: missing, and the recall was never told"
    waiting = [one for one in told.values() if one.is_open]
    for recipient in sorted({one.recipient for one in waiting}):
        hers = [one.raised_at for one in waiting if one.recipient == recipient]
        days = (now - min(hers)) // DAY
        yield f"recalls: {recipient} has not confirmed {len(hers)}, the oldest of {days} days ago (GET /v1/recalls)"


def unanswered(connection: Connection, cabinet: Cabinet, association: bytes, now: int) -> Iterator[str]:
    """Requests of people whose answer is past due (law 4, implementing regulation 3); what does not hold is named with the facts."""
    for key, found in sorted(holding(connection, cabinet, association, REQUEST).items(), key=lambda each: each[1].due_at):
        if found.is_overdue(now):
            yield f"request {key}: {found.kind}, its answer was due on {day_of(found.due_at)}; GET /v1/requests?state=overdue lists them"
