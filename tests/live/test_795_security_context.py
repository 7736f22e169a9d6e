"""Binaries without a security context: seen, mended, warned of; and what can be a context at all."""
import base64
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse

import pytest

from harness import checks, httpd
from access.world import media, member
from harness.client import FORM, Client
from harness.resources import create, entries, find, ids, put

MISSING = "Binary?security-context:missing=true"
WARNING = "X-Security-Context-Warning"


@pytest.fixture
def ward(server):
    return server.project("ward " + base64.b16encode(os.urandom(4)).decode())


def binary(content=b"x", **more):
    made = {"resourceType": "Binary", "contentType": "text/plain", **more}
    return {**made, "data": base64.b64encode(content).decode()} if content else made


def attachment(identity):
    return {"contentType": "text/plain", "url": f"Binary/{identity}"}


def patient(who, **more):
    return create(who, {"resourceType": "Patient", **more})["id"]


def document(who, identity, subject=None, **more):
    resource = {"resourceType": "DocumentReference", "status": "current", "content": [
        {"attachment": attachment(identity)}], **more}
    return create(who, {**resource, "subject": {"reference": subject}} if subject else resource)["id"]


def suggested(who, bundle):
    """{Binary id: suggested contexts} of the matches."""
    found = {}
    for entry in bundle.get("entry", []):
        if entry["search"]["mode"] == "match":
            assert entry["resource"]["resourceType"] == "Binary" and "data" not in entry["resource"], entry
            assert entry["fullUrl"] == f"{who.server.fhir_base}Binary/{entry['resource']['id']}"
            extensions = entry["search"].get("extension", [])
            assert {one["url"] for one in extensions} <= {
                who.server.fhir_base + "StructureDefinition/suggested-security-context"}, entry
            found[entry["resource"]["id"]] = [one["valueReference"]["reference"] for one in extensions]
    return found


def context_of(who, identity):
    return who.json(f"Binary/{identity}").json().get("securityContext", {}).get("reference")


def audit(who, *words, project=None):
    out = who.server.cli.run("audit", "security-context", "--project", project or who.project_id, *words, check=False)
    return who.server.cli.code, out, who.server.cli.error


# ---- the search ----

def test_what_follows(ward):
    first, second = patient(ward), patient(ward)
    gone = patient(ward)
    assert ward.call("DELETE", f"Patient/{gone}").status == 204
    protected, _ = ward.upload(b"x", "text/plain", {"X-Security-Context": f"Patient/{first}"})
    deleted, _ = ward.upload(b"x")
    assert ward.call("DELETE", f"Binary/{deleted}").status == 204
    names = ["of_subject", "twice", "two", "photo", "doctor", "alone", "own", "dead", "old", "empty", "group", "family"]
    files = {name: ward.upload(name.encode(), "text/plain")[0] for name in names if name != "empty"}
    files["empty"] = json.loads(ward.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(
        binary(b"")).encode()).body)["id"]
    document(ward, files["of_subject"], f"Patient/{first}")
    document(ward, files["twice"], f"Patient/{first}")
    create(ward, {"resourceType": "Communication", "status": "completed", "subject": {
        "reference": f"{ward.server.fhir_base}Patient/{first}"}, "payload": [
        {"contentAttachment": attachment(files["twice"])}]})
    document(ward, files["two"], f"Patient/{first}")
    document(ward, files["two"], f"Patient/{second}")
    owner = patient(ward, photo=[attachment(files["photo"])])
    doctor = create(ward, {"resourceType": "Practitioner", "photo": [attachment(files["doctor"])]})["id"]
    own = document(ward, files["own"], "https://other.example.org/fhir/Patient/1")
    document(ward, files["dead"], f"Patient/{gone}")
    changed = patient(ward, photo=[attachment(files["old"])])
    assert put(ward, {"resourceType": "Patient", "id": changed}).status == 200
    document(ward, files["empty"], f"Patient/{second}")
    group = create(ward, {"resourceType": "Group", "type": "person", "actual": True})["id"]
    document(ward, files["group"], f"Group/{group}")
    relative = create(ward, {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{first}"},
                             "photo": [attachment(files["family"])]})["id"]
    bundle = find(ward, MISSING)
    assert bundle["total"] == len(files)
    assert suggested(ward, bundle) == {
        files["of_subject"]: [f"Patient/{first}"], files["twice"]: [f"Patient/{first}"],
        files["two"]: [f"Patient/{first}", f"Patient/{second}"], files["photo"]: [f"Patient/{owner}"],
        files["doctor"]: [f"Practitioner/{doctor}"], files["alone"]: [], files["own"]: [f"DocumentReference/{own}"],
        files["dead"]: [f"Patient/{gone}"], files["old"]: [], files["empty"]: [f"Patient/{second}"],
        files["group"]: [f"Group/{group}"], files["family"]: [f"RelatedPerson/{relative}"]}
    included = entries(bundle, "include")
    assert len(included) == 12 and len({(one["resourceType"], one["id"]) for one in included}) == 12
    assert {owner, doctor, own, relative} <= {one["id"] for one in included}
    photo = next(one for one in included if one["id"] == owner)["photo"][0]
    assert photo["url"].startswith(ward.server.storage_base), "what is included reads as anywhere else"
    assert protected not in suggested(ward, bundle) and deleted not in suggested(ward, bundle)
    # the same by POST, and as an entry of a batch
    form = ward.call("POST", "Binary/_search", {"Content-Type": FORM}, b"security-context%3Amissing=true&_count=1000")
    assert suggested(ward, form.json()) == suggested(ward, bundle)
    batch = ward.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps({
        "resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": MISSING}}]}).encode())
    assert suggested(ward, batch.json()["entry"][0]["resource"]) == suggested(ward, bundle)


