"""Random resources with attachments in every place, written in every notation that JSON permits. What comes back is what
was sent, token by token, but for URLs that name Binaries and the details that are filled in."""
import json
import random
import re

import pytest
from harness import checks, resources

FHIR = {"Content-Type": checks.FHIR_JSON}
FILLED_IN = {"contentType", "size", "hash", "title", "creation"}
PIECES = ["a", "é", "日本", "😀", "\u2028", "\ufeff", "}", "{", '"', "\\", "Binary/x", "\u0001", ":", ",", "\U0010ffff"]
NUMBERS = ["0", "-0", "0.10", "1e5", "1E-400", "12345678901234567890", "0.000", "-1.50e+3"]


class Maker:
    """Text of resources, the same for the same seed."""

    def __init__(self, seed, client, binaries):
        self.random, self.binaries = random.Random(seed), binaries
        self.base, self.storage = client.server.fhir_base, client.server.storage_base

    def chance(self, part):
        return self.random.random() < part

    def space(self):
        return self.random.choice(["", "", " ", "\n", "\t \r\n"])

    def character(self, character):
        code = ord(character)
        if character in '"\\':
            return "\\" + character
        if code < 0x20 or (code < 0x10000 and self.chance(0.15)):
            return f"\\u{code:04x}"
        if code >= 0x10000 and self.chance(0.5):
            code -= 0x10000
            return f"\\u{0xd800 + (code >> 10):04x}\\u{0xdc00 + (code & 0x3ff):04X}"
        return "\\/" if character == "/" and self.chance(0.3) else character

    def string(self, text):
        return '"' + "".join(map(self.character, text)) + '"'

    def words(self):
        return "".join(self.random.choice(PIECES) for _ in range(self.random.randint(1, 8)))

    def wrapped(self, brackets, parts):
        between = f"{self.space()},{self.space()}"
        return brackets[0] + self.space() + between.join(parts) + self.space() + brackets[1]

    def array(self, values):
        return self.wrapped("[]", values)

    def object(self, members):
        self.random.shuffle(members)
        return self.wrapped("{}", [f"{self.string(name)}{self.space()}:{self.space()}{value}" for name, value in members])

    def url(self):
        (one, version), (_, others) = self.random.choice(self.binaries), self.random.choice(self.binaries)
        return self.random.choice([
            f"Binary/{one}", f"Binary/{one}/_history/{version}", f"{self.base}Binary/{one}", f"{self.storage}{one}",
            f"{self.storage}{one}/{version}?Signature=abc", f"Binary/{one}#x", f"/Binary/{one}", f"binary/{one}",
            f"Binary/{one}/", "Binary/..", f"Binary/../{one}", "Binary/%2e", f"Binary/{one}?a=b", "urn:uuid:1",
            "https://elsewhere.example/x", "Binary/" + "a" * self.random.choice([63, 64, 65, 2000]),
            f"Binary/{one}/_history/", f"Binary/{one}/_history/nope", f"Binary/{one}/_history/{version}/x",
            f"Binary/{one}/_history/{others}", "Binary/é", "Binary/" + self.words(), f"{self.storage}{one}/../x",
            self.storage.replace("127.0.0.1", "127.0.0.1.") + one])

    def extensions(self, depth):
        return self.array([self.extension(depth) for _ in range(self.random.randint(1, 3))])

    def extension(self, depth):
        value = [("valueAttachment", self.attachment(depth - 1)), ("valueUrl", self.string(self.url())),
                 ("valueDecimal", self.random.choice(NUMBERS))]
        if depth > 0:
            value.append(("extension", self.extensions(depth - 1)))
        return self.object([("url", self.string(self.url())), self.random.choice(value)])

    def attachment(self, depth):
        members = [("language", '"en"')]
        if self.chance(0.9):
            members.append(("url", self.string(self.url())))
        for name, value in (("contentType", '"image/png"'), ("size", "7"), ("hash", '"AAAA"'), ("creation", '"2020"'),
                            ("title", self.string(self.words())), ("unknown", self.object([("url", '"Binary/x"')]))):
            if self.chance(0.25):
                members.append((name, value))
        if depth > 0 and self.chance(0.5):
            members.append(("extension", self.extensions(depth - 1)))
        if depth > 0 and self.chance(0.3):
            members.append(("_url", self.object([("extension", self.extensions(depth - 1))])))
        return self.object(members)

    def resource(self):
        members = [("resourceType", '"Patient"'), ("photo", self.array([self.attachment(3), self.attachment(3)])),
                   ("photos", self.attachment(1)), ("unknown", self.object([("photo", self.attachment(1))])),
                   ("extension", self.extensions(3)), ("k" + self.words(), self.array(NUMBERS)),
                   ("contained", self.array([self.object([("resourceType", '"Media"'), ("id", '"c"'),
                                                          ("content", self.attachment(2))])])),
                   ("_birthDate", self.object([("extension", self.extensions(2))])),
                   ("meta", self.object([("extension", self.extensions(2)), ("versionId", '"sent"'),
                                         ("tag", self.array([self.object([("code", self.string(self.words()))])]))]))]
        return self.object(members).encode()


