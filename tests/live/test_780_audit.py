"""The audit trail: who did what, allowed and refused; what was sent; nothing lost; nothing altered unseen."""
import json
import re
import socket
import time

import pytest
from harness import checks
from harness.resources import PATCH, create, entries, find, link, post, put, relative, searchset

FIELDS = ("sequence interaction action outcome status bytes_sent flags agent_subject agent_profile membership_id address entity_type "
          "entity_id entity_version query context detail request_id project_id outcome_text").split()
SIGNED, ABORTED, ENTRY = 1, 2, 4


def rows(server, where="true"):
    """Events as dictionaries, in the order of the chain."""
    return [json.loads(line) for (line,) in server.sql(
        f"SELECT row_to_json(e) FROM (SELECT {', '.join(FIELDS)} FROM fhir_binary.audit_event WHERE {where} ORDER BY sequence) e")]


def wait_for(server, where, count=1, within=10):
    end = time.monotonic() + within
    while True:
        found = rows(server, where)
        if len(found) >= count or time.monotonic() > end:
            assert len(found) == count, (where, found)
            return found
        time.sleep(0.05)


def event_of(server, answer):
    """The one event of this answer."""
    return wait_for(server, f"request_id = '{answer.headers['X-Request-Id']}' AND flags & {ENTRY} = 0")[0]


def noted(server, answer, **expected):
    event = event_of(server, answer)
    assert event["status"] == answer.status, event
    for name, value in expected.items():
        assert event[name] == value, (name, value, event)
    assert event["address"] == "127.0.0.1" and event["outcome"] == (0 if answer.status < 400 else 4 if answer.status < 500 else event["outcome"])
    return event


# ---- every interaction ----

def test_binary(server, alice):
    data = b"x" * 3000
    made = alice.call("POST", "Binary", {"Content-Type": "text/plain", "X-Security-Context": "Patient/never"}, data)
    identity, version = checks.created(made, server.fhir_base)
    about = {"entity_type": "Binary", "entity_id": identity}
    noted(server, made, interaction="create", action="C", entity_version=version, agent_subject=alice.id, project_id=alice.project_id,
          context="Patient/never", **about)
    whole = alice.get(f"Binary/{identity}")
    noted(server, whole, interaction="read", action="R", bytes_sent=3000, entity_version=version, context="Patient/never", **about)
    noted(server, alice.get(f"Binary/{identity}", {"Range": "bytes=10-109"}), interaction="read", bytes_sent=100, **about)
    noted(server, alice.call("HEAD", f"Binary/{identity}"), interaction="read", bytes_sent=0, **about)
    noted(server, alice.get(f"Binary/{identity}", {"If-None-Match": whole.headers["ETag"]}), interaction="read", bytes_sent=0, **about)
    noted(server, alice.get(f"Binary/{identity}/_history/{version}"), interaction="vread", bytes_sent=3000, entity_version=version, **about)
    noted(server, alice.get(f"Binary/{identity}/_history"), interaction="history-instance", **about)
    signed = alice.call("GET", f"Binary/{identity}/$presigned-url")
    event = noted(server, signed, interaction="operation", action="E", **about)
    assert event["detail"] == "1 signed URL issued"
    url = signed.json()["parameter"][0]["valueUri"][len(server.base) - 1:]
    event = noted(server, server.request("GET", url), interaction="read", bytes_sent=3000, flags=SIGNED, entity_version=version, **about)
    assert event["membership_id"] and event["project_id"] == alice.project_id
    upload = alice.call("GET", f"Binary/{identity}/$presigned-url?upload=true")
    assert event_of(server, upload)["detail"] == "1 signed URL issued; for upload"
    target = upload.json()["parameter"][0]["valueUri"][len(server.base) - 1:]
    sent = server.request("PUT", target, {"Content-Type": "text/plain"}, b"new")
    noted(server, sent, interaction="update", action="U", flags=SIGNED, **about)
    noted(server, alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"again"), interaction="update", action="U", **about)
    noted(server, alice.call("DELETE", f"Binary/{identity}"), interaction="delete", action="D", **about)
    text = json.dumps(rows(server))
    assert "Signature" not in text and "Expires" not in text


