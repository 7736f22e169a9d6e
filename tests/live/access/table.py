"""Reads access_matrix.txt."""
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "access_matrix.txt"


class Section:
    def __init__(self, title):
        self.title, self.actions, self.columns, self.rows = title, [], [], []

    def cells(self):
        """Each (row, column, what is expected)."""
        for name, expected in self.rows:
            for column, what in zip(self.columns, expected):
                if what != ".":
                    yield name, column, what


def read(file=FILE):
    """Sections by their titles."""
    sections, section = {}, None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith("["):
            section = Section(line.strip()[1:-1])
            assert section.title not in sections, f"line {number}: {section.title} is there twice"
            sections[section.title] = section
        elif words[0] == "do":
            section.actions += words[1:]
        elif not section.columns:
            section.columns = words
        else:
            assert len(words) == len(section.columns) + 1, f"line {number} has {len(words) - 1} cells, not {len(section.columns)}"
            section.rows.append((words[0], words[1:]))
    return sections


def hidden_contexts(sections):
    """The contexts that each principal must not know of: `?` in the first table. {principal: {context}}"""
    first = sections["Binary: read"]
    return {column: {row for row, name, what in first.cells() if name == column and what == "?"} for column in first.columns}
