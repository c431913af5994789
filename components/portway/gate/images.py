"""Where a container image is kept, by the name of its registry, and what is published for everybody."""

import re
from functools import lru_cache
from typing import Final

from portway.gate.hosts import region_of_host
from portway.gate.tables import table

REGISTRY: Final = "gcp:artifactregistry/repository:Repository"
"""Places in the names of Google's registries are named as this type names them."""

MAKERS: Final = ("docker:", "docker-build:", "awsx:", "aws:ecr", "gcp:artifactregistry")
"""Beginnings of the types that make, or keep, images."""

_GOOGLE: Final = re.compile(
    r"(?P<area>us|europe|asia)-[a-z]+\.pkg\.dev|(?:(?P<old>us|eu|asia)\.)?gcr\.io"
)


@lru_cache(maxsize=8192)
def registry_place(image: str) -> str | None:
    """The region, or Google's multi-region, that an image's registry says; None where it says none."""
    host = image.split("/", 1)[0].lower() if "/" in image else ""
    google = _GOOGLE.fullmatch(host)
    if google is None:
        return region_of_host(host)
    area = google["area"] or google["old"] or "us"
    return "europe" if area == "eu" else area


@lru_cache(maxsize=8192)
def is_published(image: str) -> bool:
    """Whether a vendor publishes ``image`` for everybody, so that nobody's weights or code are in it."""
    published: list[str] = table("judged/kubernetes.json")["published_images"]
    return image.lower().startswith(tuple(published))
