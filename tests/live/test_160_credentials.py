"""Issue section 5: who is asking: bearer, Basic, outside issuers, httpd users, disabled accounts, scopes."""
import http.server
import json
import subprocess
import threading
import time

import pytest
from cryptography.hazmat.primitives import serialization
from harness import checks, httpd, signing, wire
from harness.client import Client, basic

AUDIENCE = "https://fhir.example.org"


# ---- our own credentials ----

def test_bearer_and_basic(server, alice):
    identity, _ = alice.upload(b"mine")
    for ask in (alice.bearer, alice.basic, {"Authorization": "bearer " + alice.token}):
        answer = server.request("GET", f"/fhir/R4/Binary/{identity}", ask)
        assert answer.status == 200 and answer.body == b"mine", answer


def bad_authorizations(alice):
    head, body, signature = alice.token.split(".")
    return {
        "none": None,
        "empty": "",
        "scheme": "Digest username=x",
        "only scheme": "Bearer",
        "two tokens": f"Bearer {alice.token} {alice.token}",
        "garbage": "Bearer abc",
        "dots": "Bearer ...",
        "truncated": f"Bearer {head}.{body}.{signature[:-4]}",
        "tampered": f"Bearer {head}.{body[:-2]}AA.{signature}",
        "no signature": f"Bearer {head}.{body}.",
        "basic secret": basic(alice.id, "wrong"),
        "basic client": basic("00000000-0000-4000-8000-000000000000", alice.secret),
        "basic no uuid": basic("somebody", "x"),
        "basic no colon": "Basic c29tZWJvZHk=",
        "basic no base64": "Basic !!!",
        "basic NUL": basic("a\0b", "c\0d"),
        "huge": "Bearer " + "a" * 7000,
    }


@pytest.mark.parametrize("name", list(bad_authorizations(type("x", (), {"token": "a.b.c", "id": "", "secret": ""}))))
def test_bad_credentials_are_401(server, alice, name):
    value = bad_authorizations(alice)[name]
    for method, target in (("GET", "/fhir/R4/Binary/unknown"), ("POST", "/fhir/R4/Binary"),
                           ("DELETE", "/fhir/R4/Binary/unknown"), ("GET", "/fhir/R4/Binary/u/$presigned-url")):
        answer = server.request(method, target, {"Authorization": value, "Content-Type": "text/plain"},
                                b"x" if method == "POST" else None)
        issue = checks.outcome(answer, 401, "login")
        assert alice.token not in issue["diagnostics"]
        assert "Bearer" in answer.headers["WWW-Authenticate"], answer


def test_two_authorization_headers(server, alice):
    answer = server.request("GET", "/fhir/R4/Binary/unknown",
                            [("Authorization", "Bearer " + alice.token), ("Authorization", "Bearer " + alice.token)])
    checks.outcome(answer, 401)


def test_refusal_comes_before_100_continue(server):
    """A refused client must not upload everything for nothing."""
    with server.connect() as wired:
        wired.send(wire.head("POST", "/fhir/R4/Binary", [
            ("Host", "x"), ("Content-Type", "video/mp4"), ("Content-Length", "100000000"),
            ("Expect", "100-continue")]))
        answer = wired.response()
    assert answer.interim == [], answer
    checks.outcome(answer, 401)


def test_100_continue_for_the_allowed(alice, server):
    with server.connect() as wired:
        wired.send(wire.head("POST", "/fhir/R4/Binary", [
            ("Host", "x"), ("Content-Type", "text/plain"), ("Content-Length", "4"), ("Expect", "100-continue"),
            ("Authorization", "Bearer " + alice.token)]))
        wired.socket.settimeout(10)
        assert wired.file.readline().startswith(b"HTTP/1.1 100")
        assert wired.file.readline() == b"\r\n"
        wired.send(b"body")
        answer = wired.response()
    checks.created(answer, server.fhir_base)


@pytest.mark.parametrize("target", ["Binary/{id}", "Binary/{id}/_history", "Binary/{id}/_history/{vid}",
                                    "Binary/{id}/$presigned-url", "Binary/{id}/$presigned-url?upload=true"])
