"""API Gateway REST APIs before functions: stages, throttling, web ACLs, streamed integrations.

Simulated: one integration, at ``{proxy+}``, and regional endpoints only. API Gateway's own answers are its
documented gateway responses, in their default words.
"""

import asyncio
import json
import logging
import re
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from portway.sandbox.dataplane.amazon_cloud import PERMISSION, Unsigned, caller, refusal
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.front import LOOPBACK, BodyTooLarge, Exchange, Front
from portway.sandbox.dataplane.lambda_answers import buffer_answer, stream_answer
from portway.sandbox.dataplane.lambda_api import MAX_BUFFERED_BYTES, Invocation, InvocationFailed
from portway.sandbox.dataplane.lambda_events import Malformed, rest_event
from portway.sandbox.dataplane.lambda_functions import Deployed, Throttled
from portway.sandbox.dataplane.world import World, child, items, number, text
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

INTEGRATION = "aws:apigateway/integration:Integration"
METHOD = "aws:apigateway/method:Method"
API = "aws:apigateway/restApi:RestApi"
SETTINGS = "aws:apigateway/methodSettings:MethodSettings"
ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
_FUNCTION = re.compile(
    r"/functions/arn:aws:lambda:[\w-]+:\d*:function:(?P<name>[\w-]+)(:(?P<alias>[\w-]+))?/"
)
_BUFFERED_MS = 29_000


