"""What the rules say of their examples and of the corpus, word for word; written below ``tests/golden``.

    .venv/bin/python tests/support/judgements.py     # rewrites them after a change you meant

Rules are run here without the SDK in between, which is quick enough to be done again for each of the
thousands of small changes of mutation testing.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does, when this is run as a script

from ruamel.yaml import YAML

from corpus.report import Case, cases
from portway.gate.config import PackConfig
from portway.gate.pack import Pack, load_pack
from portway.gate.resource import Provider, Resource
from portway.gate.rule import Rule
from portway.gate.session import Finding, Level, Session
from portway.gate.testing import Given
from portway.gate.testing.given import NotKnown, Output, Secret, from_document
from portway.gate.testing.stack import Placed, placed
from portway.gate.values import UNKNOWN, View
from support.changes import changed, nodes
from support.packs import POLICIES, example_resources

GOLDEN = Path(__file__).parents[1] / "golden" / "judgements"
COMMAND = ".venv/bin/python tests/support/judgements.py"
_EARLY = "    at registration: "
KINDS = ("good", "bad", "omitted", "unknown")


@cache
def pack(name: str) -> Pack:
    """One of the repository's packs."""
    return load_pack(POLICIES / name)


@cache
def examples(pack_name: str, rule: str) -> Mapping[str, Any]:
    """The examples beside a rule; none while it has no file."""
    stem = rule.removeprefix(f"{pack_name}-").replace("-", "_")
    file = POLICIES / pack_name / "rules" / f"{stem}.examples.yaml"
    yaml: Any = YAML(typ="safe")
    return yaml.load(file) if file.exists() else {}


def rules() -> Iterator[tuple[str, Rule[Any]]]:
    """Every rule with the name of its pack."""
    for name in ("cost", "residency"):
        for rule in pack(name).rules:
            yield name, rule


def names() -> tuple[str, ...]:
    """Everything that has a golden file: every rule, and every file of the corpus."""
    files = dict.fromkeys(case.file for case in cases())
    return (*(rule.id for _, rule in rules()), *map(_of_file, files))


def text(name: str) -> str:
    """What is said of the examples of the rule ``name``, or of the sets of that file of the corpus."""
    return "".join(part() for part in parts(name))


def parts(name: str) -> tuple[Callable[[], str], ...]:
    """The same, to be made bit by bit: what is said of an example, then what matters in it; or set by set."""
    for pack_name, rule in rules():
        if rule.id == name:
            return tuple(_of_rule(pack_name, rule))
    sets = (case for case in cases() if _of_file(case.file) == name)
    return tuple(partial(_of_set, case) for case in sets)


