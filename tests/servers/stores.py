"""Speaks to the servers that with.sh started, with nothing but Python itself. On the command line:

    stores.py bucket NAME        makes a bucket
    stores.py container NAME     makes an Azure container, on both endpoints
    stores.py objects BUCKET     lists the keys of a bucket, one on a line
    stores.py blobs CONTAINER    the same of a container (http endpoint)
"""

import base64
import datetime
import hashlib
import hmac
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(
    context=ssl.create_default_context(cafile=os.environ.get("FHIR_TEST_CA_FILE"))))


def send(method, url, headers, body):
    """Status, headers and body; a status of any kind is an answer."""
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def sha256_hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def s3(method, path, parameters=None, headers=None, body=b"", endpoint=None):
    """One request with Signature Version 4. path: "/bucket/key", not escaped."""
    base = urllib.parse.urlsplit(endpoint or os.environ["FHIR_TEST_S3_ENDPOINT"])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    sent = {key.lower(): value for key, value in (headers or {}).items()}
    sent.update({"host": base.netloc, "x-amz-date": now, "x-amz-content-sha256": digest})
    names = ";".join(sorted(sent))
    query = urllib.parse.urlencode(sorted((parameters or {}).items()), quote_via=urllib.parse.quote, safe="-_.~")
    escaped = urllib.parse.quote(path, safe="/-_.~")
    canonical = "\n".join([method, escaped, query, *(f"{name}:{sent[name]}" for name in sorted(sent)), "", names, digest])
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["FHIR_TEST_S3_SECRET_KEY"]).encode()
    for part in scope.split("/"):
        key = sha256_hmac(key, part)
    sent["authorization"] = (f"AWS4-HMAC-SHA256 Credential={os.environ['FHIR_TEST_S3_ACCESS_KEY']}/{scope},"
                             f"SignedHeaders={names},Signature={sha256_hmac(key, text).hex()}")
    url = f"{base.scheme}://{base.netloc}{escaped}" + ("?" + query if query else "")
    return send(method, url, sent, body or None)


def azure(method, path, parameters=None, headers=None, body=b"", endpoint=None):
    """One request with the account's shared key. path: "/container/blob", not escaped."""
    account = os.environ["FHIR_TEST_AZURE_ACCOUNT"]
    with open(os.environ["FHIR_TEST_AZURE_KEY_FILE"], encoding="ascii") as file:
        key = base64.b64decode(file.read())
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent["x-ms-version"] = "2023-11-03"
    sent["x-ms-date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    sent.setdefault("content-type", "application/octet-stream" if body else "")
    url = (endpoint or os.environ["FHIR_TEST_AZURE_ENDPOINT"]) + urllib.parse.quote(path, safe="/-_.~")
    fields = ["content-encoding", "content-language", "", "content-md5", "content-type", "", "if-modified-since",
              "if-match", "if-none-match", "if-unmodified-since", "range"]
    lines = [method, *(sent.get(field, "") for field in fields)]
    lines[3] = str(len(body)) if body else ""
    lines += [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
    lines.append(f"/{account}" + urllib.parse.urlsplit(url).path)
    lines += [f"{name.lower()}:{value}" for name, value in sorted((parameters or {}).items())]
    signature = base64.b64encode(hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).digest()).decode()
    sent["authorization"] = f"SharedKey {account}:{signature}"
    query = urllib.parse.urlencode(parameters or {})
    return send(method, url + ("?" + query if query else ""), {k: v for k, v in sent.items() if v}, body or None)


def make_bucket(name):
    status, _, said = s3("PUT", f"/{name}")
    if status != 200:
        raise RuntimeError(f"bucket {name}: {status} {said[:300]}")


def make_container(name):
    for endpoint in ("FHIR_TEST_AZURE_ENDPOINT", "FHIR_TEST_AZURE_TLS_ENDPOINT"):
        status, _, said = azure("PUT", f"/{name}", {"restype": "container"}, endpoint=os.environ[endpoint])
        if status not in (201, 409):
            raise RuntimeError(f"container {name}: {status} {said[:300]}")


def objects(bucket):
    """All keys of a bucket."""
    keys, marker = [], ""
    while True:
        status, _, said = s3("GET", f"/{bucket}", {"marker": marker})
        if status != 200:
            raise RuntimeError(f"bucket {bucket}: {status} {said[:300]}")
        page = re.findall("<Key>(.*?)</Key>", said.decode())
        keys += page
        if b"<IsTruncated>true" not in said or not page:
            return keys
        marker = page[-1]


def uploads(bucket):
    """The keys of unfinished multipart uploads."""
    status, _, said = s3("GET", f"/{bucket}", {"uploads": ""})
    if status != 200:
        raise RuntimeError(f"bucket {bucket}: {status} {said[:300]}")
    return re.findall("<Upload>.*?<Key>(.*?)</Key>", said.decode())


def blobs(container, endpoint=None, uncommitted=False):
    """All blobs of a container."""
    names, marker = [], ""
    while True:
        parameters = {"restype": "container", "comp": "list", "marker": marker}
        if uncommitted:
            parameters["include"] = "uncommittedblobs"
        status, _, said = azure("GET", f"/{container}", parameters, endpoint=endpoint)
        if status != 200:
            raise RuntimeError(f"container {container}: {status} {said[:300]}")
        names += re.findall("<Name>(.*?)</Name>", said.decode())
        more = re.search("<NextMarker>(.+?)</NextMarker>", said.decode())
        if not more:
            return names
        marker = more.group(1)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("bucket", "container", "objects", "blobs"):
        sys.exit(__doc__)
    if sys.argv[1] in ("bucket", "container"):
        {"bucket": make_bucket, "container": make_container}[sys.argv[1]](sys.argv[2])
    else:
        for line in {"objects": objects, "blobs": blobs}[sys.argv[1]](sys.argv[2]):
            print(line)
