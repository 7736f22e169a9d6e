#!/bin/sh
# fhirbinctl against a real database and a filesystem store: every command once, and how it fails.
# Run by tests/meta/run.sh; needs BUILD (absolute).
set -u
: "${BUILD:?}" "${FHIR_TEST_CLUSTER:?}" "${FHIR_TEST_CONNINFO:?}"
work=$FHIR_TEST_CLUSTER/ctl
passed=0
failed=0
mkdir -p "$work/store"
psql -X -q -d "$FHIR_TEST_CONNINFO" -c 'SET client_min_messages = error' \
    -c 'DROP SCHEMA IF EXISTS fhir_binary CASCADE' || exit 1
cat >"$work/fhir.conf" <<CONF
FhirBinaryBaseURL http://127.0.0.1:8080/
FhirBinaryDatabase "$FHIR_TEST_CONNINFO"
FhirBinaryStoragePlugin filesystem $BUILD/fhir_storage_filesystem.so
FhirBinaryStore main filesystem path=$work/store
CONF

ctl() {
    "$BUILD/fhirbinctl" -c "$work/fhir.conf" "$@" >"$work/out" 2>"$work/err"
    got=$?
}

# expect STATUS PATTERN WORDS...: exit status, and what standard output (or error, if it failed) holds.
expect() {
    status=$1
    pattern=$2
    shift 2
    ctl "$@"
    if [ "$got" -eq "$status" ] && { [ -z "$pattern" ] || cat "$work/out" "$work/err" | grep -Eq -e "$pattern"; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "fhirbinctl $*: exit status $got instead of $status, or no '$pattern' in:"
        cat "$work/out" "$work/err"
    fi
}

value() {
    sed -n "s/^$1: //p" "$work/out"
}

expect 0 'store orphans' help
expect 0 '^fhirbinctl store verify ' help store
expect 2 'no such command' help stor
expect 0 '^fhirbinctl store migrate --from' store migrate --help
expect 0 '^fhirbinctl store migrate --from' store migrate --from a --help
expect 0 '^fhirbinctl store verify ' store --help
expect 0 '^fhirbinctl explain ' explain --help
expect 0 '^fhirbinctl explain ' explain user:joe --help
expect 2 'no such command' stor --help
expect 2 'no such command' store stor --help
expect 0 'Usage: fhirbinctl' --help
expect 0 '^fhirbinctl client create --project' help client create
expect 0 'schema [0-9]' version
expect 2 'no such command' nonsense
expect 2 'Which command'
expect 0 'configuration is fine' config check
expect 1 'fhirbinctl db upgrade' db status
expect 1 'fhirbinctl db upgrade' project list
expect 0 'from schema version 0' db upgrade
expect 0 'already' db upgrade
expect 0 'schema: [1-9]' db status
psql -X -q -d "$FHIR_TEST_CONNINFO" -c "UPDATE fhir_binary.schema_version SET checksum = sha256('other') WHERE version = 2"
expect 1 'made by a different build.*empty database' db upgrade
expect 1 'made by a different build' db status
expect 1 'made by a different build' project list
psql -X -q -d "$FHIR_TEST_CONNINFO" -c 'SET client_min_messages = error' -c 'DROP SCHEMA fhir_binary CASCADE'
expect 0 'from schema version 0' db upgrade
expect 0 '^[0-9a-zA-Z_-]+  *ES256 *yes' key list
expect 0 'HS256 *yes' key list --signing

expect 2 'NAME is missing' project create
expect 2 'nor look like an id' project create 11111111-2222-4333-8444-555555555555
expect 0 '^project: [0-9a-f-]{36}$' project create demo
project=$(value project)
expect 1 'name already' project create demo
expect 0 "$project +demo +yes" project list
expect 0 '"active": true' project list --json
expect 1 'no such project.*fhirbinctl project list' project disable other
expect 0 '' project disable demo
expect 0 "$project +demo +no" project list
expect 0 '' project enable "$project"

# ---- access policies ----
cat >"$work/patient.json" <<'JSON'
{"resourceType": "AccessPolicy", "name": "One patient", "resource": [
  {"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "readonly": true},
  {"resourceType": "Observation", "criteria": "Observation?date=ge%since&_compartment=%patient"},
  {"resourceType": "Binary", "readonly": true}]}
JSON
sed 's/_compartment=%patient", "readonly"/nickname=%patient", "readonly"/' "$work/patient.json" >"$work/unknown.json"
sed 's/criteria/criterion/' "$work/patient.json" >"$work/misspelt.json"
expect 0 '' policy check "$work/patient.json"
expect 3 'AccessPolicy.resource.0..*nickname' policy check "$work/unknown.json"
expect 3 '"expression": "AccessPolicy.resource.0.*"problem": ' policy check "$work/unknown.json" --json
expect 3 'AccessPolicy.resource.0..criterion' policy check "$work/misspelt.json"
echo '{"resourceType": ' >"$work/broken.json"
expect 3 '' policy check "$work/broken.json"
expect 1 "can't be read" policy check "$work/nothing.json"
expect 2 'is missing' policy check
expect 2 'Give --project' policy check AccessPolicy/patient
expect 1 '' policy check AccessPolicy/patient --project demo
expect 2 '--project is missing' policy put "$work/patient.json"
expect 1 'no such project' policy put --project other "$work/patient.json"
expect 1 "can't be read" policy put --project demo "$work/nothing.json"
expect 1 'AccessPolicy.resource.0..criterion' policy put --project demo "$work/misspelt.json"
expect 1 '' policy put --project demo "$work/broken.json"
expect 2 'no FHIR id' policy put --project demo --id 'a b' "$work/patient.json"
expect 0 '^policy: patient$' policy put --project demo --id patient "$work/patient.json"
first=$(value version)
expect 0 '^policy: patient$' policy put --project demo --id AccessPolicy/patient "$work/patient.json"
[ "$first" != "$(value version)" ] || { failed=$((failed + 1)); echo "policy put made no new version"; }
expect 0 '"criteria": "Patient\?_compartment=%patient"' policy show --project demo patient
cp "$work/out" "$work/shown.json"
expect 2 'another id' policy put --project demo --id other "$work/shown.json"
expect 0 '^policy: patient$' policy put --project demo "$work/shown.json"
"$BUILD/fhirbinctl" -c "$work/fhir.conf" policy put --project demo - <"$work/patient.json" >"$work/out" 2>"$work/err"
unnamed=$(value policy)
expect 0 "$unnamed +One patient +3 " policy list --project demo
expect 0 '^  ."id": "patient", "name": "One patient", "entries": 3, ' policy list --project demo --json
expect 0 'nickname' policy put --project demo --id doubtful "$work/unknown.json"
expect 3 'nickname' policy check AccessPolicy/doubtful --project demo
expect 0 '' policy check AccessPolicy/patient --project demo
expect 2 'by its id' policy show --project demo 'a b'
expect 1 'no AccessPolicy' policy show --project demo other
expect 0 '' policy delete --project demo "$unnamed"
expect 1 'deleted|no AccessPolicy' policy delete --project demo "$unnamed"
expect 1 'no AccessPolicy' policy delete --project demo other
expect 0 '' project default-policy demo AccessPolicy/patient
expect 0 "demo +yes +patient " project list
expect 1 'no AccessPolicy' project default-policy demo other
expect 2 'by its id' project default-policy demo 'a b'
expect 1 'no such project' project default-policy other none
expect 2 'is missing' project default-policy demo
expect 0 '' project default-policy demo none
expect 0 '"default_policy": null' project list --json

expect 2 'Option --name is missing' client create --project demo
expect 2 'given twice' client create --project demo --project demo --name x
expect 2 'needs a value' client create --project demo --name
expect 2 'no option --color' client create --project demo --name x --color red
expect 2 "What is 'more'" client create --project demo --name x more
expect 1 'no such project' client create --project other --name x
expect 1 '' client create --project demo --name x --profile 'no reference'
expect 0 '^secret: [0-9a-f]{64}$' client create --project demo --name app --admin --profile Practitioner/1
client=$(value client)
expect 0 "^client: 0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e$" client create --project="$project" --name fixed \
    --id 0A0A0A0A-0b0b-4c0c-8d0d-0e0e0e0e0e0e --secret correct-horse-battery
expect 1 'id already' client create --project demo --name again --id 0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e
expect 0 "$client +app +$project .*Practitioner/1 +yes +yes" client list --project demo
expect 2 'policy before it' client create --project demo --name x --parameter patient=Patient/1
expect 2 'NAME=VALUE' client create --project demo --name x --policy patient --parameter patient
expect 2 'id of an AccessPolicy' client create --project demo --name x --policy 'a b'
expect 2 'given twice' client create --project demo --name x --admin --admin
expect 0 '^membership: ' client create --project demo --name portal --policy patient --parameter patient=Patient/1 \
    --parameter since=2024 --policy AccessPolicy/doubtful
portal=$(value client)
portal_member=$(value membership)
expect 0 "$portal_member +client .* no +yes +patient\\(patient=Patient/1, since=2024\\), doubtful " membership list
expect 0 '"reference": "Patient/1"' membership show "$portal_member"
expect 0 '"valueString": "2024"' membership show "$portal"
expect 0 '' policy check AccessPolicy/patient --project demo --membership "$portal_member"
expect 3 'not given' policy check "$work/patient.json" --membership "$portal_member"
expect 3 'since|patient' policy check "$work/patient.json" --membership "$client"
expect 1 'no such membership' policy check "$work/patient.json" --membership 11111111-2222-4333-8444-555555555555
expect 0 '' membership set-policy "$portal_member" --policy patient --parameter patient=Patient/2
expect 0 "$portal_member .* patient\\(patient=Patient/2\\) " membership list --project demo
expect 2 'either --policy or --none' membership set-policy "$portal_member"
expect 2 'either --policy or --none' membership set-policy "$portal_member" --policy patient --none
expect 0 '' membership set-policy "$portal_member" --none
expect 0 "$portal_member .* yes +- " membership list --project demo
expect 1 'no such membership' membership set-policy 11111111-2222-4333-8444-555555555555 --none

# ---- explain ----
expect 0 'administrator +yes' explain "$client" search Patient
expect 3 'nothing is permitted' explain "$portal" search Patient
expect 0 '' membership set-policy "$portal_member" --policy patient --parameter patient=Patient/2 --parameter since=2024
expect 0 'AccessPolicy/patient version ' explain "$portal" search Patient
expect 3 '_compartment=%patient, where %patient is Patient/2' explain "$portal" create Binary --context Patient/2
expect 3 'refused: 404 There is no Patient with this id' explain "$portal_member" read Patient/2
expect 3 'refused: 403' explain "$portal" delete Patient/2
expect 3 '"allowed": false, "status": 404, "explanation": "who.n' explain "$portal" read Binary/1 --json
expect 0 '"allowed": true, "status": 200' explain "$client" create Patient --json --address 192.0.2.1
expect 3 'refused: 403' explain "$client" create Patient --scope 'user/*.rs'
expect 3 'launch patient +1' explain "$client" read Patient/1 --scope 'patient/*.rs' --patient 1
expect 3 'membership +none' explain user:nobody read Patient/1
expect 3 'refused: 401' explain --issuer https://i --subject s read Patient/1
expect 2 'Say who' explain read Patient/1
expect 2 'Say who' explain "$client" read Patient/1 --issuer https://i --subject s
expect 2 'interaction must be' explain "$client" eat Patient/1
expect 2 'Name the resource' explain "$client" read Patient
expect 2 'without an id' explain "$client" search Patient/1
expect 2 'no resource type' explain "$client" read Apple/1
expect 2 'Only a Binary' explain "$client" presigned-url Patient/1
expect 2 'is missing' explain
expect 2 "user:NAME" explain nonsense read Patient/1
expect 1 'no such project' explain "$client" read Patient/1 --project other
expect 0 '^fhirbinctl explain \[PRINCIPAL\]' help explain

expect 0 '' client disable "$client"
expect 0 '"active": false' client list --json
expect 0 '' client enable "$client"
expect 1 'no such client' client disable 11111111-2222-4333-8444-555555555555
expect 1 'no such client' client disable nonsense
expect 0 '^secret: [0-9a-f]{64}$' client secret "$client"

expect 2 'either --user' membership create --project demo
expect 2 'either --user' membership create --project demo --user joe --issuer https://i
expect 0 '^membership: ' membership create --project demo --user joe --profile Practitioner/2
member=$(value membership)
expect 1 'membership already' membership create --project demo --user joe
expect 0 '^membership: ' membership create --project demo --issuer https://idp.example.org --subject 17
expect 0 "$member +httpd +- +joe" membership list --project demo
expect 0 '' membership disable "$member"
expect 0 "joe .* no  " membership list
expect 3 'active +no' explain user:joe search Patient
expect 0 '' membership enable "$member"
expect 0 "joe .* yes  " membership list
expect 0 '"active": true' membership show "$member"
expect 0 '' membership delete "$member"
expect 1 'no such membership' membership show "$member"
expect 0 '^membership: ' membership create --project demo --user joe --admin
member=$(value membership)
expect 0 "$member .*joe.* yes  " membership list

expect 2 'ES256 or RS256' key rotate --algorithm HS256
expect 0 '^key: ' key rotate --algorithm RS256
key=$(value key)
expect 0 '^key: ' key rotate --signing
expect 0 'made a new one' key revoke "$key"
expect 0 'RS256 +yes' key list
ctl key list
grep -q "^$key " "$work/out" && { failed=$((failed + 1)); echo "the revoked key is listed"; }
expect 1 'no key' key revoke nonsense

expect 0 'main +yes' store list
expect 0 'main +yes' store health
expect 0 '' store orphans
expect 0 '^\[\]$' store orphans --json
psql -X -q -d "$FHIR_TEST_CONNINFO" -c "INSERT INTO fhir_binary.object (object_key, project_id, store, locator, created_at)
    VALUES ('00000000-0000-4000-8000-000000000000', '$project', 'main', '00/00/00000000000040008000000000000000', now() - interval '2 hours')"
expect 3 'pending' store orphans --store main
expect 0 '' store orphans --older-than 3h
key=aabb0000000000000000000000000000
mkdir -p "$work/store/objects/aa/bb"
printf 12345 >"$work/store/objects/aa/bb/$key"
touch -d '2 hours ago' "$work/store/objects/aa/bb/$key"
expect 3 "main +unknown +- +5 +.*aa/bb/$key" store orphans
expect 3 '"size": 5, "since": "20.*"age_seconds": 72[0-9][0-9], "locator": "aa/bb' store orphans --json
expect 0 '' store orphans --older-than 3h
expect 1 'no store' store orphans --store other
expect 2 '--older-than is a time.*soon.*Usage: fhirbinctl store orphans' store orphans --older-than soon
expect 2 '--unknown is for --remove' store orphans --unknown
expect 3 '1 removed' store orphans --remove --older-than 1h
expect 0 '1 removed' store orphans --remove --unknown --older-than 1h
expect 0 '' store orphans
expect 0 '^name +configured +default +objects' store stat
expect 0 '"name": "main", "configured": true, "default": true, "objects": [0-9]+, ' store stat --json
expect 2 '--from' store migrate --to main
expect 2 'one store' store migrate --from main --to main
expect 1 'no store .other' store migrate --from main --to other
expect 2 '--grace is a time.*soon' store migrate --from main --to other --grace soon
expect 2 'at least 1K' store migrate --from main --to other --rate 17
expect 2 '--rate is bytes a second.*fast' store migrate --from main --to other --rate fast
expect 2 '--rate is bytes a second.*fast' store verify --rate fast
expect 2 '--rate is bytes a second' store verify --rate 17
expect 0 'nothing that --repair could repair: no store' store verify --repair
expect 0 'this is no store that keeps copies' store verify --repair --store main
expect 0 '^{"findings": \[\], "summary": {"objects": 0' store verify --json
expect 2 'per cent' store verify --sample 0%
expect 2 'per cent' store verify --sample 101
expect 2 'per cent' store verify --sample half
expect 2 'date' store verify --since yesterday
expect 0 '' store verify --sample 0.5% --since 7d --rate 1M
expect 0 '' store verify --since 2026-01-01 --project demo
expect 1 'no store .other' store verify --store other
expect 1 'no such project.*fhirbinctl project list' store verify --project other

binary_row() {
    version=$(cat /proc/sys/kernel/random/uuid)
    psql -X -q -d "$FHIR_TEST_CONNINFO" <<SQL
INSERT INTO fhir_binary.binary VALUES ('$project', '$1', '$version', 1, false, now() - interval '2 days');
INSERT INTO fhir_binary.binary_version (version_id, project_id, binary_id, sequence, change, last_updated, author_id,
    content_type) VALUES ('$version', '$project', '$1', 1, 1, now() - interval '2 days', '00000000-0000-4000-8000-000000000001', 'image/png');
SQL
}
expect 0 '^\[\]$' binary unlinked --project demo --json
binary_row used
binary_row lonely
psql -X -q -d "$FHIR_TEST_CONNINFO" <<SQL
INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated)
    VALUES ('$project', 'Patient', 'p1', '$version', 1, false, now());
INSERT INTO fhir_binary.resource_version SELECT '$version', key, 1, 1, now(), '00000000-0000-4000-8000-000000000001', 1, '', '"photo":[]'
    FROM fhir_binary.resource WHERE id = 'p1';
INSERT INTO fhir_binary.attachment SELECT '$version', 1, '$project', key, 1, 'Patient.photo[0]', 'used', NULL, NULL,
    0, 1, 2, 0 FROM fhir_binary.resource WHERE id = 'p1';
SQL
expect 0 "Patient/p1 +Patient.photo.0. +$version +yes" binary uses --project demo used
expect 0 '^\[\]$' binary uses --project demo lonely --json
expect 3 'lonely +image/png +0 +- +20' binary unlinked --project demo
expect 3 '"id": "lonely"' binary unlinked --project demo --json
expect 0 '' binary unlinked --project demo --older-than 3d
expect 1 'no such project' binary unlinked --project other
expect 2 'letters, digits' binary uses --project demo 'a/b'
expect 2 'project' binary uses used

expect 2 'project' audit security-context
expect 2 'Either --apply' audit security-context --project demo --apply --dry-run
expect 2 'from 1 to 400' audit security-context --project demo --batch 401
expect 1 'no such project' audit security-context --project other
expect 3 'Binary/used +follows +Patient/p1 +Patient/p1 .Patient.photo.0..' audit security-context --project demo
expect 3 'Binary/lonely +unreferenced .*no resource points' audit security-context --project demo --batch 1
expect 3 '"follows": 1.*"remaining": [0-9]' audit security-context --project demo --json
expect 3 'of [0-9]+ .100 %..*a second|1 set' audit security-context --project demo --apply
expect 3 'Binary/lonely' audit security-context --project demo --apply
ctl audit security-context --project demo
grep -q 'Binary/used ' "$work/out" && { failed=$((failed + 1)); echo "the Binary has no context yet"; }

expect 0 '^\[\]$' fetch list --json
fetch=10101010-2020-4030-8040-505050505050
psql -X -q -d "$FHIR_TEST_CONNINFO" -c "INSERT INTO fhir_binary.external_fetch (id, project_id, type, resource_id, url, path,
    author_id, state, attempts, error, finished_at) VALUES ('$fetch', '$project', 'Patient', 'p1',
    'https://files.example.org/x.png', 'Patient.photo[0]', gen_random_uuid(), 3, 3, 'It was away.', now())"
expect 0 "$fetch +failed +Patient/p1 +Patient.photo.0. +https://files.example.org/x.png +3 +- +It was away" fetch list
expect 0 "$fetch" fetch list --failed --project demo
expect 1 'no such project' fetch list --project other
expect 0 'FhirBinaryFetchExternal is off' fetch retry "$fetch"
expect 0 '^\[\]$' fetch list --failed --json
expect 0 "$fetch +waiting .* 0 +20" fetch list
expect 1 'no fetch with this id' fetch retry 11111111-2222-4333-8444-555555555555
expect 2 'ID is missing' fetch retry

rm -rf "$work/none"
"$BUILD/fhirbinctl" -c "$work/none" db status >"$work/out" 2>"$work/err"
if [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); cat "$work/err"; fi
echo "meta fhirbinctl: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
