// The programs of the public documentation that applications are copied from (Binary data, security context of Binary,
// $presigned-url), as written there but for base URL and credentials. `result.id` of the first, which its text never
// sets, is `binary.id` here. They have a project of their own, since the audit goes through all of it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MedplumClient, createReference } from '@medplum/core';
import { check, serve } from './checks.mjs';
import { pdf, png } from './files.mjs';
import {
  accessToken, baseUrl, body, bytes, fhirBase, login, others, readable, sameBytes, signedUrl, stored, unique, utf8,
} from './support.mjs';

const execute = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'fhc.'));
const letter = pdf();
writeFileSync(join(directory, 'patient-report.pdf'), letter);
writeFileSync(join(directory, 'yourfile.jpg'), bytes(4_000));

/** curl with these words; gives what it printed. */
async function curl(...words) {
  const { stdout } = await execute('curl', ['--silent', '--show-error', '--fail-with-body', ...words], {
    cwd: directory, encoding: 'buffer',
  });
  return stdout;
}

const client = () => login({}, others);
const myFile = () => new File([png(20, 10)], 'test.jpg', { type: 'image/jpeg' });

async function homer(medplum) {
  return medplum.updateResource({ resourceType: 'Patient', id: 'homer-simpson', name: [{ family: 'Simpson', given: ['Homer'] }] });
}

// ---- Binary data ----

check("curl uploads a file", async () => {
  const made = JSON.parse(await curl('-X', 'POST',
    '-H', `Authorization: Bearer ${await accessToken(others)}`,
    '-H', 'Content-Type: image/jpeg',
    '--data-binary', '@./yourfile.jpg',
    baseUrl + 'fhir/R4/Binary'));
  stored(made, 'Binary');
  assert.equal(made.contentType, 'image/jpeg');
  sameBytes(await body(await (await client()).download('Binary/' + made.id)), bytes(4_000));
});

check("curl uploads a file with X-Security-Context", async () => {
  const made = JSON.parse(await curl('-X', 'POST',
    '-H', `Authorization: Bearer ${await accessToken(others)}`,
    '-H', 'Content-Type: application/pdf',
    '-H', 'X-Security-Context: Patient/homer-simpson',
    '--data-binary', '@patient-report.pdf',
    baseUrl + 'fhir/R4/Binary'));
  assert.deepEqual(made.securityContext, { reference: 'Patient/homer-simpson' });
  sameBytes(await body(await (await client()).download('Binary/' + made.id)), letter);
});

check("createBinary with credentials in the constructor", async () => {
  const medplum = new MedplumClient({
    baseUrl,
    clientId: others.clientId,
    clientSecret: others.clientSecret,
  });
  const binary = await medplum.createBinary(myFile(), 'test.jpg', 'image/jpeg');
  assert.match(binary.id, /^[A-Za-z0-9.-]{1,64}$/);
  await readable(binary.url, png(20, 10), 'image/jpeg');
});

check("Patient.photo", async () => {
  const medplum = await client();
  const photo = await medplum.createAttachment(myFile(), 'test.jpg', 'image/jpeg');
  const patient = await medplum.createResource({
    resourceType: 'Patient',
    photo: [photo],
  });
  for (const one of [patient, await medplum.readResource('Patient', patient.id)]) {
    assert.equal(one.photo[0].title, 'test.jpg');
    await readable(one.photo[0].url, png(20, 10), 'image/jpeg');
  }
});

check("Communication.payload.contentAttachment", async () => {
  const medplum = await client();
  const document = await medplum.createAttachment(new Blob([letter]), 'test.pdf', 'application/pdf');
  const communication = await medplum.createResource({
    resourceType: 'Communication',
    payload: {
      contentAttachment: document,
    },
  });
  const read = await medplum.readResource('Communication', communication.id);
  await readable(read.payload.contentAttachment.url, letter, 'application/pdf');
  // And as R4 has it, a list.
  const listed = await medplum.createResource({ resourceType: 'Communication', payload: [{ contentAttachment: document }] });
  await readable(listed.payload[0].contentAttachment.url, letter, 'application/pdf');
});

check("download with the id from the signed URL", async () => {
  const medplum = await client();
  const made = await medplum.createResource({
    resourceType: 'Patient', photo: [await medplum.createAttachment(myFile(), 'test.jpg', 'image/jpeg')],
  });
  const patient = await medplum.readResource('Patient', made.id);
  // A function to return the binary id
  const getBinaryId = (url) => 'Binary/' + new URL(url).pathname.split('/').at(-2);
  const binaryUrl = getBinaryId(patient.photo[0].url);
  // Download the binary
  sameBytes(await body(await medplum.download(binaryUrl)), png(20, 10));
});

check("write time: three forms of a URL are one", async () => {
  const medplum = await client();
  const binary = await medplum.createBinary(myFile(), 'test.jpg', 'image/jpeg');
  const photo = [`Binary/${binary.id}`, `${fhirBase}Binary/${binary.id}`, `${baseUrl}storage/${binary.id}`].map((url) => ({ url }));
  const patient = await medplum.createResource({ resourceType: 'Patient', photo });
  assert.equal(new Set(patient.photo.map((one) => one.url)).size, 1);
  signedUrl(patient.photo[0].url, binary.id);
});

