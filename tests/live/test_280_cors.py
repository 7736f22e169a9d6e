"""Issue section 6: CapabilityStatement and CORS (reference section 5.1: what the best-known SDK sends)."""
import pytest
from harness import checks

ORIGIN = "https://app.example.org"


def test_metadata(server):
    answer = server.request("GET", "/fhir/R4/metadata")  # needs no credentials
    assert answer.status == 200 and checks.media_type(answer) == checks.FHIR_JSON, answer
    made = answer.json()
    assert made["resourceType"] == "CapabilityStatement" and made["fhirVersion"] == "4.0.1"
    assert made["status"] == "active" and made["kind"] == "instance" and made["date"]
    assert {"application/fhir+json", "application/fhir+xml"} <= set(made["format"]) or {"json", "xml"} <= set(
        made["format"]), made["format"]
    [rest] = made["rest"]
    assert rest["mode"] == "server"
    [binary] = [entry for entry in rest["resource"] if entry["type"] == "Binary"]
    assert {item["code"] for item in binary["interaction"]} == {
        "read", "vread", "create", "update", "delete", "history-instance"}
    assert binary["versioning"] == "versioned" and binary["readHistory"] is True
    assert binary["updateCreate"] is False and binary.get("conditionalCreate", False) is False
    assert binary["conditionalRead"] == "full-support"
    assert any(item["name"] == "presigned-url" for item in binary["operation"]), binary
    assert "oauth2/token" in str(rest["security"])
    xml = server.request("GET", "/fhir/R4/metadata?_format=xml")
    assert checks.media_type(xml) == checks.FHIR_XML and b"<CapabilityStatement" in xml.body
    again = server.request("GET", "/fhir/R4/metadata", {"Accept": "application/json"}).json()
    assert {**again, "date": ""} == {**made, "date": ""}  # each child has its own start


@pytest.fixture(scope="module")
def web(postgres):
    from harness import httpd
    with httpd.Server(postgres, processes=1, directives={"FhirBinaryCORSOrigins": ORIGIN}) as running:
        running.who = running.project("browser")
        yield running


def preflight(server, target, method, headers, origin=ORIGIN):
    return server.request("OPTIONS", target, {"Origin": origin, "Access-Control-Request-Method": method,
                                              "Access-Control-Request-Headers": headers})


def names(answer, field):
    return {word.strip().lower() for word in answer.headers[field].split(",")}


SDK = "authorization,content-type,accept,cache-control,x-medplum,x-security-context,if-none-exist,if-match," \
      "if-none-match,prefer,range"


@pytest.mark.parametrize("target", ["/fhir/R4/Binary", "/fhir/R4/Binary/1", "/oauth2/token", "/storage/a/b",
                                    "/fhir/R4/metadata"])
def test_preflight(web, target):
    """Needs no credentials."""
    answer = preflight(web, target, "PUT", SDK)
    assert answer.status in (200, 204), answer
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN, answer
    assert answer.headers["Access-Control-Allow-Credentials"] == "true", answer
    assert {"get", "post", "put", "delete", "head"} <= names(answer, "Access-Control-Allow-Methods"), answer
    assert set(SDK.split(",")) <= names(answer, "Access-Control-Allow-Headers"), answer
    assert int(answer.headers["Access-Control-Max-Age"]) > 0, answer
    assert "origin" in names(answer, "Vary"), answer


def test_actual_requests(web):
    identity, _ = web.who.upload(b"x", headers={"Origin": ORIGIN})
    for target, status in ((f"Binary/{identity}", 200), ("Binary/unknown", 404)):
        answer = web.who.get(target, {"Origin": ORIGIN})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN, answer
        assert answer.headers["Access-Control-Allow-Credentials"] == "true", answer
        assert {"location", "etag", "last-modified", "content-range", "accept-ranges", "content-disposition",
                "x-security-context"} <= names(answer, "Access-Control-Expose-Headers"), answer
        assert "origin" in names(answer, "Vary"), answer
    signed = web.request("GET", web.who.signed(identity), {"Origin": ORIGIN})
    assert signed.headers["Access-Control-Allow-Origin"] == ORIGIN, signed
    refused = web.request("GET", f"/fhir/R4/Binary/{identity}", {"Origin": ORIGIN})
    checks.outcome(refused, 401)
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN, refused


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://app.example.org", ORIGIN + ".evil.org",
                                    "null", "https://app.example.org:444", "*"])
def test_other_origins(web, origin):
    answer = preflight(web, "/fhir/R4/Binary", "GET", "authorization", origin)
    assert "Access-Control-Allow-Origin" not in answer.headers, answer
    answer = web.who.get("Binary/unknown", {"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers, answer


def test_no_cors_by_default(alice):
    answer = preflight(alice.server, "/fhir/R4/Binary", "GET", "authorization")
    assert "Access-Control-Allow-Origin" not in answer.headers, answer


def test_any_origin(start):
    server = start(directives={"FhirBinaryCORSOrigins": '"*"'}, processes=1)
    answer = preflight(server, "/fhir/R4/Binary", "GET", "authorization", "https://anything.example.org")
    allowed = answer.headers["Access-Control-Allow-Origin"]
    assert allowed in ("*", "https://anything.example.org")
    if allowed == "*":
        assert "Access-Control-Allow-Credentials" not in answer.headers
