"""What fhirbinctl's store commands say and how they end when copies, stores or other runs are not as they should be."""
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from harness import httpd

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """A store plugin that keeps copies, for the configuration."""
    made = tmp_path_factory.mktemp("keeping") / "fhir_storage_keeping.so"
    flags = subprocess.run(["apr-1-config", "--cppflags", "--includes"], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-g",
                    f"-I{REPOSITORY}/include", *shlex.split(flags.decode()), "-o", made,
                    REPOSITORY / "tests/fault/plugins/keeping.c"], check=True)
    return f"FhirBinaryStoragePlugin keeping {made}\n"


class Copies:
    """Objects in the store `both`, which keeps them in `a` and `far`."""

    def __init__(self, site, keeping, more=""):
        self.site, self.far = site, site.place / "far"
        self.keys = [key for key in site.fill(12) if site.path("a", key).stat().st_size]
        for key in set(site.hashes) - set(self.keys):  # what has no bytes can't be altered
            site.sql(f"DELETE FROM fhir_binary.object WHERE object_key = '{key}'")
            site.path("a", key).unlink()
            del site.hashes[key]
        shutil.copytree(site.directories["a"], self.far)
        site.directories["far"] = self.far
        site.sql("UPDATE fhir_binary.object SET store = 'both'")
        self.lines = f"FhirBinaryStore far filesystem path={self.far} sync=off\n" + keeping
        site.configure(self.lines + "FhirBinaryStore both keeping first=a second=far\n" + more)

    def spoil(self):
        """One copy of each of these is missing, altered."""
        missing, altered = self.keys[:2]
        self.site.path("far", missing).unlink()
        data = self.site.path("far", altered).read_bytes()
        self.site.path("far", altered).write_bytes(b"ALTERED" + data[7:])
        return missing, altered


# ---- copies ----

def test_every_copy_is_looked_at(site, keeping):
    copies = Copies(site, keeping)
    assert site.run("store", "verify") == 0, site.out + site.err
    assert site.out == ""
    missing, altered = copies.spoil()
    assert site.run("store", "verify") == 3, site.out + site.err
    assert f"{missing}" in site.out and "copy missing in far" in site.out and "copy altered in far" in site.out
    assert "1 missing, 1 altered, 0 unreadable; 0 of them repaired" in site.out and "--repair" in site.out
    assert " 0 missing, 0 altered, 0 unreadable;" in site.out
    assert site.run("store", "verify", "--json") == 3
    told = json.loads(site.out)
    assert {(one["key"], one["kind"], one["copy"], one["repaired"]) for one in told["findings"]} == {
        (missing, "copy-missing", "far", False), (altered, "copy-altered", "far", False)}
    assert [told["summary"][name] for name in ("missing", "copies_missing", "copies_altered", "copies_repaired")] == [
        0, 1, 1, 0]
    assert told["summary"]["not_checked"] == []
    assert not site.path("far", missing).exists()


def test_copies_are_repaired(site, keeping):
    copies = Copies(site, keeping)
    missing, altered = copies.spoil()
    assert site.run("store", "verify", "--repair") == 0, site.out + site.err
    assert "copy missing in far, repaired" in site.out and "copy altered in far, repaired" in site.out
    assert "2 of them repaired" in site.out and site.err == ""
    for key in (missing, altered):
        assert site.path("far", key).read_bytes() == site.path("a", key).read_bytes()
    assert site.run("store", "verify") == 0 and site.out == ""
    copies.spoil()
    assert site.run("store", "verify", "--repair", "--json") == 0
    assert json.loads(site.out)["summary"]["copies_repaired"] == 2


def test_what_can_not_be_repaired_is_found(site, keeping):
    copies = Copies(site, keeping)
    missing, altered = copies.spoil()
    site.configure(copies.lines + "FhirBinaryStore shut faulty inner=far fail=writer_begin:1:no_space\n"
                   "FhirBinaryStore both keeping first=a second=shut\n")
    assert site.run("store", "verify", "--repair") == 3, site.out + site.err
    assert "1 of them repaired" in site.out


def test_the_place_of_copies_is_down(site, keeping):
    """A few findings, and not one for each object; the objects themselves are checked to the end."""
    copies = Copies(site, keeping)
    site.path("a", sorted(copies.keys)[-1]).write_bytes(b"other bytes")
    site.configure(copies.lines + "FhirBinaryStore down faulty inner=far fail=reader_open:*:unavailable\n"
                   "FhirBinaryStore both keeping first=a second=down\n")
    assert site.run("store", "verify") == 1, site.out + site.err
    assert site.out.count("copy unreadable in down") == 3
    assert "The copies in the store 'both' can't be checked now" in site.err
    assert "0 missing, 1 altered, 0 unreadable" in site.out


