"""Search: every kind of parameter and modifier on a small set of resources whose answers are known."""
import urllib.parse

import pytest
from harness import checks
from harness.resources import create, entries, find, ids, link, put, relative, searchset, shown

TAG = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
LOINC = "http://loinc.org"
PATIENTS = {
    "homer": {"name": [{"family": "Simpson", "given": ["Homer", "Jay"], "prefix": ["Mr."]}], "gender": "male", "active": True,
              "birthDate": "1956-05-12", "identifier": [{"system": "http://mrn", "value": "H-1"}, {"value": "plain"}],
              "telecom": [{"system": "phone", "value": "555-HOMER"}, {"system": "email", "value": "Homer@Simpson.example"}],
              "address": [{"city": "Springfield", "line": ["742 Evergreen Terrace"], "country": "US", "use": "home"}],
              "deceasedBoolean": False,
              "meta": {"tag": [{"system": "http://t", "code": "yellow"}], "profile": ["http://p/base/one|2"], "source": "http://src"}},
    "marge": {"name": [{"family": "Simpson", "given": ["Marge"]}, {"family": "Bouvier", "use": "maiden"}], "gender": "female",
              "birthDate": "1956-10", "identifier": [{"system": "http://mrn", "value": "H-2"}],
              "meta": {"security": [{"system": "http://s", "code": "R"}], "tag": [{"code": "yellow"}]},
              "managingOrganization": {"reference": "Organization/org1"}},
    "muller": {"name": [{"family": "M\u00fcller-L\u00fcdenscheidt", "given": ["J\u00fcrgen  Ren\u00e9"]}], "gender": "male", "active": False,
               "birthDate": "1956", "identifier": [{"system": "http://a|b,c\\d$", "value": "x|y,z\\w$"}],
               "generalPractitioner": [{"reference": "Practitioner/d1"}, {"identifier": {"system": "http://doc", "value": "77"}}],
               "deceasedDateTime": "2001-02-03T04:05:06.7+02:00"},
    "nobody": {"deceasedBoolean": True, "telecom": [{"system": "phone", "value": "1"}]},
}


@pytest.fixture(scope="module")
def clinic(server):
    """Four patients, and what belongs to them; names are ours, ids the server's."""
    who = server.project("clinic")
    other = server.project("the clinic next door")
    for resource in PATIENTS.values():
        create(other, {"resourceType": "Patient", **resource})
    who.names = {}
    for name, resource in PATIENTS.items():
        who.names[name] = create(who, {"resourceType": "Patient", **resource})["id"]
    gone = create(who, {"resourceType": "Patient", **PATIENTS["homer"]})
    assert who.call("DELETE", f"Patient/{gone['id']}").status == 204
    return who


def expect(who, query, names, kind="Patient"):
    bundle = find(who, f"{kind}?{query}", {"Prefer": "handling=strict"})
    known = {identity: name for name, identity in who.names.items()}
    found = {known.get(identity, identity) for identity in ids(bundle)}
    assert found == set(names.split()), f"{query} finds {sorted(found)}, not {names}"
    assert len(ids(bundle)) == len(found)
    count = find(who, f"{kind}?{query}&_summary=count")
    assert count["total"] == len(found) and "entry" not in count
    return bundle


def quote(text):
    return urllib.parse.quote(text, safe="")


