// Chromium: what an application's page does with files of ours. Pages come from another origin that FhirBinaryCORSOrigins
// names, where it matters also from ours, or from one that is not named.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { check, serve } from './checks.mjs';
import { pdf, png, video } from './files.mjs';
import {
  baseUrl, body, bytes, fhirBase, login, ours, readable, sameBytes, signedUrl, stored, utf8,
} from './support.mjs';

const port = Number(process.env.FHIR_PAGE_PORT);
const origin = `http://127.0.0.1:${port}`;
const strangeOrigin = `http://localhost:${port}`; // the same server under a name that nobody allowed
const output = process.env.FHIR_OUTPUT;

// ---- Pages ----

const bundle = await build({
  entryPoints: [new URL('upload_page.jsx', import.meta.url).pathname], bundle: true, write: false, format: 'esm',
  jsx: 'automatic', define: { 'process.env.NODE_ENV': '"production"' }, logLevel: 'error', logLimit: 20,
});
const pages = new Map([['/page.js', ['text/javascript', bundle.outputFiles[0].text]]]);
const HEAD = '<meta charset=utf-8><title>t</title><link rel=icon href="data:,">';
const HTML = 'text/html; charset=utf-8';
pages.set('/upload', [HTML, `<!doctype html>${HEAD}<div id=root></div><script type=module src=page.js></script>`]);
pages.set('/empty', [HTML, `<!doctype html>${HEAD}`]);

const pageServer = createServer((request, response) => {
  const [type, text] = pages.get(request.url) ?? [];
  response.writeHead(type ? 200 : 404, { 'Content-Type': type ?? 'text/plain', 'Cache-Control': 'no-store' });
  response.end(text ?? '');
});
await new Promise((resolve) => pageServer.listen(port, resolve));

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
let published = 0;

/** Gives the URL of a new page with that body; `where` is 'other' or 'same' (the origin of the server). */
function publish(html, where = 'other') {
  published += 1;
  const text = `<!doctype html>${HEAD}<style>body{margin:0}</style>${html}`;
  if (where === 'other') {
    pages.set(`/p${published}`, [HTML, text]);
    return `${origin}/p${published}`;
  }
  const file = join(process.env.FHIR_APP_DIRECTORY, `p${published}.html`);
  writeFileSync(file, text);
  chmodSync(file, 0o644);
  return `${baseUrl}app/p${published}.html`;
}

// ---- The browser ----

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
assert.ok(executablePath, 'Chromium is not installed: make deps');
// Without the process sandbox: root and containers can't have it, and only pages of our own are opened.
const browser = await chromium.launch({ executablePath, chromiumSandbox: false, env: { ...process.env, LANG: 'C.UTF-8' } });

/** A page in a context of its own (an empty cache); a screenshot is kept if `run` fails. */
async function inPage(name, run) {
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 800, height: 600 } });
  const page = await context.newPage();
  page.problems = [];
  page.responses = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()));
  page.on('response', (response) => page.responses.push(response));
  try {
    return await run(page, context);
  } catch (error) {
    await page.screenshot({ path: join(output, `${name}.png`) }).catch(() => {});
    error.message += `\npage: ${page.url()}\n${page.problems.join('\n')}`;
    throw error;
  } finally {
    await context.close();
  }
}

