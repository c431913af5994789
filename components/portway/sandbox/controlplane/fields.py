"""Who owns which field of an object, as server-side apply keeps account of it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from portway.sandbox.controlplane.objects import Object, Value

_NOBODY_OWNS = frozenset({"apiVersion", "kind"})


def managed_fields(manager: str, applied: Object) -> list[Object]:
    """The ``metadata.managedFields`` of an object that ``manager`` applied."""
    owned = {key: value for key, value in applied.items() if key not in _NOBODY_OWNS}
    return [
        {
            "manager": manager,
            "operation": "Apply",
            "apiVersion": applied.get("apiVersion"),
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "fieldsType": "FieldsV1",
            "fieldsV1": _owned(owned),
        }
    ]


def conflicting(old: Object, new: Object) -> list[str]:
    """Paths that both objects set, and set differently; a list counts as one value."""
    return sorted(_clashes("", old, new))


def _owned(value: Value) -> Object:
    if not isinstance(value, dict):
        return {}
    return {f"f:{key}": _owned(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType] - any JSON


def _clashes(path: str, old: Value, new: Value) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() & new.keys():  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - any JSON
            yield from _clashes(f"{path}.{key}", old[key], new[key])
    elif old != new:
        yield path