@pytest.mark.parametrize("query, names", [
    # token
    ("gender=male", "homer muller"), ("gender=male,female", "homer marge muller"), ("gender=MALE", ""),
    ("gender=http://hl7.org/fhir/administrative-gender|male", "homer muller"), ("gender=|male", "homer muller"),
    ("gender:not=male", "marge nobody"), ("gender:missing=true", "nobody"), ("gender:missing=false", "homer marge muller"),
    ("gender=male&gender=female", ""), ("gender:not=male,female", "nobody"),
    ("active=true", "homer"), ("active=false", "muller"), ("active:not=true", "marge muller nobody"),
    ("identifier=http://mrn|H-1", "homer"), ("identifier=H-1", "homer"), ("identifier=h-1", ""), ("identifier=H-", ""),
    ("identifier=http://mrn|", "homer marge"), ("identifier=|plain", "homer"), ("identifier=|H-1", ""),
    ("identifier=http://mrn|H-1,http://mrn|H-2", "homer marge"), ("identifier=plain&identifier=H-1", "homer"),
    ("identifier=" + quote("http://a\\|b\\,c\\\\d\\$|x\\|y\\,z\\\\w\\$"), "muller"),
    ("identifier:not=http://mrn|H-1", "marge muller nobody"), ("identifier:missing=true", "nobody"),
    ("deceased=true", "muller nobody"), ("deceased=false", "homer marge"),
    ("phone=555-HOMER", "homer"), ("phone=555-homer", "homer"), ("email=homer@simpson.EXAMPLE", "homer"),
    ("telecom=1", "nobody"), ("telecom=phone|1", "nobody"), ("telecom=email|1", ""), ("email=1", ""), ("address-use=home", "homer"),
    # string
    ("family=Simpson", "homer marge"), ("family=simp", "homer marge"), ("family=impson", ""), ("family:contains=IMPS", "homer marge"),
    ("family:exact=Simpson", "homer marge"), ("family:exact=simpson", ""), ("family:exact=Simps", ""), ("family=bouvier", "marge"),
    ("family=muller", "muller"), ("family=M%C3%9CLLER", "muller"), ("family:contains=ludensch", "muller"),
    ("family:exact=M%C3%BCller-L%C3%BCdenscheidt", "muller"), ("family:exact=Muller-Ludenscheidt", ""),
    ("given=jurgen%20rene", "muller"), ("given=J%C3%BCrgen%20%20%20Ren%C3%A9", "muller"), ("given=rene", ""),
    ("given=homer&given=jay", "homer"), ("given=homer,marge", "homer marge"), ("name=mr", "homer"), ("name=jay", "homer"),
    ("name:missing=true", "nobody"), ("name=simpson&gender=female", "marge"), ("address=742", "homer"), ("address=springf", "homer"),
    ("address-city:exact=Springfield", "homer"), ("address-country=us", "homer"), ("family=%25", None), ("family=s_mpson", ""),
    ("family=sim*", None),
    # date
    ("birthdate=1956-05-12", "homer"), ("birthdate=1956-05", "homer"), ("birthdate=1956", "homer marge muller"),
    ("birthdate=1956-10", "marge"), ("birthdate=1956-10-10", ""), ("birthdate=ne1956-05-12", "marge muller"),
    ("birthdate=gt1956-05-12", "marge muller"), ("birthdate=lt1956-05-12", "muller"), ("birthdate=ge1956-05-12", "homer marge muller"),
    ("birthdate=le1956-05-12", "homer muller"), ("birthdate=sa1956-05-12", "marge"), ("birthdate=eb1956-10", "homer"),
    ("birthdate=gt1957", ""), ("birthdate=lt1956", ""), ("birthdate=ge1956-01-01&birthdate=le1956-06-30", "homer muller"),
    ("birthdate=gt1956-05-01&birthdate=lt1956-06-01", "homer muller"), ("birthdate=1956-05-12,1956-10", "homer marge"),
    ("birthdate:missing=true", "nobody"), ("death-date=2001-02-03", "muller"), ("death-date=2001-02-03T02:05:06.7Z", "muller"),
    ("death-date=2001-02-03T04:05:06%2B02:00", "muller"), ("death-date=2001-02-03T04:05:06Z", ""), ("death-date=ap2001-02-03", "muller"),
    # reference
    ("organization=Organization/org1", "marge"), ("organization=org1", "marge"), ("organization:Organization=org1", "marge"),
    ("organization=org2", ""), ("organization=ORG1", ""), ("general-practitioner=Practitioner/d1", "muller"),
    ("general-practitioner=d1", "muller"), ("general-practitioner=Organization/d1", ""),
    ("general-practitioner:Practitioner=d1", "muller"), ("general-practitioner:Organization=d1", ""),
    ("general-practitioner:identifier=http://doc|77", "muller"), ("general-practitioner:identifier=77", "muller"),
    ("general-practitioner:identifier=|77", ""), ("general-practitioner:missing=false", "muller"),
    # of every type
    ("_tag=http://t|yellow", "homer"), ("_tag=yellow", "homer marge"), ("_tag=|yellow", "marge"), ("_tag:not=yellow", "muller nobody"),
    ("_security=http://s|R", "marge"), ("_security:missing=true", "homer muller nobody"), ("_source=http://src", "homer"),
    ("_profile=http://p/base/one|2", "homer"), ("_profile=http://p/base", ""), ("_profile:below=http://p/base", "homer"),
    ("_profile:below=http://p/bas", ""), ("_lastUpdated=gt2020-01-01", "homer marge muller nobody"), ("_lastUpdated=lt2020", ""),
    ("_id=never", ""), ("_id:not=never", "homer marge muller nobody"), ("", "homer marge muller nobody")])
