"""Issue section 8: bad input, each with a status, an OperationOutcome, and nothing stored."""
import json
import socket
import time

import pytest
from harness import checks, content, wire
from test_200_create import versions


@pytest.fixture
def unchanged(alice):
    """Nothing may be stored by the test."""
    before = versions(alice)
    yield
    alice.server.wait_idle()
    assert versions(alice) == before


# ---- targets ----

@pytest.mark.parametrize("target, statuses", [
    ("/fhir/R4/Binary/never-seen", (404,)),
    ("/fhir/R4/Binary/" + "x" * 64, (404,)),
    ("/fhir/R4/Binary/" + "x" * 65, (404,)),
    ("/fhir/R4/Binary/" + "x" * 5000, (404, 414)),
    ("/fhir/R4/Binary/..", (405,)),  # the base: nothing to read there
    ("/fhir/R4/Binary/../Binary/never-seen", (404,)),
    ("/fhir/R4/Binary/..%2F..%2Fetc%2Fpasswd", (404,)),
    ("/fhir/R4/Binary/%2e%2e/%2e%2e/R4/Binary/x", (404,)),
    ("/fhir/R4/Binary/a%2Fb", (404,)),
    ("/fhir/R4/Binary/a%5Cb", (404,)),
    ("/fhir/R4/Binary/a%00b", (400, 404)),
    ("/fhir/R4/Binary/%00", (400, 404)),
    ("/fhir/R4/Binary/%zz", (400, 404)),
    ("/fhir/R4/Binary/%", (400, 404)),
    ("/fhir/R4/Binary/%ff%fe", (400, 404)),
    ("/fhir/R4/Binary/'%20OR%20'1'='1", (404,)),
    ("/fhir/R4/Binary/x?_format=%zz", (400,)),
    ("/fhir/R4/Binary/x?a=%00", (400,)),
    ("/fhir/R4/Binary/x?_filename=%ff", (400, 404)),
    ("/fhir/R4/Binary/x?" + "&".join(f"a{i}=1" for i in range(300)), (400,)),
    ("/fhir/R4/binary/x", (404,)),
    ("/fhir/R4/Binary//x", (404,)),
    ("/fhir/R4//Binary/x", (404,)),
    ("/storage/../fhir/R4/Binary/never-seen", (404,)),
    ("/storage/a%2Fb/c?Signature=x", (400, 403, 404)),
    ("/storage/a/b?Signature=%00", (400, 403)),
    ("/storage/a/b?Signature=%zz", (400, 403)),
])
def test_odd_targets(alice, unchanged, target, statuses):
    alice.server.expect_log("AH10244: invalid URI path")
    answer = alice.call("GET", target)
    assert answer.status in statuses, answer
    checks.outcome(answer, answer.status, checks.CODES[answer.status] | {"invalid", "value"})


@pytest.mark.parametrize("size", [9_000, 65_536])
def test_long_targets(alice, size):
    """httpd itself refuses them, before it knows whose path it is."""
    answer = alice.call("GET", "/fhir/R4/Binary/" + "x" * size)
    assert answer.status == 414, answer
    if checks.media_type(answer) == checks.FHIR_JSON:
        checks.outcome(answer, 414)


def test_long_header(alice):
    answer = alice.get("Binary/x", {"X-Long": "y" * 20_000})
    assert answer.status in (400, 431), answer


def test_many_headers(alice):
    answer = alice.get("Binary/x", [(f"X-{i}", "y") for i in range(300)])
    assert answer.status in (400, 431), answer


# ---- header fields ----

@pytest.mark.parametrize("content_type", ["text", "text/", "/plain", "text/plain; charset", "a b/c", "text/plain;;=x",
                                          "text/pl\x01ain", "text/plain\x7f", "x/" + "y" * 300, "*/*", "text/*"])
def test_unparsable_content_type(alice, unchanged, content_type):
    answer = alice.call("POST", "Binary", {"Content-Type": content_type}, b"x")
    checks.outcome(answer, 400)


