"""What Lambda's managed Python runtime does without a wrapper: import the handler, answer in one piece.

Standard library only: it runs inside the simulated execution environment, started by its path.
"""

import http.client
import importlib
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any


def _post(path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request("POST", f"/2018-06-01/runtime/{path}", body)
    connection.getresponse().read()
    connection.close()


def _error() -> bytes:
    kind, error, trace = sys.exc_info()
    name = kind.__name__ if kind else "Error"
    lines = traceback.format_exception(kind, error, trace)
    return json.dumps({"errorType": name, "errorMessage": str(error), "stackTrace": lines}).encode()


def _load(name: str) -> Any:  # noqa: ANN401 - whatever the function's module has there
    module, _, attribute = name.replace("/", ".").rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def main() -> None:
    """Serve invocations for ever."""
    # in place of this file's own folder, which is no part of the simulated environment
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    try:
        handler = _load(os.environ["_HANDLER"])
    except Exception:  # noqa: BLE001 - any fault of the function's module is reported to the API
        _post("init/error", _error())
        sys.exit(1)
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        connection.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = connection.getresponse()
        event = json.loads(answer.read())
        identifier = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        context = SimpleNamespace(
            aws_request_id=identifier,
            function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
            invoked_function_arn=answer.headers["Lambda-Runtime-Invoked-Function-Arn"],
        )
        try:
            result = json.dumps(handler(event, context)).encode()
        except Exception:  # noqa: BLE001 - any fault of the handler is reported to the API
            _post(f"invocation/{identifier}/error", _error())
        else:
            _post(f"invocation/{identifier}/response", result)


if __name__ == "__main__":
    main()
