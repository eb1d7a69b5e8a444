"""Acknowledged is durable: kill -9, power cuts and a full disk under stores. And what was seen is on the trail: kill -9 under reads."""

import base64
import fcntl
import io
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

import pydicom
import pytest
import requests
import urllib3
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context, build_role, evt

from conftest import SAMPLES
from leadglass import Archive, wait_until

FULL = bool(os.environ.get("LEADGLASS_FULL"))
KILLS = int(os.environ.get("LEADGLASS_KILLS", 200 if FULL else 5))
CUTS = int(os.environ.get("LEADGLASS_CUTS", 200 if FULL else 5))
STREAMS = 8
RESTART_S = 5
EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


class Stream(threading.Thread):
    """Sends distinct instances until the archive dies; what was acknowledged."""

    def __init__(self, archive):
        super().__init__(daemon=True)
        self.archive, self.acknowledged = archive, []
        self.template = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm")

    def run(self):
        ds = self.template
        ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
        try:
            association = self.archive.associate([build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)], timeout=5)
            while association.is_established:
                ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                if association.send_c_store(ds).get("Status") != 0:
                    break
                self.acknowledged.append((ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID))
        except (OSError, RuntimeError, ValueError):
            pass


def streams_until(archive, moment):
    """Runs the streams and calls `moment` at a random time after the first acknowledgement."""
    streams = [Stream(archive) for _ in range(STREAMS)]
    for stream in streams:
        stream.start()
    while not any(s.acknowledged for s in streams) and any(s.is_alive() for s in streams):
        time.sleep(0.005)
    time.sleep(random.uniform(0, 0.3))
    moment()
    for stream in streams:
        stream.join(60)
    acknowledged = [a for s in streams for a in s.acknowledged]
    assert acknowledged
    return acknowledged


def check(archive, acknowledged, pixels):
    """Every acknowledged instance is found and comes back whole."""
    session = archive.session()
    for study in sorted({a[0] for a in acknowledged}):
        mine = [a for a in acknowledged if a[0] == study]
        rows = session.get(f"{archive.dicomweb}/studies/{study}/instances", headers={"Accept": "application/dicom+json"}).json()
        found = {row["00080018"]["Value"][0] for row in rows}
        assert {a[2] for a in mine} <= found, f"{len({a[2] for a in mine} - found)} acknowledged instances lost"
        for _, series, instance in (mine[0], mine[-1]):
            answer = session.get(f"{archive.dicomweb}/studies/{study}/series/{series}/instances/{instance}/frames/1",
                                 headers={"Accept": "application/octet-stream"})
            assert answer.status_code == 200 and pixels in answer.content


def restart(data_dir):
    started = time.monotonic()
    archive = Archive(data_dir).start()
    return archive, time.monotonic() - started


def pixels():
    return pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm").PixelData


def run(data_dir, rounds, cut):
    ever, slowest, body = [], 0.0, pixels()
    archive, _ = restart(data_dir)
    for _ in range(rounds):
        acknowledged = streams_until(archive, lambda a=archive: cut(a))
        archive.kill()
        archive, took = restart(data_dir)
        slowest = max(slowest, took)
        check(archive, acknowledged, body)
        ever += acknowledged
    check(archive, ever, body)
    archive.stop()
    report = archive.cli("verify", "--data", data_dir, check=False)
    assert report.returncode == 0, report.stdout + report.stderr
    print(f"{rounds} kills, {len(ever)} acknowledged, 0 lost, slowest restart {slowest:.2f} s")
    assert slowest <= RESTART_S


def test_kill_9(tmp_path):
    run(tmp_path / "data", KILLS, lambda archive: archive.kill())


# Reads


STUDIES_EACH = 40
FIND, GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"


