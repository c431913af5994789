"""Every host that a service is configured to call is inside the boundary, its own, or listed.

A host is judged by where it stands: variables, arguments and entries of documents whose name means
an endpoint, and any variable or argument that holds a URL. Hosts of telemetry services are found in
every other property as well. What only comes in (weights, packages, images), what says who somebody
is, and names of schemas are not calls that data leaves by. Hosts of models have a rule of their own.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.endpoints import (
    Use,
    called,
    data_fault,
    data_hosts,
    fault,
    in_cluster,
    is_url,
)
from portway.gate.hosted import hosted
from portway.gate.hosts import is_listed
from portway.gate.places import Kind as Place
from portway.gate.places import reading
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.settings import Kind, Setting, settings
from portway.gate.tables import table
from portway.gate.values import Known, steps
from portway.gate.workloads import anatomy
from portway.residency.boundary import Boundary

_ENDPOINT: Final = re.compile(
    r"(?i)(?:^|[_.-])(?:endpoints?|urls?|uris?|hosts?|addr(?:ess(?:es)?)?|servers?|dsn|site|proxy|brokers?|base"
    r"|upstreams?|webhooks?|gateway|collector|ingest|sink|otlp|api)(?:[_.-]?\d+)?$"
    r"|(?-i:[a-z](?:Endpoint|Url|URL|Uri|URI|Host|Base|Dsn|Address|Server)s?$)"
)
_IN_DOCUMENT: Final = re.compile(
    r"(?i)(?:^|[_.-])(?:endpoints?|api[_-]?(?:base|url|endpoint)|base[_-]?url|dsn|proxy_pass|otlp[_-]?endpoint|(?-i:Host))$"
    r"|(?-i:[a-z]Endpoint$)|(?-i:[A-Z][A-Z0-9]*_(?:URL|URI|HOST|ENDPOINT|DSN|SITE|PROXY|BASE))$"
)
_STEPS: Final = re.compile(r"(?i)(?:url|uri|api_?endpoint|endpoint|hosts?)$")
"""What the steps of a workflow, and what sends measurements on, call by; elsewhere such a key in a
document may be a link."""

_STEP_TYPES: Final = ("aws:sfn/", "gcp:workflows/")
_NOT_CALLED: Final = re.compile(
    r"(?i)(?:^|[_.-])(?:public|external|self|root|frontend|redirect|callback|return|cors|origins?|allow(?:ed)?"
    r"|no|issuer|audience|jwks|oidc|oauth2?|auth|login|logout|docs?|help|support|terms|privacy|licen[cs]e|logo"
    r"|icon|image|images|schema|scopes?|referr?er|homepage|home|cookie|contact|email|index|registry|mirror|download"
    r"|git|repo(?:sitory)?|weights|bind|listen|listener|advertised?|advertise|hostname|virtual|domain|version"
    r"|canonical|trusted|hf|huggingface|source|nextauth|webui|ntp|dns|nameservers?)(?=[_.-]|$)|^(?:app_url|site_url|web_url|(?-i:HOST))$"
)
"""Parts of names that mean the service's own address, an identity, a link, or where something comes from."""

_SITE: Final = re.compile(r"(?i)^dd_(?:site|url)$|_dsn$")
_AGENTS: Final = re.compile(r"(?i)(?:^|_)(?:url|uri|endpoint|host|site|base|proxy|gateway|address)")
_SAYS_ONLY: Final = re.compile(
    r"(?i)(?:^|\.)(?:description|comments?|documentation|notes?|title|display_?name|readme|image|content"
    r"|api_?(?:version|groups?)|groups?)(?:\[\d+\])?$|(?:^|[.\]])(?:annotations|labels|tags)(?:$|[.\[])"
    r"|deny|blocked|exclu|except"
)
_KEEPERS: Final = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret", "aws:secretsmanager/", "aws:ssm/", "gcp:secretmanager/", "gcp:parametermanager/")  # fmt: skip
"""What keeps variables for others to read: what is not told there may be told where they are read."""


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse each endpoint that is not inside, not the service's own and not listed."""
    boundary = context.boundary
    if boundary is None:
        return
    told = settings(resource)
    namespaces = _namespaces(resource)
    for setting in told:
        if not _is_endpoint(resource, setting):
            continue
        if setting.value is None:
            yield from _unknown(resource, setting, stack)
        else:
            places = (boundary, context.hosts, namespaces)
            yield from _of_value(resource, setting, setting.value, *places)
    yield from _untold(resource, told, context.hosts)
    yield from _elsewhere(resource, told, context.hosts)


def _is_endpoint(resource: Resource, setting: Setting) -> bool:
    """Whether ``setting`` is what a program calls, by its name or by being a URL."""
    if setting.kind is Kind.DOCUMENT:
        is_step = setting.is_sent_on or resource.type.startswith(_STEP_TYPES)
        names = (_IN_DOCUMENT, _STEPS) if is_step else (_IN_DOCUMENT,)
        return any(_means(one, setting.name) for one in names) and _may_be_called(setting.name)
    is_called = _means(_ENDPOINT, setting.name) or (
        setting.is_whole and setting.value is not None and is_url(setting.value)
    )
    return is_called and _may_be_called(setting.name)


