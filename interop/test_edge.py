"""The edge: DCMTK in clear on one side, mutual TLS on the other, and nothing lost between."""

import hashlib
import ipaddress
import os
import random
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET
from pynetdicom.sop_class import ModalityWorklistInformationFind as WORKLIST
from pynetdicom.sop_class import Verification

from conftest import SAMPLES
from edge import Edge, StorescpReference, Wire, capture
from leadglass import BINARY, Part10, free_port, wait_until
from people import Authority

FULL = bool(os.environ.get("LEADGLASS_FULL"))
KILLS = int(os.environ.get("LEADGLASS_EDGE_KILLS", 50 if FULL else 3))
CALLED = "HOSPITAL"
FOLDERS = [SAMPLES / "neurolabusc-dcm_qa_nih", SAMPLES / "neurolabusc-dcm_qa_ct"]
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128"]
TEMPLATE = SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm"


def modality(ae="CT1", address="127.0.0.1", verbs=("store",)):
    return {"ae_title": ae, "address": address, "called": CALLED, "verbs": list(verbs)}


@pytest.fixture
def stand(fresh, tmp_path):
    """An archive, the wire to it, and an edge beside its modalities."""
    archive = fresh()
    wire = Wire((archive.host, archive.port))
    bundle = tmp_path / "bundle"
    archive.add_peer("CT1", ["store", "find", "retrieve", "commit"], out=bundle)
    edges = []

    def make(*modalities, **sections):
        edge = Edge(tmp_path / "edge", wire.port, archive.ae, bundle, modalities or [modality()], **sections)
        edges.append(edge)
        return edge.start()

    yield archive, wire, make
    for edge in edges:
        edge.stop()
    wire.close()


def clear(edge, contexts, ae="CT1", called=CALLED, source="127.0.0.1", **options):
    entity = AE(ae_title=ae)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    entity.requested_contexts = contexts
    return entity.associate("127.0.0.1", edge.port, ae_title=called, bind_address=(source, 0), **options)


