"""What a test writes: resources, providers, and values that are secret, unknown or another's output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeGuard, cast

from portway.errors import BadInput, Problem
from portway.gate.resource import PROVIDER_PREFIX

STACK: Final = "dev"
PROJECT: Final = "project"
UNKNOWN_TEXT: Final = "<unknown>"
SECRET_KEY: Final = "<secret>"  # noqa: S105 - how documents mark a secret
OUTPUT_KEY: Final = "<output>"
ROOT_TYPE: Final = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class NotKnown:
    """A value that only the cloud will tell."""


UNKNOWN: Final = NotKnown()
"""A value that is not known before deployment, as an output of a resource that does not exist yet."""


@dataclass(frozen=True)
class Secret:
    """A value that Pulumi keeps encrypted. Policies see it in clear."""

    value: Any


@dataclass(frozen=True)
class Output:
    """A value that comes from another resource of the stack; unknown unless ``value`` says else."""

    of: "str | Given"
    value: Any = UNKNOWN


def secret(value: object) -> Secret:
    """``value`` as a secret: policies read it, and no message may repeat it."""
    return Secret(value)


def output(of: "str | Given", value: object = UNKNOWN) -> Output:
    """An output of the resource ``of`` (itself, its name or its URN).

    Where it is written, its top-level property depends on that resource, as the engine tells it.
    """
    return Output(of, value)


@dataclass(frozen=True)
class Given:
    """One resource as a program registers it. Made by ``resource``, ``component`` and ``provider``.

    Attributes:
        props: inputs, as plain data that may hold ``UNKNOWN``, ``secret(…)`` and ``output(…)``.
        outputs: what the whole stack is judged by instead of the inputs; None: the inputs again.
        provider: a provider of this test or its name; None: the package's default provider.
        parent: a resource of this test, its name or its URN; None: the stack.
        depends_on: by top-level property, the resources its value comes from.
        is_custom: a provider manages it; False for components.
        is_read: looked up, not registered: engines judge it only as part of the whole stack.
        known_urn: its URN where one exists already; None: as the engine would make it.
    """

    type: str
    name: str
    props: Mapping[str, Any] = field(default_factory=dict[str, Any])
    provider: "Given | str | None" = None
    parent: "Given | str | None" = None
    depends_on: Mapping[str, Sequence["Given | str"]] = field(
        default_factory=dict[str, "Sequence[Given | str]"]
    )
    outputs: Mapping[str, Any] | None = None
    is_custom: bool = True
    is_read: bool = False
    known_urn: str | None = None

    @property
    def package(self) -> str:
        """``aws`` of ``aws:s3/bucket:Bucket`` and of ``pulumi:providers:aws``."""
        return self.type.removeprefix(PROVIDER_PREFIX).split(":", 1)[0]

    @property
    def is_provider(self) -> bool:
        """Whether this is itself a provider."""
        return self.type.startswith(PROVIDER_PREFIX)


def resource(
    type: str,  # noqa: A002 - Pulumi's own word for it
    name: str = "it",
    props: Mapping[str, Any] | None = None,
    *,
    provider: Given | str | None = None,
    parent: Given | str | None = None,
    depends_on: Mapping[str, Sequence[Given | str]] | None = None,
    outputs: Mapping[str, Any] | None = None,
    is_read: bool = False,
) -> Given:
    """A resource that a provider manages; without ``provider``, by its package's default one."""
    return Given(
        type=type,
        name=name,
        props=props or {},
        provider=provider,
        parent=parent,
        depends_on=depends_on or {},
        outputs=outputs,
        is_read=is_read,
    )


def component(
    type: str,  # noqa: A002 - Pulumi's own word for it
    name: str = "it",
    props: Mapping[str, Any] | None = None,
    *,
    parent: Given | str | None = None,
) -> Given:
    """A component: it has no provider, and holds other resources as their ``parent``."""
    return Given(type=type, name=name, props=props or {}, parent=parent, is_custom=False)


def provider(package: str, name: str = "explicit", props: Mapping[str, Any] | None = None) -> Given:
    """An explicit provider, itself a resource of the stack. Nested values are JSON text, as always."""
    return Given(type=f"{PROVIDER_PREFIX}{package}", name=name, props=props or {})


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether ``value`` is an object, in the sense of JSON."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether ``value`` is a list, in the sense of JSON."""
    return isinstance(value, list | tuple)


def marked(value: object) -> Any:  # noqa: ANN401 - what a document holds
    """``value`` from a document: ``<unknown>``, ``{<secret>: v}``, ``{<output>: name}`` stand for each."""
    if value == UNKNOWN_TEXT:
        return UNKNOWN
    if is_mapping(value):
        if list(value) == [SECRET_KEY]:
            return Secret(marked(value[SECRET_KEY]))
        if OUTPUT_KEY in value and set(value) <= {OUTPUT_KEY, "value"}:
            return Output(str(value[OUTPUT_KEY]), marked(value.get("value", UNKNOWN_TEXT)))
        return {str(key): marked(child) for key, child in value.items()}
    return [marked(child) for child in value] if is_list(value) else value


_KEYS = frozenset(
    {"type", "name", "props", "outputs", "provider", "parent", "from", "component", "read"}
)


def from_document(rows: Sequence[Mapping[str, Any]]) -> tuple[Given, ...]:
    """Resources from YAML or JSON: one object each, in the form that docs/testing-policies.md lists.

    Raises:
        BadInput: a row names no type, or holds a key that nothing reads.
    """
    return tuple(_from_row(row, f"resources[{index}]") for index, row in enumerate(rows))


def _from_row(row: Mapping[str, Any], where: str) -> Given:
    strange = sorted(set(row) - _KEYS)
    if strange or not isinstance(row.get("type"), str):
        known = ", ".join(sorted(_KEYS))
        what = f"holds {', '.join(strange)}" if strange else "has no type"
        raise BadInput([Problem(where, f"{what}; a resource has {known}")])
    props = cast("Mapping[str, Any]", marked(row.get("props") or {}))
    outputs = cast("Mapping[str, Any] | None", marked(row.get("outputs")))
    made = Given(
        type=row["type"],
        name=str(row.get("name", "it")),
        props=props,
        outputs=outputs,
        parent=row.get("parent"),
        depends_on=row.get("from") or {},
        is_custom=not row.get("component", False),
        is_read=bool(row.get("read", False)),
    )
    said = row.get("provider")
    if is_mapping(said):
        name = str(said.get("name", "default"))
        said = provider(made.package, name, marked(said.get("props") or {}))
    return replace(made, provider=said)
