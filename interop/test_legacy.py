"""Legacy peers: DCMTK and pynetdicom in clear text, from a declared address and from others, at an archive that lets such a
device store and do nothing else."""

import json
import subprocess

import pydicom
import pytest
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from conftest import SAMPLES
from leadglass import free_port, wait_until

FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
RJ = (1, 1, 3)


class Site:
    """An archive with a clear-text listener on the loopback interface, and one device declared for it."""

    def __init__(self, make, folder):
        self.port = free_port()
        config = folder / "legacy.toml"
        config.write_text(f'[data]\nsegment_bytes = {64 << 20}\n[dimse.legacy]\ninterface = "lo"\nport = {self.port}\n')
        self.archive = make("--config", config)

    def declare(self, ae="OLD-US", address="127.0.0.1", days=30, check=True):
        return self.archive.cli("peer", "add-legacy", ae, "--from", address, "--days", days, "--label", "Ultrasound 2",
                                "--ready-file", self.archive.ready_file, "--json", check=check)

    def listens(self):
        shown = json.loads(self.archive.cli("explain", "--ready-file", self.archive.ready_file, "--json").stdout)
        return shown["posture"]["legacy"]["open"]

    def dcmtk(self, tool, *arguments, ae="OLD-US"):
        command = [tool, "-v", "-aet", ae, "-aec", self.archive.ae, *map(str, arguments), "127.0.0.1", str(self.port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")

    def store(self, path, ae="OLD-US"):
        command = ["storescu", "-v", "-aet", ae, "-aec", self.archive.ae, "127.0.0.1", str(self.port), str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")

    def associate(self, ae="OLD-US", address="127.0.0.1", called=None, contexts=None):
        entity = AE(ae_title=ae)
        entity.requested_contexts = contexts or [build_context(Verification)]
        return entity.associate("127.0.0.1", self.port, ae_title=called or self.archive.ae, bind_address=(address, 0))

    def answer(self, **how):
        """None for an association, or how it was rejected."""
        for _ in range(10):
            association = self.associate(**how)
            if association.is_established:
                association.release()
                return None
            rejection = association.acceptor.primitive
            # pynetdicom takes an end that comes with the rejection for an abort at times: then it is asked again.
            if rejection is not None:
                return rejection.result, rejection.result_source, rejection.diagnostic
        raise AssertionError("it was never rejected")


@pytest.fixture
def site(fresh, tmp_path):
    return Site(fresh, tmp_path)


def a_native_ct():
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file():
            sample = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            if sample.get("SOPInstanceUID") and sample.file_meta.get("TransferSyntaxUID") == "1.2.840.10008.1.2.1":
                return path, sample
    raise AssertionError("no native sample")


def test_it_stores_durably_and_can_do_nothing_else(site):
    path, sample = a_native_ct()
    assert site.store(path).returncode != 0, "there is no listener while nobody is declared"
    declared = json.loads(site.declare().stdout)
    assert declared["listener"]["interface"] == "lo"
    assert wait_until(site.listens), site.archive.log_tail()
    done = site.dcmtk("echoscu")
    assert done.returncode == 0, done.stderr + done.stdout
    done = site.store(path)
    assert done.returncode == 0 and "Success" in done.stderr + done.stdout, done.stderr + done.stdout
    found = site.archive.session().get(f"{site.archive.dicomweb}/instances",
                                       params={"SOPInstanceUID": sample.SOPInstanceUID}).json()
    assert len(found) == 1
    for tool, arguments in [
        ("findscu", ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]),
        ("movescu", ["-S", "-aem", "OLD-US", "-k", "QueryRetrieveLevel=STUDY",
                     "-k", f"StudyInstanceUID={sample.StudyInstanceUID}"]),
        ("getscu", ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={sample.StudyInstanceUID}"]),
    ]:
        done = site.dcmtk(tool, *arguments)
        text = done.stdout + done.stderr
        assert "Success" not in text and str(sample.PatientID) not in text, f"{tool}: {text}"
    association = site.associate(contexts=[build_context(uid) for uid in (FIND, MOVE, GET, "1.2.840.10008.1.20.1")])
    assert not association.accepted_contexts
    if association.is_established:
        association.release()
    # Killed at once: what was acknowledged in clear text is as durable as anything.
    site.archive.kill()
    site.archive.start()
    found = site.archive.session().get(f"{site.archive.dicomweb}/instances",
                                       params={"SOPInstanceUID": sample.SOPInstanceUID}).json()
    assert len(found) == 1
    assert wait_until(site.listens), "a declaration outlives a restart"


def test_whoever_is_not_declared_hears_one_and_the_same(site):
    site.declare()
    site.declare("OLD-CR", "127.0.0.2")
    assert wait_until(site.listens)
    assert site.answer() is None
    assert site.answer(ae="OLD-CR", address="127.0.0.2") is None
    for how in [{"ae": "OLD-MR"}, {"address": "127.0.0.2"}, {"address": "127.0.0.3"}, {"ae": "OLD-CR"}, {"ae": "old-us"},
                {"called": "ANY-SCP"}, {"ae": "DEMO"}]:
        assert site.answer(**how) == RJ, how
    for address in ["8.8.8.8", "0.0.0.0", "10.0.0.0/8", "169.254.1.1"]:
        assert site.declare("X", address, check=False).returncode != 0, address
    for days in [0, 366]:
        assert site.declare("X", days=days, check=False).returncode != 0, days
    assert site.declare("DEMO", check=False).returncode != 0, "it has a certificate"


def test_a_revocation_ends_the_association_and_the_listener(site):
    site.declare()
    assert wait_until(site.listens)
    association = site.associate()
    assert association.send_c_echo().Status == 0
    site.archive.cli("peer", "revoke-legacy", "OLD-US", "--ready-file", site.archive.ready_file)
    assert wait_until(lambda: association.is_aborted or not association.is_established, 5)
    assert wait_until(lambda: not site.listens(), 10)
    assert site.dcmtk("echoscu").returncode != 0
    association.abort()


def test_everything_says_so(site, tmp_path):
    site.declare()
    assert wait_until(site.listens)
    assert site.dcmtk("echoscu").returncode == 0
    assert site.answer(ae="OLD-MR") == RJ
    archive = site.archive
    data = ["--data", archive.data_dir]
    with_token = ["--ready-file", archive.ready_file]
    doctor = archive.cli("doctor", *data, check=False)
    assert doctor.returncode == 3 and "CLEAR TEXT" in doctor.stdout, doctor.stdout
    listed = archive.cli("peer", "list", *with_token).stdout
    assert "CLEAR TEXT, NOT AUTHENTICATED" in listed and "OLD-US" in listed
    as_data = json.loads(archive.cli("peer", "list", *with_token, "--json").stdout)
    assert [peer["ae"] for peer in as_data if peer.get("legacy")] == ["OLD-US"]
    explained = archive.cli("explain", *with_token).stdout
    assert f"CLEAR TEXT 127.0.0.1:{site.port} on lo: 1 legacy peers" in explained, explained
    assert "legacy: CLEAR TEXT" in explained
    metrics = archive.session().get(f"{archive.https}/metrics").text
    assert "leadglass_legacy_peers 1" in metrics and "leadglass_clear_text_listener 1" in metrics
    look = archive.cli("exposure", "self", *data, "--out", tmp_path / "look", check=False)
    assert f"declared: legacy peers are listened to at 127.0.0.1:{site.port}" in look.stderr, look.stderr
    assert "found them open" not in look.stderr and "could not" not in look.stderr, repr(look.stderr)
    trail = json.loads(archive.cli("trail", "search", "--door", "legacy", *with_token, "--json").stdout)
    entries = trail["entries"] if isinstance(trail, dict) else trail
    text = json.dumps(entries)
    assert "unauthenticated, in clear: OLD-US" in text and "nothing proven" in text
    assert archive.cli("verify", *data, check=False).returncode == 0
    assert "CLEAR TEXT" in open(f"{archive.data_dir}.log", errors="replace").read()
