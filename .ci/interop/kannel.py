"""Kannel (bearerbox and smsbox) against our SMSC: python kannel.py HOST PORT CHECK. See clients.py.

Kannel binds by itself, takes messages over HTTP, and reports receipts over HTTP. It does not end
a connection on purpose, and binds again when one ends: for half-close it reports that the SMSC has the one message. A message
that is throttled waits in its queue: what it reports is that it is still queued.
"""

import collections
import concurrent.futures
import http.server
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

BURST = 1000
TIMEOUT = 25
# What a dlr-url reports with %d: 1 the phone has the message, 8 the SMSC has it, 16 the SMSC refused it.
DELIVERED, ACCEPTED, REFUSED = "1", "8", "16"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


class Reports(http.server.BaseHTTPRequestHandler):
    counted = collections.Counter()
    changed = threading.Condition()

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        with self.changed:
            self.counted[query["type"][0]] += 1
            self.changed.notify_all()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    host, port, check = sys.argv[1:]
    admin, box, sending = free_ports(3)
    reports = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reports)
    threading.Thread(target=reports.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kannel.conf")
        with open(path, "w") as file:
            file.write(f"""
group = core
admin-port = {admin}
admin-password = admin
smsbox-port = {box}
dlr-storage = internal
box-allow-ip = "127.0.0.1"

group = smsc
smsc = smpp
smsc-id = ours
host = {host}
port = {port}
transceiver-mode = true
smsc-username = shop
smsc-password = s3cret
system-type = ""
interface-version = 34
max-pending-submits = 100

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sending}
sendsms-interface = "127.0.0.1"

group = sendsms-user
username = test
password = test
max-messages = 1
""")
        log = open(os.path.join(folder, "log"), "w")
        boxes = [subprocess.Popen(["bearerbox", "-v", "2", path], stdout=log, stderr=log)]
        try:
            deadline = time.monotonic() + TIMEOUT

            def status():
                url = f"http://127.0.0.1:{admin}/status.txt?password=admin"
                return urllib.request.urlopen(url, timeout=5).read().decode()

            def sent():
                return int(re.search(r"sent: sms (\d+)", status()).group(1))

            def until(condition, what):
                while True:
                    try:
                        if condition():
                            return
                    except OSError:
                        pass
                    assert time.monotonic() < deadline, f"{what}; {Reports.counted}"
                    time.sleep(0.05)

            # It asks its configuration who is online only from then on.
            until(lambda: "online" in status().split("SMSC connections:")[1], "not bound")
            boxes.append(subprocess.Popen(["smsbox", "-v", "2", path], stdout=log, stderr=log))

            def submit(mask):
                report = f"http://127.0.0.1:{reports.server_port}/?type=%d"
                query = {"username": "test", "password": "test", "from": "shop", "to": "6591234567", "text": "Hello"}
                query |= {"dlr-mask": mask, "dlr-url": report}
                url = f"http://127.0.0.1:{sending}/cgi-bin/sendsms?" + urllib.parse.urlencode(query)
                return urllib.request.urlopen(url, timeout=TIMEOUT).status == 202

            until(lambda: submit(8 | 16 if check == "half-close" else 1 | 8 | 16), "smsbox does not answer")
            if check == "throttled":
                until(lambda: "queued" in status(), "no status")
                time.sleep(1)
                assert Reports.counted[ACCEPTED] == 0 and Reports.counted[REFUSED] == 0, Reports.counted
                assert sent() == 0, status()
            elif check == "half-close":
                until(lambda: Reports.counted[ACCEPTED] == 1, "no response")
                assert Reports.counted[REFUSED] == 0 and sent() == 1, Reports.counted
            else:
                until(lambda: Reports.counted[DELIVERED] == 1 and Reports.counted[ACCEPTED] == 1, "no receipt")
            if check == "burst":
                with concurrent.futures.ThreadPoolExecutor(16) as pool:
                    assert all(pool.map(lambda _: submit(16), range(BURST - 1)))
                until(lambda: sent() == BURST, "not all accepted")
                assert Reports.counted[REFUSED] == 0, Reports.counted
        except BaseException:
            sys.stderr.write(open(log.name).read()[-3000:])
            raise
        finally:
            for process in reversed(boxes):
                process.terminate()
            for process in boxes:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


if __name__ == "__main__":
    main()