def test_resources(server, alice):
    made = post(alice, {"resourceType": "Patient", "gender": "male"})
    identity, version = made.json()["id"], made.json()["meta"]["versionId"]
    about = {"entity_type": "Patient", "entity_id": identity}
    noted(server, made, interaction="create", action="C", entity_version=version, **about)
    noted(server, alice.get(f"Patient/{identity}"), interaction="read", entity_version=version, **about)
    noted(server, alice.get(f"Patient/{identity}/_history/{version}"), interaction="vread", entity_version=version, **about)
    noted(server, alice.get(f"Patient/{identity}/_history"), interaction="history-instance", **about)
    changed = put(alice, {"resourceType": "Patient", "id": identity, "gender": "female"})
    noted(server, changed, interaction="update", action="U", entity_version=changed.json()["meta"]["versionId"], **about)
    patched = alice.call("PATCH", f"Patient/{identity}", {"Content-Type": PATCH}, b'[{"op":"add","path":"/active","value":true}]')
    noted(server, patched, interaction="patch", action="U", entity_version=patched.json()["meta"]["versionId"], **about)
    found = alice.get("Patient?gender=female&_count=3")
    event = noted(server, found, interaction="search-type", action="E", entity_type="Patient", entity_id=None, query="gender=female&_count=3")
    assert event["bytes_sent"] == len(found.body)
    form = alice.call("POST", "Patient/_search", {"Content-Type": "application/x-www-form-urlencoded"}, b"gender=male")
    noted(server, form, interaction="search-type", entity_type="Patient")
    secret = alice.get("Patient?gender=x&access_token=hush&identifier=http://x/Signature%3Dhush")
    assert event_of(server, secret)["query"] == "gender=x&access_token=-&identifier=-"
    noted(server, alice.call("DELETE", f"Patient/{identity}"), interaction="delete", action="D", **about)
    identity = alice.upload(b"picture", "image/png")[0]
    shown = create(alice, {"resourceType": "Patient", "photo": [{"url": f"Binary/{identity}"}, {"url": f"Binary/{identity}"}]})
    answer = alice.get(f"Patient/{shown['id']}")
    assert event_of(server, answer)["detail"] == "2 signed URLs issued"


