"""Resources come back with every digit, key and string as sent: 500 of them, compared token by token."""
import concurrent.futures
import random

import pytest
from harness import checks
from harness.resources import create, etag, link, member, of_client, relative, tree

TYPES = """Account AllergyIntolerance Appointment AppointmentResponse Basic CarePlan Claim Communication Composition Condition
Consent Contract Coverage Device DiagnosticReport DocumentReference Encounter Flag Goal Group Immunization Library List
Location Measure Media Medication MedicationRequest MessageHeader NutritionOrder Observation Organization Parameters
Patient Person PlanDefinition Practitioner Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
ResearchStudy Schedule ServiceRequest Slot Specimen StructureDefinition Substance Task ValueSet
VisionPrescription""".split()
NUMBERS = """0 -0 0.10 1.50 1E400 1e-400 -1.0e-5 1.0E+5 12345678901234567890 -98765432109876543210.123456789012345678901234567890
100.00 0.000000000000000000001 1e5 1E5 3.0 2147483648 9007199254740993""".split()
STRINGS = [r'"plain"', r'"\u00e9\u0301"', '"é"', r'"\ud83d\ude00"', '"😀"', r'"a\/b/c"', r'"tab\t nl\n cr\r q\" b\\ \b\f"',
           r'"\u0001\u001f\u007f"', '"\u2028\u2029"', '" leading and trailing "', r'"<div>&amp;</div>"', '"\ufeff"',
           r'"\uFFFF\ufffe"', '"日本語"', '"ﷺ"', r'"\u0041\u0062"', '"{not: json}"', '"Binary/1"', '"urn:uuid:x"',
           '"' + "long " * 300 + '"', r'"\\"', r'"\\\""', '"null"', '"1.0"']
# Known names get what does not belong there: the index of searches must take it.
NAMES = """status code name identifier birthDate period effectiveDateTime category type date value active gender telecom address
text language implicitRules title version publisher description valueQuantity onsetDateTime priority intent note""".split()
UNKNOWN = ["x", "X-y", "résumé", "a.b", "a b", "$", "_", "__proto__", "constructor", "0", "\\u0061bc", "name\\/x", "日"]
DATES = ['"2020"', '"2020-02"', '"2020-02-30"', '"1956-05-12T08:00:00+14:00"', '"0000-00-00"', '"9999-12-31T23:59:60Z"', '"x"']


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.kind = self.random.choice(TYPES)

    def blank(self):
        return self.random.choice(["", "", "", " ", "\n  ", "\t", "\r\n"])

    def join(self, opening, items, closing):
        return opening + ",".join(self.blank() + item + self.blank() for item in items) + closing

    def object(self, pairs):
        return self.join("{", [f'"{name}"{self.blank()}:{self.blank()}{value}' for name, value in pairs], "}")

    def scalar(self):
        return self.random.choice([self.random.choice(NUMBERS), self.random.choice(STRINGS), "true", "false",
                                   self.random.choice(DATES)])

    def value(self, depth):
        if depth <= 0 or self.random.random() < 0.45:
            return self.scalar()
        if self.random.random() < 0.4:
            items = [self.value(depth - 1) for _ in range(self.random.randint(1, 4))]
            if self.random.random() < 0.3:
                items.insert(self.random.randint(0, len(items)), "null")
            return self.join("[", items, "]")
        return self.object(self.members(depth - 1, self.random.randint(1, 4)))

    def members(self, depth, count):
        names = self.random.sample(NAMES + UNKNOWN, count)
        pairs = []
        for name in names:
            pairs.append((name, self.value(depth)))
            if name in NAMES and self.random.random() < 0.15:
                pairs.append(("_" + name, self.object([("id", '"e1"'), ("extension", "[" + self.extension(1) + "]")])))
        return pairs

    def extension(self, depth):
        pairs = [("url", self.random.choice(['"http://example.com/x"', '"Binary/1"', r'"http:\/\/example.com\/y"']))]
        if depth and self.random.random() < 0.4:
            pairs.append(("extension", self.join("[", [self.extension(depth - 1) for _ in range(2)], "]")))
        else:
            pairs.append(self.random.choice([
                ("valueDecimal", self.random.choice(NUMBERS)), ("valueString", self.random.choice(STRINGS)),
                ("valueBoolean", "true"), ("valueUri", '"Binary/1"'), ("valueInteger", "12345678901234567890"),
                ("valueReference", r'{"reference":"Patient\/1","display":"\u00e9"}'),
                ("valueNonsense", self.value(2)),
                ("valueAttachment", r'{"contentType":"text\/plain","url":"http:\/\/elsewhere.example\/Binary\/1","size":1.0}')]))
        self.random.shuffle(pairs)
        return self.object(pairs)

    def deep(self):
        return "[" * 50 + self.scalar() + "]" * 50

    def resource(self):
        pairs = self.members(4, self.random.randint(1, 7))
        taken = {name for name, _ in pairs}
        if self.random.random() < 0.6:
            pairs.append(("extension", self.join("[", [self.extension(2) for _ in range(self.random.randint(1, 3))], "]")))
        if self.random.random() < 0.3:
            inner = self.object([("resourceType", f'"{self.random.choice(TYPES)}"'), ("id", '"inner"')] + [
                pair for pair in self.members(2, 3) if pair[0] not in ("id", "resourceType")])
            pairs.append(("contained", f"[{inner}]"))
        if self.random.random() < 0.1 and "deep" not in taken:
            pairs.append(("deep", self.deep()))
        if self.random.random() < 0.3:
            pairs.append(("meta", self.object([("profile", '["http:\\/\\/example.com\\/p"]'), ("versionId", '"7"'),
                                               ("tag", r'[{"system":"http:\/\/t","code":"\u0063","n":1.0}]'),
                                               ("x", self.scalar())])))
        if self.random.random() < 0.5:
            pairs.append(("id", '"client-id"'))
        self.random.shuffle(pairs)
        pairs.insert(self.random.randint(0, len(pairs)) if self.random.random() < 0.5 else 0, ("resourceType", f'"{self.kind}"'))
        return self.kind, (self.blank() + self.object(pairs) + self.blank()).encode()