check("an external URL is kept while the feature is off", async () => {
  const medplum = await client();
  const url = 'https://files.example.org/video.mp4';
  const media = await medplum.createResource({ resourceType: 'Media', status: 'completed', content: { url } });
  assert.equal((await medplum.readResource('Media', media.id)).content.url, url);
});

// ---- Security context ----

check("createMedia sets the security context", async () => {
  const medplum = await client();
  const patientId = (await homer(medplum)).id;
  const fileData = letter;
  const media = await medplum.createMedia({
    data: fileData,
    filename: 'patient-report.pdf',
    contentType: 'application/pdf',
    subject: { reference: `Patient/${patientId}` },
  });
  const { id } = signedUrl(media.content.url);
  await readable(media.content.url, letter, 'application/pdf');
  assert.deepEqual((await medplum.readResource('Binary', id)).securityContext, { reference: `Media/${media.id}` });
});

check("createResource of a Binary without data, with and without a security context", async () => {
  const medplum = await client();
  const patientId = 'homer-simpson';
  const good = await medplum.createResource({
    resourceType: 'Binary',
    contentType: 'application/pdf',
    securityContext: {
      reference: `Patient/${patientId}`,
    },
  });
  assert.deepEqual(good.securityContext, { reference: 'Patient/homer-simpson' });
  const bad = await medplum.createResource({
    resourceType: 'Binary',
    contentType: 'application/pdf',
    // Missing securityContext!
  });
  assert.equal(bad.securityContext, undefined);
  for (const binary of [good, bad]) {
    stored(binary, 'Binary');
    assert.equal((await medplum.downloadResponse('Binary/' + binary.id)).status, 404);
  }
});

check("DiagnosticReport.presentedForm and its Binary", async () => {
  const medplum = await client();
  await homer(medplum);
  const binary = await medplum.updateResource({
    resourceType: 'Binary',
    id: 'report-binary-id',
    contentType: 'application/pdf',
    securityContext: {
      reference: 'Patient/homer-simpson',
    },
  });
  assert.equal(binary.id, 'report-binary-id');
  await medplum.put(medplum.fhirUrl('Binary', binary.id), letter, 'application/pdf');
  const report = await medplum.createResource({
    resourceType: 'DiagnosticReport',
    subject: {
      reference: 'Patient/homer-simpson',
    },
    presentedForm: [
      {
        contentType: 'application/pdf',
        url: 'Binary/report-binary-id',
      },
    ],
  });
  const read = await medplum.readResource('DiagnosticReport', report.id);
  signedUrl(read.presentedForm[0].url, 'report-binary-id');
  await readable(read.presentedForm[0].url, letter, 'application/pdf');
  assert.deepEqual((await medplum.readResource('Binary', binary.id)).securityContext, { reference: 'Patient/homer-simpson' });
});

/** A Bundle of the audits: all matches of that type, and the Binaries of `ids` among what is included. */
async function audited(path, ids) {
  const medplum = await client();
  const bundle = await medplum.get(baseUrl + 'fhir/R4' + path);
  assert.equal(bundle.type, 'searchset');
  const included = bundle.entry.filter((entry) => entry.search.mode === 'include').map((entry) => entry.resource);
  assert.ok(included.every((resource) => resource.resourceType === 'Binary'), 'only Binaries are included');
  const found = included.map((resource) => resource.id);
  assert.equal(new Set(found).size, found.length, 'each once');
  for (const id of ids) {
    assert.ok(found.includes(id), `${path} does not include Binary/${id}`);
  }
  return included;
}

check("audit: DiagnosticReport?_include=DiagnosticReport:presented-form", async () => {
  const medplum = await client();
  const attachment = await medplum.createAttachment({ data: letter, contentType: 'application/pdf' });
  await medplum.createResource({ resourceType: 'DiagnosticReport', status: 'final', presentedForm: [attachment] });
  const { id } = signedUrl(attachment.url);
  const included = await audited('/DiagnosticReport?_include=DiagnosticReport:presented-form', [id]);
  assert.equal(included.find((binary) => binary.id === id).securityContext, undefined, 'what the audit looks for');
});

check("audit: DocumentReference?_include=DocumentReference:content", async () => {
  const medplum = await client();
  const document = await medplum.createDocumentReference({ data: letter, contentType: 'application/pdf' });
  const { id } = signedUrl(document.content[0].attachment.url);
  const included = await audited('/DocumentReference?_include=DocumentReference:content', [id]);
  assert.deepEqual(included.find((binary) => binary.id === id).securityContext, createReference(document));
});

check("audit: Media?_include=Media:content", async () => {
  const medplum = await client();
  const media = await medplum.createMedia({ data: letter, contentType: 'application/pdf' });
  const { id } = signedUrl(media.content.url);
  const included = await audited('/Media?_include=Media:content', [id]);
  assert.deepEqual(included.find((binary) => binary.id === id).securityContext, createReference(media));
});

