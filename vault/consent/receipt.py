"""The receipt of a consent: a JSON-LD document after the field list of ISO/IEC TS 27560 in the words of the W3C DPV, and nothing personal.

Invariants: a consent that stands as it stood gives the same document, byte for byte; every IRI is either the vocabulary's or the
association's own; ids are random, and no value of a record stands in it. Format: docs/spec/receipt.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from vault.consent.forms_code import code_of
from vault.consent.history import Told
from vault.policy.events import Given, Stopped
from vault.policy.facts import INTERNAL, SELF
from vault.policy.pack import Pack
from vault.rulebook.shapes import FieldFact, NoticeFact, PurposeFact
from vault.web.call import write_id
from vault.web.times import write_time

Json = dict[str, Any]

RECEIPT: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt"
RECORD: Final = "https://w3id.org/dpv/schema/dpv-27560#record"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_IRIS: Final = (
    *("dct:conformsTo", "dct:publisher", "dct:audience", "dpv:hasRecordOfActivity", "dpv:hasDataSubject", "dpv:hasDataController"),
    *("dpv:hasNotice", "dpv:hasProcess", "dpv:hasPurpose", "dpv:hasPersonalData", "dpv:hasRecipient", "dpv:hasStorageCondition"),
    *("dpv:hasLocation", "dpv:hasJurisdiction", "dpv:hasConsentControl", "dpv:isExercisedAt", "dpv:hasRight", "dpv:hasLegalBasis"),
    *("dpv:hasApplicableLaw", "dpv:hasAuthority", "dpv:hasEntity", "dpv:hasConsentStatus", "dpv:isIndicatedBy", "skos:broader"),
    *("dpv:hasNecessity", "amanah:type"),
)
CONTEXT: Final[Json] = {
    "amanah": "urn:amanah:term:",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": _XSD,
    **{name: {"@id": name, "@type": "@id"} for name in _IRIS},
    **{name: {"@id": name, "@type": "xsd:dateTime"} for name in ("dct:created", "dct:issued", "dpv:isIndicatedAtTime")},
    "dpv:hasDuration": {"@id": "dpv:hasDuration", "@type": "xsd:duration"},
}
"""The context, whole and in the document: nobody fetches one from anywhere, and each IRI is an IRI and no text."""

_OF_PURPOSE: Final[Mapping[str, str]] = {
    "use": "dpv:ServiceProvision",
    "contact": "dpv:CommunicationManagement",
    "publish": "dpv:PublicRelations",
    "disclose": "dpv:ServiceProvision",
}
_OFFERS: Final = "dpv:DirectMarketing"
_RESEARCH: Final = "dpv:NonCommercialResearch"
_OF_CLASS: Final[Mapping[str, str]] = {
    "identity": "pd:Identifying",
    "contact": "pd:Contact",
    "finance": "pd:Financial",
    "family": "pd:Family",
    "health": "pd:MedicalHealth",
}
_OF_STOP: Final[Mapping[str, str]] = {
    "withdraw": "dpv:ConsentWithdrawn",
    "refuse": "dpv:ConsentRefused",
    # By the association: who may not hear its reasons learns that it ended, which this word says as well.
    "invalidate": "dpv:ConsentRevoked",
}
_OF_KIND: Final[Mapping[str, str]] = {
    "grant": "dpv:ConsentGiven",
    "renew": "dpv:RenewedConsentGiven",
    "confirm": "dpv:RenewedConsentGiven",
    "import_grant": "dpv:ConsentUnknown",
}
APPLICATION: Final = "application"
SERVICE: Final = "service_delivery"
_AUTHORITY: Final = "urn:amanah:authority:sdaia"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the consent: what it was, when it was indicated and recorded (microseconds UTC), by whom ("self" or a person's id)."""

    state: str
    indicated_at: int
    recorded_at: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What a receipt is made of; `association` is the code, `names` its name by language, `record_type` whose retention counts."""

    association: str
    names: Mapping[str, str]
    told: Told
    subject: bytes
    record_type: str
    is_minor: bool
    happened: Sequence[Happening]
    purpose: PurposeFact
    notice: NoticeFact
    language: str
    fields: Mapping[str, FieldFact]
    pack: Pack


def given(event: Given) -> Happening:
    """A consent that was given, as a receipt tells it."""
    return Happening(_OF_KIND[event.kind], event.grant.indicated_at, event.grant.recorded_at, event.grant.by)


def stopped(event: Stopped) -> Happening:
    """What ended a consent, as a receipt tells it."""
    return Happening(_OF_STOP[event.stop.kind], event.stop.indicated_at, event.stop.recorded_at, event.by)


def document(matter: Matter) -> Json:
    """The receipt's document, with the whole record of the consent inside: numbered and dated by what last happened to the consent."""
    us, told, receipt = _own(matter, "association"), matter.told, _number(matter)
    return {
        "@context": CONTEXT,
        "@id": f"urn:uuid:{receipt}",
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": RECEIPT,
        "dct:identifier": receipt,
        "dpv:hasIdentifier": receipt,
        "dct:created": write_time(_last(matter)),
        "dct:publisher": us,
        "dct:audience": _person(matter.subject),
        "amanah:state": told.state,
        "dpv:hasRecordOfActivity": [_record(matter)],
    }