def test_another_projects_binary_is_unknown(alice, bob, target):
    """The answer is the same, byte for byte, as for an id that nobody has."""
    identity, version = alice.upload(b"Alice's")
    theirs = bob.get(target.format(id=identity, vid=version))
    unknown = bob.get(target.format(id="3e6b9c2a-0000-4000-8000-000000000000",
                                    vid="3e6b9c2a-0000-4000-8000-000000000001"))
    checks.outcome(theirs, 404)

    def visible(answer):
        return answer.status, answer.body, sorted(f"{k}: {v}" for k, v in answer.headers.pairs if k not in ("Date", "X-Request-Id"))

    assert visible(theirs) == visible(unknown)


def test_another_projects_binary_cannot_be_changed(alice, bob):
    identity, _ = alice.upload(b"Alice's")
    checks.outcome(bob.call("DELETE", f"Binary/{identity}"), 404)
    answer = bob.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"stolen")
    checks.outcome(answer, 405)  # as for any unknown id while update-as-create is off
    assert alice.get(f"Binary/{identity}").body == b"Alice's"


# ---- disabled accounts ----

def test_disabled_client_membership_and_project(start):
    server = start(processes=1)
    project = server.cli.project_create("to be closed")
    first = Client(server, project, server.cli.client_create(project, "first"))
    second = Client(server, project, server.cli.client_create(project, "second"))
    identity, _ = first.upload(b"kept")
    signed = first.signed(identity)
    assert second.get(f"Binary/{identity}").status == 200

    server.cli.run("client", "disable", first.id)
    assert first.get(f"Binary/{identity}").status in (401, 403)
    checks.outcome(server.request("GET", f"/fhir/R4/Binary/{identity}", first.basic), 401)
    assert first.token_request().json()["error"] in ("invalid_client", "invalid_request")
    answer = server.request("GET", signed)
    checks.outcome(answer, answer.status)
    assert answer.status in (401, 403, 404), answer
    assert second.get(f"Binary/{identity}").status == 200

    server.cli.run("project", "disable", project)
    answer = second.get(f"Binary/{identity}")
    checks.outcome(answer, answer.status)
    assert answer.status in (401, 403), answer
    assert second.token_request().status == 400


def test_cli_lists(server, alice):
    assert "Alice's hospital" in server.cli.run("project", "list")
    assert alice.id in server.cli.run("client", "list")
    assert alice.secret not in server.cli.run("client", "list")
    assert alice.project_id in server.cli.run("membership", "list")


# ---- outside issuers ----

class Issuers:
    def __init__(self, server, project, keys):
        self.server, self.project, self.keys = server, project, keys


@pytest.fixture(scope="module")
def issuers(postgres):
    """A server that trusts two outside issuers: one by JWKS file, one by URL."""
    keys = {"rs": signing.Key("RS256", "rsa-1"), "es": signing.Key("ES256", "ec-1"),
            "web": signing.Key("ES256", "web-1"), "stranger": signing.Key("RS256", "rsa-1")}
    published = {"keys": [keys["web"].jwk]}
    fetched = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            fetched.append(self.path)
            body = json.dumps(published).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    made = httpd.Server(postgres, processes=1)
    jwks = made.root / "issuer.json"
    jwks.write_text(json.dumps({"keys": [keys["rs"].jwk, keys["es"].jwk]}))
    jwks.chmod(0o644)
    made.directives["FhirBinaryTrustedIssuer"] = [
        f"https://login.example.org audience={AUDIENCE} jwks={jwks}",
        f"https://web.example.org audience={AUDIENCE} jwks=http://127.0.0.1:{web.server_port}/jwks algorithms=ES256"]
    with made:
        project = made.cli.project_create("outside")
        for issuer in ("https://login.example.org", "https://web.example.org"):
            made.cli.membership_create(project, "--issuer", issuer, "--subject", "nurse-1",
                                       "--profile", "Practitioner/1")
        result = Issuers(made, project, keys)
        result.published, result.fetched = published, fetched
        yield result
    web.shutdown()


