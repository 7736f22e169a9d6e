"""`fhirbinctl store migrate` under kill -9, two at once, with the database or a store failing in the middle: whatever
happens, every object is where its row says, with the right bytes, and the next run leaves nothing behind."""
import os
import random
import signal
import time
import uuid

import pytest
from move_site import Site

OBJECTS = int(os.environ.get("FHIR_TEST_MOVED", "300"))


def test_killed_again_and_again(site):
    site.fill(OBJECTS)
    noise, rounds, alive = random.Random(), 0, 2
    while "a" in site.rows().values():
        # Two at a time; both are killed somewhere in the middle.
        running = [site.begin("store", "migrate", "--from", "a", "--to", "b", "--grace", noise.choice(["0s", "1s"]))
                   for _ in range(alive)]
        time.sleep(noise.random() * 0.25)
        for one in running:
            time.sleep(noise.random() * 0.03)
            one.kill()
            one.communicate()
        site.check()
        if noise.random() < 0.5:
            site.leases_end()
        rounds += 1
        assert rounds < 400
    site.leases_end()
    assert site.move() == 0, site.out + site.err
    site.check_done()
    print(f"{rounds} rounds of two killed runs")
    assert site.move() == 0
    assert "Nothing is to be moved" in site.out


def test_two_at_once(site):
    site.fill(OBJECTS)
    both = [site.begin("store", "migrate", "--from", "a", "--to", "b", "--grace", "1s") for _ in range(2)]
    for one in both:
        out, err = one.communicate(timeout=180)
        assert one.returncode == 0, out + err
    site.check_done()


