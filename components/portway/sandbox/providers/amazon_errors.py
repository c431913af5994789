"""AWS exceptions inside the envelope that the provider prints around them."""

import hashlib
import re
import uuid

from portway.sandbox.providers.behaviour import Deployed
from portway.sandbox.providers.cloud import CloudError, Code, Request

_CALLED = {
    "apigateway": "API Gateway",
    "wafv2": "WAFV2",
    "bedrock": "Bedrock",
    "budgets": "Budgets",
    "cloudwatch": "CloudWatch Logs",
    "dynamodb": "DynamoDB",
    "iam": "IAM",
    "lambda": "Lambda",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "sns": "SNS",
    "sqs": "SQS",
}
_DOING = {"create": "creating", "update": "updating", "delete": "deleting"}
_CREATE_CALLS = {
    "Dashboard": "PutDashboard",
    "Integration": "PutIntegration",
    "Method": "PutMethod",
    "MethodSettings": "UpdateStage",
    "Permission": "AddPermission",
    "WebAcl": "CreateWebACL",
    "WebAclAssociation": "AssociateWebACL",
    "ProvisionedConcurrencyConfig": "PutProvisionedConcurrencyConfig",
    "RolePolicy": "PutRolePolicy",
    "RolePolicyAttachment": "AttachRolePolicy",
    "SecretVersion": "PutSecretValue",
    "FunctionUrl": "CreateFunctionUrlConfig",
    "MetricAlarm": "PutMetricAlarm",
    "TopicPolicy": "SetTopicAttributes",
}


def envelope(request: Request, operation: str, text: str, status: int) -> str:
    """What was being done, the call, its status, and the exception ``text``."""
    module, kind = request.type.split(":")[1].split("/")[0], request.type.rsplit(":", 1)[-1]
    service = "CloudWatch" if kind in {"MetricAlarm", "Dashboard"} else _CALLED.get(module, module)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)
    name = request.inputs.get("name") or request.id or request.name
    return (
        f"{_DOING.get(operation, 'reading')} {service} {words} ({name}): operation error {service}: "
        f"{call(request, operation)}, https response error StatusCode: {status}, "
        f"RequestID: {request_id(request.urn + text)}, {text}"
    )


def call(request: Request, operation: str) -> str:
    """The API call behind an operation, such as ``CreateFunction``."""
    kind = request.type.rsplit(":", 1)[-1]
    if operation == "create" and kind in _CREATE_CALLS:
        return _CREATE_CALLS[kind]
    return f"{operation.capitalize() if operation in _DOING else 'Get'}{kind}"


def refused(deployed: Deployed, text: str) -> CloudError:
    """The request itself is wrong."""
    return CloudError(Code.INVALID_ARGUMENT, _said(deployed, text, 400))


def not_found(deployed: Deployed, text: str) -> CloudError:
    """Something it refers to is not there."""
    return CloudError(Code.NOT_FOUND, _said(deployed, text, 404))


def conflict(request: Request, operation: str, text: str) -> CloudError:
    """Something else stands in the way."""
    return CloudError(Code.FAILED_PRECONDITION, envelope(request, operation, text, 409))


def request_id(seed: str) -> str:
    """A request id that follows from ``seed``."""
    return str(uuid.UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4))


def _said(deployed: Deployed, text: str, status: int) -> str:
    return envelope(deployed.request, "update" if deployed.before else "create", text, status)