def test_parameters(clinic, query, names):
    if names is None:  # signs alone say nothing; what remains counts
        answer = clinic.get("Patient?" + query)
        assert answer.status in (200, 400), answer
        return
    expect(clinic, query, names)


def test_by_id(clinic):
    expect(clinic, "_id=" + clinic.names["homer"], "homer")
    expect(clinic, f"_id={clinic.names['homer']},{clinic.names['marge']},x", "homer marge")
    expect(clinic, f"_id={clinic.names['homer']}&gender=female", "")


@pytest.mark.parametrize("query", [
    "birthdate=x", "birthdate=1956-13", "birthdate=12.5.1956", "birthdate=gt", "birthdate=1956-02-30", "_lastUpdated=yesterday",
    "_count=x", "_count=-1", "_offset=x", "_offset=10001", "_total=some", "_summary=maybe", "gender:contains=x", "family:below=x",
    "family:nonsense=x", "gender:missing=x", "birthdate:exact=1956", "_cursor=nonsense", "_id:text=x",
    "_count=1&_count=2", "identifier=|", "general-practitioner:Practitioner=Organization/1", "_sort=_lastUpdated&_sort=x"])
def test_what_can_not_be_read(clinic, query):
    """Never taken for a search for everything, lenient or not."""
    answer = clinic.get("Patient?" + query)
    checks.outcome(answer, 400)


@pytest.mark.parametrize("query", ["nonsense=1", "gender=male&nonsense=1&other:x=2", "_include=Patient:nonsense", "_sort=nonsense",
                                   "_filter=x", "_has:Observation:patient:code=1", "organization.name=x", "_include=nonsense",
                                   "gender=", "_text=x", "subject=x"])
def test_what_is_not_known_is_ignored_and_listed(clinic, query):
    bundle = find(clinic, "Patient?" + query)
    [outcome] = entries(bundle, "outcome")
    [issue] = outcome["issue"]
    assert issue["severity"] == "warning" and issue["code"] == "not-supported"
    unknown = [part for part in query.split("&") if part != "gender=male"]
    assert all(part.split("=")[0] in issue["diagnostics"] for part in unknown), issue
    assert all(part not in link(bundle, "self") for part in unknown)
    assert len(ids(bundle)) == (2 if "gender=male" in query else 4)
    checks.outcome(clinic.get("Patient?" + query, {"Prefer": "handling=strict"}), 400)


@pytest.mark.parametrize("value", ["'", "''; DROP TABLE x; --", '"', "\\", "\\\\", "%25%25", "a%00b", "%FF%FE", "x" * 10000, "(", "[", "*",
                                   "$1", "%0A", "\\,", "|||", "%F0%9F%98%80", "%EF%BF%BF", "e%CC%81" * 500, "null", "{}", "\\|"])
def test_hostile_values(clinic, value):
    for name in ("family", "family:contains", "family:exact", "identifier", "gender:not", "gender:text", "organization",
                 "organization:identifier", "_profile:below", "_id", "_tag", "birthdate", "_sort", "_include", "_elements", "_cursor"):
        answer = clinic.get(f"Patient?{name}={value}")
        assert answer.status in (200, 400, 414), answer
        if answer.status == 200 and name in ("family", "family:contains", "family:exact", "identifier", "organization", "_id"):
            found = ids(searchset(answer))
            assert not found or value in ("*",) or "outcome" in answer.text or name == "identifier", answer
        if answer.status != 200:
            checks.outcome(answer, answer.status)


