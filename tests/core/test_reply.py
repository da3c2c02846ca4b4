from gproxy.core.reply import Reply


def test_a_reply_says_its_status() -> None:
    reply = Reply(301, b"Location: /a\r\n", b"moved")
    assert (reply.status, reply.lines, reply.body, str(reply)) == (301, b"Location: /a\r\n", b"moved", "reply 301")
