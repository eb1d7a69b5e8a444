"""DICOM servers of strangers, started on free ports of loopback addresses of their own.

Each is stock software as Debian or PyPI has it, set up as its book says or as it comes.
What is stored in them is made up here: forty studies, one name, to be looked for in reports.
"""
import json
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (CTImageStorage, ModalityWorklistInformationFind,
                                  StudyRootQueryRetrieveInformationModelFind, Verification)

ORTHANC_PLUGINS = Path("/usr/share/orthanc/plugins")
START_TIMEOUT_S = 30
STUDIES = 40
PLANTED = "PLANTED^JANE"
PLANTED_ID = "PLANTED-MRN-4711"


def free_port(host="127.0.0.1"):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def listens(port, host="127.0.0.1"):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((host, port)) == 0


@contextmanager
def process(command, port, directory, **options):
    """A server that runs until the test is done; a reader of its log may find out why not."""
    log = open(Path(directory) / "server.log", "ab")
    server = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                              cwd=directory, **options)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not listens(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{(Path(directory) / 'server.log').read_text()[-3000:]}")
            time.sleep(0.05)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


@contextmanager
def orthanc(directory, **options):
    """Stock Orthanc, with these options changed. Its DICOM port."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    port, plugins = free_port(), options.pop("Plugins", [])
    configuration = {"Name": "JUDGED", "StorageDirectory": str(directory / "db"), "IndexDirectory": str(directory / "db"),
                     "DicomPort": port, "HttpPort": free_port(), "RemoteAccessAllowed": False,
                     "Plugins": [str(ORTHANC_PLUGINS / name) for name in plugins], **options}
    (directory / "orthanc.json").write_text(json.dumps(configuration))
    with process(["Orthanc", directory / "orthanc.json"], port, directory):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not listens(configuration["HttpPort"]) and time.monotonic() < deadline:  # it comes after the other
            time.sleep(0.05)
        yield port, configuration["HttpPort"]


HARDENED = {"DicomCheckCalledAet": True, "DicomAet": "SECURED", "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False, "DicomAlwaysAllowFind": False, "DicomAlwaysAllowGet": False,
            "DicomCheckModalityHost": True, "DicomModalities": {"ct": ["CT1", "127.0.0.99", 104]}}


def fill_orthanc(http_port):
    """Made-up studies, through its own REST."""
    import requests
    for study in studies():
        done = requests.post(f"http://127.0.0.1:{http_port}/instances", data=encoded(study), timeout=30)
        assert done.status_code == 200, done.text


def studies():
    for number in range(STUDIES):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = PLANTED, f"{PLANTED_ID}-{number}", "19601231"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20200101", "120000", str(number), "1"
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, 1
        yield ds


def encoded(ds):
    from io import BytesIO

    from pydicom.dataset import FileMetaDataset
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def worklist_file(directory):
    """One worklist entry with a planted name, as the plugin wants it."""
    from pydicom.dataset import FileMetaDataset
    directory.mkdir(parents=True, exist_ok=True)
    entry, step = Dataset(), Dataset()
    entry.PatientName, entry.PatientID, entry.AccessionNumber = PLANTED, PLANTED_ID, "1"
    entry.StudyInstanceUID, entry.RequestedProcedureID = generate_uid(), "1"
    step.Modality, step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = "CT", "CT1", "20200101"
    entry.ScheduledProcedureStepSequence = [step]
    entry.file_meta = FileMetaDataset()
    entry.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    entry.file_meta.MediaStorageSOPClassUID = ModalityWorklistInformationFind
    entry.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    entry.save_as(directory / "entry.wl", enforce_file_format=True)


@contextmanager
def dcmqrscp(directory):
    """DCMTK's archive, open to any peer and filled."""
    directory = Path(directory)
    store = directory / "COMMON"
    store.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (directory / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nCOMMON {store} RW (200, 1024mb) ANY\nAETable END\n")
    files = []
    for number, study in enumerate(studies()):
        path = store / f"{number}.dcm"
        path.write_bytes(encoded(study))
        files.append(str(path))
    subprocess.run(["dcmqridx", str(store), *files], check=True, capture_output=True, timeout=60)
    with process(["dcmqrscp", "-c", directory / "dcmqrscp.cfg"], port, directory):
        yield port


@contextmanager
def storescp(directory, *arguments):
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with process(["storescp", *arguments, "-od", directory, port], port, directory):
        yield port


def key_pair(directory):
    """A self-signed certificate for loopback."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=60)
    return key, cert


def storescp_tls(directory, verify="--ignore-peer-cert"):
    """storescp behind TLS: `--ignore-peer-cert` asks nobody, `--require-peer-cert` everybody."""
    key, cert = key_pair(directory)
    return storescp(directory, "+tls", key, cert, "-pw", "+cf", cert, verify)


class Heard:
    """What an SCP saw of whoever called."""

    def __init__(self):
        self.associations = 0
        self.asked = set()

    def handlers(self):
        def requested(event):
            self.associations += 1

        def message(event):
            self.asked.add(type(event.message).__name__)

        return [(evt.EVT_REQUESTED, requested), (evt.EVT_DIMSE_RECV, message)]


@contextmanager
def pynetdicom_scp(host, find_status=0x0000, matches=0, called=None, calling=None):
    """An SCP of pynetdicom that answers every C-FIND so, whatever was asked for."""
    def on_find(event):
        for study in list(studies())[:matches]:
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.StudyInstanceUID = "STUDY", study.StudyInstanceUID
            answer.PatientName = PLANTED
            yield 0xFF00, answer
        yield find_status, None
    entity, heard = AE(called or "JUDGED"), Heard()
    entity.require_called_aet = called is not None
    if calling:
        entity.require_calling_aet = [calling]
    for context in (Verification, CTImageStorage, StudyRootQueryRetrieveInformationModelFind,
                    ModalityWorklistInformationFind):
        entity.add_supported_context(context)
    handlers = [(evt.EVT_C_FIND, on_find), (evt.EVT_C_ECHO, lambda event: 0)] + heard.handlers()
    server = entity.start_server((host, 0), block=False, evt_handlers=handlers)
    try:
        yield server.socket.getsockname()[1], heard
    finally:
        server.shutdown()
