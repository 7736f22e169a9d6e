"""Attachments: URLs as they are written, stored and read."""
import base64
import hashlib
import json
import re

import pytest
from harness import checks, httpd
from harness.resources import (create, entries, etag, find, patch, post, put, read, shown, update)
from harness.signing import url_parts


def fetch(client, url):
    """The bytes behind a signed URL, without credentials."""
    assert url.startswith(client.server.storage_base), url
    return client.server.request("GET", url[len(client.server.base) - 1:])


def photo(client, url, **more):
    return create(client, {"resourceType": "Patient", "photo": [{"url": url, **more}]})


def stored_url(client, resource, pointer="/photo/0/url"):
    """What the database has."""
    row = client.server.sql(f"SELECT body FROM fhir_binary.resource_version WHERE version_id = '{resource['meta']['versionId']}'")
    value = json.loads("{" + "\n".join("\x1f".join(line) for line in row) + "}")
    for part in pointer.split("/")[1:]:
        value = value[int(part) if isinstance(value, list) else part]
    return value


def signed_for(client, url, binary, version):
    identity, named, pairs = url_parts(url)
    return (url.startswith(client.server.storage_base) and (identity, named) == (binary, version)
            and {name for name, _ in pairs} == {"Expires", "Key-Pair-Id", "Membership", "Signature"})


@pytest.fixture(scope="module")
def file(alice):
    """A Binary with two versions: (id, first, second)."""
    identity, first = alice.upload(b"first", "text/plain", {"Content-Disposition": 'attachment; filename="one.txt"'})
    _, second = alice.replace(identity, b"second", "text/plain")
    return identity, first, second


# ---- the table of URLs ----

@pytest.mark.parametrize("form, stored, bytes_", [
    ("Binary/{id}", "Binary/{id}", b"second"),
    ("{base}fhir/R4/Binary/{id}", "Binary/{id}", b"second"),
    ("{signed}", "Binary/{id}", b"second"),
    ("{base}storage/{id}/{new}", "Binary/{id}", b"second"),
    ("{base}storage/{id}/{old}", "Binary/{id}", b"second"),
    ("{base}storage/{id}/{old}?Expires=1&Signature=false", "Binary/{id}", b"second"),
    ("{base}storage/{id}", "Binary/{id}", b"second"),
    ("{upper}fhir/R4/Binary/{id}", "Binary/{id}", b"second"),
    ("Binary/{id}/_history/{old}", "Binary/{id}/_history/{old}", b"first"),
    ("Binary/{id}/_history/{new}", "Binary/{id}/_history/{new}", b"second"),
    ("{base}fhir/R4/Binary/{id}/_history/{old}", "Binary/{id}/_history/{old}", b"first"),
    ("/Binary/{id}", None, None), ("binary/{id}", None, None), ("Binary/{id}?x=1", None, None),
    ("Binary/{id}#f", None, None), ("Binary/{id}/", None, None), ("Binary/{id}/_history", None, None),
    ("http://elsewhere.example/fhir/R4/Binary/{id}", None, None), ("https://127.0.0.1:{port}/fhir/R4/Binary/{id}", None, None),
    ("http://localhost:{port}/fhir/R4/Binary/{id}", None, None), ("{base}Binary/{id}", None, None),
    ("Binary/a_b", None, None), ("Binary/", None, None), ("Patient/{id}", None, None), ("urn:uuid:{id}", None, None),
    ("data:text/plain,x", None, None), ("\u00fc\\\"", None, None),
    ("Binary/unknown", "Binary/unknown", None), ("{base}fhir/R4/Binary/unknown", "Binary/unknown", None),
    ("Binary/{id}/_history/00000000-0000-4000-8000-000000000000",
     "Binary/{id}/_history/00000000-0000-4000-8000-000000000000", None)])
def test_urls(alice, file, form, stored, bytes_):
    identity, old, new = file
    base = alice.server.base
    parts = {"id": identity, "old": old, "new": new, "base": base, "port": alice.server.port, "upper": base.replace("http", "HTTP"),
             "signed": base + alice.signed(identity)[1:]}
    sent = form.format(**parts)
    wanted = (stored or form).format(**parts)
    made = photo(alice, sent)
    assert stored_url(alice, made) == wanted
    shown_url = made["photo"][0]["url"]
    if bytes_ is None:
        assert made["photo"] == [{"url": wanted}]
    else:
        assert signed_for(alice, shown_url, identity, old if bytes_ == b"first" else new), shown_url
        answer = fetch(alice, shown_url)
        assert answer.status == 200 and answer.body == bytes_, answer
    assert read(alice, f"Patient/{made['id']}") == made
    again = update(alice, made)
    assert stored_url(alice, again) == wanted and again["photo"] == made["photo"]


