#!/bin/sh
# Every C file is as clang-format 14 writes it.
cd "$(dirname "$0")/../.." || exit 1
files=$(git ls-files --cached --others --exclude-standard '*.c' '*.h')
# shellcheck disable=SC2086
if [ -n "$files" ] && output=$(clang-format --dry-run -Werror $files 2>&1); then
    echo "guard format: 1 passed, 0 failed"
    exit 0
fi
printf '%s\n' "$output" | sed -n 's/^\([^:]*\):\([0-9]*\):.*/\1:\2: not formatted; run make format/p' | sort -u -t: -k1,1
echo "guard format: 0 passed, 1 failed"
exit 1
