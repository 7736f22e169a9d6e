"""Issue section 6: create, raw and as a resource, and what comes back."""
import base64
import gzip
import hashlib
import json
import re
import zlib

import pytest
from harness import checks, content

FILES = {
    "pdf": ("application/pdf", content.pdf),
    "png": ("image/png", content.png),
    "mp4": ("video/mp4", content.mp4),
    "dicom": ("application/dicom", content.dicom),
    "zero": ("application/octet-stream", lambda: b""),
    "one": ("application/octet-stream", lambda: b"\0"),
    "text": ("text/plain; charset=iso-8859-1", lambda: "Befund: Fraktur ausgeschlossen, 37,5 °C".encode("latin-1")),
    "html": ("text/html", lambda: b"<script>alert(1)</script>"),
    "json": ("application/json", lambda: b'{"a": [1, 2, 0.10]}'),
    "cda": ("application/xml", lambda: b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"),
    "vendor": ("application/vnd.acme+zip;version=2", lambda: content.noise(70_000)),
}


@pytest.mark.parametrize("name", list(FILES))
def test_round_trip(alice, name):
    content_type, make = FILES[name]
    data = make()
    identity, version = alice.upload(data, content_type)
    answer = alice.get(f"Binary/{identity}")
    assert answer.status == 200, answer
    assert answer.body == data
    assert answer.headers["Content-Type"] == content_type, answer
    assert answer.headers["Content-Length"] == str(len(data)), answer
    assert answer.headers["ETag"] == f'"{version}"', answer
    assert answer.headers["Accept-Ranges"] == "bytes", answer
    assert answer.headers["X-Content-Type-Options"] == "nosniff", answer
    assert "sandbox" in answer.headers["Content-Security-Policy"], answer
    assert "private" in answer.headers["Cache-Control"], answer
    assert re.search("no-cache|must-revalidate|max-age=0", answer.headers["Cache-Control"]), answer
    assert "accept" in answer.headers["Vary"].lower(), answer
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:", answer
    shown = "inline" if content_type.split("/")[0] == "image" or content_type == "application/pdf" else None
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith(shown or ("attachment", "inline")), answer
    if name in ("html", "cda", "vendor"):
        assert disposition.startswith("attachment"), answer


def stream_round_trip(client, size):
    source = content.Stream(size)
    answer = client.call("POST", "Binary", {"Content-Type": "application/octet-stream"}, source, length=size,
                         timeout=600)
    identity, _ = checks.created(answer, client.server.fhir_base)
    back = client.get(f"Binary/{identity}", sink=lambda data: None, timeout=600)
    assert back.length == size and back.sha256 == source.digest.hexdigest()
    checks_delete = client.call("DELETE", f"Binary/{identity}")
    assert checks_delete.status == 204


def test_100_mib(alice):
    stream_round_trip(alice, 100 << 20)


@pytest.mark.large
def test_2_gib(alice):
    stream_round_trip(alice, 2 << 30)


def test_chunked_upload(alice):
    pieces = [content.noise(5000, seed) for seed in range(20)]
    answer = alice.call("POST", "Binary", {"Content-Type": "image/gif"}, chunks=pieces)
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").body == b"".join(pieces)


def test_create_answer(alice):
    """The default answer: 201 with the Binary in JSON, without data."""
    answer = alice.call("POST", "Binary", {"Content-Type": "application/pdf"}, content.pdf())
    identity, version = checks.created(answer, alice.server.fhir_base)
    resource = checks.binary(answer, 201)
    assert resource["id"] == identity and resource["meta"]["versionId"] == version
    assert resource["contentType"] == "application/pdf"
    assert "data" not in resource and "url" not in resource, resource
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", resource["meta"]["lastUpdated"])


def test_upload_is_readable_by_every_process(alice):
    identity, _ = alice.upload(b"everywhere")
    for _ in range(20):
        assert alice.get(f"Binary/{identity}").body == b"everywhere"


def test_trailing_slash(alice):
    answer = alice.call("POST", "Binary/", {"Content-Type": "text/plain"}, b"slash")
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}/").body == b"slash"


# ---- as a resource ----

