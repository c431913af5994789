"""A resource as rules see it: settled, plain, and with what it hangs on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from portway.gate.values import View

PROVIDER_PREFIX = "pulumi:providers:"
SERVICE_TYPE = "portway:index:InferenceService"


@dataclass(frozen=True)
class Provider:
    """The provider resource that manages a resource. Values that are not text arrive as JSON text."""

    name: str
    urn: str
    properties: View = field(default_factory=lambda: View({}))


@dataclass(frozen=True)
class Resource:
    """One resource of a stack.

    Attributes:
        properties: its inputs where they were seen, else its outputs.
        provider: None for components, provider resources and the stack itself.
        parent: URN, or None.
        depends_on: by top-level property, the URNs its value comes from; None while resources are
            judged one by one, because that is not known before the whole stack is.
    """

    urn: str
    name: str
    type: str
    properties: View
    provider: Provider | None = None
    parent: str | None = None
    depends_on: Mapping[str, tuple[str, ...]] | None = None

    @property
    def package(self) -> str:
        """``gcp`` of ``gcp:storage/bucket:Bucket``; a provider resource belongs to what it provides."""
        return self.type.removeprefix(PROVIDER_PREFIX).split(":", 1)[0]

    @property
    def is_provider(self) -> bool:
        """Whether this is itself a provider resource."""
        return self.type.startswith(PROVIDER_PREFIX)

    def __str__(self) -> str:
        """``gcp:storage/bucket:Bucket logs``."""
        return f"{self.type} {self.name}"


@dataclass(frozen=True, eq=False)
class Stack:
    """Every resource of one stack, indexed once. A key of caches: it is only equal to itself."""

    resources: tuple[Resource, ...]
    by_urn: Mapping[str, Resource] = field(default_factory=dict[str, Resource])
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]], compare=False)
    """By the name that clouds know it by, the URNs of what has it; filled when first asked for."""

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> "Stack":
        """The stack that holds ``resources``."""
        kept = tuple(resources)
        return cls(kept, {resource.urn: resource for resource in kept})
