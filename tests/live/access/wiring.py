"""One connection that is kept, and answers of requests and of entries of Bundles in one form."""
import json
import re

from harness import checks, wire

FHIR = {"Content-Type": checks.FHIR_JSON}


class Wire:
    def __init__(self, server):
        self.server, self.connection = server, None

    def request(self, method, target, headers, body=None):
        for attempt in (1, 2):
            fresh = self.connection is None
            try:
                return self._send(method, target, headers, body)
            except (wire.WireError, OSError):
                self.close()
                if fresh or attempt == 2:
                    raise

    def _send(self, method, target, headers, body):
        if not self.connection:
            self.connection = self.server.connect()
        fields = [("Host", f"127.0.0.1:{self.server.port}")] + list(headers.items())
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        self.connection.send(wire.head(method, target, fields) + (body or b""))
        answer = self.connection.response(f"{method} {target}", method)
        if (answer.headers.get("Connection") or "").lower() == "close":
            self.close()
        return answer

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Answer:
    """Of a request, or of one entry of a Bundle (which has neither headers nor anything but JSON)."""

    def __init__(self, response, status=None, body=None, entry=None):
        self.response, self.entry = response, entry
        self.status = response.status if status is None else status
        self.body = response.body if body is None else body
        self.headers = response.headers if entry is None else None

    @property
    def resource(self):
        return json.loads(self.body) if self.body else None

    def outcome(self):
        """Asserts that it is a well-formed refusal."""
        if self.response.request.startswith("HEAD"):
            assert self.body == b""
            return
        if self.entry is None:
            checks.outcome(self.response, self.status, checks.CODES.get(self.status))
            return
        resource = self.resource
        assert resource and resource["resourceType"] == "OperationOutcome", "no OperationOutcome"
        [issue] = resource["issue"]
        assert issue["code"] in checks.CODES[self.status] and issue["diagnostics"], issue
        assert not checks.SECRETS.search(issue["diagnostics"]), issue

    def comparable(self, *names):
        """All that a client sees, without what differs anyway; `names` (ids that were asked for) are taken out."""
        text = self.body
        for name in names:
            text = text.replace(name.encode(), b"<>")
        if self.headers is None:
            response = {key: value for key, value in self.entry["response"].items() if key != "outcome"}
            return self.status, text, sorted(response.items())
        headers = [f"{key}: {value}" for key, value in self.headers.pairs
                   if key.lower() not in ("date", "x-request-id", "keep-alive", "connection", "content-length")]
        return self.status, text, sorted(headers)


def bundle_of(kind, *entries):
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


def entry(method, url, resource=None, full_url=None, **conditions):
    made = {"request": {"method": method, "url": url, **conditions}}
    if full_url:
        made["fullUrl"] = full_url
    if resource is not None:
        made["resource"] = resource
    return made


def first_entry(response):
    """The answer to the first entry; a transaction that was refused is its own answer."""
    if response.status != 200:
        return Answer(response)
    made = response.json()["entry"][0]
    status = int(re.match(r"\d+", made["response"]["status"]).group())
    shown = made.get("resource") or made["response"].get("outcome")
    return Answer(response, status, json.dumps(shown).encode() if shown else b"", made)
