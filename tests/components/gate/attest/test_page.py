"""docs/attestation.md names every field there is, and its code computes the digest."""

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from pydantic import BaseModel

from portway.gate.attest.document import FORMAT, Standing
from portway.gate.attest.gated import write
from portway.gate.attest.hop import Basis, Verdict
from portway.gate.attest.shape import DocumentSaid, HopSaid, Kind, PackSaid, PlaceSaid, StackSaid
from support.attesting import attested

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "attestation.md").read_text()
NAMED = set(re.findall(r"`([\w-]+)`", PAGE))


@pytest.mark.parametrize("shape", [DocumentSaid, StackSaid, HopSaid, PlaceSaid, PackSaid])
def test_every_field_is_named_on_the_page(shape: type[BaseModel]) -> None:
    assert set(shape.model_fields) <= NAMED


@pytest.mark.parametrize("values", [Verdict, Standing, Basis])
def test_every_value_is_named_on_the_page(values: type[StrEnum]) -> None:
    assert {one.value for one in values} <= NAMED


def test_every_kind_and_the_format_are_named_on_the_page() -> None:
    assert {*get_args(Kind), FORMAT} <= NAMED


def test_the_schema_beside_the_page_is_that_of_the_format() -> None:
    written = json.loads((DOCS / "attestation.schema.json").read_text())
    assert written == DocumentSaid.model_json_schema()
    jsonschema.validate(attested(), written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(attested() | {"extra": 1}, written)


def test_the_code_on_the_page_computes_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    write(attested(), tmp_path / "attestation.json")
    exec(compile(code, "attestation.md", "exec"), {})
    changed = attested() | {"attested": False}
    write(changed, tmp_path / "attestation.json")
    with pytest.raises(AssertionError):
        exec(compile(code, "attestation.md", "exec"), {})
