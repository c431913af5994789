"""Manifests as text to objects, as the provider's own ``yaml:decode`` gives them."""

from collections.abc import Iterator
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portway.sandbox.providers.cloud import CloudError, Code

TOKEN = "kubernetes:yaml:decode"  # noqa: S105 - a function's token


def decoded(text: str) -> list[Any]:
    """Every object of every document in ``text``; lists are taken apart, empty documents left out.

    Raises:
        CloudError: it is not YAML, or a document is no object of Kubernetes.
    """
    yaml: Any = YAML(typ="safe", pure=True)
    try:
        documents = list(yaml.load_all(text))
    except YAMLError as error:
        why = " ".join(str(error).split())
        raise CloudError(Code.INVALID_ARGUMENT, f"error parsing YAML: {why}") from None
    return [one for document in documents if document is not None for one in _objects(document)]


def _objects(document: object) -> Iterator[object]:
    if not isinstance(document, dict) or "kind" not in document:
        what = "Object 'Kind' is missing in a document of the manifest"
        raise CloudError(Code.INVALID_ARGUMENT, f"error parsing YAML: {what}")
    given = cast("dict[str, Any]", document)
    items = given.get("items")
    if str(given["kind"]).endswith("List") and isinstance(items, list):
        for item in cast("list[object]", items):
            yield from _objects(item)
    else:
        yield given
