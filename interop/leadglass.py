"""Starts a real archive for the judges and speaks to it as strangers' software does.

Everything binds to 127.0.0.1 on free ports; keys and certificates are made at start.
"""

import csv
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path

import pydicom
import requests
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import UserIdentityNegotiation

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("LEADGLASS_BINARY", ROOT / "target" / "debug" / "leadglass"))
EXAMPLES = BINARY.parent / "examples"
START_TIMEOUT_S = 90


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def identity(kind, primary, secondary=b"", response=True):
    """A user identity of that type (PS3.7 D.3.3.7), as `ext_neg` takes it."""
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field, item.positive_response_requested = kind, primary, response
    if secondary:
        item.secondary_field = secondary
    return [item]


class Archive:
    """One running `leadglass demo` and what its ready file says."""

    def __init__(self, data_dir, *arguments, samples=False, wrapper=()):
        self.data_dir = Path(data_dir)
        self.arguments = list(arguments) + ([] if samples else ["--no-samples"])
        self.wrapper = list(wrapper)
        self.process = None
        self.log = None

    def start(self):
        ready_file = Path(tempfile.mkdtemp(prefix="leadglass-ready-", dir=self.data_dir.parent)) / "ready.json"
        self.log = open(f"{self.data_dir}.log", "ab")
        self.process = subprocess.Popen(
            self.wrapper
            + [str(BINARY), "demo", "--data", str(self.data_dir), "--ready-file", str(ready_file)]
            + ["--https-port", "0", "--dicom-port", "0"] + self.arguments,
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the archive did not start: see {self.data_dir}.log\n" + self.log_tail())
            time.sleep(0.01)
        assert ready_file.stat().st_mode & 0o777 == 0o600
        self.ready = json.loads(ready_file.read_text())
        self.ready_file = ready_file
        self.https, self.dicomweb = self.ready["https"], self.ready["dicomweb"]
        self.ca, self.token = self.ready["ca"], self.ready["token"]
        self.host, self.port = self.ready["dimse"]["host"], int(self.ready["dimse"]["port"])
        self.ae, self.peer = self.ready["dimse"]["ae"], self.ready["peer"]
        self.pid = int(self.ready["pid"])
        return self

    def log_tail(self, lines=30):
        return "\n".join(Path(f"{self.data_dir}.log").read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        if self.log:
            self.log.close()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def remove(self):
        """Its data goes: a log segment alone is hundreds of megabytes, allocated ahead."""
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def is_running(self):
        return self.process.poll() is None

    # The command line

    def cli(self, *arguments, check=True):
        done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"leadglass {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def add_peer(self, ae, verbs, address=None, out=None):
        out = Path(out or tempfile.mkdtemp(prefix="leadglass-peer-", dir=self.data_dir.parent))
        arguments = ["peer", "add", ae, "--verbs", ",".join(verbs), "--out", out,
                     "--ready-file", self.ready_file, "--json"]
        if address:
            arguments += ["--address", address]
        return json.loads(self.cli(*arguments).stdout)

    def revoke_peer(self, ae):
        self.cli("peer", "revoke", ae, "--ready-file", self.ready_file)

    # DICOM over TLS

    def tls(self, cert=None, key=None, ca=None):
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca or self.ca)
        if cert is not False:
            context.load_cert_chain(cert or self.peer["cert"], key or self.peer["key"])
        return context

    def associate(self, contexts, ae=None, peer=None, ext_neg=None, evt_handlers=None, called=None, context=None, timeout=30):
        peer = peer or self.peer
        entity = AE(ae_title=ae or peer["ae"])
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = timeout
        entity.requested_contexts = contexts
        association = entity.associate(
            self.host, self.port, ae_title=called or self.ae, ext_neg=ext_neg or [], evt_handlers=evt_handlers or [],
            tls_args=(context or self.tls(peer["cert"], peer["key"]), self.host))
        association._reactor_checkpoint = Checkpoint(association)
        return association

    def dcmtk(self, tool, *arguments, peer=None, ae=None, tls=None, timeout=120, check=False):
        peer = peer or self.peer
        port, tunnel = self.port, None
        if tool in DCMTK_WITHOUT_TLS:
            tunnel = Tunnel(self, peer)
            port, tls = tunnel.port, []
        tls = tls if tls is not None else ["+tls", peer["key"], peer["cert"], "+cf", self.ca]
        command = [tool, *tls, "-aet", ae or peer["ae"], "-aec", self.ae, *map(str, arguments)]
        position = command.index("{peer}") if "{peer}" in command else None
        if position is None:
            command += [self.host, str(port)]
        else:
            command[position:position + 1] = [self.host, str(port)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, errors="replace")
        finally:
            if tunnel:
                tunnel.close()
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    # DICOMweb

    def session(self, token=None):
        session = requests.Session()
        session.trust_env = False  # a CA bundle named in the environment would take the place of ours
        session.verify = self.ca
        session.headers["Authorization"] = f"Bearer {token or self.token}"
        return session

    # Watching the process

    def reset_peak_memory(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def memory_kib(self, field="VmHWM"):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1))


