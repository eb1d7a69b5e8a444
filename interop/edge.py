"""A running `leadglass edge`, the wire between it and the archive, and DCMTK's storage SCP as a reference."""

import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from leadglass import BINARY, free_port, wait_until

DCMTK_TIMEOUT_S = 120


class Wire:
    """A TCP proxy that keeps what passes: the wire between edge and archive, with somebody listening in.

    While `target` is None nobody is at the other end: connections are refused. With `stall_after` set,
    a connection stands still when so many bytes came back: `stalled` says that one does.
    """

    def __init__(self, target):
        self.target, self.bytes, self.lock = target, bytearray(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.stall_after, self.stalled = None, threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, near):
        with near:
            if self.target is None:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                return
            self.connections += 1
            with far:
                try:
                    self._pump(near, far)
                except OSError:
                    pass

    def _pump(self, near, far):
        back = 0
        while True:
            for source in select.select([near, far], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                with self.lock:
                    self.bytes += data
                (far if source is near else near).sendall(data)
                back += len(data) if source is far else 0
                if self.stall_after is not None and back > self.stall_after:
                    self.stalled.set()
                    while near.recv(65536):  # until whoever waits gives up
                        pass
                    return

    def close(self):
        self.listener.close()


class Edge:
    """One running edge."""

    def __init__(self, folder, archive_port, archive_ae, bundle, modalities, **sections):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.config = self.folder / "edge.toml"
        self.spool = self.folder / "edge"
        merged = {
            "listen": {"interface": "lo", "port": self.port},
            "archive": {"address": f"127.0.0.1:{archive_port}", "ae_title": archive_ae, "bundle": str(bundle),
                        "retry_longest_s": 1},
            "spool": {"dir": str(self.spool)},
        }
        for section, values in sections.items():
            merged.setdefault(section, {}).update(values)
        lines = []
        for section, values in merged.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        for modality in modalities:
            lines.append("[[modality]]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in modality.items()]
        self.config.write_text("\n".join(lines) + "\n")
        self.process = None

    def start(self):
        self.log = open(self.folder / "edge.log", "ab")
        self.process = subprocess.Popen([str(BINARY), "edge", "run", "--config", str(self.config), "--json"],
                                        stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line, f"the edge did not start: {(self.folder / 'edge.log').read_text()[-3000:]}"
        assert json.loads(line)["listening"] == f"127.0.0.1:{self.port}"
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)
            self.process.stdout.close()
            self.log.close()

    def cli(self, *arguments):
        return subprocess.run([str(BINARY), "edge", *map(str, arguments), "--config", str(self.config), "--json"],
                              capture_output=True, text=True, timeout=60)

    def objects(self):
        done = self.cli("spool", "list")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def wait_drained(self, seconds=120):
        """Files, not the command: it opens each object's sheet."""
        waits = lambda: list((self.spool / "spool").glob("*.obj"))  # noqa: E731
        assert wait_until(lambda: not waits(), seconds), f"{len(waits())} wait\n{(self.folder / 'edge.log').read_text()[-3000:]}"

    def storescu(self, ae, called, *paths):
        """DCMTK in clear, as a modality sends: every class it meets, uncompressed."""
        return subprocess.run(["storescu", "-aet", ae, "-aec", called, "-R", "+sd", "+r", "--no-halt", "-xe",
                               "127.0.0.1", str(self.port), *map(str, paths)],
                              capture_output=True, text=True, timeout=DCMTK_TIMEOUT_S, errors="replace")


class StorescpReference:
    """What storescu puts on the wire, data set by data set, as DCMTK's own storage SCP keeps it bit by bit."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="leadglass-reference-"))
        self.port = free_port()
        self.process = subprocess.Popen(["storescp", "--bit-preserving", "-od", str(self.folder), "+xa", str(self.port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(self._answers, 30)

    def _answers(self):
        return subprocess.run(["echoscu", "127.0.0.1", str(self.port)], capture_output=True).returncode == 0

    def storescu(self, *paths):
        subprocess.run(["storescu", "-R", "+sd", "+r", "--no-halt", "-xe", "127.0.0.1", str(self.port), *map(str, paths)],
                       capture_output=True, timeout=DCMTK_TIMEOUT_S, check=True)
        return sorted(self.folder.iterdir())

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def capture(interface, port, folder):
    """tcpdump on that port, when there is one and it may; None otherwise."""
    if not shutil.which("tcpdump") or os.geteuid() != 0:
        return None
    path = Path(folder) / "wire.pcap"
    process = subprocess.Popen(["tcpdump", "-Z", "root", "-i", interface, "-U", "-s", "0", "-w", str(path), "tcp", "port", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if not wait_until(lambda: process.poll() is not None or path.exists() and path.stat().st_size >= 24, 10) or process.poll() is not None:
        process.kill()
        return None
    return process, path
