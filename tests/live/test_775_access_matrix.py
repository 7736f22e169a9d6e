"""Issue sections 2 and 4: who may do what, cell by cell, as access_matrix.txt says."""
import pytest
from access import binary_actions, report_actions, resource_actions, table
from access.judge import Mismatches, judge, refused
from access.world import World, media, observation

SECTIONS = table.read()
HIDDEN = table.hidden_contexts(SECTIONS)


def titles(*beginnings):
    return [title for title in SECTIONS if title.startswith(beginnings)]


@pytest.fixture(scope="module")
def world(postgres):
    with World(postgres) as made:
        # Refusals are told in the log at info; what a broken database or a bug would say is at error.
        yield made


def test_the_table_is_whole():
    """Every section is asked by a test below, and every action is known."""
    used = (titles("Binary: read", "Binary: change", "Binary: revive", "Binary: create", "Binary: re-label", "Binary: history",
                   "Binary: included", "Binary: attachment") +
            [title for title in SECTIONS if title.split(":")[0] in ("Patient", "Media", "Observation")])
    assert sorted(set(used)) == sorted(SECTIONS)
    cells = sum(len(section.actions) * len(list(section.cells())) for section in SECTIONS.values())
    assert cells > 5000, cells
    print(f"{cells} cells")


# ---- Binary ----

@pytest.mark.parametrize("title", titles("Binary: read", "Binary: change", "Binary: revive"))
def test_binary(world, title):
    section, result = SECTIONS[title], Mismatches(title)
    for name in section.actions:
        function, ok, check = binary_actions.ACTIONS[name]
        for row, who, expected in section.cells():
            target = world.binary(row)
            twin = twin_of(world, who, target) if expected == "?" else None
            answer, problem = judge(expected, ok, check, lambda one: function(world, who, one), target, world, twin)
            if answer is None:
                continue
            done = answer.status < 300 and not name.startswith(READS)
            if done and expected == "yes":
                world.used(target)
            elif not name.startswith(READS):
                changed = world.unchanged(target)
                problem = problem or changed
                if changed:
                    world.used(target)
            result.cell(name, row, who, expected, problem)
    result.finish()


READS = ("raw", "json", "xml", "head", "range", "if-", "vread", "history", "sign-", "signed-get", "signed-head", "signed-range",
         "batch-read", "batch-vread", "batch-history", "batch-sign", "transaction-read", "basic")


def twin_of(world, who, target):
    """Nothing like the target was ever there; of a Binary that may be read, not the version that was asked for."""
    twin = target.twin()
    if ">" in target.row and world.call(who, "GET", target.place).status == 200:
        twin.id, twin.version = target.id, target.version
    return twin


def test_binary_created(world):
    title = "Binary: create"
    section, result = SECTIONS[title], Mismatches(title)
    before, made = count(world), 0
    for name in section.actions:
        for row, who, expected in section.cells():
            context = world.contexts[row]
            answer = binary_actions.CREATE[name](world, who, context)
            if answer is None:
                continue
            made += answer.status == 201
            result.cell(name, row, who, expected, under_context(world, result, name, who, row, expected, answer, (201,)))
    assert count(world) == before + made, "refusals have left Binaries"
    result.finish()


def under_context(world, result, name, who, row, expected, answer, ok):
    if expected == "yes":
        return None if answer.status in ok else f"got {answer.status} {answer.body[:200]}"
    nothing = world.binary("unknown")
    if answer.status == 403 and row in HIDDEN.get(who, ()) and row != "none":
        context = world.contexts[row]
        result.refusal(name, who, row, answer, context, context.split("/_history")[0])
    return refused(answer, int(expected), nothing, context=False)


def count(world):
    return int(world.server.sql("SELECT count(*) FROM fhir_binary.binary")[0][0])


@pytest.mark.parametrize("title", titles("Binary: re-label"))
def test_binary_relabelled(world, title):
    section, result, who = SECTIONS[title], Mismatches(title), title.split()[-1]
    for name in section.actions:
        function = binary_actions.TO[name]
        for row, to, expected in section.cells():
            target, context = world.binary(row), world.contexts[to]
            answer = function(world, who, target, context)
            if answer is None:
                continue
            if expected == "?":
                _, problem = judge("?", (), None, lambda one: function(world, who, one, context), target, world)
            else:
                problem = under_context(world, result, f"{name} {row}", who, to, expected, answer, (200,))
            if answer.status < 300 and expected == "yes":
                world.used(target)
            else:
                changed = world.unchanged(target)
                problem = problem or changed
                if changed:
                    world.used(target)
            result.cell(name, row, to, expected, problem)
    result.finish()


