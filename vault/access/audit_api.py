"""The calls of the auditor: entries, a person's report, and the log's own proofs; scope `log:read` or `log:verify`, never public."""

import base64

import msgspec

from vault.access import audit
from vault.access.audit import Page, Shown, Wanted
from vault.access_log.proofs import consistency_proof, inclusion_proof
from vault.access_log.tiles import serve, tile_path
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.association import Association
from vault.subjects.meant import by_record
from vault.web.answer import OCTETS, TEXT, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Needs, Query, Route
from vault.web.times import write_time

_PAGE = {"after": Query(kind="integer", low=0), "limit": Query(kind="integer", low=1, high=500, default=50)}


class EntryShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"on_behalf": "for"}):
    """One entry of the log as an officer sees it."""

    index: int
    time: str
    kind: str
    actor: str
    outcome: str
    leaf_hash: str
    on_behalf: str | None = None
    record: str | None = None
    fields: list[str] | None = None
    predicate: str | None = None
    purpose: str | None = None
    recipient: str | None = None
    basis: str | None = None
    article: str | None = None
    law: str | None = None
    reason: str | None = None
    flags: list[str] | None = None
    count: int | None = None


class EntriesAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of entries, newest first, where the next begins, and how many are about a case the reader is excluded from."""

    items: list[EntryShown]
    next: int | None
    withheld: int = 0


class HashesAnswer(msgspec.Struct, frozen=True):
    """A proof of RFC 6962: hashes in base64."""

    hashes: list[str]


async def entries(call: Call) -> Answer:
    """A page of the access log."""
    asker: Asker = call.caller
    query = call.query
    wanted = Wanted(
        record=query["record"],
        actor=actor_of(query["actor"]) if query["actor"] is not None else None,
        purpose=query["purpose"],
        outcome=query["outcome"],
        kind=query["kind"],
        since=query["from"],
        until=query["to"],
        after=query["after"],
        limit=query["limit"],
    )
    errand = Errand(asker, call.request_id)
    found = await heard(errand, lambda: asker.association.run(lambda deed: audit.entries(deed, errand, wanted)))
    return Answer(_page(found))


async def report(call: Call) -> Answer:
    """Who saw this person."""
    asker: Asker = call.caller
    record, after, limit = call.path_id("record"), call.query["after"], call.query["limit"]
    errand, for_person = Errand(asker, call.request_id), call.query["reader"] == "person"
    association, meant = asker.association, by_record(record)

    async def asked() -> audit.Page:
        return await association.run(lambda deed: audit.seen_by(deed, errand, record, after, limit, for_person=for_person))

    found = await heard(errand, asked, meant)
    return Answer(_page(found))


async def checkpoint(call: Call) -> Answer:
    """The newest signed checkpoint."""
    return Answer(await (await standing(call)).checkpoint())


async def inclusion(call: Call) -> Answer:
    """The proof that an entry is in the log of a size."""
    association, query = await standing(call), call.query
    return _hashes(await association.look(lambda transaction: inclusion_proof(transaction, association.id, query["index"], query["size"])))


async def consistency(call: Call) -> Answer:
    """The proof that one size of the log is the beginning of another."""
    association, query = await standing(call), call.query
    return _hashes(await association.look(lambda transaction: consistency_proof(transaction, association.id, query["from"], query["to"])))


async def tile(call: Call) -> Answer:
    """A tile of the tree or a bundle of entries."""
    association, path = await standing(call), tile_path(call.path["tile"])
    if path.level is None:
        errand = Errand(call.caller, call.request_id)
        await heard(errand, lambda: association.run(lambda deed: audit.open_bundle(deed, errand, path)))
    return Answer(await association.look(lambda transaction: serve(transaction, association.id, path)), media_type=OCTETS)


async def standing(call: Call) -> Association:
    """The caller's association, once the caller stands under the present law: another process may have revoked her key."""
    asker: Asker = call.caller
    await asker.association.run(asker.still)
    return asker.association


def _hashes(path: list[bytes]) -> Answer:
    return Answer(HashesAnswer([base64.b64encode(one).decode() for one in path]))


def actor_of(text: str) -> str:
    """An actor as the log writes it: `client:<hex>` or `staff:<hex>`, taken with the id as UUID too. Raises Invalid."""
    kind, _, id_ = text.partition(":")
    if kind not in ("client", "staff") or not id_:
        raise Invalid([FieldError("actor", "wrong-type")])
    try:
        return f"{kind}:{parse_id(id_).hex()}"
    except NotFound:
        return text


def _page(found: Page) -> EntriesAnswer:
    return EntriesAnswer([shown_as(one) for one in found.items], found.next, found.withheld)


def shown_as(one: Shown) -> EntryShown:
    """An entry as it is shown."""
    entry = one.stored.entry
    record = next((about.record for about in entry.about if about.record is not None), None)
    return EntryShown(
        index=one.number,
        time=write_time(one.stored.time),
        kind=entry.kind,
        actor=entry.actor,
        outcome=entry.outcome,
        leaf_hash=one.leaf.hex(),
        on_behalf=entry.on_behalf,
        record=write_id(record) if record is not None else None,
        fields=list(entry.fields) or None,
        predicate=entry.predicate,
        purpose=entry.purpose,
        recipient=entry.recipient,
        basis=entry.basis,
        article=entry.article,
        law=entry.law,
        reason=entry.reason,
        flags=list(entry.flags) or None,
        count=entry.count,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/access-log",
        name="access_log.read",
        handler=entries,
        access=Needs("log:read"),
        answer=EntriesAnswer,
        query={
            "record": Query(kind="id"),
            "actor": Query(kind="text", high=64),
            "purpose": Query(kind="text", high=64),
            "outcome": Query(kind="choice", choices=("allow", "refuse", "error")),
            "kind": Query(kind="text", high=40),
            "from": Query(kind="time"),
            "to": Query(kind="time"),
            **_PAGE,
        },
        summary="A page of the access log, newest first; the reading is an entry itself.",
    ),
    Route(
        method="GET",
        path="/v1/records/{record}/access-report",
        name="records.access_report",
        handler=report,
        access=Needs("log:read"),
        answer=EntriesAnswer,
        query={"reader": Query(kind="choice", choices=("officer", "person"), default="officer"), **_PAGE},
        summary="Who saw this person, when, why and on what basis.",
    ),
    Route(
        method="GET",
        path="/v1/access-log/checkpoint",
        name="access_log.checkpoint",
        handler=checkpoint,
        access=Needs("log:verify"),
        media_type=TEXT,
        summary="The newest signed checkpoint (C2SP tlog-checkpoint).",
    ),
    Route(
        method="GET",
        path="/v1/access-log/proofs/inclusion",
        name="access_log.inclusion",
        handler=inclusion,
        access=Needs("log:verify"),
        answer=HashesAnswer,
        query={"index": Query(kind="integer", required=True, low=0), "size": Query(kind="integer", required=True, low=1)},
        summary="An inclusion proof (RFC 6962).",
    ),
    Route(
        method="GET",
        path="/v1/access-log/proofs/consistency",
        name="access_log.consistency",
        handler=consistency,
        access=Needs("log:verify"),
        answer=HashesAnswer,
        query={"from": Query(kind="integer", required=True, low=1), "to": Query(kind="integer", required=True, low=1)},
        summary="A consistency proof (RFC 6962).",
    ),
    Route(
        method="GET",
        path="/v1/access-log/tile/{tile:path}",
        name="access_log.tile",
        handler=tile,
        access=Needs("log:verify"),
        media_type=OCTETS,
        summary="A tile or a bundle of entries (C2SP tlog-tiles).",
    ),
)
