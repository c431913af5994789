"""The routes, the same behind every front: one request in, one response out, nothing raised."""

from .answering import answered, require_method
from .chat import HEARTBEAT_SECONDS, Chat
from .config import Config
from .errors import model_not_found, unavailable
from .exchange import Request, Response, json_response
from .jsons import JsonObject
from .keys import Keys
from .log import Record
from .metered import Metering, Unmetered
from .signals import LogLines, Signals
from .upstream import Upstream

_METHODS = {
    "/healthz": "GET",
    "/readyz": "GET",
    "/v1/models": "GET",
    "/v1/chat/completions": "POST",
}
_MODEL_PREFIX = "/v1/models/"


class App:
    """One service: its routes, who may use them, and the model behind them."""

    def __init__(
        self,
        config: Config,
        keys: Keys,
        upstream: Upstream,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        *,
        metering: Metering | None = None,
        signals: Signals | None = None,
    ) -> None:
        self._config = config
        self._keys = keys
        self._upstream = upstream
        self._signals = signals or LogLines()
        self._chat = Chat(config, upstream, metering or Unmetered(), heartbeat_seconds)
        self.draining = False
        """Set while the process winds down: it is then no longer ready."""

    def handle(self, request: Request) -> Response:
        """Answer a request. Every failure is an OpenAI error object; nothing is raised."""
        return answered(request, self._route)

    @property
    def metrics_address(self) -> str | None:
        """Where its signals are scraped, as `host:port`; None where nobody can."""
        return self._signals.address

    def finish(self, record: Record) -> None:
        """Log and count a request: nothing more is sent of its answer."""
        record.end()
        if record.operation is not None:
            record.model, record.provider = self._config.model, self._config.provider
        self._signals.finish(record)

    def _route(self, request: Request) -> Response:
        path = request.path
        if path == "/v1" or path.startswith("/v1/"):
            self._keys.check(request.headers.get("authorization"))
        if len(path) > 1:
            path = path.removesuffix("/")
        allowed = _METHODS.get(path) or ("GET" if path.startswith(_MODEL_PREFIX) else None)
        require_method(request, path, allowed)
        return self._get(path) if allowed == "GET" else self._chat.answer(request)

    def _get(self, path: str) -> Response:
        if path == "/healthz":
            return json_response(200, {"status": "ok"})
        if path == "/readyz":
            return self._ready()
        if path == "/v1/models":
            return json_response(200, {"object": "list", "data": [self._model()]})
        asked = path.removeprefix(_MODEL_PREFIX)
        if asked != self._config.model:
            raise model_not_found(asked[:200])
        return json_response(200, self._model())

    def _ready(self) -> Response:
        if self.draining:
            raise unavailable("This instance is stopping.", code="stopping")
        self._upstream.check()
        return json_response(200, {"status": "ready"})

    def _model(self) -> JsonObject:
        return {
            "id": self._config.model,
            "object": "model",
            "created": self._config.model_created,
            "owned_by": self._config.model_owner,
        }
