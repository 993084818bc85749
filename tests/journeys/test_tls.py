"""A vault that ends TLS itself: asked by its certificate, and telling browsers never to come without."""

import http.client
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tests.journeys.served import FIRST, Served

STRICT = "strict-transport-security"


def test_every_answer_over_our_own_tls_keeps_browsers_to_it(tmp_path: Path):
    chain, key = self_signed(tmp_path)
    (folder := tmp_path / "vault").mkdir()
    vault = Served(folder, None, settings={"AMANAH_TLS_CERT": str(chain), "AMANAH_TLS_KEY": str(key)})
    vault.found()
    vault.start()
    try:
        for path, status in (("/health/ready", 200), (f"/{FIRST}/report", 200), ("/v1/records", 401), ("/nowhere", 404)):
            answer = vault.call("GET", path)
            assert (answer.status, answer.headers.get(STRICT)) == (status, "max-age=31536000"), path
        assert vault.call("POST", "/v1/sessions", raw=b"{", headers={"Content-Type": "text/plain"}).headers[STRICT] == "max-age=31536000"
        plain = http.client.HTTPConnection("127.0.0.1", vault.port, timeout=10)
        plain.request("GET", "/health/ready")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()
    finally:
        vault.stop()


def test_without_tls_of_our_own_nothing_is_said_of_it(served: Served):
    assert STRICT not in served.call("GET", "/health/ready").headers
