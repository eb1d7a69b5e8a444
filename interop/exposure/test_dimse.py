"""Strangers' DICOM servers under the audit: what it must find, what it must pass, wrong on none.

Stock Orthanc accepts the association and every query context of an unknown caller, and aborts
when the query comes: offered (D-06), not open (D-07). Nothing that any of them holds comes out.
"""
from contextlib import ExitStack

import pytest
from audit import FINDINGS, Audit, scope_text
from dicom_targets import (HARDENED, PLANTED, PLANTED_ID, dcmqrscp, fill_orthanc, orthanc, pynetdicom_scp, storescp,
                           storescp_tls, worklist_file)

WORD = {"F": "finding", "P": "pass", "R": "refused-before", "-": "not-applicable", "E": "error",
        "S": "skipped-by-policy", ".": None}

# At depth 2. Read with docs/EXPOSURE.md beside it; a check that is missing here fails the test.
#                       D-01..................................D-14  V1 V2 M1
TABLE = """
check                   1 2 3 4 5 6 7 8 9 10 11 12 13 14        V1 V2 M1
orthanc-stock           F F F S F F P P S R  F  F  S  P         F  -  S
orthanc-hardened        F P P P R R R R S R  R  R  S  R         -  -  S
orthanc-find            F F F S F F F P S F  F  F  S  P         F  -  S
orthanc-worklist        F F F S F F P F S R  F  F  S  P         F  -  S
dcmqrscp                F P F S F F F P S F  F  P  S  P         F  -  S
dcmqrscp-other-title    F P R S R R R R S R  R  R  S  R         -  -  S
storescp                F F F S F P P P S P  F  P  S  P         F  -  S
storescp-tls            P F F S F P P P S P  F  P  S  P         F  -  S
storescp-mutual-tls     P R R S R R R R S R  R  R  S  R         -  -  .
pynetdicom              F F F S F F F F S P  F  P  S  P         F  -  S
pynetdicom-0124         F F F S F F P P S P  F  P  S  P         F  -  S
pynetdicom-matches-all  F F F S F F F F S P  F  P  S  P         F  -  S
pynetdicom-closed       F P P F R R R R S R  R  R  S  R         -  -  F
"""
CHECKS = [f"D-{number:02}" for number in range(1, 15)] + ["V-01", "V-02", "M-01"]
ROWS = {row.split()[0]: dict(zip(CHECKS, row.split()[1:])) for row in TABLE.strip().splitlines()[1:]}


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """All targets, each on an address of its own; the assets that name them; what the SCPs heard."""
    directory = tmp_path_factory.mktemp("targets")
    assets, heard = [], {}
    with ExitStack() as stack:
        def target(label, start, **asset):
            port = stack.enter_context(start) if hasattr(start, "__enter__") else start
            port = port if isinstance(port, int) else port[0]
            assets.append({"label": label, "addresses": [f"127.78.0.{len(assets) + 1}"], "ports": [port], **asset})

        def scp(label, called_ae="JUDGED", **asset):
            options = {key: asset.pop(key) for key in ("find_status", "matches", "called", "calling") if key in asset}
            host = f"127.78.0.{len(assets) + 1}"
            port, heard[label] = stack.enter_context(pynetdicom_scp(host, **options))
            target(label, port, called_ae=called_ae, **asset)

        for label, options in {"orthanc-stock": {}, "orthanc-find": {"DicomAlwaysAllowFind": True}}.items():
            port, http = stack.enter_context(orthanc(directory / label, **options))
            fill_orthanc(http)
            target(label, port, called_ae="ORTHANC")
        target("orthanc-hardened", orthanc(directory / "hardened", **HARDENED), called_ae="SECURED",
               known_calling_ae="CT1")
        worklist_file(directory / "entries")
        target("orthanc-worklist", orthanc(
            directory / "worklist", DicomAlwaysAllowFindWorklist=True, Plugins=["libModalityWorklists.so"],
            Worklists={"Enable": True, "Database": str(directory / "entries")}), called_ae="ORTHANC")
        target("dcmqrscp", dcmqrscp(directory / "dcmqrscp"), called_ae="COMMON")
        target("dcmqrscp-other-title", dcmqrscp(directory / "other"))
        target("storescp", storescp(directory / "storescp"), called_ae="STORESCP")
        target("storescp-tls", storescp_tls(directory / "tls"), called_ae="STORESCP")
        target("storescp-mutual-tls", storescp_tls(directory / "mutual", "--require-peer-cert"), called_ae="STORESCP")
        scp("pynetdicom")
        scp("pynetdicom-0124", find_status=0x0124)
        scp("pynetdicom-matches-all", matches=40)
        scp("pynetdicom-closed", "CLOSED", called="CLOSED", calling="CT1", known_calling_ae="CT1", trail_saw_us=False)
        yield assets, heard


