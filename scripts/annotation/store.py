"""Votes in one SQLite file: what is voted on, who votes, who is given what, and every vote as it was cast.

WAL and synchronous=FULL: a vote that was confirmed is on the disk. A vote is one row in one transaction, whole or not
there; mending a vote adds a row, so nothing is overwritten, and the last one counts.

Tables: meta (settings as JSON), question, answer (one text of one question), origin (which system wrote it), item (what is
shown at once), rater (with the hash of the token), assignment (rater, item, the rater's place for it, the order of answers),
vote (value as JSON: see annotation/modes.py).
"""

import contextlib
import itertools
import json
import random
import secrets
import sqlite3
from pathlib import Path
from typing import NamedTuple

from annotation.sources import Material
from common.errors import UserError
from common.files import reading
from common.hashes import text_sha256

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS question (id INTEGER PRIMARY KEY, name TEXT UNIQUE, messages TEXT, reference TEXT);
CREATE TABLE IF NOT EXISTS answer (id INTEGER PRIMARY KEY, question INTEGER REFERENCES question, text TEXT);
CREATE TABLE IF NOT EXISTS origin (answer INTEGER REFERENCES answer, system TEXT, times INTEGER, PRIMARY KEY (answer, system));
CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, question INTEGER REFERENCES question, answers TEXT, shared INTEGER);
CREATE TABLE IF NOT EXISTS rater (id INTEGER PRIMARY KEY, name TEXT UNIQUE, token TEXT UNIQUE, language TEXT);
CREATE TABLE IF NOT EXISTS assignment (rater INTEGER REFERENCES rater, item INTEGER REFERENCES item, place INTEGER,
    answers TEXT, PRIMARY KEY (rater, item), UNIQUE (rater, place));
