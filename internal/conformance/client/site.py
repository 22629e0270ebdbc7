"""The contract of ../js/reference.mjs, as far as Flask-SocketIO has it.

Prints one line of JSON with the addresses, then serves until standard input closes.
"""
import eventlet
import eventlet.wsgi

eventlet.monkey_patch()

import json
import os
import sys

from eventlet import tpool
from flask import Flask, request
from flask_socketio import (ConnectionRefusedError, SocketIO, disconnect, emit, join_room, leave_room)

app = Flask(__name__)
app.config["SECRET_KEY"] = "for tests only"
fast = os.environ.get("FLASK_PING") == "1"
timing = {"ping_interval": 1, "ping_timeout": 5} if fast else {}
sio = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*", max_http_buffer_size=1000000, **timing)


def contract(ns):
    auths = {}
    chatting = {}
    tocks = {}

    def on(name):
        return sio.on(name, namespace=ns)

    @on("connect")
    def connect(auth=None):
        if ns == "/guarded" and (auth or {}).get("token") != "open sesame":
            raise ConnectionRefusedError("please log in", {"code": 401, "hint": ["token", "missing"]})
        auths[request.sid] = auth or {}
        if auth and "welcome" in auth:
            emit("welcome", (request.sid, auth["welcome"]))

    @on("whoami")
    def whoami():
        return {
            "id": request.sid,
            "auth": auths[request.sid],
            "query": request.args.get("q", ""),
            "header": request.headers.get("X-Conformance", ""),
            "transport": sio.server.eio.transport(sio.server.manager.eio_sid_from_sid(request.sid, ns)),
        }

    @on("echo0")
    def echo0():
        return None

    @on("echo1")
    def echo1(a):
        return a

    @on("echo2")
    def echo2(a, b):
        return a, b

    @on("echo3")
    def echo3(a, b, c):
        return a, b, c

    @on('naïve "event" 🦉')
    def naive(a):
        emit('naïve "event" 🦉', a)

    @on("back")
    def back(a, b, c):
        emit("back", (a, b, c))

    @on("upload")
    def upload(file):
        return {"name": file["name"], "sizes": [len(p) for p in file["parts"]], "reversed": file["bytes"][::-1]}

    @on("download")
    def download(n):
        emit("downloaded", ("label", {"a": b"\x07" * n, "list": [b"\x01", b""]}, b"\xff\x00"))

    @on("count")
    def count(n):
        for i in range(n):
            emit("number", i)

    @on("late")
    def late(ms, value):
        sio.sleep(ms / 1000)
        return value

    @on("ask me")
    def ask_me(question):
        return sio.server.call("question", question, to=request.sid, namespace=ns, timeout=5)

    @on("join")
    def join(room):
        join_room(room)

    @on("leave")
    def leave(room):
        leave_room(room)

    @on("say to others")
    def say(what):
        for room in what["rooms"]:
            emit("said", what["text"], to=room, include_self=False)

    @on("kick me")
    def kick(close):
        disconnect()

    @on("start ticks")
    def start():
        sid = request.sid
        chatting[sid] = True
        tocks[sid] = []

        def chat():
            sent = 0
            while chatting.get(sid) is True:
                data = bytes([sent & 255, 1, 2]) if sent % 7 == 0 else "text"
                sio.emit("tick", (sent, data), to=sid, namespace=ns)
                sent += 1
                sio.sleep(0.001 if sent % 3 == 0 else 0)
            chatting[sid] = sent

        sio.start_background_task(chat)

    @on("tock")
    def tock(i):
        tocks[request.sid].append(i)

    @on("stop ticks")
    def stop():
        sid = request.sid
        chatting[sid] = False
        while chatting[sid] is False:
            sio.sleep(0.001)
        return chatting[sid], tocks[sid]


for name in ("/", "/second", "/guarded"):
    contract(name)


def until_stdin_closes():
    tpool.execute(sys.stdin.read)
    os._exit(0)


listener = eventlet.listen(("127.0.0.1", 0))
key = "SIOKIT_PING_URL" if fast else "SIOKIT_URL"
print(json.dumps({key: "http://127.0.0.1:%d" % listener.getsockname()[1]}), flush=True)
eventlet.spawn(until_stdin_closes)
eventlet.wsgi.server(listener, app.wsgi_app, log_output=False)
