"""Runs the service under uvicorn: one process or several, each with its own open house.

Invariant: the house is opened, and every check at start passed, before the socket is listened on; the server writes no log of its own.
"""

import gc
import os
import sys

import uvicorn
from prometheus_client import CollectorRegistry

from keys import process
from vault.app import House, application
from vault.errors import VaultError
from vault.settings import PREFIX, Settings, read
from vault.unsealing import SEALED
from vault.web.connection import Connection
from vault.web.front import Front
from vault.web.metrics import MetricsServer

GC_THRESHOLD = 50_000
# A year, and this name alone: what else lives under it is not ours to decide (RFC 6797, 6.1).
_BY_TLS_ONLY = [("strict-transport-security", "max-age=31536000")]

_WHY = {"": "no answer", SEALED: "it is another's, or the file of epochs was altered"}


class MetricsNeedOneWorker(VaultError):
    """Metrics of several processes behind one port would be those of one of them."""

    code = "metrics-need-one-worker"


def settle() -> None:
    """Let the collector pass over what lives as long as the process, and look less often: requests leave next to no cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


def create() -> Front:
    """The service of one worker process, from the settings its parent left in the environment."""
    process.shut()  # the parent's word does not hold for a process that was begun anew
    service = application(_open(read()), sys.stdout.buffer, CollectorRegistry())
    settle()
    return service


def run(settings: Settings, workers: int) -> None:
    """Serve until told to stop."""
    if workers > 1:
        if settings.metrics_port is not None:
            raise MetricsNeedOneWorker
        for name in Settings.__struct_fields__:
            if (value := getattr(settings, name)) is not None:
                os.environ[f"{PREFIX}{name.upper()}"] = str(value)
        _listen("vault.serving:create", settings, workers)
        return
    registry = CollectorRegistry()
    front = application(_open(settings), sys.stdout.buffer, registry)
    settle()
    metrics = MetricsServer(registry, settings.metrics_port) if settings.metrics_port is not None else None
    try:
        _listen(front, settings, None)
    finally:
        if metrics is not None:
            metrics.close()


def _open(settings: Settings) -> House:
    """The open house; what the operator has to know of roots goes to the error stream."""
    house = House.open(settings, say=_say)
    for code in sorted(house.sealed):
        failure = house.keepers[code].failure
        why = _WHY.get(failure, failure)
        _say(f"{code} is sealed: its root does not open it ({why}); it is asked again every minute")
    return house


def _say(line: str) -> None:
    sys.stderr.write(f"amanah: {line}\n")
    sys.stderr.flush()


def _listen(service: Front | str, settings: Settings, workers: int | None) -> None:
    uvicorn.run(
        service,
        factory=isinstance(service, str),
        workers=workers,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=10,
        headers=_BY_TLS_ONLY if settings.tls_cert else None,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
