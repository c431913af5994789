"""The sandbox's view of a project."""

import os
from pathlib import Path

import pytest

from portway.engine.mirror import catch_up, mirror, salt_of, sandbox_text, stack_config_dir
from portway.errors import BadInput

SALT = "v1:AAAA=:v1:BBBB:CCCC=="


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "stacks" / "specs").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".portway").mkdir()
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "__main__.py").write_text("")
    (folder / "stacks" / "specs" / "chat.yaml").write_text("name: chat\n")
    (folder / "stacks" / "Pulumi.chat.prod.door.yaml").write_text("config:\n  p:a: 1\n")
    return folder


def shown(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_everything_is_a_link_but_the_stack_files(project: Path) -> None:
    into = mirror(project, project / ".portway" / "project")
    assert shown(into) == {
        "Pulumi.yaml": f"-> {project}/Pulumi.yaml",
        "__main__.py": f"-> {project}/__main__.py",
        "stacks/Pulumi.chat.prod.door.yaml": "config:\n  p:a: 1\n",
        "stacks/specs": f"-> {project}/stacks/specs",
    }


def test_a_project_without_a_stack_folder_has_its_stack_files_beside_its_program(
    project: Path,
) -> None:
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("config: {}\n")
    into = mirror(project, project / ".portway" / "project")
    assert shown(into) == {
        "Pulumi.dev.yaml": "config: {}\n",
        "Pulumi.yaml": f"-> {project}/Pulumi.yaml",
        "__main__.py": f"-> {project}/__main__.py",
        "stacks": f"-> {project}/stacks",
    }


def test_a_second_look_follows_the_project_and_keeps_the_sandboxs_salt(project: Path) -> None:
    into = mirror(project, project / ".portway" / "project")
    copy = into / "stacks" / "Pulumi.chat.prod.door.yaml"
    copy.write_text(f"{copy.read_text()}encryptionsalt: {SALT}\n")
    (project / "stacks" / "Pulumi.chat.prod.door.yaml").write_text("config:\n  p:a: 2\n")
    (project / "stacks" / "Pulumi.new.dev.door.yaml").write_text("config: {}\n")
    (project / "__main__.py").unlink()
    mirror(project, into)
    assert shown(into) == {
        "Pulumi.yaml": f"-> {project}/Pulumi.yaml",
        "stacks/Pulumi.chat.prod.door.yaml": f"config:\n  p:a: 2\nencryptionsalt: {SALT}\n",
        "stacks/Pulumi.new.dev.door.yaml": "config: {}\n",
        "stacks/specs": f"-> {project}/stacks/specs",
    }


def test_a_stack_file_that_changed_since_is_taken_over_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = mirror(project, project / ".portway" / "mirror")
    assert catch_up(copy, "chat.prod.door") is None
    monkeypatch.setenv("PORTWAY_SANDBOX", str(copy.parent))
    assert (catch_up(copy, "chat.prod.door"), catch_up(copy, "none")) == (None, None)
    (copy / "stacks" / "Pulumi.new.yaml").write_text(f"encryptionsalt: {SALT}\n")
    file = project / "stacks" / "Pulumi.new.yaml"
    file.write_text("config:\n  p:a: 2\n")
    os.utime(copy.with_name("mirror.seen"), (0, 0))
    assert catch_up(project, "new") is None
    assert catch_up(copy, "new") == file
    written = (copy / "stacks" / "Pulumi.new.yaml").read_text()
    assert written == f"config:\n  p:a: 2\nencryptionsalt: {SALT}\n"
    assert catch_up(copy, "new") is None


def test_a_deeper_stack_folder_is_reached_through_its_parents(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\nstackConfigDir: a/b\n")
    (project / "a" / "b").mkdir(parents=True)
    (project / "a" / "other").write_text("x")
    (project / "a" / "b" / "Pulumi.dev.yaml").write_text("config: {}\n")
    into = mirror(project, project / ".portway" / "project")
    assert shown(into / "a") == {
        "b/Pulumi.dev.yaml": "config: {}\n",
        "other": f"-> {project}/a/other",
    }


def test_a_removed_project_folder_takes_nothing_of_the_project_with_it(project: Path) -> None:
    into = mirror(project, project / ".portway" / "project")
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    mirror(project, into)
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\nstackConfigDir: stacks\n")
    mirror(project, into)
    assert (project / "stacks" / "specs" / "chat.yaml").read_text() == "name: chat\n"


def test_a_real_accounts_secrets_and_keys_stay_out() -> None:
    text = (
        "# kept\n"
        "secretsprovider: gcpkms://projects/acme/locations/eu/keyRings/k/cryptoKeys/c\n"
        "encryptedkey: abc\n"
        "encryptionsalt: v1:real\n"
        "config:\n"
        "  gcp:project: acme\n"
        "  gcp:credentials:\n"
        "    secure: v1:xyz\n"
        "  p:nested: {token: {secure: v1:xyz}, list: [{secure: v1:xyz}, 1], both: {secure: a, b: 1}}\n"
    )
    assert sandbox_text(text, SALT) == (
        "# kept\n"
        "config:\n"
        "  gcp:project: acme\n"
        "  gcp:credentials: sandbox-placeholder\n"
        "  p:nested: {token: sandbox-placeholder, list: [sandbox-placeholder, 1],"
        " both: {secure: a, b: 1}}\n"
        f"encryptionsalt: {SALT}\n"
    )
    assert salt_of(sandbox_text(text, SALT)) == SALT


@pytest.mark.parametrize("text", ["config: [", "- a\n", "just words\n"])
def test_what_is_not_a_stack_file_is_left_for_the_engine_to_judge(text: str) -> None:
    assert sandbox_text(text, SALT) == text


def test_an_empty_stack_file_stays_empty() -> None:
    assert sandbox_text("", None) == "{}\n"


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        stack_config_dir(tmp_path)
    assert str(refused.value) == (
        f"Pulumi.yaml: there is none in {tmp_path}; go to a Pulumi project's folder"
    )
