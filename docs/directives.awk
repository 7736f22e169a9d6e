# Makes docs/DIRECTIVES.md of the commented reference:
#   awk -f docs/directives.awk httpd-conf/fhir_binary-reference.conf > docs/DIRECTIVES.md
BEGIN {
    print "# Directives\n"
    print "Made from `httpd-conf/fhir_binary-reference.conf` by `docs/directives.awk`; a guard in `make check` compares."
    print "All of them belong into the server configuration or a `<VirtualHost>`."
    print "Wrong values fail `apachectl configtest` with file, line and what to write instead."
}
function flush_field() {
    if (field != "") {
        gsub(/\|/, "\\|", value)
        printf "| %s | %s |\n", field, field == "Syntax" || (field == "Default" && value != "(none)") ? "`" value "`" : value
    }
    field = value = ""
}
/^# ---- / { flush_field(); name = $3; printf "\n## %s\n", name; state = "summary"; next }
name == "" { next }
state == "summary" { sub(/^# /, ""); printf "\n%s\n\n| | |\n|---|---|\n", $0; state = "fields"; next }
state == "fields" && /^# [A-Z][a-z]+: / {
    flush_field()
    field = $2
    sub(/:$/, "", field)
    value = $0
    sub(/^# [A-Z][a-z]+: +/, "", value)
    next
}
state == "fields" && /^#  / { text = $0; sub(/^# +/, "", text); value = value " " text; next }
state == "fields" && /^#$/ { flush_field(); state = "text"; print ""; next }
state == "text" && /^# / { sub(/^# /, ""); print; next }
state == "text" && /^#FhirBinary/ { sub(/^#/, ""); printf "\n```apache\n%s\n```\n", $0; name = "" }
