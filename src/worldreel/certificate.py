"""The key that files are signed with, and its certificate (the only home of cryptography).

signer()    a person's own, which WORLDREEL_CERT and WORLDREEL_KEY name, or else a self-made one

The self-made one is made once per user, on the first file that is saved, and kept in the settings'
folder. It is on no trust list: it shows that a file was not changed since, and not who signed it.
All that one user signs can be told to be of one key; remove the file, and the next is another.
"""

import datetime
import os
from pathlib import Path
from typing import Any

from worldreel.errors import MediaError
from worldreel.output import explained, whole_file

CERTIFICATE, KEY = "WORLDREEL_CERT", "WORLDREEL_KEY"  # a person's own: PEM files
BEGIN = b"-----BEGIN CERTIFICATE-----"
# The same for everybody: when a key was made is nobody's business. The end is RFC 5280's "never".
VALID = datetime.datetime(2025, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)
EC = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


def signer() -> tuple[str, bytes, bytes]:
    """Algorithm, chain of certificates and private key: a person's own, or the self-made."""
    certificate, key = os.environ.get(CERTIFICATE), os.environ.get(KEY)
    if certificate or key:
        return _given(certificate, key)
    file = config_folder() / "signer.pem"
    if not file.exists():
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as part:
            # nobody else may read it, from its first byte on
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(_self_made())
    secret, begin, rest = file.read_bytes().partition(BEGIN)
    if not (secret.startswith(b"-----BEGIN PRIVATE KEY-----") and begin):
        raise MediaError(f"{file} is damaged: remove it, and a new one is made")
    return "es256", begin + rest, secret


def config_folder() -> Path:
    """Where a person's settings lie, as the system has it."""
    base = os.environ.get("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "worldreel"


def _given(certificate: str | None, key: str | None) -> tuple[str, bytes, bytes]:
    """A person's own certificates and key, from the files that the environment names."""
    if not (certificate and key):
        raise MediaError(f"{CERTIFICATE} and {KEY} go together: name a PEM file with each")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        chain = Path(certificate).read_bytes()
        secret = serialization.load_pem_private_key(Path(key).read_bytes(), password=None)
    except OSError as error:
        raise MediaError(
            f"{error.filename}, which {CERTIFICATE} or {KEY} names, cannot be read: "
            f"{error.strerror}"
        ) from None
    except (ValueError, TypeError):  # a password is a TypeError
        raise MediaError(f"{key}, which {KEY} names, is no PEM key without a password") from None
    if isinstance(secret, ed25519.Ed25519PrivateKey):
        algorithm = "ed25519"
    elif isinstance(secret, rsa.RSAPrivateKey):
        algorithm = "ps256"
    elif isinstance(secret, ec.EllipticCurvePrivateKey) and secret.curve.name in EC:
        algorithm = EC[secret.curve.name]
    else:
        raise MediaError(f"C2PA signs with no key such as {key}: use one of EC P-256, or Ed25519")
    return algorithm, chain, _pem(secret)


def _self_made() -> bytes:
    """PEM: a new key, its certificate, and that of an authority whose own key is forgotten at once.

    C2PA accepts no certificate that signed itself. Both say what they are, and nothing of a person.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = dict.fromkeys(
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only".split(),
        False,
    )

    def issued(name: str, key: Any, extensions: list[tuple[Any, bool]]) -> bytes:
        subject, issuer = (
            x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Self-made certificate"),
                    x509.NameAttribute(NameOID.COMMON_NAME, common),
                ]
            )
            for common in (name, "worldreel authority")
        )
        builder = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(VALID[0])
            .not_valid_after(VALID[1])
        )
        for extension, critical in (
            *extensions,
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
        ):
            builder = builder.add_extension(extension, critical)
        return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    leaf = issued(
        "worldreel",
        own,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.KeyUsage(**{**usage, "digital_signature": True}), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),  # C2PA's wish
        ],
    )
    root = issued(
        "worldreel authority",
        authority,
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (x509.KeyUsage(**{**usage, "key_cert_sign": True, "crl_sign": True}), True),
        ],
    )
    return _pem(own) + leaf + root


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
