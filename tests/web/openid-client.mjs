// A service of others with npm's openid-client: it logs patrons in, refreshes, and logs them out.
// Usage: node openid-client.mjs ISSUER CLIENT_ID SECRET PORT
import { createServer } from "node:http";
import * as client from "openid-client";

const [issuer, id, secret, port] = process.argv.slice(2);
const here = `http://127.0.0.1:${port}`;
const config = await client.discovery(new URL(issuer), id, {}, client.ClientSecretPost(secret), {
  execute: [client.allowInsecureRequests],
});
const kept = {};

const pages = {
  async "/"() {
    kept.verifier = client.randomPKCECodeVerifier();
    kept.state = client.randomState();
    kept.nonce = client.randomNonce();
    return client.buildAuthorizationUrl(config, {
      redirect_uri: `${here}/callback`,
      scope: "openid profile library offline_access",
      code_challenge: await client.calculatePKCECodeChallenge(kept.verifier),
      code_challenge_method: "S256",
      state: kept.state,
      nonce: kept.nonce,
    });
  },
  async "/callback"(address) {
    kept.tokens = await client.authorizationCodeGrant(config, address, {
      pkceCodeVerifier: kept.verifier,
      expectedState: kept.state,
      expectedNonce: kept.nonce,
      idTokenExpected: true,
    });
    const claims = kept.tokens.claims();
    const user = await client.fetchUserInfo(config, kept.tokens.access_token, claims.sub);
    return { claims, user };
  },
  async "/refresh"() {
    const sub = kept.tokens.claims().sub;
    kept.tokens = await client.refreshTokenGrant(config, kept.tokens.refresh_token);
    const user = await client.fetchUserInfo(config, kept.tokens.access_token, sub);
    return { user, active: (await client.tokenIntrospection(config, kept.tokens.access_token)).active };
  },
  async "/log-out"() {
    return client.buildEndSessionUrl(config, {
      id_token_hint: kept.tokens.id_token,
      post_logout_redirect_uri: `${here}/bye`,
      state: "on the way out",
    });
  },
  async "/revoke"() {
    await client.tokenRevocation(config, kept.tokens.refresh_token);
    const found = await client.tokenIntrospection(config, kept.tokens.access_token);
    return { active: found.active };
  },
  async "/bye"(address) {
    return { state: address.searchParams.get("state") };
  },
};

createServer(async (request, response) => {
  const address = new URL(request.url, here);
  const page = pages[address.pathname];
  try {
    const result = page ? await page(address) : {};
    if (result instanceof URL) {
      response.writeHead(302, { Location: result.href }).end();
    } else {
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(result));
    }
  } catch (error) {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ error: `${error.code ?? ""} ${error.message} ${error.cause ?? ""}` }));
  }
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
