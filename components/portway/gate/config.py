"""The configuration of a pack: typed, strict, and wrong all at once rather than bit by bit."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from portway.errors import BadInput, Missing, Problem
from portway.gate.exemption import LONGEST, Exemption
from portway.gate.sums import IncreaseLimits, Part, Usd, listed
from portway.residency.boundary import boundary, country_of
from portway.residency.places_of import members

LEVEL = "enforcementLevel"
LEVELS = ("advisory", "mandatory")
_A_BUCKET = "gcp:storage/bucket:Bucket"
_TYPE = re.compile(r"[a-z][\w-]*:[\w./-]+:[A-Za-z]\w*")
_TELLING = 6
"""Characters of a glob that are none, below which it could mean anything."""


Host = Annotated[
    str,
    Field(
        pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$",
        description="a host name, or *. and a domain",
    ),
]


GpuType = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="as nvidia-l4")]


class PackConfig(BaseModel):
    """What every pack can be told.

    Attributes:
        strict: False reports what cannot be determined as advice instead of refusing it.
        rules: rule ids whose violations are only reported.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    strict: bool = True
    exemptions: Annotated[tuple[Exemption, ...], BeforeValidator(listed)] = ()
    rules: Mapping[str, Literal["advisory", "mandatory"]] = {}

    @property
    def may_advise(self) -> bool:
        """Whether anything could be reported without being refused."""
        return bool(self.rules or self.exemptions) or not self.strict


class ResidencyConfig(PackConfig):
    """Configuration of the residency pack.

    Attributes:
        boundary: the organisation's; a stack may declare a narrower one, never a wider one.
        clusters: where a Kubernetes cluster is, by provider name, kubeconfig context or URN.
        buckets: where resources are that a stack refers to and does not hold, by name.
        hosts: host names, or globs of them, that a service may call wherever they are.
        elsewhere: by rule id, where something is kept whose absence from the stack is then accepted.
    """

    boundary: Annotated[tuple[str, ...] | None, BeforeValidator(listed)] = None
    clusters: Mapping[str, str] = {}
    buckets: Mapping[str, str] = {}
    hosts: Annotated[tuple[Host, ...], BeforeValidator(listed)] = ()
    elsewhere: Mapping[str, Annotated[str, Field(pattern=r"\S")]] = {}


class CostConfig(IncreaseLimits, PackConfig):
    """Configuration of the cost pack. Everything is counted at its maximum but for the floor.

    Attributes:
        gpu_types: the only ones that may be rented, as Google names them (``nvidia-l4``); without
            it, every type may.
        elsewhere: by rule id, where something is kept whose absence from the stack is then accepted.
        monthly_ceiling_usd: of a whole stack, whatever budgets its services declare.
        monthly_floor_usd: of a whole stack with no traffic at all.
        min_utilisation: the part of the month in which what is always on must be busy; without it,
            it is computed from the rates.
        rates_max_age_days: older rates are refused; without it, those older than 120 days are
            reported.
        declared_usd: by type token or glob of URNs, what one such resource costs a month: for what
            nobody has a rate of.
        environments: by glob of stack names, whether people only try things there; the first that
            fits counts.
    """

    max_gpus: Annotated[int, Field(ge=0)] | None = None
    gpu_types: Annotated[tuple[GpuType, ...] | None, BeforeValidator(listed)] = None
    elsewhere: Mapping[str, Annotated[str, Field(pattern=r"\S")]] = {}
    monthly_ceiling_usd: Usd | None = None
    monthly_floor_usd: Usd | None = None
    min_utilisation: Part | None = None
    rates_max_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    declared_usd: Mapping[str, Usd] = {}
    environments: Mapping[str, Literal["trial", "production"]] = {}

    @property
    def may_advise(self) -> bool:
        """Rules of this pack refuse the one and advise against the other, whatever is configured."""
        return True


MODELS: Mapping[str, type[PackConfig]] = {"residency": ResidencyConfig, "cost": CostConfig}
Model = TypeVar("Model", bound=PackConfig)


def read_config(
    model: type[Model], given: Mapping[str, Any], rules: Iterable[str], today: date
) -> Model:
    """``given`` as the configuration of ``pack``.

    Raises:
        BadInput: lists every unknown key, wrong type, unknown rule, boundary or place, and every
            exemption that lasts too long.
    """
    plain = cast("dict[str, Any]", _whole(dict(given)))
    problems = list(_wrong_keys(model, plain))
    known = {key: value for key, value in plain.items() if key in model.model_fields}
    try:
        config = model.model_validate(known)
    except ValidationError as error:
        raise BadInput([*problems, *_problems(error)]) from None
    problems += _wrong_rules(config, frozenset(rules))
    problems += _too_long(config, today)
    if isinstance(config, ResidencyConfig):
        problems += _wrong_places(config)
    if isinstance(config, CostConfig):
        problems += _wrong_declarations(config)
    if problems:
        raise BadInput(problems)
    return config


