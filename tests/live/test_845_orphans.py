"""`fhirbinctl store orphans --remove` against an upload that still runs: refused, or whole."""
import concurrent.futures
import subprocess
import time

import pytest
from harness import checks, httpd

TEXT = {"Content-Type": "text/plain"}


def stores(server, rules=""):
    return [f"disk filesystem path={server.stores}/main", f"main faulty inner=disk {rules}"]


@pytest.fixture
def server(postgres):
    made = httpd.Server(postgres, processes=1)
    made.directives["FhirBinaryStoragePlugin"] = [f"{name} {httpd.BUILD}/fhir_storage_{name}.so"
                                                  for name in ("filesystem", "faulty")]
    made.directives["FhirBinaryStore"] = stores(made)
    made.directives["FhirBinaryDefaultStore"] = "main"
    made.keeps_objects = False
    with made as running:
        yield running


def count(server, statement):
    return int(server.sql(f"SELECT count(*) FROM {statement}")[0][0])


def wait_for_upload(server):
    """Until it waits for the lock, its bytes stored."""
    end = time.monotonic() + 20
    while not count(server, "pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("rules, code", [("", 0), ("lose=remove:*:unavailable", 3)])
def test_an_upload_whose_bytes_are_gone_is_refused(server, rules, code):
    """It has stored its bytes and waits for a lock; the removal of them is done, and its answer lost or not."""
    who = server.project("Orphans")
    identity, _ = who.upload(b"first", "text/plain")
    holder = subprocess.Popen(["psql", "-X", server.conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write(f"BEGIN; SELECT 'locked' FROM fhir_binary.binary WHERE id = '{identity}' FOR UPDATE;\n")
    holder.stdin.flush()
    while "locked" not in holder.stdout.readline():
        pass
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        put = pool.submit(who.call, "PUT", f"Binary/{identity}", TEXT, b"second" * 1000)
        wait_for_upload(server)
        server.directives["FhirBinaryStore"] = stores(server, rules)
        server.write_configuration()  # for fhirbinctl
        server.cli.run("store", "orphans", "--remove", "--older-than", "0s", check=False)
        assert server.cli.code == code, server.cli.error
        holder.communicate("COMMIT;\n")
        checks.outcome(put.result(), 409)
    assert who.get(f"Binary/{identity}").body == b"first"
    server.cli.run("store", "verify")
    server.directives["FhirBinaryStore"] = stores(server)
    server.write_configuration()
    server.sql("UPDATE fhir_binary.object_copy SET due_at = clock_timestamp()")
    server.cli.run("store", "orphans", "--remove", "--older-than", "0s")
    assert count(server, "fhir_binary.object_copy") == 0
