"""The Cloud Run component against the mock engine: what no plan can say."""

from typing import Any

from support import builders, golden
from support.mock_engine import Run

SERVICE = "gcp:cloudrunv2/service:Service"
MEMBER = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"


def run(**spec: Any) -> Run[Any]:
    place = builders.placement("cloud-run", options=spec.pop("options", {}))
    return golden.deployed(builders.plan(builders.spec(**spec), place))


def test_a_service_waits_for_all_that_it_reads() -> None:
    made = run()
    assert set(made.one(SERVICE).depends_on) == {
        "chat-identity", "chat-keys", "chat-keys-reader", "chat-code", "chat-code-reader",
        "chat-images", "chat-weights", "chat-weights-reader",
    }  # fmt: skip


def test_creating_a_gpu_service_may_take_an_hour() -> None:
    assert run().one(SERVICE).timeouts == {"create": "60m", "update": "60m", "delete": "20m"}


def test_an_endpoint_is_not_known_before_its_callers_are_allowed() -> None:
    made = run()
    assert [member.inputs["member"] for member in made.of(MEMBER)] == ["allUsers"]
    component = made.returned
    assert component.endpoint is not None
    resources = _dependencies(component.endpoint)
    assert MEMBER in resources
    assert SERVICE in resources


def _dependencies(output: Any) -> set[str]:
    import asyncio  # noqa: PLC0415 - outputs carry futures of a loop that has ended

    loop = asyncio.new_event_loop()
    try:
        found = loop.run_until_complete(output.resources())
    finally:
        loop.close()
    return {str(resource._type) for resource in found}


def test_iam_auth_makes_no_key_and_lets_only_the_listed_in() -> None:
    app = "serviceAccount:app@acme-inference.iam.gserviceaccount.com"
    made = run(access={"auth": "iam", "reach": "public"}, options={"invokers": [app]})
    assert [member.inputs["member"] for member in made.of(MEMBER)] == [app]
    assert made.of("gcp:secretmanager/secret:Secret") == ()
    assert made.of("gcp:secretmanager/secretIamMember:SecretIamMember") == ()
    volumes = made.one(SERVICE).inputs["template"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["code", "models"]


def test_what_the_vendor_would_default_is_sent() -> None:
    inputs = run().one(SERVICE).inputs
    assert inputs["scaling"] == {
        "scalingMode": "AUTOMATIC", "minInstanceCount": 0, "maxInstanceCount": 1,
    }  # fmt: skip
    assert inputs["traffics"] == [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]
    assert inputs["ingress"] == "INGRESS_TRAFFIC_ALL"
    assert inputs["invokerIamDisabled"] is False
    assert inputs["deletionProtection"] is False
    template = inputs["template"]
    assert template["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"
    assert template["gpuZonalRedundancyDisabled"] is True
    for container in template["containers"]:
        assert container["resources"]["cpuIdle"] is False
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])
        assert container["startupProbe"]["failureThreshold"] > 0
