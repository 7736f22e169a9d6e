"""Batch and transaction Bundles (FHIR R4 http.html#transaction): what entries may ask, all or nothing, references."""
import base64
import json
import threading
import uuid

import pytest
from harness import checks

FHIR = {"Content-Type": checks.FHIR_JSON}


def urn():
    return f"urn:uuid:{uuid.uuid4()}"


def entry(method, url, resource=None, full_url=None, **conditions):
    made = {"request": {"method": method, "url": url, **conditions}}
    if full_url:
        made["fullUrl"] = full_url
    if resource is not None:
        made["resource"] = resource
    return made


def post(client, kind, entries, headers=None, target="/fhir/R4"):
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()
    return client.call("POST", target, {**FHIR, **(headers or {})}, body)


def send(client, kind, entries, headers=None):
    """The entries of the answer."""
    answer = post(client, kind, entries, headers)
    assert answer.status == 200, answer
    assert checks.media_type(answer) == checks.FHIR_JSON, answer
    bundle = answer.json()
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == kind + "-response", answer
    made = bundle.get("entry", [])
    assert len(made) == len(entries), answer
    return made


def batch(client, *entries, headers=None):
    return send(client, "batch", list(entries), headers)


def transaction(client, *entries, headers=None):
    return send(client, "transaction", list(entries), headers)


def failed(made, status):
    """An entry of a batch that went wrong; gives its issue."""
    assert made["response"]["status"] == str(status), made
    assert "resource" not in made, made
    outcome = made["response"]["outcome"]
    assert outcome["resourceType"] == "OperationOutcome", made
    [issue] = outcome["issue"]
    assert issue["severity"] == "error" and issue["code"] in checks.CODES[status] and issue["diagnostics"], made
    assert not checks.SECRETS.search(issue["diagnostics"]), made
    return issue


def refused(client, entries, status, place=None, code=None):
    """A transaction that is refused; gives the issue."""
    answer = post(client, "transaction", entries)
    issue = checks.outcome(answer, status, code)
    if place is not None:
        assert issue["expression"][0].startswith(f"Bundle.entry[{place}]"), answer
    return issue


def patient(**members):
    return {"resourceType": "Patient", **members}


def identifier(value=None):
    return {"system": "urn:test", "value": value or str(uuid.uuid4())}


def create(client, resource):
    answer = client.call("POST", resource["resourceType"], FHIR, json.dumps(resource).encode())
    assert answer.status == 201, answer
    return answer.json()


def read(client, reference):
    answer = client.json(reference)
    assert answer.status == 200, answer
    return answer.json()


def found(client, query):
    answer = client.json(query)
    assert answer.status == 200, answer
    return [each["resource"] for each in answer.json().get("entry", []) if each["search"]["mode"] == "match"]


def id_of(made):
    return made["resource"]["id"]


def counts(server):
    """Rows of all that a transaction may leave."""
    tables = ("resource", "resource_version", "attachment", "binary", "binary_version", "object")
    return [server.sql(f"SELECT count(*) FROM fhir_binary.{table}")[0][0] for table in tables]


def data(text):
    return base64.b64encode(text).decode()


def binary(content=b"hello", **members):
    return {"resourceType": "Binary", "contentType": "text/plain", "data": data(content), **members}


# ---- batch ----
def test_batch_answers_in_order(alice):
    known = create(alice, patient(active=True))
    version = known["meta"]["versionId"]
    made = batch(alice,
                 entry("POST", "Patient", patient(birthDate="1990-01-01")),
                 entry("GET", f"Patient/{known['id']}"),
                 entry("GET", "Patient/unknown"),
                 entry("PUT", f"Patient/{known['id']}", patient(id=known["id"], active=False),
                       ifMatch=f'W/"{version}"'),
                 entry("GET", f"Patient/{known['id']}/_history/{version}"),
                 entry("GET", f"Patient?_id={known['id']}"),
                 entry("DELETE", f"Patient/{known['id']}"),
                 entry("GET", f"Patient/{known['id']}"))
    assert [each["response"]["status"] for each in made] == ["201", "200", "404", "200", "200", "200", "204", "410"]
    base = alice.server.fhir_base
    first = made[0]
    assert first["resource"]["birthDate"] == "1990-01-01" and first["fullUrl"] == f"{base}Patient/{id_of(first)}"
    assert first["response"]["location"] == (f"{base}Patient/{id_of(first)}/_history/"
                                             f"{first['resource']['meta']['versionId']}")
    assert first["response"]["etag"] == f'W/"{first["resource"]["meta"]["versionId"]}"'
    assert first["response"]["lastModified"][:19] == first["resource"]["meta"]["lastUpdated"][:19]
    assert "outcome" not in first["response"]
    assert made[1]["resource"] == known and made[1]["fullUrl"] == f"{base}Patient/{known['id']}"
    failed(made[2], 404)
    assert made[3]["resource"]["active"] is False
    assert made[4]["resource"] == known
    assert made[5]["resource"]["type"] == "searchset" and made[5]["resource"]["entry"][0]["resource"]["active"] is False
    assert "resource" not in made[6] and "fullUrl" not in made[6]
    failed(made[7], 410)


