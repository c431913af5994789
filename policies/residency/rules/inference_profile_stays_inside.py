"""No model call can be served outside the boundary: by an inference profile, or by another endpoint.

Read is whatever a resource tells a program (variables, arguments, step definitions, configuration,
secrets) and what IAM allows; hosts of hosted models are found in every other property as well.
"""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial

from portway.gate.calls import callers
from portway.gate.context import NO_BOUNDARY, ResidencyContext
from portway.gate.ends import is_of_ends
from portway.gate.hosted import hosted, hosted_refusal, is_location_variable, location_refusal
from portway.gate.places import reading
from portway.gate.resource import Resource, Stack
from portway.gate.routes import Route, refusal, routes
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.settings import Kind, Setting, settings
from portway.gate.statements import Grant, grants, is_policy
from portway.gate.tables import table
from portway.gate.values import Known, shown, steps
from portway.residency.boundary import Boundary

_MANAGED_POLICY = re.compile(
    r"arn:aws[a-z-]*:iam::(?P<account>aws|\d{12}):policy/(?:[\w-]+/)*(?P<name>[\w+=,.@-]+)"
)
_POLICY_TYPES = "aws:iam/*"
_POLICY = "aws:iam/policy:Policy"
# A variable that is named after a model may come from a Bedrock resource of the stack, which is
# judged itself; from any other, nobody can tell what it will name.
_MODEL_NAME = re.compile(r"(?i)(?:model|profile)(?:_?(?:id|arn|name))?$|bedrock")
_APPLICATION = "application-inference-profile"
_PROFILE_TYPE = "aws:bedrock/inferenceProfile:InferenceProfile"
_SAYS_ONLY = re.compile(
    r"(?i)(?:^|\.)(?:description|comments?|documentation|notes?|title|display_?name|readme|image"
    r"|api_?(?:version|groups?)|groups?)(?:\[\d+\])?$"
    r"|(?:^|[.\]])(?:annotations|labels|tags)(?:$|[.\[])|deny|blocked|exclu|except"
)
"""Properties that say something about what they name, and call nothing."""


