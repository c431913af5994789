"""What the language host decides: interpreters, packages, outcomes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import language_pb2 as messages

from portway.engine import program
from portway.engine.interpreter import Interpreter, installing, interpreter_of, virtualenv_of
from portway.engine.language_host import outcome
from portway.engine.packages import inspect, plugin_version_of, required
from portway.errors import Missing, PortwayError


@pytest.fixture(scope="module")
def bare_virtualenv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"virtualenv": ".venv"}, Path("/p/.venv")),
        ({"virtualenv": "../.venv", "toolchain": "pip"}, Path("/p/../.venv")),
        ({"virtualenv": "/opt/venv"}, Path("/opt/venv")),
        ({"toolchain": "uv"}, Path("/p/.venv")),
        ({"typechecker": "none"}, None),
    ],
)
def test_the_virtualenv_option_is_relative_to_its_own_project(
    options: dict[str, Any], expected: Path | None
) -> None:
    assert virtualenv_of(options, Path("/p")) == expected


@pytest.mark.parametrize("options", [{"toolchain": "poetry"}, {"typechecker": "mypy"}])
def test_an_option_this_host_does_not_serve_is_refused(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(Missing, match=f"runtime option {name}: {value} is not served"):
        virtualenv_of(options, Path("/p"))


def test_a_plugin_that_names_none_uses_its_own_venv_folder(bare_virtualenv: Path) -> None:
    plugin = bare_virtualenv.parent
    assert virtualenv_of({}, plugin, plugin=True) == bare_virtualenv
    assert virtualenv_of({}, plugin) is None


def test_a_missing_environment_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(Missing) as refused:
        interpreter_of(tmp_path / "none")
    assert f"names {tmp_path}/none, which is not a virtual environment" in str(refused.value)
    assert "`pulumi install`" in str(refused.value)


def test_without_an_environment_the_python_on_path_runs_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PULUMI_PYTHON_CMD", raising=False)
    only_python: dict[str, str] = {"python": "/b/python"}
    nothing: dict[str, str] = {}
    assert interpreter_of(None, only_python.get) == Interpreter(None, Path("/b/python"))
    with pytest.raises(Missing, match="none of python3, python is on PATH"):
        interpreter_of(None, nothing.get)


def test_an_environment_is_activated_for_what_runs_in_it() -> None:
    interpreter = Interpreter(Path("/v"), Path("/v/bin/python"))
    base = {"PATH": "/usr/bin", "PYTHONHOME": "/elsewhere", "A": "1"}
    assert interpreter.environment(base) == {
        "PATH": "/v/bin:/usr/bin",
        "VIRTUAL_ENV": "/v",
        "A": "1",
    }


def test_an_environment_is_inspected_by_its_own_python(bare_virtualenv: Path) -> None:
    interpreter = interpreter_of(bare_virtualenv)
    version = ".".join(map(str, sys.version_info[:3]))
    assert interpreter.inspect() == {"dependencies": [], "packages": [], "python": version}
    assert interpreter.version() == version


def test_the_provider_sdks_installed_here_are_required_at_their_exact_versions() -> None:
    found = inspect()
    versions = dict(found["dependencies"])
    required_here = {package["name"]: package["version"] for package in found["packages"]}
    for name in ("aws", "gcp", "kubernetes", "random"):
        assert required_here[name] == f"v{versions[f'pulumi-{name}']}"
    assert "policy" not in required_here
    assert "pulumi" not in required_here


@pytest.mark.parametrize(
    ("name", "version", "declared", "expected"),
    [
        ("requests", "1.0", None, None),
        ("pulumi-policy", "1.21.0", {"resource": False}, None),
        ("pulumi-policy", "1.21.0", None, None),
        ("pulumi-odd", "epoch!1", None, None),
        (
            "pulumi-aws",
            "7.51.1",
            {"resource": True, "name": "aws", "version": "7.51.1"},
            {"name": "aws", "version": "v7.51.1", "server": "", "parameterization": None},
        ),
        (
            "pulumi-thing",
            "1.2rc4",
            None,
            {"name": "thing", "version": "v1.2.0-rc.4", "server": "", "parameterization": None},
        ),
        (
            "acme",
            "2",
            {
                "resource": True,
                "name": "base",
                "version": "v3.0.0",
                "server": "https://x",
                "parameterization": {"name": "acme", "version": "2.0.0", "value": "e30="},
            },
            {
                "name": "base",
                "version": "v3.0.0",
                "server": "https://x",
                "parameterization": {"name": "acme", "version": "2.0.0", "value": "e30="},
            },
        ),
    ],
)
def test_which_plugin_a_distribution_needs(
    name: str, version: str, declared: dict[str, Any] | None, expected: dict[str, Any] | None
) -> None:
    assert required(name, version, declared) == expected


@pytest.mark.parametrize(
    ("python", "plugin"),
    [
        ("1", "1.0.0"),
        ("1.2.3", "1.2.3"),
        ("1.2.3a4", "1.2.3-alpha.4"),
        ("1.2.3b4.dev5", "1.2.3-beta.4+dev5"),
        ("1.2.3.post4.dev5", "1.2.3+post4dev5"),
        ("1!2.0", None),
    ],
)
def test_a_python_version_as_the_engine_writes_it(python: str, plugin: str | None) -> None:
    assert plugin_version_of(python) == plugin


@pytest.mark.parametrize(
    ("code", "cancelled", "expected"),
    [
        (0, False, messages.RunResponse()),
        (program.SHOWN, False, messages.RunResponse(bail=True)),
        (-9, True, messages.RunResponse(bail=True)),
        (-9, False, messages.RunResponse(error="Program was ended by SIGKILL")),
        (3, False, messages.RunResponse(error="Program exited with non-zero exit code: 3")),
    ],
)
def test_how_a_programs_end_is_told(
    *, code: int, cancelled: bool, expected: messages.RunResponse
) -> None:
    assert outcome(code, cancelled=cancelled) == expected


def test_an_error_meant_for_users_is_shown_as_its_sentence() -> None:
    class Elsewhere(Exception):
        exit_code = 2

    assert program.described(PortwayError("a sentence"), Path("/p")) == "a sentence"
    assert program.described(Elsewhere("another"), Path("/p")) == "another"


def test_any_other_error_is_shown_with_the_frames_of_the_program_only() -> None:
    def outer() -> None:
        compiled = compile("def inner():\n    raise KeyError('x')\ninner()", "/p/app.py", "exec")
        exec(compiled, {})

    with pytest.raises(KeyError) as caught:
        outer()
    assert program.described(caught.value, Path("/p")) == (
        "Program failed with an unhandled exception:\n"
        "Traceback (most recent call last):\n"
        '  File "/p/app.py", line 3, in <module>\n'
        '  File "/p/app.py", line 2, in inner\n'
        "KeyError: 'x'\n"
    )


def test_a_missing_environment_is_made_and_its_requirements_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\necho "$@"\nif [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n'
    )
    python.chmod(0o755)
    monkeypatch.setenv("PULUMI_PYTHON_CMD", str(python))
    (tmp_path / "requirements.txt").write_text("pulumi\n")
    venv = tmp_path / "venv"
    assert b"".join(installing(venv, tmp_path)).decode() == (
        f"Creating virtual environment {venv}\n-m venv {venv}\n-m pip install -r requirements.txt\n"
    )
    assert b"".join(installing(venv, tmp_path)).decode() == "-m pip install -r requirements.txt\n"


def test_requirements_that_cannot_be_installed_are_an_error(
    tmp_path: Path, bare_virtualenv: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("x\n")
    with pytest.raises(Missing, match=r"pip install -r requirements\.txt` ended with 1"):
        list(installing(bare_virtualenv, tmp_path))
