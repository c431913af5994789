"""Where credentials come from: the environment, or an address that it names; and nowhere else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portway.runtime.aws_credentials import ContainerCredentials, Frozen, find_credentials
from portway.runtime.errors import WireError
from support.answering import Server, http, serving

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


def document(number: int, ends: str | None = "2026-11-22T13:00:00Z") -> bytes:
    found = {"AccessKeyId": f"key-{number}", "SecretAccessKey": "s", "Token": "t"}
    return http(json.dumps({**found, **({"Expiration": ends} if ends else {})}).encode())


def counted() -> tuple[Callable[[bytes], bytes], list[str]]:
    seen: list[str] = []

    def answer(request: bytes) -> bytes:
        seen.append(request.decode())
        return document(len(seen))

    return answer, seen


def address(server: Server) -> str:
    return "http://{}:{}/v2/credentials?a=b".format(*server.address)


def test_the_environments_own_are_taken_as_they_are_now(monkeypatch: pytest.MonkeyPatch) -> None:
    current = find_credentials()
    assert current() is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    assert current() is None
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert current() == Frozen("key", "secret", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert current() == Frozen("key", "secret", "token")
    assert "secret" not in repr(current())


def test_the_environments_own_come_before_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert find_credentials()() == Frozen("key", "secret", None)


def test_an_address_is_asked_with_its_token_and_again_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer, seen = counted()
    now = [NOW]
    with serving(answer) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address(server))
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer abc")
        credentials = ContainerCredentials(lambda: now[0])
        found: list[Frozen | None] = []
        for seconds in (0, 2999, 3000, 3001):
            now[0] = NOW + seconds
            found.append(credentials.get())
    # the second document ends when the first did: what is asked for late is asked for each time
    assert [one and one.access_key for one in found] == ["key-1", "key-1", "key-2", "key-3"]
    assert found[0] == Frozen("key-1", "s", "t")
    assert seen[0].startswith("GET /v2/credentials?a=b HTTP/1.1\r\n")
    assert "\r\nauthorization: Bearer abc\r\n" in seen[0]


def test_the_token_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer, seen = counted()
    file = tmp_path / "token"
    file.write_text("from-the-file")
    with serving(answer) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address(server))
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
        assert ContainerCredentials().get() is not None
        file.write_text("two\r\nlines: x")
        with pytest.raises(WireError) as told:
            ContainerCredentials().get()
    assert "authorization: from-the-file\r\n" in seen[0]
    assert told.value.detail == (
        "no AWS credentials: ValueError: the authorization token holds a line end"
    )


def test_credentials_are_used_to_their_end_while_the_address_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [NOW]
    with serving(lambda _: document(1)) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address(server))
        credentials = ContainerCredentials(lambda: now[0])
        first = credentials.get()
    now[0] = NOW + 3599
    assert credentials.get() == first
    now[0] = NOW + 3600
    with pytest.raises(WireError):
        credentials.get()


def test_credentials_without_an_end_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def answer(request: bytes) -> bytes:
        seen.append(request)
        return document(1, ends=None)

    with serving(answer) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address(server))
        credentials = ContainerCredentials()
        assert credentials.get() == credentials.get()
    assert len(seen) == 1


@pytest.mark.parametrize(
    "sent",
    [http(b"{}"), http(b"gone", "404 Not Found"), http(b"[]"), document(1, ends="soon"), None],
)
def test_an_address_that_gives_none_is_told_in_the_log_only(
    monkeypatch: pytest.MonkeyPatch, sent: bytes | None
) -> None:
    with serving(lambda _: sent) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address(server))
        with pytest.raises(WireError) as told:
            ContainerCredentials().get()
    assert told.value.status == 500
    assert str(told.value.detail).startswith("no AWS credentials: ")
    assert "credentials" not in told.value.message


def test_the_token_of_the_process_is_not_sent_in_the_clear_to_just_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/credentials")
    with pytest.raises(WireError) as told:
        ContainerCredentials().get()
    assert told.value.detail == (
        "no AWS credentials: ValueError: example.com is neither https nor a host of the platform"
    )
