"""What publishing changes in a Dockerfile: the base, a variable, and paths that are not there. Text in, text out.

A Dockerfile is read as its instructions, so that a FROM in a comment, in a shell script or in an earlier stage is not
taken for the one that counts. Everything that is not changed stays as it was, to the byte. What the changes are for is
decided by who asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from openenv.errors import ConfigurationError

__all__ = [
    "Instruction",
    "copied_paths",
    "exposed_port",
    "instructions",
    "with_base_image",
    "with_variable",
    "without_path",
]

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_HEREDOC = re.compile(r"\s\d*<<-?([\"']?)([A-Za-z_][\w.-]*)\1(?=\s|$)")
_TAKES_HEREDOC = frozenset({"RUN", "COPY", "ADD"})
_WHOLE_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-[^}]*)?\})")
_PLAIN_PATH = re.compile(r"(?!\w+://|git@)[^$*?\[\]\"'<#]+")
_IMAGE = re.compile(r"[A-Za-z0-9][^\s\"'$`\\]*")


@dataclass(frozen=True)
class Instruction:
    """One instruction, with the lines it takes up.

    Attributes:
        keyword: In capitals.
        text: As it stands in the file, with line ends.
        start: Where it begins in the file.
    """

    keyword: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the next line begins."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class _From:
    """A FROM taken apart: its image, where that stands in the file, and the name it gives its stage."""

    image: str
    start: int
    stage: str | None


def instructions(text: str) -> list[Instruction]:
    """Take a Dockerfile apart; comments and empty lines between instructions belong to none."""
    escape = _escape(text)
    found: list[Instruction] = []
    position = 0
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    while lines:
        line = lines.pop(0)
        taken = [line]
        if not _is_idle(line):
            while _goes_on(taken[-1], escape) and lines:
                taken.append(lines.pop(0))
                while lines and _is_idle(taken[-1]):  # a comment or an empty line does not end an instruction
                    taken.append(lines.pop(0))
            keyword = line.split(maxsplit=1)[0].upper()
            if keyword in _TAKES_HEREDOC:
                for _, delimiter in _HEREDOC.findall("".join(taken)):
                    taken += _until(delimiter, lines)
            found.append(Instruction(keyword, "".join(taken), position))
        position += sum(map(len, taken))
    return found


def with_variable(text: str, name: str, value: str) -> str:
    """Give the image that is built last an environment variable, whatever the file said of it before.

    Raises:
        ConfigurationError: There is no FROM.
    """
    found = instructions(text)
    _stages(found, text)
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"ENV {name}={value}{newline}"
    last = found[-1]
    if _is_open(last, _escape(text)):  # it would swallow what comes after it
        return text[: last.start] + line + text[last.start :]
    before = text[: last.end]
    return before + ("" if before.endswith("\n") else newline) + line + text[last.end :]


def with_base_image(text: str, image: str) -> str:
    """Build the last image on another base.

    The base is what its FROM names, followed through stages and through an `ARG` before the first FROM. A stage that
    names the very same image is built for this base, and moves with it; any other stage keeps its own.

    Raises:
        ConfigurationError: There is no FROM, or the image cannot be the name of one.
    """
    if not _IMAGE.fullmatch(image):
        raise ConfigurationError(f"{image!r} is no name of an image; write one such as python:3.12-slim")
    found = instructions(text)
    stages = _stages(found, text)
    base = _followed(stages).image
    first_from = next(each.start for each in found if each.keyword == "FROM")
    edits: list[tuple[int, int]] = []
    if whole := _WHOLE_VARIABLE.fullmatch(base):
        variable = whole[1] or whole[2]
        before = [each for each in found if each.keyword == "ARG" and each.start < first_from]
        arguments = [(each, place) for each in before if (place := _argument(each.text, variable))]
        if arguments:
            for each, (start, end) in reversed(arguments):
                text = text[: each.start + start] + f"{variable}={image}" + text[each.start + end :]
            return text
    edits = [(each.start, each.start + len(base)) for each in stages if each.image == base]
    for start, end in reversed(edits):
        text = text[:start] + image + text[end:]
    return text


def exposed_port(text: str) -> int | None:
    """Give the port that the image built last says it listens on; None when it says none, or several."""
    ports: set[str] = set()
    for each in instructions(text):
        if each.keyword == "FROM":
            ports.clear()
        elif each.keyword == "EXPOSE":
            ports.update(port.removesuffix("/tcp") for port in each.text.split()[1:])
    port = ports.pop() if len(ports) == 1 else ""
    return int(port) if port.isascii() and port.isdigit() and 0 < int(port) < 65536 else None


def copied_paths(text: str) -> list[str]:
    """List what is copied from the folder under a plain path: patterns, variables and the whole folder are left out."""
    escape = _escape(text)
    found = [path for each in instructions(text) for path in _sources(each, escape) if _PLAIN_PATH.fullmatch(path)]
    return [path for each in found if (path := _normal(each)) not in ("", ".")]


def without_path(text: str, path: str) -> str:
    """Neither copy nor mount a path of the folder; a COPY of nothing else goes, an exec form or a pattern stays."""
    escape = _escape(text)
    gap = rf"(?:\s|{re.escape(escape)}[ \t]*\r?\n)+"
    word = re.compile(rf"(?<=\s)(?:\./)?{re.escape(path)}{gap}")
    mount = re.compile(rf"\s--mount=(?:\S*,)?(?:source|src)=(?:\./)?{re.escape(path)}(?:,\S*)?(?=\s)")
    for each in reversed(instructions(text)):
        kept = each.text
        if path in (sources := [_normal(source) for source in _sources(each, escape)]):
            kept = "" if set(sources) == {path} else word.sub("", kept, count=1)
        elif each.keyword == "RUN":
            kept = mount.sub("", kept)
        text = text[: each.start] + kept + text[each.end :]
    return text


def _sources(instruction: Instruction, escape: str) -> list[str]:
    """List what an instruction copies from the folder, word by word."""
    words = instruction.text.replace(escape, " ").split()[1:]
    while words and words[0].startswith("--"):
        if words.pop(0).startswith("--from="):
            words = []
    is_other = "".join(words[:1]).startswith("[") or _HEREDOC.search(instruction.text)
    return [] if is_other or instruction.keyword not in ("COPY", "ADD") else words[:-1]


def _normal(path: str) -> str:
    return path.removeprefix("./").strip("/")


def _stages(found: Sequence[Instruction], text: str) -> list[_From]:
    gap = rf"(?:\s|{re.escape(_escape(text))}[ \t]*\r?\n|(?<=\n)\s*#[^\n]*\n)"
    pattern = re.compile(
        rf"\s*FROM{gap}+(?:--\S+{gap}+)*(?P<image>[^\s#]\S*)(?:{gap}+AS{gap}+(?P<stage>\S+))?", re.IGNORECASE
    )
    stages = []
    for each in found:
        if each.keyword == "FROM":
            if (parts := pattern.match(each.text)) is None:
                raise ConfigurationError(f"the Dockerfile has a FROM without an image: {each.text.strip()!r}")
            stages.append(_From(parts["image"], each.start + parts.start("image"), parts["stage"]))
    if not stages:
        raise ConfigurationError("the Dockerfile has no FROM, so it builds nothing")
    return stages


def _followed(stages: Sequence[_From]) -> _From:
    """Go from the last stage through the stages it is built on to the one that names an image."""
    at = len(stages) - 1
    while True:
        earlier = [i for i in range(at) if (stages[i].stage or "").lower() == stages[at].image.lower()]
        if not earlier:
            return stages[at]
        at = earlier[-1]


def _argument(text: str, variable: str) -> tuple[int, int] | None:
    """Find a variable and its default in an ARG instruction."""
    found = re.search(rf"(?<=\s){variable}(?:=(?:\"[^\"]*\"|'[^']*'|\S*))?(?=\s|$)", text)
    return found.span() if found else None


def _escape(text: str) -> str:
    """Give the character that lets an instruction go on in the next line, which a directive at the head may change."""
    for line in text.splitlines():
        if (directive := _DIRECTIVE.match(line.strip())) is None:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _is_idle(line: str) -> bool:
    return not (stripped := line.strip()) or stripped.startswith("#")


def _is_open(instruction: Instruction, escape: str) -> bool:
    lines = [line for line in instruction.text.splitlines() if not _is_idle(line)]
    return _goes_on(lines[-1], escape)


def _goes_on(line: str, escape: str) -> bool:
    return line.rstrip().endswith(escape)


def _until(delimiter: str, lines: list[str]) -> list[str]:
    taken = []
    while lines:
        taken.append(lines.pop(0))
        if taken[-1].strip() == delimiter:
            break
    return taken