async function until(what, test, within = 15_000) {
  const end = Date.now() + within;
  for (;;) {
    const value = await test();
    if (value) {
      return value;
    }
    assert.ok(Date.now() < end, `${what} did not happen within ${within / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** How many of the shown pixels (of 800 x 600) are red. */
async function redPixels(page, helper) {
  const shot = (await page.screenshot()).toString('base64');
  return helper.evaluate(async (data) => {
    const blob = await (await fetch('data:image/png;base64,' + data)).blob();
    const image = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    const pixels = canvas.getImageData(0, 0, image.width, image.height).data;
    let red = 0;
    for (let i = 0; i < pixels.length; i += 4) {
      red += pixels[i] > 200 && pixels[i + 1] < 60 && pixels[i + 2] < 60 ? 1 : 0;
    }
    return red;
  }, shot);
}

/** The requests for that path that reached the server, from its access log: "GET 200" ... */
function requestsOf(path) {
  return readFileSync(process.env.FHIR_ACCESS_LOG, 'utf8').split('\n').filter((line) => line.includes(` ${path} `))
    .map((line) => line.replace(/.*"(\w+) \S+ [^"]*" (\d+).*/, '$1 $2'));
}

async function upload(data, contentType, filename) {
  const medplum = await login();
  return medplum.createBinary({ data, contentType, filename });
}

// ---- Elements that show files ----

const showsImage = (where) => inPage(`image-${where}`, async (page) => {
  const binary = await upload(png(64, 48), 'image/png', 'dot.png');
  await page.goto(publish(`<img src="${escaped(binary.url)}">`, where));
  const size = await page.locator('img').evaluate((img) => img.decode().then(() => [img.naturalWidth, img.naturalHeight]));
  assert.deepEqual(size, [64, 48]);
  assert.deepEqual(page.problems, []);
});

check("img with a signed URL, page of another origin", () => showsImage('other'));
check("img with a signed URL, page of our origin", () => showsImage('same'));

check("video that seeks over bytes it never loaded", () => inPage('video', async (page) => {
  const gap = 32 << 20;
  const data = video(gap);
  const binary = await upload(data, 'video/mp4', 'gait.mp4');
  await page.goto(publish(`<video muted preload="metadata" crossorigin="anonymous" src="${escaped(binary.url)}"></video>`));
  const element = page.locator('video');
  await until('metadata', () => element.evaluate((v) => v.readyState >= 1 || (v.error && Promise.reject(v.error.message))));
  assert.ok(Math.abs(await element.evaluate((v) => v.duration) - 20) < 0.5);
  const colour = await element.evaluate((v) => new Promise((resolve, reject) => {
    v.onseeked = () => {
      const canvas = new OffscreenCanvas(8, 8).getContext('2d');
      canvas.drawImage(v, 0, 0, 8, 8);
      resolve({ time: v.currentTime, pixel: [...canvas.getImageData(4, 4, 1, 1).data] });
    };
    v.onerror = () => reject(new Error(v.error.message));
    v.currentTime = 15;
  }));
  assert.ok(Math.abs(colour.time - 15) < 0.3, JSON.stringify(colour));
  const [red, , blue] = colour.pixel;
  assert.ok(blue > 180 && red < 80, `the frame at 15 s is blue, not ${colour.pixel}`);
  const ranges = [];
  for (const response of page.responses.filter((one) => one.url() === binary.url)) {
    assert.equal(response.status(), 206);
    const [, first] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers()['content-range']);
    ranges.push(Number(first));
  }
  assert.ok(ranges.some((first) => first > gap / 2), `a range behind the gap was asked for: ${ranges}`);
}));

async function showsPdf(name, html, where) {
  const binary = await upload(pdf(), 'application/pdf', 'letter.pdf');
  const response = await readable(binary.url, pdf(), 'application/pdf');
  assert.match(response.headers.get('content-security-policy'), /(^|;| )sandbox/, 'shown, and still in a sandbox');
  await inPage(name, async (page, context) => {
    const helper = await context.newPage();
    await helper.goto(origin + '/empty');
    await page.bringToFront();
    await page.goto(publish(html(escaped(binary.url)), where));
    await until('a red page of PDF', async () => (await redPixels(page, helper)) > 30_000, 12_000);
  });
}

check("object with a PDF", () => showsPdf('object-pdf', (url) =>
  `<object type="application/pdf" data="${url}" width="700" height="550">no viewer</object>`));

check("object with a PDF, page of our origin", () => showsPdf('object-pdf-same', (url) =>
  `<object type="application/pdf" data="${url}" width="700" height="550">no viewer</object>`, 'same'));

check("iframe with a PDF, as AttachmentDisplay shows it", () => showsPdf('iframe-pdf', (url) =>
  `<iframe title="Attachment" width="700" height="550" src="${url}#navpanes=0"></iframe>`));

check("iframe with a text, as AttachmentDisplay shows it", () => inPage('iframe-text', async (page) => {
  const binary = await upload('Discharge letter', 'text/plain', 'letter.txt');
  await page.goto(publish(`<iframe title="Attachment" width="700" height="400" src="${escaped(binary.url)}#navpanes=0"></iframe>`));
  const frame = await until('the frame', () => page.frames().find((one) => one.url().startsWith(binary.url)));
  await until('its text', async () => (await frame.locator('body').innerText()) === 'Discharge letter');
}));

check("content never runs scripts", () => inPage('html', async (page) => {
  const html = '<!doctype html><body><script>document.body.dataset.ran = "yes"; fetch("/fhir/R4/metadata")</script>';
  const binary = await upload(html, 'text/html', 'x.html');
  const medplum = await login();
  await medplum.download(binary.url);
  // Opened as a page it is saved, not shown.
  const [download] = await Promise.all([page.waitForEvent('download'), page.goto(binary.url).catch(() => {})]);
  assert.equal(download.suggestedFilename(), 'x.html');
}));

// ---- Downloads ----

/** Clicks on the only link; gives the name that the browser would save, and the bytes. */
async function clicked(page) {
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 15_000 }), page.locator('a').click()]);
  return { name: download.suggestedFilename(), data: await readFile(await download.path()) };
}

check("a download of an attachment, page of another origin: the stored name", () => inPage('download', async (page) => {
  const name = 'Röntgen Thorax (日本) 2.dcm';
  const data = bytes(50_000, 3);
  const binary = await upload(data, 'application/dicom', name);
  await page.goto(publish(`<a download href="${escaped(binary.url)}">save</a>`));
  const saved = await clicked(page);
  assert.equal(saved.name, name);
  sameBytes(saved.data, data);
}));

check("a download of an image without a stored name: the name of the link", () => inPage('download-same', async (page) => {
  const data = png(10, 10);
  const binary = await upload(data, 'image/png');
  await page.goto(publish(`<a download="chosen.png" href="${escaped(binary.url)}">save</a>`, 'same'));
  const saved = await clicked(page);
  assert.equal(saved.name, 'chosen.png');
  sameBytes(saved.data, data);
}));

check("a download of an image: the stored name", () => inPage('download-stored', async (page) => {
  const binary = await upload(png(10, 10), 'image/png', 'stored name.png');
  for (const attribute of ['download', 'download="other.png"']) {
    await page.goto(publish(`<a ${attribute} href="${escaped(binary.url)}">save</a>`, 'same'));
    assert.equal((await clicked(page)).name, 'stored name.png');
  }
}));

// ---- Scripts of another origin ----

check("fetch with credentials from an allowed origin: create, read, range, replace, delete", () => inPage('cors', async (page) => {
  const token = (await login()).getAccessToken();
  await page.goto(origin + '/empty');
  const seen = await page.evaluate(async ({ fhirBase: base, token: bearer }) => {
    const call = async (method, url, headers = {}, content) => {
      const response = await fetch(url, {
        method, body: content, credentials: 'include',
        headers: { Authorization: 'Bearer ' + bearer, 'X-Medplum': 'extended', ...headers },
      });
      const exposed = Object.fromEntries(['etag', 'location', 'last-modified', 'content-range', 'accept-ranges',
        'content-disposition', 'content-length', 'x-security-context'].map((name) => [name, response.headers.get(name)]));
      return { status: response.status, ...exposed, text: await response.text() };
    };
    const made = await call('POST', base + 'Binary?_filename=a.txt', {
      'Content-Type': 'text/plain', 'X-Security-Context': 'Patient/1', 'Cache-Control': 'no-cache, no-store, max-age=0',
    }, 'hello world');
    const url = base + 'Binary/' + JSON.parse(made.text).id;
    return {
      made, read: await call('GET', url), part: await call('GET', url, { Range: 'bytes=6-' }),
      same: await call('GET', url, { 'If-None-Match': made.etag.replace('W/', '') }),
      replaced: await call('PUT', url, { 'Content-Type': 'text/plain', 'If-Match': made.etag }, 'bye'),
      stale: await call('PUT', url, { 'Content-Type': 'text/plain', 'If-Match': made.etag }, 'late'),
      gone: await call('DELETE', url, { Prefer: 'return=minimal' }), after: await call('GET', url),
    };
  }, { fhirBase, token });
  assert.equal(seen.made.status, 201);
  assert.match(seen.made.etag, /^W\/".+"$/);
  assert.ok(seen.made.location.startsWith(fhirBase + 'Binary/') && seen.made['last-modified'], JSON.stringify(seen.made));
  stored(JSON.parse(seen.made.text), 'Binary');
  assert.equal(seen.read.text, 'hello world');
  assert.match(seen.read['content-disposition'], /filename="a\.txt"/);
  assert.equal(seen.read['x-security-context'], 'Patient/1');
  assert.deepEqual([seen.part.status, seen.part.text, seen.part['content-range']], [206, 'world', 'bytes 6-10/11']);
  assert.equal(seen.part['accept-ranges'], 'bytes');
  assert.equal(seen.same.status, 200 + 104);
  assert.deepEqual([seen.replaced.status, seen.stale.status], [200, 412]);
  assert.ok([200, 204].includes(seen.gone.status));
  assert.equal(seen.after.status, 410);
}));

check("fetch of a signed URL from an allowed origin", () => inPage('cors-signed', async (page) => {
  const data = bytes(5_000, 5);
  const binary = await upload(data, 'image/png', 'x.png');
  await page.goto(origin + '/empty');
  const got = await page.evaluate(async (url) => {
    const response = await fetch(url, { headers: { 'X-Medplum': 'extended', Accept: '*/*' } });
    return { etag: response.headers.get('etag'), bytes: [...new Uint8Array(await response.arrayBuffer())] };
  }, binary.url);
  sameBytes(Uint8Array.from(got.bytes), data);
  assert.equal(got.etag, `"${binary.meta.versionId}"`);
}));

check("fetch from an origin that is not allowed", () => inPage('cors-strange', async (page) => {
  const token = (await login()).getAccessToken();
  await page.goto(strangeOrigin + '/empty');
  const error = await page.evaluate(async ({ url, bearer }) => {
    try {
      await (await fetch(url, { headers: { Authorization: 'Bearer ' + bearer } })).text();
      return 'read it';
    } catch (thrown) {
      return thrown.name;
    }
  }, { url: fhirBase + 'metadata', bearer: token });
  assert.equal(error, 'TypeError');
}));

// ---- The cache ----

check("a second view of a signed URL makes no request", () => inPage('cache', async (page, context) => {
  const binary = await upload(png(300, 200), 'image/png', 'x.png');
  const path = new URL(binary.url).pathname;
  const address = publish(`<img src="${escaped(binary.url)}">`);
  const view = async (where) => {
    await where.goto(address);
    assert.equal(await where.locator('img').evaluate((img) => img.decode().then(() => img.naturalWidth)), 300);
  };
  await view(page);
  await until('the log line', () => requestsOf(path).length > 0);
  assert.deepEqual(requestsOf(path), ['GET 200']);
  await page.goto('about:blank');
  await view(page);
  await view(await context.newPage());
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(requestsOf(path), ['GET 200'], 'later views come from the cache');
}));

check("a second fetch of a Binary is revalidated: 304", () => inPage('revalidate', async (page) => {
  const data = bytes(3_000, 9);
  const binary = await upload(data, 'image/png');
  const token = (await login()).getAccessToken();
  await page.goto(origin + '/empty');
  const load = (cache) => page.evaluate(async ({ url, bearer, mode }) => {
    const response = await fetch(url, { cache: mode, headers: { Authorization: 'Bearer ' + bearer, Accept: '*/*' } });
    return (await response.arrayBuffer()).byteLength;
  }, { url: `${fhirBase}Binary/${binary.id}`, bearer: token, mode: cache });
  assert.equal(await load('default'), 3_000);
  assert.equal(await load('default'), 3_000);
  const path = `/fhir/R4/Binary/${binary.id}`;
  const gets = await until('two log lines', () => {
    const found = requestsOf(path).filter((line) => line.startsWith('GET'));
    return found.length >= 2 && found;
  });
  assert.deepEqual(gets, ['GET 200', 'GET 304']);
}));

// ---- @medplum/core and @medplum/react in the page ----

const securityContext = { reference: 'Patient/homer-simpson' };

async function uploadPage(page) {
  await page.goto(origin + '/upload');
  await page.evaluate((options) => window.start(options), { baseUrl, ...ours, securityContext });
  await page.locator('#button input[type=file]').waitFor({ state: 'attached' });
  await page.locator('#input input[type=file]').waitFor({ state: 'attached' });
}

/** Progress events end with everything sent, never go back, and there is one at least for `data`. */
function progressed(events, size) {
  assert.ok(events.length > 0, 'no progress event');
  events.reduce((before, [, loaded]) => {
    assert.ok(loaded >= before, JSON.stringify(events));
    return loaded;
  }, 0);
  const [type, loaded, total] = events.at(-1);
  assert.deepEqual([type, loaded, total], ['load', size, size]);
}

check("createBinary with onProgress from a string, Uint8Array, Blob and File", () => inPage('progress', async (page) => {
  await uploadPage(page);
  const made = await page.evaluate(async () => {
    const data = new Uint8Array(3_000_000).map((_, index) => index % 251);
    const sources = {
      string: 'Grüße', array: data, blob: new Blob([data]), file: new File([data], 'f.png', { type: 'image/gif' }),
    };
    const results = {};
    for (const [name, source] of Object.entries(sources)) {
      const events = [];
      const binary = await window.medplum.createBinary({
        data: source, filename: name + '.png', contentType: 'image/png', securityContext: { reference: 'Patient/1' },
        onProgress: (e) => events.push([e.type, e.loaded, e.total]),
      });
      results[name] = { binary, events };
    }
    return results;
  });
  const data = new Uint8Array(3_000_000).map((_, index) => index % 251);
  for (const [name, { binary, events }] of Object.entries(made)) {
    const expected = name === 'string' ? utf8('Grüße') : data;
    stored(binary, 'Binary');
    progressed(events, expected.length);
    assert.deepEqual(binary.securityContext, { reference: 'Patient/1' });
    signedUrl(binary.url, binary.id);
    await readable(binary.url, expected, 'image/png');
  }
  assert.deepEqual(page.problems, []);
}));

check("createBinary without onProgress, download and createAttachment in the page", () => inPage('sdk', async (page) => {
  await uploadPage(page);
  const result = await page.evaluate(async () => {
    const data = new Uint8Array(100_000).map((_, index) => index % 241);
    const { medplum } = window;
    const binary = await medplum.createBinary({ data: new Blob([data]), contentType: 'image/png' });
    const attachment = await medplum.createAttachment({ data, filename: 'a.png', contentType: 'image/png' });
    const sizes = [];
    for (const url of [binary.url, `Binary/${binary.id}`, attachment.url]) {
      sizes.push((await medplum.download(url)).size);
    }
    return { binary, attachment, sizes, read: await medplum.readResource('Binary', binary.id, { cache: 'reload' }) };
  });
  assert.deepEqual(result.sizes, [100_000, 100_000, 100_000]);
  assert.deepEqual(result.read.meta, result.binary.meta);
  assert.equal(result.attachment.title, 'a.png');
  assert.deepEqual(page.problems, []);
}));

check("createMedia and createDocumentReference with onProgress in the page", () => inPage('create-media', async (page) => {
  await uploadPage(page);
  const made = await page.evaluate(async () => {
    const data = new Uint8Array(1_000_000).map((_, index) => index % 251);
    const { medplum } = window;
    const events = { media: [], document: [] };
    const options = (name, contentType) => ({
      data: new Blob([data]), filename: `${name}.png`, contentType,
      onProgress: (e) => events[name].push([e.type, e.loaded, e.total]),
    });
    const media = await medplum.createMedia(options('media', 'image/png'));
    const document = await medplum.createDocumentReference(options('document', 'image/png'));
    return { media, document, events };
  });
  const data = new Uint8Array(1_000_000).map((_, index) => index % 251);
  for (const [name, resource, attachment] of [
    ['media', made.media, made.media.content], ['document', made.document, made.document.content[0].attachment],
  ]) {
    progressed(made.events[name], data.length);
    await readable(attachment.url, data, 'image/png');
    const binary = await (await login()).readResource('Binary', signedUrl(attachment.url).id);
    assert.deepEqual(binary.securityContext, { reference: `${resource.resourceType}/${resource.id}` });
  }
  assert.equal(made.media.status, 'completed');
  assert.deepEqual(page.problems, []);
}));

check("resources from a page: every method and header that the SDK sends across origins", () => inPage('cors-resources', async (page) => {
  await uploadPage(page);
  const seen = await page.evaluate(async () => {
    const { medplum } = window;
    const value = crypto.randomUUID();
    const patient = { resourceType: 'Patient', identifier: [{ system: 'https://example.org/page', value }] };
    const query = `identifier=https://example.org/page|${value}`;
    const made = await medplum.createResourceIfNoneExist(patient, query);
    const same = await medplum.createResourceIfNoneExist(patient, query);
    const upserted = await medplum.upsertResource({ ...patient, gender: 'female' }, query);
    const patched = await medplum.patchResource('Patient', made.id, [{ op: 'add', path: '/active', value: true }]);
    const updated = await medplum.updateResource({ ...patched, gender: 'male' });
    const found = await medplum.searchOne('Patient', query, { cache: 'reload' });
    const history = await medplum.readHistory('Patient', made.id, { cache: 'reload' });
    const batch = await medplum.executeBatch({
      resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: 'Patient/' + made.id } }],
    });
    await medplum.deleteResource('Patient', made.id);
    const gone = await medplum.readResource('Patient', made.id, { cache: 'reload' }).catch((error) => error.outcome);
    return { made, same, upserted, patched, updated, found, history, batch, gone };
  });
  assert.equal(seen.same.id, seen.made.id);
  assert.equal(seen.upserted.id, seen.made.id);
  assert.deepEqual([seen.patched.active, seen.patched.gender], [true, 'female']);
  assert.deepEqual(seen.found, seen.updated);
  assert.equal(seen.history.entry.length, 4);
  assert.deepEqual(seen.batch.entry[0].resource, seen.updated);
  assert.equal(seen.gone.id, 'gone');
}));