def test_pages(ward):
    files = sorted(ward.upload(b"x")[0] for _ in range(7))
    seen, target, pages = [], MISSING + "&_count=3", 0
    while target:
        bundle = find(ward, target)
        assert bundle["total"] == 7
        seen += ids(bundle)
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        assert links["self"].startswith(ward.server.fhir_base + "Binary?security-context:missing=true&_count=3")
        target, pages = links.get("next", "")[len(ward.server.fhir_base):], pages + 1
    assert seen == files and pages == 3
    none = find(ward, MISSING + "&_count=0")
    assert none["total"] == 7 and "entry" not in none
    assert len(ids(find(ward, MISSING + "&_count=5000&_format=json"))) == 7
    # several parameters in any order, and escaped
    escaped = find(ward, "Binary?_count=2&" + urllib.parse.quote("security-context:missing") + "=true")
    assert ids(escaped) == files[:2]


def test_empty_project(ward):
    bundle = find(ward, MISSING)
    assert bundle["total"] == 0 and "entry" not in bundle


@pytest.mark.parametrize("query", ["", "?_id=1", "?security-context:missing=false", "?security-context=Patient/1",
                                   "?security-context:missing=true&_id=1", "?security-context:missing=true&_count=x",
                                   "?security-context:missing=true&_count=-1", "?_count=3", "?security-context:missing",
                                   "?security-context:missing=true&_cursor=a%2Fb", "?contentType=text/plain",
                                   "?security-context:missing=true&_include=Binary:x"])
def test_other_searches(alice, query):
    issue = checks.outcome(alice.get("Binary" + query), 400)
    assert re.search("security-context:missing=true|_count|_cursor", issue["diagnostics"]), issue


def test_administrators_only(server, alice):
    missing = "/fhir/R4/" + MISSING
    checks.outcome(server.request("GET", missing), 401)
    plain = Client(server, alice.project_id, server.cli.client_create(alice.project_id, "plain", admin=False))
    checks.outcome(plain.get(MISSING), 403)
    checks.outcome(plain.call("POST", "Binary/_search", {"Content-Type": FORM}, b"security-context:missing=true"), 403)
    # scopes narrow administrators too
    narrow = {"Authorization": "Bearer " + alice.new_token("system/Patient.rs")}
    checks.outcome(server.request("GET", missing, narrow), 403)
    wide = {"Authorization": "Bearer " + alice.new_token("system/Binary.rs")}
    bundle = find_as(server, wide, missing)
    assert not entries(bundle, "include"), "the scopes do not reach what refers"
    for method in ("PUT", "PATCH", "DELETE"):
        checks.outcome(alice.call(method, "Binary/_search", {"Content-Type": "text/plain"}, b"x"), 405)


def find_as(server, headers, path):
    answer = server.request("GET", path, headers)
    assert answer.status == 200, answer
    return answer.json()


