"""What the API lets a name, a label and an annotation be. Each check returns its causes."""

import re
from collections.abc import Mapping
from typing import Any

from portway.sandbox.controlplane.objects import Object, object_at

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
PORT_NAME = re.compile(r"[a-z0-9-]*[a-z][a-z0-9-]*")
LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253
PORT_NAME_LENGTH = 15

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_DNS_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def metadata_causes(obj: Object) -> list[str]:
    """Everything wrong with an object's name, namespace, labels and annotations."""
    metadata = object_at(obj, "metadata")
    kind = str(obj.get("kind"))
    causes = _name_causes(kind, str(metadata.get("name", "")))
    if metadata.get("namespace"):
        causes += label_name_causes("metadata.namespace", str(metadata["namespace"]))
    causes += label_causes("metadata.labels", object_at(obj, "metadata", "labels"))
    for key in object_at(obj, "metadata", "annotations"):
        causes += key_causes("metadata.annotations", key.lower())
    return causes


def label_causes(path: str, labels: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``labels``, keys and values."""
    causes: list[str] = []
    for key, value in labels.items():
        causes += key_causes(path, key)
        text = str(value)
        if len(text) > LABEL_LENGTH:
            causes.append(f'{path}: Invalid value: "{text}": must be no more than 63 bytes')
        if text and not QUALIFIED.fullmatch(text):
            causes.append(f'{path}: Invalid value: "{text}": {_LABEL_VALUE_TEXT}')
    return causes


def key_causes(path: str, key: str) -> list[str]:
    """What is wrong with a label or annotation key."""
    prefix, slash, name = key.rpartition("/")
    causes: list[str] = []
    if slash and (not SUBDOMAIN.fullmatch(prefix) or len(prefix) > SUBDOMAIN_LENGTH):
        causes.append(f'{path}: Invalid value: "{key}": prefix part {_SUBDOMAIN_TEXT}')
    if not name:
        causes.append(f'{path}: Invalid value: "{key}": name part must be non-empty')
    elif len(name) > LABEL_LENGTH:
        causes.append(f'{path}: Invalid value: "{key}": name part must be no more than 63 bytes')
    elif not QUALIFIED.fullmatch(name):
        causes.append(f'{path}: Invalid value: "{key}": {_QUALIFIED_TEXT}')
    return causes


def label_name_causes(path: str, name: str) -> list[str]:
    """What is wrong with a name that must be one DNS label (a namespace, a container, a volume)."""
    return _pattern_causes(path, name, DNS_LABEL, LABEL_LENGTH, _LABEL_TEXT)


def port_name_causes(path: str, name: str) -> list[str]:
    """What is wrong with the name of a port."""
    causes: list[str] = []
    if len(name) > PORT_NAME_LENGTH:
        causes.append(f'{path}: Invalid value: "{name}": must be no more than 15 characters')
    if not re.fullmatch(r"[-a-z0-9]+", name):
        causes.append(
            f'{path}: Invalid value: "{name}": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'
        )
    elif not PORT_NAME.fullmatch(name):
        causes.append(f'{path}: Invalid value: "{name}": must contain at least one letter (a-z)')
    return causes


def _name_causes(kind: str, name: str) -> list[str]:
    if not name:
        return ["metadata.name: Required value: name or generateName is required"]
    if kind == "Namespace":
        return label_name_causes("metadata.name", name)
    if kind == "Service":
        return _pattern_causes("metadata.name", name, DNS_1035, LABEL_LENGTH, _DNS_1035_TEXT)
    return _pattern_causes("metadata.name", name, SUBDOMAIN, SUBDOMAIN_LENGTH, _SUBDOMAIN_TEXT)


def _pattern_causes(
    path: str, name: str, pattern: re.Pattern[str], limit: int, text: str
) -> list[str]:
    causes: list[str] = []
    if len(name) > limit:
        causes.append(f'{path}: Invalid value: "{name}": must be no more than {limit} characters')
    if not pattern.fullmatch(name):
        causes.append(f'{path}: Invalid value: "{name}": {text}')
    return causes
