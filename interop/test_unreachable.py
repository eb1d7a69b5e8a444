"""The shield as it is meant to stand: an old archive on a wire of its own, in clear and without a password, and nobody
reaches it but through the edge. Three machines, each a network namespace."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND

sys.path.insert(0, str(Path(__file__).parent / "exposure"))
from dicom_targets import PLANTED, PLANTED_ID, encoded, studies  # noqa: E402
from leadglass import free_port, wait_until  # noqa: E402
from networks import Networks, can_make  # noqa: E402
from people import enrol, fresh_name, person  # noqa: E402
from test_shield import Shield  # noqa: E402

DICOM, HTTPS = 11112, 8443
JSON = {"Accept": "application/dicom+json"}


class Between(Shield):
    """The shield on the machine between: its doors are for the ward."""

    def __init__(self, folder, old_dicom, old_http):
        self.doors = {"https": f"{Networks.GATE_TO_WARD}:{HTTPS}", "dicom": f"{Networks.GATE_TO_WARD}:{DICOM}"}
        super().__init__(folder, old_dicom, old_http, host=Networks.OLD)
        self.ready_file = None

    def cli(self, *arguments, **options):
        """What asks an archive by its ready file asks this one by its data directory."""
        asked, rest = [], list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "--ready-file":
                rest.pop(0)
                asked += ["--data", self.data_dir, "--token-file", self.token_file]
            else:
                asked.append(word)
        return super().cli(*asked, **options)


def is_open(address, port):
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not can_make(), reason="network namespaces need root and iproute2")
def test_an_old_archive_is_reached_through_the_edge_alone(tmp_path):
    with Networks() as networks:
        dicom, http = free_port(), free_port()
        configuration = tmp_path / "orthanc.json"
        configuration.write_text(json.dumps({
            "StorageDirectory": str(tmp_path / "db"), "IndexDirectory": str(tmp_path / "db"), "DicomPort": dicom, "HttpPort": http,
            "RemoteAccessAllowed": True, "AuthenticationEnabled": False, "DicomAlwaysAllowFind": True,
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"]}))
        log = open(tmp_path / "orthanc.log", "wb")
        old = networks.within("old", lambda: subprocess.Popen(["Orthanc", configuration], stdout=log, stderr=log))
        shield = None
        try:
            assert wait_until(lambda: networks.within("old", lambda: is_open("127.0.0.1", http)), 60)
            for study in studies():
                body = encoded(study)
                networks.within("gate", lambda: requests.post(f"http://{Networks.OLD}:{http}/instances", data=body, timeout=30).raise_for_status())
            shield = networks.within("gate", lambda: Between(tmp_path / "edge", dicom, http))
            look(networks, shield, dicom, http)
        finally:
            if shield:
                shield.stop()
            old.terminate()
            old.wait(30)


def look(networks, shield, dicom, http):
    from_ward = lambda work: networks.within("ward", work)  # noqa: E731
    assert not from_ward(lambda: is_open(Networks.GATE_TO_WARD, HTTPS)), "no second factor yet: no door"
    shield.token = networks.within("gate", lambda: token_of_an_administrator(shield))
    shield.token_file.write_text(shield.token)
    assert wait_until(lambda: from_ward(lambda: is_open(Networks.GATE_TO_WARD, HTTPS)), 120), (shield.data_dir.parent / 'edge.log').read_text()[-3000:]
    for port in (dicom, http):
        assert networks.within("gate", lambda: is_open(Networks.OLD, port)), "the machine between reaches it"
        assert not from_ward(lambda: is_open(Networks.OLD, port)), "the ward does not"
        assert not from_ward(lambda: is_open(Networks.GATE_TO_WARD, port)), "nor by the machine between"
    shield.https, shield.host, shield.port = f"https://{shield.doors['https']}", Networks.GATE_TO_WARD, DICOM
    shield.dicomweb = f"{shield.https}/dicom-web"
    token = networks.within("gate", lambda: shield.token_of("viewer"))
    peer = networks.within("gate", lambda: shield.enrol("STATION", ["find"]))
    by_web = from_ward(lambda: shield.session(token).get(f"{shield.dicomweb}/studies?PatientID={PLANTED_ID}-3", headers=JSON).json())
    assert [row["00100010"]["Value"][0]["Alphabetic"] for row in by_web] == [PLANTED]
    assert from_ward(lambda: requests.get(f"{shield.dicomweb}/studies", verify=shield.ca).status_code) == 401
    assert from_ward(lambda: found_by_dicom(shield, peer)) == 1
    entries = networks.within("gate", shield.trail)
    callers = {entry["caller"] for entry in entries if entry.get("operation") == "search" and entry.get("patient_id") == f"{PLANTED_ID}-3"}
    assert len(callers) == 2 and "STATION" in callers, callers


def token_of_an_administrator(shield):
    """Setup's token ends with the first second factor; who has it gets the next one."""
    browser = person(shield, fresh_name("ada"), "--role", "administrator")
    enrol(browser)
    new = {"name": "the judge's", "role": "administrator", "lifetime_days": 1}
    return browser.ask("POST", "/admin/v1/tokens", new).json()["token"]


def found_by_dicom(shield, peer):
    association = shield.associate([build_context(FIND)], peer=peer)
    assert association.is_established
    keys = Dataset()
    keys.QueryRetrieveLevel, keys.PatientID, keys.StudyInstanceUID = "STUDY", f"{PLANTED_ID}-3", ""
    rows = [row for _, row in association.send_c_find(keys, FIND) if row is not None]
    association.release()
    return len(rows)