def test_nothing_to_repair(site):
    site.fill(3)
    assert site.run("store", "verify", "--repair") == 0
    assert "nothing that --repair could repair" in site.err
    site.path("a", next(iter(site.hashes))).unlink()
    assert site.run("store", "verify", "--repair", "--store", "a") == 3


# ---- whose it is ----

def make_versions(site, key, count):
    """Rows as uploads and changes of elements leave them; gives the newest as it is told."""
    project, binary = site.sql(f"SELECT project_id FROM fhir_binary.object WHERE object_key = '{key}'")[0][0], f"b-{key[:8]}"
    versions = [str(uuid.uuid4()) for _ in range(count)]
    site.sql(f"INSERT INTO fhir_binary.binary VALUES ('{project}', '{binary}', '{versions[-1]}', {count}, false, now())")
    for number, version in enumerate(versions, 1):
        site.sql("INSERT INTO fhir_binary.binary_version (version_id, project_id, binary_id, sequence, change, last_updated, "
                 f"author_id, content_type, object_key) VALUES ('{version}', '{project}', '{binary}', {number}, 2, "
                 f"now() + interval '{number} ms', '{uuid.uuid4()}', 'a/b', '{key}')")
    return project, f"Binary/{binary}/_history/{versions[-1]}"


def test_findings_name_the_version(site):
    keys = site.fill(8)
    one, many, none = keys[:3]
    project, version = make_versions(site, one, 1)
    _, shared = make_versions(site, many, 3)
    for key in (one, many, none):
        site.path("a", key).unlink()
    assert site.run("store", "verify") == 3
    [line] = [line for line in site.out.splitlines() if one in line]
    assert f"of {version} in the project {project}" in line and "more version" not in line
    [line] = [line for line in site.out.splitlines() if many in line]
    assert f"of {shared} in the project {project}, and of 2 more versions" in line
    [line] = [line for line in site.out.splitlines() if none in line]
    assert f"of no version, in the project {project}" in line
    assert site.run("store", "verify", "--json") == 3
    told = {found["key"]: found for found in json.loads(site.out)["findings"]}
    assert (told[one]["project"], told[one]["version"], told[one]["more_versions"]) == (project, version, 0)
    assert (told[many]["version"], told[many]["more_versions"]) == (shared, 2)
    assert (told[none]["project"], told[none]["version"]) == (project, None)
    assert site.move() == 3
    assert f"{many} is missing in a " in site.out and f"of {shared} in the project {project}, and of 2 more" in site.out


# ---- stores that are down ----

def test_a_store_that_is_down_is_one_finding(site):
    """Objects of two stores take turns; the healthy one is checked to the end."""
    keys = sorted(site.fill(40))
    for key in keys[::2]:
        site.path("b", key).parent.mkdir(parents=True, exist_ok=True)
        site.path("a", key).rename(site.path("b", key))
        site.sql(f"UPDATE fhir_binary.object SET store = 'down' WHERE object_key = '{key}'")
    site.path("a", keys[-1]).unlink()
    site.configure("FhirBinaryStore down faulty inner=b fail_every=1:unavailable")
    assert site.run("store", "verify") == 1, site.out + site.err
    assert site.out.count(" unreadable  ") == 3
    assert site.err.count("The store 'down' can't be checked now") == 1
    assert "23 objects" in site.out and "1 missing, 0 altered, 3 unreadable" in site.out
    assert site.run("store", "verify", "--json") == 1
    assert json.loads(site.out)["summary"]["not_checked"] == ["down"]
    # Fewer objects than it takes to be sure, but none that could be read; its listing works.
    site.configure("FhirBinaryStore down faulty inner=b fail=reader_open:*:unavailable")
    for key in keys[2::2]:
        site.sql(f"DELETE FROM fhir_binary.object WHERE object_key = '{key}'")
    assert site.run("store", "verify") == 1 and "can't be checked now" in site.err


def test_one_unreadable_object_is_a_finding(site):
    site.fill(10)
    site.sql("UPDATE fhir_binary.object SET store = 'shaky'")
    site.configure("FhirBinaryStore shaky faulty inner=a fail=reader_open:4:unavailable")
    assert site.run("store", "verify") == 3, site.out + site.err
    assert "0 altered, 1 unreadable" in site.out and "can't be checked" not in site.err


