"""Pulumi's engine, mocked: what a program registers, and the computed fields a cloud would answer.

    run = deploy(lambda: MyComponent("chat", plan))
    run.types(), run.one("aws:lambda/function:Function").inputs, run.value(lambda c: c.endpoint)

Unlike ``pulumi.runtime.Mocks`` it records parents, dependencies, timeouts, protection and registered
outputs, keeps secrets secret, and returns computed fields, so that outputs are not silently absent.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Generic, TypeVar, cast

import pulumi
from google.protobuf import empty_pb2
from pulumi.output import Unknown
from pulumi.runtime import mocks, rpc, settings, stack
from pulumi.runtime.proto import resource_pb2

T = TypeVar("T")
Json = dict[str, Any]

UNKNOWN = "(unknown)"
STACK, PROJECT = "chat.test.mock", "portway"


@dataclass(frozen=True)
class Created:
    """One registered resource.

    Attributes:
        parent: logical name of the parent; empty for a child of the stack.
        inputs: plain JSON; a secret is ``{"(secret)": value}``, an asset ``{"(asset)": file name}``,
            what is not known yet ``"(unknown)"``.
        depends_on: logical names, sorted; dependencies through inputs count.
        timeouts: by operation, as given.
        sources: by property, the resources its value comes from, each as ``type name``.
    """

    type: str
    name: str
    urn: str
    parent: str
    inputs: Json
    depends_on: tuple[str, ...] = ()
    timeouts: Mapping[str, str] = field(default_factory=dict[str, str])
    protect: bool = False
    provider: str = ""
    is_component: bool = False
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])


@dataclass
class Run(Generic[T]):
    """What one run of a program registered. ``outputs``: by URN, as components registered them."""

    returned: T
    created: tuple[Created, ...]
    outputs: Mapping[str, Json]
    resolved: Mapping[str, Any]
    secret: Mapping[str, bool]

    def of(self, type_token: str) -> tuple[Created, ...]:
        """Every resource of one type, in the order of registration."""
        return tuple(item for item in self.created if item.type == type_token)

    def one(self, type_token: str) -> Created:
        """The only resource of its type."""
        (found,) = self.of(type_token)
        return found

    def types(self) -> tuple[str, ...]:
        """All type tokens, sorted, each once."""
        return tuple(sorted({item.type for item in self.created}))


def deploy(
    program: Callable[[], T],
    *,
    read: Callable[[T], Mapping[str, Any]] = lambda _: {},
    preview: bool = False,
    computed: "Mapping[str, Computed] | None" = None,
) -> Run[T]:
    """Run ``program`` against the mock; ``read`` picks outputs of its result to be resolved.

    ``computed`` adds to, or replaces, what a type answers (see ``COMPUTED``). With ``preview`` every
    computed field is unknown; a resolved value is then None.
    """
    monitor = _Monitor({**COMPUTED, **(computed or {})}, preview=preview)
    runtime = cast("Any", settings.SETTINGS)
    runtime.rpc_manager.clear()
    runtime.outputs.clear()
    result: list[T] = []
    found: dict[str, Any] = {}
    secret: dict[str, bool] = {}

    async def main() -> None:
        result.append(program())
        for name, value in read(result[0]).items():
            output = pulumi.Output.from_input(value)
            found[name] = await output.future()
            secret[name] = await output.is_secret()

    with _own_loop() as loop:
        mocks.set_mocks(
            monitor.mocks,
            project=PROJECT,
            stack=STACK,
            preview=preview,
            monitor=monitor,
            logger=logging.getLogger("mock-engine"),
        )
        loop.run_until_complete(stack.run_pulumi_func(main))
    created = tuple(sorted(monitor.created, key=lambda item: (item.type, item.name)))
    return Run(result[0], created, monitor.registered_outputs, found, secret)


Computed = Callable[[str, Json], Json]
"""``(logical name, plain inputs) → computed fields``; the key ``id`` becomes the resource's id."""


def _password(name: str, inputs: Json) -> Json:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"result": (digest * 4)[: int(inputs["length"])]}


def _account(_: str, inputs: Json) -> Json:
    email = f"{inputs['accountId']}@{inputs['project']}.iam.gserviceaccount.com"
    return {"email": email, "member": f"serviceAccount:{email}"}


def _google_secret(_: str, inputs: Json) -> Json:
    name = f"projects/{inputs['project']}/secrets/{inputs['secretId']}"
    return {"id": name, "name": name}


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:eu-west-1:123456789012:{resource}"


def _function(_: str, inputs: Json) -> Json:
    arn = _arn("lambda", f"function:{inputs['name']}")
    return {"id": inputs["name"], "arn": arn, "version": "7", "qualifiedArn": f"{arn}:7"}


