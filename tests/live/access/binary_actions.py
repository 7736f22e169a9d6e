"""What is asked of a Binary: each action sends one interaction as somebody and gives the Answer, or None if it can't be
asked there. ACTIONS: name -> (function(world, who, target), statuses of success, check of a success)."""
import json
import re

from harness import checks
from harness.client import Client

from .wiring import FHIR, Answer, entry, first_entry
from .world import binary_body

ACTIONS = {}
RAW = {"Content-Type": "text/plain"}
FHIR_JSON, FHIR_XML = {"Accept": checks.FHIR_JSON}, {"Accept": checks.FHIR_XML}


def action(name, *ok, check=None):
    def add(function):
        ACTIONS[name] = (function, ok, check)
        return function
    return add


# ---- checks of what was answered ----

def same_bytes(answer, target, _world):
    return None if answer.body == target.content else f"other bytes: {answer.body[:60]!r}"


def same_context(answer, target, _world):
    sent = answer.resource.get("securityContext", {}).get("reference")
    return None if sent == target.context else f"other context: {sent}"


def label(answer, target, _world):
    sent = answer.headers.get("X-Security-Context")
    return None if sent == target.context else f"other context: {sent}"


def signed_url(answer, target, world):
    url = answer.resource["parameter"][0]["valueUri"]
    return None if url.startswith(f"{world.server.storage_base}{target.id}/") else f"no signed URL: {url}"


# ---- reading ----

def get(name, suffix="", method="GET", headers=None, ok=200, check=None):
    """Headers may name the target: {version}."""
    def ask(world, who, target):
        given = {key: value.format(version=target.version) for key, value in (headers or {}).items()}
        place = target.place + suffix.format(version=target.version, old=target.old_version)
        return Answer(world.call(who, method, place, given))
    action(name, ok, check=check)(ask)


get("raw", check=same_bytes)
get("json", headers=FHIR_JSON, check=same_context)
get("xml", headers=FHIR_XML)
get("head", method="HEAD", check=label)
get("head-json", method="HEAD", headers=FHIR_JSON)
get("range", headers={"Range": "bytes=0-3"}, ok=206)
get("range-json", headers={"Range": "bytes=0-3", **FHIR_JSON})
get("if-none-match", headers={"If-None-Match": '"{version}"'}, ok=304)
get("if-none-match-other", headers={"If-None-Match": '"00000000-0000-4000-8000-000000000000"'})
get("if-match", headers={"If-Match": '"{version}"'})
get("if-match-wrong", headers={"If-Match": '"00000000-0000-4000-8000-000000000000"'}, ok=412)
get("history", "/_history", headers=FHIR_JSON)
get("history-count", "/_history?_count=1", headers=FHIR_JSON)
get("history-xml", "/_history", headers=FHIR_XML)
get("sign-get", "/$presigned-url", headers=FHIR_JSON, check=signed_url)
get("sign-post", "/$presigned-url", "POST", headers=FHIR_JSON, check=signed_url)
get("sign-upload-get", "/$presigned-url?upload=true", headers=FHIR_JSON, check=signed_url)
get("sign-upload-post", "/$presigned-url?upload=true", "POST", headers=FHIR_JSON, check=signed_url)


def version_asked(name, headers=None, method="GET"):
    @action(name, 200)
    def ask(world, who, target):
        return Answer(world.call(who, method, f"{target.place}/_history/{asked_version(target)}", headers))


def asked_version(target):
    """In a table about older versions the older one is meant."""
    return target.old_version if ">" in target.row else target.version


version_asked("vread")
version_asked("vread-json", FHIR_JSON)
version_asked("vread-head", method="HEAD")


def in_bundle(name, kind, method, suffix="", ok=(200,), resource=None, **conditions):
    @action(name, *ok)
    def ask(world, who, target):
        body = resource(target) if resource else None
        place = target.place + suffix.format(version=asked_version(target))
        given = {key: value.format(version=target.version) for key, value in conditions.items()}
        return first_entry(world.bundle(who, kind, entry(method, place, body, **given)))


in_bundle("batch-read", "batch", "GET")
in_bundle("batch-vread", "batch", "GET", "/_history/{version}")
in_bundle("batch-history", "batch", "GET", "/_history")
in_bundle("batch-sign", "batch", "GET", "/$presigned-url")
in_bundle("batch-sign-upload", "batch", "GET", "/$presigned-url?upload=true")
in_bundle("transaction-read", "transaction", "GET")


@action("basic-credentials", 200, check=same_bytes)
def basic_credentials(world, who, target):
    client = world.clients.get(who)
    if not isinstance(client, Client) or who == "disabled":
        return None
    return Answer(world.call(None, "GET", target.place, client.basic))


def use_signed(name, method, headers=None, ok=200, check=None):
    """Signs as `who`, uses it as nobody."""
    @action(name, ok, check=check)
    def ask(world, who, target):
        made = world.call(who, "GET", target.place + "/$presigned-url", FHIR_JSON)
        if made.status != 200:
            return Answer(made)
        return Answer(world.call(None, method, path_of(world, made.json()), headers))


def path_of(world, parameters):
    return parameters["parameter"][0]["valueUri"][len(world.server.base) - 1:]


