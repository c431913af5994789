"""A request body becomes a `ChatRequest`, or one error that names the field."""

import json
import re
from collections.abc import Callable

from .config import Config
from .errors import (
    invalid,
    model_not_found,
    too_long,
    unsupported,
    unsupported_value,
)
from .jsons import JsonObject, as_list, as_object, decode, is_integer, is_number
from .upstream import ChatRequest
from .validate_messages import checked_messages
from .validate_tools import check_response_format, check_tools

_MOST_STOPS = 4
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_TIERS = ("auto", "default", "flex", "priority")
_NOWHERE: dict[str, tuple[object, ...]] = {
    "store": (False,),
    "modalities": (["text"],),
    "audio": (),
    "functions": ([],),
    "function_call": (),
    "web_search_options": (),
}
"""Fields that no upstream honours, with the values that ask for nothing."""

Check = Callable[[object], str | None]
"""Returns what a value must be, when it is not."""


def _boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "a string"


def _number(least: float, most: float) -> Check:
    def check(value: object) -> str | None:
        fits = is_number(value) and isinstance(value, int | float) and least <= value <= most
        return None if fits else f"a number from {least:g} to {most:g}"

    return check


def _integer(least: int | None = None, most: int | None = None) -> Check:
    def check(value: object) -> str | None:
        fits = (
            is_integer(value)
            and isinstance(value, int)
            and (least is None or value >= least)
            and (most is None or value <= most)
        )
        bounds = "" if least is None else f" of at least {least}"
        bounds += "" if most is None else f" and at most {most}"
        return None if fits else f"an integer{bounds}"

    return check


def _stop(value: object) -> str | None:
    stops = as_list(value)
    fits = isinstance(value, str) or (
        stops is not None and len(stops) <= _MOST_STOPS and all(isinstance(s, str) for s in stops)
    )
    return None if fits else f"a string or a list of at most {_MOST_STOPS} strings"


def _biases(value: object) -> str | None:
    biases = as_object(value)
    within = _number(-100, 100)
    fits = biases is not None and all(within(bias) is None for bias in biases.values())
    return None if fits else "an object of token ids with numbers from -100 to 100"


def _labels(value: object) -> str | None:
    labels = as_object(value)
    fits = labels is not None and all(isinstance(label, str) for label in labels.values())
    return None if fits else "an object of strings"


def _object(value: object) -> str | None:
    return None if as_object(value) is not None else "an object"


_FIELDS: dict[str, Check] = {
    "stream": _boolean,
    "stream_options": _object,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "n": _integer(1),
    "max_tokens": _integer(1),
    "max_completion_tokens": _integer(1),
    "stop": _stop,
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "logit_bias": _biases,
    "logprobs": _boolean,
    "top_logprobs": _integer(0, 20),
    "seed": _integer(),
    "parallel_tool_calls": _boolean,
    "user": _text,
    "safety_identifier": _text,
    "metadata": _labels,
    "reasoning_effort": _text,
    "service_tier": _text,
    "store": _boolean,
}


def chat_request(data: bytes, config: Config, request_id: str) -> ChatRequest:
    """Validate a request body.

    Raises:
        WireError: 400 naming the first field that is wrong, or 404 for another model.
    """
    body = _body(data)
    _check_model(body, config)
    _check_unicode(data, body)
    messages = checked_messages(body.get("messages"))
    for name, check in _FIELDS.items():
        if name in body and (wanted := check(body[name])) is not None:
            raise invalid(f"'{name}' must be {wanted}.", name, "invalid_value")
    if body.get("n", 1) != 1:
        raise unsupported("n", "'n' must be 1: one answer per request; send more requests instead.")
    _refuse_nowhere(body)
    check_tools(body)
    check_response_format(body.get("response_format"))
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise invalid("'top_logprobs' needs 'logprobs' to be true.", "top_logprobs")
    stream = bool(body.get("stream", False))
    return ChatRequest(
        body=body,
        messages=messages,
        stream=stream,
        include_usage=_include_usage(body, stream=stream),
        max_tokens=_max_tokens(body, config),
        default_max_tokens=config.max_output_tokens,
        request_id=request_id,
    )


def _body(data: bytes) -> JsonObject:
    try:
        body = as_object(decode(data))
    except ValueError as error:
        raise invalid(f"The request body is not valid JSON: {error}.") from None
    if body is None:
        raise invalid("The request body must be a JSON object.")
    return {name: value for name, value in body.items() if value is not None}


def _check_unicode(data: bytes, body: JsonObject) -> None:
    """Refuse half a surrogate pair: a JSON escape can write it, but no text can hold it."""
    if _HALF_PAIR.search(data) is None:
        return
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise invalid("The request holds half of a surrogate pair, which is no text.") from None


def _refuse_nowhere(body: JsonObject) -> None:
    for name, without_effect in _NOWHERE.items():
        if name in body and body[name] not in without_effect:
            raise unsupported(name, f"'{name}' is not supported by this service; leave it out.")
    tier: object = body.get("service_tier")
    if tier is not None and tier not in _TIERS:
        raise unsupported_value(
            "service_tier", f"'service_tier' must be one of {', '.join(_TIERS)}."
        )


def _check_model(body: JsonObject, config: Config) -> None:
    model = body.get("model")
    if model is None:
        raise invalid(
            "'model' is missing; GET /v1/models lists what may be asked for.",
            "model",
            "missing_required_parameter",
        )
    if not isinstance(model, str) or not model:
        raise invalid("'model' must be a string.", "model", "invalid_type")
    if model != config.model:
        raise model_not_found(model)


def _max_tokens(body: JsonObject, config: Config) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        given: int | None = body.get(name)
        if given is None:
            continue
        if given > config.context_tokens:
            raise too_long(
                f"'{name}' is {given}; this model's maximum context length is "
                f"{config.context_tokens} tokens, prompt and answer together."
            )
        if given > config.max_output_tokens:
            raise invalid(
                f"'{name}' is {given}; this service answers with at most "
                f"{config.max_output_tokens} tokens.",
                name,
                "invalid_value",
            )
        return given
    return None


def _include_usage(body: JsonObject, *, stream: bool) -> bool:
    options: JsonObject | None = body.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise invalid(
            "'stream_options' is only for requests with 'stream': true.", "stream_options"
        )
    for name, value in options.items():
        param = f"stream_options.{name}"
        if name not in {"include_usage", "include_obfuscation"}:
            raise unsupported(param, f"'{param}' is not supported.")
        if value is not None and not isinstance(value, bool):
            raise invalid(f"'{param}' must be true or false.", param, "invalid_type")
    if options.get("include_obfuscation"):
        raise unsupported_value(
            "stream_options.include_obfuscation", "This service does not obfuscate its stream."
        )
    return bool(options.get("include_usage"))
