"""The shape of an attestation, version 1: every field in its place, and none that is not known."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from portway.gate.attest.document import FORMAT, VERSION, Standing
from portway.gate.attest.hop import Basis, Hop, Place, Verdict

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["entry", "compute", "model", "call", "logs", "stores", "keys", "other"]
Count = Annotated[int, Field(ge=0)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlaceSaid(_Said):
    """One place of a hop."""

    place: Annotated[str, Field(max_length=200)] | None
    path: str
    basis: Basis


class HopSaid(_Said):
    """One hop, as it was written down."""

    kind: Kind
    name: str
    type: str = ""
    urn: str = ""
    model: str = ""
    called_from: str = ""
    note: str = ""
    places: Annotated[tuple[PlaceSaid, ...], Field(min_length=1)]
    verdict: Verdict

    def hop(self) -> Hop:
        """What it was written from."""
        places = tuple(Place(one.place, one.path, one.basis) for one in self.places)
        return Hop(
            self.kind,
            self.type,
            self.name,
            self.urn,
            places,
            self.model,
            self.called_from,
            self.note,
        )


class GateSaid(_Said):
    """What the gate said of a stack."""

    passed: bool
    resources_judged: Count
    advice: Count


class StackSaid(_Said):
    """One stack."""

    stack: str
    verdict: Standing
    boundary: tuple[str, ...]
    gate: GateSaid
    counts: Mapping[Verdict, Count]
    without_a_hop: tuple[Kind, ...]
    hops: tuple[HopSaid, ...]


class PackSaid(_Said):
    """The pack that judged."""

    name: str
    version: str
    rules: tuple[str, ...]
    configuration_sha256: Hash


class TableSaid(_Said):
    """The date and the digest of one table."""

    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    sha256: Hash


class DocumentSaid(_Said):
    """The whole of it."""

    format: Annotated[str, Field(pattern=f"^{FORMAT}$")]
    version: Annotated[int, Field(ge=VERSION, le=VERSION)]
    issued_at: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    attested: bool
    pack: PackSaid
    tables: Mapping[str, TableSaid]
    tools: Mapping[str, str]
    stacks: tuple[StackSaid, ...]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
