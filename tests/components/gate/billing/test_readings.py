"""What each kind of resource is billed for, read from its properties alone."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from portway.gate.billing import amount, stack_estimate
from portway.gate.billing.stack import StackEstimate
from support.priced_stacks import stack_of_rows

Rows = list[dict[str, Any]]
US = {"region": "us-east-1"}
EU = {"project": "acme", "region": "europe-west4"}
GKE = {"context": "gke_acme_europe-west4_prod"}


def estimate(*rows: Mapping[str, Any], **defaults: Mapping[str, Any]) -> StackEstimate:
    return stack_estimate(
        stack_of_rows(
            [dict(row) for row in rows], **({"aws": US, "gcp": EU, "kubernetes": GKE} | defaults)
        )
    )


def row(token: str, called: str = "it", /, **props: Any) -> dict[str, Any]:
    return {"type": token, "name": called, "props": props}


def lines(found: StackEstimate) -> dict[str, tuple[str, str]]:
    """By item, floor and ceiling of what costs anything at all."""
    return {
        line.item: (f"{line.monthly.floor}", f"{line.monthly.ceiling}")
        for one in found.resources
        for line in one.lines
        if line.monthly.ceiling
    }


def why(found: StackEstimate) -> str:
    (fault,) = [fault for _, fault in found.faults]
    return fault.why


def test_an_interface_endpoint_is_billed_in_each_of_its_subnets_and_a_gateway_endpoint_nowhere() -> (
    None
):
    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    three = row(token, vpcEndpointType="Interface", subnetIds=["a", "b", "c"])
    assert lines(estimate(three))["zone-hours"] == ("21.90", "21.90")
    assert lines(estimate(row(token, vpcEndpointType="Gateway"))) == {}


def test_a_disk_is_billed_by_its_class_and_for_what_it_has_beyond_the_usual() -> None:
    disk = row("aws:ebs/volume:Volume", type="gp3", size=40, iops=4000, throughput=130)
    assert lines(estimate(disk)) == {
        "storage": ("3.20", "3.20"),
        "IOPS": ("5.00", "5.00"),
        "throughput": ("0.20", "0.20"),
    }


def test_a_node_group_counts_none_at_rest_and_all_at_its_maximum() -> None:
    group = row(
        "aws:eks/nodeGroup:NodeGroup",
        instanceTypes=["m7i.large", "m6i.large"],
        scalingConfig={"minSize": 0, "maxSize": 3, "desiredSize": 1},
    )
    assert lines(estimate(group))["node"] == ("0.00", "220.75")


def test_a_regional_pool_counts_in_each_of_three_zones_and_a_zonal_one_once() -> None:
    pool = {"nodeConfig": {"machineType": "g2-standard-8"}, "autoscaling": {"maxNodeCount": 2}}
    token = "gcp:container/nodePool:NodePool"
    regional = lines(estimate(row(token, location="europe-west4", **pool)))
    zonal = lines(estimate(row(token, location="europe-west4-a", **pool)))
    assert regional["node"] == ("0.00", "3929.74")
    assert zonal["node"] == ("0.00", "1309.91")


def test_a_spot_pool_costs_what_spot_costs_where_that_was_read_and_else_the_full_price() -> None:
    token = "gcp:container/nodePool:NodePool"
    config = {"machineType": "g2-standard-8", "spot": True}
    read = lines(estimate(row(token, location="us-central1-a", nodeCount=1, nodeConfig=config)))
    not_read = lines(
        estimate(row(token, location="europe-west4-a", nodeCount=1, nodeConfig=config))
    )
    assert read["node"] == ("350.33", "350.33")
    assert not_read["node"] == ("654.96", "654.96")


def cloud_run(**template: Any) -> dict[str, Any]:
    return row(
        "gcp:cloudrunv2/service:Service",
        location="europe-west4",
        ingress="INGRESS_TRAFFIC_INTERNAL_ONLY",
        template={"maxInstanceRequestConcurrency": 1, **template},
    )


GPU = {"resources": {"limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}}}


def test_a_gpu_is_redundant_and_so_dearer_unless_that_is_refused() -> None:
    both = {
        said: lines(
            estimate(
                cloud_run(
                    gpuZonalRedundancyDisabled=said,
                    scaling={"maxInstanceCount": 1},
                    containers=[GPU],
                )
            )
        )["gpu"][1]
        for said in (True, False)
    }
    assert both == {True: "490.65", False: "764.49"}


def test_a_service_in_two_regions_runs_in_both() -> None:
    service = cloud_run(scaling={"minInstanceCount": 1, "maxInstanceCount": 1}, containers=[GPU])
    service["props"] |= {"multiRegionSettings": {"regions": ["europe-west4", "us-central1"]}}
    found = [
        line for one in estimate(service).resources for line in one.lines if line.item == "gpu"
    ]
    assert [line.rates[0].region for line in found] == ["europe-west4", "us-central1"]
    assert sum(line.monthly.floor for line in found) == Decimal("1528.98")


def test_a_service_without_a_gpu_is_billed_while_it_answers_and_a_little_while_it_waits() -> None:
    service = cloud_run(
        scaling={"minInstanceCount": 1, "maxInstanceCount": 2},
        containers=[{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "cpuIdle": True}}],
    )
    found = estimate(service)
    # one second of a vCPU and a GiB, busy: 0.0000265; idle: 0.0000050
    month = Decimal(730 * 3600)
    assert found.totals.floor == (month * Decimal("0.000005")).quantize(Decimal("0.01"))
    instances = sum(
        line.monthly.ceiling
        for one in found.resources
        for line in one.lines
        if "cpu" in line.item or "memory" in line.item
    )
    assert abs(instances - 2 * month * Decimal("0.0000265")) < Decimal("0.03")


def job(**props: Any) -> dict[str, Any]:
    limits = {"resources": {"limits": {"cpu": "2", "memory": "4Gi"}}}
    task = {"timeout": "3600s", "maxRetries": 2, "containers": [limits]}
    template = {"taskCount": 10, "template": task}
    return row("gcp:cloudrunv2/job:Job", location="europe-west4", template=template, **props)


def test_a_job_counts_every_task_every_retry_and_the_whole_timeout() -> None:
    # 30 runs of 10 tasks, three times an hour each: 3,240,000 s
    found = lines(estimate(job()))
    assert found == {"cpu": ("116.64", "116.64"), "memory": ("25.92", "25.92")}


@pytest.mark.parametrize("token", ["runExecutionToken", "startExecutionToken"])
def test_a_job_that_a_deployment_runs_counts_once_unless_a_schedule_could_run_it_too(
    token: str,
) -> None:
    once = job(**{token: "a1b2c3d4"})
    assert lines(estimate(once)) == {"cpu": ("3.89", "3.89"), "memory": ("0.86", "0.86")}
    schedule = row(
        "gcp:cloudscheduler/job:Job", "nightly", schedule="0 3 * * *", region="europe-west4"
    )
    assert lines(estimate(once, schedule))["cpu"] == ("116.64", "116.64")


def function(**props: Any) -> dict[str, Any]:
    given = {"name": "fn", "memorySize": 1024, "architectures": ["arm64"], **props}
    return row("aws:lambda/function:Function", "fn", **given)


def test_a_function_costs_its_reserved_concurrency_all_month() -> None:
    # 10 environments of 1 GB, 730 hours: 26,280,000 GB-seconds at 0.0000133334
    assert lines(estimate(function(reservedConcurrentExecutions=10)))["duration"] == (
        "0.00",
        "350.40",
    )


def test_a_function_without_a_limit_has_a_price_and_no_ceiling() -> None:
    found = estimate(function())
    assert {fault.is_unbounded for _, fault in found.faults} == {True}
    assert not found.is_whole


@pytest.mark.parametrize(
    ("props", "policy", "expected"),
    [
        ({"environment": {"variables": {"MODEL": "amazon.nova-micro-v1:0"}}}, None, True),
        ({}, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0", True),
        ({}, None, False),
    ],
)
def test_a_function_that_may_ask_a_model_pays_for_tokens(
    props: Mapping[str, Any], policy: str | None, *, expected: bool
) -> None:
    rows = [function(reservedConcurrentExecutions=1, role="arn:aws:iam::1:role/fn", **props)]
    if policy is not None:
        text = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
            f'"Action": "bedrock:InvokeModel", "Resource": "{policy}"}}]}}'
        )
        rows.append(row("aws:iam/rolePolicy:RolePolicy", "policy", role="fn", policy=text))
    found = lines(estimate(*rows))
    assert ({"input tokens", "output tokens"} <= set(found)) is expected


def test_a_function_that_may_ask_any_model_has_no_price() -> None:
    text = '{"Statement": [{"Effect": "Allow", "Action": "bedrock:*", "Resource": "*"}]}'
    found = estimate(
        function(reservedConcurrentExecutions=1, role="arn:aws:iam::1:role/fn"),
        row("aws:iam/rolePolicy:RolePolicy", "policy", role="fn", policy=text),
    )
    assert why(found).startswith("it may ask any model of Bedrock")


def pods(**spec: Any) -> dict[str, Any]:
    return row(
        "kubernetes:apps/v1:Deployment",
        metadata={"name": "vllm"},
        spec={
            "replicas": 2,
            "template": {
                "spec": {
                    "nodeSelector": {"node.kubernetes.io/instance-type": "g2-standard-8"},
                    "containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}],
                    **spec,
                }
            },
        },
    )


def test_pods_with_gpus_cost_the_nodes_they_need_and_the_fee_of_their_cluster() -> None:
    assert lines(estimate(pods())) == {
        "node": ("1309.91", "1309.91"),
        "node disk": ("22.00", "22.00"),
        "control plane": ("104.48", "104.48"),
    }


def test_pods_share_a_node_with_several_gpus() -> None:
    labels = {"node.kubernetes.io/instance-type": "a3-highgpu-8g"}
    found = estimate(pods(nodeSelector=labels))
    # two pods fit on one machine with eight GPUs
    assert lines(found)["node"] == ("82154.57", "82154.57")


def test_pods_are_billed_with_the_nodes_that_their_own_stack_holds() -> None:
    cluster = row(
        "gcp:container/cluster:Cluster",
        "cluster",
        location="europe-west4",
        enableAutopilot=False,
        removeDefaultNodePool=True,
        initialNodeCount=1,
    )
    found = estimate(pods(), cluster, kubernetes={})
    assert set(lines(found)) == {"control plane"}


def test_a_cluster_on_autopilot_is_never_as_cheap_as_its_fee() -> None:
    cluster = row(
        "gcp:container/cluster:Cluster", "auto", location="europe-west4", enableAutopilot=True
    )
    (fault,) = [fault for _, fault in estimate(cluster).faults]
    assert fault.path == "enableAutopilot"
    assert "its pods are billed one by one" in fault.why


def test_a_pod_without_a_gpu_is_billed_with_nodes_that_others_share() -> None:
    assert lines(estimate(pods(containers=[{}]))) == {}


@pytest.mark.parametrize(
    ("spec", "kind", "items"),
    [
        ({"type": "LoadBalancer"}, "core/v1:Service", {"forwarding rule", "balanced traffic"}),
        ({"type": "ClusterIP"}, "core/v1:Service", set[str]()),
        ({"ingressClassName": "nginx"}, "networking.k8s.io/v1:Ingress", set[str]()),
        ({}, "networking.k8s.io/v1:Ingress", {"forwarding rule", "balanced traffic"}),
    ],
)
def test_a_balancer_of_the_vendor_is_billed_and_one_in_the_cluster_is_not(
    spec: Mapping[str, Any], kind: str, items: set[str]
) -> None:
    assert set(lines(estimate(row(f"kubernetes:{kind}", spec=spec)))) == items


def test_a_secret_is_billed_in_every_place_it_is_kept_in() -> None:
    secret = row(
        "gcp:secretmanager/secret:Secret",
        "secret",
        secretId="db",
        replication={
            "userManaged": {"replicas": [{"location": "us-central1"}, {"location": "europe-west4"}]}
        },
    )
    version = row("gcp:secretmanager/secretVersion:SecretVersion", "version", secret="db")
    found = [
        line.monthly.ceiling
        for one in estimate(secret, version).resources
        for line in one.lines
        if line.item == "secret version"
    ]
    assert found == [Decimal("0.06"), Decimal("0.09")]


def test_what_nobody_sells_there_has_no_price() -> None:
    machine = row("aws:ec2/instance:Instance", instanceType="m6i.large")
    assert why(estimate(machine, aws={"region": "eu-west-1"})) == (
        "no rate is known for node:m6i.large:on-demand in eu-west-1 (machine)"
    )


def test_an_amount_is_a_text_for_messages_and_empty_where_it_is_not_known() -> None:
    stack = stack_of_rows(
        [
            row("aws:ec2/natGateway:NatGateway", "nat", subnetId="s"),
            row("aws:rds/instance:Instance", "db"),
            row("aws:iam/role:Role", "role"),
        ],
        aws=US,
    )
    told = {one.name: amount(one, stack) for one in stack.resources}
    assert told["nat"] == "37 USD a month at its maximum"
    assert told["db"] == told["role"] == ""


def proxy(**environment: str) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in environment.items()]
    pod = {"containers": [{"name": "app", "image": "python", "env": env}]}
    return row("kubernetes:apps/v1:Deployment", spec={"replicas": 2, "template": {"spec": pod}})


def test_a_front_door_in_a_cluster_is_billed_for_what_it_sends_out_and_other_pods_are_not() -> None:
    door = proxy(PORTWAY_ROUTES_FILE="/routes.json", PORTWAY_CONCURRENCY="16")
    assert set(lines(estimate(door))) == {"egress", "logs"}
    assert lines(estimate(proxy(PORTWAY_CONCURRENCY="16"))) == {}


def test_a_front_door_that_says_nothing_of_its_concurrency_has_no_price() -> None:
    found = estimate(proxy(PORTWAY_ROUTES_FILE="/routes.json"))
    assert why(found) == "nothing says how many requests the front door passes on at once"
