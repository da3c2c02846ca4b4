"""What documents say in short: a cluster with a `url_pattern` is an API as well, that leads every such path to it.

No document of a user can have its name, `cluster/NAME`, or its priority, which is below all others. It is served,
counted and explained like any API.
"""

from collections.abc import Mapping

from gproxy.core.model import Api, Cluster, Part
from gproxy.core.model.base import MOST_PRIORITY


def implied_apis(clusters: Mapping[str, Part]) -> dict[str, Api]:
    """Return the APIs that these clusters are as well, by name."""
    found = {}
    for cluster in clusters.values():
        if isinstance(cluster, Cluster) and cluster.url_pattern is not None:
            document = {"name": cluster.name, "path": cluster.url_pattern, "nodes": [{"cluster": cluster.name}]}
            name = f"cluster/{cluster.name}"
            api = Api.model_validate(document)
            found[name] = api.model_copy(update={"name": name, "priority": -MOST_PRIORITY - 1})
    return found
