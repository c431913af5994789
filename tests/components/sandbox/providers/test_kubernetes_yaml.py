"""Manifests that are text become the objects that the real provider would give."""

import pytest

from portway.sandbox.providers.cloud import CloudError
from portway.sandbox.providers.kubernetes_yaml import decoded

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: s}}
- {apiVersion: v1, kind: PodList, items: [{apiVersion: v1, kind: Pod, metadata: {name: p}}]}
"""


def test_every_object_of_every_document_comes_out_and_lists_are_taken_apart() -> None:
    found = [(one["kind"], one["metadata"]["name"]) for one in decoded(MANIFEST)]
    assert found == [("ConfigMap", "a"), ("Service", "s"), ("Pod", "p")]


@pytest.mark.parametrize("text", ["a: [", "just words", "- 1\n- 2", "kind: List\nitems: [3]"])
def test_what_is_no_manifest_is_refused_as_such(text: str) -> None:
    with pytest.raises(CloudError, match="error parsing YAML"):
        decoded(text)


def test_an_empty_text_holds_nothing() -> None:
    assert decoded("") == []
