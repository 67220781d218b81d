"""`openenv.scaffold.names`: one typed name, every derived one."""

import keyword
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.errors import ScaffoldError
from openenv.scaffold.names import COLOURS, EMOJI, MAX_LENGTH, Names, to_package_name


@pytest.mark.parametrize(
    ("raw", "package", "prefix", "title"),
    [
        ("my_env", "my_env", "My", "My"),
        ("my-env", "my_env", "My", "My"),
        ("MyEnv", "my_env", "My", "My"),
        ("myEnv", "my_env", "My", "My"),
        ("MY_ENV", "my_env", "My", "My"),
        ("echo", "echo", "Echo", "Echo"),
        ("my_game_env", "my_game_env", "MyGame", "My Game"),
        ("HTTPGame", "http_game", "HttpGame", "Http Game"),
        ("PlayHTTP", "play_http", "PlayHttp", "Play Http"),
        ("grid2_d", "grid2_d", "Grid2D", "Grid2 D"),
        ("Grid2D", "grid2_d", "Grid2D", "Grid2 D"),
        ("Grid2Game", "grid2_game", "Grid2Game", "Grid2 Game"),
        ("env_world", "env_world", "EnvWorld", "Env World"),
        ("env_env", "env_env", "Env", "Env"),
        ("myenv", "myenv", "Myenv", "Myenv"),
    ],
)
def test_every_spelling_gives_package_classes_and_title(raw: str, package: str, prefix: str, title: str) -> None:
    names = Names.parse(raw)
    assert (names.package, names.class_prefix, names.title) == (package, prefix, title)


def test_spelling_makes_no_difference() -> None:
    assert Names.parse("my_env") == Names.parse("my-env") == Names.parse("MyEnv")


def test_distribution_and_image_are_named_after_the_package() -> None:
    names = Names.parse("my_game_env")
    assert names.distribution == "openenv-my-game-env"
    assert names.image == "my_game_env-env"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "is empty"),
        ("2d_grid", "starts with a digit"),
        ("a/b", "is a path"),
        ("..\\b", "is a path"),
        ("my env", "contains ' '"),
        ("my.env", "contains '.'"),
        ("größe", "contains 'ö'"),
        ("env٣", "contains '٣'"),
        ("_env", "at an end"),
        ("my_", "at an end"),
        ("my__env", "twice in a row"),
        ("my-_env", "twice in a row"),
        ("a" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH}"),
        ("class", "a word of Python"),
        ("True", "a word of Python"),
        ("NONE", "a word of Python"),
        ("match", "a word of Python"),
        ("type", "a word of Python"),
        ("true_env", "would start its classes with True"),
        ("json", "standard library"),
        ("test", "standard library"),
        ("openenv", "OpenEnv's own"),
        ("OpenenvCore", "OpenEnv's own"),
        ("core", "exists already"),
        ("runtime", "exists already"),
        ("server", "inside every environment"),
        ("Models", "inside every environment"),
        ("null", "other than text"),
        ("env", "a word of its own"),
    ],
)
def test_unusable_names_are_refused_with_one_sentence_and_exit_2(raw: str, reason: str) -> None:
    with pytest.raises(ScaffoldError, match=reason) as refused:
        Names.parse(raw)
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)


def test_names_of_installed_packages_are_refused() -> None:
    with pytest.raises(ScaffoldError, match="installed here"):
        Names.parse("NumPyro", installed={"num_pyro"})


def test_longest_name_is_accepted() -> None:
    assert Names.parse("a" * MAX_LENGTH).package == "a" * MAX_LENGTH


@pytest.mark.parametrize("word", sorted({*keyword.kwlist, *keyword.softkwlist, *sys.stdlib_module_names}))
def test_no_word_or_module_of_python_is_accepted(word: str) -> None:
    with pytest.raises(ScaffoldError):
        Names.parse(word.lower())


def test_advice_of_a_taken_name_is_a_name_that_works() -> None:
    for taken in ("class", "json", "env", "server", "true_env"):
        with pytest.raises(ScaffoldError) as refused:
            Names.parse(taken)
        assert refused.value.hint
        Names.parse(refused.value.hint.removeprefix("try "))


def test_looks_never_change() -> None:
    names = Names.parse("my_env")
    assert (names.emoji, names.colour_from, names.colour_to) == ("🐙", "purple", "pink")


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([_-][A-Za-z0-9]{1,8}){0,4}", fullmatch=True))
def test_every_accepted_name_gives_usable_names(raw: str) -> None:
    try:
        names = Names.parse(raw)
    except ScaffoldError:
        return
    assert names.package.isidentifier()
    assert names.package == names.package.lower()
    assert f"{names.class_prefix}Action".isidentifier()
    assert len(names.class_prefix) <= len(names.package)
    assert names.emoji in EMOJI
    assert {names.colour_from, names.colour_to} <= set(COLOURS)
    assert names.colour_from != names.colour_to
    assert to_package_name(names.package) == names.package
