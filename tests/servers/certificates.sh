#!/bin/sh
# A private certificate authority and a server certificate for 127.0.0.1 and localhost: certificates.sh DIR
# Makes ca.pem, server.pem (certificate, then key: as radosgw wants it), server.crt, server.key, and other-ca.pem, which
# signed nothing.
set -eu
umask 077
dir=$1
mkdir -p "$dir"
cd "$dir"
[ ! -s server.pem ] || exit 0
authority() { # NAME, SUBJECT
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2" \
        -addext "keyUsage=critical,keyCertSign" -keyout "$1.key" -out "$1.pem"
}
make() {
    authority ca "Test authority"
    authority other-ca "Another authority"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" -keyout server.key \
        -out server.csr
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' >extensions
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out server.crt
}
make >log 2>&1 || {
    cat log >&2
    exit 1
}
cat server.crt server.key >server.pem
chmod 0755 .
chmod 0644 ca.pem other-ca.pem server.crt
