"""Plays guess_env by its own client and by the generic one, in each way there is, on whichever OpenEnv is installed."""

import asyncio

from guess_env import GuessAction, GuessEnv

from openenv.core.generic_client import GenericAction, GenericEnvClient


def field(thing, name):
    return thing[name] if isinstance(thing, dict) else getattr(thing, name)


def halved(result):
    return (field(result.observation, "low") + field(result.observation, "high")) // 2


def told(results, state):
    return {
        "hints": [field(each.observation, "hint") for each in results],
        "tries_left": [field(each.observation, "tries_left") for each in results],
        "width": [field(each.observation, "metadata").get("width") for each in results],
        "rewards": [each.reward for each in results],
        "done": [each.done for each in results],
        "state": [field(state, "step_count"), field(state, "last"), bool(field(state, "episode_id"))],
    }


def play(env, action):
    results = [env.reset(low=10, high=50)]
    while not results[-1].done:
        results.append(env.step(action(number=halved(results[-1]))))
    return told(results, env.state())


async def play_async(env, action):
    results = [await env.reset(low=10, high=50)]
    while not results[-1].done:
        results.append(await env.step(action(number=halved(results[-1]))))
    return told(results, await env.state())


def plain(url):
    with GuessEnv(base_url=url) as env:
        return play(env, GuessAction)


def explicit(url):
    with GuessEnv(base_url=url).sync() as env:
        return play(env, GuessAction)


def generic(url):
    with GenericEnvClient(base_url=url) as env:
        return play(env, GenericAction)


def asynchronous(url):
    async def main():
        async with GuessEnv(base_url=url) as env:
            return await play_async(env, GuessAction)

    return asyncio.run(main())


def refused(url):
    """Ask for what cannot be, and go on."""
    with GuessEnv(base_url=url).sync() as env:
        try:
            env.reset(low=2, high=1)
        except Exception as error:
            return [str(error), play(env, GuessAction)]