def test_orphans_goes_on_with_the_other_stores(site):
    unknown = uuid.uuid4().hex
    site.fill(1)
    path = site.path("b", unknown)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left over")
    os.utime(path, (1e9, 1e9))
    # Defined before the healthy one, so it is asked first.
    text = site.configuration.read_text()
    (site.place / "c").mkdir(mode=0o700)
    site.configuration.write_text(text.replace(
        "FhirBinaryStore a ", f"FhirBinaryStore under filesystem path={site.place}/c\n"
        "FhirBinaryStore down faulty inner=under fail=list:*:unavailable\nFhirBinaryStore a ", 1))
    assert site.run("store", "orphans") == 1, site.out + site.err
    assert unknown in site.out and "The store 'down' can't be looked through now" in site.err
    assert site.run("store", "orphans", "--json") == 1
    assert [one["locator"].split("/")[-1] for one in json.loads(site.out)] == [unknown]
    assert site.run("store", "orphans", "--store", "b") == 3
    assert site.run("store", "orphans", "--remove", "--unknown") == 1
    assert not path.exists()


# ---- leases ----

def leased(site):
    return site.sql("SELECT count(*) FROM fhir_binary.object_copy WHERE due_at > clock_timestamp()")[0][0]


@pytest.mark.parametrize("fault", ["fail=writer_begin:9:denied", "fail=writer_begin:*:denied"])
def test_a_run_that_failed_keeps_nobody_waiting(site, fault):
    site.fill(20)
    under = "FhirBinaryStore under faulty inner=b"
    site.configure(f"{under} fail=remove:*:denied\nFhirBinaryStore broken faulty inner=under {fault}")
    assert site.run("store", "migrate", "--from", "a", "--to", "broken", "--grace", "0s") == 1, site.out + site.err
    assert leased(site) == "0"
    site.configure(f"{under}\nFhirBinaryStore broken faulty inner=under")
    began = time.monotonic()
    assert site.run("store", "migrate", "--from", "a", "--to", "broken", "--grace", "0s") == 0, site.out + site.err
    assert time.monotonic() - began < 15 and "lease" not in site.err
    site.sql("UPDATE fhir_binary.object SET store = 'b'")
    site.check_done()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_was_told_to_stop_keeps_nobody_waiting(site, number):
    site.fill(40)
    running = site.begin("store", "migrate", "--from", "a", "--to", "b", "--grace", "0s", "--rate", "2M")
    time.sleep(1.5)
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 1 and b"stopped" in err, out + err
    assert leased(site) == "0" and "a" in site.rows().values()
    site.check()
    began = time.monotonic()
    assert site.move() == 0, site.out + site.err
    assert time.monotonic() - began < 15
    site.check_done()


def test_waiting_for_another_run_is_told(site):
    keys = site.fill(5)
    locator = f"{keys[0][:2]}/{keys[0][2:4]}/{keys[0]}"
    site.sql("INSERT INTO fhir_binary.object_copy (object_key, store, locator, state, lease, due_at) VALUES "
             f"('{keys[0]}', 'b', '{locator}', 1, '{uuid.uuid4()}', clock_timestamp() + interval '6 seconds')")
    assert site.move() == 0, site.out + site.err
    assert site.err.count("waiting for another run's lease, at most ") == 1
    seconds = int(site.err.split("at most ")[1].split(" s")[0])
    assert 2 <= seconds <= 7
    site.check_done()


# ---- uploads that are not finished ----

def pending(site, age, expires=None):
    key = uuid.uuid4().hex
    place = f"'a', '{key[:2]}/{key[2:4]}/{key}'"
    site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at) VALUES "
             f"('{key}', '{uuid.uuid4()}', {place}, now() - interval '{age}')")
    if expires:
        site.sql("INSERT INTO fhir_binary.direct_upload (version_id, project_id, membership_id, key_id, binary_id, "
                 "content_type, object_key, store, locator, expires_at, due_at) VALUES "
                 f"('{uuid.uuid4()}', '{uuid.uuid4()}', '{uuid.uuid4()}', 'k', 'b', 'a/b', '{key}', {place}, {expires}, now())")
    return key


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_unfinished_uploads_are_told_apart(site, more):
    site.fill(2)
    assert site.move(*more) == 0
    assert "upload" not in site.out
    pending(site, "2 hours", "timestamptz '2100-01-01T00:00:00Z'")
    pending(site, "2 hours", "timestamptz '2099-01-01T00:00:00Z'")
    assert site.move(*more) == 0
    assert "2 direct uploads to a are awaited, until 2100-01-01T00:00:00.000Z at most" in site.out
    assert "orphans" not in site.out and site.run("store", "orphans", "--store", "a") == 0
    pending(site, "1 minute")
    key = pending(site, "2 hours")
    assert site.move(*more) == 0
    assert "1 upload to a began less than an hour ago and is not finished" in site.out
    assert "1 upload to a was interrupted; `fhirbinctl store orphans` lists it" in site.out
    assert site.run("store", "orphans", "--store", "a") == 3
    assert key in site.out and site.out.count("pending") == 1
    site.sql("UPDATE fhir_binary.direct_upload SET expires_at = now() - interval '1 minute'")
    assert site.move(*more) == 0
    assert "2 direct uploads to a wait for a worker of httpd" in site.out