class Reader(threading.Thread):
    """Reads studies of its own in its own way, each once, until the archive dies; those of which a byte arrived."""

    def __init__(self, archive, way, studies, image):
        super().__init__(daemon=True)
        self.archive, self.way, self.studies, self.image = archive, way, list(studies), image
        self.asked, self.arrived = [], []
        random.shuffle(self.studies)

    def run(self):
        try:
            read = self.over_dicom() if self.way in ("c-find", "c-get") else self.over_https
            for study in self.studies:
                self.asked.append(study)
                read(study)
        except (OSError, RuntimeError, ValueError, AttributeError, urllib3.exceptions.HTTPError):
            pass

    def note(self):
        if self.arrived[-1:] != self.asked[-1:]:
            self.arrived.append(self.asked[-1])

    def over_https(self, study):
        path, accept = {"wado": ("", 'multipart/related; type="application/dicom"; transfer-syntax=*'),
                        "metadata": ("/metadata", "application/dicom+json"), "qido": ("/series", "application/dicom+json")}[self.way]
        with requests.get(f"{self.archive.dicomweb}/studies/{study}{path}", stream=True, timeout=30, verify=self.archive.ca,
                          headers={"Accept": accept, "Authorization": f"Bearer {self.archive.token}"}) as answer:
            assert answer.status_code == 200, f"{self.way}: {answer.status_code}"
            for _ in answer.raw.stream(512):
                self.note()

    def over_dicom(self):
        model, roles = (FIND, []) if self.way == "c-find" else (GET, [build_role(self.image, scp_role=True)])
        association = self.archive.associate(
            [build_context(model)] + [build_context(role.sop_class_uid, self.archive.syntax) for role in roles], ext_neg=roles, timeout=30,
            evt_handlers=[(evt.EVT_PDU_RECV, self.pdu), (evt.EVT_C_STORE, lambda _: 0)])

        def read(study):
            identifier = Dataset()
            identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", study
            if self.way == "c-find":
                identifier.PatientID = ""
            ask = association.send_c_find if self.way == "c-find" else association.send_c_get
            answers = [status for status, _ in ask(identifier, model)]
            assert answers and answers[-1].Status == 0

        return read

    def pdu(self, event):
        """A piece of a data set, PS3.8 E.2: not of a command."""
        for item in getattr(event.pdu, "presentation_data_value_items", []):
            if not item.presentation_data_value[0] & 1:
                self.note()


WAYS = ["wado", "metadata", "qido", "c-find", "c-get", "wado"]


def entries_after(archive, floor):
    """All entries of the trail since that one, newest first."""
    session, found, cursor = archive.session(), [], None
    while True:
        page = session.get(f"{archive.https}/admin/v1/trail", params={"limit": 1000} | ({"after": cursor} if cursor else {})).json()
        found += [entry for entry in page["entries"] if entry["entry"] > floor]
        cursor = page.get("next")
        if not cursor or not page["entries"] or page["entries"][-1]["entry"] <= floor:
            return found


def named(entries, studies):
    """The studies that these entries say somebody fetched, or asked for."""
    fetched = {entry["study"] for entry in entries if entry.get("operation") == "retrieve" and entry.get("study")}
    asked = [base64.b64decode(entry["query"]) for entry in entries if entry.get("operation") == "search" and entry.get("query")]
    return {study for study in studies if study in fetched or any(study.encode() in query for query in asked)}


def fill(archive, studies, ds):
    association = archive.associate([build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)])
    for number, study in enumerate(studies):
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.PatientID = study, generate_uid(), f"READ-{number}"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        assert association.send_c_store(ds).Status == 0
    association.release()


def test_reads_under_kill_9(tmp_path):
    """A byte of a study that arrived somewhere has its entry of the trail, whenever the archive dies."""
    ds = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm")
    studies = [generate_uid() for _ in range(STUDIES_EACH * len(WAYS))]
    shares = [studies[number::len(WAYS)] for number in range(len(WAYS))]
    archive, _ = restart(tmp_path / "data")
    fill(archive, studies, ds)
    arrived, whole = dict.fromkeys(WAYS, 0), 0
    for _ in range(KILLS):
        archive.syntax = ds.file_meta.TransferSyntaxUID
        floor = archive.session().get(f"{archive.https}/admin/v1/trail", params={"limit": 1}).json()["entries"][0]["entry"]
        readers = [Reader(archive, way, share, ds.SOPClassUID) for way, share in zip(WAYS, shares)]
        for reader in readers:
            reader.start()
        assert wait_until(lambda: all(reader.arrived for reader in readers), 60), [(reader.way, reader.asked) for reader in readers]
        time.sleep(random.uniform(0, 0.3))
        archive.kill()
        for reader in readers:
            reader.join(60)
        whole += sum(len(reader.asked) == len(reader.studies) for reader in readers)
        archive, _ = restart(tmp_path / "data")
        on_trail = named(entries_after(archive, floor), studies)
        for reader in readers:
            arrived[reader.way] += len(reader.arrived)
            missing = set(reader.arrived) - on_trail
            assert not missing, f"{reader.way}: a byte arrived and there is no entry: {sorted(missing)}"
        assert on_trail <= {study for reader in readers for study in reader.asked}, "entries are told apart"
    assert all(arrived.values()), arrived
    archive.stop()
    report = archive.cli("verify", "--data", tmp_path / "data", check=False)
    assert report.returncode == 0, report.stdout + report.stderr
    ways = ", ".join(f"{way} {count}" for way, count in arrived.items())
    print(f"{KILLS} kills, {sum(arrived.values())} reads of which a byte arrived ({ways}), 0 without an entry; "
          f"{whole} of {KILLS * len(WAYS)} readers were done before")