@pytest.mark.parametrize("url", ["Patient/{id}", "/Patient/{id}", "{base}Patient/{id}", "/fhir/R4/Patient/{id}",
                                 "Patient/{id}/", "Patient/%{hex}{rest}"])
def test_batch_url_forms(alice, url):
    known = create(alice, patient())["id"]
    text = url.format(id=known, base=alice.server.fhir_base, hex=f"{ord(known[0]):02x}", rest=known[1:])
    [made] = batch(alice, entry("GET", text))
    assert made["response"]["status"] == "200" and id_of(made) == known, made


@pytest.mark.parametrize("url,status", [
    ("http://elsewhere.example/fhir/R4/Patient/1", 400), ("Patient/../Patient/1", 400), ("../../oauth2/token", 400),
    ("Patient/%2e%2e/Patient", 400), ("Patient%2F1", 400), ("Patient/1%00", 400), ("Patient/1%", 400),
    ("Patient/1#x", 400), ("Patient//1", 400), ("Patient\\1", 400), ("Patient/%252F", 400), ("Patient/\n", 400),
    ("Patient/%ff", 400), ("Nonsense/1", 404), ("$graphql", 404), ("urn:uuid:1", 404), ("?", 400), ("/", 400),
    ("", 400), ("auth/me", 404), ("/../../auth/me", 400), ("oauth2/token", 404), ("storage/1/2", 404),
    (".well-known/smart-configuration", 400), ("Patient/a_b", 404), ("Patient?_count=x", 400)])
