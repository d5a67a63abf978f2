"""Uses the page of `smpp smsc --web` and of `smpp decode --web` in a real browser.

Arguments: the program smpp, the browser, a folder for files, and where to write the screenshot.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

from browser import Browser

SMPP, CHROMIUM, SCRATCH, SCREENSHOT = sys.argv[1:]
TEXT = "Grüße from the client"
MO = "五 hello from the page"
started = []


def start(*arguments):
    process = subprocess.Popen([SMPP, *arguments], stdout=subprocess.PIPE, text=True, env=CLEAN)
    started.append(process)
    return process


def smsc(*arguments):
    """Starts the SMSC. Returns its address, and the URL of its page."""
    process = start("smsc", "--listen", "127.0.0.1:0", "--account", "shop:s3cret", *arguments)
    address = process.stdout.readline().split()[2]
    return address, process.stdout.readline().split()[2]


def send(address, text, *arguments):
    command = [SMPP, "send", "--url", f"smpp://shop:s3cret@{address}", "--to", "6591234567", "--text", text, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env=CLEAN)


def row(*texts):
    """A script: whether a row of the list contains all of these."""
    return f"[...document.querySelectorAll('#rows tr')].some((row) => {json.dumps(texts)}.every((text) => row.innerText.includes(text)))"


def test_smsc(browser):
    address, url = smsc("--web", "127.0.0.1:0", "--receipt-delay", "50", "--dialect", "route=submitting")
    browser.open(url)
    browser.wait("document.querySelector('#status')?.innerText.startsWith('0 binds')")

    # A client binds.
    messages = os.path.join(SCRATCH, "messages.jsonl")
    start("receive", "--url", f"smpp://shop:s3cret@{address}", "--file", messages)
    browser.wait("document.querySelector('#binds').innerText.includes('shop')")

    # Its message, the receipt, and the PDU field by field.
    sent = send(address, TEXT)
    assert sent.returncode == 0, sent.stdout
    browser.wait(row("submit_sm", TEXT, "6591234567", "ESME_ROK"))
    browser.wait(row("receipt", "DELIVRD", "ESME_ROK"))
    browser.click("#rows tr.message")
    browser.wait("document.querySelector('#pdu').innerText.includes('registered_delivery')")
    assert TEXT in browser.evaluate("document.querySelector('#pdu').innerText")
    browser.evaluate("(() => { const show = document.querySelector('#show'); show.value = 'all'; show.dispatchEvent(new Event('change')); })()")
    browser.wait(row("bind_receiver", "ESME_ROK"))
    browser.click("#rows tr.bind")
    browser.wait("document.querySelector('#pdu').innerText.includes('password')")
    assert "s3cret" not in browser.evaluate("document.documentElement.outerHTML")

    # A message from a phone.
    browser.type("#mo-text", MO)
    browser.click("#mo button")
    browser.wait("document.querySelector('#mo-result').innerText === 'queued'")
    browser.wait(row("MO message", MO, "ESME_ROK"))
    deadline = time.monotonic() + 20
    while MO.encode("utf-16-be").hex() not in open(messages, encoding="utf-8").read().lower():
        assert time.monotonic() < deadline, "the client has not received the message"
        time.sleep(0.1)
    browser.type("#mo-text", "long " * 100)
    browser.click("#mo button")
    browser.wait("document.querySelector('#mo-result').innerText === 'queued in 4 segments'")
    browser.wait(row("MO message", "segment 4 of 4", "ESME_ROK"))

    # Search.
    browser.type("#search", "grüße")
    browser.wait(f"document.querySelectorAll('#rows tr').length === 1 && {row(TEXT)}")
    browser.type("#search", "")
    browser.evaluate("document.querySelector('#search').dispatchEvent(new Event('input'))")

    # Faults and receipts.
    browser.type("[data-setting=throttle]", "100")
    browser.wait("fetch('api/state').then((answer) => answer.json()).then((state) => state.smsc.settings.throttle === 100)")
    refused = send(address, "refused by the fault")
    assert "ESME_RTHROTTLED" in refused.stdout, refused.stdout
    browser.wait(row("refused by the fault", "ESME_RTHROTTLED"))
    browser.type("[data-setting=throttle]", "0")
    browser.type("[data-state=DELIVRD]", "0")
    # No state is left: the page says so, and nothing changes.
    browser.wait("document.querySelector('#settings-result.bad') !== null")
    browser.type("[data-state=UNDELIV]", "1")
    browser.type("[data-state=DELIVRD]", "0")
    browser.wait("fetch('api/state').then((answer) => answer.json()).then(({ smsc: { settings } }) => settings.states === 'UNDELIV=1' && settings.throttle === 0)")
    undelivered = send(address, "not delivered")
    assert "UNDELIVERABLE" in undelivered.stdout, undelivered.stdout
    browser.wait(row("receipt", "UNDELIV"))
    browser.click("[data-setting=reorder]")
    browser.wait("fetch('api/state').then((answer) => answer.json()).then((state) => state.smsc.settings.reorder)")
    browser.click("[data-setting=reorder]")

    # Binds are refused, and then no more.
    settings = "fetch('api/state').then((answer) => answer.json()).then((state) => state.smsc.settings['refuse-binds'] === '%s')"
    browser.type("[data-setting=refuse-binds]", "RBINDFAIL")
    browser.wait(settings % "ESME_RBINDFAIL")
    start("send", "--url", f"smpp://shop:s3cret@{address}", "--to", "6591234567", "--text", "refused")
    browser.wait(row("bind_transceiver", "ESME_RBINDFAIL"))
    browser.evaluate("(() => { const status = document.querySelector('[data-setting=refuse-binds]'); status.value = ''; status.dispatchEvent(new Event('change', { bubbles: true })); })()")
    browser.wait(settings % "")
    bound = send(address, "no refusal")
    assert "UNDELIVERABLE" in bound.stdout, bound.stdout
    # A response with another sequence number is no response.
    browser.type("[data-setting=wrong-sequence]", "100")
    browser.wait("fetch('api/state').then((answer) => answer.json()).then((state) => state.smsc.settings['wrong-sequence'] === 100)")
    browser.type("[data-setting=wrong-sequence]", "0")
    browser.wait("fetch('api/state').then((answer) => answer.json()).then((state) => state.smsc.settings['wrong-sequence'] === 0)")

    # The plots have something on them.
    for plot in ["rate", "time"]:
        drawn = f"(() => {{ const plot = document.querySelector('#{plot}'); return new Set(plot.getContext('2d').getImageData(0, 0, plot.width, plot.height).data).size > 3; }})()"
        browser.wait(drawn)

    # Traffic for the screenshot.
    browser.type("[data-state=DELIVRD]", "9")
    for number in range(1, 9):
        # Some of them are not delivered.
        assert "message_id" in send(address, f"Your code is {1234 * number}").stdout
    browser.evaluate("(() => { const show = document.querySelector('#show'); show.value = 'messages'; show.dispatchEvent(new Event('change')); })()")
    browser.click("#rows tr.message")
    browser.type("#mo-text", "Can you deliver tomorrow?")
    browser.evaluate("for (const part of ['aside', '#list']) document.querySelector(part).scrollTo(0, 0)")
    time.sleep(2)
    browser.screenshot(SCREENSHOT)

    # The capture.
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=SCRATCH)
    browser.click("#capture")
    capture = os.path.join(SCRATCH, "smpp.pcap")
    deadline = time.monotonic() + 20
    while not os.path.exists(capture):
        assert time.monotonic() < deadline, "the capture was not downloaded"
        time.sleep(0.1)
    decoded = subprocess.run([SMPP, "decode", capture], stdout=subprocess.PIPE, text=True, timeout=60)
    assert MO in decoded.stdout and TEXT in decoded.stdout and "s3cret" not in decoded.stdout
    return capture


def test_capture(browser, capture):
    process = start("decode", capture, "--web=127.0.0.1:0")
    browser.open(process.stdout.readline().split()[2])
    browser.wait(row("MO message", MO, "ESME_ROK"))
    browser.wait(row("submit_sm", TEXT, "ESME_ROK"))
    browser.click("#rows tr.mo")
    browser.wait("document.querySelector('#pdu').innerText.includes('data_coding')")
    assert browser.evaluate("document.querySelector('aside').offsetParent === null"), "the faults of a capture"


def test_token(browser):
    address, url = smsc("--web", "0.0.0.0:0", "--web-remote")
    page, token = url.split("?token=")
    for path in ["", "page.js", "api/state", "api/events", "capture.pcap", "?token=guessed"]:
        try:
            urllib.request.urlopen(page + path)
            raise AssertionError(f"{path} without a token")
        except urllib.error.HTTPError as error:
            assert error.code == 401, (path, error)
    browser.open(url)
    browser.wait("document.querySelector('#status')?.innerText.startsWith('0 binds')")
    assert browser.evaluate("location.href + document.cookie") == page, "the token is in the address, or a script can read it"
    browser.type("#mo-text", "with a token")
    browser.click("#mo button")
    browser.wait("document.querySelector('#mo-result').innerText === 'queued'")


CLEAN = {name: value for name, value in os.environ.items() if name != "SMPP_PASSWORD"}
browser = Browser(CHROMIUM, os.path.join(SCRATCH, "profile"), (1200, 760))
try:
    file = test_smsc(browser)
    test_capture(browser, file)
    test_token(browser)
    # The page was told that it cannot take the last state away.
    errors = [error for error in browser.errors if "status of 422" not in error]
    assert not errors, errors
    print("the page works")
finally:
    browser.close()
    for process in started:
        process.kill()
