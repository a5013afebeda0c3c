"""Holds tools and answers to the types of the packages `openai` and `anthropic`.

Reads one JSON object: for each kind a list of what has to be of that kind.
"""

import json
import sys

import pydantic
from anthropic.types import ToolParam, ToolResultBlockParam
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionToolMessageParam
from openai.types.responses import FunctionToolParam
from openai.types.responses.response_input_param import FunctionCallOutput

KINDS = {
    "anthropic": ToolParam,
    "anthropic_answers": ToolResultBlockParam,
    "openai": ChatCompletionFunctionToolParam,
    "openai_answers": ChatCompletionToolMessageParam,
    "openai_responses": FunctionToolParam,
    "openai_responses_answers": FunctionCallOutput,
}


def main() -> None:
    given = json.load(sys.stdin)
    assert given.keys() == KINDS.keys(), given.keys()
    for kind, entries in given.items():
        adapter = pydantic.TypeAdapter(KINDS[kind])
        assert entries, kind
        for entry in entries:
            adapter.validate_python(entry)
            unknown = entry.keys() - KINDS[kind].__annotations__.keys()
            assert not unknown, (kind, unknown)
    print("valid", sum(map(len, given.values())))


main()
