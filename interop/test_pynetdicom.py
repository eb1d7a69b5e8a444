"""pynetdicom: user identity, extended negotiation, cancel, C-GET roles, storage commitment."""

import io
import json

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import StoragePresentationContexts, build_context, build_role, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    StorageCommitmentPushModel, StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet)

from conftest import SAMPLES
from leadglass import Listener, free_port, identity, wait_until

VERIFICATION = [build_context("1.2.840.10008.1.1")]
FIND = StudyRootQueryRetrieveInformationModelFind
PENDING, CANCELLED = (0xFF00, 0xFF01), 0xFE00


def established(association):
    up = association.is_established
    if up:
        association.release()
    return up


def test_identity_type_1_is_recorded_and_grants_nothing(archive):
    peer = archive.add_peer("IDENTITY1", ["store"])
    association = archive.associate([build_context(FIND)], peer=peer, ext_neg=identity(1, b"administrator", response=False))
    accepted = association.is_established and association.accepted_contexts
    association.abort()
    assert not accepted


def test_identity_type_2_is_verified(archive):
    association = archive.associate(VERIFICATION, ext_neg=identity(2, b"nobody", b"wrong", response=False))
    assert not established(association)
    association = archive.associate(VERIFICATION, ext_neg=identity(2, b"demo", archive.token.encode() + b"x", response=False))
    assert not established(association)
    made = archive.cli("token", "create", "identity2", "--role", "reader", "--ready-file", archive.ready_file, "--json")
    right = identity(2, b"identity2", json.loads(made.stdout)["token"].encode())
    assert established(archive.associate(VERIFICATION, ext_neg=right))


@pytest.mark.parametrize("kind", [3, 4, 5])
def test_identity_types_we_cannot_verify_are_refused(archive, kind):
    assert not established(archive.associate(VERIFICATION, ext_neg=identity(kind, b"ticket", response=False)))


def extended(sop_class, *flags):
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = sop_class, bytes(flags)
    return item


def responses(association, query, **options):
    return [(status.get("Status"), identifier) for status, identifier in association.send_c_find(query, FIND, **options)]


def test_relational_queries_by_extended_negotiation(archive):
    association = archive.associate([build_context(FIND)], ext_neg=[extended(FIND, 1, 1, 1)])
    assert association.is_established
    query = Dataset()
    query.QueryRetrieveLevel, query.Modality, query.SeriesInstanceUID = "SERIES", "CT", ""
    answers = responses(association, query)
    association.release()
    assert answers[-1][0] == 0
    assert {str(i.Modality) for s, i in answers if s in PENDING} == {"CT"}


def test_fuzzy_names_by_extended_negotiation(archive):
    data_set = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm")
    data_set.PatientName, data_set.PatientID = "Meyer^Catherine", "FUZZY"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = generate_uid(), generate_uid()
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    association = archive.associate(
        [build_context(FIND), build_context(data_set.SOPClassUID, data_set.file_meta.TransferSyntaxUID)],
        ext_neg=[extended(FIND, 0, 0, 1)])
    assert association.send_c_store(data_set).Status == 0
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientName, query.PatientID, query.StudyInstanceUID = "STUDY", "Maier^Katherine", "", ""
    answers = responses(association, query)
    association.release()
    assert "FUZZY" in {str(i.PatientID) for s, i in answers if s in PENDING}


CROWD, CROWD_REQUEST = 2000, 500


