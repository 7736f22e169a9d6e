"""fhirbinctl policy, membership, client and explain against a server that runs: what they write counts at once, and what
`explain` says is what the server does."""
import json

import pytest
from harness import checks, client as clients, httpd
from harness.resources import create

KIND = {"Content-Type": checks.FHIR_JSON}
PATIENT = {"resourceType": "AccessPolicy", "name": "One patient", "resource": [
    {"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "interaction": ["read", "search", "update"]},
    {"resourceType": "Observation", "criteria": "Observation?_compartment=%patient&status=final"},
    {"resourceType": "Device", "readonly": True}]}


class House:
    """A project with two patients, a Binary of each and one without context; an administrator and members."""

    def __init__(self, server, name):
        self.server, self.cli = server, server.cli
        self.admin = server.project(name)
        self.project = self.admin.project_id
        self.put("patient", PATIENT)
        self.homer, self.ned = (create(self.admin, {"resourceType": "Patient"})["id"] for _ in "12")
        self.of = {name: self.admin.upload(b"file", headers={"X-Security-Context": context} if context else {})[0]
                   for name, context in (("homer", f"Patient/{self.homer}"), ("ned", f"Patient/{self.ned}"), ("nobody", None))}
        self.of["deleted"] = self.admin.upload(b"file", headers={"X-Security-Context": f"Patient/{self.homer}"})[0]
        assert self.admin.call("DELETE", f"Binary/{self.of['deleted']}").status == 204
        self.final, self.draft = (create(self.admin, {
            "resourceType": "Observation", "status": status, "code": {"text": "x"}, "subject": {"reference": f"Patient/{self.homer}"}})["id"]
            for status in ("final", "preliminary"))

    def put(self, identity, policy):
        path = self.server.root / f"{identity}.json"
        path.write_text(json.dumps(policy))
        return self.cli.run("policy", "put", "--project", self.project, "--id", identity, path)

    def member(self, *more):
        identity = self.cli.client_create(self.project, "member", *more, admin=False)
        return clients.Client(self.server, self.project, identity)

    def explain(self, *words):
        """Gives (status, explanation)."""
        text = self.cli.run("explain", *words, "--json", check=False)
        assert self.cli.code in (0, 3), self.cli.error
        told = json.loads(text)
        assert told["allowed"] == (self.cli.code == 0) == (told["status"] < 400), told
        return told["status"], told["explanation"]


@pytest.fixture(scope="module", params=["Off", "On"], ids=["server chooses ids", "clients choose ids"])
def server(postgres, request):
    with httpd.Server(postgres, directives={"FhirBinaryUpdateCreate": [request.param]}) as running:
        yield running


@pytest.fixture(scope="module")
def house(server):
    return House(server, "House of policies")


@pytest.fixture(scope="module")
def members(house):
    return {
        "administrator": house.admin,
        "homer": house.member("--policy", "patient", "--parameter", f"patient=Patient/{house.homer}"),
        "profile": house.member("--policy", "AccessPolicy/patient", "--profile", f"Patient/{house.ned}"),
        "without parameter": house.member("--policy", "patient"),
        "no such policy": house.member("--policy", "other"),
        "no policy": house.member()}


REQUESTS = {  # interaction and resource as explain names them -> method and target; {x} is a Binary
    "read Binary/{homer}": ("GET", "Binary/{homer}"),
    "read Binary/{ned}": ("GET", "Binary/{ned}"),
    "read Binary/{nobody}": ("GET", "Binary/{nobody}"),
    "read Binary/{deleted}": ("GET", "Binary/{deleted}"),
    "read Binary/unknown": ("GET", "Binary/unknown"),
    "history Binary/{homer}": ("GET", "Binary/{homer}/_history"),
    "history Binary/{ned}": ("GET", "Binary/{ned}/_history"),
    "presigned-url Binary/{homer}": ("GET", "Binary/{homer}/$presigned-url"),
    "presigned-url Binary/{ned}": ("GET", "Binary/{ned}/$presigned-url"),
    "presigned-upload Binary/{homer}": ("GET", "Binary/{homer}/$presigned-url?upload=true"),
    "presigned-upload Binary/{ned}": ("GET", "Binary/{ned}/$presigned-url?upload=true"),
    "create Binary --context Patient/{h}": ("POST", "Binary", {"X-Security-Context": "Patient/{h}"}),
    "create Binary --context Patient/{n}": ("POST", "Binary", {"X-Security-Context": "Patient/{n}"}),
    "create Binary --context Patient/missing": ("POST", "Binary", {"X-Security-Context": "Patient/missing"}),
    "create Binary": ("POST", "Binary", {}),
    "update Binary/{homer}": ("PUT", "Binary/{homer}", {}),
    "update Binary/{ned}": ("PUT", "Binary/{ned}", {}),
    "update Binary/{deleted}": ("PUT", "Binary/{deleted}", {"X-Security-Context": "Patient/missing"}),
    "update Binary/{homer} --context Patient/{n}": ("PUT", "Binary/{homer}", {"X-Security-Context": "Patient/{n}"}),
    "update Binary/{new}": ("PUT", "Binary/{new}", {}),
    "update Binary/{new} --context Patient/{h}": ("PUT", "Binary/{new}", {"X-Security-Context": "Patient/{h}"}),
    "read Patient/{h}": ("GET", "Patient/{h}"),
    "read Patient/{n}": ("GET", "Patient/{n}"),
    "read Patient/unknown": ("GET", "Patient/unknown"),
    "read Device/unknown": ("GET", "Device/unknown"),
    "read Observation/{final}": ("GET", "Observation/{final}"),
    "read Observation/{draft}": ("GET", "Observation/{draft}"),
    "history Observation/{draft}": ("GET", "Observation/{draft}/_history"),
    "search Patient": ("GET", "Patient"),
    "search Encounter": ("GET", "Encounter"),
    "read AccessPolicy/patient": ("GET", "AccessPolicy/patient"),
    "search ProjectMembership": ("GET", "ProjectMembership"),
    "delete Patient/unknown": ("DELETE", "Patient/unknown"),
    "delete Patient/{n} --scope user/*.rs": ("DELETE", "Patient/{n}", {}, "user/*.rs"),
    "read Patient/{h} --scope user/Patient.r": ("GET", "Patient/{h}", {}, "user/Patient.r"),
    "read Binary/{homer} --scope user/Patient.r": ("GET", "Binary/{homer}", {}, "user/Patient.r"),
    "search Patient --scope user/Binary.rs": ("GET", "Patient", {}, "user/Binary.rs"),
}


@pytest.mark.parametrize("who", ["administrator", "homer", "profile", "without parameter", "no such policy", "no policy"])
def test_explain_says_what_the_server_does(house, members, who):
    """The order of requests matters little: what they write keeps every context."""
    member = members[who]
    names = {**house.of, "final": house.final, "draft": house.draft, "h": house.homer, "n": house.ned, "new": who.replace(" ", "-")}
    for question, request in REQUESTS.items():
        method, target, headers, scope = (*request, {}, None)[:4] if len(request) == 2 else (*request, None)[:4]
        status, text = house.explain(member.id, *question.format(**names).split())
        fields = {"Authorization": "Bearer " + member.new_token(scope),
                  **{name: value.format(**names) for name, value in headers.items()}}
        body = b"file" if method in ("POST", "PUT") else None
        if question == "update Binary/{homer} --context Patient/{n}" and status < 400:
            continue  # it would move the Binary away from what the others are asked
        answer = house.server.request(method, "/fhir/R4/" + target.format(**names),
                                      {**fields, **({"Content-Type": "text/plain"} if body else {})}, body)
        if status < 400 or answer.status < 400:
            # A conditional delete of nothing, or a DELETE of an unknown id, is done already.
            assert (status < 400) == (answer.status < 400) or (method == "DELETE" and status == 404), (question, text, answer)
        else:
            assert status == answer.status, (question, text, answer)
            if status == 404:
                assert checks.outcome(answer, 404)["diagnostics"] in text, (question, text, answer)


def test_explanations(house, members):
    homer = members["homer"]
    status, text = house.explain(homer.id, "read", f"Binary/{house.of['homer']}")
    assert status == 200
    for line in ("membership ", f"project            {house.project}", "administrator      no", "AccessPolicy/patient version ",
                 f"securityContext    Patient/{house.homer} (it is there)", f"compartments       Patient/{house.homer}",
                 f"criteria Patient?_compartment=%patient, where %patient is Patient/{house.homer}", "allowed"):
        assert line in text, text
    status, text = house.explain(homer.id, "read", f"Binary/{house.of['ned']}")
    assert status == 404 and "its criteria do not hold" in text and "refused: 404 There is no Binary with this id." in text
    status, text = house.explain(members["without parameter"].id, "read", f"Binary/{house.of['homer']}")
    assert status == 404 and "problem in AccessPolicy/patient, AccessPolicy.resource[0].criteria: " in text and "%patient" in text
    status, text = house.explain(members["no such policy"].id, "read", f"Patient/{house.homer}")
    assert status == 403 and "AccessPolicy/other" in text
    status, text = house.explain(members["no policy"].id, "read", f"Patient/{house.homer}")
    assert status == 403 and "nothing is permitted" in text
    version = house.admin.json(f"Observation/{house.final}").json()["meta"]["versionId"]
    status, text = house.explain(homer.id, "vread", f"Observation/{house.final}/_history/{version}")
    assert status == 200, text


def test_explain_says_what_it_was_not_asked(house):
    house.put("from-one-network", {"resourceType": "AccessPolicy", "name": "x", "resource": [{"resourceType": "Patient"}],
                                   "ipAccessRule": [{"value": "192.0.2.0/24", "action": "allow"}, {"value": "*", "action": "block"}]})
    member = house.member("--policy", "from-one-network")
    asked = member.id, "read", f"Patient/{house.homer}"
    status, text = house.explain(*asked)
    assert status == 200 and "allowed from the addresses that the ipAccessRules" in text, text
    status, text = house.explain(*asked, "--address", "192.0.2.7")
    assert status == 200 and text.rstrip().endswith("allowed"), text
    assert house.explain(*asked, "--address", "127.0.0.1")[0] == 403
    checks.outcome(member.get(f"Patient/{house.homer}"), 403)
    for words in ("read", f"Binary/{house.of['homer']}/_history/1"), ("vread", f"Binary/{house.of['homer']}"):
        house.cli.run("explain", member.id, *words, check=False)
        assert house.cli.code == 2 and "vread names a version" in house.cli.error, house.cli.error


def test_explain_audits_and_changes_nothing(house, members):
    before = house.server.sql("SELECT count(*) FROM fhir_binary.binary_version")
    house.explain(members["homer"].id, "update", f"Binary/{house.of['homer']}")
    house.explain(house.admin.id, "delete", f"Binary/{house.of['homer']}")
    assert house.server.sql("SELECT count(*) FROM fhir_binary.binary_version") == before


def test_a_policy_counts_at_once(house):
    member = house.member("--policy", "changing")
    checks.outcome(member.get(f"Patient/{house.homer}"), 403)
    house.put("changing", {"resourceType": "AccessPolicy", "name": "x", "resource": [{"resourceType": "Patient"}]})
    assert member.get(f"Patient/{house.homer}").status == 200
    house.put("changing", {"resourceType": "AccessPolicy", "name": "x", "resource": [{"resourceType": "Patient", "criteria": f"Patient?_id={house.ned}"}]})
    checks.outcome(member.get(f"Patient/{house.homer}"), 404)
    assert member.get(f"Patient/{house.ned}").status == 200
    house.cli.run("policy", "delete", "--project", house.project, "changing")
    checks.outcome(member.get(f"Patient/{house.ned}"), 403)


def test_the_default_policy(house):
    member = house.member()
    checks.outcome(member.get(f"Patient/{house.homer}"), 403)
    house.put("default", {"resourceType": "AccessPolicy", "name": "x", "resource": [{"resourceType": "Patient", "readonly": True}]})
    house.cli.run("project", "default-policy", house.project, "AccessPolicy/default")
    try:
        assert member.get(f"Patient/{house.homer}").status == 200
        checks.outcome(member.call("DELETE", f"Patient/{house.homer}"), 403)
        house.cli.run("membership", "set-policy", house.explain(member.id, "search", "Patient")[1].split("membership ")[1].split()[0],
                      "--policy", "patient", "--parameter", f"patient=Patient/{house.ned}")
        checks.outcome(member.get(f"Patient/{house.homer}"), 404)
    finally:
        house.cli.run("project", "default-policy", house.project, "none")
    checks.outcome(house.member().get(f"Patient/{house.homer}"), 403)


def test_a_member_disabled_enabled_deleted(house):
    member = house.member("--admin")
    assert member.get(f"Patient/{house.homer}").status == 200
    house.cli.run("membership", "disable", member.id)
    assert member.get(f"Patient/{house.homer}").status == 403
    assert house.explain(member.id, "read", f"Patient/{house.homer}")[0] == 403
    house.cli.run("membership", "enable", member.id)
    assert member.get(f"Patient/{house.homer}").status == 200
    house.cli.run("membership", "delete", member.id)
    assert member.get(f"Patient/{house.homer}").status == 401
    assert house.explain(member.id, "read", f"Patient/{house.homer}")[0] == 401


def test_what_the_command_line_writes_is_seen_over_rest_and_back(house):
    stored = house.admin.json("AccessPolicy/patient").json()
    assert {name: stored[name] for name in PATIENT} == PATIENT
    made = house.cli.membership_create(house.project, "--user", "joe", "--profile", "Practitioner/1", "--policy", "patient",
                                       "--parameter", f"patient=Patient/{house.ned}", "--parameter", "word=a b", admin=False)
    stored = house.admin.json(f"ProjectMembership/{made}").json()
    assert stored["user"] == {"identifier": {"value": "joe"}} and stored["profile"] == {"reference": "Practitioner/1"}, stored
    assert stored["access"] == [{"policy": {"reference": "AccessPolicy/patient"}, "parameter": [
        {"name": "patient", "valueReference": {"reference": f"Patient/{house.ned}"}}, {"name": "word", "valueString": "a b"}]}], stored
    stored["admin"] = True
    answer = house.admin.call("PUT", f"ProjectMembership/{made}", KIND, json.dumps(stored).encode())
    assert answer.status == 200, answer
    rows = {row["id"]: row for row in json.loads(house.cli.run("membership", "list", "--project", house.project, "--json"))}
    assert rows[made]["admin"] is True and rows[made]["access"] == f"patient(patient=Patient/{house.ned}, word=a b)", rows[made]
    assert house.explain("user:joe", "search", "Patient")[0] == 200
    assert json.loads(house.cli.run("membership", "show", made))["admin"] is True


def test_checks_name_what_is_wrong(house):
    path = house.server.root / "wrong.json"
    for entry, word in (({"resourceType": "Patient", "criteria": "Patient?colour=red"}, "colour"),
                        ({"resourceType": "Patient", "criteria": "Observation?code=1"}, "Patient?"),
                        ({"resourceType": "Patient", "criteria": "Patient?_count=1"}, "_count"),
                        ({"resourceType": "Patient", "criteria": "Patient?organization.name=x"}, "organization.name"),
                        ({"resourceType": "Patient", "criteria": "Patient?birthdate=ge%day"}, None),
                        ({"resourceType": "*", "criteria": "*?_compartment=%patient"}, None),
                        ({"resourceType": "Observation", "criteria": "Observation?subject=Patient/%one,%two"}, None)):
        path.write_text(json.dumps({"resourceType": "AccessPolicy", "name": "x", "resource": [entry]}))
        text = house.cli.run("policy", "check", path, check=False)
        assert house.cli.code == (3 if word else 0), (entry, text, house.cli.error)
        assert not word or ("AccessPolicy.resource[0].criteria" in text and word in text), text
