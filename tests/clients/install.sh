#!/bin/sh
# Installs the pinned packages of package-lock.json into node_modules, unless exactly these are there.
set -eu
cd "$(dirname "$0")"
stamp=node_modules/.mod-fhir-binary
wanted=$(cat package.json package-lock.json .npmrc | cksum)
[ "$(cat "$stamp" 2>/dev/null || :)" = "$wanted" ] && exit 0
command -v npm >/dev/null 2>&1 || {
    echo "tests/clients: npm is not installed: make deps" >&2
    exit 1
}
# The system's node only runs npm; the programs run with the pinned one. npm says much about the older one.
npm ci --loglevel=error --no-progress || npm ci --loglevel=error --no-progress
echo "$wanted" >"$stamp"
