# A worker with python-socketio before 5.14, whose messages are pickled.
import sys

import socketio

worker = socketio.RedisManager(sys.argv[1], channel=sys.argv[2], write_only=True)
for i in range(int(sys.argv[3])):
    worker.emit("pickled", {"n": i})
