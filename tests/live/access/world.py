"""Who and what the matrix is about: principals with policies and scopes, patients, Binaries under every context."""
import base64
import dataclasses
import json
import re
import uuid

from harness import checks, httpd, signing
from harness.client import Client

from . import wiring
from .wiring import FHIR, bundle_of, entry

OF_BEFORE = ("outside", "binary")  # contexts that can't be given
ISSUER, AUDIENCE = "https://issuer.example", "ours"
SHARED = {"tag": [{"system": "urn:test", "code": "shared"}]}
REPORTS = ("DocumentReference", "DiagnosticReport")

POLICIES = {
    "full": [{"resourceType": "*"}],
    "patient": [{"resourceType": kind, "criteria": f"{kind}?_compartment=%patient"}
                for kind in ("Patient", "Media", "Observation", *REPORTS)],
    "nurse": [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "readonly": True},
              {"resourceType": "Media", "criteria": "Media?_compartment=%patient"}, {"resourceType": "Binary"}],
    "readonly": [{"resourceType": "*", "readonly": True}],
    "shared": [{"resourceType": kind, "criteria": f"{kind}?_tag=urn:test|shared"} for kind in ("Patient", "Media", *REPORTS)],
}
SCOPES = {
    "launch": "patient/*.rs", "launch-w": "patient/*.cruds", "binary-r": "user/Binary.r",
    "tagged": "user/Binary.cruds?_tag=urn:test|shared user/Patient.rs user/Media.rs user/DocumentReference.rs user/DiagnosticReport.rs",
}


@dataclasses.dataclass
class Target:
    row: str
    type: str
    id: str
    version: str
    context: str = None       # of the current version
    old_version: str = None   # the version before
    content: bytes = b""
    owner: str = "admin"      # who may look whether it has changed
    body: dict = None         # of a resource other than Binary
    gone: bool = False

    @property
    def place(self):
        return f"{self.type}/{self.id}"

    def twin(self):
        """The same of an id, a version and an identifier that nobody ever used."""
        body = json.loads(json.dumps(self.body)) if self.body else None
        if body and "identifier" in body:
            body["identifier"] = identifier()
        return dataclasses.replace(self, id=str(uuid.uuid4()), version=str(uuid.uuid4()), old_version=str(uuid.uuid4()), body=body)


def identifier():
    return [{"system": "urn:test", "value": str(uuid.uuid4())}]


def patient(**more):
    return {"resourceType": "Patient", "identifier": identifier(), **more}


def media(subject=None, url="https://elsewhere.example/x", **more):
    made = {"resourceType": "Media", "status": "completed", "content": {"url": url}, "identifier": identifier(), **more}
    return {**made, "subject": {"reference": subject}} if subject else made


def observation(subject=None, **more):
    made = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "identifier": identifier(), **more}
    return {**made, "subject": {"reference": subject}} if subject else made


def carrier(kind, subject, url, **more):
    """A resource with an attachment."""
    attachment = {"url": url}
    if kind == "Media":
        return {**media(subject), "content": attachment, **more}
    made = {"resourceType": kind, "status": "current", "content": [{"attachment": attachment}], "subject": {"reference": subject}}
    if kind == "DiagnosticReport":
        made = {"resourceType": kind, "status": "final", "code": {"text": "x"}, "presentedForm": [attachment], "subject": {"reference": subject}}
    return {**made, **more}


def attachment_of(resource):
    kind = resource["resourceType"]
    if kind == "Media":
        return resource["content"]
    return resource["content"][0]["attachment"] if kind == "DocumentReference" else resource["presentedForm"][0]


def write_policy(admin, entries, **more):
    """A new AccessPolicy; gives its reference."""
    made = admin.call("POST", "AccessPolicy", FHIR, json.dumps(
        {"resourceType": "AccessPolicy", "name": "test", "resource": entries, **more}).encode())
    assert made.status == 201, made
    return "AccessPolicy/" + made.json()["id"]


