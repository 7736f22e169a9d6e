#!/bin/sh
# Who acts as a project's operator is an administrator without credentials. Only core/app/operate.c may say so, never
# anything that came over HTTP.
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0

check() { # what is wrong, and the lines that show it
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s:\n%s\n' "$1" "$2"
    fi
}

check "operator_project and operator_name are set by core/app/operate.c alone" \
    "$(grep -rnE 'operator_(project|name)[ ]*=[^=]' core httpd mod_fhir_binary.c | grep -v '^core/app/operate\.c:')"
check "httpd has nothing to do with operators" \
    "$(grep -rnE 'operator_(project|name)|FHIR_PRINCIPAL_OPERATOR|fhir_operate' httpd mod_fhir_binary.c)"
check "FHIR_PRINCIPAL_OPERATOR is given to a request by core/app/authenticate.c alone" \
    "$(grep -rnE '[^=!<>]=[ ]*FHIR_PRINCIPAL_OPERATOR' core httpd mod_fhir_binary.c | grep -v '^core/app/authenticate\.c:')"
check "httpd's request starts empty" \
    "$(grep -q 'fhir_request_t \*request = apr_pcalloc' httpd/request_in.c || echo 'httpd/request_in.c: no apr_pcalloc')"
check "core/app/operate.c sets operator_project" \
    "$(grep -q 'operator_project = operation->project_id' core/app/operate.c || echo 'core/app/operate.c')"
echo "guard operator: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