def test_there_and_back_at_once(site):
    """Two runs in opposite directions: wherever an object ends, it is whole, and nothing is left over."""
    site.fill(OBJECTS // 2)
    there = site.begin("store", "migrate", "--from", "a", "--to", "b", "--grace", "0s")
    back = site.begin("store", "migrate", "--from", "b", "--to", "a", "--grace", "0s")
    time.sleep(3)
    for one in (there, back):
        one.kill()
        one.communicate()
    site.check()
    site.leases_end()
    assert site.move() == 0, site.out + site.err
    site.check_done()


def test_everything_at_once(site):
    """Moves in both directions, clean-ups, uploads and deletions, killed and stopped, while leases run out under them."""
    site.fill(60)
    noise, deleted, stopped = random.Random(), set(), []
    commands = [("store", "migrate", "--from", "a", "--to", "b", "--grace", "0s"),
                ("store", "migrate", "--from", "b", "--to", "a", "--grace", "0s"),
                ("store", "orphans", "--remove", "--unknown", "--older-than", "0s")]
    running = []
    for _ in range(40):
        running.append(site.begin(*noise.choice(commands)))
        before = set(site.hashes)
        site.upload(noise)
        site.upload(noise)
        for key in noise.sample(sorted(before), 1):  # as a version is purged: first the row, then the bytes
            deleted.add(key)
            del site.hashes[key]
            site.sql(f"DELETE FROM fhir_binary.object WHERE object_key = '{key}'")
        time.sleep(noise.random() * 0.2)
        if noise.random() < 0.2:
            site.leases_end()
        if noise.random() < 0.2 and running[-1].poll() is None:
            running[-1].send_signal(signal.SIGSTOP)
            stopped.append(running.pop())
        while len(running) > 3:
            one = running.pop(0)
            one.kill()
            one.communicate()
    for one in stopped:
        one.send_signal(signal.SIGCONT)
    time.sleep(1)
    for one in [*running, *stopped]:
        one.kill()
        one.communicate()
    site.check()
    site.leases_end()
    assert site.move() == 0, site.out + site.err
    assert site.run("store", "orphans", "--remove", "--unknown", "--older-than", "0s") == 0, site.out + site.err
    assert site.run("store", "orphans", "--older-than", "0s") == 0, site.out + site.err
    site.check_done()


def test_the_database_is_restarted(site, postgres):
    site.fill(OBJECTS)
    running = site.begin("store", "migrate", "--from", "a", "--to", "b", "--grace", "0s", "--rate", "20M")
    time.sleep(0.8)
    postgres.kill()
    time.sleep(1.5)
    postgres.script("start")
    out, err = running.communicate(timeout=180)
    site.check()
    if running.returncode:
        print(out.decode(), err.decode())
        site.leases_end()
        assert site.move() == 0, site.out + site.err
    site.check_done()


def test_a_run_that_stood_still_removes_nothing(site):
    """SIGSTOP for longer than the lease: another run takes over, and the first one must not touch its work."""
    keys = site.fill(40)
    stopped = site.begin("store", "migrate", "--from", "a", "--to", "b", "--grace", "0s", "--rate", "2M")
    time.sleep(1)
    stopped.send_signal(19)
    site.leases_end()
    assert site.move() == 0, site.out + site.err
    site.check_done()
    stopped.send_signal(18)
    out, err = stopped.communicate(timeout=180)
    assert stopped.returncode == 0, out + err
    site.check_done()
    assert len(keys) == 40


def test_what_is_wrong_at_the_source_stays(site):
    keys = site.fill(60)
    big = [key for key in keys if site.path("a", key).stat().st_size > 1000]
    altered, short, missing = big[:3]
    good = {key: site.path("a", key).read_bytes() for key in big[:3]}
    site.path("a", altered).write_bytes(good[altered][:-1] + bytes([good[altered][-1] ^ 1]))
    site.path("a", short).write_bytes(good[short][:-1])
    site.path("a", missing).unlink()
    assert site.run("store", "verify") == 3
    assert all(key in site.out for key in big[:3]) and "1 missing, 2 altered" in site.out
    assert site.move() == 3, site.out + site.err
    assert "57 objects" in site.out and "3 could not be moved" in site.out and "3 objects are still in a" in site.out
    for key, problem in ((altered, "altered"), (short, "altered"), (missing, "missing")):
        assert f"{key} is {problem} in a" in site.out
        assert site.rows()[key] == "a" and not site.path("b", key).exists()
    assert site.files() == {"a": 2, "b": 57}
    # Once they are right again, the next run has them.
    for key, data in good.items():
        site.path("a", key).write_bytes(data)
    assert site.move() == 0, site.out + site.err
    site.check_done()


def test_an_older_database_finds_what_was_moved(site):
    """The rows come from a backup of before the move; the bytes are where they were moved to."""
    keys = site.fill(20)
    assert site.move() == 0
    site.sql("UPDATE fhir_binary.object SET store = 'a'")
    assert site.run("store", "verify") == 3 and "20 missing" in site.out
    assert site.move() == 0, site.out + site.err
    assert "20 objects" in site.out and len(keys) == 20
    site.check_done()


@pytest.mark.parametrize("fault", ["fail=writer_write:40:no_space", "fail=writer_begin:9:denied",
                                   "lose=writer_commit:5:internal", "fail=remove:1:internal"])
def test_the_target_fails(site, fault):
    site.fill(40)
    site.configure(f"FhirBinaryStore broken faulty inner=b {fault}")
    code = site.run("store", "migrate", "--from", "a", "--to", "broken", "--grace", "0s")
    assert code == 1, site.out + site.err
    said = site.out + site.err
    # What was moved before is readable, and what was not is where it was.
    site.sql("UPDATE fhir_binary.object SET store = 'b' WHERE store = 'broken'")
    site.sql("UPDATE fhir_binary.object_copy SET store = 'b' WHERE store = 'broken'")
    site.check()
    site.configure()
    site.leases_end()
    assert site.move() == 0, said + site.out + site.err
    site.check_done()


@pytest.mark.parametrize("fault", ["fail_every=7:unavailable", "fail_every=11:throttled",
                                   "lose=writer_commit:3:unavailable"])
def test_a_target_that_fails_now_and_then(site, fault):
    """Tried again after a pause; and if that does not help, the next run goes on."""
    site.fill(12)
    site.configure(f"FhirBinaryStore shaky faulty inner=b {fault}")
    site.run("store", "migrate", "--from", "a", "--to", "shaky", "--grace", "0s")
    site.sql("UPDATE fhir_binary.object SET store = 'b' WHERE store = 'shaky'")
    site.sql("UPDATE fhir_binary.object_copy SET store = 'b' WHERE store = 'shaky'")
    site.check()
    site.configure()
    site.leases_end()
    assert site.move() == 0, site.out + site.err
    site.check_done()


def test_a_source_that_can_not_be_read(site):
    keys = [key for key in site.fill(8) if site.path("a", key).stat().st_size]
    site.sql("DELETE FROM fhir_binary.object WHERE size = 0")
    for key in set(site.hashes) - set(keys[:2]):
        site.sql(f"DELETE FROM fhir_binary.object WHERE object_key = '{key}'")
        site.path("a", key).unlink()
        del site.hashes[key]
    site.sql("UPDATE fhir_binary.object SET store = 'broken'")
    site.configure("FhirBinaryStore broken faulty inner=a fail=reader_read:*:unavailable")
    assert site.run("store", "migrate", "--from", "broken", "--to", "b", "--grace", "0s") == 3, site.out + site.err
    assert site.out.count("is unreadable in broken") == 2
    site.sql("UPDATE fhir_binary.object SET store = 'a'")
    site.check()
    assert site.files() == {"a": 2, "b": 0}


def test_one_place_under_two_names(site):
    site.fill(5)
    site.configure(f"FhirBinaryStore twin filesystem path={site.directories['a']}\n"
                   "FhirBinaryStore wrapper faulty inner=a")
    for target in ("twin", "wrapper"):
        assert site.run("store", "migrate", "--from", "a", "--to", target, "--grace", "0s") == 1
        assert "are one place" in site.err
    site.check()
    assert site.files() == {"a": 5, "b": 0}
    # What such a store holds is not unknown, whatever its rows say.
    os.utime(site.directories["a"])
    code = site.run("store", "orphans", "--remove", "--unknown", "--older-than", "0s")
    assert code in (0, 3), site.err
    site.check()
    assert site.files() == {"a": 5, "b": 0}


def test_orphans_are_removed_and_nothing_else(site):
    keys = site.fill(30)
    unknown, unfinished, pending, young = (uuid.uuid4().hex for _ in range(4))
    old = time.time() - 100_000
    for path in (site.path("a", unknown), site.directories["a"] / "tmp" / unfinished, site.path("a", pending),
                 site.path("a", young)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left over")
        os.utime(path, (old, old))
    os.utime(site.path("a", young))
    project = uuid.uuid4()
    for key, age in ((pending, "2 days"), (uuid.uuid4().hex, "1 minute")):
        site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at) VALUES "
                 f"('{key}', '{project}', 'a', '{key[:2]}/{key[2:4]}/{key}', now() - interval '{age}')")
    for key in keys:
        os.utime(site.path("a", key), (old, old))
    assert site.run("store", "orphans") == 3
    assert all(key in site.out for key in (unknown, unfinished, pending)) and young not in site.out
    assert site.files()["a"] == 34
    assert site.run("store", "orphans", "--remove") == 3, site.out + site.err
    assert "2 removed" in site.out and "1 unknown objects are kept" in site.err
    assert site.path("a", unknown).exists() and site.files()["a"] == 32
    assert site.run("store", "orphans", "--unknown") != 0 and site.files()["a"] == 32
    assert site.run("store", "orphans", "--remove", "--unknown") == 0, site.out + site.err
    assert "1 removed" in site.out
    assert site.files()["a"] == 31
    assert site.run("store", "orphans") == 0
    assert site.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL") == [["1"]]
    site.sql("DELETE FROM fhir_binary.object WHERE committed_at IS NULL")
    site.check()


