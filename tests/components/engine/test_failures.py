"""The engine's error events, as they are explained."""

from typing import Any

from portway.engine.failures import failures_of

URN = "urn:pulumi:a.b.c::p::portway:index:CloudRunService$gcp:cloudrunv2/service:Service::chat"


def test_errors_are_read_with_their_resource_and_without_colours_and_nothing_else_is() -> None:
    told = [
        {"urn": URN, "severity": "error", "message": "<{%reset%}>no such image<{%reset%}>\n"},
        {"severity": "error", "message": "update failed"},
        {"urn": URN, "severity": "warning", "message": "hm"},
    ]
    events: list[dict[str, Any]] = [{"preludeEvent": {}}]
    events += [{"diagnosticEvent": one} for one in told]
    assert failures_of(events) == [
        ("chat (gcp:cloudrunv2/service:Service)", "no such image"),
        ("", "update failed"),
    ]
