"""The process's entry: Lambda's loop where there is a Runtime API, else an HTTP server."""

import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from .app import App
from .config import EXIT_BAD_CONFIG, BadConfig, Config, read_config
from .keys import BadKeys, open_keys
from .log import write_event
from .metered import open_metering
from .runtime_api import RuntimeApi, RuntimeApiError
from .signals import CannotListen, open_signals
from .upstream import Upstream

EXIT_FAILED = 1


def main() -> NoReturn:
    """Serve until told to stop; exit 0 then, 2 for an unusable environment, 1 for a failure."""
    raise SystemExit(run(os.environ))


def run(env: Mapping[str, str]) -> int:
    """Serve with this environment and return the exit code."""
    if "PORTWAY_ROUTES_FILE" in env:
        from .door import run_door  # noqa: PLC0415 - only a door needs it

        return run_door(env)
    if "PORTWAY_COPY_WEIGHTS" in env:
        from .weights_copy import run_copy  # noqa: PLC0415 - only a task that copies needs it

        return run_copy(env)
    address = env.get("AWS_LAMBDA_RUNTIME_API")
    api = RuntimeApi(address) if address else None
    try:
        config = read_config(env)
        keys, upstream = open_keys(config), open_upstream(config)
        metering = open_metering(config)
        signals = open_signals(config)
    except (BadConfig, BadKeys, CannotListen) as error:
        message = str(error) if isinstance(error, BadConfig) else f"portway runtime: {error}"
        sys.stderr.write(f"{message}\n")
        if api is not None:
            _report(api, message)
        return EXIT_BAD_CONFIG
    app = App(config, keys, upstream, metering=metering, signals=signals)
    try:
        return _serve_http(app, config) if api is None else _serve_lambda(app, config, api)
    finally:
        metering.close()
        signals.close()


def handler(event: object, context: object) -> NoReturn:
    """What Lambda calls when the exec wrapper is missing: says so."""
    del event, context
    raise RuntimeError(
        "portway runtime: started as an ordinary handler; set the function's environment variable "
        "AWS_LAMBDA_EXEC_WRAPPER to /var/task/run"
    )


def open_upstream(config: Config) -> Upstream:
    """The model that the configuration names."""
    if config.bedrock_model is not None:
        from .bedrock import open_bedrock  # noqa: PLC0415 - only one of the two is needed

        return open_bedrock(config)
    from .upstream_http import HttpUpstream  # noqa: PLC0415 - only one of the two is needed

    return HttpUpstream(config)


def _serve_http(app: App, config: Config) -> int:
    from .serving import serve_until_told  # noqa: PLC0415 - not needed on Lambda

    told = {"service": config.service, "model": config.model, "metrics": app.metrics_address}
    return serve_until_told(app, config, **told)


def _serve_lambda(app: App, config: Config, api: RuntimeApi) -> int:
    from .lambda_loop import serve_lambda  # noqa: PLC0415 - only here

    write_event("serving", service=config.service, model=config.model, address="lambda")
    try:
        serve_lambda(app, config, api)
    except (RuntimeApiError, OSError) as error:
        write_event("runtime_api_failed", "ERROR", reason=str(error))
    return EXIT_FAILED


def _report(api: RuntimeApi, message: str) -> None:
    try:
        api.fail_init("Runtime.InvalidConfiguration", message)
    except OSError:
        return
