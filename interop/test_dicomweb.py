"""dicomweb-client against the archive: STOW, QIDO, WADO; and the manners of HTTP."""

import io
import json
import zipfile

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.encaps import get_frame
from pydicom.uid import generate_uid

from conftest import SAMPLES

STRUCTURAL = sorted((SAMPLES / "datalad-example-dicom-structural").iterdir())


@pytest.fixture(scope="module")
def client(archive):
    return DICOMwebClient(archive.dicomweb, session=archive.session())


@pytest.fixture(scope="module")
def probe(archive):
    return pydicom.dcmread(STRUCTURAL[0])


def fresh_study(modality="MR", **attributes):
    data_set = pydicom.dcmread(STRUCTURAL[0])
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = generate_uid(), generate_uid()
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return data_set


def test_store_says_what_became_of_each_instance(client):
    good, other = fresh_study(), fresh_study()
    answer = client.store_instances([good, other])
    assert {str(i.ReferencedSOPInstanceUID) for i in answer.ReferencedSOPSequence} == {good.SOPInstanceUID, other.SOPInstanceUID}
    assert "FailedSOPSequence" not in answer


def test_other_bytes_of_a_stored_uid_never_replace_it(archive, client):
    first = fresh_study(PatientComments="first")
    client.store_instances([first])
    second = pydicom.dcmread(io.BytesIO(written(first)))
    second.PatientComments = "second"
    body, content_type = multipart([written(second)])
    answer = archive.session().post(f"{archive.dicomweb}/studies", data=body, headers={"Content-Type": content_type, "Accept": "application/dicom+json"})
    assert answer.status_code in (202, 409), answer.text
    stored = client.retrieve_instance(first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID)
    assert stored.PatientComments == "first"


def written(data_set):
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    return buffer.getvalue()