def test_escaped_and_odd_text(alice, file):
    identity = file[0]
    text = b'{"resourceType":"Patient","photo":[{"\\u0075rl" : "Binary\\/%s" , "title":"\\u00e9"}]}' % identity.encode()
    answer = alice.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON}, text)
    made = shown(answer, 201)
    assert fetch(alice, made["photo"][0]["url"]).body == b"second"
    assert b'"title":"\\u00e9"' in answer.body and stored_url(alice, made) == f"Binary/{identity}"


PLACES = [
    ({"resourceType": "Patient", "photo": [{"title": "none"}, "@"]}, "/photo/1/url"),
    ({"resourceType": "Practitioner", "photo": ["@"]}, "/photo/0/url"),
    ({"resourceType": "Person", "photo": "@"}, "/photo/url"),
    ({"resourceType": "RelatedPerson", "photo": ["@"]}, "/photo/0/url"),
    ({"resourceType": "Communication", "status": "completed", "payload": [{"contentString": "x"}, {"contentAttachment": "@"}]},
     "/payload/1/contentAttachment/url"),
    ({"resourceType": "CommunicationRequest", "status": "active", "payload": [{"contentAttachment": "@"}]},
     "/payload/0/contentAttachment/url"),
    ({"resourceType": "Media", "status": "completed", "content": "@"}, "/content/url"),
    ({"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": "@"}]}, "/content/0/attachment/url"),
    ({"resourceType": "DiagnosticReport", "status": "final", "presentedForm": ["@"]}, "/presentedForm/0/url"),
    ({"resourceType": "Consent", "status": "active", "sourceAttachment": "@"}, "/sourceAttachment/url"),
    ({"resourceType": "Library", "status": "active", "content": ["@"]}, "/content/0/url"),
    ({"resourceType": "QuestionnaireResponse", "status": "completed", "item": [
        {"linkId": "1", "item": [{"linkId": "1.1", "answer": [{"valueAttachment": "@"}]}]}]},
     "/item/0/item/0/answer/0/valueAttachment/url"),
    ({"resourceType": "Task", "status": "draft", "intent": "order", "input": [{"type": {"text": "f"}, "valueAttachment": "@"}]},
     "/input/0/valueAttachment/url"),
    ({"resourceType": "Observation", "status": "final", "extension": [{"url": "http://x", "valueAttachment": "@"}]},
     "/extension/0/valueAttachment/url"),
    ({"resourceType": "Patient", "name": [{"family": "x", "_family": {"extension": [
        {"url": "http://x", "extension": [{"url": "y", "valueAttachment": "@"}]}]}}]},
     "/name/0/_family/extension/0/extension/0/valueAttachment/url"),
    ({"resourceType": "Observation", "status": "final", "contained": [
        {"resourceType": "Media", "id": "m", "status": "completed", "content": "@"}]}, "/contained/0/content/url"),
    ({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "photo": ["@"]}}]}, "/entry/0/resource/photo/0/url")]


def filled(value, attachment):
    if value == "@":
        return attachment
    if isinstance(value, list):
        return [filled(item, attachment) for item in value]
    return {name: filled(item, attachment) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("resource, pointer", PLACES, ids=[f"{one['resourceType']}{place}" for one, place in PLACES])
def test_places(alice, file, resource, pointer):
    identity, old, new = file
    made = create(alice, filled(resource, {"url": f"{alice.server.fhir_base}Binary/{identity}"}))
    value = made
    for part in pointer.split("/")[1:]:
        value = value[int(part) if isinstance(value, list) else part]
    assert signed_for(alice, value, identity, new), made
    assert fetch(alice, value).body == b"second"
    assert stored_url(alice, made, pointer) == f"Binary/{identity}"
    path = re.sub(r"/(\d+)", r"[\1]", pointer[:-len("/url")]).replace("/", ".")
    row = alice.server.sql("SELECT path, binary_id FROM fhir_binary.attachment WHERE version_id = "
                           f"'{made['meta']['versionId']}'")
    assert row == [[resource["resourceType"] + path, identity]]


def test_what_is_no_attachment_is_left_alone(alice, file):
    url = f"{alice.server.fhir_base}Binary/{file[0]}"
    extension = {"url": url, "valueUri": url}
    for sent in ({"resourceType": "Basic", "extension": [extension, {"url": "x", "valueUrl": url}]},
                 {"resourceType": "ValueSet", "status": "active", "url": url},
                 {"resourceType": "StructureDefinition", "url": url, "name": "x", "status": "draft"},
                 {"resourceType": "Endpoint", "status": "active", "address": url},
                 {"resourceType": "Basic", "meta": {"source": url, "profile": [url]}, "url": url, "photo": [{"url": url}]},
                 {"resourceType": "Bundle", "type": "collection", "link": [{"relation": "self", "url": url}]},
                 {"resourceType": "Observation", "status": "final", "subject": {"reference": url}, "note": [{"text": url}]}):
        made = create(alice, sent)
        meta = {name: value for name, value in made["meta"].items() if name not in ("versionId", "lastUpdated")}
        assert {**made, "meta": meta} == {**sent, "id": made["id"], "meta": sent.get("meta", {})}


def test_inline_data_stays(alice):
    made = create(alice, {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "AAAA"}]})
    assert made["photo"] == [{"contentType": "image/png", "data": "AAAA"}]


