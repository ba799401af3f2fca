"""A relying party that shares no code with the provider: Authlib.

It exchanges lines with the test that runs it. It prints the authorization URL, reads the address that the browser came
back to, and prints what it verified as one line of JSON. Then it prints the address for signing out, reads the address
that the browser came back to, and prints "signed out".
"""

import json
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.urls import add_params_to_uri
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

issuer, client_id, client_secret, redirect_uri, signed_out_uri = sys.argv[1:6]
# The authority that signed the provider's certificate; no other is trusted.
authority = sys.argv[6] if len(sys.argv) > 6 else True

metadata = requests.get(
    f"{issuer}/.well-known/openid-configuration", timeout=10, verify=authority
).json()
assert metadata["issuer"] == issuer
session = OAuth2Session(
    client_id,
    client_secret,
    scope="openid profile email",
    redirect_uri=redirect_uri,
    code_challenge_method="S256",
    token_endpoint_auth_method="client_secret_basic",
)
session.verify = authority
# Otherwise an authority from the environment would be trusted instead.
session.trust_env = False
verifier = "v" * 64
nonce = "a nonce of this test"
url, state = session.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print(url, flush=True)

came_back = sys.stdin.readline().strip()
token = session.fetch_token(
    metadata["token_endpoint"],
    authorization_response=came_back,
    state=state,
    code_verifier=verifier,
)
keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10, verify=authority).json())
parsed = jwt.decode(token["id_token"], keys, algorithms=["RS256", "ES256", "EdDSA"])
jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": issuer},
    aud={"essential": True, "value": client_id},
    exp={"essential": True},
    iat={"essential": True},
    nonce={"essential": True, "value": nonce},
).validate(parsed.claims)
userinfo = session.get(metadata["userinfo_endpoint"]).json()
assert userinfo["sub"] == parsed.claims["sub"]
print(json.dumps({"alg": parsed.header["alg"], "claims": parsed.claims, "userinfo": userinfo}), flush=True)

# There is no refresh token: a person who is still signed in gets a new code without a page.
assert metadata["grant_types_supported"] == ["authorization_code"]
assert "refresh_token" not in token

print(
    add_params_to_uri(
        metadata["end_session_endpoint"],
        [
            ("id_token_hint", token["id_token"]),
            ("post_logout_redirect_uri", signed_out_uri),
            ("state", state),
        ],
    ),
    flush=True,
)
came_back = sys.stdin.readline().strip()
assert came_back.split("?")[0] == signed_out_uri
assert parse_qs(urlsplit(came_back).query)["state"] == [state]
# The access token ended with the session.
assert session.get(metadata["userinfo_endpoint"]).status_code == 401
print("signed out", flush=True)