def test_two_hundred_parameters(clinic):
    answer = clinic.get("Patient?" + "&".join(f"name={number}x" for number in range(200)))
    assert answer.status in (200, 400), answer
    answer = clinic.get("Patient?" + "&".join("gender=male" for _ in range(200)))
    assert answer.status in (200, 400), answer
    assert answer.status == 400 or len(ids(answer.json())) == 2
    answer = clinic.get("Patient?" + "&".join(f"nonsense{number}=x" for number in range(200)))
    assert answer.status in (200, 400), answer
    answer = search_by_post(clinic, "Patient", ("family=" + ",".join(f"x{number}" for number in range(2000))).encode())
    checks.outcome(answer, 400)


# ---- POST ----

def search_by_post(who, kind, body, query="", headers=None):
    return who.call("POST", f"{kind}/_search{query}", {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}, body)


def test_post(clinic):
    same = searchset(search_by_post(clinic, "Patient", b"family=simpson&gender=female"))
    assert ids(same) == [clinic.names["marge"]]
    assert ids(searchset(search_by_post(clinic, "Patient", b"gender=female", "?family=simpson"))) == [clinic.names["marge"]]
    assert ids(searchset(search_by_post(clinic, "Patient", b"family=M%C3%BCller+L"))) == [clinic.names["muller"]]
    assert ids(searchset(search_by_post(clinic, "Patient", b"given=J%C3%BCrgen+Ren"))) == [clinic.names["muller"]]
    assert len(ids(searchset(search_by_post(clinic, "Patient", b"")))) == 4
    paged = searchset(search_by_post(clinic, "Patient", b"_count=1&gender=male"))
    following = find(clinic, relative(clinic, link(paged, "next")))
    assert {*ids(paged), *ids(following)} == {clinic.names["homer"], clinic.names["muller"]}
    assert ids(searchset(clinic.get("Patient/_search?gender=female"))) == [clinic.names["marge"]]


@pytest.mark.parametrize("body, headers, status", [
    (b"{}", {"Content-Type": "application/fhir+json"}, 415), (b"family=x\0y", {}, 400), (b"family=%00", {}, 400),
    (b"family=x", {"Prefer": "handling=strict"}, 200), (b"nonsense=x", {"Prefer": "handling=strict"}, 400),
    (b"birthdate=x", {}, 400), (b"family=%zz", {}, (200, 400))])
def test_bad_posts(clinic, body, headers, status):
    answer = search_by_post(clinic, "Patient", body, headers=headers)
    assert answer.status == status or answer.status in (status if isinstance(status, tuple) else ()), answer


# ---- what comes back ----

def test_self_link(clinic):
    bundle = find(clinic, "Patient?gender=male&family=simpson&_count=5&_elements=name&_sort=_lastUpdated&_total=accurate")
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(link(bundle, "self")).query)
    assert sorted(pairs) == sorted([("family", "simpson"), ("gender", "male"), ("_count", "5"), ("_elements", "name"),
                                    ("_sort", "_lastUpdated"), ("_total", "accurate")])
    assert find(clinic, relative(clinic, link(bundle, "self"))) ["entry"] == bundle["entry"]
    [entry] = bundle["entry"]
    assert entry["fullUrl"] == f"{clinic.server.fhir_base}Patient/{entry['resource']['id']}"


def test_order(clinic):
    newest = ids(find(clinic, "Patient"))
    assert newest == [clinic.names[name] for name in ("nobody", "muller", "marge", "homer")]
    assert ids(find(clinic, "Patient?_sort=-_lastUpdated")) == newest
    assert ids(find(clinic, "Patient?_sort=_lastUpdated")) == newest[::-1]


def test_total(clinic):
    assert find(clinic, "Patient")["total"] == 4, "all are on this page: no counting needed"
    assert "total" not in find(clinic, "Patient?_count=1") and "total" not in find(clinic, "Patient?_count=1&_total=none")
    bundle = find(clinic, "Patient?_total=accurate&_count=1")
    assert bundle["total"] == 4 and len(ids(bundle)) == 1
    assert find(clinic, "Patient?_total=estimate&gender=male")["total"] == 2
    assert find(clinic, "Patient?_count=0")["total"] == 4 and "entry" not in find(clinic, "Patient?_count=0")