def test_refusals(server, alice, bob):
    identity, _ = alice.upload(b"hers", "text/plain")
    about = {"entity_type": "Binary", "entity_id": identity}
    nobody = server.request("GET", f"/fhir/R4/Binary/{identity}")
    event = noted(server, nobody, interaction="read", agent_subject=None, project_id=None, **about)
    assert event["outcome"] == 4 and event["outcome_text"].startswith("Authentication is required")
    noted(server, server.request("GET", f"/fhir/R4/Binary/{identity}", {"Authorization": "Bearer nonsense"}), project_id=None, **about)
    event = noted(server, bob.get(f"Binary/{identity}"), agent_subject=bob.id, project_id=bob.project_id, **about)
    assert event["outcome_text"] == "There is no Binary with this id." and event["status"] == 404
    noted(server, alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain", "If-Match": 'W/"x"'}, b"-"), interaction="update", **about)
    noted(server, alice.call("PATCH", f"Binary/{identity}"), interaction="patch", **about)
    noted(server, alice.get(f"Binary/{identity}", {"Accept": "image/png, application/fhir+xml;q=0, */*;q=0"}), **about)
    noted(server, alice.call("DELETE", "Binary/never"), interaction="delete", entity_id="never")
    noted(server, alice.get("Binary/not%20an%20id"), entity_id=None)
    noted(server, server.request("GET", f"/storage/{identity}/never?Expires=1&Key-Pair-Id=a&Membership=b&Signature=c"), flags=SIGNED, **about)
    scope = alice.new_token("user/Patient.r")
    answer = server.request("GET", f"/fhir/R4/Binary/{identity}", {"Authorization": "Bearer " + scope})
    assert answer.status in (403, 404)
    noted(server, answer, **about)


def test_login(server, alice):
    noted(server, alice.token_request(), interaction="login", action="E", agent_subject=alice.id, project_id=alice.project_id)
    event = noted(server, alice.token_request({"client_secret": "wrong"}), interaction="login", agent_subject=alice.id, project_id=None)
    assert event["outcome_text"] == "The client id or secret is wrong."
    noted(server, alice.token_request({"client_id": "a secret in the wrong place"}), interaction="login", agent_subject=None)


def test_nothing_to_note(server, alice):
    for method, target, fields in (("GET", "/fhir/R4/metadata", {}), ("GET", "/.well-known/jwks.json", {}),
                                   ("GET", "/fhir/R4/.well-known/smart-configuration", {}), ("OPTIONS", "/fhir/R4/Binary", {}),
                                   ("GET", "/fhir/R4/nothing", {})):
        answer = server.request(method, target, fields)
        event_of(server, alice.get("Patient?_count=0"))
        assert not rows(server, f"request_id = '{answer.headers['X-Request-Id']}'"), target


def test_bundles(server, alice):
    patient = create(alice, {"resourceType": "Patient"})
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": f"Patient/{patient['id']}"}}, {"request": {"method": "GET", "url": "Patient/never"}},
        {"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}}]}
    answer = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(batch).encode())
    found = wait_for(server, f"request_id = '{answer.headers['X-Request-Id']}'", 4)
    assert [(e["interaction"], e["status"], e["flags"]) for e in found] == [("read", 200, ENTRY), ("read", 404, ENTRY), ("create", 201, ENTRY), ("batch", 200, 0)]
    assert found[0]["entity_id"] == patient["id"] and found[3]["bytes_sent"] == len(answer.body)
    batch["type"] = "transaction"
    del batch["entry"][1]
    batch["entry"].append({"request": {"method": "POST", "url": "Binary"}, "resource": {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}})
    batch["entry"].append({"request": {"method": "DELETE", "url": f"Patient/{patient['id']}"}})
    answer = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(batch).encode())
    assert answer.status == 200, answer
    found = wait_for(server, f"request_id = '{answer.headers['X-Request-Id']}'", 5)
    assert sorted((e["interaction"], e["entity_type"]) for e in found) == [
        ("create", "Binary"), ("create", "Patient"), ("delete", "Patient"), ("read", "Patient"), ("transaction", None)]
    assert all(e["membership_id"] and e["project_id"] == alice.project_id for e in found)
    assert all(e["entity_version"] for e in found if e["action"] in "CD"), found
    refused = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}},
        {"request": {"method": "PATCH", "url": "Patient/never"}, "resource": {"resourceType": "Binary", "contentType": PATCH, "data": "W10="}}]}
    answer = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(refused).encode())
    found = wait_for(server, f"request_id = '{answer.headers['X-Request-Id']}'", 2)
    assert [(e["interaction"], e["status"]) for e in found] == [("patch", 404), ("transaction", 404)]


# ---- transfers ----

def test_aborted_transfer(server, alice):
    size = 64 << 20
    identity, _ = alice.upload(b"\0" * size)
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lines = [f"GET /fhir/R4/Binary/{identity} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: Bearer {alice.token}", "", ""]
        peer.sendall("\r\n".join(lines).encode())
        got = 0
        while got < 8 << 20:
            got += len(peer.recv(65536))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    [event] = wait_for(server, f"entity_id = '{identity}' AND interaction = 'read'")
    assert event["flags"] == ABORTED and event["status"] == 200 and event["outcome"] == 4, event
    assert 4 << 20 <= event["bytes_sent"] < size, event
    whole = alice.get(f"Binary/{identity}")
    assert len(whole.body) == size
    noted(server, whole, bytes_sent=size, flags=0)


# ---- search ----

