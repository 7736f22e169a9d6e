#!/bin/sh
# Arrows between the layers go one way. Each row: folder, and the only folders of ours that it may include from.
cd "$(dirname "$0")/../.." || exit 1
exec "${PYTHON:-/usr/bin/python3}" - <<'PYTHON'
import os
import re
import sys

CORE = {
    "base": {"base"},
    "http": {"base", "http"},
    "fhir": {"base", "http", "fhir"},
    "fetch": {"base", "fetch"},
    "auth": {"base", "http", "fhir", "auth"},
    "meta": {"base", "http", "fhir", "meta"},
    "store": {"base", "store"},
    "config": {"base", "http", "fhir", "store", "config"},
    "app": {"base", "http", "fhir", "fetch", "auth", "meta", "store", "config", "app"},
}
# Headers of a library -> where it may be used, as prefixes of paths.
LIBRARIES = {
    r"libpq-fe\.h|postgres": ["core/meta/"],
    r"curl/": ["core/fetch/", "storage-plugins/common/", "storage-plugins/s3/", "storage-plugins/azure/"],
    r"libs3\.h": ["storage-plugins/libs3/"],
    r"cjose/": ["core/auth/"],
    r"jansson\.h": ["core/auth/", "core/fhir/", "core/meta/", "core/base/", "core/fetch/", "core/app/", "cli/",
                    "storage-plugins/common/", "storage-plugins/s3/", "storage-plugins/azure/"],
    r"(httpd|http_|ap_|util_|mod_|mpm|scoreboard)[a-z_]*\.h": ["mod_fhir_binary.c", "httpd/"],
}
FREE = {"include"}
problems = []
seen = 0
for top in ("core", "httpd", "cli", "storage-plugins", "include", "mod_fhir_binary.c"):
    paths = [top] if top.endswith(".c") else [
        os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]
    for path in sorted(p for p in paths if p.endswith((".c", ".h")) and os.path.exists(p)):
        seen += 1
        text = open(path, encoding="utf-8").read()
        for kind, name in re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
            if kind == "<":
                for pattern, allowed in LIBRARIES.items():
                    if re.match(pattern, name) and not path.startswith(tuple(allowed)):
                        problems.append(f"{path}: <{name}> belongs to {', '.join(allowed)} only")
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(path), name))
            if not os.path.exists(target):
                target = os.path.join("include", name)
                if not os.path.exists(target):
                    # Two glue headers may be written with quotes; the rest must be ours.
                    for pattern, allowed in LIBRARIES.items():
                        if re.match(pattern, name) and not path.startswith(tuple(allowed)):
                            problems.append(f"{path}: \"{name}\" belongs to {', '.join(allowed)} only")
                    if not path.startswith(("httpd/", "mod_fhir_binary.c")):
                        problems.append(f"{path}: \"{name}\" is no file of ours; use <> for system headers")
                    continue
            source, used = path.split("/"), target.split("/")
            if used[0] in FREE:
                continue
            if source[0] == "core":
                if used[0] != "core" or used[1] not in CORE.get(source[1], set()):
                    problems.append(f"{path}: core/{source[1]} must not include {target}")
            elif source[0] == "storage-plugins":
                if used[0] != "storage-plugins" or used[1] not in (source[1], "common"):
                    problems.append(f"{path}: a plugin sees include/ and storage-plugins/common only, not {target}")
            elif source[0] == "include":
                problems.append(f"{path}: include/ must stand alone, not use {target}")
            elif source[0] in ("httpd", "mod_fhir_binary.c"):
                if used[0] not in ("core", "httpd"):
                    problems.append(f"{path}: the glue must not include {target}")
            elif source[0] == "cli":
                if used[0] not in ("core", "cli"):
                    problems.append(f"{path}: the CLI must not include {target}")
if not seen:
    problems.append("no source file found")
print("\n".join(problems), end="\n" if problems else "")
print(f"guard layers: {0 if problems else 1} passed, {len(problems)} failed")
sys.exit(1 if problems else 0)
PYTHON