def test_batch_bad_addresses(alice, url, status):
    [made, after] = batch(alice, entry("GET", url), entry("GET", "metadata"))
    failed(made, status)
    assert after["resource"]["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize("url", ["", "/", "{base}", "/fhir/R4", "/fhir/R4/"])
def test_no_bundle_in_a_bundle(alice, url):
    inner = {"resourceType": "Bundle", "type": "batch", "entry": [entry("POST", "Patient", patient())]}
    before = counts(alice.server)
    failed(batch(alice, entry("POST", url.format(base=alice.server.fhir_base), inner))[0], 400)
    refused(alice, [entry("POST", url.format(base=alice.server.fhir_base), inner)], 400, 0)
    assert counts(alice.server) == before


@pytest.mark.parametrize("bad,expression", [
    ({}, ".request"), ({"request": None}, ".request"), ({"request": []}, ".request"), (None, ".request"),
    (5, ".request"), ({"request": {"url": "Patient/1"}}, ".request.method"),
    ({"request": {"method": "get", "url": "Patient/1"}}, ".request.method"),
    ({"request": {"method": "OPTIONS", "url": "Patient/1"}}, ".request.method"),
    ({"request": {"method": "GET"}}, ".request.url"), ({"request": {"method": "GET", "url": 7}}, ".request.url"),
    ({"request": {"method": "GET", "url": "Patient/1", "ifMatch": 7}}, ".request.ifMatch"),
    ({"request": {"method": "GET", "url": "Patient/1", "ifModifiedSince": "soon"}}, ".request.ifModifiedSince"),
    ({"request": {"method": "POST", "url": "Patient"}}, ".resource"),
    ({"request": {"method": "POST", "url": "Patient"}, "resource": "x"}, ".resource"),
    ({"request": {"method": "POST", "url": "Patient"}, "fullUrl": 1, "resource": {"resourceType": "Patient"}},
     ".fullUrl"),
])
def test_malformed_entries(alice, bad, expression):
    made = batch(alice, bad, entry("GET", "metadata"))
    issue = failed(made[0], 400)
    assert issue["expression"] == ["Bundle.entry[0]" + expression]
    assert made[1]["response"]["status"] == "200"
    before = counts(alice.server)
    issue = refused(alice, [entry("POST", "Patient", patient()), bad], 400, 1)
    assert issue["expression"] == ["Bundle.entry[1]" + expression]
    assert counts(alice.server) == before


@pytest.mark.parametrize("body,status", [
    (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b'{"resourceType":"Patient"}', 400),
    (b'{"resourceType":"Bundle"}', 400), (b'{"resourceType":"Bundle","type":"collection"}', 400),
    (b'{"resourceType":"Bundle","type":"batch","entry":{}}', 400),
    (b'{"resourceType":"Bundle","type":"transaction","entry":"x"}', 400),
    (b'{"resourceType":"Bundle","type":"batch","entry":[' + b",".join([b"{}"] * 1001) + b"]}", 413)])
def test_bodies_that_are_no_bundle(alice, body, status):
    checks.outcome(alice.call("POST", "/fhir/R4", FHIR, body), status)


def test_empty_bundles(alice):
    for kind in ("batch", "transaction"):
        for more in (b"", b',"entry":[]'):
            body = b'{"resourceType":"Bundle","type":"%s"%s}' % (kind.encode(), more)
            answer = alice.call("POST", "/fhir/R4/", FHIR, body)
            assert answer.status == 200 and answer.json() == {"resourceType": "Bundle", "type": kind + "-response"}


def test_who_asks_comes_first(server, alice):
    body = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": []}).encode()
    checks.outcome(server.request("POST", "/fhir/R4", FHIR, body), 401)
    checks.outcome(server.request("POST", "/fhir/R4", {**FHIR, "Authorization": "Bearer x"}, body), 401)
    checks.outcome(alice.call("POST", "/fhir/R4", {"Content-Type": "text/plain"}, body), 415)
    checks.outcome(alice.call("POST", "/fhir/R4", {**FHIR, "Accept": "application/fhir+xml"}, body), 406)
    checks.outcome(alice.call("GET", "/fhir/R4"), 405)


def test_other_projects_ids(alice, bob):
    theirs = create(bob, patient())["id"]
    file, _ = bob.upload(b"secret")
    made = batch(alice, entry("GET", f"Patient/{theirs}"), entry("GET", f"Binary/{file}"),
                 entry("GET", f"Binary/{file}/$presigned-url"), entry("DELETE", f"Patient/{theirs}"),
                 entry("DELETE", f"Binary/{file}"),
                 entry("PUT", f"Patient/{theirs}", patient(id=theirs)))
    assert [each["response"]["status"] for each in made] == ["404"] * 5 + ["405"]
    refused(alice, [entry("PUT", f"Binary/{file}", binary(id=file))], 405, 0)
    made = transaction(alice, entry("DELETE", f"Patient/{theirs}"), entry("DELETE", f"Binary/{file}"))
    assert [each["response"]["status"] for each in made] == ["204", "204"]
    assert read(bob, f"Patient/{theirs}")["id"] == theirs and bob.get(f"Binary/{file}").body == b"secret"


def test_batch_conditions(alice):
    known = create(alice, patient())
    one, version = known["id"], known["meta"]["versionId"]
    made = batch(alice, entry("GET", f"Patient/{one}", ifNoneMatch=f'W/"{version}"'),
                 entry("GET", f"Patient/{one}", ifModifiedSince="2100-01-01T00:00:00Z"),
                 entry("GET", f"Patient/{one}", ifModifiedSince="2000-01-01T00:00:00Z"),
                 entry("PUT", f"Patient/{one}", patient(id=one), ifMatch='W/"other"'),
                 entry("DELETE", f"Patient/{one}", ifMatch='W/"other"'))
    assert [each["response"]["status"] for each in made] == ["304", "304", "200", "412", "412"]
    assert "resource" not in made[0] and made[0]["response"]["etag"] == f'W/"{version}"'


@pytest.mark.parametrize("send_as", [batch, transaction])
def test_conditional_create_and_update(alice, send_as):
    key = identifier()
    query = f"identifier={key['system']}|{key['value']}"
    [first] = send_as(alice, entry("POST", "Patient", patient(identifier=[key]), ifNoneExist=query))
    [second] = send_as(alice, entry("POST", "Patient", patient(identifier=[key]), ifNoneExist="?" + query))
    assert [first["response"]["status"], second["response"]["status"]] == ["201", "200"]
    assert id_of(first) == id_of(second) and second["resource"] == first["resource"]
    [third] = send_as(alice, entry("PUT", "Patient?" + query, patient(identifier=[key], active=True)))
    assert third["response"]["status"] == "200" and id_of(third) == id_of(first)
    assert len(found(alice, "Patient?" + query)) == 1
    other = identifier()
    [fourth] = send_as(alice, entry("PUT", f"Patient?identifier=urn:test|{other['value']}",
                                    patient(identifier=[other])))
    assert fourth["response"]["status"] == "201"


def test_prefer_applies_to_entries(alice):
    for send_as in (batch, transaction):
        one = create(alice, patient())["id"]
        write = [entry("POST", "Patient", patient()), entry("PUT", f"Patient/{one}", patient(id=one)),
                 entry("POST", "Binary", binary()), entry("GET", f"Patient/{one}")]
        made = send_as(alice, *write, headers={"Prefer": "return=minimal"})
        assert ["resource" in each for each in made] == [False, False, False, True]
        assert all("outcome" not in each["response"] for each in made)
        made = send_as(alice, *write, headers={"Prefer": "return=OperationOutcome"})
        assert ["resource" in each for each in made] == [False, False, False, True]
        assert ["outcome" in each["response"] for each in made] == [True, True, True, False]
        made = send_as(alice, *write, headers={"Prefer": "return=representation"})
        assert ["resource" in each for each in made] == [True, True, True, True]


@pytest.mark.parametrize("send_as", [batch, transaction])
def test_patch_entries(alice, send_as):
    one = create(alice, patient(active=True, gender="male"))["id"]
    patch = json.dumps([{"op": "replace", "path": "/active", "value": False}]).encode()
    carrier = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data(patch)}
    [made] = send_as(alice, entry("PATCH", f"Patient/{one}", carrier))
    assert made["response"]["status"] == "200" and made["resource"]["active"] is False
    assert made["resource"]["gender"] == "male"
    lines = data(patch)[:20] + "\n  " + data(patch)[20:]
    [made] = send_as(alice, entry("PATCH", f"Patient/{one}", {**carrier, "data": lines}))
    assert made["response"]["status"] == "200"


