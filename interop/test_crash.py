"""Acknowledged is durable: kill -9, power cuts and a full disk under stores."""

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
from pydicom.uid import generate_uid
from pynetdicom import build_context

from conftest import SAMPLES
from leadglass import Archive

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
