"""Issue section 2: mod_status, graceful restart, all that httpd itself does around us."""
import concurrent.futures
import os
import time

from harness import checks, content


def test_status_section(server, alice):
    alice.upload(b"counted")
    page = server.request("GET", "/server-status")
    assert page.status == 200, page
    assert "fhir" in page.text.lower() and "binary" in page.text.lower(), page.text[-3000:]
    plain = server.request("GET", "/server-status?auto").text
    ours = [line for line in plain.splitlines() if line.lower().startswith("fhirbinary")]
    assert ours, plain
    assert all(": " in line for line in ours), ours


def test_other_paths_are_not_ours(server):
    server.expect_log("AH01630")
    answer = server.request("GET", "/elsewhere")
    assert answer.status in (403, 404), answer
    assert "OperationOutcome" not in answer.text


def test_unknown_paths_below_the_base_answer_outcomes(alice):
    checks.outcome(alice.call("GET", "/fhir/R4/"), 405)
    for target in ("/fhir/R4/Nothing/1", "/fhir/R4/Patient/_history", "/fhir/R4/Patient/1/2", "/fhir/R4/Binary/1/$unknown", "/fhir/R4/Binary/a/_history/b/c",
                   "/storage/", "/storage/a", "/storage/a/b/c"):
        checks.outcome(alice.call("GET", target), 404)


def test_httpd_errors_below_our_paths_are_outcomes(start):
    server = start(extra="<Location /fhir/R4/Binary/closed>\n  Require all denied\n</Location>", processes=1)
    server.expect_log("AH01630|client denied")
    answer = server.request("GET", "/fhir/R4/Binary/closed")
    checks.outcome(answer, 403)


def test_graceful_restart_loses_no_request(start):
    """Requests without end while the server is told to restart three times."""
    server = start(processes=2)
    who = server.project("restart")
    identity, _ = who.upload(content.noise(300_000))
    digest = content.sha256(content.noise(300_000))
    stop = time.monotonic() + 6
    lost = []

    def read():
        count = 0
        while time.monotonic() < stop:
            try:
                answer = who.get(f"Binary/{identity}")
                if answer.status != 200 or answer.sha256 != digest:
                    lost.append(answer)
                count += 1
            except Exception as error:  # every kind of loss counts
                lost.append(error)
        return count

    def write():
        count = 0
        while time.monotonic() < stop:
            try:
                data = os.urandom(200_000)
                fresh, _ = who.upload(data)
                if who.get(f"Binary/{fresh}").body != data:
                    lost.append(fresh)
                count += 1
            except Exception as error:
                lost.append(error)
        return count

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        work = [pool.submit(read) for _ in range(4)] + [pool.submit(write) for _ in range(4)]
        for _ in range(3):
            time.sleep(1.2)
            server.graceful()
        done = [item.result() for item in work]
    assert not lost, lost[:3]
    assert min(done) > 3, done


def test_graceful_restart_leaks_nothing(start):
    server = start(processes=1)
    who = server.project("leaks")
    who.upload(b"warm")

    def parent():
        return sorted(os.readlink(f"/proc/{server.process.pid}/fd/{fd}")
                      for fd in os.listdir(f"/proc/{server.process.pid}/fd"))

    def mapped():
        with open(f"/proc/{server.process.pid}/maps") as maps:
            return sum(1 for line in maps if "fhir_storage" in line)

    server.graceful()
    who.upload(b"warm")
    files, plugins = parent(), mapped()
    for _ in range(4):
        server.graceful()
        who.upload(b"again")
    assert len(parent()) <= len(files), (files, parent())
    assert mapped() <= plugins
