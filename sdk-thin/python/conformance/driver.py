"""Drives the client as tests/conformance/clients/README.md says; with TAILSLIDE_DRIVER=async, the one for asyncio."""

import asyncio
import dataclasses
import http.client
import json
import logging
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from tailslide_client import AsyncClient, Client


class Blocking:
    """The client for asyncio with the methods of the other; each call waits for a loop in a thread of its own."""

    def __init__(self, **settings):
        self._client = AsyncClient(**settings)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if not asyncio.iscoroutinefunction(method):
            return method
        return lambda *args, **named: asyncio.run_coroutine_threadsafe(method(*args, **named), self._loop).result()


class BlockError(Exception):
    pass


def ms_since(began):
    return (time.perf_counter() - began) * 1000


def timed(call, *args, **named):
    began = time.perf_counter()
    result = call(*args, **named)
    return {"result": result, "ms": ms_since(began)}


def given(said, *names):
    return {name: said[name] for name in names if name in said}


class Driver:
    def __init__(self):
        self.client = None
        self.url = ""

    def answer(self, said):
        try:
            return getattr(self, f"do_{said['do']}", self.unsupported)(said)
        except Exception as error:
            return {"raised": f"{type(error).__name__}: {error}"}

    def unsupported(self, said):
        return {"unsupported": True}

    def do_open(self, said):
        self.end()
        self.url = said.get("url", "")
        settings = {name: value for name, value in said.items() if name != "do"}
        self.client = (Blocking if os.environ.get("TAILSLIDE_DRIVER") == "async" else Client)(**settings)
        return {}

    def end(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def ask(self, said):
        named = given(said, "attributes", "default")
        if said["do"] == "value":
            named.setdefault("default", None)
        return timed(getattr(self.client, said["do"]), said["flag"], said.get("targeting_key"), **named)

    do_is_active = do_variant = do_value = ask

    def do_evaluate(self, said):
        answer = self.ask(said)
        return {**answer, "result": dataclasses.asdict(answer["result"])}

    def report(self, said):
        method, latency = getattr(self.client, said["do"]), given(said, "latency_ms")

        def all_of_them():
            for _ in range(said.get("times", 1)):
                method(said["flag"], **latency)

        return {"ms": timed(all_of_them)["ms"]}

    do_success = do_failure = report

    def do_guard(self, said):
        predicates = {
            "result": {"result_fails": lambda result: result == "returned"},
            "no_exception": {"exception_fails": lambda error: False},
            "raises": {"result_fails": lambda result: 1 / 0, "exception_fails": lambda error: 1 / 0},
        }

        def block():
            if said["block"] == "raises":
                raise BlockError
            if said["block"] == "sleeps":
                time.sleep(0.02)
            return "returned"

        guarded = self.client.guard(said["flag"], **predicates.get(said.get("failure"), {}))(block)

        def seen():
            try:
                return guarded()
            except BlockError:
                return "raised"

        return timed(seen)

    def do_flush(self, said):
        return timed(self.client.flush, **given(said, "timeout_ms"))

    def do_stats(self, said):
        return {"result": self.client.stats()}

    def do_proxy_url(self, said):
        return {"result": self.client.proxy_url(said["path"])}

    def do_proxied(self, said):
        try:
            with self.client.opener().open(said["url"], timeout=5) as answer:
                return {"result": {"status": answer.status, "body": answer.read().decode()}}
        except urllib.error.HTTPError as error:
            with error:
                return {"result": {"status": error.code, "body": error.read().decode()}}
        except OSError as error:
            return {"result": {"error": str(error)}}

    def do_close(self, said):
        return {"ms": timed(self.client.close)["ms"]}

    def do_load(self, said):
        workers, until = said["workers"], time.monotonic() + said["seconds"]
        gap = workers / said["calls_per_s"]
        answered, defaults, took, raised = [], [], [], []

        def work(number):
            at, asked = time.monotonic() + gap * number / workers, 0
            while at < until:
                time.sleep(max(0.0, at - time.monotonic()))
                began = time.perf_counter()
                try:
                    answer = self.client.evaluate(said["flag"], f"user-{number}-{asked}")
                    (defaults if answer.error else answered).append(round(time.time() * 1000))
                except Exception as error:
                    raised.append(str(error))
                took.append(ms_since(began))
                asked += 1
                at = max(at + gap, time.monotonic())

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        return {
            "calls": len(took),
            "raised": len(raised),
            "ms": sorted(took),
            "answered_at": answered,
            "defaults_at": defaults,
        }

    def do_crowd(self, said):
        before, took, answers, raised = threading.active_count(), [], [], []
        together = threading.Barrier(said["workers"])

        def work(number):
            together.wait()
            for call in range(said["calls"]):
                key, began = f"user-{number}-{call}", time.perf_counter()
                try:
                    answers.append((key, self.client.evaluate(said["flag"], key, default="")))
                except Exception as error:
                    raised.append(str(error))
                took.append(ms_since(began))

        threads = [threading.Thread(target=work, args=[number]) for number in range(said["workers"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.1)
        return {
            "calls": len(took),
            "raised": len(raised),
            "mixed": sum(not answer.error and answer.value != key for key, answer in answers),
            "defaults": sum(bool(answer.error) for _, answer in answers),
            "threads_left": max(0, threading.active_count() - before),
            "ms": sorted(took),
        }

    def do_fork(self, said):
        if isinstance(self.client, Blocking):
            return {"unsupported": True}  # an event loop does not survive a fork
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(theirs, json.dumps(self.one_side(said, "child")).encode())
            os._exit(0)
        os.close(theirs)
        parent = self.one_side(said, "parent")
        with os.fdopen(ours) as pipe:
            told = json.loads(pipe.read())
        os.waitpid(child, 0)
        return {"parent": parent, "child": told}

    def one_side(self, said, name):
        mixed = defaults = raised = 0
        before = self.client.stats()["outcomes_sent"]
        for call in range(said["calls"]):
            key = f"{name}-{call}"
            try:
                answer = self.client.evaluate(said["flag"], key, default="")
                self.client.success(said["flag"])
            except Exception:
                raised += 1
            else:
                defaults += bool(answer.error)
                mixed += not answer.error and answer.value != key
        self.client.flush()
        sent = self.client.stats()["outcomes_sent"] - before
        return {"mixed": mixed, "defaults": defaults, "raised": raised, "sent": sent}

    def do_overhead(self, said):
        bare, ask, outcome = [], [], []
        connection = self.bare_connection()
        for call in range(said["calls"]):
            body = json.dumps({"context": {"targetingKey": f"user-{call}"}})

            def bare_request(body=body):
                path = f"/ofrep/v1/evaluate/flags/{said['flag']}"
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                connection.getresponse().read()

            bare.append(timed(bare_request)["ms"] * 1000)
            ask.append(timed(self.client.is_active, said["flag"], f"user-{call}")["ms"] * 1000)
            outcome.append(timed(self.client.success, said["flag"])["ms"] * 1000)
        connection.close()
        return {"bare_us": bare, "ask_us": ask, "outcome_us": outcome}

    def bare_connection(self):
        if not self.url.startswith("unix:"):
            parts = urllib.parse.urlsplit(self.url)
            return http.client.HTTPConnection(parts.hostname, parts.port)
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.url[len("unix:") :])
        return connection


def main():
    logging.basicConfig()
    driver = Driver()
    for line in sys.stdin:
        print(json.dumps(driver.answer(json.loads(line))), flush=True)
    driver.end()


main()
