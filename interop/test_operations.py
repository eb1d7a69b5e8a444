"""An operator's day: the service is stopped amid work."""

import io
import json
import signal
import socket
import subprocess
import threading
import time

import pydicom
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from conftest import SAMPLES
from leadglass import BINARY, Archive, wait_until

GRACE_S = 20
PIECES = 40
PIECE_S = 0.05


class Service:
    """`leadglass serve` on a data directory that a demo has set up; it keeps the demo's token and peer."""

    def __init__(self, archive, folder):
        config = folder / "leadglass.toml"
        config.write_text(f"[data]\ndir = {json.dumps(str(archive.data_dir))}\nsegment_bytes = {256 << 20}\n\n[limits]\nstop_s = {GRACE_S}\n")
        self.log = open(folder / "serve.log", "ab")
        self.process = subprocess.Popen([str(BINARY), "serve", "--config", str(config), "--https-port", "0", "--dicom-port", "0"],
                                        stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        serving = archive.data_dir / "serving.json"
        assert wait_until(lambda: serving.exists() and json.loads(serving.read_text())["pid"] == self.process.pid, 60)
        where = json.loads(serving.read_text())
        archive.https, archive.dicomweb = f"https://{where['https']}", f"https://{where['https']}/dicom-web"
        archive.port, archive.ae, archive.pid = int(where["dicom"].rsplit(":", 1)[1]), where["ae_title"], self.process.pid

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def instance(megabytes):
    """A distinct instance of about that size."""
    ds = pydicom.dcmread(SAMPLES / "imagingdatacommons-highdicom" / "dx_image.dcm")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Rows = ds.Columns = 1024
    frame = ds.BitsAllocated // 8 * ds.SamplesPerPixel << 20
    ds.NumberOfFrames = max(1, (megabytes << 20) // frame)
    ds.PixelData = bytes([ds.NumberOfFrames]) * (frame * ds.NumberOfFrames)
    return ds


def slowly(data, told):
    """The data in pieces; `told` is set when a quarter of it is on its way."""
    size = -(-len(data) // PIECES)
    for number in range(PIECES):
        yield data[number * size:(number + 1) * size]
        if number == PIECES // 4:
            told.set()
        time.sleep(PIECE_S)


def stow_slowly(archive, ds, begun, answers):
    part10 = io.BytesIO()
    ds.save_as(part10)
    answer = archive.session().post(f"{archive.dicomweb}/studies", data=slowly(part10.getvalue(), begun), timeout=60, headers={
        "Content-Type": "application/dicom", "Accept": "application/dicom+json"})
    answers["STOW"] = answer.status_code


def store_slowly(association, ds, begun, answers):
    """C-STORE whose P-DATA come one by one; the provider's own sending would queue them at once."""
    request = C_STORE()
    request.MessageID, request.Priority = 9, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    syntax = ds.file_meta.TransferSyntaxUID
    request.DataSet = io.BytesIO(encode(ds, syntax.is_implicit_VR, syntax.is_little_endian))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    context = association.accepted_contexts[0].context_id
    pdus = list(message.encode_msg(context, association.acceptor.maximum_length))
    association._reactor_checkpoint.clear()
    for number, pdu in enumerate(pdus):
        association.dul.send_pdu(pdu)
        if number == len(pdus) // 4:
            begun.set()
        time.sleep(PIECES * PIECE_S / len(pdus))
    _, response = association.dimse.get_msg(block=True)
    answers["C-STORE"] = response and response.Status
    association._reactor_checkpoint.set()


def whole(archive, ds):
    """Whether an instance comes back with its pixels."""
    answer = archive.session().get(
        f"{archive.dicomweb}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}",
        headers={"Accept": "application/dicom; transfer-syntax=*"})
    return answer.status_code == 200 and pydicom.dcmread(io.BytesIO(answer.content)).PixelData == ds.PixelData


def test_sigterm_amid_stores_loses_nothing_and_answers_what_is_in_flight(tmp_path):
    archive = Archive(tmp_path / "data").start()
    archive.stop()
    service = Service(archive, tmp_path)
    try:
        before, stowed, stored = instance(1), instance(4), instance(4)
        context = [build_context(before.SOPClassUID, before.file_meta.TransferSyntaxUID)]
        idle, busy = archive.associate(context, timeout=60), archive.associate(context, timeout=60)
        assert idle.send_c_store(before).Status == 0
        kept_alive = archive.session()
        assert kept_alive.get(f"{archive.dicomweb}/studies", headers={"Accept": "application/dicom+json"}).status_code == 200

        answers, begun = {}, [threading.Event(), threading.Event()]
        senders = [threading.Thread(target=stow_slowly, args=(archive, stowed, begun[0], answers)),
                   threading.Thread(target=store_slowly, args=(busy, stored, begun[1], answers))]
        for sender in senders:
            sender.start()
        assert all(event.wait(30) for event in begun)
        service.process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        assert not answers, "both were to be in flight still"
        assert wait_until(lambda: refused(archive), 5), "a stopping archive opens no new connection"
        assert not answers, "both were to be in flight still"
        # Neither an association nor a connection without work holds the stop up.
        assert wait_until(lambda: not idle.is_established, 5)
        for sender in senders:
            sender.join(60)
        assert service.process.wait(GRACE_S) == 0, (tmp_path / "serve.log").read_text()[-2000:]
        took = time.monotonic() - told
        assert answers == {"STOW": 200, "C-STORE": 0}
        assert took < GRACE_S, f"stopped after {took:.1f} s"
        print(f"stopped {took:.1f} s after SIGTERM")
        assert wait_until(lambda: not busy.is_established, 5)
    finally:
        service.end()
    report = archive.cli("verify", "--data", archive.data_dir, "--json", check=False)
    assert report.returncode == 0 and json.loads(report.stdout)["damaged"] == [], report.stdout + report.stderr
    again = Archive(archive.data_dir).start()
    try:
        for ds in (before, stowed, stored):
            assert whole(again, ds)
    finally:
        again.stop()
        again.remove()


def refused(archive):
    doors = (int(archive.https.rsplit(":", 1)[1]), archive.port)
    for port in doors:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return False
        except ConnectionRefusedError:
            pass
    return True