def resource(data=b"hello", **more):
    made = {"resourceType": "Binary", "contentType": "text/plain", **more}
    if data is not None:
        made["data"] = base64.b64encode(data).decode()
    return {name: value for name, value in made.items() if value is not None}


def post_json(client, body, content_type=checks.FHIR_JSON, headers=None):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.call("POST", "Binary", {"Content-Type": content_type, **(headers or {})}, text)


@pytest.mark.parametrize("content_type", ["application/fhir+json", "application/fhir+json; charset=utf-8",
                                          "application/fhir+json;fhirVersion=4.0", "Application/FHIR+JSON",
                                          "application/json", "application/json; charset=UTF-8",
                                          "application/json+fhir"])
def test_resource_json(alice, content_type):
    answer = post_json(alice, resource(b"as a resource"), content_type)
    identity, _ = checks.created(answer, alice.server.fhir_base)
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == b"as a resource" and raw.headers["Content-Type"] == "text/plain", raw


def test_resource_xml(alice):
    body = (b'<?xml version="1.0" encoding="UTF-8"?><Binary xmlns="http://hl7.org/fhir">'
            b'<contentType value="image/png"/><securityContext><reference value="Patient/1"/></securityContext>'
            b'<data value="' + base64.b64encode(content.png()) + b'"/></Binary>')
    answer = alice.call("POST", "Binary", {"Content-Type": "application/fhir+xml"}, body)
    identity, _ = checks.created(answer, alice.server.fhir_base)
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == content.png() and raw.headers["Content-Type"] == "image/png", raw
    assert raw.headers["X-Security-Context"] == "Patient/1", raw
    read = alice.get(f"Binary/{identity}", {"Accept": "application/fhir+xml"})
    assert checks.media_type(read) == checks.FHIR_XML, read
    import xml.etree.ElementTree as tree
    root = tree.fromstring(read.body)
    space = "{http://hl7.org/fhir}"
    names = [child.tag.replace(space, "") for child in root]
    assert names == ["id", "meta", "contentType", "securityContext", "data"], names
    assert base64.b64decode(root.find(space + "data").get("value")) == content.png()


def test_resource_large_json_streams(alice):
    data = content.noise(3 << 20)
    answer = post_json(alice, resource(data))
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").sha256 == content.sha256(data)
    read = alice.json(f"Binary/{identity}")
    assert base64.b64decode(checks.binary(read)["data"]) == data


def test_client_id_and_meta_are_ignored_on_create(alice):
    answer = post_json(alice, resource(id="mine", meta={"versionId": "7", "lastUpdated": "2001-01-01T00:00:00Z",
                                                        "tag": [{"system": "urn:t", "code": "kept"}]}))
    identity, _ = checks.created(answer, alice.server.fhir_base)
    made = checks.binary(alice.json(f"Binary/{identity}"))
    assert identity != "mine" and made["id"] == identity
    assert made["meta"]["versionId"] != "7" and not made["meta"]["lastUpdated"].startswith("2001")
    assert made["meta"]["tag"] == [{"system": "urn:t", "code": "kept"}]


def test_elements_come_back_as_sent(alice):
    """Resources keep the client's own text: numbers keep their digits."""
    body = (b'{"resourceType":"Binary","language":"de-CH","implicitRules":"http://example.org/rules",'
            b'"contentType":"text/plain","securityContext":{"reference":"Patient/1","display":"M\xc3\xbcller",'
            b'"extension":[{"url":"http://e.org/x","valueDecimal":0.10}]},"data":"aGVsbG8="}')
    identity, _ = checks.created(post_json(alice, body), alice.server.fhir_base)
    read = alice.json(f"Binary/{identity}")
    made = checks.binary(read)
    assert made["language"] == "de-CH" and made["implicitRules"] == "http://example.org/rules"
    assert made["securityContext"]["display"] == "Müller"
    assert b"0.10" in read.body