def _number(matter: Matter) -> str:
    """The receipt's own UUID (version 8 of RFC 9562), made of the consent and how it stands, so that one state has one receipt."""
    stands = "|".join((matter.association, matter.told.grant.id, matter.told.state, str(len(matter.happened)), str(_last(matter))))
    drawn = bytearray(sha256(b"amanah/receipt/v1|" + stands.encode()).digest()[:16])
    drawn[6], drawn[8] = drawn[6] & 0x0F | 0x80, drawn[8] & 0x3F | 0x80
    return write_id(bytes(drawn))


def _last(matter: Matter) -> int:
    return max([*(one.recorded_at for one in matter.happened), matter.told.verified_at or 0])


def _record(matter: Matter) -> Json:
    told, us = matter.told, _own(matter, "association")
    id_ = write_id(bytes.fromhex(told.grant.id))
    return {
        "@id": f"urn:uuid:{id_}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": RECORD,
        "dct:identifier": id_,
        "dpv:hasIdentifier": id_,
        "dct:created": write_time(told.grant.recorded_at),
        "dct:publisher": us,
        "dct:language": matter.language,
        "dpv:hasDataSubject": {"@id": _person(matter.subject), "@type": ["dpv:DataSubject", *(["dpv:Child"] if matter.is_minor else [])]},
        "dpv:hasNotice": [_notice(matter)],
        "dpv:hasProcess": [_process(matter)],
        "dpv:hasEntity": list(_parties(matter)),
        "dpv:hasConsentStatus": list(_events(matter)),
        "amanah:form": told.grant.form,
        "amanah:explicit": told.grant.explicit,
        **({"amanah:assertedBy": told.asserted_by} if told.asserted_by else {}),
        **({"amanah:template": code_of(matter.notice, matter.language).text} if told.template else {}),
        **({"amanah:verified": write_time(told.verified_at)} if told.verified_at is not None else {}),
    }


def _notice(matter: Matter) -> Json:
    notice = matter.notice
    return {
        "@id": f"{_own(matter, 'notice')}:{notice.id}:{notice.version}",
        "@type": "dpv:ConsentNotice",
        "dct:identifier": notice.id,
        "dct:hasVersion": notice.version,
        "dct:language": matter.language,
        "amanah:sha256": notice.sha256[matter.language],
        **({"dct:issued": write_time(notice.published_at)} if notice.published_at is not None else {}),
    }


def _process(matter: Matter) -> Json:
    told, purpose, us = matter.told, matter.purpose, _own(matter, "association")
    basis = "dpv:ExplicitlyExpressedConsent" if told.grant.explicit else "dpv:ExpressedConsent"
    months = matter.pack.retention_months.get(matter.record_type)
    kept = f"P{months}M" if months is not None else {"@type": "dpv:UntilEventDuration", "rdf:value": "purpose-ended"}
    rights = f"{us}:privacy"
    law = f"urn:amanah:law:{matter.pack.law}" if matter.pack.law else f"urn:amanah:law:{matter.pack.name}"
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@id": f"{_own(matter, 'purpose')}:{purpose.code}",
            "@type": "dpv:Purpose",
            "dct:identifier": purpose.code,
            "skos:broader": _broader(purpose),
            "skos:prefLabel": _labels(purpose.title),
        },
        "dpv:hasPersonalData": [_data(matter, name) for name in sorted(told.grant.fields)],
        "dpv:hasDataController": us,
        "dpv:hasRecipient": us if told.recipient == INTERNAL else f"{_own(matter, 'recipient')}:{told.recipient}",
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": "loc:SA"},
            {"@type": "dpv:StorageDuration", "dpv:hasDuration": kept},
        ],
        "dpv:hasJurisdiction": "loc:SA",
        "dpv:hasLegalBasis": basis,
        "dpv:hasApplicableLaw": law,
        "dpv:hasAuthority": _AUTHORITY,
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": rights},
        "dpv:hasRight": {"@type": "dpv:DataSubjectRight", "dpv:isExercisedAt": rights},
        "amanah:article": f"{matter.pack.name}:{purpose.article}",
        **_least_time(matter),
    }


