"""An attestation that was changed, cut off or made elsewhere does not hold, and says why."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portway.errors import BadInput, Missing
from portway.gate.attest.document import sha256
from portway.gate.attest.gated import attest, write
from portway.gate.attest.verify import read, verify
from support.attesting import LAMBDA, attested, gate_report, stack_report

Change = Callable[[dict[str, Any]], object]


def written(folder: Path, document: object) -> Path:
    file = folder / "attestation.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def changed(change: Change, *, sealed: bool) -> dict[str, Any]:
    """The good document after ``change``; sealed again by somebody who knows how the digest is made."""
    document = copy.deepcopy(attested())
    change(document)
    if sealed:
        told = {key: value for key, value in document.items() if key != "digest"}
        document["digest"] = f"sha256:{sha256(told)}"
    return document


def stack(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["stacks"][0]
    return found


def model(document: dict[str, Any]) -> dict[str, Any]:
    (hop,) = (hop for hop in stack(document)["hops"] if hop["kind"] == "model")
    return hop


def test_what_the_gate_writes_holds(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write(attested(), file)
    assert verify(read(file)) == ()
    assert json.loads(file.read_text()) == attested()


def test_keys_in_another_order_and_other_space_change_nothing(tmp_path: Path) -> None:
    text = json.dumps(dict(reversed(list(attested().items()))), indent=7)
    assert verify(read(written(tmp_path, text))) == ()


CHANGES: dict[str, tuple[Change, str]] = {
    "a place": (lambda d: stack(d)["hops"][0]["places"][0].update(place="us-east-1"), "us-east-1 is outside of eu"),
    "a verdict": (lambda d: stack(d)["hops"][0].update(verdict="undetermined"), "says undetermined"),
    "a destination left out": (lambda d: model(d)["places"].pop(), "lists other regions than those that serve it"),
    "where a model is called from": (lambda d: model(d).update(called_from="eu-west-2"), "says inside"),
    "a global profile": (lambda d: model(d).update(model="global.amazon.nova-lite-v1:0"), "says inside"),
    "another boundary": (lambda d: stack(d).update(boundary=["ie"]), "is outside of ie"),
    "no boundary": (lambda d: stack(d).update(boundary=[]), "is undetermined of no boundary"),
    "a boundary nobody knows": (lambda d: stack(d).update(boundary=["mars"]), "'mars' is not a boundary"),
    "a hop left out": (lambda d: stack(d)["hops"].pop(), "counts: do not add up"),
    "the counts": (lambda d: stack(d)["counts"].update(inside=9), "counts: do not add up"),
    "a table's date": (lambda d: d["tables"]["boundaries.json"].update(as_of="2020-01-01"), "boundaries.json of 2020-01-01"),
    "a table": (lambda d: d["tables"]["hops.json"].update(sha256="0" * 64), "another hops.json"),
    "a table left out": (lambda d: d["tables"].pop("places.json"), "by which places.json"),
    "the gate's verdict": (lambda d: stack(d)["gate"].update(passed=False), "what it records makes it refused"),
    "the stack's verdict": (lambda d: stack(d).update(verdict="refused"), "what it records makes it attested"),
    "the whole verdict": (lambda d: d.update(attested=False), "attested: says otherwise"),
    "no stack at all": (lambda d: d.update(stacks=[], attested=False), "attests nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_even_where_the_digest_was_made_anew(tmp_path: Path, name: str) -> None:
    change, says = CHANGES[name]
    findings = verify(read(written(tmp_path, changed(change, sealed=True))))
    assert says in "\n".join(findings)
    assert not any(finding.startswith("digest") for finding in findings)


@pytest.mark.parametrize("name", [*CHANGES, "only a note"])
def test_any_change_at_all_breaks_the_digest(tmp_path: Path, name: str) -> None:
    note: Change = lambda d: stack(d)["hops"][0].update(note="x")  # noqa: E731 - one of a table of changes
    change = CHANGES[name][0] if name in CHANGES else note
    findings = verify(read(written(tmp_path, changed(change, sealed=False))))
    assert findings[0].startswith("digest: the document was changed")


def test_what_is_consistent_and_yet_not_attested_does_not_hold(tmp_path: Path) -> None:
    made = attest(gate_report(stack_report(LAMBDA, faults=["broken"])))
    assert verify(read(written(tmp_path, made))) == (
        "dev: is refused, not attested: the gate did not pass it",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not JSON"),
        (json.dumps(attested())[:-300], "was cut off"),
        ("[]", "is no attestation"),
        ('{"format": "something"}', "is no attestation"),
        ("\x00\x01", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"format": "a", "format": "portway-residency-attestation"}', "twice"),
        (
            json.dumps(changed(lambda d: d.update(version=2), sealed=True)),
            "is 2; this portway reads version 1",
        ),
        (json.dumps(changed(lambda d: d.pop("version"), sealed=True)), "is None"),
        (json.dumps(changed(lambda d: d.pop("tables"), sealed=True)), "tables: Field required"),
        (json.dumps(changed(lambda d: d.update(extra=1), sealed=True)), "extra"),
        (json.dumps(changed(lambda d: d.update(attested="yes"), sealed=True)), "attested"),
        (
            json.dumps(changed(lambda d: stack(d)["hops"][0].update(places=[]), sealed=True)),
            "places",
        ),
        (
            json.dumps(changed(lambda d: stack(d)["hops"][0].update(verdict="fine"), sealed=True)),
            "verdict",
        ),
        (json.dumps(changed(lambda d: d.update(digest="md5:0"), sealed=False)), "digest"),
    ],
)
def test_what_is_no_attestation_of_this_version_is_bad_input(
    tmp_path: Path, content: str, says: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(written(tmp_path, content))
    assert says in str(refused.value)
    assert refused.value.exit_code == 2


def test_text_that_is_not_utf_8_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"\xff\xfe{}")
    with pytest.raises(BadInput, match="is not JSON"):
        read(file)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"nowhere\.json"):
        read(tmp_path / "nowhere.json")


def test_verifying_loads_no_pulumi_and_opens_no_socket(tmp_path: Path) -> None:
    file = written(tmp_path, attested())
    program = (
        "import socket, sys\n"
        "def no(*a, **k): raise AssertionError('a socket')\n"
        "socket.socket = no\n"
        f"sys.argv = ['portway', 'verify', {str(file)!r}]\n"
        "from portway.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as ended: code = ended.code\n"
        "loaded = sorted(m for m in sys.modules if m.split('.')[0].startswith(('pulumi', 'grpc', 'boto')))\n"
        "print(code, loaded)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "0 []"
