"""Machines: which certificates are believed, how a device enrols itself, who is at a peer.

Twelve bad certificates by name, made with OpenSSL and cryptography; a thousand titles; user identities of all five types
by pynetdicom, with SAML assertions that signxml made.
"""

import base64
import datetime
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pynetdicom import build_context

from leadglass import identity, wait_until

VERIFICATION = [build_context("1.2.840.10008.1.1")]
FIND = [build_context("1.2.840.10008.5.1.4.1.2.2.1")]


def now():
    return datetime.datetime.now(datetime.UTC)


def files(folder, name, key, certificate):
    cert_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return {"cert": str(cert_path), "key": str(key_path), "sha256": certificate.fingerprint(hashes.SHA256()).hex()}


def made(folder, name, key=None, days=(-1, 30), issuer=None, extensions=()):
    """A self-signed certificate, or one that `issuer` (name, key) signed."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer[0])]) if issuer else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now() + datetime.timedelta(days=days[0]))
               .not_valid_after(now() + datetime.timedelta(days=days[1])))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return files(folder, name, key, builder.sign(issuer[1] if issuer else key, hashes.SHA256()))


def usage(**on):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in on for name in names})


def with_openssl(folder, name, *arguments):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-subj", f"/CN={name}", "-days", "30", "-keyout", key, "-out", cert,
                    *arguments], check=True, capture_output=True)
    der = x509.load_pem_x509_certificate(cert.read_bytes())
    return {"cert": str(cert), "key": str(key), "sha256": der.fingerprint(hashes.SHA256()).hex()}


def bad_certificates(folder):
    """Name, the peer, and whether it is enrolled first: then its own fault alone keeps it out."""
    client = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    authority = [(x509.BasicConstraints(ca=True, path_length=None), True), (usage(key_cert_sign=True), True)]
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    constraint = x509.NameConstraints([x509.DNSName("example.org")], None)
    other = ec.generate_private_key(ec.SECP256R1())
    return {
        "expired": (made(folder, "EXPIRED", days=(-30, -1)), True),
        "not yet valid": (made(folder, "FUTURE", days=(1, 30)), True),
        "another authority": (made(folder, "FOREIGN", issuer=("Other CA", other)), False),
        "for servers alone": (made(folder, "SERVER", extensions=[client]), True),
        "RSA of 1024 bits": (with_openssl(folder, "RSA1024", "-newkey", "rsa:1024", "-sha256"), True),
        "signed with SHA-1": (with_openssl(folder, "SHA1", "-newkey", "rsa:2048", "-sha1"), True),
        "unknown curve": (made(folder, "CURVE", key=ec.generate_private_key(ec.SECP256K1())), True),
        "self-signed, not pinned": (made(folder, "SELF"), False),
        "public authority": (made(folder, "PUBLIC", extensions=[(x509.CertificatePolicies([policy]), False)]), True),
        "an authority's": (made(folder, "AUTHORITY", extensions=authority), True),
        "an intermediate's, constrained": (
            made(folder, "NARROW", issuer=("Other CA", other), extensions=[*authority, (constraint, True)]), True),
    }


def enrol(archive, ae, peer):
    answer = archive.session().post(f"{archive.https}/admin/v1/peers", json={
        "ae": ae, "verbs": ["store"], "certificate": {"sha256": peer["sha256"]}})
    assert answer.status_code == 201, answer.text
    return peer | {"ae": ae}


def careless(archive, peer):
    """A client that would show anything."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=archive.ca)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(peer["cert"], peer["key"])
    return context


def echoes(archive, peer, ae=None, ext_neg=None):
    try:
        association = archive.associate(VERIFICATION, ae=ae, peer=peer, ext_neg=ext_neg, context=careless(archive, peer))
    except (OSError, ssl.SSLError):
        return False
    if not association.is_established:
        return False
    answered = association.send_c_echo().get("Status") == 0
    association.release()
    return answered


