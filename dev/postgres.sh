#!/bin/sh
# A private PostgreSQL cluster under DIR for `make run` and the tests: dev/postgres.sh start|stop|status|conninfo DIR
# It listens on a unix socket in DIR/socket (mode 0700) and nowhere else. As root it runs as RUN_USER (default www-data,
# else postgres). `start` makes the cluster if there is none, waits until it answers and prints the conninfo.
set -eu
umask 077

fail() {
    echo "dev/postgres.sh: $*" >&2
    exit 1
}

[ $# -eq 2 ] || fail "usage: dev/postgres.sh start|stop|status|conninfo DIR"
action=$1
if [ "$action" = start ]; then
    mkdir -p "$2" 2>/dev/null ||
        fail "can't create $2: choose another directory or give yourself the right to write there."
fi
dir=$(cd "$2" 2>/dev/null && pwd -P) || fail "there is no directory $2 that you may enter."
data=$dir/data
socket=$dir/socket
log=$dir/postgres.log
database=fhir_binary
role=fhir

programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$programs" ] || programs=$(pg_config --bindir 2>/dev/null || true)
[ -x "$programs/initdb" ] || fail "PostgreSQL's initdb was not found: install the package postgresql."

if [ "$(id -u)" -eq 0 ]; then
    if [ -z "${RUN_USER:-}" ]; then
        RUN_USER=postgres
        id -u www-data >/dev/null 2>&1 && RUN_USER=www-data
    fi
    id -u "$RUN_USER" >/dev/null 2>&1 || fail "there is no user $RUN_USER: set RUN_USER to an existing one."
    group=$(id -g "$RUN_USER")
    as_user() {
        (cd / && exec setpriv --reuid "$RUN_USER" --regid "$group" --clear-groups -- "$@")
    }
else
    as_user() {
        (cd / && exec "$@")
    }
fi

# A killed server whose parent does not collect it (containers often have no init) looks alive to pg_ctl.
drop_zombie() {
    [ -f "$data/postmaster.pid" ] || return 0
    if grep -qs '^State:[[:space:]]*Z' "/proc/$(head -n 1 "$data/postmaster.pid")/status"; then
        rm -f "$data/postmaster.pid" "$socket"/.s.PGSQL.*.lock
    fi
}

running() {
    drop_zombie
    [ -f "$data/postmaster.pid" ] && as_user "$programs/pg_ctl" -D "$data" status >/dev/null 2>&1
}

conninfo() {
    echo "host=$socket dbname=$database user=$role"
}

sql() { # database, text
    as_user "$programs/psql" -X -q -h "$socket" -U postgres -d "$1" -v ON_ERROR_STOP=1 -c "$2" >>"$log" 2>&1
}

prepare_directory() {
    if [ "$(id -u)" -eq 0 ]; then
        # Others pass through DIR to their own files; only the server's user enters data and socket.
        chmod go+x "$dir"
        as_user test -x "$dir" ||
            fail "user $RUN_USER can't reach $dir: choose a directory whose parents are open to it, or set RUN_USER."
        mkdir -p "$socket"
        touch "$log"
        chown "$RUN_USER:$group" "$socket" "$log"
    else
        { mkdir -p "$socket" && touch "$log"; } 2>/dev/null || fail "can't write into $dir: it belongs to somebody else."
    fi
    chmod 0700 "$socket"
    [ $((${#socket} + 20)) -lt 107 ] || fail "the path $socket is too long for a unix socket: choose a shorter directory."
}

make_cluster() {
    rm -rf "$data.new"
    mkdir "$data.new"
    [ "$(id -u)" -ne 0 ] || chown "$RUN_USER:$group" "$data.new"
    as_user "$programs/initdb" -D "$data.new" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >>"$log" 2>&1 ||
        fail "initdb failed: $(tail -n 1 "$log")"
    cat >>"$data.new/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$socket'
unix_socket_permissions = 0700
max_connections = 100
password_encryption = scram-sha-256
log_line_prefix = '%m [%p] '
CONF
    # Whoever passes the 0700 directory of the socket is trusted; there is no other way in.
    echo 'local all all trust' >"$data.new/pg_hba.conf"
    mv "$data.new" "$data"
}

make_database() {
    sql postgres "DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') THEN CREATE ROLE $role LOGIN; END IF; END \$\$" ||
        fail "can't create the role $role: $(tail -n 1 "$log")"
    as_user "$programs/createdb" -h "$socket" -U postgres -O "$role" "$database" >>"$log" 2>&1 ||
        grep -q 'already exists' "$log" || fail "can't create the database $database: $(tail -n 1 "$log")"
    : >"$dir/.database_made"
}

start_server() {
    as_user "$programs/pg_ctl" -D "$data" -l "$log" -w -t 60 -s start >/dev/null 2>&1
}

start() {
    prepare_directory
    [ -f "$data/PG_VERSION" ] || make_cluster
    version=$(cat "$data/PG_VERSION")
    case $("$programs/postgres" --version) in
    *" $version."* | *" ${version}devel"* | *" ${version}beta"*) ;;
    *) fail "$data was made by PostgreSQL $version, $programs is another version: remove $dir to start anew." ;;
    esac
    running || start_server || { sleep 1 && start_server; } || # the last processes of a killed server may still end
        fail "PostgreSQL did not start: $(grep -E 'FATAL|ERROR|PANIC' "$log" | tail -n 1) (see $log)"
    [ -f "$dir/.database_made" ] || make_database
    conninfo
}

case $action in
start) start ;;
stop)
    if running; then
        as_user "$programs/pg_ctl" -D "$data" -m fast -w -t 60 -s stop || fail "PostgreSQL did not stop: see $log"
    fi
    ;;
status) running ;;
conninfo) conninfo ;;
*) fail "unknown action '$action': use start, stop, status or conninfo." ;;
esac
