"""Networks of the judge's own: a hospital on one side, a closed-off machine on the other, somebody between."""

import ctypes
import os
import subprocess
import threading
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NETWORK = 0x40000000


def can_make():
    """Whether this machine lets us: root, and `ip`."""
    try:
        return subprocess.run(["unshare", "-n", "ip", "link", "add", "name", "near", "type", "veth", "peer", "name", "far"],
                              capture_output=True).returncode == 0
    except OSError:
        return False


class Networks:
    """`ward` and `old` are two machines, each on a wire of its own to `gate`, which forwards nothing."""

    WARD, GATE_TO_WARD, GATE_TO_OLD, OLD = "10.77.2.2", "10.77.2.1", "10.77.1.1", "10.77.1.2"

    def __init__(self):
        self.names = {machine: f"leadglass-{machine}-{os.getpid()}" for machine in ("ward", "gate", "old")}

    def __enter__(self):
        for name in self.names.values():
            ip("netns", "add", name)
        self._wire("ward", self.WARD, self.GATE_TO_WARD)
        self._wire("old", self.OLD, self.GATE_TO_OLD)
        for machine, gate in (("ward", self.GATE_TO_WARD), ("old", self.GATE_TO_OLD)):
            ip("-n", self.names[machine], "route", "add", "default", "via", gate)
        self.within("gate", lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("0"))
        return self

    def _wire(self, machine, address, gate):
        far, near = self.names[machine], self.names["gate"]
        ip("-n", near, "link", "add", "name", f"to-{machine}", "type", "veth", "peer", "name", "eth0", "netns", far)
        for name, link, own in ((near, f"to-{machine}", gate), (far, "eth0", address)):
            ip("-n", name, "addr", "add", f"{own}/30", "dev", link)
            ip("-n", name, "link", "set", link, "up")
            ip("-n", name, "link", "set", "lo", "up")

    def __exit__(self, *_):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def within(self, machine, work):
        """What `work` returns, done on that machine: its sockets and its children are there."""
        came = {}

        def there():
            try:
                with open(f"/var/run/netns/{self.names[machine]}") as network:
                    if LIBC.setns(network.fileno(), NEW_NETWORK):
                        raise OSError(ctypes.get_errno(), "setns")
                came["value"] = work()
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                came["error"] = error

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if "error" in came:
            raise came["error"]
        return came["value"]


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
