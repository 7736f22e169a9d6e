"""Issue section 1: policies. Parameters are values and nothing else, what can't be evaluated denies, elements are hidden and kept,
addresses, and that a change counts at once on every node."""
import base64
import json
import time
import uuid

import pytest
from access.wiring import FHIR, bundle_of, entry
from access.world import (ISSUER, SHARED, World, access, binary_body, media, member, membership_id, observation, outside_member,
                          patient, set_membership, write_policy)
from harness import checks, httpd
from harness.client import Client

RAW = {"Content-Type": "text/plain"}
PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture(scope="module")
def world(postgres):
    with World(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def subject(world):
    """One client whose rights the tests change."""
    return member(world.server, world.admin, [{"resourceType": "Basic"}], "subject")


def grant(world, client, entries=None, parameters=(), policy=None, **members):
    """Gives the client that policy alone; `parameters`: of ProjectMembership.access.parameter. The answer to the write."""
    if policy is None:
        made = world.admin.call("POST", "AccessPolicy", FHIR, json.dumps({
            "resourceType": "AccessPolicy", "name": "granted", "resource": entries, **members}).encode())
        if made.status != 201:
            return made
        policy = "AccessPolicy/" + made.json()["id"]
    identity = membership_id(world.server, client)
    body = world.admin.json(f"ProjectMembership/{identity}").json()
    body.pop("accessPolicy", None)
    body["access"] = [{"policy": {"reference": policy}, **({"parameter": list(parameters)} if parameters else {})}]
    return world.admin.call("PUT", f"ProjectMembership/{identity}", FHIR, json.dumps(body).encode())


def nothing(world, client):
    grant(world, client, [{"resourceType": "Basic"}])


def seen(client, kind="Patient"):
    """Ids that a search shows, all pages; asserts that single reads agree."""
    answer = client.get(f"{kind}?_count=1000")
    if answer.status == 403:
        return set()
    assert answer.status == 200, answer
    return {one["resource"]["id"] for one in answer.json().get("entry", [])}


def readable(client, resources):
    """Those of the resources that single reads show; searches and reads agree."""
    by_read = {one["id"] for one in resources if client.get(f"{one['resourceType']}/{one['id']}").status == 200}
    found = seen(client, resources[0]["resourceType"])
    assert by_read == found & {one["id"] for one in resources}, (by_read, found)
    return by_read


# ---- parameters are values ----

LITERAL = ["a,b", "a|b", "urn:test|shared", "|shared", "shared|", "a&_id=x", "a%20b", "100%", "%patient", "%25", "a\\,b", "back\\slash", "$", "$patient",
           "a$b", "ge2000", "ne2000", "*", "?_tag=shared", "shared#x", "%t", "'", "\"", "+", "a+b", ";", "shared OR 1=1", "_tag=shared", "a=b", "é", "＊"]


@pytest.mark.parametrize("value", LITERAL)
def test_a_parameter_is_one_literal_value(world, subject, value):
    """It fits the code that is written like that, and no other."""
    other = world.make(patient(meta={"tag": [{"system": "urn:test", "code": "shared"}, {"code": "a"}, {"code": "b"}, {"system": "a", "code": "b"}]}))
    exact = world.make(patient(meta={"tag": [{"code": value}]}))
    answer = grant(world, subject, [{"resourceType": "Patient", "criteria": "Patient?_tag=%t"}], [{"name": "t", "valueString": value}])
    assert answer.status == 200, answer
    shown = readable(subject, [exact, other])
    assert shown == {exact["id"]}, shown
    nothing(world, subject)


HOSTILE = ["", " ", "\n", "shared\n", "a\nb", "\t", "\0", "shared\0", "x" * 5000, "%", "%%", "%00", ",", "|", "||", "&", "\\", "\\\\", ",,", "\u202e", "\ufeff"]


@pytest.mark.parametrize("name, criteria", [
    ("tag", "Patient?_tag=%t"), ("system", "Patient?_tag=urn:test|%t"), ("second", "Patient?_tag=%t,%t"), ("id", "Patient?_id=%t"),
    ("compartment", "Patient?_compartment=%t"), ("patient in it", "Patient?_compartment=Patient/%t"), ("reference", "Patient?general-practitioner=%t"),
    ("string", "Patient?name=%t"), ("date", "Patient?birthdate=%t"), ("both", "Patient?_tag=%t&_id=%t")])
def test_hostile_values_open_nothing(world, subject, name, criteria):
    """Values that hold syntax of every kind: refused when they are written, or nothing is seen by them."""
    values = HOSTILE + ["x,Patient/1", f"{world.own},{world.other}", f"x,{world.other}", f"{world.own}|1", "ge1900", "lt3000", "x,ge1900", "a,urn:test|shared",
                        "urn:test|", "|", f"x&_id={world.own.split('/')[1]}", f"x%26_id%3D{world.own.split('/')[1]}", "%patient", "%profile", "%t"]
    own = world.make(patient(meta=SHARED, birthDate="2000-01-01", name=[{"family": "Unnamed"}]))
    for value in values:
        kind = "valueReference" if value.startswith("Patient/") and value == world.own else "valueString"
        answer = grant(world, subject, [{"resourceType": "Patient", "criteria": criteria}],
                       [{"name": "t", kind: {"reference": value} if kind == "valueReference" else value}])
        assert answer.status in (200, 400, 413, 422), (value, answer)
        if answer.status == 200:
            known = {own["id"], world.own.split("/")[1], world.other.split("/")[1], world.contexts["tag"].split("/")[1]}
            assert not seen(subject) & known, (criteria, value)
            assert subject.get(f"Patient/{own['id']}").status in (403, 404), (criteria, value)
    nothing(world, subject)


@pytest.mark.parametrize("criteria", [
    "Patient?_tag=%unknown", "Patient?_tag=%", "Patient?_tag=%t%t", "Patient?_tag=%%t", "Patient?_tag=%t.x", "Patient?_tag=%zz", "Patient?%t=shared", "%t",
    "Patient?%5Ftag=%unknown", "Patient?_compartment=%25patient", "Patient?_compartment=%patientx", "Patient?_compartment=%Patient",
    "Patient?_compartment=Patient/%", "Patient?_id=%profile", "Patient?_compartment=%profile", "Patient?_tag=%74", "Patient?_compartment=%patient%2C{other}"])
def test_percent_tricks(world, subject, criteria):
    """A parameter without a value, half a parameter, encoded ones: nothing, or at most what the plain reading gives."""
    tagged = world.make(patient(meta=SHARED))
    answer = grant(world, subject, [{"resourceType": "Patient", "criteria": criteria.format(other=world.other)}], [{"name": "t", "valueString": "never"}])
    assert answer.status in (200, 400, 422), answer
    if answer.status == 200:
        assert seen(subject) == set()
        assert subject.get(f"Patient/{tagged['id']}").status in (403, 404) and subject.get(world.other).status in (403, 404)
    nothing(world, subject)


def test_parameters_of_one_policy_do_not_reach_another(world, subject):
    """%patient of the second entry of access is not that of the first."""
    policies = [write_policy(world.admin, [{"resourceType": kind, "criteria": f"{kind}?_compartment=%patient"}]) for kind in ("Media", "Observation")]
    own, other = world.make(media(world.own)), world.make(media(world.other))
    first, second = world.make(observation(world.own)), world.make(observation(world.other))
    set_membership(world.admin, membership_id(world.server, subject), access=access(policies[0], patient=world.own) + access(policies[1], patient=world.other))
    assert readable(subject, [own, other]) == {own["id"]}
    assert readable(subject, [first, second]) == {second["id"]}
    nothing(world, subject)


def test_patient_is_the_profile_if_it_is_one(world, subject):
    identity = membership_id(world.server, subject)
    policy = write_policy(world.admin, [{"resourceType": "Observation", "criteria": "Observation?_compartment=%patient"},
                                        {"resourceType": "Patient", "criteria": "Patient?_compartment=%profile"}])
    own, other = world.make(observation(world.own)), world.make(observation(world.other))
    for profile, expected in ((world.own, {own["id"]}), (world.other, {other["id"]}), ("Practitioner/1", set())):
        set_membership(world.admin, identity, profile={"reference": profile}, access=access(policy))
        assert readable(subject, [own, other]) == expected
        assert seen(subject) >= ({profile.split("/")[1]} if profile.startswith("Patient") else set())
    set_membership(world.admin, identity, profile={"reference": world.other}, access=access(policy, patient=world.own))
    assert readable(subject, [own, other]) == {own["id"]}, "a parameter of that name comes first"
    set_membership(world.admin, identity, profile=None)
    nothing(world, subject)


# ---- what can't be evaluated ----

PATIENTS = [{"resourceType": "Patient", "criteria": criteria} for criteria in (
    "Patient?nonsense=1", "Patient?general-practitioner.name=x", "Patient?_has:Observation:subject:status=final", "Patient?_count=1", "Patient?_sort=_id",
    "Patient?_include=Patient:link", "Patient?_filter=active eq true", "Patient?_text=x", "Patient?_content=x", "Patient?_query=x", "Patient?name:soundex=x",
    "Patient?birthdate=nonsense", "Patient?birthdate=", "Patient?=x", "Patient?&", "Observation?status=final", "Patient/1", "http://x/Patient?_id=1",
    "?_tag=urn:test|shared", "_tag=urn:test|shared", "Patient?_tag", "Patient?_tag=", "Patient?_summary=count", "Patient?_elements=id", "Patient?_list=x",
    "Patient?_compartment:missing=true&nonsense=1", "Patient??_tag=urn:test|shared", "patient?_tag=urn:test|shared", "Patient ?_tag=urn:test|shared", "$everything")]
OTHERS = [
    {"resourceType": "Patient", "writeConstraint": [{"expression": "false"}]}, {"resourceType": "Patient", "basedOn": "x"},
    {"resourceType": "Patient", "compartment": {"reference": "Patient/1"}}, {"resourceType": "Patient", "crteria": "Patient?_id=1"},
    {"resourceType": "Patient", "criteria": 5}, {"resourceType": "Patient", "criteria": ["Patient?_id=1"]}, {"resourceType": "Patient", "criteria": None},
    {"resourceType": "Patient", "interaction": "read"}, {"resourceType": "Patient", "interaction": ["nonsense"]},
    {"resourceType": "Patient", "_criteria": {"extension": []}}, {"resourceType": "Patients"}, {"resourceType": "patient"}, {"resourceType": ""},
    {"resourceType": ["Patient"]}, {}, {"resourceType": "*", "criteria": "*?_tag=nonsense"}, {"resourceType": "*", "criteria": "Observation?status=never"},
    {"resourceType": "Patient*"}, {"resourceType": "Pat%"}, "Patient", {"resourceType": "Patient", "readonly": "true", "interaction": ["create"]}]


@pytest.mark.parametrize("item", PATIENTS + OTHERS, ids=lambda item: json.dumps(item)[:80])
def test_what_cannot_be_evaluated_permits_nothing(world, subject, item):
    """Refused when it is written, or of no effect; the entry beside it works on."""
    one = world.make(patient(meta=SHARED))
    answer = grant(world, subject, [item, {"resourceType": "Observation"}])
    if answer.status != 200:
        checks.outcome(answer, answer.status if answer.status == 400 else 422)
        return
    assert seen(subject) == set() and subject.get(f"Patient/{one['id']}").status in (403, 404), item
    assert subject.get(f"Binary/{uuid.uuid4()}").status in (403, 404)
    assert subject.get("Observation?_count=1").status == 200
    nothing(world, subject)


def test_policies_that_are_not_there(world, subject):
    deleted = write_policy(world.admin, [{"resourceType": "*"}])
    world.remove(deleted)
    foreign = write_policy(world.elsewhere, [{"resourceType": "*"}])
    for policy in f"AccessPolicy/{uuid.uuid4()}", deleted, foreign, "Patient/1", "AccessPolicy/", "*":
        answer = grant(world, subject, policy=policy)
        assert answer.status in (200, 400, 404, 409, 422), answer
        if answer.status == 200:
            assert seen(subject) == set() and subject.get(world.own).status == 403, policy
    nothing(world, subject)


def test_unevaluable_scopes_permit_nothing(world):
    outside_member(world.admin, "scoped", [{"resourceType": "*"}])
    for scope in ("user/Patient.rs?nonsense=1", "user/Patient.rs?_tag", "user/Patient.rs?general-practitioner.name=x", "user/*.cruds?nonsense=x",
                  "user/Patient.rs?_count=1", "patient/Patient.rs", "user/Patient.sr", "User/Patient.rs", "user/patient.rs", "user/.rs", "user/Pat*.rs"):
        world.headers["scoped"] = world.issuer.headers("scoped", scope)
        answer = world.call("scoped", "GET", world.own)
        if scope[:5] in ("User/",):  # no SMART scope at all: set aside, so nothing is narrowed
            continue
        assert answer.status in (403, 404), (scope, answer)
        answer = world.call("scoped", "GET", "Patient")
        assert answer.status == 403 or not answer.json().get("entry"), (scope, answer)


@pytest.mark.parametrize("patient_claim", ["", "../x", "a/b", "Patient/", "a b", "*", "%", "x" * 65])
def test_odd_patients_in_tokens(world, patient_claim):
    outside = world.issuer.headers("u1", "patient/*.cruds", patient_claim)
    world.headers["odd"] = outside
    for place in world.own, world.other, "Patient", "Observation":
        answer = world.call("odd", "GET", place)
        assert answer.status in (403, 404) or not answer.json().get("entry") and answer.json()["resourceType"] == "Bundle", answer


# ---- several entries: any may permit ----

def test_interactions_of_an_entry(world, subject):
    """An entry permits what it lists; readonly permits read, vread, history, search."""
    one = world.make(observation(world.own))
    place = f"Observation/{one['id']}"
    asks = {"read": ("GET", place), "vread": ("GET", f"{place}/_history/{one['meta']['versionId']}"), "history": ("GET", place + "/_history"),
            "search": ("GET", f"Observation?_id={one['id']}"), "create": ("POST", "Observation"), "update": ("PUT", place), "delete": ("DELETE", place)}
    for name in list(asks)[:6] + ["delete"]:
        grant(world, subject, [{"resourceType": "Observation", "interaction": [name]}])
        for asked, (method, target) in asks.items():
            body = json.dumps({**observation(world.own), **({"id": one["id"]} if method == "PUT" else {})}).encode() if method in ("POST", "PUT") else None
            answer = subject.call(method, target, FHIR if body else None, body)
            if asked == name:
                assert answer.status < 300, (name, answer)
                if name in ("create", "update"):
                    assert one["id"] in target or answer.status == 201
            else:
                assert answer.status in (403, 404, 405), (name, asked, answer)
                checks.outcome(answer, answer.status)
        if name == "update":
            one["meta"]["versionId"] = world.call("admin", "GET", place).json()["meta"]["versionId"]
    nothing(world, subject)


def test_write_without_read_shows_nothing(world, subject):
    grant(world, subject, [{"resourceType": "Observation", "interaction": ["create", "update"]}])
    one = world.make(observation(world.own, note=[{"text": "secret finding"}]))
    answers = [subject.call("PATCH", f"Observation/{one['id']}", {**PATCH, "Prefer": "return=representation"}, b"[]"),
               subject.call("PATCH", f"Observation/{one['id']}", PATCH, b'[{"op":"test","path":"/note/0/text","value":"secret finding"}]')]
    for answer in answers:
        assert "secret finding" not in answer.text, answer
    nothing(world, subject)


# ---- elements ----

HIDDEN = {"birthDate": "1971-03-05", "identifier": [{"system": "urn:secret", "value": "S-4711"}], "managingOrganization": None,
          "maritalStatus": {"text": "Hiddenmarital"}, "_birthDate": {"extension": [{"url": "urn:x", "valueString": "Hiddenextension"}]}}
WORDS = ["1971-03-05", "S-4711", "Hiddenmarital", "Hiddenextension"]
FIELDS = ["birthDate", "identifier", "managingOrganization", "maritalStatus", "photo"]


class Chart:
    """A Patient of whom a member must not see some elements."""

    def __init__(self, world):
        self.world = world
        self.organization = world.make({"resourceType": "Organization", "name": "Hiddenorganization"})["id"]
        self.file, _ = world.admin.upload(b"photo", "image/png", {"X-Security-Context": world.own})
        hidden = {**HIDDEN, "managingOrganization": {"reference": f"Organization/{self.organization}"}, "photo": [{"url": f"Binary/{self.file}", "title": "Hiddenphoto"}]}
        self.body = {"resourceType": "Patient", "gender": "female", "active": True, "name": [{"family": "Visible"}], **hidden}
        made = world.make(self.body)
        self.id, self.version, self.place = made["id"], made["meta"]["versionId"], f"Patient/{made['id']}"
        self.words = WORDS + [self.organization, "Hiddenphoto", self.file]
        self.client = member(world.server, world.admin, [
            {"resourceType": "Patient", "hiddenFields": FIELDS, "readonlyFields": ["active"]}, {"resourceType": "Organization"}], "chart")

    def clean(self, answer, *asked):
        for word in self.words:
            assert word in asked or word not in answer.text, (word, answer)

    def stored(self):
        return self.world.call("admin", "GET", self.place).json()

    def hidden_is_kept(self):
        stored = self.stored()
        for name in ("birthDate", "identifier", "managingOrganization", "maritalStatus", "_birthDate"):
            assert stored.get(name) == self.body[name], (name, stored)
        assert stored["photo"][0]["title"] == "Hiddenphoto"


@pytest.fixture(scope="module")
def chart(world):
    return Chart(world)


@pytest.mark.parametrize("target", ["{place}", "{place}/_history/{version}", "{place}/_history", "Patient?_id={id}", "Patient?_id={id}&_elements=birthDate,identifier,photo",
                                    "Patient?_id={id}&_summary=true", "Patient?_id={id}&_summary=data", "{place}?_elements=birthDate", "{place}?_summary=true",
                                    "Patient?_id={id}&_include=Patient:organization", "Patient?_id={id}&_include=*", "Patient?_id={id}&_include=Patient:photo",
                                    "Organization?_id={organization}&_revinclude=Patient:organization"])
def test_hidden_elements_are_not_shown(chart, target):
    asked = target.format(place=chart.place, id=chart.id, version=chart.version, organization=chart.organization)
    answer = chart.client.get(asked)
    assert answer.status == 200 or answer.status in (400, 403) and "include=" in target, answer
    if "_revinclude" in target:
        assert chart.id not in answer.text, "who refers to it is hidden"
        return
    chart.clean(answer)
    if answer.status == 200 and "_elements" not in target:
        assert '"Visible"' in answer.text and chart.id in answer.text
    for kind in "batch", "transaction":
        made = chart.client.call("POST", "/fhir/R4", FHIR, bundle_of(kind, entry("GET", asked)))
        chart.clean(made)


@pytest.mark.parametrize("name, right, wrong", [
    ("birthdate", "1971-03-05", "1999-01-01"), ("birthdate", "lt1980", "gt1980"), ("identifier", "urn:secret|S-4711", "urn:secret|none"),
    ("identifier", "S-4711", "none"), ("organization", "Organization/{organization}", "Organization/none"), ("identifier:missing", "false", "true"),
    ("birthdate:missing", "false", "true"), ("identifier:not", "none", "S-4711"), ("organization:identifier", "x", "y")])
def test_hidden_elements_are_not_searched(chart, name, right, wrong):
    """The right guess and the wrong one get the same answer."""
    results = []
    for value in right.format(organization=chart.organization), wrong:
        answers = []
        for more in f"&_id={chart.id}", f"&_id={chart.id}&_summary=count", "&_total=accurate&_count=0":
            answer = chart.client.get(f"Patient?{name}={value}{more}")
            shown = answer.json()
            answers.append((answer.status, len(shown.get("entry", [])), shown.get("total"), len(shown.get("issue", []))))
        results.append(answers)
    assert results[0] == results[1], results


def test_hidden_elements_do_not_sort(chart):
    orders = []
    other = chart.world.make({**chart.body, "birthDate": "1900-01-01"})
    for sort in "birthdate", "-birthdate":
        answer = chart.client.get(f"Patient?_id={chart.id},{other['id']}&_sort={sort}")
        orders.append([one["resource"]["id"] for one in answer.json().get("entry", [])] if answer.status == 200 else answer.status)
    assert orders[0] == orders[1], orders


def test_conditions_on_hidden_elements(chart):
    """If-None-Exist, PUT, PATCH, DELETE with a hidden identifier: right and wrong guess look the same."""
    for ask in (lambda value: chart.client.call("POST", "Patient", {**FHIR, "If-None-Exist": f"identifier={value}"}, json.dumps(patient()).encode()),
                lambda value: chart.client.call("PUT", f"Patient?identifier={value}", FHIR, json.dumps(patient()).encode()),
                lambda value: chart.client.call("PATCH", f"Patient?identifier={value}", PATCH, b"[]"),
                lambda value: chart.client.call("DELETE", f"Patient?identifier={value}")):
        right, wrong = ask("urn:secret|S-4711"), ask(f"urn:secret|{uuid.uuid4()}")
        assert right.status == wrong.status, (right, wrong)
        chart.clean(right)
    chart.hidden_is_kept()


def test_patches_of_hidden_elements(chart):
    """A test, copy or move of what is hidden tells nothing and changes nothing."""
    def patch(*operations):
        return chart.client.call("PATCH", chart.place, {**PATCH, "Prefer": "return=representation"}, json.dumps(operations).encode())

    for path, right in ("/birthDate", "1971-03-05"), ("/identifier/0/value", "S-4711"), ("/maritalStatus/text", "Hiddenmarital"):
        tried = [patch({"op": "test", "path": path, "value": value}) for value in (right, "wrong")]
        assert tried[0].status == tried[1].status, tried
        for answer in tried:
            chart.clean(answer)
        for op in "copy", "move":
            chart.clean(patch({"op": op, "from": path, "path": "/language"}))
        chart.clean(patch({"op": "replace", "path": path, "value": "2001-01-01"}))
        chart.clean(patch({"op": "remove", "path": path}))
    chart.clean(patch({"op": "copy", "from": "", "path": "/contained"}))
    chart.clean(patch({"op": "copy", "from": "/identifier", "path": "/name/0/given"}))
    chart.clean(patch({"op": "test", "path": "", "value": {}}))
    answer = patch({"op": "replace", "path": "/gender", "value": "male"})
    assert answer.status == 200 and answer.json()["gender"] == "male", answer
    chart.clean(answer)
    chart.hidden_is_kept()
    assert "Hiddenmarital" not in json.dumps(chart.stored().get("language", ""))


@pytest.mark.parametrize("prefer", ["return=representation", "return=minimal", "return=OperationOutcome"])
def test_what_was_hidden_survives_a_write(chart, prefer):
    """Read, change, write back: what the member can't see stays, and the answer does not show it."""
    known = chart.client.get(chart.place).json()
    chart.clean(chart.client.get(chart.place))
    body = {**known, "name": [{"family": "Visible", "given": [str(uuid.uuid4())]}]}
    answer = chart.client.call("PUT", chart.place, {**FHIR, "Prefer": prefer}, json.dumps(body).encode())
    assert answer.status == 200, answer
    chart.clean(answer)
    chart.hidden_is_kept()
    assert chart.stored()["name"] == body["name"]
    for kind in "batch", "transaction":
        body["name"] = [{"family": "Visible", "given": [kind + str(uuid.uuid4())]}]
        answer = chart.client.call("POST", "/fhir/R4", {**FHIR, "Prefer": prefer}, bundle_of(kind, entry("PUT", chart.place, body)))
        assert answer.status == 200 and answer.json()["entry"][0]["response"]["status"].startswith("200"), answer
        chart.clean(answer)
        chart.hidden_is_kept()
        assert chart.stored()["name"] == body["name"]


def test_readonly_elements_stay(chart):
    """PUT, PATCH and both in Bundles: `active` stays as it is, or the write is refused."""
    known = chart.client.get(chart.place).json()
    carrier = {"resourceType": "Binary", "contentType": PATCH["Content-Type"], "data": base64.b64encode(b'[{"op":"replace","path":"/active","value":false}]').decode()}
    for body in {**known, "active": False}, {name: value for name, value in known.items() if name != "active"}:
        chart.client.call("PUT", chart.place, FHIR, json.dumps(body).encode())
        assert chart.stored()["active"] is True
    for operations in ([{"op": "replace", "path": "/active", "value": False}], [{"op": "remove", "path": "/active"}], [{"op": "move", "from": "/active", "path": "/deceasedBoolean"}]):
        chart.client.call("PATCH", chart.place, PATCH, json.dumps(operations).encode())
        assert chart.stored()["active"] is True
    for kind in "batch", "transaction":
        for item in entry("PUT", chart.place, {**known, "active": False}), entry("PATCH", chart.place, carrier):
            chart.client.call("POST", "/fhir/R4", FHIR, bundle_of(kind, item))
            assert chart.stored()["active"] is True
    made = chart.client.call("POST", "Patient", FHIR, json.dumps(patient(active=True, birthDate="1971-03-05")).encode())
    if made.status == 201:
        stored = chart.world.call("admin", "GET", f"Patient/{made.json()['id']}").json()
        assert "active" not in stored, stored
        chart.clean(made)
    assert chart.client.get(chart.place).json()["active"] is True
    chart.hidden_is_kept()


def test_hidden_elements_of_what_is_included(world, chart):
    note = world.make(observation(chart.place))
    client = member(world.server, world.admin, [{"resourceType": "Observation"}, {"resourceType": "Patient", "hiddenFields": FIELDS}], "includer")
    answer = client.get(f"Observation?_id={note['id']}&_include=Observation:subject")
    assert chart.id in answer.text and '"Visible"' in answer.text, answer
    chart.clean(answer)
    answer = client.get(f"Patient?_id={chart.id}&_revinclude=Observation:subject")
    chart.clean(answer)


@pytest.mark.parametrize("hidden, query, right, wrong", [
    ("generalPractitioner", "_compartment", "Practitioner/secret", "Practitioner/other"), ("generalPractitioner", "general-practitioner", "Practitioner/secret", "Practitioner/other"),
    ("link", "link", "{own}", "{other}"), ("link", "_compartment", "{own}", "{other}"), ("meta", "_tag", "urn:test|hidden", "urn:test|none"),
    ("name", "family", "Hiddenfamily", "None"), ("name", "name", "Hiddenfamily", "None"), ("telecom", "phone", "0815", "0816"), ("address", "address-city", "Hiddencity", "None"),
    ("deceased", "death-date", "1999-09-09", "2000-01-01"), ("deceasedDateTime", "deceased", "true", "false")])
def test_every_parameter_that_looks_at_a_hidden_element(world, subject, hidden, query, right, wrong):
    made = world.make(patient(generalPractitioner=[{"reference": "Practitioner/secret"}], link=[{"type": "seealso", "other": {"reference": world.own}}],
                              meta={"tag": [{"system": "urn:test", "code": "hidden"}]}, name=[{"family": "Hiddenfamily"}], deceasedDateTime="1999-09-09",
                              telecom=[{"system": "phone", "value": "0815"}], address=[{"city": "Hiddencity"}]))
    assert grant(world, subject, [{"resourceType": "Patient", "hiddenFields": [hidden]}]).status == 200
    assert hidden.rstrip("DateTime") not in subject.get(f"Patient/{made['id']}").json() or hidden == "meta"
    answers = []
    for value in right, wrong:
        answer = subject.get(f"Patient?_id={made['id']}&{query}={value.format(own=world.own, other=world.other)}")
        answers.append((answer.status, [one["resource"]["id"] for one in answer.json().get("entry", [])], answer.json().get("total")))
    assert answers[0] == answers[1], answers
    for word in {"generalPractitioner": ["secret"], "link": [world.own], "meta": ['"hidden"'], "name": ["Hiddenfamily"], "telecom": ["0815"], "address": ["Hiddencity"],
                 "deceased": ["1999-09"], "deceasedDateTime": ["1999-09"]}[hidden]:
        for place in f"Patient/{made['id']}", f"Patient/{made['id']}/_history", f"Patient?_id={made['id']}":
            assert word not in subject.get(place).text, (word, place)
    nothing(world, subject)


# ---- where from ----

@pytest.mark.parametrize("rules, status", [
    ([("127.0.0.1", "block")], 403), ([("127.0.0.0/8", "block")], 403), ([("*", "block")], 403), ([("10.0.0.0/8", "block")], 200),
    ([("127.0.0.1", "allow"), ("*", "block")], 200), ([("*", "block"), ("127.0.0.1", "allow")], 403), ([("10.0.0.0/8", "allow")], 200),
    ([("10.0.0.0/8", "allow"), ("*", "block")], 403), ([("0.0.0.0/0", "block")], None), ([("::1", "block")], 200), ([("::/0", "block")], None), ([("::ffff:127.0.0.1", "block")], None),
    ([("nonsense", "block")], None), ([("127.0.0.1/99", "block")], None), ([("127.1", "block")], None), ([("", "block")], None),
    ([("127.0.0.1", "nonsense")], None), ([("localhost", "block")], None)])
def test_address_rules(world, subject, rules, status):
    """None: may be refused when it is written; if it is stored, a rule that can't be understood lets nobody in."""
    answer = grant(world, subject, [{"resourceType": "*"}], ipAccessRule=[{"value": value, "action": action} for value, action in rules])
    if status is None and answer.status != 200:
        checks.outcome(answer, answer.status if answer.status == 400 else 422)
        return
    assert answer.status == 200, answer
    asks = [subject.get(world.own), subject.get("Patient?_count=1"), subject.call("POST", "Binary", RAW, b"x"), subject.call("GET", "/auth/me"),
            subject.call("POST", "/fhir/R4", FHIR, bundle_of("batch", entry("GET", world.own))),
            subject.get(world.own, {"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "X-Real-IP": "10.0.0.1"})]
    if rules[0][0] in ("::/0", "::ffff:127.0.0.1"):
        assert len({one.status < 300 for one in asks}) == 1, [one.status for one in asks]
        return
    expected = status or 403
    for one in asks:
        if expected == 200:
            assert one.status < 300, one
        else:
            assert one.status == 403, one
            checks.outcome(one, 403)
    nothing(world, subject)


def test_administrators_keep_to_addresses(world):
    client = Client(world.server, world.admin.project_id, world.server.cli.client_create(world.admin.project_id, "blocked admin"))
    assert client.get(world.own).status == 200
    policy = write_policy(world.admin, [{"resourceType": "*"}], ipAccessRule=[{"value": "127.0.0.0/8", "action": "block"}])
    set_membership(world.admin, membership_id(world.server, client), access=access(policy))
    checks.outcome(client.get(world.own), 403)
    checks.outcome(client.get("AccessPolicy"), 403)


# ---- who administers ----

def test_members_do_not_promote_themselves(world):
    greedy = member(world.server, world.admin, [{"resourceType": "*"}], "greedy")
    identity = membership_id(world.server, greedy)
    known = world.admin.json(f"ProjectMembership/{identity}").json()
    better = json.dumps({**known, "admin": True}).encode()
    patch = [{"op": "add", "path": "/admin", "value": True}]
    carrier = {"resourceType": "Binary", "contentType": PATCH["Content-Type"], "data": base64.b64encode(json.dumps(patch).encode()).decode()}
    answers = [greedy.call("PUT", f"ProjectMembership/{identity}", FHIR, better), greedy.call("PUT", f"ProjectMembership?_id={identity}", FHIR, better),
               greedy.call("PATCH", f"ProjectMembership/{identity}", PATCH, json.dumps(patch).encode()),
               greedy.call("PATCH", f"ProjectMembership?_id={identity}", PATCH, json.dumps(patch).encode()),
               greedy.call("POST", "ProjectMembership", FHIR, json.dumps({"resourceType": "ProjectMembership", "admin": True,
                           "user": {"reference": f"ClientApplication/{greedy.id}"}}).encode()),
               greedy.call("POST", "ProjectMembership", {**FHIR, "If-None-Exist": f"_id={identity}"}, better),
               greedy.call("POST", "AccessPolicy", FHIR, b'{"resourceType":"AccessPolicy","name":"x","resource":[{"resourceType":"*"}]}')]
    for answer in answers:
        assert answer.status in (403, 404, 405), answer
        checks.outcome(answer, answer.status)
    for kind in "batch", "transaction":
        for item in entry("PUT", f"ProjectMembership/{identity}", json.loads(better)), entry("PATCH", f"ProjectMembership/{identity}", carrier):
            answer = greedy.call("POST", "/fhir/R4", FHIR, bundle_of(kind, item))
            assert answer.status >= 400 or answer.json()["entry"][0]["response"]["status"][0] == "4", answer
    assert world.admin.json(f"ProjectMembership/{identity}").json()["meta"]["versionId"] == known["meta"]["versionId"]
    assert greedy.call("GET", "/auth/me").json()["membership"]["admin"] is False
    checks.outcome(greedy.get("AccessPolicy"), 403)


def test_administrators_of_other_projects_take_nobody_over(world):
    """A principal has one membership: a second one, in whichever project, is refused, and changes nothing."""
    client = member(world.server, world.admin, [{"resourceType": "Patient"}], "wanted")
    outside_member(world.admin, "wanted-user", [{"resourceType": "Patient"}])
    identity = membership_id(world.server, client)
    for user in ({"reference": f"ClientApplication/{client.id}"}, {"identifier": {"system": ISSUER, "value": "wanted-user"}}, {"identifier": {"value": ""}},
                 {"reference": f"ClientApplication/{uuid.uuid4()}"}, {"reference": "Patient/1"}, {}, None, {"identifier": {"system": "", "value": "x"}},
                 {"reference": world.own, "identifier": {"value": "both"}}):
        body = {"resourceType": "ProjectMembership", "admin": True, **({"user": user} if user is not None else {})}
        for who in "elsewhere", "admin":
            answer = world.call(who, "POST", "ProjectMembership", FHIR, json.dumps(body).encode())
            assert answer.status in (400, 404, 409, 412, 422), (who, user, answer)
            checks.outcome(answer, answer.status)
    answer = world.call("elsewhere", "PUT", f"ProjectMembership/{identity}", FHIR, json.dumps(
        {"resourceType": "ProjectMembership", "id": identity, "user": {"reference": f"ClientApplication/{client.id}"}, "admin": True}).encode())
    assert answer.status in (404, 405), answer
    me = client.call("GET", "/auth/me").json()
    assert me["project"]["id"] == world.admin.project_id and me["membership"]["admin"] is False, me
    assert client.get(world.own).status == 200
    checks.outcome(client.get(world.contexts["foreign"]), 404)


def test_the_user_of_a_membership_never_changes(world):
    client, other = (member(world.server, world.admin, [{"resourceType": "Basic"}], name) for name in ("stays", "other"))
    identity = membership_id(world.server, client)
    known = world.admin.json(f"ProjectMembership/{identity}").json()
    changed = {**known, "user": {"reference": f"ClientApplication/{other.id}"}, "admin": True}
    answer = world.admin.call("PUT", f"ProjectMembership/{identity}", FHIR, json.dumps(changed).encode())
    assert answer.status in (400, 409, 422), answer
    checks.outcome(answer, answer.status)
    assert other.call("GET", "/auth/me").json()["membership"]["admin"] is False


# ---- at once, everywhere ----

@pytest.fixture(scope="module")
def second_node(world, postgres):
    """Another httpd on the same database and store."""
    directives = {"FhirBinaryStore": f"main filesystem path={world.server.stores}/main",
                  "FhirBinaryTrustedIssuer": world.server.directives["FhirBinaryTrustedIssuer"]}
    with httpd.Server(postgres, database=world.server.conninfo, directives=directives, processes=2) as other:
        other.keeps_objects = False
        yield other


def test_changes_count_at_once_on_all_nodes(world, second_node):
    client = member(world.server, world.admin, [{"resourceType": "Patient"}], "watched")
    elsewhere = Client(second_node, client.project_id, (client.id, client.secret))
    policy = world.admin.json(f"ProjectMembership/{membership_id(world.server, client)}").json()["access"][0]["policy"]["reference"]
    identity, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.own})

    def both(status, times=4):
        for _ in range(times):  # several children
            for node in client, elsewhere:
                for place in world.own, f"Binary/{identity}":
                    answer = node.get(place)
                    assert answer.status == status, (node.server.base, place, answer)

    def write(entries):
        answer = world.admin.call("PUT", policy, FHIR, json.dumps(
            {"resourceType": "AccessPolicy", "id": policy.split("/")[1], "name": "x", "resource": entries}).encode())
        assert answer.status == 200, answer

    both(200)
    write([{"resourceType": "Observation"}])
    both_statuses = {node.get(world.own).status for node in (client, elsewhere) for _ in range(4)}
    assert both_statuses == {403}, both_statuses
    write([{"resourceType": "Patient", "criteria": f"Patient?_id={world.own.split('/')[1]}"}])
    both(200)
    write([{"resourceType": "Patient", "criteria": "Patient?_id=none"}])
    both(404)
    write([{"resourceType": "*"}])
    both(200)
    membership = membership_id(world.server, client)
    set_membership(world.admin, membership, active=False)
    both(403)
    set_membership(world.admin, membership, active=True)
    both(200)
    world.remove(policy)
    both(403)
    set_membership(world.admin, membership, admin=True)
    both(200)
    set_membership(world.admin, membership, admin=False)
    both(403)


def test_a_context_that_changes_counts_at_once(world, second_node):
    """Binary -> Media -> Patient: when the Media moves to another patient, its file moves with it."""
    report = world.make(media(world.own))
    place = f"Media/{report['id']}"
    identity, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": place})
    reader = Client(second_node, world.admin.project_id, (world.clients["patient"].id, world.clients["patient"].secret))
    for subject, status in (world.other, 404), (world.own, 200), (None, 404), (world.own, 200):
        body = media(subject, id=report["id"])
        assert world.admin.call("PUT", place, FHIR, json.dumps(body).encode()).status == 200
        for _ in range(3):
            assert reader.get(f"Binary/{identity}").status == status
            assert world.call("patient", "GET", f"Binary/{identity}").status == status
    world.remove(place)
    assert reader.get(f"Binary/{identity}").status == 404 and world.call("admin", "GET", f"Binary/{identity}").status == 200


def test_revoked_within_a_second(world, second_node):
    """Tokens that were verified a moment ago, on a node that did not hear of the change itself."""
    client = member(world.server, world.admin, [{"resourceType": "*"}], "revoked")
    elsewhere = Client(second_node, client.project_id, (client.id, client.secret))
    for node in client, elsewhere:
        assert node.get(world.own).status == 200 and node.server.request("GET", f"/fhir/R4/{world.own}", node.basic).status == 200
    world.server.cli.run("client", "disable", client.id)
    begun = time.monotonic()
    while any(node.get(world.own).status == 200 or node.server.request("GET", f"/fhir/R4/{world.own}", node.basic).status == 200
              for node in (client, elsewhere)):
        assert time.monotonic() - begun < 1
    for node in client, elsewhere:
        checks.outcome(node.server.request("GET", f"/fhir/R4/{world.own}", node.basic), 401)


# ---- the same patients, a thousand ways ----

def test_binaries_by_id(world, subject):
    """Entries for Binary: _id and _lastUpdated can be asked of one without a context, anything else permits nothing."""
    files = [world.admin.upload(str(number).encode(), "text/plain")[0] for number in range(2)]
    under, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.own})
    for criteria, expected in ((f"Binary?_id={files[0]}", [200, 404, 404]), (f"Binary?_id={files[0]},{files[1]}", [200, 200, 404]),
                               ("Binary?_lastUpdated=ge2000", [200, 200, 404]), ("Binary?_lastUpdated=lt2000", [404, 404, 404]),
                               (f"Binary?_compartment={world.own}", [404, 404, 404]), ("Binary?_tag=x", [404, 404, 404])):
        answer = grant(world, subject, [{"resourceType": "Binary", "criteria": criteria}])
        assert answer.status in (200, 422), answer
        statuses = [subject.get(f"Binary/{file}").status for file in (*files, under)]
        if answer.status == 200:
            assert statuses == expected or set(expected) == {404} and set(statuses) <= {403, 404}, (criteria, statuses)
    nothing(world, subject)


