"""Every hostile file gets a clear answer by both doors; the archive lives, its memory stays, its neighbours are served."""

import csv
import threading

import pydicom
import pytest
from pynetdicom import build_context

from leadglass import ROOT, Archive, Part10, manifest, store_raw, wait_until

LENGTH_LIE_KIB, BOMB_KIB = 8 * 1024, 64 * 1024
SC = "1.2.840.10008.5.1.4.1.1.7"
FILE_ANSWERS = ROOT / "target" / "hostile-answers.tsv"


def expectations():
    with open(ROOT / "testdata" / "hostile" / "hostile.tsv", encoding="utf-8") as f:
        return {row["file"]: row["expect"] for row in csv.DictReader(f, delimiter="\t")}


def identity(path):
    """What the sender of such a file would announce."""
    try:
        header = pydicom.dcmread(path, force=True, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True)
        return str(header.get("SOPClassUID") or SC), str(header.get("SOPInstanceUID") or "1.2.3.4")
    except Exception:
        return SC, "1.2.3.4"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("hostile") / "data").start()
    yield archive
    archive.stop()
    archive.remove()


@pytest.fixture(scope="module")
def neighbour(hostile):
    """A good peer that echoes all the while; the longest silence it met."""
    stop, failures = threading.Event(), []
    peer = hostile.add_peer("NEIGHBOUR", ["store"])

    def run():
        while not stop.is_set():
            association = hostile.associate([build_context("1.2.840.10008.1.1")], peer=peer)
            for _ in range(20):
                if stop.is_set():
                    break
                if not association.is_established or association.send_c_echo().get("Status") != 0:
                    failures.append("an echo failed")
                    break
                stop.wait(0.05)
            association.release()

    thread = threading.Thread(target=run)
    thread.start()
    yield failures
    stop.set()
    thread.join()


FILES = [(row["path"], row["file"]) for row in manifest(hostile=True)]


@pytest.fixture(scope="module")
def answers():
    rows = []
    yield rows
    FILE_ANSWERS.parent.mkdir(exist_ok=True)
    with open(FILE_ANSWERS, "w", encoding="utf-8") as f:
        f.write("file\texpected\tC-STORE\tSTOW-RS\tpeak memory growth KiB\n")
        f.writelines("\t".join(map(str, row)) + "\n" for row in rows)


@pytest.mark.parametrize("path, file", FILES, ids=[p for p, _ in FILES])
def test_hostile_file(hostile, neighbour, answers, path, file):
    expect = expectations().get(file.name, "either")
    hostile.reset_peak_memory()
    before = hostile.memory_kib("VmRSS")

    sop_class, sop_instance = identity(file)
    part10 = Part10(file)
    syntax = part10.transfer_syntax if part10.transfer_syntax.replace(".", "").isdigit() else "1.2.840.10008.1.2.1"
    status = "not proposed"
    try:
        association = hostile.associate([build_context(sop_class, [syntax])])
        if association.is_established and part10.data_set:
            response = store_raw(association, sop_class, sop_instance, syntax, part10.data_set)
            status = "aborted" if response is None else f"{response.Status:04X}"
        if association.is_established:
            association.abort()
    except ValueError:
        pass  # pynetdicom will not even propose it
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n--b--\r\n"
    stow = hostile.session().post(f"{hostile.dicomweb}/studies", data=body, timeout=60, headers={
        "Content-Type": 'multipart/related; type="application/dicom"; boundary=b', "Accept": "application/dicom+json"})

    growth = max(0, hostile.memory_kib() - before)
    answers.append((path, expect, status, stow.status_code, growth))
    assert hostile.is_running()
    assert stow.status_code in (200, 202, 400, 409)
    if expect == "reject":
        assert stow.status_code in (400, 409)
        # A lie in the file meta does not travel by C-STORE.
        assert status != "0000" or "meta" in file.name
    if expect == "accept":
        assert stow.status_code in (200, 202)
    assert growth <= (LENGTH_LIE_KIB if file.name.startswith("len_") else BOMB_KIB), f"{growth} KiB"
    assert not neighbour


def test_afterwards_it_serves_as_before(hostile, neighbour):
    assert wait_until(lambda: hostile.session().get(hostile.https + "/healthz/ready").status_code == 200)
    assert not neighbour
    verified = hostile.session().get(hostile.dicomweb + "/studies", headers={"Accept": "application/dicom+json"})
    assert verified.status_code in (200, 204)
