#!/bin/sh
# Installs the pinned packages of DIRECTORY/package-lock.json into its node_modules, unless exactly these are there.
# Usage: tests/npm.sh DIRECTORY
set -eu
umask 022
name=$1
cd "$1"
wanted=$(cat package.json package-lock.json .npmrc | cksum)
there() {
    [ "$(cat node_modules/.mod-fhir-binary 2>/dev/null || :)" = "$wanted" ]
}
there && exit 0
command -v npm >/dev/null 2>&1 || {
    echo "$name: npm is not installed: make deps" >&2
    exit 1
}
# Two suites may want them at once.
exec 9<package-lock.json
flock 9
there && exit 0
# The system's node only runs npm; the programs run with the pinned one. npm says much about the older one.
npm ci --loglevel=error --no-progress 9>&- || npm ci --loglevel=error --no-progress 9>&-
echo "$wanted" >node_modules/.mod-fhir-binary