@pytest.fixture(scope="module")
def audited(estate, tmp_path_factory):
    assets, _ = estate
    return Audit(tmp_path_factory.mktemp("audit"), scope_text(assets), expect=(FINDINGS,))


@pytest.mark.parametrize("label", ROWS)
def test_each_check_ends_as_reviewed(audited, label):
    states = audited.states(label)
    said = {check: states.get(check, {None}) for check in CHECKS}
    assert said == {check: {WORD[letter]} for check, letter in ROWS[label].items()}


def test_the_table_leaves_no_target_out(estate):
    assets, _ = estate
    assert {asset["label"] for asset in assets} == set(ROWS)


def one(audit, label, check):
    (outcome,) = audit.outcomes(label, check=check)
    return outcome


def test_stock_orthanc_is_offered_and_not_open(audited):
    offered = one(audited, "orthanc-stock", "D-06")
    assert {"study-root-find", "study-root-move", "study-root-get"} <= set(offered["evidence"]["offered"]["names"])
    refused = one(audited, "orthanc-stock", "D-07")["evidence"]
    assert refused["abort-source"] == {"code": 0} and "status" not in refused


def test_served_is_status_0_with_nothing_returned(audited):
    for label in ("orthanc-find", "dcmqrscp", "pynetdicom"):
        served = one(audited, label, "D-07")
        assert (served["severity"], served["confidence"]) == ("critical", "confirmed")
        assert served["evidence"]["status"] == {"code": 0}
        assert served["evidence"]["pending"] == {"count": 0}
        assert served["evidence"]["identifier-bytes"] == {"bytes": 0}


def test_matches_for_what_cannot_exist_are_left_unread(audited, estate):
    found = one(audited, "pynetdicom-matches-all", "D-07")["evidence"]
    assert found["status"] == {"code": 0xFF00} and found["pending"] == {"count": 1}


def test_rejections_tell_by_their_reasons(audited):
    reason = {check: one(audited, "orthanc-hardened", check)["evidence"]["reason"] for check in ("D-02", "D-03")}
    assert reason == {"D-02": {"code": 7}, "D-03": {"code": 3}}


def test_the_toolkit_names_no_product(audited):
    system = audited.system("orthanc-stock")
    assert system.get("product") is None
    known = audited.outcomes("orthanc-stock", check="V-01")
    assert {outcome["evidence"]["software"]["known"] for outcome in known} == {"dcmtk"}
    assert {outcome["confidence"] for outcome in known} == {"toolkit"}
    rules = {outcome["facet"]["rule"] for outcome in known}
    assert "CVE-2024-34509" in rules and "CVE-2022-2119" not in rules, rules
    (disputed,) = audited.outcomes("pynetdicom", check="V-01")
    assert disputed["confidence"] == "range-disputed"


def test_four_associations_at_most_and_nothing_but_echo_and_find(audited, estate):
    _, heard = estate
    for label, scp in heard.items():
        assert 1 <= scp.associations <= 4, (label, scp.associations)
        assert scp.asked <= {"C_ECHO_RQ", "C_FIND_RQ", "C_CANCEL_RQ"}, (label, scp.asked)


def test_no_name_comes_out(audited):
    written = audited.written()
    for name in (PLANTED, PLANTED_ID, "19601231"):
        assert name.encode() not in written


def test_studies_are_counted_unread_when_the_owner_wants_it(estate, tmp_path):
    assets, _ = estate
    opens = [asset for asset in assets if asset["label"] in ("orthanc-find", "dcmqrscp", "pynetdicom", "orthanc-stock")]
    audit = Audit(tmp_path, scope_text(opens, depth=3, depth_reason="to know how urgent it is"), expect=(FINDINGS,))
    for label in ("orthanc-find", "dcmqrscp"):
        assert one(audit, label, "D-09")["evidence"]["studies"] == {"bucket": "10-99"}, label
    assert one(audit, "pynetdicom", "D-09")["state"] == "pass"
    assert one(audit, "orthanc-stock", "D-09")["state"] == "not-applicable"
    assert PLANTED.encode() not in audit.written() and PLANTED_ID.encode() not in audit.written()


def test_a_modality_has_one_association(tmp_path):
    with pynetdicom_scp("127.78.1.1") as (port, heard):
        asset = {"label": "ct", "class": "modality", "addresses": ["127.78.1.1"], "ports": [port], "called_ae": "CT"}
        audit = Audit(tmp_path, scope_text([asset]), expect=(FINDINGS,))
        assert (heard.associations, heard.asked) == (1, set())
    states = audit.states("ct")
    assert states["D-01"] == {"finding"} and states["D-07"] == {"skipped-by-policy"}
    assert one(audit, "ct", "D-06")["severity"] == "medium"
