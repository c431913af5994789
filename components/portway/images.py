"""The container images that targets run, pinned by digest with a date and a source."""

import json
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from portway.spec import Frozen


class Image(Frozen):
    """One image of Docker Hub.

    Attributes:
        repository: path below the registry, such as ``library/python``.
        tag: for people; a reference never contains it, because tags move.
        digest: what is pulled.
        as_of: ISO date on which tag and digest were read together.
        source: where they were read.
    """

    repository: str
    tag: str
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    source: str

    def reference(self, registry: str = "docker.io") -> str:
        """The image by digest, pulled from ``registry`` (a host, or a mirror's host and path)."""
        return f"{registry}/{self.repository}@{self.digest}"


class _Table(Frozen):
    images: dict[str, Image]


@cache
def image(name: str) -> Image:
    """The image called ``name`` (``python``, ``vllm``).

    Raises:
        KeyError: there is no such image; a mistake in a target, not in what a user wrote.
    """
    text = files("portway.targets").joinpath("images.json").read_text(encoding="utf-8")
    return _Table.model_validate(json.loads(text)).images[name]
