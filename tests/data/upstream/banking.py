"""Keeps accounts in ledger_env by its own client, in each way there is, on whichever OpenEnv is installed."""

import asyncio

from ledger_env import CallToolAction, LedgerEnv, ListToolsAction


def explicit(url):
    with LedgerEnv(base_url=url).sync() as env:
        names = sorted(tool.name for tool in env.list_tools())
        paid = [env.call_tool("deposit", account="ada", cents=cents) for cents in (5, 7)]
        try:
            env.call_tool("deposit", account="ada", cents=-1)
        except Exception as error:
            return [names, paid, env.call_tool("balance", account="ada"), str(error)]


def asynchronous(url):
    async def main():
        async with LedgerEnv(base_url=url) as env:
            names = sorted(tool.name for tool in await env.list_tools())
            paid = [await env.call_tool("deposit", account="ada", cents=cents) for cents in (5, 7)]
            try:
                await env.call_tool("deposit", account="ada", cents=-1)
            except Exception as error:
                return [names, paid, await env.call_tool("balance", account="ada"), str(error)]

    return asyncio.run(main())


def by_steps(url):
    with LedgerEnv(base_url=url).sync() as env:
        env.reset(episode_id="mine")
        names = sorted(tool.name for tool in env.step(ListToolsAction()).observation.tools)
        for cents in (5, 7):
            observation = env.step(
                CallToolAction(tool_name="deposit", arguments={"account": "ada", "cents": cents})
            ).observation
        state = env.state()
        return [names, str(observation.result), observation.error, state.episode_id, state.step_count]
