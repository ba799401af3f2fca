// A relying party that shares no code with the provider: openid-client, called as in its own README.
//
// It exchanges lines with the test that runs it. It prints the authorization URL, reads the address that the browser came
// back to, and prints what it verified as one line of JSON.

import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const [library, issuer, clientId, clientSecret, redirectUri] = process.argv.slice(2);
const client = await import(pathToFileURL(library));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Without a method of client authentication: the library sends the secret in the body.
const config = await client.discovery(new URL(issuer), clientId, clientSecret);
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: "openid profile email",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});
console.log(url.href);

const { value: cameBack } = await lines.next();
const tokens = await client.authorizationCodeGrant(config, new URL(cameBack), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
});
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
console.log(JSON.stringify({ claims, userinfo, scope: tokens.scope }));
process.exit(0);
