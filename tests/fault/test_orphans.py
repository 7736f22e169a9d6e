"""`fhirbinctl store orphans --remove`: whatever fails in the middle, no upload gets a version of bytes that are gone,
what remains is told by the exit status, and the next run ends it."""
import time
import uuid

from test_move import postgres, site  # noqa: F401

OLD = ("--older-than", "0s")


def faulty(site, rules):  # noqa: F811
    """The store `a` answers as `rules` say."""
    lines = [f"FhirBinaryStore disk filesystem path={site.directories['a']} sync=off" if "Store a " in line else line
             for line in site.configuration.read_text().splitlines()]
    place = next(number for number, line in enumerate(lines) if "Store disk " in line)
    lines.insert(place + 1, f"FhirBinaryStore a faulty inner=disk {rules}")
    site.configuration.write_text("\n".join(lines) + "\n")


def pending(site, data=b"left over", age="2 days", store="a"):  # noqa: F811
    """As an upload leaves it that was not finished."""
    key = uuid.uuid4().hex
    path = site.path(store, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at) VALUES "
             f"('{key}', '{uuid.uuid4()}', '{store}', '{key[:2]}/{key[2:4]}/{key}', now() - interval '{age}')")
    return key


def commits(site, key):  # noqa: F811
    """May its upload, which still runs, make a version of it?"""
    return bool(site.sql(f"UPDATE fhir_binary.object SET size = 9, sha256 = '\\x{'00' * 32}', sha1 = '\\x{'00' * 20}', "
                         f"committed_at = now() WHERE object_key = '{key}' RETURNING 1"))


def is_cleared(site, key):  # noqa: F811
    """Once the store works again."""
    site.configure()
    site.leases_end()
    assert site.run("store", "orphans", "--remove", *OLD) == 0, site.out + site.err
    assert not site.path("a", key).exists()
    assert site.sql("SELECT count(*) FROM fhir_binary.object_copy") == [["0"]]
    assert site.run("store", "orphans", *OLD) == 0, site.out + site.err


def test_removed_but_the_answer_is_lost(site):  # noqa: F811
    faulty(site, "lose=remove:1:unavailable")
    key = pending(site)
    assert site.run("store", "orphans", "--remove") == 3, site.out + site.err
    assert not site.path("a", key).exists()
    assert not commits(site, key), "an upload could be committed whose bytes are gone"
    is_cleared(site, key)


def test_killed_while_it_removes(site):  # noqa: F811
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


def test_what_the_store_can_not_remove_remains(site):  # noqa: F811
    faulty(site, "fail=remove:*:denied")
    key = pending(site)
    assert site.run("store", "orphans", "--remove") == 3, site.out + site.err
    assert "1 could not be removed" in site.out and site.path("a", key).exists()
    site.leases_end()
    assert site.run("store", "orphans") == 3, site.out + site.err
    assert "left-over" in site.out and key in site.out
    is_cleared(site, key)


def test_a_locator_that_the_store_never_gave(site):  # noqa: F811
    key = uuid.uuid4().hex
    site.sql("INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at) VALUES "
             f"('{key}', '{uuid.uuid4()}', 'a', '../elsewhere', now() - interval '2 days')")
    assert site.run("store", "orphans") == 3 and key in site.out
    assert site.run("store", "orphans", "--remove") == 0, site.out + site.err
    assert site.rows() == {}
