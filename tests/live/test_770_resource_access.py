"""Resources: who may do what; auth/me; what the CapabilityStatement says."""
import json

import pytest
from harness import checks, httpd, signing
from harness.resources import PATCH, create, find, ids, post, read, shown

KIND = {"Content-Type": checks.FHIR_JSON}


def asked(client, scope, method, target, body=None, headers=None, fields=None):
    fields = fields or {"Authorization": "Bearer " + client.new_token(scope)}
    return client.server.request(method, "/fhir/R4/" + target, {**fields, **(headers or {})}, body)


INTERACTIONS = {  # letter of SMART v2: what it needs
    "c": lambda identity: ("POST", "Patient", b'{"resourceType":"Patient"}', KIND),
    "r": lambda identity: ("GET", f"Patient/{identity}", None, {}),
    "u": lambda identity: ("PUT", f"Patient/{identity}", json.dumps({"resourceType": "Patient", "id": identity}).encode(), KIND),
    "d": lambda identity: ("DELETE", f"Patient/{identity}", None, {}),
    "s": lambda identity: ("GET", f"Patient?_id={identity}", None, {})}


@pytest.mark.parametrize("scope, letters", [
    ("user/Patient.rs", "rs"), ("user/Patient.read", "rs"), ("user/Patient.write", "cud"), ("user/Patient.*", "cruds"), ("user/*.cruds", "cruds"),
    ("system/Patient.c", "c"), ("system/*.s", "s"), ("user/Patient.d", "d"), ("user/Patient.r user/Patient.u", "ru"), ("user/Observation.cruds", ""),
    ("user/Binary.cruds", ""), ("openid profile", None), ("patient/Patient.cruds", "")])
def test_scopes(alice, scope, letters):
    for letter, make in INTERACTIONS.items():
        identity = create(alice, {"resourceType": "Patient"})["id"]
        method, target, body, headers = make(identity)
        answer = asked(alice, scope, method, target, body, headers)
        if letters is None or letter in letters:
            assert answer.status in ((200, 201, 204) if letters is not None else (200, 201, 204, 403)), (letter, answer)
        else:
            checks.outcome(answer, 403)


def test_scopes_with_constraints(alice):
    made, other = (create(alice, {"resourceType": "Patient", "gender": gender})["id"] for gender in ("male", "female"))
    scope = f"user/Patient.rs?_id={made}"
    assert asked(alice, scope, "GET", f"Patient/{made}").status == 200
    checks.outcome(asked(alice, scope, "GET", f"Patient/{other}"), 404)
    answer = asked(alice, scope, "GET", f"Patient?_id={made},{other}")
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == [made], answer
    assert asked(alice, "user/Patient.rs?gender=male", "GET", f"Patient/{made}").status == 200
    checks.outcome(asked(alice, "user/Patient.rs?gender=male", "GET", f"Patient/{other}"), 404)
    for constraint in "nonsense=1", "general-practitioner.name=x", "gender:sounds-like=male", "_count=1":
        answer = asked(alice, f"user/Patient.rs?{constraint}", "GET", f"Patient/{made}")
        checks.outcome(answer, answer.status if answer.status == 404 else 403)


def test_other_interactions_need_what_they_do(alice):
    made = create(alice, {"resourceType": "Patient", "gender": "male"})
    place = f"Patient/{made['id']}"
    for scope, status in ("user/Patient.r", 200), ("user/Patient.s", 403):
        assert asked(alice, scope, "GET", place + "/_history").status == status
        assert asked(alice, scope, "GET", place + "/_history/" + made["meta"]["versionId"]).status == status
    for scope, status in ("user/Patient.u", 200), ("user/Patient.rs", 403), ("user/Patient.c", 403):
        assert asked(alice, scope, "PATCH", place, b"[]", {"Content-Type": PATCH}).status == status
    for scope, status in ("user/Patient.s", 200), ("user/Patient.r", 403):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert asked(alice, scope, "POST", "Patient/_search", b"gender=male", form).status == status
    text = b'{"resourceType":"Patient","active":true}'
    for scope, status in ("user/Patient.cs", 201), ("user/Patient.c", 403):
        assert asked(alice, scope, "POST", "Patient", text, {**KIND, "If-None-Exist": "identifier=never"}).status == status
    for scope, status in ("user/Patient.cs", 201), ("user/Patient.us", 403), ("user/Patient.c", 403):
        assert asked(alice, scope, "PUT", "Patient?identifier=never-either", text, KIND).status == status
    for scope, status in ("user/Patient.us", 200), ("user/Patient.cs", 403):
        assert asked(alice, scope, "PUT", f"Patient?_id={made['id']}", text, KIND).status == status