def data_set_of(archive, session, sop_instance):
    """The bytes the archive hands out, below the file meta."""
    rows = session.get(f"{archive.dicomweb}/instances?SOPInstanceUID={sop_instance}",
                       headers={"Accept": "application/dicom+json"}).json()
    study, series = (rows[0][tag]["Value"][0] for tag in ("0020000D", "0020000E"))
    answer = session.get(f"{archive.dicomweb}/studies/{study}/series/{series}/instances/{sop_instance}",
                         headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    assert answer.status_code == 200, answer.text
    boundary = answer.headers["Content-Type"].split("boundary=")[1].split(";")[0].strip('"').encode()
    body = answer.content.split(b"--" + boundary)[1].split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
    path = Path(archive.data_dir).parent / "retrieved.dcm"
    path.write_bytes(body)
    return Part10(path).data_set


def names_in(paths):
    """What must not be read on the wire: names, IDs and UIDs of what was sent."""
    found = set()
    for path in paths:
        ds = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        found |= {str(ds.get(keyword, "")) for keyword in
                  ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID", "InstitutionName", "StationName")}
    return {name.encode() for name in found if len(name) >= 6}


def test_an_archive_that_is_gone_for_a_while_gets_everything_unchanged_and_nothing_is_in_clear(stand, tmp_path):
    archive, wire, make = stand
    edge = make()
    capturing = capture("lo", wire.port, tmp_path)
    reference = StorescpReference()
    try:
        sent = {}
        for path in reference.storescu(*FOLDERS):
            part10 = Part10(path)
            uid = pydicom.dcmread(path, stop_before_pixels=True, force=True).SOPInstanceUID
            sent[str(uid)] = hashlib.sha256(part10.data_set).hexdigest()
    finally:
        reference.close()
    assert len(sent) > 15
    assert capturing or not FULL, "tcpdump does not run here: it needs to be there, and root"
    first = edge.storescu("CT1", CALLED, FOLDERS[0])
    assert first.returncode == 0, first.stdout + first.stderr
    # The archive dies while objects are on their way to it; the modality notices nothing.
    archive.kill()
    wire.target = None
    second = edge.storescu("CT1", CALLED, FOLDERS[1])
    assert second.returncode == 0, second.stdout + second.stderr
    names = names_in(path for folder in FOLDERS for path in folder.iterdir() if path.is_file())
    assert edge.objects() and not edge.objects()[0]["reason"]
    for path in edge.spool.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [name for name in names if name in content], f"{path} holds names in clear"
    if FULL:
        time.sleep(60)
    archive.start()
    wire.target = (archive.host, archive.port)
    edge.wait_drained()
    session = archive.session()
    for uid, digest in sent.items():
        assert hashlib.sha256(data_set_of(archive, session, uid)).hexdigest() == digest, uid
    assert edge.objects() == []
    assert wire.connections >= 2 and len(wire.bytes) > 1_000_000
    tapped = bytes(wire.bytes)
    assert not [name for name in names if name in tapped], "names on the wire"
    assert b"1.2.840.10008" not in tapped and b"CT1" not in tapped[:100]
    if capturing:
        process, path = capturing
        process.terminate()
        process.wait(10)
        dumped = path.read_bytes()
        assert len(dumped) > 1_000_000
        assert not [name for name in names if name in dumped] and b"1.2.840.10008" not in dumped


def test_the_archive_sees_which_modality_sent(stand, tmp_path):
    archive, _, make = stand
    # One certificate, two titles: the second one is enrolled with the first one's.
    cert = tmp_path / "bundle" / "cert.pem"
    archive.cli("peer", "add", "MR1", "--verbs", "store", "--certificate", cert, "--ready-file", archive.ready_file)
    edge = make(modality(), modality("MR1", "127.0.0.2"))
    ds = pydicom.dcmread(TEMPLATE)
    for ae, source in (("CT1", "127.0.0.1"), ("MR1", "127.0.0.2")):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        association = clear(edge, [build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)], ae=ae, source=source)
        assert association.send_c_store(ds).Status == 0
        association.release()
    edge.wait_drained()
    trail = archive.session().get(f"{archive.https}/admin/v1/trail?limit=1000").text
    assert '"CT1"' in trail and '"MR1"' in trail


def stream(edge, acknowledged, stop):
    ds = pydicom.dcmread(TEMPLATE)
    try:
        association = clear(edge, [build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)])
        while association.is_established and not stop.is_set():
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            if association.send_c_store(ds).get("Status") != 0:
                return
            acknowledged.append(str(ds.SOPInstanceUID))
        association.abort()
    except (OSError, RuntimeError, ValueError):
        pass


def test_kill_9_of_the_edge_loses_nothing_that_was_acknowledged(stand):
    archive, wire, make = stand
    edge, acknowledged = make(), []
    for turn in range(KILLS):
        wire.target = None if turn % 2 == 0 else (archive.host, archive.port)
        before, stop = len(acknowledged), threading.Event()
        streams = [threading.Thread(target=stream, args=(edge, acknowledged, stop), daemon=True) for _ in range(4)]
        for thread in streams:
            thread.start()
        assert wait_until(lambda: len(acknowledged) > before + random.randrange(1, 20), 60)
        edge.kill()
        stop.set()
        for thread in streams:
            thread.join(60)
        edge.start()
    wire.target = (archive.host, archive.port)
    edge.wait_drained()
    rows = archive.session().get(f"{archive.dicomweb}/instances?limit=100000", headers={"Accept": "application/dicom+json"}).json()
    found = {row["00080018"]["Value"][0] for row in rows}
    lost = set(acknowledged) - found
    assert acknowledged and not lost, f"{len(lost)} of {len(acknowledged)} acknowledged objects lost"


