"""Cloud Run's own protobufs as a judge, in a process of their own.

Pulumi's package registers ``google.rpc.Status`` as its own, so that Google's cannot be imported
beside it. Run as a program, this reads a JSON list of bodies and prints what became of each.
"""

import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any


def read_back(bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each service as the protobufs understood it, or ``{"refused": why}``."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input=json.dumps(bodies),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _read(body: dict[str, Any], service: Any, json_format: Any) -> dict[str, Any]:
    try:
        message = json_format.ParseDict(body, service.pb()())
    except json_format.ParseError as error:
        return {"refused": str(error)}
    return json_format.MessageToDict(message)


def _main() -> None:
    warnings.simplefilter("ignore", FutureWarning)  # Google's notice of the end of Python 3.11
    service: Any = import_module("google.cloud.run_v2").Service
    json_format: Any = import_module("google.protobuf.json_format")
    read = [_read(body, service, json_format) for body in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(read))


if __name__ == "__main__":
    _main()
