"""Tests the client of the Python package `smpplib` against our SMSC.

`SMSC` and `INTEROP` are the URLs of `smpp smsc` and `interop smsc`, smpp://HOST:PORT or smpps://HOST:PORT; `CA` is the file
with the authorities of their certificates.
"""

import logging
import os
import re
import ssl
import time
import unittest
from urllib.parse import urlsplit

import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm
import smpplib.smpp

TIMEOUT = 15
GSM = "Price: £$@Ö[]{}€"
# 3GPP TS 23.038 §6.2.1, an octet for each septet.
GSM_OCTETS = bytes.fromhex("50726963653a200102005c1b3c1b3e1b281b291b65")
LONG = "Each segment of a long text has a header that says which segment it is. " * 4

logging.disable(logging.CRITICAL)


class Peer:
    """A session, the message ids in its responses, and the messages delivered to it."""

    def __init__(self, url):
        where = urlsplit(url)
        trust = None
        if where.scheme == "smpps":
            trust = ssl.create_default_context(cafile=os.environ["CA"])
            # smpplib does not pass the host name; the chain is still verified.
            trust.check_hostname = False
        self.client = smpplib.client.Client(
            where.hostname, where.port, timeout=TIMEOUT, ssl_context=trust, allow_unknown_opt_params=True
        )
        self.answers = {}
        self.delivered = []
        self.client.set_message_sent_handler(self._sent)
        self.client.set_message_received_handler(self._received)
        self.client.connect()

    def _sent(self, pdu):
        self.answers[pdu.sequence] = pdu.message_id.decode()

    def _received(self, pdu):
        self.delivered.append(pdu)

    def bind(self, mode="transceiver", system_id="shop", password="s3cret"):
        return getattr(self.client, f"bind_{mode}")(system_id=system_id, password=password)

    def submit(self, **fields):
        """Submits a message and returns its id."""
        pdu = self.client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
            source_addr="shop",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr="6591234567",
            registered_delivery=True,
            **fields,
        )
        self.read_until(lambda: pdu.sequence in self.answers, "submit_sm_resp")
        return self.answers[pdu.sequence]

    def read_until(self, condition, what):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: nothing within {TIMEOUT} s")
            self.client.read_once()

    def receipt(self, message_id):
        """Waits for the receipt of this id. Returns its text, in octets of the GSM alphabet."""
        beginning = f"id:{message_id} ".encode()
        found = lambda: [pdu for pdu in self.delivered if pdu.short_message.startswith(beginning)]
        self.read_until(found, f"the receipt for {message_id}")
        (pdu,) = found()
        assert pdu.esm_class & 0x3C == 4, pdu.esm_class
        assert (pdu.source_addr, pdu.destination_addr) == (b"6591234567", b"shop")
        head, text = re.split(rb" text:", pdu.short_message, maxsplit=1, flags=re.I)
        assert re.search(rb"sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} stat:DELIVRD err:000$", head), head
        return text

    def end(self):
        answer = self.client.unbind()
        self.client.disconnect()
        return answer


class Client(unittest.TestCase):
    def setUp(self):
        self.peers = []

    def tearDown(self):
        # A failed test must not hold a bind that the next test needs.
        for peer in self.peers:
            peer.client.disconnect()

    def connect(self, url=os.environ["SMSC"]):
        self.peers.append(Peer(url))
        return self.peers[-1]

    def bound(self, *arguments):
        peer = self.connect()
        answer = peer.bind(*arguments)
        self.assertEqual(answer.status, 0)
        return peer

    def assert_refused(self, status, **credentials):
        with self.assertRaises(smpplib.exceptions.PDUError) as refused:
            self.connect().bind(**credentials)
        self.assertEqual(refused.exception.args[1], status)

    def test_each_mode_of_bind(self):
        for mode in ("transmitter", "receiver", "transceiver"):
            with self.subTest(mode):
                peer = self.connect()
                answer = peer.bind(mode)
                self.assertEqual((answer.command, answer.status), (f"bind_{mode}_resp", 0))
                self.assertEqual(answer.system_id, b"8x8_demo")
                peer.end()

    def test_a_wrong_password_and_an_unknown_system_id(self):
        self.assert_refused(smpplib.consts.SMPP_ESME_RINVPASWD, password="guessed")
        self.assert_refused(smpplib.consts.SMPP_ESME_RINVSYSID, system_id="unknown")

    def test_gsm_text(self):
        peer = self.bound()
        (octets,), coding, esm_class = smpplib.gsm.make_parts(GSM)
        self.assertEqual((octets, coding), (GSM_OCTETS, 0))
        message_id = peer.submit(short_message=octets, data_coding=coding, esm_class=esm_class)
        self.assertRegex(message_id, "^[0-9a-f-]{36}$")
        self.assertEqual(peer.receipt(message_id), GSM_OCTETS)
        peer.end()

    def test_ucs2_with_an_emoji(self):
        peer = self.bound()
        message_id = peer.submit(short_message="Ж👋 ab".encode("utf-16-be"), data_coding=8)
        # The receipt has the text in the GSM alphabet: a question mark for each character that it lacks.
        self.assertEqual(peer.receipt(message_id), b"?? ab")
        peer.end()

    def test_a_long_text_in_segments(self):
        peer = self.bound()
        segments, coding, esm_class = smpplib.gsm.make_parts(LONG)
        self.assertEqual((len(segments), esm_class), (2, smpplib.consts.SMPP_GSMFEAT_UDHI))
        submit = lambda segment: peer.submit(short_message=segment, data_coding=coding, esm_class=esm_class)
        ids = [submit(segment) for segment in segments]
        self.assertEqual(len(set(ids)), 2, "each segment has an id of its own")
        # The first six octets are the user data header.
        self.assertEqual([peer.receipt(id) for id in ids], [segment[6:26] for segment in segments])
        peer.end()

    def test_a_fifth_bind(self):
        held = [self.bound() for _ in range(4)]
        self.assert_refused(smpplib.consts.SMPP_ESME_RALYBND)
        held.pop().end()
        self.bound().end()

    def test_enquire_link(self):
        peer = self.bound()
        peer.client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=peer.client))
        self.assertEqual(peer.client.read_pdu().command, "enquire_link_resp")
        peer.end()

    def test_the_smsc_sends_enquire_link_delivers_and_unbinds(self):
        peer = self.connect(os.environ["INTEROP"])
        self.assertEqual(peer.bind("receiver").status, 0)
        peer.read_until(lambda: len(peer.delivered) == 3, "deliver_sm")
        first, second, emoji = peer.delivered
        self.assertEqual([first.esm_class, second.esm_class], [0x40, 0x40])
        headers = [pdu.short_message[:6].hex() for pdu in (first, second)]
        self.assertEqual(headers, ["050003070201", "050003070202"])
        octets = first.short_message[6:] + second.short_message[6:]
        text = "A long text for a phone comes in segments, with escapes: €[]{}. " * 4
        self.assertEqual(octets, smpplib.gsm.gsm_encode(text))
        self.assertEqual(emoji.short_message.decode("utf-16-be"), "👋 from a phone")
        unbind = peer.client.read_pdu()
        self.assertEqual(unbind.command, "unbind")
        answer = smpplib.smpp.make_pdu("unbind_resp", client=peer.client)
        answer.sequence = unbind.sequence
        peer.client.send_pdu(answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
