"""The command by itself: who may read what a run writes, whose signatures hold, which files are taken.

No target is needed: the run walks one folder.
"""
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from audit import CLEAN, FINDINGS, INCOMPLETE, USAGE, Audit, scope_text
from leadglass import BINARY

DICOM = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"


@pytest.fixture
def folder():
    """A tree with one file that everyone may read, in a folder that a name is planted in."""
    with tempfile.TemporaryDirectory(prefix="leadglass-command-") as directory:
        images = Path(directory) / "PLANTED^JANE"
        images.mkdir()
        (images / "a.dcm").write_bytes(DICOM)
        for path in [images.parent, images, images / "a.dcm"]:
            path.chmod(0o755)
        yield images.parent


def scope_of(folder):
    return scope_text([{"label": "tree", "class": "share", "paths": [folder]}], vantage="host")


@pytest.fixture
def audit(folder, tmp_path):
    return Audit(tmp_path / "audit", scope_of(folder), "--format", "html,csv,sarif,junit", "--paths",
                 "--key-file", tmp_path / "hashes.key")


def call(*arguments, expect):
    """Calls the command, bounded: nothing here may wait for anybody."""
    command = [BINARY, "exposure", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode in expect, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def key_of(said):
    return re.search(r"signed by ([0-9a-f]{64})", said).group(1)


def mode(path):
    return path.stat().st_mode & 0o777


def test_only_its_owner_reads_what_a_run_writes(audit, tmp_path):
    written = [path for path in audit.out.rglob("*") if path.is_file()]
    names = {path.name for path in written}
    assert {"report.json", "run.log", "paths.tsv", "report.html", "report.csv"} <= names, names
    assert {path.name: mode(path) for path in written} == {path.name: 0o600 for path in written}
    assert mode(audit.out) == 0o700
    assert mode(tmp_path / "hashes.key") == 0o600


def test_paths_stand_in_their_own_file_and_nowhere_else(audit, folder, tmp_path):
    tree, = audit.report["trees"]
    found = next(outcome for outcome in tree["outcomes"] if outcome["check"] == "F-01")
    assert found["state"] == "finding"
    told = dict(line.split("\t") for line in (audit.out / "paths.tsv").read_text().splitlines())
    assert told == {found["evidence"]["example-folder"]["hash"]: str(folder / "PLANTED^JANE")}
    others = [path for path in audit.out.iterdir() if path.name != "paths.tsv"]
    assert not any(b"PLANTED" in path.read_bytes() for path in others)
    without = Audit(tmp_path / "without", scope_of(folder))
    assert not (without.out / "paths.tsv").exists()
    assert b"PLANTED" not in without.written()


def test_a_run_is_verified_from_its_log_to_its_signature(audit, tmp_path):
    said = call("verify", audit.out, expect=[CLEAN])
    assert "unbroken chain" in said and "not signed" in said
    key = tmp_path / "auditor.key"
    auditor = key_of(call("sign", audit.out / "report.json", "--key", key, "--new-key", expect=[CLEAN]))
    assert mode(key) == 0o600
    assert auditor in call("verify", audit.out, "--signer", auditor, expect=[CLEAN])
    call("verify", audit.out, "--signer", "ab" * 32, expect=[USAGE])

    report = audit.out / "report.json"
    whole, signature = report.read_bytes(), (audit.out / "report.json.sig").read_bytes()
    report.write_bytes(whole.replace(b'"tree"', b'"free"'))
    call("verify", audit.out, expect=[USAGE])
    (audit.out / "report.json.sig").unlink()
    call("verify", audit.out, expect=[USAGE])
    report.write_bytes(whole)
    call("verify", audit.out, expect=[CLEAN])
    call("verify", audit.out, "--signer", auditor, expect=[USAGE])
    (audit.out / "report.json.sig").write_bytes(signature)

    log = audit.out / "run.log"
    lines = log.read_bytes()
    log.write_bytes(lines.replace(b'"finding"', b'"pass"', 1))
    call("verify", audit.out, expect=[USAGE])
    log.write_bytes(lines[:-20])
    call("verify", audit.out, expect=[INCOMPLETE])


def test_a_run_and_a_comparison_take_only_the_demanded_signature(folder, audit, tmp_path):
    scope, key = tmp_path / "scope.toml", tmp_path / "officer.key"
    scope.write_text(scope_of(folder))
    run = ["run", "--scope", scope, "--out"]
    call(*run, tmp_path / "unsigned", "--signer", "ab" * 32, expect=[USAGE])
    officer = key_of(call("scope", "sign", scope, "--key", key, "--new-key", expect=[CLEAN]))
    call(*run, tmp_path / "signed", "--signer", officer, expect=[FINDINGS])
    assert json.loads((tmp_path / "signed" / "report.json").read_text())["scope"]["signed_by"] == officer
    call(*run, tmp_path / "another", "--signer", "ab" * 32, expect=[USAGE])
    assert not (tmp_path / "unsigned").exists() and not (tmp_path / "another").exists()

    reports = [audit.out / "report.json", tmp_path / "signed" / "report.json"]
    for report in reports:
        call("diff", *reports, "--signer", officer, expect=[USAGE])
        call("sign", report, "--key", key, expect=[CLEAN])
    call("diff", *reports, "--signer", officer, expect=[CLEAN, FINDINGS])
    for command in (["fleet", *reports], ["report", reports[0]]):
        call(*command, "--out", tmp_path / "out", "--signer", "ab" * 32, expect=[USAGE])


@pytest.mark.parametrize("option", ["--import", "--key-file", "--rules", "--baseline", "--before"])
def test_a_pipe_or_device_is_refused_at_once(option, folder, tmp_path):
    scope, pipe = tmp_path / "scope.toml", tmp_path / "pipe"
    scope.write_text(scope_of(folder))
    os.mkfifo(pipe, 0o600)
    for path in [pipe, "/dev/zero", folder]:
        said = call("run", "--scope", scope, "--out", tmp_path / "out", option, path, expect=[USAGE])
        assert "it is not a regular file" in said, said
    assert not (tmp_path / "out").exists()
