"""Other SMPP clients against our SMSC: one program for each Python package, and Kannel.

    python clients.py PEER HOST PORT CHECK

`CHECK` is `basic` (bind, submit, receipt, unbind), `burst` (1,000 messages, a window of 100), `half-close` (one message; the
connection then ends in one direction) or `throttled` (one message, which the SMSC refuses with ESME_RTHROTTLED). The exit
status is 0 if the peer saw what it has to see.
"""

import asyncio
import logging
import sys

BURST = 1000
WINDOW = 100
TIMEOUT = 30
THROTTLED = 0x58
TO = "6591234567"
SYSTEM_ID, PASSWORD = "shop", "s3cret"

logging.disable(logging.CRITICAL)


def check_ids(ids, count):
    assert len(ids) == count and len(set(ids)) == count and all(ids), f"{len(ids)} ids, {len(set(ids))} different"


# smpplib: blocking sockets.
def smpplib(host, port, check):
    import smpplib.client
    import smpplib.consts
    import smpplib.exceptions

    client = smpplib.client.Client(host, port, timeout=TIMEOUT, allow_unknown_opt_params=True)
    ids, receipts, statuses = [], [], []
    client.set_message_sent_handler(lambda pdu: pdu.message_id and ids.append(pdu.message_id.decode()))
    client.set_message_received_handler(lambda pdu: receipts.append(pdu.short_message.decode()))
    client.set_error_pdu_handler(lambda pdu: statuses.append(pdu.status))
    client.connect()
    client.bind_transceiver(system_id=SYSTEM_ID, password=PASSWORD)

    def submit(registered_delivery):
        client.send_message(
            source_addr_ton=5, source_addr="shop", dest_addr_ton=1, dest_addr_npi=1, destination_addr=TO,
            registered_delivery=registered_delivery, short_message=b"Hello",
        )

    if check == "burst":
        sent = 0
        while len(ids) < BURST:
            while sent < BURST and sent - len(ids) < WINDOW:
                submit(False)
                sent += 1
            client.read_once()
        check_ids(ids, BURST)
    else:
        submit(check == "basic")
        while not (ids or statuses):
            client.read_once()
        if check == "throttled":
            assert statuses == [THROTTLED], statuses
        if check == "basic":
            while not receipts:
                client.read_once()
            assert receipts[0].startswith(f"id:{ids[0]} "), receipts
    if check == "half-close":
        check_ids(ids, 1)
        return
    client.unbind()
    client.disconnect()


# aiosmpplib: asyncio. It binds, sends and answers by itself.
async def aiosmpplib(host, port, check):
    from aiosmpplib import ESME, AbstractHook, DeliverSm, PhoneNumber, SmppSessionState, SubmitSm, SubmitSmResp, TON

    answers, receipts = asyncio.Queue(), asyncio.Queue()

    class Hook(AbstractHook):
        async def sending(self, smpp_message, pdu, client_id):
            pass

        async def received(self, smpp_message, pdu, client_id):
            if isinstance(smpp_message, SubmitSmResp):
                answers.put_nowait((int(smpp_message.command_status), smpp_message.message_id))
            elif isinstance(smpp_message, DeliverSm):
                receipts.put_nowait(pdu)

        async def send_error(self, smpp_message, error, client_id):
            raise error

    esme = ESME(host, port, SYSTEM_ID, PASSWORD, hook=Hook(), log_level="CRITICAL")
    running = asyncio.create_task(esme.start())
    while esme.session_state is not SmppSessionState.BOUND_TRX:
        await asyncio.sleep(0.01)

    async def submit(receipt):
        await esme.broker.enqueue(SubmitSm(
            short_message="Hello", source=PhoneNumber("shop", TON.ALPHANUMERIC), destination=PhoneNumber(TO),
            registered_delivery=int(receipt),
        ))

    if check == "burst":
        for _ in range(BURST):
            await submit(False)
        results = [await answers.get() for _ in range(BURST)]
        assert all(status == 0 for status, _ in results), results
        check_ids([id for _, id in results], BURST)
    else:
        await submit(check == "basic")
        status, id = await answers.get()
        assert status == (THROTTLED if check == "throttled" else 0), status
        if check == "basic":
            assert f"id:{id} ".encode() in await receipts.get()
    await esme.stop()
    running.cancel()


# smpp.twisted3: Twisted.
def twisted(host, port, check):
    from twisted.internet import defer, reactor
    from smpp.pdu.operations import SubmitSM
    from smpp.pdu.pdu_types import (
        AddrNpi, AddrTon, CommandStatus, RegisteredDelivery, RegisteredDeliveryReceipt,
    )
    from smpp.twisted.client import SMPPClientTransceiver
    from smpp.twisted.config import SMPPClientConfig

    receipts = defer.DeferredQueue()
    failures = []

    def message(receipt):
        kind = RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED if receipt else \
            RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED
        return SubmitSM(
            source_addr_ton=AddrTon.ALPHANUMERIC, source_addr=b"shop", dest_addr_ton=AddrTon.INTERNATIONAL,
            dest_addr_npi=AddrNpi.ISDN, destination_addr=TO.encode(), short_message=b"Hello",
            registered_delivery=RegisteredDelivery(kind),
        )

    @defer.inlineCallbacks
    def run():
        try:
            config = SMPPClientConfig(
                host=host, port=port, username=SYSTEM_ID, password=PASSWORD, sessionInitTimerSecs=TIMEOUT,
                responseTimerSecs=TIMEOUT,
            )
            smpp = yield SMPPClientTransceiver(config, lambda smpp, pdu: receipts.put(pdu)).connectAndBind()
            ids = []

            @defer.inlineCallbacks
            def submit(receipt):
                result = yield smpp.sendDataRequest(message(receipt))
                assert result.response.status == CommandStatus.ESME_ROK
                ids.append(result.response.params["message_id"].decode())

            if check == "burst":
                window = defer.DeferredSemaphore(WINDOW)
                yield defer.gatherResults([window.run(submit, False) for _ in range(BURST)], consumeErrors=True)
                check_ids(ids, BURST)
            elif check == "throttled":
                try:
                    yield submit(False)
                    raise AssertionError("accepted")
                except Exception as error:
                    # The package reports a status as an error of the transaction.
                    assert "ESME_RTHROTTLED" in repr(error) + str(error), error
            else:
                yield submit(check == "basic")
                check_ids(ids, 1)
            if check == "basic":
                receipt = yield receipts.get()
                assert receipt.params["short_message"].startswith(f"id:{ids[0]} ".encode()), receipt
            if check != "half-close":
                yield smpp.unbindAndDisconnect()
        except BaseException as error:
            failures.append(error)
        finally:
            reactor.stop()

    reactor.callWhenRunning(run)
    reactor.run()
    if failures:
        raise failures[0]


def main():
    peer, host, port, check = sys.argv[1:]
    run = {"smpplib": smpplib, "aiosmpplib": aiosmpplib, "smpp.twisted3": twisted}[peer]
    if asyncio.iscoroutinefunction(run):
        asyncio.run(asyncio.wait_for(run(host, int(port), check), TIMEOUT))
    else:
        run(host, int(port), check)


if __name__ == "__main__":
    main()
