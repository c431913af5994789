"""What a client meets behind each kind of upstream, where they differ: docs/endpoint.md, as data."""

from collections.abc import Mapping
from typing import Final

VLLM: Final[Mapping[str, str]] = {
    "temperature": "0 to 2",
    "seed, penalties, logit_bias, logprobs, parallel_tool_calls: false": "honoured by vLLM",
    "response_format": "text, json_object, json_schema",
    "reasoning_effort": "passed on",
    "user, metadata": "any text",
    "fields that OpenAI does not have (top_k, …)": "passed on: vLLM has some",
    "conversation": "may begin with any role; texts may be blank",
    "tools after tool calls": "may be left out or forbidden by tool_choice: none",
    "ids of tool calls": "any",
    "prompt longer than the catalogue's context": "400 context_length_exceeded",
    "tool_choice: auto": "models with a tool parser in the catalogue",
    "body above 6 MB": "413 request_too_large",
    "a client that leaves a request that is not streamed": "the model stops",
    "a client that leaves a stream": "the model stops",
}
"""A model server that runs the weights itself."""

CONVERSE: Final[Mapping[str, str]] = {
    "temperature": "0 to 1: Converse takes no more",
    "seed, penalties, logit_bias, logprobs, parallel_tool_calls: false": (
        "refused: Converse has none of them"
    ),
    "response_format": "text, json_schema",
    "reasoning_effort": "gpt-oss only",
    "user, metadata": ("16 pairs of at most 256 letters, digits, spaces or : _ @ $ # = / + , . -"),
    "fields that OpenAI does not have (top_k, …)": "refused",
    "conversation": "begins with a user message whose text is not blank",
    "tools after tool calls": "must be given, and cannot be forbidden",
    "ids of tool calls": "at most 64 letters, digits or _ . : -",
    "prompt longer than the catalogue's context": "answered, up to what the model takes at Bedrock",
    "tool_choice: auto": "every model that Bedrock lets call tools",
    "body above 6 MB": "413 by Lambda, with its own body",
    "a client that leaves a request that is not streamed": "Bedrock finishes, and bills",
    "a client that leaves a stream": (
        "Lambda does not tell the function; it stops when its stream can no longer be written"
    ),
}
"""Amazon Bedrock's Converse API."""
