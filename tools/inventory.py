#!/usr/bin/env python3
"""Write, or with ``--check`` compare, what the pinned SDKs say of places.

Three things are made of the text of the installed provider SDKs and of ``located/classes.json``, which
is kept by hand: the lists of located types and the rows of judged properties, which the gate reads,
and the inventory of every input that can say where data is, each with what becomes of it.
"""

import argparse
import sys
from pathlib import Path

from located.classes import Classes
from located.sdk import UnreadableSdk
from located.write import Inventory, problems, says_the_same, take, texts

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 40


def main() -> int:
    """0 when all is as the SDKs say (or was written), 1 when not, or when a pair has no class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    try:
        inventory = take(Classes.read())
    except UnreadableSdk as error:
        return _complain([str(error)])
    wrong = problems(inventory)
    if wrong:
        return _complain(wrong)
    made = texts(inventory)
    if is_check:
        stale = [file for file, text in made.items() if not says_the_same(_text(file), text)]
        if stale:
            return _complain([f"{file}: not what the SDKs say" for file in stale])
        if any(_text(file) != text for file, text in made.items()):
            sys.stdout.write("tables judge other pairs by now; make inventory writes it down\n")
    else:
        for file, text in made.items():
            (ROOT / file).write_text(text, encoding="utf-8")
    _tell(inventory)
    return 0


def _text(file: str) -> str:
    return (ROOT / file).read_text("utf-8") if (ROOT / file).exists() else ""


def _complain(wrong: list[str]) -> int:
    more = [f"and {len(wrong) - LONGEST} more"] if len(wrong) > LONGEST else []
    sys.stderr.write("\n".join([*wrong[:LONGEST], *more, "mend it, then run: make inventory\n"]))
    return 1


def _tell(inventory: Inventory) -> None:
    for line in inventory.summary():
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