_SWITCHED = (
    "gcp:projects/service:*",
    "gcp:projects/serviceIdentity:*",
    "gcp:*/iAMAuditConfig:*",
    "gcp:*/iamAuditConfig:*",
    "gcp:accesscontextmanager/*",
)
"""Types that switch a whole API on, audit or fence it: its name is the same in every region."""
_VERTEX_API = "aiplatform.googleapis.com"


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse whatever names, or may call, a model that may be served outside the boundary."""
    boundary = context.boundary
    if boundary is None:
        return
    facts = reading(resource).facts
    told = settings(resource)
    called_from = partial(callers, resource, context, told)
    policies = _policies(resource, facts.model_routes)
    for seen in policies:
        for grant in grants(seen.value, boundary):
            yield from _of_grant(resource, f"{seen.path}.{grant.path}", grant, boundary)
    for setting in told:
        if any(_is_under(setting.path, policy.path) for policy in policies):
            continue
        if setting.value is None:
            yield from _unknown(resource, setting, stack)
            continue
        yield from _of_location(resource, setting, boundary)
        if setting.is_whole:
            is_own = partial(_is_own_profile, resource, setting, stack)
            yield from _of_text(resource, setting, called_from, boundary, is_own)
            yield from _of_attachment(resource, setting.path, setting.value, stack)
            yield from _of_hosted(resource, setting.path, setting.value, boundary, context.hosts)
    yield from _elsewhere(resource, boundary, context.hosts, {setting.path for setting in told})


def judge_stack(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    """Refuse a stack that names models while nobody has said where they may be served."""
    if context.boundary is None and any(reading(one).facts.model_routes for one in stack.resources):
        yield Violation(f"model calls cannot be judged: {NO_BOUNDARY}", None, "boundary")


def _policies(resource: Resource, paths: tuple[str, ...]) -> list[Known]:
    """The IAM policy documents among the values at ``paths``, each once."""
    if resource.package != "aws":
        return []
    found = (seen for path in paths for seen in resource.properties.every(path))
    documents = {one.path: one for one in found if isinstance(one, Known) and is_policy(one.value)}
    return list(documents.values())


def _is_under(path: str, document: str) -> bool:
    return path == document or path.startswith((f"{document}.", f"{document}["))


def _of_text(
    resource: Resource,
    setting: Setting,
    callers: Callable[[], tuple[str, ...]],
    boundary: Boundary,
    is_own: Callable[[Route], bool],
) -> Iterator[Violation]:
    path = setting.path
    for route in routes(setting.value or ""):
        if is_own(route):
            continue
        # Nobody can tell which of several regions the code will call from: all must be fine.
        for caller in callers() or (None,):
            no = refusal(route, caller, boundary)
            if no is not None:
                from_where = (
                    f" called from {shown(caller)}" if caller and route.source is None else ""
                )
                message = f"names {route.name}{from_where} ({path}): {no.why}; {_WAY_OUT}"
                yield _refused(resource, message, path, undetermined=no.undetermined)
                break


def _is_own_profile(
    resource: Resource, setting: Setting, stack: Stack | None, route: Route
) -> bool:
    """An application profile that is a resource of this stack: what it stands for is judged there.

    Its ARN says nothing, and at registration nobody can tell yet whose it is.
    """
    if route.model is None or not route.model.startswith(f"{_APPLICATION}."):
        return False
    return stack is None or any(
        source.type == _PROFILE_TYPE for source in _sources(resource, setting, stack)
    )


def _of_hosted(
    resource: Resource, path: str, text: str, boundary: Boundary, hosts: tuple[str, ...]
) -> Iterator[Violation]:
    """Refuse what Vertex AI, or an API of no known place, may serve outside."""
    for one in hosted(text):
        no = hosted_refusal(one, boundary, hosts)
        if no is not None:
            message = f"names {one.name} ({path}): {no.why}; {_OTHER_WAY_OUT}"
            yield _refused(resource, message, path, undetermined=no.undetermined)


def _of_location(resource: Resource, setting: Setting, boundary: Boundary) -> Iterator[Violation]:
    if setting.value and is_location_variable(setting.name):
        no = location_refusal(setting.value, boundary)
        if no is not None:
            message = f"calls Vertex AI in {shown(setting.value)} ({setting.path}): {no.why}"
            message += "; set a location inside the boundary"
            yield _refused(resource, message, setting.path, undetermined=no.undetermined)


def _elsewhere(
    resource: Resource, boundary: Boundary, hosts: tuple[str, ...], read: set[str]
) -> Iterator[Violation]:
    """Hosts of models in the properties that tell no program anything: origins, targets, names."""
    is_switched = any(fnmatchcase(resource.type, pattern) for pattern in _SWITCHED)
    for leaf in resource.properties.texts:
        if leaf.path in read or not hosted(leaf.value) or _SAYS_ONLY.search(leaf.path):
            continue
        if not (is_switched and leaf.value == _VERTEX_API):
            yield from _of_hosted(resource, leaf.path, leaf.value, boundary, hosts)


def _of_attachment(
    resource: Resource, path: str, text: str, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse a policy of Amazon's that allows inference, and one that nobody can read here."""
    for match in _MANAGED_POLICY.finditer(text):
        name = match["name"]
        if match["account"] != "aws":
            if stack is not None and not _is_held(name, stack):
                message = f"grants the policy {name} ({path}), which is not in this stack, so that"
                message += " nobody can tell what it allows; write the policy here"
                yield _refused(resource, message, path, undetermined=True)
        elif name not in table("reviewed.json")["managed_policies_without_inference"]:
            message = (
                f"grants {_named(name)} ({path}), which allows, or may allow, "
                "Bedrock in every region; write a policy that names the models"
            )
            yield _refused(resource, message, path)


def _named(policy: str) -> str:
    """A policy of Amazon's, by a name in the form of theirs; what else stands there is not repeated."""
    is_theirs = re.fullmatch(r"[A-Z]\w{3,60}", policy)
    return f"the managed policy {policy}" if is_theirs else "a managed policy"


