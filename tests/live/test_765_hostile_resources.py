"""Resources: bodies that nobody should send, and a database that goes away."""
import concurrent.futures
import json
import time

import pytest
from harness import checks, httpd, wire
from harness.postgres import Postgres
from harness.resources import create, find, ids, member, patch, post, put, read, tree

KIND = {"Content-Type": checks.FHIR_JSON}


def refused(client, text, status=400, kind="Patient"):
    before = find(client, f"{kind}?_summary=count")["total"]
    answer = client.call("POST", kind, KIND, text)
    issue = checks.outcome(answer, status)
    assert find(client, f"{kind}?_summary=count")["total"] == before
    return issue


BAD = {
    "empty": b"", "blank": b"  \n", "truncated": b'{"resourceType":"Patient","active":tr', "open": b'{"resourceType":"Patient"',
    "open string": b'{"resourceType":"Patient","language":"x', "two": b'{"resourceType":"Patient"}{}',
    "rest": b'{"resourceType":"Patient"} x', "comma": b'{"resourceType":"Patient",}', "list": b'[{"resourceType":"Patient"}]',
    "string": b'"Patient"', "number": b"1", "null": b"null", "no type": b'{"active":true}', "type 5": b'{"resourceType":5}',
    "type unknown": b'{"resourceType":"Patiens"}', "type abstract": b'{"resourceType":"Resource"}',
    "type empty": b'{"resourceType":""}', "other type": b'{"resourceType":"Person"}', "binary": b'{"resourceType":"Binary","contentType":"a/b"}',
    "case": b'{"resourcetype":"Patient"}', "twice": b'{"resourceType":"Patient","active":true,"active":true}',
    "twice escaped": b'{"resourceType":"Patient","active":true,"\\u0061ctive":true}', "type twice": b'{"resourceType":"Patient","resourceType":"Patient"}',
    "twice deep": b'{"resourceType":"Patient","x":{"a":[{"b":1,"b":2}]}}', "utf-8": b'{"resourceType":"Patient","language":"\xff"}',
    "utf-8 overlong": b'{"resourceType":"Patient","language":"\xc0\xaf"}', "utf-8 surrogate": b'{"resourceType":"Patient","language":"\xed\xa0\x80"}',
    "utf-8 cut": b'{"resourceType":"Patient","language":"\xe2\x82"}', "utf-8 name": b'{"resourceType":"Patient","\xff":1}',
    "latin-1": '{"resourceType":"Patient","language":"ü"}'.encode("latin-1"), "utf-16": '{"resourceType":"Patient"}'.encode("utf-16"),
    "utf-16 plain": '{"resourceType":"Patient"}'.encode("utf-16-le"), "bom": b'\xef\xbb\xbf{"resourceType":"Patient"}',
    "nul escape": b'{"resourceType":"Patient","language":"a\\u0000b"}', "nul": b'{"resourceType":"Patient","language":"a\0b"}',
    "nul outside": b'{"resourceType":"Patient"}\0', "nul name": b'{"resourceType":"Patient","a\\u0000":1}',
    "lone high": b'{"resourceType":"Patient","language":"\\ud83d"}', "lone low": b'{"resourceType":"Patient","language":"\\ude00"}',
    "reversed": b'{"resourceType":"Patient","language":"\\ude00\\ud83d"}', "control": b'{"resourceType":"Patient","language":"a\nb"}',
    "escape": b'{"resourceType":"Patient","language":"\\x"}', "escape cut": b'{"resourceType":"Patient","language":"\\u12"}',
    "number 01": b'{"resourceType":"Patient","x":01}', "number +1": b'{"resourceType":"Patient","x":+1}', "number .5": b'{"resourceType":"Patient","x":.5}',
    "number 1.": b'{"resourceType":"Patient","x":1.}', "number 1e": b'{"resourceType":"Patient","x":1e}', "nan": b'{"resourceType":"Patient","x":NaN}',
    "infinity": b'{"resourceType":"Patient","x":-Infinity}', "hex": b'{"resourceType":"Patient","x":0x10}', "comment": b'{"resourceType":"Patient"/**/}',
    "quotes": b"{'resourceType':'Patient'}", "true": b'{"resourceType":"Patient","active":True}', "xml": b'<Patient xmlns="http://hl7.org/fhir"/>',
    "deep lists": b'{"resourceType":"Patient","x":' + b"[" * 10000 + b"1" + b"]" * 10000 + b"}",
    "deep objects": b'{"resourceType":"Patient","x":' + b'{"x":' * 10000 + b"1" + b"}" * 10000 + b"}",
    "deep open": b'{"resourceType":"Patient","x":' + b"[" * 100000,
    "depth 65": b'{"resourceType":"Patient","x":' + b"[" * 64 + b"1" + b"]" * 64 + b"}"}


