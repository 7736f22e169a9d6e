// @medplum/core in node: logins, Binary in every form of source, and errors as applications tell them apart. The
// resource side is in medplum_resources.mjs.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import {
  MedplumClient, OperationOutcomeError, isGone, isNotFound, isUnauthenticated, normalizeErrorString, parseJWTPayload,
} from '@medplum/core';
import { check, serve } from './checks.mjs';
import {
  accessToken, baseUrl, body, bytes, fhirBase, login, others, ourProfile, ours, plain, readable, refused, sameBytes, sha256,
  signedUrl, stored, utf8,
} from './support.mjs';

const PNG = 'image/png';

/** A Binary that was just made: its fields, its signed URL, its bytes by URL and by download. */
async function verify(medplum, binary, expected, contentType) {
  const versionId = stored(binary, 'Binary');
  assert.equal(binary.contentType, contentType);
  assert.equal(binary.data, undefined, 'an answer to an upload carries no data');
  assert.deepEqual(signedUrl(binary.url, binary.id), { id: binary.id, versionId });
  const response = await readable(binary.url, expected, contentType);
  assert.equal(response.headers.get('etag'), `"${versionId}"`);
  const downloaded = await medplum.download('Binary/' + binary.id);
  assert.equal(downloaded.type, contentType.replace('; ', ';')); // as fetch writes types
  sameBytes(await body(downloaded), expected);
  return response;
}

// ---- Logins ----

check("startClientLogin", async () => {
  const medplum = new MedplumClient({ baseUrl });
  assert.equal(medplum.isAuthenticated(), false);
  await medplum.startClientLogin(ours.clientId, ours.clientSecret);
  assert.equal(medplum.isAuthenticated(), true);
  const claims = parseJWTPayload(medplum.getAccessToken());
  assert.equal(claims.client_id, ours.clientId);
  assert.ok(claims.exp * 1000 > Date.now() + 60_000 && claims.iss && claims.sub && claims.aud, JSON.stringify(claims));
  const active = medplum.getActiveLogin();
  assert.match(active.project.reference, /^Project\/[A-Za-z0-9.-]{1,64}$/);
  assert.equal(active.profile.reference, ourProfile);
});

check("startClientLogin resolves to the profile", async () => {
  const medplum = new MedplumClient({ baseUrl });
  const profile = await medplum.startClientLogin(ours.clientId, ours.clientSecret);
  assert.equal(`${profile?.resourceType}/${profile?.id}`, ourProfile);
  assert.deepEqual(medplum.getProfile(), profile);
  assert.equal('Project/' + medplum.getProject().id, medplum.getActiveLogin().project.reference);
});

check("startClientLogin with the credentials in the header", async () => {
  const medplum = new MedplumClient({ baseUrl, authCredentialsMethod: 'header' });
  await medplum.startClientLogin(ours.clientId, ours.clientSecret);
  await medplum.createBinary({ data: 'x', contentType: 'text/plain' });
});

check("startClientLogin with a wrong secret", async () => {
  let told = 0;
  const medplum = new MedplumClient({ baseUrl, onUnauthenticated: () => { told += 1; } });
  await assert.rejects(medplum.startClientLogin(ours.clientId, 'wrong'), (error) => {
    assert.ok(error instanceof OperationOutcomeError);
    assert.match(error.message, /^Failed to fetch tokens: ./);
    return true;
  });
  assert.equal(told, 1);
  assert.equal(medplum.isAuthenticated(), false);
});

check("auth/me after startClientLogin", async () => {
  const medplum = await login();
  const session = await medplum.get('auth/me');
  assert.equal(`${session.profile.resourceType}/${session.profile.id}`, ourProfile);
  assert.equal(session.project.resourceType, 'Project');
  assert.equal('Project/' + session.project.id, medplum.getActiveLogin().project.reference);
  await refused(new MedplumClient({ baseUrl }).get('auth/me'), 'login');
});