# ---- what is filled in ----

def test_details_are_filled_in(alice, file):
    identity, old, new = file
    made = photo(alice, f"Binary/{identity}/_history/{old}")["photo"][0]
    when = alice.json(f"Binary/{identity}/_history/{old}").json()["meta"]["lastUpdated"]
    assert {name: made[name] for name in made if name != "url"} == {
        "contentType": "text/plain", "size": 5, "hash": base64.b64encode(hashlib.sha1(b"first").digest()).decode(),
        "title": "one.txt", "creation": when}
    newest = photo(alice, f"Binary/{identity}")["photo"][0]
    assert newest["size"] == 6 and newest["hash"] == base64.b64encode(hashlib.sha1(b"second").digest()).decode()


def test_details_of_the_client_stay(alice, file):
    sent = {"contentType": "x/y", "size": 1, "hash": "AAAA", "title": "mine", "creation": "1999"}
    made = photo(alice, f"Binary/{file[0]}", **sent)["photo"][0]
    assert {name: made[name] for name in made if name != "url"} == sent
    for name in sent:
        one = photo(alice, f"Binary/{file[0]}", **{name: sent[name]})["photo"][0]
        assert one[name] == sent[name] and set(one) - {"url", "title"} == set(sent) - {"title"}


def test_a_primitive_with_an_extension_only_is_given(alice, file):
    made = photo(alice, f"Binary/{file[0]}", _title={"extension": [{"url": "http://x", "valueBoolean": True}]})
    assert read(alice, f"Patient/{made['id']}")["photo"][0]["_title"]


def test_what_is_filled_in_is_not_stored(alice, file):
    made = photo(alice, f"Binary/{file[0]}")
    assert stored_url(alice, made, "/photo/0") == {"url": f"Binary/{file[0]}"}


def test_nothing_is_filled_in_when_that_is_off(start):
    server = start(directives={"FhirBinaryFillAttachments": "off"}, processes=1)
    who = server.project("not filled")
    identity, _ = who.upload(b"x", "text/plain")
    made = photo(who, f"Binary/{identity}")
    assert list(made["photo"][0]) == ["url"] and fetch(who, made["photo"][0]["url"]).body == b"x"


def test_a_binary_without_content(alice):
    made = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON},
                      json.dumps({"resourceType": "Binary", "contentType": "text/plain"}).encode()).json()
    attachment = photo(alice, f"Binary/{made['id']}")["photo"][0]
    assert set(attachment) == {"url", "contentType"}
    assert fetch(alice, attachment["url"]).status == 404


# ---- signed URLs ----

def test_the_same_url_within_the_window(alice, file):
    one, other = photo(alice, f"Binary/{file[0]}"), photo(alice, f"Binary/{file[0]}")
    assert one["photo"][0]["url"] == other["photo"][0]["url"] == read(alice, f"Patient/{one['id']}")["photo"][0]["url"]


