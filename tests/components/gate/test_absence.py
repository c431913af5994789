"""What a stack lacks is advice, said once, and silenced by saying where it is kept."""

from collections.abc import Iterator

from portway.gate.absence import absence, named, of_types, text
from portway.gate.attest.events import stack_of
from portway.gate.calls import bedrock_calls, calls_of
from portway.gate.context import ResidencyContext
from portway.gate.resource import Stack
from portway.gate.rule import Violation
from portway.gate.testing import judge as judge_by
from portway.gate.testing import resource as given
from portway.gate.values import UNKNOWN
from support.attesting import LAMBDA, context, state, states
from support.packs import POLICIES, pack_named

RULE = "residency-logs-have-a-regional-home"
SERVICE = given("gcp:cloudrunv2/service:Service", "chat", {"location": "europe-west4"})
ADVISING = [rule.id for rule in pack_named("residency").rules if rule.advises]


def judged(where: str | None, *, has_boundary: bool = True, finds: bool = True) -> list[Violation]:
    def lacks(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
        del stack, context
        if finds:
            yield Violation("lacks something", "urn:x")

    given = context(elsewhere={} if where is None else {RULE: where})
    if not has_boundary:
        given = ResidencyContext(None)
    return list(absence(RULE, lacks)(Stack.of([]), given))


def test_an_absence_is_said_as_it_was_found() -> None:
    assert judged(None) == [Violation("lacks something", "urn:x")]


def test_what_is_kept_elsewhere_is_reported_once_as_the_organisation_says_it() -> None:
    assert judged("the landing zone") == [
        Violation(
            "what this asks for is kept elsewhere: the landing zone", None, "elsewhere", advice=True
        )
    ]


def test_nothing_is_reported_of_what_is_not_absent() -> None:
    assert judged("the landing zone", finds=False) == []


def test_a_stack_without_a_boundary_is_left_to_the_rules_that_refuse_it() -> None:
    assert judged(None, has_boundary=False) == []


def test_absences_advise_unless_configuration_makes_them_mandatory() -> None:
    levels = {
        level: {one.level for one in judge_by([SERVICE], POLICIES / "residency", config).of(RULE)}
        for level, config in {
            "usual": {"residency": {"boundary": "eu"}},
            "mandatory": {"residency": {"boundary": "eu", "rules": {RULE: "mandatory"}}},
            "elsewhere": {
                "residency": {
                    "boundary": "eu",
                    "rules": {RULE: "mandatory"},
                    "elsewhere": {RULE: "there"},
                }
            },
        }.items()
    }
    assert levels == {"usual": {"advisory"}, "mandatory": {"mandatory"}, "elsewhere": {"advisory"}}


def test_the_rules_of_absence_are_those_that_advise() -> None:
    assert {RULE, "residency-global-profiles-are-denied", "residency-inference-is-traced"} <= set(
        ADVISING
    )
    assert all(
        rule.judge_stack is not None
        for rule in pack_named("residency").rules
        if rule.id in ADVISING
    )


def test_resources_are_picked_by_type_and_named_up_to_three() -> None:
    stack = stack_of(states(*(state("aws:sqs/queue:Queue", f"q{n}") for n in range(5)), LAMBDA))
    queues = list(of_types(stack, ["aws:sqs/queue:Queue"]))
    assert [one.name for one in queues] == ["q0", "q1", "q2", "q3", "q4"]
    assert named(queues) == (
        "aws:sqs/queue:Queue q0, aws:sqs/queue:Queue q1, aws:sqs/queue:Queue q2 and 2 more"
    )
    assert named(queues[:1]) == "aws:sqs/queue:Queue q0"


def test_a_text_that_is_not_known_is_empty() -> None:
    stack = stack_of(states(state("aws:sqs/queue:Queue", "q", {"name": "it", "region": 4})))
    queue = stack.resources[-1]
    assert (text(queue, "name"), text(queue, "region"), text(queue, "x")) == ("it", "", "")


def test_a_call_is_found_with_the_region_it_comes_from() -> None:
    (call,) = bedrock_calls(stack_of(states(LAMBDA)), context())
    assert (call.path, call.region, call.is_grant) == (
        "environment.variables.MODEL",
        "eu-west-1",
        False,
    )
    assert call.crosses_regions


def test_a_plain_model_does_not_cross_regions() -> None:
    variables = {"variables": {"MODEL": "mistral.ministral-3-8b-instruct"}}
    caller = state(
        "aws:lambda/function:Function", "f", {"region": "eu-west-1", "environment": variables}
    )
    assert [
        call.crosses_regions for call in bedrock_calls(stack_of(states(caller)), context())
    ] == [False]


def test_an_identity_that_is_forbidden_to_call_does_not_call() -> None:
    def policy(effect: str) -> list[str | None]:
        resource = "arn:aws:bedrock:eu-west-1::foundation-model/mistral.ministral-3-8b-instruct"
        said = {
            "Statement": [{"Effect": effect, "Action": "bedrock:InvokeModel", "Resource": resource}]
        }
        stack = stack_of(states(state("aws:iam/rolePolicy:RolePolicy", "p", {"policy": said})))
        return [call.region for call in bedrock_calls(stack, context())]

    assert (policy("Allow"), policy("Deny")) == (["eu-west-1"], [])


def test_a_policy_of_the_organisation_calls_nothing() -> None:
    said = '{"Statement":[{"Effect":"Deny","Action":"bedrock:*","Resource":"arn:aws:bedrock:*:*:inference-profile/global.*"}]}'
    stack = stack_of(states(state("aws:organizations/policy:Policy", "scp", {"content": said})))
    assert bedrock_calls(stack, context()) == ()


def test_calls_of_one_stack_are_never_taken_for_those_of_another() -> None:
    one, other = stack_of(states(LAMBDA)), stack_of(states())
    for _ in range(3):
        assert len(bedrock_calls(one, context())) == 1
        assert bedrock_calls(other, context()) == ()


def test_an_unknown_setting_names_no_call() -> None:
    caller = state(
        "aws:lambda/function:Function", "f", {"region": "eu-west-1", "environment": UNKNOWN}
    )
    stack = stack_of(states(caller))
    assert list(calls_of(stack.resources[-1], context())) == []


def test_a_container_calls_from_the_region_that_its_settings_name() -> None:
    envs = [
        {"name": "MODEL", "value": "eu.amazon.nova-lite-v1:0"},
        {"name": "AWS_REGION", "value": "eu-west-1"},
    ]

    def regions(*given: dict[str, str]) -> list[str | None]:
        inputs = {"location": "europe-west4", "template": {"containers": [{"envs": list(given)}]}}
        stack = stack_of(states(state("gcp:cloudrunv2/service:Service", "s", inputs)))
        return [call.region for call in bedrock_calls(stack, context())]

    assert (regions(*envs), regions(envs[0])) == (["eu-west-1"], [None])


def test_a_bedrock_resource_calls_the_model_that_it_names() -> None:
    agent = state(
        "aws:bedrock/agentAgent:AgentAgent",
        "a",
        {"region": "eu-west-1", "foundationModel": "eu.amazon.nova-lite-v1:0"},
    )
    (call,) = bedrock_calls(stack_of(states(agent)), context())
    assert (call.path, call.region, call.crosses_regions) == ("foundationModel", "eu-west-1", True)