@pytest.mark.parametrize("resource,status", [
    ({"resourceType": "Parameters"}, 400), ({"resourceType": "Binary", "contentType": "application/json-patch+json"}, 400),
    ({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "!"}, 400),
    ({"resourceType": "Binary", "contentType": "text/plain", "data": data(b"[]")}, 415),
    ({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data(b"{")}, 400),
    ({"resourceType": "Binary", "contentType": "application/json-patch+json",
      "data": data(b'[{"op":"test","path":"/active","value":false}]')}, 422),
    ({"resourceType": "Binary", "contentType": "application/json-patch+json",
      "data": data(b'[{"op":"replace","path":"/id","value":"x"}]')}, 422)])
def test_patches_that_fail(alice, resource, status):
    one = create(alice, patient(active=True))["id"]
    failed(batch(alice, entry("PATCH", f"Patient/{one}", resource))[0], status)
    refused(alice, [entry("POST", "Patient", patient()), entry("PATCH", f"Patient/{one}", resource)], status, 1)


def test_a_binary_in_a_bundle_has_no_data(alice):
    file, version = alice.upload(b"content", "text/plain")
    made = batch(alice, entry("GET", f"Binary/{file}"), entry("GET", f"Binary/{file}/_history/{version}"),
                 entry("GET", f"Binary/{file}/_history"), entry("GET", f"Binary/{file}/$presigned-url"),
                 entry("POST", "Binary", binary(b"more")), entry("GET", f"Binary/{file}?_format=xml"),
                 entry("GET", "Binary/unknown?_format=xml"), entry("GET", "Binary"))
    assert [each["response"]["status"] for each in made[:5]] == ["200", "200", "200", "200", "201"]
    assert made[0]["resource"]["contentType"] == "text/plain" and "data" not in made[0]["resource"]
    assert made[3]["resource"]["parameter"][0]["valueUri"].startswith(alice.server.storage_base)
    assert alice.get(f"Binary/{id_of(made[4])}").body == b"more"
    failed(made[6], 404)
    failed(made[7], 400)
    # What is in JSON has parts in JSON.
    assert made[5]["resource"] == made[0]["resource"]
    for send_as in (batch, transaction):
        [made] = send_as(alice, entry("POST", "Binary?_format=xml", binary(b"xml")))
        assert made["response"]["status"] == "201" and alice.get(f"Binary/{id_of(made)}").body == b"xml"
    made = batch(alice, entry("GET", "metadata?_format=xml"), entry("GET", f"Binary/{file}/_history?_format=xml"))
    assert [each["resource"]["resourceType"] for each in made] == ["CapabilityStatement", "Bundle"]


def test_attachments_in_batches_are_signed(alice):
    file, _ = alice.upload(b"photo", "image/png")
    [made] = batch(alice, entry("POST", "Patient", patient(photo=[{"url": f"Binary/{file}"}])))
    assert made["resource"]["photo"][0]["url"].startswith(alice.server.storage_base)
    [again] = batch(alice, entry("GET", f"Patient/{id_of(made)}"))
    assert again["resource"] == made["resource"]


def test_batch_keeps_going_and_text_stays(alice):
    text = (b'{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":"Observation"},'
            b'"resource":{"resourceType":"Observation","status":"final","code":{"text":"\\u0041b"},'
            b'"valueQuantity":{"value":0.10},"x-unknown":12345678901234567890}}]}')
    answer = alice.call("POST", "/fhir/R4", FHIR, text)
    assert b'"value":0.10' in answer.body and b'\\u0041b' in answer.body and b"12345678901234567890" in answer.body


def test_a_thousand_entries(alice):
    key = str(uuid.uuid4())
    entries = [entry("POST", "Patient", patient(identifier=[{"system": "urn:many", "value": key}],
                                                name=[{"family": f"Number{number}"}])) for number in range(1000)]
    for send_as in (batch, transaction):
        made = send_as(alice, *entries)
        assert {each["response"]["status"] for each in made} == {"201"}
        assert [each["resource"]["name"][0]["family"] for each in made] == [f"Number{n}" for n in range(1000)]
    answer = alice.json(f"Patient?identifier=urn:many|{key}&_total=accurate&_count=1").json()
    assert answer["total"] == 2000


