"""Golden files: what each case of ``tests/golden/cases.json`` plans and creates, or why it is refused.

``python tests/support/golden.py`` rewrites them all. A change in them is a change for live stacks:
review every line.
"""

import json
import re
import sys
from base64 import b64encode
from importlib import import_module
from pathlib import Path
from typing import Any

from portway.bundle import runtime_archive, runtime_digest
from portway.errors import Refused
from portway.registry import load_target
from portway.target import Plan

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))

from support import builders  # noqa: E402 - run as a script, the tests folder is not on the path
from support.mock_engine import Created, Run, deploy  # noqa: E402 - the same

GOLDEN = HERE.parents[1] / "golden"
TOKENS = GOLDEN / "tokens.txt"
COMMAND = "python tests/support/golden.py"


def cases() -> dict[str, dict[str, Any]]:
    """Every case by name, ``<case>@<target>``."""
    rows = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))
    return {row["case"]: row for row in rows}


def planned(case: dict[str, Any]) -> Plan:
    """What the case's target intends."""
    fields = dict(case["placement"])
    place = builders.placement(fields.pop("target"), **fields)
    return builders.plan(builders.spec(**case["spec"]), place)


def deployed(plan: Plan, *, preview: bool = False) -> Run[Any]:
    """The plan's component, run against the mock engine; its outputs are resolved by their names."""
    module, _, name = load_target(plan.target).component.partition(":")
    component = getattr(import_module(module), name)
    return deploy(
        lambda: component(plan.service, plan),
        read=lambda made: {
            "endpoint": made.endpoint,
            "region": made.region,
            "identity": made.identity,
            "api_key": made.api_key,
        },
        preview=preview,
    )


def texts(name: str) -> dict[str, str]:
    """What the golden files of one case must hold, by file name."""
    try:
        plan = planned(cases()[name])
    except Refused as refusal:
        return {f"{name}.refusal.txt": f"{refusal}\n"}
    resources = [_shown(created) for created in deployed(plan).created]
    return {
        f"{name}.plan.json": _steady(json.loads(plan.model_dump_json())),
        f"{name}.resources.json": _steady(resources),
    }


def tokens() -> str:
    """Every type token that any case creates, sorted."""
    found: set[str] = set()
    for case in cases().values():
        try:
            found.update(deployed(planned(case)).types())
        except Refused:
            continue
    return "".join(f"{token}\n" for token in sorted(found))


def _shown(created: Created) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": created.type,
        "name": created.name,
        "parent": created.parent,
        "inputs": created.inputs,
        "depends_on": list(created.depends_on),
        "timeouts": dict(created.timeouts),
        "protect": created.protect,
        "provider": created.provider,
    }
    return {key: value for key, value in shown.items() if value not in ("", [], {}, False)}


_EXECUTION = re.compile(r'("(?:token|runExecutionToken)": )"[0-9a-f]{8}"')
"""What names a job's execution follows the archive that it runs."""


def _steady(value: object) -> str:
    """``value`` as JSON that does not move when only the runtime's code does."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    digest = runtime_digest()
    archive = b64encode(runtime_archive().path.read_bytes()).decode()
    steady = (
        text.replace(archive, "<runtime archive, base64>")
        .replace(digest, "<runtime sha256>")
        .replace(digest[:12], "<runtime sha12>")
    )
    return _EXECUTION.sub(r'\1"<of the job>"', steady)


def _rewrite() -> None:
    wanted = {file: text for name in cases() for file, text in texts(name).items()}
    wanted[TOKENS.name] = tokens()
    for path in GOLDEN.iterdir():
        if "@" in path.name and path.name not in wanted:
            path.unlink()
    for file, text in wanted.items():
        (GOLDEN / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _rewrite()
