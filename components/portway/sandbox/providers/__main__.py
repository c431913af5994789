"""``python -m portway.sandbox.providers <package>``: one stand-in plugin process."""

import importlib
import json
import logging
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from portway.errors import PortwayError
from portway.sandbox.faults import Faults
from portway.sandbox.layout import Layout
from portway.sandbox.providers.cloud import Cloud
from portway.sandbox.providers.foreign import Foreign
from portway.sandbox.providers.protocol import serve
from portway.sandbox.providers.server import Provider
from portway.sandbox.store import Store

# package → the module that has `embedded(store, root)`, which makes its Cloud
CLOUDS = {
    "aws": "portway.sandbox.providers.amazon",
    "gcp": "portway.sandbox.providers.google",
    "kubernetes": "portway.sandbox.providers.kubernetes",
    "random": "portway.sandbox.providers.randomness",
}


def load(package: str, store: Store, root: Path) -> Cloud:
    """The embedded cloud of ``package``, over ``store``, with its files beneath ``root``.

    A package without one can be previewed and not deployed.
    """
    if package not in CLOUDS:
        return Foreign(store, package)
    cloud: Cloud = importlib.import_module(CLOUDS[package]).embedded(store, root)
    return cloud


def installed_version(package: str) -> str:
    """The version of the plugin that the installed SDK of ``package`` asks for."""
    found = find_spec(f"pulumi_{package.replace('-', '_')}")
    if found is None or found.origin is None:
        return "0.0.0"
    document = json.loads((Path(found.origin).parent / "pulumi-plugin.json").read_text())
    return str(document["version"])


def main(arguments: list[str]) -> int:
    """Serve one package until the engine ends; the engine's address, if given, is not needed."""
    if not arguments or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", arguments[0]):
        sys.stderr.write(f"usage: python -m portway.sandbox.providers {{{'|'.join(CLOUDS)}|…}}\n")
        return 2
    package = arguments[0]
    try:
        layout = Layout.from_environment()
        layout.create()
        logging.basicConfig(
            filename=layout.logs / f"provider-{package}.log",
            format="%(asctime)s %(process)d %(levelname)s %(message)s",
        )
        store = Store(layout.store)
        cloud = load(package, store, layout.root)
        faults = Faults.load(layout.faults, store, layout.rehearsed)
        cloud.quotas = faults.quotas
    except PortwayError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    serve(Provider(cloud, installed_version(package), faults))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