def test_fhir_json_of_another_type_is_stored_as_is(alice):
    body = b'{ "resourceType": "Bundle",\n "type": "collection" }'
    answer = post_json(alice, body)
    identity, _ = checks.created(answer, alice.server.fhir_base)
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == body and raw.headers["Content-Type"] == "application/fhir+json", raw
    wrapper = alice.json(f"Binary/{identity}").json()  # the Binary, not what is inside it
    assert wrapper["resourceType"] == "Binary" and base64.b64decode(wrapper["data"]) == body
    assert wrapper["contentType"] == "application/fhir+json"


def test_fhir_xml_of_another_type_is_stored_as_is(alice):
    body = b'<Patient xmlns="http://hl7.org/fhir"><id value="1"/></Patient>'
    answer = alice.call("POST", "Binary", {"Content-Type": "application/fhir+xml"}, body)
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").body == body


def test_binary_without_data_waits(alice):
    answer = post_json(alice, resource(None))
    identity, _ = checks.created(answer, alice.server.fhir_base)
    made = checks.binary(alice.json(f"Binary/{identity}"))
    assert made["contentType"] == "text/plain" and "data" not in made
    issue = checks.outcome(alice.get(f"Binary/{identity}"), 404)
    assert "no content has been uploaded yet" in issue["diagnostics"].lower(), issue
    alice.replace(identity, b"now", "text/plain")
    assert alice.get(f"Binary/{identity}").body == b"now"


def test_sent_back_url_is_never_stored(alice):
    extended = {"X-Medplum": "extended"}
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "Accept": "application/fhir+json, */*; q=0.1",
                                           **extended}, b"roundtrip")
    made = checks.binary(answer, 201)
    assert made["url"].startswith(alice.server.storage_base)
    target = made["url"][len(alice.server.base) - 1:]
    assert alice.server.request("GET", target).body == b"roundtrip"
    back = alice.call("PUT", f"Binary/{made['id']}", {"Content-Type": checks.FHIR_JSON, **extended},
                      json.dumps(made).encode())
    assert back.status == 200, back
    assert "url" not in checks.binary(alice.json(f"Binary/{made['id']}"))
    assert alice.get(f"Binary/{made['id']}").body == b"roundtrip"


def test_extended_callers_get_json_without_data(alice):
    identity, _ = alice.upload(b"secret bytes", "text/plain")
    answer = alice.json(f"Binary/{identity}", {"X-Medplum": "extended"})
    assert "data" not in checks.binary(answer)


# ---- Prefer ----

def test_prefer(alice):
    def post(prefer, **more):
        return alice.call("POST", "Binary", {"Content-Type": "text/plain", "Prefer": prefer, **more}, b"preferred")

    minimal = post("return=minimal")
    checks.created(minimal, alice.server.fhir_base)
    assert minimal.body == b"" and minimal.headers["Content-Length"] == "0", minimal
    whole = post("return=representation")
    checks.created(whole, alice.server.fhir_base)
    assert base64.b64decode(whole.json()["data"]) == b"preferred"
    outcome = post("return=OperationOutcome")
    checks.created(outcome, alice.server.fhir_base)
    assert outcome.json()["resourceType"] == "OperationOutcome"
    assert outcome.json()["issue"][0]["severity"] == "information"
    assert post("handling=lenient; foo=bar").json()["resourceType"] == "Binary"
    xml = post("return=representation", Accept="application/fhir+xml")
    assert checks.media_type(xml) == checks.FHIR_XML and b"cHJlZmVycmVk" in xml.body


# ---- file names ----

@pytest.mark.parametrize("query, header, shown", [
    ("?_filename=report.pdf", None, 'filename="report.pdf"'),
    ("", 'attachment; filename="scan.pdf"', 'filename="scan.pdf"'),
    ("?_filename=first.pdf", 'attachment; filename="second.pdf"', 'filename="first.pdf"'),
    ("?_filename=R%C3%B6ntgen%20%231.pdf", None, "filename*=UTF-8''R%C3%B6ntgen%20%231.pdf"),
    ("", "attachment; filename*=UTF-8''%e2%82%ac.pdf", "filename*=UTF-8''%E2%82%AC.pdf"),
    ("?_filename=..%2F..%2Fetc%2Fpasswd.pdf", None, 'filename="passwd.pdf"'),
    ("?_filename=C%3A%5Cscans%5Cx.pdf", None, 'filename="x.pdf"'),
])
def test_filename_is_kept(alice, query, header, shown):
    identity, _ = alice.upload(content.pdf(), "application/pdf",
                               {"Content-Disposition": header} if header else None, query)
    disposition = alice.get(f"Binary/{identity}").headers["Content-Disposition"]
    assert shown.lower() in disposition.lower(), disposition
    signed = alice.server.request("GET", alice.signed(identity)).headers["Content-Disposition"]
    assert shown.lower() in signed.lower(), signed


