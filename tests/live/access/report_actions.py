"""Reports of the patient that name a Binary: is it included in a search, is its URL signed? Each gives 1 or 0, or a
sentence that says what is wrong."""
import json

from .wiring import FHIR, bundle_of, entry
from .world import SHARED, attachment_of, carrier, identifier

INCLUDED, ATTACHED, WRITTEN = {}, {}, {}
PATCH = "application/json-patch+json"


# ---- _include ----

def include(name, kind, query):
    def ask(world, who, target):
        identity, _ = world.report(kind, target)
        return included(world, who, query.format(id=identity, patient=world.own.split("/")[1]), target, identity)
    INCLUDED[name] = ask


def included(world, who, query, target, report):
    answer = world.call(who, "GET", query)
    if answer.status != 200:
        return f"{answer.status} {answer.body[:200]}"
    entries = answer.json().get("entry", [])
    if not any(one["resource"]["id"] == report for one in entries):
        return "the report itself was not found"
    found = [one["resource"] for one in entries if one["resource"]["resourceType"] == "Binary" and one["resource"]["id"] == target.id]
    if not found and (target.version in answer.text or (target.content and target.content.decode() in answer.text)):
        return "what is left out leaks"
    return len(found)


include("include-media", "Media", "Media?_id={id}&_include=Media:content")
include("include-document", "DocumentReference", "DocumentReference?_id={id}&_include=DocumentReference:content")
include("include-report", "DiagnosticReport", "DiagnosticReport?_id={id}&_include=DiagnosticReport:presented-form")
include("include-all", "DocumentReference", "DocumentReference?_id={id}&_include=DocumentReference:subject&_include=DocumentReference:content")
include("include-iterate", "Media", "Patient?_id={patient}&_revinclude=Media:subject&_include:iterate=Media:content&_count=1000")


# ---- URLs in attachments ----

def judge(world, resource, target):
    """1: signed, 0: left alone."""
    attachment = attachment_of(resource)
    url = attachment["url"]
    if url.startswith(f"{world.server.storage_base}{target.id}/") and "Signature=" in url:
        return 1
    if attachment != {"url": target.place} and attachment != {"url": f"{target.place}/_history/{target.version}"}:
        return f"the attachment shows more than the reference: {attachment}"
    return 0


def attached(name, find, kinds=("Media", "DocumentReference", "DiagnosticReport")):
    """`find` takes the resource out of (world, who, kind, id, version id)."""
    def ask(world, who, target):
        found = []
        for kind in kinds:
            resource = find(world, who, kind, *world.report(kind, target))
            found.append(judge(world, resource, target) if isinstance(resource, dict) else resource)
        return found[0] if len(set(map(str, found))) == 1 else f"one by one: {found}"
    ATTACHED[name] = ask


def read(world, who, place):
    answer = world.call(who, "GET", place)
    return answer.json() if answer.status == 200 else f"{answer.status} {answer.body[:200]}"


def search(world, who, query, identity):
    answer = world.call(who, "GET", query)
    if answer.status != 200:
        return f"{answer.status} {answer.body[:200]}"
    found = [one["resource"] for one in answer.json().get("entry", []) if one["resource"]["id"] == identity]
    return found[0] if found else "not found"


def in_bundle(world, who, kind, place):
    answer = world.bundle(who, kind, entry("GET", place))
    if answer.status != 200:
        return f"{answer.status} {answer.body[:200]}"
    return answer.json()["entry"][0].get("resource") or f"{answer.body[:300]}"


attached("attached-read", lambda world, who, kind, identity, _: read(world, who, f"{kind}/{identity}"))
attached("attached-vread", lambda world, who, kind, identity, version: read(world, who, f"{kind}/{identity}/_history/{version}"))
attached("attached-search", lambda world, who, kind, identity, _: search(world, who, f"{kind}?_id={identity}", identity))
attached("attached-batch", lambda world, who, kind, identity, _: in_bundle(world, who, "batch", f"{kind}/{identity}"))
attached("attached-transaction", lambda world, who, kind, identity, _: in_bundle(world, who, "transaction", f"{kind}/{identity}"))
attached("attached-history", lambda world, who, kind, identity, _: search(world, who, f"{kind}/{identity}/_history", identity))
attached("attached-revinclude", lambda world, who, kind, identity, _: search(
    world, who, f"Patient?_id={world.own.split('/')[1]}&_revinclude={kind}:subject", identity), ["DiagnosticReport"])


# ---- told when it is written ----

def new_report(world, url="https://elsewhere.example/x"):
    return carrier("Media", world.own, url, meta=SHARED, identifier=identifier())


def written(name):
    return lambda function: WRITTEN.setdefault(name, function)


def answered(world, answer, target, status):
    if answer.status != status:
        return f"{answer.status} {answer.body[:200]}"
    return judge(world, answer.json(), target)


def entry_answered(world, answer, target):
    if answer.status != 200 or "resource" not in answer.json()["entry"][0]:
        return f"{answer.status} {answer.body[:300]}"
    return judge(world, answer.json()["entry"][0]["resource"], target)


WHOLE = {**FHIR, "Prefer": "return=representation"}


@written("attached-create")
def create(world, who, target):
    return answered(world, world.call(who, "POST", "Media", WHOLE, json.dumps(new_report(world, target.place)).encode()), target, 201)


@written("attached-pin")
def pin(world, who, target):
    body = new_report(world, f"{target.place}/_history/{target.version}")
    return answered(world, world.call(who, "POST", "Media", WHOLE, json.dumps(body).encode()), target, 201)


@written("attached-update")
def update(world, who, target):
    made = world.make(new_report(world), who)
    body = json.dumps({**made, "content": {"url": target.place}}).encode()
    return answered(world, world.call(who, "PUT", "Media/" + made["id"], WHOLE, body), target, 200)


@written("attached-patch")
def patch(world, who, target):
    made = world.make(new_report(world), who)
    body = json.dumps([{"op": "replace", "path": "/content", "value": {"url": target.place}}]).encode()
    headers = {"Content-Type": PATCH, "Prefer": "return=representation"}
    return answered(world, world.call(who, "PATCH", "Media/" + made["id"], headers, body), target, 200)


@written("attached-batch-create")
def batch_create(world, who, target):
    body = bundle_of("batch", entry("POST", "Media", new_report(world, target.place)))
    return entry_answered(world, world.call(who, "POST", "/fhir/R4", WHOLE, body), target)


@written("attached-transaction-create")
def transaction_create(world, who, target):
    body = bundle_of("transaction", entry("POST", "Media", new_report(world, target.place)))
    return entry_answered(world, world.call(who, "POST", "/fhir/R4", WHOLE, body), target)