def test_offset(clinic):
    everything = ids(find(clinic, "Patient"))
    assert ids(find(clinic, "Patient?_offset=1&_count=2")) == everything[1:3]
    assert ids(find(clinic, "Patient?_offset=4")) == [] and ids(find(clinic, "Patient?_offset=3")) == everything[3:]
    bundle = find(clinic, "Patient?_offset=1&_count=1")
    assert ids(find(clinic, relative(clinic, link(bundle, "next")))) == everything[2:3]


def test_elements(clinic):
    [found] = entries(find(clinic, f"Patient?_id={clinic.names['homer']}&_elements=name,gender"))
    assert set(found) == {"resourceType", "id", "meta", "name", "gender"}
    assert {"system": TAG, "code": "SUBSETTED"}.items() <= found["meta"]["tag"][-1].items()
    assert found["meta"]["tag"][0]["code"] == "yellow"
    assert set(entries(find(clinic, f"Patient?_id={clinic.names['homer']}&_fields=name"))[0]) == {"resourceType", "id", "meta", "name"}
    refused = checks.outcome(put(clinic, found), 400)
    assert refused["expression"][0].startswith("Patient.meta.tag")
    assert clinic.json(f"Patient/{clinic.names['homer']}").json()["birthDate"] == "1956-05-12"
    answer = clinic.get(f"Patient/{clinic.names['homer']}?_elements=birthDate")
    assert set(answer.json()) == {"resourceType", "id", "meta", "birthDate"}


def test_summary(clinic):
    one = f"Patient?_id={clinic.names['homer']}"
    [whole] = entries(find(clinic, one + "&_summary=false"))
    assert whole["address"] and "SUBSETTED" not in str(whole)
    document = create(clinic, {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": "Patient/1"},
                               "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
                               "extension": [{"url": "http://x", "valueInteger": 1}]})
    [text] = entries(find(clinic, f"Basic?_id={document['id']}&_summary=text"))
    assert "text" in text and "extension" not in text and "subject" not in text and text["code"] and "SUBSETTED" in str(text["meta"])
    [data] = entries(find(clinic, f"Basic?_id={document['id']}&_summary=data"))
    assert "text" not in data and data["subject"] and data["extension"]
    [summary] = entries(find(clinic, f"Basic?_id={document['id']}&_summary=true"))
    assert summary["subject"] and "text" not in summary


# ---- paging ----

def walk(who, target, between=None):
    """Ids of all pages."""
    seen = []
    for _ in range(30):
        bundle = find(who, target)
        seen += ids(bundle)
        if between:
            between(bundle)
        if not link(bundle, "next"):
            return seen
        target = relative(who, link(bundle, "next"))
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("sort", ["", "&_sort=_lastUpdated"])
def test_pages_find_each_once_while_others_are_written(server, sort):
    who = server.project("paging" + sort)
    made = [create(who, {"resourceType": "Flag", "status": "active", "code": {"text": str(number)}})["id"] for number in range(30)]

    def write(bundle):
        assert len(ids(bundle)) <= 7
        create(who, {"resourceType": "Flag", "status": "active", "code": {"text": "new"}})

    seen = walk(who, f"Flag?status=active&_count=7{sort}", write)
    assert [identity for identity in seen if identity in made] == (made if sort else made[::-1])
    assert len(seen) == len(set(seen)) and (len(seen) > 30) == bool(sort)


def test_pages_when_many_have_one_moment(server):
    """Something else decides where dates are equal."""
    who = server.project("one moment")
    made = [create(who, {"resourceType": "Flag", "status": "active"})["id"] for _ in range(23)]
    server.sql("ALTER TABLE fhir_binary.resource_version DISABLE TRIGGER USER;"
               "UPDATE fhir_binary.resource_version v SET last_updated = '2024-01-01T00:00:00Z' FROM fhir_binary.resource r "
               f"WHERE r.key = v.key AND project_id = '{who.project_id}';"
               f"UPDATE fhir_binary.resource SET last_updated = '2024-01-01T00:00:00Z' WHERE project_id = '{who.project_id}';"
               "ALTER TABLE fhir_binary.resource_version ENABLE TRIGGER USER")
    up, down = walk(who, "Flag?_count=5"), walk(who, "Flag?_count=5&_sort=_lastUpdated")
    assert sorted(up) == sorted(made) and up == down[::-1]


