#!/bin/sh
# No function over 80 lines, no file over 800. Counts from the line of the name to the closing brace in column one; the
# rows of a table are data and don't count.
cd "$(dirname "$0")/../.." || exit 1
exec "${PYTHON:-/usr/bin/python3}" - <<'PYTHON'
import re
import subprocess
import sys

FUNCTION, FILE = 80, 800
names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.c", "*.h", "*.def", "*.py",
                        "*.sh"],
                       capture_output=True, text=True, check=True).stdout.split()
problems = []
functions = []
for path in names:
    try:
        lines = open(path, encoding="utf-8").read().split("\n")
    except FileNotFoundError:
        continue
    if len(lines) - 1 > FILE:
        problems.append(f"{path}: {len(lines) - 1} lines, the limit is {FILE}")
    if not path.endswith((".c", ".h")):
        continue
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            first = start
            while first > 1 and lines[first - 2].strip() and not lines[first - 2].startswith(("#", "}", "/", " *")) \
                    and not lines[first - 2].endswith(";"):
                first -= 1
            rows = sum(1 for inside in lines[first - 1:number] if re.match(r"\s+\{.*\}(,|\};)$", inside))
            functions.append(number - first + 1 - rows)
            if functions[-1] > FUNCTION:
                problems.append(f"{path}:{first}: a function of {functions[-1]} lines, the limit is {FUNCTION}")
            start = None
if not functions:
    problems.append("no function found")
else:
    functions.sort()
    print(f"functions: {len(functions)}, median {functions[len(functions) // 2]} lines, "
          f"nine in ten within {functions[len(functions) * 9 // 10]}, longest {functions[-1]}")
print("\n".join(problems), end="\n" if problems else "")
print(f"guard sizes: {0 if problems else 1} passed, {len(problems)} failed")
sys.exit(1 if problems else 0)
PYTHON