@pytest.mark.parametrize("fields", [{}, {"Content-Type": ""}])
def test_no_content_type(alice, fields):
    """RFC 9110 section 8.3: then it is application/octet-stream."""
    identity, _ = checks.created(alice.call("POST", "Binary", fields, b"x"), alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").headers["Content-Type"] == "application/octet-stream"


def test_two_content_types(alice, unchanged):
    answer = alice.call("POST", "Binary", [("Content-Type", "text/plain"), ("Content-Type", "image/png")], b"x")
    checks.outcome(answer, 400)


def test_header_with_NUL(alice, unchanged):
    answer = alice.call("POST", "Binary", {"Content-Type": "text/pl\0ain"}, b"x")
    assert answer.status == 400, answer


def test_content_type_cannot_split_headers(alice):
    with alice.server.connect() as wired:
        fields = [("Host", "x"), ("Content-Type", "text/plain; a=\"b\r\n Set-Cookie: c\""), ("Content-Length", "1")]
        wired.send(wire.head("POST", "/fhir/R4/Binary", fields + list(alice.bearer.items())) + b"x")
        answer = wired.response()
    if answer.status == 201:
        back = alice.get(f"Binary/{answer.json()['id']}")
        assert "Set-Cookie" not in back.headers.get("Content-Type").split("\n") and "Set-Cookie" not in back.headers
    else:
        checks.outcome(answer, 400)


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "Authorization", "X-Security-Context", "Content-Encoding"])
def test_doubled_headers_do_not_crash(alice, name):
    answer = alice.call("PUT", "Binary/never-seen", [("Content-Type", "text/plain"), (name, "a"), (name, "b")], b"x")
    assert 400 <= answer.status < 500, answer
    checks.outcome(answer, answer.status)


@pytest.mark.parametrize("prefer", ["return=", "=", ";;;", "return=everything", "a" * 3000, "\x01"])
def test_odd_prefer_is_ignored(alice, prefer):
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "Prefer": prefer}, b"x")
    assert answer.status in (201, 400), answer


# ---- lengths ----

def raw_post(alice, fields, body, path="/fhir/R4/Binary", then=None):
    with alice.server.connect() as wired:
        wired.send(wire.head("POST", path, [("Host", "x"), ("Content-Type", "text/plain")]
                             + list(alice.bearer.items()) + fields) + body)
        if then:
            then(wired)
        return wired.response()


@pytest.mark.parametrize("value", ["abc", "-1", "1x", "", "99999999999999999999999", "+5", "0x10", "1, 2"])
def test_wrong_content_length(alice, unchanged, value):
    answer = raw_post(alice, [("Content-Length", value), ("Connection", "close")], b"x")
    assert answer.status in (400, 413), answer
    checks.outcome(answer, answer.status)


def test_two_content_lengths(alice, unchanged):
    answer = raw_post(alice, [("Content-Length", "1"), ("Content-Length", "2"), ("Connection", "close")], b"xy")
    assert answer.status == 400, answer


def test_length_and_chunked(alice):
    """Request smuggling: whichever httpd takes, the connection ends."""
    answer = raw_post(alice, [("Content-Length", "3"), ("Transfer-Encoding", "chunked"), ("Connection", "close")],
                      b"1\r\nx\r\n0\r\n\r\n")
    assert answer.status in (201, 400), answer


@pytest.mark.parametrize("body", [b"zz\r\nx\r\n0\r\n\r\n", b"-1\r\nx\r\n", b"5\r\nabc\r\n0\r\n\r\n",
                                  b"FFFFFFFFFFFFFFFFFF\r\nx", b"1;" + b"e" * 20000 + b"\r\nx\r\n0\r\n\r\n"])
def test_broken_chunks(alice, unchanged, body):
    alice.server.expect_log("AH0|chunk")
    try:
        answer = raw_post(alice, [("Transfer-Encoding", "chunked"), ("Connection", "close")], body,
                          then=lambda wired: wired.socket.shutdown(socket.SHUT_WR))
    except wire.WireError:
        return  # the connection may simply end
    assert answer.status in (400, 408, 413), answer


def test_unknown_transfer_encoding(alice, unchanged):
    answer = raw_post(alice, [("Transfer-Encoding", "gzip"), ("Connection", "close")], b"x")
    assert answer.status in (400, 501), answer


def test_no_length_means_no_body(alice):
    """Without a length and without chunks a request has no body: an empty file."""
    answer = raw_post(alice, [("Connection", "close")], b"")
    assert answer.status in (201, 400, 411), answer
    if answer.status == 201:
        assert alice.get(f"Binary/{answer.json()['id']}").body == b""


@pytest.mark.parametrize("sent", [0, 1, 100_000])
def test_early_close(alice, unchanged, sent):
    for method, target in (("POST", "/fhir/R4/Binary"),):
        with alice.server.connect() as wired:
            wired.send(wire.head(method, target, [("Host", "x"), ("Content-Type", "text/plain"),
                                                  ("Content-Length", "200000")] + list(alice.bearer.items()))
                       + b"x" * sent)
    alice.server.wait_idle()


def test_half_close(alice, unchanged):
    """The client says that it has finished, too early, and still listens."""
    try:
        answer = raw_post(alice, [("Content-Length", "100"), ("Connection", "close")], b"x" * 50,
                          then=lambda wired: wired.socket.shutdown(socket.SHUT_WR))
    except wire.WireError:
        return
    assert answer.status in (400, 408), answer


