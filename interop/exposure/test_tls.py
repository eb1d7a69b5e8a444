"""TLS of many shapes, looked at in one run: each check of the family says of each what it must, and nothing else.

The table is in `tls_targets`; `RIGHT` is what is said of a server without fault.
"""
import json
import shutil
import subprocess

import pytest
from audit import FINDINGS, Audit, scope_text
from tls_targets import ANY, PLANTED, TLS_1_0, TLS_1_1, ByHand, Targets, said

MOST_TLS_CONNECTIONS = 10
TOGETHER_TIMEOUT_S = 600


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    targets = Targets(tmp_path_factory.mktemp("tls"))
    yield targets
    targets.stop()


@pytest.fixture(scope="module")
def audit(targets, tmp_path_factory):
    scope = scope_text(targets.assets, trusted=targets.trusted)
    return Audit(tmp_path_factory.mktemp("audit"), scope, expect=(FINDINGS,), timeout=TOGETHER_TIMEOUT_S)


def test_each_server_gets_what_it_deserves(targets, audit):
    wrong = {}
    for label, expected in targets.expected.items():
        got = said(audit.outcomes(label))
        for check in sorted(set(expected) | set(got)):
            if expected.get(check) not in (got.get(check), ANY):
                wrong.setdefault(label, []).append(f"{check}: {got.get(check)}, not {expected.get(check)}")
    assert not wrong, json.dumps(wrong, indent=2)


def test_names_in_certificates_stay_where_they_are(audit):
    assert PLANTED.encode() not in audit.written()


def test_a_server_is_not_asked_more_than_it_bears(targets, tmp_path):
    """What this family connects for; other families speak TLS too, in connections of their own."""
    pair = targets.certificates.make("counted")
    server = ByHand("127.7.9.1", pair, [TLS_1_0, TLS_1_1, 0x0303], [0x002F, 0x000A, 0x0005, 0x0033, 0x009E, 0x0001, 0x0034])
    try:
        asset = {"label": "counted", "addresses": [server.address], "ports": [server.port]}
        audit = Audit(tmp_path, scope_text([asset]), expect=(FINDINGS,))
        hand_made = server.connections
        assert 0 < hand_made <= MOST_TLS_CONNECTIONS + 2  # the greetings of two other families
        assert {"T-02", "T-03"} <= audit.findings("counted")
    finally:
        server.stop()


@pytest.mark.skipif(not shutil.which("sslscan"), reason="sslscan is not installed")
@pytest.mark.parametrize("label", ["all-versions", "static-rsa-cbc", "dhe-1024", "right"])
def test_sslscan_sees_the_same(targets, audit, label):
    asset = next(asset for asset in targets.assets if asset["label"] == label)
    done = subprocess.run(["sslscan", "--no-colour", "--no-heartbleed", f"{asset['addresses'][0]}:{asset['ports'][0]}"],
                          capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    enabled = {line.split()[0] for line in lines if line.endswith("enabled") and line.startswith(("SSLv", "TLSv"))}
    suites = [line for line in lines if line.startswith(("Accepted", "Preferred"))]
    assert suites, done.stdout
    ours = said(audit.outcomes(label))
    agreed = lambda version: ours[f"T-02/{version:#06x}"].startswith("finding")
    assert agreed(TLS_1_0) == ("TLSv1.0" in enabled)
    assert agreed(TLS_1_1) == ("TLSv1.1" in enabled)
    static = [line for line in suites if line.split()[4].startswith("AES")]
    assert ours["T-03/static-key"].startswith("finding") == bool(static)
    cbc = [line for line in suites if not any(mode in line for mode in ("GCM", "CHACHA", "CCM", "TLS_"))]
    assert ours["T-03/cbc"].startswith("finding") == bool(cbc)
    short = [line for line in suites if "DHE 1024 bits" in line]
    assert ours["T-04/dhe"].startswith("finding") == bool(short)


def test_our_own_archive_has_nothing_to_be_found(empty_archive, tmp_path):
    https = int(empty_archive.https.rsplit(":", 1)[1].strip("/"))
    asset = {"label": "own", "addresses": [empty_archive.host], "ports": [https, empty_archive.port]}
    audit = Audit(tmp_path, scope_text([asset], trusted=[str(empty_archive.ca)]))
    outcomes = [outcome for outcome in audit.outcomes("own") if outcome["check"].startswith("T-")]
    not_right = [outcome for outcome in outcomes if outcome["state"] not in ("pass", "not-applicable")]
    assert outcomes and not not_right
    dimse = said(audit.outcomes("own", port=empty_archive.port))
    assert (dimse["T-07"], dimse["T-08"]) == ("pass", "pass")
