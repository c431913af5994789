"""Engine versions: what `pulumi version` prints, and how two of them compare."""

import re
from typing import NamedTuple

_TEXT = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


class Version(NamedTuple):
    """A version, in the order semantic versioning gives: a pre-release comes before its release."""

    major: int
    minor: int
    patch: int
    released: bool = True

    def __str__(self) -> str:
        """``3.259.0``; a pre-release says so, without its serial number."""
        return f"{self.major}.{self.minor}.{self.patch}{'' if self.released else ' (pre-release)'}"


def parse(text: str) -> Version | None:
    """Read what `pulumi version` printed; None when it is not a version (an unstamped build)."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    major, minor, patch, pre = match.groups()
    return Version(int(major), int(minor), int(patch), pre is None)


MINIMUM = Version(3, 259, 0)
"""The oldest engine Portway drives."""

BUILT = Version(3, 259, 0)
"""The engine Portway installs or builds: the newest that its public Go modules give."""