def test_early_close_inside_chunks(alice, unchanged):
    with alice.server.connect() as wired:
        wired.send(wire.head("POST", "/fhir/R4/Binary", [("Host", "x"), ("Content-Type", "text/plain"),
                                                         ("Transfer-Encoding", "chunked")]
                             + list(alice.bearer.items())) + b"ff\r\nabc")
    alice.server.wait_idle()


def test_reset_while_uploading(alice, unchanged):
    import struct
    wired = alice.server.connect()
    wired.send(wire.head("POST", "/fhir/R4/Binary", [("Host", "x"), ("Content-Type", "text/plain"),
                                                     ("Content-Length", "200000")] + list(alice.bearer.items()))
               + b"x" * 70_000)
    time.sleep(0.1)
    wired.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wired.close()
    alice.server.wait_idle()


# ---- JSON and XML ----

GOOD = '{"resourceType":"Binary","contentType":"text/plain","data":"aGVsbG8="}'
BAD_JSON = {
    "truncated": GOOD[:-5],
    "truncated in data": GOOD[:60],
    "garbage after": GOOD + "x",
    "two values": GOOD + GOOD,
    "not closed": GOOD[:-1],
    "trailing comma": GOOD[:-1] + ",}",
    "single quotes": GOOD.replace('"', "'"),
    "comment": "/* */" + GOOD,
    "duplicate key": GOOD[:-1] + ',"contentType":"text/html"}',
    "duplicate data": GOOD[:-1] + ',"data":"aGVsbG8="}',
    "duplicate resourceType": GOOD[:-1] + ',"resourceType":"Binary"}',
    "duplicate nested key": GOOD[:-1] + ',"meta":{"source":"a","source":"b"}}',
    "duplicate escaped key": GOOD[:-1] + ',"dat\\u0061":"aGVsbG8="}',
    "unknown element": GOOD[:-1] + ',"colour":"red"}',
    "no content type": '{"resourceType":"Binary","data":"aGVsbG8="}',
    "content type number": '{"resourceType":"Binary","contentType":5}',
    "content type null": '{"resourceType":"Binary","contentType":null}',
    "content type empty": '{"resourceType":"Binary","contentType":""}',
    "content type no type": '{"resourceType":"Binary","contentType":"pdf"}',
    "data number": '{"resourceType":"Binary","contentType":"text/plain","data":5}',
    "data array": '{"resourceType":"Binary","contentType":"text/plain","data":["aGVsbG8="]}',
    "data null": '{"resourceType":"Binary","contentType":"text/plain","data":null}',
    "context text": GOOD[:-1] + ',"securityContext":"Patient/1"}',
    "context bad": GOOD[:-1] + ',"securityContext":{"reference":"nonsense"}}',
    "deep array": '{"resourceType":"Binary","contentType":"text/plain","meta":' + "[" * 10_000 + "]" * 10_000 + "}",
    "deep object": '{"resourceType":"Binary","meta":' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}",
    "control character": GOOD.replace("text/plain", "text/\x01plain"),
    "lone surrogate": GOOD[:-1] + ',"language":"\\ud800"}',
    "NUL escape": GOOD[:-1] + ',"language":"a\\u0000b"}',
    "bad escape": GOOD[:-1] + ',"language":"\\x41"}',
    "bad number": GOOD[:-1] + ',"meta":{"x":01}}',
    "padding missing": GOOD.replace("aGVsbG8=", "aGVsbG8"),
    "padding inside": GOOD.replace("aGVsbG8=", "aG=VsbG8"),
    "padding too much": GOOD.replace("aGVsbG8=", "aGVsbG8=="),
    "padding bits": GOOD.replace("aGVsbG8=", "aGVsbG9="),
    "foreign character": GOOD.replace("aGVsbG8=", "aGVs!G8="),
    "base64url": GOOD.replace("aGVsbG8=", "__-_"),
    "data after padding": GOOD.replace("aGVsbG8=", "aGVsbG8=aGVs"),
    "one character": GOOD.replace("aGVsbG8=", "a"),
}
NOT_JSON = {"empty": "", "blank": "   ", "text": "hello", "number": "5", "array": "[]", "string": '"x"'}


@pytest.mark.parametrize("name", list(BAD_JSON))
def test_bad_json(alice, unchanged, name):
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, BAD_JSON[name].encode())
    checks.outcome(answer, 400)


@pytest.mark.parametrize("name", list(BAD_JSON))
def test_bad_json_on_update(alice, name):
    identity, version = alice.upload(b"kept", "text/plain")
    before = versions(alice)
    body = BAD_JSON[name].replace('"resourceType":"Binary"', f'"resourceType":"Binary","id":"{identity}"', 1)
    answer = alice.call("PUT", f"Binary/{identity}", {"Content-Type": checks.FHIR_JSON}, body.encode())
    checks.outcome(answer, 400)
    assert versions(alice) == before
    assert alice.get(f"Binary/{identity}").headers["ETag"] == f'"{version}"'


