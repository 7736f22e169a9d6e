// @medplum/core in node: resources, their attachments, search, history, batches. Binary alone is in medplum.mjs.
import assert from 'node:assert/strict';
import { OperationOutcomeError, getReferenceString, isGone, isNotFound } from '@medplum/core';
import { check, serve } from './checks.mjs';
import {
  baseUrl, body, bytes, fhirBase, login, others, plain, raw, readable, refused, sameBytes, sha1base64, signedUrl,
  stored, unique, utf8,
} from './support.mjs';

const PNG = 'image/png';
const SYSTEM = 'https://example.org/mrn';

/** A Patient that only this check knows. */
function newPatient(more = {}) {
  return {
    resourceType: 'Patient', active: true, identifier: [{ system: SYSTEM, value: unique('mrn') }],
    name: [{ use: 'official', family: unique('Müller'), given: ['Anna', 'Zoë'] }], birthDate: '1980-02-29', ...more,
  };
}

/** Asserts that an Attachment is signed, filled in, and that a stranger reads the bytes. */
async function attached(attachment, data, contentType, title) {
  const { id } = signedUrl(attachment.url);
  assert.equal(attachment.contentType, contentType);
  assert.equal(attachment.title, title);
  assert.equal(attachment.size, data.length);
  assert.equal(attachment.hash, sha1base64(data));
  await readable(attachment.url, data, contentType);
  return id;
}

/** The resource with every attachment URL as it is stored: `Binary/{id}`. */
function unsigned(value) {
  if (Array.isArray(value)) {
    return value.map(unsigned);
  }
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unsigned(inner)]));
  }
  return typeof value === 'string' && value.startsWith(baseUrl + 'storage/') ? 'Binary/' + signedUrl(value).id : value;
}

// ---- One resource ----

check("createResource and readResource", async () => {
  const medplum = await login();
  const sent = newPatient({ extension: [{ url: 'https://example.org/x', valueString: 'é \u{1F600} "q"\\' }] });
  const made = await medplum.createResource(sent);
  stored(made, 'Patient');
  assert.deepEqual(plain(made), sent);
  assert.deepEqual(await medplum.readResource('Patient', made.id), made);
  assert.deepEqual(await medplum.readReference({ reference: getReferenceString(made) }), made);
  const response = await raw('Patient/' + made.id);
  assert.equal(response.headers.get('etag'), `W/"${made.meta.versionId}"`);
  assert.equal(Date.parse(response.headers.get('last-modified')), Math.floor(Date.parse(made.meta.lastUpdated) / 1000) * 1000);
});

check("createResource of what is no resource", async () => {
  const medplum = await login();
  const codes = ['invalid', 'structure', 'value', 'required'];
  await refused(medplum.createResource({ resourceType: 'Patiant', active: true }), [...codes, 'not-supported', 'not-found']);
  await refused(medplum.createResource({ resourceType: 'Patient', photo: [{ url: 7 }] }), codes);
  await refused(medplum.post(medplum.fhirUrl('Patient'), { resourceType: 'Observation', status: 'final' }), codes);
  await refused(medplum.post(medplum.fhirUrl('Patient'), '{"resourceType":"Patient",}', 'application/fhir+json'), codes);
});

check("readResource of unknown, malformed and foreign ids", async () => {
  const medplum = await login();
  const stranger = await login({}, others);
  const foreign = await stranger.createResource(newPatient());
  for (const id of ['00000000-0000-4000-8000-000000000000', foreign.id]) {
    const outcome = await refused(medplum.readResource('Patient', id), 'not-found');
    assert.ok(isNotFound(outcome), `OperationOutcome.id ${outcome.id}`);
  }
  await refused(medplum.readResource('Patient', 'no such id'), ['not-found', 'invalid', 'value']);
  await refused(medplum.readResource('Observation', foreign.id), 'not-found');
});

