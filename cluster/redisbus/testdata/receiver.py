# A python-socketio server with one client, which prints what it would send to it.
import json
import os
import sys

import socketio

manager = socketio.RedisManager(sys.argv[1], channel=sys.argv[2])
server = socketio.Server(async_mode="threading", client_manager=manager)


def send(eio_sid, event, data, namespace=None, id=None):
    print(json.dumps([namespace, event, data]), flush=True)


server._emit_internal = send
sid = manager.connect("engine", "/")
manager.enter_room(sid, "/", "r")
manager.initialize()
print(json.dumps(["ready", sid]), flush=True)
sys.stdin.read()  # until the test closes it
os._exit(0)  # the manager's thread does not end
