"""Issue section 1: two nodes on one database. A right that is taken away on one is gone on the other within a second, and
one that is given is there."""
import base64
import concurrent.futures
import json
import time

import pytest
from access import world
from harness import httpd
from harness.client import Client
from harness.postgres import Postgres

WITHIN = 1.0
WATCHED = 1.3
FHIR = world.FHIR


@pytest.fixture(scope="module")
def cluster():
    """Of its own: it is restarted."""
    made = Postgres()
    try:
        made.start()
        yield made
    finally:
        made.discard()


class Nodes:
    """The same public address, the same database and store; each a directory and a port of its own."""

    def __init__(self, cluster):
        # Other MPMs than event and worker have no listeners: see test_prefork.
        mpm = "event" if httpd.MPM == "prefork" else httpd.MPM
        self.first = httpd.Server(cluster, mpm=mpm, name="first")
        store = f"main filesystem path={self.first.stores}/main"
        self.second = httpd.Server(cluster, mpm=mpm, name="second", database=self.first.conninfo, directives={
            "FhirBinaryBaseURL": self.first.base, "FhirBinaryStore": [store]})
        for name in ("base", "fhir_base", "storage_base"):
            setattr(self.second, name, getattr(self.first, name))

    def there(self, client):
        """The same client, the same token, at the other node."""
        twin = Client(self.second, client.project_id, (client.id, client.secret))
        twin._token = client.token
        return twin

    def new(self, client):
        """As if it had never been here: with a new token, at the other node."""
        return Client(self.second, client.project_id, (client.id, client.secret))

    def expect_log(self, pattern):
        for node in (self.first, self.second):
            node.expect_log(pattern)

    def wait_listening(self, within=15):
        """Every child of both nodes: each look is answered by one of them."""
        end = time.monotonic() + within
        for node in (self.first, self.second):
            hits = 0
            while hits < 20:
                hits = hits + 1 if "FhirBinaryListening: yes" in node.request("GET", "/server-status?auto").text else 0
                assert time.monotonic() < end, "not every child listens"
                if not hits:
                    time.sleep(0.05)


@pytest.fixture(scope="module")
def nodes(cluster):
    both = Nodes(cluster)
    with both.first, both.second:
        both.admin = both.first.project("two nodes")
        both.own = both.admin.call("POST", "Patient", FHIR, json.dumps(world.patient()).encode()).json()["id"]
        both.other = both.admin.call("POST", "Patient", FHIR, json.dumps(world.patient()).encode()).json()["id"]
        both.of_own = both.admin.upload(b"own", headers={"X-Security-Context": f"Patient/{both.own}"})[0]
        both.of_other = both.admin.upload(b"other", headers={"X-Security-Context": f"Patient/{both.other}"})[0]
        both.wait_listening()
        yield both