check("updateResource", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const changed = await medplum.updateResource({ ...made, birthDate: '1981-01-01' });
  assert.equal(changed.id, made.id);
  assert.notEqual(stored(changed, 'Patient'), made.meta.versionId);
  assert.deepEqual(plain(changed), { ...plain(made), birthDate: '1981-01-01' });
  assert.deepEqual(await medplum.readResource('Patient', made.id), changed);
  // Nothing changed: whatever the server does, the caller has the resource.
  const same = await medplum.updateResource(changed);
  assert.deepEqual(plain(same), plain(changed));
  assert.equal(same.id, made.id);
});

check("updateResource with If-Match", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const match = { headers: { 'If-Match': `W/"${made.meta.versionId}"` } };
  await medplum.updateResource({ ...made, active: false }, structuredClone(match));
  await refused(medplum.updateResource({ ...made, active: true }, structuredClone(match)), ['conflict', 'processing']);
  assert.equal((await medplum.readResource('Patient', made.id)).active, false);
});

check("updateResource with an id of one's own", async () => {
  const medplum = await login();
  const id = unique('homer');
  const made = await medplum.updateResource({ ...newPatient(), id });
  assert.equal(made.id, id);
  assert.equal((await medplum.readResource('Patient', id)).id, id);
});

check("upsertResource", async () => {
  const medplum = await login();
  const patient = newPatient();
  const query = `identifier=${SYSTEM}|${patient.identifier[0].value}`;
  const made = await medplum.upsertResource(patient, query);
  stored(made, 'Patient');
  const changed = await medplum.upsertResource({ ...patient, gender: 'female' }, query);
  assert.equal(changed.id, made.id);
  assert.equal(changed.gender, 'female');
  assert.equal((await medplum.readHistory('Patient', made.id)).entry.length, 2);
  await medplum.createResource(patient);
  await refused(medplum.upsertResource({ ...patient, gender: 'male' }, query), ['multiple-matches', 'conflict', 'processing']);
});

check("createResourceIfNoneExist", async () => {
  const medplum = await login();
  const patient = newPatient();
  const query = `identifier=${SYSTEM}|${patient.identifier[0].value}`;
  const made = await medplum.createResourceIfNoneExist(patient, query);
  stored(made, 'Patient');
  const again = await medplum.createResourceIfNoneExist({ ...patient, gender: 'other' }, query);
  assert.equal(again.id, made.id);
  assert.equal(again.meta.versionId, made.meta.versionId);
  assert.equal(again.gender, undefined, 'what is there is not changed');
  await medplum.createResource(patient);
  await refused(medplum.createResourceIfNoneExist(patient, query), ['multiple-matches', 'conflict', 'processing']);
});

check("many createResourceIfNoneExist at once make one resource", async () => {
  const medplum = await login();
  const patient = newPatient();
  const query = `identifier=${SYSTEM}|${patient.identifier[0].value}`;
  const made = await Promise.all(Array.from({ length: 8 }, () => medplum.createResourceIfNoneExist(patient, query)));
  assert.equal(new Set(made.map((one) => one.id)).size, 1);
});

check("patchResource", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const patched = await medplum.patchResource('Patient', made.id, [
    { op: 'test', path: '/active', value: true },
    { op: 'replace', path: '/birthDate', value: '1999-12-31' },
    { op: 'add', path: '/name/0/given/-', value: 'Maria' },
    { op: 'remove', path: '/active' },
  ]);
  assert.notEqual(stored(patched, 'Patient'), made.meta.versionId);
  assert.equal(patched.birthDate, '1999-12-31');
  assert.deepEqual(patched.name[0].given, ['Anna', 'Zoë', 'Maria']);
  assert.equal('active' in patched, false);
  await assert.rejects(medplum.patchResource('Patient', made.id, [
    { op: 'test', path: '/birthDate', value: '1980-02-29' }, { op: 'remove', path: '/birthDate' },
  ]), OperationOutcomeError);
  assert.deepEqual(await medplum.readResource('Patient', made.id), patched);
});

check("deleteResource", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  await medplum.deleteResource('Patient', made.id);
  const outcome = await refused(medplum.readResource('Patient', made.id), 'deleted');
  assert.ok(isGone(outcome), `OperationOutcome.id ${outcome.id}`);
  assert.deepEqual(await medplum.readVersion('Patient', made.id, made.meta.versionId), made);
  assert.equal(await medplum.searchOne('Patient', `identifier=${made.identifier[0].value}`), undefined);
});

