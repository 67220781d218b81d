"""`openenv.server.tasks`: the task routes, over environments that have tasks, lack them, and fail at them."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import numpy
import pytest
from pydantic import BaseModel

from openenv.env import EnvironmentSource, TaskProvider
from openenv.errors import AtCapacity, StepTimedOut
from openenv.server import ServerConfig, create_app
from openenv.server.tasks import MAX_TASKS, Tasks
from tests.server.peers import http
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving

QUESTIONS = {"train": ["1+1", "2+2", "3+3"], "test": ["4+4"]}


class Named(BaseModel):
    name: str
    type: str


class Quiz(EchoEnvironment):
    """Has tasks, as ordinary methods; counts how often it was built and closed, and on how many threads."""

    BLOCKING = True

    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self.notes = notes
        notes.append("built")

    def list_splits(self) -> list[Any]:
        return ["train", "test", "hard", {"name": "mine", "type": "train"}, Named(name="model", type="test")]

    def list_tasks(self, split: str) -> list[dict[str, str]]:
        return [{"question": each} for each in QUESTIONS[split]]

    def num_tasks(self, split: str) -> int:
        return len(QUESTIONS[split])

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        self.notes.append(threading.current_thread().name)
        return {"question": QUESTIONS[split][index], "weight": numpy.float32(0.5)}

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> Iterator[dict[str, str]]:
        return ({"question": each} for each in QUESTIONS[split][start:stop])

    def close(self) -> None:
        self.notes.append("closed")


class ByClass(EchoEnvironment):
    """Has some tasks, as methods of the class, and async; nobody may build it."""

    def __init__(self) -> None:
        raise AssertionError("nobody asked for one")

    @classmethod
    async def list_splits(cls) -> list[str]:
        return ["train"]

    @staticmethod
    def num_tasks(split: str) -> int:
        if split == "later":
            raise NotImplementedError
        return 7

    @classmethod
    def get_task(cls, split: str, index: int) -> Any:
        return _MISHAPS[index]()

    @classmethod
    def list_tasks(cls, split: str) -> Any:
        return iter(int, 1)  # which has no end


def _raise(error: BaseException) -> Any:
    raise error


_MISHAPS: list[Callable[[], Any]] = [
    lambda: _raise(ValueError("the key is under the mat")),
    lambda: {"weight": float("nan")},
    lambda: {"weight": object()},
    lambda: _raise(SystemExit(3)),
]


def app_of(env: Any, name: str | None = "Quiz_env", **settings: Any) -> Any:
    return create_app(env, EchoAction, EchoObservation, name, config=ServerConfig(**settings))


def post(client: httpx.Client, path: str, **body: Any) -> tuple[int, Any]:
    answer = client.post(f"/quiz_env/{path}", json=body)
    return answer.status_code, answer.json()


@pytest.fixture
def quiz(quizzing: str) -> Iterator[httpx.Client]:
    with http(quizzing) as client:
        yield client


@pytest.fixture(scope="module")
def quizzing() -> Iterator[str]:
    notes: list[str] = []
    with serving(app_of(partial(Quiz, notes))) as url:
        with http(url) as client:  # so that no test is blamed for the thread that begins with the first question
            assert post(client, "num_tasks", split="test") == (200, {"num_tasks": 1})
        yield url
    assert notes.count("built") == notes.count("closed") == 1
    assert set(notes) <= {"built", "closed", "openenv-tasks"}


# ---- what is wrong


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("task", {"split": "train", "index": 3}, 400),
        ("task", {"split": "train", "index": -1}, 400),
        ("task_range", {"split": "train", "start": -1}, 400),
        ("task_range", {"split": "train", "stop": -5}, 400),
        ("task", {"split": "nowhere", "index": 0}, 404),
        ("tasks", {"split": "nowhere"}, 404),
        ("num_tasks", {"split": "nowhere"}, 404),
        ("num_tasks", {}, 422),
        ("num_tasks", {"split": 5}, 422),
        ("tasks", {"split": "train", "more": 1}, 422),
        ("task", {"split": "train"}, 422),
        ("task", {"split": "train", "index": "first"}, 422),
        ("task", {"split": "train", "index": 10**400}, 400),
        ("task_range", {"split": "train", "start": 1.5}, 422),
    ],
)
def test_what_there_is_none_of_is_told(quiz: httpx.Client, path: str, body: dict[str, Any], status: int) -> None:
    answer = post(quiz, path, **body)
    assert answer[0] == status, answer


def test_unknown_environment_is_named(quiz: httpx.Client) -> None:
    for answer in (quiz.get("/other/splits"), quiz.post("/other/tasks", json={"split": "train"})):
        assert (answer.status_code, answer.json()["detail"]) == (404, "unknown environment 'other'")


def test_body_that_is_no_object_or_too_large_is_refused() -> None:
    notes: list[str] = []
    with serving(app_of(partial(Quiz, notes), max_body_bytes=100)) as url, http(url) as client:
        assert client.post("/quiz_env/tasks", json=["train"]).status_code == 422
        assert client.post("/quiz_env/tasks", json={"split": "x" * 200}).status_code == 413
        assert client.post("/quiz_env/tasks", data={"split": "train"}).status_code == 415
    assert notes == []


@pytest.mark.parametrize(
    ("mode", "index", "status", "said"),
    [
        ("simulation", 0, 500, "the key is under the mat"),
        ("production", 0, 500, "server's log"),
        ("simulation", 1, 500, "nan, which JSON cannot carry"),
        ("simulation", 2, 500, "cannot be written as JSON"),
        ("simulation", 3, 500, "3"),
    ],
)
def test_failure_of_a_method_is_a_fault_and_the_server_lives_on(mode: str, index: int, status: int, said: str) -> None:
    with serving(app_of(ByClass, mode=mode)) as url, http(url) as client:
        got, body = post(client, "task", split="train", index=index)
        assert got == status
        assert said in body["detail"]
        assert ("under the mat" in str(body)) == (said == "the key is under the mat")
        assert post(client, "num_tasks", split="train") == (200, {"num_tasks": 7})


def test_missing_method_is_named_without_building_anybody() -> None:
    cases: list[tuple[Any, str, str]] = [
        (ByClass, "task_range", "get_task_range"),
        (ByClass, "num_tasks", "num_tasks"),
        (EchoEnvironment, "tasks", "list_tasks"),
        (EchoEnvironment(), "tasks", "list_tasks"),
        (lambda: EchoEnvironment(), "tasks", "list_tasks"),
    ]
    for env, path, method in cases:
        with serving(app_of(env)) as url, http(url) as client:
            status, body = post(client, path, split="later")
        assert (status, body["detail"]) == (501, f"{method} is not supported for this environment")


def test_environment_that_must_share_a_thread_is_not_built_on_another() -> None:
    class Browser(Quiz):
        REQUIRES_SINGLE_THREAD_EXECUTOR = True

    with serving(app_of(partial(Browser, []))) as url, http(url) as client:
        status, body = post(client, "num_tasks", split="train")
    assert (status, "must be a class method" in body["detail"]) == (501, True)


def test_endless_list_is_cut_off_and_refused() -> None:
    with serving(app_of(ByClass)) as url, http(url) as client:
        status, body = post(client, "tasks", split="train")
    assert (status, body["code"]) == (413, "TOO_LARGE")
    assert str(MAX_TASKS) in body["detail"]


def test_environment_that_cannot_be_built_is_a_fault() -> None:
    class Broken(Quiz):
        def __init__(self) -> None:
            raise ValueError("no disk")

    with serving(app_of(Broken)) as url, http(url) as client:
        for _ in range(2):
            assert post(client, "num_tasks", split="train")[0] == 500


@pytest.mark.anyio
async def test_method_that_hangs_is_given_up_and_the_queue_is_bounded() -> None:
    gate = threading.Event()

    class Hanging(EchoEnvironment):
        @staticmethod
        def num_tasks(split: str) -> int:
            gate.wait(10)
            return 1

    tasks = Tasks(EnvironmentSource(Hanging), timeout_s=0.05)
    try:
        with pytest.raises(StepTimedOut):
            await tasks.ask("num_tasks", split="train")
        tasks._waiting = 64
        with pytest.raises(AtCapacity):
            await tasks.ask("num_tasks", split="train")
    finally:
        gate.set()
        await tasks.close()


def test_agent_is_told_nothing() -> None:
    with (
        serving(app_of(ByClass, token="boss", agent_token="hand")) as url,
        http(url, headers={"Authorization": "Bearer hand"}) as client,
    ):
        assert client.get("/list_environments").status_code == 403
        assert client.get("/quiz_env/splits").status_code == 403
        assert post(client, "num_tasks", split="train")[0] == 403


# ---- what there is


def test_tasks_are_told_as_they_are(quiz: httpx.Client) -> None:
    assert quiz.get("/list_environments").json() == ["Quiz_env"]
    assert quiz.get("/QUIZ_ENV/splits").json() == [
        {"name": "train", "type": "train"},
        {"name": "test", "type": "test"},
        {"name": "hard", "type": "validation"},
        {"name": "mine", "type": "train"},
        {"name": "model", "type": "test"},
    ]
    listed = [{"question": each} for each in QUESTIONS["train"]]
    assert post(quiz, "tasks", split="train") == (200, {"tasks": listed, "env_name": "Quiz_env"})
    assert post(quiz, "num_tasks", split="train") == (200, {"num_tasks": 3})
    assert post(quiz, "task", split="test", index=0) == (200, {"task": {"question": "4+4", "weight": 0.5}})
    for start, stop in ((None, None), (1, None), (None, 2), (1, 2), (0, 0), (5, 9), (0, 10**9)):
        given = {name: value for name, value in (("start", start), ("stop", stop)) if value is not None}
        assert post(quiz, "task_range", split="train", **given) == (200, {"tasks": listed[start:stop]})


def test_session_is_not_what_tells() -> None:
    notes: list[str] = []
    app = app_of(partial(Quiz, notes), max_sessions=1)
    with serving(app) as url, http(url) as client:
        client.post("/reset")
        assert post(client, "num_tasks", split="train")[0] == 200
        assert app.state.openenv.active == 1
        assert notes == ["built", "built"]


def test_class_and_async_methods_need_no_instance() -> None:
    with serving(app_of(ByClass, None)) as url, http(url) as client:
        assert client.get("/list_environments").json() == ["ByClass"]
        assert client.get("/byclass/splits").json() == [{"name": "train", "type": "train"}]
        assert client.post("/byclass/num_tasks", json={"split": "x"}).json() == {"num_tasks": 7}


def test_routes_are_in_the_document_and_the_protocol_is_one_to_check_against(quiz: httpx.Client) -> None:
    described = quiz.get("/openapi.json").json()["paths"]
    assert described["/{env_name}/task"]["post"]["tags"] == ["Task API"]
    asked = described["/{env_name}/task"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert asked["required"] == ["split", "index"]
    assert isinstance(Quiz([]), TaskProvider)
    assert not isinstance(EchoEnvironment(), TaskProvider)
