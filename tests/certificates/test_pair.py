import time

import pytest

from gproxy.certificates.pair import BadPair, check_pair
from tests.harness.pairs import Issuer, key_pem

ISSUER = Issuer()

#: Libraries sign nothing with SHA-1 any more, so this one was made by hand (openssl req -x509 -sha1).
SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBfDCCASSgAwIBAgIUO0YWMbEbOLCeljbvrkRy9E73crwwCQYHKoZIzj0EATAU
MRIwEAYDVQQDDAlzaGExLnRlc3QwIBcNMjYxMTI3MTE1MDQ3WhgPMjEyNjExMDMx
MTUwNDdaMBQxEjAQBgNVBAMMCXNoYTEudGVzdDBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABJKG0CF0DBzyJ89Qk/rRy9LYCTVifb13d4RBcCa6vOCcOb0NOyLNC70x
YIhShzm77IrASV+pOeH+5P9eNPShAuWjUzBRMB0GA1UdDgQWBBTivf/ugJG2ZGHF
ChZGsMrFW7ZsfTAfBgNVHSMEGDAWgBTivf/ugJG2ZGHFChZGsMrFW7ZsfTAPBgNV
HRMBAf8EBTADAQH/MAkGByqGSM49BAEDRwAwRAIgPxQMYRfJg3FQ4vwn+Favct8c
9pNDJW+dfRScQcQFbpgCIBH4QyPKmHS1nksCWCVbl2KMjYYrKvhQ2VKycgde9Ogm
-----END CERTIFICATE-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIMliEA5z5t0KNKAt+MOE/AHZ+DC3WL6ARYIx51vNNFZ8oAoGCCqGSM49
AwEHoUQDQgAEkobQIXQMHPInz1CT+tHL0tgJNWJ9vXd3hEFwJrq84Jw5vQ07Is0L
vTFgiFKHObvsisBJX6k54f7k/1409KEC5Q==
-----END EC PRIVATE KEY-----
"""


@pytest.mark.parametrize("kind", ["ec", "rsa2048"])
def test_a_good_pair(kind: str) -> None:
    pair = check_pair("a", ISSUER.certificate("A.test", "*.b.test", kind=kind), key_pem(kind), "stamp")
    assert pair.certificate.name == "a"
    assert pair.certificate.hosts == ("a.test", "*.b.test")
    assert pair.certificate.not_after_s == pytest.approx(time.time() + 90 * 86400, abs=60)
    assert pair.certificate.not_before_s == pytest.approx(time.time() - 86400, abs=60)
    assert (pair.subject, pair.issuer, pair.stamp) == ("CN=A.test", "CN=Test Authority", "stamp")
    assert pair.pem.count(b"-----BEGIN") == 2


def test_the_chain_is_kept_in_order() -> None:
    own = ISSUER.certificate("a.test")
    pair = check_pair("a", own + ISSUER.pem, key_pem(), "")
    assert pair.pem == own + ISSUER.pem + key_pem()
    assert check_pair("a", own, key_pem(), "").digest != pair.digest


def test_the_common_name_stands_in_for_alternative_names() -> None:
    pair = check_pair("a", ISSUER.certificate(subject="old.test"), key_pem(), "")
    assert pair.certificate.hosts == ("old.test",)


def test_whether_it_is_valid_now_is_another_question() -> None:
    assert not check_pair("a", ISSUER.certificate("a.test", days=-1), key_pem(), "").certificate.is_valid(time.time())


@pytest.mark.parametrize(
    ("chain", "key", "reason"),
    [
        (b"", key_pem(), "there is no readable certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key_pem(), "there is no readable cert"),
        (ISSUER.certificate("a.test"), b"", "there is no readable private key"),
        (ISSUER.certificate("a.test"), b"rubbish", "there is no readable private key"),
        (ISSUER.certificate("a.test"), key_pem(password=b"secret"), "the key is encrypted"),
        (ISSUER.certificate("a.test"), key_pem("ec", 1), "the key does not belong to the certificate"),
        (ISSUER.certificate("a.test"), key_pem("rsa2048"), "the key does not belong to the certificate"),
        (ISSUER.pem + ISSUER.certificate("a.test"), key_pem(), "the certificate of the key must come first"),
        (ISSUER.certificate("a.test", kind="rsa1024"), key_pem("rsa1024"), "the key has 1024 bits"),
    ],
)
def test_bad_pairs(chain: bytes, key: bytes, reason: str) -> None:
    with pytest.raises(BadPair, match=reason):
        check_pair("a", chain, key, "")


def test_a_signature_that_nobody_trusts() -> None:
    with pytest.raises(BadPair, match="sha1"):
        check_pair("a", SHA1, SHA1, "")
