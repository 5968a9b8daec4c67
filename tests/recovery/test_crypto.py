"""Keys are read as age-keygen and openssl write them, and refused without showing them."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from recovery import crypto
from recovery.errors import ConfigurationError, KeyMissingError, SignatureError


def test_an_identity_file_of_age_keygen_is_read(tmp_path: Path) -> None:
    subprocess.run(["age-keygen", "-o", str(tmp_path / "key")], check=True, capture_output=True)
    text = (tmp_path / "key").read_bytes()
    public = text.split(b"public key: ")[1].split()[0].decode()
    assert crypto.recipient_of(crypto.read_identity(text, "the operations identity")) == public


def test_a_generated_identity_is_read_back() -> None:
    identity, recipient = crypto.generate_identity()
    assert crypto.recipient_of(crypto.read_identity(identity.encode(), "one-run identity")) == recipient


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "the escrow identity holds 0 age identities instead of one"),
        (b"# public key: age1abc\n", "the escrow identity holds 0 age identities instead of one"),
        (b"AGE-SECRET-KEY-1A\nAGE-SECRET-KEY-1B\n", "the escrow identity holds 2 age identities instead of one"),
        (b"AGE-SECRET-KEY-1HUSHHUSH", "the escrow identity holds no age identity"),
        (b"\xff\xfe", "the escrow identity holds no age identity"),
    ],
)
def test_a_file_that_is_no_identity_is_refused_without_showing_it(text: bytes, words: str) -> None:
    with pytest.raises(KeyMissingError) as caught:
        crypto.read_identity(text, "the escrow identity")
    assert caught.value.message == words
    assert "HUSH" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_recipients_must_be_there_and_be_recipients() -> None:
    with pytest.raises(ConfigurationError, match="no age recipient is configured; nothing was encrypted"):
        crypto.read_recipients([])
    with pytest.raises(ConfigurationError, match="'age1notone'… is no age recipient"):
        crypto.read_recipients([crypto.generate_identity()[1], "age1notone"])


def test_a_secret_identity_given_as_recipient_is_not_printed_whole() -> None:
    secret, _ = crypto.generate_identity()
    with pytest.raises(ConfigurationError) as caught:
        crypto.read_recipients([secret])
    assert secret[16:] not in str(caught.value)


def test_openssl_verifies_our_signature_and_we_read_its_key(tmp_path: Path) -> None:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / "key")], check=True)
    signer = crypto.Signer.from_pem((tmp_path / "key").read_bytes(), "the signing key")
    (tmp_path / "public.pem").write_bytes(signer.public_pem)
    (tmp_path / "data").write_bytes(b"words")
    (tmp_path / "signature").write_bytes(signer.sign(b"words"))
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "data"]
    done = subprocess.run([*verify, "-sigfile", "signature"], cwd=tmp_path, capture_output=True)
    assert done.stdout == b"Signature Verified Successfully\n"


def test_a_signature_counts_only_for_its_key_and_its_bytes() -> None:
    signer = crypto.Signer.from_pem(crypto.generate_signing_key(), "the signing key")
    other = crypto.Signer.from_pem(crypto.generate_signing_key(), "another key")
    signature = signer.sign(b"words")
    assert len(signature) == crypto.SIGNATURE_SIZE
    crypto.verify_signature(signer.public_pem, b"words", signature)
    wrong = [
        (signer, b"Words", signature),
        (other, b"words", signature),
        (signer, b"words", signature[:-1] + bytes([signature[-1] ^ 1])),
        (signer, b"words", signature[:-1]),
        (signer, b"words", b""),
    ]
    for key, data, given in wrong:
        with pytest.raises(SignatureError, match=f"the signature is not one of the key {key.fingerprint}"):
            crypto.verify_signature(key.public_pem, data, given)


def test_the_fingerprint_is_the_same_from_either_half_of_the_key() -> None:
    signer = crypto.Signer.from_pem(crypto.generate_signing_key(), "the signing key")
    assert crypto.public_fingerprint(signer.public_pem) == signer.fingerprint
    assert len(signer.fingerprint) == len("SHA256:") + 64


def test_a_key_of_another_kind_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyMissingError, match="the signing key holds a private key of another kind than Ed25519"):
        crypto.Signer.from_pem(private, "the signing key")
    with pytest.raises(KeyMissingError, match="the signing key holds no private key"):
        crypto.Signer.from_pem(b"no key", "the signing key")
    with pytest.raises(KeyMissingError, match="of another kind than Ed25519"):
        crypto.verify_signature(public, b"", b"")
    with pytest.raises(KeyMissingError, match="is no key"):
        crypto.public_fingerprint(b"no key")


def test_a_file_of_several_identities_opens_what_each_of_them_opens() -> None:
    """A rotation puts the new one before those that old backups need."""
    (new, new_recipient), (old, old_recipient) = crypto.generate_identity(), crypto.generate_identity()
    held = crypto.read_identities(f"# new\n{new}\n# old\n{old}\n".encode(), "the operations identity")
    assert [new_recipient, old_recipient] == [crypto.recipient_of(each) for each in held]
    opens = crypto.identity_that_opens(held, ["age1other", old_recipient], "the operations identity")
    assert old_recipient == crypto.recipient_of(opens)
    with pytest.raises(
        KeyMissingError, match="the operations identity holds no identity of age1other; nothing was read"
    ):
        crypto.identity_that_opens(held, ["age1other"], "the operations identity")
    with pytest.raises(KeyMissingError, match="the operations identity holds no age identity"):
        crypto.read_identities(b"# nothing but this\n", "the operations identity")
