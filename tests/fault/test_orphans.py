"""`fhirbinctl store orphans --remove`: whatever fails in the middle, no upload gets a version of bytes that are gone,
what remains is told by the exit status, and the next run ends it."""
import os
import subprocess
import time
import uuid

import pytest
from move_site import httpd

OLD = ("--older-than", "0s")


def faulty(site, rules):
    """The store `a` answers as `rules` say."""
    lines = [f"FhirBinaryStore disk filesystem path={site.directories['a']} sync=off" if "Store a " in line else line
             for line in site.configuration.read_text().splitlines()]
    place = next(number for number, line in enumerate(lines) if "Store disk " in line)
    lines.insert(place + 1, f"FhirBinaryStore a faulty inner=disk {rules}")
    site.configuration.write_text("\n".join(lines) + "\n")


def pending(site, data=b"left over", age="2 days", store="a"):
    """As an upload leaves it that was not finished."""
    key = uuid.uuid4().hex
    path = site.path(store, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at) VALUES "
             f"('{key}', '{uuid.uuid4()}', '{store}', '{key[:2]}/{key[2:4]}/{key}', now() - interval '{age}')")
    return key


def commits(site, key):
    """May its upload, which still runs, make a version of it?"""
    return bool(site.sql(f"UPDATE fhir_binary.object SET size = 9, sha256 = '\\x{'00' * 32}', sha1 = '\\x{'00' * 20}', "
                         f"committed_at = now() WHERE object_key = '{key}' RETURNING 1"))


def is_cleared(site, key):
    """Once the store works again."""
    site.configure()
    site.leases_end()
    assert site.run("store", "orphans", "--remove", *OLD) == 0, site.out + site.err
    assert not site.path("a", key).exists()
    assert site.sql("SELECT count(*) FROM fhir_binary.object_copy") == [["0"]]
    assert site.run("store", "orphans", *OLD) == 0, site.out + site.err


def test_removed_but_the_answer_is_lost(site):
    faulty(site, "lose=remove:1:unavailable")
    key = pending(site)
    assert site.run("store", "orphans", "--remove") == 3, site.out + site.err
    assert not site.path("a", key).exists()
    assert not commits(site, key), "an upload could be committed whose bytes are gone"
    is_cleared(site, key)


def test_killed_while_it_removes(site):
    faulty(site, "delay=remove:*:60000")
    key = pending(site)
    running = site.begin("store", "orphans", "--remove")
    while site.sql("SELECT count(*) FROM fhir_binary.object") != [["0"]]:
        time.sleep(0.1)
        assert running.poll() is None, running.communicate()
    running.kill()
    running.communicate()
    assert not commits(site, key)
    is_cleared(site, key)


def test_what_the_store_can_not_remove_remains(site):
    faulty(site, "fail=remove:*:denied")
    key = pending(site)
    assert site.run("store", "orphans", "--remove") == 3, site.out + site.err
    assert "1 could not be removed" in site.out and site.path("a", key).exists()
    site.leases_end()
    assert site.run("store", "orphans") == 3, site.out + site.err
    assert "left-over" in site.out and key in site.out
    is_cleared(site, key)


def test_a_locator_that_the_store_never_gave(site):
    key = uuid.uuid4().hex
    site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at) VALUES "
             f"('{key}', '{uuid.uuid4()}', 'a', '../elsewhere', now() - interval '2 days')")
    assert site.run("store", "orphans") == 3 and key in site.out
    assert site.run("store", "orphans", "--remove") == 0, site.out + site.err
    assert site.rows() == {}


def unfinished(site, age=100_000, key=None):
    key = key or uuid.uuid4().hex
    path = site.directories["a"] / "tmp" / key
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"half of it")
    os.utime(path, (time.time() - age,) * 2)
    return path


def unknown(site, age=100_000):
    key = uuid.uuid4().hex
    path = site.path("a", key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"whole")
    os.utime(path, (time.time() - age,) * 2)
    return key


def test_one_place_with_two_names(site):
    """The upload under the one name is not what the other name's clean-up may take."""
    site.configuration.write_text(site.configuration.read_text().replace(f"path={site.directories['b']}",
                                                                         f"path={site.directories['a']}"))
    site.directories["a"].chmod(0o700)
    key = uuid.uuid4().hex
    at_work = unfinished(site, key=key)
    site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator) VALUES "
             f"('{key}', '{uuid.uuid4()}', 'a', '{key[:2]}/{key[2:4]}/{key}')")
    assert site.run("store", "orphans", "--remove", "--unknown", "--store", "b", *OLD) == 3, site.out + site.err
    assert "elsewhere" in site.out and at_work.exists(), site.out


