"""The file of a front door: every fault at once, each at its line; and what its placement holds."""

from pathlib import Path

import pytest

from portway.spec.load import judge_stack, plan_stack
from portway.target import DoorPlacement, End, Placement
from support.desk import Desk

SPEC = """\
name: chat
model: ministral-3-8b
scaling: {min: 0, max: 3, concurrency: 8}
residency: eu
"""
RUN = "chat.prod.cloud-run"
LAMBDA = "chat.prod.lambda-bedrock"
DOOR = "chat.prod.door"
DOOR_FILE = f"stacks/Pulumi.{DOOR}.yaml"
FILES = {
    "stacks/specs/chat.yaml": SPEC,
    f"stacks/Pulumi.{RUN}.yaml": """\
config:
  portway:spec: specs/chat.yaml
  portway:placement: {target: cloud-run, region: europe-west4}
  gcp:project: acme-inference
""",
    f"stacks/Pulumi.{LAMBDA}.yaml": """\
config:
  portway:spec: specs/chat.yaml
  portway:placement: {target: lambda-bedrock, region: eu-west-1}
""",
}


def door(text: str) -> dict[str, str]:
    head = "config:\n  portway:spec: specs/chat.yaml\n  gcp:project: acme-inference\n"
    return {**FILES, DOOR_FILE: f"{head}  portway:door:\n{text}"}


GOOD = f"""\
    kind: cloud-run
    region: europe-west4
    weights: {{{RUN}: 95, {LAMBDA}: 5}}
"""


def problems(desk: Desk, files: dict[str, str], name: str = DOOR) -> list[str]:
    desk.write(files)
    return [str(problem) for problem in judge_stack(desk.folder, name).problems]


def test_a_door_is_a_placement_of_its_kinds_target_with_its_ends(desk: Desk) -> None:
    desk.write(door(GOOD))
    stack = judge_stack(desk.folder, DOOR).stack
    assert stack is not None
    ends = {end.stack: end for end in stack.placement.door.ends} if stack.placement.door else {}
    assert stack.placement == Placement(
        target="cloud-run",
        region="europe-west4",
        environment="prod",
        settings={"gcp:project": "acme-inference"},
        door=DoorPlacement(kind="cloud-run", ends=tuple(ends.values())),
    )
    assert [(end.stack, end.weight, end.target, end.region) for end in ends.values()] == [
        (RUN, 95, "cloud-run", "europe-west4"),
        (LAMBDA, 5, "lambda-bedrock", "eu-west-1"),
    ]
    plan = plan_stack(stack)
    assert plan.model_identity == " | ".join(end.model_identity for end in ends.values())
    assert isinstance(ends[RUN], End)


def test_everything_wrong_with_a_door_is_said_at_once_with_its_line(desk: Desk) -> None:
    found = problems(
        desk,
        door(f"""\
    kind: cloud-rum
    region: us-central1
    hosts: [Not_A_Host]
    keys: ["1", "1"]
    weights:
      {RUN}: 95
      chat.dev.cloud-run: 3
      {DOOR}: 1
      chat.prod.kubernetes: 0
      somewhere: 1.5
"""),
    )
    assert [line.removeprefix(f"{DOOR_FILE}:") for line in found] == [
        "5: door.kind: 'cloud-rum' is no kind of door; did you mean cloud-run? choose one of cloud-run, cloud-dns, route53, kubernetes",
        "6: door.region: 'us-central1' is outside the boundary eu of chat; all that clients say passes the door, choose a region inside",
        "7: door.hosts: has 'Not_A_Host', which is no host name such as chat.example.eu",
        "8: door.keys: names a key generation twice; give each its own name",
        "11: door.weights.chat.dev.cloud-run: is no stack of chat in prod; a door leads to stacks of its own service and environment",
        "12: door.weights.chat.prod.door: is a door itself; a door leads to services",
        "13: door.weights.chat.prod.kubernetes: is no stack: there is no Pulumi.chat.prod.kubernetes.yaml beside this file",
        "14: door.weights.somewhere: is 1.5; a weight is a whole number of percent from 0 to 100",
    ]


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ("{}", "weights: is empty; write {<stack>: <percent>, …}, which sum to 100"),
        ("7", "weights: is a whole number; write {<stack>: <percent>, …}, which sum to 100"),
        (f"{{{RUN}: 95}}", "weights: sum to 95; they are percent of all requests, make them sum to 100"),
        (f"{{{RUN}: 101}}", f"weights.{RUN}: is 101; a weight is a whole number of percent from 0 to 100"),
        (f"{{{RUN}: true}}", f"weights.{RUN}: is True; a weight is a whole number of percent from 0 to 100"),
    ],
)  # fmt: skip
def test_weights_are_whole_percent_that_sum_to_a_hundred(
    desk: Desk, weights: str, why: str
) -> None:
    found = problems(
        desk, door(f"    kind: cloud-run\n    region: europe-west4\n    weights: {weights}\n")
    )
    assert found == [f"{DOOR_FILE}:7: door.{why}"]