def test_pages_when_matches_vanish(server):
    who = server.project("vanishing")
    made = [create(who, {"resourceType": "Flag", "status": "active"})["id"] for _ in range(12)][::-1]
    first = find(who, "Flag?_count=5")
    for identity in (made[1], made[4], made[6]):
        assert who.call("DELETE", f"Flag/{identity}").status == 204
    second = find(who, relative(who, link(first, "next")))
    assert ids(second) == [made[5], made[7], made[8], made[9], made[10]]
    assert ids(find(who, relative(who, link(second, "next")))) == [made[11]]


def test_an_update_changes_what_is_found(clinic):
    made = create(clinic, {"resourceType": "Person", "gender": "male", "name": [{"family": "Before"}]})
    clinic.names["person"] = made["id"]
    expect(clinic, "name=before", "person", "Person")
    shown(put(clinic, {**made, "name": [{"family": "After"}]}))
    expect(clinic, "name=before", "", "Person")
    expect(clinic, "name=after", "person", "Person")
    assert clinic.call("DELETE", f"Person/{made['id']}").status == 204
    expect(clinic, "name=after", "", "Person")
    shown(put(clinic, made), 201)
    expect(clinic, "name=before", "person", "Person")


def test_codings(clinic):
    made = create(clinic, {"resourceType": "Observation", "status": "final", "effectivePeriod": {"start": "2020-01-10", "end": "2020-01-20"},
                           "code": {"text": "Blood Pr\u00e9ssure", "coding": [{"system": LOINC, "code": "85354-9", "display": "BP panel"},
                                                                            {"code": "local"}]},
                           "component": [{"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueCodeableConcept": {
                               "coding": [{"system": "http://v", "code": "high"}]}}],
                           "subject": {"reference": f"{clinic.server.fhir_base}Patient/{clinic.names['homer']}"}, "valueString": "Some value"})
    clinic.names["bp"] = made["id"]
    for query in (f"code={LOINC}|85354-9", "code=85354-9", "code=local", "code=|local", f"code={LOINC}|", "code:text=blood pressure".replace(" ", "%20"),
                  "code:text=bp", "component-code=8480-6", "combo-code=8480-6", "combo-code=local", "combo-value-concept=high",
                  "value-string=some", "status=final", f"patient={clinic.names['homer']}", f"subject=Patient/{clinic.names['homer']}",
                  f"subject:Patient={clinic.names['homer']}", f"subject={clinic.server.fhir_base}Patient/{clinic.names['homer']}",
                  "date=2020-01", "date=2020", "date=ge2020-01-15", "date=le2020-01-15", "date=gt2020-01-19", "date=lt2020-01-11",
                  "date=sa2020-01-09", "date=eb2020-01-21", "date=ne2020-01-15"):
        expect(clinic, query, "bp", "Observation")
    for query in ("code=|85354-9", "code=8480-6", "code:text=panel", "date=2020-01-15", "date=gt2020-01-20", "date=lt2020-01-10", "date=sa2020-01-10",
                  "date=eb2020-01-20", f"patient={clinic.names['marge']}", f"subject=Group/{clinic.names['homer']}", "code:not=local"):
        expect(clinic, query, "", "Observation")


# ---- includes ----

