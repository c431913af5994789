"""Which models there are."""

from typing import Any
from urllib.parse import quote

from portway.conformance.check import Check, answered, expect, refused, same
from portway.conformance.endpoint import MODELS, Endpoint


def _listed(endpoint: Endpoint) -> list[dict[str, Any]]:
    body = answered(endpoint.ask("GET", MODELS))
    same(body["object"], "list", "object")
    found: list[dict[str, Any]] = body["data"]
    return found


def _list(endpoint: Endpoint) -> None:
    for one in _listed(endpoint):
        same(one["object"], "model", "object")
        expect(isinstance(one["id"], str), f"id is {one['id']!r}")
        expect(isinstance(one["created"], int), f"created is {one['created']!r}")
        expect(isinstance(one["owned_by"], str), f"owned_by is {one['owned_by']!r}")


def _has_ours(endpoint: Endpoint) -> None:
    names = [one["id"] for one in _listed(endpoint)]
    expect(endpoint.model in names, f"the list has {names}")


def _retrieve(endpoint: Endpoint) -> None:
    found = answered(endpoint.ask("GET", f"{MODELS}/{quote(endpoint.model, safe='')}"))
    (listed,) = [one for one in _listed(endpoint) if one["id"] == endpoint.model]
    same(found, listed, "the model")


def _encoded(endpoint: Endpoint) -> None:
    name = "".join(f"%{byte:02X}" for byte in endpoint.model.encode())
    same(answered(endpoint.ask("GET", f"{MODELS}/{name}"))["id"], endpoint.model, "id")


def _unknown(endpoint: Endpoint) -> None:
    refused(endpoint.ask("GET", f"{MODELS}/no-such-model"), 404, "model_not_found")


CHECKS = (
    Check("models-list", "the list of models has the documented shape", _list),
    Check("models-have-ours", "the model that was named is in the list", _has_ours),
    Check("models-retrieve", "a model is answered as it is listed", _retrieve),
    Check("models-encoded", "an id may be percent-encoded", _encoded),
    Check("models-unknown", "a model that does not exist is 404 model_not_found", _unknown),
)
