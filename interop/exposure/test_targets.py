"""One table of what the audit must say of nine kinds of target: reviewed.txt, wrong on none.

A cell is the worst state that a check ended in, over the target's ports and parts:
F finding, P pass, R refused before, E error, S skipped by policy, - not applicable, . not asked.
`LEADGLASS_REVIEW=1 pytest interop/exposure/test_targets.py` writes the table anew, to be read again.
"""
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
import web_targets
from audit import FINDINGS, Audit, scope_text
from dicom_targets import HARDENED, PLANTED, PLANTED_ID, dcmqrscp, fill_orthanc, orthanc, storescp
from leadglass import Archive
from services import Services

REVIEWED = Path(__file__).parent / "reviewed.txt"
LETTERS = {"finding": "F", "pass": "P", "refused-before": "R", "error": "E", "skipped-by-policy": "S",
           "not-applicable": "-"}
TARGETS = ["orthanc-stock", "orthanc-hardened", "orthanc-hardened-web", "dcmqrscp", "storescp", "nginx-listing",
           "redis-open", "ftp-anonymous", "webdav-open", "leadglass"]
DEPTH_4 = {"depth": 4, "depth_reason": "the anonymous log-in of FTP is a log-in"}
CREDENTIALS = "\n[credentials]\ntry_blank = true\ntry_default = false\nlockout = 5\n"


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reviewed")
    assets = []
    with ExitStack() as stack:
        def target(label, ports, **asset):
            assets.append({"label": label, "addresses": [f"127.79.0.{len(assets) + 1}"], "ports": list(ports),
                           "depth": 2, **asset})

        dicom, http = stack.enter_context(orthanc(directory / "stock", Plugins=["libOrthancDicomWeb.so"]))
        fill_orthanc(http)
        target("orthanc-stock", (dicom, http), called_ae="ORTHANC")
        dicom, _ = stack.enter_context(orthanc(directory / "hardened", **HARDENED))
        target("orthanc-hardened", (dicom,), called_ae="SECURED", known_calling_ae="CT1")
        web = web_targets.Targets(directory)
        stack.callback(web.stop)
        web_targets.nginx(web, web_targets.orthanc_hardened(web))
        for label, name in (("orthanc-hardened-web", "orthanc-hardened"), ("nginx-listing", "nginx-listing")):
            address, port = web.places[name]
            assets.append({"label": label, "addresses": [address], "ports": [port], "depth": 2})
        target("dcmqrscp", (stack.enter_context(dcmqrscp(directory / "qr")),), called_ae="COMMON")
        target("storescp", (stack.enter_context(storescp(directory / "store")),), called_ae="STORESCP")
        services = Services(directory, "127.81.0")
        stack.callback(services.stop)
        assets += [services.redis("redis-open").asset() | {"depth": 2},
                   services.vsftpd("ftp-anonymous", anonymous=True).asset(),
                   services.webdav("webdav-open", closed=False).asset() | {"depth": 2}]
        archive = Archive(directory / "archive").start()
        stack.callback(archive.remove)
        stack.callback(archive.stop)
        https = int(archive.https.rsplit(":", 1)[1])
        assets.append({"label": "leadglass", "addresses": ["127.0.0.1"], "ports": [archive.port, https],
                       "expected_ports": [archive.port, https], "called_ae": archive.ae, "depth": 2})
        scope = scope_text(assets, **DEPTH_4, tables=CREDENTIALS, trusted=[str(archive.ca)])
        yield Audit(tmp_path_factory.mktemp("audit"), scope, expect=(FINDINGS,))


def table(audit):
    """The audit's outcomes as the text of reviewed.txt."""
    worst = "FREPS-"
    cells = {label: {} for label in TARGETS}
    for label in TARGETS:
        for outcome in audit.outcomes(label):
            row, letter = cells[label], LETTERS[outcome["state"]]
            row[outcome["check"]] = min(row.get(outcome["check"], "-"), letter, key=worst.index)
    checks = sorted({check for row in cells.values() for check in row},
                    key=lambda check: ("NDTWAFVM".index(check[0]), check))
    width = max(map(len, TARGETS)) + 2
    lines = ["".ljust(width) + " ".join(checks)]
    lines += [label.ljust(width) + " ".join(cells[label].get(check, ".").ljust(4) for check in checks).rstrip()
              for label in TARGETS]
    return "\n".join(lines) + "\n"


def test_every_check_says_of_every_target_what_was_reviewed(audited):
    said = table(audited)
    if os.environ.get("LEADGLASS_REVIEW"):
        REVIEWED.write_text(said)
    assert said == REVIEWED.read_text()


def test_what_they_hold_stays_with_them(audited):
    written = audited.written()
    for name in (PLANTED, PLANTED_ID, "19601231"):
        assert name.encode() not in written


def test_stock_orthanc_offers_dicom_queries_and_serves_none(audited):
    """Its REST interface is open; its DICOM door accepts the association and aborts the query."""
    states = audited.states("orthanc-stock")
    assert "finding" in states["D-06"] and "finding" not in states["D-07"]
    assert "finding" in states["A-01"]


def test_our_own_archive_has_no_finding(audited):
    assert audited.findings("leadglass") == set()