class Checkpoint:
    """Where an association's own thread of pynetdicom 3.0.4 is held while a request awaits its response.

    pynetdicom's event lets a thread that was just let through be taken for one that is held. It then takes the response
    off the queue and drops it, and the request ends without one: once in some thousand stores with an archive that
    answers in a millisecond. Here whoever clears it waits until the thread is held.
    """

    def __init__(self, thread):
        self.thread, self.condition = thread, threading.Condition()
        self.is_open, self.holds = True, False

    def is_set(self):
        return self.is_open

    def set(self):
        with self.condition:
            self.is_open = True
            self.condition.notify_all()

    def wait(self):
        with self.condition:
            while not self.is_open:
                self.holds = True
                self.condition.notify_all()
                self.condition.wait()
            self.holds = False

    def clear(self):
        with self.condition:
            self.is_open = False
            while not self.holds and self.thread.is_alive() and self.thread is not threading.current_thread():
                self.condition.wait(0.05)


# Tools of DCMTK 3.6.7 that cannot speak TLS themselves.
DCMTK_WITHOUT_TLS = {"movescu", "getscu", "termscu"}


class Tunnel:
    """Mutual TLS for a tool that has none, as a site would run stunnel: one clear port on loopback for one run."""

    def __init__(self, archive, peer):
        self.archive, self.context = archive, archive.tls(peer["cert"], peer["key"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                clear, _ = self.listener.accept()
                raw = socket.create_connection((self.archive.host, self.archive.port))
                secure = self.context.wrap_socket(raw, server_hostname=self.archive.host)
                threading.Thread(target=self._pump, args=(clear, secure), daemon=True).start()
        except OSError:
            pass

    @staticmethod
    def _pump(clear, secure):
        """Both ways in one thread: an SSL object is not for two."""
        try:
            while True:
                readable = [secure] if secure.pending() else select.select([clear, secure], [], [], 60)[0]
                if not readable:
                    return
                for source, sink in ((clear, secure), (secure, clear)):
                    if source in readable:
                        data = source.recv(65536)
                        if not data:
                            return
                        sink.sendall(data)
        except OSError:
            pass
        finally:
            clear.close()
            secure.close()

    def close(self):
        self.listener.close()


# Files


def corpus_roots():
    roots = [ROOT / "testdata"]
    if os.environ.get("LEADGLASS_CORPUS"):
        roots.append(Path(os.environ["LEADGLASS_CORPUS"]))
    return roots


def manifest(hostile=False):
    """Rows of all manifests, each with its full path; the same file is listed once."""
    seen, rows = set(), []
    for root in corpus_roots():
        with open(root / "MANIFEST.csv", newline="", encoding="utf-8") as f:
            for row in csv.DictReader(f):
                if ("hostile/" in row["path"]) is not hostile or row["sha256"] in seen:
                    continue
                seen.add(row["sha256"])
                rows.append(row | {"file": root / row["path"]})
    return rows


NATIVE = {"none(impl,le)": "1.2.840.10008.1.2", "none(expl,le)": "1.2.840.10008.1.2.1", "none(expl,be)": "1.2.840.10008.1.2.2"}


class Part10:
    """The data set of a file byte by byte, and what its file meta says, read without a DICOM library's opinion."""

    def __init__(self, path, transfer_syntax=None):
        raw = Path(path).read_bytes()
        start = 132 if raw[128:132] == b"DICM" else 0
        self.transfer_syntax, end = self._meta(raw, start)
        if self.transfer_syntax is None:
            self.transfer_syntax = NATIVE.get(transfer_syntax, "1.2.840.10008.1.2")
        self.data_set = raw[end:]

    @staticmethod
    def _meta(raw, start):
        at, syntax = start, None
        while raw[at:at + 2] == b"\x02\x00" and at + 8 <= len(raw):
            vr = raw[at + 4:at + 6]
            if vr in (b"OB", b"UN", b"OW", b"SQ", b"UT"):
                length, head = int.from_bytes(raw[at + 8:at + 12], "little"), 12
            else:
                length, head = int.from_bytes(raw[at + 6:at + 8], "little"), 8
            if raw[at:at + 4] == b"\x02\x00\x10\x00":
                syntax = raw[at + head:at + head + length].rstrip(b"\0 ").decode("ascii")
            at += head + length
        return syntax, at


def store_raw(association, sop_class, sop_instance, transfer_syntax, data_set, message_id=1):
    """C-STORE of exactly these bytes; the status, or None when the peer aborted."""
    context = next((c for c in association.accepted_contexts
                    if c.abstract_syntax == sop_class and transfer_syntax in c.transfer_syntax), None)
    if context is None:
        return None
    request = C_STORE()
    request.MessageID = message_id
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, sop_instance
    request.Priority = 2
    request.DataSet = BytesIO(data_set)
    association._reactor_checkpoint.clear()
    try:
        association.dimse.send_msg(request, context.context_id)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    return None if response is None or response.Status is None else response


class Listener:
    """A storage SCP that keeps the raw bytes of what arrives, over mutual TLS."""

    def __init__(self, archive, peer, contexts, port):
        self.received = {}
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=archive.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(peer["cert"], peer["key"])
        entity = AE(ae_title=peer["ae"])
        entity.supported_contexts = contexts
        entity.maximum_pdu_size = 0
        self.events = []
        self.server = entity.start_server(
            ("127.0.0.1", port), block=False, ssl_context=context,
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_N_EVENT_REPORT, self._event)])

    def _store(self, event):
        self.received[str(event.request.AffectedSOPInstanceUID)] = (
            str(event.context.transfer_syntax), event.request.DataSet.getvalue())
        return 0x0000

    def _event(self, event):
        self.events.append((event.event_type, event.event_information))
        return 0x0000, None

    def stop(self):
        self.server.shutdown()


def wait_until(condition, seconds=30):
    """Polls for what another process does in its own time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def read(path):
    return pydicom.dcmread(path, force=True)