def test_binary_history(world):
    title = "Binary: history"
    section, result = SECTIONS[title], Mismatches(title)
    for name in section.actions:
        function = binary_actions.HISTORIES[name]
        for row, who, expected in section.cells():
            target = world.binary(row)
            if expected in ("both", "new"):
                problem = shown_versions(function(world, who, target), target, expected)
            else:
                _, problem = judge(expected, (), None, lambda one: function(world, who, one), target, world)
            result.cell(name, row, who, expected, problem)
    result.finish()


def shown_versions(answer, target, expected):
    if answer.status != 200:
        return f"got {answer.status} {answer.body[:200]}"
    text = answer.body.decode()
    if target.version not in text:
        return "the current version is missing"
    if (target.old_version in text) != (expected == "both"):
        return f"the older version is {'shown' if target.old_version in text else 'missing'}"
    if answer.body.startswith(b"{"):
        bundle = answer.resource
        entries = len(bundle["entry"])
        if entries != (2 if expected == "both" else 1) or bundle.get("total", entries) != entries:
            return f"{entries} entries, total {bundle.get('total')}"
    return None


@pytest.mark.parametrize("title, actions", [("Binary: included", report_actions.INCLUDED), ("Binary: attachment", report_actions.ATTACHED),
                                            ("Binary: attachment, told when it is written", report_actions.WRITTEN)])
def test_binary_in_reports(world, title, actions):
    section, result = SECTIONS[title], Mismatches(title)
    for name in section.actions:
        for row, who, expected in section.cells():
            found = actions[name](world, who, world.binary(row))
            wanted = {"yes": 1, "no": 0}[expected]
            result.cell(name, row, who, expected, None if found == wanted else f"got {found}")
    result.finish()


# ---- other resources ----

def of_types(*endings):
    return [title for title in SECTIONS if title.split(":")[0] in ("Patient", "Media", "Observation") and title.endswith(endings)]


@pytest.mark.parametrize("title", of_types("read", "read what was deleted"))
def test_resource_read(world, title):
    section, result, kind = SECTIONS[title], Mismatches(title), title.split(":")[0]
    for name in section.actions:
        function, ok = resource_actions.READ[name]
        for row, who, expected in section.cells():
            target = world.resource(kind, row)
            _, problem = judge(expected, ok, None, lambda one: function(world, who, one), target, world)
            result.cell(name, row, who, expected, problem)
    result.finish()


@pytest.mark.parametrize("title", of_types("change", "revive what was deleted", "create unless it is there"))
def test_resource_changed(world, title):
    section, result, kind = SECTIONS[title], Mismatches(title), title.split(":")[0]
    for name in section.actions:
        function, ok = resource_actions.CHANGE.get(name) or (resource_actions.EXIST[name], (200,))
        for row, who, expected in section.cells():
            target = world.resource(kind, row)
            answer, problem = judge(expected, ok, None, lambda one: function(world, who, one), target, world)
            if expected != "yes" or ok == (412,):
                problem = problem or world.unchanged(target)
            if answer.status < 300:  # also where nothing was found and another was made with its identifier
                world.used_resource(target)
            result.cell(name, row, who, expected, problem)
    result.finish()


SUBJECTS = {"own": lambda world: world.own, "other": lambda world: world.other, "loose": lambda world: None,
            "missing": lambda world: world.contexts["missing"], "tag": lambda world: world.other}


@pytest.mark.parametrize("title", ["Observation: create", "Media: create"])
def test_resource_created(world, title):
    section, result, make = SECTIONS[title], Mismatches(title), observation if title.startswith("Obs") else media
    for name in section.actions:
        function = resource_actions.CREATE[name]
        for row, who, expected in section.cells():
            more = {"meta": {"tag": [{"system": "urn:test", "code": "shared"}]}} if row == "tag" else {}
            answer = function(world, who, make(SUBJECTS[row](world), **more))
            problem = None if expected == "yes" and answer.status == 201 else \
                f"got {answer.status} {answer.body[:200]}" if expected == "yes" else \
                refused(answer, int(expected), world.binary("unknown"), context=False)
            result.cell(name, row, who, expected, problem)
    result.finish()


@pytest.mark.parametrize("title", titles("Observation: moved"))
def test_resource_moved(world, title):
    section, result, who = SECTIONS[title], Mismatches(title), title.split()[-1]
    for name in section.actions:
        function = resource_actions.TO[name]
        for row, to, expected in section.cells():
            target = world.resource("Observation", row)
            subject = SUBJECTS[to](world)

            def ask(one):
                body = {key: value for key, value in one.body.items() if key != "subject"}
                return function(world, who, one, {**body, "subject": {"reference": subject}} if subject else body)

            answer, problem = judge(expected, (200,), None, ask, target, world)
            if expected != "yes":
                problem = problem or world.unchanged(target)
            if answer.status < 300:
                world.used_resource(target)
            result.cell(name, row, to, expected, problem)
    result.finish()
