"""Lambda as it admits functions: ranges, code, environment, role and reserved concurrency."""

import base64
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from portway.sandbox.providers import amazon_errors, amazon_iam, objects, quotas
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at
from portway.sandbox.providers.cloud import Failure
from portway.sandbox.providers.wire import UNKNOWN, Json, Value, as_asset

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

FUNCTION = "aws:lambda/function:Function"

CREATE_SECONDS = 10 * 60  # the provider's own limit
_MAX_UNZIPPED_BYTES = 262_144_000
_MAX_UPLOAD_BYTES = 52_428_800
_MAX_ENVIRONMENT_BYTES = 4096
_MAX_MEMORY_MB = 10_240
_RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
_RUNTIMES = {
    "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "nodejs20.x", "nodejs22.x",
    "nodejs24.x", "provided.al2", "provided.al2023", "java11", "java17", "java21", "java25", "dotnet8",
    "dotnet10", "ruby3.3", "ruby3.4", "ruby4.0",
}  # fmt: skip


def bare_name(function: str) -> str:
    """A function's name, given by name, by ARN, or with a qualifier."""
    found = re.fullmatch(
        r"(?:arn:aws[\w-]*:lambda:[\w-]+:\d+:function:|\d+:function:)?([\w-]+)(?::.*)?", function
    )
    return found.group(1) if found else function


def check_function(inputs: Json) -> list[Failure]:
    """The ranges and combinations that the provider itself refuses, in previews too."""
    failures: list[Failure] = []
    for field, snake, low, high in (
        ("timeout", "timeout", 1, 900 if not inputs.get("capacityProviderConfig") else 5400),
        ("memorySize", "memory_size", 128, 32_768),
        ("reservedConcurrentExecutions", "reserved_concurrent_executions", -1, 10**9),
    ):
        failures += _range(inputs.get(field), field, snake, low, high)
    size = nested(inputs, "ephemeralStorage.size")
    failures += _range(size, "ephemeralStorage.size", "ephemeral_storage.0.size", 512, 10_240)
    name = inputs.get("name")
    if isinstance(name, str) and name != UNKNOWN and not re.fullmatch(r"[\w-]{1,64}", name):
        failures.append(Failure("name", f'invalid value for name (must be valid function name or function ARN): "{name}"'))  # fmt: skip
    if inputs.get("packageType", "Zip") == "Zip":
        if not (inputs.get("handler") and inputs.get("runtime")):
            text = "handler and runtime must be set when PackageType is Zip"
            failures.append(Failure("handler", text))
        if not (inputs.get("code") or inputs.get("s3Bucket")):
            text = "one of code, imageUri or s3Bucket must be set"
            failures.append(Failure("code", text))
    elif not inputs.get("imageUri"):
        failures.append(Failure("imageUri", "image_uri must be set when PackageType is Image"))
    return failures


def admit_function(cloud: "StoredCloud", deployed: Deployed) -> None:
    """What Lambda refuses before there is a function.

    Raises:
        CloudError: INVALID_ARGUMENT, with Lambda's own exception.
    """
    problem = (
        _shape_problem(deployed.inputs)
        or _environment_problem(deployed.inputs)
        or _code_problem(deployed.inputs)
        or _role_problem(cloud, deployed.inputs)
        or _concurrency_problem(cloud, deployed)
    )
    if problem:
        raise amazon_errors.refused(deployed, problem)


