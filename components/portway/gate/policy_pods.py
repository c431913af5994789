"""Which pods a network policy is about, in the words of each kind of policy."""

import re
from collections.abc import Mapping
from typing import Final

from portway.gate.values import UNKNOWN
from portway.gate.workloads import Block, Manifest, Pod, blocks_in, child, listed, mapping, plain

OWN: Final = frozenset({"networking.k8s.io", "extensions"})
CILIUM: Final = frozenset({"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"})
ADMIN: Final = frozenset({"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"})  # fmt: skip
_EVERYWHERE: Final = frozenset({"CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy", *ADMIN})
_EQUAL: Final = re.compile(r"""(?P<key>[\w./-]+)\s*==\s*["'](?P<value>[^"']*)["']|has\((?P<has>[\w./-]+)\)|all\(\)""")  # fmt: skip


def is_policy(manifest: Manifest) -> bool:
    """Whether ``manifest`` says what pods may reach."""
    kind, group = manifest.kind, manifest.group
    return (
        (kind == "NetworkPolicy" and (group in OWN or "projectcalico" in group))
        or (kind == "GlobalNetworkPolicy" and "projectcalico" in group)
        or kind in CILIUM
        or kind in ADMIN
        or kind == "FQDNNetworkPolicy"
    )


def is_everywhere(manifest: Manifest) -> bool:
    """Whether a policy is about the pods of every namespace."""
    return manifest.kind in _EVERYWHERE


def selects_all(manifest: Manifest) -> bool:
    """Whether a policy is about every pod it can be about, also those of other stacks."""
    return any(_selector(manifest, spec) == {} for spec in specs(manifest))


def selects(manifest: Manifest, pod: Pod) -> bool | None:
    """Whether a policy is about ``pod``; None where nobody can tell."""
    if not is_everywhere(manifest):
        is_near = _shares_namespace(manifest, pod.manifest)
        if is_near is not True:
            return is_near
    answers = {_matches(_selector(manifest, spec), pod.labels) for spec in specs(manifest)}
    return True if True in answers else None if None in answers else False


def _shares_namespace(one: Manifest, other: Manifest) -> bool | None:
    """Whether two objects are in one namespace; one that is unknown in both may be the same."""
    here, there = one.namespace, other.namespace
    if here is UNKNOWN and there is UNKNOWN:
        return True if set(one.sources) & set(other.sources) else None
    return None if UNKNOWN in (here, there) else here == there


def specs(manifest: Manifest) -> list[Block]:
    """The specs of a policy: one, or several of Cilium's; none where nobody can read them."""
    many = list(blocks_in(manifest.root.value.get("specs"), manifest.root.at("specs")))
    spec = plain(manifest.root.value.get("spec"))
    return many if many or not isinstance(spec, Mapping) else [child(manifest.root, "spec")]


def _selector(manifest: Manifest, spec: Block) -> object:
    """What a policy selects pods by: labels, or Calico's expression; {} for all of them."""
    if manifest.kind in CILIUM:
        name = "endpointSelector" if "endpointSelector" in spec.value else "nodeSelector"
        return plain(spec.value.get(name)) if name in spec.value else UNKNOWN
    if "projectcalico" in manifest.group:
        selector = plain(spec.value.get("selector"))
        return {} if selector in (None, "", "all()") else selector
    if manifest.kind in ADMIN:
        subject = mapping(spec.value.get("subject"))
        return (
            {} if mapping(subject.get("namespaces")) == {} and "namespaces" in subject else UNKNOWN
        )
    selector = plain(spec.value.get("podSelector"))
    return {} if selector is None else selector


def _matches(selector: object, labels: object) -> bool | None:
    if selector is UNKNOWN:
        return None
    if isinstance(selector, str):
        return _matches_expression(selector, labels)
    wanted = mapping(selector)
    if not wanted:
        return True
    if labels is UNKNOWN or plain(wanted.get("matchLabels")) is UNKNOWN:
        return None
    given = {_bare(name): plain(value) for name, value in mapping(labels).items()}
    answers = [
        _equals(given.get(_bare(name)), plain(value))
        for name, value in mapping(wanted.get("matchLabels")).items()
    ]
    answers += [_holds(mapping(one), given) for one in listed(wanted.get("matchExpressions"))]
    return _every(answers)


def _matches_expression(selector: str, labels: object) -> bool | None:
    if labels is UNKNOWN:
        return None
    given = mapping(labels)
    answers: list[bool | None] = []
    for part in selector.split("&&"):
        match = _EQUAL.fullmatch(part.strip())
        if match is None:
            return None
        if match["key"]:
            answers.append(_equals(plain(given.get(match["key"])), match["value"]))
        elif match["has"]:
            answers.append(match["has"] in given)
    return _every(answers)


def _holds(expression: object, given: Mapping[str, object]) -> bool | None:
    said = mapping(expression)
    key, values = plain(said.get("key")), plain(said.get("values"))
    if UNKNOWN in (key, values) or UNKNOWN in listed(values) or not said:
        return None
    value = given.get(_bare(str(key)))
    if value is UNKNOWN:
        return None
    match plain(said.get("operator")):
        case "In":
            return value is not None and value in listed(values)
        case "NotIn":
            return value not in listed(values)
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return None


def _equals(given: object, wanted: object) -> bool | None:
    return None if UNKNOWN in (given, wanted) else given == wanted


def _every(answers: list[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def _bare(label: str) -> str:
    """A label without the source that Cilium puts before it."""
    return re.sub(r"^(?:k8s|any):", "", label)
