"""One client of one project: token, and the FHIR requests with its authorisation."""
import base64
import subprocess
import urllib.parse

from . import checks

FORM = "application/x-www-form-urlencoded"


class Client:
    def __init__(self, server, project, identity):
        self.server, self.project_id = server, project
        self.id, self.secret = identity
        self._token = None

    # -- credentials --
    def token_request(self, fields=None, headers=None, body=None):
        fields = {"grant_type": "client_credentials", "client_id": self.id, "client_secret": self.secret,
                  **(fields or {})}
        fields = {name: value for name, value in fields.items() if value is not None}
        text = body if body is not None else urllib.parse.urlencode(fields).encode()
        return self.server.request("POST", "/oauth2/token", {"Content-Type": FORM, **(headers or {})}, text)

    def new_token(self, scope=None):
        answer = self.token_request({"scope": scope})
        assert answer.status == 200, answer
        return answer.json()["access_token"]

    @property
    def token(self):
        if not self._token:
            self._token = self.new_token()
        return self._token

    @property
    def bearer(self):
        return {"Authorization": "Bearer " + self.token}

    @property
    def basic(self):
        return {"Authorization": basic(self.id, self.secret)}

    # -- FHIR --
    def call(self, method, target, headers=None, body=None, **how):
        """`target` is relative to the FHIR base unless it begins with '/'."""
        path = target if target.startswith("/") else "/fhir/R4/" + target
        fields = list(self.bearer.items())
        given = list((headers or {}).items()) if isinstance(headers or {}, dict) else list(headers)
        return self.server.request(method, path, fields + given, body, **how)

    def get(self, target, headers=None, **how):
        return self.call("GET", target, headers, **how)

    def json(self, target, headers=None):
        return self.get(target, {"Accept": checks.FHIR_JSON, **(headers or {})})

    def curl(self, out, *words):
        """By the real curl, for what wire does not speak: what -w prints, and the body, by way of the file `out`."""
        done = subprocess.run(["curl", "-sS", "-m", "60", "-H", "Authorization: " + self.bearer["Authorization"], "-o",
                               str(out), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(), out.read_bytes()

    def upload(self, data, content_type="application/octet-stream", headers=None, query=""):
        """Raw create; gives (id, version id)."""
        answer = self.call("POST", "Binary" + query, {"Content-Type": content_type, **(headers or {})}, data)
        return checks.created(answer, self.server.fhir_base)

    def replace(self, identity, data, content_type="application/octet-stream", headers=None):
        answer = self.call("PUT", f"Binary/{identity}", {"Content-Type": content_type, **(headers or {})}, data)
        assert answer.status == 200, answer
        return checks.created(answer, self.server.fhir_base, 200)

    def signed(self, identity, upload=False, method="GET"):
        """Path and query of a new signed URL."""
        query = "?upload=true" if upload else ""
        answer = self.call(method, f"Binary/{identity}/$presigned-url{query}")
        assert answer.status == 200, answer
        parameters = answer.json()
        assert parameters["resourceType"] == "Parameters", answer
        [parameter] = parameters["parameter"]
        assert parameter["name"] == "url", answer
        url = parameter["valueUri"]
        assert url.startswith(self.server.storage_base), answer
        return url[len(self.server.base) - 1:]


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