def test_an_end_must_promise_clients_the_same_and_be_valid_itself(desk: Desk) -> None:
    files = door(GOOD)
    other = "name: chat\nmodel: qwen3-8b\nscaling: {min: 0, max: 1}\nresidency: de\ntimeout_seconds: 60\n"
    files["stacks/specs/other.yaml"] = other
    files[f"stacks/Pulumi.{RUN}.yaml"] = files[f"stacks/Pulumi.{RUN}.yaml"].replace(
        "specs/chat.yaml", "specs/other.yaml"
    )
    files[f"stacks/Pulumi.{LAMBDA}.yaml"] = files[f"stacks/Pulumi.{LAMBDA}.yaml"].replace(
        "eu-west-1", "mars"
    )
    found = problems(desk, files)
    says = "in its spec than the door; clients could tell the ends apart, make them one"
    assert found == [
        *(
            f"{DOOR_FILE}:7: door.weights.{RUN}: has another {name} {says}"
            for name in ("model", "residency", "timeout_seconds")
        ),
        f"{DOOR_FILE}:7: door.weights.{LAMBDA}: has problems of its own; mend what `portway check {LAMBDA}` says",
    ]


def test_a_door_has_no_placement_and_a_name_that_says_what_it_is(desk: Desk) -> None:
    files = door(GOOD)
    wrong = (
        files.pop(DOOR_FILE) + "  portway:placement: {target: cloud-run, region: europe-west4}\n"
    )
    name = "chat.prod.entry"
    found = problems(desk, {**files, f"stacks/Pulumi.{name}.yaml": wrong}, name)
    assert [line.partition(": ")[2] for line in found] == [
        "door: is a door, but the stack's name ends in 'entry'; name it <service>.<environment>.door",
        "placement: is of a service, and this stack is a door; remove it",
    ]


@pytest.mark.parametrize("given", ["7", "", "{secure: v1:abc}"])
def test_a_door_that_says_nothing_is_told_what_to_write(desk: Desk, given: str) -> None:
    text = FILES | {
        DOOR_FILE: f"config:\n  portway:spec: specs/chat.yaml\n  portway:door: {given}\n"
    }
    (found,) = problems(desk, text)
    assert "write {kind: …, region: …, weights: {<stack>: <percent>}}" in found


@pytest.mark.parametrize("kind", ["route53", "cloud-dns"])
def test_a_kind_that_cannot_hold_the_ends_keys_is_refused_with_the_reason(
    desk: Desk, kind: str
) -> None:
    (found,) = problems(desk, door(GOOD.replace("kind: cloud-run", f"kind: {kind}")))
    assert found.startswith(f"{DOOR_FILE}:5: door.kind: is {kind}, before {RUN}, {LAMBDA}: ")
    assert "API key" in found


def test_a_door_in_a_cluster_says_which(desk: Desk) -> None:
    in_cluster = GOOD.replace("kind: cloud-run", "kind: kubernetes")
    (found,) = problems(desk, door(in_cluster))
    assert found.startswith(f"{DOOR_FILE}:4: door.cluster: is not set; name the kubeconfig context")
    assert problems(desk, door(in_cluster.rstrip() + "\n    cluster: prod-eu\n")) == []


def test_what_a_door_on_cloud_run_cannot_do_is_refused_in_its_own_fields(desk: Desk) -> None:
    files = door(
        f"""\
    kind: cloud-run
    region: europe-west1
    hosts: [chat.example.eu]
    weights: {{{RUN}: 100}}
    options: {{min_instances: 3, max_instances: 2, concurrency: 10}}
"""
    )
    files["stacks/specs/chat.yaml"] = SPEC + "timeout_seconds: 3590\n"
    files[DOOR_FILE] = files[DOOR_FILE].replace("acme-inference", "Acme")
    found = [line.partition(": ")[2].partition("; ")[0] for line in problems(desk, files)]
    assert sorted(found) == [
        "door.hosts: has 'chat.example.eu'",
        "door.options.concurrency: is 10, with max_instances 2",
        "door.options.min_instances: is 3, above max_instances (2)",
        "gcp:project: is 'Acme', not a project id",
        "timeout_seconds: is 3590",
    ]


@pytest.mark.parametrize(
    ("access", "path"),
    [("{auth: iam}", "access.auth"), ("{auth: api-key, reach: private}", "access.reach")],
)
def test_a_door_before_ends_that_it_cannot_open_or_reach_is_refused(
    desk: Desk, access: str, path: str
) -> None:
    files = door(GOOD.replace(f", {LAMBDA}: 5", "").replace("95", "100"))
    files["stacks/specs/chat.yaml"] = SPEC + f"access: {access}\n"
    member = "options: {invokers: ['user:a@example.com']}"
    if "iam" in access:
        files[f"stacks/Pulumi.{RUN}.yaml"] = files[f"stacks/Pulumi.{RUN}.yaml"].replace(
            "europe-west4}", f"europe-west4, {member}}}"
        )
    found = problems(desk, files)
    assert [line.split(": ")[1] for line in found] == [path]
    assert found[0].startswith("stacks/specs/chat.yaml:")


def test_the_shipped_tree_has_no_door_that_is_not_valid() -> None:
    root = Path(__file__).resolve().parents[3]
    doors = sorted((root / "stacks").glob("Pulumi.*.door.yaml"))
    names = [file.name[len("Pulumi.") : -len(".yaml")] for file in doors]
    assert {name: judge_stack(root, name).problems for name in names} == dict.fromkeys(names, ())
