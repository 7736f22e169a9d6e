"""Search: random resources and random queries, answered by the server and by an evaluator of our own."""
import calendar
import concurrent.futures
import datetime
import random
import re
import unicodedata
import urllib.parse

import pytest
from harness.resources import create, find, ids, link, relative

COUNT, QUERIES = 150, 400
FAMILIES = ["Simpson", "simpson", "Simpson-Bouvier", "Müller", "MULLER", "Muller ", "de la Cruz", "DE LA  CRUZ", "O'Neil", "Oneil", "日本", "Æsir", "Straße"]
GIVEN = ["Homer", "Marge", "Jay", "J.", "Ana María", "x y z", "été"]
SYSTEMS = ["http://a", "http://b", None]
CODES = ["1", "2", "A", "a", "A|b", "A,b"]
DATES = ["1956", "1956-05", "1956-05-12", "1957-01-01", "1960-02", "1960-02-29", "2000", "1956-12-31"]
MOMENTS = ["2020", "2020-03", "2020-03-01", "2020-03-01T12:00:00Z", "2020-03-01T12:00:00.250+01:00", "2020-12-31T23:59:59Z", "2021-01-01T00:00:00Z"]
TARGETS = ["Patient/1", "Patient/2", "Group/1", "Device/2", "http://elsewhere.example/fhir/Patient/1"]


# ---- resources ----

def some(chance, choices, most=2):
    return [chance.choice(choices) for _ in range(chance.randint(0, most))]


def coding(chance):
    return {name: value for name, value in (("system", chance.choice(SYSTEMS)), ("code", chance.choice(CODES))) if value}


def without_empty(resource):
    return {name: value for name, value in resource.items() if value not in (None, [], {})}


def make_patient(chance):
    return without_empty({
        "resourceType": "Patient",
        "name": [without_empty({"family": chance.choice(FAMILIES + [None]), "given": some(chance, GIVEN)}) or {"family": "only"} for _ in range(chance.randint(0, 2))],
        "gender": chance.choice(["male", "female", None]), "active": chance.choice([True, False, None]), "birthDate": chance.choice(DATES + [None]),
        "identifier": [without_empty({"system": chance.choice(SYSTEMS), "value": chance.choice(CODES)}) for _ in range(chance.randint(0, 2))],
        "meta": without_empty({"tag": [coding(chance) for _ in range(chance.randint(0, 2))]})})


def period(chance):
    start, end = sorted([chance.choice(MOMENTS), chance.choice(MOMENTS)])
    return without_empty({"start": chance.choice([start, None]), "end": chance.choice([end, None])})


def make_observation(chance):
    resource = {"resourceType": "Observation", "status": chance.choice(["final", "amended"]),
                "code": {"coding": [coding(chance) for _ in range(chance.randint(1, 2))], "text": chance.choice(FAMILIES)},
                "subject": {"reference": chance.choice(TARGETS)}}
    kind = chance.randint(0, 3)
    if kind == 0:
        resource["effectiveDateTime"] = chance.choice(MOMENTS)
    elif kind == 1:
        resource["effectivePeriod"] = period(chance)
    return without_empty(resource)


# ---- the evaluator ----

def fold(text):
    """No case, accents, punctuation; white space run together. Apostrophes and full stops part no words, other signs do."""
    text = text.replace("'", "").replace(".", "")
    text = unicodedata.normalize("NFKD", text.casefold().replace("æ", "ae").replace("ß", "ss"))
    text = "".join(" " if unicodedata.category(c)[0] in "ZP" or c.isspace() else c for c in text if not unicodedata.combining(c))
    return " ".join(text.split())


def moment(text):
    """First and last microsecond."""
    match = re.fullmatch(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d))?)?)?", text)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    low = datetime.datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=datetime.timezone.utc)
    if zone and zone != "Z":
        low -= (1 if zone[0] == "+" else -1) * datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    start = calendar.timegm(low.timetuple()) * 10**6
    if fraction:
        return start + int(fraction.ljust(6, "0")), start + int(fraction.ljust(6, "0")) + 10**(6 - len(fraction)) - 1
    if hour:
        return start, start + 10**6 - 1
    days = 1 if day else calendar.monthrange(int(year), int(month))[1] if month else 366 if calendar.isleap(int(year)) else 365
    return start, start + days * 86400 * 10**6 - 1


def codings(value):
    return [(one.get("system", ""), one.get("code", "")) for one in value]


def values(resource, name):
    names = resource.get("name", [])
    plain = {"gender": "gender", "status": "status"}
    if name in plain:
        return [("", resource[name])] if name in resource else []
    if name == "active":
        return [("", str(resource["active"]).lower())] if "active" in resource else []
    if name == "identifier":
        return [(one.get("system", ""), one["value"]) for one in resource.get("identifier", [])]
    if name == "_tag":
        return codings(resource.get("meta", {}).get("tag", []))
    if name == "code":
        return codings(resource.get("code", {}).get("coding", []))
    if name == "family":
        return [one["family"] for one in names if "family" in one]
    if name == "given":
        return [text for one in names for text in one.get("given", [])]
    if name == "birthdate":
        return [moment(resource["birthDate"])] if "birthDate" in resource else []
    if name == "date":
        found = [moment(resource["effectiveDateTime"])] if "effectiveDateTime" in resource else []
        if "effectivePeriod" in resource:
            one = resource["effectivePeriod"]
            found.append((moment(one["start"])[0] if "start" in one else -10**20, moment(one["end"])[1] if "end" in one else 10**20))
        return found
    if name in ("subject", "patient"):
        reference = resource["subject"]["reference"] if "subject" in resource else None
        return [reference] if reference and (name == "subject" or re.search(r"(^|/)Patient/", reference)) else []
    raise AssertionError(name)


