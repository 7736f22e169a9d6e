"""Issue section 6: negotiation, HEAD, conditional reads, ranges."""
import base64
import re
import time
from email.message import Message
from email.parser import BytesParser

import pytest
from harness import checks, content

DATA = bytes(range(256)) * 40  # 10240 bytes
RAW, JSON, XML = "raw", checks.FHIR_JSON, checks.FHIR_XML


@pytest.fixture(scope="module")
def stored(alice):
    """(id, version id) of DATA as application/pdf."""
    return alice.upload(DATA, "application/pdf", query="?_filename=a.pdf")


# ---- negotiation: reference section 1.2 ----

NEGOTIATION = [
    (None, None, RAW),
    ("*/*", None, RAW),
    ("application/pdf", None, RAW),
    ("text/plain", None, RAW),  # the server does not transcode
    ("application/json", None, RAW),
    ("application/xml", None, RAW),
    ("text/xml", None, RAW),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", None, RAW),
    ("application/fhir+json", None, JSON),
    ("application/fhir+xml", None, XML),
    ("application/json+fhir", None, JSON),
    ("application/xml+fhir", None, XML),
    ("APPLICATION/FHIR+JSON", None, JSON),
    ("application/fhir+json; fhirVersion=4.0", None, JSON),
    ("application/fhir+json; charset=utf-8", None, JSON),
    ("application/fhir+json, */*; q=0.1", None, JSON),
    ("*/*, application/fhir+json", None, JSON),
    ("*/*;q=1, application/fhir+json;q=0.5", None, RAW),
    ("application/fhir+json;q=0, */*", None, RAW),
    ("application/fhir+xml;q=0.4, application/fhir+json;q=0.5", None, JSON),
    ("application/fhir+xml;q=0.9, application/fhir+json;q=0.5", None, XML),
    ("application/pdf;q=0.1, application/fhir+json;q=0.9", None, JSON),
    ("application/pdf, application/fhir+json;q=0.9", None, RAW),
    (" application/fhir+json ;q=1.000 ,", None, JSON),
    ("", None, RAW),
    ("*/*", "json", JSON),
    ("application/pdf", "application/json", JSON),
    (None, "xml", XML),
    (None, "text/xml", XML),
    (None, "application/xml", XML),
    (None, "application/fhir%2Bjson", JSON),
    (None, "application/fhir+json", JSON),  # '+' unescaped, as many clients send it
    ("application/fhir+json", "xml", XML),
    (None, "application/fhir%2Bxml", XML),
]


def form(answer):
    kind = checks.media_type(answer)
    return kind if kind in (JSON, XML) else RAW


@pytest.mark.parametrize("accept, format_, expected", NEGOTIATION)
def test_negotiation(alice, stored, accept, format_, expected):
    for target in (f"Binary/{stored[0]}", f"Binary/{stored[0]}/_history/{stored[1]}"):
        query = f"?_format={format_}" if format_ else ""
        answer = alice.get(target + query, {"Accept": accept})
        assert answer.status == 200, answer
        assert form(answer) == expected, answer
        if expected == RAW:
            assert answer.body == DATA and answer.headers["Content-Type"] == "application/pdf"
        elif expected == JSON:
            assert base64.b64decode(checks.binary(answer)["data"]) == DATA
        else:
            assert answer.headers["ETag"] == f'W/"{stored[1]}"', answer
        assert "accept" in answer.headers["Vary"].lower(), answer


@pytest.mark.parametrize("accept, format_", [("application/fhir+turtle", None), (None, "ttl"),
                                             (None, "text/turtle"), (None, "html"), (None, "pdf")])
def test_forms_we_do_not_have(alice, stored, accept, format_):
    query = f"?_format={format_}" if format_ else ""
    checks.outcome(alice.get(f"Binary/{stored[0]}" + query, {"Accept": accept}), 406)


@pytest.mark.parametrize("accept", ["application/fhir+json;q=2", "application/fhir+json;q=abc", "foo", "a/b/c",
                                    ";;;", "/"])
