"""Tests of the notebook alone: what hostile text does, which is nothing, and what is found."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_notes_env.server.notebook import MAX_NOTES, MAX_TAGS, Entry, Notebook, Refused

HOSTILE = (
    "'; DROP TABLE notes; --",
    '" OR 1=1 --',
    "x') UNION SELECT name, sql, 1, 1 FROM sqlite_master --",
    'title:"a" NEAR(b) NOT *',
    "%_\\",
    "a\0b",
    "' || (SELECT group_concat(body) FROM notes) || '",
)


def entry(title: str, body: str = "", *tags: str, created: str = "2025-05-01") -> Entry:
    return Entry(created, title, body, frozenset(tags))


@pytest.fixture(params=[True, False], ids=["index", "like"])
def book(request: pytest.FixtureRequest) -> Notebook:
    return Notebook(has_index=request.param)


def find(book: Notebook, text: str = "", **filters: str | int | None) -> list[int]:
    defaults: dict[str, str | int | None] = {"tag": None, "since": None, "until": None, "limit": 50, "skip": 0}
    return [found["id"] for found in book.search(text, **(defaults | filters))]


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_in_arguments_is_text_like_any_other(book: Notebook, text: str) -> None:
    book.add(entry("secret", "hidden"))
    note = book.add(entry(text, text, text))
    assert (note["title"], note["body"], note["tags"]) == (text, text, [text])
    assert book.edit(2, 1, text * 2, None)["title"] == text * 2
    assert 1 not in find(book, text)
    assert find(book, tag=text) == [2]
    assert find(book, tag="'x' OR 1=1", since=text) == []
    assert book.tag(2, [text + "2"], [text])["tags"] == [text + "2"]
    book.delete(2)
    assert book.contents() == {1: entry("secret", "hidden")}


def test_search_finds_notes_that_have_all_words(book: Notebook) -> None:
    book.add(entry("Garden: roses", "Paid 5 euros.", "garden", created="2025-01-31"))
    book.add(entry("Kitchen", "roses on the table; a_b", "kitchen", "garden"))
    book.add(entry("Übung", "nothing else", created="2025-06-01"))
    assert sorted(find(book, "ROSES")) == [1, 2]
    assert find(book, "rose table") == [2]
    assert find(book, "rose, paid!") == [1]
    assert find(book, "roses absent") == []
    assert find(book, "a_b") == [2]
    assert find(book, "?!") == find(book) == [1, 2, 3]
    assert find(book, tag="garden", since="2025-02-01") == [2]
    assert find(book, since="2025-02-01", until="2025-05-01") == [2]
    assert (find(book, limit=1), find(book, limit=1, skip=2), find(book, skip=3)) == ([1], [3], [])
    assert book.tags() == {"garden": 2, "kitchen": 1}
    book.edit(2, 1, None, "changed")
    book.delete(1)
    assert (find(book, "roses"), find(book, "changed")) == ([], [2])
    assert book.tags() == {"garden": 1, "kitchen": 1}


def test_an_edit_of_what_was_edited_since_is_refused_and_changes_nothing(book: Notebook) -> None:
    book.add(entry("one", "text"))
    assert book.edit(1, 1, None, "mine")["version"] == 2
    with pytest.raises(Refused, match="note 1 has version 2, not 1"):
        book.edit(1, 1, "theirs", None)
    assert book.contents() == {1: entry("one", "mine")}


def test_what_is_not_there_is_refused_by_number(book: Notebook) -> None:
    for call in (
        book.get,
        book.delete,
        lambda number: book.edit(number, 1, "x", "y"),
        lambda number: book.tag(number, "x", ""),
    ):
        with pytest.raises(Refused, match="there is no note 7"):
            call(7)
    book.add(entry("one"))
    book.delete(1)
    assert book.add(entry("two"))["id"] == 2, "no number is given twice"


def test_limits_are_kept_and_nothing_is_half_done(book: Notebook) -> None:
    tags = [f"t{number}" for number in range(MAX_TAGS)]
    book.add(entry("first", "", *tags))
    with pytest.raises(Refused, match=f"a note may have {MAX_TAGS} tags"):
        book.tag(1, ["one-more"], [])
    with pytest.raises(Refused, match="tags"):
        book.add(entry("second", "", *tags, "one-more"))
    assert len(book) == 1
    for number in range(MAX_NOTES - 1):
        book.add(entry(str(number)))
    with pytest.raises(Refused, match=f"the notebook is full: it has {MAX_NOTES} notes"):
        book.add(entry("too many"))
    assert len(book) == MAX_NOTES


def test_a_copy_goes_its_own_way(book: Notebook) -> None:
    book.add(entry("one", "words", "tag"))
    copy = Notebook(book.dump())
    assert (copy.contents(), copy.has_index) == (book.contents(), book.has_index)
    assert copy.add(entry("two", "words"))["id"] == 2
    assert (sorted(find(copy, "words")), find(book, "words")) == ([1, 2], [1])


def test_threads_share_it(book: Notebook) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: book.add(entry(str(number)))["id"], range(100)))
    assert sorted(made) == list(book.contents()) == list(range(1, 101))
