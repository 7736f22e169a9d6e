#!/bin/sh
# Every header compiles alone, twice in one file, and the plugin headers also as C++.
cd "$(dirname "$0")/../.." || exit 1
: "${CC:=gcc}"
headers=$(git ls-files --cached --others --exclude-standard 'include/*.h' 'core/*.h' 'httpd/*.h' 'cli/*.h' 'storage-plugins/*.h')
[ -n "$headers" ] || { echo "no header found"; echo "guard headers: 0 passed, 1 failed"; exit 1; }
flags="-D_GNU_SOURCE -Iinclude $(apr-1-config --cppflags --includes | tr '\n' ' ') $(apu-1-config --includes) -fsyntax-only"
httpd="-I$(apxs -q INCLUDEDIR) -I$(pg_config --includedir)"
problems=
for header in $headers; do
    # shellcheck disable=SC2086
    output=$(printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        $CC -std=c11 -I. $flags $httpd -Wall -Wextra -Werror -Wno-unused-function -x c - 2>&1) ||
        { printf '%s does not compile alone:\n%s\n' "$header" "$output"; problems=yes; }
done
for header in include/*.h; do
    # shellcheck disable=SC2086
    output=$(printf '#include "%s"\n' "$header" | $CC -std=c++11 -I. $flags -Wall -Wextra -Werror -x c++ - 2>&1) ||
        case $output in
        *cc1plus*) ;; # no C++ compiler here
        *) printf '%s is no C++:\n%s\n' "$header" "$output"; problems=yes ;;
        esac
done
[ -z "$problems" ] && { echo "guard headers: 1 passed, 0 failed"; exit 0; }
echo "guard headers: 0 passed, 1 failed"
exit 1