def test_filename_survives_a_raw_update(alice):
    identity, _ = alice.upload(content.pdf(), "application/pdf", query="?_filename=a.pdf")
    alice.replace(identity, content.pdf("second"), "application/pdf")
    assert "a.pdf" in alice.get(f"Binary/{identity}").headers["Content-Disposition"]


def test_filename_cannot_split_headers(alice):
    identity, _ = alice.upload(b"x", "text/plain", query="?_filename=a%0D%0ASet-Cookie:%20b%22c.txt")
    answer = alice.get(f"Binary/{identity}")
    assert "Set-Cookie" not in answer.headers, answer
    assert answer.headers["Content-Disposition"].count('"') % 2 == 0 or "\\\"" in answer.headers["Content-Disposition"]


# ---- refusal lists ----

@pytest.mark.parametrize("content_type", ["application/x-msdownload", "application/x-sh", "application/java-archive",
                                          "application/vnd.microsoft.portable-executable",
                                          "application/vnd.apple.installer+xml", "APPLICATION/X-SH; a=b"])
def test_refused_content_types(alice, content_type):
    answer = alice.call("POST", "Binary", {"Content-Type": content_type}, b"MZ")
    checks.outcome(answer, 400)
    answer = post_json(alice, {"resourceType": "Binary", "contentType": content_type, "data": "TVo="})
    checks.outcome(answer, 400)


@pytest.mark.parametrize("name", ["setup.exe", "SETUP.EXE", "a.bat", "a.jar", "a.js", "a.vbs", "report.pdf.exe",
                                  "a.exe."])
def test_refused_extensions(alice, name):
    answer = alice.call("POST", f"Binary?_filename={name}", {"Content-Type": "application/octet-stream"}, b"MZ")
    checks.outcome(answer, 400)
    answer = alice.call("POST", "Binary", {"Content-Type": "application/octet-stream",
                                           "Content-Disposition": f'attachment; filename="{name}"'}, b"MZ")
    checks.outcome(answer, 400)


# ---- gzip and deflate uploads ----

@pytest.mark.parametrize("coding, pack", [
    ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress),
    ("deflate", lambda data: (lambda c: c.compress(data) + c.flush())(zlib.compressobj(wbits=-15))),
    ("identity", lambda data: data)], ids=["gzip", "x-gzip", "GZIP", "deflate", "raw-deflate", "identity"])
def test_decoded_uploads(alice, coding, pack):
    data = b"line of text\n" * 20_000
    identity, _ = alice.upload(pack(data), "text/plain", {"Content-Encoding": coding})
    answer = alice.get(f"Binary/{identity}")
    assert answer.body == data and "Content-Encoding" not in answer.headers
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON, "Content-Encoding": coding},
                        pack(json.dumps(resource(b"packed json")).encode()))
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").body == b"packed json"


PACKED = gzip.compress(content.noise(100_000))
CORRUPT = {
    "truncated": PACKED[:50_000], "only header": PACKED[:10], "empty": b"", "not gzip": b"hello world, no gzip",
    "flipped": PACKED[:40_000] + bytes([PACKED[40_000] ^ 255]) + PACKED[40_001:],
    "bad crc": PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "garbage after": PACKED + b"garbage",
}


@pytest.mark.parametrize("name", list(CORRUPT))
def test_corrupt_gzip(alice, name):
    kept = versions(alice)
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, CORRUPT[name])
    checks.outcome(answer, 400)
    assert versions(alice) == kept


