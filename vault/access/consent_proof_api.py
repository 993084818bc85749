"""The calls that give the proof of consents as one file, for a court, an authority or the person: one consent, or all of a person."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from vault.access import consent_proof, proof_bundle
from vault.access.consent_proof import Gathered
from vault.access_log.checkpoint import opened
from vault.access_log.deed import Deed
from vault.access_log.proofs import inclusion_proof
from vault.consent.log_words import not_lost
from vault.rulebook.alarm import Meant, heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.association import Association
from vault.rulebook.channels import Channels
from vault.storage.transaction import Transaction
from vault.subjects.meant import by_consent, by_record
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call
from vault.web.route import Person, Route

_AS_FILE = {"Content-Disposition": 'attachment; filename="consent-proof.zip"'}


async def _bundle(errand: Errand, gather: Callable[[], Awaitable[Gathered]], meant: Meant) -> Answer:
    """The bundle of what the deed gathers, under a checkpoint that covers it."""
    association: Association = errand.asker.association

    async def made() -> bytes:
        gathered = await gather()
        note = await association.checkpoint()
        size = opened(note, association.cabinet.signer.vkey_at, association.code).size

        def paths(transaction: Transaction) -> dict[int, list[bytes]]:
            return {number: inclusion_proof(transaction, association.id, number, size) for number in gathered.entries}

        found = await association.look(paths)
        return await asyncio.to_thread(proof_bundle.written, gathered, found, note, association.cabinet.signer)

    return Answer(await heard(errand, made, meant), headers=_AS_FILE)


def _of(asker: Asker, channels: Mapping[str, Channels]) -> Channels:
    return channels.get(asker.association.code, Channels())


def consent_proof_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The two calls; `channels` hold the associations' names by code."""

    async def of_consent(call: Call) -> Answer:
        """The proof of one consent."""
        consent, errand, names = call.path_id("consent"), Errand(call.caller, call.request_id), _of(call.caller, channels).names

        async def gathered() -> Gathered:
            return await errand.asker.association.run(lambda deed: consent_proof.of_consent(deed, errand, consent, names))

        return await _bundle(errand, lambda: not_lost(errand.asker.association, consent, gathered), by_consent(consent))

    async def of_record(call: Call) -> Answer:
        """The proof of all consents of a person."""
        record, errand, names = call.path_id("record"), Errand(call.caller, call.request_id), _of(call.caller, channels).names

        def gathered(deed: Deed) -> Gathered:
            return consent_proof.of_record(deed, errand, record, names)

        return await _bundle(errand, lambda: errand.asker.association.run(gathered), by_record(record))

    return [
        Route(
            method="GET",
            path="/v1/consents/{consent}/proof",
            name="consents.proof",
            handler=of_consent,
            access=Person("log:read"),
            media_type=OCTETS,
            summary="The proof of one consent as a signed archive: words shown, events, receipt, entries with their proofs, checkpoint.",
        ),
        Route(
            method="GET",
            path="/v1/records/{record}/consent-proof",
            name="records.consent_proof",
            handler=of_record,
            access=Person("log:read"),
            media_type=OCTETS,
            summary="The proof of a person's consents, the newest 200, as one signed archive.",
        ),
    ]