@pytest.mark.parametrize("name", list(NOT_JSON))
def test_fhir_json_that_is_no_resource(alice, name):
    """Taken as it is or refused; never a crash, never something else."""
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, NOT_JSON[name].encode())
    assert answer.status in (201, 400), answer
    if answer.status == 201:
        assert alice.get(f"Binary/{answer.json()['id']}").text == NOT_JSON[name]
    else:
        checks.outcome(answer, 400)


@pytest.mark.parametrize("body", [GOOD.encode()[:-1] + b',"language":"\xff\xfe"}',
                                  GOOD.encode()[:-1] + b',"language":"\xc3"}',
                                  GOOD.encode()[:-1] + b',"language":"\xed\xa0\x80"}',
                                  GOOD.encode()[:-1] + b',"language":"\xf4\x90\x80\x80"}',
                                  GOOD.encode()[:-1] + b',"language":"\xc0\xaf"}',
                                  GOOD.encode("utf-16")])
def test_bad_utf8(alice, body):
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, body)
    if body == GOOD.encode("utf-16") and answer.status == 201:
        assert alice.get(f"Binary/{answer.json()['id']}").body == body  # not JSON: stored as it is
    else:
        checks.outcome(answer, 400)


def test_base64_with_white_space(alice):
    import base64
    data = content.noise(1000)
    text = base64.encodebytes(data).decode()  # with line breaks, as RFC 2045 writes it
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(
        {"resourceType": "Binary", "contentType": "image/png", "data": text}).encode())
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").body == data


def test_escaped_base64(alice):
    body = GOOD.replace("aGVsbG8=", "\\u0061GVsbG8\\u003d").replace("text/plain", "text\\/plain")
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, body.encode())
    identity, _ = checks.created(answer, alice.server.fhir_base)
    assert alice.get(f"Binary/{identity}").body == b"hello"


XML = '<Binary xmlns="http://hl7.org/fhir">{}</Binary>'
BAD_XML = {
    "truncated": XML.format('<contentType value="a/b"/>')[:-4],
    "entity": '<!DOCTYPE Binary [<!ENTITY e "y">]>' + XML.format('<contentType value="&e;"/>'),
    "external entity": '<!DOCTYPE Binary SYSTEM "file:///etc/passwd">' + XML.format('<contentType value="a/b"/>'),
    "billion laughs": '<!DOCTYPE Binary [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
                      + XML.format('<contentType value="&b;"/>'),
    "undefined entity": XML.format('<contentType value="&foo;"/>'),
    "unknown element": XML.format('<contentType value="a/b"/><colour value="red"/>'),
    "doubled element": XML.format('<contentType value="a/b"/><contentType value="c/d"/>'),
    "doubled attribute": XML.format('<contentType value="a/b" value="c/d"/>'),
    "wrong order": XML.format('<data value="aGVs"/><contentType value="a/b"/>'),
    "mismatched tags": XML.format('<contentType value="a/b"></data>'),
    "bad base64": XML.format('<contentType value="a/b"/><data value="a!!="/>'),
    "text": XML.format('<contentType value="a/b"/>hello'),
    "no content type": XML.format('<data value="aGVs"/>'),
    "deep": XML.format('<meta>' + "<tag>" * 10_000 + "</tag>" * 10_000 + '</meta><contentType value="a/b"/>'),
    "garbage after": XML.format('<contentType value="a/b"/>') + "<x/>",
}


@pytest.mark.parametrize("name", list(BAD_XML))
def test_bad_xml(alice, name):
    before = versions(alice)
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_XML}, BAD_XML[name].encode())
    if name == "wrong order" and answer.status == 201:
        assert alice.get(f"Binary/{answer.json()['id']}").body == b"hel"
        return
    checks.outcome(answer, 400)
    assert versions(alice) == before


def test_elements_are_bounded(alice, unchanged):
    """All but `data` is small: 1 MiB of tags is no Binary."""
    body = GOOD[:-1] + ',"meta":{"source":"' + "x" * 1_000_000 + '"}}'
    answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, body.encode())
    assert answer.status in (400, 413), answer
    checks.outcome(answer, answer.status)


@pytest.mark.parametrize("query", ["_format=json", "_summary=true"])
def test_queries_on_writes_are_harmless(alice, query):
    answer = alice.call("POST", f"Binary?{query}", {"Content-Type": "text/plain"}, b"x")
    assert answer.status == 201, answer