def test_other_projects(alice, bob):
    mine, _ = alice.upload(b"x")
    photo = patient(bob, photo=[attachment(mine)])
    bundle = find(alice, MISSING + "&_count=1000")
    assert suggested(alice, bundle)[mine] == [] and photo not in ids(bundle, "include")
    assert mine not in ids(find(bob, MISSING + "&_count=1000"))


# ---- the command ----

def test_command(ward):
    first, second = patient(ward), patient(ward)
    plain, _ = ward.upload(b"one", "text/plain", query="?_filename=one.txt")
    rich = ward.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(binary(
        b"two", language="de", meta={"tag": [{"system": "urn:x", "code": "y"}]})).encode()).json()["id"]
    empty = ward.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(binary(b"")).encode()).json()["id"]
    two, alone = ward.upload(b"2")[0], ward.upload(b"3")[0]
    for one in (plain, rich, empty):
        document(ward, one, f"Patient/{first}")
    document(ward, two, f"Patient/{first}")
    document(ward, two, f"Patient/{second}")
    before = {one: ward.json(f"Binary/{one}").json() for one in (plain, rich, empty, two, alone)}
    for words in ((), ("--dry-run",)):
        code, out, _ = audit(ward, *words)
        assert code == 3 and "5 Binaries without a security context" in out and "With --apply 3 of them" in out, out
        assert re.search(rf"(?m)^Binary/{plain} +follows +Patient/{first} +DocumentReference/", out), out
        assert re.search(rf"(?m)^Binary/{two} +ambiguous .*Patient/{first}.*Patient/{second}|ambiguous", out), out
        assert re.search(rf"(?m)^Binary/{alone} +unreferenced", out), out
    assert {one: ward.json(f"Binary/{one}").json() for one in before} == before, "a dry run changes nothing"
    code, out, err = audit(ward, "--json")
    told = json.loads(out)
    assert code == 3 and told["summary"] == {"follows": 3, "unreferenced": 1, "ambiguous": 1, "missing": 0, "foreign": 0, "too-many": 0,
                                             "set": 0, "changed": 0, "failed": 0, "remaining": 5}
    by_id = {one["id"]: one for one in told["binaries"]}
    assert by_id[plain]["context"] == f"Patient/{first}" and by_id[plain]["size"] == 3
    assert by_id[plain]["referred_by"][0]["path"] == "DocumentReference.content[0].attachment"
    assert by_id[two]["context"] is None and sorted(by_id[two]["candidates"]) == sorted(
        [f"Patient/{first}", f"Patient/{second}"])
    code, out, err = audit(ward, "--apply", "--batch", "2")
    assert code == 3 and "3 set" in out and "2 remain" in out, out
    assert "5 of 5 (100 %)" in err and "left" in err, err
    for one in (plain, rich, empty):
        after = ward.json(f"Binary/{one}").json()
        assert after.pop("securityContext") == {"reference": f"Patient/{first}"}
        assert after.pop("meta")["versionId"] != before[one]["meta"]["versionId"]
        assert after == {name: value for name, value in before[one].items() if name != "meta"}
        assert ward.get(f"Binary/{one}/_history").json()["total"] == 2
    assert ward.get(f"Binary/{plain}").body == b"one"
    assert "one.txt" in ward.get(f"Binary/{plain}").headers["Content-Disposition"]
    assert ward.json(f"Binary/{rich}").json()["meta"]["tag"] == [{"system": "urn:x", "code": "y"}]
    assert ward.json(f"Binary/{two}").json() == before[two]
    code, out, _ = audit(ward, "--apply")
    assert code == 3 and "2 Binaries without" in out and " set" not in out, "running again goes on"
    for one in (two, alone):
        assert ward.call("DELETE", f"Binary/{one}").status == 204
    code, out, _ = audit(ward, "--apply")
    assert code == 0 and "0 remain" in out, out
    assert audit(ward, "--json")[0] == 0