@pytest.mark.parametrize("name", BAD)
def test_bodies_that_are_no_resource(alice, name):
    refused(alice, BAD[name])
    made = create(alice, {"resourceType": "Patient"})
    checks.outcome(alice.call("PUT", f"Patient/{made['id']}", KIND, BAD[name]), 400)
    assert read(alice, f"Patient/{made['id']}") == made


@pytest.mark.parametrize("body, place", [
    ({"resourceType": "Person"}, "Person.resourceType"), ({"id": 5}, "Patient.id"), ({"id": "a_b"}, "Patient.id"), ({"id": "x" * 65}, "Patient.id"),
    ({"id": None}, "Patient.id"), ({"meta": []}, "Patient.meta"), ({"meta": [1]}, "Patient.meta"), ({"meta": {"versionId": 5}}, "Patient.meta.versionId"),
    ({"meta": {"tag": {"code": "x"}}}, "Patient.meta.tag"), ({"name": []}, "Patient.name"), ({"name": [{}]}, "Patient.name[0]"),
    ({"name": [{"family": ""}]}, "Patient.name[0].family"), ({"gender": None}, "Patient.gender"),
    ({"managingOrganization": "Organization/1"}, "Patient.managingOrganization"), ({"managingOrganization": {"reference": 1}}, "Patient.managingOrganization.reference"),
    ({"generalPractitioner": [{"reference": "Practitioner/1"}, {"reference": ["x"]}]}, "Patient.generalPractitioner[1].reference[0]"),
    ({"photo": [{"url": 5}]}, "Patient.photo[0].url"), ({"photo": ["x"]}, "Patient.photo[0]"), ({"contained": [{"id": "x"}]}, "Patient.contained[0]"),
    ({"contained": [{"resourceType": "X"}]}, "Patient.contained[0].resourceType"), ({"contained": ["x"]}, "Patient.contained[0]"),
    ({"extension": [{"url": "x", "valueAttachment": {"url": 7}}]}, "Patient.extension[0].valueAttachment.url"),
    ({"extension": [{"url": "x", "valueReference": 7}]}, "Patient.extension[0].valueReference")])
def test_the_place_is_told(alice, body, place):
    issue = refused(alice, json.dumps({"resourceType": "Patient", **body}).encode())
    assert issue["expression"][0].split(".", 1)[1] == place.split(".", 1)[1], issue


def test_limits(alice):
    assert alice.call("POST", "Basic", KIND, b'{"resourceType":"Basic","x":' + b"[" * 63 + b"1" + b"]" * 63 + b"}").status == 201
    refused(alice, b'{"resourceType":"Basic","x":[' + b"1," * 1000000 + b"1]}", kind="Basic")
    big = b'{"resourceType":"Basic","x":[' + b"1," * 900000 + b"1]}"
    answer = alice.call("POST", "Basic", {**KIND, "Prefer": "return=minimal"}, big)
    assert answer.status == 201, answer


