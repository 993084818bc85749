"""The call that gives an incident as one file, for an authority or an auditor, to the officer who asks and to nobody else."""

import asyncio
from collections.abc import Mapping

from vault.access import incident_bundle, incident_export
from vault.access.incident_bundle import Names, Proofs
from vault.access.incident_evidence_api import job_of
from vault.access.proving import audit_paths
from vault.access.touches import AT_ONCE, as_saved, bodies
from vault.access_log.checkpoint import opened_of_any_epoch
from vault.breach_reports.evidence_facts import EvidenceFact
from vault.rulebook.alarm import heard
from vault.rulebook.association import Association
from vault.rulebook.channels import Channels
from vault.storage.transaction import Transaction
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call
from vault.web.route import Person, Route


def export_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The call of this file; `channels` hold the associations' names by code."""

    async def export(call: Call) -> Answer:
        """An incident as one file."""
        job = job_of(call)
        association: Association = job.errand.asker.association
        named = channels.get(association.code, Channels())
        names = Names(association.code, {language: named.named(association.code, language) for language in ("ar", "en")})

        async def made() -> tuple[str, bytes]:
            exporting = await association.run(lambda deed: incident_export.take(deed, job.errand, job.incident))
            proofs = {
                each.fact.id: await _proofs(association, each.fact, incident_bundle.rows(pages)) for each, pages in exporting.evidence
            }
            content = await asyncio.to_thread(incident_bundle.written, exporting, proofs, names, association.cabinet.signer)
            return exporting.taken.case.fact.reference, content

        reference, content = await heard(job.errand, made, job.about)
        return Answer(content, headers={"Content-Disposition": f'attachment; filename="{reference}.zip"'})

    return [
        Route(
            method="GET",
            path="/v1/incidents/{incident}/export",
            name="incidents.export",
            handler=export,
            access=Person("reports"),
            media_type=OCTETS,
            summary="An incident as one signed archive for an authority or an auditor, without anything of its reporters; an entry.",
        )
    ]


async def _proofs(association: Association, fact: EvidenceFact, rows: list[tuple[int, str]]) -> Proofs:
    """The entries with their paths. Raises Unavailable `integrity` where one of them is not what was saved."""
    size = opened_of_any_epoch(fact.note, association.cabinet.signer.vkey_at, association.code).size

    def found(transaction: Transaction) -> Proofs:
        held: dict[int, bytes] = {}
        paths: dict[int, list[bytes]] = {}
        for at in range(0, len(rows), AT_ONCE):
            slab = rows[at : at + AT_ONCE]
            numbers = [number for number, _ in slab]
            stored = bodies(transaction, association.id, numbers)
            for number, leaf in slab:
                held[number] = as_saved(stored.get(number), leaf)
            paths |= audit_paths(transaction, association.id, numbers, size)
        return Proofs(held, paths)

    return await association.look(found)
