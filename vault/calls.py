"""Every call of the service, room by room: what the front serves and the OpenAPI file tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vault.access.agreements_api import agreement_routes
from vault.access.alerts_api import alert_routes
from vault.access.api import routes as reading
from vault.access.assignments_api import assignment_routes
from vault.access.attachments_api import attachment_routes as attachments
from vault.access.audit_api import ROUTES as AUDIT
from vault.access.breach_letters_api import breach_letter_routes
from vault.access.checkpoint_page import checkpoint_page_routes
from vault.access.consent_proof_api import consent_proof_routes
from vault.access.contact_api import contact_routes
from vault.access.copy_api import copy_routes
from vault.access.disclosures_api import disclosure_routes
from vault.access.erasure_api import routes as erasure
from vault.access.incident_evidence_api import EVIDENCE_ROUTES
from vault.access.incident_export_api import export_routes
from vault.access.letters import letter_routes
from vault.access.order_scans_api import order_scan_routes
from vault.access.orders_api import order_routes
from vault.access.person_api import person_routes
from vault.access.predicates_api import ROUTES as PREDICATES
from vault.access.publishing_api import ROUTES as PUBLISHING
from vault.access.questions_api import ROUTES as QUESTIONS
from vault.access.recalls_api import ROUTES as RECALLS
from vault.access.referrals_api import ROUTES as REFERRALS
from vault.access.register_api import ROUTES as REGISTER
from vault.access.renewing_api import ROUTES as RENEWING
from vault.access.requests_api import request_routes
from vault.access.research_api import research_routes
from vault.access.restoration_api import restoration_routes
from vault.access.scans_api import routes as scans
from vault.access.search_api import routes as search
from vault.access.studies_api import study_routes
from vault.access.withdrawal_api import withdrawal_routes
from vault.breach_reports.api import routes as breach_reports
from vault.breach_reports.authority_notices_api import authority_notice_routes
from vault.breach_reports.holds_api import hold_routes
from vault.breach_reports.incidents_api import incident_routes
from vault.breach_reports.limits import Intake
from vault.breach_reports.mail.answer import Postbox, Postboxes
from vault.breach_reports.mail.api import mail_routes
from vault.breach_reports.mail.room import MailRoom
from vault.breach_reports.people_notices_api import people_notice_routes
from vault.breach_reports.reports import Reports
from vault.breach_reports.retention_api import retention_routes
from vault.breach_reports.statistics_api import statistics_routes
from vault.consent.api import ROUTES as CONSENT
from vault.consent.challenges_api import ROUTES as CHALLENGES
from vault.consent.events_api import EVENT_ROUTES
from vault.consent.evidence_api import DEFAULT_MOST
from vault.consent.evidence_api import routes as evidence
from vault.consent.forms_api import form_routes
from vault.consent.guardians_api import guardian_routes
from vault.consent.merging_api import merge_routes
from vault.consent.notices_api import notice_routes
from vault.consent.receipts_api import receipt_routes
from vault.consent.visitors_api import routes as visitors
from vault.custody.api import routes as custody
from vault.identity.api import routes as identity
from vault.identity.service import Identity
from vault.mail_dns import Dns
from vault.officer.api import routes as officer
from vault.officer.frame import Frame
from vault.publication.api import routes as publication
from vault.records.api import ROUTES as RECORDS
from vault.records.attachments_api import attachment_routes as incoming
from vault.rulebook.channels import Channels
from vault.web.limits import Limits
from vault.web.route import Route


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the rooms are handed: who may enter, what is limited, each association's own channels by code, the largest scan in bytes.

    `postboxes` are the associations' mail settings by code.
    """

    identity: Identity
    limits: Limits
    channels: Mapping[str, Channels] = field(default_factory=dict)
    largest_scan: int = DEFAULT_MOST
    postboxes: Mapping[str, Postbox] = field(default_factory=dict)


def all_calls(rooms: Rooms, clock: Callable[[], int]) -> list[Route]:
    """Every call; `clock` gives microseconds UTC."""
    associations, factor = rooms.identity.entrance.associations, rooms.identity.factor
    reports = Reports(associations, rooms.channels, Intake(rooms.limits, clock), factor)
    return [
        *RECORDS,
        *incoming(rooms.largest_scan),
        *CONSENT,
        *EVENT_ROUTES,
        *merge_routes(factor),
        *guardian_routes(factor),
        *notice_routes(factor),
        *form_routes(rooms.channels),
        *CHALLENGES,
        *withdrawal_routes(associations, rooms.channels),
        *person_routes(associations, rooms.channels),
        *receipt_routes(rooms.channels),
        *evidence(rooms.largest_scan),
        *visitors(associations, rooms.limits, channels=rooms.channels),
        *reading(),
        *attachments(),
        *scans(),
        *search(),
        *erasure(factor),
        *RENEWING,
        *request_routes(),
        *copy_routes(factor, rooms.channels),
        *order_routes(factor),
        *order_scan_routes(rooms.largest_scan),
        *agreement_routes(factor),
        *disclosure_routes(factor, rooms.channels),
        *letter_routes(rooms.channels),
        *restoration_routes(factor),
        *PREDICATES,
        *PUBLISHING,
        *REFERRALS,
        *RECALLS,
        *REGISTER,
        *AUDIT,
        *QUESTIONS,
        *assignment_routes(factor),
        *alert_routes(factor),
        *checkpoint_page_routes(rooms.channels),
        *consent_proof_routes(rooms.channels),
        *contact_routes(rooms.channels),
        *study_routes(factor),
        *research_routes(factor),
        *identity(rooms.identity),
        *custody(factor),
        *publication(associations, factor, rooms.channels),
        *breach_reports(reports),
        *statistics_routes(reports),
        *incident_routes(factor),
        *authority_notice_routes(rooms.channels),
        *people_notice_routes(factor),
        *breach_letter_routes(rooms.channels),
        *hold_routes(factor),
        *retention_routes(reports),
        *EVIDENCE_ROUTES,
        *export_routes(rooms.channels),
        *mail_routes(MailRoom(Dns(), rooms.limits, Postboxes(rooms.postboxes))),
        *officer(Frame(rooms.identity, rooms.channels), reports),
    ]
