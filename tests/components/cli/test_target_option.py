"""``--target`` offers what is registered when a command runs."""

import click
import pytest
from click.testing import CliRunner

from portway.cli.target_option import target_option
from support import paper_target
from support.desk import register_paper


@click.command()
@target_option
def made_before(*, target: str | None) -> None:
    """Made when this module was imported, while the paper target was unknown."""
    click.echo(target)


def called(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(made_before, arguments)
    return result.exit_code, result.output


def test_a_target_registered_after_the_command_was_made_is_a_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert called("--target", paper_target.NAME)[0] == 2
    register_paper(monkeypatch)
    assert called("--target", paper_target.NAME) == (0, f"{paper_target.NAME}\n")
    assert f"kubernetes|{paper_target.NAME}]" in called("--help")[1]


def test_another_word_is_refused_with_the_targets_there_are() -> None:
    code, output = called("--target", "heroku")
    assert code == 2
    assert "'heroku' is not one of 'cloud-run', 'lambda-bedrock', 'kubernetes'" in output