# ---- transaction ----
def test_transaction_happy_path(alice):
    doomed, changed, fresh = create(alice, patient()), create(alice, patient()), urn()
    made = transaction(alice, entry("GET", "Patient?_id=" + changed["id"]),
                       entry("PUT", f"Patient/{changed['id']}", patient(id=changed["id"], active=True)),
                       entry("POST", "Patient", patient(active=False), fresh),
                       entry("DELETE", f"Patient/{doomed['id']}"), entry("DELETE", "Patient/never-was"),
                       entry("GET", f"Patient/{doomed['id']}"))
    assert [each["response"]["status"] for each in made] == ["200", "200", "201", "204", "204", "410"]
    # Reads see what was written.
    assert made[0]["resource"]["entry"][0]["resource"]["active"] is True
    assert made[2]["fullUrl"] == f"{alice.server.fhir_base}Patient/{id_of(made[2])}"
    assert made[2]["response"]["location"].endswith(f"/_history/{made[2]['resource']['meta']['versionId']}")
    assert made[2]["response"]["lastModified"] == made[2]["resource"]["meta"]["lastUpdated"]
    assert read(alice, f"Patient/{id_of(made[2])}") == made[2]["resource"]


def test_nothing_remains_of_a_transaction_that_fails(server, alice):
    known = create(alice, patient(active=True))
    server.wait_idle()
    before, stored = counts(server), server.stored()
    good = [entry("POST", "Patient", patient(), urn()), entry("POST", "Binary", binary(), urn()),
            entry("PUT", f"Patient/{known['id']}", patient(id=known["id"], active=False)),
            entry("POST", "Binary", binary(b"two"))]
    for bad, status in [(entry("POST", "Patient", {"resourceType": "Observation"}), 400),
                        (entry("POST", "Nonsense", patient()), 404),
                        (entry("PUT", "Patient/unknown-id", patient(id="unknown-id")), 405),
                        (entry("PUT", f"Patient/{known['id']}x", patient(id="other")), 405),
                        (entry("POST", "Binary", {"resourceType": "Binary", "data": "AAAA"}), 400),
                        (entry("POST", "Binary", binary(contentType="application/x-msdownload")), 400),
                        (entry("POST", "Binary", {**binary(), "data": "!!!"}), 400),
                        (entry("POST", "Binary", patient()), 400),
                        (entry("PATCH", "Patient/unknown-id", patient()), 400),
                        (entry("PATCH", "Patient/unknown-id", {
                            "resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W10="}), 404),
                        (entry("POST", "Observation", {"resourceType": "Observation", "subject": {
                            "reference": "Patient?identifier=urn:test|nobody"}}), 412),
                        (entry("POST", "Patient", patient(), ifNoneExist="nonsense=1"), 400),
                        (entry("GET", "Nonsense/1"), 404),
                        (entry("POST", "Patient/_search", patient()), 400)]:
        refused(alice, good + [bad], status, 4)
        refused(alice, [bad] + good, status, 0)
    server.wait_idle()
    assert counts(server) == before
    assert server.stored() == stored
    assert read(alice, f"Patient/{known['id']}") == known


def test_if_match_fails_all(alice):
    known = create(alice, patient())
    before = counts(alice.server)
    issue = refused(alice, [entry("POST", "Patient", patient()), entry("POST", "Binary", binary()),
                            entry("PUT", f"Patient/{known['id']}", patient(id=known["id"]), ifMatch='W/"stale"')],
                    412, 2)
    assert issue["code"] == "conflict"
    refused(alice, [entry("POST", "Patient", patient()),
                    entry("DELETE", f"Patient/{known['id']}", ifMatch='W/"stale"')], 412, 1)
    assert counts(alice.server) == before
    [made] = transaction(alice, entry("DELETE", f"Patient/{known['id']}",
                                      ifMatch=f'W/"{known["meta"]["versionId"]}"'))
    assert made["response"]["status"] == "204"


def test_references_between_entries(alice):
    who, file, media, other = urn(), urn(), urn(), urn()
    narrative = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{who}">x</a><img src="{file}" alt="x"/></div>'
    made = transaction(alice,
                       entry("POST", "Media", {"resourceType": "Media", "status": "completed",
                                               "subject": {"reference": who, "display": "Homer"},
                                               "content": {"url": file, "title": "Scan"},
                                               "text": {"status": "generated", "div": narrative},
                                               "extension": [{"url": "http://x/y", "valueUri": who},
                                                             {"url": "http://x/s", "valueString": who}],
                                               "contained": [{"resourceType": "Patient", "id": "p",
                                                              "link": [{"other": {"reference": other},
                                                                        "type": "seealso"}]}]}, media),
                       entry("POST", "Binary", binary(b"scan", securityContext={"reference": media}), file),
                       entry("POST", "Patient", patient(photo=[{"url": file}]), who),
                       entry("POST", "Patient", patient(link=[{"other": {"reference": who + "#x"},
                                                               "type": "refer"}]), other))
    assert {each["response"]["status"] for each in made} == {"201"}
    homer, scan, linked = f"Patient/{id_of(made[2])}", f"Binary/{id_of(made[1])}", f"Patient/{id_of(made[3])}"
    stored = made[0]["resource"]
    assert stored["subject"] == {"reference": homer, "display": "Homer"}
    assert f'href="{homer}"' in stored["text"]["div"] and f'src="{scan}"' in stored["text"]["div"]
    assert stored["extension"][0]["valueUri"] == homer and stored["extension"][1]["valueString"] == who
    assert stored["contained"][0]["link"][0]["other"]["reference"] == linked
    assert made[3]["resource"]["link"][0]["other"]["reference"] == homer + "#x"
    assert made[1]["resource"]["securityContext"] == {"reference": f"Media/{id_of(made[0])}"}
    for url in (stored["content"]["url"], made[2]["resource"]["photo"][0]["url"]):
        assert url.startswith(alice.server.storage_base + id_of(made[1]) + "/")
        answer = alice.server.request("GET", url[len(alice.server.base) - 1:])
        assert answer.status == 200 and answer.body == b"scan"
    assert stored["content"]["title"] == "Scan" and stored["content"]["size"] == 4
    assert [each["id"] for each in found(alice, f"Media?subject={homer}")] == [id_of(made[0])]