def test_unparsable_accept(alice, stored, accept):
    answer = alice.get(f"Binary/{stored[0]}", {"Accept": accept})
    checks.outcome(answer, 400)


def test_errors_are_negotiated(alice):
    answer = alice.get("Binary/unknown", {"Accept": "application/fhir+xml"})
    assert checks.media_type(answer) == XML
    checks.outcome(answer, 404)
    checks.outcome(alice.get("Binary/unknown", {"Accept": "image/png"}), 404)


def test_accept_json_as_fhir_switch(start):
    server = start(directives={"FhirBinaryAcceptJSONAsFHIR": "On"}, processes=1)
    who = server.project("python clients")
    identity, _ = who.upload(DATA, "application/pdf")
    assert form(who.get(f"Binary/{identity}", {"Accept": "application/json"})) == JSON
    assert form(who.get(f"Binary/{identity}", {"Accept": "application/pdf"})) == RAW


# ---- _summary, _elements ----

def test_summary_and_elements(alice, stored):
    target = f"Binary/{stored[0]}"
    for query in ("?_summary=true", "?_elements=contentType", "?_elements=contentType,securityContext"):
        made = checks.binary(alice.json(target + query))
        assert "data" not in made and made["contentType"] == "application/pdf", made
        assert any(tag.get("code") == "SUBSETTED" for tag in made["meta"]["tag"]), made
    for query in ("?_summary=false", "?_elements=data,contentType"):
        assert base64.b64decode(checks.binary(alice.json(target + query))["data"]) == DATA
    assert alice.get(target + "?_summary=true").body == DATA  # does not apply to the raw form
    checks.outcome(alice.json(target + "?_summary=maybe"), 400)


def test_large_content_is_left_out_of_the_json_form(start):
    server = start(directives={"FhirBinaryMaxInlineData": "64K"}, processes=1)
    who = server.project("inline")
    small, _ = who.upload(content.noise(65536))
    large, _ = who.upload(content.noise(65537))
    assert len(base64.b64decode(checks.binary(who.json(f"Binary/{small}"))["data"])) == 65536
    made = checks.binary(who.json(f"Binary/{large}"))
    assert "data" not in made and any(tag.get("code") == "SUBSETTED" for tag in made["meta"]["tag"]), made
    xml = who.get(f"Binary/{large}", {"Accept": XML})
    assert b"<data" not in xml.body and b"SUBSETTED" in xml.body


# ---- HEAD ----

@pytest.mark.parametrize("accept", [None, JSON, XML])
@pytest.mark.parametrize("target", ["Binary/{0}", "Binary/{0}/_history/{1}", "Binary/{0}/_history", "Binary/unknown",
                                    "metadata", "Binary/{0}?_summary=true"])
def test_head_describes_what_get_sends(alice, stored, accept, target):
    target = target.format(*stored)
    get = alice.get(target, {"Accept": accept})
    head = alice.call("HEAD", target, {"Accept": accept})
    assert head.status == get.status and head.body == b"", head
    ignored = {"date", "connection", "keep-alive", "x-request-id"}

    def fields(answer):
        return sorted((k.lower(), v) for k, v in answer.headers.pairs if k.lower() not in ignored)

    assert fields(head) == fields(get), (head, get)
    assert int(get.headers["Content-Length"]) == len(get.body)


def test_head_of_a_signed_url(alice, stored):
    target = alice.signed(stored[0])
    head = alice.server.request("HEAD", target)
    assert head.status == 200 and head.headers["Content-Length"] == str(len(DATA)) and head.body == b""


# ---- conditional reads ----

def test_if_none_match(alice, stored):
    target, vid = f"Binary/{stored[0]}", stored[1]
    for tag in (f'"{vid}"', f'W/"{vid}"', f'"x", "{vid}"', "*", vid):
        answer = alice.get(target, {"If-None-Match": tag})
        assert answer.status == 304 and answer.body == b"", (tag, answer)
        assert vid in answer.headers["ETag"], answer
        assert "Content-Type" not in answer.headers, answer
        assert alice.call("HEAD", target, {"If-None-Match": tag}).status == 304
    for tag in ('"other"', 'W/"other"'):
        assert alice.get(target, {"If-None-Match": tag}).status == 200
    assert alice.json(target, {"If-None-Match": f'W/"{vid}"'}).status == 304