def test_who_points_to_it_is_not_given_it(ward):
    """Anybody may write a resource that names a Binary whose id he knows."""
    thief = patient(ward)
    his = member(ward.server, ward, [{"resourceType": "Media", "criteria": "Media?_compartment=%patient"}], "thief", patient=f"Patient/{thief}")
    unlabelled, _ = ward.upload(b"secret", "text/plain")
    referred, _ = ward.upload(b"known", "text/plain")
    owner = patient(ward)
    document(ward, referred, f"Patient/{owner}")
    for identity in unlabelled, referred:
        create(his, media(f"Patient/{thief}", url=f"Binary/{identity}"))
    assert suggested(ward, ward.json(MISSING).json()) == {unlabelled: [], referred: [f"Patient/{owner}"]}
    code, out, _ = audit(ward, "--apply")
    assert code == 3 and re.search(rf"(?m)^Binary/{unlabelled} +foreign +- ", out), out
    assert context_of(ward, unlabelled) is None and context_of(ward, referred) == f"Patient/{owner}"
    checks.outcome(his.get(f"Binary/{unlabelled}"), 404)
    assert audit(ward, "--apply", "--any-author")[0] == 0
    assert context_of(ward, unlabelled) == f"Patient/{thief}"


def test_wrong_use(ward):
    for words in (("--apply", "--dry-run"), ("--batch", "0"), ("--batch", "x"), ("--batch", "100000"), ("more",)):
        assert audit(ward, *words)[0] == 2, words
    assert audit(ward, project="no-such-project")[0] == 1


def test_refused_by_the_site(start):
    """A type that the site has refused since: told, and the others go on."""
    server = start(processes=1)
    who = server.project("rules")
    one = patient(who)
    page, _ = who.upload(b"<p>", "application/x-old")
    text, _ = who.upload(b"x", "text/plain")
    for file in (page, text):
        document(who, file, f"Patient/{one}")
    server.directives["FhirBinaryRefuseContentTypes"] = "application/x-old"
    server.write_configuration()
    code, out, _ = audit(who, "--apply")
    assert code == 3 and "1 set" in out and "1 failed" in out and "application/x-old" in out, out
    assert context_of(who, text) == f"Patient/{one}"


def fill(who, count):
    """So many Binaries, each with a DocumentReference of one Patient; gives the Patient's id."""
    one = patient(who)
    for start in range(0, count, 50):
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": []}
        for number in range(start, min(start + 50, count)):
            bundle["entry"] += [
                {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012d}", "resource": binary(b"x"),
                 "request": {"method": "POST", "url": "Binary"}},
                {"resource": {"resourceType": "DocumentReference", "status": "current", "content": [
                    {"attachment": {"url": f"urn:uuid:00000000-0000-4000-8000-{number:012d}"}}],
                    "subject": {"reference": f"Patient/{one}"}},
                 "request": {"method": "POST", "url": "DocumentReference"}}]
        answer = who.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(bundle).encode())
        assert answer.status == 200, answer
    return one


def launch(who, *words):
    command = [str(httpd.BUILD / "fhirbinctl"), "-c", str(who.server.configuration), "audit", "security-context",
               "--project", who.project_id, "--apply", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=who.server.environment())


def versions(who):
    return sorted(int(row[0]) for row in who.server.sql(
        f"SELECT count(*) FROM fhir_binary.binary_version WHERE project_id = '{who.project_id}' GROUP BY binary_id"))


def test_two_at_once(ward):
    one = fill(ward, 300)
    running = [launch(ward, "--json") for _ in range(2)]
    told = [json.loads(each.communicate(timeout=120)[0]) for each in running]
    assert [each.returncode for each in running] == [0, 0], told
    assert sum(each["summary"]["set"] for each in told) == 300, [each["summary"] for each in told]
    assert find(ward, MISSING)["total"] == 0 and versions(ward) == [2] * 300, "none was written twice"
    assert ward.server.sql("SELECT DISTINCT v.security_context FROM fhir_binary.binary b JOIN fhir_binary.binary_version v "
                           f"USING (version_id) WHERE b.project_id = '{ward.project_id}'") == [[f"Patient/{one}"]]


def test_killed_and_resumed(ward):
    fill(ward, 300)
    running = launch(ward)
    end = time.monotonic() + 60
    while find(ward, MISSING + "&_count=0")["total"] > 280 and time.monotonic() < end:
        time.sleep(0.01)
    running.kill()
    running.communicate()
    time.sleep(0.5)  # the database may still be at the last one
    left = find(ward, MISSING + "&_count=0")["total"]
    assert left <= 280, "it did nothing"
    code, out, _ = audit(ward, "--apply", "--json")
    assert code == 0 and json.loads(out)["summary"]["set"] == left
    assert versions(ward) == [2] * 300