@pytest.fixture
def member(nodes):
    """A patient's portal; gives its client, with the names of its policy and membership."""
    policy = world.write_policy(nodes.admin, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient"}])
    made = Client(nodes.first, nodes.admin.project_id,
                  nodes.first.cli.client_create(nodes.admin.project_id, "portal", admin=False))
    made.policy, made.membership = policy, world.membership_id(nodes.first, made)
    world.set_membership(nodes.admin, made.membership, profile={"reference": f"Patient/{nodes.own}"},
                         access=world.access(policy))
    return made


# ---- measuring ----

def changes(what, change, ask, before, after):
    """`ask` has one of the statuses `before`; some time after the change only of `after`: that time is at most a second.
    It is asked without pause by four, so that both children are."""
    before, after = [{status} if isinstance(status, int) else set(status) for status in (before, after)]
    assert ask().status in before, (what, ask())
    seen = []

    def watch(until):
        """The last question is asked after that time, however slow the machine is."""
        begun = 0
        while begun < until[0]:
            begun = time.monotonic()
            seen.append((begun, ask().status))

    until = [time.monotonic() + 60]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        work = [pool.submit(watch, until) for _ in range(4)]
        time.sleep(0.1)
        started = time.monotonic()
        try:
            change()
            changed = time.monotonic()
            until[0] = changed + WATCHED
        except BaseException:
            until[0] = 0
            raise
        for item in work:
            item.result()
    statuses = {status for _, status in seen}
    assert statuses <= before | after, f"{what}: {statuses}"
    assert any(begun < changed and status in before for begun, status in seen), what
    late = max([begun - changed for begun, status in seen if status not in after], default=0)
    print(f"{what}: {max(late, 0) * 1000:.0f} ms after a change of {(changed - started) * 1000:.0f} ms, {len(seen)} requests")
    assert late < WITHIN, f"{what}: {late:.3f} s after the change the other node still answered as before"
    return late


def read(client, identity):
    return lambda: client.get(f"Binary/{identity}")


def put_policy(nodes, policy, entries):
    resource = {"resource": entries} if entries else {}
    made = nodes.admin.call("PUT", policy, FHIR, json.dumps(
        {"resourceType": "AccessPolicy", "id": policy.split("/")[1], "name": "test", **resource}).encode())
    assert made.status in (200, 201), made


def key_of(token):
    header = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


# ---- keys ----

def test_token_key(nodes):
    here, there = nodes.admin, nodes.there(nodes.admin)
    key = key_of(here.token)
    ask = read(there, nodes.of_own)
    changes("token key revoked", lambda: nodes.first.cli.run("key", "revoke", key), ask, 200, 401)
    nodes.admin._token = None
    assert key_of(here.token) != key
    # Tokens of the new key are good at once, on both.
    for _ in range(8):
        assert nodes.there(here).get(f"Binary/{nodes.of_own}").status == 200
        assert here.get(f"Binary/{nodes.of_own}").status == 200
    known = json.loads(nodes.second.request("GET", "/.well-known/jwks.json").text)
    assert key not in [one["kid"] for one in known["keys"]]


def test_retired_token_key(nodes):
    """Rotation alone takes nothing away, and new tokens work everywhere."""
    before = nodes.there(nodes.admin)
    nodes.first.cli.run("key", "rotate")
    fresh = Client(nodes.second, nodes.admin.project_id, (nodes.admin.id, nodes.admin.secret))
    for _ in range(8):
        assert before.get(f"Binary/{nodes.of_own}").status == 200
        assert fresh.get(f"Binary/{nodes.of_own}").status == 200
        fresh._token = None
    assert key_of(fresh.token) != key_of(before.token)


def test_url_key(nodes):
    url = nodes.admin.signed(nodes.of_own)
    key = url.split("Key-Pair-Id=")[1].split("&")[0]
    changes("URL key revoked", lambda: nodes.first.cli.run("key", "revoke", key),
            lambda: nodes.second.request("GET", url), 200, 403)
    fresh = nodes.there(nodes.admin).signed(nodes.of_own)
    assert key not in fresh
    assert nodes.first.request("GET", fresh).status == nodes.second.request("GET", fresh).status == 200


# ---- who ----

def test_client(nodes, member):
    there = nodes.there(member)
    url = member.signed(nodes.of_own)
    ask = read(there, nodes.of_own)

    def sign_in():
        return nodes.second.request("GET", f"/fhir/R4/Binary/{nodes.of_own}", member.basic)

    def use_url():
        return nodes.second.request("GET", url)

    for what, way, status in (("token of a disabled client", ask, 403), ("secret of a disabled client", sign_in, (401, 403)),
                              ("URL of a disabled client", use_url, 403)):
        changes(what, lambda: nodes.first.cli.run("client", "disable", member.id), way, 200, status)
        changes(what + ", enabled again", lambda: nodes.first.cli.run("client", "enable", member.id), way, status, 200)


def test_secret(nodes, member):
    old = dict(member.basic)
    changes("secret replaced", lambda: nodes.first.cli.run("client", "secret", member.id),
            lambda: nodes.second.request("GET", f"/fhir/R4/Binary/{nodes.of_own}", old), 200, 401)


def test_membership(nodes, member):
    ask = read(nodes.there(member), nodes.of_own)
    url = member.signed(nodes.of_own)

    def activate(active):
        return lambda: world.set_membership(nodes.admin, member.membership, active=active)

    changes("membership disabled", activate(False), ask, 200, 403)
    assert nodes.second.request("GET", url).status == 403
    changes("membership enabled", activate(True), ask, 403, 200)
    assert nodes.second.request("GET", url).status == 200
    nodes.first.cli.run("membership", "disable", member.membership)
    assert ask().status == 403
    nodes.first.cli.run("membership", "enable", member.membership)
    assert ask().status == 200


def test_project(nodes):
    other = nodes.first.project("a project that ends")
    identity, _ = other.upload(b"x")
    ask = read(nodes.there(other), identity)
    changes("project disabled", lambda: nodes.first.cli.run("project", "disable", other.project_id), ask, 200, 403)
    changes("project enabled", lambda: nodes.first.cli.run("project", "enable", other.project_id), ask, 403, 200)


def test_admin_flag(nodes, member):
    ask = read(nodes.there(member), nodes.of_other)

    def make_admin(flag):
        place = f"ProjectMembership/{member.membership}"
        body = {**nodes.admin.json(place).json(), "admin": flag}
        return lambda: nodes.admin.call("PUT", place, FHIR, json.dumps(body).encode())

    changes("made an administrator", make_admin(True), ask, 404, 200)
    changes("administrator no longer", make_admin(False), ask, 200, 404)


# ---- what ----

def test_profile(nodes, member):
    there = nodes.there(member)

    def move(patient):
        return lambda: world.set_membership(nodes.admin, member.membership, profile={"reference": f"Patient/{patient}"})

    changes("profile moved away", move(nodes.other), read(there, nodes.of_own), 200, 404)
    assert there.get(f"Binary/{nodes.of_other}").status == 200
    changes("profile moved back", move(nodes.own), read(there, nodes.of_own), 404, 200)
    assert there.get(f"Binary/{nodes.of_other}").status == 404


def test_policy_changed(nodes, member):
    there = nodes.there(member)
    entry = {"resourceType": "Patient", "criteria": "Patient?_compartment=%patient"}

    def write():
        return there.call("PUT", f"Binary/{nodes.of_own}", {"Content-Type": "text/plain"}, b"own")

    changes("made readonly", lambda: put_policy(nodes, member.policy, [{**entry, "readonly": True}]), write, 200, 403)
    assert there.get(f"Binary/{nodes.of_own}").status == 200
    changes("nothing of Patients", lambda: put_policy(nodes, member.policy, [{"resourceType": "Basic"}]),
            read(there, nodes.of_own), 200, 404)
    changes("nothing", lambda: put_policy(nodes, member.policy, []), read(there, nodes.of_own), 404, 403)
    changes("given back", lambda: put_policy(nodes, member.policy, [entry]), write, 403, 200)


def test_policy_deleted(nodes, member):
    ask = read(nodes.there(member), nodes.of_own)

    def delete():
        assert nodes.admin.call("DELETE", member.policy).status in (200, 204)

    entry = {"resourceType": "Patient", "criteria": "Patient?_compartment=%patient"}
    changes("policy deleted", delete, ask, 200, 403)
    changes("policy written again", lambda: put_policy(nodes, member.policy, [entry]), ask, 403, 200)


def test_policy_taken_from_the_membership(nodes, member):
    ask = read(nodes.there(member), nodes.of_own)
    changes("policy taken away", lambda: world.set_membership(nodes.admin, member.membership, access=None), ask, 200, 403)
    given = world.access(member.policy)
    changes("policy given", lambda: world.set_membership(nodes.admin, member.membership, access=given), ask, 403, 200)


def test_context(nodes, member):
    """The Binary moves under another patient; its bytes and signed URLs of versions follow the current context."""
    there = nodes.there(member)
    identity, _ = nodes.admin.upload(b"moves", headers={"X-Security-Context": f"Patient/{nodes.own}"})

    def relabel(patient):
        return lambda: nodes.admin.replace(identity, b"moves", headers={"X-Security-Context": f"Patient/{patient}"})

    changes("context moved away", relabel(nodes.other), read(there, identity), 200, 404)
    changes("context moved back", relabel(nodes.own), read(there, identity), 404, 200)


# ---- the listener itself ----

def test_other_tokens_survive(nodes, member):
    """What is forgotten is verified again: nobody else notices."""
    there = nodes.there(nodes.admin)
    stop = time.monotonic() + 2
    lost = []

    def watch():
        while time.monotonic() < stop:
            answer = there.get(f"Binary/{nodes.of_own}")
            if answer.status != 200:
                lost.append(answer)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        work = [pool.submit(watch) for _ in range(4)]
        while time.monotonic() < stop:
            nodes.first.cli.run("client", "disable", member.id)
            nodes.first.cli.run("client", "enable", member.id)
            nodes.first.cli.run("key", "rotate", "--signing")
        for item in work:
            item.result()
    assert not lost, lost[:3]


def test_listener_is_cut_off(nodes, cluster):
    """The administrator ends the listening sessions: they come back, and hear again."""
    nodes.expect_log("fhir_binary")
    cluster.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
                  "OR query LIKE '%pg_listening_channels%' AND pid <> pg_backend_pid()")
    nodes.wait_listening(within=3)
    test_token_key(nodes)


