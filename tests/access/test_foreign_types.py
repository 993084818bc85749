"""On SQLite a column holds a value of any type: where bytes belong anything else is 503 `integrity` and an alarm, never a 500."""

from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, select

from tests.access.desk import Desk
from tests.household import FATIMA, grant, store
from tests.simulator import World
from vault.access.audit_api import ROUTES as AUDIT
from vault.access.scans_api import routes as scan_routes
from vault.access.search_api import routes as search_routes
from vault.consent.evidence_api import routes as evidence_routes
from vault.errors import Unavailable
from vault.records.api import ROUTES as RECORDS
from vault.storage.engine import Database
from vault.storage.octets import octets

pytestmark = pytest.mark.asyncio(loop_scope="function")
SEARCH = {"type": "beneficiary", "field": "national_id", "value": FATIMA["national_id"], "purpose": "service_delivery"}
VALUES = ("'text'", "7", "9223372036854775807", "1.5", "''")


def alter(world: World, statement: str) -> None:
    """Write what the vault would not."""
    with world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("column", "path"),
    [
        ("subject_record.record", "/v1/records"),
        ("access_log_entry.body", "/v1/access-log"),
        ("access_log_entry.leaf", "/v1/access-log"),
        ("record_token.record", "search"),
        ("consent_evidence.about", "scan"),
        ("consent_evidence.subject", "scan"),
        ("consent_evidence.wrapped", "scan"),
        ("access_log_fact.digest", "scan"),
    ],
)
async def test_what_is_no_bytes_where_bytes_belong_is_an_integrity_failure_and_an_alarm(small: World, column: str, path: str, value: str):
    kept = await store(small)
    await grant(small, kept.record)
    officer = await small.session("officer")
    async with small.front(*RECORDS, *AUDIT, *search_routes(), *evidence_routes(1 << 20), *scan_routes()) as http:
        desk = Desk(small, http, small.ceremony.api_key, officer)
        by = {"Authorization": f"Bearer {desk.key}"}
        handed = await http.post("/v1/evidence", headers=by, files={"file": ("form.pdf", b"%PDF-1.7 scan", "application/pdf")})
        table, _, name = column.partition(".")
        scan = handed.json()["id"].replace("-", "")
        where = {"access_log_fact": f" WHERE fact_key = '{scan}'"}.get(table, "")
        alter(small, f"UPDATE OR IGNORE {table} SET {name} = {value}{where}")  # noqa: S608 - this test's own words
        if path == "search":
            answer = await desk.post("/v1/records/search", SEARCH)
        elif path == "scan":
            answer = await desk.get(f"/v1/evidence/{handed.json()['id']}", officer)
        else:
            answer = await desk.get(path, officer if path.endswith("log") else None)
        assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    if table != "access_log_entry":
        last = small.entries()[-1]
        assert (last.kind, last.reason) == ("alarm", "INTEGRITY")


async def test_bytes_and_nothing_come_in_as_they_are_and_all_else_is_refused(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'octets.sqlite3'}")
    table = Table("t", MetaData(), Column("n", Integer, primary_key=True), Column("b", LargeBinary))
    with database.connect() as connection, connection.begin():
        table.metadata.create_all(connection)
        connection.exec_driver_sql("INSERT INTO t VALUES (1, x'00'), (2, NULL), (3, 'text'), (4, 7)")
        assert connection.execute(select(table.c.b).where(table.c.n < 3).order_by(table.c.n)).scalars().all() == [b"\x00", None]
        for n in (3, 4):
            with pytest.raises(Unavailable, match="integrity"):
                connection.execute(select(table.c.b).where(table.c.n == n)).scalars().all()
        seen = connection.execute(select(octets(table.c.b)).order_by(table.c.n)).scalars().all()
        assert seen == [b"\x00", None, b"text", b"7"]
    database.dispose()
