"""A mirror whose second half takes connections and never answers, as a server does that was stopped by SIGSTOP."""
import shutil
import socket
import threading
import time

import pytest
from harness import checks, content, httpd

REQUEST_TIME = 4
CLEANING_TIME = 5  # of a mirror, for each half


class Silent:
    """Takes whatever comes and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        while True:
            try:
                self.taken.append(self.listener.accept()[0])
            except OSError:
                return

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.taken:
            connection.close()


@pytest.fixture
def server(postgres):
    silent = Silent()
    made = httpd.Server(postgres, mpm="event", processes=1, directives={"FhirBinaryRequestTimeout": f"{REQUEST_TIME}s"})
    keys = made.root / "keys"
    keys.write_text("[default]\naws_access_key_id = key\naws_secret_access_key = secret\n")
    keys.chmod(0o600)
    shutil.chown(keys, httpd.USER)
    made.directives["FhirBinaryStoragePlugin"] = [f"{name} {httpd.BUILD}/fhir_storage_{name}.so"
                                                  for name in ("filesystem", "s3", "mirror")]
    made.directives["FhirBinaryStore"] = [
        f"near filesystem path={made.stores}/near",
        f"far s3 endpoint=http://127.0.0.1:{silent.port} bucket=binaries stall_timeout=4s credentials_file={keys}",
        "main mirror first=near second=far"]
    made.directives["FhirBinaryDefaultStore"] = "main"
    made.keeps_objects = False  # nor can anybody look into the second half
    made.expect_log("store main|far|removing an unfinished upload")
    with made:
        yield made
        made.expect_log("store main|far|removing an unfinished upload")
    silent.end()


def objects(server):
    return [path for path in (server.stores / "near").rglob("*") if path.is_file() and len(path.name) == 32]


@pytest.mark.parametrize("size", [20_000, 3 << 20])
def test_the_first_copy_goes(server, size):
    """At once when the time of the upload is over, and the log blames the half that hangs and no other."""
    who = server.project("mirror")
    start = time.monotonic()
    answer = who.call("POST", "Binary", {"Content-Type": "application/octet-stream"}, body=content.noise(size), timeout=120)
    took = time.monotonic() - start
    checks.outcome(answer, answer.status, {"transient", "timeout"})
    assert answer.status in (503, 504)
    assert objects(server) == []
    log = server.log_text()
    assert "near may keep it" not in log
    assert "its store far" in log
    assert "its store near" not in log
    assert took < REQUEST_TIME + 2 * CLEANING_TIME + REQUEST_TIME + 3, log
