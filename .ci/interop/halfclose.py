"""Passes one connection on, and closes one direction of it: half-close.

    python halfclose.py HOST PORT client|smsc

With `client` it closes the direction to HOST:PORT right behind the first submit_sm, as a client that has sent its last message
does; with `smsc` the direction from there right behind the first submit_sm_resp. The other direction goes on until its end.
"""

import socket
import sys
import threading

SUBMIT_SM, SUBMIT_SM_RESP = 0x00000004, 0x80000004


def exactly(source, count):
    octets = b""
    while len(octets) < count:
        more = source.recv(count - len(octets))
        if not more:
            return None
        octets += more
    return octets


def relay(source, target, last):
    """Passes PDUs on up to the first with the command `last`, then closes the direction."""
    try:
        while (head := exactly(source, 8)) is not None:
            body = exactly(source, int.from_bytes(head[:4]) - 8)
            target.sendall(head + body)
            if int.from_bytes(head[4:]) == last:
                break
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main():
    host, port, side = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    while True:
        near, _ = listener.accept()
        far = socket.create_connection((host, int(port)))
        last = (SUBMIT_SM, None) if side == "client" else (None, SUBMIT_SM_RESP)
        for source, target, command in ((near, far, last[0]), (far, near, last[1])):
            threading.Thread(target=relay, args=(source, target, command), daemon=True).start()


if __name__ == "__main__":
    main()
