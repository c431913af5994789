"""Programs, packs and plugins through the real engine and our language host."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from portway.engine.home import plugin_dir
from portway.engine.stack import Pack
from support.engine_projects import Project, the_engine

pytestmark = pytest.mark.sandbox

COMPONENT = """
import pulumi

class Thing(pulumi.ComponentResource):
    def __init__(self, name, size):
        super().__init__("p:index:Thing", name, {"size": size})
        self.register_outputs({})

Thing("small", 1)
Thing("large", 9)
"""

PACK = """
from pulumi_policy import (
    EnforcementLevel, PolicyConfigSchema, PolicyPack, ResourceValidationPolicy,
)

def small(args, report):
    if args.resource_type == "p:index:Thing" and args.props["size"] > args.get_config()["most"]:
        report(f"size {args.props['size']:.0f} is above {args.get_config()['most']:.0f}")

PolicyPack(
    "sizes",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(
            name="sizes-small",
            description="Things are small.",
            validate=small,
            config_schema=PolicyConfigSchema({"most": {"type": "number", "default": 5}}),
        )
    ],
)
"""


def test_a_program_previews_ups_and_is_unchanged_the_second_time(tmp_path: Path) -> None:
    project = Project.create(
        tmp_path / "p",
        "import pulumi\n"
        "pulumi.export('greeting', pulumi.Config().require('greeting'))\n"
        "pulumi.export('hidden', pulumi.Output.secret('s3cret'))\n",
    )
    stack = project.stack()
    assert stack.outputs() == {}
    assert stack.preview().changes == {"create": 1}
    first = stack.up()
    assert (first.succeeded, first.changes) == (True, {"create": 1})
    assert "s3cret" not in first.stdout
    assert stack.outputs() == {"greeting": "hello", "hidden": "s3cret"}
    assert stack.up().changes == {"same": 1}
    assert stack.refresh().succeeded
    assert stack.destroy().changes == {"delete": 1}
    assert stack.outputs() == {}
    assert project.tracked_stack_file.read_text() == "config:\n  p:greeting: hello\n"


def test_plain_pulumi_commands_from_anywhere_use_the_sandbox_without_a_warning(
    tmp_path: Path,
) -> None:
    project = Project.create(tmp_path / "p", "print('ran')\n")
    project.stack()
    done = subprocess.run(
        [str(the_engine().path), "up", "--stack", "dev", "--skip-preview"],
        env=project.environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "ran" in done.stdout
    assert "warning" not in done.stdout
    assert (project.state / ".pulumi" / "stacks" / "p" / "dev.json").is_file()
    assert project.tracked_stack_file.read_text() == "config:\n  p:greeting: hello\n"


def test_a_program_that_raises_is_shown_from_its_own_first_line(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "def act():\n    return {}['wanted']\n\nact()\n")
    outcome = project.stack().preview()
    shown = project.root / "project" / "__main__.py"
    assert not outcome.succeeded
    assert outcome.errors == (
        "Program failed with an unhandled exception:\n"
        "Traceback (most recent call last):\n"
        f'  File "{shown}", line 4, in <module>\n'
        "    act()\n"
        f'  File "{shown}", line 2, in act\n'
        "    return {}['wanted']\n"
        "           ~~^^^^^^^^^^\n"
        "KeyError: 'wanted'",
    )
    assert "KeyboardInterrupt" not in outcome.stdout + outcome.stderr


def test_an_error_meant_for_users_is_shown_as_its_sentence_alone(tmp_path: Path) -> None:
    project = Project.create(
        tmp_path / "p",
        "from portway.errors import BadInput, Problem\n"
        "raise BadInput([Problem('scaling.max', 'is 0; make it 1', 'specs/chat.yaml:4')])\n",
    )
    outcome = project.stack().preview()
    assert outcome.errors == ("specs/chat.yaml:4: scaling.max: is 0; make it 1",)
    assert "Traceback" not in outcome.stdout


def test_a_program_that_exits_is_told_with_its_code(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "import sys\nsys.exit(7)\n")
    outcome = project.stack().preview()
    assert not outcome.succeeded
    assert "Program exited with non-zero exit code: 7" in outcome.stdout + outcome.stderr


def test_an_environment_without_the_sdk_is_named(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "")
    venv = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    settings = project.folder / "Pulumi.yaml"
    settings.write_text(settings.read_text().replace(sys.prefix, str(venv)))
    outcome = project.stack().preview()
    assert not outcome.succeeded
    assert f"The Pulumi SDK is not installed for {venv}/bin/python" in outcome.stdout


def test_an_environment_that_is_none_is_named(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "")
    (tmp_path / "none").mkdir()
    settings = project.folder / "Pulumi.yaml"
    settings.write_text(settings.read_text().replace(sys.prefix, str(tmp_path / "none")))
    outcome = project.stack().preview()
    assert not outcome.succeeded
    assert f"names {tmp_path}/none, which is not a virtual environment" in outcome.stderr


def test_a_pack_judges_through_our_host_and_a_refused_preview_is_quiet(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", COMPONENT)
    outcome = project.stack().preview([Pack(project.pack("sizes", PACK))])
    assert not outcome.succeeded
    assert [
        (violation["policyName"], violation["enforcementLevel"], violation["resourceUrn"])
        for violation in outcome.violations
    ] == [("sizes-small", "mandatory", "urn:pulumi:dev::p::p:index:Thing::large")]
    assert "size 9 is above 5" in outcome.violations[0]["message"]
    assert "KeyboardInterrupt" not in outcome.stdout + outcome.stderr
    assert "Traceback" not in outcome.stdout + outcome.stderr


def test_a_pack_that_cannot_be_loaded_is_not_a_pass(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", COMPONENT)
    outcome = project.stack().preview([Pack(project.pack("broken", "import nothing_like_it\n"))])
    assert not outcome.succeeded
    assert "No module named 'nothing_like_it'" in outcome.stdout


def test_one_pack_may_be_configured_and_another_not(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", COMPONENT)
    lax = project.pack("lax", PACK)
    strict = project.pack("strict", PACK.replace('"sizes"', '"strict"'))
    config = tmp_path / "lax.json"
    config.write_text('{"sizes-small": {"most": 100}}')
    outcome = project.stack().preview([Pack(lax, config), Pack(strict)])
    assert [violation["policyPackName"] for violation in outcome.violations] == ["strict"]


def test_a_component_plugin_runs_through_our_host(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "")
    for package in ("aws", "gcp", "kubernetes", "random"):
        version = metadata.version(f"pulumi-{package}")
        executable = plugin_dir(project.home, package, version) / f"pulumi-resource-{package}"
        executable.parent.mkdir(parents=True)
        executable.touch(mode=0o755)
    plugin = tmp_path / "boxes"
    plugin.mkdir()
    (plugin / "PulumiPlugin.yaml").write_text(
        f"runtime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
    )
    (plugin / "__main__.py").write_text(
        "from typing import TypedDict\n"
        "import pulumi\n"
        "from pulumi.provider.experimental import component_provider_host\n"
        "class BoxArgs(TypedDict):\n"
        "    size: pulumi.Input[int]\n"
        "class Box(pulumi.ComponentResource):\n"
        "    def __init__(self, name: str, args: BoxArgs, opts: pulumi.ResourceOptions | None = None):\n"
        "        super().__init__('boxes:index:Box', name, {}, opts)\n"
        "component_provider_host([Box], 'boxes')\n"
    )
    done = subprocess.run(
        [str(the_engine().path), "package", "get-schema", str(plugin)],
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"boxes:index:Box"' in done.stdout


def test_nothing_is_downloaded_even_where_the_engine_would(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "")
    done = subprocess.run(
        [str(the_engine().path), "plugin", "install", "resource", "random", "4.21.4"],
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "127.0.0.1:9/no-plugin-downloads-in-the-sandbox" in done.stderr