def ask(issuers, token, method="POST", target="Binary", body=b"x", content_type="text/plain"):
    return issuers.server.request(method, "/fhir/R4/" + target,
                                  {"Authorization": "Bearer " + token, "Content-Type": content_type}, body)


def login_claims(**more):
    return signing.claims("https://login.example.org", AUDIENCE, "nurse-1", **more)


@pytest.mark.parametrize("kind", ["rs", "es"])
def test_outside_token(issuers, kind):
    assert ask(issuers, issuers.keys[kind].sign(login_claims())).status == 201


def test_outside_token_audience_list(issuers):
    claims = login_claims()
    claims["aud"] = ["https://other.example.org", AUDIENCE]
    assert ask(issuers, issuers.keys["es"].sign(claims)).status == 201


def test_jwks_by_url_is_cached_and_new_keys_are_found(issuers):
    claims = signing.claims("https://web.example.org", AUDIENCE, "nurse-1")
    for _ in range(5):
        claims["jti"] = str(time.time())
        assert ask(issuers, issuers.keys["web"].sign(claims)).status == 201
    children = len(issuers.server.children())  # each has its own cache
    assert len(issuers.fetched) <= children, issuers.fetched
    second = signing.Key("ES256", "web-2")
    issuers.published["keys"].append(second.jwk)
    # Made-up key ids do not make the server ask the issuer each time: a new key is looked for once a minute.
    for _ in range(5):
        answer = ask(issuers, second.sign(claims))
        assert answer.status == 401 or children > 1, answer
    assert len(issuers.fetched) <= 2 * children, issuers.fetched
    issuers.server.graceful()
    assert ask(issuers, second.sign(claims)).status == 201


def test_algorithm_allow_list(issuers):
    """web.example.org may sign with ES256 only, even with a published RSA key."""
    extra = signing.Key("RS256", "web-rsa")
    issuers.published["keys"].append(extra.jwk)
    checks.outcome(ask(issuers, extra.sign(signing.claims("https://web.example.org", AUDIENCE, "nurse-1"))), 401)


def forged(issuers, name):
    now = int(time.time())
    rs, es, stranger = issuers.keys["rs"], issuers.keys["es"], issuers.keys["stranger"]
    good = login_claims()
    pem = rs.private.public_key().public_bytes(serialization.Encoding.PEM,
                                               serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "expired": lambda: rs.sign({**good, "exp": now - 120}),
        "no exp": lambda: rs.sign({k: v for k, v in good.items() if k != "exp"}),
        "exp text": lambda: rs.sign_text({**good, "exp": "tomorrow"}),
        "not yet": lambda: rs.sign({**good, "nbf": now + 600}),
        "other audience": lambda: rs.sign({**good, "aud": "https://other.example.org"}),
        "audience list without us": lambda: rs.sign({**good, "aud": ["a", "b"]}),
        "no audience": lambda: rs.sign({k: v for k, v in good.items() if k != "aud"}),
        "other issuer": lambda: rs.sign({**good, "iss": "https://evil.example.org"}),
        "issuer with slash": lambda: rs.sign({**good, "iss": "https://login.example.org/"}),
        "no issuer": lambda: rs.sign({k: v for k, v in good.items() if k != "iss"}),
        "issuer of ours": lambda: rs.sign({**good, "iss": issuers.server.base, "aud": issuers.server.fhir_base}),
        "no subject": lambda: rs.sign({k: v for k, v in good.items() if k != "sub"}),
        "alg none": lambda: signing.unsigned({"alg": "none"}, good),
        "alg None with kid": lambda: signing.unsigned({"alg": "None", "kid": "rsa-1"}, good),
        "HS256 with the RSA key": lambda: signing.hs256({"alg": "HS256", "kid": "rsa-1"}, good, pem),
        "HS256 empty": lambda: signing.hs256({"alg": "HS256", "kid": "rsa-1"}, good, b""),
        "ES256 header with the RSA kid": lambda: es.sign(good, {"kid": "rsa-1"}),
        "RS256 header with the EC kid": lambda: rs.sign(good, {"kid": "ec-1"}),
        "unknown kid": lambda: rs.sign(good, {"kid": "nobody"}),
        "stranger with the same kid": lambda: stranger.sign(good),
        "crit": lambda: rs.sign(good, {"crit": ["exp"]}),
        "crit b64": lambda: rs.sign(good, {"crit": ["b64"], "b64": True}),
        "embedded jwk": lambda: stranger.sign(good, {"jwk": stranger.jwk}),
        "jku": lambda: stranger.sign(good, {"jku": "http://127.0.0.1:1/x"}),
        "ES256 signature of 63 bytes": lambda: signing.unsigned({"alg": "ES256", "kid": "ec-1"}, good, b"x" * 63),
        "ES256 signature of zeros": lambda: signing.unsigned({"alg": "ES256", "kid": "ec-1"}, good, b"\0" * 64),
        "ES256 signature empty": lambda: signing.unsigned({"alg": "ES256", "kid": "ec-1"}, good, b""),
        "payload no JSON": lambda: "eyJhbGciOiJSUzI1NiJ9.e30x.AAAA",
        "payload array": lambda: signing.unsigned({"alg": "RS256", "kid": "rsa-1"}, [1], b"x" * 256),
        "header no JSON": lambda: "e30x.e30.AAAA",
    }[name]