class Gateway(Exception):
    """API Gateway's own answer: ``message`` in its ``body``, its error type in a header."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        """Keep what the answer needs."""
        super().__init__(message)
        self.status = status
        self.kind = kind


class Bucket:
    """Tokens of a stage: ``rate`` a second, at most ``burst``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: float | None = None
        self._at = 0.0

    def take(self, rate: float, burst: float) -> bool:
        """Whether there was a token."""
        now = self._clock()
        grown = burst if self._tokens is None else self._tokens + (now - self._at) * rate
        self._tokens, self._at = min(burst, grown), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RestStage:
    """One stage of one REST API."""

    def __init__(self, context: Context, find: Callable[[str, str], Deployed | None]) -> None:
        self._context = context
        self._find = find
        self._front = Front(self.handle)
        self._row: Row | None = None
        self._world: World | None = None
        self._bucket = Bucket()
        self._seen: deque[float] = deque()

    async def apply(self, row: Row, world: World) -> None:
        """Take a new snapshot; listen the first time."""
        self._row, self._world = row, world
        try:
            if not self._front.port:
                await self._front.listen(self._context.port(str(row.key)))
        except OSError as error:
            message = f"the sandbox cannot listen for the stage: {error}"
            self._context.report(row, ready=False, message=message)
        else:
            self._context.report(row, ready=True)

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        stage = text(self._row.inputs, "stageName") if self._row else ""
        return {
            "owner": str(self._row.key) if self._row else "",
            "resource": f"API Gateway stage {stage}",
            "endpoint": f"http://{LOOPBACK}:{self._front.port}/{stage}",
            "instances": 0,
        }

    async def close(self) -> None:
        """Stop listening."""
        await self._front.close()

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request as the stage would."""
        assert self._row is not None
        assert self._world is not None
        request_id = str(uuid.uuid4())
        try:
            integration, path = self._route(exchange)
            self._guard(exchange, self._method(integration))
            deployed = self._deployed(integration)
            body = await exchange.body(MAX_BUFFERED_BYTES)
            stage = text(self._row.inputs, "stageName")
            event = json.dumps(rest_event(exchange, body, path, stage, request_id)).encode()
            await self._invoke(exchange, deployed, integration, event)
        except BodyTooLarge:
            await _say(
                exchange, Gateway(413, "RequestEntityTooLarge", "Request Too Long"), request_id
            )
        except Gateway as error:
            await _say(exchange, error, request_id)

    def _route(self, exchange: Exchange) -> tuple[Row, str]:
        assert self._row is not None
        stage, api = text(self._row.inputs, "stageName"), text(self._row.inputs, "restApi")
        head, _, rest = exchange.raw_path.removeprefix("/").partition("/")
        if head != stage:
            raise Gateway(403, "ForbiddenException", "Forbidden")
        found = [row for row in self._of(INTEGRATION) if text(row.inputs, "restApi") == api]
        if not found or not rest:
            raise Gateway(
                403, "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
        return found[0], f"/{rest}"

    def _guard(self, exchange: Exchange, method: Row | None) -> None:
        """Firewall, then authorization, then throttle: the order in which they stand."""
        assert self._row is not None
        for limit, window in self._limits():
            if self._counted(window) > limit:
                raise Gateway(403, "ForbiddenException", "Forbidden")
        if method is not None and text(method.inputs, "authorization") == "AWS_IAM":
            self._authorize(exchange)
        api = text(self._row.inputs, "restApi")
        for row in self._of(SETTINGS):
            settings = child(row.inputs, "settings")
            rate = number(settings, "throttlingRateLimit", -1)
            ours = text(row.inputs, "restApi") == api
            same = text(row.inputs, "stageName") == text(self._row.inputs, "stageName")
            if ours and same and rate >= 0:
                burst = number(settings, "throttlingBurstLimit", rate)
                if not self._bucket.take(rate, burst):
                    raise Gateway(429, "TooManyRequestsException", "Too Many Requests")

    def _limits(self) -> list[tuple[float, float]]:
        """Limit and window of every rate rule of the web ACL before the stage."""
        assert self._row is not None
        arn = text(self._row.outputs, "arn")
        acls = {
            text(row.inputs, "webAclArn")
            for row in self._of(ASSOCIATION)
            if text(row.inputs, "resourceArn") == arn
        }
        found: list[tuple[float, float]] = []
        for row in self._of(ACL):
            for rule in items(row.inputs, "rules") if text(row.outputs, "arn") in acls else ():
                rate = child(child(rule, "statement"), "rateBasedStatement")
                if rate and "block" in child(rule, "action"):
                    window = number(rate, "evaluationWindowSec", 300)
                    found.append((number(rate, "limit", 0), window))
        return found

    def _counted(self, window: float) -> int:
        """Requests of the one address there is, in the last ``window`` seconds, this one included."""
        now = time.monotonic()
        self._seen.append(now)
        while self._seen and self._seen[0] < now - window:
            self._seen.popleft()
        return len(self._seen)

    def _authorize(self, exchange: Exchange) -> None:
        assert self._row is not None
        assert self._world is not None
        try:
            who = caller(exchange, self._world)
        except Unsigned as error:
            missing = error.code == "MissingAuthenticationTokenException"
            words = "Missing Authentication Token" if missing else str(error)
            raise Gateway(403, error.code, words) from error
        resource = f"{text(self._row.outputs, 'executionArn')}/{exchange.method}/"
        sentence = refusal(self._world, who, "execute-api:Invoke", f"{resource}*")
        policy = next(
            (
                text(r.inputs, "policy")
                for r in self._of(API)
                if r.key.id == text(self._row.inputs, "restApi")
            ),
            "",
        )
        if sentence is not None and who.arn not in policy and _role_of(who.arn) not in policy:
            raise Gateway(403, "AccessDeniedException", sentence)

    def _method(self, integration: Row) -> Row | None:
        wanted = integration.key.id.replace("agi-", "agm-", 1)
        return next((row for row in self._of(METHOD) if row.key.id == wanted), None)

    def _deployed(self, integration: Row) -> Deployed:
        """The function behind the integration, which must let this API call it."""
        assert self._row is not None
        found = _FUNCTION.search(text(integration.inputs, "uri"))
        name, alias = (found["name"], found["alias"] or "") if found else ("", "")
        deployed = self._find(self._row.key.scope, name)
        if deployed is None or deployed.function is None or not self._permitted(name, alias):
            raise Gateway(500, "InternalServerErrorException", "Internal server error")
        return deployed

    def _permitted(self, name: str, alias: str) -> bool:
        assert self._row is not None
        api = text(self._row.inputs, "restApi")
        return any(
            text(row.inputs, "function").rsplit(":", 1)[-1] == name
            and text(row.inputs, "qualifier") == alias
            and text(row.inputs, "principal") == "apigateway.amazonaws.com"
            and text(row.inputs, "action") == "lambda:InvokeFunction"
            and (not text(row.inputs, "sourceArn") or f":{api}/" in text(row.inputs, "sourceArn"))
            for row in self._of(PERMISSION)
        )

    async def _invoke(
        self, exchange: Exchange, deployed: Deployed, integration: Row, event: bytes
    ) -> None:
        assert deployed.function is not None
        if len(event) > MAX_BUFFERED_BYTES:
            raise BodyTooLarge
        invocation = Invocation(event, deployed.function.timeout_seconds)
        self._context.spawn(deployed.invoke(invocation))
        streams = text(integration.inputs, "responseTransferMode") == "STREAM"
        seconds = number(integration.inputs, "timeoutMilliseconds", _BUFFERED_MS) / 1000
        try:
            async with asyncio.timeout(seconds):
                await invocation.begun.wait()
            await (stream_answer if streams else buffer_answer)(exchange, invocation)
        except TimeoutError as error:
            raise Gateway(
                504, "InternalServerErrorException", "Endpoint request timed out"
            ) from error
        except (InvocationFailed, Malformed) as error:
            log.warning("%s: %s", invocation.id, error)
            if exchange.started:
                exchange.abort()
                return
            status = 500 if isinstance(error, Throttled) else 502
            kind = "InternalServerErrorException"
            raise Gateway(status, kind, "Internal server error") from error
        finally:
            invocation.abandon()

    def _of(self, kind: str) -> list[Row]:
        assert self._row is not None
        assert self._world is not None
        return [row for row in self._world.of(kind) if row.key.scope == self._row.key.scope]


def _role_of(arn: str) -> str:
    """The role behind an assumed one, as resource policies name it."""
    found = re.fullmatch(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.+", arn)
    return f"arn:aws:iam::{found[1]}:role/{found[2]}" if found else arn


async def _say(exchange: Exchange, error: Gateway, request_id: str) -> None:
    headers = [
        ("x-amzn-requestid", request_id),
        ("x-amzn-errortype", error.kind),
        ("x-amz-apigw-id", request_id[:16]),
    ]
    await exchange.reply(error.status, json.dumps({"message": str(error)}), headers=headers)
