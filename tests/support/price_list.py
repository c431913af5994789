"""A price list of AWS with made-up prices, in the documented shape, and a server on loopback for it."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEADS = (
    "SKU", "OfferTermCode", "RateCode", "TermType", "PriceDescription", "EffectiveDate", "StartingRange",
    "EndingRange", "Unit", "PricePerUnit", "Currency", "Product Family", "serviceCode", "Location",
    "Location Type", "Instance Type", "Tenancy", "Operating System", "Pre Installed S/W", "CapacityStatus",
    "Group", "usageType", "operation",
)  # fmt: skip
IRELAND = {"TermType": "OnDemand", "Currency": "USD", "StartingRange": "0", "EndingRange": "Inf",
           "Location": "EU (Ireland)", "Product Family": "Serverless"}  # fmt: skip


def price_list(offer: str, *rows: Mapping[str, str], published: str = "2026-11-19") -> str:
    about = [
        ("FormatVersion", "v1.0"),
        ("Disclaimer", "This pricing list is for informational purposes only, say its makers."),
        ("Publication Date", f"{published}T16:02:58Z"),
        ("Version", "20261119160258"),
        ("OfferCode", offer),
    ]
    table = [[{**IRELAND, **row}.get(head, "") for head in HEADS] for row in rows]
    return "".join(",".join(f'"{one}"' for one in line) + "\n" for line in (*about, HEADS, *table))


def duration(sku: str, group: str, *tiers: tuple[str, str, str], unit: str = "Lambda-GB-Second",
             location: str = "EU (Ireland)") -> list[Mapping[str, str]]:  # fmt: skip
    """The rows of one graduated price: (from, to, USD)."""
    return [
        {"SKU": sku, "Group": group, "StartingRange": low, "EndingRange": high, "Unit": unit,
         "PricePerUnit": usd, "Location": location}
        for low, high, usd in tiers
    ]  # fmt: skip


@contextmanager
def served(files: Mapping[str, str], *, busy_first: int = 0) -> Generator[str]:
    """The address of a server that has ``files`` by path, after ``busy_first`` answers of 503."""
    left = [busy_first]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = files.get(self.path)
            if left[0]:
                left[0] -= 1
                self.send_error(503)
            elif text is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