def multipart(parts, part_type="application/dicom"):
    boundary = "boundary-of-the-test"
    body = b"".join(b"--%s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (boundary.encode(), part_type.encode(), p) for p in parts)
    return body + b"--%s--\r\n" % boundary.encode(), f'multipart/related; type="{part_type}"; boundary={boundary}'


def test_store_of_json_metadata_and_bulk_data(archive, client):
    data_set = fresh_study()
    pixels = data_set.PixelData
    model = data_set.to_json_dict(bulk_data_threshold=1024, bulk_data_element_handler=lambda e: "bulk/1")
    model["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    boundary = "json-and-bulk"
    body = (f"--{boundary}\r\nContent-Type: application/dicom+json; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n" + json.dumps([model])
            + f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Location: bulk/1\r\n\r\n").encode() + pixels + f"\r\n--{boundary}--\r\n".encode()
    answer = archive.session().post(f"{archive.dicomweb}/studies", data=body, headers={
        "Content-Type": f'multipart/related; type="application/dicom+json"; boundary={boundary}', "Accept": "application/dicom+json"})
    assert answer.status_code == 200, answer.text
    back = client.retrieve_instance(data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID)
    assert back.PixelData == pixels and str(back.PatientName) == str(data_set.PatientName)


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_search_at_every_level(client, probe, level):
    search = {"studies": client.search_for_studies, "series": client.search_for_series, "instances": client.search_for_instances}[level]
    found = search(search_filters={"StudyInstanceUID": probe.StudyInstanceUID})
    assert len(found) == {"studies": 1, "series": 1, "instances": len(STRUCTURAL)}[level]
    assert all(row["0020000D"]["Value"] == [probe.StudyInstanceUID] for row in found)
    nested = client.search_for_instances(probe.StudyInstanceUID, probe.SeriesInstanceUID)
    assert len(nested) == len(STRUCTURAL)


@pytest.mark.parametrize("filters", [
    {"PatientID": "{PatientID}"}, {"00100020": "{PatientID}"}, {"PatientName": "{name}*"}, {"PatientName": "*{tail}"},
    {"StudyDate": "{StudyDate}"}, {"StudyDate": "{StudyDate}-"}, {"ModalitiesInStudy": "MR"}, {"StudyInstanceUID": "{StudyInstanceUID},1.2.3"}])
def test_matching_kinds(client, probe, filters):
    name = str(probe.PatientName)
    values = {k: str(probe.get(k, "")) for k in ("PatientID", "StudyDate", "StudyInstanceUID")} | {"name": name[:3], "tail": name[-3:]}
    found = client.search_for_studies(search_filters={k: v.format(**values) for k, v in filters.items()})
    assert probe.StudyInstanceUID in {row["0020000D"]["Value"][0] for row in found}
    wrong = client.search_for_studies(search_filters={k: v.format(**values) for k, v in filters.items()} | {"AccessionNumber": "no such number"})
    assert wrong == []


def test_limit_and_offset_page_honestly(archive, client):
    studies = [fresh_study(PatientID="PAGED") for _ in range(7)]
    client.store_instances(studies)
    seen = []
    for offset in range(0, 9, 3):
        answer = archive.session().get(f"{archive.dicomweb}/studies", params={"PatientID": "PAGED", "limit": 3, "offset": offset},
                                       headers={"Accept": "application/dicom+json"})
        rows = answer.json() if answer.status_code == 200 else []
        assert ("Warning" in answer.headers) == (offset + 3 < 7)
        seen += [row["0020000D"]["Value"][0] for row in rows]
    assert sorted(seen) == sorted(s.StudyInstanceUID for s in studies)


def test_include_fields(archive, client, probe):
    found = client.search_for_instances(search_filters={"SOPInstanceUID": probe.SOPInstanceUID}, fields=["all"])
    assert "00280010" in found[0] and "7FE00010" not in found[0]
    found = client.search_for_instances(search_filters={"SOPInstanceUID": probe.SOPInstanceUID}, fields=["ImageType", "00280011"])
    assert found[0]["00080008"]["Value"] == list(probe.ImageType)


def test_fuzzy_matching(client):
    study = fresh_study(PatientName="Schmidt^Johann", PatientID="FUZZYWEB")
    client.store_instances([study])
    found = client.search_for_studies(search_filters={"PatientName": "Schmitt^Johan"}, fuzzymatching=True)
    assert study.StudyInstanceUID in {row["0020000D"]["Value"][0] for row in found}


def test_retrieve_study_series_instance(client, probe):
    whole = client.retrieve_study(probe.StudyInstanceUID)
    assert len(whole) == len(STRUCTURAL)
    assert len(client.retrieve_series(probe.StudyInstanceUID, probe.SeriesInstanceUID)) == len(STRUCTURAL)
    one = client.retrieve_instance(probe.StudyInstanceUID, probe.SeriesInstanceUID, probe.SOPInstanceUID)
    assert one.PixelData == probe.PixelData


def test_metadata_and_bulk_data(archive, client, probe):
    metadata = client.retrieve_instance_metadata(probe.StudyInstanceUID, probe.SeriesInstanceUID, probe.SOPInstanceUID)
    uri = metadata["7FE00010"]["BulkDataURI"]
    assert b"".join(client.retrieve_bulkdata(uri)) == probe.PixelData
    part = archive.session().get(uri, headers={"Accept": "application/octet-stream", "Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == probe.PixelData[10:20]


def test_frames(client, archive):
    sm = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "sm_image.dcm")
    frames = client.retrieve_instance_frames(sm.StudyInstanceUID, sm.SeriesInstanceUID, sm.SOPInstanceUID, frame_numbers=[1, int(sm.NumberOfFrames)])
    size = len(sm.PixelData) // int(sm.NumberOfFrames)
    assert frames == [sm.PixelData[:size], sm.PixelData[-size:]]
    us = pydicom.dcmread(SAMPLES / "pydicom-pydicom" / "examples_ybr_color.dcm")
    got = client.retrieve_instance_frames(us.StudyInstanceUID, us.SeriesInstanceUID, us.SOPInstanceUID, frame_numbers=[3], media_types=("image/jpeg",))
    assert got[0].rstrip(b"\0") == get_frame(us.PixelData, 2, number_of_frames=int(us.NumberOfFrames)).rstrip(b"\0")


def url(archive, ds, tail=""):
    return f"{archive.dicomweb}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}{tail}"


def test_conditional_requests_ranges_and_codings(archive, probe):
    session = archive.session()
    metadata = session.get(url(archive, probe, "/metadata"), headers={"Accept": "application/dicom+json", "Accept-Encoding": "gzip"})
    assert metadata.status_code == 200 and metadata.headers.get("Content-Encoding") == "gzip"
    tag = metadata.headers["ETag"]
    again = session.get(url(archive, probe, "/metadata"), headers={"If-None-Match": tag, "Accept": "application/dicom+json"})
    assert again.status_code == 304 and not again.content


@pytest.mark.parametrize("accept, status", [
    ("application/dicom", 200), ("multipart/related; type=\"application/dicom\"", 200), ("*/*", 200),
    ("image/png", 406), ("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90", 406),
    ("image/png;q=0.9, application/dicom;q=0.1", 200), ("application/dicom;q=0", 406)])
def test_accept_is_negotiated(archive, probe, accept, status):
    assert archive.session().get(url(archive, probe), headers={"Accept": accept}).status_code == status


def test_zip_and_wado_uri(archive, probe):
    session = archive.session()
    answer = session.get(f"{archive.dicomweb}/studies/{probe.StudyInstanceUID}", headers={"Accept": "application/zip"})
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive_zip:
        assert archive_zip.testzip() is None
        found = {str(pydicom.dcmread(io.BytesIO(archive_zip.read(n))).SOPInstanceUID) for n in archive_zip.namelist() if "DICOMDIR" not in n}
    assert found == {str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in STRUCTURAL}
    single = session.get(f"{archive.https}/wado", params={"requestType": "WADO", "studyUID": probe.StudyInstanceUID,
                         "seriesUID": probe.SeriesInstanceUID, "objectUID": probe.SOPInstanceUID, "contentType": "application/dicom"})
    assert single.status_code == 200 and pydicom.dcmread(io.BytesIO(single.content)).SOPInstanceUID == probe.SOPInstanceUID


def test_xml_metadata(archive, probe):
    answer = archive.session().get(url(archive, probe, "/metadata"), headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert answer.status_code == 200 and b"<NativeDicomModel" in answer.content and probe.SOPInstanceUID.encode() in answer.content


def test_capabilities(archive):
    answer = archive.session().options(archive.dicomweb + "/")
    assert answer.status_code == 200 and b"studies" in answer.content


@pytest.mark.parametrize("path, status", [
    ("/studies/1.2.3", 404), ("/studies/not-a-uid", 400), ("/studies?limit=-1", 400), ("/studies?NoSuchKeyword=1", 400),
    ("/studies/1.2.3/series/4.5.6/instances/7.8.9/frames/0", 400), ("/studies/..%2f..%2fetc", 400)])
def test_wrong_requests_are_told_what_is_wrong(archive, path, status):
    answer = archive.session().get(archive.dicomweb + path, headers={"Accept": "application/dicom+json, application/dicom, */*"})
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json") and answer.json()["title"]
