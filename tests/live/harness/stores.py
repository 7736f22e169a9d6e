"""The store that takes the content of a test's server. FHIR_TEST_STORE names it; filesystem if it is not set.

Object stores are real servers that tests/servers/with.sh started: their addresses come by the environment. Each server
of a test has a prefix of its own there."""
import base64
import os
import secrets
from pathlib import Path

KIND = os.environ.get("FHIR_TEST_STORE", "filesystem")


def needed(name):
    value = os.environ.get(name)
    assert value, f"{name} is not set: run the tests below tests/servers/with.sh"
    return value


class Store:
    """One way to keep content: the plugins that it needs and the lines that define the store `main`."""

    def __init__(self, directory, kind=None):
        self.directory, self.kind = Path(directory), kind or KIND
        self.prefix = f"t{secrets.token_hex(6)}/"
        names = {"s3-http": "s3", "azure-tls": "azure"}
        make = getattr(self, "_" + names.get(self.kind, self.kind))
        self.plugins, self.lines = make()

    def _file(self, name, text):
        path = self.directory.parent / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _filesystem(self):
        return ["filesystem"], [f"main filesystem path={self.directory}/main"]

    def _s3(self):
        endpoint = needed("FHIR_TEST_S3_ENDPOINT" if self.kind == "s3-http" else "FHIR_TEST_S3_TLS_ENDPOINT")
        trust = "" if self.kind == "s3-http" else f" ca_file={needed('FHIR_TEST_CA_FILE')}"
        return ["s3"], [f"main s3 endpoint={endpoint} bucket={needed('FHIR_TEST_S3_BUCKET')} prefix={self.prefix}"
                        f" credentials_file={needed('FHIR_TEST_S3_CREDENTIALS_FILE')}{trust}"]

    def _azure(self):
        endpoint = needed("FHIR_TEST_AZURE_TLS_ENDPOINT" if self.kind == "azure-tls" else "FHIR_TEST_AZURE_ENDPOINT")
        trust = f" ca_file={needed('FHIR_TEST_CA_FILE')}" if self.kind == "azure-tls" else ""
        return ["azure"], [f"main azure endpoint={endpoint} account={needed('FHIR_TEST_AZURE_ACCOUNT')}"
                           f" container={needed('FHIR_TEST_AZURE_CONTAINER')} prefix={self.prefix}"
                           f" account_key_file={needed('FHIR_TEST_AZURE_KEY_FILE')}{trust}"]

    def _libs3(self):
        return ["libs3"], [f"main libs3 endpoint={needed('FHIR_TEST_S3_ENDPOINT')}"
                           f" bucket={needed('FHIR_TEST_S3_BUCKET')} prefix={self.prefix}"
                           f" credentials_file={needed('FHIR_TEST_S3_CREDENTIALS_FILE')}"]

    def _encrypted(self):
        keys = self._file("content.keys", f"first {base64.b64encode(secrets.token_bytes(32)).decode()}\n")
        return ["filesystem", "encrypted"], [f"inner filesystem path={self.directory}/inner",
                                             f"main encrypted inner=inner key_file={keys}"]

    def _mirror(self):
        return ["filesystem", "mirror"], [f"left filesystem path={self.directory}/left",
                                          f"right filesystem path={self.directory}/right",
                                          "main mirror first=left second=right"]

    def directives(self, build):
        made = {"FhirBinaryStoragePlugin": [f"{name} {build}/fhir_storage_{name}.so" for name in self.plugins],
                "FhirBinaryStore": list(self.lines)}
        if len(self.lines) > 1:
            made["FhirBinaryDefaultStore"] = "main"
        return made

    @property
    def in_files(self):
        return self.kind in ("filesystem", "encrypted", "mirror")

    def files(self):
        """Paths of all objects, unfinished ones too, of stores that keep them in files."""
        return sorted(path for path in self.directory.rglob("*") if path.is_file())