def test_full_urls_that_are_addresses(alice):
    """bundle.html#references: relative references go from the base of the entry's fullUrl."""
    known = create(alice, patient())
    mine = f"{alice.server.fhir_base}Patient/{known['id']}"
    made = transaction(alice,
                       entry("POST", "Patient", patient(), "http://old.example/fhir/Patient/7"),
                       entry("POST", "Observation",
                             {"resourceType": "Observation", "subject": {"reference": "Patient/7"},
                              "focus": [{"reference": "http://old.example/fhir/Patient/7/_history/2"},
                                        {"reference": "Patient/8"}, {"reference": mine},
                                        {"reference": f"{mine}/_history/{known['meta']['versionId']}"}]},
                             "http://old.example/fhir/Observation/1"),
                       entry("POST", "Observation", {"resourceType": "Observation",
                                                     "subject": {"reference": "Patient/7"}}, urn()),
                       entry("PUT", f"Patient/{known['id']}", patient(id=known["id"], active=True), mine))
    new = f"Patient/{id_of(made[0])}"
    assert id_of(made[0]) != "7"
    assert made[1]["resource"]["subject"]["reference"] == new
    assert [each["reference"] for each in made[1]["resource"]["focus"]] == [
        new, "Patient/8", f"Patient/{known['id']}", f"Patient/{known['id']}/_history/{known['meta']['versionId']}"]
    assert made[2]["resource"]["subject"]["reference"] == "Patient/7"


def test_conditional_writes_are_targets(alice):
    key, who, what = identifier(), urn(), urn()
    query = f"identifier=urn:test|{key['value']}"
    known = create(alice, patient(identifier=[key]))
    made = transaction(alice, entry("POST", "Observation", {"resourceType": "Observation",
                                                            "subject": {"reference": who},
                                                            "hasMember": [{"reference": what}]}),
                       entry("POST", "Patient", patient(identifier=[key]), who, ifNoneExist=query),
                       entry("PUT", f"Observation?{query}", {"resourceType": "Observation", "identifier": [key]}, what))
    assert [each["response"]["status"] for each in made] == ["201", "200", "201"]
    assert made[0]["resource"]["subject"]["reference"] == f"Patient/{known['id']}"
    assert made[0]["resource"]["hasMember"][0]["reference"] == f"Observation/{id_of(made[2])}"


def test_conditional_references(alice):
    old, new, nobody = identifier(), identifier(), identifier()
    known = create(alice, patient(identifier=[old]))

    def observation(*keys, **more):
        return {"resourceType": "Observation", "focus": [
            {"reference": f"Patient?identifier=urn:test|{key['value']}"} for key in keys], **more}
    made = transaction(alice, entry("POST", "Observation", observation(old, new, old, valueString="Patient?name=x")),
                       entry("POST", "Patient", patient(identifier=[new])),
                       entry("POST", "Binary", binary(securityContext={
                           "reference": f"Patient?identifier=urn:test|{old['value']}"})),
                       # Only references may be conditional: this is a link.
                       entry("POST", "Bundle", {"resourceType": "Bundle", "type": "collection", "link": [
                           {"relation": "self", "url": "Patient?name=nobody"}]}))
    first, second = f"Patient/{known['id']}", f"Patient/{id_of(made[1])}"
    assert [each["reference"] for each in made[0]["resource"]["focus"]] == [first, second, first]
    assert made[0]["resource"]["valueString"] == "Patient?name=x"
    assert made[2]["resource"]["securityContext"]["reference"] == first
    assert made[3]["resource"]["link"][0]["url"] == "Patient?name=nobody"
    create(alice, patient(identifier=[old]))
    before = counts(alice.server)
    for key in (old, nobody):
        issue = refused(alice, [entry("POST", "Patient", patient()), entry("POST", "Observation", observation(key))],
                        412, 1)
        assert f"Patient?identifier=urn:test|{key['value']}" in issue["diagnostics"]
    refused(alice, [entry("POST", "Observation", {"resourceType": "Observation", "subject": {
        "reference": "Patient?nonsense=1"}})], 400, 0)
    refused(alice, [entry("POST", "Observation", {"resourceType": "Observation", "derivedFrom": [{
        "reference": "Binary?_id=1"}]})], 400, 0)
    assert counts(alice.server) == before