use_signed("signed-get", "GET", check=same_bytes)
use_signed("signed-head", "HEAD")
use_signed("signed-range", "GET", {"Range": "bytes=0-3"}, 206)


# ---- changing ----

def new_body(target, **more):
    return binary_body(b"changed", target.context, id=target.id, **more)


def put_raw(name, same_context=False, ok=(200,), **headers):
    @action(name, *ok)
    def ask(world, who, target):
        given = {**RAW, **{key.replace("_", "-"): value.format(version=target.version) for key, value in headers.items()}}
        if same_context:
            if not target.context:
                return None
            given["X-Security-Context"] = target.context
        return Answer(world.call(who, "PUT", target.place, given, b"changed"))


put_raw("put-raw", ok=(200, 201))
put_raw("put-raw-same", True)
put_raw("put-if-match", If_Match='W/"{version}"')
put_raw("put-if-match-wrong", ok=(412,), If_Match='W/"00000000-0000-4000-8000-000000000000"')
put_raw("put-if-none-match", ok=(412,), If_None_Match="*")


@action("put-json", 200, 201)
def put_json(world, who, target):
    return Answer(world.call(who, "PUT", target.place, FHIR, json.dumps(new_body(target)).encode()))


@action("put-json-keep", 200)
def put_json_keep(world, who, target):
    body = {name: value for name, value in new_body(target).items() if name != "data"}
    return Answer(world.call(who, "PUT", target.place, FHIR, json.dumps(body).encode()))


@action("signed-put", 200, 201)
def signed_put(world, who, target):
    made = world.call(who, "GET", target.place + "/$presigned-url?upload=true", FHIR_JSON)
    if made.status != 200:
        return Answer(made)
    return Answer(world.call(None, "PUT", path_of(world, made.json()), RAW, b"changed"))


in_bundle("batch-put", "batch", "PUT", ok=(200, 201), resource=new_body)
in_bundle("transaction-put", "transaction", "PUT", ok=(200, 201), resource=new_body)
in_bundle("batch-delete", "batch", "DELETE", ok=(204,))
in_bundle("transaction-delete", "transaction", "DELETE", ok=(204,))


@action("delete", 204)
def delete(world, who, target):
    return Answer(world.call(who, "DELETE", target.place))


@action("delete-if-match-wrong", 412)
def delete_if_match_wrong(world, who, target):
    return Answer(world.call(who, "DELETE", target.place, {"If-Match": '"00000000-0000-4000-8000-000000000000"'}))


# ---- under a context: CREATE[name](world, who, context), TO[name](world, who, target, context) ----

CREATE, TO = {}, {}


def create(name):
    return lambda function: CREATE.setdefault(name, function)


def to(name):
    return lambda function: TO.setdefault(name, function)


def labelled(context):
    return {**RAW, **({"X-Security-Context": context} if context else {})}


@create("post-raw")
def post_raw(world, who, context):
    return Answer(world.call(who, "POST", "Binary", labelled(context), b"new"))


@create("post-json")
def post_json(world, who, context):
    return Answer(world.call(who, "POST", "Binary", FHIR, json.dumps(binary_body(b"new", context)).encode()))


@create("post-json-header")
def post_json_header(world, who, context):
    """The context in the header alone."""
    if not context:
        return None
    return Answer(world.call(who, "POST", "Binary", {**FHIR, "X-Security-Context": context}, json.dumps(binary_body(b"new")).encode()))


@create("batch-post")
def batch_post(world, who, context):
    return first_entry(world.bundle(who, "batch", entry("POST", "Binary", binary_body(b"new", context))))


@create("transaction-post")
def transaction_post(world, who, context):
    return first_entry(world.bundle(who, "transaction", entry("POST", "Binary", binary_body(b"new", context))))


@to("put-raw-to")
def put_raw_to(world, who, target, context):
    return Answer(world.call(who, "PUT", target.place, labelled(context), b"moved")) if context else None


@to("put-json-to")
def put_json_to(world, who, target, context):
    body = binary_body(b"moved", context, id=target.id)
    return Answer(world.call(who, "PUT", target.place, FHIR, json.dumps(body).encode()))


@to("batch-put-to")
def batch_put_to(world, who, target, context):
    return first_entry(world.bundle(who, "batch", entry("PUT", target.place, binary_body(b"moved", context, id=target.id))))


@to("transaction-put-to")
def transaction_put_to(world, who, target, context):
    return first_entry(world.bundle(who, "transaction", entry("PUT", target.place, binary_body(b"moved", context, id=target.id))))


# ---- histories: which versions are shown ----

HISTORIES = {}


def versions_in(answer):
    return re.findall(r'_history/([0-9a-f-]{36})|versionId"?(?: value=|:) ?"([0-9a-f-]{36})"', answer.body.decode())


def history(name):
    return lambda function: HISTORIES.setdefault(name, function)


@history("versions")
def versions(world, who, target):
    return Answer(world.call(who, "GET", target.place + "/_history", FHIR_JSON))


@history("versions-xml")
def versions_xml(world, who, target):
    return Answer(world.call(who, "GET", target.place + "/_history", FHIR_XML))


@history("batch-versions")
def batch_versions(world, who, target):
    return first_entry(world.bundle(who, "batch", entry("GET", target.place + "/_history")))
