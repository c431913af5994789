"""One real chat request with the official client, and how long its first token took."""

import time
from dataclasses import dataclass

import openai

QUESTION = "In one sentence: why would a team want to move its model between clouds?"
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What a client saw.

    Attributes:
        text: the whole answer.
        first_token_seconds: from sending the request to the first piece of content.
        chunks: pieces of content received.
    """

    text: str
    first_token_seconds: float
    chunks: int


def ask(endpoint: str, api_key: str, model: str) -> Answer:
    """Ask ``QUESTION`` and stream the answer.

    Raises:
        openai.OpenAIError: the endpoint refused, failed or answered something else.
    """
    client = openai.OpenAI(base_url=f"{endpoint}/v1", api_key=api_key, timeout=TIMEOUT_SECONDS)
    started_at = time.monotonic()
    first_token_seconds = 0.0
    pieces: list[str] = []
    with client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=64, stream=True
    ) as stream:
        for chunk in stream:
            piece = chunk.choices[0].delta.content if chunk.choices else None
            if piece:
                first_token_seconds = first_token_seconds or time.monotonic() - started_at
                pieces.append(piece)
    if not pieces:
        message = f"{endpoint} answered without any content"
        raise openai.OpenAIError(message)
    return Answer("".join(pieces), first_token_seconds, len(pieces))