check("a photo of a resource in the page", () => inPage('photo', async (page) => {
  const medplum = await login();
  const photo = [await medplum.createAttachment({ data: png(31, 17), filename: 'p.png', contentType: 'image/png' })];
  const patient = await medplum.createResource({ resourceType: 'Patient', photo });
  await uploadPage(page);
  const size = await page.evaluate(async (id) => {
    const read = await window.medplum.readResource('Patient', id);
    const image = new Image();
    image.src = read.photo[0].url;
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  }, patient.id);
  assert.deepEqual(size, [31, 17]);
}));

check("an upload with progress that the user stops", () => inPage('abort', async (page) => {
  await uploadPage(page);
  const name = await page.evaluate(async () => {
    const abort = new AbortController();
    const upload = window.medplum.createBinary({
      data: new Blob([new Uint8Array(200_000_000)]), contentType: 'image/png', onProgress: () => abort.abort(),
    }, { signal: abort.signal });
    return upload.then(() => 'uploaded', (error) => error.name);
  });
  assert.equal(name, 'AbortError');
}));

check("AttachmentButton uploads a chosen file and shows progress", () => inPage('attachment-button', async (page) => {
  await uploadPage(page);
  const data = Buffer.from(bytes(12_000_000, 21));
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByText('Upload a file').click()]);
  await chooser.setFiles({ name: 'Thorax ä.png', mimeType: 'image/png', buffer: data });
  const seen = await until('the upload', () => page.evaluate(() => {
    const { seen: all } = window;
    return all.uploaded.length || all.failed.length ? all : null;
  }));
  assert.deepEqual(seen.failed, []);
  assert.equal(seen.started, 1);
  const [attachment] = seen.uploaded;
  assert.equal(attachment.title, 'Thorax ä.png');
  assert.equal(attachment.contentType, 'image/png');
  await readable(attachment.url, data, 'image/png');
  progressed(seen.progress, data.length);
  assert.ok(seen.progress.length > 1, `several events for 12 MB: ${JSON.stringify(seen.progress)}`);
  const medplum = await login();
  const binary = await medplum.readResource('Binary', signedUrl(attachment.url).id);
  assert.deepEqual(binary.securityContext, securityContext);
  assert.deepEqual(page.problems, []);
}));

