"""All pages of the officer."""

from vault.breach_reports.reports import Reports
from vault.officer.afterwards import afterwards_routes
from vault.officer.alerts import alert_pages
from vault.officer.approval_records import approval_records
from vault.officer.approvals import approval_routes
from vault.officer.consents import consent_routes
from vault.officer.entries import entry_pages
from vault.officer.evidence import evidence_pages
from vault.officer.forms import form_pages
from vault.officer.frame import Frame
from vault.officer.incident import single_incident_routes
from vault.officer.incidents import incident_pages
from vault.officer.log import log_routes
from vault.officer.month import month_routes
from vault.officer.notices import notice_pages
from vault.officer.own import own_pages
from vault.officer.quarantine import quarantine_pages
from vault.officer.report import single_report_routes
from vault.officer.reports import report_routes
from vault.officer.requests import request_pages
from vault.officer.retention import retention_pages
from vault.officer.settling import settling_pages
from vault.officer.signing import signing_routes
from vault.officer.standing import standing_routes
from vault.officer.statistics import statistics_pages
from vault.web.route import Route


def routes(frame: Frame, reports: Reports) -> list[Route]:
    """Return the pages of this room."""
    return [
        *signing_routes(frame, reports),
        *own_pages(frame),
        *log_routes(frame),
        *alert_pages(frame),
        *approval_routes(frame, reports),
        *approval_records(frame),
        *consent_routes(frame),
        *form_pages(frame),
        *request_pages(frame),
        *report_routes(frame, reports),
        *single_report_routes(frame, reports),
        *quarantine_pages(frame, reports),
        *settling_pages(frame, reports),
        *entry_pages(frame, reports),
        *incident_pages(frame),
        *notice_pages(frame),
        *single_incident_routes(frame),
        *evidence_pages(frame),
        *retention_pages(frame, reports),
        *afterwards_routes(frame),
        *standing_routes(frame),
        *month_routes(frame, reports),
        *statistics_pages(frame, reports),
    ]