def access(policy, **parameters):
    """ProjectMembership.access with one policy."""
    values = [{"name": name, "valueReference" if "/" in value else "valueString":
               {"reference": value} if "/" in value else value} for name, value in parameters.items()]
    return [{"policy": {"reference": policy}, **({"parameter": values} if values else {})}]


def membership_id(server, client):
    """Of a client."""
    if not hasattr(client, "membership"):
        [[client.membership]] = server.sql(f"SELECT id FROM fhir_binary.membership WHERE kind = 1 AND subject = '{client.id}'")
    return client.membership


def set_membership(by, identity, **members):
    """Changes some members of a ProjectMembership; None takes one away."""
    known = by.json(f"ProjectMembership/{identity}")
    assert known.status == 200, known
    body = {**known.json(), **members}
    made = by.call("PUT", f"ProjectMembership/{identity}", FHIR,
                      json.dumps({name: value for name, value in body.items() if value is not None}).encode())
    assert made.status == 200, made
    return made.json()


def member(server, admin, entries=None, name="member", admin_flag=False, **parameters):
    """A client of the admin's project that is no administrator; entries None: it has no policy."""
    made = Client(server, admin.project_id, server.cli.client_create(admin.project_id, name, admin=admin_flag))
    if entries is not None:
        set_membership(admin, membership_id(server, made), access=access(write_policy(admin, entries), **parameters))
    return made


def outside_member(admin, subject, entries=None, is_admin=False, issuer=ISSUER, **parameters):
    """A user of an outside issuer; gives the id of the membership."""
    body = {"resourceType": "ProjectMembership", "user": {"identifier": {"system": issuer, "value": subject}}, "admin": is_admin}
    if entries is not None:
        body["access"] = access(write_policy(admin, entries), **parameters)
    made = admin.call("POST", "ProjectMembership", FHIR, json.dumps(body).encode())
    assert made.status == 201, made
    return made.json()["id"]


class Issuer:
    """An outside issuer whose keys a server can be told."""

    def __init__(self):
        self.key = signing.Key("ES256", "k1")

    def directive(self, root):
        keys = root / "issuer.json"
        keys.write_text(json.dumps({"keys": [self.key.jwk]}))
        keys.chmod(0o644)
        return f"{ISSUER} audience={AUDIENCE} jwks={keys}"

    def headers(self, subject, scope, patient=None):
        more = {"patient": patient} if patient else {}
        return {"Authorization": "Bearer " + self.key.sign(signing.claims(ISSUER, AUDIENCE, subject, scope=scope, **more))}


