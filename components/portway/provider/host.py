"""The provider that the engine talks to: it hands out the schema and makes the components."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails
from pulumi.provider import ConstructResult, Provider
from pulumi.provider.server import main
from pulumi.runtime import config as engine_config
from pulumi.runtime import rpc

from portway.errors import BadInput, PortwayError
from portway.inference_service import InferenceService
from portway.provider.inputs import Asked, read_inputs
from portway.provider.schema import (
    ANY_TARGET,
    components,
    package_version,
    schema_text,
    token,
)
from portway.registry import load_target

_LATE = (
    "is known only after deployment, or secret; a service is planned before anything is created, so "
    "write it as a literal"
)


class PortwayProvider(Provider):
    """``InferenceService`` and the component of each target, for programs in any language."""

    def __init__(self) -> None:
        """Nothing is configured: everything comes with the inputs of each component."""
        super().__init__(package_version(), schema_text())
        self._targets = {token(name): target for name, target in components().items()}

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make one component.

        Raises:
            InputPropertiesError: every problem, with the path of its input; the engine shows them so.
            RunError: something that is needed is missing.
        """
        is_any = resource_type == token(ANY_TARGET)
        if not is_any and resource_type not in self._targets:
            known = ", ".join((token(ANY_TARGET), *self._targets))
            raise InputPropertiesError(f"{resource_type} is no component; there are {known}", [])
        _refuse_late(inputs)
        try:
            asked = read_inputs(
                name,
                inputs,
                stack=pulumi.get_stack(),
                config=_configuration(),
                target=None if is_any else self._targets[resource_type],
            )
            return _made(name, asked, options, is_any=is_any)
        except BadInput as error:
            details = [
                InputPropertyErrorDetails(property_path=one.path, reason=one.message)
                for one in error.problems
            ]
            raise InputPropertiesError(f"{name} cannot be made as written", details) from None
        except PortwayError as error:
            raise pulumi.RunError(str(error)) from None


def serve() -> None:
    """Run the provider for the engine that started this process. Never returns."""
    main(PortwayProvider(), [])


def _made(
    name: str, asked: Asked, options: pulumi.ResourceOptions | None, *, is_any: bool
) -> ConstructResult:
    if is_any:
        service = InferenceService(name, asked.spec, asked.placement, options)
        return ConstructResult(service.urn, dict(service.outputs))
    module, _, kind = load_target(asked.placement.target).component.partition(":")
    made: Any = getattr(import_module(module), kind)(name, asked.plan, options)
    key = {} if made.api_key is None else {"apiKey": pulumi.Output.secret(made.api_key)}
    state = {"endpoint": made.endpoint, "region": made.region, "identity": made.identity, **key}
    return ConstructResult(made.urn, state)


def _configuration() -> dict[str, str]:
    """The stack's configuration, without what is secret."""
    given: Mapping[str, str] = engine_config.CONFIG.get() or engine_config.get_config_env()
    return {key: text for key, text in given.items() if not engine_config.is_config_secret(key)}


def _refuse_late(inputs: Mapping[str, Any]) -> None:
    """Raises: InputPropertiesError: values that no plan can be made from, each with its path."""
    late = [path for key, value in inputs.items() for path in _late(value, key)]
    if late:
        details = [InputPropertyErrorDetails(property_path=one, reason=_LATE) for one in late]
        raise InputPropertiesError("some inputs are no literals", details)


def _late(value: object, path: str) -> list[str]:
    if isinstance(value, pulumi.Output | pulumi.output.Unknown) or rpc.is_rpc_secret(value):
        return [path]
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return [found for key, item in items for found in _late(item, f"{path}.{key}")]
    if isinstance(value, list):
        items = enumerate(cast("list[object]", value))
        return [found for at, item in items for found in _late(item, f"{path}[{at}]")]
    return []
