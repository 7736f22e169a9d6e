"""The store that takes the content of a test's server. FHIR_TEST_STORE names it; filesystem if it is not set.

Object stores are real servers that tests/servers/with.sh started: their addresses come by the environment. Each server
of a test has a prefix of its own there."""
import base64
import functools
import importlib.util
import os
import secrets
from pathlib import Path

KIND = os.environ.get("FHIR_TEST_STORE", "filesystem")
# More options of the stores s3-http and azure.
OPTIONS = os.environ.get("FHIR_TEST_STORE_OPTIONS", "")


def needed(name):
    value = os.environ.get(name)
    assert value, f"{name} is not set: run the tests below tests/servers/with.sh"
    return value


@functools.cache
def servers():
    """tests/servers/stores.py: speaks to the object stores without us."""
    path = Path(__file__).resolve().parents[2] / "servers" / "stores.py"
    spec = importlib.util.spec_from_file_location("object_stores", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def bucket():
    """One for this process."""
    name = f"live-{secrets.token_hex(6)}"
    servers().make_bucket(name)
    return name


@functools.cache
def container():
    name = f"live-{secrets.token_hex(6)}"
    servers().make_container(name)
    return name


def s3_line(name, prefix, endpoint=None, more=""):
    """FhirBinaryStore of an s3 store on the radosgw of the tests, through http unless an endpoint is given."""
    return (f"{name} s3 endpoint={endpoint or needed('FHIR_TEST_S3_ENDPOINT')} bucket={bucket()} prefix={prefix}"
            f" credentials_file={needed('FHIR_TEST_S3_CREDENTIALS_FILE')} {more}").strip()


def azure_line(name, prefix, endpoint=None, more=""):
    return (f"{name} azure endpoint={endpoint or needed('FHIR_TEST_AZURE_ENDPOINT')} container={container()}"
            f" account={needed('FHIR_TEST_AZURE_ACCOUNT')} prefix={prefix}"
            f" account_key_file={needed('FHIR_TEST_AZURE_KEY_FILE')} {more}").strip()


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
        if self.kind == "s3-http":
            return ["s3"], [s3_line("main", self.prefix, more=OPTIONS)]
        return ["s3"], [s3_line("main", self.prefix, needed("FHIR_TEST_S3_TLS_ENDPOINT"),
                                f"ca_file={needed('FHIR_TEST_CA_FILE')}")]

    def _azure(self):
        if self.kind == "azure":
            return ["azure"], [azure_line("main", self.prefix, more=OPTIONS)]
        return ["azure"], [azure_line("main", self.prefix, needed("FHIR_TEST_AZURE_TLS_ENDPOINT"),
                                      f"ca_file={needed('FHIR_TEST_CA_FILE')}")]

    def _libs3(self):
        return ["libs3"], [f"main libs3 endpoint={needed('FHIR_TEST_S3_ENDPOINT')} bucket={bucket()} prefix={self.prefix}"
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

    @property
    def idle_sockets(self):
        """What a child may keep open for the store: 32 connections, each with the two ends of libcurl's wake-up."""
        return 0 if self.in_files else 32 * 3

    def files(self):
        """Paths of all objects, unfinished ones too, of stores that keep them in files."""
        return sorted(path for path in self.directory.rglob("*") if path.is_file())
