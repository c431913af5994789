"""``portway status``: one sentence and the right exit code, whatever the state and the stores are."""

import json
from typing import Any

import pytest

from support.command_line import CommandLine
from support.file_backend import STACK, Backend


@pytest.fixture
def deployed(backend: Backend) -> Backend:
    """A state with pods that are scraped, whose clouds are real: nothing of them can be read here."""
    variables = {"PORTWAY_SERVICE": "chat", "PORTWAY_METRICS": "prometheus:9464"}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    inputs = {
        "metadata": {"namespace": "chat-prod", "name": "chat"},
        "spec": {"template": {"spec": {"containers": [{"env": env}]}}},
    }
    provider = {"urn": "urn:p", "type": "pulumi:providers:kubernetes", "inputs": {"context": "eu"}}
    pods: dict[str, Any] = {
        "urn": "urn:d", "type": "kubernetes:apps/v1:Deployment", "inputs": inputs,
        "provider": "urn:p::id",
    }  # fmt: skip
    file = backend.folder / ".pulumi" / "stacks" / "desk" / f"{STACK}.json"
    file.write_text(json.dumps({"checkpoint": {"latest": {"resources": [provider, pods]}}}))
    return backend


def test_a_stack_that_has_deployed_nothing_is_a_finding(
    backend: Backend, portway: CommandLine
) -> None:
    ran = portway("status", STACK)
    where = f"{STACK} in file://{backend.folder}; its clouds are not read"
    assert (ran.code, ran.out, ran.err) == (1, f"{where}: nothing is deployed\n", "")
    said = portway("status", STACK, "--json")
    assert (said.code, said.json["deployed"], said.json["reason"]) == (
        1, False, "nothing is deployed",
    )  # fmt: skip


def test_a_stack_that_is_not_there_is_bad_input(backend: Backend, portway: CommandLine) -> None:
    ran = portway("status", "chat.dev.paper")
    assert (ran.code, ran.out) == (2, "")
    assert "has no stack 'chat.dev.paper'" in ran.err


@pytest.mark.parametrize("since", ["", "1", "0h", "1w", "-1h", "31d", "9999999m", "1h30m"])
def test_a_while_that_is_none_is_bad_input(
    since: str, deployed: Backend, portway: CommandLine
) -> None:
    ran = portway("status", STACK, "--since", since)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"--since: is {since!r}; give minutes, hours or days up to 30d, such as 15m, 1h or 7d\n"
    )


def test_a_prometheus_that_nobody_named_is_missing(
    deployed: Backend, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTWAY_PROMETHEUS_URL", raising=False)
    ran = portway("status", STACK)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("the signals of cluster 'eu' are in its Prometheus")


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("127.0.0.1:9", 2, "give an address with http:// or https://"),
        ("http://127.0.0.1:9", 3, "Prometheus at http://127.0.0.1:9 cannot be reached"),
    ],
)
def test_a_prometheus_that_does_not_answer_is_said(
    url: str, code: int, said: str, deployed: Backend, portway: CommandLine
) -> None:
    ran = portway("status", STACK, "--prometheus", url)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