def test_a_binary_entry_does_not_reach_under_contexts(world, subject):
    grant(world, subject, [{"resourceType": "Binary"}])
    under, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.own})
    bare, _ = world.admin.upload(b"x", "text/plain")
    assert subject.get(f"Binary/{bare}").status == 200
    checks.outcome(subject.get(f"Binary/{under}"), 404)
    checks.outcome(subject.call("PUT", f"Binary/{bare}", {**RAW, "X-Security-Context": world.own}, b"x"), 403)
    checks.outcome(subject.call("POST", "Binary", FHIR, json.dumps(binary_body(b"x", world.own)).encode()), 403)
    nothing(world, subject)


def test_one_entry_for_a_compartment(world):
    """"*?_compartment=%patient" reaches what entries type by type reach, and nothing that has no compartment."""
    portal = member(world.server, world.admin, [{"resourceType": "*", "criteria": "*?_compartment=%patient"}], "portal", patient=world.own)
    world.headers["portal"] = portal.bearer
    for row in world.contexts:
        target = world.binary(row)
        for method, place, body in (("GET", target.place, None), ("HEAD", target.place, None), ("GET", target.place + "/_history", None),
                                    ("GET", target.place + "/$presigned-url?upload=true", None), ("GET", f"{target.place}/_history/{target.version}", None)):
            answers = [world.call(who, method, place, None, body) for who in ("portal", "patient")]
            assert answers[0].status == answers[1].status, (row, answers)
        if world.contexts[row] and row not in ("outside", "binary"):
            answers = [world.call(who, "POST", "Binary", {**RAW, "X-Security-Context": world.contexts[row]}, b"x") for who in ("portal", "patient")]
            assert answers[0].status == answers[1].status, (row, answers)
    for place in "Organization", "Basic":
        assert portal.get(place).json().get("entry") is None
    for kind in "AccessPolicy", "ProjectMembership", "AuditEvent":
        checks.outcome(portal.get(kind), 403)
    checks.outcome(portal.call("POST", "Organization", FHIR, b'{"resourceType":"Organization","name":"x"}'), 403)