check("readHistory and readVersion", async () => {
  const medplum = await login();
  const first = await medplum.createResource(newPatient());
  const second = await medplum.updateResource({ ...first, active: false });
  await medplum.deleteResource('Patient', first.id);
  const history = await medplum.readHistory('Patient', first.id);
  assert.equal(history.type, 'history');
  assert.equal(history.entry.length, 3);
  const [deleted, updated, created] = history.entry;
  assert.equal(deleted.request.method, 'DELETE');
  assert.equal(deleted.resource, undefined);
  assert.deepEqual(updated.resource, second);
  assert.deepEqual(created.resource, first);
  assert.deepEqual([updated.request.method, created.request.method], ['PUT', 'POST']);
  assert.equal(updated.response.etag, `W/"${second.meta.versionId}"`);
  assert.equal(updated.fullUrl, `${fhirBase}Patient/${first.id}`);
  for (const version of [first, second]) {
    assert.deepEqual(await medplum.readVersion('Patient', first.id, version.meta.versionId), version);
  }
  await refused(medplum.readVersion('Patient', first.id, '00000000-0000-4000-8000-000000000000'), 'not-found');
});

// ---- Search ----

check("searchResources by text, object and URLSearchParams", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const { family } = made.name[0];
  const token = `${SYSTEM}|${made.identifier[0].value}`;
  for (const query of [
    `identifier=${token}`, { identifier: token, birthdate: '1980-02-29' }, new URLSearchParams({ family }),
    { name: family.toLowerCase() }, { given: 'zoe', family }, { _id: made.id }, { family, birthdate: 'gt1979' },
  ]) {
    const found = await medplum.searchResources('Patient', query);
    assert.deepEqual([...found], [made], JSON.stringify(query));
    assert.equal(found.bundle.type, 'searchset');
    assert.equal(found.bundle.entry[0].fullUrl, `${fhirBase}Patient/${made.id}`);
    assert.equal(found.bundle.entry[0].search.mode, 'match');
  }
  assert.deepEqual([...await medplum.searchResources('Patient', { family, birthdate: 'lt1979' })], []);
});

check("searchOne", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const value = made.identifier[0].value;
  assert.deepEqual(await medplum.searchOne('Patient', { identifier: value }), made);
  assert.equal(await medplum.searchOne('Patient', { identifier: value + 'x' }), undefined);
  // The SDK takes whatever entry is first for the resource: what would be ignored is refused, unless it asks for that.
  const unknown = { identifier: value, 'no-such-parameter': '1' };
  await refused(medplum.searchOne('Patient', unknown), ['invalid']);
  const lenient = await medplum.searchOne('Patient', unknown, { headers: { Prefer: 'handling=lenient' } });
  assert.equal(lenient?.id, made.id);
});

check("search that refuses unknown parameters when strict", async () => {
  const medplum = await login();
  const strict = { headers: { Prefer: 'handling=strict' } };
  await refused(medplum.search('Patient', { 'no-such-parameter': '1' }, strict), ['invalid', 'not-supported', 'value']);
});

check("searchResourcePages goes through all pages", async () => {
  const medplum = await login();
  const family = unique('Pages');
  const ids = [];
  for (let i = 0; i < 7; i += 1) {
    ids.push((await medplum.createResource(newPatient({ name: [{ family }] }))).id);
  }
  const pages = [];
  for await (const page of medplum.searchResourcePages('Patient', { family, _count: 3, _sort: '_lastUpdated' })) {
    pages.push(page.map((one) => one.id));
  }
  assert.deepEqual(pages.map((page) => page.length), [3, 3, 1]);
  assert.deepEqual(pages.flat(), ids);
  const counted = await medplum.search('Patient', { family, _count: 2, _total: 'accurate' });
  assert.equal(counted.total, 7);
  assert.equal(counted.entry.length, 2);
  const none = await medplum.search('Patient', { family, _summary: 'count' });
  assert.deepEqual([none.total, none.entry?.length ?? 0], [7, 0]);
});