def test_everywhere(alice, file):
    """read, vread, history, search, include, POST and PUT answers: one and the same URL."""
    identity, old, new = file
    made = photo(alice, f"Binary/{identity}")
    seen = [made, read(alice, f"Patient/{made['id']}"), read(alice, f"Patient/{made['id']}/_history/{made['meta']['versionId']}"),
            *[entry["resource"] for entry in alice.json(f"Patient/{made['id']}/_history").json()["entry"]],
            *entries(find(alice, f"Patient?_id={made['id']}")),
            *entries(find(alice, f"Patient?_id={made['id']}&_elements=photo")),
            update(alice, made), shown(patch(alice, f"Patient/{made['id']}", []))]
    document = create(alice, {"resourceType": "DocumentReference", "status": "current",
                              "subject": {"reference": f"Patient/{made['id']}"}, "content": [{"attachment": {"url": f"Binary/{identity}"}}]})
    bundle = find(alice, f"DocumentReference?_id={document['id']}&_include=DocumentReference:subject")
    seen += entries(bundle, "include")
    assert len(seen) == 9
    assert {one["photo"][0]["url"] for one in seen} == {made["photo"][0]["url"]}
    assert entries(bundle)[0]["content"][0]["attachment"]["url"] == made["photo"][0]["url"]
    posted = alice.call("POST", "Patient/_search", {"Content-Type": "application/x-www-form-urlencoded"},
                        f"_id={made['id']}".encode())
    assert entries(posted.json())[0]["photo"][0]["url"] == made["photo"][0]["url"]


def test_never_not_modified(alice, file):
    """The URLs that the client kept expire, though the resource stays the same."""
    made = photo(alice, f"Binary/{file[0]}")
    when = alice.get(f"Patient/{made['id']}").headers["Last-Modified"]
    for fields in {"If-None-Match": etag(made)}, {"If-Modified-Since": when}, {"If-None-Match": "*"}:
        for target in f"Patient/{made['id']}", f"Patient/{made['id']}/_history/{made['meta']['versionId']}":
            assert alice.get(target, fields).status == 200


def test_another_version_is_shown_as_soon_as_it_is_there(alice):
    identity, first = alice.upload(b"1", "text/plain")
    made = photo(alice, f"Binary/{identity}")
    _, second = alice.replace(identity, b"two", "text/plain")
    later = read(alice, f"Patient/{made['id']}")
    assert signed_for(alice, later["photo"][0]["url"], identity, second) and later["photo"][0]["size"] == 3
    assert fetch(alice, made["photo"][0]["url"]).body == b"1"


def test_a_resource_may_come_before_its_binary(start):
    server = start(directives={"FhirBinaryUpdateCreate": "on"}, processes=1)
    who = server.project("early")
    made = photo(who, "Binary/later")
    assert made["photo"] == [{"url": "Binary/later"}]
    assert who.call("PUT", "Binary/later", {"Content-Type": "text/plain"}, b"now").status == 201
    assert fetch(who, read(who, f"Patient/{made['id']}")["photo"][0]["url"]).body == b"now"


# ---- Binaries that can't be read ----

def test_a_deleted_binary(alice):
    identity, version = alice.upload(b"x", "text/plain")
    plain, pinned = photo(alice, f"Binary/{identity}"), photo(alice, f"Binary/{identity}/_history/{version}")
    assert alice.call("DELETE", f"Binary/{identity}").status == 204
    assert read(alice, f"Patient/{plain['id']}")["photo"] == [{"url": f"Binary/{identity}"}]
    assert read(alice, f"Patient/{pinned['id']}")["photo"] == [{"url": f"Binary/{identity}/_history/{version}"}]
    assert fetch(alice, plain["photo"][0]["url"]).status == 410


def test_a_binary_of_another_project(alice, bob):
    identity, version = bob.upload(b"secret of bob", "text/plain")
    for url in (f"Binary/{identity}", f"{bob.server.base}storage/{identity}/{version}", bob.server.base + bob.signed(identity)[1:]):
        assert photo(alice, url)["photo"] == [{"url": f"Binary/{identity}"}]
    assert photo(alice, f"Binary/{identity}/_history/{version}")["photo"] == [{"url": f"Binary/{identity}/_history/{version}"}]


def with_scope(client, scope):
    return {"Authorization": "Bearer " + client.new_token(scope)}


def narrowed(client, method, target, scope, headers=None, body=None):
    fields = {**with_scope(client, scope), **(headers or {})}
    return client.server.request(method, "/fhir/R4/" + target, fields, body)


@pytest.mark.parametrize("scope, signed", [("user/Patient.rs", False), ("user/Patient.rs user/Binary.r", True),
                                           ("user/*.rs", True), ("user/Patient.read", False), ("system/Patient.rs system/Binary.s", False)])
def test_scopes_without_binary(alice, file, scope, signed):
    made = photo(alice, f"Binary/{file[0]}")
    for target in f"Patient/{made['id']}", f"Patient/{made['id']}/_history/{made['meta']['versionId']}":
        seen = shown(narrowed(alice, "GET", target, scope))["photo"][0]
        assert seen["url"].startswith(alice.server.storage_base) == signed
        assert signed or seen == {"url": f"Binary/{file[0]}"}


