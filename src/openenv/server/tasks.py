"""The task routes: which tasks an environment has, in which splits, for those who draw up a training run.

They are answered by the class where its methods need no instance, else by one instance that is built for them when the
first is asked for. It is no session, takes no place, and is never reset or stepped. Its sync methods run on a thread of
their own, one at a time; with `isolation="process"`, too, it lives in the server's process.
"""

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from openenv.env import EnvironmentAdapter, EnvironmentSource, spec_of
from openenv.env.encoding import encode_reply
from openenv.env.http_models import (
    GetTaskRangeRequest,
    GetTaskRequest,
    ListTasksRequest,
    NumTasksRequest,
)
from openenv.env.tasks import blamed, unsupported
from openenv.errors import AtCapacity, BadRequest, EnvironmentFailed, NotSupported, RemoteFault, StepTimedOut
from openenv.protocol import Fault, exception_for
from openenv.server.http import Handler, answering, json_answer, orchestrator_only, read_body, validated
from openenv.server.production import discreet
from openenv.server.workers import WorkerThread

__all__ = ["MAX_TASKS", "Tasks", "task_routes"]

MAX_TASKS = 100_000
"""Tasks in one answer; of more, ask for a range."""

_MAX_WAITING = 64
_LIMIT_S = 60.0
_TYPES = ("train", "validation", "test")


