"""The door before several ends: one key for clients, a weighted choice, the end's own key behind.

Bodies are passed on byte for byte in both directions. A request goes to another end only while no
byte of an answer has come, or when an end said that it has no room (429) or is not there (503).
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import sse
from .answering import answered, require_method
from .config import EXIT_BAD_CONFIG, BadConfig, VariableReader
from .door_routes import BadRoutes, Lease, Router, file_router
from .door_upstream import BrokenOff, NoAnswer, Reply, ask
from .errors import CLIENT_CLOSED, WireError, unavailable, upstream_error
from .exchange import Request, Response, json_response, new_id
from .http_wire import Disconnected
from .keys import BadKeys, Keys, file_keys
from .log import Record
from .serving import serve_until_told
from .signals import LogLines

ROUTES_FILE = "PORTWAY_ROUTES_FILE"
"""The variable that makes the process a door: the path of its route document."""

STATUS_PATH = "/door/status"
_PATHS = frozenset({"/healthz", "/readyz", STATUS_PATH})
_ELSEWHERE = frozenset({429, 503})
_SERVER_FAULT = 500


@dataclass(frozen=True)
class DoorConfig:
    """What one running door serves, and within which limits.

    `max_instances` is how many such processes there may be behind the door's address.
    """

    service: str
    routes_file: str
    keys_file: str
    max_body_bytes: int
    concurrency: int
    timeout_seconds: float
    max_instances: int
    bind: str = "0.0.0.0"  # noqa: S104 - the process is its container's only server
    port: int = 8080


def read_door_config(env: Mapping[str, str]) -> DoorConfig:
    """Read the process's environment.

    Raises:
        BadConfig: with every fault, each naming its variable and what it must be.
    """
    read = VariableReader(env)
    config = DoorConfig(
        service=read.text("PORTWAY_SERVICE", "the service's name"),
        routes_file=read.text(ROUTES_FILE, "the path of the route document"),
        keys_file=read.text("PORTWAY_API_KEYS_FILE", "the path of the key document"),
        max_body_bytes=read.integer("PORTWAY_MAX_BODY_BYTES", "the largest body", least=1),
        concurrency=read.integer("PORTWAY_CONCURRENCY", "requests served at once", least=1),
        timeout_seconds=read.seconds("PORTWAY_TIMEOUT_SECONDS", "the request deadline in seconds"),
        max_instances=read.integer("PORTWAY_MAX_INSTANCES", "instances at most", least=1),
        bind=read.optional("PORTWAY_BIND") or DoorConfig.bind,
        port=read.integer("PORT", "a TCP port", least=0, default=DoorConfig.port),
    )
    if read.faults:
        raise BadConfig(tuple(read.faults))
    return config


class DoorApp:
    """What the door answers: its own health and status, and everything under /v1 by its ends."""

    def __init__(self, config: DoorConfig, keys: Keys, router: Router) -> None:
        self._config = config
        self._keys = keys
        self._router = router
        self._instance = new_id()
        self._signals = LogLines()
        self.draining = False

    def handle(self, request: Request) -> Response:
        """Answer a request. Every failure is an OpenAI error object; nothing is raised."""
        return answered(request, self._route)

    def finish(self, record: Record) -> None:
        """Log a request; the ends count it among their signals."""
        record.end()
        self._signals.finish(record)

    def _route(self, request: Request) -> Response:
        path = request.path
        if path == "/v1" or path.startswith("/v1/"):
            self._keys.check(request.headers.get("authorization"))
            self._router.refresh()
            return self._forward(request)
        require_method(request, path, "GET" if path in _PATHS else None)
        if path == STATUS_PATH:
            self._keys.check(request.headers.get("authorization"))
            return self._status()
        if path == "/readyz" and self.draining:
            raise unavailable("This instance is stopping.", code="stopping")
        return json_response(200, {"status": "ok" if path == "/healthz" else "ready"})

    def _status(self) -> Response:
        """What this instance does, by the newest document: it is read for this answer."""
        self._router.refresh(now=True)
        said = {
            "instance": self._instance,
            "max_instances": self._config.max_instances,
            "service": self._config.service,
            "draining": self.draining,
        }
        return json_response(200, {**said, **self._router.status()})

    def _forward(self, request: Request) -> Response:
        body = request.read_body()
        tried: frozenset[str] = frozenset()
        why = "no end has a weight"
        lease = self._router.take(request.record.request_id)
        while lease is not None:
            tried |= {lease.end.name}
            try:
                reply = ask(lease.end, request, body)
            except NoAnswer as error:
                why = f"{lease.end.name}: {error}"
                other = self._router.take(request.record.request_id, tried)
                lease.close(failed=True, retried=other is not None)
                lease = other
                continue
            except BrokenOff as error:
                lease.close(failed=True)
                raise _broken_off(lease, error) from error
            except BaseException as error:
                lease.close(failed=isinstance(error, WireError))
                raise
            other = self._elsewhere(reply, request, tried)
            if other is None:
                return _answer(reply, lease, request.record)
            why = f"{lease.end.name}: {reply.status}"
            reply.close()
            lease.close(failed=True, retried=True)
            lease = other
        raise unavailable("No end of this door answers at the moment.", unasked=True, detail=why)

    def _elsewhere(self, reply: Reply, request: Request, tried: frozenset[str]) -> Lease | None:
        """Another end for a request that this one has no room for; None to pass its answer on."""
        if reply.status not in _ELSEWHERE or reply.headers.get("x-should-retry") == "false":
            return None
        return self._router.take(request.record.request_id, tried)


def _answer(reply: Reply, lease: Lease, record: Record) -> Response:
    record.detail = f"answered by {lease.end.name}"
    if reply.is_sized:
        try:
            body = b"".join(reply.pieces())
        except BrokenOff as error:
            lease.close(failed=True)
            raise _broken_off(lease, error) from error
        finally:
            reply.close()
            lease.close(failed=reply.status >= _SERVER_FAULT)
        return Response(reply.status, reply.headers, body)
    return Response(reply.status, reply.headers, stream=_Passing(reply, lease, record))


class _Passing:
    """A body that is passed on as it comes. It is cut where the end's own was."""

    def __init__(self, reply: Reply, lease: Lease, record: Record) -> None:
        self._reply = reply
        self._lease = lease
        self._record = record
        self._is_events = reply.headers.get("content-type", "").startswith("text/event-stream")
        self._whole = False
        self._failed = reply.status >= _SERVER_FAULT
        record.stream = self._is_events

    def __iter__(self) -> Iterator[bytes]:
        tail = b"\n\n"
        try:
            for piece in self._reply.pieces():
                self._record.first_token()
                tail = (tail + piece)[-2:]
                yield piece
        except BrokenOff as error:
            self._failed = True
            failure = _broken_off(self._lease, error)
            self._record.fail(failure)
            # Between two events a client can be told why; elsewhere it must see that bytes lack.
            if not self._is_events or tail != b"\n\n":
                raise Disconnected from error
            yield sse.event(failure.body())
        self._whole = True

    def close(self) -> None:
        """Let the end go; note a client that left early."""
        self._reply.close()
        self._lease.close(failed=self._failed)
        if not self._whole and not self._failed:
            self._record.status = CLIENT_CLOSED
            self._record.error = "client_disconnected"


def _broken_off(lease: Lease, error: BrokenOff) -> WireError:
    detail = f"{lease.end.name}: {error}"
    return upstream_error("The service broke the answer off.", detail=detail)


def run_door(env: Mapping[str, str]) -> int:
    """Serve with this environment until told to stop; returns the exit code."""
    try:
        config = read_door_config(env)
        app = DoorApp(config, _keys(config), file_router(config.routes_file))
    except (BadConfig, BadKeys, BadRoutes) as error:
        text = str(error) if isinstance(error, BadConfig) else f"portway runtime: {error}"
        sys.stderr.write(f"{text}\n")
        return EXIT_BAD_CONFIG
    return serve_until_told(app, config, service=config.service)


def _keys(config: DoorConfig) -> Keys:
    keys = file_keys(config.keys_file)
    keys.load()
    return keys
