"""What a stand-in model does with one conversation, whatever API carried it: text, tools, JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portway.sandbox.dataplane import text
from portway.sandbox.dataplane.text import Identity, Turn


@dataclass(frozen=True)
class Tool:
    """A function the model may call; ``parameters`` is its JSON Schema."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Ask:
    """One question to a model.

    Attributes:
        must_call: ``None`` leaves it to the model, ``""`` forces some tool, a name forces that one.
        schema: the answer has to be JSON that this schema allows.
        most_tokens: the answer ends there.
        choice: which of several answers to the same question this is.
    """

    turns: Sequence[Turn]
    most_tokens: int
    stops: Sequence[str] = ()
    tools: Sequence[Tool] = ()
    must_call: str | None = None
    schema: Mapping[str, Any] | None = None
    choice: int = 0


@dataclass(frozen=True)
class Call:
    """A tool call: ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """What the model said.

    Attributes:
        pieces: the text, token by token.
        call: the tool call that it is instead.
        finish: ``stop``, ``length``, ``tool_calls`` or ``content_filter``.
        stopped_by: the stop sequence that ended it.
        output_tokens: what was generated.
    """

    pieces: tuple[str, ...]
    finish: str
    output_tokens: int
    stopped_by: str | None = None
    call: Call | None = field(default=None)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


def respond(identity: Identity, ask: Ask) -> Answer:
    """Answer ``ask``.

    A tool is called when one is forced, or when the last user message names it. Its arguments have
    every required property, with a value that the schema allows.
    """
    tool = _tool(ask)
    if tool is not None:
        arguments = json.dumps(text.value(identity, ask.turns, tool.parameters), ensure_ascii=False)
        call = Call(text.call_id(identity, ask.turns, tool.name), tool.name, arguments)
        return Answer((), "tool_calls", len(text.tokens(arguments)), call=call)
    if ask.schema is not None:
        whole = json.dumps(text.value(identity, ask.turns, ask.schema), ensure_ascii=False)
    else:
        whole = text.answer(identity, ask.turns, choice=ask.choice)
    kept, finish, stop = text.cut(whole, ask.most_tokens, ask.stops)
    pieces = tuple(text.tokens(kept))
    return Answer(pieces, finish, len(pieces), stop)


def blocked(message: str) -> Answer:
    """What is said instead of the model's answer, which nobody asked for."""
    return Answer((message,), "content_filter", 0)


def _tool(ask: Ask) -> Tool | None:
    if not ask.tools:
        return None
    if ask.must_call is not None:
        return next((t for t in ask.tools if ask.must_call in ("", t.name)), None)
    last = ask.turns[-1] if ask.turns else None
    if last is None or last.role != "user":
        return None
    return next((tool for tool in ask.tools if tool.name in last.text), None)