# ---- health ----

def test_health_is_told_as_it_is_known(site):
    site.configure("FhirBinaryStore slow faulty inner=b delay=health:*:2500")
    began, seen = time.monotonic(), {}
    running = site.begin("store", "health")
    for line in running.stdout:
        seen[line.split()[0]] = time.monotonic() - began
    assert running.wait() == 0
    assert seen[b"b"] < 2 < seen[b"slow"] and list(seen) == [b"name", b"a", b"b", b"slow"]
    assert running.stderr.read() == b""
    assert site.run("store", "health", "--json") == 0
    told = json.loads(site.out)
    assert [one["name"] for one in told] == ["a", "b", "slow"] and told[2]["milliseconds"] > 2000


def test_who_is_asked_is_told_on_a_terminal(site):
    site.configure("FhirBinaryStore slow faulty inner=b delay=health:*:2500")
    ours, theirs = pty.openpty()
    running = subprocess.Popen([httpd.BUILD / "fhirbinctl", "-c", site.configuration, "store", "health"],
                               stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:
        pass
    assert running.wait() == 0
    assert b"asking slow" in text and b"asking a" not in text


# ---- what is in the way of a move ----

def test_nothing_is_moved_into_a_part_of_a_store(site):
    """It would be there without encryption, or once instead of twice."""
    site.fill(3)
    site.configure("FhirBinaryStore outer faulty inner=b")
    assert site.move() == 1 and "'b' is a part of 'outer'" in site.err and "Move to 'outer'" in site.err, site.err
    assert set(site.rows().values()) == {"a"}


def test_what_is_too_large_for_the_new_store_stays_alone(site):
    site.fill(12)
    site.configure("FhirBinaryStore small faulty inner=b fail=writer_begin:3:too_large")
    assert site.run("store", "migrate", "--from", "a", "--to", "small", "--grace", "0s") == 3, site.out + site.err
    assert site.out.count("is too large for small, and stays in a (") == 1, site.out
    assert sorted(site.rows().values()) == ["a"] + ["small"] * 11


def test_json_is_whole_when_a_check_fails(site):
    site.fill(3)
    assert site.run("store", "verify", "--json", "--store", "nowhere") == 1
    assert "nowhere" in json.loads(site.out)["error"] and "nowhere" in site.err
    for wrong in "0x1p2", "1e1%", "0", "%", "101%":
        assert site.run("store", "verify", "--sample", wrong) == 2, wrong
    assert site.run("store", "verify", "--sample", "0.5%") == 0


def test_a_lost_half_of_a_mirror_is_rebuilt(site):
    """The real plugin."""
    site.fill(12)
    far = site.place / "far"
    site.configure(f"FhirBinaryStoragePlugin mirror {httpd.BUILD}/fhir_storage_mirror.so\n"
                   f"FhirBinaryStore far filesystem path={far} sync=off\nFhirBinaryStore both mirror first=b second=far")
    assert site.run("store", "migrate", "--from", "a", "--to", "both", "--grace", "0s") == 0, site.out + site.err
    assert site.run("store", "verify") == 0, site.out + site.err
    shutil.rmtree(far / "objects")
    assert site.run("store", "verify", "--store", "both") == 3
    assert "12 missing, 0 altered, 0 unreadable; 0 of them repaired" in site.out, site.out
    assert site.run("store", "verify", "--store", "both", "--repair") == 0, site.out + site.err
    assert "12 of them repaired" in site.out
    assert sum(len(names) for _, _, names in os.walk(far / "objects")) == 12
    assert site.run("store", "verify") == 0 and site.out == "", site.out
