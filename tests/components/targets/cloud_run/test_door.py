"""The front door on Cloud Run: its plan, its resources, and its price both ways."""

import asyncio
import gc
import json
from decimal import Decimal
from typing import Any

from portway.estimates import estimate_plan
from portway.gate.billing import stack_estimate
from portway.inference_service import InferenceService
from portway.models import find
from portway.registry import load_target
from portway.runtime.door import read_door_config
from portway.runtime.door_routes import parse_routes
from portway.target import DoorPlacement, End, Placement
from portway.targets.cloud_run import door
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan
from support import builders
from support.mock_engine import Created, Run, deploy
from support.priced_stacks import stack_of_service

TARGET = "cloud-run"
SERVICE = "gcp:cloudrunv2/service:Service"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
WEIGHTS = {"chat.prod.cloud-run": 95, "chat.prod.lambda-bedrock": 5, "chat.prod.kubernetes": 0}


def placement(weights: dict[str, int] = WEIGHTS, **options: Any) -> Placement:
    ends = tuple(
        End(
            stack=name,
            weight=weight,
            target=name.rpartition(".")[2],
            region="europe-west4",
            model_identity="m",
        )
        for name, weight in weights.items()
    )
    return Placement(
        target=TARGET,
        region="europe-west4",
        environment="prod",
        settings={"gcp:project": "acme-inference"},
        options=options,
        door=DoorPlacement(kind=TARGET, ends=ends),
    )


def plan(place: Placement | None = None, **spec: Any) -> CloudRunDoorPlan:
    made = builders.spec(**spec)
    return door.plan(made, find(made.model), place or placement())


def made(weights: dict[str, int] = WEIGHTS) -> Run[InferenceService]:
    spec = builders.spec()
    return deploy(
        lambda: InferenceService(spec.name, spec, placement(weights)), read=lambda one: one.outputs
    )


def _version(run: Run[InferenceService]) -> Created:
    (found,) = [one for one in run.of(VERSION) if one.name.endswith("-routes")]
    return found


def _secret(created: Created) -> str:
    """What a version holds; a text that is no secret has no such marker."""
    return str(created.inputs["secretData"]["(secret)"])


def test_its_container_is_a_door_that_outwaits_its_ends() -> None:
    made_plan = plan(timeout_seconds=100)
    config = read_door_config(made_plan.container.env)
    assert (config.timeout_seconds, made_plan.timeout_seconds) == (115, 120)
    assert config.routes_file.startswith(made_plan.container.mounts["routes"])
    assert config.keys_file.startswith(made_plan.container.mounts["keys"])
    assert config.max_instances == made_plan.max_instances == 1


def test_it_passes_on_all_that_both_ends_of_a_move_can_answer() -> None:
    scaling = {"min": 0, "max": 3, "concurrency": 8}
    assert plan(scaling=scaling).concurrency == 48


def test_new_weights_change_nothing_of_the_service_so_that_no_instance_is_replaced() -> None:
    before, after = (
        plan(placement(weights)).model_dump(exclude={"ends"})
        for weights in (
            {"chat.prod.a": 100, "chat.prod.b": 0},
            {"chat.prod.a": 5, "chat.prod.b": 95},
        )
    )
    assert before == after
    here, there = (made(weights).one(SERVICE) for weights in (WEIGHTS, {**WEIGHTS, "chat.prod.cloud-run": 0, "chat.prod.kubernetes": 95}))  # fmt: skip
    assert here.inputs == there.inputs


def test_its_routes_hold_the_weights_and_address_and_key_of_every_end_that_has_one() -> None:
    document = _secret(_version(made()))
    routes = parse_routes(document.encode())
    assert routes.weights == WEIGHTS
    assert {name: (end.url, end.key) for name, end in routes.ends.items()} == {
        name: (f"https://{name}.example", f"pw-key-of-{name}")
        for name, weight in WEIGHTS.items()
        if weight
    }
    assert set(json.loads(document)["ends"]) == set(routes.ends), (
        "an end without weight may be gone"
    )


def test_it_waits_for_all_that_it_reads_and_only_its_key_is_secret() -> None:
    run = made()
    assert set(run.one(SERVICE).depends_on) == {
        "chat-identity", "chat-keys", "chat-keys-reader", "chat-routes", "chat-routes-reader",
        "chat-code", "chat-code-reader", "chat-images",
    }  # fmt: skip
    assert {name for name, hidden in run.secret.items() if hidden} == {"apiKey"}
    assert set(run.secret) == {
        "endpoint", "apiKey", "target", "region", "model", "modelIdentity", "service",
    }  # fmt: skip


def test_it_costs_the_same_by_its_plan_and_by_its_resources() -> None:
    traffic = {"requests_per_day": 2000, "input_tokens": 600, "output_tokens": 200}
    spec = builders.spec(traffic=traffic)
    choices: tuple[dict[str, Any], ...] = ({}, {"min_instances": 0, "max_instances": 3})
    for options in choices:
        place = placement(**options)
        made_plan = door.plan(spec, find(spec.model), place)
        estimate = estimate_plan(load_target(TARGET), made_plan, spec, find(spec.model)).estimate
        found = stack_estimate(stack_of_service(spec, place))
        assert found.is_whole
        assert estimate.monthly is not None
        by_plan = (estimate.monthly.floor, estimate.monthly.expected, estimate.monthly.ceiling)
        by_resources = (found.totals.floor, found.totals.expected, found.totals.ceiling)
        for one, other in zip(by_plan, by_resources, strict=True):
            assert abs(one - other) <= Decimal("0.05"), (by_plan, by_resources)


def test_reading_the_outputs_of_its_ends_leaves_no_event_loop_open() -> None:
    """An open one would be reported by the collector in whichever test that comes."""
    made()
    gc.collect()
    loops = [one for one in gc.get_objects() if issubclass(type(one), asyncio.BaseEventLoop)]
    assert [loop for loop in loops if not loop.is_closed()] == []
