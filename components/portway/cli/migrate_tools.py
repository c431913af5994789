"""What ``portway migrate`` works with: the engine, the deployed door, HTTP, a lease where all can see it."""

from functools import cache
from pathlib import Path

from portway.cli.stack_place import BACKEND, StackPlace, place_of
from portway.engine.stack import Stack
from portway.errors import BadInput, Problem
from portway.portability.asking import HttpAsker, read_prompts, shipped_prompts
from portway.portability.door_stack import DeployedDoor
from portway.portability.engine_cloud import EngineCloud, SystemClock
from portway.portability.keeping import Kept, lease_folder
from portway.portability.lease import Lease, take
from portway.portability.move_plan import MovePlan
from portway.portability.world import Tools
from portway.spec.project import stack_file


class Workplace:
    """Where one move is carried out: a project, and the backend its states are in."""

    def __init__(
        self, project: Path, plan: MovePlan, backend: str | None, prompts: Path | None
    ) -> None:
        """Find the engine, the state and the door.

        Raises:
            BadInput: there is no stack file for the door, or the prompts are none.
            Missing: there is no engine.
        """
        self._plan = plan
        self._project = project
        self._backend = backend
        self._prompts = shipped_prompts() if prompts is None else read_prompts(prompts)
        self._require_door()
        self._place_of = cache(self._found)
        self._place = self._place_of(plan.move.door)

    @property
    def is_sandbox(self) -> bool:
        """Whether the clouds are embedded ones."""
        return self._place.clouds is not None

    def lease(self, kept: Kept) -> Lease:
        """The only one for this service and environment.

        Raises:
            Busy: somebody else holds it.
        """
        state, move = self._place.state, self._plan.move
        url = state.environment.get(BACKEND, "")
        what = f"{move.service}.{move.environment}"
        return take(lease_folder(kept, url, state.project), what)

    def tools(self, lease: Lease) -> Tools:
        """Everything a migration works with."""
        cloud = EngineCloud(self._project, self._place_of)
        state = self._place.state
        stack = Stack(state.folder, self._plan.move.door, state.engine, state.environment)
        asker = HttpAsker(self._prompts, self._plan.move.timeout_seconds)
        return Tools(
            cloud, DeployedDoor(stack, cloud.packs()), asker, SystemClock(), lease,
            self._plan.comparison.after.plan.model, self._plan.limits, self._plan.objections,
        )  # fmt: skip

    def _found(self, stack: str) -> StackPlace:
        return place_of(self._project, stack, self._backend, unless_told="sandbox")

    def _require_door(self) -> None:
        door = self._plan.move.door
        try:
            stack_file(self._project, door)
        except BadInput:
            message = (
                f"there is no stack {door}: clients must use a front door before what is behind it can "
                "move; see docs/door.md, then `portway up` it"
            )
            raise BadInput([Problem("", message)]) from None
