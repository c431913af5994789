"""Endpoints and model routes, judged as the engine would have them: secrets, unknowns, and wrappings."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from portway.gate.testing import UNKNOWN, Given, judge, provider, resource
from portway.gate.testing import secret as hidden
from support.packs import POLICIES

LISTED = "residency-endpoints-are-listed"
MODELS = "residency-inference-profile-stays-inside"
CONFIG: Mapping[str, Any] = {"boundary": "eu", "clusters": {"prod-eu": "europe-west4"}}
LAMBDA = "aws:lambda/function:Function"
PROD = provider("kubernetes", "prod-eu")


def function(**variables: Any) -> Given:
    return resource(LAMBDA, "it", {"region": "eu-west-1", "environment": {"variables": variables}})


def service(**variables: Any) -> Given:
    envs = [{"name": name, "value": value} for name, value in variables.items()]
    template = {"containers": [{"image": "docker.io/x/y", "envs": envs}]}
    props = {"location": "europe-west4", "template": template}
    return resource("gcp:cloudrunv2/service:Service", "it", props)


def pod(**variables: Any) -> Given:
    env = [{"name": name, "value": value} for name, value in variables.items()]
    props = {"spec": {"containers": [{"env": env}]}}
    return resource("kubernetes:core/v1:Pod", "it", props, provider=PROD)


def secret(**variables: str) -> Given:
    data = {k: base64.b64encode(v.encode()).decode() for k, v in variables.items()}
    return resource("kubernetes:core/v1:Secret", "it", {"data": hidden(data)}, provider=PROD)


def refusals(given: Given) -> set[str]:
    return set(judge([given], POLICIES / "residency", CONFIG).rules & {LISTED, MODELS})


FORMS = (function, service, pod, secret)
LEAKS = (
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.example.com", LISTED),
    ("DD_SITE", "datadoghq.com", LISTED),
    ("HTTPS_PROXY", "http://proxy.example.com:3128", LISTED),
    ("WANDB_BASE_URL", "https://api.wandb.ai", LISTED),
    ("SENTRY_DSN", "https://hunter2@o1.ingest.sentry.io/1", LISTED),
    ("DATABASE_URL", "postgres://u:hunter2@hunter2.example.com/hunter2", LISTED),
    ("OPENAI_BASE_URL", "https://api.openai.com/v1?key=hunter2", MODELS),
    ("OPENAI_BASE_URL", "https://hunter2:hunter2@api.groq.com/openai/v1", MODELS),
    ("GOOGLE_CLOUD_LOCATION", "global", MODELS),
    ("GOOGLE_CLOUD_LOCATION", "hunter2", MODELS),
    ("VERTEX", "https://us-central1-aiplatform.googleapis.com/hunter2", MODELS),
    ("MODEL", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", MODELS),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value", "rule"), LEAKS)
def test_a_leak_is_refused_in_whatever_form_a_program_is_told(
    form: Any, name: str, value: str, rule: str
) -> None:
    assert rule in refusals(form(**{name: value}))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value", "rule"), LEAKS)
def test_no_message_repeats_what_may_be_a_secret(
    form: Any, name: str, value: str, rule: str
) -> None:
    texts = [
        one.message
        for one in judge([form(**{name: value})], POLICIES / "residency", CONFIG).violations
    ]
    assert any(f"[{rule}]" in text for text in texts)
    assert all("hunter2" not in text for text in texts)


@pytest.mark.parametrize("form", [function, service, pod])
@pytest.mark.parametrize(("name", "value", "rule"), LEAKS)
def test_a_verdict_is_the_same_for_a_secret_and_never_a_pass_for_an_unknown(
    form: Any, name: str, value: str, rule: str
) -> None:
    assert rule in refusals(form(**{name: hidden(value)}))
    assert refusals(form(**{name: UNKNOWN}))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value", "rule"), LEAKS)
def test_telling_a_program_more_never_hides_a_leak(
    form: Any, name: str, value: str, rule: str
) -> None:
    more = {
        "A_URL": "http://localhost:1",
        "LOG_LEVEL": "info",
        "PUBLIC_URL": "https://x.example.com",
    }
    assert rule in refusals(form(**{name: value, **more}))
    assert rule in refusals(form(**{**more, name: value}))


@pytest.mark.parametrize("form", FORMS)
def test_what_clean_services_are_told_passes(form: Any) -> None:
    clean = {
        "OPENAI_BASE_URL": "http://vllm.chat.svc.cluster.local:8000/v1",
        "OPENAI_API_KEY": "sk-local",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=chat,deployment.environment=prod",
        "GOOGLE_CLOUD_LOCATION": "europe-west4",
        "QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/q",
        "HF_HOME": "/models",
        "MODEL": "mistralai/Ministral-3-8B-Instruct-2512",
        "NO_PROXY": "localhost,127.0.0.1,.svc,metadata.google.internal",
        "PYTHONPATH": "/app",
        "ALLOWED_HOSTS": "chat.example.com",
        "TZ": "Europe/Amsterdam",
        "VERSION": "1.2.3",
    }
    assert refusals(form(**clean)) == set()