def test_write_scopes_do_not_show_what_was_there(alice):
    made = create(alice, {"resourceType": "Patient", "gender": "male", "language": "tlh"})
    place, mark = f"Patient/{made['id']}", "tlh"
    text = b'{"resourceType":"Patient"}'
    found = {**KIND, "If-None-Exist": f"_id={made['id']}"}
    patch = {"method": "PATCH", "url": place}
    entry = {"request": patch, "resource": {"resourceType": "Binary", "contentType": PATCH, "data": "W10="}}
    again = {"request": {"method": "POST", "url": "Patient", "ifNoneExist": f"_id={made['id']}"}, "resource": json.loads(text)}
    for scope, shown in ("user/Patient.cus", False), ("user/Patient.crus", True):
        answers = [asked(alice, scope, "PATCH", place, b"[]", {"Content-Type": PATCH}),
                   asked(alice, scope, "PATCH", f"Patient?_id={made['id']}", b"[]", {"Content-Type": PATCH}),
                   asked(alice, scope, "POST", "Patient", text, found)]
        for kind, item in ("batch", entry), ("transaction", entry), ("transaction", again):
            bundle = {"resourceType": "Bundle", "type": kind, "entry": [item]}
            answers.append(asked(alice, scope, "POST", "", json.dumps(bundle).encode(), KIND))
            assert answers[-1].json()["entry"][0]["response"]["status"].startswith("200"), answers[-1]
        for answer in answers:
            assert answer.status == 200 and (mark in answer.text) == shown, (scope, answer)


# ---- patient/ scopes, with tokens of an issuer ----

@pytest.fixture(scope="module")
def issuer(postgres):
    """Tokens with a launch context; gives (client of the project, function for headers)."""
    key = signing.Key("ES256", "k1")
    made = httpd.Server(postgres, processes=1)
    keys = made.root / "issuer.json"
    keys.write_text(json.dumps({"keys": [key.jwk]}))
    keys.chmod(0o644)
    made.directives["FhirBinaryTrustedIssuer"] = f"https://issuer.example audience=ours jwks={keys}"
    with made as server:
        who = server.project("launched")
        server.cli.membership_create(who.project_id, "--issuer", "https://issuer.example", "--subject", "u1", "--profile", "Practitioner/p1")

        def headers(scope, **more):
            claims = signing.claims("https://issuer.example", "ours", "u1", scope=scope, **more)
            return {"Authorization": "Bearer " + key.sign(claims)}

        yield who, headers


def test_patient_scopes_reach_that_patient_only(issuer):
    who, headers = issuer
    mine, other = create(who, {"resourceType": "Patient"})["id"], create(who, {"resourceType": "Patient"})["id"]
    fields = headers("patient/*.cruds", patient=mine)
    assert asked(who, None, "GET", f"Patient/{mine}", fields=fields).status == 200
    for method, target, body, more, status in (
            ("POST", "Observation", b'{"resourceType":"Observation"}', KIND, 403),
            ("GET", f"Patient/{other}", None, {}, 404), ("GET", "Patient/never", None, {}, 404),
            ("DELETE", f"Patient/{other}", None, {}, 404), ("PATCH", f"Patient/{other}", b"[]", {"Content-Type": PATCH}, 404)):
        checks.outcome(asked(who, None, method, target, body, more, fields), status)
    for target, found in ("Patient", [mine]), (f"Patient?_id={mine},{other}", [mine]), (f"Patient?_id={other}", []), ("Observation", []):
        answer = asked(who, None, "GET", target, fields=fields)
        assert answer.status == 200 and [item["resource"]["id"] for item in answer.json().get("entry", [])] == found, answer
    answer = asked(who, None, "PUT", f"Patient/{mine}", json.dumps({"resourceType": "Patient", "id": mine}).encode(), KIND, fields)
    assert shown(answer)["id"] == mine
    for target in f"Patient/{mine}", f"Patient/{other}", "Patient":
        checks.outcome(asked(who, None, "GET", target, fields=headers("patient/*.cruds")), 403)


def test_patient_scopes_see_binaries_of_that_patient(issuer):
    who, headers = issuer
    mine = create(who, {"resourceType": "Patient"})["id"]
    own, _ = who.upload(b"mine", "text/plain", {"X-Security-Context": f"Patient/{mine}"})
    foreign, _ = who.upload(b"other", "text/plain", {"X-Security-Context": "Patient/other"})
    answer = who.call("PUT", f"Patient/{mine}", KIND, json.dumps({"resourceType": "Patient", "id": mine, "photo": [
        {"url": f"Binary/{own}"}, {"url": f"Binary/{foreign}"}]}).encode())
    assert answer.status == 200, answer
    seen = asked(who, None, "GET", f"Patient/{mine}", fields=headers("patient/Patient.rs patient/Binary.rs", patient=mine)).json()["photo"]
    assert seen[0]["url"].startswith(who.server.storage_base) and seen[1] == {"url": f"Binary/{foreign}"}


