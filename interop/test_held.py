"""Unknown senders: refused by default; where it is configured what they send waits, and nobody finds it."""

import copy
import json
import os
import random
import ssl
import struct
import subprocess
import time

import pydicom
import pynetdicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, StudyRootQueryRetrieveInformationModelFind, Verification

from conftest import SAMPLES
from leadglass import BINARY, Archive
from test_peers import made

KILLS = int(os.environ.get("LEADGLASS_KILLS", 200 if os.environ.get("LEADGLASS_FULL") else 5))
SAMPLE = SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm"
FIND = StudyRootQueryRetrieveInformationModelFind


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    """The hospital's authority of devices."""
    folder = tmp_path_factory.mktemp("devices")
    key = ec.generate_private_key(ec.SECP256R1())
    authority = made(folder, "Devices CA", key=key, extensions=[
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)])
    return folder, authority, key


def device(devices, ae):
    folder, _, key = devices
    return made(folder, f"{ae}-{generate_uid()[-8:]}", issuer=("Devices CA", key)) | {"ae": ae}


def quarantining(tmp_path, devices, more=""):
    config = tmp_path / "leadglass.toml"
    config.write_text(
        f'[data]\nsegment_bytes = {256 << 20}\n[dimse.unknown_senders]\nquarantine = true\n'
        f'authorities = ["{devices[1]["cert"]}"]\n{more}')
    return Archive(tmp_path / "data", "--config", str(config)).start()


@pytest.fixture
def archive(tmp_path, devices):
    archive = quarantining(tmp_path, devices)
    yield archive
    archive.stop()
    archive.remove()


def fresh():
    ds = pydicom.dcmread(SAMPLE)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return ds


def store(archive, peer, *objects):
    """The statuses; none when no association came about."""
    contexts = [build_context(objects[0].SOPClassUID, objects[0].file_meta.TransferSyntaxUID)]
    try:
        association = archive.associate(contexts, peer=peer)
    except (OSError, ssl.SSLError):
        return None
    if not association.is_established:
        return None
    statuses = [association.send_c_store(ds).Status for ds in objects]
    association.release()
    return statuses


def held(archive):
    return json.loads(archive.cli("held", "list", "--ready-file", archive.ready_file, "--json").stdout)


def decide(archive, what, *arguments):
    return json.loads(archive.cli("held", what, *arguments, "--ready-file", archive.ready_file, "--json").stdout)


def instances(archive, study):
    answer = archive.session().get(f"{archive.dicomweb}/studies/{study}/instances", headers={"Accept": "application/dicom+json"})
    return answer.json() if answer.status_code == 200 and answer.content else []


def trail(archive, **keys):
    return archive.session().get(f"{archive.https}/admin/v1/trail", params=keys).json()["entries"]


def is_in(archive, ds):
    """Found, and with the very bytes of its pixels."""
    path = f"{archive.dicomweb}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    answer = archive.session().get(f"{path}/frames/1", headers={"Accept": "application/octet-stream"})
    return len(instances(archive, ds.StudyInstanceUID)) == 1 and answer.status_code == 200 and ds.PixelData in answer.content


def test_refused_by_default(empty_archive, devices):
    ds = fresh()
    assert store(empty_archive, device(devices, "NEW1"), ds) is None, "no authority of devices is believed"
    # A certificate of the archive's own authority, under a title that is nobody's: RJ 1/1/3, as ever.
    association = empty_archive.associate([build_context(Verification)], ae="NOBODY")
    assert association.is_rejected
    primitive = association.acceptor.primitive
    assert (primitive.result, primitive.result_source, primitive.diagnostic) == (1, 1, 3)
    assert held(empty_archive) == []


