"""Every mistake that a GPU service on Cloud Run can make, and what of ours keeps it from being made.

``mistakes.json`` beside this is the table; each row says how it is held. What is refused is held by
the reason and its path. What our options cannot express is held twice: no stack that we create
makes it, and the stand-in API refuses one that does, in Google's words.
"""

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from portway.errors import Problem
from portway.sandbox.providers.google_run import probe_budget, violations
from portway.target import Plan
from portway.targets.cloud_run.shapes import CloudRunPlan
from support import builders, golden
from support.mock_engine import Run

SERVICE = "gcp:cloudrunv2/service:Service"
TABLE: dict[str, Any] = json.loads(
    Path(__file__).with_name("mistakes.json").read_text(encoding="utf-8")
)
ROWS: list[dict[str, Any]] = TABLE["mistakes"]
CASES = [
    name
    for name in golden.cases()
    if name.endswith("@cloud-run") and (golden.GOLDEN / f"{name}.plan.json").exists()
]


def rows(by: str) -> list[Any]:
    return [pytest.param(row, id=row["id"]) for row in ROWS if row["by"] == by]


@cache
def made(case: str) -> Run[Any]:
    return golden.deployed(golden.planned(golden.cases()[case]))


def service(case: str) -> Any:
    return copy.deepcopy(made(case).one(SERVICE).inputs)


def said(inputs: Any) -> list[str]:
    """What Google says of a service: at once, or when its revision cannot start."""
    late = probe_budget(inputs)
    return [*violations(inputs), *([late] if late else [])]


def planned(row: dict[str, Any]) -> Plan | tuple[Problem, ...]:
    place = builders.placement("cloud-run", options=row.get("options", {}))
    return builders.outcome(builders.spec(**row.get("spec", {})), place)


def values(holder: Any, path: str) -> Iterator[Any]:
    """Every value at a path; ``None`` where a step is missing."""
    if not path:
        yield holder
        return
    step, _, rest = path.partition(".")
    name = step.removesuffix("[]")
    found: Any = cast("dict[str, Any]", holder).get(name) if isinstance(holder, dict) else None
    for one in (found or [None]) if step.endswith("[]") else [found]:
        yield from values(one, rest)


def test_no_mistake_is_listed_twice_and_each_is_held_in_a_way_that_is_tested() -> None:
    assert [name for name, count in Counter(row["id"] for row in ROWS).items() if count > 1] == []
    assert {row["by"] for row in ROWS} == {
        "a note", "a reason", "a type that no stack has", "an option that does without",
        "ports that match", "the API, of what we never send", "the spec itself",
        "what every stack has", "what no stack has", "what the service waits for",
    }  # fmt: skip
    assert len(ROWS) >= 60


@pytest.mark.parametrize("case", CASES)
def test_nothing_that_we_create_is_refused(case: str) -> None:
    assert said(service(case)) == []


@pytest.mark.parametrize("row", rows("the API, of what we never send"))
def test_what_we_never_send_would_be_refused_in_these_words(row: dict[str, Any]) -> None:
    inputs = service(row["case"])
    assert said(inputs) == []
    for (*above, last), value in row["change"]:
        holder = inputs
        for step in above:
            holder = holder[step]
        if value is None:
            del holder[last]
        else:
            holder[last] = value
    assert any(row["says"] in text for text in said(inputs)), said(inputs)


@pytest.mark.parametrize("row", rows("a reason"))
def test_a_placement_that_makes_it_is_refused(row: dict[str, Any]) -> None:
    found = planned(row)
    assert isinstance(found, tuple), "it was planned"
    assert [problem.path for problem in found] == [row["path"]]
    assert row["says"] in found[0].message


@pytest.mark.parametrize("row", rows("the spec itself"))
def test_a_spec_that_makes_it_is_none(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=row["path"]):
        builders.spec(**row["spec"])


@pytest.mark.parametrize("row", rows("a note"))
def test_what_no_plan_can_know_is_said(row: dict[str, Any]) -> None:
    plan = planned(row)
    assert isinstance(plan, CloudRunPlan)
    assert any(row["says"] in note for note in plan.notes)


