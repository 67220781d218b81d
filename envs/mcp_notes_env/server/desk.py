"""The agent's desk: one episode with its notebook, and the tools. Each public method of `TOOLS` is one.

Their arguments are validated before they are called, by the types below. What they cannot do they raise, which the agent
is told.
"""

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, mcp_notes_env.server
    from ..models import Level, McpNotesState, Note, NoteSummary
    from .notebook import MAX_TAGS, Entry, Notebook, Refused
    from .tasks import TODAY, Task, generate
else:  # as part of `server`, by `uvicorn server.app:app`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import Level, McpNotesState, Note, NoteSummary
    from server.notebook import MAX_TAGS, Entry, Notebook, Refused
    from server.tasks import TODAY, Task, generate

__all__ = ["TOOLS", "Desk"]

TOOLS = ("search_notes", "get_note", "add_note", "edit_note", "tag_note", "delete_note", "list_tags")
"""Those for every mode. `submit_answer` is for simulation only: a user's own notes have no episodes that end."""

Number = Annotated[int, Field(ge=1, le=2**31, description="The number of the note.")]
Title = Annotated[str, Field(min_length=1, max_length=200, description="One line.")]
Body = Annotated[str, Field(max_length=4000, description="The text, of as many lines as you like.")]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="A word in lower case.")]
Tags = Annotated[Sequence[Tag], Field(max_length=MAX_TAGS)]
Day = Annotated[date, Field(description="As YYYY-MM-DD.")]


class Desk:
    """An episode, or before the first one an empty notebook for as long as anybody likes.

    Attributes:
        book: The notes.
        task: What is asked; None before the first episode.
        state: What is known of the episode besides.
    """

    def __init__(self) -> None:
        self.book = Notebook()
        self.task: Task | None = None
        self.state = McpNotesState()
        self._is_open = True

    def begin(self, level: Level, seed: int, episode_id: str) -> None:
        """Begin an episode, with a notebook of its own."""
        task = generate(level, seed)
        book = Notebook()
        for entry in task.before.values():
            book.add(entry)
        state = McpNotesState(
            episode_id=episode_id, level=level, seed=seed, prompt=task.prompt, step_limit=task.step_limit
        )
        self._turn_to(book, task, state)

    def dump(self) -> bytes:
        """Give all of it: a line of JSON, and the database."""
        return self.state.model_dump_json().encode() + b"\n" + self.book.dump()

    def load(self, data: bytes) -> None:
        """Take over what `dump` gave."""
        said, _, held = data.partition(b"\n")
        state = McpNotesState.model_validate_json(said)
        task = None if state.level is None or state.seed is None else generate(state.level, state.seed)
        self._turn_to(Notebook(held), task, state)

    def close(self) -> None:
        """Let go of the notebook."""
        self.book.close()

    def admit(self) -> None:
        """Count a call, whatever comes of it; once the episode is over, tools will refuse instead."""
        self._is_open = not self.is_over
        if self._is_open:
            self.state.step_count += 1

    @property
    def is_cut_short(self) -> bool:
        """Whether the steps ran out before anything was submitted."""
        limit = self.state.step_limit
        return self.state.answer is None and limit is not None and self.state.step_count >= limit

    @property
    def is_over(self) -> bool:
        """Whether the episode has ended."""
        return self.state.answer is not None or self.is_cut_short

    def search_notes(
        self,
        text: Annotated[str, Field(max_length=200, description="Words, or how they begin. Empty: all notes.")] = "",
        tag: Tag | None = None,
        since: Day | None = None,
        until: Day | None = None,
        limit: Annotated[int, Field(ge=1, le=50, description="How many to give at most.")] = 20,
        skip: Annotated[int, Field(ge=0, le=10_000, description="How many to leave out, from the first.")] = 0,
    ) -> list[NoteSummary]:
        """Find the notes that have all the words, in title or text; the best come first, or else the oldest."""
        days = {"since": since.isoformat() if since else None, "until": until.isoformat() if until else None}
        found = self._open_book().search(text, tag=tag, **days, limit=limit, skip=skip)
        return [NoteSummary(**row) for row in found]

    def get_note(self, note_id: Number) -> Note:
        """Read a whole note."""
        return Note(**self._open_book().get(note_id))

    def add_note(self, title: Title, body: Body = "", tags: Tags = ()) -> Note:
        """Write a new note, of today."""
        today = date.today().isoformat() if self.task is None else TODAY
        return Note(**self._open_book().add(Entry(today, title, body, frozenset(tags))))

    def edit_note(
        self,
        note_id: Number,
        version: Annotated[int, Field(ge=1, le=2**31, description="Its version, as you have read it.")],
        title: Title | None = None,
        body: Body | None = None,
    ) -> Note:
        """Give a note another title or text; what you leave out stays. Fails if it was edited since you read it."""
        return Note(**self._open_book().edit(note_id, version, title, body))

    def tag_note(self, note_id: Number, add: Tags = (), remove: Tags = ()) -> Note:
        """Put tags on a note, and take others off."""
        return Note(**self._open_book().tag(note_id, add, remove))

    def delete_note(self, note_id: Number) -> str:
        """Delete a note for good."""
        self._open_book().delete(note_id)
        return f"Note {note_id} is deleted."

    def list_tags(self) -> dict[str, int]:
        """Count the notes of each tag."""
        return self._open_book().tags()

    def submit_answer(
        self,
        answer: Annotated[str, Field(max_length=200, description="The answer, where there was a question.")] = "",
    ) -> str:
        """Say that you are done: this ends the episode."""
        self._open_book()
        if self.task is None:
            raise Refused("nothing was asked for yet: reset begins an episode")
        self.state.answer = answer
        return "Thank you."

    def _open_book(self) -> Notebook:
        if not self._is_open:  # the last call that is admitted finds the steps used up, and is carried out
            raise Refused("the episode is over: reset begins another")
        return self.book

    def _turn_to(self, book: Notebook, task: Task | None, state: McpNotesState) -> None:
        previous, self.book, self.task, self.state = self.book, book, task, state
        previous.close()
