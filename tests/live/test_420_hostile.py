"""Clients that drip, that close their half, and that meet another writer while their body arrives."""
import socket
import time

import pytest
from harness import checks, wire
from test_160_credentials import issuers, login_claims, patient_of  # noqa: F401
from test_510_plugins import faulty


def begin(server, method, target, headers, length, first=b""):
    """A request whose body is still to come."""
    wired = server.connect()
    fields = [("Host", "x"), ("Content-Length", str(length))] + list(headers.items())
    wired.send(wire.head(method, target, fields) + first)
    return wired


def begin_and_wait(server, target, headers):
    """A PUT of four bytes that was allowed and waits for its body: 100 Continue is sent when the body is wanted."""
    wired = begin(server, "PUT", target, {**headers, "Expect": "100-continue"}, 4)
    status = wired.file.readline()
    assert b" 100 " in status and wired.file.readline() == b"\r\n", status
    return wired


def end(wired, rest):
    with wired:
        wired.send(rest)
        return wired.response()


# ---- half-closed ----

@pytest.mark.parametrize("slow", ["writer_begin", "writer_write", "writer_commit"])
def test_client_that_closes_its_half_is_answered(postgres, slow):
    """TCP allows to say "no more from me" and to wait for the answer, also if that takes its time."""
    with faulty(postgres, f"delay={slow}:*:900") as server:
        with begin(server, "POST", "/fhir/R4/Binary", {**server.who.bearer, "Content-Type": "text/plain"}, 4,
                   b"half") as wired:
            wired.socket.shutdown(socket.SHUT_WR)
            identity, _ = checks.created(wired.response(), server.fhir_base)
        with begin(server, "GET", f"/fhir/R4/Binary/{identity}", server.who.bearer, 0) as wired:
            wired.socket.shutdown(socket.SHUT_WR)
            assert wired.response().body == b"half"


# ---- dripping ----

@pytest.mark.parametrize("target, kind", [("/oauth2/token", "application/x-www-form-urlencoded"),
                                          ("/fhir/R4/Binary", "text/plain")])
def test_dripping_body_is_cut_off(start, target, kind):
    """A byte now and then, each in time, would keep a worker for days. Nobody needs to log in for the first of them."""
    server = start(processes=1, directives={"FhirBinaryBodyTimeout": "1s"})
    who = server.project("drip")
    with begin(server, "POST", target, {**who.bearer, "Content-Type": kind}, 60000) as wired:
        started = time.monotonic()
        wired.socket.settimeout(0.3)
        while time.monotonic() - started < 10:
            wired.send(b"a")
            try:
                if wired.socket.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                pass
        wired.socket.settimeout(10)
        checks.outcome(wired.response(), 408)
    assert time.monotonic() - started < 5
    server.wait_idle()
    assert server.sql("SELECT count(*) FROM fhir_binary.object") == [["0"]]


# ---- overtaken while the body arrives ----

def test_if_none_match_holds_until_the_end(start):
    server = start(processes=1, directives={"FhirBinaryUpdateCreate": "On"})
    who = server.project("only once")
    headers = {**who.bearer, "Content-Type": "text/plain", "If-None-Match": "*"}
    slow = begin_and_wait(server, "/fhir/R4/Binary/one", headers)
    assert who.call("PUT", "Binary/one", {"Content-Type": "text/plain", "If-None-Match": "*"}, b"fast").status == 201
    checks.outcome(end(slow, b"slow"), 412)
    assert who.get("Binary/one").body == b"fast"
    assert server.sql("SELECT count(*) FROM fhir_binary.object") == [["1"]]
    # A deleted one may be revived so, but only once.
    assert who.call("DELETE", "Binary/one").status == 204
    slow = begin_and_wait(server, "/fhir/R4/Binary/one", headers)
    assert who.call("PUT", "Binary/one", {"Content-Type": "text/plain", "If-None-Match": "*"}, b"back").status == 201
    checks.outcome(end(slow, b"slow"), 412)
    assert who.get("Binary/one").body == b"back"


def test_patient_scope_is_judged_by_what_is_overwritten(issuers):
    """A Binary that left the patient's reach while his upload ran is not his to overwrite."""
    whole = {"Authorization": "Bearer " + issuers.keys["rs"].sign(login_claims()), "Content-Type": "text/plain"}
    own, other = patient_of(issuers), patient_of(issuers)
    scoped = login_claims(scope="patient/Binary.cruds", patient=own)
    patient = {"Authorization": "Bearer " + issuers.keys["rs"].sign(scoped), "Content-Type": "text/plain"}
    server = issuers.server
    made = server.request("POST", "/fhir/R4/Binary", {**whole, "X-Security-Context": f"Patient/{own}"}, b"first")
    identity, _ = checks.created(made, server.fhir_base)
    target = f"/fhir/R4/Binary/{identity}"
    slow = begin_and_wait(server, target, patient)
    assert server.request("PUT", target, {**whole, "X-Security-Context": f"Patient/{other}"}, b"moved").status == 200
    checks.outcome(end(slow, b"his!"), 405)  # as for an id that nobody used
    assert server.request("GET", target, whole).body == b"moved"
    checks.outcome(server.request("PUT", target, patient, b"his"), 405)


# ---- what caches may keep ----

@pytest.mark.parametrize("target, status", [("/fhir/R4/Binary/a%2Fb", 404), ("/fhir/R4/Binary?" + "a" * 9000, 414)])
def test_errors_of_httpd_are_not_stored(alice, target, status):
    answer = alice.server.request("GET", target, alice.bearer)
    checks.outcome(answer, status)
    assert answer.headers["Cache-Control"] == "no-store"
