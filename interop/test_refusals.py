"""Who does not belong learns nothing: no association, no HTTP answer with data."""

import datetime
import ssl
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pynetdicom import build_context

from leadglass import wait_until

VERIFICATION = [build_context("1.2.840.10008.1.1")]


def certificate(tmp_path, name, issuer=None, days=(-1, 30)):
    """A certificate of our own making: self-signed, or signed by `issuer` (key, certificate)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(issuer[1].subject if issuer else subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(days=days[0]))
               .not_valid_after(now + datetime.timedelta(days=days[1])))
    signed = builder.sign(issuer[0] if issuer else key, hashes.SHA256())
    cert_path, key_path = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
    cert_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return {"cert": str(cert_path), "key": str(key_path), "pair": (key, signed)}


def echo_works(archive, peer, ae=None, called=None):
    try:
        association = archive.associate(VERIFICATION, ae=ae or archive.peer["ae"], peer=peer | {"ae": archive.peer["ae"]}, called=called)
    except (OSError, ssl.SSLError):
        return False
    established = association.is_established
    if established:
        established = association.send_c_echo().get("Status") == 0
        association.release()
    return established


def test_the_enrolled_peer_is_let_in(empty_archive):
    assert echo_works(empty_archive, empty_archive.peer)


@pytest.mark.parametrize("kind", ["self-signed", "other CA"])
def test_foreign_certificates_get_no_association(empty_archive, tmp_path, kind):
    authority = certificate(tmp_path, "Some other CA")["pair"]
    made = certificate(tmp_path, "stranger", issuer=authority if kind == "other CA" else None)
    assert not echo_works(empty_archive, made)


def enrol(archive, ae, peer):
    """Enrols a certificate of the peer's own making by its fingerprint."""
    fingerprint = peer["pair"][1].fingerprint(hashes.SHA256()).hex()
    answer = archive.session().post(archive.https + "/admin/v1/peers", json={
        "ae": ae, "verbs": ["store", "find"], "certificate": {"sha256": fingerprint}})
    assert answer.status_code == 201, answer.text
    enrolled = archive.session().get(archive.https + "/admin/v1/peers").json()
    assert fingerprint in [p["certificate_sha256"] for p in enrolled if p["ae"] == ae and not p["revoked"]]


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)], ids=["expired", "not yet valid"])
def test_an_enrolled_certificate_is_believed_within_its_dates_alone(empty_archive, tmp_path, days):
    """The valid twin is the control: same issuer, same title, enrolled the same way, other dates."""
    authority = certificate(tmp_path, "Some other CA")["pair"]
    twin = certificate(tmp_path, "twin", issuer=authority)
    outdated = certificate(tmp_path, "outdated", issuer=authority, days=days)
    assert not echo_works(empty_archive, twin, ae="DATED")
    enrol(empty_archive, "DATED", twin)
    assert echo_works(empty_archive, twin, ae="DATED")
    enrol(empty_archive, "DATED", outdated)
    assert not echo_works(empty_archive, outdated, ae="DATED")
    enrol(empty_archive, "DATED", twin)
    assert echo_works(empty_archive, twin, ae="DATED")
    empty_archive.revoke_peer("DATED")


def test_no_certificate_gets_no_association(empty_archive):
    context = ssl.create_default_context(cafile=empty_archive.ca)
    association = None
    try:
        association = empty_archive.associate(VERIFICATION, context=context)
    except (OSError, ssl.SSLError):
        pass
    assert association is None or not association.is_established


def test_clear_text_gets_no_answer(empty_archive):
    done = empty_archive.dcmtk("echoscu", "-to", "5", tls=[])
    assert done.returncode != 0


@pytest.mark.parametrize("ae", ["WRONG", "archive", "' OR 1=1--", "../../etc", "A" * 16])
def test_right_certificate_with_another_title_is_rejected(empty_archive, ae):
    assert not echo_works(empty_archive, empty_archive.peer, ae=ae)


def test_wrong_called_title_is_rejected(empty_archive):
    assert not echo_works(empty_archive, empty_archive.peer, called="SOMEONE")


def test_revocation_ends_a_live_association_and_the_next(empty_archive):
    peer = empty_archive.add_peer("REVOKED", ["store", "find"])
    association = empty_archive.associate(VERIFICATION, peer=peer)
    assert association.send_c_echo().Status == 0
    empty_archive.revoke_peer("REVOKED")
    assert wait_until(lambda: not association.is_established or not association.send_c_echo(), 5)
    again = None
    try:
        again = empty_archive.associate(VERIFICATION, peer=peer)
    except (OSError, ssl.SSLError):
        pass
    assert again is None or not again.is_established


def test_verbs_not_granted_are_refused(empty_archive):
    peer = empty_archive.add_peer("STOREONLY", ["store"])
    association = empty_archive.associate([build_context("1.2.840.10008.5.1.4.1.2.2.1")], peer=peer)
    accepted = association.is_established and association.accepted_contexts
    association.abort()
    assert not accepted


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("door", ["https", "dimse"])
def test_old_tls_is_refused(empty_archive, version, door):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    port = int(empty_archive.https.rsplit(":", 1)[1]) if door == "https" else empty_archive.port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(raw)


def stranger(archive):
    """An HTTP client that knows the CA and nothing else."""
    session = archive.session()
    del session.headers["Authorization"]
    return session


ROUTES = ["/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances", "/dicom-web/studies/1.2.3",
          "/dicom-web/studies/1.2.3/metadata", "/wado?requestType=WADO&studyUID=1&seriesUID=1&objectUID=1",
          "/admin/v1/peers", "/admin/v1/tokens", "/metrics"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.split("?")[0])
@pytest.mark.parametrize("token", [None, "", "nonsense", "A" * 5000], ids=["absent", "empty", "nonsense", "long"])
def test_no_route_answers_without_a_token(empty_archive, route, token):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = stranger(empty_archive).get(empty_archive.https + route, headers=headers, timeout=10)
    assert answer.status_code in (401, 404, 431)
    assert answer.status_code != 404 or route == "/metrics"


def test_setup_is_closed_after_the_first_time(empty_archive):
    for code in ("", "000000", "A" * 1000):
        answer = stranger(empty_archive).post(empty_archive.https + "/setup", json={"code": code, "administrator": "eve"}, timeout=10)
        assert answer.status_code in (400, 401, 403, 404, 409, 410, 422)
