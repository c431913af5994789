"""Programs in Go and TypeScript that use the components: SDKs by Pulumi's own generators, compiled, brought up, asked.

Minutes on two cores: generators and SDKs are built from their Go modules, and the Node.js SDK is fetched.
"""

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from portway.sandbox.layout import Layout
from support.openai_clients import openai_client
from support.other_languages import install_host
from support.sandbox_project import ROOT, SandboxProject, start, stop

pytestmark = [
    pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(1800), pytest.mark.xdist_group("sandbox"),
]  # fmt: skip

ENGINE_MODULES = ROOT / "components" / "portway" / "engine" / "go"
GENERATOR = ROOT / "tests" / "support" / "sdks" / "main.go"
SDK = "example.com/pulumi-portway/sdk/go/portway"
LONGEST_SECONDS = 1500
BUILD = ("go", "build", "-trimpath", "-tags", "osusergo,grpcnotrace", "-o")
"""As the engine is built, so that what it shares with it is built already."""
MODULE = f"module {SDK}\n\ngo 1.26.0\n\nrequire github.com/pulumi/pulumi/sdk/v3 v3.259.0\n"
NODE_PACKAGES = (
    '{"private": true, "dependencies": {"@pulumi/pulumi": "3.259.0", "typescript": "~5.9.0", '
    '"@types/node": "^20"}}'
)
SETTINGS = """\
name: shop
runtime: {runtime}
plugins:
  providers:
    - {{name: portway, path: {components}}}
"""


def tool(folder: Path, *words: str) -> None:
    """Run a tool of the language, with its own modules caches."""
    go = {"GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **go}, capture_output=True, text=True, check=False,
        timeout=LONGEST_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDKs that Pulumi's generators make of our schema, beside a module that can build Go programs."""
    if shutil.which("go") is None:
        pytest.skip("there is no Go to build Pulumi's generators with")
    folder = tmp_path_factory.mktemp("languages")
    for name in ("go.mod", "go.sum"):
        shutil.copy(ENGINE_MODULES / name, folder / name)
    (folder / "sdks").mkdir()
    shutil.copy(GENERATOR, folder / "sdks" / "main.go")
    tool(folder, *BUILD, "generate", "./sdks")
    tool(folder, "./generate", str(ROOT / "components" / "schema.json"), str(folder / "out"))
    (folder / "out" / "go" / "portway" / "go.mod").write_text(MODULE)
    return folder


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    project = start(tmp_path_factory.mktemp("languages") / "project")
    yield project
    stop(project)


def program(folder: Path, runtime: str) -> Path:
    """A project folder for ``runtime`` that names our provider."""
    folder.mkdir()
    settings = SETTINGS.format(runtime=runtime, components=ROOT / "components")
    (folder / "Pulumi.yaml").write_text(settings)
    return folder


def deployed_and_answers(sandbox: SandboxProject, folder: Path, language: str) -> None:
    """Bring the program up under the real engine; ask what it exports; take it down again."""
    install_host(Layout.of_project(sandbox.folder).home, language)
    stack = f"chat.prod.{language}"
    environment = {k: v for k, v in sandbox.environment.items() if k != "PULUMI_OPTION_CWD"}
    there = SandboxProject(folder, environment)
    for words in (("stack", "init", stack), ("up", "--yes", "--skip-preview", "--stack", stack)):
        done = there.pulumi(*words)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    outputs = there.outputs(stack)
    client = openai_client(outputs["endpoint"], outputs["apiKey"])
    answer = client.chat.completions.create(
        model="ministral-3-8b",
        messages=[{"role": "user", "content": "Name a river."}],
        max_tokens=8,
    )
    assert answer.choices[0].message.content
    state = there.pulumi("stack", "export", "--stack", stack).stdout
    assert "portway:index:InferenceService" in state
    assert '"secure"' in state or "ciphertext" in state
    assert outputs["apiKey"] not in state
    gone = there.pulumi("destroy", "--yes", "--stack", stack)
    assert gone.returncode == 0, gone.stdout[-3000:] + gone.stderr[-3000:]


def test_a_program_in_go_brings_the_service_up_and_it_answers(
    sdks: Path, sandbox: SandboxProject, tmp_path: Path
) -> None:
    (sdks / "shop").mkdir()
    shutil.copy(ROOT / "examples" / "go" / "main.go", sdks / "shop" / "main.go")
    tool(
        sdks, "go", "mod", "edit", f"-require={SDK}@v0.0.0", f"-replace={SDK}=./out/go/portway"
    )  # fmt: skip
    folder = program(tmp_path / "go", "go")
    tool(sdks, *BUILD, str(folder / "program"), "./shop")
    deployed_and_answers(sandbox, folder, "go")


def test_a_program_in_typescript_brings_the_service_up_and_it_answers(
    sdks: Path, sandbox: SandboxProject, tmp_path: Path
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("there is no Node.js")
    folder = program(tmp_path / "node", "nodejs")
    (folder / "package.json").write_text(NODE_PACKAGES)
    tool(folder, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
    sdk = folder / "node_modules" / "@pulumi" / "portway"
    shutil.copytree(sdks / "out" / "nodejs", sdk)
    tool(sdk, "node", str(folder / "node_modules" / "typescript" / "bin" / "tsc"))
    shutil.copy(sdk / "package.json", sdk / "bin" / "package.json")
    shutil.copy(ROOT / "examples" / "typescript" / "index.ts", folder / "index.ts")
    tool(
        folder, "node", "node_modules/typescript/bin/tsc", "--target", "es2022", "--module",
        "commonjs", "--strict", "--skipLibCheck", "index.ts",
    )  # fmt: skip
    deployed_and_answers(sandbox, folder, "nodejs")