def function_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Version, qualified names, size and checksum of the code."""
    before: Json = deployed.before.outputs if deployed.before else {}
    arn = str(known["arn"])
    version = str(before.get("version", "$LATEST"))
    digest = known.get("__object")
    changed = deployed.before is None or deployed.before.inputs != deployed.inputs
    if deployed.inputs.get("publish") and changed:
        version = str(int(version) + 1) if version.isdigit() else "1"
    invoke = f"arn:aws:apigateway:{deployed.key.scope.split(':')[1]}:lambda:path/2015-03-31/functions/{arn}:{version}/invocations"
    made: Json = {
        "version": version,
        "qualifiedArn": f"{arn}:{version}",
        "qualifiedInvokeArn": invoke,
        "loggingConfig": deployed.inputs.get("loggingConfig")
        or {"logFormat": "Text", "logGroup": f"/aws/lambda/{deployed.key.id}"},
    }
    if digest:
        file = objects.path_of(cloud.root, str(digest))
        made["sourceCodeSize"] = file.stat().st_size
        made["codeSha256"] = base64.b64encode(bytes.fromhex(str(digest))).decode()
    return made


def _range(value: Value, field: str, snake: str, low: int, high: int) -> list[Failure]:
    if value is None or value == UNKNOWN or low <= float(value) <= high:
        return []
    return [Failure(field, f"expected {snake} to be in the range ({low} - {high}), got {value}")]


def _shape_problem(inputs: Json) -> str | None:
    memory = int(inputs.get("memorySize") or 128)
    if memory > _MAX_MEMORY_MB and not inputs.get("capacityProviderConfig"):
        return f"ValidationException: 1 validation error detected: Value '{memory}' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to {_MAX_MEMORY_MB}"
    runtime = inputs.get("runtime")
    if runtime is not None and runtime not in _RUNTIMES:
        listed = ", ".join(sorted(_RUNTIMES))
        return f"InvalidParameterValueException: Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{listed}] or be a valid ARN"
    chips = inputs.get("architectures") or ["x86_64"]
    if chips not in (["x86_64"], ["arm64"]):
        return f"ValidationException: 1 validation error detected: Value '{chips}' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]"
    return None


def _environment_problem(inputs: Json) -> str | None:
    variables = object_at(inputs, "environment.variables")
    start = "InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided"
    reserved = sorted(_RESERVED & variables.keys())
    if reserved:
        return f"{start} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {', '.join(reserved)}"
    wrong = sorted(key for key in variables if not re.fullmatch(r"[a-zA-Z]([a-zA-Z0-9_])+", key))
    if wrong:
        return f"ValidationException: 1 validation error detected: Value '{wrong[0]}' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
    size = sum(len(f"{key}{value}".encode()) for key, value in variables.items())
    return f"{start} exceeded the 4KB limit." if size > _MAX_ENVIRONMENT_BYTES else None


def _code_problem(inputs: Json) -> str | None:
    asset = as_asset(inputs.get("code"))
    if asset is None or not asset.path or Path(asset.path).is_dir():
        return None
    try:
        with zipfile.ZipFile(asset.path) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
            packed = sum(entry.compress_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return "InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again."
    if packed > _MAX_UPLOAD_BYTES:
        return "RequestEntityTooLargeException: Request must be smaller than 69905067 bytes for the CreateFunction operation"
    if unzipped > _MAX_UNZIPPED_BYTES:
        return f"InvalidParameterValueException: Unzipped size must be smaller than {_MAX_UNZIPPED_BYTES} bytes"
    return None


def _role_problem(cloud: "StoredCloud", inputs: Json) -> str | None:
    role = str(inputs.get("role"))
    if not re.fullmatch(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[\w+=,.@/-]+", role):
        return f"ValidationException: 1 validation error detected: Value '{role}' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{{12}}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
    if not amazon_iam.trusts(cloud, role, "lambda.amazonaws.com"):
        return "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda."
    return None


def _concurrency_problem(cloud: "StoredCloud", deployed: Deployed) -> str | None:
    wanted = int(deployed.inputs.get("reservedConcurrentExecutions", -1))
    if wanted < 0:
        return None
    region = deployed.key.scope.split(":")[1]
    others = sum(
        max(0, int(row.outputs.get("reservedConcurrentExecutions", -1)))
        for row in cloud.rows(FUNCTION, deployed.key.scope)
        if row.key != deployed.key
    )
    least = quotas.allowed(cloud, "LambdaMinimumUnreservedConcurrency", region)
    if quotas.allowed(cloud, "LambdaConcurrentExecutions", region) - others - wanted >= least:
        return None
    return f"InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{least}]."


BEHAVIOURS = {
    FUNCTION: Behaviour(
        validate=check_function, admit=admit_function, outputs=function_outputs,
        payload=("code",), served_seconds=CREATE_SECONDS,
    ),
}  # fmt: skip
