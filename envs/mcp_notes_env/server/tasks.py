"""The requests: notes made from a seed, what the user asks about them, and how the notes should be afterwards. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from .notebook import Entry

__all__ = ["LEVELS", "TODAY", "Size", "Task", "generate", "solve"]

TODAY = "2026-01-01"
"""The day on which every episode takes place, after all of its notes."""

_TOPICS: Mapping[str, tuple[str, ...]] = {
    "garden": ("roses", "hedge", "pond", "compost", "tomatoes", "lawn"),
    "kitchen": ("oven", "knives", "spices", "bread", "kettle", "jam"),
    "car": ("tyres", "brakes", "battery", "roof rack", "wipers", "radio"),
    "travel": ("tent", "tickets", "maps", "suitcase", "passport", "ferry"),
    "office": ("desk", "printer", "lamp", "chairs", "paper", "screen"),
    "music": ("piano", "guitar", "strings", "concert", "records", "lessons"),
    "sports": ("bicycle", "racket", "shoes", "skis", "pool card", "kayak"),
    "house": ("roof", "heating", "curtains", "paint", "doorbell", "cellar"),
}
_REMARKS = (
    "Ask Robin what she thinks of it.",
    "It took longer than expected.",
    "There was only one left.",
    "The shop on the corner had it.",
    "To be looked at again in spring.",
    "Everybody was pleased.",
    "The receipt is in the drawer.",
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_PRICE = re.compile(r"Paid (\d+) euros")

Notes = Mapping[int, Entry]


@dataclass(frozen=True)
class Size:
    """How much there is to a level.

    Attributes:
        subjects: How many things there are notes about.
        again: How many of these have a second note, with another text.
        copies: How many notes are there twice.
        parts: How many chores are to be done.
        steps: How many tools may be called.
    """

    subjects: int
    again: int
    copies: int
    parts: int
    steps: int


LEVELS: Mapping[str, Size] = {
    "easy": Size(10, again=0, copies=0, parts=1, steps=16),
    "medium": Size(18, again=3, copies=3, parts=1, steps=32),
    "hard": Size(28, again=5, copies=6, parts=4, steps=64),
}


@dataclass(frozen=True)
class Task:
    """A request.

    Attributes:
        prompt: What the user says.
        before: The notes at first, by number.
        after: The notes as they should be in the end.
        answer: What is to be submitted; None where nothing is asked.
        step_limit: How many tools may be called.
    """

    prompt: str
    before: Notes
    after: Notes
    answer: str | None
    step_limit: int


@dataclass(frozen=True)
class _Part:
    """One sentence of a request, what it makes of the notes, and the answer if it is a question."""

    asks: str
    after: Notes
    answer: str | None = None


def generate(level: str, seed: int) -> Task:
    """Make a request and its notes; always the same from the same level and seed."""
    size, random = LEVELS[level], Random(f"{level} {seed}")
    before = _notes(size, random)
    asking = _PARTS[level]
    chosen = asking if size.parts == len(asking) else random.sample(asking, size.parts)
    after, parts = before, []
    for ask in chosen:
        parts.append(part := ask(after, random))
        after = part.after
    sentences = " ".join(part.asks for part in parts)
    answer = next((part.answer for part in parts if part.answer is not None), None)
    submits = "submit_answer with the answer" if answer is not None else "submit_answer"
    prompt = f"{sentences} Leave all else as it is, and call {submits} when you are done."
    return Task(prompt, before, after, answer, size.steps)


def solve(task: Task) -> list[tuple[str, dict[str, Any]]]:
    """Give the calls of tools, by name and arguments, that fulfil a request: for baselines and tests."""
    calls: list[tuple[str, dict[str, Any]]] = []
    for number, entry in task.before.items():
        wanted = task.after.get(number)
        if wanted is None:
            calls.append(("delete_note", {"note_id": number}))
            continue
        if wanted.body != entry.body:
            calls.append(("edit_note", {"note_id": number, "version": 1, "body": wanted.body}))
        if wanted.tags != entry.tags:
            calls.append(("tag_note", {"note_id": number, "add": sorted(wanted.tags - entry.tags)}))
    return [*calls, ("submit_answer", {"answer": task.answer or ""})]


def _notes(size: Size, random: Random) -> Notes:
    """Write notes on days that all differ, numbered from the oldest; second notes and copies come last."""
    subjects = random.sample([(topic, what) for topic in _TOPICS for what in _TOPICS[topic]], size.subjects)
    texts = [_text(topic, what, random) for topic, what in subjects]
    texts += [_text(topic, what, random) for topic, what in subjects[: size.again]]
    # None of what has a second note is copied: a request may speak of either, and means one thing.
    texts += random.sample(texts[size.again : size.subjects], size.copies)
    days = sorted(random.sample(range(365), len(texts)))
    dates = [(date(2025, 1, 1) + timedelta(days=day)).isoformat() for day in days]
    return {
        number: Entry(day, title, body, frozenset({topic}))
        for number, (day, (topic, title, body)) in enumerate(zip(dates, texts, strict=True), start=1)
    }


def _text(topic: str, what: str, random: Random) -> tuple[str, str, str]:
    body = f"{random.choice(_REMARKS)} Paid {random.randint(5, 999)} euros for the {what}."
    return topic, f"{topic.capitalize()}: {what}", body


def _paid(entry: Entry) -> int:
    return sum(int(amount) for amount in _PRICE.findall(entry.body))


def _lookup(notes: Notes, random: Random) -> _Part:
    entry = random.choice(list(notes.values()))
    asks = f'How many euros were paid according to the note "{entry.title}"? Answer with the number alone.'
    return _Part(asks, notes, str(_paid(entry)))


def _count(notes: Notes, random: Random) -> _Part:
    month = int(random.choice(list(notes.values())).created[5:7])
    found = _of_month(notes, month)
    asks = f"How many notes are there from {_MONTHS[month - 1]} 2025? Answer with the number alone."
    return _Part(asks, notes, str(len(found)))


def _tag_month(notes: Notes, random: Random) -> _Part:
    month = int(random.choice(list(notes.values())).created[5:7])
    tagged = {n: entry._replace(tags=entry.tags | {"archive"}) for n, entry in _of_month(notes, month).items()}
    return _Part(f'Tag every note from {_MONTHS[month - 1]} 2025 with "archive".', {**notes, **tagged})


def _latest(notes: Notes, random: Random) -> _Part:
    first, last = random.choice(_pairs(notes))
    asks = (
        f'There are two notes "{notes[first].title}". How many euros were paid according to the later one? '
        "Answer with the number alone."
    )
    return _Part(asks, notes, str(_paid(notes[last])))


def _merge(notes: Notes, random: Random) -> _Part:
    first, last = random.choice(_pairs(notes))
    asks = (
        f'Merge the two notes "{notes[first].title}": put the text of the later one below the text of the earlier one, '
        "on a line of its own, and delete the later one."
    )
    merged = notes[first]._replace(body=f"{notes[first].body}\n{notes[last].body}")
    return _Part(asks, {n: entry for n, entry in {**notes, first: merged}.items() if n != last})


def _delete_copies(notes: Notes, random: Random) -> _Part:
    kept: dict[tuple[str, str], int] = {}
    for number, entry in notes.items():
        kept.setdefault((entry.title, entry.body), number)
    asks = "Some notes are there twice, with the same title and the same text: delete the later ones."
    return _Part(asks, {number: notes[number] for number in kept.values()})


def _total(notes: Notes, random: Random) -> _Part:
    topic = min(random.choice(list(notes.values())).tags - {"archive"})
    asks = (
        f'When all that is done: how many euros were paid according to the notes tagged "{topic}", all together? '
        "Answer with the number alone."
    )
    return _Part(asks, notes, str(sum(_paid(entry) for entry in notes.values() if topic in entry.tags)))


_PARTS: Mapping[str, tuple[Callable[[Notes, Random], _Part], ...]] = {
    "easy": (_lookup, _count, _tag_month),
    "medium": (_latest, _merge, _delete_copies),
    "hard": (_merge, _delete_copies, _tag_month, _total),
}


def _of_month(notes: Notes, month: int) -> dict[int, Entry]:
    return {number: entry for number, entry in notes.items() if int(entry.created[5:7]) == month}


def _pairs(notes: Notes) -> list[tuple[int, int]]:
    """Give the numbers of notes that share a title, but not the text: earlier and later."""
    titled: dict[str, list[int]] = {}
    for number, entry in notes.items():
        titled.setdefault(entry.title, []).append(number)
    pairs = [(numbers[0], numbers[1]) for numbers in titled.values() if len(numbers) == 2]
    return [(first, last) for first, last in pairs if notes[first].body != notes[last].body]
