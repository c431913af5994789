"""API Gateway REST APIs, what holds their callers back, and dashboards.

Texts that no copy of the services' own was found for are ours: they name the rule in its words.
"""

import json
import re
from typing import TYPE_CHECKING

from portway.sandbox.providers import amazon_errors
from portway.sandbox.providers.amazon_lambda import CREATE_SECONDS, FUNCTION
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, objects_at
from portway.sandbox.providers.cloud import Failure
from portway.sandbox.providers.wire import Json, Value, is_list
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

API = "aws:apigateway/restApi:RestApi"
RESOURCE = "aws:apigateway/resource:Resource"
METHOD = "aws:apigateway/method:Method"
INTEGRATION = "aws:apigateway/integration:Integration"
DEPLOYMENT = "aws:apigateway/deployment:Deployment"
STAGE = "aws:apigateway/stage:Stage"
SETTINGS = "aws:apigateway/methodSettings:MethodSettings"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"

_LEAST_MS, _MOST_BUFFERED_MS, _MOST_STREAMED_MS = 50, 29_000, 900_000
_STREAMING_URI = re.compile(
    r"arn:[\w-]+:apigateway:[\w-]+:lambda:path/2021-11-15/functions/(?P<function>arn:[^/]+)"
    r"/response-streaming-invocations"
)
_BUFFERED_URI = re.compile(
    r"arn:[\w-]+:apigateway:[\w-]+:lambda:path/2015-03-31/functions/(?P<function>arn:[^/]+)/invocations"
)
_LEAST_WAF_LIMIT, _MOST_WAF_LIMIT = 10, 2_000_000_000
_WAF_WINDOWS = (60, 120, 300, 600)