check("search with _elements and _summary keeps attachments signed", async () => {
  const medplum = await login();
  const data = bytes(10);
  const photo = [await medplum.createAttachment({ data, contentType: PNG, filename: 'a.png' })];
  const made = await medplum.createResource(newPatient({ photo }));
  const [found] = await medplum.searchResources('Patient', { _id: made.id, _elements: 'photo' });
  assert.deepEqual(found.photo, made.photo);
  assert.equal(found.name, undefined);
  assert.ok(found.meta.tag.some((tag) => tag.code === 'SUBSETTED'));
});

// ---- Attachments ----

check("createMedia", async () => {
  const medplum = await login();
  const data = bytes(5_000, 3);
  const media = await medplum.createMedia({
    data, filename: 'wound.png', contentType: PNG, additionalFields: { subject: { reference: 'Patient/1' } },
  });
  stored(media, 'Media');
  assert.equal(media.status, 'completed');
  assert.deepEqual(media.subject, { reference: 'Patient/1' });
  const id = await attached(media.content, data, PNG, 'wound.png');
  const binary = await medplum.readResource('Binary', id);
  assert.deepEqual(binary.securityContext, { reference: 'Media/' + media.id });
  assert.deepEqual(await medplum.readResource('Media', media.id), media);
  const history = await medplum.readHistory('Media', media.id);
  assert.deepEqual(history.entry.map((entry) => entry.resource.status), ['completed', 'preparation']);
});

check("createDocumentReference", async () => {
  const medplum = await login();
  const data = utf8('%PDF-1.4 letter');
  const subject = { reference: 'Patient/' + unique() };
  const document = await medplum.createDocumentReference({
    data: new Blob([data]), filename: 'letter.pdf', contentType: 'application/pdf',
    additionalFields: { subject, type: { coding: [{ system: 'http://loinc.org', code: '18842-5' }] } },
  });
  stored(document, 'DocumentReference');
  assert.equal(document.status, 'current');
  const id = await attached(document.content[0].attachment, data, 'application/pdf', 'letter.pdf');
  const binary = await medplum.readResource('Binary', id);
  assert.deepEqual(binary.securityContext, { reference: 'DocumentReference/' + document.id });
  for (const query of [
    { location: 'Binary/' + id }, { subject: subject.reference }, { patient: subject.reference },
    { type: 'http://loinc.org|18842-5', subject: subject.reference },
  ]) {
    const found = await medplum.searchResources('DocumentReference', query);
    assert.deepEqual([...found], [document], JSON.stringify(query));
  }
});

check("createDocumentReference with a security context of its own", async () => {
  const medplum = await login();
  const patient = await medplum.createResource(newPatient());
  const document = await medplum.createDocumentReference({
    data: 'x', filename: 'x.txt', contentType: 'text/plain', securityContext: { reference: 'Patient/' + patient.id },
  });
  const { id } = signedUrl(document.content[0].attachment.url);
  assert.deepEqual((await medplum.readResource('Binary', id)).securityContext, { reference: 'Patient/' + patient.id });
});

check("an attachment URL in every form is stored as Binary/id and read back signed", async () => {
  const medplum = await login();
  const data = bytes(77, 5);
  const binary = await medplum.createBinary({ data, contentType: PNG, filename: 'a.png' });
  const expired = new URL(binary.url);
  expired.searchParams.set('Expires', '1000000000');
  for (const url of [
    `Binary/${binary.id}`, `${fhirBase}Binary/${binary.id}`, binary.url, expired.href, binary.url.split('?')[0],
    `${baseUrl}storage/${binary.id}`,
  ]) {
    const made = await medplum.createResource(newPatient({ photo: [{ contentType: PNG, url }] }));
    await attached(made.photo[0], data, PNG, 'a.png');
    // The stored form is what PATCH sees.
    await medplum.patchResource('Patient', made.id, [
      { op: 'test', path: '/photo/0/url', value: 'Binary/' + binary.id }, { op: 'add', path: '/gender', value: 'other' },
    ]);
    const read = await medplum.readResource('Patient', made.id);
    assert.equal(read.photo[0].url, made.photo[0].url, 'the same URL within the window');
  }
});

