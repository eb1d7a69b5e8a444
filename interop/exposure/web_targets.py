"""What the web judges look at: real servers from Debian's packages, and signature servers where no product can be had.

Each has a loopback address of its own, so that the audit sees as many hosts.
"""
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from leadglass import ROOT, free_port

NEEDED = ("Orthanc", "nginx", "lighttpd")

SAMPLES = ROOT / "testdata" / "samples"
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Targets:
    """Started servers by name; ended together."""

    def __init__(self, directory):
        self.directory, self.places, self.ends = Path(directory), {}, []

    def place(self, name):
        """An address and a port for a target."""
        self.places[name] = (f"127.77.0.{len(self.places) + 1}", free_port())
        return self.places[name]

    def url(self, name, path="/", scheme="http"):
        address, port = self.places[name]
        return f"{scheme}://{address}:{port}{path}"

    def stop(self):
        for end in self.ends:
            end()

    def run(self, *command, places, name):
        log = open(self.directory / f"{name}.log", "ab")
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   cwd=self.directory)
        self.ends.append(lambda: end(process))
        for place in places:
            wait_for(place, process, name)
        return process


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(place, process, name):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(place) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{name} does not listen on {place}")


def certificate(directory):
    """A self-signed certificate and its key, also as one file."""
    cert, key, both = directory / "cert.pem", directory / "key.pem", directory / "both.pem"
    if not both.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7", "-subj", "/CN=localhost",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        both.write_text(key.read_text() + cert.read_text())
    return cert, key, both


def images(directory):
    """A folder of DICOM files as somebody leaves them under a web root."""
    folder = directory / "images"
    if not folder.exists():
        folder.mkdir()
        files = sorted(path for path in SAMPLES.rglob("*") if path.is_file() and path.read_bytes()[128:132] == b"DICM")
        for number, path in enumerate(files[:5]):
            shutil.copy(path, folder / f"IM{number:04}.dcm")
        (folder / "notes.txt").write_text("nothing")
        (folder / "2019").mkdir()
    return folder


# Orthanc

def orthanc(targets, name, **settings):
    storage, (address, port) = targets.directory / name, targets.place(name)
    configuration = {
        "Name": name, "StorageDirectory": str(storage), "IndexDirectory": str(storage), "HttpPort": port,
        "DicomServerEnabled": False, "RemoteAccessAllowed": True, "AuthenticationEnabled": False,
        "Plugins": [str(DICOMWEB_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True},
        **settings,
    }
    path = targets.directory / f"{name}.json"
    path.write_text(json.dumps(configuration))
    targets.run("Orthanc", path, places=[(address, port)], name=name)
    return port


def orthanc_stock(targets):
    """As installed, reached from elsewhere: no authentication, no TLS."""
    orthanc(targets, "orthanc-stock")


def orthanc_hardened(targets):
    """By its book: named users, nothing but a proxy reaches it, and the proxy speaks TLS.

    Its own TLS is no way to do it here: 1.10.1 as Debian has it dies of the first request over HTTPS.
    """
    port = orthanc(targets, "orthanc-behind", RemoteAccessAllowed=False, AuthenticationEnabled=True,
                   RegisteredUsers={"admin": secrets.token_hex(16)})
    del targets.places["orthanc-behind"]
    return port


def orthanc_delivered(targets):
    """Authentication on, with the user that Orthanc makes when none is named."""
    orthanc(targets, "orthanc-delivered", AuthenticationEnabled=True)


# nginx, lighttpd, Python

NGINX = """
user root; daemon off; pid {directory}/nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/octet-stream; types {{ text/html html; }}
  client_body_temp_path {directory}/nginx-1; proxy_temp_path {directory}/nginx-2; fastcgi_temp_path {directory}/nginx-3;
  uwsgi_temp_path {directory}/nginx-4; scgi_temp_path {directory}/nginx-5;
  {servers}
}}
"""


def nginx(targets, hardened):
    """In front of the hardened Orthanc; a listing, the same folder without, a careless and a careful portal, a port that only sends to HTTPS, Basic."""
    directory = targets.directory
    cert, key, _ = certificate(directory)
    folder, portal = images(directory), directory / "portal"
    portal.mkdir()
    (portal / "index.html").write_text("<html><title>Portal</title><form><input type=\"password\"></form></html>")
    (directory / "passwords").write_text("admin:{PLAIN}" + secrets.token_hex(16) + "\n")
    names = ["orthanc-hardened", "nginx-listing", "nginx-no-listing", "nginx-careless", "nginx-careful", "nginx-to-https", "nginx-basic"]
    places = {name: targets.place(name) for name in names}
    tls = f"ssl_certificate {cert}; ssl_certificate_key {key};"
    careful = "".join(f'add_header {header} always; ' for header in [
        'Strict-Transport-Security "max-age=31536000"', "Content-Security-Policy \"default-src 'self'; frame-ancestors 'none'\"",
        'X-Content-Type-Options nosniff', 'Referrer-Policy no-referrer', 'Cache-Control no-store',
        'Set-Cookie "session=1; Secure; HttpOnly; SameSite=Strict"'])
    bodies = {
        "orthanc-hardened": f"{tls} server_tokens off; {careful.split('add_header Set-Cookie')[0]} "
                            f"location / {{ proxy_pass http://127.0.0.1:{hardened}; }}",
        "nginx-listing": f"root {folder}; autoindex on;",
        "nginx-no-listing": f"root {folder};",
        "nginx-careless": f'root {portal}; add_header Set-Cookie "session=1; Path=/";',
        "nginx-careful": f"{tls} server_tokens off; root {portal}; {careful}",
        "nginx-to-https": "return 301 https://127.0.0.1$request_uri;",
        "nginx-basic": f'root {portal}; auth_basic "closed"; auth_basic_user_file {directory}/passwords;',
    }
    servers = "\n".join(
        f"server {{ listen {places[name][0]}:{places[name][1]}{' ssl' if name in ('nginx-careful', 'orthanc-hardened') else ''}; {body} }}"
        for name, body in bodies.items())
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, servers=servers))
    targets.run("nginx", "-c", directory / "nginx.conf", "-p", directory, places=places.values(), name="nginx")