TOKENS, STRINGS, DATED, REFERENCES = {"gender", "status", "active", "identifier", "_tag", "code"}, {"family", "given"}, {"birthdate", "date"}, {"subject", "patient"}


def compare(prefix, row, value):
    inside = value[0] <= row[0] and row[1] <= value[1]
    return {"": inside, "eq": inside, "ne": not inside, "gt": row[1] > value[1], "lt": row[0] < value[0], "ge": row[1] > value[1] or inside,
            "le": row[0] < value[0] or inside, "sa": row[0] > value[1], "eb": row[1] < value[0]}[prefix]


def fits(name, modifier, rows, value):
    if name in TOKENS:
        system, code = value
        return any((system is None or row[0] == system) and (code is None or row[1] == code) for row in rows)
    if name in STRINGS and modifier == "exact":
        return value in rows
    if name in STRINGS:
        wanted = fold(value)
        return any(wanted in fold(row) if modifier == "contains" else fold(row).startswith(wanted) for row in rows)
    if name in DATED:
        return any(compare(value[0], row, moment(value[1])) for row in rows)
    if "/" not in value:
        return any(row in (f"Patient/{value}", f"Group/{value}", f"Device/{value}") and (name == "subject" or row.startswith("Patient/")) for row in rows)
    return value in rows


def matches(resource, query):
    for name, modifier, wanted in query:
        rows = values(resource, name)
        if modifier == "missing":
            good = (not rows) == (wanted[0] == "true")
        else:
            good = any(fits(name, modifier, rows, value) for value in wanted)
            good = not good if modifier == "not" else good
        if not good:
            return False
    return True


# ---- queries ----

def escaped(text):
    return re.sub(r"([\\,|$])", r"\\\1", text)


def make_value(chance, name, modifier):
    """(what the evaluator takes, what is sent)"""
    if name in TOKENS:
        code = chance.choice({"gender": ["male", "female", "Male"], "status": ["final", "amended"], "active": ["true", "false"]}.get(name, CODES))
        kind = chance.randint(0, 3) if name in ("identifier", "_tag", "code") else 0
        system = chance.choice(SYSTEMS[:2])
        return [((None, code), escaped(code)), ((system, code), f"{escaped(system)}|{escaped(code)}"), (("", code), "|" + escaped(code)),
                ((system, None), escaped(system) + "|")][kind]
    if name in STRINGS:
        text = chance.choice(FAMILIES if name == "family" else GIVEN).strip()
        if modifier != "exact":
            text = chance.choice([text, text[:3], text.upper(), text[1:] if len(text) > 2 else text]).strip()
        return text, escaped(text)
    if name in DATED:
        prefix, date = chance.choice(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"]), chance.choice(DATES if name == "birthdate" else MOMENTS)
        return (prefix, date), prefix + date
    text = chance.choice(["1", "2", *TARGETS])
    return text, escaped(text)


def make_query(chance, kind):
    query, sent = [], []
    names = ["gender", "active", "identifier", "_tag", "family", "given", "birthdate"] if kind == "Patient" else ["status", "code", "subject", "patient", "date"]
    for _ in range(chance.choice([1, 1, 2, 3])):
        name = chance.choice(names)
        modifier = chance.choice(["", "", "", "missing"] + (["not"] if name in TOKENS else ["exact", "contains"] if name in STRINGS else []))
        if modifier == "missing":
            wanted = chance.choice(["true", "false"])
            pairs = [(wanted, wanted)]
        else:
            pairs = [make_value(chance, name, modifier) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        query.append((name, modifier, [value for value, _ in pairs]))
        sent.append(f"{name}{':' if modifier else ''}{modifier}=" + urllib.parse.quote(",".join(text for _, text in pairs), safe=""))
    return query, "&".join(sent)


@pytest.fixture(scope="module")
def stored(server):
    who, chance = server.project("comparison"), random.Random(7)
    resources = [make(chance) for make in (make_patient, make_observation) for _ in range(COUNT)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda resource: create(who, resource), resources))
    for one in made[::10]:  # what is deleted or changed is not found by what it was
        assert who.call("DELETE", f"{one['resourceType']}/{one['id']}").status == 204
    kept = [one for number, one in enumerate(made) if number % 10]
    return who, {kind: [one for one in kept if one["resourceType"] == kind] for kind in ("Patient", "Observation")}


@pytest.mark.parametrize("kind, seed", [("Patient", 1), ("Observation", 2)])
def test_the_same_answer(stored, kind, seed):
    who, resources = stored
    chance, wrong, found_some = random.Random(seed), [], 0

    def ask(pair):
        query, sent = pair
        bundle = find(who, f"{kind}?{sent}&_count=1000", {"Prefer": "handling=strict"})
        assert not link(bundle, "next")
        return query, sent, ids(bundle), link(bundle, "self")

    queries = [make_query(chance, kind) for _ in range(QUERIES)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, queries))
    for query, sent, found, again in answers:
        wanted = {one["id"] for one in resources[kind] if matches(one, query)}
        found_some += 0 < len(wanted) < len(resources[kind])
        if set(found) != wanted or len(found) != len(set(found)):
            wrong.append((urllib.parse.unquote(sent), len(found), len(wanted),
                          [one for one in resources[kind] if one["id"] in wanted ^ set(found)][:1]))
    assert not wrong, f"{len(wrong)} of {QUERIES}: {wrong[:4]}"
    assert found_some > QUERIES / 3, "most queries tell resources apart"
    for _, _, found, again in answers[::20]:
        assert ids(find(who, relative(who, again))) == found, "the self link is the same search"
