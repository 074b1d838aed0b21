"""What scenarios for all languages cannot say of the client for Python. Real sockets, on a free port each."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

from tailslide_client import AsyncClient, Client

METADATA = {"active": True, "stale": False, "version": 1}
ANSWER = {"key": "f", "value": True, "variant": "on", "reason": "STATIC", "metadata": METADATA}


class FakeSidecar:
    """Answers each request with `value`; `respond` may put other bytes in its place. Notes reported outcomes."""

    def __init__(self):
        self.value = True
        self.respond = None
        self.connections = 0
        self.reported = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while (header := stream.readline()) != b"\r\n":
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                body = json.loads(stream.read(length))
                if line.split()[1].endswith(b"/outcomes"):
                    self.reported += body
                content = json.dumps({**ANSWER, "value": self.value}).encode()
                sent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
                try:
                    connection.sendall(sent if self.respond is None else self.respond(sent))
                except OSError:
                    return

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.sidecar = FakeSidecar()
        self.addCleanup(self.sidecar.close)
        logging.getLogger("tailslide_client").setLevel(logging.ERROR)

    def client(self, **settings):
        client = Client(self.sidecar.url, **{"timeout_ms": 2000, **settings})
        self.addCleanup(client.close)
        return client


class Questions(Case):
    def test_value_has_the_type_of_the_default(self):
        client = self.client()
        for value, default, expected in [
            (5, 1, 5), (5.0, 1, 5), (5, 1.0, 5.0), (5.5, 1, 1), (True, 1, 1), (True, 1.0, 1.0), (1, False, False),
            ("x", "", "x"), ({"a": 1}, {}, {"a": 1}), ([1], None, [1]), (10**400, 1.5, 1.5),
        ]:  # fmt: skip
            with self.subTest(value=value, default=default):
                self.sidecar.value = value
                found = client.value("f", default=default)
                self.assertEqual((found, type(found)), (expected, type(expected)))

    def test_nothing_that_is_passed_raises(self):
        client, circle = self.client(), {}
        circle["circle"] = circle
        for attributes in (circle, {"x": object()}, {"x": float("nan")}, 5, "text", {("a",): 1}):
            with self.subTest(attributes=type(attributes)):
                found = client.evaluate("f", "u", attributes, default="d")
                self.assertEqual((found.value, found.error), ("d", "INVALID_CONTEXT"))
        self.assertEqual(client.evaluate("f", object(), default="d").error, "INVALID_CONTEXT")
        for flag in (None, 5, ""):
            self.assertEqual(client.evaluate(flag, default="d").error, "FLAG_NOT_FOUND")
            client.success(flag)
        self.assertEqual(client.evaluate("\ud800 \r\n", "\ud800").error, "")
        for latency in ("x", float("nan"), float("inf"), -1, object()):
            client.success("f", latency)
        self.assertTrue(client.flush())
        self.assertEqual([sorted(one) for one in self.sidecar.reported], [["began_ms", "outcome"]] * 5)

    def test_an_answer_that_trickles_has_one_deadline(self):
        def slowly(sent):
            time.sleep(0.02)
            return sent[:10]

        self.sidecar.respond = slowly
        began = time.monotonic()
        self.assertEqual(self.client(timeout_ms=100).evaluate("f").error, "TIMEOUT")
        self.assertLess(time.monotonic() - began, 0.5)

    def test_an_answer_in_two_pieces_with_interim_response_and_trailers(self):
        content = json.dumps(ANSWER).encode()
        chunks = b"%x;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (
            20,
            content[:20],
            len(content) - 20,
            content[20:],
        )
        self.sidecar.respond = lambda sent: (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        )
        client = self.client()
        self.assertEqual([client.evaluate("f").error for _ in range(3)], [""] * 3)
        self.assertEqual(self.sidecar.connections, 1)

    def test_what_follows_an_answer_is_not_taken_for_the_next(self):
        self.sidecar.respond = lambda sent: sent + sent
        client = self.client()
        self.assertEqual([client.evaluate("f").error for _ in range(3)], [""] * 3)
        self.assertEqual(self.sidecar.connections, 3)

    def test_a_resolver_that_hangs_costs_no_more_than_the_deadline(self):
        with mock.patch("socket.getaddrinfo", side_effect=[socket.gaierror()] + [OSError()] * 9):
            self.assertEqual(Client("http://nowhere.invalid:1").evaluate("f").error, "REFUSED")
        asked, answered = [], threading.Event()

        def hangs(host, *_, flags=0, **__):
            if flags:
                raise socket.gaierror
            asked.append(host)
            answered.wait(5)
            raise socket.gaierror

        with mock.patch("socket.getaddrinfo", hangs):
            client = Client("http://nowhere.invalid:1")
            began = time.monotonic()
            self.assertEqual([client.evaluate("f").error for _ in range(3)], ["TIMEOUT"] * 3)
            self.assertLess(time.monotonic() - began, 1)
            self.assertEqual(len(asked), 1)
            answered.set()

    def test_connections_that_are_kept(self):
        client = self.client()
        together = threading.Barrier(30)

        def ask():
            together.wait()
            self.assertEqual(client.evaluate("f").error, "")

        threads = [threading.Thread(target=ask) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(len(client._connections._idle), 16)

    def test_warnings_come_once_a_minute_and_say_no_secrets(self):
        logging.getLogger("tailslide_client").setLevel(logging.WARNING)
        client = Client("http://127.0.0.1:9", token="a-secret-token-of-ours")
        with self.assertLogs("tailslide_client") as logged:
            for _ in range(4):
                client.evaluate("f", "a-private-key", {"mail": "a@b.test"})
        self.assertEqual(len(logged.output), 1)
        for secret in ("secret", "private", "a@b"):
            self.assertNotIn(secret, logged.output[0])


class Outcomes(Case):
    def test_a_guard_says_nothing_of_what_is_cancelled(self):
        client = self.client(flush_interval_ms=60_000)
        for error in (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
            with self.assertRaises(error), client.guard("f"):
                raise error
        with self.assertRaises(ZeroDivisionError), client.guard("f"):
            raise ZeroDivisionError
        self.assertTrue(client.flush())
        self.assertEqual([one["outcome"] for one in self.sidecar.reported], ["failure"])

    def test_what_a_flush_could_not_send_is_sent_in_the_background(self):
        client = self.client(flush_interval_ms=1)
        for _ in range(30):
            self.sidecar.respond = lambda _: b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
            client.success("f")
            client.flush()
            self.sidecar.respond = None
            until = time.monotonic() + 5
            while client.stats()["outcomes_waiting"] and time.monotonic() < until:
                time.sleep(0.001)
            self.assertEqual(client.stats()["outcomes_waiting"], 0)
        self.assertEqual(client.stats()["outcomes_sent"], 30)

    def test_a_handler_of_a_signal_may_report(self):
        client = self.client(flush_interval_ms=60_000)
        before = signal.signal(signal.SIGALRM, lambda *_: client.success("f"))
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for _ in range(2_000):
            client.success("f")
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertGreater(client.stats()["outcomes_waiting"] + client.stats()["outcomes_sent"], 2_000)

    def test_what_waits_is_sent_when_the_program_ends(self):
        code = "import sys, tailslide_client as t; t.Client(sys.argv[1], flush_interval_ms=60000).success('f')"
        subprocess.run([sys.executable, "-c", code, self.sidecar.url], check=True, timeout=20)
        self.assertEqual(len(self.sidecar.reported), 1)

    def test_a_client_never_keeps_a_program_from_ending(self):
        code = "import tailslide_client as t; c = t.Client('http://127.0.0.1:9'); c.success('f'); c.is_active('f')"
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, timeout=20, stderr=subprocess.DEVNULL)
        self.assertLess(time.monotonic() - began, 5)

    @unittest.skipUnless(hasattr(os, "fork"), "there are no forks here")
    def test_a_child_of_a_fork_starts_empty_and_uses_no_connection_of_its_parent(self):
        client = self.client(flush_interval_ms=60_000)
        client.is_active("f")
        client.success("f")
        parents = self.sidecar.connections
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            before = client.stats()
            told = [client.evaluate("f").error, before["questions"], before["outcomes_waiting"]]
            os.write(theirs, json.dumps(told).encode())
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            self.assertEqual(json.loads(pipe.read()), ["", 0, 0])
        os.waitpid(child, 0)
        self.assertEqual(self.sidecar.connections, parents + 1)
        self.assertEqual(client.evaluate("f").error, "")
        self.assertEqual(self.sidecar.connections, parents + 1)


class Async(Case):
    def test_one_client_in_two_event_loops_with_an_async_guard(self):
        client = AsyncClient(self.sidecar.url, timeout_ms=2000, flush_interval_ms=60_000)

        @client.guard("f", result_fails=lambda result: result == "bad")
        async def work(result):
            await asyncio.sleep(0)
            return result

        async def use():
            async with client.guard("f"):
                answers = await asyncio.gather(*(client.evaluate("f", str(n)) for n in range(20)))
            await work("bad")
            return {answer.error for answer in answers}

        self.assertEqual([asyncio.run(use()), asyncio.run(use())], [{""}, {""}])
        self.assertTrue(asyncio.run(client.flush()))
        self.assertEqual(sorted(one["outcome"] for one in self.sidecar.reported), ["failure"] * 2 + ["success"] * 2)
        asyncio.run(client.close())

    def test_a_question_that_is_cancelled_closes_its_connection(self):
        self.sidecar.respond = lambda sent: b""

        async def use():
            async with AsyncClient(self.sidecar.url, timeout_ms=5000) as client:
                question = asyncio.create_task(client.evaluate("f"))
                while not self.sidecar.connections:
                    await asyncio.sleep(0.001)
                question.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await question
                return client.stats()["defaults"], client._connections._idle

        self.assertEqual(asyncio.run(use()), ({}, []))

    def test_the_event_loop_runs_on_while_a_sidecar_is_silent(self):
        self.sidecar.respond = lambda sent: b""
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.005)

        async def use():
            ticking = asyncio.create_task(tick())
            async with AsyncClient(self.sidecar.url, timeout_ms=100) as client:
                answer = await client.evaluate("f")
            ticking.cancel()
            return answer.error

        self.assertEqual(asyncio.run(use()), "TIMEOUT")
        self.assertGreater(len(ticks), 5)


if __name__ == "__main__":
    unittest.main()