def test_if_modified_since(alice, stored):
    target = f"Binary/{stored[0]}"
    modified = alice.get(target).headers["Last-Modified"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", modified)
    assert alice.get(target, {"If-Modified-Since": modified}).status == 304
    assert alice.get(target, {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}).status == 200
    for odd in ("yesterday", "Sat, 99 Foo 2000 00:00:00 GMT", "0", ""):
        assert alice.get(target, {"If-Modified-Since": odd}).status == 200  # RFC 9110 13.1.3: ignored
    answer = alice.get(target, {"If-Modified-Since": modified, "If-None-Match": '"other"'})
    assert answer.status == 200  # If-None-Match wins


@pytest.mark.parametrize("tag", ['"unclosed', 'W/', '"a" "b"', '"a",,"b', "a b", '"a\x01"'])
def test_unparsable_if_none_match(alice, stored, tag):
    checks.outcome(alice.get(f"Binary/{stored[0]}", {"If-None-Match": tag}), 400)


# ---- ranges ----

def places(alice, stored):
    """The three URLs that lead to the same bytes."""
    return [(alice.get, f"Binary/{stored[0]}"), (alice.get, f"Binary/{stored[0]}/_history/{stored[1]}"),
            (lambda target, headers: alice.server.request("GET", target, headers), alice.signed(stored[0]))]


@pytest.mark.parametrize("spec, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=0-99", 0, 99), ("bytes=10239-10239", 10239, 10239), ("bytes=10000-", 10000, 10239),
    ("bytes=-1", 10239, 10239), ("bytes=-500", 9740, 10239), ("bytes=-99999", 0, 10239),
    ("bytes=0-99999999999", 0, 10239), ("bytes= 5-6", 5, 6), ("Bytes=5-6", 5, 6), ("bytes=0-9,10-19", 0, 19),
    ("bytes=0-10,5-20", 0, 20), ("bytes=100-199, 20000-20001", 100, 199)])
def test_single_range(alice, stored, spec, first, last):
    for get, target in places(alice, stored):
        answer = get(target, {"Range": spec})
        assert answer.status == 206, answer
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/10240", answer
        assert answer.headers["Content-Length"] == str(last - first + 1), answer
        assert answer.body == DATA[first:last + 1]
        assert answer.headers["Content-Type"] == "application/pdf", answer
        assert answer.headers["ETag"] == f'"{stored[1]}"', answer


@pytest.mark.parametrize("spec", ["bytes=10240-", "bytes=10240-10241", "bytes=99999999999-", "bytes=-0"])
def test_unsatisfiable_range(alice, stored, spec):
    for get, target in places(alice, stored):
        answer = get(target, {"Range": spec})
        checks.outcome(answer, 416)
        assert answer.headers["Content-Range"] == "bytes */10240", answer


