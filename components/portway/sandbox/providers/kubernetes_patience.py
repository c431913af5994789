"""A cluster whose API server may be away for a while: asked again until it answers, then as if it never was.

Every question asked here may be asked twice: reads, deletions, and server-side applies of one field manager.
A create may too: what the lost answer was about is known by its field manager.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from portway.errors import Missing
from portway.sandbox.controlplane.api import KubeApi
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.objects import Object, Ref, dig, objects_at
from portway.sandbox.controlplane.server import ServerApi

AWAY_SECONDS: Final = 60.0
"""How long a server may be away: as long as one that is replaced or fails over takes."""

AGAIN_SECONDS: Final = 0.5
_AWAY: Final = frozenset({429, 502, 503, 504})

T = TypeVar("T")


@dataclass
class PatientApi:
    """See ``KubeApi``; waits while the server does not answer.

    Attributes:
        connect: reaches the cluster, anew after it was away: a server that was started again may
            answer elsewhere. Raises ``Missing`` when it cannot.
        pause: waits that many seconds; True when the engine wants everything to end.
        away_seconds: how long is waited for an answer.
    """

    connect: Callable[[], KubeApi]
    pause: Callable[[float], bool]
    away_seconds: float = AWAY_SECONDS
    _api: KubeApi | None = field(default=None, repr=False)
    _opened: "list[KubeApi]" = field(default_factory=list["KubeApi"], repr=False)

    def reach(self) -> None:
        """Connect, as every question does.

        Raises:
            ApiError: nobody answers.
        """
        self._asked(lambda _, __: None)

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """See ``KubeApi``."""
        return self._asked(lambda api, _: api.is_namespaced(api_version, kind))

    def decode(self, obj: Object, *, unknown: str) -> None:
        """See ``KubeApi``."""
        self._asked(lambda api, _: api.decode(obj, unknown=unknown))

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """See ``KubeApi``."""

        def once(api: KubeApi, is_again: bool) -> Object:  # noqa: FBT001 - one caller
            made = api.get(Ref.of(obj)) if is_again and not dry_run else None
            act = api.apply if made is not None and is_of(made, field_manager) else api.create
            return act(obj, field_manager=field_manager, dry_run=dry_run)

        return self._asked(once)

    def apply(
        self, obj: Object, *, field_manager: str, dry_run: bool = False, force: bool = False
    ) -> Object:
        """See ``KubeApi``."""
        return self._asked(
            lambda api, _: api.apply(
                obj, field_manager=field_manager, dry_run=dry_run, force=force
            )
        )  # fmt: skip

    def get(self, ref: Ref) -> Object | None:
        """See ``KubeApi``."""
        return self._asked(lambda api, _: api.get(ref))

    def delete(self, ref: Ref) -> bool:
        """See ``KubeApi``."""
        return self._asked(lambda api, _: api.delete(ref))

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> "list[Object]":
        """See ``KubeApi``."""
        return self._asked(lambda api, _: api.list(api_version, kind, namespace))

    def close(self) -> None:
        """Close every connection."""
        for api in self._opened:
            if isinstance(api, ServerApi):
                api.client.close()

    def _connected(self) -> KubeApi:
        api = self._api
        if api is None:
            self._api = api = self.connect()
            # one that was left may still be in use by whoever else asked it
            self._opened.append(api)
        return api

    def _asked(self, question: Callable[[KubeApi, bool], T]) -> T:
        began, is_again = time.monotonic(), False
        while True:
            try:
                return question(self._connected(), is_again)
            except (ApiError, Missing) as error:
                if isinstance(error, ApiError) and error.code not in _AWAY:
                    raise
                waited = time.monotonic() - began
                if waited >= self.away_seconds or self.pause(AGAIN_SECONDS):
                    raise gone(waited, error) from error
                self._api, is_again = None, True


def is_of(obj: Object, field_manager: str) -> bool:
    """Whether ``field_manager`` made ``obj``, and it is not on its way out."""
    fields = objects_at(obj, "metadata", "managedFields")
    is_mine = any(each.get("manager") == field_manager for each in fields)
    return is_mine and dig(obj, "metadata", "deletionTimestamp") is None


def gone(waited_seconds: float, error: Exception) -> ApiError:
    """What is said of a server that did not come back."""
    return ApiError(
        503,
        "ServiceUnavailable",
        f"the API server has not answered for {waited_seconds:.0f} seconds ({error}); once it does, "
        "run the same command again: what was made is in the state, and the rest follows. Where that "
        "ends with `already exists`, the server had done what it could not answer: import or delete it",
    )
