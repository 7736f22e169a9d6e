"""Issue section 5: token endpoint, JWKS, smart-configuration, key rotation."""
import json
import time
import urllib.parse

import jwt
import pytest
from harness import checks, signing
from harness.client import FORM, basic


def oauth_error(answer, *codes, status=400):
    assert answer.status == status, answer
    assert checks.media_type(answer) == "application/json", answer
    body = answer.json()
    assert body["error"] in codes, answer
    assert body["error_description"], answer
    assert not checks.SECRETS.search(body["error_description"]), answer
    assert "no-store" in answer.headers["Cache-Control"], answer
    return body


def check_token(answer, who):
    assert answer.status == 200, answer
    assert checks.media_type(answer) == "application/json", answer
    assert "no-store" in answer.headers["Cache-Control"], answer
    body = answer.json()
    assert body["token_type"] == "Bearer" and body["expires_in"] == 3600, body
    assert body["project"]["reference"] == f"Project/{who.project_id}", body
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert claims["iss"] == who.server.base, claims
    assert claims["client_id"] == who.id, claims
    assert claims["sub"] == who.id, claims
    assert abs(claims["exp"] - time.time() - 3600) < 30, claims
    assert claims["scope"] == body["scope"], claims
    assert claims.get("profile") == body.get("profile", {}).get("reference"), (claims, body)
    return body, claims


def test_form_credentials(alice):
    check_token(alice.token_request(), alice)


def test_basic_credentials(alice):
    answer = alice.token_request({"client_id": None, "client_secret": None}, headers=alice.basic)
    check_token(answer, alice)


def test_form_type_with_charset(alice):
    answer = alice.token_request(headers={"Content-Type": FORM + "; charset=UTF-8"})
    check_token(answer, alice)


def test_requested_scope_is_granted(alice):
    _, claims = check_token(alice.token_request({"scope": "system/Binary.rs"}), alice)
    assert claims["scope"] == "system/Binary.rs"


def test_default_scope_is_named(alice):
    body, _ = check_token(alice.token_request(), alice)
    assert body["scope"]


def test_profile_of_the_client(server):
    project = server.cli.project_create("profiles")
    identity = server.cli.client_create(project, "with profile", "--profile", "Practitioner/7")
    from harness.client import Client
    who = Client(server, project, identity)
    body, _ = check_token(who.token_request(), who)
    assert body["profile"]["reference"] == "Practitioner/7"


@pytest.mark.parametrize("change, code", [
    ({"client_secret": "wrong"}, ("invalid_client", "invalid_request")),
    ({"client_secret": ""}, ("invalid_client", "invalid_request")),
    ({"client_secret": None}, ("invalid_client", "invalid_request")),
    ({"client_id": "00000000-0000-4000-8000-000000000000"}, ("invalid_client", "invalid_request")),
    ({"client_id": "not-a-uuid"}, ("invalid_client", "invalid_request")),
    ({"client_id": "' OR 1=1 --"}, ("invalid_client", "invalid_request")),
    ({"client_id": None}, ("invalid_client", "invalid_request")),
    ({"grant_type": None}, ("invalid_request",)),
    ({"grant_type": "password"}, ("unsupported_grant_type",)),
    ({"grant_type": "authorization_code"}, ("unsupported_grant_type",)),
])
def test_refusals(alice, change, code):
    oauth_error(alice.token_request(change), *code)


def test_wrong_basic_secret(alice):
    answer = alice.token_request({"client_id": None, "client_secret": None},
                                 headers={"Authorization": basic(alice.id, "wrong")})
    assert answer.status in (400, 401), answer
    oauth_error(answer, "invalid_client", status=answer.status)


def test_doubled_parameter(alice):
    text = urllib.parse.urlencode([("grant_type", "client_credentials"), ("client_id", alice.id),
                                   ("client_id", alice.id), ("client_secret", alice.secret)]).encode()
    oauth_error(alice.token_request(body=text), "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_wrong_content_type(alice, content_type):
    oauth_error(alice.token_request(headers={"Content-Type": content_type}), "invalid_request")


def test_broken_form(alice):
    oauth_error(alice.token_request(body=b"grant_type=%zz&client_id=%"), "invalid_request")
    oauth_error(alice.token_request(body=b""), "invalid_request")


def test_form_without_bound(alice):
    answer = alice.token_request(body=b"grant_type=client_credentials&x=" + b"y" * 2_000_000)
    assert answer.status in (400, 413), answer


def test_get_is_no_token_request(alice):
    answer = alice.server.request("GET", "/oauth2/token")
    assert answer.status in (400, 405), answer


def keys_of(server):
    answer = server.request("GET", "/.well-known/jwks.json")
    assert answer.status == 200, answer
    assert checks.media_type(answer) in ("application/json", "application/jwk-set+json"), answer
    return answer.json()["keys"]


def verify(server, token):
    header = jwt.get_unverified_header(token)
    [key] = [key for key in keys_of(server) if key["kid"] == header["kid"]]
    assert header["alg"] == key["alg"] and key["use"] == "sig", key
    return jwt.decode(token, jwt.PyJWK(key).key, algorithms=[key["alg"]], options={"verify_aud": False})


def test_jwks_verifies_tokens_and_holds_no_private_part(server, alice):
    verify(server, alice.token)
    for key in keys_of(server):
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key), key
        assert key["alg"] in ("ES256", "RS256"), key


