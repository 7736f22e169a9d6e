"""Files made on the spot: real enough that their own readers know them."""
import hashlib
import random
import struct
import zlib


def pdf(text="Discharge letter"):
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
               b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
               b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream)]
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, item in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def png(width=64, height=48, seed=1):
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(width * 3) for _ in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def mp4(size=300_000):
    kind = b"isom\0\0\2\0isomiso2avc1mp41"
    head = struct.pack(">I4s", len(kind) + 8, b"ftyp") + kind
    media = random.Random(4).randbytes(size)
    return head + struct.pack(">I4s", len(media) + 8, b"mdat") + media


def dicom(size=200_000):
    def element(group, number, kind, value):
        return struct.pack("<HH2sH", group, number, kind, len(value)) + value

    meta = element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
    pixels = random.Random(5).randbytes(size)
    return (b"\0" * 128 + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta
            + element(8, 0x60, b"CS", b"CT") + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, len(pixels)) + pixels)


def noise(size, seed=7):
    return random.Random(seed).randbytes(size)


class Stream:
    """`size` pseudo-random bytes in pieces; never in memory as a whole. Hashes what it gives."""

    def __init__(self, size, seed=9, piece=1 << 20):
        self.size, self.seed, self.piece = size, seed, piece
        self.digest = hashlib.sha256()

    def __iter__(self):
        block, left, count = noise(self.piece, self.seed), self.size, 0
        while left:
            data = struct.pack(">Q", count) + block[8:]
            data = data[:left]
            self.digest.update(data)
            left, count = left - len(data), count + 1
            yield data


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()
