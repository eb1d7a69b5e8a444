"""Real services, open and closed, against the network family: what each must find, and what must pass.

SQL Server, Elasticsearch, MongoDB, WildFly and an NFS server are not among the components that this can start; those
probes are tried against responders in crates/exposure/tests/network.rs alone.
"""
import pytest
from audit import CLEAN, FINDINGS, Audit, scope_text
from services import SECRET, Missing, Services

FIND, PASS, SKIP, NONE = "finding", "pass", "skipped-by-policy", "not-applicable"
CREDENTIALS = "\n[credentials]\ntry_blank = true\nlockout = 10\n"


def back_end(transport, access):
    return {("N-02", "reach"): PASS, ("N-02", "transport"): transport, ("N-02", "access"): access}


def smb(smb1, signing, session, shares):
    return {("N-07", "smb1"): smb1, ("N-07", "signing"): signing, ("N-07", "session"): session, ("N-07", "shares"): shares}


# label: how it is started; what it speaks; what its checks end in at depth 4 with blank log-ins opted in.
# N-01 is for all the same: no port is listed as expected, so each that answers is a finding.
TABLE = {
    "postgresql-clear": (lambda s, n: s.postgresql(n, False), "postgresql", back_end(FIND, SKIP)),
    "postgresql-tls": (lambda s, n: s.postgresql(n, True), "postgresql", back_end(PASS, SKIP)),
    "mariadb-clear": (lambda s, n: s.mariadb(n, False), "mysql", back_end(FIND, SKIP)),
    "mariadb-tls": (lambda s, n: s.mariadb(n, True), "mysql", back_end(PASS, SKIP)),
    "redis-open": (lambda s, n: s.redis(n), "redis", back_end(FIND, FIND)),
    "redis-password": (lambda s, n: s.redis(n, password=True), "redis", back_end(FIND, PASS)),
    "redis-tls": (lambda s, n: s.redis(n, password=True, with_tls=True), "redis", back_end(PASS, PASS)),
    "ldap-open": (lambda s, n: s.slapd(n, False), "ldap", back_end(FIND, FIND)),
    "ldap-closed": (lambda s, n: s.slapd(n, True), "ldap", back_end(PASS, PASS)),
    "mllp-clear": (lambda s, n: s.mllp(n, False), "mllp", {("N-03", None): FIND}),
    "mllp-tls": (lambda s, n: s.mllp(n, True), "mllp", {("N-03", None): PASS}),
    "vnc-open": (lambda s, n: s.vnc(n, False), "vnc", {("N-04", None): FIND}),
    "vnc-password": (lambda s, n: s.vnc(n, True), "vnc", {("N-04", None): PASS}),
    "rdp": (lambda s, n: s.xrdp(n), "rdp", {("N-04", None): FIND}),
    "telnet": (lambda s, n: s.telnetd(n), "telnet", {("N-04", None): FIND}),
    "ftp-anonymous": (lambda s, n: s.vsftpd(n, True), "ftp", {("N-04", None): FIND, ("N-05", None): FIND}),
    "ftp-closed": (lambda s, n: s.vsftpd(n, False, with_tls=True), "ftp", {("N-04", None): PASS, ("N-05", None): PASS}),
    "ftp-undeclared": (lambda s, n: s.vsftpd(n, True, declared=False), "ftp", {("N-04", None): FIND, ("N-05", None): FIND}),
    "smb-open": (lambda s, n: s.samba(n, False), "smb", smb(FIND, FIND, FIND, FIND)),
    "smb-closed": (lambda s, n: s.samba(n, True), "smb", smb(PASS, PASS, PASS, PASS)),
    "rsync-open": (lambda s, n: s.rsync(n, False), "rsync", {("N-08", "rsync"): FIND}),
    "rsync-closed": (lambda s, n: s.rsync(n, True), "rsync", {("N-08", "rsync"): PASS}),
    "webdav-open": (lambda s, n: s.webdav(n, False), "webdav", {("N-08", "webdav"): FIND}),
    "webdav-closed": (lambda s, n: s.webdav(n, True), "webdav", {("N-08", "webdav"): PASS}),
    "webdav-undeclared": (lambda s, n: s.webdav(n, False, declared=False), "http",
                          {("N-08", "webdav"): FIND, ("N-08", "s3"): NONE}),
    "s3-open": (lambda s, n: s.seaweedfs(n, False), "s3", {("N-08", "s3"): FIND}),
    "s3-closed": (lambda s, n: s.seaweedfs(n, True), "s3", {("N-08", "s3"): PASS}),
}
CRITICAL = {"redis-open": {"N-02"}, "vnc-open": {"N-04"}, "ftp-anonymous": {"N-05"}, "ftp-undeclared": {"N-05"},
            "smb-open": {"N-07"}}


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    services, missing = Services(tmp_path_factory.mktemp("services")), {}
    try:
        for label, (start, *_) in TABLE.items():
            try:
                start(services, label)
            except Missing as error:
                missing[label] = str(error)
        yield services, missing
    finally:
        services.stop()


