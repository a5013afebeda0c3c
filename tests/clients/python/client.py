"""The official Python SDK against `thoth serve`: what an agent host does with governed tools.

    client.py THOTH POLICY STATE stdio|http legacy|auto COMPONENT...
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from contextlib import AsyncExitStack

import httpx2
import mcp.types as types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

THOTH, POLICY, STATE, TRANSPORT, MODE, *COMPONENTS = sys.argv[1:]
LARGE = {"from_account": "operations", "to_account": "suppliers", "amount_cents": 1_250_000}
TARPIT = {"note": "x"}


def report(result):
    """What the answer says came of a call that did not complete."""
    assert result.is_error, result
    return json.loads(result.content[1].text)


def started(arguments, wanted):
    """Starts a server of ours, and gives it with the line that says where it is."""
    process = subprocess.Popen([THOTH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if re.search(wanted, line):
            return process, line.strip()
    raise AssertionError(f"{arguments} did not start")


def decide(how, token):
    subprocess.run([THOTH, "approvals", how, token, "--state-dir", f"{STATE}/enforcer"], check=True, capture_output=True)


class User:
    """The client's user, who is sent to the approval page and decides there."""

    def __init__(self):
        self.decision = "approve"
        self.asked = []

    async def __call__(self, context, params):
        self.asked.append(params)
        decide(self.decision, params.url.rsplit("/", 1)[1])
        return types.ElicitResult(action="accept")


async def outcomes(client):
    tools = [tool.name for tool in (await client.list_tools()).tools]
    assert tools == sorted(tools) and {"search_docs", "transfer", "sing"} <= set(tools), tools

    found = await client.call_tool("search_docs", {"query": "leave", "limit": 1})
    assert not found.is_error and json.loads(found.content[0].text)[0]["title"] == "Leave", found
    assert found.structured_content is not None, found

    refused = report(await client.call_tool("read_doc", {"path": "hr/salaries.md"}))
    assert (refused["outcome"], refused["cause"]) == ("refused", "policy"), refused
    deferred = report(await client.call_tool("close_books", {"month": "2026-03"}))
    assert (deferred["cause"], deferred["retry_after_seconds"]) == ("deferred", 3600), deferred
    failed = report(await client.call_tool("read_doc", {"path": "nothing.md"}))
    assert (failed["outcome"], failed["cause"]) == ("failed", "tool_error"), failed
    misfit = report(await client.call_tool("search_docs", {"query": 7}))
    assert misfit["cause"] == "invalid_arguments", misfit
    modified = await client.call_tool(
        "export_text",
        {"title": "t", "body": "[internal] no\nyes", "format": "plain", "include_internal": True},
    )
    assert "yes" in modified.content[0].text and "no" not in modified.content[0].text.split(), modified


async def long_work(client):
    told = []

    async def progress(done, total, message):
        told.append(message)

    await client.call_tool("sing", {"note": "a"}, progress_callback=progress)
    assert told == ["waiting for a decision", "running", "recording what came of it"], told

    # A client that has no more patience cancels, and the tool stops: the server goes on.
    begun = time.monotonic()
    try:
        await client.call_tool("tarpit", TARPIT, read_timeout_seconds=1)
        raise AssertionError("the tarpit answered")
    except Exception as error:
        assert "timed out" in str(error).lower() or "timeout" in str(error).lower(), repr(error)
    assert time.monotonic() - begun < 20

    calls = (client.call_tool("sing", {"note": str(note)}) for note in range(64))
    sung = [result.content[0].text.rsplit(":", 1)[1] for result in await asyncio.gather(*calls)]
    assert sung == [str(note) for note in range(64)], sung


async def approvals(client, user):
    approved = await client.call_tool("transfer", LARGE)
    assert not approved.is_error, approved
    assert len(user.asked) == 1 and "transfer" in user.asked[0].message, user.asked
    user.decision = "deny"
    denied = report(await client.call_tool("transfer", LARGE))
    assert (denied["outcome"], denied["cause"]) == ("refused", "denied"), denied


async def main():
    enforcer, url = started(
        ["enforcer", "serve", "--policy", POLICY, "--listen", "127.0.0.1:0", "--state-dir", f"{STATE}/enforcer"],
        "^http://127.0.0.1:",
    )
    serve = ["serve", *COMPONENTS, "--enforcer-url", url, "--tenant-id", "acme", "--state-dir", f"{STATE}/host"]
    server = None
    user = User()
    try:
        async with AsyncExitStack() as stack:
            if TRANSPORT == "stdio":
                target = StdioServerParameters(command=THOTH, args=serve)
            else:
                token = f"{STATE}/token"
                with open(token, "w") as file:
                    file.write("0123456789abcdef")
                server, line = started([*serve, "--http", "127.0.0.1:0", "--token-file", token], "serving MCP at")
                headers = {"authorization": "Bearer 0123456789abcdef"}
                web = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=120))
                target = streamable_http_client(line.split()[-1], http_client=web)
            client = await stack.enter_async_context(Client(target, mode=MODE, elicitation_callback=user))
            await outcomes(client)
            await long_work(client)
            await approvals(client, user)
    finally:
        for process in filter(None, [server, enforcer]):
            process.terminate()
            process.wait()
    print("ok")


asyncio.run(main())
