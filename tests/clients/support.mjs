// What the programs share: where the server is, clients that are logged in, bytes, and what a signed URL must be.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { MedplumClient } from '@medplum/core';

function given(name) {
  assert.ok(process.env[name], `the runner sets ${name}`);
  return process.env[name];
}

export const baseUrl = given('FHIR_BASE_URL');
export const fhirBase = baseUrl + 'fhir/R4/';
export const storageBase = baseUrl + 'storage/';
export const ours = { clientId: given('FHIR_CLIENT_ID'), clientSecret: given('FHIR_CLIENT_SECRET') };
export const ourProfile = given('FHIR_PROFILE'); // of the membership of ours
export const others = { clientId: given('FHIR_OTHER_CLIENT_ID'), clientSecret: given('FHIR_OTHER_CLIENT_SECRET') };

/** A MedplumClient of ours (or of `who`), logged in. */
export async function login(options = {}, who = ours) {
  const medplum = new MedplumClient({ baseUrl, ...options });
  await medplum.startClientLogin(who.clientId, who.clientSecret);
  return medplum;
}

/** An access token by the plain protocol. */
export async function accessToken(who = ours) {
  const response = await fetch(baseUrl + 'oauth2/token', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials', client_id: who.clientId, client_secret: who.clientSecret,
    }),
  });
  assert.equal(response.status, 200);
  return (await response.json()).access_token;
}

let count = 0;
/** A value that no other check uses. */
export function unique(prefix = 'u') {
  count += 1;
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${count}`;
}

/** Bytes that no text decoder leaves alone; the same for the same seed. */
export function bytes(size, seed = 1) {
  const made = new Uint8Array(size);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < size; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    made[i] = state;
  }
  return made;
}

export const utf8 = (text) => new TextEncoder().encode(text);
export const sha1base64 = (data) => createHash('sha1').update(data).digest('base64');
export const sha256 = (data) => createHash('sha256').update(data).digest('hex');

export async function body(source) {
  return new Uint8Array(await source.arrayBuffer());
}

export function sameBytes(actual, expected) {
  assert.equal(actual.length, expected.length, 'length');
  assert.equal(sha256(actual), sha256(expected), 'bytes');
}

/** Asserts that the URL is signed and of that Binary; gives its ids. */
export function signedUrl(url, binaryId) {
  assert.equal(typeof url, 'string', `a signed URL, not ${url}`);
  assert.ok(url.startsWith(storageBase), `${url} does not begin with ${storageBase}`);
  const parsed = new URL(url);
  const [id, versionId, ...rest] = parsed.href.slice(storageBase.length).split('?')[0].split('/');
  assert.equal(rest.length, 0, url);
  for (const name of ['Expires', 'Signature']) {
    assert.ok(parsed.searchParams.get(name), `${name} in ${url}`);
  }
  const left = Number(parsed.searchParams.get('Expires')) - Date.now() / 1000;
  assert.ok(left > 60 && left < 4000, `${url} is valid for ${left} s`);
  if (binaryId) {
    assert.equal(id, binaryId, url);
  }
  return { id, versionId };
}

/** Fetches a signed URL as a stranger does and compares; gives the response. */
export async function readable(url, expected, contentType) {
  const response = await fetch(url, { credentials: 'omit' });
  assert.equal(response.status, 200, url);
  if (contentType) {
    assert.equal(response.headers.get('content-type'), contentType);
  }
  assert.equal(response.headers.get('content-length'), String(expected.length));
  assert.match(response.headers.get('etag'), /^"[^"]+"$/);
  sameBytes(await body(response), expected);
  return response;
}

/** A plain request with credentials; `headers` may be anything. */
export async function raw(path, { who = ours, headers = {}, ...rest } = {}) {
  const basic = Buffer.from(`${who.clientId}:${who.clientSecret}`).toString('base64');
  return fetch(path.startsWith('http') ? path : fhirBase + path, {
    ...rest, headers: { Authorization: 'Basic ' + basic, Accept: 'application/fhir+json', ...headers },
  });
}

/** The resource without what the server adds. */
export function plain(resource) {
  const { id, meta, ...rest } = resource;
  return rest;
}

/** Asserts what every stored resource has; gives its versionId. */
export function stored(resource, type) {
  assert.equal(resource?.resourceType, type);
  assert.match(resource.id, /^[A-Za-z0-9.-]{1,64}$/);
  assert.ok(resource.meta?.versionId, 'meta.versionId');
  const updated = Date.parse(resource.meta.lastUpdated);
  assert.ok(Math.abs(Date.now() - updated) < 120_000, `meta.lastUpdated ${resource.meta.lastUpdated}`);
  return resource.meta.versionId;
}

/** Asserts that the promise of a MedplumClient rejects with an OperationOutcome whose issue has that code. */
export async function refused(promise, code) {
  let error;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `nothing was thrown; expected ${code}`);
  assert.equal(error.outcome?.resourceType, 'OperationOutcome', String(error));
  const codes = [code].flat();
  const issue = error.outcome.issue[0];
  assert.ok(codes.includes(issue.code), `issue.code ${issue.code} is not ${codes}: ${JSON.stringify(error.outcome)}`);
  return error.outcome;
}
