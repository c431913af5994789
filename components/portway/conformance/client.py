"""What the official ``openai`` client relies on, asked through that client itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from portway.conformance.check import Broken, Check, expect, same
from portway.conformance.endpoint import Endpoint

if TYPE_CHECKING:
    import openai


def _client(endpoint: Endpoint, key: str | None = None) -> "openai.OpenAI":
    import openai  # noqa: PLC0415 - a second that only these checks cost

    return openai.OpenAI(
        base_url=f"{endpoint.url}/v1", api_key=key or endpoint.key, max_retries=2, timeout=60
    )


def _retrieve(endpoint: Endpoint) -> None:
    with _client(endpoint) as client:
        same(client.models.retrieve(endpoint.model).id, endpoint.model, "id")
        expect(endpoint.model in [one.id for one in client.models.list()], "it is not listed")


def _whole(endpoint: Endpoint) -> None:
    with _client(endpoint) as client:
        made = client.chat.completions.create(
            model=endpoint.model, messages=[{"role": "user", "content": "Hi."}], max_tokens=8
        )
    expect(bool(made.choices[0].message.content), "no text came")
    expect(made.usage is not None and made.usage.total_tokens > 0, "usage is missing")
    expect(made._request_id is not None, "the client finds no request id")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the client's documented name


def _streamed(endpoint: Endpoint) -> None:
    said, usage = "", None
    with _client(endpoint) as client:
        stream = client.chat.completions.create(
            model=endpoint.model,
            messages=[{"role": "user", "content": "Hi."}],
            max_tokens=8,
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            usage = chunk.usage or usage
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
    expect(bool(said), "no text came")
    expect(usage is not None, "usage is missing")


def _refusals(endpoint: Endpoint) -> None:
    import openai  # noqa: PLC0415 - as above

    with _client(endpoint, "wrong") as stranger:
        error = _raised(stranger.models.list, openai.AuthenticationError)
        same((error.code, bool(error.message)), ("invalid_api_key", True), "code and message")
    with _client(endpoint) as client:
        error = _raised(lambda: client.models.retrieve("no-such-model"), openai.NotFoundError)
        same(error.code, "model_not_found", "code")
        error = _raised(
            lambda: client.chat.completions.create(
                model=endpoint.model,
                messages=[{"role": "user", "content": "Hi."}],
                temperature=9,
            ),
            openai.BadRequestError,
        )
        same((error.param, error.type), ("temperature", "invalid_request_error"), "param and type")


def _through(run: Callable[[Endpoint], None]) -> Callable[[Endpoint], None]:
    """``run``, with whatever else the client raises told as what it saw."""

    def told(endpoint: Endpoint) -> None:
        import openai  # noqa: PLC0415 - as above

        try:
            run(endpoint)
        except openai.OpenAIError as error:
            raise Broken(f"the client raises {type(error).__name__}: {error}") from None

    return told


def _raised(call: Callable[[], object], kind: "type[openai.APIStatusError]") -> "openai.APIError":
    import openai  # noqa: PLC0415 - as above

    try:
        call()
    except kind as error:
        return error
    except openai.APIError as error:
        raise Broken(f"the client raises {type(error).__name__}, not {kind.__name__}") from None
    raise Broken(f"the client raises no {kind.__name__}")


CHECKS = (
    Check("client-models", "the openai client lists and retrieves models", _through(_retrieve)),
    Check("client-chat", "the openai client reads an answer, its usage and its id", _through(_whole)),
    Check("client-stream", "the openai client reads a stream and its usage", _through(_streamed)),
    Check("client-errors", "the openai client raises the right error, with code and field", _through(_refusals)),
)  # fmt: skip