def test_search(server, alice, bob):
    identity, version = alice.upload(b"sought", "text/plain")
    for _ in range(6):
        last = alice.get(f"Binary/{identity}")
    event_of(server, last)
    wait_for(server, f"entity_id = '{identity}'", 7)
    found = searchset(alice.get(f"AuditEvent?entity=Binary/{identity}"))
    events = entries(found)
    assert len(events) == 7
    assert [e["recorded"] for e in events] == sorted((e["recorded"] for e in events), reverse=True)
    first = events[0]
    assert first["type"]["code"] == "rest" and first["subtype"][0]["code"] == "read" and first["action"] == "R" and first["outcome"] == "0"
    assert first["entity"][0]["what"]["reference"] == f"Binary/{identity}/_history/{version}"
    details = {d["type"]: d["valueString"] for d in first["entity"][0]["detail"]}
    assert details["bytesSent"] == "6" and details["status"] == "200" and details["transfer"] == "complete"
    assert first["agent"][0]["who"]["identifier"]["value"] == f"urn:uuid:{alice.id}" and first["agent"][0]["network"] == {"address": "127.0.0.1", "type": "2"}
    shown = alice.get(f"AuditEvent/{first['id']}")
    assert shown.status == 200 and shown.json() == first
    # absolute references, form, other parameters
    for query, count in ((f"entity={server.fhir_base}Binary/{identity}", 7), (f"entity=Binary/{identity}&action=R", 6), (f"entity=Binary/{identity}&action=C,R", 7),
                         (f"entity=Binary/{identity}&subtype=create", 1), (f"entity=Binary/{identity}&outcome=4", 0), (f"entity=Binary/{identity}&type=rest", 7),
                         (f"entity=Binary/{identity}&type=110114", 0), (f"entity=Binary/{identity}&address=127.0", 7), (f"entity=Binary/{identity}&address=10.", 0),
                         (f"entity=Binary/{identity}&agent=Practitioner/never", 0), (f"entity=Binary/{identity}&altid={first['agent'][0]['altId']}", 7),
                         (f"entity=Binary/{identity}&altid=never", 0), (f"_id={first['id']},{events[1]['id']}", 2),
                         (f"entity=Binary/{identity}&date=ge{first['recorded']}", 1), (f"entity=Binary/{identity}&date=lt{first['recorded']}", 6),
                         (f"entity=Binary/{identity}&date=2001", 0), (f"entity=Binary/{identity}&date=ge2001&_lastUpdated=gt2001-01-01", 7),
                         (f"entity=Binary/{identity},Binary/nowhere", 7), (f"entity=Binary/{identity}&entity=Binary/never", 0)):
        answer = alice.get("AuditEvent?" + query)
        assert len(entries(searchset(answer))) == count, (query, answer)
    form = alice.call("POST", "AuditEvent/_search", {"Content-Type": "application/x-www-form-urlencoded"}, f"entity=Binary/{identity}".encode())
    assert len(entries(searchset(form))) == 7
    assert find(alice, f"AuditEvent?entity=Binary/{identity}&_total=accurate&_count=2")["total"] == 7
    # paging
    seen, target = [], f"AuditEvent?entity=Binary/{identity}&_count=3"
    while target:
        page = find(alice, target)
        seen += [e["id"] for e in entries(page)]
        following = link(page, "next")
        target = following and relative(alice, following)
    assert seen == [e["id"] for e in events]
    # unknown parameters, as in other searches
    ignored = find(alice, f"AuditEvent?entity=Binary/{identity}&nonsense=1")
    assert len(entries(ignored)) == 7 and "nonsense" in entries(ignored, "outcome")[0]["issue"][0]["diagnostics"]
    checks.outcome(alice.get("AuditEvent?nonsense=1", {"Prefer": "handling=strict"}), 400)
    for bad in ("date=soon", "entity=Binary", "_count=x", "outcome=good", "_cursor=x"):
        checks.outcome(alice.get("AuditEvent?" + bad), 400)
    # another project's administrators see their own
    assert entries(find(bob, f"AuditEvent?entity=Binary/{identity}")) == []
    checks.outcome(bob.get(f"AuditEvent/{first['id']}"), 404)
    checks.outcome(alice.get("AuditEvent/never"), 404)