@pytest.fixture(scope="module")
def deep(services, tmp_path_factory):
    """One run over all of them, as deep as there is."""
    assets = [service.asset() for service in services[0].running]
    scope = scope_text(assets, tables=CREDENTIALS, depth=4, depth_reason="the judges' own services")
    return Audit(tmp_path_factory.mktemp("deep"), scope, expect=(FINDINGS,))


@pytest.fixture(scope="module")
def gentle(services, tmp_path_factory):
    """One at depth 1, from where users are."""
    assets = [service.asset() for service in services[0].running]
    scope = scope_text(assets, depth=1, vantage="user-vlan")
    return Audit(tmp_path_factory.mktemp("gentle"), scope, "--min-coverage", "0", expect=(CLEAN, FINDINGS))


def states(audit, label):
    """(check, part) -> state, of the checks of this family."""
    def part(outcome):
        facet = outcome.get("facet")
        return facet["part"] if isinstance(facet, dict) else None
    outcomes = [outcome for outcome in audit.outcomes(label) if outcome["check"].startswith("N-")]
    keys = [(outcome["check"], part(outcome)) for outcome in outcomes]
    assert len(keys) == len(set(keys)), f"a check ended twice: {keys}"
    return dict(zip(keys, (outcome["state"] for outcome in outcomes)))


@pytest.mark.parametrize("label", TABLE)
def test_each_service_is_what_it_is(services, deep, label):
    if label in services[1]:
        pytest.skip(f"not on this machine: {services[1][label]}")
    _, speaks, expected = TABLE[label]
    assert states(deep, label) == {("N-01", None): FIND, **expected}
    assert [service["speaks"] for service in deep.system(label)["services"]] == [speaks]
    worst = {outcome["check"] for outcome in deep.outcomes(label)
             if outcome["severity"] == "critical" and outcome["check"].startswith("N-")}
    assert worst == CRITICAL.get(label, set())


def test_what_lies_in_the_anonymous_folder_is_counted_and_not_told(services, deep):
    if "ftp-anonymous" in services[1]:
        pytest.skip("not on this machine")
    [outcome] = deep.outcomes("ftp-anonymous", check="N-05")
    assert outcome["evidence"]["entries"] == {"count": 3}
    assert outcome["evidence"]["dicom-entries"] == {"count": 2}
    for name in (b"a.dcm", b"b.DCM", b"notes.txt"):
        assert name not in deep.written()


def test_no_secret_and_no_base_of_a_directory_is_written(deep, gentle):
    for audit in (deep, gentle):
        written = audit.written()
        assert SECRET.encode() not in written
        assert b"dc=judge" not in written


def test_depth_1_asks_for_nothing(services, gentle):
    """Handshakes tell what they tell; requests and log-ins are skipped, and back ends are within reach of users."""
    for service in services[0].running:
        seen = states(gentle, service.label)
        asked = {key for key in seen if key[0] in ("N-05", "N-06", "N-08") or key == ("N-07", "session")}
        assert {seen[key] for key in asked} <= {SKIP, NONE}, service.label
        if service.kind in ("postgresql", "mysql"):
            assert seen["N-02", "reach"] == FIND
        if service.kind in ("redis", "ldap"):
            assert seen["N-02", None] == SKIP