def test_a_full_spool_says_so_and_takes_again_when_it_has_drained(stand):
    archive, wire, make = stand
    wire.target = None
    edge = make(spool={"max_bytes": 2 << 20})
    ds = pydicom.dcmread(TEMPLATE)
    association = clear(edge, [build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)])

    def send():
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        return association.send_c_store(ds)

    statuses = [send().Status]
    while statuses[-1] == 0 and len(statuses) < 500:
        statuses.append(send().Status)
    assert statuses[-1] == 0xA700 and len(statuses) > 1, statuses
    assert "the spool is full" in (edge.folder / "edge.log").read_text()
    wire.target = (archive.host, archive.port)
    edge.wait_drained()
    assert send().Status == 0
    association.release()


@pytest.mark.parametrize("ae, called, source, reason", [
    ("CT2", CALLED, "127.0.0.1", 3), ("CT1", CALLED, "127.0.0.2", 3), ("ct1", CALLED, "127.0.0.1", 3), ("CT1", "OTHER", "127.0.0.1", 7)])
def test_whoever_is_not_a_modality_of_ours_is_rejected(stand, ae, called, source, reason):
    _, _, make = stand
    edge, told = make(), []
    association = clear(edge, [build_context(Verification)], ae=ae, called=called, source=source,
                        evt_handlers=[(evt.EVT_PDU_RECV, lambda event: told.append(event.pdu))])
    assert association.is_rejected
    answer = next(pdu for pdu in told if type(pdu).__name__ == "A_ASSOCIATE_RJ")
    assert (answer.result, answer.source, answer.reason_diagnostic) == (1, 1, reason)


def test_what_the_archive_refuses_is_set_apart_listed_and_discarded(stand, tmp_path):
    archive, _, make = stand
    cert = tmp_path / "bundle" / "cert.pem"
    # MR1 may store MR alone, and sends something else.
    archive.cli("peer", "add", "MR1", "--verbs", "store", "--modalities", "MR", "--certificate", cert, "--ready-file", archive.ready_file)
    edge = make(modality("MR1"))
    ds = pydicom.dcmread(TEMPLATE)
    association = clear(edge, [build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)], ae="MR1")
    assert association.send_c_store(ds).Status == 0
    association.release()
    assert wait_until(lambda: edge.objects() and edge.objects()[0]["reason"], 60)
    (refused,) = edge.objects()
    assert "0x0124" in refused["reason"] and refused["sop_instance"] == ds.SOPInstanceUID
    assert edge.cli("spool", "retry", refused["number"]).returncode == 0
    assert wait_until(lambda: any(object_["reason"] for object_ in edge.objects()), 60), "tried again and refused again"
    assert edge.cli("spool", "discard", refused["number"]).returncode == 0
    assert edge.objects() == [] and edge.cli("spool", "discard", refused["number"]).returncode != 0


def test_an_object_leaves_only_once_it_is_committed_when_so_configured(stand):
    _, _, make = stand
    edge = make(archive={"remove_after": "committed"})
    sent = edge.storescu("CT1", CALLED, FOLDERS[1])
    assert sent.returncode == 0, sent.stdout + sent.stderr
    edge.wait_drained()
    assert edge.objects() == []


def test_queries_and_retrievals_pass_through_where_granted(stand, tmp_path):
    archive, wire, make = stand
    edge = make(modality(verbs=["store", "find", "retrieve"]))
    sent = edge.storescu("CT1", CALLED, FOLDERS[1])
    assert sent.returncode == 0
    edge.wait_drained()
    ds = pydicom.dcmread(next(path for path in sorted(FOLDERS[1].iterdir()) if path.is_file()), force=True)
    keys = pydicom.Dataset()
    keys.QueryRetrieveLevel, keys.StudyInstanceUID, keys.PatientID = "STUDY", ds.StudyInstanceUID, ""
    received = []

    def keep(event):
        received.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    contexts = [build_context(FIND), build_context(GET), build_context(WORKLIST), build_context(ds.SOPClassUID, ExplicitVRLittleEndian)]
    association = clear(edge, contexts, ext_neg=[build_role(ds.SOPClassUID, scp_role=True)], evt_handlers=[(evt.EVT_C_STORE, keep)])
    assert WORKLIST not in [context.abstract_syntax for context in association.accepted_contexts], "the archive has no worklist yet"
    matches = [row for status, row in association.send_c_find(keys, FIND) if row is not None]
    assert [row.StudyInstanceUID for row in matches] == [ds.StudyInstanceUID]
    statuses = [status for status, _ in association.send_c_get(keys, GET)]
    assert statuses[-1].Status == 0 and ds.SOPInstanceUID in received
    association.release()
    names = names_in(path for path in FOLDERS[1].iterdir() if path.is_file())
    assert not [name for name in names if name in bytes(wire.bytes)]