check("URLs that are none of ours, and elements that are no attachments, stay", async () => {
  const medplum = await login();
  const stranger = await login({}, others);
  const binary = await medplum.createBinary({ data: 'x', contentType: PNG });
  const foreign = await stranger.createBinary({ data: 'x', contentType: PNG });
  const sent = newPatient({
    photo: [
      { url: 'https://example.org/fhir/R4/Binary/1' }, { url: '/Binary/' + binary.id }, { url: `Binary/${binary.id}?x=1` },
      { url: 'Binary/' + foreign.id }, { url: 'Binary/00000000-0000-4000-8000-000000000000' },
    ],
    extension: [{ url: `${fhirBase}Binary/${binary.id}`, valueUri: `Binary/${binary.id}` }],
  });
  const made = await medplum.createResource(sent);
  assert.deepEqual(plain(made), sent);
  assert.deepEqual(plain(await medplum.readResource('Patient', made.id)), sent);
});

check("attachments in extensions, contained resources and answers", async () => {
  const medplum = await login();
  const data = bytes(99, 7);
  const attachment = await medplum.createAttachment({ data, contentType: PNG, filename: 'a.png' });
  const media = { resourceType: 'Media', id: 'm', status: 'completed', content: attachment };
  const made = await medplum.createResource({
    resourceType: 'QuestionnaireResponse', status: 'completed', contained: [media],
    extension: [{ url: 'https://example.org/scan', valueAttachment: attachment }],
    item: [{ linkId: '1', item: [{ linkId: '1.1', answer: [{ valueAttachment: attachment }] }] }],
  });
  for (const found of [
    made.contained[0].content, made.extension[0].valueAttachment, made.item[0].item[0].answer[0].valueAttachment,
  ]) {
    await attached(found, data, PNG, 'a.png');
  }
});

check("a pinned version stays pinned", async () => {
  const medplum = await login();
  const first = bytes(50, 9);
  const binary = await medplum.createBinary({ data: first, contentType: PNG });
  const made = await medplum.createResource(newPatient({
    photo: [{ url: `Binary/${binary.id}/_history/${binary.meta.versionId}` }, { url: 'Binary/' + binary.id }],
  }));
  const second = bytes(60, 10);
  await medplum.put(medplum.fhirUrl('Binary', binary.id), second, PNG);
  const read = await medplum.readResource('Patient', made.id);
  await readable(read.photo[0].url, first, PNG);
  await readable(read.photo[1].url, second, PNG);
  // It survives the round trip that every application makes.
  const again = await medplum.updateResource({ ...read, active: false });
  await readable(again.photo[0].url, first, PNG);
  await readable(again.photo[1].url, second, PNG);
});

check("the round trip of a read resource stores what was stored", async () => {
  const medplum = await login();
  const attachment = await medplum.createAttachment({ data: bytes(20), contentType: PNG, filename: 'a.png' });
  const made = await medplum.createResource(newPatient({ photo: [attachment] }));
  const again = await medplum.updateResource({ ...(await medplum.readResource('Patient', made.id)), gender: 'male' });
  assert.deepEqual(unsigned(again.photo), unsigned(made.photo));
  const history = await medplum.readHistory('Patient', made.id);
  for (const entry of history.entry) {
    signedUrl(entry.resource.photo[0].url);
  }
});

check("a photo whose Binary was deleted", async () => {
  const medplum = await login();
  const binary = await medplum.createBinary({ data: 'x', contentType: PNG });
  const made = await medplum.createResource(newPatient({ photo: [{ url: 'Binary/' + binary.id }] }));
  await medplum.deleteResource('Binary', binary.id);
  const read = await medplum.readResource('Patient', made.id);
  const { url } = read.photo[0];
  if (url !== 'Binary/' + binary.id) {
    assert.equal((await fetch(url)).status, 410);
  }
});

check("createComment", async () => {
  const medplum = await login();
  const patient = await medplum.createResource(newPatient());
  const comment = await medplum.createComment(patient, 'A remark');
  stored(comment, 'Communication');
  assert.deepEqual(comment.basedOn, [{ ...comment.basedOn[0], reference: 'Patient/' + patient.id }]);
  assert.equal(comment.payload[0].contentString, 'A remark');
  const found = await medplum.searchResources('Communication', { 'based-on': 'Patient/' + patient.id });
  assert.deepEqual([...found], [comment]);
});

