"""Every real object of the corpus goes in and comes out with equal bytes, by each pair of doors, and its metadata
is what pydicom makes of the same file."""

import collections
import hashlib
import json
import math
import re

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelMove, register_uid

from leadglass import ROOT, Listener, Part10, free_port, manifest, store_raw

# A retired class that pynetdicom, as the destination of C-MOVE, does not know.
register_uid("1.2.840.10008.5.1.4.1.1.6", "UltrasoundImageStorageRetired", StorageServiceClass)

CONTEXTS_PER_ASSOCIATION = 100

# Files whose data set ends before its elements do: taking one would promise bytes that were never sent.
TRUNCATED = {"MR_truncated.dcm", "rtplan_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm", "DICOMDIR-nooffset",
             "no_meta.dcm", "dicom_file_minimal.bin"}
UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class Object:
    def __init__(self, row):
        self.path, self.file = row["path"], row["file"]
        part10 = Part10(row["file"], row["transfer syntax"])
        self.transfer_syntax, self.data_set = part10.transfer_syntax, part10.data_set
        header = read_header(self)
        self.sop_class, self.sop_instance = str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", ""))
        self.study, self.series = str(header.get("StudyInstanceUID", "")), str(header.get("SeriesInstanceUID", ""))

    def can_be_stored(self):
        """A composite instance is whole and names itself, its series and its study; a DICOMDIR and a palette file do not."""
        uids = (self.sop_class, self.sop_instance, self.study, self.series)
        return all(len(u) <= 64 and UID.fullmatch(u) for u in uids) and self.file.name not in TRUNCATED

    def digest(self):
        return hashlib.sha256(self.data_set).hexdigest()


def read_header(item):
    """pydicom's reading of the data set, whatever its wrapper lacks."""
    from io import BytesIO
    syntax = pydicom.uid.UID(item.transfer_syntax)
    if syntax == "1.2.840.10008.1.2.1.99":
        return pydicom.dcmread(item.file, force=True)
    return pydicom.filereader.read_dataset(BytesIO(item.data_set), syntax.is_implicit_VR, syntax.is_little_endian)


def rounds():
    """The storable objects in rounds without a SOP Instance UID twice, and the others."""
    by_uid, others = collections.defaultdict(list), []
    for row in manifest():
        item = Object(row)
        (by_uid[item.sop_instance] if item.can_be_stored() else others).append(item)
    deepest = max(map(len, by_uid.values()))
    return [[items[n] for items in by_uid.values() if len(items) > n] for n in range(deepest)], others


@pytest.fixture(scope="module")
def corpus():
    return rounds()


def batches(items):
    """Items by associations that can hold their presentation contexts."""
    pairs = sorted({(i.sop_class, i.transfer_syntax) for i in items})
    for start in range(0, len(pairs), CONTEXTS_PER_ASSOCIATION):
        chosen = set(pairs[start:start + CONTEXTS_PER_ASSOCIATION])
        yield sorted(chosen), [i for i in items if (i.sop_class, i.transfer_syntax) in chosen]


def c_store_all(archive, items):
    statuses = {}
    for pairs, batch in batches(items):
        association = archive.associate([build_context(c, [t]) for c, t in pairs])
        assert association.is_established
        for item in batch:
            response = store_raw(association, item.sop_class, item.sop_instance, item.transfer_syntax, item.data_set)
            statuses[item.path] = None if response is None else response.Status
        association.release()
    return statuses