def test_gzip_bomb(alice):
    """100 MiB of zeros in 100 KiB: more than any ratio that text has."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(300)) + packer.flush()
    assert len(bomb) < 400_000
    kept = versions(alice)
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, bomb)
    checks.outcome(answer, 413)
    assert versions(alice) == kept


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "aes128gcm"])
def test_unknown_content_encoding(alice, coding):
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "Content-Encoding": coding}, b"x")
    checks.outcome(answer, 400)


# ---- integrity ----

def versions(client):
    """What is stored: versions, objects, and what the store holds."""
    server = client.server
    rows = server.sql("SELECT (SELECT count(*) FROM fhir_binary.binary_version), "
                      "(SELECT count(*) FROM fhir_binary.object)")
    return rows[0], server.stored()


def digests(data):
    def b64(name):
        return base64.b64encode(hashlib.new(name, data).digest()).decode()
    return [("Content-MD5", b64("md5")), ("Digest", "SHA-256=" + b64("sha256")),
            ("Digest", "md5=" + b64("md5") + ",sha-512=" + b64("sha512")), ("Digest", "SHA=" + b64("sha1")),
            ("Repr-Digest", f"sha-256=:{b64('sha256')}:"), ("Repr-Digest", f"sha-512=:{b64('sha512')}:"),
            ("Content-Digest", f"sha-256=:{b64('sha256')}:")]


@pytest.mark.parametrize("index", range(7))
def test_client_digest(alice, index):
    data = content.pdf("digest")
    name, value = digests(data)[index]
    alice.upload(data, "application/pdf", {name: value})
    kept = versions(alice)
    answer = alice.call("POST", "Binary", {"Content-Type": "application/pdf", name: value}, data[:-1] + b"X")
    issue = checks.outcome(answer, 400)
    assert name.lower() in issue["diagnostics"].lower(), issue
    assert versions(alice) == kept


@pytest.mark.parametrize("name, value", [
    ("Content-MD5", "not base64!"), ("Content-MD5", "YWJj"), ("Digest", "SHA-256=YWJj"), ("Digest", "SHA-256"),
    ("Repr-Digest", "sha-256=abc"), ("Repr-Digest", "sha-256=:YWJj:"), ("Repr-Digest", "sha-256=:!!:")])
def test_malformed_digest(alice, name, value):
    checks.outcome(alice.call("POST", "Binary", {"Content-Type": "text/plain", name: value}, b"x"), 400)


@pytest.mark.parametrize("name, value", [("Repr-Digest", "crc32c=:AAAAAA==:"), ("Digest", "unixsum=30637"),
                                         ("Want-Repr-Digest", "sha-256=1")])
def test_unknown_digest_algorithms_are_ignored(alice, name, value):
    alice.upload(b"x", "text/plain", {name: value})


def test_digest_of_an_update(alice):
    identity, version = alice.upload(b"first", "text/plain")
    answer = alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain",
                                                      "Content-MD5": digests(b"other")[0][1]}, b"second")
    checks.outcome(answer, 400)
    assert alice.get(f"Binary/{identity}").headers["ETag"] == f'"{version}"'


# ---- what create does not do ----

def test_if_none_exist_is_refused(alice):
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "If-None-Exist": "_id=1"}, b"x")
    checks.outcome(answer, 400)


def test_type_level(alice):
    for method, target in (("GET", "Binary"), ("GET", "Binary?_id=1"), ("POST", "Binary/_search"),
                           ("DELETE", "Binary?_id=1"), ("PUT", "Binary?_id=1"), ("PUT", "Binary")):
        body = b"" if method != "GET" else None
        answer = alice.call(method, target, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        checks.outcome(answer, answer.status)
        assert answer.status in (400, 404, 405), answer


def test_patch_is_not_defined(alice):
    identity, _ = alice.upload(b"x")
    answer = alice.call("PATCH", f"Binary/{identity}", {"Content-Type": "application/json-patch+json"}, b"[]")
    checks.outcome(answer, 405)
    assert "Allow" in answer.headers, answer


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "MKCOL", "LOCK", "FOO"])
def test_other_methods(alice, method):
    answer = alice.call(method, "Binary/1")
    assert answer.status in (405, 501), answer
