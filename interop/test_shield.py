"""The shield: Orthanc as installed behind it, reached by token or certificate, and by nobody else."""

import json
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import CTImageStorage, Verification
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MOVE

sys.path.insert(0, str(Path(__file__).parent / "exposure"))
from dicom_targets import PLANTED, PLANTED_ID, STUDIES, encoded, fill_orthanc, orthanc, studies  # noqa: E402
from edge import Edge, Wire  # noqa: E402
from leadglass import BINARY, Archive, wait_until  # noqa: E402

JSON = {"Accept": "application/dicom+json"}
LISTED = 10
REVOKED_WITHIN_S = 6


class Shield(Archive):
    """The shield's own doors, spoken to as an archive's."""

    doors = {"https": "127.0.0.1:0", "dicom": "127.0.0.1:0"}

    def __init__(self, folder, dicom_port, http_port, host="127.0.0.1"):
        self.data_dir = Path(folder) / "shield"
        self.edge = Edge(folder, 1, "UNUSED", folder, [],
                         shield={"dicom": f"{host}:{dicom_port}", "ae_title": "ORTHANC",
                                 "dicomweb": f"http://{host}:{http_port}/dicom-web"})
        text = self.edge.config.read_text()
        serve = (f'[serve.data]\ndir = {json.dumps(str(self.data_dir))}\nsegment_bytes = 16777216\n'
                 f'[serve.listen]\nhttps = "{self.doors["https"]}"\ndicom = "{self.doors["dicom"]}"\n')
        self.edge.config.write_text(text + serve)
        self.log = open(Path(folder) / "edge.log", "ab")
        self.process = subprocess.Popen([str(BINARY), "edge", "run", "--config", str(self.edge.config), "--json"],
                                        stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line, (Path(folder) / "edge.log").read_text()[-3000:]
        up = json.loads(line)["shield"]
        self.ca, self.ae, self.pid = up["ca"], up["ae_title"], self.process.pid
        self.https, self.dicomweb = f"https://{up['https']}", f"https://{up['https']}/dicom-web"
        self.host, self.port = up["dicom"].split(":")[0], int(up["dicom"].split(":")[1])
        self.token = json.loads(self.cli("setup", "--data", self.data_dir, "--json").stdout)["token"]
        self.token_file = Path(folder) / "token"
        self.token_file.write_text(self.token)
        self.token_file.chmod(0o600)

    def enrol(self, ae, verbs, *more):
        out = Path(self.edge.folder) / f"peer-{ae}"
        self.cli("peer", "add", ae, "--verbs", ",".join(verbs), "--out", out, "--data", self.data_dir,
                 "--token-file", self.token_file, *more)
        return {"ae": ae, "cert": str(out / "cert.pem"), "key": str(out / "key.pem")}

    def token_of(self, role, *more):
        made = self.cli("token", "create", f"{role}-{len(more)}", "--role", role, "--data", self.data_dir,
                        "--token-file", self.token_file, "--json", *more)
        return json.loads(made.stdout)["token"]

    def program(self, name):
        """A service account that may view, with a token."""
        self.administer("user", "add", name, "--service", "--role", "viewer")
        made = self.administer("token", "create", f"token of {name}", "--role", "viewer", "--owner", name, "--json")
        return self.session(json.loads(made.stdout)["token"])

    def administer(self, *arguments):
        return self.cli(*arguments, "--data", self.data_dir, "--token-file", self.token_file)

    def limit(self, caller, **limits):
        limits = {"opened": 100, "listed": LISTED, "bytes": 10**9, "new": 1000} | limits
        self.administer("envelope", "set", caller, *[part for name, value in limits.items() for part in (f"--{name}", value)])

    def alarms(self, caller):
        reviews = self.session().get(f"{self.https}/admin/v1/reviews").json()
        return [(review["alarm"], review.get("patient_id")) for review in reviews if review["caller"] == caller]

    def trail(self):
        return self.session().get(f"{self.https}/admin/v1/trail?limit=1000").json()["entries"]


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    """Orthanc as Debian has it, two tapped wires to it, and the shield."""
    folder = tmp_path_factory.mktemp("shield")
    with orthanc(folder / "orthanc", Plugins=["libOrthancDicomWeb.so"], DicomAlwaysAllowFind=True, DicomAlwaysAllowGet=True) as (port, http):
        fill_orthanc(http)
        dicom_wire, web_wire = Wire(("127.0.0.1", port)), Wire(("127.0.0.1", http))
        shield = Shield(folder, dicom_wire.port, web_wire.port)
        shield.behind = f"http://127.0.0.1:{http}"
        yield shield, dicom_wire, web_wire
        shield.stop()
        dicom_wire.close()
        web_wire.close()


def test_dicomweb_reads_as_a_viewer_makes_them_work_with_a_token_and_are_on_the_trail(stand):
    shield, _, web_wire = stand
    session = shield.session(shield.token_of("viewer"))
    client = DICOMwebClient(url=shield.dicomweb, session=session)
    rows = client.search_for_studies(search_filters={"PatientID": f"{PLANTED_ID}-7"}, fields=["PatientName"])
    assert len(rows) == 1 and rows[0]["00100010"]["Value"][0]["Alphabetic"] == PLANTED
    study = rows[0]["0020000D"]["Value"][0]
    series = client.search_for_series(study)[0]["0020000E"]["Value"][0]
    instance = client.search_for_instances(study, series)[0]["00080018"]["Value"][0]
    assert client.retrieve_study_metadata(study)[0]["0020000D"]["Value"][0] == study
    fetched = client.retrieve_instance(study, series, instance)
    assert fetched.PatientID == f"{PLANTED_ID}-7" and fetched.SOPInstanceUID == instance
    assert len(list(client.retrieve_study(study))) == 1
    answer = session.get(f"{shield.dicomweb}/studies/{study}", headers=JSON | {"Accept": 'multipart/related; type="application/dicom"'})
    assert "Server" not in answer.headers or "Orthanc" not in answer.headers["Server"]
    metadata = session.get(f"{shield.dicomweb}/studies/{study}/metadata", headers=JSON).text
    assert f"127.0.0.1:{web_wire.port}" not in metadata, "the old archive's own address is not given out"
    entries = shield.trail()
    of = lambda operation: [entry for entry in entries if entry.get("operation") == operation and entry["caller"].startswith("viewer")]  # noqa: E731
    assert any(f"{PLANTED_ID}-7" == entry.get("patient_id") for entry in of("search"))
    assert any(entry.get("study") == study for entry in of("retrieve"))


def test_c_find_c_get_and_c_store_work_with_a_certificate_and_are_on_the_trail(stand):
    shield, *_ = stand
    peer = shield.enrol("STATION", ["find", "retrieve", "store"])
    received = []

    def keep(event):
        received.append(event.dataset.PatientID)
        return 0x0000

    contexts = [build_context(FIND), build_context(GET), build_context(MOVE), build_context(Verification),
                build_context(CTImageStorage, "1.2.840.10008.1.2")]
    association = shield.associate(contexts, peer=peer, ext_neg=[build_role(CTImageStorage, scu_role=True, scp_role=True)],
                                   evt_handlers=[(evt.EVT_C_STORE, keep)])
    assert association.is_established
    assert association.send_c_echo().Status == 0
    keys = Dataset()
    keys.QueryRetrieveLevel, keys.PatientID, keys.StudyInstanceUID = "STUDY", f"{PLANTED_ID}-9", ""
    rows = [row for _, row in association.send_c_find(keys, FIND) if row is not None]
    assert len(rows) == 1
    named = Dataset()
    named.QueryRetrieveLevel, named.StudyInstanceUID = "STUDY", rows[0].StudyInstanceUID
    statuses = [status for status, _ in association.send_c_get(named, GET)]
    assert statuses[-1].Status == 0 and received == [f"{PLANTED_ID}-9"]
    moved = [status for status, _ in association.send_c_move(named, "STATION", MOVE)] if any(
        context.abstract_syntax == MOVE for context in association.accepted_contexts) else []
    assert not moved or moved[-1].Status == 0xA801
    new = next(studies())
    new.PatientID = "SENT-THROUGH"
    assert association.send_c_store(with_meta(new)).Status == 0
    keys.PatientID = "SENT-THROUGH"
    assert len([row for _, row in association.send_c_find(keys, FIND) if row is not None]) == 1
    association.release()
    entries = [entry for entry in shield.trail() if entry["caller"] == "STATION"]
    operations = {entry.get("operation") for entry in entries}
    assert {"search", "retrieve", "store"} <= operations
    assert any(entry.get("study") == str(rows[0].StudyInstanceUID) for entry in entries if entry.get("operation") == "retrieve")
    assert any(entry.get("patient_id") == "SENT-THROUGH" for entry in entries if entry.get("operation") == "store")


def with_meta(ds):
    from pydicom.dataset import FileMetaDataset
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    return ds


def test_a_peer_without_the_verb_gets_no_context_and_a_stranger_no_tls(stand):
    shield, dicom_wire, _ = stand
    peer = shield.enrol("SENDER", ["store"])
    before = dicom_wire.connections
    association = shield.associate([build_context(FIND), build_context(GET)], peer=peer)
    assert not association.accepted_contexts
    association.abort()
    stranger = AE(ae_title="STATION")
    stranger.requested_contexts = [build_context(FIND)]
    stranger.acse_timeout = 10
    assert not stranger.associate(shield.host, shield.port, ae_title=shield.ae).is_established
    assert dicom_wire.connections == before, "nothing reached the old archive"


def test_what_is_not_listed_reaches_nobody(stand):
    shield, _, web_wire = stand
    viewer, reader = shield.session(shield.token_of("viewer", "--studies", "1.2.3")), shield.session(shield.token_of("reader"))
    anonymous = requests.Session()
    anonymous.trust_env, anonymous.verify = False, shield.ca
    before = web_wire.connections
    expected = [
        (anonymous, "GET", "/dicom-web/studies", {401}),
        (anonymous, "GET", "/dicom-web/studies/1.2/metadata", {401}),
        (reader, "GET", "/instances", {404}),
        (reader, "GET", "/system", {404}),
        (reader, "GET", "/tools/find", {404}),
        (reader, "GET", "/dicom-web/servers", {404}),
        (reader, "GET", "/dicom-web/studies/1.2/../../../system", {404}),
        (reader, "GET", "/dicom-web/studies/%2e%2e%2f%2e%2e%2fsystem/metadata", {404}),
        (reader, "GET", "/dicom-web/studies/1.2/series/1.3/instances/1.4/bulkdata/..%2f..%2fx", {404}),
        (reader, "GET", "/wado?requestType=WADO&studyUID=1.2", {404}),
        (reader, "DELETE", "/dicom-web/studies/1.2", {405}),
        (reader, "PUT", "/dicom-web/studies/1.2", {405}),
        (reader, "POST", "/dicom-web/studies", {403, 415}),
        (viewer, "GET", "/dicom-web/studies", {403}),
        (viewer, "GET", "/dicom-web/studies/1.2.4/series", {403}),
        (viewer, "GET", "/dicom-web/studies/1.2.3/series?StudyInstanceUID=1.2.4", {403}),
        (viewer, "GET", "/dicom-web/studies/1.2.4/metadata", {403}),
    ]
    for session, method, path, statuses in expected:
        request = requests.Request(method, f"{shield.https}/", headers={**session.headers, **JSON}).prepare()
        request.url = f"{shield.https}{path}"
        answer = session.send(request, allow_redirects=False, verify=shield.ca)
        assert answer.status_code in statuses, (method, path, answer.status_code, answer.text)
    assert web_wire.connections == before, "nothing reached the old archive"
    assert viewer.get(f"{shield.dicomweb}/studies/1.2.3/series", headers=JSON).status_code in (200, 204, 404), "within reach"
    assert web_wire.connections == before + 1


def test_what_the_old_archive_says_in_its_own_words_is_not_handed_on(stand):
    shield, _, _ = stand
    answer = shield.session().get(f"{shield.dicomweb}/studies/1.2.3.4.5.6/metadata", headers=JSON)
    assert "Orthanc" not in answer.text and "Orthanc" not in str(answer.headers)


def test_everything_planted_is_still_there(stand):
    shield, *_ = stand
    rows = shield.session().get(f"{shield.dicomweb}/studies?PatientName=PLANTED*&limit=1000", headers=JSON).json()
    assert len(rows) >= STUDIES


def test_revoked_is_out_within_seconds(stand):
    shield, *_ = stand
    peer = shield.enrol("LEAVER", ["find"])
    association = shield.associate([build_context(FIND)], peer=peer)
    assert association.is_established
    shield.cli("peer", "revoke", "LEAVER", "--data", shield.data_dir, "--token-file", shield.token_file)
    association.join(6)
    assert not association.is_alive()


def searched(session, shield, query):
    return session.get(f"{shield.dicomweb}/studies?{query}", headers=JSON)


def test_whoever_walks_every_study_by_dicomweb_gets_no_row_beyond_the_envelope(stand):
    shield, *_ = stand
    walker = shield.program("walker")
    shield.limit("walker")
    all_at_once = searched(walker, shield, "PatientName=PLANTED*&limit=1000")
    assert all_at_once.status_code == 429 and "Retry-After" in all_at_once.headers
    assert PLANTED not in all_at_once.text and PLANTED_ID not in all_at_once.text
    walked = [searched(walker, shield, f"PatientID={PLANTED_ID}-{number}").status_code for number in range(STUDIES)]
    assert walked == [200] * LISTED + [429] * (STUDIES - LISTED)
    assert searched(walker, shield, f"PatientID={PLANTED_ID}-0").status_code == 200, "a known one is no more"
    xml = walker.get(f"{shield.dicomweb}/studies", headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert xml.status_code == 406, "rows that are not counted do not leave"
    assert shield.alarms("walker") == [("envelope", None)]
    mine = [entry for entry in shield.trail() if entry.get("person") == "walker" and entry.get("operation") == "search"]
    assert sum(entry["outcome"] == "done" and entry.get("count") == 1 for entry in mine) == LISTED + 1, "rows are counted on the trail"
    assert any(entry["outcome"] == "refused" for entry in mine)


def test_whoever_walks_every_study_by_c_find_gets_no_row_beyond_the_envelope(stand):
    shield, *_ = stand
    peer = shield.enrol("WALKER", ["find"])
    shield.limit("WALKER")

    def found(**keys):
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        for name, value in keys.items():
            setattr(identifier, name, value)
        association = shield.associate([build_context(FIND)], peer=peer)
        answers = list(association.send_c_find(identifier, FIND))
        association.release()
        return len([row for _, row in answers if row is not None]), answers[-1][0].Status

    assert found(PatientName="PLANTED*", PatientID="") == (0, 0xA700)
    assert found(StudyDate="20200101") == (0, 0xA700), "whom a row tells of is asked for when the client does not"
    walked = [found(PatientID=f"{PLANTED_ID}-{number}", StudyDate="") for number in range(LISTED + 3)]
    assert walked == [(1, 0)] * LISTED + [(0, 0xA700)] * 3
    assert found(PatientID=f"{PLANTED_ID}-0", StudyInstanceUID="") == (1, 0), "a known one is no more"
    assert shield.alarms("WALKER") == [("envelope", None)]


def stored_behind(shield, patient, **more):
    """An object that the old archive has and of which the shield was told nothing."""
    ds = next(studies())
    ds.PatientID = patient
    for name, value in more.items():
        setattr(ds, name, value)
    assert requests.post(f"{shield.behind}/instances", data=encoded(ds), timeout=60).status_code == 200
    return ds


def test_a_canary_in_the_old_archive_sings_however_it_is_touched(stand):
    shield, *_ = stand
    shield.administer("mark", "set", "--patient", "CANARY", "--canary")
    first, second, third = (stored_behind(shield, "CANARY") for _ in range(3))
    song = [("canary", "CANARY")]
    finder, opener = shield.program("finder"), shield.program("opener")
    assert searched(finder, shield, f"StudyInstanceUID={first.StudyInstanceUID}").status_code == 200
    assert wait_until(lambda: shield.alarms("finder") == song), "a row"
    assert opener.get(f"{shield.dicomweb}/studies/{second.StudyInstanceUID}/metadata", headers=JSON).status_code == 200
    assert wait_until(lambda: shield.alarms("opener") == song), "a study by its UID alone"
    peer = shield.enrol("OPENER", ["retrieve"])
    named = Dataset()
    named.QueryRetrieveLevel, named.StudyInstanceUID = "STUDY", third.StudyInstanceUID
    received = []
    association = shield.associate(
        [build_context(GET), build_context(CTImageStorage, "1.2.840.10008.1.2")], peer=peer,
        ext_neg=[build_role(CTImageStorage, scu_role=True, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, lambda event: received.append(event.dataset.PatientID) or 0)])
    assert [status.Status for status, _ in association.send_c_get(named, GET)][-1] == 0 and received == ["CANARY"]
    association.release()
    assert wait_until(lambda: shield.alarms("OPENER") == song), "by C-GET"
    opened = [entry for entry in shield.trail() if entry.get("study") == str(second.StudyInstanceUID)]
    assert opened and opened[0].get("patient_id") == "CANARY", "whose study it is is on the trail"


@pytest.mark.parametrize("level, key, of", [
    ("PATIENT", "PatientID", "PatientID"), ("STUDY", "AccessionNumber", "AccessionNumber"), ("STUDY", "PatientID", "PatientID"),
    ("SERIES", "SeriesInstanceUID", "SeriesInstanceUID"), ("IMAGE", "SOPInstanceUID", "SOPInstanceUID"),
    ("study", "PatientID", "PatientID"), ("PATIENTS", "PatientID", "PatientID")])
def test_no_other_key_than_the_study_brings_another_s_images(stand, level, key, of):
    """Orthanc goes by one key of a C-GET: the shield decides by the study, and nothing else may come."""
    shield, *_ = stand
    own, other = stored_behind(shield, "OWN", AccessionNumber="OWN-1"), stored_behind(shield, "OTHER", AccessionNumber="OTHER-1")
    peer = shield.enrol(f"LIMITED-{secrets.token_hex(3)}".upper(), ["find", "retrieve"], "--studies", str(own.StudyInstanceUID))
    received = []
    association = shield.associate(
        [build_context(FIND), build_context(GET), build_context(CTImageStorage, "1.2.840.10008.1.2")], peer=peer,
        ext_neg=[build_role(CTImageStorage, scu_role=True, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, lambda event: received.append(event.dataset.PatientID) or 0)])
    named = Dataset()
    named.QueryRetrieveLevel, named.StudyInstanceUID = level, own.StudyInstanceUID
    if level == "IMAGE":
        named.SeriesInstanceUID = other.SeriesInstanceUID
    setattr(named, key, getattr(other, of))
    statuses = [status.Status for status, _ in association.send_c_get(named, GET)]
    assert "OTHER" not in received, "another's image came"
    assert received == ["OWN"] * (level == "STUDY") and (statuses[-1] == 0) == (level == "STUDY"), (statuses, received)
    if level not in ("STUDY", "SERIES", "IMAGE"):
        rows = [row for _, row in association.send_c_find(named, FIND) if row is not None]
        assert not rows, "nor in a query above the studies"
    association.release()


def large(shield, patient):
    """An object of 16 MB."""
    return stored_behind(shield, patient, Rows=2048, Columns=4096, BitsAllocated=16, BitsStored=16, HighBit=15,
                         PixelRepresentation=0, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
                         PixelData=bytes(2048 * 4096 * 2))


def test_bytes_beyond_the_envelope_are_held(stand):
    shield, *_ = stand
    greedy, image = shield.program("greedy"), large(shield, "LARGE")
    shield.limit("greedy", bytes=1_000_000)
    study = f"{shield.dicomweb}/studies/{image.StudyInstanceUID}"
    whole = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    greedy.get(study, headers=whole)
    again = greedy.get(study, headers=whole)
    assert again.status_code == 429, (again.status_code, again.text[:200])


def test_a_download_under_way_ends_when_its_token_is_revoked(stand):
    shield, _, web_wire = stand
    leaver, image = shield.program("web-leaver"), large(shield, "LARGE")
    web_wire.stall_after = 4_000_000
    try:
        answer = leaver.get(f"{shield.dicomweb}/studies/{image.StudyInstanceUID}", stream=True, timeout=30,
                            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
        assert answer.status_code == 200
        pieces = answer.iter_content(65536)
        next(pieces)
        shield.administer("token", "revoke", "token of web-leaver")
        begun = time.monotonic()
        with pytest.raises(requests.exceptions.RequestException):
            for _ in pieces:
                pass
        assert web_wire.stalled.is_set() and time.monotonic() - begun < REVOKED_WITHIN_S
    finally:
        web_wire.stall_after = None
        web_wire.stalled.clear()


def test_a_c_get_under_way_ends_when_its_peer_is_revoked(stand):
    shield, dicom_wire, _ = stand
    image, peer = large(shield, "LARGE"), shield.enrol("GET-LEAVER", ["retrieve"])
    named, received = Dataset(), []
    named.QueryRetrieveLevel, named.StudyInstanceUID = "STUDY", image.StudyInstanceUID
    association = shield.associate(
        [build_context(GET), build_context(CTImageStorage, "1.2.840.10008.1.2")], peer=peer,
        ext_neg=[build_role(CTImageStorage, scu_role=True, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, lambda event: received.append(event) or 0)])
    dicom_wire.stall_after = 4_000_000
    try:
        getting = threading.Thread(target=lambda: list(association.send_c_get(named, GET)), daemon=True)
        getting.start()
        assert dicom_wire.stalled.wait(30)
        shield.administer("peer", "revoke", "GET-LEAVER")
        getting.join(REVOKED_WITHIN_S)
        assert not getting.is_alive() and not received
        assert wait_until(lambda: not association.is_established, REVOKED_WITHIN_S)
    finally:
        dicom_wire.stall_after = None
        dicom_wire.stalled.clear()