def test_what_waits_is_found_by_nobody(archive, devices):
    sender, ds = device(devices, "NEW1"), fresh()
    before = archive.session().get(f"{archive.https}/admin/v1/statistics").json()
    assert store(archive, sender, ds) == [0]
    (row,) = held(archive)
    assert (row["ae"], row["objects"], row["certificate_sha256"]) == ("NEW1", 1, sender["sha256"])
    assert str(ds.PatientID) not in json.dumps(row) and str(ds.PatientName) not in json.dumps(row)
    # DICOMweb, by whoever may everything.
    session, study = archive.session(), f"{archive.dicomweb}/studies/{ds.StudyInstanceUID}"
    assert instances(archive, ds.StudyInstanceUID) == []
    for path in ("", "/metadata", f"/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}/frames/1"):
        assert session.get(study + path).status_code in (404, 406)
    # DIMSE, by a peer that may.
    query = pydicom.Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", ds.StudyInstanceUID
    association = archive.associate([build_context(FIND)])
    assert [status.Status for status, _ in association.send_c_find(query, FIND)] == [0]
    association.release()
    after = archive.session().get(f"{archive.https}/admin/v1/statistics").json()
    count = lambda statistics: {k: v for k, v in statistics.items() if "instance" in k or "stud" in k or "patient" in k}
    assert count(before) == count(after)
    # Nor may its sender do more than send.
    association = archive.associate(
        [build_context(FIND), build_context(StorageCommitmentPushModel), build_context(Verification)], peer=sender)
    assert [context.abstract_syntax for context in association.accepted_contexts] == [Verification]
    assert association.send_c_echo().Status == 0
    association.release()
    alerts = [entry for entry in trail(archive) if entry.get("event") == "sender-waits"]
    assert len(alerts) == 1 and "NEW1" in alerts[0]["detail"]
    assert "leadglass_held_senders 1\n" in archive.session().get(f"{archive.https}/metrics").text
    token_file = devices[0] / "token"
    token_file.write_text(archive.token)
    doctor = archive.cli("doctor", "--data", archive.data_dir, "--token-file", token_file, check=False)
    assert doctor.returncode == 3 and "unknown senders  1 wait for approval" in doctor.stdout, doctor.stdout
    assert any(entry.get("operation") == "hold" and entry["outcome"] == "done" for entry in trail(archive))


def test_a_stranger_has_so_many_associations_whatever_it_calls_itself(tmp_path, devices):
    archive = quarantining(tmp_path, devices, "[dimse]\nassociations_per_peer = 2\n")
    try:
        sender, contexts = device(devices, "NEW1"), [build_context(Verification)]
        held_open = [archive.associate(contexts, peer=sender | {"ae": f"NEW{n}"}) for n in range(3)]
        assert [one.is_established for one in held_open] == [True, True, False]
        refused = held_open[2].acceptor.primitive
        assert (refused.result, refused.result_source, refused.diagnostic) == (2, 3, 2)
        other = archive.associate(contexts, peer=device(devices, "NEW2"))
        assert other.is_established
        for one in [*held_open[:2], other]:
            one.release()
    finally:
        archive.stop()
        archive.remove()


def test_damaged_and_still_there(archive, devices):
    """A file of the queue that does not open stops neither the archive nor what else waits."""
    sender, objects = device(devices, "NEW1"), [fresh(), fresh()]
    assert store(archive, sender, *objects) == [0, 0]
    archive.stop()
    first, second = sorted((archive.data_dir / "held" / "spool").glob("*.obj"))
    hurt = bytearray(first.read_bytes())
    hurt[100] ^= 1
    first.write_bytes(hurt)
    archive.start()
    (row,) = held(archive)
    assert row["objects"] == 1 and first.with_suffix(".damaged").exists() and second.exists()
    assert any(entry.get("event") == "integrity-broken" for entry in trail(archive))
    assert decide(archive, "accept", row["sender"])["kept"] == 1
    assert is_in(archive, objects[1])