def test_revoked_while_the_listener_is_away(nodes, cluster):
    """Nothing is remembered over a loss."""
    nodes.expect_log("fhir_binary")
    key = key_of(nodes.admin.token)
    there = nodes.there(nodes.admin)
    assert there.get(f"Binary/{nodes.of_own}").status == 200
    cluster.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fhir'")
    nodes.first.cli.run("key", "revoke", key)
    revoked = time.monotonic()
    while there.get(f"Binary/{nodes.of_own}").status != 401:
        assert time.monotonic() - revoked < WITHIN
    nodes.admin._token = None
    nodes.wait_listening()


def test_database_restarted(nodes, cluster, member):
    nodes.expect_log("fhir_binary|database|connection|PostgreSQL|server closed|503|could not")
    assert nodes.there(member).get(f"Binary/{nodes.of_own}").status == 200
    cluster.restart()
    nodes.wait_listening()
    test_token_key(nodes)
    member._token = None
    ask = read(nodes.there(member), nodes.of_own)
    changes("after the restart: membership disabled",
            lambda: world.set_membership(nodes.admin, member.membership, active=False), ask, 200, 403)
    for node in (nodes.first, nodes.second):
        node.new_log()


def test_prefork(cluster):
    """Children that serve one request at a time have no listener: they ask again and again instead."""
    with httpd.Server(cluster, mpm="prefork", name="prefork") as server:
        who = server.project("prefork")
        identity, _ = who.upload(b"x")
        twin = Client(server, who.project_id, (who.id, who.secret))
        twin._token = who.token
        assert server.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                          "AND query LIKE 'LISTEN%'") == [["0"]]
        assert "FhirBinaryListening: no" in server.request("GET", "/server-status?auto").text
        changes("prefork: token key revoked", lambda: server.cli.run("key", "revoke", key_of(twin.token)),
                read(twin, identity), 200, 401)
        who._token = None
        assert who.get(f"Binary/{identity}").status == 200


def test_graceful_restart(nodes):
    """New children listen, old ones end: no session is left behind."""
    def listening():
        rows = nodes.first.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
                               "OR query LIKE '%pg_listening_channels() AS%' AND pid <> pg_backend_pid()")
        return int(rows[0][0])

    nodes.second.graceful()
    nodes.wait_listening()
    test_token_key(nodes)
    end = time.monotonic() + 10
    while listening() != len(nodes.first.children()) + len(nodes.second.children()):
        assert time.monotonic() < end, listening()
        time.sleep(0.1)
