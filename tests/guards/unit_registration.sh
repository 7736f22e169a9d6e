#!/bin/sh
# A test function that no table names never runs. Every static void test_*(void) must be named a second time in its file.
cd "$(dirname "$0")/../.." || exit 1
problems=
seen=0
for file in tests/unit/test_*.c tests/conformance/*.c tests/meta/*.c; do
    [ -f "$file" ] || continue
    for name in $(sed -n 's/^static void \(test_[a-z0-9_]*\)(void)$/\1/p' "$file"); do
        seen=$((seen + 1))
        uses=$(grep -o -w "$name" "$file" | wc -l)
        [ "$uses" -ge 2 ] || { echo "$file: $name is in no table"; problems=yes; }
    done
done
for file in tests/unit/test_*.c; do
    [ -f "$file" ] || continue
    grep -q '^FHIR_UNIT_MAIN(' "$file" || { echo "$file: no FHIR_UNIT_MAIN"; problems=yes; }
    grep -q '^static void test_' "$file" || { echo "$file: no test function"; problems=yes; }
done
[ "$seen" -gt 0 ] || { echo "no test function found"; problems=yes; }
[ -z "$problems" ] && { echo "guard unit_registration: 1 passed, 0 failed"; exit 0; }
echo "guard unit_registration: 0 passed, 1 failed"
exit 1
