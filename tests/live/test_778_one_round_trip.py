"""Who may read is asked of the database once: one statement for each read of a Binary, whatever the policy looks at."""
import re
import time

import pytest
from access.world import World, media, member
from harness import checks

TWO_STEPS = [{"resourceType": "Media", "criteria": "Media?_compartment=%patient"}]
BY_TEXT = [{"resourceType": "Media", "criteria": "Media?_compartment=%patient&status=completed"}]
READS = [("raw", "Binary/{id}", {}), ("JSON", "Binary/{id}", {"Accept": checks.FHIR_JSON}),
         ("not modified", "Binary/{id}", {"If-None-Match": '"{version}"'}), ("version", "Binary/{id}/_history/{version}", {}),
         ("signed URL", "Binary/{id}/$presigned-url", {})]


@pytest.fixture(scope="module")
def world(postgres):
    with World(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def statements(postgres):
    """Gives a function: the statements that the database runs for a call, those of background threads left out."""
    log = postgres.directory / "postgres.log"
    postgres.admin("ALTER SYSTEM SET log_statement = 'all'")
    postgres.admin("SELECT pg_reload_conf()")
    time.sleep(0.3)

    def during(call):
        time.sleep(0.4)  # the audit writer of the call before
        position = log.stat().st_size
        call()
        time.sleep(0.1)
        with open(log, "rb") as file:
            file.seek(position)
            return [line for line in file.read().decode("utf-8", "replace").splitlines()
                    if re.search(r"LOG:\s+(?:execute|statement)", line) and not re.search(r"audit_|pg_listening|LISTEN|BEGIN|COMMIT", line)]

    yield during
    postgres.admin("ALTER SYSTEM RESET log_statement")
    postgres.admin("SELECT pg_reload_conf()")


@pytest.mark.parametrize("entries", [TWO_STEPS, BY_TEXT], ids=["by compartment", "by text"])
@pytest.mark.parametrize("name, target, headers", READS, ids=[name for name, _, _ in READS])
def test_one_statement(world, statements, entries, name, target, headers):
    reader = member(world.server, world.admin, entries, "reader", patient=world.own)
    report = world.make(media(world.own))
    identity, version = world.admin.upload(b"one", "text/plain", {"X-Security-Context": f"Media/{report['id']}"})
    names = {"id": identity, "version": version}
    headers = {field: value.format(**names) for field, value in headers.items()}

    def read():
        answer = reader.get(target.format(**names), headers)
        assert answer.status in (200, 304), answer

    for _ in range(3):  # policy, keys and the hint of what a load must bring are known afterwards, in each thread's child
        read()
    made = statements(read)
    assert len(made) == 1, made


def test_nobody_costs_as_much(world, statements):
    """Neither does an id that is not there, nor one that is not his, cost another number of statements."""
    reader = member(world.server, world.admin, TWO_STEPS, "reader", patient=world.own)
    identity, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.other})
    for _ in range(3):
        assert reader.get(f"Binary/{identity}").status == 404
    assert len(statements(lambda: reader.get(f"Binary/{identity}"))) == len(statements(lambda: reader.get("Binary/nobody"))) == 1