def test_twelve_bad_certificates(empty_archive, tmp_path):
    archive, seen = empty_archive, {}
    good = enrol(archive, "GOOD", made(tmp_path, "GOOD"))
    assert echoes(archive, good), "a self-signed certificate that is pinned"
    for number, (name, (peer, enrolled)) in enumerate(bad_certificates(tmp_path).items()):
        ae = f"BAD{number}"
        peer = enrol(archive, ae, peer) if enrolled else peer | {"ae": "GOOD"}
        seen[name] = echoes(archive, peer)
    ours = archive.add_peer("REVOKED", ["store"])
    assert echoes(archive, ours)
    archive.revoke_peer("REVOKED")
    seen["revoked"] = echoes(archive, ours)
    other = archive.add_peer("OTHERTITLE", ["store"])
    seen["another title's"] = echoes(archive, other, ae="GOOD")
    assert len(seen) >= 12 and not any(seen.values()), {name for name, let_in in seen.items() if let_in}
    assert echoes(archive, good)
    trail = archive.session().get(f"{archive.https}/admin/v1/trail", params={"limit": 1000}).json()["entries"]
    assert any("node-authentication-failed" in json.dumps(entry) for entry in trail), "110126"


def associate_request(calling, called):
    """An A-ASSOCIATE-RQ for Verification, with whatever stands for titles."""
    def item(kind, content):
        return struct.pack(">BBH", kind, 0, len(content)) + content
    context = item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2"))
    user = item(0x50, item(0x51, struct.pack(">I", 16384)))
    body = b"\0\1\0\0" + called + calling + bytes(32) + item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
    return struct.pack(">BBI", 1, 0, len(body)) + body


def answer_to(archive, request, peer):
    with socket.create_connection((archive.host, archive.port), timeout=30) as tcp:
        try:
            with archive.tls(peer["cert"], peer["key"]).wrap_socket(tcp, server_hostname=archive.host) as tls:
                tls.sendall(request)
                return tls.recv(64)
        except (ssl.SSLError, ConnectionError) as error:
            return type(error).__name__ + (getattr(error, "reason", None) or "")


def hostile_titles():
    titles = [b"../../etc/passwd", b"'; DROP TABLE --", b"*" * 16, b"?" * 16, b"%s%n%x%d", b"\x1b[2J\x1b[31m", b"A\nB", b"\0" * 16,
              b"\xff" * 16, b"A\\B", "Ä".encode(), b" " * 16, b"$(reboot)", b"<script>", b"lgt_", b"ANY-SCP"]
    titles += [f"AE{number:05}".encode() for number in range(1000 - 2 * len(titles))]
    titles += [bytes((byte * 7 + at) % 256 for at in range(16)) for byte in range(len(titles), 1000)]
    return [title[:16].ljust(16) for title in titles]


def test_a_thousand_titles_learn_nothing(empty_archive, tmp_path):
    archive = empty_archive
    known = archive.add_peer("KNOWN", ["store"])
    stranger = made(tmp_path, "STRANGER")
    called = archive.ae.encode().ljust(16)
    titles = hostile_titles()
    assert len(titles) == 1000
    answers, outside = set(), set()
    for title in titles:
        answer = answer_to(archive, associate_request(title, called), known)
        assert isinstance(answer, bytes) and answer[:1] != b"\x02", title
        answers.add(answer)
    # PS3.8 9.3.4: rejected, by the service user, calling AE title not recognized; or, for what can be no title, an abort.
    assert answers <= {b"\x03\0\0\0\0\x04\0\x01\x01\x03", b"\x07\0\0\0\0\x04\0\0\x02\x06", b""}, answers
    for title in titles + [b"KNOWN".ljust(16)]:
        outside.add(str(answer_to(archive, associate_request(title, called), stranger)))
    assert len(outside) == 1, f"a stranger tells titles apart: {outside}"


def test_a_revoked_peer_loses_its_live_association(empty_archive):
    archive = empty_archive
    peer = archive.add_peer("SHORTLIVED", ["store"])
    association = archive.associate(VERIFICATION, peer=peer)
    assert association.is_established
    archive.revoke_peer("SHORTLIVED")
    begun = time.monotonic()
    wait_until(lambda: not association.is_established, 10)
    assert time.monotonic() - begun <= 5
    assert not echoes(archive, peer)


