"""Issue section 2: wrong configuration fails `apachectl configtest` with file, line and what to write instead."""
import base64
import re
import subprocess

import pytest
from harness import httpd


@pytest.fixture(scope="module")
def draft(postgres):
    """A server that is never started."""
    made = httpd.Server(postgres, database=postgres.conninfo)
    yield made
    made.discard()


def configtest(draft, directives=None, extra=""):
    kept = dict(draft.directives)
    try:
        draft.directives.update(directives or {})
        draft.extra = extra
        code, text = draft.configtest()
        return code, text
    finally:
        draft.directives, draft.extra = kept, ""


def test_defaults_are_accepted(draft):
    code, text = configtest(draft)
    assert code == 0 and "Syntax OK" in text, text


# Wrong lines, and words of the advice that must be there.
WRONG = [
    ("FhirBinaryMaxObjectSize", "5 apples", r"5G|size"),
    ("FhirBinaryMaxObjectSize", "-1", r"size|5G"),
    ("FhirBinaryMaxObjectSize", "99999999999999999999G", r"size|large|5G"),
    ("FhirBinaryMaxResourceSize", "big", r"16M|size"),
    ("FhirBinaryMaxInlineData", "1X", r"64M|size"),
    ("FhirBinarySignedURLLifetime", "60", r"60m|unit"),
    ("FhirBinarySignedURLWindow", "five", r"5m|unit|\d+[sm]"),
    ("FhirBinaryTokenLifetime", "0m", r"60m|least|more|between"),
    ("FhirBinaryBodyTimeout", "30", r"30s|unit"),
    ("FhirBinaryRequestTimeout", "-5s", r"30s|\d+s"),
    ("FhirBinaryDatabasePoolSize", "0", r"1|least"),
    ("FhirBinaryDatabasePoolSize", "many", r"number|16"),
    ("FhirBinaryUpdateCreate", "maybe", r"[Oo]n.*[Oo]ff"),
    ("FhirBinaryRequireSecurityContext", "2", r"[Oo]n.*[Oo]ff"),
    ("FhirBinaryBaseURL", "ftp://example.org/", r"https?://"),
    ("FhirBinaryBaseURL", "/fhir", r"https?://"),
    ("FhirBinaryBaseURL", "http://example.org/?a=b", r"query|https?://"),
    ("FhirBinaryStorageBaseURL", "storage", r"https?://"),
    ("FhirBinaryDefaultStore", "nowhere", r"nowhere.*(main|FhirBinaryStore)|FhirBinaryStore"),
    ("FhirBinaryStore", "main tape path=/tmp/x", r"tape.*filesystem|filesystem"),
    ("FhirBinaryStore", "main filesystem paath=/tmp/x", r"paath.*path"),
    ("FhirBinaryStore", "main filesystem", r"path"),
    ("FhirBinaryStore", "main filesystem path=relative/path", r"absolute|/"),
    ("FhirBinaryStoragePlugin", "filesystem /nonexistent/fhir_storage.so", r"/nonexistent/fhir_storage\.so"),
    ("FhirBinaryStoragePlugin", "filesystem relative.so", r"absolute|/"),
    ("FhirBinaryDatabaseFile", "/nonexistent/conninfo", r"/nonexistent/conninfo"),
    ("FhirBinaryCORSOrigins", "example.org", r"https?://|\*"),
    ("FhirBinaryTrustedIssuer", "https://issuer.example.org", r"jwks|audience|argument"),
    ("FhirBinaryRefuseExtensions", '"a/b"', r"\.exe|extension|dot|\."),
    ("FhirBinaryInlineContentTypes", "pdf", r"application/pdf|type/subtype|/"),
]


@pytest.mark.parametrize("name, value, advice", WRONG, ids=[f"{n}={v}"[:60] for n, v, _ in WRONG])
def test_wrong_value(draft, name, value, advice):
    replaced = {name: value}
    if name == "FhirBinaryDatabaseFile":
        replaced["FhirBinaryDatabase"] = None
    code, text = configtest(draft, replaced)
    assert code != 0, f"accepted: {name} {value}\n{text}"
    assert str(draft.configuration) in text, text
    line = next(i for i, row in enumerate(draft.configuration.read_text().splitlines(), 1)
                if row.startswith(f"{name} {value}"[:60]))
    assert re.search(rf"line {line}\b", text), f"not line {line}: {text}"
    assert re.search(advice, text.split(str(draft.configuration), 1)[1], re.S), text


def test_no_database(draft):
    code, text = configtest(draft, {"FhirBinaryDatabase": None})
    assert code != 0 and "FhirBinaryDatabase" in text, text


def test_no_store(draft):
    code, text = configtest(draft, {"FhirBinaryStore": None})
    assert code != 0 and "FhirBinaryStore" in text, text


def test_unknown_directive_is_httpds_own_error(draft):
    code, text = configtest(draft, {"FhirBinaryColour": "red"})
    assert code != 0 and "FhirBinaryColour" in text, text


