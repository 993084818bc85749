"""On PostgreSQL the owner restores, and the service, who may change nothing that is append-only, serves from it and makes copies of it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.backup.rescue import Rescue
from tests.household import grant, read, store, withdraw
from tests.simulator import World
from tests.storage.conftest import SERVICE, Roles, roles
from vault.errors import Refused
from vault.storage.engine import Database

__all__ = ["roles"]
pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_the_owner_restores_and_the_service_serves_and_copies(small: World, tmp_path: Path, roles: Roles):
    rescue = Rescue(small, tmp_path / "rescue")
    kept = await store(small)
    consent = await grant(small, kept.record)
    copy = rescue.take()
    await withdraw(small, consent.id)
    small.clock.forward(2)
    await small.association.checkpoint()
    home = rescue.home()
    assert rescue.restore(roles.owner, home, copy).closed == 1
    owner = Database(roles.owner)
    with owner.connect() as connection, connection.begin():
        connection.execute(text("SELECT amanah_admit(:role)"), {"role": SERVICE})
    owner.dispose()
    with rescue.opened(roles.service, home) as after:
        with pytest.raises(Refused, match="consent-withdrawn"):
            await read(after, kept.record)
        after.clock.forward(1)
        await grant(after, kept.record)
        assert await read(after, kept.record)
        again = Rescue(after, tmp_path / "again")
        second = again.take()
        assert second.manifest.rows_of("data")["subject_record"] == 1
        place = again.home()
        done = again.restore(f"sqlite:///{tmp_path / 'back.sqlite3'}", place, second)
        assert (done.epoch, done.complete, done.unopened) == (3, True, 0)