def invite(archive, ae, *more):
    done = archive.cli("peer", "invite", ae, "--verbs", "store", "--label", "Ward 3", "--ready-file", archive.ready_file, "--json", *more)
    return json.loads(done.stdout)


def test_a_device_enrols_with_openssl_and_dcmtk(empty_archive, tmp_path):
    archive, token = empty_archive, invite(empty_archive, "OPENSSL1")["token"]
    key, csr, cert = tmp_path / "key.pem", tmp_path / "request.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=ADMIN/O=Evil", "-keyout", key, "-out", csr],
                   check=True, capture_output=True)
    body = {"token": token, "request": csr.read_text()}
    answer = requests.post(f"{archive.https}/enrol", json=body, verify=archive.ca)
    assert answer.status_code == 201, answer.text
    assert answer.json()["ae"] == "OPENSSL1"
    cert.write_text(answer.json()["certificate"]["certificate_pem"])
    issued = x509.load_pem_x509_certificate(cert.read_bytes())
    assert issued.subject.rfc4514_string() == "CN=OPENSSL1", "of the request nothing but its key"
    assert issued.not_valid_after_utc - issued.not_valid_before_utc <= datetime.timedelta(days=397)
    archive.dcmtk("echoscu", peer={"ae": "OPENSSL1", "cert": str(cert), "key": str(key)}, check=True)
    refusals = [requests.post(f"{archive.https}/enrol", json=body | {"token": token}, verify=archive.ca)
                for token in (token, token[:-1] + "x", "lge_AAAAAAAAAAAA." + "A" * 43, "")]
    assert {(refusal.status_code, refusal.text) for refusal in refusals} == {(401, refusals[0].text)}


def test_a_weak_request_is_not_signed(empty_archive, tmp_path):
    token = invite(empty_archive, "WEAK1")["token"]
    csr = tmp_path / "request.pem"
    subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=x", "-keyout", tmp_path / "k", "-out", csr],
                   check=True, capture_output=True)
    answer = requests.post(f"{empty_archive.https}/enrol", json={"token": token, "request": csr.read_text()}, verify=empty_archive.ca)
    assert answer.status_code == 400


def test_a_device_enrols_and_renews_with_our_client(empty_archive, tmp_path):
    archive, invited = empty_archive, invite(empty_archive, "DEVICE1")
    server, out = archive.https.removeprefix("https://"), tmp_path / "device"
    wrong = archive.cli("enrol", "--server", server, "--ca-fingerprint", "00" * 32, "--token", invited["token"], "--out", out, check=False)
    assert wrong.returncode != 0, "another authority is told nothing"
    done = archive.cli("enrol", "--server", server, "--ca-fingerprint", invited["authority_sha256"], "--token", invited["token"],
                       "--out", out, "--json")
    device = json.loads(done.stdout)
    assert (out / "key.pem").stat().st_mode & 0o777 == 0o600
    assert echoes(archive, device)
    before = (out / "cert.pem").read_text()
    archive.cli("enrol", "--server", server, "--out", out, "--renew")
    assert (out / "cert.pem").read_text() != before
    assert echoes(archive, device)
    listed = archive.cli("peer", "list", "--ready-file", archive.ready_file).stdout
    assert re.search(r"DEVICE1.*Ward 3", listed)
    archive.revoke_peer("DEVICE1")
    assert archive.cli("enrol", "--server", server, "--out", out, "--renew", check=False).returncode != 0


def test_names_and_passcodes(empty_archive):
    archive = empty_archive
    peer = archive.add_peer("CONSOLE", ["store", "find"])
    token = json.loads(archive.cli("token", "create", "ada", "--role", "reader", "--days", "1", "--ready-file", archive.ready_file,
                                   "--json").stdout)["token"]
    assert echoes(archive, peer, ext_neg=identity(1, b"somebody"))
    assert echoes(archive, peer, ext_neg=identity(2, b"ada", token.encode()))
    for primary, secondary in [(b"ada", b"wrong"), (b"eve", token.encode()), (b"ada", b"x" * 5000), (b"", b"x")]:
        assert not echoes(archive, peer, ext_neg=identity(2, primary, secondary)), primary
    for kind in (3, 4, 5):
        assert not echoes(archive, peer, ext_neg=identity(kind, b"nothing that anybody vouches for")), kind