def test_long_pieces(alice):
    """Long strings, names and numbers come back as they were, and searches live with them."""
    text = (b'{"resourceType":"Person","name":[{"family":"%s"}],"gender":"%s","x":%s,"%s":1,"identifier":[{"system":"%s","value":"%s"}]}'
            % (b"f" * 500000, b"g" * 100000, b"9" * 100000, b"n" * 100000, b"s" * 100000, b"v" * 100000))
    answer = alice.call("POST", "Person", KIND, text)
    assert answer.status == 201 and b"9" * 100000 in answer.body and len(answer.body) > len(text)
    found = alice.get("Person?name=" + "f" * 900)
    assert member(tree(found.body), "entry")[1] and answer.headers["Location"].split("/")[-3] in found.text


def test_very_many_values_to_index(alice):
    """More than any person has; searches by the last of them work."""
    made = post(alice, {"resourceType": "Person", "identifier": [{"system": "http://many", "value": str(number)} for number in range(5000)]})
    if made.status != 201:
        checks.outcome(made, made.status)
        return
    assert ids(find(alice, "Person?identifier=http://many|4999")) == [made.json()["id"]]


def test_what_is_refused_in_between_leaves_the_connection_alone(alice, server):
    """Its body is passed over, not taken for the next request. (After 400 httpd closes.)"""
    text = b'{"resourceType":"Patient"}'
    with server.connect() as connection:
        for _ in range(3):
            for target, more, status in (("Patient", {"Content-Type": "text/plain"}, 415), ("Nonsense", KIND, 404), ("Patient", KIND, 201),
                                         ("Patient", {**KIND, "Accept": "application/xml"}, 406)):
                head = [("Host", "x"), ("Content-Length", str(len(text))), *more.items(), *alice.bearer.items()]
                connection.send(wire.head("POST", "/fhir/R4/" + target, head) + text)
                assert connection.response().status == status


def test_a_client_that_goes_away(alice, server):
    before = find(alice, "Patient?_summary=count")["total"]
    for _ in range(5):
        with server.connect() as connection:
            head = [("Host", "x"), ("Content-Length", "1000"), *KIND.items(), *alice.bearer.items()]
            connection.send(wire.head("POST", "/fhir/R4/Patient", head) + b'{"resourceType":"Patient"')
    server.wait_idle()
    assert find(alice, "Patient?_summary=count")["total"] == before


# ---- the database goes away ----

def test_the_database_dies_and_comes_back():
    """503 with Retry-After while it is away; what was answered 201 is there afterwards."""
    cluster = Postgres().start()
    try:
        with httpd.Server(cluster, processes=1) as server:
            server.expect_log(".")
            who = server.project("outage")
            made = create(who, {"resourceType": "Patient", "active": True})
            stop, answers = time.monotonic() + 3, []

            def write(_):
                while time.monotonic() < stop:
                    answers.append(post(who, {"resourceType": "Patient", "active": True}))
                    time.sleep(0.01)

            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                writers = [pool.submit(write, number) for number in range(4)]
                time.sleep(0.5)
                cluster.kill()
                time.sleep(0.5)
                for answer in (who.get(f"Patient/{made['id']}"), who.get("Patient"), put(who, made), patch(who, f"Patient/{made['id']}", []),
                               who.call("DELETE", f"Patient/{made['id']}")):
                    checks.outcome(answer, 503)
                    assert "Retry-After" in answer.headers
                cluster.script("start")
                for writer in writers:
                    writer.result()
            for _ in range(100):
                if who.get(f"Patient/{made['id']}").status == 200:
                    break
                time.sleep(0.1)
            assert read(who, f"Patient/{made['id']}") == made
            good = [answer for answer in answers if answer.status == 201]
            assert good and {answer.status for answer in answers} <= {201, 503}
            for answer in good:
                assert who.get(f"Patient/{answer.json()['id']}").status == 200
            server.expect_log(".")
            server.check_log()
    finally:
        cluster.discard()
