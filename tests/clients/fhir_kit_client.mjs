// fhir-kit-client in node.
import assert from 'node:assert/strict';
import { Client } from 'fhir-kit-client';
import { check, serve } from './checks.mjs';
import {
  accessToken, baseUrl, body, bytes, fhirBase, plain, raw, readable, sameBytes, signedUrl, stored, unique,
} from './support.mjs';

const client = new Client({ baseUrl: fhirBase, bearerToken: await accessToken() });
const SYSTEM = 'https://example.org/mrn';

const newPatient = (more = {}) => ({
  resourceType: 'Patient', identifier: [{ system: SYSTEM, value: unique('fk') }], name: [{ family: unique('Fk') }], ...more,
});

const rejects = (promise, status) => assert.rejects(promise, (error) => {
  assert.equal(error.response?.status, status, String(error));
  assert.equal(error.response.data.resourceType, 'OperationOutcome');
  return true;
});

const create = (resource, options) => client.create({ resourceType: resource.resourceType, body: resource, options });
const headers = (answer) => Client.httpFor(answer).response.headers;

check("capability statement", async () => {
  const made = await client.capabilityStatement();
  assert.equal(made.resourceType, 'CapabilityStatement');
  assert.equal(made.fhirVersion, '4.0.1');
});

check("SMART configuration", async () => {
  const { tokenUrl } = await client.smartAuthMetadata();
  assert.equal(String(tokenUrl), baseUrl + 'oauth2/token');
});

check("Binary: create, read, vread, history, update, delete", async () => {
  const data = bytes(5_000, 3);
  const sent = { resourceType: 'Binary', contentType: 'image/png', data: Buffer.from(data).toString('base64') };
  const made = await create(sent);
  const versionId = stored(made, 'Binary');
  assert.equal(headers(made).get('etag'), `W/"${versionId}"`);
  assert.equal(headers(made).get('location'), `${fhirBase}Binary/${made.id}/_history/${versionId}`);
  const read = await client.read({ resourceType: 'Binary', id: made.id });
  assert.deepEqual(plain(read), sent);
  const response = await raw('Binary/' + made.id, { headers: { Accept: '*/*' } });
  assert.equal(response.headers.get('content-type'), 'image/png');
  sameBytes(await body(response), data);

  const second = bytes(100, 5);
  const updated = await client.update({
    resourceType: 'Binary', id: made.id, body: { ...read, data: Buffer.from(second).toString('base64') },
  });
  assert.notEqual(updated.meta.versionId, versionId);
  const first = await client.vread({ resourceType: 'Binary', id: made.id, version: versionId });
  sameBytes(Buffer.from(first.data, 'base64'), data);
  const history = await client.history({ resourceType: 'Binary', id: made.id });
  assert.deepEqual([history.type, history.entry.length], ['history', 2]);
  await client.delete({ resourceType: 'Binary', id: made.id });
  await rejects(client.read({ resourceType: 'Binary', id: made.id }), 410);
});

check("Binary: create with raw content", async () => {
  const made = await client.request('Binary', {
    method: 'POST', body: 'plain text', options: { headers: { 'content-type': 'text/plain' } },
  });
  stored(made, 'Binary');
  assert.equal(await (await raw('Binary/' + made.id, { headers: { Accept: '*/*' } })).text(), 'plain text');
});

check("Binary: $presigned-url as an operation", async () => {
  const data = bytes(77, 7);
  const made = await create({ resourceType: 'Binary', contentType: 'image/png', data: Buffer.from(data).toString('base64') });
  const parameters = await client.operation({
    name: 'presigned-url', resourceType: 'Binary', id: made.id, method: 'GET',
  });
  await readable(parameters.parameter[0].valueUri, data, 'image/png');
});