def test_somebody_else_is_faster(ward):
    """What was changed between listing and writing is left alone: the other's word counts."""
    one = fill(ward, 120)
    other = patient(ward)
    stop = threading.Event()
    files = ids(find(ward, MISSING + "&_count=1000"))

    def interfere():
        for identity in reversed(files):
            if stop.is_set():
                return
            ward.replace(identity, b"new", "text/plain", {"X-Security-Context": f"Patient/{other}"})
    thread = threading.Thread(target=interfere)
    thread.start()
    code, out, err = audit(ward, "--apply", "--json")
    thread.join()
    summary = json.loads(out)["summary"]
    assert code == 0 and summary["failed"] == 0 and summary["set"] + summary["changed"] <= 120, summary
    # the other's writes came first or last; none was overwritten
    contexts = [context_of(ward, identity) for identity in files]
    assert set(contexts) == {f"Patient/{other}"} or set(contexts) <= {f"Patient/{one}", f"Patient/{other}"}
    assert all(ward.get(f"Binary/{identity}").body == b"new" for identity in files)


# ---- the warning ----

def counter(server):
    text = server.request("GET", "/server-status?auto").text
    return int(re.search(r"(?m)^FhirBinaryWithoutSecurityContext: (\d+)$", text).group(1))


def test_warning(alice):
    before = counter(alice.server)
    raw = alice.call("POST", "Binary", {"Content-Type": "text/plain"}, b"x")
    identity = checks.created(raw, alice.server.fhir_base)[0]
    assert "X-Security-Context or Binary.securityContext" in raw.headers[WARNING], raw
    told = [raw, alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(binary()).encode()),
            alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"y"),
            alice.call("PUT", f"Binary/{identity}", {"Content-Type": checks.FHIR_JSON, "Prefer": "return=minimal"},
                       json.dumps(binary(id=identity)).encode()),
            alice.server.request("PUT", alice.signed(identity, True), {"Content-Type": "text/plain"}, b"z")]
    assert all(answer.status in (200, 201) and answer.headers[WARNING] for answer in told), told
    transaction = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps({
        "resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": binary(), "request": {"method": "POST", "url": "Binary"}} for _ in range(3)]}).encode())
    assert transaction.status == 200, transaction
    context = {"X-Security-Context": "Patient/1"}
    silent = [alice.call("POST", "Binary", {"Content-Type": "text/plain", **context}, b"x"),
              alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain", **context}, b"y"),
              alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"kept"),
              alice.server.request("PUT", alice.signed(identity, True), {"Content-Type": "text/plain"}, b"z"),
              alice.get(f"Binary/{identity}"), alice.call("DELETE", f"Binary/{identity}")]
    assert all(answer.status < 300 and WARNING not in answer.headers for answer in silent), silent
    assert counter(alice.server) == before + len(told) + 3
    assert f"Binary/{identity} was stored without a security context" in alice.server.log_text()


# ---- FhirBinaryRequireSecurityContext ----

@pytest.fixture(scope="module")
def strict(postgres):
    with httpd.Server(postgres, directives={"FhirBinaryRequireSecurityContext": "On"}, processes=1) as server:
        yield server.project("strict")


def demanded(answer):
    issue = checks.outcome(answer, 422)
    assert "X-Security-Context" in issue["diagnostics"] and "securityContext" in issue["diagnostics"], issue


def test_required(strict):
    demanded(strict.call("POST", "Binary", {"Content-Type": "text/plain"}, b"x"))
    demanded(strict.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(binary()).encode()))
    demanded(strict.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(binary(b"")).encode()))
    demanded(strict.call("POST", "Binary", {"Content-Type": checks.FHIR_XML}, (
        b'<Binary xmlns="http://hl7.org/fhir"><contentType value="text/plain"/><data value="eA=="/></Binary>')))
    identity, _ = strict.upload(b"x", "text/plain", {"X-Security-Context": "Patient/1"})
    demanded(strict.call("PUT", f"Binary/{identity}", {"Content-Type": checks.FHIR_JSON}, json.dumps(
        binary(b"", id=identity)).encode()))
    demanded(strict.call("PUT", f"Binary/{identity}", {"Content-Type": checks.FHIR_XML}, (
        f'<Binary xmlns="http://hl7.org/fhir"><id value="{identity}"/><contentType value="text/plain"/></Binary>'
        ).encode()))
    answer = strict.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps({
        "resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
            {"resource": binary(), "request": {"method": "POST", "url": "Binary"}}]}).encode())
    demanded(answer)
    assert find(strict, "Patient?_summary=count")["total"] == 0, "nothing of it was done"
    batch = strict.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps({
        "resourceType": "Bundle", "type": "batch", "entry": [
            {"resource": binary(), "request": {"method": "POST", "url": "Binary"}}]}).encode()).json()
    assert batch["entry"][0]["response"]["status"].startswith("422"), batch
    # what has one goes on: the context stays where nobody speaks of it
    strict.replace(identity, b"y", "text/plain")
    assert strict.server.request("PUT", strict.signed(identity, True), {"Content-Type": "text/plain"}, b"z").status == 200
    assert context_of(strict, identity) == "Patient/1"
    assert find(strict, MISSING)["total"] == 0


