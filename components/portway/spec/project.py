"""Where a project keeps its files: the folder with ``Pulumi.yaml``, and the stack files in it."""

from functools import cache
from pathlib import Path

from portway.errors import BadInput, Problem
from portway.spec.complaints import suggestion
from portway.spec.document import read_document, shown

PROJECT_FILE = "Pulumi.yaml"
_PREFIX, _SUFFIX = "Pulumi.", ".yaml"


def find_project(start: Path | None = None) -> Path:
    """The nearest folder from ``start`` (default: the working directory) up that holds a project.

    Raises:
        BadInput: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    message = f"no {PROJECT_FILE} in this folder or above; go to the project, or make one with `pulumi new`"
    raise BadInput([Problem("", message, here.as_posix())])


def stacks_folder(project: Path) -> Path:
    """The folder of the project's stack files: ``stackConfigDir`` of its ``Pulumi.yaml``.

    Raises:
        BadInput: ``Pulumi.yaml`` cannot be read, or does not name a folder.
    """
    file = project / PROJECT_FILE
    return project / _stack_config_dir(file, file.stat().st_mtime_ns if file.is_file() else 0)


@cache
def _stack_config_dir(file: Path, _modified_ns: int) -> str:
    document = read_document(file)
    folder = document.data.get("stackConfigDir", ".")
    if not isinstance(folder, str):
        where = document.where(("stackConfigDir",))
        message = "is not text; name a folder, such as stacks"
        raise BadInput([Problem("stackConfigDir", message, where)])
    return folder


def stack_names(project: Path) -> tuple[str, ...]:
    """The names of all stacks that have a file, sorted.

    Raises:
        BadInput: as ``stacks_folder``.
    """
    files = stacks_folder(project).glob(f"{_PREFIX}*{_SUFFIX}")
    return tuple(sorted(file.name[len(_PREFIX) : -len(_SUFFIX)] for file in files))


def stack_file(project: Path, stack_name: str) -> Path:
    """The file of the stack called ``stack_name``.

    Raises:
        BadInput: it has none; the message offers the nearest and lists those that have.
    """
    names = stack_names(project)
    file = stacks_folder(project) / f"{_PREFIX}{stack_name}{_SUFFIX}"
    if stack_name in names:
        return file
    hint = suggestion(stack_name, names)
    known = f"the project has {', '.join(names)}" if names else "the project has no stacks yet"
    message = f"there is no stack {stack_name!r}; {f'{hint} ' if hint else ''}{known}"
    raise BadInput([Problem("", message, shown(file))])
