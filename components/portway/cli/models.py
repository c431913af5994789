"""``portway models``: the model catalogue."""

from collections.abc import Mapping

import click

from portway.cli.output import console, output_options, print_json
from portway.models import BedrockOffer, Model, catalogue, identity_of_weights
from portway.models.fit import L4, fits, largest_context, vram_needed_gb


@click.command()
@output_options
def command(*, as_json: bool, no_color: bool) -> None:
    """List the model catalogue: weights, precision, sizes, context, licence, and where it can run."""
    models = catalogue().values()
    if as_json:
        print_json({"models": [as_data(model) for model in models]})
        return
    from rich.table import Table  # noqa: PLC0415 - only people need it

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("model", style="cyan", no_wrap=True)
    table.add_column("weights", no_wrap=True, overflow="ellipsis")
    for heading in ("GB", "context"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    table.add_column("one L4", no_wrap=True)
    table.add_column("Bedrock", no_wrap=True)
    for model in models:
        table.add_row(
            model.id,
            model.weights.partition("/")[2],
            f"{model.weights_gb} {model.precision}",
            str(model.context_tokens),
            model.license,
            "[green]fits[/]" if fits(model) else "[red]too large[/]",
            f"{len(model.bedrock.reachable_from)} regions" if model.bedrock else "[dim]no[/]",
        )
    console(no_color=no_color).print(table)


def as_data(model: Model) -> Mapping[str, object]:
    """One model for programs; sizes are decimal text in GB of 10^9 bytes."""
    needed = vram_needed_gb(model, model.context_tokens)
    return {
        "id": model.id,
        "identity": identity_of_weights(model),
        "weights": model.weights,
        "revision": model.revision,
        "revision_verified": model.revision_verified,
        "precision": model.precision,
        "parameters_billion": str(model.parameters_billion),
        "weights_gb": str(model.weights_gb),
        "context_tokens": model.context_tokens,
        "native_context_tokens": model.native_context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "license": model.license,
        "owner": model.owner,
        "created": model.created,
        "gpu_memory_gb": str(needed),
        "fits": {
            L4.name: {"fits": fits(model, L4), "largest_context_tokens": largest_context(model, L4)}
        },
        "bedrock": _offer(model.bedrock),
        "sources": list(model.sources),
    }


def _offer(offer: BedrockOffer | None) -> Mapping[str, object] | None:
    if offer is None:
        return None
    return {
        "model_id": offer.model_id,
        "regions": sorted(offer.regions),
        "unverified_regions": sorted(offer.unverified_regions),
        "profiles": {profile: sorted(regions) for profile, regions in offer.profiles.items()},
        "regions_as_of": offer.regions_as_of.isoformat(),
        "sources": list(offer.sources),
    }
