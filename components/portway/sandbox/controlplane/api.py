"""What the stand-in plugin asks of a cluster, whichever of the two answers."""

from typing import Protocol

from portway.sandbox.controlplane.objects import Object, Ref


class KubeApi(Protocol):
    """One cluster. Every method may raise ``ApiError`` with the API server's own text."""

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of that kind live in a namespace.

        Raises:
            ApiError: the cluster does not know the kind (404, ``no matches for kind``).
        """
        ...

    def decode(self, obj: Object, *, unknown: str) -> None:
        """Judge the shape of ``obj`` before it is complete: values that equal ``unknown`` are right.

        A cluster that only judges what it is sent accepts everything here.

        Raises:
            ApiError: 400 or 422, as ``create`` would.
        """
        ...

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """Create ``obj`` and return it as the cluster stores it.

        Raises:
            ApiError: 409 when it exists; 400, 403, 404 or 422 when it is refused.
        """
        ...

    def apply(
        self, obj: Object, *, field_manager: str, dry_run: bool = False, force: bool = False
    ) -> Object:
        """Server-side apply ``obj`` and return the live object; ``force`` takes fields from who owns them.

        Raises:
            ApiError: 409 when another manager owns a field; 400, 403, 404 or 422 when it is refused.
        """
        ...

    def get(self, ref: Ref) -> Object | None:
        """The live object with its status; None when it is not there."""
        ...

    def delete(self, ref: Ref) -> bool:
        """Delete the object and what depends on it; False when it was not there."""
        ...

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[Object]:
        """The live objects of one kind, in one namespace or in all."""
        ...
