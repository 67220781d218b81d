"""Notes in an SQLite database, in memory. Arguments are bound to statements, and never become part of them.

A notebook may be used from any thread: tools run on another than `reset`, and one that was cut off may still be at it.
"""

import re
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastmcp.exceptions import ToolError

__all__ = ["MAX_NOTES", "MAX_TAGS", "Entry", "Notebook", "Refused"]

MAX_NOTES, MAX_TAGS = 500, 16
"""How many notes there may be, and tags of each."""

_EXCERPT = 160
_TABLES = """
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    title TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE tags (
    note INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (note, tag)
) WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags (tag);
"""
_INDEX = """
CREATE VIRTUAL TABLE words USING fts5 (title, body);
CREATE TRIGGER note_added AFTER INSERT ON notes BEGIN
    INSERT INTO words (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER note_edited AFTER UPDATE ON notes BEGIN
    UPDATE words SET title = new.title, body = new.body WHERE rowid = new.id;
END;
CREATE TRIGGER note_deleted AFTER DELETE ON notes BEGIN
    DELETE FROM words WHERE rowid = old.id;
END;
"""
_SEARCH = """
SELECT id, created, notes.title, substr(notes.body, 1, :excerpt) AS excerpt FROM notes {source}
WHERE (:tag IS NULL OR EXISTS (SELECT 1 FROM tags WHERE note = id AND tag = :tag))
AND (:since IS NULL OR created >= :since) AND (:until IS NULL OR created <= :until) {words}
ORDER BY {order} LIMIT :limit OFFSET :skip
"""


class Refused(ToolError):
    """What was asked for cannot be done, and the agent is told why; the notebook is as it was."""


class Entry(NamedTuple):
    """What a note says: all of it but its number and version."""

    created: str
    title: str
    body: str
    tags: frozenset[str]


