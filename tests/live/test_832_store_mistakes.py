"""Object stores that are configured wrongly: the client hears that repeating is in vain, the log names the option."""
import base64
import secrets

import pytest
from harness import checks, httpd, stores

pytestmark = pytest.mark.object_store


def s3_without_bucket(_):
    return stores.s3_line("main", "x/").replace(f"bucket={stores.bucket()}", "bucket=not-there-at-all")


def libs3_without_bucket(_):
    return s3_without_bucket(_).replace("main s3", "main libs3")


def s3_with_wrong_keys(directory):
    path = directory / "credentials"
    path.write_text("[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n")
    path.chmod(0o600)
    return stores.s3_line("main", "x/").replace(stores.needed("FHIR_TEST_S3_CREDENTIALS_FILE"), str(path))


def azure_without_container(_):
    return stores.azure_line("main", "x").replace(f"container={stores.container()}", "container=not-there-at-all")


def azure_with_wrong_key(directory):
    path = directory / "account.key"
    path.write_text(base64.b64encode(secrets.token_bytes(64)).decode())
    path.chmod(0o600)
    return stores.azure_line("main", "x").replace(stores.needed("FHIR_TEST_AZURE_KEY_FILE"), str(path))


def azure_without_account(_):
    endpoint = stores.needed("FHIR_TEST_AZURE_ENDPOINT")
    return stores.azure_line("main", "x", endpoint.rsplit("/", 1)[0])


MISTAKES = [(s3_without_bucket, "correct bucket="), (libs3_without_bucket, "correct bucket="),
            (s3_with_wrong_keys, "correct credentials_file="), (azure_without_container, "correct container="),
            (azure_with_wrong_key, "correct account_key_file="), (azure_without_account, "correct endpoint=")]


@pytest.mark.parametrize("mistake, advice", MISTAKES, ids=[made.__name__ for made, _ in MISTAKES])
def test_mistakes_are_named_and_not_repeated(postgres, tmp_path, mistake, advice):
    server = httpd.Server(postgres, mpm="event", processes=1)
    line = mistake(tmp_path)
    plugin = line.split()[1]
    server.directives["FhirBinaryStoragePlugin"] = [f"{plugin} {httpd.BUILD}/fhir_storage_{plugin}.so"]
    server.directives["FhirBinaryStore"] = [line]
    server.directives.pop("FhirBinaryDefaultStore", None)
    server.keeps_objects = False
    with server:
        who = server.project("mistakes")
        answer = who.call("POST", "Binary", {"Content-Type": "text/plain"}, body=b"content")
        checks.outcome(answer, 500, "exception")
        assert not answer.headers.get("Retry-After")
        server.wait_log(advice)
        server.expect_log("store main|not usable as configured|refused access")
