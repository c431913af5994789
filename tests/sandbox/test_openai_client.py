"""What users of the official ``openai`` client lean on, unchanged, on all three targets."""

import asyncio
from collections.abc import Generator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from support.sandbox_project import STACKS, SandboxProject

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

MODEL = "ministral-3-8b"


class City(BaseModel):
    """A city and where it is."""

    name: str
    country: str


class GetWeather(BaseModel):
    """The weather in a city."""

    city: str


@pytest.fixture(scope="module", params=STACKS)
def client(deployed: SandboxProject, request: pytest.FixtureRequest) -> Generator[openai.OpenAI]:
    outputs = deployed.outputs(request.param)
    base = f"{outputs['endpoint']}/v1"
    with openai.OpenAI(base_url=base, api_key=outputs["apiKey"], timeout=60) as found:
        yield found


def test_the_stream_helper_gathers_the_answer_that_its_events_add_up_to(
    client: openai.OpenAI,
) -> None:
    said = ""
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "Hi."}], max_tokens=8
    ) as stream:
        for event in stream:
            if event.type == "content.delta":
                said += event.delta
        final = stream.current_completion_snapshot  # the helper's last word is an error at "length"
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == (said, "length")
    assert said


def test_parse_gives_an_object_of_the_model_that_was_asked_for(client: openai.OpenAI) -> None:
    made = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "The capital of France."}],
        response_format=City,
        max_tokens=200,
    )
    assert isinstance(made.choices[0].message.parsed, City)


def test_a_tool_made_from_a_model_is_called_with_arguments_that_parse(
    client: openai.OpenAI,
) -> None:
    made = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[openai.pydantic_function_tool(GetWeather)],
        tool_choice="required",
        max_tokens=200,
    )
    calls = made.choices[0].message.tool_calls
    assert calls
    assert [type(call.function.parsed_arguments) for call in calls] == [GetWeather] * len(calls)


def test_the_clients_own_retries_reach_the_service(client: openai.OpenAI) -> None:
    attempts: list[object] = []

    def turn_the_first_away(response: Any) -> None:
        attempts.append(response)
        if len(attempts) == 1:
            response.status_code = 503  # as a proxy on the way would

    http = openai.DefaultHttpxClient(event_hooks={"response": [turn_the_first_away]})
    with client.with_options(http_client=http, max_retries=1) as retrying:
        made = retrying.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi."}], max_tokens=2
        )
    assert (made.model, len(attempts)) == (MODEL, 2)


def test_the_clients_own_timeout_ends_a_request_and_the_next_is_answered(
    client: openai.OpenAI,
) -> None:
    hasty = client.with_options(timeout=openai.Timeout(30, read=0.001), max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        hasty.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Go on."}], max_tokens=400
        )
    made = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi."}], max_tokens=2
    )
    assert made.usage is not None


def test_raw_responses_carry_the_request_id_that_the_answer_has(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi."}], max_tokens=2
    )
    assert raw.parse()._request_id == raw.headers["x-request-id"]  # pyright: ignore[reportPrivateUsage] - documented


def test_the_asynchronous_client_reads_several_streams_at_once(client: openai.OpenAI) -> None:
    async def one(asked: openai.AsyncOpenAI) -> int:
        stream = await asked.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Go on."}],
            max_tokens=6,
            stream=True,
            stream_options={"include_usage": True},
        )
        used = [chunk.usage.completion_tokens async for chunk in stream if chunk.usage]
        return used[-1]

    async def all_of_them() -> list[int]:
        async with openai.AsyncOpenAI(
            base_url=client.base_url, api_key=client.api_key, timeout=60
        ) as asked:
            return await asyncio.gather(*(one(asked) for _ in range(4)))

    assert asyncio.run(all_of_them()) == [6, 6, 6, 6]
