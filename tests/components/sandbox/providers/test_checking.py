import pytest

from portway.sandbox.providers.checking import check, unknown_type
from portway.sandbox.providers.cloud import Failure
from portway.sandbox.providers.schema import Sdk, UnknownType
from portway.sandbox.providers.wire import ARCHIVE, SIGNATURE, UNKNOWN, Json

SERVICE = Sdk("gcp").resource("gcp:cloudrunv2/service:Service").inputs
FUNCTION = Sdk("aws").resource("aws:lambda/function:Function").inputs


def service(**changes: object) -> Json:
    return {"location": "europe-west4", "template": {"containers": [{"image": "x"}]}, **changes}


def test_right_inputs_have_no_failures() -> None:
    assert check(SERVICE, service(labels={"a": "b"}, scaling={"maxInstanceCount": "3"})) == []


def test_unknown_misspelt_and_missing_properties_are_all_named_at_every_depth() -> None:
    wrong = {
        "locaton": "x",
        "template": {"containers": [{"imgae": "x", "resources": {"cpu_idle": True}}], "zzz": 1},
    }
    found = {failure.path: failure.message for failure in check(SERVICE, wrong)}
    assert found["location"] == 'missing required property "location"'
    assert found["locaton"] == 'unknown property "locaton"; did you mean "location"?'
    assert found["template.containers[0].image"] == 'missing required property "image"'
    assert found["template.containers[0].imgae"].endswith('did you mean "image"?')
    assert found["template.containers[0].resources.cpu_idle"].endswith('did you mean "cpuIdle"?')
    assert found["template.zzz"].startswith('unknown property "zzz"; it takes annotations, ')


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"template": []}, Failure("template", "expected an object, got a list")),
        ({"labels": ["a"]}, Failure("labels", "expected an object, got a list")),
        ({"labels": {"a": {}}}, Failure("labels.a", "expected text, got an object")),
        ({"customAudiences": "x"}, Failure("customAudiences", "expected a list, got text")),
        ({"iapEnabled": "yes"}, Failure("iapEnabled", "expected true or false, got text")),
        (
            {"scaling": {"maxInstanceCount": 1.5}},
            Failure("scaling.maxInstanceCount", "expected a whole number, got 1.5"),
        ),
        (
            {"scaling": {"maxInstanceCount": True}},
            Failure("scaling.maxInstanceCount", "expected a whole number, got true or false"),
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(changes: Json, failure: Failure) -> None:
    assert check(SERVICE, service(**changes)) == [failure]


def test_text_where_a_number_belongs_is_never_repeated() -> None:
    failures = check(FUNCTION, {"role": "arn", "timeout": "pw-hidden"})
    assert [str(failure) for failure in failures if "pw-hidden" in str(failure)] == []


def test_code_is_an_archive_and_a_policy_is_text_or_an_object() -> None:
    archive = {SIGNATURE: ARCHIVE, "hash": "1", "path": "a.zip"}
    assert check(FUNCTION, {"role": "arn", "code": archive}) == []
    assert check(FUNCTION, {"role": archive, "code": "a.zip"}) == [
        Failure("role", "expected text, got a file or an archive"),
        Failure("code", "expected a file or an archive, got text"),
    ]


def test_what_is_not_known_yet_is_taken_as_right() -> None:
    assert check(SERVICE, {"location": UNKNOWN, "template": UNKNOWN}) == []


def test_an_unknown_type_suggests_the_nearest() -> None:
    error = UnknownType("aws:lambda/functon:Function", Sdk("aws").tokens)
    assert unknown_type(error) == (
        "unknown resource type aws:lambda/functon:Function; did you mean "
        '"aws:lambda/function:Function"?'
    )
