"""The embedded AWS: account and region, ids and ARNs, and the services' own error texts."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from portway.sandbox.faults import FaultKind
from portway.sandbox.providers import (
    amazon_access,
    amazon_api,
    amazon_errors,
    amazon_guards,
    amazon_iam,
    amazon_lambda,
    amazon_outages,
    amazon_secrets,
)
from portway.sandbox.providers import type_facts as facts
from portway.sandbox.providers.behaviour import Behaviour, Deployed, object_at
from portway.sandbox.providers.cloud import (
    ACCOUNT,
    Cloud,
    CloudError,
    Code,
    Failure,
    Outage,
    Request,
)
from portway.sandbox.providers.schema import ResourceType
from portway.sandbox.providers.stored import StoredCloud
from portway.sandbox.providers.type_facts import TypeFacts
from portway.sandbox.providers.wire import UNKNOWN, Json, is_object
from portway.sandbox.store import Key, Store

_GLOBAL_MODULES = {"iam", "route53", "cloudfront", "budgets", "organizations", "costexplorer"}
_REST_MODULES = {
    "iam",
    "lambda",
    "s3",
    "apigateway",
    "apigatewayv2",
    "bedrock",
    "route53",
}  # others answer 400 to all
_ARN_SERVICES = {"cloudwatch": "logs", "ec2": "ec2", "alb": "elasticloadbalancing", "lb": "elasticloadbalancing"}  # fmt: skip
_USER = f"arn:aws:iam::{ACCOUNT}:user/sandbox"


class AmazonCloud(StoredCloud):
    """One AWS provider: names collide inside an account and a region."""

    package = "aws"
    table = "amazon"
    behaviours: ClassVar[Mapping[str, Behaviour]] = {
        **amazon_access.BEHAVIOURS,
        **amazon_api.BEHAVIOURS,
        **amazon_guards.BEHAVIOURS,
        **amazon_iam.BEHAVIOURS,
        **amazon_lambda.BEHAVIOURS,
        **amazon_secrets.BEHAVIOURS,
    }

    def check_config(self, config: Json) -> list[Failure]:
        """A region there is, spelt as AWS spells regions, and no unknown settings."""
        failures = self.unknown_settings(config)
        region = self._default_region(config)
        if not region:
            text = "Missing region information. Make sure you have set your AWS region, e.g. `pulumi config set aws:region us-west-2`."
            failures.append(Failure("region", text))
        elif region not in facts.regions("amazon") and not config.get("skipRegionValidation"):
            failures.append(Failure("region", f"invalid AWS Region: {region}"))
        return failures

    def scope(self, type_token: str, inputs: Json) -> str:
        """The account and the resource's region; ``global`` for services that have none."""
        if type_token.split(":")[1].split("/", maxsplit=1)[0] in _GLOBAL_MODULES:
            return f"{ACCOUNT}:global"
        found = re.match(r"arn:[\w-]+:\w+:([\w-]+):", str(inputs.get("__id")))
        region = inputs.get("region") or (found and found[1]) or self._default_region(self.config)
        return f"{ACCOUNT}:{region}"

    def ambient(self, declared: ResourceType, inputs: Json) -> Json:
        """Every tag, as AWS reports them."""
        return {"tagsAll": object_at(inputs, "tags")} if "tagsAll" in declared.outputs else {}

    def check(self, request: Request) -> tuple[Json, list[Failure]]:
        """What every cloud checks, and that a resource's own region is spelt as one."""
        inputs, failures = super().check(request)
        region = inputs.get("region")
        if isinstance(region, str) and region not in {UNKNOWN, *facts.regions("amazon")}:
            failures.append(Failure("region", f"invalid AWS Region: {region}"))
        return inputs, failures

    def values(self, type_token: str, inputs: Json) -> Json:
        """Account, region, and the bare names of functions given by ARN."""
        region = str(inputs.get("region") or self._default_region(self.config))
        known: Json = {"account": ACCOUNT, "region": region, "path": inputs.get("path") or "/"}
        for field in ("functionName", "function"):
            if isinstance(inputs.get(field), str):
                known[field] = amazon_lambda.bare_name(inputs[field])
        if type_token == amazon_secrets.SECRET:
            digest = hashlib.sha256(f"{region}/{inputs.get('name')}".encode()).hexdigest()
            known["suffix"] = digest[:6]
        return known

    def defaults(self, declared: ResourceType, inputs: Json) -> Json:
        """The provider's region on everything that has one, and policy documents as JSON text."""
        filled = dict(inputs)
        region = self._default_region(self.config)
        if region and "region" in declared.inputs and filled.get("region") is None:
            filled["region"] = region
        for name, given in declared.inputs.items():
            if given.shape.kind == "document" and is_object(filled.get(name)):
                filled[name] = amazon_iam.as_text(filled[name])
        return filled

    def other_facts(self, declared: ResourceType) -> TypeFacts:
        """An id and an ARN in Amazon's style."""
        module, _, kind = declared.token.split(":")[1].partition("/")
        service = _ARN_SERVICES.get(module, module)
        named = "name" in declared.inputs
        thing = f"{kind}/{{name}}" if named else f"{kind}/{{id}}"
        arn = f"arn:aws:{service}:{{region}}:{{account}}:{thing}"
        outputs = {"arn": arn} if "arn" in declared.outputs else {}
        text = f"{kind[:1].upper()}{kind[1:]}AlreadyExistsException: {{name}} already exists"
        return TypeFacts(id="{name}" if named else "", outputs=outputs, exists=text)

    def taken(self, deployed: Deployed, text: str) -> CloudError:
        """The service's own exception, inside the SDK's envelope."""
        rest = deployed.request.type.split(":")[1].split("/", maxsplit=1)[0] in _REST_MODULES
        said = amazon_errors.envelope(deployed.request, "create", text, 409 if rest else 400)
        return CloudError(Code.ALREADY_EXISTS, said)

    def missing(self, request: Request) -> CloudError:
        """The service's own not-found."""
        text = f"ResourceNotFoundException: {request.id} was not found"
        return CloudError(Code.NOT_FOUND, amazon_errors.envelope(request, "update", text, 404))

    def unready(self, deployed: Deployed, problem: str, *, timed_out: bool = False) -> str:
        """The provider's waiter gave up."""
        name = deployed.key.id
        if timed_out:
            return (
                f"waiting for Lambda Function ({name}) create: timeout while waiting for state to become "
                f"'Active' (last state: 'Pending', {problem})"
            )
        return f"waiting for Lambda Function ({name}) create: unexpected state 'Failed', wanted target 'Active'. last error: {problem}"

    def accepts_id(self, key: Key, given: str) -> bool:
        """An ARN's last part, or a name, is as good as the id."""
        return given in (key.id, key.id.rsplit(":", 1)[-1])

    def denied(self, operation: str, request: Request) -> CloudError:
        """No identity-based policy allows it."""
        module = request.type.split(":")[1].split("/")[0]
        action = f"{module}:{amazon_errors.call(request, operation)}"
        text = f"AccessDeniedException: User: {_USER} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
        return CloudError(
            Code.PERMISSION_DENIED,
            amazon_errors.envelope(request, operation, f"api error {text}", 403),
        )

    def over_quota(self, operation: str, request: Request) -> CloudError:
        """A used-up service quota."""
        if request.type == amazon_lambda.FUNCTION:
            text = "ServiceQuotaExceededException: Code storage limit exceeded."
        elif request.type.startswith("aws:iam/"):
            text = "LimitExceeded: Cannot exceed quota for RolesPerAccount: 1000"
        else:
            text = "ServiceQuotaExceededException: You have exceeded the quota for this resource."
        return CloudError(
            Code.RESOURCE_EXHAUSTED, amazon_errors.envelope(request, operation, text, 402)
        )

    def expired(self, operation: str, request: Request) -> CloudError:
        """A session that has ended."""
        return amazon_outages.expired(operation, request)

    def outage(self, kind: FaultKind, operation: str, request: Request) -> Outage:
        """An API that is away; the SDK tries again in any case."""
        region = str(request.inputs.get("region") or self._default_region(self.config))
        return amazon_outages.outage(kind, operation, request, region)

    def invoke(self, token: str, args: Json) -> Json:
        """Who is asking, and where."""
        region = str(args.get("region") or args.get("name") or self._default_region(self.config))
        answers: dict[str, Json] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {
                "id": ACCOUNT, "accountId": ACCOUNT, "arn": _USER, "userId": "AIDASANDBOX",
            },
            "aws:index/getRegion:getRegion": {
                "id": region, "region": region, "name": region, "description": region,
                "endpoint": f"ec2.{region}.amazonaws.com",
            },
            "aws:index/getPartition:getPartition": {
                "id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com",
                "reverseDnsPrefix": "com.amazonaws", "region": region,
            },
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "id": region, "region": region, "groupNames": [region],
                "names": [f"{region}{zone}" for zone in "abc"],
                "zoneIds": [f"{region}-az{number}" for number in (1, 2, 3)],
            },
        }  # fmt: skip
        if token == "aws:iam/getPolicyDocument:getPolicyDocument":  # noqa: S105 - a type token
            return amazon_iam.policy_document(args)
        return answers[token] if token in answers else super().invoke(token, args)

    def _default_region(self, config: Json) -> str:
        found = config.get("region") or os.environ.get("AWS_REGION")
        return str(found or os.environ.get("AWS_DEFAULT_REGION") or "")


def embedded(store: Store, root: Path) -> Cloud:
    """The cloud that a plugin process of this package serves."""
    return AmazonCloud(store, root)
