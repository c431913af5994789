"""One claim about an endpoint, and how it ended."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any, cast

import httpx

from portway.conformance.endpoint import Answer, Endpoint

_LONGEST = 300
_BAD_REQUEST = 400


class Broken(Exception):
    """The claim does not hold; the text says what was seen."""


class Declined(Exception):
    """The endpoint says that it does not do this: its right where a check is optional."""


class Ended(StrEnum):
    """How one check ended."""

    HELD = "held"
    DECLINED = "declined"
    BROKEN = "broken"


@dataclass(frozen=True)
class Check:
    """One claim.

    Attributes:
        id: stable, such as ``stream-ends-with-done``; its first word is its group.
        claim: a sentence that is true of a conforming endpoint.
        run: raises ``Broken`` where it is not.
        is_optional: an endpoint may decline it with ``unsupported_parameter`` or ``unsupported_value``.
    """

    id: str
    claim: str
    run: Callable[[Endpoint], None]
    is_optional: bool = False

    @property
    def group(self) -> str:
        """Its family: ``models``, ``chat``, ``stream`` and so on."""
        return self.id.partition("-")[0]


@dataclass(frozen=True)
class Result:
    """How a check ended, and why; never with a key in it."""

    check: Check
    ended: Ended
    detail: str
    seconds: float

    def as_document(self) -> dict[str, object]:
        """As programs read it."""
        return {
            "id": self.check.id,
            "claim": self.check.claim,
            "ended": self.ended.value,
            "detail": self.detail,
            "seconds": round(self.seconds, 3),
        }


def run_checks(
    endpoint: Endpoint,
    checks: Iterable[Check],
    on_done: Callable[[Result], object] = lambda _: None,
    at_once: int = 1,
) -> tuple[Result, ...]:
    """Every check against ``endpoint``, in the order given.

    Args:
        endpoint: asked with one key and one model.
        checks: what to find out.
        on_done: told of each result as soon as it is there.
        at_once: how many checks run side by side.
    """

    def run(check: Check) -> Result:
        result = _run(check, endpoint)
        on_done(result)
        return result

    with ThreadPoolExecutor(at_once) as pool:
        return tuple(pool.map(run, checks))


def _run(check: Check, endpoint: Endpoint) -> Result:
    began = monotonic()
    ended, detail = Ended.HELD, ""
    try:
        check.run(endpoint)
    except Declined as declined:
        ended = Ended.DECLINED if check.is_optional else Ended.BROKEN
        detail = str(declined)
    except Broken as broken:
        ended, detail = Ended.BROKEN, str(broken)
    except httpx.HTTPError as error:
        ended, detail = Ended.BROKEN, f"{type(error).__name__}: {error}"
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        # the answer has not the shape that every client reads
        ended, detail = (
            Ended.BROKEN,
            f"not of the documented shape: {type(error).__name__}: {error}",
        )
    shown = endpoint.without_key(detail)
    return Result(check, ended, shown[:_LONGEST], monotonic() - began)


def expect(holds: bool, seen: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raises: Broken: ``holds`` is not so."""
    if not holds:
        raise Broken(seen)


def same(found: object, wanted: object, what: str) -> None:
    """Raises: Broken: ``what`` is not ``wanted``."""
    expect(found == wanted, f"{what} is {found!r}, not {wanted!r}")


def answered(answer: Answer) -> dict[str, Any]:
    """The body of a 200.

    Raises:
        Declined: the endpoint names the field that it does not support.
        Broken: any other status, or no JSON object.
    """
    if answer.status == _BAD_REQUEST and _code(answer).startswith("unsupported_"):
        raise Declined(str(cast("dict[str, Any]", answer.json)["error"]["message"]))
    same(answer.status, 200, "status")
    return _object(answer)


def refused(answer: Answer, status: int, code: str | None = None) -> dict[str, Any]:
    """The error of an answer that must be one, in the shape that clients parse."""
    same(answer.status, status, "status")
    body = _object(answer)
    same(set(body), {"error"}, "the body's keys")
    error: dict[str, Any] = body["error"]
    same(set(error), {"message", "type", "param", "code"}, "the error's keys")
    expect(isinstance(error["message"], str) and bool(error["message"]), "the message is empty")
    expect(isinstance(error["type"], str), f"the type is {error['type']!r}, no text")
    expect(error["code"] is None or isinstance(error["code"], str), "the code is no text")
    if code is not None:
        same(error["code"], code, "the code")
    return error


def _object(answer: Answer) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "")
    expect(kind.split(";")[0] == "application/json", f"content-type is {kind!r}")
    body = answer.json
    expect(isinstance(body, dict), "the body is no JSON object")
    return cast("dict[str, Any]", body)


def _code(answer: Answer) -> str:
    try:
        return str(cast("dict[str, Any]", answer.json)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