COMPUTED: Mapping[str, Computed] = {
    "random:index/randomPassword:RandomPassword": _password,
    "gcp:serviceaccount/account:Account": _account,
    "gcp:secretmanager/secret:Secret": _google_secret,
    "gcp:secretmanager/secretVersion:SecretVersion": lambda _, i: {
        "version": "1",
        "name": f"{i['secret']}/versions/1",
    },
    "gcp:storage/bucket:Bucket": lambda _, i: {"id": i["name"], "url": f"gs://{i['name']}"},
    "gcp:cloudrunv2/service:Service": lambda _, i: {
        "id": f"projects/{i['project']}/locations/{i['location']}/services/{i['name']}",
        "uri": f"https://{i['name']}-0123456789.{i['location']}.run.app",
    },
    "gcp:monitoring/notificationChannel:NotificationChannel": lambda name, i: {
        "name": f"projects/{i['project']}/notificationChannels/{name}"
    },
    "gcp:organizations/getProject:getProject": lambda _, i: {
        "projectId": i["projectId"],
        "number": "123456789012",
    },
    "aws:cloudwatch/logGroup:LogGroup": lambda _, i: {
        "arn": _arn("logs", f"log-group:{i['name']}")
    },
    "aws:iam/policy:Policy": lambda _, i: {
        "id": f"arn:aws:iam::123456789012:policy/{i['name']}",
        "arn": f"arn:aws:iam::123456789012:policy/{i['name']}",
    },
    "aws:sns/topic:Topic": lambda _, i: {
        "id": _arn("sns", str(i["name"])),
        "arn": _arn("sns", str(i["name"])),
    },
    "aws:dynamodb/table:Table": lambda _, i: {
        "id": i["name"],
        "arn": _arn("dynamodb", f"table/{i['name']}"),
    },
    "aws:iam/role:Role": lambda _, i: {
        "id": i["name"],
        "arn": f"arn:aws:iam::123456789012:role/{i['name']}",
    },
    "aws:secretsmanager/secret:Secret": lambda _, i: {
        "id": _arn("secretsmanager", f"secret:{i['name']}-AbCdEf"),
        "arn": _arn("secretsmanager", f"secret:{i['name']}-AbCdEf"),
    },
    "aws:lambda/function:Function": _function,
    "aws:lambda/alias:Alias": lambda _, i: {
        "arn": _arn("lambda", f"function:{i['functionName']}:{i['name']}")
    },
    "aws:lambda/functionUrl:FunctionUrl": lambda _, i: {
        "functionUrl": "https://abcdefghij0123456789.lambda-url.eu-west-1.on.aws/"
    },
    "aws:apigateway/restApi:RestApi": lambda _, i: {
        "id": "a1b2c3d4e5",
        "rootResourceId": "f6g7h8i9j0",
        "executionArn": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5",
    },
    "aws:apigateway/stage:Stage": lambda _, i: {
        "arn": f"arn:aws:apigateway:eu-west-1::/restapis/{i['restApi']}/stages/{i['stageName']}",
        "invokeUrl": f"https://{i['restApi']}.execute-api.eu-west-1.amazonaws.com/{i['stageName']}",
    },
    "aws:bedrock/inferenceProfile:InferenceProfile": lambda _, i: {
        "arn": _arn("bedrock", "application-inference-profile/a1b2c3d4e5f6")
    },
    "aws:wafv2/webAcl:WebAcl": lambda _, i: {
        "arn": _arn("wafv2", f"regional/webacl/{i['name']}/a1b2c3")
    },
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _n, _i: {
        "accountId": "123456789012",
        "arn": "arn:aws:iam::123456789012:user/test",
        "id": "123456789012",
        "userId": "test",
    },
    "pulumi:pulumi:StackReference": lambda name, _: {
        "outputs": {
            "endpoint": f"https://{name.rpartition('/')[2]}.example",
            "apiKey": f"pw-key-of-{name.rpartition('/')[2]}",
        },
        "secretOutputNames": ["apiKey"],
    },
    "kubernetes:core/v1:Service": lambda _, i: {
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}
    },
}


class _Mocks(mocks.Mocks):
    """Only what is read passes here; resources that are made are answered by the monitor."""

    def __init__(self, computed: Mapping[str, Computed]) -> None:
        self.computed = computed

    def call(self, args: mocks.MockCallArgs) -> Any:
        return self.computed[args.token]("", cast("Json", args.args)), []

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        inputs = cast("Json", args.inputs)
        return args.name, {**inputs, **self.computed[args.typ](args.name, inputs)}