@pytest.mark.parametrize("row", rows("what every stack has"))
def test_every_stack_has_what_keeps_it_from_happening(row: dict[str, Any]) -> None:
    found = [
        value
        for case in CASES
        for created in made(case).of(row["type"])
        for value in values(created.inputs, row["path"])
    ]
    assert found
    assert all(re.fullmatch(row["pattern"], str(value)) for value in found), found


@pytest.mark.parametrize("row", rows("what no stack has"))
def test_no_stack_has_what_it_takes(row: dict[str, Any]) -> None:
    for case in CASES:
        for created in made(case).of(row["type"]):
            assert list(values(created.inputs, row["path"])) == [None]


@pytest.mark.parametrize("row", rows("a type that no stack has"))
def test_no_stack_has_the_resource_that_makes_it(row: dict[str, Any]) -> None:
    for case in CASES:
        assert not set(row["types"]) & set(made(case).types())


@pytest.mark.parametrize("row", rows("an option that does without"))
def test_an_option_does_without_what_an_organisation_may_forbid(row: dict[str, Any]) -> None:
    plan = planned(row)
    assert isinstance(plan, CloudRunPlan)
    assert not set(row["types"]) & set(golden.deployed(plan).types())
    assert set(row["types"]) & set(made("chat@cloud-run").types())


@pytest.mark.parametrize("row", rows("what the service waits for"))
def test_the_service_is_created_after_what_it_needs(row: dict[str, Any]) -> None:
    waits = made("chat@cloud-run").one(SERVICE).depends_on
    assert f"chat-{row['role']}" in waits


@pytest.mark.parametrize("row", rows("ports that match"))
def test_every_container_listens_where_it_is_asked(row: dict[str, Any]) -> None:
    assert row["id"] == "port.match"
    for case in CASES:
        runtime, engine = service(case)["template"]["containers"]
        port = engine["args"][engine["args"].index("--port") + 1]
        probes = [engine[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness")]
        assert {str(one) for one in probes} == {port}
        own = runtime["ports"]["containerPort"]
        kinds = ("startup", "liveness", "readiness")
        assert {runtime[f"{kind}Probe"]["httpGet"]["port"] for kind in kinds} == {own}
        env = {one["name"]: one["value"] for one in runtime["envs"]}
        assert env["PORTWAY_UPSTREAM"] == f"http://127.0.0.1:{port}"


choices: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from([4, 6, 8]),
        "memory_gib": st.integers(16, 32),
        "gpu_zonal_redundancy": st.booleans(),
        "session_affinity": st.booleans(),
        "invoker_check": st.booleans(),
        "weights": st.fixed_dictionaries(
            {"bucket": st.from_regex(r"[a-z][a-z0-9._-]{1,20}[a-z0-9]", fullmatch=True)},
            optional={"load": st.sampled_from(["mount", "stream"])},
        ),
        "network": st.fixed_dictionaries(
            {"subnetwork": st.from_regex(r"[a-z][-a-z0-9]{0,20}[a-z]", fullmatch=True)},
            optional={"network": st.just("platform"), "tags": st.just(["llm"])},
        ),
    },
)


@settings(max_examples=25, deadline=None)
@given(
    options=choices,
    model=st.sampled_from(["ministral-3-8b", "qwen3-8b", "gpt-oss-20b"]),
    scaling=st.tuples(st.integers(0, 3), st.integers(3, 900), st.integers(1, 1000)),
    timeout=st.integers(1, 3600),
)
def test_whatever_is_planned_is_a_service_that_google_takes(
    options: dict[str, Any], model: str, scaling: tuple[int, int, int], timeout: int
) -> None:
    least, most, at_once = scaling
    spec = builders.spec(
        model=model,
        timeout_seconds=timeout,
        scaling={"min": least, "max": most, "concurrency": at_once},
    )
    plan = builders.outcome(spec, builders.placement("cloud-run", options=options))
    if isinstance(plan, CloudRunPlan):
        assert said(golden.deployed(plan).one(SERVICE).inputs) == []