def test_required_of_what_was_there_before(start):
    server = start(processes=1)
    who = server.project("before")
    identity, _ = who.upload(b"x", "text/plain")
    upload = who.signed(identity, True)
    server.directives["FhirBinaryRequireSecurityContext"] = "On"
    server.write_configuration()
    server.graceful()
    assert who.get(f"Binary/{identity}").body == b"x", "it is still there"
    demanded(who.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"y"))
    demanded(who.call("GET", f"Binary/{identity}/$presigned-url?upload=true"))
    demanded(server.request("PUT", upload, {"Content-Type": "text/plain"}, b"y"))
    one = patient(who)
    document(who, identity, f"Patient/{one}")
    code, out, _ = audit(who, "--apply")
    assert code == 0 and context_of(who, identity) == f"Patient/{one}", out
    assert server.request("PUT", upload, {"Content-Type": "text/plain"}, b"y").status == 200


# ---- one form ----

@pytest.mark.parametrize("suffix", ["Patient/1", "Patient/1/_history/2"])
def test_own_address(alice, suffix):
    absolute = alice.server.fhir_base + suffix
    identity, _ = alice.upload(b"x", "text/plain", {"X-Security-Context": absolute})
    assert context_of(alice, identity) == suffix
    assert alice.get(f"Binary/{identity}").headers["X-Security-Context"] == suffix
    for body, kind in ((json.dumps(binary(securityContext={"display": "Müller", "reference": absolute,
                                                           "identifier": {"value": "1"}})), checks.FHIR_JSON),
                       ('<Binary xmlns="http://hl7.org/fhir"><contentType value="text/plain"/><securityContext>'
                        f'<reference value="{absolute}"/><display value="Müller"/></securityContext></Binary>',
                        checks.FHIR_XML)):
        made = alice.call("POST", "Binary", {"Content-Type": kind, "Accept": checks.FHIR_JSON}, body.encode())
        assert made.status == 201, made
        assert made.json()["securityContext"]["reference"] == suffix
        assert made.json()["securityContext"]["display"] == "Müller", "what stands beside it stays"
    both = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON, "X-Security-Context": absolute}, json.dumps(
        binary(securityContext={"reference": suffix})).encode())
    assert both.status == 201, "both name the same"


@pytest.mark.parametrize("reference", [
    "https://ehr.example.org/fhir/Patient/1", "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", "urn:oid:1.2.3", "#patient",
    "Binary/1", "Binary/1/_history/1", "{base}Binary/1", "{base}x/Patient/1"])
def test_no_resource_of_ours(alice, reference):
    reference = reference.replace("{base}", alice.server.fhir_base)
    before = alice.server.sql("SELECT count(*) FROM fhir_binary.object")[0][0]
    issue = checks.outcome(alice.call("POST", "Binary", {"Content-Type": "text/plain", "X-Security-Context": reference},
                                      b"x"), 422)
    assert issue["diagnostics"].startswith("X-Security-Context must name"), issue
    sent = json.dumps(binary(securityContext={"reference": reference})).encode()
    issue = checks.outcome(alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, sent), 422)
    assert issue["diagnostics"].startswith("Binary.securityContext must name"), issue
    assert issue["expression"] == ["Binary.securityContext.reference"], issue
    assert alice.server.sql("SELECT count(*) FROM fhir_binary.object")[0][0] == before, "and nothing is left"


@pytest.mark.parametrize("element", [{"display": "somebody"}, {"identifier": {"value": "1"}}, {"type": "Patient"}])
def test_names_nothing(alice, element):
    """A client that sends a context wants the content protected; this one would not protect it."""
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(
        binary(securityContext=element)).encode())
    assert "needs a reference" in checks.outcome(answer, 422)["diagnostics"]
