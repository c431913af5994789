"""What is particular about single resource types, beside the tables: hooks that a stored cloud calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portway.sandbox.providers.cloud import Failure, Request
from portway.sandbox.providers.wire import Json, Value, is_list, is_object
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud


@dataclass(frozen=True)
class Deployed:
    """A resource that a rule is looking at while it is created or changed.

    Attributes:
        request: what the engine asked.
        key: where it is (or will be) in the store.
        before: what the store had, for a change.
    """

    request: Request
    key: Key
    before: Row | None = None

    @property
    def inputs(self) -> Json:
        """What the program wants."""
        return self.request.inputs


@dataclass(frozen=True)
class Behaviour:
    """What is particular about one type, as code. Every part is optional.

    Attributes:
        identify: the id of a new resource, where a template cannot say it.
        validate: what the real provider refuses before it calls its cloud (runs in previews; inputs may
            hold unknown values).
        admit: what the cloud refuses; raises CloudError and leaves nothing behind.
        outputs: computed outputs that a template cannot say.
        flaw: why the resource, once there, would never become usable.
        payload: the input whose file the data plane needs; its content is kept, and ``__object`` says
            where.
        served_seconds: how long the data plane may take to serve it; 0 for types nobody serves.
        release: what the cloud refuses when it is to be deleted.
        stays: whether the provider only forgets it, and the cloud keeps it.
    """

    identify: Callable[["StoredCloud", Json], str] | None = None
    validate: Callable[[Json], list[Failure]] | None = None
    admit: Callable[["StoredCloud", Deployed], None] | None = None
    outputs: Callable[["StoredCloud", Deployed, Json], Json] | None = None
    flaw: Callable[["StoredCloud", Deployed], str | None] | None = None
    payload: tuple[str, ...] = ()
    served_seconds: float = 0
    release: Callable[["StoredCloud", Row, Request], None] | None = None
    stays: Callable[[Row], bool] | None = None


def nested(values: Value, path: str) -> Value:
    """The value at a dotted path, or None where any step is missing."""
    found = values
    for part in path.split("."):
        if not is_object(found):
            return None
        found = found.get(part)
    return found


def object_at(values: Value, path: str) -> Json:
    """The object at a dotted path, or an empty one."""
    found = nested(values, path)
    return found if is_object(found) else {}


def objects_at(values: Value, path: str) -> list[Json]:
    """The objects of the list at a dotted path; none when there is no list."""
    found = nested(values, path)
    return [item for item in found if is_object(item)] if is_list(found) else []