def _is_held(name: str, stack: Stack) -> bool:
    """Whether ``stack`` holds the policy called ``name``, which is judged itself."""
    for other in stack.resources:
        called = other.properties.get("name")
        if other.type == _POLICY and isinstance(called, Known) and called.value == name:
            return True
    return False


def _of_grant(
    resource: Resource, path: str, grant: Grant, boundary: Boundary
) -> Iterator[Violation]:
    if not grant.is_known:
        yield _refused(resource, _LATER.format(path=path), path, undetermined=True)
        return
    if grant.resource is None or _allows_all(grant.resource):
        message = f"allows Bedrock on every resource in every region ({path}); {_WAY_OUT}"
        yield _refused(resource, message, path)
        return
    for route in routes(grant.resource):
        no = refusal(route, None, boundary)
        if no is not None:
            message = f"allows Bedrock on {route.name} ({path}): {no.why}; {_WAY_OUT}"
            yield _refused(resource, message, path, undetermined=no.undetermined)


def _allows_all(arn: str) -> bool:
    """Whether a resource pattern is too short, or its service too wide, to name a Bedrock resource."""
    if any(True for _ in routes(arn)):
        return False
    match arn.split(":"):
        case ["arn", _, service, *_]:
            return fnmatchcase("bedrock", service)
        case _:
            return "*" in arn


def _unknown(resource: Resource, leaf: Setting, stack: Stack | None) -> Iterator[Violation]:
    if resource.package == "kubernetes" and leaf.kind is Kind.DOCUMENT:
        return  # what an object is made of, and no variable or argument of a program
    if fnmatchcase(resource.type, _POLICY_TYPES):
        # A document that is one text hides every statement in it, whatever made it unknown.
        if not _is_attached_here(resource, leaf, stack):
            message = _DOCUMENT_LATER.format(path=leaf.path)
            yield _refused(resource, message, leaf.path, undetermined=True)
    elif stack is not None and not _explained(resource, leaf, stack):
        yield _refused(resource, _LATER.format(path=leaf.path), leaf.path, undetermined=True)


def _is_attached_here(resource: Resource, leaf: Setting, stack: Stack | None) -> bool:
    """An attachment of a policy that is in this stack, which is judged itself (or will be)."""
    if not leaf.path.lower().startswith(("policyarn", "managedpolicyarns")):
        return False
    return stack is None or any(one.type == _POLICY for one in _sources(resource, leaf, stack))


def _explained(resource: Resource, leaf: Setting, stack: Stack) -> bool:
    """Whether an unknown value comes from resources of this stack, which are judged themselves."""
    sources = _sources(resource, leaf, stack)
    if _MODEL_NAME.search(leaf.name):
        return any(source.type.startswith("aws:bedrock") for source in sources)
    return bool(sources) or is_of_ends(resource, leaf.path, stack)


def _sources(resource: Resource, leaf: Setting, stack: Stack) -> list[Resource]:
    urns = (resource.depends_on or {}).get(str(steps(leaf.path)[0]), ())
    return [stack.by_urn[urn] for urn in urns if urn in stack.by_urn]


def _refused(
    resource: Resource, message: str, path: str, *, undetermined: bool = False
) -> Violation:
    return Violation(f"{resource} {message}", resource.urn, path, undetermined)


_WAY_OUT = "use a model or a profile whose every destination is inside, by its full ARN in policies"
_OTHER_WAY_OUT = (
    "call a model inside the boundary, or list the host under hosts in the configuration"
)
_LATER = (
    "{path} is known only after deployment, so the models it names cannot be; make it a literal"
)
_DOCUMENT_LATER = (
    "{path} is known only after deployment, so what it allows cannot be; write it with literal ARNs: "
    "give what it names a name of its own (bucket=, name=), and put that name into the ARN"
)

RULE = Rule(
    id="residency-inference-profile-stays-inside",
    severity=Severity.CRITICAL,
    description="No model call can be served outside the boundary, by a profile or another endpoint.",
    remediation="Use a model, a profile or an endpoint whose every destination is inside.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.5.14",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge,
    judge_stack=judge_stack,
)