check("a Media whose Binary is uploaded later", async () => {
  const medplum = await login();
  // No size or hash is known when the Media is written; the reader gets them.
  const binary = await medplum.createResource({ resourceType: 'Binary', contentType: PNG });
  const media = await medplum.createResource({
    resourceType: 'Media', status: 'preparation', content: { contentType: PNG, url: 'Binary/' + binary.id },
  });
  const parameters = await medplum.get(medplum.fhirUrl('Binary', binary.id, '$presigned-url') + '?upload=true');
  const data = bytes(640, 15);
  const put = await fetch(parameters.parameter[0].valueUri, { method: 'PUT', body: data, headers: { 'Content-Type': PNG } });
  assert.equal(put.status, 200);
  const read = await medplum.readResource('Media', media.id);
  assert.deepEqual([read.content.size, read.content.hash], [data.length, sha1base64(data)]);
  await readable(read.content.url, data, PNG);
});

// ---- Batches ----

check("executeBatch: a batch answers each entry", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const bundle = await medplum.executeBatch({
    resourceType: 'Bundle', type: 'batch',
    entry: [
      { request: { method: 'GET', url: 'Patient/' + made.id } },
      { request: { method: 'GET', url: 'Patient/00000000-0000-4000-8000-000000000000' } },
      { request: { method: 'POST', url: 'Patient' }, resource: newPatient() },
      { request: { method: 'GET', url: `Patient?identifier=${made.identifier[0].value}` } },
      { request: { method: 'PUT', url: 'Patient/' + made.id, ifMatch: 'W/"stale"' }, resource: made },
    ],
  });
  assert.equal(bundle.type, 'batch-response');
  assert.deepEqual(bundle.entry.map((entry) => entry.response.status.slice(0, 3)), ['200', '404', '201', '200', '412']);
  assert.deepEqual(bundle.entry[0].resource, made);
  assert.equal(bundle.entry[1].response.outcome.issue[0].code, 'not-found');
  assert.match(bundle.entry[2].response.location, /Patient\/[^/]+\/_history\/./);
  assert.match(bundle.entry[2].response.etag, /^W\/".+"$/);
  assert.equal(bundle.entry[3].resource.type, 'searchset');
  assert.equal(bundle.entry[3].resource.entry[0].resource.id, made.id);
});

check("executeBatch: a transaction resolves urn:uuid, also in attachment URLs", async () => {
  const medplum = await login();
  const data = bytes(1_000, 11);
  const [patient, binary] = ['urn:uuid:' + crypto.randomUUID(), 'urn:uuid:' + crypto.randomUUID()];
  const bundle = await medplum.executeBatch({
    resourceType: 'Bundle', type: 'transaction',
    entry: [
      { // before what it refers to
        fullUrl: 'urn:uuid:' + crypto.randomUUID(), request: { method: 'POST', url: 'DocumentReference' },
        resource: {
          resourceType: 'DocumentReference', status: 'current', subject: { reference: patient },
          content: [{ attachment: { contentType: PNG, url: binary, title: 'scan' } }],
        },
      },
      { fullUrl: patient, request: { method: 'POST', url: 'Patient' }, resource: newPatient() },
      {
        fullUrl: binary, request: { method: 'POST', url: 'Binary' },
        resource: {
          resourceType: 'Binary', contentType: PNG, data: Buffer.from(data).toString('base64'),
          securityContext: { reference: patient },
        },
      },
    ],
  });
  assert.equal(bundle.type, 'transaction-response');
  assert.deepEqual(bundle.entry.map((entry) => entry.response.status.slice(0, 3)), ['201', '201', '201']);
  const [documentId, patientId, binaryId] = bundle.entry.map((entry) => /(\w+\/[^/]+)\/_history/.exec(entry.response.location)[1]);
  const document = await medplum.readReference({ reference: documentId });
  assert.equal(document.subject.reference, patientId);
  assert.equal('Binary/' + (await attached(document.content[0].attachment, data, PNG, 'scan')), binaryId);
  assert.equal((await medplum.readReference({ reference: binaryId })).securityContext.reference, patientId);
});

