// fhirclient (SMART's JavaScript client) in node. It asks for application/json, and sends resources as that.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { check, serve } from './checks.mjs';
import { accessToken, body, bytes, fhirBase, plain, readable, sameBytes, signedUrl, stored, unique } from './support.mjs';

const smart = createRequire(import.meta.url)('fhirclient');
const token = await accessToken();
const client = smart({}, {}).client({ serverUrl: fhirBase, tokenResponse: { access_token: token } });
const SYSTEM = 'https://example.org/mrn';

const newPatient = (more = {}) => ({
  resourceType: 'Patient', identifier: [{ system: SYSTEM, value: unique('fc') }], name: [{ family: unique('Fc') }], ...more,
});

/** Asserts that the promise rejects with that status. */
const rejects = (promise, status) => assert.rejects(promise, (error) => {
  assert.equal(error.status ?? error.statusCode, status, String(error));
  assert.match(error.message, /\S/);
  return true;
});

/** A Binary from bytes; the client sends what it is given. */
const upload = (data, contentType, query = '') => client.request({
  url: 'Binary' + query, method: 'POST', body: data, headers: { 'content-type': contentType },
});

check("conformance and FHIR version", async () => {
  assert.equal(await client.getFhirVersion(), '4.0.1');
  assert.equal(await client.getFhirRelease(), 4);
});

check("SMART configuration", async () => {
  const made = await client.request('metadata');
  const security = made.rest[0].security.extension.find((one) => one.url.endsWith('/oauth-uris'));
  assert.match(security.extension.find((one) => one.url === 'token').valueUri, /oauth2\/token$/);
});

check("Binary: create from bytes, read the file and the resource", async () => {
  const data = bytes(20_000, 3);
  const made = await upload(data, 'image/png', '?_filename=fc.png');
  stored(made, 'Binary');
  const response = await client.request('Binary/' + made.id);
  assert.equal(response.headers.get('content-type'), 'image/png');
  sameBytes(await body(response), data);
  const resource = await client.request({ url: 'Binary/' + made.id, headers: { accept: 'application/fhir+json' } });
  assert.equal(resource.resourceType, 'Binary');
  sameBytes(Buffer.from(resource.data, 'base64'), data);
});

check("Binary: create as a resource, with application/json", async () => {
  const data = bytes(3_000, 5);
  const made = await client.create({
    resourceType: 'Binary', contentType: 'image/png', data: Buffer.from(data).toString('base64'),
    securityContext: { reference: 'Patient/1' },
  });
  stored(made, 'Binary');
  assert.deepEqual(made.securityContext, { reference: 'Patient/1' });
  sameBytes(await body(await client.request('Binary/' + made.id)), data);
});

check("Binary: a text file is text", async () => {
  const made = await upload('Grüße', 'text/plain;charset=utf-8');
  assert.equal(await client.request('Binary/' + made.id), 'Grüße');
});

check("Binary: history, versions, replace, delete", async () => {
  const made = await upload('one', 'text/plain');
  await client.request({
    url: 'Binary/' + made.id, method: 'PUT', body: 'two', headers: { 'content-type': 'text/plain' },
  });
  const history = await client.request(`Binary/${made.id}/_history`);
  assert.deepEqual([history.resourceType, history.type, history.entry.length], ['Bundle', 'history', 2]);
  assert.equal(await client.request(`Binary/${made.id}/_history/${made.meta.versionId}`), 'one');
  assert.equal(await client.request('Binary/' + made.id), 'two');
  await client.delete('Binary/' + made.id);
  await rejects(client.request('Binary/' + made.id), 410);
  await rejects(client.request('Binary/00000000-0000-4000-8000-000000000000'), 404);
});

check("Binary: $presigned-url", async () => {
  const data = bytes(400, 7);
  const made = await upload(data, 'image/png');
  const parameters = await client.request(`Binary/${made.id}/$presigned-url`);
  await readable(parameters.parameter[0].valueUri, data, 'image/png');
});

check("create and read with application/json", async () => {
  const sent = newPatient();
  const made = await client.create(sent);
  stored(made, 'Patient');
  assert.deepEqual(plain(made), sent);
  assert.deepEqual(await client.request('Patient/' + made.id), made);
  const { body: read, response } = await client.request({ url: 'Patient/' + made.id, includeResponse: true });
  assert.deepEqual(read, made);
  assert.equal(response.headers.get('etag'), `W/"${made.meta.versionId}"`);
});

check("update, patch, delete", async () => {
  const made = await client.create(newPatient());
  const updated = await client.update({ ...made, gender: 'female' });
  assert.equal(updated.gender, 'female');
  assert.notEqual(updated.meta.versionId, made.meta.versionId);
  // It prefers `return=presentation`, which no server knows: that is ignored.
  const patched = await client.patch('Patient/' + made.id, [{ op: 'replace', path: '/gender', value: 'male' }]);
  assert.equal(patched.gender, 'male');
  await client.delete('Patient/' + made.id);
  await rejects(client.request('Patient/' + made.id), 410);
});

check("search with paging", async () => {
  const family = unique('Pages');
  const ids = [];
  for (let i = 0; i < 5; i += 1) {
    ids.push((await client.create(newPatient({ name: [{ family }] }))).id);
  }
  const found = await client.request(`Patient?family=${family}&_count=2&_sort=_lastUpdated`, { pageLimit: 0, flat: true });
  assert.deepEqual(found.map((one) => one.id), ids);
  const bundle = await client.request(`Patient?family=${family}`);
  assert.equal(bundle.type, 'searchset');
  assert.equal(bundle.entry.length, 5);
});

check("references are resolved", async () => {
  const patient = await client.create(newPatient());
  const made = await client.create({
    resourceType: 'Communication', status: 'completed', subject: { reference: 'Patient/' + patient.id },
  });
  const read = await client.request('Communication/' + made.id, { resolveReferences: 'subject' });
  assert.deepEqual(read.subject, patient);
});

check("history of a resource", async () => {
  const made = await client.create(newPatient());
  await client.update({ ...made, active: true });
  const history = await client.request(`Patient/${made.id}/_history`);
  assert.equal(history.entry.length, 2);
  assert.deepEqual(history.entry[1].resource, made);
  assert.deepEqual(await client.request(`Patient/${made.id}/_history/${made.meta.versionId}`), made);
});

check("attachments are signed", async () => {
  const data = bytes(1_000, 9);
  const binary = await upload(data, 'image/png');
  const made = await client.create(newPatient({ photo: [{ url: 'Binary/' + binary.id }] }));
  const [photo] = (await client.request('Patient/' + made.id)).photo;
  signedUrl(photo.url, binary.id);
  await readable(photo.url, data, 'image/png');
});

await serve();
