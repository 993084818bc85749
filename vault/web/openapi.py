"""The OpenAPI 3.1 file, written from the declared routes: what is told is what is enforced.

Invariant: the same routes give the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from vault.web.answer import JSON, PROBLEM
from vault.web.form import Form
from vault.web.problems import Problem
from vault.web.query import MAX_FIELDS, MAX_TEXT
from vault.web.ranges import PARTIAL
from vault.web.receiving import COOKIE
from vault.web.route import Public, Query, Route

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def describe(routes: Sequence[Route], *, title: str, version: str) -> bytes:
    """Return the file as JSON bytes, keys sorted, for the given routes in any order."""
    types: list[Any] = [Problem]
    for route in sorted(routes, key=lambda each: each.name):
        types += [each for each in (route.body, route.answer) if each is not None and each not in types]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    _ends_as_elsewhere(components)
    known = dict(zip((repr(each) for each in types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, known)
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }
    return msgspec.json.encode(document, order="sorted")


def _ends_as_elsewhere(schema: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    r"""Write the end of a pattern as JSON Schema has it: `$` there is the end of the text, which is `\Z` here."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            schema["pattern"] = re.sub(r"\\Z$", "$", schema["pattern"])
        for each in schema.values():
            _ends_as_elsewhere(each)
    elif isinstance(schema, list):
        for each in schema:
            _ends_as_elsewhere(each)


def _operation(route: Route, known: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": {
            str(route.status): {"description": "done", "content": _content(route, known)},
            **({str(PARTIAL): {"description": "a part of it", "content": _content(route, known)}} if "Range" in route.headers else {}),
            "default": _page_problem() if route.is_page else _problem(known),
        },
        "x-access": route.access.label,
        "security": [] if isinstance(route.access, Public) else [{"session" if route.sign_in else "bearer": []}],
    }
    if route.summary:
        operation["summary"] = route.summary
    if route.body is not None:
        operation["requestBody"] = {"required": not route.optional_body, "content": {JSON: {"schema": known[repr(route.body)]}}}
    elif route.raw_body:
        operation["requestBody"] = {"required": True, "content": {kind: {} for kind in route.accepts}}
    elif route.form is not None:
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": _form_schema(route.form)} for kind in route.form.kinds}}
    return operation


def _problem(known: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": "a problem document (RFC 9457)", "content": {PROBLEM: {"schema": known[repr(Problem)]}}}


def _page_problem() -> dict[str, Any]:
    return {"description": "a page that tells what went wrong", "content": {"text/html": {}}}


def _form_schema(form: Form) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": "string"} for name in form.fields}
    if form.file:
        properties[form.file] = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _content(route: Route, known: Mapping[str, Any]) -> dict[str, Any]:
    return {route.media_type.partition(";")[0]: {} if route.answer is None else {"schema": known[repr(route.answer)]}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _PARAMETER.findall(route.template)]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "required": query.required, "schema": _schema(query)} for name, query in route.query.items()]


def _headers(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in sorted(route.headers)]


def _schema(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if query.kind == "integer":
        schema = {"type": "integer"} | ({} if query.low is None else {"minimum": query.low})
        schema |= {} if query.high is None else {"maximum": query.high}
    elif query.kind == "text":
        schema |= {"minLength": query.low or 1, "maxLength": query.high or MAX_TEXT}
    elif query.kind == "choice":
        schema["enum"] = list(query.choices)
    elif query.kind == "fields":
        schema["description"] = f"names divided by commas, at most {query.high or MAX_FIELDS}"
    else:
        schema["format"] = {"id": "uuid", "time": "date-time"}[query.kind]
    return schema if query.default is None else schema | {"default": query.default}
