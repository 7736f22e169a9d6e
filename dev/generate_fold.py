#!/usr/bin/python3
"""Writes core/fhir/search_fold.def: what each character becomes before strings are compared (FHIR R4 search.html#string).

Case and accents go, by Unicode's compatibility decomposition and case folding; apostrophes, full stops and invisible
characters go; other punctuation and every kind of blank become a blank. Letters and digits of ASCII are not listed.
Usage: dev/generate_fold.py > core/fhir/search_fold.def
"""
import unicodedata

# Scripts with case or accents, their marks, punctuation, ligatures, full-width forms.
RANGES = [(0x01, 0x587), (0x591, 0x5F4), (0x60C, 0x61F), (0x64B, 0x66D), (0x670, 0x670), (0x1680, 0x1680),
          (0x1AB0, 0x1AFF), (0x1DC0, 0x1FFF), (0x2000, 0x206F), (0x20D0, 0x20FF), (0x2E00, 0x2E52), (0x3000, 0x3003),
          (0x3008, 0x3011), (0x3014, 0x301F), (0xFB00, 0xFB06), (0xFE20, 0xFE2F), (0xFEFF, 0xFEFF), (0xFF01, 0xFF5E)]
# Letters that Unicode does not take apart.
LETTERS = {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i",
           "ȷ": "j", "ŋ": "n", "ƒ": "f", "ĸ": "k"}
# Modifier letters that people write for an apostrophe, and the accents of the keyboard.
DROPPED = "'.`\u00b4\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02bf"


def fold_letter(letter):
    category = unicodedata.category(letter)
    if letter in DROPPED or category in ("Mn", "Me", "Cf"):
        return ""
    if category[0] in "PZ" or category == "Cc":
        return " "
    return LETTERS.get(letter, letter)


def fold(text):
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).casefold()
    return unicodedata.normalize("NFC", "".join(fold_letter(letter) for letter in text))


def quoted(text):
    return '"' + "".join(f"\\{byte:03o}" if byte > 126 else chr(byte) for byte in text.encode()) + '"'


def folded(letter):
    # A spacing accent decomposes to a blank and the accent; it is an accent of its own.
    result = fold_letter(letter) if letter in DROPPED else fold(letter)
    return result.strip() or result[:1]


def main():
    print("/* Made by dev/generate_fold.py; the Unicode version is " + unicodedata.unidata_version + ". */")
    row = ""
    for first, last in RANGES:
        for code in range(first, last + 1):
            letter = chr(code)
            if not 0xD800 <= code <= 0xDFFF and unicodedata.category(letter) != "Cn" and not ("0" <= letter <= "9") \
                    and not ("a" <= letter <= "z") and folded(letter) != letter:
                result = folded(letter)
                assert len(result.encode()) <= 5 and all(folded(part) == part for part in result), hex(code)
                entry = f"FHIR_FOLD(0x{code:04X}, {quoted(result)})"
                if len(row) + len(entry) > 118:
                    print(row)
                    row = ""
                row += (" " if row else "") + entry
    print(row)


main()
