"""What a member with bad intentions sends: small requests that ask for gigabytes, text that is to be torn apart by the
URLs spliced into it, links to what belongs to others."""
import base64
import json
import subprocess
import threading
import time
import uuid

import pytest
from harness import checks, resources

FHIR = {"Content-Type": checks.FHIR_JSON}
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def attacked(postgres):
    """A server of one's own: its memory is measured, and ids are chosen."""
    from harness import httpd
    with httpd.Server(postgres, directives={"FhirBinaryUpdateCreate": "on"}, processes=1) as running:
        yield running


@pytest.fixture(scope="module")
def mallory(attacked):
    return attacked.project("Mallory's")


def status_line(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name + ":"))


class Memory:
    """Megabytes that the one child needed at most inside the block, beyond what it had."""

    def __init__(self, server):
        [self.pid] = server.children()

    def __enter__(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")
        self.before = status_line(self.pid, "VmRSS")
        return self

    def __exit__(self, *_):
        self.grown = status_line(self.pid, "VmHWM") - self.before


def transaction(client, entries, kind="transaction"):
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()
    return client.call("POST", "/fhir/R4", FHIR, body)


def entry(method, url, resource=None, **request):
    made = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    return made


def list_of(references):
    return {"resourceType": "List", "status": "current", "mode": "working",
            "entry": [{"item": {"reference": reference}} for reference in references]}


# ---- small requests, much memory ----

def test_full_url_is_bounded(mallory):
    answer = transaction(mallory, [{"fullUrl": "http://" + "a" * 5000 + "/Patient/1",
                                    **entry("POST", "Patient", {"resourceType": "Patient"})}])
    issue = checks.outcome(answer, 400)
    assert issue["expression"] == ["Bundle.entry[0].fullUrl"], issue
    assert transaction(mallory, [{"fullUrl": "http://" + "a" * 2000 + "/Patient/1",
                                  **entry("POST", "Patient", {"resourceType": "Patient"})}]).status == 200


def test_relative_references_leave_nothing_behind(attacked, mallory):
    """Each is looked up behind its entry's fullUrl: 2 KB for each of 40,000 references were 80 MB."""
    with Memory(attacked) as memory:
        answer = transaction(mallory, [{"fullUrl": "http://" + "a" * 2000 + "/Patient/1",
                                        **entry("POST", "List", list_of(f"Patient/{i}" for i in range(40000)))}])
    assert answer.status == 200, answer
    assert memory.grown < 110, memory.grown


@pytest.fixture(scope="module")
def huge(mallory):
    resource = {"resourceType": "Patient", "id": "huge", "name": [{"family": "a" * 12 * MEGABYTE}]}
    resources.put(mallory, resource)
    return "Patient/huge"


NO_PATCH = base64.b64encode(b'[{"op":"add","path":"/active","value":true}]').decode()


@pytest.mark.parametrize("made", [
    entry("PUT", "Patient/huge", {"resourceType": "Patient", "id": "huge"}),
    entry("DELETE", "Patient/huge"),
    entry("PATCH", "Patient/huge", {"resourceType": "Binary", "contentType": "application/json-patch+json",
                                    "data": NO_PATCH}),
    entry("POST", "Patient", {"resourceType": "Patient"}, ifNoneExist="_id=huge"),
    entry("PUT", "Patient?_id=huge", {"resourceType": "Patient", "id": "huge"}),
], ids=["update", "delete", "patch", "conditional create", "conditional update"])
def test_transaction_of_large_resources_is_bounded(attacked, mallory, huge, made):
    """Two hundred entries of a few bytes, each about 12 MB that are stored."""
    with Memory(attacked) as memory:
        answer = transaction(mallory, [made] * 200)
    checks.outcome(answer, 413)
    assert memory.grown < 400, memory.grown
    assert mallory.call("GET", huge).status == 200


def test_conditional_references_to_large_resources_are_bounded(attacked, mallory, huge):
    references = [f"Patient?_id=huge,none{i}" for i in range(60)]
    with Memory(attacked) as memory:
        answer = transaction(mallory, [entry("POST", "List", list_of(references))])
    assert answer.status == 200, answer
    assert memory.grown < 150, memory.grown


def photos(urls):
    return {"resourceType": "Patient", "photo": [{"url": url} for url in urls]}


def test_attachments_of_one_resource_are_bounded(attacked, mallory):
    identity, _ = mallory.upload(b"picture", "image/png")
    most = photos([f"Binary/{identity}"] * 10000)
    with Memory(attacked) as memory:
        created = resources.create(mallory, most)
        assert len(created["photo"]) == 10000
        assert mallory.get(f"Patient/{created['id']}").status == 200
    assert memory.grown < 150, memory.grown
    with Memory(attacked) as memory:
        issue = checks.outcome(resources.post(mallory, photos([f"Binary/{identity}"] * 10001)), 413)
        checks.outcome(resources.post(mallory, photos(["Binary/a"] * 400000)), 413)
    assert "10000" in issue["diagnostics"]
    assert memory.grown < 200, memory.grown
    others = resources.create(mallory, photos([f"https://elsewhere.example/{i}" for i in range(10001)]))
    assert len(others["photo"]) == 10001


def test_values_to_be_searched_are_bounded(attacked, mallory):
    def patient(count):
        return {"resourceType": "Patient", "identifier": [{"value": str(i)} for i in range(count)]}
    assert resources.post(mallory, patient(49000)).status == 201
    with Memory(attacked) as memory:
        checks.outcome(resources.post(mallory, patient(300000)), 413)
    assert memory.grown < 250, memory.grown
    answer = transaction(mallory, [entry("POST", "Patient", patient(60000))])
    assert checks.outcome(answer, 413)["expression"] == ["Bundle.entry[0]"]


def test_pins_cost_linear_time(mallory):
    """Each storage URL of an update is compared with the pins of the version before."""
    identity, version = mallory.upload(b"pinned", "image/png")
    pinned = photos([f"Binary/{identity}/_history/{version}"] * 10000)
    created = resources.create(mallory, pinned)
    other = f"{mallory.server.storage_base}{identity}/{uuid.uuid4()}"
    again = {**photos([other] * 9999 + [f"{mallory.server.storage_base}{identity}/{version}"]), "id": created["id"]}
    resources.update(mallory, again)
    stored = mallory.server.sql("SELECT count(binary_version_id), count(*) FROM fhir_binary.attachment a "
                                f"JOIN fhir_binary.resource r USING (version_id) WHERE r.id = '{created['id']}'")
    assert [int(number) for number in stored[0]] == [1, 10000]


def test_pages_are_bounded_by_their_attachments(attacked, mallory):
    """A page of 1000 resources with 10,000 attachments each would be ten million signed URLs."""
    identity, _ = mallory.upload(b"picture", "image/png")
    tag = [{"system": "urn:test", "code": "many-attachments"}]
    for _ in range(12):
        resources.create(mallory, {**photos([f"Binary/{identity}"] * 5000), "meta": {"tag": tag}})
    target, seen = "Patient?_tag=urn:test|many-attachments&_count=1000", []
    with Memory(attacked) as memory:
        while target:
            page = resources.find(mallory, target)
            assert 0 < len(resources.ids(page)) <= 8
            assert all("Signature=" in photo["url"] for found in resources.entries(page) for photo in found["photo"])
            seen += resources.ids(page)
            target = resources.link(page, "next")
            target = resources.relative(mallory, target) if target else None
    assert len(seen) == 12 and len(set(seen)) == 12
    assert memory.grown < 300, memory.grown


def test_history_is_bounded_by_its_attachments(mallory):
    identity, _ = mallory.upload(b"picture", "image/png")
    created = resources.create(mallory, photos([f"Binary/{identity}"] * 9000))
    for _ in range(5):
        resources.update(mallory, {**photos([f"Binary/{identity}"] * 9000 + ["https://elsewhere.example/" +
                                                                            str(uuid.uuid4())]), "id": created["id"]})
    bundle = mallory.get(f"Patient/{created['id']}/_history?_count=100").json()
    assert len(bundle["entry"]) == 4 and bundle["total"] == 6, len(bundle["entry"])
    assert resources.link(bundle, "next")


def test_many_large_bodies_at_once(start):
    """Thirty-two of 16 MB: some wait, some are sent away for a while, the others are not disturbed."""
    server = start(processes=1, threads=40)
    server.expect_log("busy with other large requests")
    client = server.project("Bulk")
    resource = {"resourceType": "Patient", "name": [{"family": "a" * 15 * MEGABYTE}]}
    body, answers, token = json.dumps(resource).encode(), [], client.bearer

    def send():
        answers.append(server.request("POST", "/fhir/R4/Patient", {**FHIR, **token, "Prefer": "return=minimal"}, body))

    with Memory(server) as memory:
        threads = [threading.Thread(target=send) for _ in range(32)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert client.get("Patient?_id=nobody").status == 200
            time.sleep(0.05)
        for thread in threads:
            thread.join()
    statuses = [answer.status for answer in answers]
    assert statuses.count(201) >= 4 and set(statuses) <= {201, 503}, statuses
    for answer in answers:
        if answer.status == 503:
            assert checks.outcome(answer, 503)["code"] == "transient" and "Retry-After" in answer.headers
    assert memory.grown < 2500, memory.grown
    assert server.request("POST", "/fhir/R4/Patient", {**FHIR, **token, "Prefer": "return=minimal"}, body).status == 201


def test_searches_leave_connections_to_others(start, postgres):
    """The tables of the index are locked, so searches hang until the statement timeout; reads don't need them."""
    server = start(processes=1, threads=40, directives={"FhirBinaryDatabasePoolSize": "4",
                                                        "FhirBinaryDatabaseStatementTimeout": "6s"})
    server.expect_log("did not answer in time|timeout|too many searches")
    client = server.project("Hospital")
    made = resources.create(client, {"resourceType": "Patient", "name": [{"family": "Quick"}]})
    answers, token = [], client.bearer
    locked = subprocess.Popen(["psql", server.conninfo, "-Atqc",
                               "BEGIN; LOCK TABLE fhir_binary.resource_string IN ACCESS EXCLUSIVE MODE; "
                               "SELECT pg_sleep(8)"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    searches = [threading.Thread(target=lambda: answers.append(client.get("Patient?name=x").status)) for _ in range(12)]
    for search in searches:
        search.start()
    time.sleep(0.5)
    for _ in range(10):
        started = time.monotonic()
        assert server.request("GET", f"/fhir/R4/Patient/{made['id']}", token).status == 200
        assert time.monotonic() - started < 1
    for search in searches:
        search.join()
    locked.wait(20)
    assert set(answers) <= {200, 503} and len(answers) == 12, answers
    assert client.get("Patient?name=quick").json()["entry"]