SAML = "urn:oasis:names:tc:SAML:2.0:assertion"


def assertion(key, certificate, identifier="_1", audience="urn:archive", group="doctors", minutes=5, signature="rsa-sha256"):
    signxml = pytest.importorskip("signxml")
    from lxml import etree
    stamp = lambda offset: (now() + datetime.timedelta(minutes=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")
    root = etree.fromstring(
        f'<saml:Assertion xmlns:saml="{SAML}" ID="{identifier}" Version="2.0" IssueInstant="{stamp(-1)}">'
        f"<saml:Issuer>https://idp.example</saml:Issuer><saml:Subject><saml:NameID>ada</saml:NameID>"
        f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
        f'NotOnOrAfter="{stamp(minutes)}" Recipient="urn:door"/></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="{stamp(-5)}" NotOnOrAfter="{stamp(minutes)}"><saml:AudienceRestriction>'
        f"<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{stamp(-1)}"/><saml:AttributeStatement><saml:Attribute Name="groups">'
        f"<saml:AttributeValue>{group}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>")
    signer = signxml.XMLSigner(method=signxml.methods.enveloped, signature_algorithm=signature, digest_algorithm="sha256",
                               c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
    return etree.tostring(signer.sign(root, key=key, cert=certificate, reference_uri=identifier))


def test_saml_assertions_of_signxml(fresh, tmp_path):
    idp, other = made(tmp_path, "idp", key=rsa.generate_private_key(65537, 2048)), made(tmp_path, "evil", key=rsa.generate_private_key(65537, 2048))
    config = tmp_path / "leadglass.toml"
    config.write_text("[[identities.saml]]\nissuer = 'https://idp.example'\n" f"certificates = ['{idp['cert']}']\n"
                      "audience = 'urn:archive'\nrecipient = 'urn:door'\nattribute = 'groups'\nroles = { doctors = 'reader' }\n")
    archive = fresh("--config", str(config))
    peer = archive.add_peer("CONSOLE", ["store", "find"])
    read = lambda path: open(path).read()
    pair, evil = (read(idp["key"]), read(idp["cert"])), (read(other["key"]), read(other["cert"]))
    good = assertion(*pair)
    assert echoes(archive, peer, ext_neg=identity(4, good))
    association = archive.associate(VERIFICATION + FIND + [build_context("1.2.840.10008.5.1.4.1.1.2")], peer=peer,
                                    ext_neg=identity(4, good))
    classes = {context.abstract_syntax for context in association.accepted_contexts}
    assert classes == {VERIFICATION[0].abstract_syntax, FIND[0].abstract_syntax}, "a reader does not store, whatever the peer may"
    association.release()
    second = archive.add_peer("SECOND", ["find"])
    assert not echoes(archive, second, ext_neg=identity(4, good)), "another peer's"
    forged = {
        "another's key": assertion(*evil, identifier="_2"),
        "another audience": assertion(*pair, identifier="_3", audience="urn:other"),
        "another group": assertion(*pair, identifier="_4", group="visitors"),
        "expired": assertion(*pair, identifier="_5", minutes=-2),
        "another name": good.replace(b">ada<", b">eve<"),
        "comment": good.replace(b">ada<", b">ada<!-- -->.evil<"),
    }
    let_in = {name for name, document in forged.items() if echoes(archive, peer, ext_neg=identity(4, document))}
    assert not let_in
    trail = archive.session().get(f"{archive.https}/admin/v1/trail", params={"limit": 1000}).json()["entries"]
    assert any("CONSOLE (ada)" in json.dumps(entry) for entry in trail)


def template(identifier, name="ada", minutes=5):
    """An assertion with a signature to be filled in, as xmlsec1 takes it."""
    stamp = lambda offset: (now() + datetime.timedelta(minutes=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")
    exclusive, signature = "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2000/09/xmldsig#"
    return (
        f'<saml:Assertion xmlns:saml="{SAML}" ID="{identifier}" Version="2.0" IssueInstant="{stamp(-1)}">\n'
        f"  <saml:Issuer>https://idp.example</saml:Issuer>\n"
        f'  <ds:Signature xmlns:ds="{signature}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{exclusive}"/>'
        f'<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#{identifier}">'
        f'<ds:Transforms><ds:Transform Algorithm="{signature}enveloped-signature"/><ds:Transform Algorithm="{exclusive}"/>'
        f'</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference>'
        f"</ds:SignedInfo><ds:SignatureValue/></ds:Signature>\n"
        f"  <saml:Subject><saml:NameID>{name}</saml:NameID>"
        f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
        f'Recipient="urn:door" NotOnOrAfter="{stamp(minutes)}"/></saml:SubjectConfirmation></saml:Subject>\n'
        f'  <saml:Conditions NotOnOrAfter="{stamp(minutes)}" NotBefore="{stamp(-5)}"><saml:AudienceRestriction>'
        f"<saml:Audience>urn:archive</saml:Audience></saml:AudienceRestriction></saml:Conditions>\n"
        f'  <saml:AuthnStatement AuthnInstant="{stamp(-1)}"/>\n  <saml:AttributeStatement><saml:Attribute Name="groups">'
        f"<saml:AttributeValue>doctors</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>\n</saml:Assertion>\n")


def signed_by_xmlsec1(folder, key, document):
    """What the xmlsec1 of Debian makes of it."""
    source, target = folder / "template.xml", folder / "signed.xml"
    source.write_text(document)
    subprocess.run(["xmlsec1", "--sign", "--privkey-pem", key, "--id-attr:ID", f"{SAML}:Assertion", "--output", target, source],
                   check=True, capture_output=True, timeout=60)
    return target.read_bytes()


@pytest.mark.skipif(not shutil.which("xmlsec1"), reason="no xmlsec1 here: scripts/setup.sh interop installs it")
def test_saml_assertions_of_xmlsec1(fresh, tmp_path):
    idp, other = (made(tmp_path, name, key=rsa.generate_private_key(65537, 2048)) for name in ("idp", "evil"))
    config = tmp_path / "leadglass.toml"
    config.write_text("[[identities.saml]]\nissuer = 'https://idp.example'\n" f"certificates = ['{idp['cert']}']\n"
                      "audience = 'urn:archive'\nrecipient = 'urn:door'\nattribute = 'groups'\nroles = { doctors = 'reader' }\n")
    archive = fresh("--config", str(config))
    peer = archive.add_peer("CONSOLE", ["store", "find"])
    good = signed_by_xmlsec1(tmp_path, idp["key"], template("_1"))
    assert echoes(archive, peer, ext_neg=identity(4, good))
    umlaut = signed_by_xmlsec1(tmp_path, idp["key"], template("_2", name="J\u00f6rg &amp; S\u00f8n"))
    assert echoes(archive, peer, ext_neg=identity(4, umlaut))
    forged = {
        "another's key": signed_by_xmlsec1(tmp_path, other["key"], template("_3")),
        "expired": signed_by_xmlsec1(tmp_path, idp["key"], template("_4", minutes=-2)),
        "another name": good.replace(b">ada<", b">eve<"),
        "a blank": good.replace(b">ada<", b"> ada<"),
        "unsigned": template("_5").encode(),
    }
    let_in = {name for name, document in forged.items() if echoes(archive, peer, ext_neg=identity(4, document))}
    assert not let_in


def drip(stream, data, most_s, first=b""):
    """Sends a byte a fifth of a second, after what is sent at once; how long the other end put up with it."""
    begun = time.monotonic()
    stream.settimeout(0.2)
    try:
        stream.sendall(first)
    except OSError:
        return time.monotonic() - begun
    for byte in data:
        if time.monotonic() - begun > most_s:
            break
        try:
            stream.sendall(bytes([byte]))
            if stream.recv(64) == b"":
                break
        except (TimeoutError, ssl.SSLWantReadError):
            continue
        except OSError:
            break
    return time.monotonic() - begun


def test_whoever_is_slow_is_cut_off_and_holds_nobody_up(fresh, tmp_path):
    config = tmp_path / "leadglass.toml"
    config.write_text("[limits]\ntls_handshake_s = 2\n[dimse]\nassociate_s = 2\n")
    archive = fresh("--config", str(config))
    idle = [socket.create_connection((archive.host, archive.port)) for _ in range(100)]
    begun = time.monotonic()
    assert echoes(archive, archive.peer)
    assert time.monotonic() - begun <= 5, "a hundred silent ones in front of it"
    with socket.create_connection((archive.host, archive.port)) as tcp:
        assert drip(tcp, b"\x16\x03\x01\x02\x00" + bytes(500), 10) <= 5, "ClientHello"
    request = associate_request(archive.peer["ae"].encode().ljust(16), archive.ae.encode().ljust(16))
    with socket.create_connection((archive.host, archive.port)) as tcp:
        with archive.tls().wrap_socket(tcp, server_hostname=archive.host) as tls:
            assert drip(tls, request, 10) <= 5, "A-ASSOCIATE-RQ"
    for silent in idle:
        silent.settimeout(10)
        assert silent.recv(1) == b"", "closed by the archive"
        silent.close()


def over_https(archive, protocol="http/1.1"):
    """A connection to the web door, TLS done."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=archive.ca)
    context.set_alpn_protocols([protocol])
    host, port = archive.https.removeprefix("https://").split(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=20), server_hostname=host)


def silence_is_cut_off(stream, first):
    """How long the other end waited for what never comes."""
    begun = time.monotonic()
    stream.settimeout(20)
    stream.sendall(first)
    try:
        while stream.recv(4096):
            pass
    except OSError as error:
        assert not isinstance(error, TimeoutError), "it waits on"
    return time.monotonic() - begun


def head(archive, method, path, length, *more):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {archive.https.removeprefix('https://')}", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_slow_heads_and_bodies_of_http_are_cut_off(fresh, tmp_path):
    config = tmp_path / "leadglass.toml"
    config.write_text("[limits]\nhttp_header_s = 2\nhttp_body_idle_s = 2\n")
    archive = fresh("--config", str(config))
    page = (f"Origin: {archive.https}", "Sec-Fetch-Site: same-origin", "Content-Type: application/json")
    sender = (f"Authorization: Bearer {archive.token}", "Content-Type: application/dicom", "Accept: application/dicom+json")
    sign_in, store = head(archive, "POST", "/login/passphrase", 500, *page), head(archive, "POST", "/dicom-web/studies", 500, *sender)
    preface, settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"
    headers = b"\0\x10\0\1\0\0\0\0\1"  # HEADERS of 4 KiB without END_HEADERS, RFC 9113 6.2
    dripped = {
        "a head": (b"", b"GET /healthz/live HTTP/1.1\r\nX-Slow: " + b"a" * 500, "http/1.1"),
        "the body of a sign-in": (sign_in, b" " * 500, "http/1.1"),
        "a head of HTTP/2": (preface + settings + headers, b"\x82" * 500, "h2"),
    }
    silent = {"nothing": b"", "half a head": sign_in[:40], "no body": sign_in, "no object": store}

    def put_up_with(name):
        with over_https(archive, dripped[name][2] if name in dripped else "http/1.1") as tls:
            if name in silent:
                return silence_is_cut_off(tls, silent[name])
            first, slowly, _ = dripped[name]
            return drip(tls, slowly, 20, first=first)

    with ThreadPoolExecutor(max_workers=8) as everybody:
        took = dict(zip([*dripped, *silent], everybody.map(put_up_with, [*dripped, *silent])))
    # What is not taken at all would be refused at once.
    assert all(1.5 <= seconds <= (10 if "HTTP/2" in name else 6) for name, seconds in took.items()), took
    slow = [over_https(archive) for _ in range(50)]
    for tls in slow:
        tls.sendall(sign_in)
    begun = time.monotonic()
    assert archive.session().get(f"{archive.dicomweb}/studies", timeout=10).status_code in (200, 204)
    assert time.monotonic() - begun <= 3, "fifty slow ones in front of it"
    for tls in slow:
        tls.close()
