#!/bin/sh
# `make run`: a private PostgreSQL and a private httpd under RUN_DIR, kept between runs, in the foreground until Ctrl-C.
# Nothing of the system's own apache2 or postgresql is used but the programs. BUILD, PORT and RUN_DIR come from make.
set -eu
umask 077
cd "$(dirname "$0")/.."
root=$(pwd -P)
: "${BUILD:=build}" "${PORT:=8080}" "${RUN_DIR:=run}"
case $BUILD in /*) ;; *) BUILD=$root/$BUILD ;; esac
httpd_pid=
database_started=

fail() {
    echo "make run: $*" >&2
    exit 1
}

# ---- Who we are, and where ----
run_user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
    run_user=${RUN_USER:-www-data}
    id -u "$run_user" >/dev/null 2>&1 || fail "there is no user $run_user: set RUN_USER to an existing one."
    export RUN_USER="$run_user"
fi
run_group=$(id -gn "$run_user")

reachable() { # may the user that serves enter this directory?
    [ "$(id -u)" -ne 0 ] || (cd / && setpriv --reuid "$run_user" --regid "$run_group" --clear-groups test -x "$1")
}

# PostgreSQL's socket lies in the directory, and a socket's path holds 107 characters.
short_enough() {
    [ ${#1} -le 70 ]
}

make_directory() {
    # As root the servers' user passes through; new parents are ordinary directories.
    [ "$(id -u)" -ne 0 ] || mode=711
    [ -d "$1" ] || (umask 022 && mkdir -p -m "${mode:-700}" "$1" 2>/dev/null) ||
        fail "can't make the directory $1 (no right, or the disk is full): set RUN_DIR=/another/directory."
    [ -w "$1" ] || fail "no right to write to $1: set RUN_DIR=/another/directory, or run as its owner."
}

# A directory in /var/tmp that is ours alone, for clones in places that the servers can't enter (/root).
elsewhere() {
    other=/var/tmp/mod_fhir_binary-$(id -u)-$(printf '%s' "$link" | cksum | cut -d ' ' -f 1)
    mkdir -m 711 "$other" 2>/dev/null || :
    [ -d "$other" ] && [ ! -L "$other" ] && [ -O "$other" ] || fail "$other is not ours: remove it or set RUN_DIR."
    if [ -d "$link" ] && [ ! -L "$link" ]; then
        rmdir "$link" 2>/dev/null || fail "$1, and it is not empty: move it away or set RUN_DIR=/another/directory."
    fi
    ln -sfn "$other" "$link"
    echo "make run: $1, so $RUN_DIR is a link to $other"
}

choose_directory() {
    case $RUN_DIR in /*) link=$RUN_DIR ;; *) link=$root/$RUN_DIR ;; esac
    if [ -L "$link" ] && [ ! -d "$link" ]; then
        rm -f "$link" # its target is gone
    fi
    make_directory "$link"
    dir=$(cd "$link" && pwd -P)
    [ "$(id -u)" -ne 0 ] || [ ! -O "$dir" ] || chmod go+x "$dir"
    if ! short_enough "$dir"; then
        elsewhere "the path $dir is too long for a unix socket"
    elif ! reachable "$dir"; then
        elsewhere "user $run_user can't enter $dir"
    fi
    dir=$(cd "$link" && pwd -P)
    case $dir in *[!A-Za-z0-9_./+@-]*) fail "the path $dir has characters that configuration files don't like: set RUN_DIR=/plain/path." ;; esac
}

check_disk() {
    free=$(df -Pk "$dir" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge 200 ] || fail "only $free MB are free in $dir and 200 MB are needed: free some, or set RUN_DIR=/another/disk."
    : 2>/dev/null >"$dir/.probe" || fail "can't write to $dir: set RUN_DIR=/another/directory."
    rm -f "$dir/.probe"
    mkdir -p "$dir/log" "$dir/store" "$dir/samples"
}

# ---- The port ----
listening_inode() { # of whoever listens on 127.0.0.1:PORT or on all addresses
    awk -v port="$(printf ':%04X' "$PORT")" '$4 == "0A" && index($2, port) == length($2) - 4 &&
        $2 ~ /^(0100007F|0+|0000000000000000FFFF00000100007F):/ { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

holder() { # pid of the process with that socket, if we may see it
    for link_of in /proc/[0-9]*/fd/*; do
        if [ "$(readlink "$link_of" 2>/dev/null)" = "socket:[$1]" ]; then
            echo "$link_of" | cut -d / -f 3
            return
        fi
    done
}

check_port() {
    case $PORT in '' | *[!0-9]*) fail "PORT=$PORT is no number: write for example PORT=8081." ;; esac
    [ "$PORT" -ge 1 ] && [ "$PORT" -le 65535 ] || fail "PORT=$PORT is not between 1 and 65535."
    [ "$PORT" -ge "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo 1024)" ] || [ "$(id -u)" -eq 0 ] ||
        fail "only root may listen on port $PORT: write for example PORT=8080."
    inode=$(listening_inode)
    [ -n "$inode" ] || return 0
    pid=$(holder "$inode")
    fail "port $PORT is taken${pid:+ by $(cat "/proc/$pid/comm" 2>/dev/null) (process $pid)}: stop that, or write make run PORT=$((PORT + 1))."
}

# ---- What an earlier run left ----
take_lock() {
    exec 9>"$dir/lock" || fail "can't write to $dir/lock."
    flock -n 9 || fail "another make run is using $dir: stop it, or set RUN_DIR=/another/directory."
}

stop_left_over_httpd() {
    pid=$(cat "$dir/httpd.pid" 2>/dev/null || :)
    if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "-f $dir/httpd.conf"; then
        kill -TERM "$pid" 2>/dev/null || :
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    fi
    rm -f "$dir/httpd.pid"
}

# ---- Configuration ----
find_httpd() {
    httpd=$(PATH=/usr/sbin:/usr/local/sbin:$PATH command -v apache2 || PATH=/usr/sbin:$PATH command -v httpd) ||
        fail "there is no apache2: run make deps."
    modules=$(apxs -q LIBEXECDIR 2>/dev/null || echo /usr/lib/apache2/modules)
}

write_configuration() {
    user_lines=
    if [ "$(id -u)" -eq 0 ]; then
        chown "$run_user:$run_group" "$dir/store"
        user_lines="User $run_user
Group $run_group"
    fi
    cat >"$dir/fhir_binary.conf" <<CONF
# Made anew by dev/run.sh at each start. httpd-conf/ in the repository explains every directive.
LoadModule fhir_binary_module $BUILD/mod_fhir_binary.so
FhirBinaryBaseURL http://127.0.0.1:$PORT/
FhirBinaryDatabase "$conninfo"
FhirBinaryStoragePlugin filesystem $BUILD/fhir_storage_filesystem.so
FhirBinaryStore main filesystem path=$dir/store/main
FhirBinaryUpdateCreate On
CONF
    cat >"$dir/httpd.conf" <<CONF
# Made anew by dev/run.sh at each start; run/local.conf is kept and read last.
ServerRoot $dir
ServerName 127.0.0.1
Listen 127.0.0.1:$PORT
PidFile $dir/httpd.pid
DefaultRuntimeDir $dir
Mutex file:$dir default
$user_lines
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_host_module $modules/mod_authz_host.so
LoadModule reqtimeout_module $modules/mod_reqtimeout.so
LoadModule status_module $modules/mod_status.so
StartServers 2
ServerLimit 4
ThreadsPerChild 32
MaxRequestWorkers 128
ServerTokens Prod
TraceEnable Off
# Our own FhirBinaryMaxObjectSize is the limit; httpd's default of 1 GiB would come first.
LimitRequestBody 0
# Uploads are read in pieces of this size; httpd's default is 8 KiB.
EnableSendfile On
# Slow headers are cut off here, slow bodies by FhirBinaryBodyTimeout.
RequestReadTimeout header=20-40,MinRate=500 body=0
ErrorLog $dir/log/error.log
LogLevel notice
# %U has no query string: a signed URL is a secret until it expires.
LogFormat "%h %u %t \"%m %U %H\" %>s %O %D" without_query
CustomLog $dir/log/access.log without_query
<Directory />
    Require all denied
</Directory>
<Location /server-status>
    SetHandler server-status
    Require local
</Location>
Include $dir/fhir_binary.conf
IncludeOptional $dir/local[.]conf
CONF
}

# A one-page PDF with right offsets, so that there is something to upload.
write_sample() {
    [ -s "$dir/samples/letter.pdf" ] || awk 'BEGIN {
        text = "BT /F1 24 Tf 72 720 Td (A letter from mod_fhir_binary) Tj ET"
        object[1] = "<< /Type /Catalog /Pages 2 0 R >>"
        object[2] = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
        object[3] = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
        object[4] = "<< /Length " length(text) " >>\nstream\n" text "\nendstream"
        object[5] = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
        out = "%PDF-1.4\n"
        for (i = 1; i <= 5; i++) { at[i] = length(out); out = out i " 0 obj\n" object[i] "\nendobj\n" }
        start = length(out)
        out = out "xref\n0 6\n0000000000 65535 f \n"
        for (i = 1; i <= 5; i++) out = out sprintf("%010d 00000 n \n", at[i])
        printf "%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", out, start
    }' >"$dir/samples/letter.pdf"
    cat >"$dir/samples/one-patient.json" <<'JSON'
{
  "resourceType": "AccessPolicy",
  "id": "one-patient",
  "name": "What belongs to one patient: to read and write the patient and Binaries of it, to read all the rest",
  "resource": [
    {"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "interaction": ["read", "vread", "history", "search", "update"]},
    {"resourceType": "*", "criteria": "*?_compartment=%patient", "readonly": true}
  ]
}
JSON
}

# ---- Database, first client ----
ctl() {
    "$BUILD/fhirbinctl" -c "$dir/fhir_binary.conf" "$@" 2>"$dir/log/fhirbinctl.log" 9>&-
}

last_words() {
    tail -n 1 "$dir/log/fhirbinctl.log"
}

must_ctl() {
    ctl "$@" || fail "$(last_words)"
}

start_database() {
    conninfo=$("$root/dev/postgres.sh" start "$dir/postgres" 2>"$dir/log/postgres-start.log" 9>&-) ||
        fail "PostgreSQL: $(sed 's/^dev.postgres.sh: //' "$dir/log/postgres-start.log" | tail -n 1)"
    conninfo=$(printf '%s\n' "$conninfo" | tail -n 1)
    database_started=yes
}

# The client of a run directory that is older than access policies may do nothing: it gets a successor.
has_administrator() {
    [ -s "$dir/client.env" ] || return 1
    known=$(sed -n 's/^CLIENT_ID=//p' "$dir/client.env")
    must_ctl client list | grep -q "^$known .* yes  *yes  *20"
}

# An interrupted first start goes on where it was: a project that is there already is used.
first_client() {
    ! has_administrator || return 0
    ctl project create demo >/dev/null || ctl project list | grep -qw demo || fail "$(last_words)"
    created=$(must_ctl client create --project demo --name demo --admin)
    {
        echo "CLIENT_ID=$(printf '%s\n' "$created" | sed -n 's/^client: //p')"
        echo "CLIENT_SECRET=$(printf '%s\n' "$created" | sed -n 's/^secret: //p')"
    } >"$dir/client.env.new"
    mv "$dir/client.env.new" "$dir/client.env"
}

# ---- Serving ----
stop_all() {
    trap '' INT TERM HUP
    if [ -n "$httpd_pid" ] && kill -TERM "$httpd_pid" 2>/dev/null; then
        for _ in $(seq 150); do
            kill -0 "$httpd_pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$httpd_pid" 2>/dev/null || :
        wait "$httpd_pid" 2>/dev/null || :
    fi
    httpd_pid=
    if [ -n "$database_started" ]; then
        "$root/dev/postgres.sh" stop "$dir/postgres" >/dev/null 2>&1 9>&- || echo "make run: PostgreSQL did not stop: see $dir/postgres" >&2
    fi
    database_started=
}

start_httpd() {
    # In a session of its own: Ctrl-C reaches this script alone, which then stops both servers in order.
    setsid "$httpd" -d "$dir" -f "$dir/httpd.conf" -D FOREGROUND >"$dir/log/httpd-start.log" 2>&1 </dev/null 9>&- &
    httpd_pid=$!
    for _ in $(seq 200); do
        kill -0 "$httpd_pid" 2>/dev/null || break
        [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/fhir/R4/metadata" 9>&-)" != 200 ] || return 0
        sleep 0.05
    done
    reason=$(grep -v '^$' "$dir/log/httpd-start.log" | tail -n 2 | tr '\n' ' ')
    [ -n "$reason" ] || reason=$(tail -n 1 "$dir/log/error.log" 2>/dev/null || :)
    fail "httpd did not start: ${reason:-no reason given} (see $dir/log)"
}

show() {
    # shellcheck disable=SC1091
    . "$dir/client.env"
    base=http://127.0.0.1:$PORT
    pdf=$dir/samples/letter.pdf
    cat <<TEXT

mod_fhir_binary serves $base/fhir/R4

  client id      $CLIENT_ID     (an administrator of the project demo)
  client secret  $CLIENT_SECRET     (both in $dir/client.env)
  logs           $dir/log
  administration $BUILD/fhirbinctl -c $dir/httpd.conf help

In another terminal, one after the other:

1. A token
TOKEN=\$(curl -s -d grant_type=client_credentials -d client_id=$CLIENT_ID -d client_secret=$CLIENT_SECRET $base/oauth2/token | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p'); echo "\$TOKEN"

2. Upload a PDF
BINARY=\$(curl -s -o /dev/null -D - -H "Authorization: Bearer \$TOKEN" -H "Content-Type: application/pdf" --data-binary @$pdf $base/fhir/R4/Binary | tr -d '\r' | sed -n 's|^[Ll]ocation: *\(.*\)/_history/.*|\1|p'); echo "\$BINARY"

3. Read it back
curl -s -H "Authorization: Bearer \$TOKEN" "\$BINARY" | cmp - $pdf && echo "the same bytes"

4. Read a part of it
curl -s -i -H "Authorization: Bearer \$TOKEN" -H "Range: bytes=0-7" "\$BINARY"; echo

5. A signed URL, good for a browser without a token
URL=\$(curl -s -H "Authorization: Bearer \$TOKEN" "\$BINARY/\\\$presigned-url" | sed -n 's/.*"value[UruilL]*" *: *"\(http[^"]*\)".*/\1/p'); echo "\$URL"; curl -sI "\$URL"

6. Another client, which may see Patient/1 and what belongs to it, and nothing else
$BUILD/fhirbinctl -c $dir/httpd.conf policy put --project demo $dir/samples/one-patient.json && $BUILD/fhirbinctl -c $dir/httpd.conf client create --project demo --name portal --policy one-patient --parameter patient=Patient/1

Ctrl-C stops; the data stay in $dir.
TEXT
}

[ -x "$BUILD/fhirbinctl" ] || fail "$BUILD/fhirbinctl is not built: run make."
find_httpd
choose_directory
take_lock
check_disk
trap stop_all EXIT
# Ctrl-C is the usual end, no failure.
trap 'echo; stop_all; echo "make run: stopped"; exit 0' INT
trap 'exit 143' TERM HUP
stop_left_over_httpd
check_port
start_database
write_configuration
write_sample
must_ctl db upgrade >/dev/null
first_client
start_httpd
show
wait "$httpd_pid" || :
httpd_pid=
fail "httpd ended by itself: $(tail -n 1 "$dir/log/error.log" 2>/dev/null)"
