"""Issue section 4: the database goes away and comes back."""
import concurrent.futures
import time

import pytest
from harness import checks, httpd, wire
from harness.postgres import Postgres


@pytest.fixture(scope="module")
def own():
    """A cluster of its own, because these tests stop it."""
    cluster = Postgres()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.discard()


@pytest.fixture(scope="module")
def server(own):
    short = {"FhirBinaryRequestTimeout": "3s", "FhirBinaryDatabaseAcquireTimeout": "1s",
             "FhirBinaryDatabaseConnectTimeout": "1s", "FhirBinaryDatabaseStatementTimeout": "2s"}
    with httpd.Server(own, directives=short, processes=1) as running:
        running.who = running.project("database")
        running.identity, _ = running.who.upload(b"kept", "text/plain")
        running.signed = running.who.signed(running.identity)
        yield running


def away(server):
    server.expect_log("database|connection|PostgreSQL|server closed|503|could not|fhir_binary")


def unavailable(answer, started):
    checks.outcome(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0, answer
    assert time.monotonic() - started < 5


def every_kind(server):
    who = server.who
    text = {"Content-Type": "text/plain"}
    return {
        "read": lambda: who.get(f"Binary/{server.identity}"),
        "signed": lambda: server.request("GET", server.signed),
        "create": lambda: who.call("POST", "Binary", text, b"x" * 100_000),
        "update": lambda: who.call("PUT", f"Binary/{server.identity}", text, b"x"),
        "delete": lambda: who.call("DELETE", f"Binary/{server.identity}"),
        "history": lambda: who.get(f"Binary/{server.identity}/_history"),
        "basic": lambda: server.request("GET", f"/fhir/R4/Binary/{server.identity}", who.basic),
    }


def recovered(server):
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if server.who.get(f"Binary/{server.identity}").status == 200:
            break
        time.sleep(0.2)
    assert server.who.get(f"Binary/{server.identity}").body == b"kept"
    for _ in range(5):
        server.who.upload(b"works")


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_away_and_back(server, own, way):
    away(server)
    assert server.who.token
    own.stop() if way == "stop" else own.kill()
    try:
        for name, ask in every_kind(server).items():
            started = time.monotonic()
            unavailable(ask(), started)
        started = time.monotonic()
        answer = server.who.token_request()
        assert answer.status == 503 and "Retry-After" in answer.headers, answer
        assert time.monotonic() - started < 5
        assert server.request("GET", "/fhir/R4/metadata").status == 200  # needs no database
    finally:
        own.script("start")
    recovered(server)
    server.new_log()


def test_many_while_away(server, own):
    """No pile-up: 40 at once are all refused within the deadline."""
    away(server)
    own.stop()
    try:
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            done = list(pool.map(lambda _: server.who.get(f"Binary/{server.identity}").status, range(40)))
        assert set(done) == {503}, done
        assert time.monotonic() - started < 10
    finally:
        own.script("start")
    recovered(server)
    server.new_log()


def test_silent(server, own):
    """A server that hangs: no connection breaks, and nobody answers."""
    away(server)
    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        own.silence()
        try:
            started = time.monotonic()
            for asked in [threads.submit(server.who.get, f"Binary/{server.identity}") for _ in range(6)]:
                unavailable(asked.result(), started)
            started = time.monotonic()
            unavailable(server.who.get(f"Binary/{server.identity}"), started)
        finally:
            own.wake()
    recovered(server)
    server.new_log()


def test_sessions_are_terminated(server, own):
    """The administrator ends the sessions: the next request finds a new one."""
    away(server)
    for _ in range(3):
        own.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fhir'")
        answer = server.who.get(f"Binary/{server.identity}")
        assert answer.status in (200, 503), answer
        assert server.who.get(f"Binary/{server.identity}").status == 200
    server.new_log()


def test_goes_away_while_a_body_arrives(server, own):
    """The bytes are in, the commit fails: 503, and no version."""
    away(server)
    total = server.sql("SELECT count(*) FROM fhir_binary.binary_version")
    with server.connect() as wired:
        wired.send(wire.head("POST", "/fhir/R4/Binary", [("Host", "x"), ("Content-Type", "text/plain"),
                                                         ("Content-Length", "1000")]
                             + list(server.who.bearer.items())) + b"x" * 500)
        time.sleep(0.5)
        own.stop()
        try:
            wired.send(b"x" * 500)
            unavailable(wired.response(), time.monotonic())
        finally:
            own.script("start")
    recovered(server)
    total = int(total[0][0]) + 5
    assert server.sql("SELECT count(*) FROM fhir_binary.binary_version") == [[str(total)]]
    pending = int(server.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL")[0][0])
    assert pending <= 1  # could not be forgotten: the row lists it for the reaper
    listed = server.cli.orphans() if pending else ""
    assert not pending or listed.strip(), "a pending object is not listed by `store orphans`"
    server.new_log()


def test_blocked_statement_ends_by_the_deadline(server, own):
    """A lock that somebody else holds: the request ends, the connection is usable afterwards."""
    import subprocess
    away(server)
    holder = subprocess.Popen(["psql", "-X", "-q", "-d", server.conninfo, "-c",
                               "BEGIN; LOCK TABLE fhir_binary.binary IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(6)"],
                              stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        started = time.monotonic()
        unavailable(server.who.get(f"Binary/{server.identity}"), started)
    finally:
        holder.wait()
    recovered(server)
    server.new_log()


def test_schema_of_another_version(own):
    """A newer schema than this build knows: `db upgrade` refuses with a clear sentence and changes nothing."""
    made = httpd.Server(own)
    try:
        made.write_configuration()
        made.cli.run("db", "upgrade")
        made.cli.run("db", "upgrade")  # idempotent
        made.sql("INSERT INTO fhir_binary.schema_version (version, name) VALUES (9999, 'future')")
        text = made.cli.run("db", "upgrade", check=False) + made.cli.error
        assert made.cli.code != 0 and "9999" in text and "newer" in text.lower(), text
    finally:
        made.discard()


def test_upgrade_tells_who_lost_rights(own):
    """Before version 4 there were no policies, and every member might do everything."""
    made = httpd.Server(own)
    try:
        made.write_configuration()
        made.sql((httpd.REPOSITORY / "sql" / "001_initial.sql").read_text())
        made.sql("""INSERT INTO fhir_binary.schema_version (version, name) VALUES (1, '001_initial');
            INSERT INTO fhir_binary.project (id, name) VALUES (gen_random_uuid(), 'old');
            INSERT INTO fhir_binary.membership (id, project_id, kind, issuer, subject, admin)
                SELECT gen_random_uuid(), p.id, 3, '', s, s = 'chief' FROM fhir_binary.project p, unnest(ARRAY['joe', 'jane', 'chief']) s""")
        told = made.cli.run("db", "upgrade")
        assert "from schema version 1 to " in told and "2 members have no policy and may do nothing now" in told, told
        assert "no policy" not in made.cli.run("db", "upgrade")
    finally:
        made.discard()


def test_upgrade_by_several_nodes_at_once(own):
    made = httpd.Server(own)
    try:
        made.write_configuration()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: made.cli.run("db", "upgrade"), range(6)))
        assert made.sql("SELECT count(*) FROM fhir_binary.schema_version")
    finally:
        made.discard()