check("AttachmentButton reports a refused file", () => inPage('attachment-refused', async (page) => {
  await uploadPage(page);
  await page.locator('#button input[type=file]').setInputFiles({
    name: 'setup.exe', mimeType: 'application/x-msdownload', buffer: Buffer.from('MZ'),
  });
  const [outcome] = await until('the refusal', () => page.evaluate(() => window.seen.failed.length && window.seen.failed));
  assert.equal(outcome.resourceType, 'OperationOutcome');
  assert.equal(outcome.issue[0].severity, 'error');
  assert.match(outcome.issue[0].diagnostics ?? outcome.issue[0].details.text, /[a-z]{3}/);
}));

check("AttachmentInput uploads an image, shows it, and removes it", () => inPage('attachment-input', async (page) => {
  await uploadPage(page);
  const data = png(90, 60);
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByText('Upload...').click()]);
  await chooser.setFiles({ name: 'face.png', mimeType: 'image/png', buffer: data });
  const image = page.getByTestId('attachment-image');
  await image.waitFor({ timeout: 15_000 });
  await until('the image', () => image.evaluate((img) => (img.tagName === 'IMG' ? img : img.querySelector('img'))?.naturalWidth === 90));
  const [attachment] = await page.evaluate(() => window.seen.input);
  await readable(attachment.url, data, 'image/png');
  assert.equal(await page.getByTestId('attachment-details').getAttribute('href'), attachment.url);
  await page.getByText('Remove').click();
  await page.getByText('Upload...').waitFor();
  assert.deepEqual(await page.evaluate(() => window.seen.input.at(-1)), null);
  assert.deepEqual(page.problems, []);
}));

check("AttachmentInput shows an uploaded PDF", () => inPage('attachment-input-pdf', async (page, context) => {
  const helper = await context.newPage();
  await helper.goto(origin + '/empty');
  await page.bringToFront();
  await uploadPage(page);
  await page.locator('#input input[type=file]').setInputFiles({
    name: 'letter.pdf', mimeType: 'application/pdf', buffer: pdf(),
  });
  await page.locator('[data-testid=attachment-iframe] iframe').waitFor({ timeout: 15_000 });
  await until('a red page of PDF', async () => (await redPixels(page, helper)) > 15_000, 12_000);
}));

await serve(async () => {
  await browser.close();
  pageServer.close();
});