@pytest.fixture(scope="module")
def ward(server):
    who = server.project("ward")
    who.file, _ = who.upload(b"report", "text/plain", {"X-Security-Context": "Patient/1"})
    who.other, _ = who.upload(b"image", "image/png")
    who.patient = create(who, {"resourceType": "Patient", "photo": [{"url": f"Binary/{who.other}"}]})["id"]
    who.encounter = create(who, {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
                                 "subject": {"reference": f"Patient/{who.patient}"}})["id"]
    subject = {"reference": f"Patient/{who.patient}"}
    who.report = create(who, {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "subject": subject,
                              "encounter": {"reference": f"Encounter/{who.encounter}"},
                              "presentedForm": [{"url": f"Binary/{who.file}"}, {"url": f"Binary/{who.other}"}]})["id"]
    who.document = create(who, {"resourceType": "DocumentReference", "status": "current", "subject": subject,
                                "content": [{"attachment": {"url": f"Binary/{who.file}"}}]})["id"]
    who.media = create(who, {"resourceType": "Media", "status": "completed", "subject": subject,
                             "content": {"url": f"Binary/{who.other}"}})["id"]
    return who


@pytest.mark.parametrize("query, names", [
    ("DiagnosticReport?_include=DiagnosticReport:presented-form", "file other"),
    ("DocumentReference?_include=DocumentReference:content", "file"), ("Media?_include=Media:content", "other"),
    ("DiagnosticReport?_include=DiagnosticReport:subject", "patient"), ("DiagnosticReport?_include=DiagnosticReport:patient", "patient"),
    ("DiagnosticReport?_include=DiagnosticReport:subject:Patient", "patient"), ("DiagnosticReport?_include=DiagnosticReport:subject:Group", ""),
    ("DiagnosticReport?_include=DiagnosticReport:encounter&_include=DiagnosticReport:subject", "encounter patient"),
    ("DiagnosticReport?_include=*", "encounter patient"), ("Patient?_revinclude=DiagnosticReport:subject", "report"),
    ("Patient?_revinclude=DiagnosticReport:subject&_revinclude=Media:patient", "report media"),
    ("Patient?_include=Patient:photo", "other"), ("Media?_include=Media:subject&_include:iterate=Patient:photo", None),
    ("DiagnosticReport?_include=DiagnosticReport:encounter&_include:iterate=Encounter:subject", "encounter patient"),
    ("Encounter?_include=Encounter:subject&_revinclude=DiagnosticReport:encounter", "patient report")])
def test_includes(ward, query, names):
    bundle = find(ward, query)
    included = entries(bundle, "include")
    if names is not None:
        assert {one["id"] for one in included} == {getattr(ward, name) for name in names.split()}, bundle
    assert len(included) == len({one["id"] for one in included}) and len(ids(bundle)) == 1
    for one in included:
        if one["resourceType"] == "Binary":
            assert "data" not in one and one["contentType"] and one["meta"]["versionId"]
    if "file" in (names or ""):
        assert [one["securityContext"] for one in included if one["id"] == ward.file] == [{"reference": "Patient/1"}]


def test_includes_stop_at_other_projects_and_what_is_deleted(ward, server):
    stranger = server.project("stranger")
    create(stranger, {"resourceType": "Flag", "status": "active", "subject": {"reference": f"Patient/{ward.patient}"}})
    create(stranger, {"resourceType": "Media", "status": "completed", "content": {"url": f"Binary/{ward.file}"}})
    assert entries(find(stranger, "Flag?_include=Flag:subject"), "include") == []
    assert entries(find(stranger, "Media?_include=Media:content"), "include") == []
    gone = create(stranger, {"resourceType": "Patient"})
    create(stranger, {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": f"Patient/{gone['id']}"}})
    assert len(entries(find(stranger, "Basic?_include=Basic:subject"), "include")) == 1
    stranger.call("DELETE", f"Patient/{gone['id']}")
    assert entries(find(stranger, "Basic?_include=Basic:subject"), "include") == []


@pytest.mark.parametrize("scope, kinds", [("user/DiagnosticReport.rs", set()), ("user/DiagnosticReport.rs user/Binary.r", {"Binary"}),
                                          ("user/DiagnosticReport.rs user/Patient.r", {"Patient"}), ("user/*.rs", {"Binary", "Patient"})])
def test_includes_stop_at_scopes(ward, scope, kinds):
    fields = {"Authorization": "Bearer " + ward.new_token(scope)}
    answer = ward.server.request("GET", "/fhir/R4/DiagnosticReport?_include=DiagnosticReport:presented-form&_include=DiagnosticReport:subject",
                                 fields)
    assert {one["resourceType"] for one in entries(searchset(answer), "include")} == kinds