FORGED = [name for name in """expired|no exp|exp text|not yet|other audience|audience list without us|no audience
other issuer|issuer with slash|no issuer|issuer of ours|no subject|alg none|alg None with kid|HS256 with the RSA key
HS256 empty|ES256 header with the RSA kid|RS256 header with the EC kid|unknown kid|stranger with the same kid|crit
crit b64|embedded jwk|jku|ES256 signature of 63 bytes|ES256 signature of zeros|ES256 signature empty|payload no JSON
payload array|header no JSON""".replace("\n", "|").split("|")]


@pytest.mark.parametrize("name", FORGED)
def test_forged_outside_tokens(issuers, name):
    checks.outcome(ask(issuers, forged(issuers, name)()), 401, "login")


def test_outside_subject_without_membership(issuers):
    claims = {**login_claims(), "sub": "unknown-nurse"}
    answer = ask(issuers, issuers.keys["rs"].sign(claims))
    assert answer.status in (401, 403), answer
    checks.outcome(answer, answer.status)


def test_tokens_stay_out_of_the_logs(issuers):
    token = issuers.keys["rs"].sign(login_claims())
    ask(issuers, token)
    ask(issuers, token[:-3] + "abc")
    for log in (issuers.server.error_log, issuers.server.access_log):
        assert token.split(".")[1] not in log.read_text(errors="replace")


# ---- users of httpd's own authentication modules ----

def test_user_of_httpd(start):
    server = start(processes=1, extra="""<Location /fhir>
  AuthType Basic
  AuthName intranet
  AuthBasicProvider file
  AuthUserFile {root}/users
  Require valid-user
</Location>""")
    users = server.root / "users"
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "intranet"], stdout=subprocess.PIPE).stdout.decode()
    users.write_text(f"nora:{hashed.strip()}\nuwe:{hashed.strip()}\n")
    users.chmod(0o644)
    project = server.cli.project_create("intranet")
    server.cli.membership_create(project, "--user", "nora", "--profile", "Practitioner/3")
    server.expect_log("AH01617|AH01618|authentication failure|not found")

    def put(user, password):
        return server.request("POST", "/fhir/R4/Binary", {"Authorization": basic(user, password),
                                                          "Content-Type": "text/plain"}, b"by LDAP")

    identity, _ = checks.created(put("nora", "intranet"), server.fhir_base)
    answer = server.request("GET", f"/fhir/R4/Binary/{identity}", {"Authorization": basic("nora", "intranet")})
    assert answer.body == b"by LDAP", answer
    checks.outcome(put("nora", "wrong"), 401)
    answer = put("uwe", "intranet")  # known to httpd, but without a membership
    assert answer.status in (401, 403), answer
    checks.outcome(answer, answer.status)