def test_one_resource_once(alice):
    key, name = identifier(), urn()
    known = create(alice, patient(identifier=[key]))
    one, query = known["id"], f"identifier=urn:test|{key['value']}"
    fresh = f"identifier=urn:test|{uuid.uuid4()}"
    file, _ = alice.upload(b"x")
    put, delete = entry("PUT", f"Patient/{one}", patient(id=one)), entry("DELETE", f"Patient/{one}")
    before = counts(alice.server)
    for entries in ([put, put], [put, delete], [delete, delete],
                    [put, entry("PUT", "Patient?" + query, patient(identifier=[key]))],
                    [entry("POST", "Patient", patient(), ifNoneExist=fresh)] * 2,
                    [entry("PUT", "Patient?" + fresh, patient()), entry("POST", "Patient", patient(), ifNoneExist=fresh)],
                    [entry("DELETE", f"Binary/{file}"), entry("PUT", f"Binary/{file}", binary(id=file))],
                    [delete, entry("POST", "Patient", patient(), ifNoneExist=query)],
                    [entry("POST", "Patient", patient(), name), entry("POST", "Patient", patient(), name)],
                    [entry("POST", "Binary", binary(), name), entry("POST", "Binary", binary(), name)]):
        refused(alice, entries, 400, 1)
    assert counts(alice.server) == before
    made = transaction(alice, *[entry("POST", "Patient", patient(), ifNoneExist=query)] * 2)
    assert [id_of(each) for each in made] == [one, one]


def test_binaries_in_a_transaction(alice):
    old, version = alice.upload(b"old", "text/plain")
    doomed, _ = alice.upload(b"doomed")
    made = transaction(alice, entry("PUT", f"Binary/{old}", binary(b"new", id=old), urn(), ifMatch=f'W/"{version}"'),
                       entry("DELETE", f"Binary/{doomed}"), entry("POST", "Binary", binary(b"")),
                       entry("POST", "Binary", {"resourceType": "Binary", "contentType": "text/plain"}),
                       entry("GET", f"Binary/{old}"))
    assert [each["response"]["status"] for each in made] == ["200", "204", "201", "201", "200"]
    assert alice.get(f"Binary/{old}").body == b"new" and alice.get(f"Binary/{doomed}").status == 410
    assert made[0]["response"]["location"].startswith(f"{alice.server.fhir_base}Binary/{old}/_history/")
    assert made[4]["resource"]["meta"]["versionId"] == made[0]["resource"]["meta"]["versionId"]
    refused(alice, [entry("PUT", f"Binary/{old}", binary(id=old), ifMatch=f'W/"{version}"')], 412, 0)
    refused(alice, [entry("POST", "Binary", binary(securityContext={"reference": urn()}))], 400, 0)
    refused(alice, [entry("POST", "Binary", binary(securityContext={"reference": "Nonsense/1"}))], 400, 0)
    # Medplum's clients are shown where the content is.
    [shown] = transaction(alice, entry("POST", "Binary", binary(b"url")), headers={"X-Medplum": "extended"})
    assert shown["resource"]["url"].startswith(alice.server.storage_base)


def test_large_content_in_a_transaction(alice):
    content = bytes(range(256)) * 16384
    file = urn()
    made = transaction(alice, entry("POST", "Binary", binary(content), file),
                       entry("POST", "DocumentReference", {"resourceType": "DocumentReference", "status": "current",
                                                           "content": [{"attachment": {"url": file}}]}))
    answer = alice.get(f"Binary/{id_of(made[0])}")
    assert answer.body == content
    assert made[1]["resource"]["content"][0]["attachment"]["size"] == len(content)


def test_scopes_hold_for_each_entry(alice):
    known = create(alice, patient())["id"]
    token = {"Authorization": "Bearer " + alice.new_token("system/Patient.r system/Binary.r")}

    def ask(kind, entries):
        body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()
        return alice.server.request("POST", "/fhir/R4", {**FHIR, **token}, body)
    entries = [entry("GET", f"Patient/{known}"), entry("POST", "Patient", patient()), entry("GET", "Patient?_id=x"),
               entry("GET", "Observation/1"), entry("POST", "Binary", binary()), entry("DELETE", f"Patient/{known}"),
               entry("PUT", f"Patient/{known}", patient(id=known)),
               entry("POST", "Patient", patient(), ifNoneExist="_id=" + known)]
    made = ask("batch", entries).json()["entry"]
    assert [each["response"]["status"] for each in made] == ["200"] + ["403"] * 7
    for bad in entries[1:]:
        checks.outcome(ask("transaction", [bad]), 403)
    assert ask("transaction", entries[:1]).json()["entry"][0]["response"]["status"] == "200"
    narrow = {"Authorization": "Bearer " + alice.new_token("system/Observation.c")}
    body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", "Observation", {
        "resourceType": "Observation", "subject": {"reference": f"Patient?_id={known}"}})]}).encode()
    checks.outcome(alice.server.request("POST", "/fhir/R4", {**FHIR, **narrow}, body), 403)