@pytest.mark.parametrize("scope, claim, reaches", [
    ("patient/*.rs", "own", {"own"}), ("patient/*.rs", "other", set()), ("patient/*.rs", None, set()), ("user/*.rs", "other", {"own"}),
    ("patient/*.rs user/Patient.r", "other", {"own"}), ("user/Patient.rs?_id=none", "own", set()), ("system/*.cruds", None, {"own"})])
def test_scopes_narrow_policies(world, scope, claim, reaches):
    """What both permit, never more: the policy is about own, whatever the token's patient is."""
    subject = f"narrowed-{uuid.uuid4()}"
    outside_member(world.admin, subject, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient"}], patient=world.own)
    world.headers["narrowed"] = world.issuer.headers(subject, scope, {"own": world.own, "other": world.other}.get(claim, "").split("/")[-1] or None)
    for name in "own", "other":
        answer = world.call("narrowed", "GET", world.contexts[name])
        assert (answer.status == 200) == (name in reaches), (name, answer)
        if name not in reaches:
            checks.outcome(answer, answer.status if answer.status == 403 else 404)
    found = world.call("narrowed", "GET", "Patient?_count=1000")
    seen_by_search = {"Patient/" + one["resource"]["id"] for one in found.json().get("entry", [])} if found.status == 200 else set()
    named = {world.contexts[name] for name in ("own", "other", "tag", "foreign")}  # other tests make patients that are linked to own
    assert seen_by_search & named <= {world.contexts[name] for name in reaches} and (reaches or not seen_by_search)


@pytest.mark.parametrize("scope, status", [("user/Patient.cruds", 403), ("user/AccessPolicy.s", 200), ("user/*.cruds", 200), ("patient/*.cruds", 403),
                                           ("user/AccessPolicy.s?_id=x", 403), ("openid", 200)])
def test_scopes_narrow_administrators(world, scope, status):
    outside_member(world.admin, f"admin-{scope}", is_admin=True)
    world.headers["narrow-admin"] = world.issuer.headers(f"admin-{scope}", scope, world.own.split("/")[1])
    answer = world.call("narrow-admin", "GET", "AccessPolicy")
    assert answer.status == status, answer
    if scope == "patient/*.cruds":
        for row, expected in ("own", 200), ("own-media", 200), ("other", 404), ("none", 404), ("missing", 404), ("deleted", 404), ("foreign", 404):
            answer = world.call("narrow-admin", "GET", world.binary(row).place)
            assert answer.status == expected, (row, answer)


@pytest.mark.parametrize("query", ["Binary", "Binary?_id={id}", "Binary?security-context={other}", "Binary?_lastUpdated=ge2000", "Binary?security-context:missing=false",
                                   "Binary?_summary=count", "Binary?contenttype=text/plain", "Binary?security-context:missing=true&_id={id}"])
def test_binaries_are_not_searched(world, query):
    """But by administrators, for those without a context."""
    target = world.binary("other")
    asked = query.format(id=target.id, other=world.other)
    for who in "patient", "full", "readonly", "nobody":
        answer = world.call(who, "GET", asked)
        assert answer.status in (400, 403, 404, 405), answer
        checks.outcome(answer, answer.status)
        assert target.version not in answer.text


def test_the_default_policy_of_a_project(postgres):
    """Members without a policy of their own have it; one of their own replaces it; to take it away counts at once."""
    with httpd.Server(postgres, processes=1) as server:
        admin = server.project("defaults")
        place = "Patient/" + admin.call("POST", "Patient", FHIR, json.dumps(patient()).encode()).json()["id"]
        plain, own = member(server, admin, None, "plain"), member(server, admin, [{"resourceType": "Observation"}], "own")
        assert [client.get(place).status for client in (plain, own)] == [403, 403]
        policy = write_policy(admin, [{"resourceType": "Patient", "readonly": True}])
        server.cli.run("project", "default-policy", admin.project_id, policy)
        assert [client.get(place).status for client in (plain, own)] == [200, 403]
        checks.outcome(plain.call("DELETE", place), 403)
        assert admin.call("DELETE", policy).status == 204
        assert plain.get(place).status == 403


def test_upload_urls_and_contexts_that_change(world):
    """An upload URL is for what its holder could change when it was issued; when that has moved to another's context, the holder does not
    get to see it."""
    identity, _ = world.admin.upload(b"own", "text/plain", {"X-Security-Context": world.own})
    url = world.clients["patient"].signed(identity, True)
    assert world.call("admin", "PUT", f"Binary/{identity}", {**RAW, "X-Security-Context": world.other}, b"secret").status == 200
    answer = world.server.request("PUT", url, RAW, b"overwritten")
    assert b"secret" not in answer.body
    assert world.call("admin", "GET", f"Binary/{identity}").headers["X-Security-Context"] == world.other
    checks.outcome(world.call("patient", "GET", f"Binary/{identity}"), 404)
    print(answer)
