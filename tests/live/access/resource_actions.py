"""What is asked of resources other than Binary. The tables are as in binary_actions.py."""
import base64
import json

from .wiring import FHIR, Answer, entry, first_entry
from .world import identifier

READ, CHANGE, CREATE, EXIST, TO = {}, {}, {}, {}, {}
PATCH = {"Content-Type": "application/json-patch+json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NOBODY = "00000000-0000-4000-8000-000000000000"


def known(target):
    return f"identifier=urn:test|{target.body['identifier'][0]['value']}"


def changed(target, body=None):
    return {**(body or target.body), "id": target.id, "language": "tlh"}


def patch_of(operations):
    return {"resourceType": "Binary", "contentType": PATCH["Content-Type"],
            "data": base64.b64encode(json.dumps(operations).encode()).decode()}


LANGUAGE = [{"op": "add", "path": "/language", "value": "tlh"}]


# ---- reading: name -> (function, statuses of success) ----

def get(name, suffix="", method="GET", ok=200, **headers):
    def ask(world, who, target):
        given = {key.replace("_", "-"): value.format(version=target.version) for key, value in headers.items()}
        return Answer(world.call(who, method, target.place + suffix.format(version=target.version), given))
    READ[name] = ask, (ok,)


get("read")
get("head", method="HEAD")
get("vread", "/_history/{version}")
get("history", "/_history")
get("if-none-match", ok=304, If_None_Match='W/"{version}"')


def find(name, send):
    """A searchset: 200 counts as done if the resource is in it, else as an Answer like that of an unknown id."""
    READ[name] = lambda world, who, target: Found(send(world, who, target), target), (200,)


class Found(Answer):
    """An empty searchset has 404 as its status here."""

    def __init__(self, answer, target):
        super().__init__(answer.response, answer.status, answer.body, answer.entry)
        self.searchset = answer.status == 200
        if self.searchset:
            bundle = answer.resource
            entries = [one["resource"]["id"] for one in bundle.get("entry", [])]
            if bundle.get("total", 0) != len(entries) and entries != [] or len(entries) > 1:
                self.status = 599
            elif not entries:
                self.status = 404 if not bundle.get("total") else 200
            elif entries != [target.id]:
                self.status = 598

    def outcome(self):
        if not self.searchset:
            super().outcome()

    def comparable(self, *names):
        if not self.searchset:
            return super().comparable(*names)
        bundle = self.resource
        return self.status, bundle.get("total"), bundle.get("entry")


find("find", lambda world, who, target: Answer(world.call(who, "GET", f"{target.type}?_id={target.id}&_total=accurate")))
find("find-post", lambda world, who, target: Answer(world.call(
    who, "POST", f"{target.type}/_search", FORM, f"_id={target.id}&_total=accurate".encode())))
find("find-count", lambda world, who, target: Answer(world.call(who, "GET", f"{target.type}?{known(target)}&_summary=count")))
find("batch-find", lambda world, who, target: first_entry(world.bundle(
    who, "batch", entry("GET", f"{target.type}?_id={target.id}&_total=accurate"))))


def in_bundle(table, name, kind, method, suffix="", ok=200, resource=None):
    def ask(world, who, target):
        place = target.place + suffix.format(version=target.version)
        return first_entry(world.bundle(who, kind, entry(method, place, resource(target) if resource else None)))
    table[name] = ask, (ok,) if isinstance(ok, int) else ok


in_bundle(READ, "batch-read", "batch", "GET")
in_bundle(READ, "batch-vread", "batch", "GET", "/_history/{version}")
in_bundle(READ, "transaction-read", "transaction", "GET")


# ---- changing ----

def put(name, ok, **headers):
    def ask(world, who, target):
        given = {**FHIR, **{key.replace("_", "-"): value.format(version=target.version) for key, value in headers.items()}}
        return Answer(world.call(who, "PUT", target.place, given, json.dumps(changed(target)).encode()))
    CHANGE[name] = ask, ok


put("put", (200, 201))
put("put-if-match", (200,), If_Match='W/"{version}"')
put("put-if-match-wrong", (412,), If_Match=f'W/"{NOBODY}"')
CHANGE["patch"] = lambda world, who, target: Answer(world.call(who, "PATCH", target.place, PATCH, json.dumps(LANGUAGE).encode())), (200,)
CHANGE["delete"] = lambda world, who, target: Answer(world.call(who, "DELETE", target.place)), (204,)
for _kind in ("batch", "transaction"):
    in_bundle(CHANGE, _kind + "-put", _kind, "PUT", ok=(200, 201), resource=changed)
    in_bundle(CHANGE, _kind + "-patch", _kind, "PATCH", resource=lambda target: patch_of(LANGUAGE))
    in_bundle(CHANGE, _kind + "-delete", _kind, "DELETE", ok=204)


def without_id(body):
    return {name: value for name, value in body.items() if name != "id"}


CHANGE["conditional-put"] = lambda world, who, target: Answer(world.call(
    who, "PUT", f"{target.type}?{known(target)}", FHIR, json.dumps(without_id(changed(target))).encode())), (200,)
CHANGE["conditional-patch"] = lambda world, who, target: Answer(world.call(
    who, "PATCH", f"{target.type}?{known(target)}", PATCH, json.dumps(LANGUAGE).encode())), (200,)
CHANGE["conditional-delete"] = lambda world, who, target: Answer(world.call(
    who, "DELETE", f"{target.type}?{known(target)}")), (204,)


# ---- creating: name -> function(world, who, body) ----

CREATE["post"] = lambda world, who, body: Answer(world.call(who, "POST", body["resourceType"], FHIR, json.dumps(body).encode()))
CREATE["batch-post"] = lambda world, who, body: first_entry(world.bundle(who, "batch", entry("POST", body["resourceType"], body)))
CREATE["transaction-post"] = lambda world, who, body: first_entry(world.bundle(who, "transaction", entry("POST", body["resourceType"], body)))
CREATE["post-if-none-exist"] = lambda world, who, body: Answer(world.call(
    who, "POST", body["resourceType"], {**FHIR, "If-None-Exist": unused()}, json.dumps(body).encode()))
CREATE["put-if-none-found"] = lambda world, who, body: Answer(world.call(
    who, "PUT", f"{body['resourceType']}?{unused()}", FHIR, json.dumps(body).encode()))


def unused():
    return f"identifier=urn:test|{identifier()[0]['value']}"


# ---- If-None-Exist: name -> function(world, who, target) ----

def own_body(world, who, target):
    subject = world.own if who != "elsewhere" else world.contexts["foreign"]
    return {**target.body, "subject": {"reference": subject}}


EXIST["if-none-exist"] = lambda world, who, target: Answer(world.call(
    who, "POST", target.type, {**FHIR, "If-None-Exist": known(target)}, json.dumps(own_body(world, who, target)).encode()))
for _kind in ("batch", "transaction"):
    EXIST[_kind + "-if-none-exist"] = lambda world, who, target, kind=_kind: first_entry(world.bundle(
        who, kind, entry("POST", target.type, own_body(world, who, target), ifNoneExist=known(target))))


# ---- moving: name -> function(world, who, target, body with the other subject) ----

def moves(body):
    if "subject" not in body:
        return [{"op": "add", "path": "/subject", "value": {}}, {"op": "remove", "path": "/subject"}]
    return [{"op": "add", "path": "/subject", "value": body["subject"]}]


TO["put-to"] = lambda world, who, target, body: Answer(world.call(
    who, "PUT", target.place, FHIR, json.dumps(changed(target, body)).encode()))
TO["patch-to"] = lambda world, who, target, body: Answer(world.call(
    who, "PATCH", target.place, PATCH, json.dumps(LANGUAGE + moves(body)).encode()))
TO["conditional-put-to"] = lambda world, who, target, body: Answer(world.call(
    who, "PUT", f"{target.type}?{known(target)}", FHIR, json.dumps(without_id(changed(target, body))).encode()))
for _kind in ("batch", "transaction"):
    TO[_kind + "-put-to"] = lambda world, who, target, body, kind=_kind: first_entry(world.bundle(
        who, kind, entry("PUT", target.place, changed(target, body))))