def test_only_administrators_and_nobody_writes(server, alice):
    member = server.cli.client_create(alice.project_id, "member", admin=False)
    fields = {"client_id": member[0], "client_secret": member[1]}
    token = alice.token_request(fields).json()["access_token"]
    for target in "AuditEvent", "AuditEvent/never":
        checks.outcome(server.request("GET", "/fhir/R4/" + target, {"Authorization": "Bearer " + token}), 403)
        checks.outcome(server.request("GET", "/fhir/R4/" + target), 401)
    narrowed = {"Authorization": "Bearer " + alice.new_token("user/Patient.rs")}
    checks.outcome(server.request("GET", "/fhir/R4/AuditEvent", narrowed), 403)
    text = b'{"resourceType":"AuditEvent"}'
    for method, target in ("POST", "AuditEvent"), ("PUT", "AuditEvent/x"), ("PATCH", "AuditEvent/x"), ("DELETE", "AuditEvent/x"), ("DELETE", "AuditEvent?_id=x"):
        answer = alice.call(method, target, {"Content-Type": checks.FHIR_JSON}, text)
        checks.outcome(answer, 405)
        assert "GET" in answer.headers["Allow"]
        noted(server, answer)
    statement = alice.get("/fhir/R4/metadata").json()
    [kind] = [r for r in statement["rest"][0]["resource"] if r["type"] == "AuditEvent"]
    assert {i["code"] for i in kind["interaction"]} == {"read", "search-type"}
    assert {p["name"] for p in kind["searchParam"]} >= {"date", "entity", "agent", "action", "outcome", "type", "subtype", "address"}


# ---- nothing is lost ----

def sequences(server):
    return [int(row[0]) for row in server.sql("SELECT sequence FROM fhir_binary.audit_event ORDER BY sequence")]


def test_clean_stops_lose_nothing(start):
    server = start(extra="FhirBinaryAuditLog {root}/audit.log")
    alice = server.project("stopping")
    identity, _ = alice.upload(b"x" * 100)
    asked = set()
    for turn in range(3):
        for _ in range(40):
            asked.add(alice.get(f"Binary/{identity}").headers["X-Request-Id"])
        if turn < 2:
            server.graceful()
    server.stop()
    kept = {row[0] for row in server.sql("SELECT request_id FROM fhir_binary.audit_event")}
    assert asked <= kept, f"{len(asked - kept)} of {len(asked)} events are lost"
    assert sequences(server) == list(range(1, len(sequences(server)) + 1))


