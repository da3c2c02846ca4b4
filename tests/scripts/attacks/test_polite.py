import socket
import threading

from scripts.attacks.polite import REQUEST, ask


def serve(listener: socket.socket, answers: list[bytes]) -> None:
    """Answer requests in turn, the last answer again and again; b"" closes the connection."""
    number = 0
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(65536) == REQUEST:
                answer = answers[min(number, len(answers) - 1)]
                number += 1
                if not answer:
                    break
                connection.sendall(answer)


def asked(*answers: bytes) -> tuple[int, int]:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, list(answers)), daemon=True).start()
    service = ask(listener.getsockname()[1], 0.3)
    if service.requests:
        assert 0 < service.p50_ms <= service.p99_ms <= service.worst_ms
    return service.requests, service.failures


def test_answers_are_counted_and_timed() -> None:
    requests, failures = asked(b"HTTP/1.1 200 OK\r\n\r\nok")
    assert requests > 3
    assert failures == 0


def test_failures_are_counted_and_it_goes_on() -> None:
    requests, failures = asked(b"", b"HTTP/1.1 503 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nok")
    assert requests > 3
    assert failures == 2
