"""Keys and tokens of outside issuers, and signed URLs computed from their documented form."""
import base64
import hashlib
import hmac
import json
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm


class Key:
    def __init__(self, kind, kid):
        self.kid, self.algorithm = kid, kind
        if kind.startswith("RS"):
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self.jwk = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())
            numbers = self.private.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": "P-256", "x": b64u(numbers.x.to_bytes(32, "big")),
                        "y": b64u(numbers.y.to_bytes(32, "big"))}
        self.jwk.pop("key_ops", None)
        self.jwk.update(kid=kid, use="sig", alg=kind)

    def sign(self, claims, headers=None):
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers={"kid": self.kid, **(headers or {})})


    def sign_text(self, claims):
        """Without PyJWT's own checks of the claims."""
        return jwt.PyJWS().encode(json.dumps(claims).encode(), self.private, algorithm=self.algorithm,
                                  headers={"kid": self.kid})


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header, claims, signature=b""):
    """A compact JWS with that header and signature, whatever they say."""
    parts = [b64u(json.dumps(header).encode()), b64u(json.dumps(claims).encode()), b64u(signature)]
    return ".".join(parts)


def hs256(header, claims, secret):
    text = unsigned(header, claims).rsplit(".", 1)[0]
    return text + "." + b64u(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def claims(issuer, audience, subject, **more):
    now = int(time.time())
    return {"iss": issuer, "aud": audience, "sub": subject, "iat": now, "exp": now + 600, **more}


def url_parts(target):
    """/storage/{id}/{vid}?query as (id, vid, list of pairs)."""
    path, _, query = target.partition("?")
    binary, version = path.rsplit("/", 2)[1:]
    return binary, version, urllib.parse.parse_qsl(query, keep_blank_values=True)


def sign_url(method, binary, version, expires, key_id, membership, key):
    lines = ["fhir-binary-signed-url-v1", method, binary, version, str(expires), key_id, membership]
    signature = b64u(hmac.new(key, "".join(line + "\n" for line in lines).encode(), hashlib.sha256).digest())
    return (f"/storage/{binary}/{version}?Expires={expires}&Key-Pair-Id={key_id}&Membership={membership}"
            f"&Signature={signature}")
