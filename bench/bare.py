"""The bare route: a Litestar application with one handler that gives the same bytes and does nothing else, on the same server and settings.

Usage: python bench/bare.py PORT < answer bytes
"""

import sys

import uvicorn
from litestar import Litestar, Response, get

from vault.web.connection import Connection

ANSWER = sys.stdin.buffer.read()


@get("/v1/records/{record:str}", sync_to_thread=False)
def bare(record: str) -> Response[bytes]:  # noqa: ARG001 - the path has a parameter, as the real one
    """Give the bytes."""
    return Response(ANSWER, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        Litestar([bare], openapi_config=None),
        port=int(sys.argv[1]),
        loop="uvloop",
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
    )
