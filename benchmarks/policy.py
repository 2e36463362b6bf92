"""What the token policy costs in a real nginx: latency, CPU and memory, against the same chain without it.

Run `python -m benchmarks.policy` in the root of the repository, with the packages of requirements/debian.txt.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.gateway_policy.gateway import Gateway, free_port
from tests.gateway_policy.tools import no_gateway

HERE = Path(__file__).parent
CHAINS = ("none", "default")
PLAIN, STREAM, HELD, LONG_LINE, LONG_BODY = (
    f"/v1/{name}" for name in ("embeddings", "chat/completions", "completions", "responses", "messages")
)
CHUNKS = 100
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20


class Upstream(Gateway):
    """An nginx that plays model server and backend, fast enough to measure against."""

    configuration = HERE / "policy_upstream.conf"


@dataclass
class Client:
    """One connection that is kept alive."""

    port: int
    chain: str

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path: str) -> None:
        """Send a call."""
        body = b'{"model":"m","messages":[{"role":"user","content":"hello"}],"stream":true}'
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bench-{self.chain}\r\nX-Policy: {self.chain}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def read(self) -> tuple[float, float]:
        """Read one answer; return the times of its first and last byte."""
        data = self.socket.recv(MIB)
        first = time.perf_counter()
        ends = re.search(rb"content-length: (\d+)", data, re.IGNORECASE)
        length = data.index(b"\r\n\r\n") + 4 + int(ends[1]) if ends else None
        tail, size = data[-5:], len(data)
        while size < length if length else tail != b"0\r\n\r\n":
            data = self.socket.recv(MIB)
            tail, size = (tail + data)[-5:], size + len(data)
        return first, time.perf_counter()


@dataclass(frozen=True)
class Cost:
    """What calls of one kind took: seconds each, to the first and last byte, and CPU seconds of the worker."""

    first: list[float]
    last: list[float]
    cpu: float


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int, name: str) -> int:
    """Return a size of a process in bytes: VmRSS now, VmHWM at most."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def measure(gateway: Gateway, chain: str, path: str, calls: int) -> Cost:
    """Make calls one after another on one connection."""
    client, pid = Client(gateway.port, chain), gateway.workers()[0]
    first, last, cpu = [], [], cpu_seconds(pid)
    for _ in range(calls):
        began = time.perf_counter()
        client.ask(path)
        one, all_ = client.read()
        first.append(one - began)
        last.append(all_ - began)
    client.socket.close()
    time.sleep(0.05)
    return Cost(first, last, cpu_seconds(pid) - cpu)


def compare(gateway: Gateway, path: str, calls: int, rounds: int) -> dict[str, Cost]:
    """Measure both chains in turns, so that a busy machine disturbs both."""
    costs: dict[str, list[Cost]] = {chain: [] for chain in CHAINS}
    for chain in CHAINS:
        measure(gateway, chain, path, calls)
    for _ in range(rounds):
        for chain in CHAINS:
            costs[chain].append(measure(gateway, chain, path, calls))
    return {
        chain: Cost(
            [time_ for cost in found for time_ in cost.first],
            [time_ for cost in found for time_ in cost.last],
            sum(cost.cpu for cost in found),
        )
        for chain, found in costs.items()
    }


def percentile(values: list[float], percent: int) -> float:
    """Return one percentile."""
    return statistics.quantiles(values, n=100)[percent - 1]


def print_costs(name: str, costs: dict[str, Cost]) -> None:
    """Print what the policy adds to calls of one kind."""
    none, policy = (costs[chain] for chain in CHAINS)
    rows = [("first byte p50", none.first, policy.first, 50), ("p50", none.last, policy.last, 50)]
    for label, without, with_, percent in [*rows, ("p99", none.last, policy.last, 99)]:
        sooner, later = percentile(without, percent) * 1e3, percentile(with_, percent) * 1e3
        print(f"{name:12} {label:15} {sooner:8.3f} -> {later:8.3f} ms   added {later - sooner:+.3f} ms")
    without_cpu, with_cpu = (cost.cpu / len(cost.last) * 1e3 for cost in (none, policy))
    added = with_cpu - without_cpu
    print(f"{name:12} {'CPU per call':15} {without_cpu:8.3f} -> {with_cpu:8.3f} ms   added {added:+.3f} ms")


def per_open_stream(gateway: Gateway, chain: str, count: int) -> float:
    """Return the bytes that the worker grows by with each stream that is open after 8 KB."""
    pid = gateway.workers()[0]
    clients = [Client(gateway.port, chain) for _ in range(count)]
    before = memory(pid, "VmRSS")
    for client in clients:
        client.ask(HELD)
    for client in clients:
        received = 0
        while received < 8000:
            received += len(client.socket.recv(65536))
    grown = memory(pid, "VmRSS") - before
    for client in clients:
        client.socket.close()
    time.sleep(0.5)
    return grown / count


def growth(gateway: Gateway, chain: str, path: str) -> tuple[float, float]:
    """Return how many bytes the worker's peak grew during one call, and the seconds it took."""
    pid, client = gateway.workers()[0], Client(gateway.port, chain)
    before, began = memory(pid, "VmHWM"), time.perf_counter()
    client.ask(path)
    client.read()
    client.socket.close()
    return memory(pid, "VmHWM") - before, time.perf_counter() - began


@contextmanager
def running() -> Iterator[Gateway]:
    """Run both servers in a scratch folder."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folders = [Path(scratch, name) for name in ("upstream", "gateway")]
        for folder in folders:
            folder.mkdir()
        upstream = Upstream(folders[0], free_port(), free_port())
        gateway = Gateway(folders[1], upstream.port, upstream.port)
        for server in (upstream, gateway):
            server.start()
            stack.callback(server.stop, gracefully=False)
        yield gateway


def main() -> None:
    """Measure everything and print it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=10)
    rounds = arguments.parse_args().rounds
    if reason := no_gateway():
        raise SystemExit(reason)
    with running() as gateway:
        print_costs("plain JSON", compare(gateway, PLAIN, 500, rounds))
        streams = compare(gateway, STREAM, 100, rounds)
        print_costs("100 chunks", streams)
        none, policy = (streams[chain].cpu / len(streams[chain].last) for chain in CHAINS)
        print(f"{'100 chunks':12} CPU per chunk, reports included: {(policy - none) / CHUNKS * 1e6:.2f} microseconds")
        for path, name in ((LONG_LINE, "96 MB line"), (LONG_BODY, "96 MB body")):
            for chain in CHAINS:
                grown, took = growth(gateway, chain, path)
                print(f"{name:12} {chain:8} worker's peak grows by {grown / MIB:.1f} MiB, {took:.2f} s")
    for chain in CHAINS:
        with running() as gateway:
            per_open_stream(gateway, chain, 50)
            print(f"open stream  {chain:8} {per_open_stream(gateway, chain, 1000) / 1024:.1f} KiB each")


if __name__ == "__main__":
    main()