def test_smart_configuration(server):
    for path in ("/.well-known/smart-configuration", "/fhir/R4/.well-known/smart-configuration"):
        answer = server.request("GET", path)
        assert answer.status == 200 and checks.media_type(answer) == "application/json", answer
        body = answer.json()
        assert body["token_endpoint"] == server.base + "oauth2/token", body
        assert body["jwks_uri"] == server.base + ".well-known/jwks.json", body
        assert body["issuer"] == server.base, body
        assert "client_credentials" in body["grant_types_supported"], body
        assert "client_secret_basic" in body["token_endpoint_auth_methods_supported"], body
        assert "client_secret_post" in body["token_endpoint_auth_methods_supported"], body
        assert body["capabilities"], body


def nudge(server):
    """Children look for new keys once a minute, and at once when a token names a key that they do not know."""
    time.sleep(1.1)
    token = signing.unsigned({"alg": "ES256", "kid": "unknown"}, {"iss": server.base}, b"x" * 64)
    for _ in range(12):
        checks.outcome(server.request("GET", "/fhir/R4/Binary/x", {"Authorization": "Bearer " + token}), 401)


def test_key_rotation_keeps_old_tokens_valid(start):
    server = start(processes=1)
    who = server.project("rotation")
    old = who.new_token()
    identity, _ = who.upload(b"kept")
    before = jwt.get_unverified_header(old)["kid"]
    server.cli.run("key", "rotate")
    nudge(server)
    new = who.new_token()
    assert jwt.get_unverified_header(new)["kid"] != before
    for token in (old, new):
        answer = server.request("GET", f"/fhir/R4/Binary/{identity}", {"Authorization": f"Bearer {token}"})
        assert answer.status == 200, answer
        verify(server, token)


def own_token(alice, **change):
    """Signed with the server's own key, from the database."""
    [[material]] = alice.server.sql(
        "SELECT material FROM fhir_binary.signing_key WHERE purpose = 1 AND retired_at IS NULL")
    key = jwt.PyJWK(json.loads(material))
    claims = jwt.decode(alice.token, options={"verify_signature": False})
    claims.update(change)
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key.key, algorithm=json.loads(material)["alg"],
                              headers={"kid": json.loads(material)["kid"]})


@pytest.mark.parametrize("change, status", [
    ({}, 404), ({"exp": 2}, 401), ({"exp": 1}, 401), ({"exp": None}, 401), ({"exp": "never"}, 401),
    ({"aud": "https://other.example.org"}, 401), ({"aud": None}, 401), ({"sub": None}, 401),
    ({"sub": "00000000-0000-4000-8000-000000000000", "client_id": "x"}, 401), ({"iss": None}, 401),
    ({"nbf": 9999999999}, 401), ({"scope": "system/Patient.r"}, 403)])
def test_claims_of_our_own_tokens(alice, change, status):
    now = int(time.time())
    if change.get("exp") == 2:  # alive now, over in a moment: the caches must not outlive it
        token = own_token(alice, exp=now + 2)
        ask = {"Authorization": f"Bearer {token}"}
        checks.outcome(alice.server.request("GET", "/fhir/R4/Binary/unknown", ask), 404)
        time.sleep(3)
    else:
        token = own_token(alice, **{**change, **({"exp": now - 1} if change.get("exp") == 1 else {})})
        ask = {"Authorization": f"Bearer {token}"}
    answer = alice.server.request("GET", "/fhir/R4/Binary/unknown", ask)
    if change.get("sub") and answer.status == 403:
        status = 403  # a subject without membership
    checks.outcome(answer, status)


def test_token_lifetime(start):
    server = start(directives={"FhirBinaryTokenLifetime": "5m"}, processes=1)
    assert server.project("short").token_request().json()["expires_in"] == 300
