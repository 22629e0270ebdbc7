"""python-socketio's two clients, as Debian has them, against a server that keeps the contract of js/reference.mjs.

The suite is the judge of a server and does not know which one it talks to. Client, the one with threads, handles each
message on a thread of its own, and so keeps no order among them, nor between a header and its attachments: what needs
order is asked of AsyncClient alone.
"""

import asyncio
import os
import queue
import sys
import threading
import time
import unittest
import urllib.request
import uuid

import socketio

PATIENCE = 60  # seconds until a test fails; nothing waits this long when all is well

transport_lists = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}


class Threads:
    """socketio.Client."""

    kind, ordered = socketio.Client, False

    @classmethod
    def setUpClass(cls):
        pass

    def run_(self, result):
        return result


class Asyncio:
    """socketio.AsyncClient, on an event loop of its own."""

    kind, ordered = socketio.AsyncClient, True

    @classmethod
    def setUpClass(cls):
        cls.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=cls.loop.run_forever)
        thread.start()

        def end():
            cls.loop.call_soon_threadsafe(cls.loop.stop)
            thread.join()
            cls.loop.close()

        cls.addClassCleanup(end)

    def run_(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)


class Suite:
    transports = None

    def client(self, *events, namespace="/", **options):
        """A client that is left at the end of the test. What it gets of these events is in its seen."""
        options.setdefault("reconnection", False)

        async def make():
            return self.kind(**options)

        client = self.run_(make()) if self.kind is socketio.AsyncClient else self.kind(**options)
        client.seen = {event: queue.Queue() for event in events}
        for event, seen in client.seen.items():
            client.on(event, lambda *args, seen=seen: seen.put(args), namespace=namespace)

        def leave():
            client.reconnection = False  # it takes a farewell that is answered at once for a loss, and would come back
            if client.connected:
                self.run_(client.disconnect())

        self.addCleanup(leave)
        return client

    def connect(self, client, url=None, **options):
        options = {"namespaces": ["/"], "transports": self.transports, **options}
        self.run_(client.connect(url or os.environ["SIOKIT_URL"], wait_timeout=PATIENCE, **options))
        return client

    def open(self, *events, **options):
        return self.connect(self.client(*events), **options)

    def call(self, client, event, data=None, namespace="/"):
        return self.run_(client.call(event, data, namespace=namespace, timeout=PATIENCE))

    def emit(self, client, event, data=None, namespace="/"):
        self.run_(client.emit(event, data, namespace=namespace))

    def take(self, client, event, count=1):
        taken = [client.seen[event].get(timeout=PATIENCE) for _ in range(count)]
        return taken[0] if count == 1 else taken

    def test_who(self):
        url = os.environ["SIOKIT_URL"] + "?q=ask"
        client = self.open("welcome", url=url, headers={"X-Conformance": "header"}, auth={"welcome": "hello", "n": [1, None]})
        me = self.call(client, "whoami")
        self.assertEqual(self.take(client, "welcome"), (me["id"], "hello"))
        self.assertEqual(me["auth"], {"welcome": "hello", "n": [1, None]})
        self.assertEqual((me["query"], me["header"]), ("ask", "header"))
        self.assertEqual(me["id"], client.get_sid())
        self.assertEqual(me["transport"], client.transport())
        wanted = "polling" if self.transports == ["polling"] else "websocket"
        self.assertEqual(me["transport"], wanted)

    def test_refusal(self):
        login = {"message": "please log in", "data": {"code": 401, "hint": ["token", "missing"]}}
        for namespace, refusal in {"/guarded": login, "/nowhere": {"message": "Invalid namespace"}}.items():
            client = self.client("connect_error", namespace=namespace)
            self.connect(client, namespaces=[namespace], auth={"token": "wrong"}, wait=False)  # it would wait to the timeout
            self.assertEqual(self.take(client, "connect_error"), (refusal,))

    def test_namespaces(self):
        client = self.open(namespaces=["/", "/second", "/guarded"], auth={"token": "open sesame"})
        ids = {self.call(client, "whoami", namespace=ns)["id"] for ns in ("/", "/second", "/guarded")}
        self.assertEqual(ids, {client.get_sid(ns) for ns in ("/", "/second", "/guarded")})
        self.assertEqual(len(ids), 3)

    def test_values(self):
        client = self.open('naïve "event" 🦉')
        for value in ("", "ü\x1e\u2028\\", 0, -7, 2**53, 1.5, True, [], {"a": [1, {"b": None}], "": "x"}):
            self.assertEqual(self.call(client, "echo1", value), value)
        self.assertIsNone(self.call(client, "echo0"))
        self.assertEqual(self.call(client, "echo2", (1, "two")), (1, "two"))
        self.assertEqual(self.call(client, "echo3", ("one", [2], False)), ("one", [2], False))
        self.emit(client, 'naïve "event" 🦉', "🦉")
        self.assertEqual(self.take(client, 'naïve "event" 🦉'), ("🦉",))

    def test_binary_that_it_sends(self):
        client = self.open()
        sent = {"name": "n", "bytes": b"", "parts": [b"\x00\xff", b"", b"xyz" * 10_000]}
        got = self.call(client, "upload", sent)
        self.assertEqual((got["name"], got["sizes"]), ("n", [2, 0, 30_000]))

    def test_binary_that_it_gets(self):
        if not self.ordered:
            return  # see above
        client = self.open("downloaded")
        self.assertEqual(self.call(client, "echo2", (b"\x00\x1e\xff", {"deep": [b"", b"x"]})), (b"\x00\x1e\xff", {"deep": [b"", b"x"]}))
        self.emit(client, "download", 100_000)
        label, parcel, last = self.take(client, "downloaded")
        self.assertEqual((label, last), ("label", b"\xff\x00"))
        self.assertEqual(parcel, {"a": b"\x07" * 100_000, "list": [b"\x01", b""]})

    def test_acks_that_it_gives(self):
        client = self.client()
        client.on("question", lambda question: question + "? yes")
        client.on("vote", lambda *_: "aye")
        self.connect(client)
        self.assertEqual(self.call(client, "ask me", "really"), "really? yes")
        room = f"voters {uuid.uuid4()}"  # the server may not know yet that the test before has left
        self.call(client, "join", room)
        self.assertEqual(self.call(client, "vote", room), ["aye"])

    def test_rooms(self):
        one, two = self.open("said"), self.open("said")
        for client in (one, two):
            self.call(client, "join", "lobby")
            self.assertIn("lobby", self.call(client, "rooms"))
        self.call(one, "say to others", {"rooms": ["lobby"], "except": [], "text": "to two"})
        self.call(one, "say to all", {"rooms": ["lobby"], "except": [], "text": "to both"})
        self.assertEqual({self.take(two, "said")[0] for _ in range(2)}, {"to two", "to both"})
        self.assertEqual(self.take(one, "said"), ("to both",))
        self.call(two, "leave", "lobby")
        self.assertNotIn("lobby", self.call(two, "rooms"))

    def test_many_at_once(self):
        """More than the 16 packets that python-engineio takes in one body."""
        client = self.open("number")
        self.emit(client, "count", 1000)
        numbers = [n for n, in self.take(client, "number", 1000)]
        self.assertEqual(numbers if self.ordered else sorted(numbers), list(range(1000)))

    def test_many_that_it_sends(self):
        client = self.open()
        for n in range(500):
            self.emit(client, "tock", n)
        _, received = self.call(client, "stop ticks")
        self.assertEqual(received, list(range(500)))

    def test_disconnects(self):
        for close_connection in (False, True):
            gone = threading.Event()
            client = self.client()
            client.on("disconnect", lambda *_: gone.set())
            self.connect(client)
            self.emit(client, "kick me", close_connection)
            self.assertTrue(gone.wait(PATIENCE), "no disconnect event")

    def test_it_leaves(self):
        watcher = self.open("gone")
        self.call(watcher, "join", "watchers")
        self.call(watcher, "rooms")
        client = self.open()
        sid = client.get_sid()
        self.run_(client.disconnect())
        while self.take(watcher, "gone")[0] != sid:
            pass

    def test_heartbeat(self):
        """For longer than the interval and the timeout of the pings, 300 ms and 5 s, over all transports at once."""
        if self.transports is not None:
            return
        url = os.environ["SIOKIT_PING_URL"]
        clients = [self.open(url=url, transports=transports) for transports in transport_lists.values()]
        end = time.monotonic() + 6
        while time.monotonic() < end:
            for client in clients:
                self.assertEqual(self.call(client, "late", (100, "still here")), "still here")

    def test_restart(self):
        connected = queue.Queue()
        client = self.client(reconnection=True, reconnection_delay=0.05, reconnection_delay_max=0.2)
        client.on("connect", lambda: connected.put(client.get_sid()))
        self.connect(client, url=os.environ["SIOKIT_RESTART_URL"], auth={"token": "kept"})
        before = connected.get(timeout=PATIENCE)
        for what in ("stop", "start"):
            request = urllib.request.Request(os.environ["SIOKIT_CONTROL_URL"] + "/" + what, method="POST")
            urllib.request.urlopen(request, timeout=PATIENCE).close()
        self.assertNotEqual(connected.get(timeout=PATIENCE), before)
        self.assertEqual(self.call(client, "whoami")["auth"], {"token": "kept"})


# What socket.io's own server cannot do for these clients: it sends them more packets at once than they take, and says
# goodbye in a way that keeps them from coming back.
beyond_reference = {("polling", "test_many_at_once"), *((name, "test_restart") for name in ("polling", "websocket", "upgrade"))}


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for client in (Threads, Asyncio):
        for name, transports in transport_lists.items():
            case = type(f"{client.__name__}_{name}", (client, Suite, unittest.TestCase), {"transports": transports})
            for test in loader.getTestCaseNames(case):
                if "SIOKIT_REFERENCE" not in os.environ or (name, test) not in beyond_reference:
                    suite.addTest(case(test))
    return suite


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(not result.wasSuccessful())  # and not when the last thread of a client that a failed test has left ends