def test_a_writer_who_may_not_read_the_binary(alice, file):
    """What this reader does not see it can't change by putting back what it saw."""
    made = photo(alice, f"Binary/{file[0]}/_history/{file[1]}", title="x")
    seen = shown(narrowed(alice, "GET", f"Patient/{made['id']}", "user/Patient.rs"))
    assert seen["photo"] == [{"url": f"Binary/{file[0]}/_history/{file[1]}", "title": "x"}]
    answer = narrowed(alice, "PUT", f"Patient/{made['id']}", "user/Patient.cruds", {"Content-Type": checks.FHIR_JSON},
                      json.dumps(seen).encode())
    assert shown(answer)["photo"] == seen["photo"]
    assert fetch(alice, read(alice, f"Patient/{made['id']}")["photo"][0]["url"]).body == b"first"


# ---- round trips ----

def test_a_signed_url_is_no_pin(alice):
    identity, _ = alice.upload(b"1", "text/plain")
    made = photo(alice, f"Binary/{identity}")
    alice.replace(identity, b"2", "text/plain")
    back = update(alice, made)
    assert stored_url(alice, back) == f"Binary/{identity}"
    assert fetch(alice, back["photo"][0]["url"]).body == b"2"


def test_pins_survive_round_trips(alice, file):
    identity, old, new = file
    made = photo(alice, f"Binary/{identity}/_history/{old}")
    for _ in range(2):
        made = update(alice, {**made, "active": True})
        assert stored_url(alice, made) == f"Binary/{identity}/_history/{old}"
        assert fetch(alice, made["photo"][0]["url"]).body == b"first"
    unpinned = update(alice, {**made, "photo": [{"url": f"Binary/{identity}"}]})
    assert fetch(alice, unpinned["photo"][0]["url"]).body == b"second"
    back = update(alice, {**made})  # the pin is gone: the version before had none
    assert stored_url(alice, back) == f"Binary/{identity}"


def test_a_url_of_one_pin_does_not_pin_in_another_resource(alice, file):
    made = photo(alice, f"Binary/{file[0]}/_history/{file[1]}")
    other = photo(alice, made["photo"][0]["url"])
    assert stored_url(alice, other) == f"Binary/{file[0]}"


def test_search_by_location(alice, file):
    identity = file[0]
    made = create(alice, {"resourceType": "DocumentReference", "status": "current",
                          "content": [{"attachment": {"url": f"{alice.server.fhir_base}Binary/{identity}", "contentType": "a/b"}}]})
    found = entries(find(alice, f"DocumentReference?location=Binary/{identity}&contenttype=a/b"))
    assert found[0] == made


@pytest.mark.parametrize("wrong", [5, None, {}, [], ["x"], True])
def test_attachments_of_wrong_shape(alice, wrong):
    answer = post(alice, {"resourceType": "Patient", "photo": [{"url": wrong}]})
    assert checks.outcome(answer, 400)["expression"][0].startswith("Patient.photo[0]"), answer
    answer = post(alice, {"resourceType": "Media", "content": wrong})
    assert checks.outcome(answer, 400)["expression"][0].startswith("Media.content"), answer


def test_created_by_its_id(postgres):
    """The seed documents' ids."""
    with httpd.Server(postgres, directives={"FhirBinaryUpdateCreate": "on"}, processes=1) as server:
        who = server.project("seeds")
        who.call("PUT", "Binary/report-binary-id", {"Content-Type": "application/pdf", "X-Security-Context": "Patient/homer-simpson"},
                 b"%PDF-1.4")
        shown(put(who, {"resourceType": "Patient", "id": "homer-simpson"}), 201)
        made = create(who, {"resourceType": "DiagnosticReport", "status": "final", "subject": {"reference": "Patient/homer-simpson"},
                            "presentedForm": [{"contentType": "application/pdf", "url": "Binary/report-binary-id"}]})
        assert fetch(who, made["presentedForm"][0]["url"]).body == b"%PDF-1.4"
        bundle = find(who, "DiagnosticReport?_include=DiagnosticReport:presented-form")
        [binary] = entries(bundle, "include")
        assert binary["securityContext"] == {"reference": "Patient/homer-simpson"} and "data" not in binary
        assert re.fullmatch(checks.UUID, binary["meta"]["versionId"])
