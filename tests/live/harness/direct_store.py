"""A store whose clients come to it directly, for tests of redirect mode: the plugin tests/live/plugins/presigning.c over
a filesystem store, and the server that answers the plugin's URLs."""
import http.server
import os
import secrets
import shlex
import shutil
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def build_plugin(directory):
    made = Path(directory) / "fhir_storage_presigning.so"
    flags = subprocess.run(["apr-1-config", "--cppflags", "--includes"], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-g",
                    f"-I{REPOSITORY}/include", *shlex.split(flags.decode()), "-o", made,
                    REPOSITORY / "tests/live/plugins/presigning.c"], check=True)
    made.chmod(0o755)
    return made


def checksum(text):
    total = 14695981039346656037
    for byte in text.encode():
        total = (total ^ byte) * 1099511628211 % (1 << 64)
    return f"{total:016x}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def permitted(self, method):
        """The file and the parameters of the URL, or None after the answer 403."""
        signed, _, signature = self.path[1:].partition("&signature=")
        locator, _, query = signed.partition("?")
        fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if (signature != checksum(self.server.secret + signed) or fields["method"] != method
                or int(fields["expires"]) <= time.time()):
            self.answer(403, b"refused")
            return None, None
        return self.server.objects / locator, fields

    def do_GET(self):
        self.server.requests.append((self.command, dict(self.headers)))
        file, fields = self.permitted("GET")
        if not file:
            return
        if not file.exists():
            self.answer(404)
            return
        data, status, more = file.read_bytes(), 200, {}
        wanted = self.headers.get("Range")
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            low, high = int(first), int(last) if last else len(data) - 1
            more, status = {"Content_Range": f"bytes {low}-{high}/{len(data)}"}, 206
            data = data[low:high + 1]
        self.answer(status, data, Content_Type=fields["type"], Content_Disposition=fields["disposition"],
                    Cache_Control=fields["cache"], ETag='"store"', **more)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        file, fields = self.permitted("PUT")
        if not file:
            return
        if self.headers.get("If-None-Match") != "*" or self.headers.get("Content-Type") != fields["type"]:
            self.answer(403, b"a signed header is missing")
        elif file.exists():
            self.answer(412)
        else:
            self.server.write(file, body)
            self.answer(200)


class DirectStore(http.server.ThreadingHTTPServer):
    """`objects` are the files of the filesystem store below."""
    daemon_threads = True

    def __init__(self, directory, owner):
        super().__init__(("127.0.0.1", 0), Handler)
        self.directory, self.owner = Path(directory), owner
        self.objects = None
        self.secret = secrets.token_hex(8)
        self.broken = self.directory / "broken"
        self.requests = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.plugin = build_plugin(self.directory)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def write(self, file, body):
        for parent in reversed([file.parent, *file.parent.parents]):
            if not parent.exists():
                parent.mkdir(mode=0o700)
                shutil.chown(parent, self.owner)
        made = file.with_name(file.name + ".part")
        made.write_bytes(body)
        made.chmod(0o600)
        shutil.chown(made, self.owner)
        made.rename(file)

    def directives(self, build, stores):
        self.objects = stores / "main" / "objects"
        return {"FhirBinaryStoragePlugin": [f"filesystem {build}/fhir_storage_filesystem.so",
                                            f"presigning {self.plugin}"],
                "FhirBinaryStore": [f"inner filesystem path={stores}/main",
                                    f"main presigning inner=inner url={self.url} secret={self.secret}"
                                    f" broken={self.broken}"],
                "FhirBinaryDefaultStore": "main", "FhirBinaryStoreRedirect": "main all"}
