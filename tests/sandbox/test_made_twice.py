"""What a blind second update could make twice: for everything with a name of ours, nothing.

After an engine or a plugin was killed, a state may not know what its operation made. A plain update
then asks for it again, and only the cloud can refuse.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from portway.sandbox.layout import Layout
from portway.sandbox.providers.__main__ import load
from portway.sandbox.providers.cloud import Cloud, CloudError, Request
from portway.sandbox.store import Row, Store
from portway.sandbox.unfinished import stack_files, stack_of, strays
from support.sandbox_project import STACKS, SandboxProject

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

CONFIGURATION = {
    "gcp": {"project": "acme-inference"},
    "aws": {"region": "eu-west-1"},
    "kubernetes": {"context": "prod-eu"},
    "random": {},
}
# Neither cloud lets the caller name a version of a secret, and a random value is in no cloud at all.
# A second version holds the same key as the first; `portway sandbox status` shows the one left over.
# An action of a budget gets an id of Amazon's own: a second one attaches the same policy once more.
# A dashboard gets an id of Google's own; a second one shows the same and costs nothing.
NAMELESS = {
    "aws:budgets/budgetAction:BudgetAction",
    "gcp:monitoring/dashboard:Dashboard",
    "gcp:secretmanager/secretVersion:SecretVersion",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "random:index/randomPassword:RandomPassword",
}


def copy_database(original: Path, copied: Path) -> None:
    """As SQLite copies a database that others write to: its files come and go meanwhile."""
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copied)) as target:
        source.backup(target)


@pytest.fixture
def copy(deployed: SandboxProject, tmp_path: Path) -> Layout:
    """The clouds as they are now, to do harm to."""
    original, copied = Layout.of_project(deployed.folder), Layout(tmp_path / ".portway")
    copied.create()
    copy_database(original.store, copied.store)
    shutil.copytree(original.root / "objects", copied.root / "objects")
    shutil.copytree(original.state, copied.state, dirs_exist_ok=True)
    return copied


def cloud_of(row: Row, layout: Layout) -> Cloud:
    cloud = load(row.key.cloud, Store(layout.store), layout.root)
    cloud.configure(CONFIGURATION[row.key.cloud])
    return cloud


def refuses_a_second(row: Row, layout: Layout) -> bool:
    try:
        cloud_of(row, layout).create(Request(urn=row.urn, type=row.key.type, inputs=row.inputs))
    except CloudError:
        return True
    return False


@pytest.mark.parametrize("stack", STACKS)
def test_the_cloud_refuses_a_second_copy_of_everything_that_we_name(
    stack: str, copy: Layout
) -> None:
    store = Store(copy.store)
    rows = [row for row in store.all() if stack_of(row) == stack]
    assert len(rows) > 9
    made = {row.key.type for row in rows if not refuses_a_second(row, copy)}
    assert made == NAMELESS & {row.key.type for row in rows}
    left_over = strays(store.all(), stack_files(copy.state))
    assert {row.key.type for row in left_over} == made
