"""`openenv.server.workers`: one thread, its jobs in order."""

import asyncio
import threading
from functools import partial

import pytest

from openenv.errors import EnvironmentFailed
from openenv.server.workers import WorkerThread
from tests.server.stage import Stage

pytestmark = pytest.mark.anyio


def running(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_there_is_no_thread_before_the_first_job_nor_after_stop() -> None:
    worker = WorkerThread("lazy")
    worker.stop()
    assert not running("lazy")
    thread = await worker.submit(threading.current_thread)
    assert running("lazy") == [thread]
    worker.stop()
    await asyncio.to_thread(thread.join, 5)
    assert not running("lazy")


async def test_jobs_run_in_order_on_one_thread() -> None:
    worker, ran = WorkerThread("orderly"), list[tuple[int, str]]()

    def job(number: int) -> None:
        ran.append((number, threading.current_thread().name))

    await asyncio.gather(*[worker.submit(partial(job, number)) for number in range(20)])
    assert ran == [(number, "orderly") for number in range(20)]
    assert len(running("orderly")) == 1
    worker.stop()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), StopIteration(1)], ids=repr)
async def test_what_a_job_raises_reaches_whoever_waits(error: BaseException) -> None:
    def job() -> None:
        raise error

    worker = WorkerThread("failing")
    future = worker.submit(job)
    await asyncio.wait({future})
    raised = future.exception()
    if isinstance(error, StopIteration):  # no future can carry that one
        assert str(raised) == "StopIteration: 1"
    else:
        assert raised is error
    assert await worker.submit(lambda: "still here") == "still here"
    worker.stop()


async def test_interrupt_that_a_job_raises_is_a_failure_of_the_environment(caplog: pytest.LogCaptureFixture) -> None:
    def job() -> None:
        raise KeyboardInterrupt("x")

    worker = WorkerThread("interrupting")
    with pytest.raises(EnvironmentFailed, match="KeyboardInterrupt: x"):  # as itself it would end the loop
        await worker.submit(job)
    assert await worker.submit(lambda: "still here") == "still here"
    assert [record.getMessage() for record in caplog.records] == ["an environment raised KeyboardInterrupt"]
    caplog.clear()
    worker.stop()


async def test_job_given_up_runs_to_its_end_and_its_result_is_dropped() -> None:
    worker, entered, gate, ended = WorkerThread("late"), threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        entered.set()
        gate.wait(5)
        ended.set()

    future = worker.submit(job)
    await asyncio.to_thread(entered.wait, 5)
    future.cancel()
    gate.set()
    await worker.submit(lambda: None)
    assert ended.is_set()
    worker.stop()


async def test_idle_thread_retires_and_another_one_takes_over() -> None:
    worker = WorkerThread("fleeting", retire_s=0.02)
    first = await worker.submit(threading.current_thread)
    await asyncio.to_thread(first.join, 5)
    second = await worker.submit(threading.current_thread)
    assert second is not first
    worker.stop()


async def test_stop_waits_for_what_is_queued_and_for_what_comes_after() -> None:
    worker, gate = WorkerThread("stopping"), threading.Event()
    held = worker.submit(lambda: gate.wait(5))
    queued = worker.submit(lambda: "queued")
    worker.stop()
    worker.stop()
    late = worker.submit(lambda: "late")
    gate.set()
    assert await held
    assert (await queued, await late) == ("queued", "late")


def test_thread_ends_when_its_loop_has_closed_and_another_one_serves_the_next(stage: Stage) -> None:
    worker = WorkerThread("orphan")
    stage.held = {"job"}

    async def ask() -> None:
        worker.submit(lambda: stage.enter("job"))
        await asyncio.to_thread(stage.expect, "job")

    asyncio.run(ask())
    (thread,) = running("orphan")
    stage.release()
    thread.join(5)
    assert not thread.is_alive()
    assert asyncio.run(_answered(worker)) == "still here"


async def _answered(worker: WorkerThread) -> str:
    answer = await worker.submit(lambda: "still here")
    worker.stop()
    return answer
