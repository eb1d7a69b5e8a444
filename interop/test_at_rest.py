"""What lies on disk: nothing in clear, damage is found and named, the index is only a view."""

import json
import os
import shutil

import numpy
import pydicom
import pytest
import requests
from pydicom.uid import generate_uid
from pynetdicom import build_context

from conftest import SAMPLES
from leadglass import Archive

CANARY_NAME, CANARY_ID = "CANARYNAME^XQZJ", "CANARYID7731"
PIXEL_CANARY = bytes(numpy.random.default_rng(7).integers(0, 256, 64, dtype=numpy.uint8))


def store(archive, count):
    """Instances with canaries in names, ids, UIDs and pixels; what was acknowledged."""
    template = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm")
    template.PatientName, template.PatientID = CANARY_NAME, CANARY_ID
    template.PixelData = (PIXEL_CANARY * (len(template.PixelData) // 64 + 1))[:len(template.PixelData)]
    association = archive.associate([build_context(template.SOPClassUID, template.file_meta.TransferSyntaxUID)])
    stored = []
    template.StudyInstanceUID, template.SeriesInstanceUID = generate_uid(), generate_uid()
    for number in range(count):
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        template.InstanceNumber = number
        assert association.send_c_store(template).Status == 0
        stored.append((template.StudyInstanceUID, template.SeriesInstanceUID, template.SOPInstanceUID))
    association.release()
    return stored


def answers(archive):
    session = archive.session()
    get = {"Accept": "application/dicom+json"}
    return [sorted(json.dumps(row, sort_keys=True).replace(archive.https, "") for row in
            session.get(f"{archive.dicomweb}/{level}?includefield=all", headers=get).json()) for level in ("studies", "series", "instances")]


def test_no_canary_in_the_raw_bytes(fresh):
    archive = fresh()
    stored = store(archive, 20)
    answers(archive)
    archive.stop()
    needles = [b"CANARYNAME", CANARY_ID.encode(), PIXEL_CANARY[:24], *(uid.encode() for uid in stored[0])]
    looked = 0
    for root in (archive.data_dir, archive.data_dir.parent):
        for folder, _, names in os.walk(root):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    raw = f.read()
                looked += len(raw)
                assert not [n for n in needles if n in raw], os.path.join(folder, name)
    assert looked > 20 * 30_000


def test_index_deleted_and_rebuilt_gives_the_same_answers(fresh):
    archive = fresh()
    store(archive, 10)
    before = answers(archive)
    archive.stop()
    for path in archive.data_dir.glob("index*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    archive.cli("rebuild", "--data", archive.data_dir)
    again = Archive(archive.data_dir).start()
    try:
        assert answers(again) == before
    finally:
        again.stop()


def test_one_flipped_bit_is_named_and_refused(fresh):
    archive = fresh()
    stored = store(archive, 10)
    archive.stop()
    segment = max((archive.data_dir / "log").glob("*.seg"))
    clean = archive.cli("verify", "--data", archive.data_dir, "--json")
    assert json.loads(clean.stdout)["damaged"] == []
    with open(segment, "r+b") as f:
        raw = f.read()
        used = len(raw.rstrip(b"\0"))
        at = used // 2
        f.seek(at)
        f.write(bytes([raw[at] ^ 0x10]))
    report = archive.cli("verify", "--data", archive.data_dir, "--json", check=False)
    assert report.returncode != 0
    damaged = json.loads(report.stdout)["damaged"]
    assert len(damaged) == 1 and damaged[0]["segment"] is not None and damaged[0]["offset"] <= at
    again = Archive(archive.data_dir).start()
    try:
        statuses = [fetched(again, *instance) for instance in stored]
        assert statuses.count(200) == len(stored) - 1, statuses
    finally:
        again.stop()



def fetched(archive, study, series, instance):
    """The status, or what broke: damage found after the first bytes have left ends the connection, never the object."""
    try:
        return archive.session().get(f"{archive.dicomweb}/studies/{study}/series/{series}/instances/{instance}",
                                     headers={"Accept": "application/dicom; transfer-syntax=*"}).status_code
    except requests.exceptions.RequestException:
        return "broken off"


def test_second_instance_on_the_same_directory_is_refused(fresh):
    archive = fresh()
    with pytest.raises(RuntimeError):
        Archive(archive.data_dir).start()
    assert archive.is_running()