class _Monitor(mocks.MockMonitor):
    def __init__(self, computed: Mapping[str, Computed], *, preview: bool) -> None:
        super().__init__(_Mocks(computed))
        self.computed = computed
        self.preview = preview
        self.of: tuple[str, str] | None = None
        self.created: list[Created] = []
        self.registered_outputs: dict[str, Json] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes it; of the stack it was made for, where it serves another process."""
        if self.of is None:
            return super().make_urn(parent, type_, name)
        above = parent.split("::")[2] + "$" if parent else ""
        return "::".join((f"urn:pulumi:{self.of[0]}", self.of[1], f"{above}{type_}", name))

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's own name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self.registered_outputs or any(item.urn == urn for item in self.created):
            message = f"Duplicate resource URN '{urn}'; try giving it a unique name"
            raise ValueError(message)
        inputs = cast("Json", rpc.deserialize_properties(request.object, keep_unknowns=True))
        plain = cast("Json", _plain(inputs))
        self.created.append(_created(urn, request, plain))
        answered: Json = {}
        if request.custom and not self.preview:
            answered = dict(self.computed.get(request.type, _nothing)(request.name, _bare(plain)))
        id_ = answered.pop("id", f"{request.name}-id") if request.custom else ""
        state = {**inputs, **answered}
        for key in request.additionalSecretOutputs:
            if key in state and not rpc.is_rpc_secret(state[key]):
                state[key] = rpc.wrap_rpc_secret(state[key])
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, id_, state)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id="" if self.preview else id_, object=_serialised(state)
        )

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the engine's own name
        with _own_loop():
            return cast("Any", super()).Invoke(request)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the engine's own name
        with _own_loop():
            return cast("Any", super()).ReadResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's own name
        outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        self.registered_outputs[request.urn] = cast("Json", _plain(outputs))
        return empty_pb2.Empty()


def mock_monitor(stack_name: str, project: str) -> "_Monitor":
    """The monitor alone, to be served to another process as the monitor of ``stack_name``."""
    monitor = _Monitor(COMPUTED, preview=False)
    monitor.of = (stack_name, project)
    return monitor


def _nothing(_name: str, _inputs: Json) -> Json:
    return {}


@contextmanager
def _own_loop() -> Generator[asyncio.AbstractEventLoop]:
    """A loop for this thread: the SDK would make one that nobody closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _serialised(state: Json) -> Any:
    with _own_loop() as loop:
        return loop.run_until_complete(rpc.serialize_properties(state, {}))


def _last(urn: str) -> str:
    return "" if "pulumi:pulumi:Stack" in urn.split("::")[2:3] else urn.rpartition("::")[2]


def _type_and_name(urn: str) -> str:
    types, _, name = urn.rpartition("::")
    return f"{types.rpartition('::')[2].rpartition('$')[2]} {name}"


def _created(urn: str, request: Any, inputs: Json) -> Created:
    timeouts = {
        name: str(getattr(request.customTimeouts, name))
        for name in ("create", "update", "delete")
        if getattr(request.customTimeouts, name)
    }
    return Created(
        type=str(request.type),
        name=str(request.name),
        urn=urn,
        parent=_last(request.parent) if request.parent else "",
        inputs=inputs,
        depends_on=tuple(sorted({_last(dep) for dep in request.dependencies})),
        timeouts=timeouts,
        protect=bool(request.protect),
        provider=_last(request.provider.rpartition("::")[0]) if request.provider else "",
        is_component=not request.custom,
        sources={
            name: tuple(sorted(_type_and_name(urn) for urn in found.urns))
            for name, found in request.propertyDependencies.items()
            if found.urns
        },
    )


def _plain(value: Any) -> Any:
    """``value`` as JSON a person can read: secrets and assets marked, whole floats as ints."""
    if rpc.is_rpc_secret(value):
        return {"(secret)": _plain(rpc.unwrap_rpc_secret(value))}
    if isinstance(value, pulumi.FileAsset | pulumi.FileArchive):
        return {"(asset)": PurePath(str(value.path)).name}
    if isinstance(value, pulumi.Resource):
        return {"(resource)": str(cast("Any", value)._name)}
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: _plain(item) for key, item in items if not key.startswith("__")}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _bare(value: Any) -> Any:
    """The same without secret markers, as a cloud would see it."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        if set(mapping) == {"(secret)"}:
            return _bare(mapping["(secret)"])
        return {key: _bare(item) for key, item in mapping.items()}
    if isinstance(value, list):
        return [_bare(item) for item in cast("list[Any]", value)]
    return value