def test_directive_twice(draft):
    code, text = configtest(draft, {"FhirBinaryMaxObjectSize": ["1G", "2G"]})
    assert code != 0 and "FhirBinaryMaxObjectSize" in text, text


def test_secret_is_not_in_the_configuration_dump(draft, tmp_path):
    """A conninfo with a password comes from a file; the file's content is shown nowhere."""
    secret = draft.root / "conninfo"
    secret.write_text(draft.conninfo + " password=very-secret\n")
    secret.chmod(0o600)
    code, text = configtest(draft, {"FhirBinaryDatabase": None, "FhirBinaryDatabaseFile": secret})
    assert code == 0, text
    assert "very-secret" not in text


def test_password_in_the_directive_is_refused(draft):
    code, text = configtest(draft, {"FhirBinaryDatabase": '"host=/tmp password=very-secret"'})
    assert code != 0 and "FhirBinaryDatabaseFile" in text, text
    assert "very-secret" not in text


def key_file(draft, name, text):
    path = draft.root / name
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("plugin, options, what, words", [
    ("s3", "encryption=sse-c sse_c_key_file={key}", "read", "encryption=sse-c.*write 'off'"),
    ("s3", "if_none_match=off", "all", "if_none_match=off.*'read' or 'off'"),
    ("s3", "if_none_match=off", "read", None),
    ("s3", "", "all", None),
    ("azure", "customer_key_file={key}", "upload", "customer_key_file=.*'off'"),
    ("azure", "", "all", None),
])
def test_clients_are_sent_to_a_store_that_can_not_serve_them(draft, plugin, options, what, words):
    key = base64.b64encode(bytes(range(32))).decode()
    options = options.format(key=key_file(draft, "customer.key", key + "\n"))
    line = {"s3": "bucket=files credentials_file=" + str(key_file(draft, "credentials", "[default]\naws_access_key_id = a\n"
                                                                                     "aws_secret_access_key = b\n")),
            "azure": f"account=account1 container=files account_key_file={key_file(draft, 'account.key', key)}"}[plugin]
    code, text = configtest(draft, {"FhirBinaryStoragePlugin": f"{plugin} {httpd.BUILD}/fhir_storage_{plugin}.so",
                                    "FhirBinaryStore": f"files {plugin} {line} {options}",
                                    "FhirBinaryStoreRedirect": f"files {what}"})
    if words:
        assert code != 0 and re.search(rf"clients can't be sent to the store 'files'.*{words}", text), text
    else:
        assert code == 0, text


def compiled(draft, source):
    path = draft.root / "bad_plugin.so"
    (draft.root / "bad_plugin.c").write_text(source)
    flags = subprocess.run("apr-1-config --cppflags --includes", shell=True, stdout=subprocess.PIPE).stdout.decode()
    subprocess.run(["sh", "-c", f"gcc -shared -fPIC -D_GNU_SOURCE {flags.replace(chr(10), ' ')} "
                    f"-I{httpd.REPOSITORY}/include -o {path} {draft.root}/bad_plugin.c"], check=True)
    return path


PLUGIN = """
#include "fhir_storage.h"
static const fhir_storage_plugin_t plugin = {%s};
FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);
const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host) { (void)host; return &plugin; }
"""


@pytest.mark.parametrize("members, advice", [
    ("FHIR_STORAGE_MAGIC, 9, 0, sizeof(plugin), \"bad\", \"1\"", r"ABI"),
    ("FHIR_STORAGE_MAGIC, 1, 7, sizeof(plugin), \"bad\", \"1\"", r"ABI"),
    ("0x1234, 1, 0, sizeof(plugin), \"bad\", \"1\"", r"magic|not a|no storage plugin"),
    ("FHIR_STORAGE_MAGIC, 1, 0, sizeof(plugin), \"bad\", \"1\"", r"configure"),
    ("FHIR_STORAGE_MAGIC, 1, 0, sizeof(plugin), \"other\", \"1\"", r"other|name|configure"),
], ids=["major", "minor", "magic", "missing-callback", "other-name"])
def test_bad_plugin(draft, members, advice):
    path = compiled(draft, PLUGIN % members)
    code, text = configtest(draft, {"FhirBinaryStoragePlugin": [f"bad {path}"], "FhirBinaryStore": "main bad"})
    assert code != 0 and re.search(advice, text) and re.search(r"line \d+", text), text


def test_no_plugin_at_all(draft):
    path = compiled(draft, "int nothing;")
    code, text = configtest(draft, {"FhirBinaryStoragePlugin": [f"bad {path}"], "FhirBinaryStore": "main bad"})
    assert code != 0 and "fhir_storage_plugin" in text, text


def test_units(draft):
    code, text = configtest(draft, {"FhirBinaryMaxObjectSize": "512M", "FhirBinaryMaxResourceSize": "16384K",
                                    "FhirBinarySignedURLLifetime": "2h", "FhirBinarySignedURLWindow": "90s",
                                    "FhirBinaryTokenLifetime": "30m", "FhirBinaryRequestTimeout": "2500ms"})
    assert code == 0, text