def admit_method(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A method belongs to a resource of its API.

    Raises:
        CloudError: NOT_FOUND.
    """
    _need(cloud, deployed, RESOURCE, "resourceId", "Invalid Resource identifier specified")


def admit_resource(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A resource belongs to an API; no two beside each other have one path.

    Raises:
        CloudError: NOT_FOUND or FAILED_PRECONDITION.
    """
    _need(cloud, deployed, API, "restApi", "Invalid API identifier specified")
    part, parent = deployed.inputs.get("pathPart"), deployed.inputs.get("parentId")
    for row in cloud.rows(RESOURCE, deployed.key.scope):
        same = (row.inputs.get("pathPart"), row.inputs.get("parentId")) == (part, parent)
        if row.key != deployed.key and same:
            text = f"ConflictException: Another resource with the same parent already has this name: {part}"
            raise amazon_errors.conflict(deployed.request, "create", text)


def admit_integration(cloud: "StoredCloud", deployed: Deployed) -> None:
    """Times that API Gateway waits, and streaming only where it can stream.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    inputs = deployed.inputs
    method = f"agm-{inputs.get('restApi')}-{inputs.get('resourceId')}-{inputs.get('httpMethod')}"
    if cloud.store.get(Key("aws", deployed.key.scope, METHOD, method)) is None:
        raise amazon_errors.not_found(
            deployed, "NotFoundException: Invalid Method identifier specified"
        )
    streams = inputs.get("responseTransferMode") == "STREAM"
    waits = int(inputs.get("timeoutMilliseconds") or _MOST_BUFFERED_MS)
    most = _MOST_STREAMED_MS if streams else _MOST_BUFFERED_MS
    if not _LEAST_MS <= waits <= most:
        text = f"BadRequestException: Timeout should be between {_LEAST_MS} ms and {most} ms"
        raise amazon_errors.refused(deployed, text)
    kind, uri = str(inputs.get("type")), str(inputs.get("uri"))
    if streams and kind not in {"AWS_PROXY", "HTTP_PROXY"}:
        text = "BadRequestException: Response transfer mode STREAM is only supported for AWS_PROXY and HTTP_PROXY integrations"
        raise amazon_errors.refused(deployed, text)
    if kind != "AWS_PROXY":
        return
    found = (_STREAMING_URI if streams else _BUFFERED_URI).fullmatch(uri)
    if found is None:
        raise amazon_errors.refused(deployed, "BadRequestException: Invalid lambda function")
    _need_function(cloud, deployed, found["function"])


def admit_deployment(cloud: "StoredCloud", deployed: Deployed) -> None:
    """There is nothing to deploy without a method, and nothing to call without its integration.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    api = deployed.inputs.get("restApi")
    methods = [r for r in cloud.rows(METHOD, deployed.key.scope) if r.inputs.get("restApi") == api]
    if not methods:
        text = "BadRequestException: The REST API doesn't contain any methods"
        raise amazon_errors.refused(deployed, text)
    for method in methods:
        wanted = method.key.id.replace("agm-", "agi-", 1)
        if cloud.store.get(Key("aws", deployed.key.scope, INTEGRATION, wanted)) is None:
            text = "BadRequestException: No integration defined for method"
            raise amazon_errors.refused(deployed, text)


def admit_stage(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A stage shows a deployment of its API.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    _need(cloud, deployed, DEPLOYMENT, "deployment", "Invalid Deployment identifier specified")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", str(deployed.inputs.get("stageName"))):
        text = "BadRequestException: Stage name only allows a-zA-Z0-9_-"
        raise amazon_errors.refused(deployed, text)
    if nested(deployed.inputs, "accessLogSettings.destinationArn"):
        text = "BadRequestException: CloudWatch Logs role ARN must be set in account settings to enable logging"
        raise amazon_errors.refused(deployed, text)


def stage_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Where the data plane serves the stage."""
    del known
    return {"invokeUrl": f"{cloud.endpoint(deployed.key)}/{deployed.inputs.get('stageName')}"}


def admit_settings(cloud: "StoredCloud", deployed: Deployed) -> None:
    """Settings belong to a stage.

    Raises:
        CloudError: NOT_FOUND.
    """
    stage = f"ags-{deployed.inputs.get('restApi')}-{deployed.inputs.get('stageName')}"
    if cloud.store.get(Key("aws", deployed.key.scope, STAGE, stage)) is None:
        raise amazon_errors.not_found(
            deployed, "NotFoundException: Invalid stage identifier specified"
        )


def check_acl(inputs: Json) -> list[Failure]:
    """Limits and windows that AWS WAF has."""
    failures: list[Failure] = []
    for index, rule in enumerate(objects_at(inputs, "rules")):
        rate = nested(rule, "statement.rateBasedStatement")
        limit, window = nested(rate, "limit"), nested(rate, "evaluationWindowSec")
        where = f"rules[{index}].statement.rateBasedStatement"
        if isinstance(limit, int | float) and not _LEAST_WAF_LIMIT <= limit <= _MOST_WAF_LIMIT:
            text = f"expected limit to be in the range (10 - 2000000000), got {limit:.0f}"
            failures.append(Failure(f"{where}.limit", text))
        if isinstance(window, int | float) and int(window) not in _WAF_WINDOWS:
            text = f"expected evaluation_window_sec to be one of [60 120 300 600], got {window:.0f}"
            failures.append(Failure(f"{where}.evaluationWindowSec", text))
    return failures


def admit_association(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A web ACL protects a stage that is there, and no function URL.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    wanted = deployed.inputs.get("resourceArn")
    scope = deployed.key.scope
    acls = {row.outputs.get("arn") for row in cloud.rows(ACL, scope)}
    stages = {row.outputs.get("arn") for row in cloud.rows(STAGE, scope)}
    if str(wanted).split(":")[2:3] == ["lambda"]:
        text = "WAFInvalidParameterException: Error reason: The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes., field: RESOURCE_ARN"
        raise amazon_errors.refused(deployed, text)
    if deployed.inputs.get("webAclArn") not in acls or wanted not in stages:
        text = "WAFNonexistentItemException: AWS WAF couldn\u2019t perform the operation because your resource doesn\u2019t exist."
        raise amazon_errors.not_found(deployed, text)


def admit_dashboard(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A body that CloudWatch can draw.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    try:
        body: Value = json.loads(str(deployed.inputs.get("dashboardBody")))
    except ValueError:
        body = None
    widgets = nested(body, "widgets")
    if is_list(widgets) and all(_is_widget(one) for one in widgets):
        return
    text = "InvalidParameterInput: The dashboard body is invalid, there are validation errors: should have required property 'widgets'"
    raise amazon_errors.refused(deployed, text)


def _is_widget(widget: Value) -> bool:
    return (
        isinstance(nested(widget, "type"), str)
        and isinstance(nested(widget, "properties.region"), str)
        and is_list(nested(widget, "properties.metrics"))
    )


def _need(cloud: "StoredCloud", deployed: Deployed, kind: str, field: str, text: str) -> Row:
    row = cloud.store.get(Key("aws", deployed.key.scope, kind, str(deployed.inputs.get(field))))
    if row is None:
        raise amazon_errors.not_found(deployed, f"NotFoundException: {text}")
    return row


def _need_function(cloud: "StoredCloud", deployed: Deployed, arn: str) -> None:
    name = arn.rsplit(":function:", maxsplit=1)[-1].partition(":")[0]
    if cloud.store.get(Key("aws", deployed.key.scope, FUNCTION, name)) is None:
        raise amazon_errors.refused(deployed, "BadRequestException: Invalid lambda function")


BEHAVIOURS = {
    RESOURCE: Behaviour(admit=admit_resource),
    METHOD: Behaviour(admit=admit_method),
    INTEGRATION: Behaviour(admit=admit_integration),
    DEPLOYMENT: Behaviour(admit=admit_deployment),
    STAGE: Behaviour(admit=admit_stage, outputs=stage_outputs, served_seconds=CREATE_SECONDS),
    SETTINGS: Behaviour(admit=admit_settings),
    ACL: Behaviour(validate=check_acl),
    ASSOCIATION: Behaviour(admit=admit_association),
    DASHBOARD: Behaviour(admit=admit_dashboard),
}
