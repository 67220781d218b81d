"""`openenv.hub.dockerfile`: what is changed, and that nothing else is."""

import pytest

from openenv.errors import ConfigurationError
from openenv.hub.dockerfile import (
    copied_paths,
    exposed_port,
    instructions,
    with_base_image,
    with_variable,
    without_path,
)

CACHE = "--mount=type=cache,target=/c"
TWO_STAGES = """\
# The base below is FROM python:3.9, long ago.
FROM node:20 AS page
CMD ["node"]

FROM python:3.11-slim AS build
RUN echo \\
    # FROM nothing: a comment inside an instruction
    FROM python:3.11-slim
CMD ["true"]

FROM --platform=linux/amd64 python:3.11-slim
COPY --from=build /app /app
CMD ["server"]
"""


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def test_variable_goes_into_the_stage_that_is_built_last_and_not_before_the_first_cmd() -> None:
    assert with_variable(TWO_STAGES, "WEB", "true") == TWO_STAGES + "ENV WEB=true\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM x", "FROM x\nENV A=1\n"),
        ("FROM x\r\nCMD y\r\n", "FROM x\r\nCMD y\r\nENV A=1\r\n"),
        ("FROM x\nRUN y \\\n", "FROM x\nENV A=1\nRUN y \\\n"),
        ("FROM x\nRUN y \\\n# end\n", "FROM x\nENV A=1\nRUN y \\\n# end\n"),
        ("FROM x\nENV A=0\n\n# end\n", "FROM x\nENV A=0\nENV A=1\n\n# end\n"),
        ("# escape=`\nFROM x\nRUN y `\n z\\\n", "# escape=`\nFROM x\nRUN y `\n z\\\nENV A=1\n"),
        ("FROM x\nRUN <<EOF\nCMD y\nEOF\n", "FROM x\nRUN <<EOF\nCMD y\nEOF\nENV A=1\n"),
    ],
)
def test_variable_is_the_last_word_and_no_instruction_swallows_it(text: str, expected: str) -> None:
    assert with_variable(text, "A", "1") == expected


def test_base_image_changes_the_from_of_the_last_stage_and_of_those_that_name_the_same() -> None:
    assert changed_lines(TWO_STAGES, with_base_image(TWO_STAGES, "mine:1")) == [
        ("FROM python:3.11-slim AS build", "FROM mine:1 AS build"),
        ("FROM --platform=linux/amd64 python:3.11-slim", "FROM --platform=linux/amd64 mine:1"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG B=old\nFROM ${B} AS a\nFROM $B\n", "ARG B=new:1\nFROM ${B} AS a\nFROM $B\n"),
        ("ARG B\nFROM $B\n", "ARG B=new:1\nFROM $B\n"),
        ('ARG A=1 B="old" C=2\nFROM ${B}\n', "ARG A=1 B=new:1 C=2\nFROM ${B}\n"),
        ("ARG B=old\nFROM ${B:-x}\nARG B=later\n", "ARG B=new:1\nFROM ${B:-x}\nARG B=later\n"),
        ("ARG V=3\nFROM python:${V}-slim\n", "ARG V=3\nFROM new:1\n"),
        ("FROM $NOWHERE\n", "FROM new:1\n"),
        ("FROM a AS Base\nFROM b\nFROM base\n", "FROM new:1 AS Base\nFROM b\nFROM base\n"),
        ("from a as b # c\n", "from new:1 as b # c\n"),
        ("FROM \\\n  # why\n  a\r\n", "FROM \\\n  # why\n  new:1\r\n"),
        ("# escape=`\nFROM `\n  a\n", "# escape=`\nFROM `\n  new:1\n"),
        ("# syntax=docker/dockerfile:1\nFROM a\n", "# syntax=docker/dockerfile:1\nFROM new:1\n"),
        ("FROM a\nCOPY <<END /x\nFROM a\nEND\n", "FROM new:1\nCOPY <<END /x\nFROM a\nEND\n"),
        ("FROM a\nRUN echo $((1<<N)) <<'END'\nFROM a\n", "FROM new:1\nRUN echo $((1<<N)) <<'END'\nFROM a\n"),
        ("FROM registry:5000/a:1@sha256:abc\n", "FROM new:1\n"),
    ],
)
def test_base_image_is_put_where_the_last_stage_gets_its_own(text: str, expected: str) -> None:
    assert with_base_image(text, "new:1") == expected


@pytest.mark.parametrize("image", ["", "a b", "-x", "a\nRUN b", "$B", '"a"'])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of an image"):
        with_base_image("FROM a", image)


@pytest.mark.parametrize("text", ["", "# FROM a\n", "RUN a\n"])
def test_a_file_without_a_from_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="has no FROM, so it builds nothing"):
        with_variable(text, "A", "1")


def test_a_from_without_an_image_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has a FROM without an image: 'FROM'"):
        with_base_image("FROM\n", "a")


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("FROM a\nEXPOSE 9000\nFROM b\nEXPOSE 8001/tcp\n", 8001),
        ("FROM a\nEXPOSE 9000\nFROM b\n", None),
        ("FROM a\nEXPOSE 1 2\n", None),
        ("FROM a\nEXPOSE $PORT\n", None),
        ("FROM a\nEXPOSE 70000\n", None),
        ("FROM a\nEXPOSE 53/udp\n", None),
        ("FROM a\nEXPOSE 80\nEXPOSE 80\n", 80),
    ],
)
def test_exposed_port_is_that_of_the_last_stage_if_there_is_one(text: str, port: int | None) -> None:
    assert exposed_port(text) == port


def test_copied_paths_are_the_plain_ones_of_the_folder() -> None:
    text = """\
FROM a
COPY pyproject.toml uv.lock \\
     ./server ./
COPY --chown=1:1 x/ /y
COPY --from=b /nope /
COPY . /app
ADD https://example.org/z /z
COPY *.txt $X /c
COPY ["nope", "/d"]
COPY <<END /inline
COPY nope .
END
RUN COPY nope .
"""
    assert copied_paths(text) == ["pyproject.toml", "uv.lock", "server", "x"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("COPY pyproject.toml uv.lock ./", "COPY pyproject.toml ./"),
        ("COPY --chown=1:1 ./uv.lock a ./", "COPY --chown=1:1 a ./"),
        ("ADD a uv.lock \\\n    ./ # x", "ADD a ./ # x"),
        ("COPY uv.lock uv.lock", ""),
        ("COPY --from=b uv.lock ./", None),
        ("COPY uv.lock* a/uv.lock my-uv.lock ./", None),
        ('COPY ["uv.lock", "./"]', None),
        ("RUN cat uv.lock", None),
        (
            "RUN --mount=type=bind,source=uv.lock,target=uv.lock --mount=type=cache,target=/c x",
            "RUN --mount=type=cache,target=/c x",
        ),
        ("RUN --mount=type=bind,source=a/uv.lock,target=uv.lock x", None),
    ],
)
def test_a_path_that_is_not_there_is_not_copied_and_the_rest_is(before: str, after: str | None) -> None:
    expected = before if after is None else after
    text = f"FROM a\n{before}\nCMD x\n"
    assert without_path(text, "uv.lock") == f"FROM a\n{expected}\nCMD x\n".replace("\n\n", "\n")


def test_instructions_put_together_again_are_the_file() -> None:
    found = instructions(TWO_STAGES)
    assert [each.keyword for each in found] == ["FROM", "CMD", "FROM", "RUN", "CMD", "FROM", "COPY", "CMD"]
    assert all(TWO_STAGES[each.start : each.end] == each.text for each in found)