check("startClientLogin of a client that no profile was given to", async () => {
  const medplum = new MedplumClient({ baseUrl });
  const profile = await medplum.startClientLogin(others.clientId, others.clientSecret);
  assert.equal(profile.resourceType, 'ClientApplication');
  assert.match(profile.id, /^[A-Za-z0-9.-]{1,64}$/);
});

check("the profile of the user with a photo that the page can show", async () => {
  const medplum = await login();
  const data = bytes(90, 53);
  const photo = [await medplum.createAttachment({ data, filename: 'me.png', contentType: PNG })];
  const [resourceType, id] = ourProfile.split('/');
  await medplum.updateResource({ resourceType, id, name: [{ family: 'Smith' }], photo });
  const again = await login();
  assert.deepEqual(again.getProfile().name, [{ family: 'Smith' }]);
  await readable(again.getProfile().photo[0].url, data, PNG);
});

check("setBasicAuth", async () => {
  const medplum = new MedplumClient({ baseUrl });
  medplum.setBasicAuth(ours.clientId, ours.clientSecret);
  const binary = await medplum.createBinary({ data: 'basic', contentType: 'text/plain' });
  await verify(medplum, binary, utf8('basic'), 'text/plain');
  const wrong = new MedplumClient({ baseUrl });
  wrong.setBasicAuth(ours.clientId, 'wrong');
  await assert.rejects(wrong.download('Binary/' + binary.id).then(async (blob) => {
    const outcome = JSON.parse(await blob.text());
    assert.equal(outcome.issue[0].code, 'login');
    throw new Error('refused');
  }), /refused/);
});

check("credentials in the constructor only: a refused request is repeated after the login", async () => {
  const medplum = new MedplumClient({ baseUrl, ...ours });
  const data = bytes(3_000_000, 3);
  const binary = await medplum.createBinary({ data, contentType: PNG });
  await verify(medplum, binary, data, PNG);
});

check("an access token given to the constructor", async () => {
  const medplum = new MedplumClient({ baseUrl, accessToken: await accessToken() });
  await verify(medplum, await medplum.createBinary({ data: 'x', contentType: 'text/plain' }), utf8('x'), 'text/plain');
});

check("no credentials: onUnauthenticated and an outcome that the SDK knows", async () => {
  let told = 0;
  const medplum = new MedplumClient({ baseUrl, onUnauthenticated: () => { told += 1; } });
  const outcome = await refused(medplum.readResource('Binary', 'any'), 'login');
  assert.equal(told, 1);
  assert.ok(isUnauthenticated(outcome), `OperationOutcome.id ${outcome.id}`);
});

// ---- createBinary ----

check("createBinary from a string", async () => {
  const medplum = await login();
  const text = 'Grüße, 世界 \u{1F9EA}\n';
  const binary = await medplum.createBinary({ data: text, contentType: 'text/plain; charset=utf-8' });
  await verify(medplum, binary, utf8(text), 'text/plain; charset=utf-8');
});

check("createBinary from a Uint8Array", async () => {
  const medplum = await login();
  const data = bytes(70_001);
  await verify(medplum, await medplum.createBinary({ data, contentType: PNG }), data, PNG);
  // A view into a larger buffer is the view's bytes.
  const view = data.subarray(100, 5_100);
  await verify(medplum, await medplum.createBinary({ data: view, contentType: PNG }), view, PNG);
});

check("createBinary from a Blob", async () => {
  const medplum = await login();
  const data = bytes(200_000, 2);
  // The content type of the call wins over the Blob's.
  const binary = await medplum.createBinary({ data: new Blob([data], { type: 'image/gif' }), contentType: PNG });
  await verify(medplum, binary, data, PNG);
});

