import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import psutil
import pytest
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from portway.sandbox.layout import VARIABLE
from portway.sandbox.providers import wire
from portway.sandbox.providers.proto import plugin_pb2, provider_pb2, status_pb2
from portway.sandbox.providers.protocol import SERVICE, start
from support.plugin import Plugin

TOKEN = "gcp:storage/bucket:Bucket"
URN = f"urn:pulumi:dev::p::{TOKEN}::b"


def serialised(message: Message) -> bytes:
    return message.SerializeToString()


class Engine:
    """The engine's end of the wire."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def call(self, name: str, request: Message, answer: type[Message]) -> Message:
        method = self.channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=serialised,
            response_deserializer=answer.FromString,
        )
        return method(request, timeout=30)

    def create(self) -> provider_pb2.CreateResponse:
        properties = wire.to_struct({"location": "EU", "name": "b"})
        request = provider_pb2.CreateRequest(urn=URN, type=TOKEN, properties=properties)
        answer = self.call("Create", request, provider_pb2.CreateResponse)
        assert isinstance(answer, provider_pb2.CreateResponse)
        return answer


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "gcp", {"project": "acme"})


@pytest.fixture
def engine(plugin: Plugin) -> Iterator[Engine]:
    server, port = start(plugin.provider)
    engine = Engine(port)
    yield engine
    engine.channel.close()
    server.stop(None)


def test_calls_answer_over_grpc(engine: Engine) -> None:
    info = engine.call("GetPluginInfo", empty_pb2.Empty(), plugin_pb2.PluginInfo)
    assert info == plugin_pb2.PluginInfo(version="1.2.3")
    assert engine.create().id == "b"


def test_a_refusal_is_a_clean_status_with_the_clouds_text(engine: Engine) -> None:
    engine.create()
    with pytest.raises(grpc.RpcError) as caught:
        engine.create()
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert "you already own it" in str(caught.value.details())


def test_a_half_made_resource_travels_in_the_statuss_details(
    engine: Engine, plugin: Plugin
) -> None:
    (plugin.root / "faults.yaml").write_text("[{fault: half_create}]")
    plugin.provider.faults = plugin.provider.faults.load(plugin.root / "faults.yaml", plugin.store)
    with pytest.raises(grpc.RpcError) as caught:
        engine.create()
    trailing = cast("dict[str, bytes]", dict(cast("Any", caught.value).trailing_metadata()))
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed)
    assert (failed.id, list(failed.reasons)) == (
        "b",
        ["the resource was created but never became ready (injected)"],
    )
    assert wire.from_struct(failed.inputs) == {"location": "EU", "name": "b"}
    assert wire.from_struct(failed.properties)["selfLink"]


def test_a_mistake_of_ours_is_internal_and_says_where_to_look(engine: Engine) -> None:
    request = provider_pb2.CreateRequest(urn="no urn", type="", preview=True)
    with pytest.raises(grpc.RpcError) as caught:
        engine.call("Create", request, provider_pb2.CreateResponse)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "see its log" in str(caught.value.details())


def test_what_a_plain_package_does_not_do_is_unimplemented(engine: Engine) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        engine.call("Construct", provider_pb2.ConstructRequest(), provider_pb2.ConstructResponse)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def launch(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "portway.sandbox.providers", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, VARIABLE: str(root)},
    )


def first_line(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def test_a_plugin_prints_its_port_first_answers_and_ends_with_the_engines_pipe(
    tmp_path: Path,
) -> None:
    with launch(tmp_path, "random") as process:
        engine = Engine(first_line(process))
        engine.call("GetPluginInfo", empty_pb2.Empty(), plugin_pb2.PluginInfo)
        engine.channel.close()
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_plugin_ends_when_told_to(tmp_path: Path, sent: signal.Signals) -> None:
    with launch(tmp_path, "random") as process:
        first_line(process)
        process.send_signal(sent)
        assert process.wait(timeout=30) == 0


def test_a_plugin_does_not_outlive_the_engine_that_started_it(tmp_path: Path) -> None:
    child = f"import subprocess, sys; p = subprocess.Popen([{sys.executable!r}, '-m', 'portway.sandbox.providers', 'random'], stdin=subprocess.DEVNULL); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", child],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, VARIABLE: str(tmp_path)},
    )
    with parent:
        assert parent.stdout
        orphan = psutil.Process(int(parent.stdout.readline()))
        assert int(parent.stdout.readline())
        parent.kill()
    _, alive = psutil.wait_procs([orphan], timeout=30)
    assert alive == []


def test_a_plugin_that_no_sandbox_started_says_what_to_run(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-m", "portway.sandbox.providers", "gcp"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "run `portway sandbox start`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugin_loads_no_pulumi_sdk_and_no_cloud_but_its_own() -> None:
    program = (
        "import sys; from portway.sandbox.providers import __main__, google;"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in"
        " ('pulumi', 'pulumi_gcp', 'pulumi_aws') or m.endswith('.amazon')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
