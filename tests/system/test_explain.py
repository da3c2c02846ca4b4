"""`gproxyctl explain` tells what the same request then meets."""

import json

from tests.harness.site import Site


def test_a_running_node_explains(site: Site) -> None:
    control = "{}:{}".format(*site.gateway.control)
    told = json.loads(
        site.gateway.ctl("explain", "GET", "http://script.test/a?x=1", "--control", control, "--format", "json")
    )
    assert (told["api"]["name"], told["answer"]) == ("script", {"kind": "proxied"})
    assert told["nodes"][0]["servers"][0]["usable"]
    text = site.gateway.ctl("explain", "GET", "/a/../b", "--control", control)
    assert "the path has a dot segment" in text