class World:
    def __init__(self, postgres, **how):
        self.issuer = Issuer()
        self.server = httpd.Server(postgres, processes=1, **how)
        self.server.directives["FhirBinaryTrustedIssuer"] = self.issuer.directive(self.server.root)
        self.spare, self.carriers, self.hidden = {}, {}, {}

    def __enter__(self):
        self.server.start()
        self.wire = wiring.Wire(self.server)
        self.admin, self.elsewhere = self.server.project("clinic"), self.server.project("elsewhere")
        self.headers = {"admin": self.admin.bearer, "elsewhere": self.elsewhere.bearer}
        self.clients = {"admin": self.admin, "elsewhere": self.elsewhere}
        self.make_contexts()
        self.make_principals()
        return self

    def __exit__(self, *error):
        self.wire.close()
        self.server.__exit__(*error)

    # -- talking --
    def call(self, who, method, target, headers=None, body=None):
        """`target` is relative to the FHIR base unless it begins with '/'."""
        path = target if target.startswith("/") else "/fhir/R4/" + target
        return self.wire.request(method, path, {**(self.headers[who] if who else {}), **(headers or {})}, body)

    def bundle(self, who, kind, *entries):
        return self.call(who, "POST", "/fhir/R4", FHIR, bundle_of(kind, *entries))

    def batch(self, who, entries):
        """All succeed; gives their responses."""
        answer = self.bundle(who, "batch", *entries)
        assert answer.status == 200, answer
        made = answer.json()["entry"]
        assert all(one["response"]["status"][0] == "2" for one in made), answer
        return made

    def make(self, body, who="admin"):
        answer = self.call(who, "POST", body["resourceType"], FHIR, json.dumps(body).encode())
        assert answer.status == 201, answer
        return answer.json()

    def remove(self, place, who="admin"):
        assert self.call(who, "DELETE", place).status == 204

    # -- contexts --
    def make_contexts(self):
        own = self.make(patient(meta=SHARED))
        self.own, self.other = "Patient/" + own["id"], "Patient/" + self.make(patient())["id"]
        tag, deleted = self.make(patient(meta=SHARED)), self.make(patient())
        foreign = self.make(patient(), "elsewhere")
        self.remove("Patient/" + deleted["id"])
        self.contexts = {
            "own": self.own, "own-version": f"{self.own}/_history/{own['meta']['versionId']}", "own-url": self.server.fhir_base + self.own,
            "own-media": "Media/" + self.make(media(self.own))["id"], "other": self.other,
            "other-media": "Media/" + self.make(media(self.other))["id"], "tag": "Patient/" + tag["id"], "none": None,
            "missing": f"Patient/{uuid.uuid4()}", "deleted": "Patient/" + deleted["id"], "foreign": "Patient/" + foreign["id"],
            "outside": "https://ehr.example.org/fhir/Patient/1", "binary": "Binary/" + self.admin.upload(b"x")[0],
            "theirs": "Patient/" + foreign["id"], "unknown": None}

    # -- principals --
    def make_principals(self):
        for name, entries in POLICIES.items():
            more = {"patient": self.own} if name in ("patient", "nurse") else {}
            self.clients[name] = member(self.server, self.admin, entries, name, **more)
        self.clients["nobody"] = member(self.server, self.admin, None, "nobody")
        self.clients["disabled"] = member(self.server, self.admin, POLICIES["full"], "disabled")
        for name, client in self.clients.items():
            self.headers[name] = client.bearer
        self.server.cli.run("client", "disable", self.clients["disabled"].id)
        outside_member(self.admin, "u1", POLICIES["full"])
        for name, scope in SCOPES.items():
            self.headers[name] = self.issuer.headers("u1", scope, self.own.split("/")[1])

    # -- Binaries --
    def binary(self, row):
        """A Binary of that row that nobody has changed."""
        if not self.spare.get(row):
            self.spare[row] = self.make_binaries(row, 8)
        return self.spare[row][-1]

    def used(self, target):
        """It was changed: others get another one."""
        left = self.spare.get(target.row, [])
        if target in left:
            left.remove(target)

    def make_binaries(self, row, count):
        if row == "unknown":
            return [Target(row, "Binary", str(uuid.uuid4()), str(uuid.uuid4()), old_version=str(uuid.uuid4()))]
        who = "elsewhere" if row == "theirs" else "admin"
        names = row[5:].split(">") if row.startswith("gone-") else row.split(">")
        content = f"content of {row}".encode()
        given = self.own if names[0] in OF_BEFORE else self.contexts[names[0]]
        body = binary_body(content, given)
        made = self.batch(who, [entry("POST", "Binary", body)] * count)
        targets = []
        for one in made:
            identity, version = one["response"]["location"].split("Binary/")[1].split("/_history/")
            targets.append(Target(row, "Binary", identity, version, self.contexts[names[0]], content=content, owner=who))
        if len(names) == 2:
            self.change_all(targets, lambda one: entry("PUT", one.place, binary_body(content, self.contexts[names[1]], id=one.id)))
        if row.startswith("gone-"):
            self.change_all(targets, lambda one: entry("DELETE", one.place))
        if names[0] in OF_BEFORE:
            self.write_context(targets, self.contexts[names[0]])
        context = self.contexts[names[-1]]
        for one in targets:  # a URL of ours is stored as the reference that it is
            one.context, one.gone = context and context.replace(self.server.fhir_base, ""), row.startswith("gone-")
        return targets

    def write_context(self, targets, context):
        """As an older version of the server stored it."""
        ids = ",".join(f"'{one.version}'" for one in targets)
        superuser = re.sub(r"user=\S+", "user=postgres", self.server.conninfo)
        self.server.postgres.query(superuser, "SET session_replication_role = replica; UPDATE fhir_binary.binary_version "
                                              f"SET security_context = '{context}' WHERE version_id IN ({ids})")

    def change_all(self, targets, change):
        self.batch(targets[0].owner, [change(one) for one in targets])
        for one in targets:
            one.old_version = one.version
            history = self.call(one.owner, "GET", one.place + "/_history?_count=1", {"Accept": checks.FHIR_JSON}).json()
            newest = history["entry"][0]
            one.version = newest["response"]["etag"].split('"')[1]

    # -- other resources --
    def resource(self, kind, row):
        if not self.spare.get((kind, row)):
            self.spare[kind, row] = self.make_resources(kind, row, 8)
        return self.spare[kind, row][-1]

    def used_resource(self, target):
        left = self.spare.get((target.type, target.row), [])
        if target in left:
            left.remove(target)

    def body_of(self, kind, row):
        """What a resource of that row holds."""
        row = row[5:] if row.startswith("gone-") else row
        more = {"meta": SHARED} if row == "tag" else {}
        if kind == "Patient":
            return patient(**more, **({"link": [{"type": "seealso", "other": {"reference": self.own}}]} if row == "own" else {}))
        subject = {"own": self.own, "loose": None, "unknown": self.own}.get(row, self.contexts.get(row, self.other))
        subject = self.other if row == "tag" else subject
        return (media if kind == "Media" else observation)(subject, **more)

    def make_resources(self, kind, row, count):
        who = "elsewhere" if row == "theirs" else "admin"
        bodies = [self.body_of(kind, row) for _ in range(count)]
        if row == "unknown":
            return [Target(row, kind, str(uuid.uuid4()), str(uuid.uuid4()), body=bodies[0])]
        targets = []
        for body, made in zip(bodies, self.batch(who, [entry("POST", kind, body) for body in bodies])):
            identity, version = made["response"]["location"].split(kind + "/")[1].split("/_history/")
            targets.append(Target(row, kind, identity, version, body=body, owner=who))
        if row.startswith("gone-"):
            self.change_all(targets, lambda one: entry("DELETE", one.place))
            for one in targets:
                one.gone = True
        return targets

    # -- reports of the patient that name a Binary --
    def report(self, kind, target):
        """Gives (id, version id)."""
        key = kind, target.id
        if key not in self.carriers:
            made = self.make(carrier(kind, self.own, target.place, meta=SHARED, **(
                {"identifier": identifier()} if kind == "Media" else {})))
            self.carriers[key] = made["id"], made["meta"]["versionId"]
        return self.carriers[key]

    # -- what must not have happened --
    def unchanged(self, target):
        """The owner still sees the same version (a deleted one: still nothing)."""
        if target.row == "unknown":
            return None
        answer = self.call(target.owner, "HEAD", target.place)
        if target.gone:
            return None if answer.status == 410 else f"it is no longer gone: {answer.status}"
        etag = answer.headers.get("ETag") or ""
        return None if answer.status == 200 and target.version in etag else f"it was changed: {answer.status} {etag}"


def binary_body(content=None, context=None, **more):
    made = {"resourceType": "Binary", "contentType": "text/plain", **more}
    if content is not None:
        made["data"] = base64.b64encode(content).decode()
    return {**made, "securityContext": {"reference": context}} if context else made