def follow(given: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one object that all policies of a pack share; those that are given none follow.

    Raises:
        BadInput: two policies are told different things.
    """
    told = [(policy, said) for policy, said in sorted(given.items()) if said]
    for policy, said in told[1:]:
        if said != told[0][1]:
            raise BadInput(
                [
                    Problem(
                        policy,
                        f"says something else than {told[0][0]}; every policy of a pack has the "
                        "same configuration: write it under one of them",
                    )
                ]
            )
    return told[0][1] if told else {}


def read_file(file: Path, policies: Iterable[str]) -> Mapping[str, Any]:
    """What a ``--policy-pack-config`` file says to the pack whose policies are ``policies``.

    Raises:
        Missing: there is no such file.
        BadInput: it is not JSON, or not an object by policy name.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise Missing(f"{file}: cannot be read: {error.strerror}; restore it") from error
    try:
        content: object = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise BadInput([Problem("", f"is not JSON: {error}", f"{file}:{line}")]) from None
    if not isinstance(content, dict):
        raise BadInput([Problem("", "must be an object by policy name", f"{file}:1")])
    names = tuple(policies)
    problems: list[Problem] = []
    said: dict[str, Mapping[str, Any]] = {}
    for policy, value in cast("dict[str, Any]", content).items():
        if policy not in (*names, "all"):
            problems.append(Problem(policy, _not_one_of(policy, "a policy of this pack", names)))
        elif value in LEVELS:
            continue
        elif policy == "all" or not isinstance(value, dict):
            problems.append(Problem(policy, f"must be one of {', '.join(LEVELS)} or an object"))
        else:
            options = cast("dict[str, Any]", value)
            if options.get(LEVEL, LEVELS[0]) not in LEVELS:
                message = f"must be one of {', '.join(LEVELS)}; a rule nobody runs protects nobody"
                problems.append(Problem(f"{policy}.{LEVEL}", message))
            said[policy] = {key: option for key, option in options.items() if key != LEVEL}
    if problems:
        raise BadInput([problem.at(str(file)) for problem in problems])
    return follow(said)


def _wrong_keys(model: type[PackConfig], given: Mapping[str, Any]) -> Iterable[Problem]:
    for key in given:
        if key not in model.model_fields:
            yield Problem(key, _not_one_of(key, "a key", tuple(model.model_fields)))


def _wrong_declarations(config: CostConfig) -> Iterable[Problem]:
    for key in config.declared_usd:
        if not _TYPE.fullmatch(key) and not ("::" in key and len(key.strip("*?:")) >= _TELLING):
            message = "names no resource; write a type, such as aws:rds/instance:Instance, or a URN"
            yield Problem(f"declared_usd.{key}", message)


def _wrong_rules(config: PackConfig, rules: frozenset[str]) -> Iterable[Problem]:
    for rule in config.rules:
        if rule not in rules:
            yield Problem(f"rules.{rule}", _not_one_of(rule, "a rule of this pack", sorted(rules)))
    if isinstance(config, ResidencyConfig | CostConfig):
        for rule in config.elsewhere:
            if rule not in rules:
                message = _not_one_of(rule, "a rule of this pack", sorted(rules))
                yield Problem(f"elsewhere.{rule}", message)
    for index, exemption in enumerate(config.exemptions):
        if exemption.rule not in rules:
            message = _not_one_of(exemption.rule, "a rule of this pack", sorted(rules))
            yield Problem(f"exemptions[{index}].rule", message)


def _too_long(config: PackConfig, today: date) -> Iterable[Problem]:
    for index, exemption in enumerate(config.exemptions):
        if exemption.expires > today + LONGEST:
            latest = today + LONGEST
            message = f"{exemption.expires} is too far ahead; an exemption lasts at most "
            yield Problem(
                f"exemptions[{index}].expires",
                f"{message}{LONGEST.days} days, so until {latest} if it is written today",
            )


def _wrong_places(config: ResidencyConfig) -> Iterable[Problem]:
    if config.boundary is not None:
        try:
            boundary(config.boundary)
        except BadInput as error:
            yield from (Problem("boundary", problem.message) for problem in error.problems)
    for key in ("clusters", "buckets"):
        named: Mapping[str, str] = getattr(config, key)
        for name, region in named.items():
            # A bucket may be in several regions at once (EU); a cluster may not.
            known = members(region, _A_BUCKET) if key == "buckets" else country_of(region)
            if known is None:
                message = f"{region!r} is not a region of a cloud; write one, such as europe-west4"
                yield Problem(f"{key}.{name}", message)


def _problems(error: ValidationError) -> Iterable[Problem]:
    for fault in error.errors(include_url=False, include_input=False):
        path = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]
        )
        yield Problem(path.removeprefix("."), fault["msg"].removeprefix("Value error, "))


def _not_one_of(given: str, what: str, names: Iterable[str]) -> str:
    known = list(names)
    near = get_close_matches(given, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{given!r} is not {what}; {hint}there are {', '.join(known)}"


def _whole(value: object) -> object:
    """Numbers cross the engine's wire as floats: 4 arrives as 4.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[Any]", value)]
    return value