/** The documentation's script; `binaryIdOf` is the one line in which it takes the id out of the URL. */
async function remediate(medplum, binaryIdOf) {
  // Find DiagnosticReports and update associated Binaries
  const diagnosticReports = await medplum.searchResources('DiagnosticReport');
  for (const report of diagnosticReports) {
    if (report.presentedForm) {
      for (const form of report.presentedForm) {
        const binaryId = binaryIdOf(form);
        if (binaryId) {
          const binary = await medplum.readResource('Binary', binaryId);
          if (!binary.securityContext) {
            await medplum.updateResource({
              ...binary,
              securityContext: {
                reference: report.subject?.reference,
              },
            });
          }
        }
      }
    }
  }
}

check("remediation script", async () => {
  const medplum = await client();
  const attachment = await medplum.createAttachment({ data: letter, filename: 'r.pdf', contentType: 'application/pdf' });
  const report = await medplum.createResource({
    resourceType: 'DiagnosticReport', status: 'final', subject: { reference: 'Patient/homer-simpson' },
    presentedForm: [attachment],
  });
  const { id } = signedUrl(attachment.url);
  // As written it looks for /Binary/, which signed URLs do not have: it runs and changes nothing.
  await remediate(medplum, (form) => form.url && form.url.includes('/Binary/') && form.url.split('/Binary/')[1]);
  assert.equal((await medplum.readResource('Binary', id)).securityContext, undefined);
  // With the id taken from the signed URL it does what it is for, and the file stays.
  await remediate(medplum, (form) => form.url && signedUrl(form.url).id === id && id);
  assert.deepEqual((await medplum.readResource('Binary', id)).securityContext, { reference: 'Patient/homer-simpson' });
  sameBytes(await body(await medplum.download('Binary/' + id)), letter);
  const read = await medplum.readResource('DiagnosticReport', report.id);
  const response = await readable(read.presentedForm[0].url, letter, 'application/pdf');
  assert.match(response.headers.get('content-disposition'), /r\.pdf/);
});

// ---- $presigned-url ----

check("$presigned-url: a read URL by curl", async () => {
  const medplum = await client();
  const { id } = await medplum.createBinary(myFile(), 'test.jpg', 'image/jpeg');
  const parameters = JSON.parse(await curl('-H', `Authorization: Bearer ${medplum.getAccessToken()}`,
    `${baseUrl}fhir/R4/Binary/${id}/$presigned-url`));
  assert.deepEqual(Object.keys(parameters).sort(), ['parameter', 'resourceType']);
  assert.equal(parameters.parameter[0].name, 'url');
  sameBytes(await curl(parameters.parameter[0].valueUri), png(20, 10));
});

check("$presigned-url: a Binary without data, then an upload by curl", async () => {
  const medplum = await client();
  const binary = await medplum.createResource({ resourceType: 'Binary', contentType: 'text/plain' });
  const parameters = JSON.parse(await curl('-H', `Authorization: Bearer ${medplum.getAccessToken()}`,
    `${baseUrl}fhir/R4/Binary/${binary.id}/$presigned-url?upload=true`));
  const [{ name, valueUri }] = parameters.parameter;
  assert.equal(name, 'url');
  const text = 'lorem ipsum dolor sit amet...';
  await curl('-X', 'PUT', valueUri,
    '-H', 'Content-Type: text/plain',
    '--data-raw', text);
  sameBytes(await body(await medplum.download('Binary/' + binary.id)), utf8(text));
  const read = await medplum.readResource('Binary', binary.id);
  assert.notEqual(read.meta.versionId, binary.meta.versionId);
  // Another type is refused; the same bytes again are the same upload.
  await assert.rejects(curl('-X', 'PUT', valueUri, '-H', 'Content-Type: image/png', '--data-raw', text));
  await curl('-X', 'PUT', valueUri, '-H', 'Content-Type: text/plain', '--data-raw', text);
  assert.equal((await medplum.readResource('Binary', binary.id)).meta.versionId, read.meta.versionId);
});

check("a Binary without data in a resource, uploaded later", async () => {
  const medplum = await client();
  const binary = await medplum.createResource({ resourceType: 'Binary', contentType: 'application/pdf' });
  const tag = unique();
  const document = await medplum.createResource({
    resourceType: 'DocumentReference', status: 'current', identifier: [{ value: tag }],
    content: [{ attachment: { contentType: 'application/pdf', url: 'Binary/' + binary.id } }],
  });
  const before = (await medplum.readResource('DocumentReference', document.id)).content[0].attachment;
  if (before.url !== 'Binary/' + binary.id) {
    assert.equal((await fetch(before.url)).status, 404);
  }
  const parameters = await medplum.get(medplum.fhirUrl('Binary', binary.id, '$presigned-url') + '?upload=true');
  const put = await fetch(parameters.parameter[0].valueUri, {
    method: 'PUT', body: letter, headers: { 'Content-Type': 'application/pdf' },
  });
  assert.equal(put.status, 200);
  const [found] = await medplum.searchResources('DocumentReference', { identifier: tag });
  await readable(found.content[0].attachment.url, letter, 'application/pdf');
});

await serve(() => rmSync(directory, { recursive: true }));
