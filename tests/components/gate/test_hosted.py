"""Which hosted models a text names, beside Bedrock, and where they answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.gate.endpoints import VERTEX, Use, called, data_hosts, fault, in_cluster, is_url, known
from portway.gate.hosted import hosted, hosted_refusal, is_location_variable, location_refusal
from portway.gate.tables import table
from portway.residency.boundary import boundary

EU = boundary(["eu"])
HOSTS = table("hosts.json")
GEMINI = "publishers/google/models/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("https://aiplatform.googleapis.com/v1", ["Vertex AI in global"]),
        ("europe-west4-aiplatform.googleapis.com", ["Vertex AI in europe-west4"]),
        ("https://US-CENTRAL1-aiplatform.googleapis.com:443/v1", ["Vertex AI in us-central1"]),
        ("aiplatform.europe-west1.rep.googleapis.com", ["Vertex AI in europe-west1"]),
        ("https://aiplatform.eu.rep.googleapis.com", ["Vertex AI in eu"]),
        ("123.us-east4-456.prediction.vertexai.goog", ["Vertex AI in us-east4"]),
        (f"projects/p/locations/global/{GEMINI}", ["a model of Vertex AI in global"]),
        (
            f"https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/{GEMINI}",
            ["Vertex AI in us-east5", "a model of Vertex AI in us-east5"],
        ),
        ("https://api.openai.com/v1", ["OpenAI's API"]),
        ("HTTPS://OURS.OPENAI.AZURE.COM/x", ["Azure OpenAI's API"]),
        ("westeurope.api.cognitive.microsoft.com", ["Azure OpenAI's API"]),
        ("a https://api.anthropic.com, then api.groq.com.", ["Anthropic's API", "Groq's API"]),
        ("generativelanguage.googleapis.com", ["Gemini API's API"]),
        ("https://openrouter.ai/api/v1", ["OpenRouter's API"]),
        ("https://x.us-east-1.aws.endpoints.huggingface.cloud", ["Hugging Face inference's API"]),
        ("https://huggingface.co/openai/gpt-oss-20b", []),
        ("openai/gpt-oss-20b", []),
        ("https://docs.openai.com/x", []),
        ("me@openai.com", []),
        ("https://openai.com.example.eu/x", []),
        ("https://not-openai.com", []),
        (f"{GEMINI}", []),
        ("aiplatform", []),
    ],
)
def test_a_text_names_its_hosted_models_and_nothing_else(text: str, names: list[str]) -> None:
    assert [one.name for one in hosted(text)] == names


@pytest.mark.parametrize(
    ("text", "names", "is_refused"),
    [
        ("aiplatform.googleapis.com", ["eu"], True),
        ("aiplatform.googleapis.com", ["us"], True),
        ("europe-west4-aiplatform.googleapis.com", ["eu"], False),
        ("europe-west4-aiplatform.googleapis.com", ["nl"], False),
        ("europe-west2-aiplatform.googleapis.com", ["eu"], True),
        ("aiplatform.eu.rep.googleapis.com", ["eu"], False),
        ("aiplatform.eu.rep.googleapis.com", ["de"], True),
        ("aiplatform.us.rep.googleapis.com", ["us"], False),
        ("aiplatform.us.rep.googleapis.com", ["eu"], True),
        ("me-west1-aiplatform.googleapis.com", ["il"], True),
        (f"locations/europe-west3/{GEMINI}", ["eu"], False),
        (f"locations/europe-west3/{GEMINI}", ["de"], True),
        (f"locations/europe-west2/{GEMINI}", ["uk"], False),
        ("api.openai.com", ["us"], True),
    ],
)
def test_where_an_endpoint_answers_decides(
    text: str, names: list[str], *, is_refused: bool
) -> None:
    refusals = [hosted_refusal(one, boundary(names), ()) for one in hosted(text)]
    assert refusals != []
    assert any(refusals) == is_refused


def test_a_listed_host_may_be_called_wherever_it_is() -> None:
    (one,) = hosted("https://api.mistral.ai/v1")
    assert hosted_refusal(one, EU, ()) is not None
    assert hosted_refusal(one, EU, ("api.mistral.ai",)) is None
    assert hosted_refusal(one, EU, ("*.mistral.ai",)) is None
    (vertex,) = hosted("aiplatform.googleapis.com")
    assert hosted_refusal(vertex, EU, ("aiplatform.googleapis.com",)) is None


@pytest.mark.parametrize("name", HOSTS["location_variables"]["names"])
def test_sdks_read_a_location_from_variables_flags_and_documents(name: str) -> None:
    assert is_location_variable(name)
    assert is_location_variable(f"--{name.lower().replace('_', '-')}")
    assert is_location_variable(name.lower())
    assert not is_location_variable(f"{name}_LABEL")


@pytest.mark.parametrize("place", ["global", "GLOBAL", " us-central1 ", "nowhere", "europe-west6"])
def test_a_location_outside_is_refused(place: str) -> None:
    assert location_refusal(place, EU) is not None


@given(
    st.sampled_from(["europe-west4", "europe-west2", "us-central1", "eu", "us", "global", "x"]),
    st.sampled_from(["eu", "nl", "uk", "us"]),
)
def test_a_location_passes_exactly_when_the_boundary_holds_it(place: str, name: str) -> None:
    inside = boundary([name])
    assert (location_refusal(place, inside) is None) == inside.holds(place, VERTEX)


@pytest.mark.parametrize("use", [Use.MODEL, Use.TELEMETRY])
def test_every_listed_host_is_found_in_a_url_and_refused(use: Use) -> None:
    for row in HOSTS[use.value]:
        for pattern in row["hosts"]:
            host = pattern.replace("*", "eu")
            assert [(one, said.use) for one, said in data_hosts(f"https://{host}/v1")] == [
                (host, use)
            ]
            found = fault(host, "", EU, ())
            assert found is not None
            assert found.undetermined
            assert fault(host, "", EU, (host,)) is None


@pytest.mark.parametrize("use", [Use.INBOUND, Use.IDENTITY, Use.NAME])
def test_hosts_that_take_no_data_pass(use: Use) -> None:
    for pattern in HOSTS[use.value]["hosts"]:
        host = pattern.replace("*", "x")
        assert known(host) is not None
        assert data_hosts(f"https://{host}") == ()
        assert fault(host, "", EU, ()) is None


def test_every_host_is_dated_and_sourced_and_said_to_be_verified_or_not() -> None:
    for use in (Use.MODEL, Use.TELEMETRY):
        for row in HOSTS[use.value]:
            assert set(row) == {"who", "hosts", "said", "source", "verified"}
            assert row["who"]
            assert row["source"]
            assert isinstance(row["verified"], bool)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("https://u:p@a.example.com:8443/x?y=b.example.com", ("a.example.com",)),
        ("postgres://u:p%40@db.example.com/x", ("db.example.com",)),
        ("jdbc:postgresql://db.example.com:5432/x", ("db.example.com",)),
        ("a.example.com:9092,b.example.com:9092", ("a.example.com", "b.example.com")),
        ("A.Example.COM.", ("a.example.com",)),
        ("8.8.8.8:53", ("8.8.8.8",)),
        ("http://[2001:db8::1]:80/x", ("2001:db8::1",)),
        ("'https://a.example.com'", ("a.example.com",)),
        ("http://$(NODE_IP):4317", ()),
        ("https://${HOST}/x", ()),
        ("s3://bucket/x", ()),
        ("unix:///run/x.sock", ()),
        ("app.main", ()),
        ("/etc/app/config.yaml", ()),
        ("1.2.3", ()),
        ("true", ()),
        ("", ()),
    ],
)
def test_an_endpoint_calls_its_hosts(text: str, hosts: tuple[str, ...]) -> None:
    assert called(text) == hosts


@pytest.mark.parametrize(
    ("host", "text", "given"),
    [
        ("sqs.us-east-1.amazonaws.com", "", "a host in us-east-1"),
        ("us-central1-run.googleapis.com", "", "a host in us-central1"),
        (
            "workflows.googleapis.com",
            "https://workflows.googleapis.com/v1/projects/p/locations/us-east1/x",
            "a host in us-east1",
        ),
        ("workflows.googleapis.com", "https://workflows.googleapis.com/v1", "a host"),
        ("8.8.8.8", "", "a host"),
        ("hunter2.example.com", "", "a host"),
    ],
)
def test_a_host_outside_or_unknown_is_refused_and_not_repeated(
    host: str, text: str, given: str
) -> None:
    found = fault(host, text, EU, ())
    assert found is not None
    assert found.given == given
    assert "hunter2" not in found.why


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("sqs.eu-west-1.amazonaws.com", ""),
        (
            "workflowexecutions.googleapis.com",
            "https://workflowexecutions.googleapis.com/v1/projects/p/locations/europe-west4/x",
        ),
        ("10.0.0.1", ""),
        ("localhost", ""),
        ("vllm.chat.svc.cluster.local", ""),
        ("a.example.eu", ""),
    ],
)
def test_a_host_inside_or_listed_passes(host: str, text: str) -> None:
    assert fault(host, text, EU, ("*.example.eu",)) is None


@pytest.mark.parametrize(
    ("host", "is_inside"),
    [
        ("otel.monitoring", True),
        ("vllm.chat", True),
        ("vllm.kube-system", True),
        ("vllm.chat-prod", True),
        ("example.com", False),
        ("acme.ai", False),
        ("acme.dev", False),
    ],
)
def test_a_short_name_of_a_cluster_is_told_from_a_domain(host: str, *, is_inside: bool) -> None:
    assert in_cluster(host, frozenset({"chat"})) == is_inside


@given(st.text(max_size=200))
def test_any_text_can_be_searched_for_hosts(text: str) -> None:
    assert isinstance(called(text), tuple)
    assert isinstance(hosted(text), tuple)
    assert is_url(text) in (True, False)
