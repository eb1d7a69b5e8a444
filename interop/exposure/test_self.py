"""The archive looks at its own doors as a stranger would, before it opens them and whenever asked."""
import json
import subprocess

import pytest
from audit import CLEAN, Audit, scope_text
from leadglass import BINARY


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    from leadglass import Archive
    archive = Archive(tmp_path_factory.mktemp("self") / "data").start()
    yield archive
    archive.stop()
    archive.remove()


def test_a_running_archive_has_no_finding(archive, tmp_path):
    out = tmp_path / "look"
    done = subprocess.run([str(BINARY), "exposure", "self", "--data", str(archive.data_dir), "--out", str(out)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == CLEAN, done.stdout + done.stderr
    report = json.loads((out / "report.json").read_text())
    outcomes = [outcome for system in report["systems"] for service in system["services"]
                for outcome in service["outcomes"]]
    assert [outcome for outcome in outcomes if outcome["state"] == "finding"] == []
    passed = {outcome["check"] for outcome in outcomes if outcome["state"] == "pass"}
    assert {"T-02", "T-08", "W-02", "N-01"} <= passed, "what is not looked at is not closed"
    assert {service["speaks"] for system in report["systems"] for service in system["services"]} == {"tls", "https"}


def test_the_doors_were_rehearsed_before_they_were_bound(archive):
    rehearsed = archive.data_dir / "self-audit" / "run.log"
    assert rehearsed.exists() and rehearsed.stat().st_size > 0


def test_a_scope_file_over_the_archive_says_the_same(archive, tmp_path):
    """The way a hospital's auditor does it: from a scope file, with nothing known of the archive."""
    port = int(archive.https.rsplit(":", 1)[1])
    scope = scope_text([{"label": "archive", "addresses": ["127.0.0.1"], "ports": [archive.port, port],
                         "expected_ports": [archive.port, port], "called_ae": archive.ae}],
                       trusted=[str(archive.ca)])
    audit = Audit(tmp_path, scope, expect=(CLEAN,))
    assert audit.findings("archive") == set()
