"""A spec's document to a spec whose words mean something: the model and the boundary exist."""

from typing import cast

from pydantic import ValidationError

from portway.errors import BadInput, Problem
from portway.models import Model, find
from portway.residency.boundary import boundary
from portway.spec.complaints import complaints, line_of
from portway.spec.document import Document, Path_
from portway.spec.service import InferenceServiceSpec


def read_spec(document: Document) -> tuple[InferenceServiceSpec | None, list[Problem]]:
    """The spec that ``document`` holds, and every problem; None where it has no valid shape."""
    spec: InferenceServiceSpec | None = None
    found: list[Problem] = []
    try:
        spec = InferenceServiceSpec.model_validate(dict(document.data))
    except ValidationError as error:
        found += complaints(error, InferenceServiceSpec)
    model = _model(document.data.get("model"), found)
    _boundary(document.data.get("residency"), found)
    if spec is not None and model is not None:
        found += _traffic(spec, model)
    placed = [problem.at(document.where(steps(problem.path))) for problem in found]
    return spec, sorted([*document.problems, *placed], key=line_of)


def steps(path: str) -> Path_:
    """``traffic.shape[3]`` as the keys and positions that lead there."""
    parts = path.replace("[", ".[").split(".")
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def _model(written: object, found: list[Problem]) -> Model | None:
    if not isinstance(written, str) or not written:
        return None
    try:
        return find(written)
    except BadInput as error:
        found += error.problems
        return None


def _boundary(written: object, found: list[Problem]) -> None:
    names = [written] if isinstance(written, str) else written
    if not isinstance(names, list) or not names:
        return
    texts = [name for name in cast("list[object]", names) if isinstance(name, str) and name]
    if len(texts) < len(cast("list[object]", names)):
        return
    try:
        boundary(texts)
    except BadInput as error:
        found += error.problems


def _traffic(spec: InferenceServiceSpec, model: Model) -> list[Problem]:
    """Traffic that the model cannot carry: a promise nobody could keep on any target."""
    traffic = spec.traffic
    if traffic is None:
        return []
    if traffic.output_tokens > model.max_output_tokens:
        message = f"is {traffic.output_tokens}; {model.id} answers with at most {model.max_output_tokens} tokens; lower it or choose another model"
        return [Problem("traffic.output_tokens", message)]
    together = traffic.input_tokens + traffic.output_tokens
    if together > model.context_tokens:
        message = f"and output_tokens make {together}; {model.id} is served with a context of {model.context_tokens} tokens; lower them or choose another model"
        return [Problem("traffic.input_tokens", message)]
    return []
