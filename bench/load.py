"""A closed-loop client for the benchmarks: keeps n requests in the air on n connections and counts the answers.

It runs in a process of its own and speaks just enough HTTP/1.1 to send the same bytes again and again and to see where an answer ends.
Usage: python bench/load.py HOST PORT CONNECTIONS SECONDS < request bytes; prints answers per second and how many were not 200.
"""

import selectors
import socket
import sys
import time

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Line:
    """One connection with one request in the air."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        """Connect and send the first request."""
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.request = request
        self.buffer = b""
        self.socket.send(request)

    def answered(self) -> int:
        """Read what is there; the status once an answer is whole (the next request is sent then), else 0."""
        self.buffer += self.socket.recv(65536)
        head, end, body = self.buffer.partition(_END)
        if not end:
            return 0
        lower = head.lower()
        at = lower.find(_LENGTH) + len(_LENGTH)
        length = int(lower[at:].split(b"\r", 1)[0])
        if len(body) < length:
            return 0
        self.buffer = body[length:]
        self.socket.send(self.request)
        return int(head[9:12])


def run(host: str, port: int, connections: int, seconds: float, request: bytes) -> tuple[float, int]:
    """Answers per second over `seconds`, and how many were not 200."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        line = Line(host, port, request)
        selector.register(line.socket, selectors.EVENT_READ, line)
    answers = odd = 0
    began = time.perf_counter()
    end = began + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(0.1):
            status = key.data.answered()
            if status:
                answers += 1
                odd += status != 200
    elapsed = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    return answers / elapsed, odd


def main() -> None:
    """Run as told on the command line."""
    host, port, connections, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    rate, odd = run(host, port, connections, seconds, sys.stdin.buffer.read())
    sys.stdout.write(f"{rate:.1f} {odd}\n")


if __name__ == "__main__":
    main()