class Notebook:
    """Notes with versions and tags.

    Args:
        data: What `dump` gave; None for an empty notebook.
        has_index: Whether words are found by an index; by default where SQLite has FTS5. Without one, searches look
            for parts of words.
    """

    def __init__(self, data: bytes | None = None, *, has_index: bool | None = None) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, self._connection.close)
        self._connection.row_factory = sqlite3.Row
        if data is not None:
            self._connection.deserialize(data)
        else:
            self._connection.executescript(_TABLES)
            if has_index is not False:
                self._make_index(is_needed=has_index is True)
        self._connection.execute("PRAGMA foreign_keys = ON")
        named = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'words'")
        self.has_index = named.fetchone() is not None

    def add(self, entry: Entry) -> dict[str, Any]:
        """Add a note, and give it as `get` does. Raises Refused if there is no room."""
        with self._changing() as connection:
            if _number(connection, "SELECT count(*) FROM notes") >= MAX_NOTES:
                raise Refused(f"the notebook is full: it has {MAX_NOTES} notes; delete some first")
            made = connection.execute("INSERT INTO notes (created, title, body) VALUES (?, ?, ?)", entry[:3]).lastrowid
            assert made is not None
            _tag(connection, made, entry.tags, ())
            return _note(connection, made)

    def get(self, note: int) -> dict[str, Any]:
        """Give a note as the fields of `models.Note`. Raises Refused if it is not there."""
        with self._changing() as connection:
            return _note(connection, note)

    def edit(self, note: int, version: int, title: str | None, body: str | None) -> dict[str, Any]:
        """Change what is not None, and give the note. Raises Refused if it is not there, or has another version."""
        with self._changing() as connection:
            present = _note(connection, note)["version"]
            if present != version:
                raise Refused(f"note {note} has version {present}, not {version}; get it again, and edit that")
            statement = "UPDATE notes SET title = coalesce(?, title), body = coalesce(?, body), version = version + 1 WHERE id = ?"
            connection.execute(statement, (title, body, note))
            return _note(connection, note)

    def tag(self, note: int, add: Iterable[str], remove: Iterable[str]) -> dict[str, Any]:
        """Take tags off a note, put others on, and give it. Raises Refused if it is not there, or for too many."""
        with self._changing() as connection:
            _note(connection, note)
            _tag(connection, note, add, remove)
            return _note(connection, note)

    def delete(self, note: int) -> None:
        """Delete a note. Raises Refused if it is not there."""
        with self._changing() as connection:
            _note(connection, note)
            connection.execute("DELETE FROM notes WHERE id = ?", (note,))

    def search(self, text: str, **filters: str | int | None) -> list[dict[str, Any]]:
        """Give the notes that have all words of a text, as the fields of `models.NoteSummary`, the best first.

        Args:
            text: Words, or their beginnings; empty for every note.
            filters: `tag`, `since` and `until`, or None; `limit` and `skip`.
        """
        words = re.findall(r"\w+", text)
        values: dict[str, str | int | None] = {**filters, "excerpt": _EXCERPT}
        source, order, conditions = "", "id", ""
        if words and self.has_index:
            source, order, conditions = "JOIN words ON words.rowid = id", "rank, id", "AND words MATCH :match"
            values["match"] = " ".join(f'"{word}"*' for word in words)
        elif words:
            like = r"AND notes.title || ' ' || notes.body LIKE :word{} ESCAPE '\'"
            conditions = " ".join(like.format(place) for place in range(len(words)))
            values |= {f"word{place}": f"%{word.replace('_', chr(92) + '_')}%" for place, word in enumerate(words)}
        with self._changing() as connection:
            found = connection.execute(_SEARCH.format(source=source, words=conditions, order=order), values)
            return [{**row, "tags": _tags(connection, row["id"])} for row in found.fetchall()]

    def tags(self) -> dict[str, int]:
        """Count the notes of each tag."""
        with self._changing() as connection:
            return dict(connection.execute("SELECT tag, count(*) FROM tags GROUP BY tag ORDER BY tag").fetchall())

    def contents(self) -> Mapping[int, Entry]:
        """Give everything, by number."""
        with self._changing() as connection:
            tags: dict[int, set[str]] = {}
            for note, tag in connection.execute("SELECT note, tag FROM tags"):
                tags.setdefault(note, set()).add(tag)
            rows = connection.execute("SELECT id, created, title, body FROM notes ORDER BY id")
            return {note: Entry(day, title, body, frozenset(tags.get(note, ()))) for note, day, title, body in rows}

    def dump(self) -> bytes:
        """Give the whole database."""
        with self._lock:
            return self._connection.serialize()

    def close(self) -> None:
        """Let go of the database, once nobody is at it."""
        with self._lock:
            self._finalizer()

    def __len__(self) -> int:
        with self._changing() as connection:
            return _number(connection, "SELECT count(*) FROM notes")

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Hold the database in a transaction, which an exception undoes."""
        with self._lock, self._connection:
            yield self._connection

    def _make_index(self, *, is_needed: bool) -> None:
        try:
            self._connection.executescript(_INDEX)
        except sqlite3.OperationalError:  # no such module: fts5
            if is_needed:
                raise


def _number(connection: sqlite3.Connection, statement: str, *values: str | int) -> int:
    number: int = connection.execute(statement, values).fetchone()[0]
    return number


def _note(connection: sqlite3.Connection, note: int) -> dict[str, Any]:
    row = connection.execute("SELECT id, created, version, title, body FROM notes WHERE id = ?", (note,)).fetchone()
    if row is None:
        raise Refused(f"there is no note {note}; search_notes finds those that there are")
    return {**row, "tags": _tags(connection, note)}


def _tags(connection: sqlite3.Connection, note: int) -> list[str]:
    return [tag for (tag,) in connection.execute("SELECT tag FROM tags WHERE note = ? ORDER BY tag", (note,))]


def _tag(connection: sqlite3.Connection, note: int, add: Iterable[str], remove: Iterable[str]) -> None:
    connection.executemany("DELETE FROM tags WHERE note = ? AND tag = ?", [(note, tag) for tag in remove])
    connection.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(note, tag) for tag in add])
    if _number(connection, "SELECT count(*) FROM tags WHERE note = ?", note) > MAX_TAGS:
        raise Refused(f"a note may have {MAX_TAGS} tags")