def stow_all(archive, items):
    """One request an instance, with a Part 10 wrapper of our own around exactly these bytes."""
    session, statuses = archive.session(), {}
    for item in items:
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10_bytes(item) + b"\r\n--b--\r\n"
        answer = session.post(f"{archive.dicomweb}/studies", data=body, headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b', "Accept": "application/dicom+json"})
        statuses[item.path] = answer.status_code
    return statuses


def part10_bytes(item):
    def element(tag, vr, value):
        value += b"\0" * (len(value) % 2)
        if vr == b"OB":
            return tag + vr + b"\0\0" + len(value).to_bytes(4, "little") + value
        return tag + vr + len(value).to_bytes(2, "little") + value
    meta = (element(b"\x02\0\x01\0", b"OB", b"\0\1") + element(b"\x02\0\x02\0", b"UI", item.sop_class.encode())
            + element(b"\x02\0\x03\0", b"UI", item.sop_instance.encode())
            + element(b"\x02\0\x10\0", b"UI", item.transfer_syntax.encode()) + element(b"\x02\0\x12\0", b"UI", b"1.2.3"))
    return b"\0" * 128 + b"DICM" + element(b"\x02\0\0\0", b"UL", len(meta).to_bytes(4, "little")) + meta + item.data_set


def by_get(archive, items):
    got = {}

    def keep(event):
        got[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return 0

    model = StudyRootQueryRetrieveInformationModelGet
    for pairs, batch in batches(items):
        contexts = [build_context(model)] + [build_context(c, [t]) for c, t in pairs]
        roles = [build_role(c, scp_role=True) for c in sorted({c for c, _ in pairs})]
        association = archive.associate(contexts, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)])
        for study in sorted({i.study for i in batch}):
            query = Dataset()
            query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study
            list(association.send_c_get(query, model))
        association.release()
    return got


def by_move(archive, items):
    model, port = StudyRootQueryRetrieveInformationModelMove, free_port()
    peer = archive.add_peer("CORPUS", ["store"], address=f"127.0.0.1:{port}")
    syntaxes = sorted({i.transfer_syntax for i in items})
    contexts = [build_context(c, syntaxes) for c in sorted({i.sop_class for i in items})]
    listener = Listener(archive, peer, contexts, port)
    try:
        association = archive.associate([build_context(model)])
        for study in sorted({i.study for i in items}):
            query = Dataset()
            query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study
            list(association.send_c_move(query, peer["ae"], model))
        association.release()
        return {uid: data for uid, (_, data) in listener.received.items()}
    finally:
        listener.stop()


def by_wado(archive, items):
    session, got = archive.session(), {}
    for item in items:
        answer = session.get(f"{archive.dicomweb}/studies/{item.study}/series/{item.series}/instances/{item.sop_instance}",
                             headers={"Accept": "application/dicom; transfer-syntax=*"})
        if answer.status_code == 200:
            content = answer.content
            _, end = Part10._meta(content, 132)
            got[item.sop_instance] = content[end:]
    return got


@pytest.mark.parametrize("door", ["C-STORE", "STOW-RS"])
def test_all_of_it_in_and_out_with_equal_bytes(fresh, corpus, door):
    for number, items in enumerate(corpus[0]):
        archive = fresh()
        statuses = (c_store_all if door == "C-STORE" else stow_all)(archive, items)
        refused = {p: s for p, s in statuses.items() if s not in (0x0000, 200)}
        assert not refused, f"round {number}: {refused}"
        outs = {"C-GET": by_get, "C-MOVE": by_move, "WADO-RS": by_wado} if door == "C-STORE" else {"WADO-RS": by_wado}
        for name, out in outs.items():
            got = out(archive, items)
            wrong = [i.path for i in items if hashlib.sha256(got.get(i.sop_instance, b"")).hexdigest() != i.digest()]
            assert not wrong, f"round {number}, out by {name}: {wrong}"
        archive.stop()
        archive.remove()
    print(f"{sum(map(len, corpus[0]))} objects in {len(corpus[0])} rounds by {door}")