def test_signed_urls_stop_with_the_membership(alice, server):
    helper = server.cli.client_create(alice.project_id, "leaving")
    leaving = type(alice)(server, alice.project_id, helper)
    file, _ = alice.upload(b"x", "text/plain")
    made = create(leaving, {"resourceType": "Patient", "photo": [{"url": f"Binary/{file}"}]})
    url = made["photo"][0]["url"][len(server.base) - 1:]
    assert server.request("GET", url).status == 200
    server.cli.run("client", "disable", helper[0])
    checks.outcome(server.request("GET", url), 403 if server.request("GET", url).status == 403 else 401)
    assert leaving.get(f"Patient/{made['id']}").status in (401, 403)
    assert read(alice, f"Patient/{made['id']}")["photo"][0]["url"].startswith(server.storage_base)


# ---- tenants ----

def test_projects_never_see_each_other(alice, bob):
    value = {"system": "http://shared", "value": "1"}
    mine, other = (create(who, {"resourceType": "Person", "identifier": [value]})["id"] for who in (alice, bob))
    assert ids(find(alice, "Person?identifier=http://shared|1")) == [mine]
    assert ids(find(bob, "Person?identifier=http://shared|1")) == [other]
    assert ids(find(alice, f"Person?_id={other}")) == [] and ids(find(alice, f"Person?_id={mine},{other}")) == [mine]
    assert find(alice, f"Person?_id={other}&_summary=count")["total"] == 0
    cursor = find(bob, "Person?_count=1")
    assert other in json.dumps(cursor)
    answer = post(alice, {"resourceType": "Person", "active": True}, {"If-None-Exist": f"_id={other}"})
    assert answer.status == 201, "what others have does not exist"


# ---- auth/me ----

def test_auth_me(alice):
    answer = alice.call("GET", "/auth/me")
    assert answer.status == 200 and checks.media_type(answer) == "application/json", answer
    me = answer.json()
    assert me["project"] == {"resourceType": "Project", "id": alice.project_id}
    assert me["membership"]["resourceType"] == "ProjectMembership" and me["membership"]["id"] and me["membership"]["admin"] is True
    assert me["membership"]["project"] == {"reference": f"Project/{alice.project_id}"}
    assert me["profile"]["resourceType"] and me["profile"]["id"] == alice.id
    assert me["config"] == {"resourceType": "UserConfiguration"}
    basic = alice.server.request("GET", "/auth/me", alice.basic)
    assert basic.json() == me
    checks.outcome(alice.server.request("GET", "/auth/me", {"Authorization": "Bearer nonsense"}), 401)


def test_auth_me_shows_the_profile(postgres):
    with httpd.Server(postgres, directives={"FhirBinaryUpdateCreate": "on"}, processes=1) as server:
        project = server.cli.project_create("profiles")
        made = httpd.client.Client(server, project, server.cli.client_create(project, "app", "--profile", "Practitioner/doc"))
        assert made.call("GET", "/auth/me").json()["profile"] == {"resourceType": "Practitioner", "id": "doc"}
        made.call("PUT", "Practitioner/doc", KIND, b'{"resourceType":"Practitioner","id":"doc","name":[{"family":"Hibbert"}]}')
        me = made.call("GET", "/auth/me").json()
        assert me["profile"]["name"] == [{"family": "Hibbert"}] and me["membership"]["profile"] == {"reference": "Practitioner/doc"}


# ---- metadata ----

def test_capabilities(server, alice):
    """R4 has 148 names of resource types, two of them abstract."""
    statement = server.request("GET", "/fhir/R4/metadata").json()
    resources = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert len(resources) == len(statement["rest"][0]["resource"]) == 146
    patient = resources["Patient"]
    assert {one["code"] for one in patient["interaction"]} >= {"read", "vread", "update", "patch", "delete", "history-instance", "create", "search-type"}
    assert patient["versioning"] == "versioned-update" or patient["versioning"] == "versioned"
    assert patient["conditionalCreate"] is True and patient["conditionalUpdate"] is True and patient["updateCreate"] is False
    assert {"batch", "transaction"} <= {one["code"] for one in statement["rest"][0]["interaction"]}
    assert statement["patchFormat"] == ["application/json-patch+json"]
    for kind, resource in resources.items():
        assert kind == "Binary" or alice.get(f"{kind}?_count=1").status == 200, kind
        for parameter in resource.get("searchParam", [])[:3] if kind != "AuditEvent" else []:
            answer = alice.get(f"{kind}?{parameter['name']}:missing=true&_count=0", {"Prefer": "handling=strict"})
            assert answer.status == 200, (kind, parameter, answer)