def test_two_databases_in_one_place(site, postgres):
    """A mistake, but not one that may cost an object: the other one's are unknown, and fewer than ours."""
    ours = site.fill(30)
    other = Site.__new__(Site)
    other.__dict__.update(site.__dict__, conninfo=postgres.create_database(), hashes={},
                          configuration=site.place / "other.conf")
    other.configure()
    assert other.run("db", "upgrade") == 0
    theirs = other.fill(5, seed=2)
    for key in [*ours, *theirs]:
        os.utime(site.path("a", key), (1e9, 1e9))
    assert site.run("store", "orphans", "--remove", "--older-than", "0s") == 3
    assert "5 unknown objects are kept" in site.err and "other database" in site.err
    other.check()
    site.check()
    postgres.drop_database(other.conninfo)


def test_the_wrong_database_removes_nothing(site, postgres):
    keys = site.fill(30)
    right, site.conninfo = site.conninfo, postgres.create_database()
    site.configure()
    assert site.run("db", "upgrade") == 0
    for key in keys:
        os.utime(site.path("a", key), (1e9, 1e9))
    site.run("store", "orphans", "--remove", "--unknown", "--older-than", "0s")
    assert "is it the database that belongs to this store" in site.err
    assert site.files()["a"] == 30
    postgres.drop_database(site.conninfo)
    site.conninfo = right
    site.configure()
    site.check()


def test_a_store_that_is_not_configured(site):
    keys = site.fill(30)
    site.configuration.write_text(site.configuration.read_text().replace("Store a filesystem", "Store renamed filesystem"))
    for key in keys:
        os.utime(site.path("a", key), (1e9, 1e9))
    assert site.run("store", "stat") == 3
    assert site.run("store", "verify") == 3
    assert "30 objects are in this store, which the configuration does not have" in site.out
    site.run("store", "orphans", "--remove", "--unknown", "--older-than", "0s")
    assert "name the store 'a'" in site.err
    assert site.files()["a"] == 30
    assert site.run("config", "check") == 3
    assert "a" in site.out + site.err
    site.configure()
    site.check()


def test_projects_rates_and_dry_runs(site):
    site.fill(10)
    assert site.move("--dry-run") == 0
    assert "10 objects" in site.out and site.files() == {"a": 10, "b": 0}
    assert site.run("project", "create", "other") == 0
    assert site.move("--project", "other") == 0
    assert site.files() == {"a": 10, "b": 0}
    began, size = time.monotonic(), sum(site.path("a", key).stat().st_size for key in site.hashes)
    assert site.move("--rate", str(size)) == 0  # read, and read again: two seconds
    assert 1.5 < time.monotonic() - began < 8
    site.check_done()