def test_queries_are_not_passed_through_where_not_granted(stand):
    _, _, make = stand
    edge = make()
    association = clear(edge, [build_context(FIND), build_context(Verification)])
    assert [context.abstract_syntax for context in association.accepted_contexts] == [Verification]
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_worklist_is_passed_through_where_granted(tmp_path):
    """Behind the edge an archive of somebody else's with a worklist: pynetdicom over mutual TLS."""
    authority, port, asked = Authority(tmp_path / "bundle"), free_port(), []

    def find(event):
        asked.append((str(event.assoc.requestor.ae_title), str(event.identifier.PatientID)))
        for number in range(3):
            row = pydicom.Dataset()
            row.PatientID, row.AccessionNumber = f"P{number}", f"A{number}"
            yield 0xFF00, row
        yield 0x0000, None

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
    context.load_cert_chain(authority.cert, authority.key)
    context.verify_mode = ssl.CERT_REQUIRED
    behind = AE(ae_title="RIS")
    behind.add_supported_context(WORKLIST)
    server = behind.start_server(("127.0.0.1", port), block=False, ssl_context=context, evt_handlers=[(evt.EVT_C_FIND, find)])
    modalities = [modality(verbs=["find"]), modality(ae="US1", verbs=["store"])]
    edge = Edge(tmp_path / "edge", port, "RIS", tmp_path / "bundle", modalities, archive={"address": f"localhost:{port}"}).start()
    try:
        keys = pydicom.Dataset()
        keys.PatientID, keys.AccessionNumber, keys.ScheduledProcedureStepSequence = "P*", "", []
        association = clear(edge, [build_context(WORKLIST)])
        answers = [(status.Status, row) for status, row in association.send_c_find(keys, WORKLIST)]
        association.release()
        assert [row.AccessionNumber for _, row in answers[:-1]] == ["A0", "A1", "A2"] and answers[-1][0] == 0
        assert asked == [("CT1", "P*")], "once, under the modality's own title"
        assert not [context for context in clear(edge, [build_context(WORKLIST)], ae="US1").accepted_contexts], "not granted"
    finally:
        edge.stop()
        server.shutdown()


@pytest.mark.parametrize("address", ["8.8.8.8", "0.0.0.0", "10.0.0.0/8"])
def test_a_public_address_or_a_range_is_no_modality(tmp_path, address):
    edge = Edge(tmp_path / "edge", 1, "A", tmp_path, [modality(address=address)])
    done = subprocess.run([str(BINARY), "edge", "run", "--config", str(edge.config)], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and not edge.spool.exists()


def test_an_interface_with_a_public_address_is_not_listened_on(tmp_path):
    """192.0.2.0/24 and 100.64.0.0/10 are not private either: whatever this machine has beside loopback is judged by the rule."""
    others = [name for name in os.listdir("/sys/class/net") if name != "lo"]
    for name in ["no-such-0", *others]:
        edge = Edge(tmp_path / name, 1, "A", tmp_path, [modality()], listen={"interface": name})
        shown = subprocess.run(["ip", "-o", "addr", "show", "dev", name], capture_output=True, text=True).stdout
        addresses = [ipaddress.ip_interface(line.split()[3]).ip for line in shown.splitlines()]
        private = [a for a in addresses if any(a in ipaddress.ip_network(n) for n in PRIVATE if a.version == ipaddress.ip_network(n).version)]
        if private and all(a in private or a.is_link_local for a in addresses):
            continue
        done = subprocess.run([str(BINARY), "edge", "run", "--config", str(edge.config)], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "interface" in done.stderr, done.stderr