check("executeBatch: a transaction that fails leaves nothing", async () => {
  const medplum = await login();
  const patient = newPatient();
  await assert.rejects(medplum.executeBatch({
    resourceType: 'Bundle', type: 'transaction',
    entry: [
      { request: { method: 'POST', url: 'Patient' }, resource: patient },
      { request: { method: 'PUT', url: 'Patient/' + unique(), ifMatch: 'W/"never"' }, resource: { resourceType: 'Patient' } },
    ],
  }), OperationOutcomeError);
  assert.equal(await medplum.searchOne('Patient', { identifier: patient.identifier[0].value }), undefined);
});

check("executeBatch: conditional create and conditional references", async () => {
  const medplum = await login();
  const made = await medplum.createResource(newPatient());
  const query = `identifier=${SYSTEM}|${made.identifier[0].value}`;
  const bundle = await medplum.executeBatch({
    resourceType: 'Bundle', type: 'transaction',
    entry: [
      { request: { method: 'POST', url: 'Patient', ifNoneExist: query }, resource: plain(made) },
      {
        request: { method: 'POST', url: 'Communication' },
        resource: { resourceType: 'Communication', status: 'completed', subject: { reference: 'Patient?' + query } },
      },
    ],
  });
  assert.equal(bundle.entry[0].response.status.slice(0, 3), '200');
  const location = /Communication\/[^/]+/.exec(bundle.entry[1].response.location)[0];
  assert.equal((await medplum.readReference({ reference: location })).subject.reference, 'Patient/' + made.id);
});

check("autoBatch: reads of one moment are one request", async () => {
  const calls = [];
  const medplum = await login({
    autoBatchTime: 50,
    fetch: (url, options) => {
      calls.push(`${options.method} ${url}`);
      return fetch(url, options);
    },
  });
  const photo = [await medplum.createAttachment({ data: 'x', contentType: PNG, filename: 'x.png' })];
  const made = await Promise.all([newPatient({ photo }), newPatient(), newPatient()].map((one) => medplum.createResource(one)));
  const binary = await medplum.createBinary({ data: 'meta', contentType: 'text/plain' });
  calls.length = 0;
  const [first, second, found, missing, described] = await Promise.all([
    medplum.readResource('Patient', made[0].id), medplum.readResource('Patient', made[1].id),
    medplum.searchOne('Patient', { identifier: made[2].identifier[0].value }),
    medplum.readResource('Patient', '00000000-0000-4000-8000-000000000000').catch((error) => error),
    medplum.readResource('Binary', binary.id),
  ]);
  assert.deepEqual(first, made[0]);
  signedUrl(first.photo[0].url);
  assert.deepEqual([second, found], [made[1], made[2]]);
  assert.ok(missing instanceof OperationOutcomeError && missing.outcome.issue[0].code === 'not-found', String(missing));
  assert.deepEqual([described.resourceType, described.meta, described.data], ['Binary', binary.meta, undefined]);
  assert.equal(calls.length, 1, calls.join('\n'));
  assert.equal(calls[0].split(' ')[0], 'POST');
  // One alone is sent as it is.
  assert.deepEqual(await medplum.readResource('Patient', made[0].id), made[0]);
  assert.equal(calls[1], `GET ${fhirBase}Patient/${made[0].id}`);
});

check("a Bundle of many attachments", async () => {
  const medplum = await login();
  const data = bytes(100, 13);
  const binary = await medplum.createBinary({ data, contentType: PNG });
  const family = unique('Many');
  const photo = Array.from({ length: 50 }, () => ({ contentType: PNG, url: 'Binary/' + binary.id }));
  for (let i = 0; i < 4; i += 1) {
    await medplum.createResource(newPatient({ name: [{ family }], photo }));
  }
  const found = await medplum.searchResources('Patient', { family });
  const urls = found.flatMap((one) => one.photo.map((each) => each.url));
  assert.equal(urls.length, 200);
  assert.equal(new Set(urls).size, 1, 'one Binary, one URL');
  sameBytes(await body(await medplum.download(urls[0])), data);
});

await serve();
