#!/bin/sh
# Runs COMMAND with real object stores beside it: with.sh [--own] [radosgw] [azurite] -- COMMAND...
#
# They listen on free ports of 127.0.0.1, live in a private temporary directory and always end with the command, also
# when this script is killed; its exit status is the command's. What an outer with.sh has started is used again, unless
# --own asks for servers that may be hurt. The command finds:
#   FHIR_TEST_SERVERS_DIR   the directory; tls/ in it has what certificates.sh makes
#   FHIR_TEST_CA_FILE       who signed the servers' certificates; FHIR_TEST_OTHER_CA_FILE signed nothing
#   FHIR_TEST_S3_ENDPOINT, FHIR_TEST_S3_TLS_ENDPOINT     https with path style only
#   FHIR_TEST_S3_ACCESS_KEY, FHIR_TEST_S3_SECRET_KEY, FHIR_TEST_S3_CREDENTIALS_FILE     (AWS ini format)
#   FHIR_TEST_S3_KMS_KEY    the id of a key for SSE-KMS
#   FHIR_TEST_S3_PID_FILE   of the gateway; `radosgw.sh ACTION $FHIR_TEST_S3_DIR $FHIR_TEST_S3_PORT` restarts it
#   FHIR_TEST_AZURE_ENDPOINT, FHIR_TEST_AZURE_TLS_ENDPOINT     with the account's name as path, as a blob endpoint
#   FHIR_TEST_AZURE_ACCOUNT, FHIR_TEST_AZURE_KEY_FILE
#   FHIR_TEST_AZURE_PID_FILE, FHIR_TEST_AZURE_TLS_PID_FILE
#                           `azurite.sh ACTION $FHIR_TEST_AZURE_DIR $FHIR_TEST_AZURE_PORT` restarts both
# stores.py makes buckets and containers. Files are readable for whom httpd's children run as: www-data under root.
set -u
umask 077
here=$(cd "$(dirname "$0")" && pwd -P)
. "$here/common.sh"

stop_all() { # DIR
    [ ! -d "$1/s3" ] || sh "$here/radosgw.sh" stop "$1/s3" 0
    for name in http tls; do end_process "$1/azure/$name.pid" "$1/azure" KILL 5; done
    rm -rf "$1"
}

# In a session of its own: looks after the servers of a script that was killed.
if [ "${1:-}" = --watch ]; then
    while kill -0 "$2" 2>/dev/null; do sleep 1; done
    [ ! -d "$3" ] || stop_all "$3"
    exit 0
fi

own=
radosgw=
azurite=
while [ $# -gt 0 ]; do
    case $1 in
    --own) own=yes ;;
    radosgw | azurite) eval "$1=yes" ;;
    --) break ;;
    *) fail "unknown server '$1'; there are radosgw and azurite" ;;
    esac
    shift
