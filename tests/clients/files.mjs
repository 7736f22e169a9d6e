// Files made on the spot that their readers can show, in colours that a check can see.
import { readFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

const RED = [255, 0, 0];

/** A PNG in one colour. */
export function png(width, height, [red, green, blue] = RED) {
  const chunk = (kind, data) => {
    const named = Buffer.concat([Buffer.from(kind), data]);
    const out = Buffer.alloc(8 + named.length);
    out.writeUInt32BE(data.length, 0);
    named.copy(out, 4);
    out.writeUInt32BE(crc32(named), 4 + named.length);
    return out;
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const row = Buffer.concat([Buffer.from([0]), Buffer.from(Array(width).fill([red, green, blue]).flat())]);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(Array(height).fill(row)))), chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A PDF of one page that is red all over. */
export function pdf() {
  const content = '1 0 0 rg 0 0 612 792 re f';
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R>>',
    `<</Length ${content.length}>>stream\n${content}\nendstream`,
  ];
  let out = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = out.length;
    out += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = out.length;
  out += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  out += offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  out += `trailer<</Size ${objects.length + 1}/Root 1 0 R>>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(out, 'latin1');
}

/**
 * A video (VP9 in MP4, 160 x 120) of 20 seconds, red for ten and then blue. `gap` bytes that no player needs lie between
 * the two halves, so that a seek to the blue one is only quick with a range request.
 */
export function video(gap) {
  const small = readFileSync(new URL('data/red-then-blue.mp4', import.meta.url));
  // stco: the offsets of two chunks, one per colour; mdat is the last box.
  const offsets = small.indexOf('stco') + 12;
  const second = small.readUInt32BE(offsets + 4);
  const media = small.indexOf('mdat') - 4;
  const out = Buffer.concat([small.subarray(0, second), Buffer.alloc(gap, 0x5a), small.subarray(second)]);
  out.writeUInt32BE(second + gap, offsets + 4);
  out.writeUInt32BE(small.readUInt32BE(media) + gap, media);
  return out;
}