def kept(name: str) -> tuple[str, ...]:
    """The parts as they were written last."""
    found: list[str] = []
    for line in (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith(" "):
            found.append("")
        found[-1] += line
        if line.startswith(_EARLY):
            found.append("")
    return tuple(found)


def judged(
    rules: tuple[Rule[Any], ...],
    config: PackConfig,
    resources: Sequence[Given],
    defaults: Mapping[str, Mapping[str, Any]],
) -> Iterator[Finding]:
    """All that ``rules`` say, resource by resource and then of the whole."""
    session = Session(rules, config)
    stack = placed(resources, defaults)
    for one in stack:
        if not one.given.is_read:
            yield from session.resource(_seen(one, whole=False))
    yield from session.stack([_seen(one, whole=True) for one in stack])


def at_registration(
    rule: Rule[Any], config: PackConfig, resources: Sequence[Given]
) -> tuple[Finding, ...]:
    """What ``rule`` says before the rest of the stack is known: an update has changed nothing yet."""
    session = Session((rule,), config)
    created = [one for one in placed(resources, {}) if not one.given.is_read]
    return tuple(said for one in created for said in session.resource(_seen(one, whole=False)))


def of_example(pack_name: str, rule: Rule[Any], example: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What ``rule`` alone says of one of its examples."""
    config = example.get("config", examples(pack_name, rule.id)["config"])
    given = pack(pack_name).configure({pack_name: config})
    return tuple(judged((rule,), given, example_resources(example), {}))


def of_case(case: Case) -> tuple[Finding, ...]:
    """What the residency pack says of one set of the corpus."""
    rows = [{"type": f"pulumi:providers:{one}", "props": p} for one, p in case.providers.items()]
    defaults = {given.package: given.props for given in from_document(rows)}
    config = pack("residency").configure({"residency": case.config})
    return tuple(judged(pack("residency").rules, config, from_document(case.resources), defaults))


def _of_rule(pack_name: str, rule: Rule[Any]) -> Iterator[Callable[[], str]]:
    given = examples(pack_name, rule.id)
    for kind in KINDS:
        for example in given.get(kind, ()):
            yield partial(_of_one, pack_name, rule, kind, example)
            yield partial(_of_changes, pack_name, rule, example)


def _of_one(pack_name: str, rule: Rule[Any], kind: str, example: Mapping[str, Any]) -> str:
    said = of_example(pack_name, rule, example)
    early = _digest(_early(pack_name, rule, example))
    return "".join([f"{kind}: {example['name']}\n", *_lines(said), f"{_EARLY}{early}\n"])


def _of_changes(pack_name: str, rule: Rule[Any], example: Mapping[str, Any]) -> str:
    said = of_example(pack_name, rule, example)
    return "".join(_what_matters(pack_name, rule, example, said))


def _early(pack_name: str, rule: Rule[Any], example: Mapping[str, Any]) -> tuple[Finding, ...]:
    config = example.get("config", examples(pack_name, rule.id)["config"])
    given = pack(pack_name).configure({pack_name: config})
    return at_registration(rule, given, example_resources(example))


def _what_matters(
    pack_name: str, rule: Rule[Any], example: Mapping[str, Any], said: Sequence[Finding]
) -> Iterator[str]:
    """What else is said with each value of an example unknown, left out or another, and with each
    option left out; a line for each that makes a difference, with a digest of the words where
    something is said."""
    config = example.get("config", examples(pack_name, rule.id)["config"])
    before = _digest(said)
    for what, other, given in _nearly(config, example_resources(example)):
        told = pack(pack_name).configure({pack_name: other})
        after = _digest(tuple(judged((rule,), told, given, {})))
        if after != before:
            yield f"    {what}: {after}\n"


def _nearly(
    config: Mapping[str, Any], given: Sequence[Given]
) -> Iterator[tuple[str, Mapping[str, Any], Sequence[Given]]]:
    """What is changed, and the options and resources with that one change."""
    for option in config:
        yield f"without {option}", {k: v for k, v in config.items() if k != option}, given
    for number, one in enumerate(given):
        for path, value in nodes(one.props):
            for how, other in _others(value):
                changed_ = replace(one, props=changed(one.props, path, other))
                where = f"{one.name} {'.'.join(map(str, path))} {how}"
                yield where, config, (*given[:number], changed_, *given[number + 1 :])


def _others(value: object) -> Iterator[tuple[str, object]]:
    yield "unknown", NotKnown()
    yield "left out", None
    if isinstance(value, bool):
        yield "other", not value
    elif isinstance(value, str):
        yield "other", "other"
    elif isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        if items and isinstance(items[0], Mapping):
            yield "after an empty one", [{}, *items]


def _digest(said: Sequence[Finding]) -> str:
    if not said:
        return "nothing"
    words = hashlib.sha256("".join(_lines(said)).encode()).hexdigest()[:8]
    refused = sum(one.level is Level.MANDATORY for one in said)
    return f"{refused} refused, {len(said) - refused} advised, {words}"


def _of_set(case: Case) -> str:
    return "".join([f"{case.id}\n", *_lines(of_case(case))])


def _lines(said: Sequence[Finding]) -> Iterator[str]:
    for one in said:
        level = f"{one.level}{' (cannot be told)' if one.violation.undetermined else ''}"
        yield f"  {level} {one.violation.urn} {one.violation.path}\n    {one.text}\n"


def _of_file(file: str) -> str:
    return f"corpus-{file.removesuffix('.yaml').replace('/', '-')}"


def _plain(value: Any) -> Any:
    """As rules see it once the wire is behind."""
    if isinstance(value, NotKnown):
        return UNKNOWN
    if isinstance(value, Secret | Output):
        return _plain(value.value)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: _plain(child) for key, child in mapping.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in cast("Sequence[Any]", value)]
    return value


def _seen(one: Placed, *, whole: bool) -> Resource:
    held = one.provider
    provider = held and Provider(held.given.name, held.urn, View(_plain(held.inputs)))
    return Resource(
        urn=one.urn,
        name=one.given.name,
        type=one.given.type,
        properties=View(_plain(one.inputs)),
        provider=provider,
        parent=one.parent or None,
        depends_on=one.depends_on if whole else None,
    )


def main() -> None:
    """Rewrite every file."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in names():
        (GOLDEN / f"{name}.txt").write_text(text(name), encoding="utf-8")
    for file in GOLDEN.glob("*.txt"):
        if file.stem not in names():
            file.unlink()


if __name__ == "__main__":
    main()