def freeze(pid):
    """Stops a process; returns when no thread of it can run on (one in a system call stops at its end)."""
    os.kill(pid, signal.SIGSTOP)
    while any(state(task) not in "TD" for task in Path(f"/proc/{pid}/task").iterdir()):
        pass


def state(task):
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "T"  # it has ended


class LoopDisk:
    """An ext4 file system on a loop device, whose power can be cut."""

    def __init__(self, folder):
        self.image, self.mount = folder / "disk.img", folder / "disk"
        self.mount.mkdir()
        subprocess.run(["truncate", "-s", "3G", self.image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.plug()

    def plug(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.mount], check=True, capture_output=True)

    def cut(self, pid):
        """The power of disk and process goes at once. An fdatasync that is under way when the file system is shut down may
        return success for what is lost; a machine without power tells nobody, so the process must not either."""
        freeze(pid)
        descriptor = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)
        os.kill(pid, signal.SIGKILL)

    def unplug(self):
        subprocess.run(["umount", self.mount], check=True)


def can_mount(folder):
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return None
    try:
        return LoopDisk(folder)
    except (subprocess.CalledProcessError, OSError):
        return None


def test_power_cut(tmp_path):
    disk = can_mount(tmp_path)
    if disk is None:
        pytest.skip("needs root and a loop device")
    # The master key lies on another disk, as it should.
    data_dir, key = disk.mount / "data", tmp_path / "master.key"
    ever, slowest, body = [], 0.0, pixels()
    try:
        for number in range(CUTS):
            started = time.monotonic()
            archive = Archive(data_dir, "--key-file", str(key)).start()
            slowest = max(slowest, time.monotonic() - started)
            if number:
                check(archive, acknowledged, body)
            acknowledged = streams_until(archive, lambda pid=archive.pid: disk.cut(pid))
            ever += acknowledged
            archive.kill()
            archive.log.close()
            disk.unplug()
            disk.plug()
        archive = Archive(data_dir, "--key-file", str(key)).start()
        check(archive, ever, body)
        archive.stop()
        report = archive.cli("verify", "--data", data_dir, "--key-file", key, check=False)
        assert report.returncode == 0, report.stdout + report.stderr
        print(f"{CUTS} power cuts, {len(ever)} acknowledged, 0 lost, slowest restart {slowest:.2f} s")
        assert slowest <= RESTART_S
    finally:
        subprocess.run(["umount", "-l", disk.mount], capture_output=True)


def store_both_ways(archive, path):
    """The C-STORE status and the HTTP status of storing a fresh copy of a file."""
    ds = pydicom.dcmread(path)

    def fresh():
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        return ds

    association = archive.associate([build_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)])
    status = association.send_c_store(fresh()).Status
    association.release()
    part10 = io.BytesIO()
    fresh().save_as(part10)
    answer = archive.session().post(f"{archive.dicomweb}/studies", data=part10.getvalue(), headers={
        "Content-Type": "application/dicom", "Accept": "application/dicom+json"})
    return status, answer.status_code


def test_full_disk(tmp_path):
    disk = can_mount(tmp_path)
    if disk is None:
        pytest.skip("needs root and a loop device")
    sample = SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm"
    archive = Archive(disk.mount / "data", "--key-file", str(tmp_path / "master.key"))
    try:
        archive.start()
        assert store_both_ways(archive, sample) == (0, 200)
        rows = f"{archive.dicomweb}/instances?limit=1"
        for left in (100 << 20, 0):
            filler = disk.mount / f"filler-{left}"
            free = os.statvfs(disk.mount).f_bavail * os.statvfs(disk.mount).f_frsize
            subprocess.run(["fallocate", "-l", str(free - left), filler], check=True)
            assert store_both_ways(archive, sample) == (0xA700, 507)
            for _ in range(20):
                found = archive.session().get(rows, headers={"Accept": "application/dicom+json"})
                assert found.status_code == 200 and len(found.json()) == 1
        for filler in disk.mount.glob("filler-*"):
            filler.unlink()
        # No restart: the next stores are taken, and searches show them.
        assert store_both_ways(archive, sample) == (0, 200)
        found = archive.session().get(f"{archive.dicomweb}/instances", headers={"Accept": "application/dicom+json"})
        assert len(found.json()) == 4
        archive.stop()
        report = archive.cli("verify", "--data", disk.mount / "data", "--key-file", tmp_path / "master.key", check=False)
        assert report.returncode == 0, report.stdout + report.stderr
    finally:
        archive.kill()
        subprocess.run(["umount", "-l", disk.mount], capture_output=True)
