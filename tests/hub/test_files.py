"""`openenv.hub.files`: patterns of a `.dockerignore` name what Docker says they name."""

import pytest

from openenv.errors import ConfigurationError
from openenv.hub.files import is_excluded, patterns_in


@pytest.mark.parametrize(
    ("line", "named", "not_named"),
    [
        ("data", ["data", "data/x", "data/x/y"], ["a/data", "data2"]),
        ("/data/", ["data", "data/x"], ["a/data"]),
        ("./data", ["data"], []),
        ("*.csv", ["a.csv"], ["d/a.csv", "a.csv2"]),
        ("**/*.csv", ["a.csv", "d/a.csv", "d/e/a.csv"], ["csv"]),
        ("d/**", ["d/a", "d/e/a"], ["e"]),
        ("d/**/x", ["d/x", "d/e/f/x"], ["d/ex"]),
        ("?.txt", ["a.txt"], ["ab.txt", "/.txt"]),
        ("[a-c].txt", ["b.txt"], ["d.txt"]),
        ("a+b(c)", ["a+b(c)"], ["aab(c)"]),
        (r"\*", ["*"], ["a"]),
        ("a/../b", ["b"], ["a/b"]),
        ("[", ["["], ["a"]),
    ],
)
def test_pattern_names_paths_and_all_below_them(line: str, named: list[str], not_named: list[str]) -> None:
    patterns = patterns_in(line)
    assert [path for path in (*named, *not_named) if is_excluded(path, patterns)] == named


def test_the_last_pattern_that_matches_decides() -> None:
    patterns = patterns_in("# not these\n\n*\n!keep\n  keep/not  \n!\n")
    assert [path for path in ("a", "keep", "keep/a", "keep/not", "keep/not/a") if not is_excluded(path, patterns)] == [
        "keep",
        "keep/a",
    ]


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'\[z-a\]' is no pattern of file names"):
        patterns_in("[z-a]")