def _least_time(matter: Matter) -> Json:
    """The least time in which an application is decided, as the pack says: no deadline, and not the thirty days of the law."""
    pack, days = matter.pack, matter.pack.reply.get("service_decision_min_days", 0)
    applies = APPLICATION if APPLICATION in pack.purposes else SERVICE
    if matter.purpose.code != applies or not days:
        return {}
    return {"amanah:leastDecisionTime": {"@type": "xsd:duration", "@value": f"P{days}D"}}


def _broader(purpose: PurposeFact) -> str:
    if purpose.code.endswith("_offers"):
        return _OFFERS
    return _RESEARCH if purpose.code.endswith("_research") else _OF_PURPOSE[purpose.action]


def _data(matter: Matter, name: str) -> Json:
    known = matter.fields.get(name)
    class_ = known.field_class if known is not None else ""
    sensitive = class_ in {"health", "sensitive"}
    broader = {"skos:broader": _OF_CLASS[class_]} if class_ in _OF_CLASS else {}
    return {
        "@id": f"{_own(matter, 'field')}:{name}",
        "@type": "dpv:SensitivePersonalData" if sensitive else "dpv:PersonalData",
        "dct:identifier": name,
        "skos:prefLabel": _labels(known.labels if known is not None else {}),
        "dpv:hasNecessity": "dpv:Required" if known is not None and known.required else "dpv:Optional",
        **broader,
    }


def _parties(matter: Matter) -> Iterator[Json]:
    """The controller, the recipient outside the house and who spoke for the person, each by an identifier."""
    us, told = _own(matter, "association"), matter.told
    yield {
        "@id": us,
        "@type": ["dpv:CharityOrganisation", "dpv:DataController"],
        "dpv:hasIdentifier": matter.association,
        "dpv:hasName": _labels(matter.names) or matter.association,
        "dpv:hasAddress": f"{us}:privacy",
        "dpv:hasContact": f"{us}:privacy",
    }
    if told.recipient != INTERNAL:
        yield {"@id": f"{_own(matter, 'recipient')}:{told.recipient}", "@type": "dpv:ThirdParty", "dpv:hasIdentifier": told.recipient}
    for by in sorted({one.by for one in matter.happened} - {SELF}):
        yield {"@id": _person(bytes.fromhex(by)), "@type": "dpv:GuardianOfDataSubject", "dpv:hasIdentifier": write_id(bytes.fromhex(by))}


def _events(matter: Matter) -> Iterator[Json]:
    """What happened, oldest first and numbered: the vocabulary has no word for which state is the latest."""
    grant = matter.told.grant
    expressed = "dpv:ExplicitlyExpressedConsent" if grant.explicit else "dpv:ExpressedConsent"
    until = {"@type": "dpv:UntilEventDuration", "rdf:value": "withdrawn"}
    if grant.expires_at is not None:
        until = {"@type": "dpv:UntilTimeDuration", "rdf:value": write_time(grant.expires_at)}
    for number, one in enumerate(matter.happened, 1):
        who = matter.subject if one.by == SELF else bytes.fromhex(one.by)
        yield {
            "@type": [one.state, expressed],
            "amanah:sequence": number,
            "dpv:isIndicatedAtTime": write_time(one.indicated_at),
            "dct:created": write_time(one.recorded_at),
            "dpv:isIndicatedBy": _person(who),
            "dpv:hasIndicationMethod": grant.form,
            "dpv:hasDuration": until,
        }


def _labels(texts: Mapping[str, str]) -> list[Json]:
    """A text in each of its languages."""
    return [{"@language": language, "@value": text} for language, text in sorted(texts.items())]


def _own(matter: Matter, kind: str) -> str:
    return f"urn:amanah:{matter.association}" if kind == "association" else f"urn:amanah:{matter.association}:{kind}"


def _person(id_: bytes) -> str:
    return f"urn:uuid:{write_id(id_)}"
