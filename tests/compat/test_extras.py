"""The small functions and shapes that existing code imports."""

import asyncio
import contextvars
import threading

import pytest

from openenv.compat.extras import convert_to_ws_url, hf_space_subdomain, run_async_safely

_word = contextvars.ContextVar("_word", default="unset")


async def answer(delay_s: float = 0.0) -> tuple[str, str]:
    await asyncio.sleep(delay_s)
    return _word.get(), threading.current_thread().name


async def fail() -> None:
    raise LookupError("not there")


def test_a_coroutine_is_run_from_plain_code_in_its_own_thread() -> None:
    assert run_async_safely(answer()) == ("unset", threading.current_thread().name)


def test_a_coroutine_is_run_while_a_loop_runs_with_the_variables_of_its_caller() -> None:
    async def play() -> tuple[str, str]:
        _word.set("mine")
        return run_async_safely(answer())

    word, thread = asyncio.run(play())
    assert word == "mine"
    assert thread != threading.current_thread().name


def test_what_a_coroutine_raises_comes_out_either_way() -> None:
    async def play() -> None:
        run_async_safely(fail())

    with pytest.raises(LookupError, match="not there"):
        run_async_safely(fail())
    with pytest.raises(LookupError, match="not there"):
        asyncio.run(play())


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://localhost:8000", "ws://localhost:8000"),
        ("https://a.hf.space/", "wss://a.hf.space"),
        ("HTTPS://a", "wss://a"),
        ("localhost:8000", "ws://localhost:8000"),
        ("ws://a/b/", "ws://a/b"),
        ("wss://a", "wss://a"),
    ],
)
def test_the_socket_of_a_server_is_its_address_with_another_scheme(url: str, socket: str) -> None:
    assert convert_to_ws_url(url) == socket


def test_the_host_of_a_space_has_neither_capitals_nor_signs() -> None:
    assert hf_space_subdomain("Alice/My_Space.v2") == "alice-my-space-v2"