class Tasks:
    """Asks an environment for its tasks.

    Args:
        source: Where environments come from.
        timeout_s: Time limit of a call in seconds; None for 60.
        is_discreet: Whether what exceptions of the environment say stays here.
    """

    def __init__(self, source: EnvironmentSource, *, timeout_s: float | None, is_discreet: bool = False) -> None:
        self._source = source
        self._is_discreet = is_discreet
        self._timeout_s = timeout_s or _LIMIT_S
        self._worker = WorkerThread("openenv-tasks")
        self._instance: Any = None
        self._waiting = 0

    async def ask(self, method: str, **arguments: Any) -> Any:
        """Call one of the environment's task methods, and give what it returned as JSON can say it.

        Raises:
            NotSupported: The environment has no such method.
            BadRequest: It has no such split, or no such task, or more of them than one answer may hold.
            EnvironmentFailed: It raised something else, or could not be built.
            StepTimedOut: It took too long.
            AtCapacity: Too many callers wait for theirs already.
        """
        if self._waiting >= _MAX_WAITING:
            raise AtCapacity("CAPACITY_REACHED", "Too many callers wait for tasks.", {"retry_after_s": 5.0})
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                return orjson.loads(await self._ask(method, arguments))["it"]
        except EnvironmentFailed as error:
            if not self._is_discreet:
                raise
            raise exception_for(discreet(Fault.of(error))) from error
        except TimeoutError:
            sentence = f"{method} did not finish within {self._timeout_s:g} s."
            raise StepTimedOut("TIMED_OUT", sentence, {"timeout_s": self._timeout_s}) from None
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Close the instance, if one was built."""
        if self._instance is not None and not self._source.is_instance:
            instance, self._instance = self._instance, None
            adapter = EnvironmentAdapter(instance, spec_of(type(instance)))  # type: ignore[arg-type]  # a class is hashable
            closing = self._worker.submit(adapter.close)
            await asyncio.wait({closing}, timeout=self._timeout_s)
            if closing.done() and (still := closing.result()) is not None:
                await still
        self._worker.stop()

    async def _ask(self, method: str, arguments: Mapping[str, Any]) -> bytes:
        owner = self._owner(method) or await self._worker.submit(self._built)
        function = getattr(owner, method, None)
        if function is None:
            raise unsupported(method)
        source = f"{self._source.name}.{method}"
        try:
            if inspect.iscoroutinefunction(function):
                return _encoded(await function(**arguments), source)
            return await self._worker.submit(lambda: _encoded(function(**arguments), source))
        except RemoteFault:
            raise
        except (Exception, SystemExit) as error:  # the environment's code, which is not ours
            raise blamed(error, method, arguments, source) from error

    def _owner(self, method: str) -> Any:
        """Say who can be asked without building anybody; None when somebody must be built."""
        spec = self._source.spec
        if spec is None:
            return None
        found = inspect.getattr_static(spec.environment_class, method, None)
        if found is None and not self._source.is_instance:
            raise unsupported(method)
        if isinstance(found, classmethod | staticmethod):
            return spec.environment_class
        if spec.is_single_threaded and not self._source.is_instance:
            sentence = f"Instances of {spec.name} must share one thread, so {method} must be a class method."
            raise NotSupported("NOT_SUPPORTED", sentence)
        return None

    def _built(self) -> Any:
        if self._instance is None:
            self._instance = self._source.build()
        return self._instance


def task_routes(tasks: Tasks, name: Callable[[], str], *, max_body_bytes: int) -> APIRouter:
    """Build the router of the task routes, for callers with the orchestrator's token.

    Args:
        tasks: Who is asked.
        name: Gives the environment's name, which is part of each path; in upper or lower case.
        max_body_bytes: Largest body taken.
    """
    router = APIRouter(tags=["Task API"])

    async def environments(request: Request) -> Response:
        orchestrator_only(request)
        return json_answer([name()])

    def asking(method: str, model: type[BaseModel] | None, shape: Callable[[Any], Any]) -> Handler:
        async def ask(request: Request) -> Response:
            orchestrator_only(request)
            asked = request.path_params["env_name"]
            if asked.casefold() != name().casefold():
                raise BadRequest("NOT_FOUND", f"unknown environment {asked!r}")
            body = {} if model is None else _arguments(validated(model, await read_body(request, max_body_bytes)))
            return json_answer(shape(await tasks.ask(method, **body)))

        return answering(ask)

    router.add_api_route("/list_environments", answering(environments), methods=["GET"], summary="The environment")
    for path, method, model, summary, shape in (
        ("splits", "list_splits", None, "The splits of its tasks", lambda splits: [_split(each) for each in splits]),
        ("tasks", "list_tasks", ListTasksRequest, "A split", lambda tasks: {"tasks": tasks, "env_name": name()}),
        ("num_tasks", "num_tasks", NumTasksRequest, "How many tasks a split has", lambda count: {"num_tasks": count}),
        ("task", "get_task", GetTaskRequest, "One task of a split", lambda task: {"task": task}),
        ("task_range", "get_task_range", GetTaskRangeRequest, "Some tasks of a split", lambda tasks: {"tasks": tasks}),
    ):
        router.add_api_route(
            f"/{{env_name}}/{path}",
            asking(method, model, shape),
            methods=["GET" if model is None else "POST"],
            summary=summary,
            openapi_extra=_documented(model),
        )
    return router


def _arguments(body: BaseModel) -> dict[str, Any]:
    """Give the arguments of a task method. A negative index would count from the end, and hide a caller's mistake."""
    arguments = body.model_dump()
    for name, value in arguments.items():
        if isinstance(value, int) and value < 0:
            raise BadRequest("NO_SUCH_TASK", f"{name} is {value}; tasks are counted from 0")
    return arguments


def _encoded(value: Any, source: str) -> bytes:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | BaseModel):
        value = list(itertools.islice(value, MAX_TASKS + 1))
        if len(value) > MAX_TASKS:
            raise BadRequest("TOO_LARGE", f"There are more than {MAX_TASKS} tasks; ask for a range of them.")
    encoded = encode_reply({"it": value}, source=source)
    assert encoded is not None  # it was something
    return encoded


def _split(given: Any) -> Any:
    """Describe a split that was named only; one whose name is none of the usual is taken to be for validation."""
    return {"name": given, "type": given if given in _TYPES else "validation"} if isinstance(given, str) else given


def _documented(model: type[BaseModel] | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}
