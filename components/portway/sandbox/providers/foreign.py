"""A package that nobody has embedded: its resources can be previewed, and never created."""

from typing import ClassVar, NoReturn

from portway.sandbox.providers.cloud import Cloud, CloudError, Code, Failure, Request, State
from portway.sandbox.providers.differences import Difference
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Store


class Foreign(Cloud):
    """Takes whatever a program writes, and knows nothing else of it before the deployment."""

    package: ClassVar[str] = "foreign"

    def __init__(self, store: Store, name: str) -> None:
        """``name`` of the package, for its messages."""
        super().__init__(store)
        self._name = name

    def check(self, request: Request) -> tuple[Json, list[Failure]]:
        """Nothing is known to be wrong."""
        return request.inputs, []

    def diff(self, request: Request) -> Difference:
        """Whatever exists was not made here."""
        self._refuse(request)

    def preview(self, request: Request) -> Json:
        """What the program wrote; an output that is missing is unknown to it."""
        return request.inputs

    def create(self, request: Request) -> State:
        """Never."""
        self._refuse(request)

    def read(self, request: Request) -> State | None:
        """Never."""
        self._refuse(request)

    def update(self, request: Request) -> State:
        """Never."""
        self._refuse(request)

    def delete(self, request: Request) -> None:
        """Never."""
        self._refuse(request)

    def _refuse(self, request: Request) -> NoReturn:
        raise CloudError(
            Code.FAILED_PRECONDITION,
            f"the sandbox has no embedded {self._name}, so {request.type} can be previewed here and not deployed",
        )
