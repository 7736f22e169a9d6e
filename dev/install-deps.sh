#!/bin/sh
# Installs Debian packages that are missing. Usage: dev/install-deps.sh [build|run|check]   (default: check)
#   build  what compiling needs           run  build + httpd and PostgreSQL           check  run + what tests need
# Does nothing if all is there. Starts no daemon, makes no PostgreSQL cluster, touches no existing configuration.
set -eu

build="gcc make libc6-dev apache2-dev libapr1-dev libaprutil1-dev libjansson-dev libssl-dev
    libcurl4-openssl-dev libcrypt-dev zlib1g-dev libpq-dev"
run="apache2-bin postgresql-15 postgresql-client-15 curl ca-certificates procps util-linux"
check="libcunit1-dev clang llvm libclang-rt-14-dev clang-format valgrind python3 python3-pytest python3-pytest-xdist python3-jwt
    python3-cryptography python3-requests apache2-utils iproute2 wrk openssl ceph-mon ceph-osd radosgw ceph-common libs3-dev"
# A node of another origin (nvm, NodeSource) brings npm and conflicts with Debian's: what is there is taken.
for program in node:nodejs npm chromium; do
    command -v "${program%:*}" >/dev/null 2>&1 || check="$check ${program#*:}"
done

case ${1:-check} in
build) wanted="$build" ;;
run) wanted="$build $run" ;;
check) wanted="$build $run $check" ;;
*)
    echo "install-deps: unknown set '$1'; write build, run or check" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-deps: this is no Debian system; install what dev/install-deps.sh lists by hand" >&2
    exit 1
fi

# shellcheck disable=SC2086
missing=$({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || :; } | {
    there=" $(sed -n 's/^installed //p' | tr '\n' ' ')"
    for package in $wanted; do
        case "$there" in *" $package "*) ;; *) printf '%s ' "$package" ;; esac
    done
})
[ -n "$missing" ] || exit 0

command="apt-get install --no-install-recommends $missing"
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    echo "install-deps: packages are missing; as root, run: $command" >&2
    exit 1
fi
echo "install-deps: installing $missing"

# While we install: policy-rc.d forbids invoke-rc.d to start anything, and postgresql-common makes no cluster. An
# administrator's own file is left as it is; ours go away again, also on Ctrl-C.
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/mod-fhir-binary-install.conf
made_policy=
made_cluster=
made_directories=
tidy() {
    [ -z "$made_policy" ] || $as_root rm -f "$policy"
    [ -z "$made_cluster" ] || $as_root rm -f "$cluster"
    [ -z "$made_directories" ] || $as_root rmdir "${cluster%/*}" /etc/postgresql-common 2>/dev/null || :
    made_policy=
    made_cluster=
    made_directories=
}
trap tidy EXIT
trap 'tidy; trap - EXIT; echo "install-deps: interrupted; run it again" >&2; exit 130' INT TERM HUP

if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\n# Made by mod_fhir_binary dev/install-deps.sh for the time of an installation.\nexit 101\n' |
        $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
case " $missing " in
*" postgresql-15 "*)
    [ -d "${cluster%/*}" ] || made_directories=yes
    made_cluster=yes
    $as_root mkdir -p "${cluster%/*}"
    printf 'create_main_cluster = false\n' | $as_root tee "$cluster" >/dev/null
    ;;
esac

ceph_was_there=$(dpkg-query -W -f '${db:Status-Status}' ceph-base 2>/dev/null || :)

apt() {
    # No question may be asked; dpkg keeps configuration files that are there.
    $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -qq -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 "$@"
}
log=$(mktemp)
# shellcheck disable=SC2086
if ! { apt install -y --no-install-recommends $missing || { apt update && apt install -y --no-install-recommends $missing; }; } \
    >"$log" 2>&1 </dev/null; then
    echo "install-deps: apt-get failed; its last lines:" >&2
    tail -n 5 "$log" >&2
    rm -f "$log"
    echo "install-deps: after fixing that, run again, or as root: $command" >&2
    exit 1
fi
rm -f "$log"

# Ceph's collector of crash reports would start at the next boot; the tests run daemons of their own.
if [ "$ceph_was_there" != installed ] && command -v systemctl >/dev/null 2>&1; then
    $as_root systemctl -q disable ceph-crash.service 2>/dev/null || :
fi