def test_accepted_once(archive, devices):
    sender, objects = device(devices, "NEW1"), [fresh(), fresh(), fresh()]
    same = copy.deepcopy(objects[0])  # pydicom writes what it has looked at in other words
    assert store(archive, sender, *objects) == [0, 0, 0]
    (row,) = held(archive)
    shown = decide(archive, "show", row["sender"])["objects"]
    assert {one["about"]["study"] for one in shown} == {ds.StudyInstanceUID for ds in objects}
    assert any(entry.get("event") == "instances-accessed" for entry in trail(archive))
    assert decide(archive, "accept", row["sender"])["kept"] == 3
    assert held(archive) == []
    assert all(is_in(archive, ds) for ds in objects)
    # It stays unknown: the same again waits, and is not taken twice.
    assert store(archive, sender, same) == [0]
    assert decide(archive, "accept", row["sender"]) == {
        "kept": 0, "already_there": 1, "quarantined": 0, "discarded": 0, "left": 0}


def data_set(part10):
    """The bytes behind the file meta information."""
    (length,) = struct.unpack_from("<I", part10, 140)
    return part10[144 + length:]


def test_bytes_go_in_and_come_out(archive, devices, monkeypatch):
    """What comes back after the approval is the data set of the file, byte for byte."""
    monkeypatch.setattr(pynetdicom._config, "STORE_SEND_CHUNKED_DATASET", True)
    sender, ds = device(devices, "NEW1"), pydicom.dcmread(SAMPLE)
    association = archive.associate([build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)], peer=sender)
    assert association.send_c_store(SAMPLE).Status == 0
    association.release()
    (row,) = held(archive)
    assert decide(archive, "accept", row["sender"])["kept"] == 1
    answer = archive.session().get(
        f"{archive.dicomweb}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}",
        headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    assert answer.status_code == 200
    boundary = answer.headers["Content-Type"].split("boundary=")[1].split(";")[0].strip('"').encode()
    part = answer.content.split(b"--" + boundary)[1].split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
    assert data_set(part) == data_set(SAMPLE.read_bytes())


def test_dcmtk_sends(archive, devices):
    sender, ds = device(devices, "NEW1"), pydicom.dcmread(SAMPLE)
    archive.dcmtk("echoscu", "{peer}", peer=sender, check=True)
    archive.dcmtk("storescu", "{peer}", SAMPLE, peer=sender, check=True)
    archive.dcmtk("storescu", "{peer}", SAMPLE, peer=sender, check=True)
    (row,) = held(archive)
    assert row["objects"] == 2 and not instances(archive, ds.StudyInstanceUID)
    taken = decide(archive, "accept", row["sender"])
    assert (taken["kept"], taken["already_there"]) == (1, 1)
    assert is_in(archive, ds)


def test_enrolled(archive, devices):
    sender, ds, later = device(devices, "NEW1"), fresh(), fresh()
    contexts = [build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)]
    open_still = archive.associate(contexts, peer=sender)
    assert open_still.send_c_store(ds).Status == 0
    (row,) = held(archive)
    assert decide(archive, "enrol", row["sender"], "--verbs", "store,commit", "--label", "Radiology 2")["kept"] == 1
    assert is_in(archive, ds)
    deadline = time.monotonic() + 5
    while open_still.is_established and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not open_still.is_established, "what it was as nobody ends"
    assert store(archive, sender, later) == [0]
    assert is_in(archive, later) and held(archive) == []
    peers = archive.session().get(f"{archive.https}/admin/v1/peers").json()
    peer = next(peer for peer in peers if peer["ae"] == "NEW1")
    assert peer["certificate_sha256"] == sender["sha256"] and peer["expires"]
    # Revoked, it is no unknown sender: its certificate gets no TLS, its title no other certificate.
    archive.revoke_peer("NEW1")
    assert store(archive, sender, fresh()) is None
    assert store(archive, device(devices, "NEW1"), fresh()) is None
    assert held(archive) == []