check("createBinary from a File with its name", async () => {
  const medplum = await login();
  const data = bytes(1_234, 5);
  const file = new File([data], 'Befund Müller & Söhne (2).pdf', { type: 'application/pdf' });
  const binary = await medplum.createBinary({ data: file, filename: file.name, contentType: file.type });
  const response = await verify(medplum, binary, data, 'application/pdf');
  const disposition = response.headers.get('content-disposition');
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition);
  assert.ok(extended, disposition);
  assert.equal(decodeURIComponent(extended[1]), file.name);
});

check("createBinary from a web stream", async () => {
  const medplum = await login();
  const pieces = [bytes(65_536, 7), bytes(1, 8), bytes(100_003, 9)];
  const stream = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      pieces.length ? controller.enqueue(pieces.shift()) : controller.close();
    },
  });
  const expected = Buffer.concat(pieces);
  await verify(medplum, await medplum.createBinary({ data: stream, contentType: PNG }), expected, PNG);
});

check("createBinary from a node stream of 24 MB", async () => {
  const medplum = await login();
  const piece = bytes(1_000_000, 11);
  const expected = Buffer.concat(Array.from({ length: 24 }, () => piece));
  const stream = Readable.from(Array.from({ length: 24 }, () => piece));
  const binary = await medplum.createBinary({ data: stream, filename: 'scan.dcm', contentType: 'application/dicom' });
  await verify(medplum, binary, expected, 'application/dicom');
});

check("createBinary with positional arguments", async () => {
  const medplum = await login();
  const data = bytes(500, 13);
  const binary = await medplum.createBinary(data, 'test.jpg', 'image/jpeg');
  const response = await verify(medplum, binary, data, 'image/jpeg');
  assert.match(response.headers.get('content-disposition'), /filename="test\.jpg"/);
});

check("createBinary of nothing", async () => {
  const medplum = await login();
  const binary = await medplum.createBinary({ data: new Blob([]), contentType: 'text/plain' });
  await verify(medplum, binary, new Uint8Array(), 'text/plain');
});

check("createBinary with a security context", async () => {
  const medplum = await login();
  const securityContext = { reference: 'Patient/1' };
  const binary = await medplum.createBinary({ data: 'x', contentType: 'text/plain', securityContext });
  assert.deepEqual(binary.securityContext, securityContext);
  assert.deepEqual((await medplum.readResource('Binary', binary.id)).securityContext, securityContext);
});