@pytest.mark.parametrize("spec", ["bytes", "bytes=", "bytes=a-b", "bytes=5-2", "items=0-1", "bytes=--1", "bytes=1",
                                  "bytes=0-1-2", "bytes=0-99999999999999999999999999", "bytes=0x1-2", "",
                                  "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 1500, 3))])
def test_unparsable_ranges_are_ignored(alice, stored, spec):
    for get, target in places(alice, stored):
        answer = get(target, {"Range": spec})
        if spec == "bytes=0-99999999999999999999999999":
            assert answer.status in (200, 206), answer
        else:
            assert answer.status == 200, answer
        assert answer.body == DATA


def parts_of(answer):
    message = BytesParser().parsebytes(b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n"
                                       + answer.body)
    assert isinstance(message, Message) and message.is_multipart(), answer
    boundary = message.get_boundary().encode()
    pieces = re.split(b"(?:\r\n)?--" + re.escape(boundary) + b"(?:--)?(?:\r\n|$)", answer.body)
    found = []
    for piece in pieces:
        if piece:
            head, _, body = piece.partition(b"\r\n\r\n")
            found.append((head.decode(), body))
    return found


def test_multiple_ranges(alice, stored):
    for get, target in places(alice, stored):
        answer = get(target, {"Range": "bytes=0-9, 100-109, -10"})
        assert answer.status == 206, answer
        assert answer.headers["Content-Type"].startswith("multipart/byteranges"), answer
        assert int(answer.headers["Content-Length"]) == len(answer.body)
        found = parts_of(answer)
        assert [body for _, body in found] == [DATA[0:10], DATA[100:110], DATA[-10:]], found
        for (head, _), place in zip(found, ("0-9", "100-109", "10230-10239")):
            assert f"content-range: bytes {place}/10240" in head.lower(), head
            assert "content-type: application/pdf" in head.lower(), head


def test_if_range(alice, stored):
    modified = alice.get(f"Binary/{stored[0]}").headers["Last-Modified"]
    for get, target in places(alice, stored):
        for value, status in ((f'"{stored[1]}"', 206), ('"other"', 200), (f'W/"{stored[1]}"', 200), (modified, 206),
                              ("Sat, 01 Jan 2000 00:00:00 GMT", 200), ("nonsense", 200)):
            answer = get(target, {"Range": "bytes=0-4", "If-Range": value})
            assert answer.status == status, (value, answer)
            assert answer.body == (DATA[:5] if status == 206 else DATA)


def test_ranges_do_not_apply_to_the_json_form(alice, stored):
    answer = alice.json(f"Binary/{stored[0]}", {"Range": "bytes=0-9"})
    assert answer.status == 200 and checks.binary(answer), answer
    assert "Accept-Ranges" not in answer.headers or answer.headers["Accept-Ranges"] == "none", answer


def test_range_of_nothing(alice):
    identity, _ = alice.upload(b"")
    assert alice.get(f"Binary/{identity}", {"Range": "bytes=0-0"}).status == 416
    answer = alice.get(f"Binary/{identity}", {"Range": "bytes=-5"})
    assert answer.status in (200, 416), answer


def test_range_and_not_modified(alice, stored):
    answer = alice.get(f"Binary/{stored[0]}", {"Range": "bytes=0-4", "If-None-Match": f'"{stored[1]}"'})
    assert answer.status == 304


def test_ranges_put_together_a_large_file(alice):
    source = content.Stream(12 << 20)
    answer = alice.call("POST", "Binary", {"Content-Type": "video/mp4"}, source, length=source.size)
    identity, _ = checks.created(answer, alice.server.fhir_base)
    import hashlib
    whole, step = hashlib.sha256(), 2_500_003
    for first in range(0, source.size, step):
        whole.update(alice.get(f"Binary/{identity}", {"Range": f"bytes={first}-{first + step - 1}"}).body)
    assert whole.hexdigest() == source.digest.hexdigest()


def test_aborted_downloads_leak_nothing(alice):
    identity, _ = alice.upload(content.noise(20 << 20))
    for _ in range(10):
        with alice.server.connect() as wired:
            from harness import wire
            wired.send(wire.head("GET", f"/fhir/R4/Binary/{identity}", [("Host", "x")] + list(alice.bearer.items())))
            wired.socket.recv(1000)
    time.sleep(0.2)
    alice.server.check_descriptors()


def test_keep_alive_after_every_kind_of_answer(alice, stored):
    from harness import wire
    fields = [("Host", "x")] + list(alice.bearer.items())
    with alice.server.connect() as wired:
        for extra in ([], [("Range", "bytes=0-9")], [("If-None-Match", "*")], [("Range", "bytes=0-1,5-6")],
                      [("Range", "bytes=99999-")], [("Accept", JSON)], []):
            wired.send(wire.head("GET", f"/fhir/R4/Binary/{stored[0]}", fields + extra))
            assert wired.response().status in (200, 206, 304, 416)
