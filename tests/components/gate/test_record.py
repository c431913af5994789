"""What a preview's events prove; a gate that judged nothing is never green."""

from typing import Any

from portway.gate.record import Reported, read_events

BUCKET = "urn:pulumi:dev::p::aws:s3/bucket:Bucket::logs"
STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
PACKS = ("cost", "residency")


def registered(
    urn: str, token: str, op: str = "create", *, is_custom: bool = True
) -> dict[str, Any]:
    state = {"custom": True} if is_custom else {}
    return {"resourcePreEvent": {"metadata": {"urn": urn, "type": token, "op": op, "new": state}}}


def analysed(pack: str, urn: str = BUCKET) -> dict[str, Any]:
    return {"policyAnalyzeSummaryEvent": {"policyPackName": f"portway-{pack}", "resourceUrn": urn}}


def whole(pack: str) -> dict[str, Any]:
    return {"policyAnalyzeStackSummaryEvent": {"policyPackName": f"portway-{pack}"}}


def said(message: str, level: str = "mandatory", urn: str = BUCKET) -> dict[str, Any]:
    return {
        "policyEvent": {
            "policyPackName": "portway-residency",
            "policyName": "residency",
            "enforcementLevel": level,
            "resourceUrn": urn,
            "message": message,
        }
    }


SUMMARY: dict[str, Any] = {
    "summaryEvent": {
        "PolicyPacks": {"portway-cost|local|/x": "1", "portway-residency|local|/y": "1"}
    }
}
WHOLE_RUN = [
    registered(STACK, "pulumi:pulumi:Stack"),
    registered(BUCKET, "aws:s3/bucket:Bucket"),
    analysed("cost"),
    analysed("residency"),
    whole("cost"),
    whole("residency"),
    SUMMARY,
]


def test_a_whole_run_leaves_no_gap() -> None:
    assert read_events(WHOLE_RUN).gaps(PACKS) == ()


def test_a_program_without_resources_was_not_judged() -> None:
    events = [registered(STACK, "pulumi:pulumi:Stack"), whole("cost"), whole("residency"), SUMMARY]
    assert read_events(events).gaps(PACKS) == (
        "the program registered no resource, so nothing was judged",
    )


def test_a_program_that_only_reads_was_not_judged() -> None:
    events = [registered(BUCKET, "aws:s3/bucket:Bucket", op="read"), *WHOLE_RUN[4:]]
    assert read_events(events).gaps(PACKS)[0].startswith("the program registered no resource")


def test_a_program_of_nothing_but_components_was_not_judged() -> None:
    component = "urn:pulumi:dev::p::my:own:Thing::thing"
    events = [registered(component, "my:own:Thing", is_custom=False)]
    events += [analysed("cost", component), analysed("residency", component), *WHOLE_RUN[4:]]
    assert read_events(events).gaps(PACKS) == (
        "the program registered no resource, so nothing was judged",
    )


def test_every_kind_of_hole_is_a_gap() -> None:
    one_pack: dict[str, Any] = {"summaryEvent": {"PolicyPacks": {"portway-cost|local|/x": "1"}}}
    assert read_events([*WHOLE_RUN[:-1], one_pack]).gaps(PACKS) == (
        "the residency pack was not run",
    )
    without_resource = [event for event in WHOLE_RUN if event != analysed("cost")]
    assert read_events(without_resource).gaps(PACKS) == (
        f"the cost pack was not asked about {BUCKET}",
    )
    without_stack = [event for event in WHOLE_RUN if event != whole("residency")]
    assert read_events(without_stack).gaps(PACKS) == (
        "the residency pack was not asked about the whole stack",
    )


def test_a_policy_that_could_not_run_is_a_gap_and_no_advice() -> None:
    record = read_events([*WHOLE_RUN, said("can't run policy 'x' during preview", "advisory")])
    assert record.advice == ()
    assert record.gaps(PACKS) == ("a policy was not run: can't run policy 'x' during preview",)


def test_an_error_says_enough_about_a_stack_that_was_not_judged_whole() -> None:
    events = [event for event in WHOLE_RUN if "policyAnalyzeStackSummaryEvent" not in event]
    record = read_events(events, ["the program crashed", "preview failed"])
    assert record.gaps(PACKS) == ()
    assert record.errors == ("the program crashed",)


def test_a_message_gives_up_its_rule_and_its_resource() -> None:
    record = read_events([said("Refuses a resource.\n[r-1] it is outside\n", urn=BUCKET)])
    assert record.refusals == (
        Reported("residency", "residency", "r-1", "mandatory", BUCKET, "it is outside"),
    )
    assert record.refusals[0].resource == "aws:s3/bucket:Bucket logs"


def test_a_child_is_named_by_its_own_type() -> None:
    urn = "urn:pulumi:dev::p::portway:index:A$gcp:storage/bucket:Bucket::code"
    (one,) = read_events([said("x\n[r] y", urn=urn)]).reported
    assert one.resource == "gcp:storage/bucket:Bucket code"


def test_words_without_a_rule_are_kept() -> None:
    (one,) = read_events([said("somebody else's policy", urn=STACK)]).reported
    assert (one.rule, one.message, one.resource) == ("", "somebody else's policy", "the stack")


def test_a_rule_that_broke_is_a_gap_and_no_refusal() -> None:
    broke = "Refuses a resource.\n[r-1] this rule broke (KeyError) and so could not judge it"
    record = read_events([*WHOLE_RUN, said(broke), said(broke)])
    assert record.refusals == ()
    assert record.gaps(PACKS) == (
        "[r-1] this rule broke (KeyError) and so could not judge it (and 1 more)",
    )


def test_a_record_knows_what_its_stack_speaks_of() -> None:
    provider = "urn:pulumi:dev::p::pulumi:providers:kubernetes::prod-eu"
    made = registered(provider, "pulumi:providers:kubernetes")
    made["resourcePreEvent"]["metadata"]["new"] = {
        "urn": provider,
        "type": "pulumi:providers:kubernetes",
        "inputs": {"context": "eu", "deep": [{"a": "https://api.example.eu"}, 4, None]},
    }
    assert read_events([made]).texts == {provider, "prod-eu", "eu", "https://api.example.eu"}


def test_that_the_engine_has_ended_is_no_fault_of_its_own_where_another_says_why() -> None:
    ended = "Exception: resource monitor shut down"
    assert read_events([], ["chat cannot be made as written", ended]).errors == (
        "chat cannot be made as written",
    )
    assert read_events([], [ended]).errors == (ended,)