check("errors are OperationOutcomes", async () => {
  await rejects(client.read({ resourceType: 'Binary', id: '00000000-0000-4000-8000-000000000000' }), 404);
  const stranger = new Client({ baseUrl: fhirBase });
  await rejects(stranger.read({ resourceType: 'Binary', id: '1' }), 401);
});

check("create, read, vread, update, patch, delete", async () => {
  const sent = newPatient();
  const made = await create(sent);
  const versionId = stored(made, 'Patient');
  assert.deepEqual(plain(made), sent);
  assert.equal(headers(made).get('location'), `${fhirBase}Patient/${made.id}/_history/${versionId}`);
  assert.deepEqual(await client.read({ resourceType: 'Patient', id: made.id }), made);
  const updated = await client.update({ resourceType: 'Patient', id: made.id, body: { ...made, gender: 'female' } });
  assert.equal(updated.gender, 'female');
  const patched = await client.patch({
    resourceType: 'Patient', id: made.id, jsonPatch: [{ op: 'replace', path: '/gender', value: 'male' }],
  });
  assert.equal(patched.gender, 'male');
  assert.deepEqual(await client.vread({ resourceType: 'Patient', id: made.id, version: versionId }), made);
  await client.delete({ resourceType: 'Patient', id: made.id });
  await rejects(client.read({ resourceType: 'Patient', id: made.id }), 410);
});

check("conditional update and conditional create", async () => {
  const sent = newPatient();
  const { value } = sent.identifier[0];
  const searchParams = { identifier: `${SYSTEM}|${value}` };
  const made = await client.update({ resourceType: 'Patient', searchParams, body: sent });
  stored(made, 'Patient');
  const again = await client.update({ resourceType: 'Patient', searchParams, body: { ...sent, gender: 'other' } });
  assert.equal(again.id, made.id);
  const same = await create(sent, { headers: { 'If-None-Exist': `identifier=${SYSTEM}|${value}` } });
  assert.equal(same.id, made.id);
});

check("search by GET and POST, with paging", async () => {
  const family = unique('Pages');
  const ids = [];
  for (let i = 0; i < 5; i += 1) {
    ids.push((await create(newPatient({ name: [{ family }] }))).id);
  }
  const searchParams = { family, _count: 2, _sort: '_lastUpdated' };
  for (const options of [undefined, { postSearch: true }]) {
    const found = [];
    let bundle = await client.search({ resourceType: 'Patient', searchParams, options });
    while (bundle) {
      assert.equal(bundle.type, 'searchset');
      found.push(...bundle.entry.map((entry) => entry.resource.id));
      bundle = await client.nextPage({ bundle });
    }
    assert.deepEqual(found, ids);
  }
});

check("history of a resource", async () => {
  const made = await create(newPatient());
  await client.update({ resourceType: 'Patient', id: made.id, body: { ...made, active: true } });
  const history = await client.history({ resourceType: 'Patient', id: made.id });
  assert.equal(history.entry.length, 2);
  assert.deepEqual(history.entry[1].resource, made);
});

check("batch and transaction", async () => {
  const resource = newPatient();
  const entry = [{ fullUrl: 'urn:uuid:' + crypto.randomUUID(), resource, request: { method: 'POST', url: 'Patient' } }];
  for (const type of ['batch', 'transaction']) {
    const answer = await client[type]({ body: { resourceType: 'Bundle', type, entry } });
    assert.equal(answer.type, type + '-response');
    assert.match(answer.entry[0].response.status, /^201/);
  }
});

check("attachments are signed, references resolved", async () => {
  const data = bytes(300, 11);
  const binary = await create({ resourceType: 'Binary', contentType: 'image/png', data: Buffer.from(data).toString('base64') });
  const made = await create(newPatient({ photo: [{ url: `${fhirBase}Binary/${binary.id}` }] }));
  const read = await client.resolve({ reference: 'Patient/' + made.id });
  signedUrl(read.photo[0].url, binary.id);
  await readable(read.photo[0].url, data, 'image/png');
});

await serve();
