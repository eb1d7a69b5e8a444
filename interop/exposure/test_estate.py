"""The estate of 2,300 systems, as the scan of 2019 found the world: the audit says what that scan said."""
import json
import os
import random
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from audit import CLEAN, FINDINGS, INCOMPLETE, Audit, stamp
from leadglass import BINARY, EXAMPLES

RUN_TIMEOUT_S = 900
# Runs with one seed and one key come to the same bytes.
KEY = Path(tempfile.mkdtemp(prefix="leadglass-audit-")) / "key"
SAME = ("--seed", "7", "--key-file", str(KEY))


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """The estate, answering; its manifest and its scope file."""
    directory = tmp_path_factory.mktemp("estate")
    process = subprocess.Popen([str(EXAMPLES / "estate"), "--dir", str(directory)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    now = datetime.now(timezone.utc)
    scope = (directory / "scope.toml").read_text()
    scope = scope.replace("VALID_FROM", stamp(now - timedelta(hours=1)))
    scope = scope.replace("VALID_UNTIL", stamp(now + timedelta(hours=12)))
    yield json.loads((directory / "manifest.json").read_text()), scope
    process.stdin.close()
    process.wait(10)


@pytest.fixture(scope="module")
def audited(estate, tmp_path_factory):
    manifest, scope = estate
    return manifest, Audit(tmp_path_factory.mktemp("audit"), scope, *SAME, expect=(FINDINGS,), timeout=RUN_TIMEOUT_S)


def fleet(audit):
    """What the fleet view makes of the one report."""
    out = audit.directory / "fleet"
    subprocess.run([str(BINARY), "exposure", "fleet", str(audit.out / "report.json"), "--out", str(out)],
                   check=True, capture_output=True, timeout=60)
    return json.loads((out / "fleet.json").read_text())


def test_590_of_2300_are_open(audited):
    manifest, audit = audited
    opens = [system for system in audit.report["systems"] if is_open(system)]
    assert (len(audit.report["systems"]), len(opens)) == (2300, 590)
    html = (audit.out / "report.html").read_text()
    assert "590" in html and "25.7" in html
    assert manifest["open"] == 590


def is_open(system):
    opens = {"D-07", "D-08", "W-02", "W-03", "W-06", "W-10", "A-01", "A-03"}
    return any(outcome["state"] == "finding" and outcome["check"] in opens
               for service in system["services"] for outcome in service["outcomes"])


def test_the_countries_add_up(audited):
    manifest, audit = audited
    picture = fleet(audit)
    rows = {row["name"]: row for row in picture["countries"]}
    for country, expected in manifest["countries"].items():
        row = rows[country]
        assert (row["checked"], row["open"], row["studies"]) == (
            expected["checked"], expected["open"], expected["studies"]), country
    assert sum(row["studies"] for row in rows.values()) == 24_300_000


def test_viewers_listings_and_closed_doors_are_told_apart(audited):
    manifest, audit = audited
    kinds = manifest["kinds"]
    found = {}
    for system in audit.report["systems"]:
        for check in {outcome["check"] for service in system["services"] for outcome in service["outcomes"]
                      if outcome["state"] == "finding"}:
            found[check] = found.get(check, 0) + 1
    assert found["W-11"] == kinds["Viewer"] == 39
    assert found["W-10"] == kinds["Listing"] == 4
    assert found["D-07"] == kinds["Orthanc"]
    assert found["A-01"] == kinds["Orthanc"]
    assert "T-07" not in found and "T-08" not in found, "who demands a certificate is not open"


def test_killed_and_resumed_anywhere_says_the_same(estate, audited, tmp_path):
    """SIGINT drains at once with a partial report; a resumed run ends as an uninterrupted one does."""
    _, whole = audited
    _, scope = estate
    run = Interrupted(tmp_path, scope)
    times = 20 if os.environ.get("LEADGLASS_FULL") else 4
    for signal_number in random.Random(7).choices((signal.SIGINT, signal.SIGKILL), k=times):
        run.start()
        run.stop(signal_number)
    run.start()
    assert run.process.wait(RUN_TIMEOUT_S) in (CLEAN, FINDINGS)
    resumed = json.loads((run.out / "report.json").read_text())
    for report in (resumed, whole.report):
        report.pop("times", None)
    assert resumed == {**whole.report}


class Interrupted:
    """A run that is stopped as soon as it has made some way."""

    def __init__(self, directory, scope):
        self.scope, self.out = directory / "scope.toml", directory / "out"
        self.scope.write_text(scope)
        self.process = None

    def start(self):
        resume = ["--resume"] if self.out.exists() else []
        self.process = subprocess.Popen([str(BINARY), "exposure", "run", "--scope", str(self.scope), "--out",
                                         str(self.out), *SAME, *resume],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def size(self):
        log = self.out / "run.log"
        return log.stat().st_size if log.exists() else 0

    def stop(self, signal_number):
        begun = self.size()
        enough = begun + random.Random(begun).randrange(200_000)
        while self.process.poll() is None and self.size() <= enough:
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
        assert self.process.poll() is None, self.process.stderr.read()
        self.process.send_signal(signal_number)
        code = self.process.wait(2 if signal_number == signal.SIGINT else 10)
        assert code == (INCOMPLETE if signal_number == signal.SIGINT else -signal_number)


def test_two_shards_merged_are_one_run(estate, audited, tmp_path):
    _, whole = audited
    _, scope = estate
    with ThreadPoolExecutor() as both:
        shards = list(both.map(lambda number: Audit(tmp_path / f"shard{number}", scope, *SAME, "--shard", f"{number}/2",
                                                    expect=(FINDINGS,), timeout=RUN_TIMEOUT_S), (1, 2)))
    merged = tmp_path / "merged"
    subprocess.run([str(BINARY), "exposure", "merge", *(str(shard.out / "report.json") for shard in shards),
                    "--out", str(merged)], check=False, capture_output=True, timeout=60)
    report = json.loads((merged / "report.json").read_text())
    for one in (report, whole.report):
        one.pop("times", None)
    assert report == whole.report
