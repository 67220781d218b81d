"""How a session comes to have an environment, when environments live in the server's own process."""

from pydantic import BaseModel

from openenv.env import EnvironmentAdapter, EnvironmentSource, EnvironmentSpec, ServerMode, spec_of
from openenv.server.local import LocalSession, Runner
from openenv.server.workers import WorkerThread

__all__ = ["SessionBuilder"]

_RETIRE_S = 1.0
"""Idle seconds after which the helper thread of an async environment ends."""


class SessionBuilder:
    """Builds environments, each where its class wants its calls to run.

    Args:
        source: Where environments come from.
        action_class: What actions are validated against.
        step_timeout_s: Upper limit of every call; None for none.
        mode: What the server lets its callers do; environments with an attribute `_mode` are told.
    """

    def __init__(
        self,
        source: EnvironmentSource,
        action_class: type[BaseModel],
        *,
        step_timeout_s: float | None,
        mode: ServerMode = ServerMode.SIMULATION,
    ) -> None:
        self._source = source
        self._action_class = action_class
        self._step_timeout_s = step_timeout_s
        self._mode = mode
        self._shared_worker: WorkerThread | None = None

    async def build(self, session_id: str, owner: str | None = None) -> LocalSession:
        """Build an environment and a session around it.

        Raises:
            FactoryFailed: The environment could not be built.
        """
        spec = self._source.spec
        runner = self._runner_for(spec)
        try:
            environment = await runner.run(self._source.build)
        except BaseException:  # cancelling too: what was taken is given back
            runner.stop()
            raise
        learned = spec_of(type(environment))  # the source may have built one of another class since
        if spec is None and learned.is_blocking and learned.is_single_threaded:
            self._shared_worker = runner.share()
        if getattr(environment, "_mode", "") is None:  # it asks for it, and has none of its own making
            environment._mode = self._mode.value  # type: ignore[attr-defined]
        adapter = EnvironmentAdapter(environment, learned)
        timeout_s = self._step_timeout_s
        session = LocalSession(session_id, adapter, runner, self._action_class, step_timeout_s=timeout_s, owner=owner)
        session.is_discreet = self._mode is ServerMode.PRODUCTION
        return session

    async def stop(self) -> None:
        """Let go of what all sessions share; they have ended."""
        if self._shared_worker is not None:
            self._shared_worker.stop()

    def _runner_for(self, spec: EnvironmentSpec | None) -> Runner:
        if spec is not None and not spec.is_blocking:
            return Runner(None)
        if spec is not None and spec.is_single_threaded:
            self._shared_worker = self._shared_worker or WorkerThread("openenv-environments")
            return Runner(self._shared_worker, is_shared=True)
        retire_s = _RETIRE_S if spec is not None and spec.is_async else None
        return Runner(WorkerThread("openenv-environment", retire_s=retire_s))