@pytest.fixture(scope="module")
def stored(server):
    """500 resources: (type, id, what is the client's in the text sent)."""
    who = server.project("fidelity")

    def send(seed):
        kind, text = Maker(seed).resource()
        answer = who.call("POST", kind, {"Content-Type": checks.FHIR_JSON}, text)
        assert answer.status == 201, (seed, text, answer)
        sent = of_client(tree(text))
        assert of_client(tree(answer.body)) == sent, seed
        return kind, answer.json()["id"], answer.headers["ETag"][3:-1], sent

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return who, list(pool.map(send, range(500)))


def test_they_are_varied(stored):
    _, made = stored
    assert len(made) == 500 and len({kind for kind, *_ in made}) > 40
    everything = "".join(repr(sent) for *_, sent in made)
    for text in ["1E400", "-0", "0.10", r"\\ud83d\\ude00", "😀", "null", "_birthDate", "contained"]:
        assert text in everything, text


def test_read_and_vread(stored):
    who, made = stored

    def look(one):
        kind, identity, version, sent = one
        for target in f"{kind}/{identity}", f"{kind}/{identity}/_history/{version}":
            answer = who.get(target)
            assert answer.status == 200 and of_client(tree(answer.body)) == sent, answer

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(look, made))


def test_history(stored):
    who, made = stored
    for kind, identity, _, sent in made[::10]:
        answer = who.get(f"{kind}/{identity}/_history")
        [entry] = member(tree(answer.body), "entry")[1]
        assert of_client(member(entry, "resource")) == sent


def test_search(stored):
    who, made = stored
    wanted = {f'"{identity}"': sent for _, identity, _, sent in made}
    for kind in sorted({kind for kind, *_ in made}):
        target = f"{kind}?_count=7"
        while target:
            answer = who.get(target)
            assert answer.status == 200, answer
            for entry in member(tree(answer.body), "entry")[1]:
                resource = member(entry, "resource")
                assert of_client(resource) == wanted.pop(member(resource, "id"))
            following = link(answer.json(), "next")
            target = relative(who, following) if following else None
    assert not wanted


def test_put_back_what_was_read(stored):
    """Byte for byte, but for the server's part of meta."""
    who, made = stored
    for kind, identity, _, sent in made[::10]:
        text = who.get(f"{kind}/{identity}").body
        answer = who.call("PUT", f"{kind}/{identity}", {"Content-Type": checks.FHIR_JSON}, text)
        assert answer.status == 200 and of_client(tree(answer.body)) == sent, answer
        rest = text.split(b'"lastUpdated":"', 1)[1].split(b'"', 1)[1]
        assert answer.body.endswith(rest), (text, answer)


def test_what_the_server_adds_comes_first(alice):
    text = b'{"active":true,"resourceType":"Patient","name":[{"family":"S"}]}'
    answer = alice.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON}, text)
    assert list(answer.json()) == ["resourceType", "id", "meta", "active", "name"]
    made = create(alice, {"resourceType": "Patient"})
    assert alice.get(f"Patient/{made['id']}").json() == made and etag(made)
