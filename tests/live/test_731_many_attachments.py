"""Ten thousand attachments in one answer: fast, bounded, one statement."""
import concurrent.futures
import re
import time
from pathlib import Path

import pytest
from harness import checks, httpd, wire
from harness.resources import create, entries, find, post

RESOURCES, EACH = 100, 100


@pytest.fixture(scope="module")
def server(postgres):
    with httpd.Server(postgres, processes=1) as running:
        yield running


@pytest.fixture(scope="module")
def crowd(server):
    """100 resources with 100 attachments each, of 1,000 Binaries in both their forms."""
    who = server.project("ten thousand")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda number: who.upload(b"%d" % number, "text/plain"), range(1000)))

        def one(number):
            chosen = [files[(number * EACH + place * 7) % len(files)] for place in range(EACH)]
            create(who, {"resourceType": "Library", "status": "active", "content": [
                       {"url": f"Binary/{identity}" + (f"/_history/{version}" if place % 3 == 0 else "")}
                       for place, (identity, version) in enumerate(chosen)]})

        list(pool.map(one, range(RESOURCES)))
    return who


def resident(server):
    """Kilobytes of the biggest child."""
    sizes = [int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1)) for pid in server.children()]
    return max(sizes)


def test_fast_and_bounded(crowd, server):
    find(crowd, f"Library?_count={RESOURCES}")
    before, started = resident(server), time.monotonic()
    for _ in range(5):
        answer = crowd.get(f"Library?_count={RESOURCES}")
    took = (time.monotonic() - started) / 5
    matches = entries(answer.json())
    assert len(matches) == RESOURCES and all(len(one["content"]) == EACH for one in matches)
    urls = {attachment["url"] for one in matches for attachment in one["content"]}
    assert len(urls) == 1000 and all(url.startswith(server.storage_base) for url in urls)
    for one in matches[::10]:
        url = one["content"][5]["url"]
        assert server.request("GET", url[len(server.base) - 1:]).body.isdigit()
        assert one["content"][5]["contentType"] == "text/plain" and one["content"][5]["hash"]
    slow = 5 if "asan" in str(httpd.BUILD) or "sanitize" in str(httpd.BUILD) else 1
    assert took < 2 * slow, f"{took:.2f} s for 10,000 attachments"
    grown = resident(server) - before
    assert grown < 64 * 1024 * slow, f"{grown} KiB more"


def test_one_statement_for_all(crowd, server, postgres):
    """A page costs the same number of statements with one attachment and with 10,000."""
    lonely = server.project("one attachment")
    identity, _ = lonely.upload(b"x", "text/plain")
    create(lonely, {"resourceType": "Library", "status": "active", "content": [{"url": f"Binary/{identity}"}]})
    log = postgres.directory / "postgres.log"

    def statements(who):
        find(who, f"Library?_count={RESOURCES}")
        position = log.stat().st_size
        find(who, f"Library?_count={RESOURCES}")
        time.sleep(0.1)
        with open(log, "rb") as file:
            file.seek(position)
            return [line for line in file.read().decode("utf-8", "replace").splitlines()
                    if re.search(r"LOG:\s+(?:execute|statement)", line)
                    and not re.search("audit_|pg_listening|statement: (?:BEGIN|COMMIT)", line)]  # of threads beside the requests

    postgres.admin("ALTER SYSTEM SET log_statement = 'all'")
    postgres.admin("SELECT pg_reload_conf()")
    time.sleep(0.3)
    try:
        few, many = statements(lonely), statements(crowd)
    finally:
        postgres.admin("ALTER SYSTEM RESET log_statement")
        postgres.admin("SELECT pg_reload_conf()")
    assert len(few) == len(many) <= 3, (few, many)
    assert sum("fhir_binary.attachment" in line for line in many) <= 1, many


def test_one_resource_with_very_many(crowd, server):
    """10,000 at most."""
    found = find(crowd, "Library?_count=1&_elements=content")
    identity = entries(found)[0]["content"][0]["url"].split("/")[-2]
    started = time.monotonic()
    answer = post(crowd, {"resourceType": "Library", "status": "active", "content": [{"url": f"Binary/{identity}"}] * 10000})
    assert answer.status == 201 and len(answer.json()["content"]) == 10000, answer
    too_many = {"resourceType": "Library", "status": "active", "content": [{"url": f"Binary/{identity}"}] * 10001}
    checks.outcome(post(crowd, too_many), 413)
    assert time.monotonic() - started < 20
    made = answer.json()
    assert crowd.call("DELETE", f"Library/{made['id']}").status == 204


def test_a_slow_reader_holds_nothing_of_others(crowd, server):
    """It reads a page of megabytes slowly; others are served meanwhile."""
    head = [("Host", "x"), ("Connection", "close"), *crowd.bearer.items()]
    with server.connect() as slow:
        slow.send(wire.head("GET", f"/fhir/R4/Library?_count={RESOURCES}", head))
        assert slow.file.read(1000)
        assert find(crowd, "Library?_count=1")["entry"]
