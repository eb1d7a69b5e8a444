"""DICOMweb, portals, listings and consoles: for each target, what must be found and what must pass. Wrong on none.

Of the checks W and A, whatever is in neither list of a target must be neither there: it does not apply, cannot be told
or was not asked.
"""
import shutil
from urllib.parse import urlsplit

import pytest
import requests
import web_targets
from audit import FINDINGS, Audit, scope_text

pytestmark = pytest.mark.skipif(not all(map(shutil.which, web_targets.NEEDED)), reason="needs Orthanc, nginx and lighttpd")

ASKS = "W-02 W-03/wado-rs W-03/wado-uri W-04 W-05 W-06 W-07 W-10 W-11"
# What must be found, as CHECK SEVERITY, and what must pass.
TABLE = {
    "orthanc-stock": (
        "W-01 high, W-02 critical, W-03/wado-rs critical, W-04 high, W-05 high, W-11 high, A-01 critical, A-02 high",
        "W-07 W-09 W-10"),
    "orthanc-delivered": ("W-01 high", ASKS + " W-09 A-01"),
    "orthanc-hardened": ("", ASKS + " W-01 W-09 A-01"),
    "nginx-listing": ("W-01 high, W-08 low, W-09 info, W-10 critical", ""),
    "nginx-no-listing": ("W-01 high, W-09 info", "W-10"),
    "nginx-careless": ("W-01 high, W-08 medium, W-09 info", "W-10"),
    "nginx-careful": ("", "W-01 W-08 W-09 W-10"),
    "nginx-to-https": ("W-09 info", "W-01 W-10"),
    "nginx-basic": ("W-01 high, W-09 info", ASKS),
    "lighttpd-listing": ("W-01 high, W-08 low, W-09 info, W-10 critical", ""),
    "lighttpd-webdav": ("W-01 high, W-09 info", "W-10"),
    "python-listing": ("W-01 high, W-08 low, W-09 info, W-10 critical", ""),
    "dcm4chee": (
        "W-01 high, W-02 critical, W-03/wado-rs critical, W-05 high, W-06 critical, W-11 high, A-03 critical",
        "W-07 W-09 W-10"),
    "dcm4chee-secured": ("W-01 high", "W-02 W-03/wado-rs W-05 W-06 W-07 W-09 W-10 W-11 A-03"),
    "dicoogle": ("W-01 high, W-08 low, A-04 high", "W-09 W-10"),
    "conquest": ("W-01 high, A-04 high", "W-09 W-10"),
    "meddream": ("W-01 high, W-08 low, W-11 high, A-04 high", "W-09 W-10"),
    "meddream-log-in": ("W-01 high, W-08 medium", "W-09 W-10 A-04"),
    "yes-page": ("W-01 high, W-08 low", "W-09 W-10"),
    "yes-json": ("W-01 high", "W-09 W-10"),
    "half-closed": ("W-01 high, W-03/wado-rs critical, W-03/wado-uri critical",
                    "W-02 W-05 W-06 W-07 W-09 W-10 W-11"),
    # Doors that hide from whoever looks once: none of them may pass.
    "cors-filter": ("W-01 high, W-02 critical, W-03/wado-rs critical, W-06 critical", "W-07 W-09 W-10"),
    "second-base": ("W-01 high, W-02 critical, W-03/wado-rs critical", "W-07 W-09 W-10"),
    "to-https-but-served": ("W-01 high, W-02 critical", "W-07 W-09 W-10"),
    "associates": ("W-01 high", "W-09 W-10"),
    "any-origin": ("W-01 high, W-02 critical, W-03/wado-rs critical, W-07 high, "
                   "W-02/1 critical, W-03/1 critical, W-12/1 high, W-12/3 high",
                   "W-07/1 W-09 W-10 W-10/1 W-12/2"),
}


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    started = web_targets.start_all(tmp_path_factory.mktemp("web"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def audited(targets, tmp_path_factory):
    """One run over all targets, with Orthanc holding studies, and its counters before and after."""
    for path in sorted(web_targets.images(targets.directory).glob("*.dcm")):
        requests.post(targets.url("orthanc-stock", "/instances"), data=path.read_bytes(), timeout=30).raise_for_status()
    before = statistics(targets)
    audit = Audit(tmp_path_factory.mktemp("audit"), scope_text(
        [asset(targets, name) for name in TABLE], depth=3, depth_reason="the judges count"),
        expect=(FINDINGS,), timeout=600)
    return audit, before, statistics(targets)


def asset(targets, name):
    address, port = targets.places[name]
    described = {"label": name, "addresses": [address], "ports": [port]}
    if name == "any-origin":
        described["urls"] = [targets.url(name, "/custom/rs")]
        described["share_links"] = [targets.url(name, "/share/old"), targets.url(name, "/share/ended"),
                                    targets.url(name, "/share/get-only")]
    return described


def statistics(targets):
    return requests.get(targets.url("orthanc-stock", "/statistics"), timeout=30).json()


def rows(outcomes, state):
    """The rows of the web and product families that ended so: a part or a place in a list after a slash."""
    found = set()
    for outcome in outcomes:
        facet = outcome.get("facet")
        part = "/" + str(next(iter(facet.values()))) if isinstance(facet, dict) else ""
        severity = f" {outcome['severity']}" if state == "finding" else ""
        if outcome["state"] == state and outcome["check"][0] in "WA":
            found.add(outcome["check"] + part + severity)
    return found


@pytest.mark.parametrize("name", TABLE)
def test_each_target_ends_as_reviewed(audited, name):
    audit, _, _ = audited
    must_find, must_pass = TABLE[name]
    outcomes = audit.outcomes(name)
    assert rows(outcomes, "finding") == {row for row in must_find.split(", ") if row}
    assert rows(outcomes, "pass") == set(must_pass.split())


def test_nothing_was_changed_anywhere(audited):
    _, before, after = audited
    assert before["CountInstances"] > 0 and before == after
    assert web_targets.CHANGES == []


def test_counters_tell_how_much_is_open(audited):
    audit, before, _ = audited
    assert audit.system("orthanc-stock")["studies"] == before["CountStudies"]
    assert audit.system("dcm4chee")["studies"] == 4711


def test_four_bytes_tell_a_listing_of_images(audited):
    audit, _, _ = audited
    for name in ("nginx-listing", "lighttpd-listing", "python-listing"):
        evidence, = [outcome["evidence"] for outcome in audit.outcomes(name, check="W-10")]
        assert evidence["dicom-names"] == {"count": 5} and evidence["dicom-prefix"] == {"flag": True}, name


def test_no_name_came_out(audited):
    audit, _, _ = audited
    written = audit.written()
    for planted in (b"PLANTED", b"Planted Clinic", b"IM0000", b"realm"):
        assert planted not in written, planted


def test_delivered_credentials_are_found_when_the_owner_asks(targets, tmp_path):
    names = ["orthanc-delivered", "orthanc-hardened"]
    audit = Audit(tmp_path, scope_text(
        [asset(targets, name) for name in names], depth=4, depth_reason="the judges try",
        tables="\n[credentials]\ntry_default = true\nlockout = 5\n"), expect=(FINDINGS,), timeout=300)
    found = {name: {row for row in rows(audit.outcomes(name), "finding") if row[:4] in ("A-05", "A-06")} for name in names}
    assert found == {"orthanc-delivered": {"A-06 critical"}, "orthanc-hardened": set()}
    assert b"orthanc:orthanc" not in audit.written()


def test_our_own_archive_shows_nothing(empty_archive, tmp_path):
    place = urlsplit(empty_archive.https)
    audit = Audit(tmp_path, scope_text([{"label": "ours", "addresses": ["127.0.0.1"], "ports": [place.port]}]))
    assert rows(audit.outcomes("ours"), "finding") == set()
    assert {"W-01", "W-02"} <= rows(audit.outcomes("ours"), "pass")