CREATE TABLE IF NOT EXISTS vote (id INTEGER PRIMARY KEY, rater INTEGER REFERENCES rater, item INTEGER REFERENCES item,
    value TEXT NOT NULL, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')));
CREATE INDEX IF NOT EXISTS vote_of ON vote (rater, item);
"""
LATEST = "SELECT max(id) AS id FROM vote GROUP BY rater, item"


class Rater(NamedTuple):
    """A person who votes; `token` is the SHA-256 of what the personal link holds."""

    id: int
    name: str
    language: str


class Task(NamedTuple):
    """What a rater sees at a place: messages, reference, (answer id, text) in the order shown, the vote so far or None."""

    place: int
    item: int
    question: str
    messages: list[dict]
    reference: str
    answers: list[tuple[int, str]]
    vote: dict | None

    @property
    def seen(self) -> str:
        """Tells a page of this task from one of another; made of what the page shows, so it tells raters nothing more."""
        return text_sha256(json.dumps([self.messages, [text for _, text in self.answers]]))[:16]


class Vote(NamedTuple):
    """A vote that counts: question's name, who, the answers' ids in the order shown, the value, how often it was mended."""

    rater: int
    item: int
    question: str
    shared: bool
    shown: list[int]
    value: dict
    mended: int


class AnswerRow(NamedTuple):
    """An answer's text and the systems that wrote it, a system's name as often as it did."""

    id: int
    question: str
    text: str
    systems: list[str]


class Store:
    """The votes of one folder. Every call opens its own connection, so any thread may call."""

    def __init__(self, folder: str | Path):
        self.path = Path(folder) / "votes.sqlite"

    @contextlib.contextmanager
    def connect(self, write: bool = False, first: bool = False):
        """A connection; with `write` one transaction that takes the lock at once, committed at the end or rolled back.

        Raises UserError where the file is no database any more; at the `first` look, where it cannot be used at all.
        """
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            if write:
                connection.execute("BEGIN IMMEDIATE")
            yield connection
            if write:
                connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            lacks = str(error).startswith("no such ")  # a table or column of ours: a name is damaged
            if type(error) is not sqlite3.DatabaseError and not first and not lacks:  # its kinds: a lock, a wrong value
                raise
            raise UserError(f"{self.path}: {error}; is it a copy that was cut short? Take the last whole one") from error
        finally:
            connection.close()  # an open transaction is rolled back

    # ------------------------------------------------------------------------------------------ filling

    def create(self, material: Material, mode: str, settings: dict, overlap: float, seed: int) -> None:
        """Fill an empty file, or none at all: questions, distinct answers, items; a share of the questions is shared.

        A file that was filled with the same stays as it is. Raises UserError where it holds votes on something else.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        with self.connect() as connection:
            connection.executescript(SCHEMA)
        draw = random.Random(f"{seed} overlap")
        shared = set(draw.sample(range(len(material.questions)), round(overlap * len(material.questions))))
        texts: dict[str, dict[str, list[str]]] = {q.name: {} for q in material.questions}
        for answer in material.answers:
            texts[answer.question].setdefault(answer.text, []).append(answer.system)
        with self.connect(write=True) as connection:
            kept = {**settings, "mode": mode, "tested": material.tested}
            before = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
            if before and (changed := [key for key, value in kept.items() if before.get(key) != value]):
                folder, changed = self.path.parent, ", ".join(changed)
                raise UserError(f"output_dir: {folder} holds votes with other {changed}; choose another folder")
            if before:
                return
            for number, question in enumerate(material.questions):
                record = (number, question.name, json.dumps(question.messages), question.reference)
                connection.execute("INSERT INTO question VALUES (?, ?, ?, ?)", record)
                ids = []
                for text, systems in texts[question.name].items():
                    added = connection.execute("INSERT INTO answer (question, text) VALUES (?, ?)", (number, text))
                    ids.append(added.lastrowid)
                    counts = [(added.lastrowid, s, systems.count(s)) for s in sorted(set(systems))]
                    connection.executemany("INSERT INTO origin VALUES (?, ?, ?)", counts)
                for together in groups_of(ids, mode):
                    item = (number, json.dumps(together), int(number in shared))
                    connection.execute("INSERT INTO item (question, answers, shared) VALUES (?, ?, ?)", item)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in kept.items()])

    def settings(self) -> dict:
        """What the folder was started with; {} where it holds no votes' file."""
        if not self.path.is_file():
            return {}
        if not self.path.stat().st_size and self.path.with_name("links.txt").is_file():
            raise UserError(f"{self.path}: is empty, though links.txt says that a vote was begun; take the last whole copy")
        with self.connect(first=True) as connection:
            if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(f"is damaged ({' '.join(found.split())})")
            connection.executescript(SCHEMA)
            return {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}

    def add_raters(self, names: list[str], known: dict[str, str], language: str, seed: int) -> dict[str, str]:
        """Add raters and deal the items out anew; name -> token. A rater whose token is not in `known` gets a new one."""
        tokens = {}
        with self.connect(write=True) as connection:
            rows = dict(connection.execute("SELECT name, token FROM rater"))
            for name in [*rows, *(n for n in names if n not in rows)]:
                token = known.get(name)
                if not token or rows.get(name) != text_sha256(token):
                    token = secrets.token_urlsafe(24)
                    update = "ON CONFLICT (name) DO UPDATE SET token = excluded.token"
                    added = (name, text_sha256(token), language)
                    connection.execute(f"INSERT INTO rater (name, token, language) VALUES (?, ?, ?) {update}", added)
                tokens[name] = token
            if set(tokens) - set(rows):
                deal(connection, seed)
        return tokens

    # ------------------------------------------------------------------------------------------ voting

    def rater(self, token: str) -> Rater | None:
        """The rater of a token, or None."""
        with self.connect() as connection:
            found = connection.execute("SELECT id, name, language FROM rater WHERE token = ?", (text_sha256(token),)).fetchone()
        return Rater(*found) if found else None

    def set_language(self, rater: Rater, language: str) -> None:
        with self.connect(write=True) as connection:
            connection.execute("UPDATE rater SET language = ? WHERE id = ?", (language, rater.id))

    def progress(self, rater: Rater) -> tuple[int, int]:
        """Items this rater has voted on, and all that are given to this rater."""
        with self.connect() as connection:
            done = connection.execute("SELECT count(DISTINCT item) FROM vote WHERE rater = ?", (rater.id,)).fetchone()[0]
            return done, connection.execute("SELECT count(*) FROM assignment WHERE rater = ?", (rater.id,)).fetchone()[0]

    def task(self, rater: Rater, place: int | None = None) -> Task | None:
        """The item at a place of this rater's order; without a place the first that has no vote. None: there is none."""
        where, value = "a.place = ?", place
        if place is None:
            where, value = "NOT EXISTS (SELECT 1 FROM vote v WHERE v.rater = a.rater AND v.item = a.item) AND ? IS NULL", None
        with self.connect() as connection:
            row = connection.execute(
                "SELECT a.place, a.item, q.name, q.messages, q.reference, a.answers FROM assignment a JOIN item i ON "
                f"i.id = a.item JOIN question q ON q.id = i.question WHERE a.rater = ? AND {where} ORDER BY a.place LIMIT 1",
                (rater.id, value),
            ).fetchone()
            if row is None:
                return None
            ids = json.loads(row[5])
            texts = [connection.execute("SELECT text FROM answer WHERE id = ?", (i,)).fetchone()[0] for i in ids]
            vote = connection.execute(
                "SELECT value FROM vote WHERE rater = ? AND item = ? ORDER BY id DESC LIMIT 1", (rater.id, row[1])
            ).fetchone()
        voted = json.loads(vote[0]) if vote else None
        return Task(row[0], row[1], row[2], json.loads(row[3]), row[4], list(zip(ids, texts, strict=True)), voted)

    def record(self, rater: Rater, task: Task, value: dict) -> bool:
        """Keep a vote; the same again adds nothing. When this returns, the vote is on the disk.

        False, and nothing is kept, where the task has been dealt to another rater meanwhile.
        """
        with self.connect(write=True) as connection:
            mine = (rater.id, task.item)
            if not connection.execute("SELECT 1 FROM assignment WHERE rater = ? AND item = ?", mine).fetchone():
                return False
            last = connection.execute(
                "SELECT value FROM vote WHERE rater = ? AND item = ? ORDER BY id DESC LIMIT 1", (rater.id, task.item)
            ).fetchone()
            if last is None or json.loads(last[0]) != value:
                kept = json.dumps(value, ensure_ascii=False)
                connection.execute("INSERT INTO vote (rater, item, value) VALUES (?, ?, ?)", (rater.id, task.item, kept))
        return True

    # ------------------------------------------------------------------------------------------ reading

    def votes(self) -> list[Vote]:
        """The votes that count, by rater and item."""
        with self.connect() as connection:
            connection.execute("BEGIN")  # people may be voting: both are read of one state
            rows = connection.execute(
                "SELECT v.rater, v.item, q.name, i.shared, a.answers, v.value, (SELECT count(*) - 1 FROM vote w WHERE "
                f"w.rater = v.rater AND w.item = v.item) FROM vote v JOIN ({LATEST}) l ON l.id = v.id JOIN item i ON "
                "i.id = v.item JOIN question q ON q.id = i.question JOIN assignment a ON a.rater = v.rater AND a.item = v.item "
                "ORDER BY v.rater, v.item"
            ).fetchall()
            cast = connection.execute(f"SELECT count(*) FROM ({LATEST})").fetchone()[0]
        if cast != len(rows):
            lost = f"{cast - len(rows)} of {cast} votes are on what this file does not hold, or was not given to who cast them"
            raise UserError(f"{self.path}: {lost}; was it edited? Take the last whole copy")
        with reading(self.path):
            return [Vote(r, i, q, bool(s), json.loads(a), json.loads(v), m) for r, i, q, s, a, v, m in rows]

    def answers(self) -> dict[int, AnswerRow]:
        """All answers by id."""
        with self.connect() as connection:
            origins: dict[int, list[str]] = {}
            for answer, system, times in connection.execute("SELECT answer, system, times FROM origin ORDER BY answer, system"):
                origins.setdefault(answer, []).extend([system] * times)
            rows = connection.execute("SELECT a.id, q.name, a.text FROM answer a JOIN question q ON q.id = a.question")
            with reading(self.path):
                return {i: AnswerRow(i, question, text, origins[i]) for i, question, text in rows}

    def questions(self) -> dict[str, list[dict]]:
        """Messages of every question by its name."""
        with self.connect() as connection, reading(self.path):
            return {name: json.loads(m) for name, m in connection.execute("SELECT name, messages FROM question ORDER BY id")}

    def counts(self) -> list[tuple[str, int, int]]:
        """(rater, voted, given) of every rater, in the order they were added."""
        with self.connect() as connection:
            raters = [Rater(*row) for row in connection.execute("SELECT id, name, language FROM rater ORDER BY id")]
        return [(rater.name, *self.progress(rater)) for rater in raters]


