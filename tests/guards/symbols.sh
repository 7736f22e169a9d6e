#!/bin/sh
# The module exports fhir_binary_module, a plugin fhir_storage_plugin, and nothing else; the core has no httpd symbol.
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}"
problems=
complain() {
    echo "$*"
    problems=yes
}
only() { # file, symbol
    exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort | tr '\n' ' ')
    [ "$exported" = "$2 " ] || complain "$1 exports: $exported(only $2 is allowed)"
}
seen=0
if [ -f mod_fhir_binary.c ]; then
    seen=$((seen + 1))
    only "$BUILD/mod_fhir_binary.so" fhir_binary_module
    # What the module leaves open must come from httpd, APR or a library that it names.
    open=$(nm -D --undefined-only "$BUILD/mod_fhir_binary.so" | awk '{ print $2 }' | grep '^fhir_')
    [ -z "$open" ] || complain "mod_fhir_binary.so uses functions of ours that nobody wrote: $open"
fi
for directory in storage-plugins/*/; do
    plugin=$(basename "$directory")
    [ "$plugin" != common ] && ls "$directory"*.c >/dev/null 2>&1 || continue
    # Without its library it is not built.
    [ "$plugin" = libs3 ] && [ ! -f "$BUILD/fhir_storage_libs3.so" ] && continue
    seen=$((seen + 1))
    only "$BUILD/fhir_storage_$plugin.so" fhir_storage_plugin
done
if [ -f "$BUILD/libfhircore.a" ]; then
    seen=$((seen + 1))
    used=$(nm -u "$BUILD/libfhircore.a" | awk '$2 ~ /^(ap_|unixd_|ssl_)/ { print $2 }' | sort -u | tr '\n' ' ')
    [ -z "$used" ] || complain "the core uses httpd: $used"
    # Every function of ours with external linkage carries our name, or it may clash inside httpd.
    foreign=$(nm --defined-only "$BUILD/libfhircore.a" | awk '$2 ~ /^[TDBRC]$/ && $3 !~ /^fhir_/ { print $3 }' | tr '\n' ' ')
    [ -z "$foreign" ] || complain "external names without fhir_: $foreign"
    # Data that can change after start-up is a race between threads. Allowed: a library's initialisation under
    # pthread_once (core/fetch).
    writable=$(nm --defined-only "$BUILD/libfhircore.a" | awk '$2 ~ /^[BbC]$/ && $3 !~ /^global_(once|result)$/ { print $3 }' | tr '\n' ' ')
    [ -z "$writable" ] || complain "variables that can change (the core has no state outside of pools): $writable"
fi
[ "$seen" -gt 0 ] || complain "nothing built in $BUILD"
[ -z "$problems" ] && { echo "guard symbols: 1 passed, 0 failed"; exit 0; }
echo "guard symbols: 0 passed, 1 failed"
exit 1