class Comparison:
    def __init__(self, client, binaries):
        server = client.server
        self.binaries, self.storage, self.links = {identity for identity, _ in binaries}, server.storage_base, 0
        identity = r"([A-Za-z0-9.-]{1,64})"
        self.ours = re.compile(rf"(?:{re.escape(server.fhir_base)})?Binary/{identity}(?:/_history/{identity})?|"
                               rf"{re.escape(server.storage_base)}{identity}(?:/{identity})?(?:\?[^#]*)?")

    def url(self, sent, got):
        match = self.ours.fullmatch(sent)
        assert match, ("a URL of somebody else was changed", sent, got)
        identity = match.group(1) or match.group(3)
        if "Signature=" in got:
            assert identity in self.binaries and got.startswith(f"{self.storage}{identity}/"), (sent, got)
            self.links += 1
        else:
            assert got.split("/_history/")[0] == f"Binary/{identity}", (sent, got)

    def added(self, sent, got):
        """Details that were filled in come last, once, and only beside a signed URL."""
        names, known = [json.loads(name) for name, _ in got], [json.loads(name) for name, _ in sent]
        assert names[:len(known)] == known, (known, names)
        extra = names[len(known):]
        assert len(set(names)) == len(names) and set(extra) <= FILLED_IN, names
        if extra:
            assert "Signature=" in json.loads(got[known.index("url")][1]), names

    def nodes(self, sent, got):
        if not isinstance(sent, tuple):
            assert sent == got
        elif sent[0] == "[":
            assert len(sent[1]) == len(got[1])
            for one, other in zip(sent[1], got[1]):
                self.nodes(one, other)
        else:
            self.added(sent[1], got[1])
            for (name, one), (_, other) in zip(sent[1], got[1]):
                if one == other:
                    continue
                if isinstance(one, tuple):
                    self.nodes(one, other)
                else:
                    assert json.loads(name) == "url", (name, one, other)
                    self.url(json.loads(one), json.loads(other))

    def resources(self, sent, got):
        def without(node, names):
            return "{", [(name, value) for name, value in node[1] if json.loads(name) not in names]

        def meta(node):
            return without(resources.member(("{", [(f'"{json.loads(name)}"' if json.loads(name) == "meta" else name, value)
                                                   for name, value in node[1]]), "meta"), {"versionId", "lastUpdated"})
        sent, got = resources.tree(sent), resources.tree(got)
        ours = {"resourceType", "id", "meta"}
        self.nodes(without(sent, ours), without(got, ours))
        self.nodes(meta(sent), meta(got))


@pytest.mark.parametrize("seed", range(6))
def test_random_resources_come_back(alice, seed):
    binaries = [alice.upload(b"%d" % i, "image/png") for i in range(4)]
    maker, comparison = Maker(seed, alice, binaries), Comparison(alice, binaries)
    for _ in range(12):
        body = maker.resource()
        answer = alice.call("POST", "Patient", FHIR, body)
        created = resources.shown(answer, 201)
        comparison.resources(body, answer.body)
        target = f"Patient/{created['id']}"
        read = alice.get(target).body
        comparison.resources(body, read)
        for view in (f"Patient?_id={created['id']}", f"{target}/_history", f"{target}?_elements=photo,extension",
                     f"{target}?_summary=true", f"{target}?_summary=data"):
            resources.tree(alice.get(view).body)
        again = alice.call("PUT", target, FHIR, read)
        assert again.status == 200, again
        comparison.resources(read, again.body)
    assert comparison.links > 5, "hardly anything was tested"
