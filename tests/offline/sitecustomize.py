"""On PYTHONPATH of a process under test: writes down every address outside this machine that Python code asks for.

Python imports it by its name in every process, children too; the file's name is in the variable NETWORK_LOG.
"""

import os
import sys
import traceback

HERE = (None, "", b"", "localhost", "127.0.0.1", "::1", "0.0.0.0")


def told(event, args):
    host = None
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    if host not in HERE and log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{host} asked for by {sys.argv[:2]}\n" + "".join(traceback.format_stack(limit=40)))


log = os.environ.get("NETWORK_LOG")
sys.addaudithook(told)
