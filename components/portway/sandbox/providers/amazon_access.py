"""Lambda's ways in: function URLs, permissions, aliases and provisioned concurrency."""

import re
from typing import TYPE_CHECKING

from portway.sandbox.providers import amazon_errors
from portway.sandbox.providers.amazon_lambda import CREATE_SECONDS, FUNCTION, bare_name
from portway.sandbox.providers.behaviour import Behaviour, Deployed, object_at
from portway.sandbox.providers.cloud import CloudError
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

URL = "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"
ALIAS = "aws:lambda/alias:Alias"
PROVISIONED = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"


def admit_url(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A URL belongs to a function, or to an alias of one: never to a version.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    function = _need_function(cloud, deployed, "functionName")
    qualifier = deployed.inputs.get("qualifier")
    if not qualifier:
        return
    if not re.fullmatch(r"(?!^\d+$)^[0-9a-zA-Z_-]+$", str(qualifier)):
        text = (
            f"ValidationException: 1 validation error detected: Value '{qualifier}' at 'qualifier' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
        )
        raise amazon_errors.refused(deployed, text)
    if cloud.store.get(_alias_key(function, str(qualifier))) is None:
        raise _not_found(deployed, f"{function.outputs['arn']}:{qualifier}")


def identify_url(cloud: "StoredCloud", inputs: Json) -> str:
    """The function's name, and its qualifier where there is one."""
    del cloud
    name, qualifier = bare_name(str(inputs.get("functionName"))), inputs.get("qualifier")
    return f"{name}/{qualifier}" if qualifier else name


def url_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Where the data plane serves the URL, and what it belongs to."""
    del known
    values = cloud.values(URL, deployed.inputs)
    arn = f"arn:aws:lambda:{values['region']}:{values['account']}:function:{values['functionName']}"
    qualifier = deployed.inputs.get("qualifier")
    return {
        "functionArn": f"{arn}:{qualifier}" if qualifier else arn,
        "functionUrl": f"{cloud.endpoint(deployed.key)}/",
    }


def admit_permission(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A permission belongs to a function, and its action to Lambda.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    function = _need_function(cloud, deployed, "function")
    action = str(deployed.inputs.get("action"))
    if not re.fullmatch(r"lambda:(\w+|\*)|\*", action):
        text = f"ValidationException: 1 validation error detected: Value '{action}' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        raise amazon_errors.refused(deployed, text)
    if deployed.inputs.get("functionUrlAuthType") and action != "lambda:InvokeFunctionUrl":
        text = "InvalidParameterValueException: FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
        raise amazon_errors.refused(deployed, text)
    qualifier = str(deployed.inputs.get("qualifier") or "")
    if qualifier and not _qualified(cloud, function, qualifier):
        raise _not_found(deployed, f"{function.outputs['arn']}:{qualifier}")


def admit_alias(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An alias names a version of a function, and is not itself a number.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    function = _need_function(cloud, deployed, "functionName")
    name, version = str(deployed.inputs.get("name")), str(deployed.inputs.get("functionVersion"))
    if name.isdigit():
        text = f"ValidationException: 1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        raise amazon_errors.refused(deployed, text)
    weights = object_at(deployed.inputs, "routingConfig.additionalVersionWeights")
    if len(weights) > 1 or version in weights:
        text = "InvalidParameterValueException: The number of items in AdditionalVersionWeights cannot be greater than 1 and must not be the alias's own version"
        raise amazon_errors.refused(deployed, text)
    for wanted in (version, *weights):
        if not _published(function, wanted):
            raise _not_found(deployed, f"{function.outputs['arn']}:{wanted}")


def admit_provisioned(cloud: "StoredCloud", deployed: Deployed) -> None:
    """Provisioned concurrency stands on a version or an unweighted alias, within the reservation.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    function = _need_function(cloud, deployed, "functionName")
    qualifier = str(deployed.inputs.get("qualifier"))
    wanted = int(deployed.inputs.get("provisionedConcurrentExecutions") or 0)
    reserved = int(function.outputs.get("reservedConcurrentExecutions", -1))
    alias = cloud.store.get(_alias_key(function, qualifier))
    if qualifier == "$LATEST":
        text = "InvalidParameterValueException: Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    elif not _qualified(cloud, function, qualifier):
        raise _not_found(deployed, f"{function.outputs['arn']}:{qualifier}")
    elif alias and object_at(alias.inputs, "routingConfig.additionalVersionWeights"):
        text = "InvalidParameterValueException: Alias with weights can not be used with Provisioned Concurrency"
    elif 0 <= reserved < wanted:
        text = "InvalidParameterValueException: Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    else:
        return
    raise amazon_errors.refused(deployed, text)


def _need_function(cloud: "StoredCloud", deployed: Deployed, field: str) -> Row:
    given = str(deployed.inputs.get(field))
    row = cloud.store.get(Key("aws", deployed.key.scope, FUNCTION, bare_name(given)))
    if row is None:
        account, region = deployed.key.scope.split(":")
        arn = f"arn:aws:lambda:{region}:{account}:function:{bare_name(given)}"
        raise _not_found(deployed, arn)
    return row


def _not_found(deployed: Deployed, arn: str) -> CloudError:
    return amazon_errors.not_found(
        deployed, f"ResourceNotFoundException: Function not found: {arn}"
    )


def _alias_key(function: Row, name: str) -> Key:
    return Key("aws", function.key.scope, ALIAS, f"{function.outputs['arn']}:{name}")


def _published(function: Row, version: str) -> bool:
    newest = str(function.outputs.get("version"))
    if version == "$LATEST":
        return True
    return version.isdigit() and newest.isdigit() and 1 <= int(version) <= int(newest)


def _qualified(cloud: "StoredCloud", function: Row, qualifier: str) -> bool:
    alias = cloud.store.get(_alias_key(function, qualifier)) is not None
    return alias or _published(function, qualifier)


BEHAVIOURS = {
    URL: Behaviour(
        identify=identify_url, admit=admit_url, outputs=url_outputs, served_seconds=CREATE_SECONDS
    ),
    PERMISSION: Behaviour(admit=admit_permission),
    ALIAS: Behaviour(admit=admit_alias),
    PROVISIONED: Behaviour(admit=admit_provisioned),
}
