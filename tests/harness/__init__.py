"""What the system tests are written with: a real gateway between strict clients and scripted backends.

- `gateway.Gateway`: one running `gproxy` with its own folder, store, ports and logs.
- `client.RawClient`: a socket that sends exactly the given bytes and reads answers strictly.
- `echo.EchoBackend`: a correct server that answers with what it received.
- `backend.ScriptedBackend`: a server whose every answer is spelled out by the test, byte by byte.
- `wire.Wire`: the strict reader of HTTP/1.1 messages that both sides use.
- `load.Load`: clients that ask without pause and count what was lost.
- `golden`: files of raw requests and answers with what must come of them.
"""
