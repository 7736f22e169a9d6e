"""What the tests of moves and of fhirbinctl's store commands share: stores, a database and rows, without httpd."""
import hashlib
import os
import random
import subprocess
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from harness import content, httpd  # noqa: E402


class Site:
    """Two directories, a database, rows as uploads leave them, and fhirbinctl: what a move needs, without httpd."""

    def __init__(self, postgres, place, more=""):
        self.postgres, self.place = postgres, place
        self.conninfo = postgres.create_database()
        self.configuration = place / "fhir.conf"
        self.directories = {name: place / name for name in ("a", "b")}
        for directory in self.directories.values():
            directory.mkdir()
        self.hashes = {}
        self.configure(more)
        assert self.run("db", "upgrade") == 0

    def configure(self, more=""):
        self.configuration.write_text(f"""FhirBinaryBaseURL http://127.0.0.1:8080/
FhirBinaryDatabase "{self.conninfo}"
FhirBinaryRequestTimeout 10s
FhirBinaryStoragePlugin filesystem {httpd.BUILD}/fhir_storage_filesystem.so
FhirBinaryStoragePlugin faulty {httpd.BUILD}/fhir_storage_faulty.so
FhirBinaryStore a filesystem path={self.directories['a']} sync=off
FhirBinaryStore b filesystem path={self.directories['b']} sync=off
{more}
""")

    def sql(self, statement):
        return self.postgres.query(self.conninfo, statement)

    def begin(self, *words):
        return subprocess.Popen([httpd.BUILD / "fhirbinctl", "-c", self.configuration, *map(str, words)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def run(self, *words):
        started = self.begin(*words)
        out, err = started.communicate(timeout=180)
        self.out, self.err = out.decode(), err.decode()
        return started.returncode

    def path(self, store, key):
        return self.directories[store] / "objects" / key[:2] / key[2:4] / key

    def fill(self, count, seed=1):
        noise, rows, project = random.Random(seed), [], uuid.uuid4()
        for _ in range(count):
            key, data = uuid.UUID(int=noise.getrandbits(128)).hex, noise.randbytes(noise.choice([0, 7, 66_000, 400_000]))
            path = self.path("a", key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self.hashes[key] = content.sha256(data)
            rows.append(f"('{key}', '{project}', 'a', '{key[:2]}/{key[2:4]}/{key}', {len(data)}, "
                        f"'\\x{self.hashes[key]}', '\\x{hashlib.sha1(data).hexdigest()}', now())")
        (self.directories["a"] / "tmp").mkdir(exist_ok=True)
        for directory in self.directories.values():
            directory.chmod(0o700)
        self.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, size, sha256, sha1, "
                 "committed_at) VALUES " + ", ".join(rows))
        return list(self.hashes)

    def upload(self, noise):
        """As httpd does it: the pending row, the bytes, the commit; one that was cleaned away meanwhile is refused."""
        key, data = uuid.UUID(int=noise.getrandbits(128)).hex, noise.randbytes(noise.choice([0, 7, 66_000, 400_000]))
        path, digest = self.path("a", key), content.sha256(data)
        self.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator) VALUES "
                 f"('{key}', '{uuid.uuid4()}', 'a', '{key[:2]}/{key[2:4]}/{key}')")
        unfinished = self.directories["a"] / "tmp" / f"{key}.new"
        unfinished.write_bytes(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(path)
        if self.sql(f"UPDATE fhir_binary.object SET size = {len(data)}, sha256 = '\\x{digest}', committed_at = now(), "
                    f"sha1 = '\\x{hashlib.sha1(data).hexdigest()}' WHERE object_key = '{key}' RETURNING 1"):
            self.hashes[key] = digest
        else:
            path.unlink(missing_ok=True)

    def rows(self):
        return {key.replace("-", ""): store for key, store in self.sql("SELECT object_key, store FROM fhir_binary.object")}

    def check(self):
        """Every object is readable where its row says."""
        rows = self.rows()
        assert set(rows) == set(self.hashes)
        wrong = [key for key, store in rows.items()
                 if not self.path(store, key).exists()
                 or content.sha256_of_file(self.path(store, key)) != self.hashes[key]]
        assert not wrong, f"{len(wrong)} objects are lost or altered: {wrong[:3]}"

    def files(self):
        return {name: sum(len(names) for _, _, names in os.walk(directory))
                for name, directory in self.directories.items()}

    def check_done(self, store="b"):
        """All of them are there and nothing else is anywhere."""
        self.check()
        assert set(self.rows().values()) == {store}
        expected = {"a": 0, "b": 0, store: len(self.hashes)}
        assert self.files() == expected
        assert self.sql("SELECT count(*) FROM fhir_binary.object_copy") == [["0"]]
        assert self.run("store", "verify") == 0, self.out + self.err

    def leases_end(self):
        """Time passes: whoever was killed has lost what it had."""
        self.sql("UPDATE fhir_binary.object_copy SET due_at = clock_timestamp() - interval '1 second'")

    def move(self, *more):
        return self.run("store", "migrate", "--from", "a", "--to", "b", "--grace", "0s", *more)
