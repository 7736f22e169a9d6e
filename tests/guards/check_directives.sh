#!/bin/sh
# The table of directives, the commented reference and docs/DIRECTIVES.md say the same: names, syntax, defaults,
# summaries and repeatability.
cd "$(dirname "$0")/../.." || exit 1
exec "${PYTHON:-/usr/bin/python3}" - <<'PYTHON'
import re
import subprocess
import sys

problems = []


def table():
    header = open("core/config/directives.h", encoding="utf-8").read()
    macros = {name: "".join(re.findall(r'"([^"]*)"', text))
              for name, text in re.findall(r"#define (FHIR_DEFAULT_\w+)((?:.*\\\n)+.*)", header)}
    source = open("core/config/directives.def", encoding="utf-8").read()
    rows = re.findall(r'^FHIR_DIRECTIVE\((\w+),\s*"([^"]*)",\s*("[^"]*"|\w+),\s*-?\d+,\s*-?\d+,\s*(\d),\s*\w+,'
                      r'\s*"([^"]*)"\)', source, re.M)
    if len(rows) != len(re.findall(r"^FHIR_DIRECTIVE\(", source, re.M)):
        problems.append("core/config/directives.def has a row that this guard can't read")
    return {name: {"Syntax": f"{name} {arguments}",
                   "Default": (default.strip('"') if default[0] == '"' else macros.get(default, "?")) or "(none)",
                   "Repeat": "yes" if repeatable == "1" else "no", "summary": summary + "."}
            for name, arguments, default, repeatable, summary in rows}


def reference():
    text = open("httpd-conf/fhir_binary-reference.conf", encoding="utf-8").read()
    found = {}
    for name, stanza in re.findall(r"^# ---- (\w+) ----\n((?:#.*\n)+)", text, re.M):
        # A continued line is indented.
        joined = re.sub(r"\n#  +", " ", stanza)
        fields = dict(re.findall(r"^# (\w+): +(.*)$", joined, re.M))
        fields["summary"] = stanza.split("\n")[0][2:]
        if not re.search(rf"^#{name} \S", stanza, re.M):
            problems.append(f"the reference has no example of {name}")
        for wanted in ("Context", "Since", "With"):
            if wanted not in fields:
                problems.append(f"the reference of {name} has no line `{wanted}:`")
        found[name] = fields
    return found


rows, stanzas = table(), reference()
if not rows or not stanzas:
    problems.append("no directive found")
for name in rows.keys() | stanzas.keys():
    if name not in stanzas or name not in rows:
        problems.append(f"{name} is only in {'the table' if name in rows else 'the reference'}")
        continue
    for field, value in rows[name].items():
        if stanzas[name].get(field) != value:
            problems.append(f"{name}: {field} is {value!r} in the table, {stanzas[name].get(field)!r} in the reference")
made = subprocess.run(["awk", "-f", "docs/directives.awk", "httpd-conf/fhir_binary-reference.conf"],
                      stdout=subprocess.PIPE, check=True).stdout.decode()
if made != open("docs/DIRECTIVES.md", encoding="utf-8").read():
    problems.append("docs/DIRECTIVES.md is not what docs/directives.awk makes of the reference: make it anew")
print("\n".join(problems), end="\n" if problems else "")
print(f"guard directives: {0 if problems else 1} passed, {len(problems)} failed")
sys.exit(1 if problems else 0)
PYTHON