def lighttpd(targets):
    """A listing, and an open WebDAV."""
    folder = images(targets.directory)
    for name, more in [
        ("lighttpd-listing", 'server.modules = ("mod_dirlisting")\ndir-listing.activate = "enable"\n'),
        ("lighttpd-webdav", 'server.modules = ("mod_webdav")\nwebdav.activate = "enable"\n'),
    ]:
        path, (address, port) = targets.directory / f"{name}.conf", targets.place(name)
        path.write_text(f'server.document-root = "{folder}"\nserver.bind = "{address}"\nserver.port = {port}\n{more}')
        targets.run("lighttpd", "-D", "-f", path, places=[(address, port)], name=name)


def python_listing(targets):
    address, port = targets.place("python-listing")
    targets.run(sys.executable, "-m", "http.server", port, "--bind", address, "-d", images(targets.directory),
                places=[(address, port)], name="python-listing")


# Signature servers: what the products' own pages and interfaces say, for products that cannot be had here

HTML, JSON, DICOM_JSON = "text/html", "application/json", "application/dicom+json"

SIGNATURES = {
    # The default build of dcm4chee-arc: everything open.
    "dcm4chee": {
        "/": (302, {"Location": "/dcm4chee-arc/ui2/"}, b""),
        "/dcm4chee-arc/aets": (200, {"Content-Type": JSON}, b'[{"dicomAETitle":"DCM4CHEE","dicomDescription":"PLANTED^JANE"}]'),
        "/dcm4chee-arc/aets/DCM4CHEE/rs/studies": (200, {"Content-Type": DICOM_JSON}, b"[]"),
        "/dcm4chee-arc/aets/DCM4CHEE/rs/workitems": (204, {}, b""),
        "/dcm4chee-arc/aets/DCM4CHEE/rs/studies/count": (200, {"Content-Type": JSON}, b'{"count":4711}'),
        "/dcm4chee-arc/ui2/": (200, {"Content-Type": HTML}, b"<title>dcm4chee-arc</title>"),
    },
    # The secured build: a log-in in front of the page, tokens for the interface.
    "dcm4chee-secured": {
        "/": (302, {"Location": "/dcm4chee-arc/ui2/"}, b""),
        "/dcm4chee-arc/ui2/": (302, {"Location": "/auth/realms/dcm4che/protocol/openid-connect/auth"}, b""),
        "/dcm4chee-arc/": (401, {"WWW-Authenticate": "Bearer"}, b""),
    },
    "dicoogle": {
        "/": (200, {"Content-Type": HTML}, b"<title>Dicoogle PACS</title>"),
        "/management/settings/index": (200, {"Content-Type": JSON}, b'{"path":"/PLANTED^JANE"}'),
    },
    "conquest": {"/cgi-bin/dgate": (200, {"Content-Type": HTML}, b"<title>CONQUEST DICOM server</title>")},
    "meddream": {"/": (200, {"Content-Type": HTML}, b"<title>MedDream DICOM viewer</title> PLANTED^JANE")},
    "meddream-log-in": {"/": (200, {"Content-Type": HTML}, b"<title>MedDream</title><input type='password'>")},
    # Says yes to everything.
    "yes-page": {"": (200, {"Content-Type": HTML}, b"<title>Planted Clinic</title>")},
    "yes-json": {"": (200, {"Content-Type": DICOM_JSON}, b"[]")},
    # Search is closed, and a study is looked for all the same.
    "half-closed": {
        "/wado": (404, {}, b""), "/dicom-web/studies/": (404, {}, b""), "": (401, {"WWW-Authenticate": "Bearer"}, b""),
    },
    # A filter refuses whoever brings a foreign origin, and nobody else.
    "cors-filter": {
        "/dicom-web/studies": (200, {"Content-Type": DICOM_JSON}, b"[]"),
        "/dicom-web/workitems": (200, {"Content-Type": DICOM_JSON}, b"[]"),
    },
    # The first base asks who comes, another does not.
    "second-base": {
        "/dicom-web/": (401, {"WWW-Authenticate": "Bearer"}, b""),
        "/wado-rs/studies": (200, {"Content-Type": DICOM_JSON}, b"[]"),
    },
    # Sends everybody to HTTPS, but for the interface.
    "to-https-but-served": {
        "/dicom-web/studies": (200, {"Content-Type": DICOM_JSON}, b"[]"),
        "/": (301, {"Location": "https://127.0.0.1/"}, b""), "": (301, {"Location": "https://127.0.0.1/"}, b""),
    },
    # The house's name holds the letters of a log-in.
    "associates": {
        "/dicom-web/": (302, {"Location": "https://radiology-associates.example/author/"}, b""),
    },
    # Any site may read, with the visitor's cookies.
    "any-origin": {
        "/dicom-web/studies": (200, {"Content-Type": DICOM_JSON, "Access-Control-Allow-Origin": "https://audit.invalid",
                                     "Access-Control-Allow-Credentials": "true"}, b"[]"),
        "/share/old": (200, {"Content-Type": HTML}, b"PLANTED^JANE"),
        "/share/ended": (410, {}, b""),
        "/share/get-only": (200, {"Content-Type": HTML}, b"PLANTED^JANE"),
        "/custom/rs/studies": (200, {"Content-Type": DICOM_JSON}, b"[]"),
    },
}