def test_update_as_create(start):
    server = start(directives={"FhirBinaryUpdateCreate": "on"})
    client = server.project("Springfield")
    homer = patient(id="homer-simpson", name=[{"family": "Simpson"}])
    made = transaction(client, entry("PUT", "Patient/homer-simpson", homer, "urn:uuid:" + str(uuid.uuid4())),
                       entry("PUT", "Binary/photo", binary(id="photo")),
                       entry("POST", "Observation", {"resourceType": "Observation",
                                                     "subject": {"reference": "Patient/homer-simpson"}}))
    assert [each["response"]["status"] for each in made] == ["201", "201", "201"]
    [again] = transaction(client, entry("PUT", "Patient/homer-simpson", homer))
    assert again["response"]["status"] == "200"
    checks.outcome(post(client, "transaction", [entry("PUT", "Patient/homer-simpson", homer, ifNoneMatch="*")]), 412)
    [gone] = transaction(client, entry("DELETE", "Patient/homer-simpson"))
    [back] = transaction(client, entry("PUT", "Patient/homer-simpson", homer, ifNoneMatch="*"))
    assert [gone["response"]["status"], back["response"]["status"]] == ["204", "201"]


def test_the_database_fails_in_the_middle(start):
    """What was stored for a transaction that is rolled back goes away again."""
    server = start()
    client = server.project("Fault")
    known, file = create(client, patient()), urn()
    entries = [entry("POST", "Binary", binary(), file), entry("PUT", f"Patient/{known['id']}", patient(id=known["id"])),
               entry("POST", "Observation", {"resourceType": "Observation"}),
               entry("POST", "Patient", patient(photo=[{"url": file}]))]
    server.wait_idle()
    before, stored = counts(server), server.stored()
    server.sql("ALTER TABLE fhir_binary.attachment RENAME TO attachment_hidden")
    checks.outcome(post(client, "transaction", entries), 500)
    server.expect_log("attachment")
    server.sql("ALTER TABLE fhir_binary.attachment_hidden RENAME TO attachment")
    server.wait_idle()
    assert counts(server) == before
    assert server.stored() == stored
    assert read(client, f"Patient/{known['id']}") == known
    assert {each["response"]["status"] for each in transaction(client, *entries)} == {"200", "201"}


# ---- at the same time ----
def at_once(count, work):
    answers, barrier = [None] * count, threading.Barrier(count)

    def run(number):
        barrier.wait()
        answers[number] = work(number)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_racing_conditional_creates(alice):
    assert alice.token
    for _ in range(5):
        key = identifier()
        query = f"identifier=urn:test|{key['value']}"

        def work(number, key=key, query=query):
            name = urn()
            return transaction(alice, entry("POST", "Patient", patient(identifier=[key]), name, ifNoneExist=query),
                               entry("POST", "Binary", binary(str(number).encode(), securityContext={
                                   "reference": name})),
                               entry("POST", "Observation", {"resourceType": "Observation",
                                                             "subject": {"reference": name}}))
        answers = at_once(4, work)
        [only] = found(alice, "Patient?" + query)
        assert sorted(each[0]["response"]["status"] for each in answers) == ["200"] * 3 + ["201"]
        for each in answers:
            assert id_of(each[0]) == only["id"]
            assert each[1]["resource"]["securityContext"]["reference"] == f"Patient/{only['id']}"
            assert each[2]["resource"]["subject"]["reference"] == f"Patient/{only['id']}"


def test_transactions_never_wait_in_a_circle(alice):
    assert alice.token
    ids = [create(alice, patient())["id"] for _ in range(12)]

    def work(number):
        order = ids if number % 2 else ids[::-1]
        return transaction(alice, *[entry("PUT", f"Patient/{one}", patient(id=one, birthDate=f"19{number}0"))
                                    for one in order])
    for answers in (at_once(6, work), at_once(6, work)):
        assert all(each["response"]["status"] == "200" for made in answers for each in made)
    # All or nothing: the last transaction wrote them all.
    assert len({read(alice, f"Patient/{one}")["birthDate"] for one in ids}) == 1


def test_racing_patches_are_all_applied(alice):
    assert alice.token
    one = create(alice, patient(name=[]) | {"name": [{"given": ["a"]}]})["id"]
    patch = data(json.dumps([{"op": "add", "path": "/name/0/given/-", "value": "b"}]).encode())
    carrier = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": patch}
    answers = at_once(4, lambda _: post(alice, "transaction", [entry("PATCH", f"Patient/{one}", carrier)]))
    assert [each.status for each in answers] == [200] * 4
    assert len(read(alice, f"Patient/{one}")["name"][0]["given"]) == 5
