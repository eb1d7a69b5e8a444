"""Ten objects of 2 GB at once do not fit in memory and do not have to."""

import os
import threading

from pydicom.uid import generate_uid

LIMIT_KIB = 512 * 1024
FULL = bool(os.environ.get("LEADGLASS_FULL"))
SENDERS = 10
OBJECT_BYTES = 2_000_000_000 if FULL else 100_000_000
RAW = "1.2.840.10008.5.1.4.1.1.66"
EXPLICIT = "1.2.840.10008.1.2.1"


def header(sop_instance, study):
    def element(group, number, vr, value):
        value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
        return group.to_bytes(2, "little") + number.to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value
    return (element(8, 0x16, b"UI", RAW.encode()) + element(8, 0x18, b"UI", sop_instance.encode())
            + element(0x10, 0x10, b"PN", b"Big^Object") + element(0x10, 0x20, b"LO", b"BIG")
            + element(0x20, 0x0D, b"UI", study.encode()) + element(0x20, 0x0E, b"UI", generate_uid().encode()))


class Body:
    """A data set that is never in memory: a header, one large value."""

    def __init__(self):
        self.sop_instance = generate_uid()
        head = header(self.sop_instance, generate_uid())
        self.parts = [head + b"\xe0\x7f\x10\0OB\0\0" + OBJECT_BYTES.to_bytes(4, "little")]

    def multipart(self):
        def element(tag, vr, value):
            value += b"\0" * (len(value) % 2)
            return tag + vr + (b"\0\0" + len(value).to_bytes(4, "little") if vr == b"OB" else len(value).to_bytes(2, "little")) + value
        meta = (element(b"\x02\0\x01\0", b"OB", b"\0\1") + element(b"\x02\0\x02\0", b"UI", RAW.encode())
                + element(b"\x02\0\x03\0", b"UI", self.sop_instance.encode()) + element(b"\x02\0\x10\0", b"UI", EXPLICIT.encode()))
        yield b"--b\r\nContent-Type: application/dicom\r\n\r\n" + b"\0" * 128 + b"DICM"
        yield element(b"\x02\0\0\0", b"UL", len(meta).to_bytes(4, "little")) + meta
        yield self.parts[0]
        block = os.urandom(1 << 20)
        left = OBJECT_BYTES
        while left:
            yield block[:min(left, len(block))]
            left -= min(left, len(block))
        yield b"\r\n--b--\r\n"


def test_ten_large_objects_at_once(fresh):
    archive = fresh()
    archive.reset_peak_memory()
    statuses = []

    def send():
        answer = archive.session().post(f"{archive.dicomweb}/studies", data=Body().multipart(), headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b', "Accept": "application/dicom+json"})
        statuses.append(answer.status_code)

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    peak = archive.memory_kib()
    print(f"{SENDERS} objects of {OBJECT_BYTES} bytes at once: peak {peak} KiB")
    assert statuses == [200] * SENDERS
    assert peak <= LIMIT_KIB


def test_an_idle_archive_is_small(fresh):
    archive = fresh()
    assert archive.memory_kib("VmRSS") <= 100 * 1024


