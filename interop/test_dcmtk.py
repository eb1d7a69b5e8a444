"""DCMTK's stock tools over mutual TLS: echo, store, find at every level and matching kind, move, get, shutdown."""

import pydicom
import pytest
from pynetdicom import StoragePresentationContexts, build_context

from conftest import SAMPLES
from leadglass import Listener, free_port, read, wait_until

ALL_SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50",
                "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
                "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99"]


def sample_headers():
    return [pydicom.dcmread(p, stop_before_pixels=True, force=True) for p in SAMPLES.rglob("*") if p.is_file()]


def find(archive, tmp_path, root, keys, *options):
    """The responses of findscu, read from the files it extracts."""
    out = tmp_path / "responses"
    out.mkdir()
    arguments = [root, *options, "-X", "-od", out]
    for key in keys:
        arguments += ["-k", key]
    done = archive.dcmtk("findscu", *arguments, "{peer}")
    assert done.returncode == 0, done.stdout + done.stderr
    return [pydicom.dcmread(p, force=True) for p in sorted(out.iterdir())]


def test_echoscu(empty_archive):
    empty_archive.dcmtk("echoscu", "--repeat", "20", check=True)


def test_storescu_sent_every_sample(archive):
    rows = archive.session().get(f"{archive.dicomweb}/instances?limit=1000", headers={"Accept": "application/dicom+json"}).json()
    assert {ds.SOPInstanceUID for ds in sample_headers()} <= {row["00080018"]["Value"][0] for row in rows}


def studies():
    by_study = {}
    for ds in sample_headers():
        by_study.setdefault(ds.StudyInstanceUID, ds)
    return list(by_study.values())


def text(ds, keyword):
    return str(ds.get(keyword, "") or "")


STUDY_KEYS = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName", "PatientID", "StudyDate", "AccessionNumber"]
@pytest.mark.parametrize("kind", ["universal", "single", "uid list", "star", "question", "date", "from", "until", "case", "modalities"])
def test_findscu_study_level(archive, tmp_path, kind):
    all_studies = studies()
    probe = next(s for s in all_studies if text(s, "PatientName") and text(s, "StudyDate") and text(s, "PatientID"))
    name, day = text(probe, "PatientName"), text(probe, "StudyDate")
    keys, matches = {
        "universal": ([], lambda s: True),
        "single": ([f"PatientID={probe.PatientID}"], lambda s: text(s, "PatientID") == probe.PatientID),
        "uid list": ([f"StudyInstanceUID={all_studies[0].StudyInstanceUID}\\{all_studies[1].StudyInstanceUID}"],
                     lambda s: s.StudyInstanceUID in (all_studies[0].StudyInstanceUID, all_studies[1].StudyInstanceUID)),
        "star": ([f"PatientName={name[:3]}*"], lambda s: text(s, "PatientName").upper().startswith(name[:3].upper())),
        "question": ([f"PatientID=?{probe.PatientID[1:]}"], lambda s: text(s, "PatientID")[1:] == probe.PatientID[1:] and text(s, "PatientID")),
        "date": ([f"StudyDate={day}-{day}"], lambda s: text(s, "StudyDate") == day),
        "from": ([f"StudyDate={day}-"], lambda s: text(s, "StudyDate") >= day and text(s, "StudyDate")),
        "until": ([f"StudyDate=-{day}"], lambda s: text(s, "StudyDate") <= day and text(s, "StudyDate")),
        "case": ([f"PatientName={name.swapcase()}"], lambda s: text(s, "PatientName").upper() == name.upper()),
        "modalities": (["ModalitiesInStudy=CT"], None),
    }[kind]
    keys = [k for k in STUDY_KEYS if k.split("=")[0] not in {x.split("=")[0] for x in keys}] + keys
    found = {ds.StudyInstanceUID for ds in find(archive, tmp_path, "-S", keys)}
    if kind == "modalities":
        expected = {ds.StudyInstanceUID for ds in sample_headers() if ds.Modality == "CT"}
    else:
        expected = {s.StudyInstanceUID for s in all_studies if matches(s)}
    ours = {s.StudyInstanceUID for s in all_studies}
    assert found & ours == expected, kind
    assert kind == "universal" or len(expected) < len(ours)


def test_findscu_patient_root(archive, tmp_path):
    probe = next(s for s in studies() if text(s, "PatientID"))
    found = find(archive, tmp_path, "-P", ["QueryRetrieveLevel=STUDY", f"PatientID={probe.PatientID}", "StudyInstanceUID"])
    assert probe.StudyInstanceUID in {ds.StudyInstanceUID for ds in found}


