"""How a person looks whether a cloud has something."""

from typing import Any

import pytest

from portway.engine.lookups import how_to_look

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
SALAD = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def look(type_token: str, inputs: dict[str, Any]) -> list[str]:
    return how_to_look({"type": type_token, "urn": f"u::p::{type_token}::thing", "inputs": inputs})


@pytest.mark.parametrize(
    ("type_token", "inputs", "command", "identity"),
    [
        (
            "gcp:secretmanager/secret:Secret",
            {"secretId": "keys", "project": "acme"},
            "gcloud secrets describe keys --project acme --format 'value(name)'",
            "projects/acme/secrets/keys",
        ),
        (
            "gcp:cloudrunv2/job:Job",
            {"name": "chat-weights", "location": "europe-west4", "project": "acme"},
            "gcloud run jobs describe chat-weights --region europe-west4 --project acme --format 'value(name)'",
            "projects/acme/locations/europe-west4/jobs/chat-weights",
        ),
        (
            "gcp:storage/bucket:Bucket",
            {"name": "acme-runtime"},
            "gcloud storage buckets describe gs://acme-runtime",
            "acme-runtime",
        ),
        (
            "aws:lambda/function:Function",
            {"name": "chat", "region": "eu-west-1"},
            "aws lambda get-function --function-name chat --region eu-west-1",
            "chat",
        ),
        (
            "aws:lambda/functionUrl:FunctionUrl",
            {"functionName": "chat", "qualifier": "live", "region": "eu-west-1"},
            "aws lambda get-function-url-config --function-name chat --qualifier live "
            "--region eu-west-1",
            "chat/live",
        ),
        (
            "kubernetes:core/v1:ConfigMap",
            {"metadata": {"name": "runtime", "namespace": "chat"}},
            "kubectl get configmap runtime --namespace chat",
            "chat/runtime",
        ),
        (
            "kubernetes:networking.k8s.io/v1:NetworkPolicy",
            {"metadata": {"name": "deny", "namespace": "chat"}},
            "kubectl get networkpolicy.v1.networking.k8s.io deny --namespace chat",
            "chat/deny",
        ),
        (
            "kubernetes:core/v1:Namespace",
            {"metadata": {"name": "chat"}},
            "kubectl get namespace chat",
            "chat",
        ),
    ],
)
def test_a_type_that_we_know_has_a_command_and_the_form_of_its_id(
    type_token: str, inputs: dict[str, Any], command: str, identity: str
) -> None:
    assert look(type_token, inputs) == [f"Look: {command}", f"Its ID: {identity}"]


@pytest.mark.parametrize("value", [SECRET, SALAD + " ; rm -rf /", None, "$(id)", 7])
def test_what_is_secret_unknown_or_no_name_is_never_shown(value: object) -> None:
    said = " ".join(look("gcp:storage/bucket:Bucket", {"name": value}))
    assert said == "Look: gcloud storage buckets describe gs://NAME Its ID: NAME"


@pytest.mark.parametrize(
    ("type_token", "page"),
    [
        ("aws:sqs/queue:Queue", "aws/api-docs/sqs/queue/#import"),
        ("random:index/randomPassword:RandomPassword", "random/api-docs/randompassword/#import"),
        ("cloudflare:index:Record", "cloudflare/api-docs/record/#import"),
    ],
)
def test_any_other_type_has_its_console_and_its_page(type_token: str, page: str) -> None:
    (said,) = look(type_token, {})
    package = type_token.partition(":")[0]
    assert said.startswith(f"Look in the console of {package} for what the program calls 'thing'")
    assert said.endswith(f"https://www.pulumi.com/registry/packages/{page}")


@pytest.mark.parametrize(
    "resource", [{}, {"type": "odd"}, {"type": "kubernetes:x", "inputs": None}]
)
def test_what_says_nothing_of_itself_is_still_told(resource: dict[str, Any]) -> None:
    assert how_to_look(resource)
