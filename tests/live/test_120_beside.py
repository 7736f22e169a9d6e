"""Beside httpd's other modules: compression, HTTP/2, another base path, httpd's own limits."""
import gzip
import json
import time

from harness import checks, content, httpd, wire


def test_other_base_path(start):
    """The FHIR base, the token endpoint and signed URLs live below the base URL; nothing else is ours."""
    server = start(processes=1)
    who = server.project("clinic")
    server.stop()
    server.base += "clinic/"
    server.fhir_base, server.storage_base = server.base + "fhir/R4/", server.base + "files/"
    server.directives.update({"FhirBinaryBaseURL": server.base, "FhirBinaryStorageBaseURL": server.storage_base})
    server.start()
    server.expect_log("AH01630")
    form = f"grant_type=client_credentials&client_id={who.id}&client_secret={who.secret}".encode()
    answer = server.request("POST", "/clinic/oauth2/token", {"Content-Type": "application/x-www-form-urlencoded"}, form)
    ask = {"Authorization": "Bearer " + answer.json()["access_token"]}
    made = server.request("POST", "/clinic/fhir/R4/Binary", {**ask, "Content-Type": "text/plain"}, b"below")
    identity, _ = checks.created(made, server.fhir_base)
    url = server.request("GET", f"/clinic/fhir/R4/Binary/{identity}/$presigned-url", ask).json()["parameter"][0]
    assert url["valueUri"].startswith(server.storage_base), url
    root = f"http://127.0.0.1:{server.port}"
    assert server.request("GET", url["valueUri"][len(root):]).body == b"below"
    assert "OperationOutcome" not in server.request("GET", "/fhir/R4/metadata").text


def test_deflate_filter(start):
    """An administrator who compresses everything: bodies stay right, ranges stay ranges of the stored bytes."""
    server = start(processes=1, extra="<Location />\n  SetOutputFilter DEFLATE\n</Location>")
    who = server.project("deflate")
    data = b"compressible text\n" * 5000
    identity, _ = who.upload(data, "text/plain")
    answer = who.get(f"Binary/{identity}", {"Accept-Encoding": "gzip"})
    body = gzip.decompress(answer.body) if answer.headers.get("Content-Encoding") == "gzip" else answer.body
    assert answer.status == 200 and body == data
    again = who.get(f"Binary/{identity}", {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]})
    assert again.status == 304, again
    part = who.get(f"Binary/{identity}", {"Accept-Encoding": "gzip", "Range": "bytes=5-9"})
    assert part.status == 206 and part.body == data[5:10], part
    assert "Content-Encoding" not in part.headers, part
    answer = who.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain", "If-Match": answer.headers["ETag"]},
                      b"new")
    assert answer.status == 200, answer


def test_http2(start, tmp_path):
    """Uploads, downloads, ranges and refusals over HTTP/2."""
    server = start(mpm="event" if httpd.MPM == "prefork" else None, processes=1,
                   extra=f"LoadModule http2_module {httpd.MODULES}/mod_http2.so\nProtocols h2c http/1.1\n")
    who = server.project("http2")
    (tmp_path / "up").write_bytes(content.noise(5 << 20))

    def curl(*words):
        return who.curl(tmp_path / "out", "--http2-prior-knowledge", "-w", "%{http_version} %{http_code}", *words)

    status, body = curl("-H", "Content-Type: video/mp4", "--data-binary", f"@{tmp_path}/up", server.fhir_base + "Binary")
    assert status == "2 201", (status, body)
    url = server.fhir_base + "Binary/" + json.loads(body)["id"]
    status, body = curl(url)
    assert status == "2 200" and content.sha256(body) == content.sha256(content.noise(5 << 20))
    status, body = curl("-r", "100-199", url)
    assert status == "2 206" and body == content.noise(5 << 20)[100:200]
    for _ in range(10):  # the body comes just before or just after the refusal
        status, body = curl("-X", "PUT", "-H", 'If-Match: "other"', "-H", "Content-Type: video/mp4", "--data-binary",
                            "small", url)  # mod_http2 resets the stream of a large refused body; curl shows no answer then
        assert status == "2 412" and b"OperationOutcome" in body
    status, body = curl("-X", "DELETE", url)
    assert status == "2 204"


def test_httpds_own_body_limit(start):
    """LimitRequestBody refuses on its own account: 413 as an OperationOutcome, nothing kept."""
    server = start(processes=1, extra="<Location /fhir/R4/Binary>\n  LimitRequestBody 1000\n</Location>")
    server.expect_log("AH01588|Requested content-length|larger than the configured limit")
    who = server.project("limit")
    who.upload(b"x" * 1000)
    checks.outcome(who.call("POST", "Binary", {"Content-Type": "text/plain"}, b"x" * 1001), 413)
    checks.outcome(who.call("POST", "Binary", {"Content-Type": "text/plain"}, chunks=[b"x" * 600] * 3), 413)
    server.wait_idle()
    assert server.sql("SELECT count(*) FROM fhir_binary.object") == [["1"]]


def test_reqtimeout(start):
    """mod_reqtimeout's patience with slow bodies ends uploads cleanly."""
    server = start(processes=1, extra="RequestReadTimeout header=5 body=2,MinRate=100000")
    server.expect_log("AH01382|AH0|timeout")
    who = server.project("reqtimeout")
    assert who.token

    def drip():
        for _ in range(50):
            time.sleep(0.2)
            yield b"x" * 10

    try:
        answer = who.call("POST", "Binary", {"Content-Type": "text/plain"}, drip(), length=500)
        checks.outcome(answer, 408)
    except wire.WireError:
        pass
    server.wait_idle()
    assert server.sql("SELECT count(*) FROM fhir_binary.object") == [["0"]]
