// A real identity provider (npm: oidc-provider) for test_oidc.py: signs in whoever names
// themselves, tells their groups, makes fresh signing keys at each start.
import { createRequire } from 'node:module';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(process.env.SETTINGS);
const required = createRequire(process.env.MODULES + '/');
const { default: Provider } = await import(pathToFileURL(required.resolve('oidc-provider')));

const kid = randomBytes(8).toString('hex');
const keys = [
  { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), alg: 'RS256' },
].map((key) => ({ ...key, use: 'sig', kid }));

const provider = new Provider(settings.issuer, {
  clients: [{
    client_id: settings.client_id, client_secret: settings.client_secret,
    redirect_uris: [settings.redirect_uri], response_types: ['code'], grant_types: ['authorization_code'],
  }],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'groups'],
  claims: { openid: ['sub', 'jti'], profile: ['preferred_username'], groups: ['groups'], acr: null },
  conformIdTokenClaims: false,
  jwks: { keys },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  features: { devInteractions: { enabled: true } },
  async findAccount(_, sub) {
    return { accountId: sub, claims: async () => ({ sub, jti: randomBytes(16).toString('hex'), preferred_username: sub, groups: settings.groups[sub] ?? [] }) };
  },
  // Nobody is asked whether the archive may know who they are.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile groups');
    await grant.save();
    return grant;
  },
});

https.createServer({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, provider.callback())
  .listen(settings.port, '127.0.0.1', () => console.log('ready'));
