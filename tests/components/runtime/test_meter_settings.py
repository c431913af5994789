import json
import subprocess
import sys
from typing import Any

import pytest

from portway.runtime.config import BadConfig, read_config
from portway.runtime.meter_amounts import Prices
from portway.runtime.meter_settings import MeterSettings, read_meter

DYNAMODB = {"kind": "dynamodb", "table": "chat-prod-meter", "region": "eu-west-1"}
FIRESTORE = {
    "kind": "firestore",
    "project": "my-project",
    "database": "chat-prod-meter",
    "collection": "meters",
}
VALKEY = {"kind": "valkey", "host": "chat-meter.chat.svc.cluster.local", "port": 6379}
LIMITS = {"requests": 100, "tokens": 5000}


def settings(**changes: Any) -> dict[str, Any]:
    whole = {"store": DYNAMODB, "service": "chat-prod", "limits": LIMITS, "away": "refuse"}
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def faults(**changes: Any) -> list[str]:
    found: list[str] = []
    assert read_meter(json.dumps(settings(**changes)), 512, found) is None
    return found


def test_a_whole_setting_is_read() -> None:
    prices = {
        "input_micro_usd_per_million_tokens": 150000,
        "output_micro_usd_per_million_tokens": 600000,
    }
    given = settings(
        limits={**LIMITS, "micro_usd": 7}, prices=prices, away="allow", max_output_tokens=4096
    )
    found: list[str] = []
    assert read_meter(json.dumps(given), 512, found) == MeterSettings(
        store=DYNAMODB,
        service="chat-prod",
        limits={"requests": 100, "tokens": 5000, "micro_usd": 7},
        prices=Prices(150000, 600000),
        away="allow",
        max_output_tokens=4096,
    )
    assert not found


@pytest.mark.parametrize(
    "store", [DYNAMODB, FIRESTORE, VALKEY, {**VALKEY, "password_file": "/run/p"}]
)
def test_every_kind_of_store_is_read_as_it_was_given(store: dict[str, object]) -> None:
    found: list[str] = []
    read = read_meter(json.dumps(settings(store=store)), 512, found)
    assert read is not None
    assert read.store == store
    assert read.max_output_tokens == 512
    assert read.prices is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"store": None}, "PORTWAY_METER.store is not set; it must be an object whose kind is"),
        ({"store": {"kind": "redis"}}, "PORTWAY_METER.store.kind is 'redis'; it must be dynamodb"),
        ({"store": {**DYNAMODB, "table": "a b"}}, "PORTWAY_METER.store.table is 'a b'"),
        ({"store": {**DYNAMODB, "port": 1}}, "PORTWAY_METER.store.port is not known"),
        ({"store": {**FIRESTORE, "database": "X"}}, "PORTWAY_METER.store.database is 'X'"),
        ({"store": {**VALKEY, "port": 70000}}, "PORTWAY_METER.store.port is 70000"),
        ({"store": {**VALKEY, "password_file": "p"}}, "PORTWAY_METER.store.password_file is 'p'"),
        ({"store": {**VALKEY, "host": "-"}}, "PORTWAY_METER.store.host is '-'"),
        ({"service": "Chat"}, "PORTWAY_METER.service is 'Chat'; it must be a DNS label"),
        ({"limits": {}}, "PORTWAY_METER.limits is {}; it must be an object with at least one of"),
        ({"limits": {"tokens": 0}}, "PORTWAY_METER.limits.tokens is 0; it must be an integer from"),
        ({"limits": {"tokens": True}}, "PORTWAY_METER.limits.tokens is True"),
        ({"limits": {"words": 1}}, "PORTWAY_METER.limits.words is not known"),
        ({"limits": {"micro_usd": 9}}, "PORTWAY_METER.prices is not set"),
        ({"prices": {}}, "PORTWAY_METER.prices is {}; it must be an object with"),
        ({"away": "maybe"}, "PORTWAY_METER.away is 'maybe'; it must be refuse or allow"),
        ({"away": None}, "PORTWAY_METER.away is not set; it must be refuse or allow"),
        ({"max_output_tokens": 100}, "an integer of at least PORTWAY_MAX_OUTPUT_TOKENS (512)"),
        ({"extra": 1}, "PORTWAY_METER.extra is not known"),
    ],
)
def test_a_fault_names_its_place_and_what_belongs_there(
    changes: dict[str, object], said: str
) -> None:
    (fault,) = faults(**changes)
    assert said in fault


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"limits": NaN}'])
def test_what_is_no_json_object_is_said_to_be_none(text: str) -> None:
    found: list[str] = []
    assert read_meter(text, 512, found) is None
    assert found == [f"PORTWAY_METER is {text!r}; it must be a JSON object"]


def test_every_fault_is_told_at_once_with_those_of_other_variables() -> None:
    env = {"PORTWAY_METER": json.dumps(settings(away="x", service="-", limits={"tokens": -1}))}
    with pytest.raises(BadConfig) as caught:
        read_config(env)
    metered = [fault for fault in caught.value.faults if fault.startswith("PORTWAY_METER.")]
    assert [fault.partition(" is ")[0] for fault in metered] == [
        "PORTWAY_METER.limits.tokens",
        "PORTWAY_METER.service",
        "PORTWAY_METER.away",
    ]
    assert any(fault.startswith("PORTWAY_MODEL is not set") for fault in caught.value.faults)


def test_without_a_meter_nothing_of_it_is_loaded() -> None:
    code = (
        "import os, sys\n"
        "from portway.runtime import main\n"
        "from portway.runtime.config import BadConfig, read_config\n"
        "try: read_config({})\n"
        "except BadConfig: pass\n"
        "print(*sorted(m.rpartition('.')[2] for m in sys.modules if m.startswith('portway.runtime.meter')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["metered"]