def test_what_is_no_instance_is_refused_with_a_reason(fresh, corpus):
    archive = fresh()
    for item in corpus[1]:
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10_bytes(item) + b"\r\n--b--\r\n"
        answer = archive.session().post(f"{archive.dicomweb}/studies", data=body, headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b', "Accept": "application/dicom+json"})
        assert answer.status_code in (400, 409), item.path
        assert answer.json(), item.path


# Metadata

SKIPPED = {"00080005"}  # the archive answers in UTF-8 and says so


def canonical(model):
    """What must agree: tags, VRs and values; where bulk begins and how numbers are spelt is each writer's own business."""
    out = {}
    for tag, element in sorted(model.items()):
        if tag in SKIPPED or tag.endswith("0000"):
            continue
        vr, values = element["vr"], element.get("Value")
        if "BulkDataURI" in element or "InlineBinary" in element:
            out[tag] = (vr, "bulk")
        elif vr == "SQ":
            out[tag] = (vr, [canonical(item) for item in values or []])
        elif vr == "PN":
            out[tag] = (vr, [{k: v.rstrip("^ ") for k, v in (n or {}).items() if v} for n in values or []])
        else:
            out[tag] = (vr, [canonical_value(v) for v in values or []])
    return out


def canonical_value(value):
    if value in (None, ""):
        return None
    try:
        number = float(value)
        return "nan" if math.isnan(number) else float(f"{number:.12g}")
    except (TypeError, ValueError):
        return str(value).rstrip(" \0")


def is_explained(difference, item):
    """Differences of two kinds that are pydicom's: it has a dictionary of private attributes where we keep UN, and it
    leaves out an element whose value breaks a rule of its VR (it logs an error) where we hand out what is there."""
    tag = difference.split(" ")[0].rsplit(".", 1)[-1]
    is_private = int(tag[:4], 16) % 2 == 1
    return (is_private and " UN " in difference.split("<>")[0]) or difference.endswith("<> absent")


def differences(ours, theirs, path=""):
    found = []
    for tag in sorted(set(ours) | set(theirs)):
        mine, other = ours.get(tag), theirs.get(tag)
        if mine == other:
            continue
        if mine and other and mine[0] == other[0] == "SQ" and len(mine[1]) == len(other[1]):
            for n, (a, b) in enumerate(zip(mine[1], other[1], strict=True)):
                found += differences(a, b, f"{path}{tag}[{n}].")
        elif mine and other and mine[0] == other[0] and not any(v is not None for v in [*mine[1], *other[1]] if not isinstance(mine[1], str)):
            continue
        else:
            found.append(f"{path}{tag} {short(mine)} <> {short(other)}")
    return found


def short(entry):
    return "absent" if entry is None else f"{entry[0]} {str(entry[1])[:60]}"


def test_metadata_equals_pydicoms_model_file_by_file(fresh, corpus):
    """The expected differences are listed, each with its reason, in metadata-differences.txt; nothing else may differ."""
    expected = {}
    for line in (ROOT / "interop" / "metadata-differences.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            path, reason = line.split("\t", 1)
            expected[path] = reason
    surprising, compared = [], 0
    for items in corpus[0]:
        archive = fresh()
        stow_all(archive, items)
        session = archive.session()
        for item in items:
            name = item.path.removeprefix("corpus/").removeprefix("samples/")
            answer = session.get(f"{archive.dicomweb}/studies/{item.study}/series/{item.series}/instances/{item.sop_instance}/metadata",
                                 headers={"Accept": "application/dicom+json"})
            assert answer.status_code == 200, item.path
            try:
                theirs = json.loads(json.dumps(read_header(item).to_json_dict(
                    bulk_data_threshold=1024, bulk_data_element_handler=lambda e: "bulk", suppress_invalid_tags=True)))
            except Exception as error:  # pydicom cannot say what the file holds
                theirs, found = None, [f"pydicom: {type(error).__name__}"]
            if theirs is not None:
                found = differences(canonical(answer.json()[0]), canonical(theirs))
            compared += 1
            found = [d for d in found if not is_explained(d, item)]
            if found and name not in expected:
                surprising.append(f"{name}\t{'; '.join(found[:4])}")
        archive.stop()
        archive.remove()
    print(f"{compared} files compared, {len(expected)} with known differences")
    assert not surprising, "\n".join(surprising)