def test_a_transfer_that_outlives_its_configuration(start):
    """The old child writes its events with its own thread until its last transfer is over."""
    server = start(processes=2)
    alice = server.project("under way")
    size = 64 << 20
    identity, _ = alice.upload(b"\0" * size)
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.sendall(f"GET /fhir/R4/Binary/{identity} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode())
        got = len(peer.recv(65536))
        server.graceful()
        while got < size:
            data = peer.recv(1 << 20)
            assert data, f"the transfer ended after {got} bytes"
            got += len(data)
    [event] = wait_for(server, f"entity_id = '{identity}' AND interaction = 'read'")
    assert event["flags"] == 0 and event["bytes_sent"] == size, event


def test_a_database_that_dies(start):
    from harness.postgres import Postgres
    cluster = Postgres()
    try:
        cluster.start()
        cluster.restart()
        server = start(postgres=cluster)
        server.owns_database = False  # it goes with the cluster
        alice = server.project("patient")
        identity, _ = alice.upload(b"x")
        event_of(server, alice.get(f"Binary/{identity}"))
        server.expect_log("database|audit|connection")
        asked = [alice.get(f"Binary/{identity}").headers["X-Request-Id"] for _ in range(20)]
        cluster.kill()
        refused = [alice.get(f"Binary/{identity}") for _ in range(5)]
        assert {answer.status for answer in refused} == {503}
        asked += [answer.headers["X-Request-Id"] for answer in refused]
        time.sleep(1)
        cluster.script("start")
        wait_for(server, "request_id IN ('" + "','".join(asked) + "')", len(asked), within=30)
        server.expect_log("database|audit|connection")
        assert "the chain is whole" in server.cli.run("audit", "verify")
        server.expect_log("database|audit|connection|FATAL|fhir_binary")
        server.stop()
        server.expect_log("database|audit|connection|FATAL|fhir_binary")
        server.check_log()
    finally:
        cluster.discard()


def test_a_silent_database_at_the_end(start):
    """What can't be written any more is in the error log, before httpd loses patience with its children."""
    from harness.postgres import Postgres
    cluster = Postgres()
    try:
        cluster.start()
        server = start(postgres=cluster)
        server.owns_database = False
        alice = server.project("silent")
        identity, _ = alice.upload(b"x")
        asked = [alice.get(f"Binary/{identity}").headers["X-Request-Id"] for _ in range(20)]
        cluster.silence()
        try:
            # connections are there: these wait for it
            hanging = [server.connect() for _ in range(3)]
            for connection in hanging:
                connection.send(f"GET /fhir/R4/Binary/{identity} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode())
            time.sleep(1)
            server.stop(check=False)
        finally:
            cluster.wake()
        kept = {row[0] for row in server.sql("SELECT request_id FROM fhir_binary.audit_event")}
        log = server.log_text()
        kept |= {identity for identity in asked if re.search(f"audit event lost: .*{identity}", log)}
        assert "SIGKILL" not in log, log[-3000:]
        assert set(asked) <= kept, f"{len(set(asked) - kept)} of {len(asked)} events are lost without a trace"
        server.expect_log("database|audit|connection|still did not exit")
        server.check_log()
    finally:
        cluster.wake()
        cluster.discard()


# ---- the stream ----

def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_stream_to_a_file(start):
    server = start(extra="FhirBinaryAuditLog {root}/audit.log")
    alice = server.project("streamed")
    identity, _ = alice.upload(b"x" * 100, headers={"Content-Disposition": 'attachment; filename="ä\\".txt"'})
    for _ in range(20):
        last = alice.get(f"Binary/{identity}")
    alice.get("Patient?name=%C3%A4%22")
    event_of(server, last)
    server.graceful()
    event_of(server, alice.get(f"Binary/{identity}"))
    signed = alice.signed(identity)
    event_of(server, server.request("GET", signed))
    server.stop()
    log = server.root / "audit.log"
    streamed = {entry["sequence"]: entry for entry in lines(log)}
    stored = {int(s): h for s, h in server.sql("SELECT sequence, encode(hash, 'hex') FROM fhir_binary.audit_event")}
    assert {s: e["hash"] for s, e in streamed.items()} == stored
    for event in rows(server):
        for name, value in event.items():
            assert streamed[event["sequence"]].get(name) == value, (name, event)
    text = log.read_text()
    assert "Signature" not in text and alice.token not in text and alice.secret not in text


def test_stream_to_a_program_and_one_that_fails(start):
    server = start(extra='FhirBinaryAuditLog "|$/bin/cat >>{root}/piped.log"')
    alice = server.project("piped")
    event_of(server, alice.get("Patient"))
    server.stop()
    end = time.monotonic() + 5
    while len(lines(server.root / "piped.log")) < len(rows(server, "agent_kind <> 4")) and time.monotonic() < end:
        time.sleep(0.05)
    assert [e["sequence"] for e in sorted(lines(server.root / "piped.log"), key=lambda e: e["sequence"])] == [e["sequence"] for e in rows(server, "agent_kind <> 4")]
    full = start(directives={"FhirBinaryAuditLog": "/dev/full"})
    bob = full.project("full")
    for _ in range(5):
        event_of(full, bob.get("Patient"))
    full.expect_log("the stream of FhirBinaryAuditLog can't be written")


# ---- the chain ----

def test_verify_and_tampering(start):
    server = start()
    alice = server.project("tampered")
    for _ in range(12):
        last = alice.get("Patient?_count=0")
    event_of(server, last)
    server.stop()
    assert "the chain is whole" in server.cli.run("audit", "verify")
    for statement, sequence in (
            ("UPDATE {t} SET outcome_text = 'nothing' WHERE sequence = 5", 5), ("DELETE FROM {t} WHERE sequence = 4", 4),
            ("DELETE FROM {t} WHERE sequence = (SELECT max(sequence) FROM {t})", None), ("UPDATE {t} SET agent_subject = NULL WHERE sequence = 7", 7),
            ("UPDATE {t} SET recorded = recorded + interval '1 microsecond' WHERE sequence = 6", 6),
            ("UPDATE fhir_binary.audit_head SET last_sequence = last_sequence - 1, last_hash = (SELECT hash FROM {t} WHERE sequence = audit_head.last_sequence - 1)", None)):
        top = sequences(server)[-1]
        table = "fhir_binary.audit_event"
        server.sql(f"BEGIN; CREATE TABLE fhir_binary.kept AS SELECT * FROM {table}; CREATE TABLE fhir_binary.kept_head AS SELECT * FROM fhir_binary.audit_head; COMMIT")
        with pytest.raises(AssertionError):
            server.sql("DELETE FROM fhir_binary.audit_event")
        with pytest.raises(AssertionError):
            server.sql("UPDATE fhir_binary.audit_event SET outcome = 0")
        with pytest.raises(AssertionError):
            server.sql("TRUNCATE fhir_binary.audit_event")
        server.sql(f"BEGIN; ALTER TABLE {table} DISABLE TRIGGER ALL; {statement.format(t=table)}; ALTER TABLE {table} ENABLE TRIGGER ALL; COMMIT")
        text = server.cli.run("audit", "verify", check=False)
        assert server.cli.code == 3 and f"event {sequence or top} " in text, (statement, text)
        server.sql(f"BEGIN; ALTER TABLE {table} DISABLE TRIGGER ALL; DELETE FROM {table}; INSERT INTO {table} SELECT * FROM fhir_binary.kept; "
                   f"ALTER TABLE {table} ENABLE TRIGGER ALL; DELETE FROM fhir_binary.audit_head; INSERT INTO fhir_binary.audit_head SELECT * FROM fhir_binary.kept_head; "
                   "DROP TABLE fhir_binary.kept, fhir_binary.kept_head; COMMIT")
        assert "the chain is whole" in server.cli.run("audit", "verify")


def test_retention(start):
    server = start()
    alice = server.project("old")
    for _ in range(10):
        last = alice.get("Patient?_count=0")
    event_of(server, last)
    assert "removed 0 " in server.cli.run("audit", "prune", "--older-than", "1h")
    time.sleep(3)
    before = len(rows(server))
    kept = alice.get("Patient?_count=0")
    event_of(server, kept)
    assert f"removed {before} " in server.cli.run("audit", "prune", "--older-than", "2s")
    assert rows(server)[-1]["request_id"] == kept.headers["X-Request-Id"]
    told = server.cli.run("audit", "verify")
    assert "the chain is whole" in told and f"those before {rows(server)[0]['sequence']} were pruned" in told, told
    listed = json.loads(server.cli.run("audit", "list", "--json"))
    assert listed[0]["interaction"] == "search-type"
    # by itself, after the next start
    time.sleep(1.1)
    server.directives["FhirBinaryAuditRetention"] = "1s"
    server.write_configuration()
    server.graceful()
    event_of(server, alice.get("Patient?_count=0"))
    end = time.monotonic() + 10
    while rows(server, f"request_id = '{kept.headers['X-Request-Id']}'") and time.monotonic() < end:
        alice.get("Patient?_count=0")
        time.sleep(0.2)
    assert not rows(server, f"request_id = '{kept.headers['X-Request-Id']}'")
    assert "the chain is whole" in server.cli.run("audit", "verify")
