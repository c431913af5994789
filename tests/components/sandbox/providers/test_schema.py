import pytest

from portway.errors import Missing
from portway.sandbox.providers.schema import Sdk, UnknownType


def test_required_and_optional_inputs_are_the_sdks_own() -> None:
    inputs = Sdk("aws").resource("aws:lambda/permission:Permission").inputs
    required = {name for name, given in inputs.items() if given.required}
    assert required == {"action", "function", "principal"}
    assert inputs["invokedViaFunctionUrl"].shape.kind == "boolean"
    assert inputs["region"].shape.kind == "string"


def test_nested_objects_lists_and_maps_are_followed() -> None:
    template = Sdk("gcp").resource("gcp:cloudrunv2/service:Service").inputs["template"].shape
    assert template.fields
    containers = template.fields.properties()["containers"].shape
    assert containers.kind == "list"
    assert containers.item
    assert containers.item.fields
    container = containers.item.fields.properties()
    assert [name for name, given in container.items() if given.required] == ["image"]
    assert container["ports"].shape.kind == "object"
    resources = container["resources"].shape.fields
    assert resources
    limits = resources.properties()["limits"].shape
    assert (limits.kind, limits.item and limits.item.kind) == ("map", "string")


@pytest.mark.parametrize(
    ("package", "token", "name", "kind"),
    [
        ("aws", "aws:lambda/function:Function", "code", "asset"),
        ("aws", "aws:iam/role:Role", "assumeRolePolicy", "document"),
        ("aws", "aws:cloudwatch/logGroup:LogGroup", "retentionInDays", "integer"),
        ("gcp", "gcp:storage/bucketObject:BucketObject", "source", "asset"),
        ("gcp", "gcp:compute/uRLMap:URLMap", "hostRules", "list"),
        ("random", "random:index/randomPassword:RandomPassword", "keepers", "map"),
    ],
)
def test_what_a_property_may_hold_is_known(package: str, token: str, name: str, kind: str) -> None:
    assert Sdk(package).resource(token).inputs[name].shape.kind == kind


def test_outputs_and_the_secret_ones_among_them_are_known() -> None:
    password = Sdk("random").resource("random:index/randomPassword:RandomPassword")
    assert {"result", "bcryptHash", "length"} <= password.outputs
    assert password.secrets == {"result", "bcryptHash"}


def test_a_property_whose_documentation_says_so_forces_a_replacement() -> None:
    inputs = Sdk("gcp").resource("gcp:compute/instance:Instance").inputs
    assert inputs["hostname"].forces
    assert not inputs["tags"].forces


def test_an_unknown_type_names_what_there_is() -> None:
    with pytest.raises(UnknownType) as caught:
        Sdk("random").resource("random:index/randomPasword:RandomPasword")
    assert "random:index/randomPassword:RandomPassword" in caught.value.candidates


def test_a_package_that_is_not_installed_is_missing() -> None:
    with pytest.raises(Missing, match="pulumi-nowhere is not installed"):
        Sdk("nowhere")


@pytest.mark.parametrize("package", ["aws", "gcp", "random"])
def test_every_type_of_an_installed_sdk_can_be_read(package: str) -> None:
    sdk = Sdk(package)
    every = 40  # all of them pass too and take three seconds
    unreadable = [t for t in sdk.tokens[::every] if not sdk.resource(t).outputs]
    assert sdk.tokens
    assert unreadable == []