def test_discarded(archive, devices):
    sender, ds = device(devices, "NEW1"), fresh()
    assert store(archive, sender, ds) == [0]
    (row,) = held(archive)
    short = archive.cli("held", "discard", row["sender"], "--reason", "no", "--ready-file", archive.ready_file, check=False)
    assert short.returncode != 0
    assert decide(archive, "discard", row["sender"], "--reason", "sent by mistake, says its owner")["discarded"] == 1
    assert held(archive) == [] and instances(archive, ds.StudyInstanceUID) == []
    assert not list((archive.data_dir / "held" / "spool").glob("*.obj"))
    entries = trail(archive)
    assert any(entry.get("operation") == "discard-held" and "by mistake" in entry["detail"] for entry in entries)
    assert any(entry.get("event") == "held-ends" and entry.get("study") == ds.StudyInstanceUID for entry in entries)
    gone = archive.cli("held", "accept", row["sender"], "--ready-file", archive.ready_file, check=False)
    assert gone.returncode != 0


def test_who_is_no_unknown_sender(archive, devices):
    folder = devices[0]
    other = ec.generate_private_key(ec.SECP256R1())
    made(folder, "Strange CA", key=other)
    strangers = {
        "another authority's": made(folder, "STRANGE", issuer=("Strange CA", other)),
        "self-signed": made(folder, "SELFMADE"),
        "a peer's title": device(devices, archive.peer["ae"]),
    }
    for what, certificate in strangers.items():
        assert store(archive, {"ae": "NEW1"} | certificate, fresh()) is None, what
    # The certificate of a peer, under another title.
    assert store(archive, archive.peer | {"ae": "NEW1"}, fresh()) is None
    assert held(archive) == []


def test_full_is_said(tmp_path, devices):
    archive = quarantining(tmp_path, devices, "objects_per_sender = 2\nsenders = 1\n")
    try:
        sender = device(devices, "NEW1")
        assert store(archive, sender, fresh(), fresh(), fresh()) == [0, 0, 0xA700]
        assert store(archive, device(devices, "NEW2"), fresh()) == [0xA700]
        (row,) = held(archive)
        assert decide(archive, "accept", row["sender"])["kept"] == 2
        assert store(archive, device(devices, "NEW2"), fresh()) == [0]
    finally:
        archive.stop()
        archive.remove()


def test_kill_9_loses_nothing_that_was_said_to_wait(tmp_path, devices):
    """Stores of an unknown sender, and acceptances, cut off at any moment."""
    sender, ever = device(devices, "NEW1"), []
    archive = quarantining(tmp_path, devices)
    for number in range(KILLS):
        template = fresh()
        association = archive.associate(
            [build_context(template.SOPClassUID, template.file_meta.TransferSyntaxUID)], peer=sender, timeout=5)
        stop = time.monotonic() + random.uniform(0.2, 1.0)
        accepting = None
        while time.monotonic() < stop:
            ds = fresh()
            assert association.send_c_store(ds).Status == 0
            ever.append(ds)
        if number % 2:
            (row,) = held(archive)
            # Nobody waits for the answer: the archive dies while it takes in.
            accepting = subprocess.Popen(
                [str(BINARY), "held", "accept", row["sender"], "--ready-file", str(archive.ready_file)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0, 0.4))
        archive.kill()
        if accepting:
            accepting.wait(30)
        association.abort()
        archive = quarantining(tmp_path, devices)
        waits = []
        for row in held(archive):
            after = 0
            while after is not None:
                page = decide(archive, "show", row["sender"], "--limit", "1000", "--after", str(after))
                waits += [one["sop_instance"] for one in page["objects"]]
                after = page["next"]
        assert len(waits) == len(set(waits))
        taken_in = [ds.SOPInstanceUID for ds in ever if instances(archive, ds.StudyInstanceUID)]
        lost = {ds.SOPInstanceUID for ds in ever} - set(waits) - set(taken_in)
        assert not lost, f"{len(lost)} of {len(ever)} lost"
    for row in held(archive):
        decide(archive, "accept", row["sender"])
    assert held(archive) == [] and all(is_in(archive, ds) for ds in ever)
    archive.stop()
    report = archive.cli("verify", "--data", archive.data_dir, check=False)
    assert report.returncode == 0, report.stdout + report.stderr
    print(f"{KILLS} kills, {len(ever)} acknowledged as waiting, 0 lost")
    archive.remove()