# ---- scopes ----

ALL = {"create", "read", "update", "delete"}
SCOPES = [
    ("system/Binary.cruds", ALL), ("system/*.cruds", ALL), ("system/*.*", ALL), ("user/Binary.*", ALL),
    ("system/Binary.rs", {"read"}), ("system/Binary.r", {"read"}), ("system/Binary.read", {"read"}),
    ("system/Binary.write", {"create", "update", "delete"}), ("system/Binary.c", {"create"}),
    ("system/Binary.u", {"update"}), ("system/Binary.d", {"delete"}), ("system/Binary.cu", {"create", "update"}),
    ("system/Patient.cruds", set()), ("openid", ALL), ("openid fhirUser launch", ALL),
    ("system/Binary.dus", set()), ("system/Binary.", set()), ("system/Binary.rs?contentType=text/plain", set()),
    ("system/Patient.rs system/Binary.r", {"read"}), ("patient/Binary.rs", set()), ("patient/*.cruds", set()),
]


@pytest.mark.parametrize("scope, allowed", SCOPES, ids=[scope or "none" for scope, _ in SCOPES])
def test_scopes_narrow(server, alice, scope, allowed):
    identity, version = alice.upload(b"scoped")
    answer = alice.token_request({"scope": scope})
    if answer.status == 400:  # a token endpoint may refuse what permits nothing
        assert not allowed, answer
        return
    ask_with = {"Authorization": "Bearer " + answer.json()["access_token"]}
    text = {"Content-Type": "text/plain"}
    done = {
        "create": server.request("POST", "/fhir/R4/Binary", {**ask_with, **text}, b"x"),
        "read": server.request("GET", f"/fhir/R4/Binary/{identity}", ask_with),
        "vread": server.request("GET", f"/fhir/R4/Binary/{identity}/_history/{version}", ask_with),
        "history": server.request("GET", f"/fhir/R4/Binary/{identity}/_history", ask_with),
        "sign read": server.request("GET", f"/fhir/R4/Binary/{identity}/$presigned-url", ask_with),
        "sign upload": server.request("GET", f"/fhir/R4/Binary/{identity}/$presigned-url?upload=true", ask_with),
        "update": server.request("PUT", f"/fhir/R4/Binary/{identity}", {**ask_with, **text}, b"y"),
        "delete": server.request("DELETE", f"/fhir/R4/Binary/{identity}", ask_with),
    }
    needs = {"vread": "read", "history": "read", "sign read": "read", "sign upload": "update"}
    for name, answer in done.items():
        if needs.get(name, name) in allowed:
            assert answer.status < 300, (name, answer)
        elif "?" in scope and name != "create":  # some Binary might fit, by its context
            checks.outcome(answer, answer.status if answer.status in (404, 405) else 403)
        else:
            checks.outcome(answer, 403)


def patient_of(issuers):
    """A new Patient; gives its id."""
    made = ask(issuers, issuers.keys["rs"].sign(login_claims()), target="Patient", body=b'{"resourceType":"Patient"}',
               content_type=checks.FHIR_JSON)
    assert made.status == 201, made
    return made.json()["id"]


def test_patient_scope_reaches_its_own_context(issuers):
    """patient/ scopes reach a Binary whose security context is in the compartment of the launch's patient."""
    own, other = patient_of(issuers), patient_of(issuers)
    whole = issuers.keys["rs"].sign(login_claims())
    made = issuers.server.request("POST", "/fhir/R4/Binary", {
        "Authorization": "Bearer " + whole, "Content-Type": "text/plain", "X-Security-Context": f"Patient/{own}"}, b"p7")
    identity, _ = checks.created(made, issuers.server.fhir_base)
    for patient, status in ((own, 200), (other, 404), (None, 403)):
        claims = login_claims(scope="patient/Binary.rs")
        if patient:
            claims["patient"] = patient
        token = issuers.keys["rs"].sign(claims)
        answer = ask(issuers, token, "GET", f"Binary/{identity}", None)
        assert answer.status == status, answer
