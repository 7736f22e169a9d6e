#!/bin/sh
# A real S3 server, Ceph's RADOS gateway with one monitor and one OSD that keeps everything in memory: twice its length.
# FHIR_TEST_S3_OBJECTSTORE=bluestore has it on disk, below DIR, for tests with more bytes than there is memory.
# Usage: radosgw.sh start|stop|restart|restart-gateway|status DIR PORT
#
# It listens on 127.0.0.1, with http on PORT and, if DIR/../tls/server.pem is there at the first start, with TLS on
# PORT+1; PORT+2 and PORT+10..19 are Ceph's own. The keys come from FHIR_TEST_S3_ACCESS_KEY and FHIR_TEST_S3_SECRET_KEY.
# `stop` loses what was stored, `restart` too; `restart-gateway` kills and starts only what speaks S3 and keeps it.
# DIR/run/client.rgw.pid has the gateway's process id. Runs as whoever started it.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
[ $# -eq 3 ] || fail "usage: radosgw.sh start|stop|restart|restart-gateway|status DIR PORT"
action=$1
dir=$2
port=$3
conf=$dir/ceph.conf
export CEPH_CONF="$conf"
daemons="client.rgw osd.0 mon.a"

# crc: without keys (cephx) the gateway hangs when it asks for an encrypted connection, which is the default.
# paxos: the proposals of a monitor are put off for a second, and the first start makes some ten of them.
write_conf() {
    # Without tcp_nodelay the body of an answer waits some 40 ms for the client's acknowledgement of its header.
    frontend="beast tcp_nodelay=1 endpoint=127.0.0.1:$port"
    certificate=$(dirname "$dir")/tls/server.pem
    [ ! -s "$certificate" ] || frontend="$frontend ssl_endpoint=127.0.0.1:$((port + 1)) ssl_certificate=$certificate"
    cat >"$conf" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon initial members = a
mon host = [v2:127.0.0.1:$((port + 2))/0]
auth cluster required = none
auth service required = none
auth client required = none
public network = 127.0.0.0/8
ms bind port min = $((port + 10))
ms bind port max = $((port + 19))
ms mon client mode = crc
run dir = $dir/run
admin socket =
log file = $dir/log/\$name.log
pid file = $dir/run/\$name.pid
crash dir = $dir/crash
mon data = $dir/mon.\$id
mon data avail crit = 1
mon data avail warn = 1
mon max pg per osd = 500
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.01
osd data = $dir/osd.\$id
osd objectstore = ${FHIR_TEST_S3_OBJECTSTORE:-memstore}
bluestore block size = 34359738368
memstore device bytes = 25769803776
osd memory target = 900_M
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
[client.rgw]
rgw data = $dir/rgw
rgw frontends = $frontend
rgw dns name = localhost
rgw thread pool size = 64
rgw enable usage log = false
rgw gc obj min wait = 60
rgw gc processor period = 60
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${FHIR_TEST_S3_KMS_KEY:-testkey-1}=$(openssl rand -base64 32)
CONF
}

make_cluster() {
    for directory in run log crash rgw mon.a osd.0; do mkdir -p "$dir/$directory"; done
    write_conf
    fsid=$(sed -n 's/^fsid = //p' "$conf")
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$((port + 2))]" "$dir/monmap"
    ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap"
    ceph-mon -c "$conf" -i a
    uuid=$(cat /proc/sys/kernel/random/uuid)
    ceph -c "$conf" --connect-timeout 20 osd new "$uuid"
    ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid"
    ceph-osd -c "$conf" -i 0
}

make_user() {
    radosgw-admin -c "$conf" -n client.rgw user create --uid=test --display-name=test \
        --access-key="$FHIR_TEST_S3_ACCESS_KEY" --secret-key="$FHIR_TEST_S3_SECRET_KEY"
}

start_gateway() {
    radosgw -c "$conf" -n client.rgw >>"$dir/output" 2>&1 || fail "radosgw did not start: $(tail -n 1 "$dir/output")"
    wait_for "http://127.0.0.1:$port/" 30 || fail "radosgw does not answer: $(tail -n 1 "$dir/log/client.rgw.log")"
}

start() {
    : "${FHIR_TEST_S3_ACCESS_KEY:?}" "${FHIR_TEST_S3_SECRET_KEY:?}"
    mkdir -p "$dir"
    for program in ceph-mon ceph-osd ceph radosgw radosgw-admin monmaptool; do
        command -v "$program" >/dev/null || fail "$program is not installed: make deps"
    done
    make_cluster >"$dir/output" 2>&1 || fail "Ceph did not start: $(tail -n 1 "$dir/output") (see $dir/output)"
    start_gateway
    make_user >>"$dir/output" 2>&1 || fail "Ceph makes no user: $(tail -n 1 "$dir/output") (see $dir/output)"
}

# Memory needs no orderly end.
stop() {
    for daemon in $daemons; do end_process "$dir/run/$daemon.pid" "$dir" KILL 5; done
}

case $action in
start) start ;;
stop) stop ;;
restart)
    stop
    rm -rf "$dir"
    start
    ;;
restart-gateway)
    end_process "$dir/run/client.rgw.pid" "$dir" KILL 5
    start_gateway
    ;;
status) for daemon in $daemons; do alive "$dir/run/$daemon.pid" "$dir" || exit 1; done ;;
*) fail "unknown action '$action'" ;;
esac