@pytest.fixture(scope="module")
def crowded(archive):
    """More bytes of answers than connections hold: the archive cannot be done before the cancel has come."""
    template = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm")
    del template.PixelData
    template.SOPClassUID = template.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    template.PatientID, template.PatientComments = "CROWD", "long " * 2000
    number = "2.25.7700{}.1000000"
    template.StudyInstanceUID, template.SeriesInstanceUID = number.format(1), number.format(2)
    template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = number.format(3)
    file = io.BytesIO()
    template.save_as(file)
    part = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.getvalue() + b"\r\n"
    for first in range(0, CROWD, CROWD_REQUEST):
        # A number of as many digits in all three UIDs.
        parts = (part.replace(b".1000000", b".%d" % (1000000 + n)) for n in range(first, first + CROWD_REQUEST))
        answer = archive.session().post(f"{archive.dicomweb}/studies", data=b"".join(parts) + b"--b--\r\n", headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b', "Accept": "application/dicom+json"})
        assert answer.status_code == 200


@pytest.mark.parametrize("cancelled", [False, True], ids=["to its end", "cancelled"])
def test_cancel_of_a_find(archive, crowded, cancelled):
    association = archive.associate([build_context(FIND)])
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID, query.StudyInstanceUID, query.PatientComments = "STUDY", "CROWD", "", ""
    statuses = []
    for status, row in association.send_c_find(query, FIND, msg_id=7):
        assert row is None or len(row.PatientComments) > 9000
        statuses.append(status.get("Status"))
        if cancelled and len(statuses) == 1:
            association.send_c_cancel(7, query_model=FIND)
    association.release()
    assert set(statuses[:-1]) <= set(PENDING)
    assert statuses[-1] == (CANCELLED if cancelled else 0)
    print(f"{len(statuses)} responses")
    assert len(statuses) < CROWD if cancelled else len(statuses) == CROWD + 1


def get_handlers(received):
    def store(event):
        received[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return 0
    return [(evt.EVT_C_STORE, store)]


@pytest.mark.parametrize("with_role", [True, False])
def test_get_needs_the_storage_role(archive, with_role):
    model = StudyRootQueryRetrieveInformationModelGet
    ct = next(ds for ds in (pydicom.dcmread(p, stop_before_pixels=True, force=True) for p in SAMPLES.rglob("*") if p.is_file())
              if ds.get("Modality") == "CT")
    received = {}
    contexts = [build_context(model), build_context(ct.SOPClassUID, [ct.file_meta.TransferSyntaxUID])]
    roles = [build_role(ct.SOPClassUID, scp_role=True)] if with_role else []
    association = archive.associate(contexts, ext_neg=roles, evt_handlers=get_handlers(received))
    assert association.is_established
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID, query.SeriesInstanceUID = "SERIES", ct.StudyInstanceUID, ct.SeriesInstanceUID
    final = [status for status, _ in association.send_c_get(query, model)][-1]
    association.release()
    if with_role:
        assert final.Status == 0 and received
    else:
        assert final.Status != 0 and not received


def commitment_request(references, transaction):
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        request.ReferencedSOPSequence.append(item)
    return request


PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"


@pytest.mark.parametrize("linger", [True, False])
def test_storage_commitment_tells_the_truth(archive, linger):
    """Reported on the same association while it is open, on one of the archive's own to the peer afterwards."""
    port, ae = free_port(), f"COMMIT{int(linger)}"
    peer = archive.add_peer(ae, ["store", "commit"], address=f"127.0.0.1:{port}")
    listener = Listener(archive, peer, [*StoragePresentationContexts[:1], build_context(StorageCommitmentPushModel)], port)
    for context in listener.server.ae.supported_contexts:
        context.scu_role, context.scp_role = True, True
    present = [(ds.SOPClassUID, ds.SOPInstanceUID) for ds in
               (pydicom.dcmread(p, stop_before_pixels=True) for p in sorted((SAMPLES / "datalad-example-dicom-structural").iterdir()))]
    missing = (present[0][0], generate_uid())
    wrong_class = ("1.2.840.10008.5.1.4.1.1.7", present.pop(1)[1])
    reports, transaction = [], generate_uid()

    def report(event):
        reports.append((event.event_type, event.event_information))
        return 0, None

    try:
        association = archive.associate([build_context(StorageCommitmentPushModel)], peer=peer,
                                        evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)])
        status, _ = association.send_n_action(
            commitment_request([*present, missing, wrong_class], transaction), 1, StorageCommitmentPushModel, PUSH_INSTANCE)
        assert status.Status == 0
        if linger:
            assert wait_until(lambda: reports or listener.events, 20)
        association.release()
        assert wait_until(lambda: reports or listener.events, 20)
        kind, information = (reports + listener.events)[0]
        assert kind == 2 and information.TransactionUID == transaction
        committed = {i.ReferencedSOPInstanceUID for i in information.ReferencedSOPSequence}
        reasons = {i.ReferencedSOPInstanceUID: i.FailureReason for i in information.FailedSOPSequence}
        assert reasons == {missing[1]: 0x0112, wrong_class[1]: 0x0119}
        assert committed == {uid for _, uid in present}
    finally:
        listener.stop()


def test_many_idle_associations_do_not_stop_a_working_one(archive):
    idle = [archive.associate(VERIFICATION) for _ in range(20)]
    association = archive.associate(VERIFICATION)
    assert association.send_c_echo().Status == 0
    association.release()
    for other in idle:
        other.abort()