def test_stored_since_the_listing(site):
    """What was unfinished when it was listed, and is an object of another database now."""
    site.run("store", "orphans")
    faulty(site, "delay=stat:1:6000")
    path = unfinished(site)
    running = site.begin("store", "orphans", "--remove")
    time.sleep(3)
    whole = site.path("a", path.name)
    whole.parent.mkdir(parents=True)
    path.rename(whole)
    out, _ = running.communicate()
    assert running.returncode == 3 and b"an object has been stored there" in out, out
    assert whole.exists()


def test_a_direct_upload_that_was_left_alone(site):
    """Given up, so its object's row is gone; then the store refused 20 times to remove it."""
    site.fill(3)
    key = unknown(site)
    site.sql("INSERT INTO fhir_binary.direct_upload (version_id, project_id, membership_id, key_id, binary_id, "
             "content_type, object_key, store, locator, expires_at, state, attempts, due_at) VALUES (gen_random_uuid(), "
             f"gen_random_uuid(), gen_random_uuid(), 'k', 'b', 'text/plain', '{key}', 'a', "
             f"'{key[:2]}/{key[2:4]}/{key}', now() - interval '2 days', 3, 20, now())")
    assert site.run("store", "verify") == 3 and key in site.out, site.out + site.err
    assert site.run("store", "orphans") == 3 and key in site.out, site.out + site.err
    assert site.run("store", "orphans", "--remove", "--unknown") == 0, site.out + site.err
    assert not site.path("a", key).exists()
    assert site.sql("SELECT count(*) FROM fhir_binary.direct_upload") == [["0"]]
    site.check()


def test_copies_do_not_count_for_what_remains(site):
    """One is kept and one swept: there is something left."""
    site.fill(3)
    kept, swept = unknown(site), unknown(site)
    site.sql("INSERT INTO fhir_binary.object_copy (object_key, store, locator, state, due_at) VALUES "
             f"('{uuid.uuid4()}', 'a', '{swept[:2]}/{swept[2:4]}/{swept}', 2, now())")
    assert site.run("store", "orphans", "--remove") == 3, site.out + site.err
    assert "0 removed" in site.out and "1 left-over copies removed" in site.out
    assert site.path("a", kept).exists() and not site.path("a", swept).exists()
    # A copy that was listed, and nothing else.
    swept = unknown(site)
    site.sql("INSERT INTO fhir_binary.object_copy (object_key, store, locator, state, due_at, created_at) VALUES "
             f"('{uuid.uuid4()}', 'a', '{swept[:2]}/{swept[2:4]}/{swept}', 2, now(), now() - interval '2 days')")
    assert site.run("store", "orphans", "--remove", "--unknown") == 0, site.out + site.err
    assert "1 removed" in site.out and "1 left-over copies removed" in site.out
    site.check()


def test_what_the_wrong_database_does_not_know_is_told(site):
    keys = [unknown(site) for _ in range(11)]
    os.utime(unfinished(site), (1e9, 1e9))
    assert site.run("store", "orphans", "--remove", "--unknown") == 3, site.out + site.err
    assert all(key in site.out for key in keys) and "0 removed" in site.out
    assert "nothing is removed of what no row knows" in site.err
    assert site.files()["a"] == 12


def test_one_damaged_object_does_not_end_it(site):
    faulty(site, "fail=stat:1:corrupt")
    damaged, other = pending(site, age="3 days"), pending(site)
    assert site.run("store", "orphans") == 3
    assert damaged in site.out and other in site.out and "stat 1" in site.out, site.out + site.err
    assert site.run("store", "orphans", "--remove") == 0, site.out + site.err
    assert site.rows() == {} and not site.path("a", damaged).exists()


def test_the_age_is_the_databases(site, tmp_path):
    """A host whose clock is a day ahead must not take away what was begun a minute ago."""
    ahead = tmp_path / "ahead.c"
    ahead.write_text("""#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
int gettimeofday(struct timeval *now, void *zone)
{
    int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    now->tv_sec += 25 * 3600;
    return result;
}
""")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", tmp_path / "ahead.so", ahead, "-ldl"], check=True)
    site.fill(3)
    key = pending(site, age="1 minute")
    unknown(site, age=60)
    done = subprocess.run([httpd.BUILD / "fhirbinctl", "-c", site.configuration, "store", "orphans", "--remove",
                           "--unknown"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LD_PRELOAD": str(tmp_path / "ahead.so")})
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr
    assert site.path("a", key).exists() and commits(site, key)


@pytest.mark.parametrize("age, code", [("36500d", 0), ("36501d", 2), ("99999999d", 2)])
def test_an_age_has_an_end(site, age, code):
    assert site.run("store", "orphans", "--older-than", age) == code
    assert not code or "--older-than is a time" in site.err and "at most 36500d" in site.err, site.err
