"""What only the async vector can do: several tasks on one, and cancelling. All else is tested with its twin."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.client.vectors import Countdown, Stage, both_dialects, says, staged
from tests.support.echo import EchoEnv


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@both_dialects
def test_tasks_drive_environments_of_one_vector(stage: Stage, dialect: int) -> None:
    url = stage.serve(dialect)

    async def main() -> list[str]:
        async with EchoEnv.vector(url, 6) as envs:
            await envs.reset(seeds=0)

            async def drive(index: int) -> str:
                for _ in range(5):
                    (result,) = await envs.step(says("a"), [index])
                return result.observation.echoed_message

            return await asyncio.gather(*(drive(index) for index in range(6)))

    assert asyncio.run(main()) == [f"{index}/5" for index in range(6)]


@both_dialects
def test_cancelling_loses_nothing(stage: Stage, dialect: int) -> None:
    url = stage.serve(dialect)

    async def main() -> None:
        async with EchoEnv.vector(url, 2).aio() as envs:
            assert envs.aio() is envs
            assert len(envs) == 2
            await envs.reset(seeds=0)
            task = asyncio.create_task(envs.step(says("a", "wait")))
            await asyncio.to_thread(Countdown.entered.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            Countdown.gate.set()
            assert sorted(index for index, _ in await envs.recv()) == [0, 1]
            assert (await envs.step(says(*"ab")))[1].observation.echoed_message == "1/2"

    asyncio.run(main())
