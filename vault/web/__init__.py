"""The front every controller stands behind: declare a Route, take a Call, give back an Answer."""

from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.form import Form
from vault.web.route import Body, Query, Rate, Route
from vault.web.scopes import Access, Needs, Person, Public

__all__ = ["Access", "Answer", "Body", "Call", "Form", "Needs", "Person", "Public", "Query", "Rate", "Route", "parse_id", "write_id"]
