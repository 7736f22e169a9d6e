"""HTTP/1.1 over a plain socket. Nothing is added, repaired or followed, so that a test says exactly what it sends."""
import hashlib
import json
import socket
import time


class WireError(Exception):
    """The server broke off, or sent what is no HTTP."""


class Headers:
    """Header fields in the order received; names compare without case."""

    def __init__(self, pairs):
        self.pairs = list(pairs)

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def all(self, name):
        return [value for key, value in self.pairs if key.lower() == name.lower()]

    def __getitem__(self, name):
        value = self.get(name)
        assert value is not None, f"no header {name} in {self.pairs}"
        return value

    def __contains__(self, name):
        return self.get(name) is not None

    def __repr__(self):
        return "\n".join(f"{key}: {value}" for key, value in self.pairs)


class Response:
    def __init__(self, request, status, reason, headers, interim):
        self.request, self.status, self.reason = request, status, reason
        self.headers, self.interim = headers, interim
        self.body, self.length, self.sha256, self.complete = b"", 0, None, False

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        body = self.body[:800]
        return (f"\n--- {self.request}\n--- {self.status} {self.reason}\n{self.headers}\n\n{body!r}"
                f"{'...' if len(self.body) > 800 else ''}\n---")


class Connection:
    """One TCP connection; requests may be written in pieces."""

    def __init__(self, host, port, timeout=30):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _head(self):
        line = self.file.readline(65537)
        if not line:
            raise WireError("connection closed before an answer")
        if not line.startswith(b"HTTP/1."):
            raise WireError(f"no HTTP answer: {line[:80]!r}")
        parts = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
        pairs = []
        while True:
            field = self.file.readline(65537)
            if field in (b"\r\n", b"\n"):
                break
            if not field:
                raise WireError("connection closed inside the header")
            name, _, value = field.decode("latin-1").partition(":")
            pairs.append((name.strip(), value.strip()))
        return int(parts[1]), parts[2] if len(parts) > 2 else "", Headers(pairs)

    def response(self, request="", method="GET", sink=None):
        """Reads one answer. With `sink` (a callable) the body is passed on instead of kept."""
        interim = []
        while True:
            status, reason, headers = self._head()
            if status >= 200:
                break
            interim.append(status)
        answer = Response(request, status, reason, headers, interim)
        kept, digest = [], hashlib.sha256()

        def take(data):
            digest.update(data)
            answer.length += len(data)
            sink(data) if sink else kept.append(data)

        if method != "HEAD" and status not in (204, 304):
            self._body(headers, take)
        answer.body, answer.sha256, answer.complete = b"".join(kept), digest.hexdigest(), True
        return answer

    def _body(self, headers, take):
        if "chunked" in (headers.get("Transfer-Encoding") or ""):
            while True:
                size = int(self.file.readline().split(b";")[0] or b"0", 16)
                if size == 0:
                    while self.file.readline() not in (b"\r\n", b"\n", b""):
                        pass
                    return
                take(self._exactly(size))
                self.file.readline()
        length = headers.get("Content-Length")
        if length is None:
            while True:
                data = self.file.read(262144)
                if not data:
                    return
                take(data)
        left = int(length)
        while left:
            data = self.file.read1(min(left, 262144))
            if not data:
                raise WireError(f"{left} bytes of the body are missing")
            left -= len(data)
            take(data)

    def _exactly(self, size):
        data = self.file.read(size)
        if len(data) != size:
            raise WireError("short chunk")
        return data

    def closed_by_server(self, within=5):
        """True when the server ends the connection within so many seconds."""
        self.socket.settimeout(within)
        end = time.monotonic() + within
        try:
            while time.monotonic() < end:
                if not self.socket.recv(65536):
                    return True
        except socket.timeout:
            return False
        except ConnectionError:
            return True
        return False


def head(method, target, headers):
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def pairs_of(headers):
    if headers is None:
        return []
    return [(k, v) for k, v in (headers.items() if isinstance(headers, dict) else headers) if v is not None]


def chunked(pieces):
    for piece in pieces:
        if piece:
            yield b"%x\r\n" % len(piece) + piece + b"\r\n"
    yield b"0\r\n\r\n"


def request(host, port, method, target, headers=None, body=None, chunks=None, length=None, sink=None, timeout=60,
            host_header=None):
    """One request on a connection of its own. `body`: bytes, or an iterable with `length`. `chunks`: an iterable that
    is sent with chunked coding."""
    fields = pairs_of(headers)
    names = {name.lower() for name, _ in fields}
    if "host" not in names:
        fields.insert(0, ("Host", host_header or f"{host}:{port}"))
    pieces = ()
    if chunks is not None:
        fields.append(("Transfer-Encoding", "chunked"))
        pieces = chunked(chunks)
    elif isinstance(body, (bytes, bytearray)):
        if "content-length" not in names:
            fields.append(("Content-Length", str(len(body))))
        pieces = (body,)
    elif body is not None:
        fields.append(("Content-Length", str(length)))
        pieces = body
    if "connection" not in names:
        fields.append(("Connection", "close"))
    note = f"{method} {target[:300]}\n" + "\n".join(f"{k}: {v[:120]}" for k, v in fields)
    with Connection(host, port, timeout) as connection:
        connection.send(head(method, target, fields))
        try:
            for piece in pieces:
                connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server answered early; what it said is read below
        try:
            return connection.response(note, method, sink)
        except ConnectionResetError as error:
            raise WireError(f"connection reset: {note}") from error