@lru_cache(maxsize=8192)
def _means(names: re.Pattern[str], name: str) -> bool:
    return names.search(name) is not None


@lru_cache(maxsize=8192)
def _may_be_called(name: str) -> bool:
    return _NOT_CALLED.search(name) is None or _SITE.search(name) is not None


def _of_value(
    resource: Resource,
    setting: Setting,
    text: str,
    boundary: Boundary,
    hosts: tuple[str, ...],
    namespaces: frozenset[str],
) -> Iterator[Violation]:
    for host in called(text):
        if in_cluster(host, namespaces):
            continue
        if any(one.host == host for one in hosted(text)):
            continue  # the rule about models says it
        found = fault(host, text, boundary, hosts)
        if found is not None:
            named = f" by {setting.name}" if setting.is_whole and _is_plain(setting.name) else ""
            given = f"calls {found.given}{named} ({setting.path}): {found.why}; {_WAY_OUT}"
            yield _refused(resource, given, setting.path, undetermined=found.undetermined)


def _unknown(resource: Resource, setting: Setting, stack: Stack | None) -> Iterator[Violation]:
    """An endpoint of a resource of this stack, which is judged itself, is fine."""
    if stack is None:
        return
    urns = (resource.depends_on or {}).get(str(steps(setting.path)[0]), ())
    if any(_stands_somewhere(stack.by_urn[urn]) for urn in urns if urn in stack.by_urn):
        return
    message = (
        f"calls a host that is known only after deployment ({setting.path}); make it a literal"
    )
    yield _refused(resource, message, setting.path, undetermined=True)


def _stands_somewhere(source: Resource) -> bool:
    return reading(source).kind in (Place.LOCATED, Place.INSIDE, Place.IN_CLUSTER)


def _untold(
    resource: Resource, told: tuple[Setting, ...], hosts: tuple[str, ...]
) -> Iterator[Violation]:
    """A key of a vendor, and no word of where to call: its client calls the vendor's default host."""
    if resource.type.startswith(_KEEPERS):
        return
    variables = [one for one in told if one.kind is not Kind.DOCUMENT]
    keys = [(one, _default_hosts()[one.name]) for one in variables if one.name in _default_hosts()]
    if not keys or any(_AGENTS.search(one.name) for one in variables):
        return
    if _takes_others_variables(resource):
        return
    for key, host in keys:
        if not is_listed(host, hosts):
            message = f"is given {key.name} ({key.path}) and no endpoint, so that its client calls"
            message += f" {host}; set the endpoint, or {_WAY_OUT}"
            yield _refused(resource, message, key.path, undetermined=True)


@cache
def _default_hosts() -> Mapping[str, str]:
    """By the variable that holds a vendor's key, the host that its client calls if not told."""
    rows = table("hosts.json")["defaults"]
    return {key: row["host"] for row in rows for key in row["keys"]}


def _takes_others_variables(resource: Resource) -> bool:
    return any("envFrom" in block.value for block in anatomy(resource).blocks)


def _elsewhere(
    resource: Resource, told: tuple[Setting, ...], hosts: tuple[str, ...]
) -> Iterator[Violation]:
    """Hosts of telemetry services, wherever else they stand: also beside the hosts that are called."""
    whole = [(one, one.value) for one in told if one.is_whole and one.value]
    paths = {one.path for one, _ in whole}
    texts = [
        (one.path, text, called(text) if _is_endpoint(resource, one) else ()) for one, text in whole
    ]
    others = (one for one in resource.properties.texts if one.path not in paths)
    texts += [(one.path, one.value, ()) for one in others]
    for path, text, judged in texts:
        for host, listed in data_hosts(text):
            if listed.use is not Use.TELEMETRY or _SAYS_ONLY.search(path):
                continue
            if any(f".{one}".endswith(f".{host}") for one in judged):
                continue  # judged whole, as what is called
            found = data_fault(host, listed, hosts)
            if found is not None:
                message = f"names {found.given} ({path}): {found.why}; {_WAY_OUT}"
                yield _refused(resource, message, path, undetermined=found.undetermined)


def _namespaces(resource: Resource) -> frozenset[str]:
    """The namespace of an object of a cluster, by which its neighbours are called, where it says one."""
    if resource.package != "kubernetes":
        return frozenset()
    said = resource.properties.get("metadata.namespace")
    return frozenset({str(said.value)}) if isinstance(said, Known) else frozenset()


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"-{0,2}[A-Za-z][A-Za-z0-9_.-]{0,60}", name) is not None


def _refused(resource: Resource, message: str, path: str, *, undetermined: bool) -> Violation:
    return Violation(f"{resource} {message}", resource.urn, path, undetermined)


_WAY_OUT = "call one inside the boundary, or list the host under hosts in the configuration"

RULE = Rule(
    id="residency-endpoints-are-listed",
    severity=Severity.HIGH,
    description="Every endpoint a service is told to call is inside the boundary, or listed.",
    remediation="Call a host inside the boundary, or list the host under hosts.",
    judge=judge,
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.5.14",
        "ISO/IEC 27001:2022 A.8.23",
        "NIST SP 800-53 r5 AC-4(21)",
        "NIST SP 800-53 r5 SC-7(5)",
    ),
)
