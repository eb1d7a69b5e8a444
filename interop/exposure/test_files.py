"""File trees: counts exact, the median right, and no name anywhere.

The audit looks through `leadglass exposure run`; while only the walk is built, through its example.
"""
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from audit import FINDINGS, Audit, scope_text
from leadglass import BINARY, EXAMPLES
from trees import COUNTRIES, FILES, LARGE, LARGE_FILES, PLANTED, ROOTS, instance, make

NOBODY = 65534
MADE_WITHIN_S = 30


def has_command_line():
    if not BINARY.exists():
        return False
    help_text = subprocess.run([str(BINARY), "exposure", "run", "--help"], capture_output=True, text=True)
    return help_text.returncode == 0


def look(directory, roots, countries=None, user=None):
    """Trees of a report, by root; and every byte that was written."""
    if has_command_line() and user is None:
        paths = {}
        for at, root in enumerate(roots):
            paths.setdefault(countries[at] if countries else "XX", []).append(root)
        assets = [{"label": f"shares {name}", "class": "share", "paths": some, "country": name}
                  for name, some in paths.items()]
        audit = Audit(directory, scope_text(assets), expect=(FINDINGS,))
        order = {asset["label"]: asset["paths"] for asset in assets}
        trees = {order[tree["label"]][tree["root"]]: tree for tree in audit.report["trees"]}
        return trees, audit.written()
    command = [str(EXAMPLES / "walk_bench"), "--report", *map(str, roots)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300, user=user)
    trees = {roots[tree["root"]]: tree for tree in json.loads(done.stdout)["trees"]}
    return trees, done.stdout + done.stderr


def outcome(tree, check):
    return next(outcome for outcome in tree["outcomes"] if outcome["check"] == check)


def number(tree, check, name):
    return outcome(tree, check)["evidence"][name]["count"]


@pytest.fixture(scope="module")
def world():
    """The world, and how long it took to make; it goes when the judges are done."""
    # In memory where that can be had: removing 45,000 files from a busy disk takes minutes.
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="leadglass-trees-", dir=parent))
    # What lies below a folder that others may not pass is open to nobody.
    directory.chmod(0o755)
    started = time.process_time()
    made = make(directory)
    yield made, time.process_time() - started
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def seen(world, tmp_path_factory):
    made, _ = world
    roots = [root.path for root in made.roots]
    return look(tmp_path_factory.mktemp("trees"), roots, [root.country for root in made.roots])


def test_the_world_is_the_one_of_2020(world):
    made, seconds = world
    assert seconds < MADE_WITHIN_S
    assert (len(made.roots), sum(root.files for root in made.roots)) == (ROOTS, FILES) == (2_140, 45_000)
    assert len(made.by_country()) == COUNTRIES == 67
    assert sum(root.files >= LARGE_FILES for root in made.roots) == LARGE == 12


def test_the_generator_counts_elements_as_pydicom_does():
    for elements in (150, 200, 250):
        dataset = pydicom.dcmread(BytesIO(instance(elements, PLANTED[0], "2.25.1")))
        assert sum(element.tag.group < 0x7FE0 for element in dataset.iterall()) == elements


def test_counts_are_exact_in_each_root_and_country(world, seen):
    made, _ = world
    trees, _ = seen
    assert len(trees) == ROOTS
    countries = Counter()
    for root in made.roots:
        tree = trees[root.path]
        assert (tree["dicom_files"], tree["files"], tree["unreadable"]) == (root.files, root.files, 0)
        assert number(tree, "F-01", "readable") == root.readable
        assert outcome(tree, "F-01")["state"] == ("finding" if root.readable else "pass")
        assert number(tree, "F-05", "identifying") == root.files
        countries[root.country] += tree["dicom_files"]
    assert countries == made.by_country()
    assert sum(countries.values()) == FILES


def test_the_median_of_elements_is_right_in_each_root(world, seen):
    made, _ = world
    trees, _ = seen
    for root in made.roots:
        assert number(trees[root.path], "F-05", "median-elements") == statistics.median_low(root.elements)
    everything = [elements for root in made.roots for elements in root.elements]
    assert 195 <= statistics.median_low(everything) <= 205


def test_each_attribute_is_counted(world, seen):
    made, _ = world
    trees, _ = seen
    for root in made.roots:
        tally = outcome(trees[root.path], "F-05")["evidence"]["attributes"]["tally"]
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "AccessionNumber",
                        "InstitutionName", "ReferringPhysicianName", "SOPInstanceUID", "PrivateAttributes"):
            assert tally[keyword] == root.files, keyword


def test_no_name_comes_out(world, seen):
    _, written = seen
    for name in PLANTED:
        assert name.encode() not in written
    assert b"leadglass-trees-" not in written, "not even where the trees are"


def test_folders_and_files_that_may_not_be_read_are_counted():
    """As a user who may not: root may everything."""
    directory = Path(tempfile.mkdtemp(prefix="leadglass-shut-"))
    try:
        directory.chmod(0o755)
        for name, mode in (("open", 0o755), ("shut", 0o700)):
            (directory / name).mkdir()
            for at in range(3):
                path = directory / name / f"{at}.dcm"
                path.write_bytes(instance(200, PLANTED[0], "2.25.1"))
                path.chmod(0o600 if at == 0 else 0o644)
            (directory / name).chmod(mode if os.geteuid() == 0 or mode == 0o755 else 0)
        if os.geteuid() != 0:
            (directory / "open" / "0.dcm").chmod(0)
        trees, written = look(directory, [directory], user=NOBODY if os.geteuid() == 0 else os.geteuid())
        tree = trees[directory]
        missed = outcome(tree, "F-04")["evidence"]["not-looked-at"]["tally"]
        assert missed == {"unreadable-files": 1, "unreadable-folders": 1}
        assert (tree["files"], tree["dicom_files"], tree["unreadable"]) == (3, 2, 2)
        assert PLANTED[0].encode() not in written
    finally:
        (directory / "shut").chmod(0o700)
        shutil.rmtree(directory)
