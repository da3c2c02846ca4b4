"""What is attacked and how: one visible table."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: `attacker` is the name of who carries it out, `count` how many do at scale 1.

    `limit` names the settings that act, `counter` what counts that in /stats ("": nothing has to, the attack is served
    like any client). `settings` are INI sections over those of all attacks.
    """

    title: str
    attacker: str
    count: int
    limit: str
    counter: str = ""
    settings: dict[str, dict[str, str]] = field(default_factory=dict)


ATTACKS = (
    Attack("heads byte by byte", "slow_heads", 1000, "head_s", "slow_heads"),
    Attack("bodies byte by byte", "slow_bodies", 500, "body_s, slowest_bytes_per_s", "slow_bodies"),
    Attack("answers read in sips", "slow_readers", 200, "body_s, slowest_bytes_per_s", "slow_readers"),
    Attack(
        "idle connections of one address",
        "idle_crowd",
        1000,
        "connections_per_ip",
        "refused_per_ip",
        {"limits": {"connections_per_ip": "20"}},
    ),
    Attack("chunks of one byte", "tiny_chunks", 4, "turns of the loop"),
    Attack("chunks of extensions", "chunk_extensions", 4, "excess of a chunked body", "bad_request"),
    Attack("heads without an end", "huge_heads", 50, "head_bytes", "large_heads"),
    Attack("ask and leave", "early_close", 20, "the request is cancelled", "client_gone"),
    Attack("half-closed and not reading", "half_close", 100, "the request is cancelled", "client_gone"),
    Attack("pipelines that nobody reads", "pipelines", 20, "body_s, 32 requests in a row", "slow_readers"),
    Attack("connect and leave", "new_connections", 20, "connections"),
    Attack("TLS handshakes byte by byte", "slow_handshakes", 500, "handshake_s", "slow_handshakes"),
    Attack("TLS handshakes in a row", "handshakes", 10, "turns of the loop"),
    Attack("false PROXY headers", "false_announcements", 20, "trusted_proxies", "refused_announcements"),
)