def groups_of(ids: list[int], mode: str) -> list[list[int]]:
    """The answers that are shown together; an answer with nothing to be compared to is not shown where comparing is asked."""
    if mode == "pairs":
        return [list(pair) for pair in itertools.combinations(ids, 2)]
    if mode == "rank":
        return [ids] if len(ids) > 1 else []
    return [[i] for i in ids]


def deal(connection: sqlite3.Connection, seed: int) -> None:
    """Give shared items to all raters and the rest out evenly; what has a vote stays where it is.

    A question's items stay together. Each rater has an order of questions of their own, and of the answers within each.
    """
    raters = [row[0] for row in connection.execute("SELECT id FROM rater ORDER BY id")]
    voted = set(connection.execute("SELECT DISTINCT rater, item FROM vote"))
    items = connection.execute("SELECT id, question, answers, shared FROM item").fetchall()
    taken = {item: rater for rater, item in voted}
    given: dict[int, list[int]] = {rater: [] for rater in raters}
    by_question: dict[int, list[int]] = {}
    for item, question, _, shared in items:
        if shared:
            for rater in raters:
                given[rater].append(item)
        elif item in taken:
            given[taken[item]].append(item)
        else:
            by_question.setdefault(question, []).append(item)
    questions = sorted(by_question)
    random.Random(f"{seed} deal").shuffle(questions)
    for question in questions:
        given[min(raters, key=lambda rater: (len(given[rater]), rater))] += by_question[question]
    answers = {item: json.loads(ids) for item, _, ids, _ in items}
    for rater in raters:
        before = dict(connection.execute("SELECT item, place FROM assignment WHERE rater = ? ORDER BY place", (rater,)))
        draw = random.Random(f"{seed} {rater}")
        new = [item for item in given[rater] if (rater, item) not in voted]
        draw.shuffle(new)
        order = [item for item in before if (rater, item) in voted] + new
        connection.execute("DELETE FROM assignment WHERE rater = ?", (rater,))
        for place, item in enumerate(order, 1):
            ids = answers[item]
            shuffled = random.Random(f"{seed} {rater} {item}").sample(ids, len(ids))
            connection.execute("INSERT INTO assignment VALUES (?, ?, ?, ?)", (rater, item, place, json.dumps(shuffled)))