def signature_server(targets, name):
    """Answers by the longest beginning of a path, and counts what changes something."""
    pages = SIGNATURES[name]

    class Handler(BaseHTTPRequestHandler):
        protocol_version, server_version, sys_version = "HTTP/1.1", "PLANTED-MRN-4711", ""

        def answer(self):
            path = self.path.split("?")[0]
            if name == "cors-filter" and self.headers.get("Origin"):
                return self.say(403, {}, b"")
            if path == "/share/get-only" and self.command == "HEAD":
                return self.say(404, {}, b"")
            found = pages.get(path) or next(
                (pages[start] for start in sorted(pages, key=len, reverse=True)
                 if start != "/" and (start.endswith("/") or not start) and path.startswith(start)), None)
            return self.say(*found or (404, {"Content-Type": "text/plain"}, b""))

        def say(self, status, headers, body):
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD" and status != 204:
                self.wfile.write(body)

        def refuse(self):
            CHANGES.append((name, self.command))
            self.answer()

        do_GET = do_HEAD = do_OPTIONS = do_PROPFIND = answer
        do_PUT = do_DELETE = do_PATCH = do_MOVE = refuse

        def do_POST(self):
            if int(self.headers.get("Content-Length") or 0):
                CHANGES.append((name, "POST with a body"))
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(targets.place(name), Handler)
    server.handle_error = lambda *_: None  # the audit ends its connections by a reset
    threading.Thread(target=server.serve_forever, daemon=True).start()
    targets.ends.append(lambda: (server.shutdown(), server.server_close()))


# Requests that would change something, as (target, method): must stay empty.
CHANGES = []


def start_all(directory):
    """All targets."""
    targets = Targets(directory)
    try:
        orthanc_stock(targets)
        orthanc_delivered(targets)
        nginx(targets, orthanc_hardened(targets))
        lighttpd(targets)
        python_listing(targets)
        for name in SIGNATURES:
            signature_server(targets, name)
    except BaseException:
        targets.stop()
        raise
    return targets
