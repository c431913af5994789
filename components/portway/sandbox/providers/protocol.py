"""The gRPC server around a ``Provider``, and the life of a plugin process.

A plugin prints its port as the first line of stdout and nothing after it. It ends when the engine says
so (SIGINT, SIGTERM), when the engine's end of stdin closes, or when its parent is gone: a plugin never
outlives the engine that started it.
"""

import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from types import FrameType
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message

from portway.sandbox.providers.cloud import CloudError, InitFailed
from portway.sandbox.providers.proto import provider_pb2, status_pb2
from portway.sandbox.providers.server import Provider
from portway.sandbox.providers.wire import to_struct

SERVICE = "pulumirpc.ResourceProvider"
_MAX_MESSAGE_BYTES = 400 << 20
_WORKERS = 64
_PARENT_POLL_SECONDS = 1.0
_log = logging.getLogger(__name__)


def handlers(provider: Provider) -> grpc.GenericRpcHandler:
    """Every call of the protocol this plugin answers; the others are unimplemented, as the engine expects."""
    pb = provider_pb2
    calls: dict[str, tuple[Callable[[Any], Message], type[Message]]] = {
        "Handshake": (provider.handshake, pb.ProviderHandshakeRequest),
        "Attach": (provider.attach, empty_pb2.Empty),
        "GetPluginInfo": (provider.plugin_info, empty_pb2.Empty),
        "GetSchema": (provider.schema, pb.GetSchemaRequest),
        "CheckConfig": (provider.check_config, pb.CheckRequest),
        "DiffConfig": (provider.diff_config, pb.DiffRequest),
        "Configure": (provider.configure, pb.ConfigureRequest),
        "Check": (provider.check, pb.CheckRequest),
        "Diff": (provider.diff, pb.DiffRequest),
        "Create": (provider.create, pb.CreateRequest),
        "Read": (provider.read, pb.ReadRequest),
        "Update": (provider.update, pb.UpdateRequest),
        "Delete": (provider.delete, pb.DeleteRequest),
        "Invoke": (provider.invoke, pb.InvokeRequest),
        "Cancel": (provider.cancel, empty_pb2.Empty),
    }
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                _answering(call),
                request_deserializer=request.FromString,
                response_serializer=_bytes,
            )
            for name, (call, request) in calls.items()
        },
    )


def _answering(
    call: Callable[[Any], Message],
) -> Callable[[Any, grpc.ServicerContext], Message]:
    def answer(request: Message, context: grpc.ServicerContext) -> Message:
        try:
            return call(request)
        except CloudError as error:
            context.abort(grpc.StatusCode[error.code.value], str(error))
        except InitFailed as error:
            context.set_trailing_metadata((("grpc-status-details-bin", _details(error)),))
            context.abort(grpc.StatusCode.UNKNOWN, "; ".join(error.reasons))
        except Exception as error:  # noqa: BLE001 - the engine must hear of every failure
            _log.exception("a call failed")
            text = f"the sandbox's plugin failed ({type(error).__name__}: {error}); see its log"
            context.abort(grpc.StatusCode.INTERNAL, text)

    return answer


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


def _details(error: InitFailed) -> bytes:
    """A status that tells the engine: it exists, keep it, and say what is wrong with it."""
    failed = provider_pb2.ErrorResourceInitFailed(
        id=error.state.id,
        properties=to_struct(error.state.outputs),
        inputs=to_struct(error.state.inputs),
        reasons=error.reasons,
    )
    packed = any_pb2.Any()
    packed.Pack(failed)
    code: int = grpc.StatusCode.UNKNOWN.value[0]
    status = status_pb2.Status(code=code, message="; ".join(error.reasons), details=[packed])
    return status.SerializeToString()


def start(provider: Provider) -> tuple[grpc.Server, int]:
    """Serve on a free loopback port; answer the server and its port."""
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS), options=options)
    server.add_generic_rpc_handlers((handlers(provider),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve(provider: Provider) -> None:
    """Serve until the engine has no more use for this process."""
    parent = os.getppid()
    over = threading.Event()

    def finish(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGINT, finish)
    signal.signal(signal.SIGTERM, finish)
    server, port = start(provider)
    # Only now: whoever reads the port may at once tell this process to end.
    print(port, flush=True)  # noqa: T201 - the protocol: the first line is the port
    if _is_pipe(0):
        threading.Thread(target=_until_stdin_ends, args=(over,), daemon=True).start()
    while not over.wait(_PARENT_POLL_SECONDS):
        if os.getppid() != parent:
            break
    provider.cloud.cancelled.set()
    server.stop(grace=None)
    os._exit(0)  # worker threads may be in the middle of a wait


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _until_stdin_ends(over: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    over.set()
