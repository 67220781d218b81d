"""What only the async flavour has: cancelling while the network fails. The rest is in `test_line` and `test_aio`."""

import asyncio
import random

from openenv import create_app
from tests.client.relay import relayed
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


def test_each_reply_reaches_its_own_call_though_calls_are_cancelled_and_connections_cut() -> None:
    choice = random.Random(4)

    async def play(url: str) -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            for number in range(40):
                calls = [asyncio.create_task(env.step(EchoAction(message=f"{number} {part}"))) for part in range(4)]
                if choice.random() < 0.5:
                    relay.cut_after(choice.randrange(1, 800))
                await asyncio.sleep(choice.choice([0, 0.001]))
                calls[choice.randrange(4)].cancel()
                for part, result in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
                    if not isinstance(result, asyncio.CancelledError):
                        assert not isinstance(result, BaseException), result
                        assert result.observation.echoed_message == f"{number} {part}"
            assert (await env.state()).step_count <= 160

    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url, relayed(url) as relay:
        asyncio.run(play(relay.url))


def test_client_that_is_closed_while_it_looks_for_the_server_leaves_nothing_behind() -> None:
    async def play() -> None:
        env = await EchoEnv(relay.url).connect()
        await env.reset()
        relay.close()
        step = asyncio.create_task(env.step(EchoAction(message="never answered")))
        await asyncio.sleep(0.2)
        step.cancel()
        await asyncio.wait([step])
        await env.close()
        assert len(asyncio.all_tasks()) == 1

    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url, relayed(url) as relay:
        asyncio.run(play())
