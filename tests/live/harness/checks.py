"""What every answer of the server must fulfil."""
import re
import xml.etree.ElementTree as ElementTree

FHIR_JSON = "application/fhir+json"
FHIR_XML = "application/fhir+xml"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

ISSUE_TYPES = set("""invalid structure required value invariant security login unknown expired forbidden suppressed
processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly
business-rule conflict transient lock-error no-store exception timeout incomplete throttled informational""".split())

# What an issue may be called for each status (FHIR R4 value set issue-type).
CODES = {
    400: {"invalid", "structure", "required", "value", "not-supported", "processing", "incomplete", "security"},
    401: {"login", "unknown", "expired"},
    403: {"forbidden", "security"},
    404: {"not-found"},
    405: {"not-supported"},
    406: {"not-supported"},
    408: {"timeout", "incomplete"},
    409: {"conflict", "duplicate"},
    410: {"deleted", "expired"},
    411: {"required", "invalid"},
    412: {"conflict"},
    413: {"too-long"},
    414: {"too-long", "invalid"},
    415: {"not-supported"},
    416: {"value", "invalid", "not-supported"},
    422: {"business-rule", "processing", "required", "invariant"},
    429: {"throttled"},
    431: {"too-long", "invalid"},
    500: {"exception"},
    501: {"not-supported"},
    503: {"transient", "timeout", "exception"},
    504: {"timeout", "transient"},
    507: {"no-store", "exception", "transient"},
}

# Nothing of the inside may be seen outside: paths, SQL, library names, locators, signatures, secrets.
SECRETS = re.compile(r"/tmp/|/var/|/usr/|/home/|/work/|\.so\b|\.c:\d|SELECT |INSERT |UPDATE \w+ SET|DELETE FROM|pg_|psql"
                     r"|libpq|SQLSTATE|relation |socket|[0-9a-f]{32}|Signature=\w|-----BEGIN |PostgreSQL", re.I)


def media_type(response):
    return (response.headers.get("Content-Type") or "").split(";")[0].strip().lower()


def outcome(response, status, code=None):
    """Asserts an OperationOutcome with that status; gives its issue."""
    assert response.status == status, response
    if media_type(response) == FHIR_XML:
        root = ElementTree.fromstring(response.body)
        space = "{http://hl7.org/fhir}"
        assert root.tag == space + "OperationOutcome", response
        issue = {child.tag[len(space):]: child.get("value") for child in root.find(space + "issue")}
    else:
        assert media_type(response) == FHIR_JSON, response
        resource = response.json()
        assert resource["resourceType"] == "OperationOutcome", response
        assert len(resource["issue"]) >= 1, response
        issue = resource["issue"][0]
    assert issue["severity"] in ("error", "fatal"), response
    assert issue["code"] in ISSUE_TYPES, response
    allowed = {code} if isinstance(code, str) else code or CODES[status]
    assert issue["code"] in allowed, f"issue.code {issue['code']} is not in {allowed}: {response!r}"
    assert issue.get("diagnostics"), response
    leak = SECRETS.search(issue["diagnostics"])
    assert not leak, f"an error text shows {leak.group()!r}: {response!r}"
    if status == 401:
        assert "WWW-Authenticate" in response.headers, response
    return issue


def binary(response, status=200):
    """Asserts a Binary resource in JSON; gives it."""
    assert response.status == status, response
    assert media_type(response) == FHIR_JSON, response
    resource = response.json()
    assert resource["resourceType"] == "Binary", response
    assert resource["meta"]["versionId"] and resource["meta"]["lastUpdated"], response
    assert response.headers["ETag"] == f'W/"{resource["meta"]["versionId"]}"', response
    return resource


def created(response, base, status=201):
    """Asserts the headers of a write; gives (id, version id)."""
    assert response.status == status, response
    match = re.fullmatch(re.escape(base) + r"Binary/([A-Za-z0-9.\-]{1,64})/_history/([A-Za-z0-9.\-]{1,64})",
                         response.headers["Location"])
    assert match, response
    assert match.group(2) in response.headers["ETag"], response
    assert "Last-Modified" in response.headers, response
    return match.group(1), match.group(2)