check("createBinary that stands back when its signal is aborted", async () => {
  const medplum = await login();
  const abort = new AbortController();
  const stream = new ReadableStream({
    async pull(controller) {
      controller.enqueue(bytes(65_536, 7));
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  });
  setTimeout(() => abort.abort(), 200);
  await assert.rejects(medplum.createBinary({ data: stream, contentType: PNG }, { signal: abort.signal }),
    { name: 'AbortError' });
});

check("createBinary of a refused content type or file name", async () => {
  const medplum = await login();
  await refused(medplum.createBinary({ data: 'MZ', contentType: 'application/x-msdownload' }), [
    'not-supported', 'invalid', 'business-rule', 'value', 'security']);
  const outcome = await refused(medplum.createBinary({ data: 'MZ', filename: 'setup.exe', contentType: PNG }), [
    'not-supported', 'invalid', 'business-rule', 'value', 'security']);
  assert.match(normalizeErrorString(new OperationOutcomeError(outcome)), /[a-z]{3}/);
});

check("createBinary of what is JSON or XML itself", async () => {
  const medplum = await login();
  const json = '{"resourceType":"Questionnaire","status":"draft","x":0.10}';
  const kept = await medplum.createBinary({ data: json, filename: 'q.json', contentType: 'application/json' });
  await verify(medplum, kept, utf8(json), 'application/json');
  const xml = '<?xml version="1.0"?>\r\n<a b="c"/>';
  await verify(medplum, await medplum.createBinary({ data: xml, contentType: 'text/xml' }), utf8(xml), 'text/xml');
});

// ---- createAttachment, download ----

check("createAttachment", async () => {
  const medplum = await login();
  const data = bytes(4_321, 17);
  const attachment = await medplum.createAttachment({ data, filename: 'chest.png', contentType: PNG });
  assert.deepEqual(Object.keys(attachment).sort(), ['contentType', 'title', 'url']);
  assert.equal(attachment.contentType, PNG);
  assert.equal(attachment.title, 'chest.png');
  signedUrl(attachment.url);
  await readable(attachment.url, data, PNG);
});

check("createAttachment of a CDA document", async () => {
  const medplum = await login();
  const xml = '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Discharge</title></ClinicalDocument>';
  const attachment = await medplum.createAttachment({ data: xml, filename: 'c.xml', contentType: 'text/xml' });
  assert.equal(attachment.contentType, 'application/cda+xml');
  await readable(attachment.url, utf8(xml), 'application/cda+xml');
});

check("download of a signed URL, of Binary/id and of the full URL", async () => {
  const medplum = await login();
  const data = bytes(9_999, 19);
  const binary = await medplum.createBinary({ data, contentType: PNG });
  for (const url of [binary.url, `Binary/${binary.id}`, `${fhirBase}Binary/${binary.id}`, new URL(binary.url)]) {
    sameBytes(await body(await medplum.download(url)), data);
  }
});

check("downloadResponse: headers, a range, a conditional read", async () => {
  const medplum = await login();
  const data = bytes(10_000, 23);
  const binary = await medplum.createBinary({ data, filename: 'a.png', contentType: PNG });
  for (const url of [`Binary/${binary.id}`, binary.url]) {
    const whole = await medplum.downloadResponse(url);
    assert.equal(whole.status, 200);
    assert.equal(whole.headers.get('accept-ranges'), 'bytes');
    assert.equal(whole.headers.get('content-length'), '10000');
    assert.equal(whole.headers.get('etag'), `"${binary.meta.versionId}"`);
    await whole.arrayBuffer();
    const part = await medplum.downloadResponse(url, { headers: { Range: 'bytes=100-199' } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), 'bytes 100-199/10000');
    sameBytes(await body(part), data.subarray(100, 200));
    const again = await medplum.downloadResponse(url, { headers: { 'If-None-Match': whole.headers.get('etag') } });
    assert.equal(again.status, 304);
  }
});

check("download of a signed URL that was tampered with", async () => {
  const medplum = await login();
  const binary = await medplum.createBinary({ data: 'x', contentType: 'text/plain' });
  const url = new URL(binary.url);
  url.searchParams.set('Expires', String(Number(url.searchParams.get('Expires')) + 300));
  const response = await fetch(url);
  assert.ok([401, 403].includes(response.status), String(response.status));
});

// ---- Binary as a resource ----

check("readResource of a Binary", async () => {
  const medplum = await login();
  const binary = await medplum.createBinary({ data: bytes(2_000), contentType: PNG });
  const read = await medplum.readResource('Binary', binary.id);
  assert.equal(read.contentType, PNG);
  assert.deepEqual(read.meta, binary.meta);
  assert.equal(read.data, undefined, 'the SDK reads metadata');
});

check("createResource of a Binary with data", async () => {
  const medplum = await login();
  const data = bytes(3_333, 29);
  const binary = await medplum.createResource({
    resourceType: 'Binary', contentType: PNG, data: Buffer.from(data).toString('base64'),
  });
  stored(binary, 'Binary');
  sameBytes(await body(await medplum.download('Binary/' + binary.id)), data);
});

check("updateResource of a Binary keeps its bytes", async () => {
  const medplum = await login();
  const data = bytes(1_500, 31);
  const binary = await medplum.createBinary({ data, filename: 'x.png', contentType: PNG });
  // With the url of the create's answer, as programs do: it is not stored.
  const changed = await medplum.updateResource({ ...binary, securityContext: { reference: 'Patient/7' } });
  assert.notEqual(changed.meta.versionId, binary.meta.versionId);
  assert.deepEqual(changed.securityContext, { reference: 'Patient/7' });
  sameBytes(await body(await medplum.download('Binary/' + binary.id)), data);
  const plainly = await (await fetch(`${fhirBase}Binary/${binary.id}`, {
    headers: { Authorization: 'Bearer ' + medplum.getAccessToken(), Accept: 'application/fhir+json' },
  })).json();
  assert.equal(plainly.url, undefined, 'the url of an answer is no element of Binary');
});

check("readHistory and readVersion of a Binary", async () => {
  const medplum = await login();
  const [first, second] = [bytes(700, 37), bytes(800, 41)];
  const binary = await medplum.createBinary({ data: first, contentType: PNG });
  await medplum.put(medplum.fhirUrl('Binary', binary.id), second, PNG);
  const history = await medplum.readHistory('Binary', binary.id);
  assert.equal(history.resourceType, 'Bundle');
  assert.equal(history.type, 'history');
  assert.equal(history.entry.length, 2);
  const [newest, oldest] = history.entry;
  assert.equal(oldest.resource.meta.versionId, binary.meta.versionId);
  assert.equal(newest.response.etag, `W/"${newest.resource.meta.versionId}"`);
  const version = await medplum.readVersion('Binary', binary.id, binary.meta.versionId);
  assert.equal(version.meta.versionId, binary.meta.versionId);
  sameBytes(await body(await medplum.download(`Binary/${binary.id}/_history/${binary.meta.versionId}`)), first);
  sameBytes(await body(await medplum.download(`Binary/${binary.id}`)), second);
  // An old signed URL stays what it was.
  await readable(binary.url, first, PNG);
});

check("deleteResource of a Binary", async () => {
  const medplum = await login();
  const binary = await medplum.createBinary({ data: 'x', contentType: 'text/plain' });
  await medplum.deleteResource('Binary', binary.id);
  const outcome = await refused(medplum.readResource('Binary', binary.id), 'deleted');
  assert.ok(isGone(outcome), `OperationOutcome.id ${outcome.id}`);
  assert.equal((await medplum.downloadResponse('Binary/' + binary.id)).status, 410);
  assert.equal((await fetch(binary.url)).status, 410);
});

check("an unknown Binary, and one of another project", async () => {
  const medplum = await login();
  const stranger = await login({}, others);
  const binary = await stranger.createBinary({ data: 'x', contentType: 'text/plain' });
  const unknown = await refused(medplum.readResource('Binary', '00000000-0000-4000-8000-000000000000'), 'not-found');
  const foreign = await refused(medplum.readResource('Binary', binary.id), 'not-found');
  assert.ok(isNotFound(unknown), `OperationOutcome.id ${unknown.id}`);
  assert.deepEqual(foreign, unknown);
});

check("$presigned-url by medplum.get", async () => {
  const medplum = await login();
  const data = bytes(321, 43);
  const binary = await medplum.createBinary({ data, contentType: PNG });
  const parameters = await medplum.get(medplum.fhirUrl('Binary', binary.id, '$presigned-url'));
  assert.equal(parameters.resourceType, 'Parameters');
  assert.equal(parameters.parameter[0].name, 'url');
  await readable(parameters.parameter[0].valueUri, data, PNG);
  assert.equal(parameters.parameter[0].valueUri, binary.url, 'the same URL within the window');
});

check("a client that is not in extended mode gets standard FHIR", async () => {
  const medplum = await login({ extendedMode: false });
  const data = bytes(55, 47);
  const binary = await medplum.createBinary({ data, contentType: PNG });
  assert.equal(binary.url, undefined);
  assert.deepEqual(plain(binary), { resourceType: 'Binary', contentType: PNG, ...(binary.data && { data: binary.data }) });
  assert.equal(sha256(await body(await medplum.download('Binary/' + binary.id))), sha256(data));
});

await serve();
