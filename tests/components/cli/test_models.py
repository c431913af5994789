from portway.models import catalogue
from support.command_line import CommandLine


def test_the_table_shows_every_model_and_fits_100_columns(portway: CommandLine) -> None:
    ran = portway("models")
    assert ran.code == 0
    rows = ran.out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(catalogue())
    assert max(map(len, ran.out.splitlines())) <= 100
    assert "…" not in ran.out


def test_json_holds_what_a_program_needs_to_choose(portway: CommandLine) -> None:
    models = {model["id"]: model for model in portway("models", "--json").json["models"]}
    assert list(models) == list(catalogue())
    ministral = models["ministral-3-8b"]
    assert ministral["identity"] == (
        "mistralai/Ministral-3-8B-Instruct-2512@5b26027e7b19eeb4b7352e1fed3926375dd2cb4d#fp8"
    )
    assert ministral["fits"] == {"nvidia-l4": {"fits": True, "largest_context_tokens": 63914}}
    assert ministral["bedrock"]["model_id"] == "mistral.ministral-3-8b-instruct"
    assert "eu-west-1" in ministral["bedrock"]["regions"]
    assert models["qwen3-8b"]["bedrock"] is None