def test_findscu_patient_series_and_image_level(archive, tmp_path):
    ct = [ds for ds in sample_headers() if ds.Modality == "MR"]
    probe = ct[0]
    same_series = {ds.SOPInstanceUID for ds in ct if ds.SeriesInstanceUID == probe.SeriesInstanceUID}

    patients = find(archive, tmp_path / mk(tmp_path, "p"), "-P", ["QueryRetrieveLevel=PATIENT", f"PatientID={probe.PatientID}", "PatientName"])
    assert [text(ds, "PatientID") for ds in patients] == [probe.PatientID]

    series = find(archive, tmp_path / mk(tmp_path, "s"), "-S", ["QueryRetrieveLevel=SERIES", f"StudyInstanceUID={probe.StudyInstanceUID}",
                  "SeriesInstanceUID", "Modality=MR", "NumberOfSeriesRelatedInstances"])
    mine = next(ds for ds in series if ds.SeriesInstanceUID == probe.SeriesInstanceUID)
    assert int(mine.NumberOfSeriesRelatedInstances) == len(same_series)

    images = find(archive, tmp_path / mk(tmp_path, "i"), "-S", ["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={probe.StudyInstanceUID}",
                  f"SeriesInstanceUID={probe.SeriesInstanceUID}", "SOPInstanceUID", "InstanceNumber"])
    assert {ds.SOPInstanceUID for ds in images} == same_series


def mk(tmp_path, name):
    (tmp_path / name).mkdir()
    return name


def test_hierarchical_find_without_unique_key_is_refused(archive):
    done = archive.dcmtk("findscu", "-v", "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "Modality=CT", "{peer}")
    assert "A900" in (done.stdout + done.stderr).upper() or "DoesNotMatch" in done.stdout + done.stderr


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_movescu_to_an_enrolled_peer(archive, tmp_path, level):
    port, ae = free_port(), f"MOVE{level}"
    peer = archive.add_peer(ae, ["store"], address=f"127.0.0.1:{port}")
    contexts = [build_context(c.abstract_syntax, ALL_SYNTAXES) for c in StoragePresentationContexts]
    listener = Listener(archive, peer, contexts, port)
    try:
        mr = [ds for ds in sample_headers() if ds.Modality == "MR"]
        probe = mr[0]
        keys = ["-k", f"QueryRetrieveLevel={level}", "-k", f"StudyInstanceUID={probe.StudyInstanceUID}"]
        expected = {ds.SOPInstanceUID for ds in mr if ds.StudyInstanceUID == probe.StudyInstanceUID}
        if level in ("SERIES", "IMAGE"):
            keys += ["-k", f"SeriesInstanceUID={probe.SeriesInstanceUID}"]
            expected = {ds.SOPInstanceUID for ds in mr if ds.SeriesInstanceUID == probe.SeriesInstanceUID}
        if level == "IMAGE":
            keys += ["-k", f"SOPInstanceUID={probe.SOPInstanceUID}"]
            expected = {probe.SOPInstanceUID}
        done = archive.dcmtk("movescu", "-S", "-aem", ae, *keys, "{peer}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert set(listener.received) == expected
    finally:
        listener.stop()


def test_movescu_to_an_unknown_destination_goes_nowhere(archive):
    done = archive.dcmtk("movescu", "-v", "-S", "-aem", "NOBODY", "-k", "QueryRetrieveLevel=STUDY",
                         "-k", f"StudyInstanceUID={studies()[0].StudyInstanceUID}", "{peer}")
    assert "A801" in (done.stdout + done.stderr).upper() or "Unknown" in done.stdout + done.stderr


def test_getscu(archive, tmp_path):
    probe = next(ds for ds in sample_headers() if ds.Modality == "MR")
    expected = {ds.SOPInstanceUID for ds in sample_headers() if ds.StudyInstanceUID == probe.StudyInstanceUID}
    done = archive.dcmtk("getscu", "-S", "-od", tmp_path, "-k", "QueryRetrieveLevel=STUDY",
                         "-k", f"StudyInstanceUID={probe.StudyInstanceUID}", "{peer}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {read(p).SOPInstanceUID for p in tmp_path.iterdir()} == expected


def test_termscu_cannot_shut_it_down(archive):
    archive.dcmtk("termscu", "{peer}")
    assert archive.is_running()
    assert wait_until(lambda: archive.dcmtk("echoscu").returncode == 0, 10)
