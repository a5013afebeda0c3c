"""A tool loop in Python, through MCP, against a model that is written down here. No key is needed.

    pip install mcp
    python host/examples/mcp_loop.py thoth serve docs_search.wasm --policy host/examples/policy.cedar
"""

import asyncio
import json
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters


def model(tools, messages):
    """A model with a script, in the words of Anthropic's Messages API."""

    def call(id, name, input):
        block = {"type": "tool_use", "id": id, "name": name, "input": input}
        return {"stop_reason": "tool_use", "content": [block]}

    match len(messages):
        case 1:
            return call("toolu_1", "search_docs", {"query": "parental leave", "limit": 1})
        case 3:
            return call("toolu_2", "read_doc", {"path": "hr/salaries.md"})
    text = f"I found the page with one of {len(tools)} tools, and may not read salaries."
    return {"stop_reason": "end_turn", "content": [{"type": "text", "text": text}]}


async def main(command, *arguments):
    async with Client(StdioServerParameters(command=command, args=arguments)) as thoth:
        tools = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
            for tool in (await thoth.list_tools()).tools
        ]
        messages = [{"role": "user", "content": "What is said of parental leave?"}]
        while (answer := model(tools, messages))["stop_reason"] == "tool_use":
            results = []
            for block in answer["content"]:
                result = await thoth.call_tool(block["name"], block["input"])
                text = "\n".join(part.text for part in result.content)
                results.append(
                    {
                        "type": "tool_result",
                        "tool_use_id": block["id"],
                        "content": text,
                        "is_error": bool(result.is_error),
                    }
                )
            messages.append({"role": "assistant", "content": answer["content"]})
            messages.append({"role": "user", "content": results})
        messages.append({"role": "assistant", "content": answer["content"]})
    for message in messages:
        print(json.dumps(message))


asyncio.run(main(*sys.argv[1:]))
