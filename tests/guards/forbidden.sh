#!/bin/sh
# Functions that overflow, keep hidden state, or hide errors; and thread-local state.
cd "$(dirname "$0")/../.." || exit 1
files=$(git ls-files --cached --others --exclude-standard 'core/*.c' 'core/*.h' 'include/*.h' 'httpd/*.c' 'httpd/*.h' \
    'cli/*.c' 'cli/*.h' 'storage-plugins/*.c' 'storage-plugins/*.h' mod_fhir_binary.c)
[ -n "$files" ] || { echo "no source file found"; echo "guard forbidden: 0 passed, 1 failed"; exit 1; }
functions='strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|localtime|gmtime|ctime|asctime|mktime|atoi|atol|atoll|atof|rand|srand|random|tmpnam|tempnam|mktemp|system|popen|alloca|setlocale|strerror|signal|scanf|setenv|putenv'
# shellcheck disable=SC2086
found=$(grep -nE "(^|[^A-Za-z0-9_])($functions)[ ]*\(" $files | grep -vE '^[^:]*:[0-9]+:[ ]*(\*|/\*|//)' | grep -vE "(->|\.)[ ]*($functions)[ ]*\("
    grep -nE '\b(_Thread_local|__thread)\b' $files)
if [ -z "$found" ]; then
    echo "guard forbidden: 1 passed, 0 failed"
    exit 0
fi
printf '%s\n' "$found"
echo "guard forbidden: 0 passed, 1 failed"
exit 1
