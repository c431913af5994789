"""A server that is away for a while: nothing is lost, nothing is made twice, and nobody waits for ever."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from portway.errors import Missing
from portway.sandbox.controlplane.errors import ApiError, already_exists
from portway.sandbox.controlplane.objects import Object, Ref
from portway.sandbox.providers.kubernetes_patience import PatientApi
from support import kube_objects as kube

AWAY = ApiError(503, "ServiceUnavailable", "the API server went away: refused")


@dataclass
class Server:
    """A cluster of one object that loses answers: ``lost`` says before or after the work was done."""

    lost: list[str] = field(default_factory=list[str])
    made: Object | None = None
    writes: int = 0

    def _lose(self, when: str) -> None:
        if self.lost and self.lost[0] == when:
            self.lost.pop(0)
            raise AWAY

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        self._lose("before")
        if self.made is not None:
            raise already_exists(Ref.of(obj))
        return self.apply(obj, field_manager=field_manager, dry_run=dry_run)

    def apply(
        self, obj: Object, *, field_manager: str, dry_run: bool = False, force: bool = False
    ) -> Object:
        del dry_run, force
        self.writes += 1
        metadata = {**obj["metadata"], "managedFields": [{"manager": field_manager}]}
        self.made = {**obj, "metadata": metadata}
        self._lose("after")
        return self.made

    def get(self, ref: Ref) -> Object | None:
        self._lose("before")
        return self.made if self.made and Ref.of(self.made) == ref else None


def patient(*servers: Any, away_seconds: float = 60) -> tuple[PatientApi, list[float]]:
    """One that reaches each of ``servers`` in turn, the last one again and again; and how it paused."""
    left, pauses = list(servers), list[float]()

    def connect() -> Any:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    return PatientApi(connect, pause, away_seconds), pauses


def config_map(**data: str) -> Object:
    return kube.of("v1", "ConfigMap", data=data)


def test_a_question_is_asked_again_until_it_is_answered() -> None:
    server = Server(["before", "before"], config_map(a="1"))
    api, pauses = patient(server)
    assert api.get(Ref.of(config_map())) == server.made
    assert pauses == [0.5, 0.5]


def test_what_a_lost_answer_was_about_is_not_made_twice() -> None:
    server = Server(["after"])
    api, _ = patient(server)
    made = api.create(config_map(a="1"), field_manager="me")
    assert made["data"] == {"a": "1"}
    assert server.writes == 2, "the same apply, twice: one object"


def test_what_was_there_before_is_nobodys_lost_answer() -> None:
    api, _ = patient(Server(["before"], config_map(a="theirs")))
    with pytest.raises(ApiError, match="already exists"):
        api.create(config_map(a="mine"), field_manager="me")


def test_a_first_create_never_takes_over_even_what_it_made_itself() -> None:
    server = Server()
    api, _ = patient(server)
    api.create(config_map(), field_manager="me")
    with pytest.raises(ApiError, match="already exists"):
        api.create(config_map(), field_manager="me")


def test_a_server_that_answers_elsewhere_is_found_there() -> None:
    gone, here = Server(["before"] * 9), Server(made=config_map(a="1"))
    api, _ = patient(gone, Missing("refused"), here)
    assert api.get(Ref.of(config_map())) == here.made


def test_one_that_stays_away_is_named_with_what_to_do() -> None:
    api, _ = patient(Missing("no Kubernetes API server answers"), away_seconds=0)
    with pytest.raises(ApiError) as gone:
        api.reach()
    assert gone.value.code == 503
    assert gone.value.message.startswith("the API server has not answered for 0 seconds (no Kube")
    assert "run the same command again" in gone.value.message


def test_an_engine_that_ends_is_not_kept_waiting() -> None:
    api = PatientApi(lambda: Server(["before"] * 9), lambda _: True)  # pyright: ignore[reportArgumentType] - it answers what is asked here
    with pytest.raises(ApiError, match="has not answered"):
        api.get(Ref.of(config_map()))


@pytest.mark.parametrize("code", [400, 403, 404, 409, 422])
def test_a_refusal_is_an_answer(code: int) -> None:
    refusal = ApiError(code, "Refused", "no")

    class Refuses(Server):
        def get(self, ref: Ref) -> Object | None:
            raise refusal

    api, pauses = patient(Refuses())
    with pytest.raises(ApiError, match="no"):
        api.get(Ref.of(config_map()))
    assert pauses == []
