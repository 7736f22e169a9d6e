"""An HTTP/1.1 proxy between httpd and an object store that misbehaves on demand, request by request."""
import re
import select
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

PIECE = 65536


class Rule:
    """What happens to the next `times` requests that match: method and the target's text.

    answer       the store is not asked: `answer` is a whole HTTP message
    request_cut  the connection is reset after so many bytes of the request's body
    request_stop nothing is taken any more after so many bytes of the request's body
    body_cut     the answer's connection ends after so many bytes of its body
    body_reset   the same by a reset
    body_stop    nothing comes any more after so many bytes of the answer's body
    length       is added to the answer's Content-Length
    lost         the store does it, its answer never arrives
    late         the store gets the request after so many seconds, also if nobody waits for the answer any more; with
                 `answer` the client hears that first, as from a gateway that gives up
    release      lets go on what stopped
    """

    def __init__(self, method=None, target=None, times=1, **what):
        self.method, self.target, self.left, self.what = method, re.compile(target or ""), times, what
        self.used, self.lock, self.release = 0, threading.Lock(), threading.Event()

    def take(self, method, target):
        with self.lock:
            if self.left > 0 and self.method in (None, method) and self.target.search(target):
                self.left -= 1
                self.used += 1
                return True
            return False


class Gone(Exception):
    pass


def message(status, code, headers=""):
    """An error of S3."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return (f"HTTP/1.1 {status} Error\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n{headers}"
            f"Connection: close\r\n\r\n{body}").encode()


class Stream:
    """A socket with a buffer for lines."""

    def __init__(self, connection):
        self.connection, self.kept = connection, b""

    def head(self):
        while b"\r\n\r\n" not in self.kept:
            more = self.connection.recv(PIECE)
            if not more:
                raise Gone
            self.kept += more
        head, self.kept = self.kept.split(b"\r\n\r\n", 1)
        return head.decode("latin-1")

    def some(self, most):
        if not self.kept:
            self.kept = self.connection.recv(PIECE)
        data, self.kept = self.kept[:most], self.kept[most:]
        return data

    def line(self):
        while b"\r\n" not in self.kept:
            more = self.connection.recv(PIECE)
            if not more:
                raise Gone
            self.kept += more
        line, self.kept = self.kept.split(b"\r\n", 1)
        return line + b"\r\n"

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def field(head, name):
    found = re.search(rf"(?im)^{name}:[ \t]*(.*?)[ \t]*$", head.replace("\r", ""))
    return found.group(1) if found else None


class Proxy:
    """`with Proxy("http://127.0.0.1:7480") as proxy`: proxy.endpoint is what the store's option `endpoint` gets."""

    def __init__(self, target):
        parts = urlsplit(target)
        self.target, self.rules, self.requests = (parts.hostname, parts.port), [], []
        self.listener, self.port, self.connections = None, 0, set()
        self.lock = threading.Lock()

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        for rule in self.rules:
            rule.release.set()
        self.shut()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def open(self):
        """Takes connections; after `shut` at the same port as before."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        """Like a store that was killed: connections are reset, new ones refused."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for connection in list(self.connections):
                try:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def rule(self, *how, **what):
        made = Rule(*how, **what)
        self.rules.append(made)
        return made

    def clear(self):
        for rule in self.rules:
            rule.release.set()
        self.rules = []

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client, server = Stream(connection), None
        try:
            server = Stream(socket.create_connection(self.target))
            server.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._asked_again(client, server) and self._exchange(client, server):
                pass
        except (Gone, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()
            if server:
                server.connection.close()

    @staticmethod
    def _asked_again(client, server):
        """A store that ends an idle connection is passed on at once."""
        if client.kept:
            return True
        ready, _, _ = select.select([client.connection, server.connection], [], [])
        return server.connection not in ready

    def _exchange(self, client, server):
        head = client.head()
        method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
        self.requests.append((method, target))
        what, rule = {}, None
        for rule in self.rules:
            if rule.take(method, target):
                what = rule.what
                break
        if "answer" in what and "late" not in what:
            self._drop(client, int(field(head, "Content-Length") or 0))
            client.connection.sendall(what["answer"])
            return False
        if "late" in what:
            body = b"".join(self._pieces(client, int(field(head, "Content-Length") or 0)))
            if "answer" in what:
                client.connection.sendall(what["answer"])
                client.connection.shutdown(socket.SHUT_RDWR)
            time.sleep(what["late"])
            server.connection.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)
            return self._answer(client, server, method, what, rule)
        server.connection.sendall(head.encode("latin-1") + b"\r\n\r\n")
        self._request_body(client, server, int(field(head, "Content-Length") or 0), what, rule)
        return self._answer(client, server, method, what, rule)

    @staticmethod
    def _pieces(client, left):
        while left > 0:
            data = client.some(min(left, PIECE))
            if not data:
                raise Gone
            left -= len(data)
            yield data

    def _drop(self, client, left):
        for _ in self._pieces(client, left):
            pass

    def _stop(self, rule):
        rule.release.wait(120)
        raise Gone

    def _request_body(self, client, server, left, what, rule):
        allowed = what.get("request_cut", what.get("request_stop"))
        while left > 0:
            if allowed is not None and allowed <= 0:
                if "request_stop" in what:
                    self._stop(rule)
                client.reset()
                raise Gone
            data = client.some(min(left, PIECE, allowed or PIECE))
            if not data:
                raise Gone
            server.connection.sendall(data)
            left -= len(data)
            allowed = None if allowed is None else allowed - len(data)

    def _answer(self, client, server, method, what, rule):
        head = server.head()
        while head.split(" ", 2)[1] == "100":
            head = server.head()
        length = field(head, "Content-Length")
        if "lost" in what:
            client.reset()
            raise Gone
        if "length" in what and length is not None:
            head = re.sub(r"(?im)^(Content-Length:[ \t]*)\d+", lambda found: f"{found.group(1)}{int(length) + what['length']}",
                          head)
        client.connection.sendall(head.encode("latin-1") + b"\r\n\r\n")
        status = int(head.split(" ", 2)[1])
        if method == "HEAD" or status in (204, 304):
            return True
        if (field(head, "Transfer-Encoding") or "").lower() == "chunked":
            return self._chunks(client, server, what, rule)
        self._body(client, server, int(length or 0), what, rule)
        return "length" not in what

    def _chunks(self, client, server, what, rule):
        while True:
            line = server.line()
            client.connection.sendall(line)
            size = int(line.split(b";")[0], 16)
            self._body(client, server, size, what, rule)
            client.connection.sendall(server.line())
            if size == 0:
                return True

    def _body(self, client, server, left, what, rule):
        allowed = what.get("body_cut", what.get("body_reset", what.get("body_stop")))
        while left > 0:
            if allowed is not None and allowed <= 0:
                if "body_stop" in what:
                    self._stop(rule)
                if "body_reset" in what:
                    client.reset()
                raise Gone
            data = server.some(min(left, PIECE, allowed or PIECE))
            if not data:
                raise Gone
            client.connection.sendall(data)
            left -= len(data)
            allowed = None if allowed is None else allowed - len(data)
