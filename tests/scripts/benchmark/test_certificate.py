import ssl
from pathlib import Path

from scripts.benchmark import certificate


def test_a_pair_that_servers_can_load(tmp_path: Path) -> None:
    certificate.write(tmp_path / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificates" / "bench.crt", tmp_path / "certificates" / "bench.key")
    context.load_cert_chain(tmp_path / "all.pem")
