"""The command line of ``vllm serve``, as far as a server on one machine is started with it.

What changes the stand-in's behaviour is read; the other options of the real server (vLLM 0.29) are
accepted, and an option that it does not have ends the process, as there.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from portway.sandbox.dataplane.text import Identity, published_precision

# Options that take a value and change nothing a client can see here.
_WITH_VALUE = (
    "tokenizer", "tokenizer-mode", "tokenizer-revision", "config-format", "load-format", "code-revision",
    "download-dir", "hf-config-path", "hf-overrides", "hf-token", "kv-cache-dtype", "block-size",
    "swap-space", "cpu-offload-gb", "max-num-batched-tokens", "tensor-parallel-size",
    "pipeline-parallel-size", "data-parallel-size", "seed", "generation-config",
    "override-generation-config", "limit-mm-per-prompt", "tool-call-parser", "tool-parser-plugin",
    "reasoning-parser", "chat-template", "chat-template-content-format", "response-role",
    "uvicorn-log-level", "max-log-len", "root-path", "ssl-keyfile", "ssl-certfile", "allowed-origins",
    "allowed-methods", "allowed-headers", "model-impl", "model-loader-extra-config", "attention-backend",
    "compilation-config", "speculative-config", "max-logprobs", "distributed-executor-backend",
    "kv-transfer-config", "shutdown-timeout", "middleware", "timeout-keep-alive",
    "num-gpu-blocks-override", "max-seq-len-to-capture", "mm-processor-kwargs", "otlp-traces-endpoint",
    "nnodes", "node-rank", "master-addr", "master-port",
)  # fmt: skip
_FLAGS = (
    "trust-remote-code", "enforce-eager", "disable-log-stats", "async-scheduling",
    "enable-prefix-caching", "enable-chunked-prefill", "disable-sliding-window", "enable-lora",
    "language-model-only", "disable-fastapi-docs", "enable-server-load-tracking", "skip-tokenizer-init",
    "enable-log-requests", "enable-prompt-tokens-details", "enable-force-include-usage",
    "disable-log-requests", "disable-uvicorn-access-log", "return-tokens-as-token-ids",
    "enable-request-id-headers", "headless",
)  # fmt: skip
_PRECISIONS = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "float": "fp32",
}


_PINNED = re.compile(r"(?:^|/)([^/]+/[^/]+)/([0-9a-f]{40})/?$")
_MISTRAL = "mistral"
_DESCRIPTIONS: Mapping[str, tuple[str, ...]] = {
    "hf": ("config.json",),
    _MISTRAL: ("params.json",),
}
"""By ``--config-format``: the file that says what the model is."""


class Parser(argparse.ArgumentParser):
    """Reads ``vllm serve`` arguments; a wrong one ends the process with code 2."""

    def __init__(self) -> None:
        super().__init__(prog="vllm serve", allow_abbrev=False)
        self.add_argument("model_tag", nargs="?")
        self.add_argument("--model", default="Qwen/Qwen3-0.6B")
        self.add_argument("--revision")
        self.add_argument("--served-model-name", nargs="+")
        self.add_argument("--host")
        self.add_argument("--port", type=int, default=8000)
        self.add_argument("--max-model-len", type=_length)
        self.add_argument("--max-num-seqs", type=int, default=256)
        self.add_argument("--quantization", "-q")
        self.add_argument("--dtype", default="auto", choices=["auto", *_PRECISIONS])
        self.add_argument("--gpu-memory-utilization", type=_share, default=0.92)
        self.add_argument("--api-key", nargs="+")
        self.add_argument("--enable-auto-tool-choice", action="store_true")
        for name in _WITH_VALUE:
            self.add_argument(f"--{name}", help=argparse.SUPPRESS)
        for name in _FLAGS:
            action = argparse.BooleanOptionalAction
            self.add_argument(f"--{name}", action=action, help=argparse.SUPPRESS)


class Options:
    """What the stand-in server was told.

    Attributes:
        names: the names it serves, the first one is used in answers.
        identity: what its text depends on.
        context_tokens: prompt and answer together may not be longer.
        sequences: requests it works on at once; others wait.
        keys: accepted API keys; none accepts everybody.
        calls_tools: whether ``tool_choice: auto`` is allowed.
        config_format: in which form the model is described; ``auto`` takes Mistral's where it is there
            and no other.
        load_format: in which form the weights are; likewise.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        given = Parser().parse_args(list(arguments))
        self.weights: str = given.model_tag or given.model
        self.names: list[str] = given.served_model_name or [self.weights]
        name, revision = _whose(self.weights, given.revision)
        self.identity = Identity(
            name, revision, _precision(name, revision, given.quantization, given.dtype)
        )
        self.host: str = given.host or "127.0.0.1"
        self.port: int = given.port
        self.context_tokens: int = given.max_model_len or 32768
        self.sequences: int = given.max_num_seqs
        self.keys: list[str] = given.api_key or []
        self.calls_tools: bool = given.enable_auto_tool_choice
        self.config_format: str = given.config_format or "auto"
        self.load_format: str = given.load_format or "auto"


def why_not_loaded(options: Options, environment: Mapping[str, str]) -> str | None:
    """Why the weights are not to be had: not in the folder, or only on a hub that may not be asked."""
    folder = Path(options.weights)
    if not options.weights.startswith("/"):
        if environment.get("HF_HUB_OFFLINE") != "1":
            return None
        return (
            f"LocalEntryNotFoundError: {options.weights} is not in the cache, and outgoing traffic has been "
            "disabled (HF_HUB_OFFLINE)"
        )
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    descriptions = _DESCRIPTIONS.get(options.config_format, ("config.json", "params.json"))
    if not held & set(descriptions):
        return (
            f"ValueError: Invalid repository ID or local directory specified: '{options.weights}'"
        )
    weights = {name for name in held if name.endswith(".safetensors")}
    if options.load_format == _MISTRAL:
        weights = {name for name in weights if name.startswith("consolidated")}
    if not weights:
        return f"RuntimeError: Cannot find any model weights with `{options.weights}`"
    return None


def _whose(weights: str, revision: str | None) -> tuple[str, str]:
    """What the weights are: a folder says it by its last three names, as a hub keeps them."""
    found = _PINNED.search(weights) if weights.startswith("/") else None
    return (found[1], found[2]) if found else (weights, revision or "main")


def _precision(weights: str, revision: str, quantization: str | None, dtype: str) -> str:
    if quantization:
        return quantization
    return _PRECISIONS.get(dtype) or published_precision(weights, revision) or "auto"


def _length(text: str) -> int | None:
    units = {"k": 1000, "m": 1_000_000, "K": 1024, "M": 1024**2}
    if text in ("auto", "-1"):
        return None
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value
