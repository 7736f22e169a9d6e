"""Resources other than Binary: requests that write them, and JSON read token by token, so that no digit is lost."""
import json
import re

from . import checks

PATCH = "application/json-patch+json"
SERVER_META = ('"versionId"', '"lastUpdated"')


# ---- requests ----

def text_of(resource):
    return resource if isinstance(resource, bytes) else json.dumps(resource).encode()


def post(client, resource, headers=None, target=None):
    target = target or resource["resourceType"]
    return client.call("POST", target, {"Content-Type": checks.FHIR_JSON, **(headers or {})}, text_of(resource))


def put(client, resource, headers=None, target=None):
    target = target or f"{resource['resourceType']}/{resource['id']}"
    return client.call("PUT", target, {"Content-Type": checks.FHIR_JSON, **(headers or {})}, text_of(resource))


def patch(client, target, operations, headers=None):
    return client.call("PATCH", target, {"Content-Type": PATCH, **(headers or {})}, text_of(operations))


def create(client, resource, headers=None, target=None):
    """Gives the resource as the server answers it."""
    answer = post(client, resource, headers, target)
    assert answer.status == 201, answer
    return shown(answer, 201)


def update(client, resource, headers=None):
    answer = put(client, resource, headers)
    return shown(answer, 200)


def read(client, target):
    return shown(client.get(target))


def shown(answer, status=200):
    """Asserts a resource with its validators; gives it."""
    assert answer.status == status, answer
    assert checks.media_type(answer) == checks.FHIR_JSON, answer
    resource = answer.json()
    assert re.fullmatch(checks.UUID, resource["meta"]["versionId"]), answer
    assert answer.headers["ETag"] == f'W/"{resource["meta"]["versionId"]}"', answer
    assert "Last-Modified" in answer.headers, answer
    return resource


def etag(resource):
    return f'W/"{resource["meta"]["versionId"]}"'


def searchset(answer):
    assert answer.status == 200, answer
    bundle = answer.json()
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == "searchset", answer
    assert "entry" not in bundle or bundle["entry"], answer
    return bundle


def find(client, target, headers=None):
    return searchset(client.get(target, headers))


def entries(bundle, mode="match"):
    return [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]


def ids(bundle, mode="match"):
    return [resource["id"] for resource in entries(bundle, mode)]


def link(bundle, relation):
    found = [entry["url"] for entry in bundle["link"] if entry["relation"] == relation]
    assert len(found) < 2, bundle["link"]
    return found[0] if found else None


def relative(client, url):
    assert url.startswith(client.server.fhir_base), url
    return url[len(client.server.fhir_base):]


# ---- tokens ----

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}\[\]:,]))', re.S)


def tree(text):
    """Objects as ("{", [(name, value), ...]), lists as ("[", [...]), all else as the text that was sent."""
    tokens, place = [], 0
    text = text.decode("utf-8") if isinstance(text, bytes) else text
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        assert match, text[place:place + 60]
        tokens.append(match.group(match.lastindex))
        place = match.end()
    tokens.reverse()
    value = _value(tokens)
    assert not tokens
    return value


def _value(tokens):
    token = tokens.pop()
    if token == "{":
        pairs = []
        while tokens[-1] != "}":
            name = tokens.pop()
            assert name.startswith('"') and tokens.pop() == ":", name
            pairs.append((name, _value(tokens)))
            if tokens[-1] == ",":
                tokens.pop()
                assert tokens[-1] != "}"
        tokens.pop()
        return "{", pairs
    if token == "[":
        values = []
        while tokens[-1] != "]":
            values.append(_value(tokens))
            if tokens[-1] == ",":
                tokens.pop()
                assert tokens[-1] != "]"
        tokens.pop()
        return "[", values
    assert token not in "]},:", token
    return token


def member(node, name):
    assert node[0] == "{"
    found = [value for key, value in node[1] if key == f'"{name}"']
    assert len(found) == 1, (name, [key for key, _ in node[1]])
    return found[0]


def of_client(node):
    """What the client owns of a resource's tree: all but id and the server's part of meta, and where resourceType is."""
    pairs, kept = dict(node[1]), []
    for name, value in node[1]:
        if name not in ('"id"', '"meta"', '"resourceType"'):
            kept.append((name, value))
    meta = pairs.get('"meta"', ("{", []))
    return pairs['"resourceType"'], [pair for pair in meta[1] if pair[0] not in SERVER_META], kept
