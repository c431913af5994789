"""Every hop of a prompt is found, with its place, the reason for it, and a verdict."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.gate.attest.events import stack_of, states_of
from portway.gate.attest.hop import Basis, Hop, Place, Verdict, judged
from portway.residency.boundary import boundary
from portway.residency.profiles import destinations
from portway.residency.tables import table
from support.attesting import ASSET, LAMBDA, LATER, hops_of, secret, state, states, urn

EU = boundary(["eu"])
RUN = "gcp:cloudrunv2/service:Service"
COMMIT = "b968826d9c46dd6066d109eabc6255188de91218"


def kinds(*found: Hop) -> list[str]:
    return [hop.kind for hop in found]


def only(kind: str, *found: Hop) -> Hop:
    (hop,) = (hop for hop in found if hop.kind == kind)
    return hop


def test_a_function_that_calls_a_profile_is_followed_to_every_region_that_may_serve_it() -> None:
    found = hops_of(LAMBDA)
    assert kinds(*found) == ["compute", "model", "logs"]
    model = only("model", *found)
    reached = destinations("eu.amazon.nova-lite-v1:0", "eu-west-1")
    assert reached is not None
    path = "environment.variables.MODEL"
    assert model.places == tuple(Place(one, path, Basis.PROFILE) for one in sorted(reached))
    assert (model.model, model.called_from) == ("eu.amazon.nova-lite-v1:0", "eu-west-1")
    assert [hop.verdict(EU) for hop in found] == [Verdict.INSIDE] * 3
    assert model.verdict(boundary(["ie"])) is Verdict.OUTSIDE


def test_a_service_with_its_model_in_a_container_serves_it_where_it_is() -> None:
    containers = [
        {"image": "europe-west4-docker.pkg.dev/p/python", "args": ["runtime.pyz"]},
        {
            "image": "europe-west4-docker.pkg.dev/p/vllm",
            "args": ["--model", "mistralai/Ministral-3-8B"],
        },
    ]
    found = hops_of(
        state(RUN, "chat", {"location": "europe-west4", "template": {"containers": containers}})
    )
    assert kinds(*found) == ["entry", "compute", "model"]
    model = only("model", *found)
    assert model.model == "mistralai/Ministral-3-8B"
    assert model.places == (Place("europe-west4", "location", Basis.SAME_PLACE),)


@pytest.mark.parametrize(
    ("container", "model"),
    [
        ({"args": ["serve", "--model=Qwen/Qwen3-8B"]}, "Qwen/Qwen3-8B"),
        ({"command": ["vllm", "serve", "--model", "Qwen/Qwen3-8B"]}, "Qwen/Qwen3-8B"),
        ({"image": "docker.io/vllm/vllm-openai:v0.11"}, "vllm-openai"),
        ({"args": ["--model", f"/models/Qwen/Qwen3-8B/{COMMIT}"]}, "Qwen/Qwen3-8B"),
        ({"args": [f"--model=gs://acme-models/hub/Qwen/Qwen3-8B/{COMMIT}"]}, "Qwen/Qwen3-8B"),
        ({"args": ["--model", "/models/current"]}, "a model whose name cannot be shown"),
        ({"args": ["--model", "a b c = hunter2"]}, "a model whose name cannot be shown"),
        ({"args": ["--model", LATER]}, "a model whose name cannot be shown"),
        ({"args": ["--model"], "image": "docker.io/ollama/ollama"}, "ollama"),
    ],
)
def test_a_container_names_its_model_by_option_or_by_image(
    container: Mapping[str, Any], model: str
) -> None:
    template = {"template": {"spec": {"containers": [container]}}}
    found = hops_of(state("kubernetes:apps/v1:Deployment", "chat", {"spec": template}))
    hop = only("model", *found)
    assert hop.model == model
    assert hop.places == (Place("europe-west4", "clusters.prod-eu", Basis.SAME_PLACE),)


def test_every_kind_of_hop_is_told_from_its_type() -> None:
    found = hops_of(
        state("aws:lambda/functionUrl:FunctionUrl", "url", {"region": "eu-west-1"}),
        state("aws:dynamodb/table:Table", "table", {"region": "eu-west-1"}),
        state("aws:cloudwatch/logGroup:LogGroup", "logs", {"region": "eu-west-1"}),
        state("aws:kms/key:Key", "key", {"region": "eu-west-1"}),
        state("aws:ec2/vpc:Vpc", "net", {"region": "eu-west-1"}),
        state("aws:iam/role:Role", "role", {"name": "chat"}),
    )
    assert [(hop.kind, hop.name) for hop in found] == [
        ("entry", "url"),
        ("logs", "logs"),
        ("stores", "table"),
        ("keys", "key"),
        ("other", "net"),
    ]


def test_a_place_is_taken_from_the_provider_where_the_resource_says_none() -> None:
    hop = only("stores", *hops_of(state("aws:sqs/queue:Queue", "q")))
    assert hop.places == (Place("eu-west-1", "provider.region", Basis.PROVIDER),)


def test_a_provider_that_no_event_shows_says_nothing() -> None:
    orphan = {
        **state("aws:sqs/queue:Queue", "q"),
        "provider": f"{urn('pulumi:providers:aws', 'gone')}::1",
    }
    hop = only("stores", *hops_of(orphan))
    assert hop.verdict(EU) is Verdict.UNDETERMINED


@pytest.mark.parametrize(
    "given", [LATER, secret("eu-west-1"), ASSET, {"a": 1}, [], 7, "", "hunter2 x"]
)
def test_a_place_that_nobody_can_read_is_undetermined_and_never_written_down(given: object) -> None:
    hop = only("stores", *hops_of(state("gcp:storage/bucket:Bucket", "b", {"location": given})))
    assert {place.place for place in hop.places} == {None}
    assert hop.verdict(EU) is Verdict.UNDETERMINED
    assert "hunter2" not in str(hop)


def test_one_place_outside_makes_the_hop_outside() -> None:
    replicas = {
        "userManaged": {"replicas": [{"location": "europe-west4"}, {"location": "us-east1"}]}
    }
    hop = only(
        "keys", *hops_of(state("gcp:secretmanager/secret:Secret", "s", {"replication": replicas}))
    )
    assert [place.place for place in hop.places] == ["europe-west4", "us-east1"]
    assert hop.verdict(EU) is Verdict.OUTSIDE


def test_a_multi_region_is_read_as_its_product_means_it() -> None:
    hop = only("stores", *hops_of(state("gcp:storage/bucket:Bucket", "b", {"location": "EU"})))
    assert (hop.verdict(EU), hop.verdict(boundary(["de"]))) == (Verdict.INSIDE, Verdict.OUTSIDE)


def test_what_is_kept_in_another_resource_of_the_stack_is_no_hop_of_its_own() -> None:
    bucket = state("gcp:storage/bucket:Bucket", "b", {"location": "europe-west4", "name": "code"})
    item = state("gcp:storage/bucketObject:BucketObject", "o", {"bucket": "code", "name": "x"})
    assert kinds(*hops_of(bucket, item)) == ["stores"]


@pytest.mark.parametrize(
    ("buckets", "verdict"),
    [
        ({"logs-eu": "eu-central-1"}, Verdict.INSIDE),
        ({}, Verdict.UNDETERMINED),
        ({"logs-eu": "us-east-1"}, Verdict.OUTSIDE),
    ],
)
def test_what_is_kept_outside_the_stack_is_where_configuration_says(
    buckets: Mapping[str, str], verdict: Verdict
) -> None:
    item = state("gcp:storage/bucketObject:BucketObject", "o", {"bucket": "logs-eu", "name": "x"})
    hop = only("stores", *hops_of(item, buckets=buckets))
    assert hop.verdict(EU) is verdict


def test_a_cluster_nobody_has_placed_leaves_its_objects_undetermined() -> None:
    hop = only("entry", *hops_of(state("kubernetes:core/v1:Service", "s")))
    assert hop.verdict(EU) is Verdict.INSIDE
    elsewhere = {
        **state("kubernetes:core/v1:Service", "s"),
        "provider": f"{urn('pulumi:providers:kubernetes', 'x')}::1",
    }
    assert only("entry", *hops_of(elsewhere)).verdict(EU) is Verdict.UNDETERMINED


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("https://bedrock.example.eu/v1", Verdict.DECLARED),
        ("https://models.example.com/v1", Verdict.UNDETERMINED),
        ("https://chat.us-central1.run.app", Verdict.OUTSIDE),
    ],
)
def test_a_host_that_settings_call_is_a_hop(url: str, verdict: Verdict) -> None:
    variables = {"variables": {"UPSTREAM": url}}
    caller = state(
        "aws:lambda/function:Function", "f", {"region": "eu-west-1", "environment": variables}
    )
    hop = only("call", *hops_of(caller, hosts=("*.example.eu",)))
    assert hop.verdict(EU) is verdict


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://models.chat.svc.cluster.local", "http://vllm:8000/v1"]
)
def test_what_only_the_machine_or_the_cluster_resolves_is_no_hop(url: str) -> None:
    variables = {"variables": {"UPSTREAM": url}}
    caller = state(
        "aws:lambda/function:Function", "f", {"region": "eu-west-1", "environment": variables}
    )
    assert "call" not in kinds(*hops_of(caller))


@pytest.mark.parametrize(
    ("told", "places", "verdict"),
    [
        ("the landing zone keeps them in europe-west4", ["europe-west4"], Verdict.INSIDE),
        ("in us-central1, for now", ["us-central1"], Verdict.OUTSIDE),
        ("in eu-west-1 and us-east-1", ["eu-west-1", "us-east-1"], Verdict.OUTSIDE),
        ("switched off", [None], Verdict.DECLARED),
        (None, [None], Verdict.UNDETERMINED),
    ],
)
def test_logs_that_the_stack_does_not_hold_are_where_the_organisation_says(
    told: str | None, places: list[str | None], verdict: Verdict
) -> None:
    rule = "residency-logs-have-a-regional-home"
    elsewhere = {} if told is None else {rule: told}
    found = hops_of(
        state(RUN, "chat", {"location": "europe-west4"}), lacking=[rule], elsewhere=elsewhere
    )
    hop = only("logs", *found)
    assert [place.place for place in hop.places] == places
    assert hop.verdict(EU) is verdict


def test_a_type_nobody_has_read_is_undetermined_not_left_out() -> None:
    hop = only(
        "other", *hops_of(state("aws:moonbase/habitat:Habitat", "h", {"region": "eu-west-1"}))
    )
    assert hop.verdict(EU) is Verdict.UNDETERMINED


def test_an_identity_that_may_call_a_model_stands_for_it_where_nothing_is_seen_to_call() -> None:
    allowed = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "bedrock:InvokeModel",
                "Resource": "arn:aws:bedrock:eu-west-1::foundation-model/mistral.ministral-3-8b-instruct",
            }
        ]
    }
    policy = state("aws:iam/rolePolicy:RolePolicy", "p", {"policy": allowed})
    hop = only("model", *hops_of(policy))
    assert [place.place for place in hop.places] == ["eu-west-1"]
    assert [one.name for one in hops_of(policy, LAMBDA) if one.kind == "model"] == ["chat"]


def test_events_that_end_a_resource_are_left_out_and_the_last_one_counts() -> None:
    def event(op: str, one: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return {"resourcePreEvent": {"metadata": {"op": op, "new": one}}}

    kept = state("aws:sqs/queue:Queue", "q", {"region": "eu-west-1"})
    gone = state("aws:sqs/queue:Queue", "old", {"region": "us-east-1"})
    events: list[Mapping[str, Any]] = [
        event("create", {**kept, "inputs": {}}),
        event("create", kept),
        event("delete", gone),
        event("delete", None),
        {},
        {"summaryEvent": {}},
    ]
    assert states_of(events) == (kept,)


ROUTES = [
    (f"{rule['prefix']}.{(rule['models'] or ['any.model'])[0]}-v1:0", source)
    for rule in table("bedrock_profiles.json")["rules"]
    if rule["models"] != ["guardrail."]
    for route in rule["routes"]
    for source in route["from"]
]


@pytest.mark.parametrize("name", ["eu", "de", "us", "jp", "uk", "ca"])
def test_a_model_hop_is_inside_exactly_where_every_destination_is(name: str) -> None:
    inside = boundary([name])
    for model, source in ROUTES:
        variables = {"variables": {"MODEL": model}}
        caller = state(
            "aws:lambda/function:Function", "f", {"region": source, "environment": variables}
        )
        hop = only("model", *hops_of(caller))
        expected = inside.contains_all(destinations(model, source) or ())
        assert (hop.verdict(inside) is Verdict.INSIDE) is expected, (model, source)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.just(LATER),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "location",
                    "region",
                    "name",
                    "template",
                    "containers",
                    "args",
                    "environment",
                    "variables",
                    "bucket",
                    "x.y",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    token=st.sampled_from(
        [
            RUN,
            "aws:lambda/function:Function",
            "gcp:storage/bucketObject:BucketObject",
            "kubernetes:apps/v1:Deployment",
            "aws:iam/rolePolicy:RolePolicy",
            "x:y:Z",
        ]
    ),
    inputs=JSON,
)
def test_whatever_a_resource_says_its_hops_are_found_without_breaking(
    token: str, inputs: Any
) -> None:
    for hop in hops_of({**state(token, "it"), "inputs": inputs}):
        assert judged(hop, EU) in Verdict


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("https://europe-west4-aiplatform.googleapis.com/v1", Verdict.INSIDE),
        ("https://us-central1-aiplatform.googleapis.com/v1", Verdict.OUTSIDE),
        ("https://aiplatform.googleapis.com/v1", Verdict.OUTSIDE),
        ("https://api.openai.com/v1", Verdict.UNDETERMINED),
        ("https://api.mistral.ai/v1", Verdict.DECLARED),
    ],
)
def test_a_hosted_model_is_where_its_host_says(url: str, verdict: Verdict) -> None:
    variables = {"variables": {"OPENAI_BASE_URL": url}}
    caller = state(
        "aws:lambda/function:Function", "f", {"region": "eu-west-1", "environment": variables}
    )
    found = hops_of(caller, hosts=("api.mistral.ai",))
    assert only("model", *found).verdict(EU) is verdict
    assert "call" not in kinds(*found)


def test_an_exported_state_says_what_each_property_comes_from() -> None:
    row = {
        **state("aws:sqs/queue:Queue", "q"),
        "propertyDependencies": {"name": ["urn:a"], "x": []},
    }
    stack = stack_of(states(row))
    assert stack.resources[-1].depends_on == {"name": ("urn:a",), "x": ()}