done
[ $# -gt 1 ] || fail "usage: with.sh [--own] [radosgw] [azurite] -- COMMAND..."
shift
if [ "$own" ]; then
    unset FHIR_TEST_SERVERS_DIR FHIR_TEST_S3_ENDPOINT FHIR_TEST_AZURE_ENDPOINT
fi
[ -z "${FHIR_TEST_S3_ENDPOINT:-}" ] || radosgw=
[ -z "${FHIR_TEST_AZURE_ENDPOINT:-}" ] || azurite=
[ "$radosgw$azurite" ] || exec "$@"
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

dir=$(mktemp -d "${TMPDIR:-/tmp}/fhir-servers.XXXXXX") || exit 1
child=
trap 'trap "" HUP INT TERM; stop_all "$dir"' EXIT
for signal in HUP INT TERM; do
    # The command has a process group of its own; it ends, then we do.
    # shellcheck disable=SC2064
    trap "caught=$signal; [ -z \"\$child\" ] || kill -s $signal -- -\"\$child\" 2>/dev/null; [ \"\$child\" ] || exit 130" $signal
done
setsid sh "$here/with.sh" --watch $$ "$dir" </dev/null >/dev/null 2>&1 &
# Below /tmp others may pass, not look; what they may read says so itself.
chmod 0711 "$dir"

# The first of 20 ports in a row that nobody listens on, below those that the system gives out by itself.
free_ports() {
    "${PYTHON:-/usr/bin/python3}" - <<'PYTHON'
import random
import socket

for _ in range(200):
    first = random.randrange(10000, 32000, 20)
    opened = []
    try:
        for port in range(first, first + 20):
            opened.append(socket.socket())
            opened[-1].bind(("127.0.0.1", port))
        print(first)
        break
    except OSError:
        continue
    finally:
        for one in opened:
            one.close()
PYTHON
}

# Text from stdin into a file that only root and httpd's children read.
secret_file() { # FILE
    cat >"$1"
    [ "$(id -u)" -ne 0 ] || ! id -u www-data >/dev/null 2>&1 || chown www-data: "$1"
}

# Somebody may take a port in between: then once more with others.
start_server() { # SCRIPT, DIR
    for attempt in 1 2 3; do
        port=$(free_ports)
        [ -n "$port" ] || fail "no free ports"
        sh "$here/$1" start "$2" "$port" 2>"$2.error" && return 0
        sh "$here/$1" stop "$2" "$port"
        [ "$attempt" -eq 3 ] || rm -rf "$2"
    done
    cat "$2.error" >&2
    exit 1
}

start_radosgw() {
    FHIR_TEST_S3_DIR=$dir/s3
    start_server radosgw.sh "$FHIR_TEST_S3_DIR"
    FHIR_TEST_S3_PORT=$port
}

start_azurite() {
    FHIR_TEST_AZURE_DIR=$dir/azure
    start_server azurite.sh "$FHIR_TEST_AZURE_DIR"
    FHIR_TEST_AZURE_PORT=$port
}

sh "$here/certificates.sh" "$dir/tls" || exit 1
if [ "$own" ] || [ -z "${FHIR_TEST_SERVERS_DIR:-}" ]; then FHIR_TEST_SERVERS_DIR=$dir; fi
FHIR_TEST_CA_FILE=$dir/ca.pem
FHIR_TEST_OTHER_CA_FILE=$dir/tls/other-ca.pem
# With an outer with.sh there are two authorities.
{
    cat "$dir/tls/ca.pem"
    [ "$FHIR_TEST_SERVERS_DIR" = "$dir" ] || cat "$FHIR_TEST_SERVERS_DIR/tls/ca.pem"
} >"$FHIR_TEST_CA_FILE"
chmod 0644 "$FHIR_TEST_CA_FILE"
export FHIR_TEST_SERVERS_DIR FHIR_TEST_CA_FILE FHIR_TEST_OTHER_CA_FILE

if [ "$azurite" ]; then
    sh "$here/../npm.sh" "$here" >&2 || exit 1
    FHIR_TEST_AZURE_ACCOUNT=testaccount
    FHIR_TEST_AZURE_KEY_FILE=$dir/azure-key
    openssl rand -base64 32 | secret_file "$FHIR_TEST_AZURE_KEY_FILE"
    export FHIR_TEST_AZURE_ACCOUNT FHIR_TEST_AZURE_KEY_FILE
    start_azurite
    FHIR_TEST_AZURE_ENDPOINT=http://127.0.0.1:$FHIR_TEST_AZURE_PORT/$FHIR_TEST_AZURE_ACCOUNT
    FHIR_TEST_AZURE_TLS_ENDPOINT=https://127.0.0.1:$((FHIR_TEST_AZURE_PORT + 1))/$FHIR_TEST_AZURE_ACCOUNT
    FHIR_TEST_AZURE_PID_FILE=$FHIR_TEST_AZURE_DIR/http.pid
    FHIR_TEST_AZURE_TLS_PID_FILE=$FHIR_TEST_AZURE_DIR/tls.pid
    export FHIR_TEST_AZURE_ENDPOINT FHIR_TEST_AZURE_TLS_ENDPOINT FHIR_TEST_AZURE_PID_FILE FHIR_TEST_AZURE_TLS_PID_FILE
    export FHIR_TEST_AZURE_DIR FHIR_TEST_AZURE_PORT
fi
if [ "$radosgw" ]; then
    FHIR_TEST_S3_ACCESS_KEY=TEST$(openssl rand -hex 8 | tr a-f A-F)
    FHIR_TEST_S3_SECRET_KEY=$(openssl rand -hex 20)
    FHIR_TEST_S3_CREDENTIALS_FILE=$dir/s3-credentials
    FHIR_TEST_S3_KMS_KEY=testkey-1
    export FHIR_TEST_S3_ACCESS_KEY FHIR_TEST_S3_SECRET_KEY FHIR_TEST_S3_CREDENTIALS_FILE FHIR_TEST_S3_KMS_KEY
    printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$FHIR_TEST_S3_ACCESS_KEY" \
        "$FHIR_TEST_S3_SECRET_KEY" | secret_file "$FHIR_TEST_S3_CREDENTIALS_FILE"
    start_radosgw
    FHIR_TEST_S3_ENDPOINT=http://127.0.0.1:$FHIR_TEST_S3_PORT
    FHIR_TEST_S3_TLS_ENDPOINT=https://127.0.0.1:$((FHIR_TEST_S3_PORT + 1))
    FHIR_TEST_S3_PID_FILE=$FHIR_TEST_S3_DIR/run/client.rgw.pid
    export FHIR_TEST_S3_ENDPOINT FHIR_TEST_S3_TLS_ENDPOINT FHIR_TEST_S3_PID_FILE FHIR_TEST_S3_DIR FHIR_TEST_S3_PORT
fi

# The shell gives what runs in the background no keyboard interrupts: env gives them back.
caught=
setsid env --default-signal=INT,QUIT "$@" &
child=$!
wait "$child"
status=$?
# A signal ended our waiting, not the command: it gets ten seconds.
if [ "$caught" ]; then
    turns=200
    while kill -0 "$child" 2>/dev/null && [ "$turns" -gt 0 ]; do
        sleep 0.05
        turns=$((turns - 1))
    done
    kill -s KILL -- -"$child" 2>/dev/null
    wait "$child"
    status=$?
fi
exit "$status"
