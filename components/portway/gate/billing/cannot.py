"""Why a resource cannot be priced, as an exception inside this room and as data outside of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One reason why the bill of a resource is not known.

    Attributes:
        path: the property, or "" where the type as a whole is meant.
        why: a clause for a message, without the resource.
        is_unread: nobody has read the type; else a value or a place is missing or not known yet.
        is_unbounded: it is priced, and nothing says how many there may be.
    """

    path: str
    why: str
    is_unread: bool = False
    is_unbounded: bool = False


class CannotPrice(Exception):
    """Raised by readers of one resource; ``billed`` makes a fault of it."""

    def __init__(self, path: str, why: str, *, is_unbounded: bool = False) -> None:
        """Args: as of ``Fault``."""
        super().__init__(why)
        self.fault = Fault(path, why, is_unbounded=is_unbounded)
