import pytest

from gproxy.store.etcd_address import DEFAULT_PREFIX, EtcdAddress


@pytest.mark.parametrize(
    ("url", "endpoints", "prefix"),
    [
        ("etcd://a:1", ("a:1",), DEFAULT_PREFIX),
        ("etcd://a:1/", ("a:1",), DEFAULT_PREFIX),
        ("etcd://a:1/gw", ("a:1",), "/gw"),
        ("etcd://a:1,[::1]:2,a:1/gw/prod/", ("a:1", "[::1]:2"), "/gw/prod"),
    ],
)
def test_a_url_is_endpoints_and_a_prefix(url: str, endpoints: tuple[str, ...], prefix: str) -> None:
    address = EtcdAddress.parse(url)
    assert (address.endpoints, address.prefix) == (endpoints, prefix)


@pytest.mark.parametrize(
    "url", ["etcd://", "etcd:///gw", "etcd://a/gw", "etcd://a:1,/gw", "etcd://u:p@a:1/gw", "etcd://a:x"]
)
def test_without_endpoints_there_is_no_store(url: str) -> None:
    with pytest.raises(ValueError, match="is followed by host:port"):
        EtcdAddress.parse(url)


@pytest.mark.parametrize("url", ["etcd://a:1/g w", "etcd://a:1//gw", "etcd://a:1/gw//x"])
def test_a_prefix_is_of_names_between_slashes(url: str) -> None:
    with pytest.raises(ValueError, match="the prefix is of"):
        EtcdAddress.parse(url)


def test_the_order_of_endpoints_makes_no_other_store() -> None:
    assert EtcdAddress.parse("etcd://b:1,a:1/gw").source == "etcd://a:1,b:1/gw"
