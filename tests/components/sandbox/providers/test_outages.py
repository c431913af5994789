"""APIs that are away and credentials that have ended, as the real providers tell them and wait."""

from pathlib import Path

import pytest

from portway.sandbox.providers import server
from portway.sandbox.providers.cloud import CloudError, Code
from support.plugin import Plugin

BUCKET = "storage/bucket:Bucket"
LOGS = "cloudwatch/logGroup:LogGroup"
ADDRESS = "dial tcp 203.0.113"


def faulty(folder: Path, rules: str, package: str) -> Plugin:
    (folder / "faults.yaml").write_text(rules)
    config = {"project": "acme"} if package == "gcp" else {"region": "eu-west-1"}
    return Plugin(folder, package, config)


def make(plugin: Plugin) -> None:
    if plugin.provider.cloud.package == "gcp":
        plugin.create(BUCKET, "b", {"location": "EU", "name": "b"})
    else:
        plugin.create(LOGS, "l", {"name": "l"})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(server, "_LONGEST_PAUSE_SECONDS", 0.001)


@pytest.mark.parametrize(
    ("package", "fault", "said"),
    [
        ("aws", "connection_refused", 'send failed, Post "https://cloudwatch.eu-west-1.amazonaws.com/": dial tcp 203.0.113.20:443: connect: connection refused'),
        ("aws", "unavailable", "StatusCode: 503, RequestID: "),
        ("aws", "throttled", "api error ThrottlingException: Rate exceeded"),
        ("gcp", "unavailable", "Error creating Bucket: googleapi: Error 503: The service is currently unavailable., backendError"),
        ("gcp", "throttled", "Error creating Bucket: googleapi: Error 429: Resource has been exhausted"),
    ],
)  # fmt: skip
def test_what_is_tried_again_passes_once_it_is_over_and_is_told_once_patience_ends(
    package: str, fault: str, said: str, tmp_path: Path, quick: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    del quick
    plugin = faulty(tmp_path, f"[{{operation: '*', fault: {fault}, times: 3}}]", package)
    make(plugin)
    assert len(plugin.store.all()) == 1
    (tmp_path / "more").mkdir()
    monkeypatch.setattr(server, "_PATIENCE_SECONDS", 0.01)
    worse = faulty(tmp_path / "more", f"[{{fault: {fault}}}]", package)
    with pytest.raises(CloudError) as refused:
        make(worse)
    assert refused.value.code is Code.UNAVAILABLE
    assert said in str(refused.value)
    assert ("exceeded maximum number of attempts" in str(refused.value)) is (package == "aws")
    assert worse.store.all() == []


def test_google_s_provider_does_not_try_a_refused_connection_again(tmp_path: Path) -> None:
    google = faulty(tmp_path, "[{fault: connection_refused, times: 1}]", "gcp")
    with pytest.raises(CloudError) as refused:
        make(google)
    assert str(refused.value) == (
        'Error creating Bucket: Post "https://storage.googleapis.com/v1/projects/acme/buckets?alt=json": '
        "dial tcp 203.0.113.10:443: connect: connection refused"
    )
    assert google.store.all() == []
    make(google)
    assert len(google.store.all()) == 1


def test_whoever_waits_for_an_outage_ends_when_the_engine_does(tmp_path: Path) -> None:
    amazon = faulty(tmp_path, "[{fault: unavailable}]", "aws")
    amazon.provider.cloud.cancelled.set()
    with pytest.raises(CloudError, match="503"):
        make(amazon)


@pytest.mark.parametrize(
    ("package", "began", "later"),
    [
        ("aws", "unable to validate AWS credentials.\nDetails: validating provider credentials: retrieving caller identity from STS", "api error ExpiredTokenException: The security token included in the request is expired"),
        ("gcp", 'oauth2: "invalid_grant" "Token has been expired or revoked."', '/buckets?alt=json": oauth2: "invalid_grant" "Token has been expired or revoked."'),
    ],
)  # fmt: skip
def test_credentials_that_have_ended_are_told_as_the_plugin_begins_and_in_the_middle(
    package: str, began: str, later: str, tmp_path: Path
) -> None:
    rules = "[{operation: configure, fault: expired, times: 1}, {fault: expired, times: 1}]"
    with pytest.raises(CloudError) as refused:
        faulty(tmp_path, rules, package)
    assert refused.value.code is Code.UNAUTHENTICATED
    assert str(refused.value).startswith(began)
    plugin = faulty(tmp_path, rules, package)
    with pytest.raises(CloudError) as refused:
        make(plugin)
    assert later in str(refused.value)
    make(plugin)
    assert len(plugin.store.all()) == 1
