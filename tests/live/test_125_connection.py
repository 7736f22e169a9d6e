"""How bodies come off a connection: several requests in one write, plain and over TLS, HTTP/1.1 and HTTP/2."""
import json
import socket
import ssl
import subprocess

import pytest
from harness import checks, content, httpd, wire

SIZES = [5 << 20, 0, 7, 70_000, 8000, 65536, 1 << 20]


@pytest.fixture(scope="module")
def encrypted(postgres, tmp_path_factory):
    """A server that is reached by http and, on another port, by https."""
    keys = tmp_path_factory.mktemp("tls")
    subprocess.run(["sh", str(httpd.REPOSITORY / "tests/servers/certificates.sh"), str(keys)], check=True)
    port = httpd.free_port()
    extra = (f"LoadModule ssl_module {httpd.MODULES}/mod_ssl.so\n"
             f"LoadModule http2_module {httpd.MODULES}/mod_http2.so\n"
             f"Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\n  SSLEngine On\n  Protocols h2 http/1.1\n"
             f"  SSLCertificateFile {keys}/server.crt\n  SSLCertificateKeyFile {keys}/server.key\n</VirtualHost>\n")
    mpm = "event" if httpd.MPM == "prefork" else None
    with httpd.Server(postgres, extra=extra, mpm=mpm, processes=1) as server:
        server.tls_port, server.authority = port, str(keys / "ca.pem")
        server.expect_log("AH01873")  # mod_ssl wants a cache of sessions
        server.who = server.project("encrypted")
        yield server


def connect(server, tls):
    wired = wire.Connection("127.0.0.1", server.tls_port if tls else server.port)
    if tls:
        wired.socket = ssl.create_default_context(cafile=server.authority).wrap_socket(
            wired.socket, server_hostname="127.0.0.1")
        wired.file = wired.socket.makefile("rb")
    return wired


def post(who, data, chunked=False):
    """A whole request."""
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(data)))
    fields = [("Host", "x"), framing, ("Content-Type", "application/octet-stream"), *who.bearer.items()]
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data) if chunked and data else b"0\r\n\r\n" if chunked else data
    return wire.head("POST", "/fhir/R4/Binary", fields) + body


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("tls", [False, True])
def test_pipelined_uploads(encrypted, tls, chunked):
    """Where one body ends the next request begins, wherever the reads end."""
    who = encrypted.who
    bodies = [content.noise(size, size) for size in SIZES]
    with connect(encrypted, tls) as wired:
        wired.socket.settimeout(60)
        wired.send(b"".join(post(who, body, chunked) for body in bodies))
        made = [checks.created(wired.response(), encrypted.fhir_base)[0] for _ in bodies]
        wired.send(b"".join(wire.head("GET", f"/fhir/R4/Binary/{identity}", [("Host", "x"), *who.bearer.items()])
                            for identity in made))
        for body in bodies:
            assert wired.response().body == body


@pytest.mark.parametrize("tls", [False, True])
def test_body_in_many_small_pieces(encrypted, tls):
    data = content.noise(20_000)
    request = post(encrypted.who, data)
    with connect(encrypted, tls) as wired:
        for at in range(0, len(request), 97):
            wired.send(request[at:at + 97])
        identity, _ = checks.created(wired.response(), encrypted.fhir_base)
    assert encrypted.who.get(f"Binary/{identity}").body == data


@pytest.mark.parametrize("tls", [False, True])
def test_client_leaves_in_the_middle(encrypted, tls):
    before = encrypted.sql("SELECT count(*) FROM fhir_binary.binary_version")
    with connect(encrypted, tls) as wired:
        wired.send(post(encrypted.who, content.noise(3 << 20))[:-1])
        wired.socket.shutdown(socket.SHUT_RDWR)
    encrypted.wait_idle()
    assert encrypted.sql("SELECT count(*) FROM fhir_binary.binary_version") == before


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_transfers_over_tls(encrypted, tmp_path, version):
    data = content.noise(9 << 20)
    (tmp_path / "up").write_bytes(data)
    base = f"https://127.0.0.1:{encrypted.tls_port}/fhir/R4/Binary"

    def curl(*words):
        return encrypted.who.curl(tmp_path / "out", version, "--cacert", encrypted.authority, "-w", "%{http_code}", *words)

    status, body = curl("-H", "Content-Type: video/mp4", "-T", str(tmp_path / "up"), "-X", "POST", base)
    assert status == "201", body
    url = base + "/" + json.loads(body)["id"]
    assert curl(url) == ("200", data)
    assert curl("-r", "8000000-8000099", url) == ("206", data[8000000:8000100])
