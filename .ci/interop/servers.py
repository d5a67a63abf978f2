"""Other SMSCs for our client: python servers.py smpp.twisted3|smpp34 [PORT]

Prints "listening on ADDRESS:PORT", then accepts every message, but refuses the first one with the text "throttle" with
ESME_RTHROTTLED. The package smpp34 is the server of the Rust crate, as its author builds it.
"""

import asyncio
import itertools
import logging
import socket
import sys

logging.disable(logging.CRITICAL)


def twisted():
    from twisted.cred.checkers import ICredentialsChecker
    from twisted.cred.credentials import IUsernamePassword
    from twisted.cred.portal import IRealm, Portal
    from twisted.internet import reactor
    from smpp.pdu.operations import SubmitSM
    from smpp.pdu.pdu_types import CommandStatus
    from smpp.twisted.config import SMPPServerConfig
    from smpp.twisted.protocol import DataHandlerResponse
    from smpp.twisted.server import SMPPServerFactory
    from zope.interface import implementer

    numbers, throttled = itertools.count(1), []

    def handle(system_id, smpp, pdu):
        if not isinstance(pdu, SubmitSM):
            return CommandStatus.ESME_RINVCMDID
        if pdu.params["short_message"] == b"throttle" and not throttled:
            throttled.append(True)
            return CommandStatus.ESME_RTHROTTLED
        return DataHandlerResponse(CommandStatus.ESME_ROK, message_id=str(next(numbers)).encode())

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, avatarId, mind, *interfaces):
            return (interfaces[0], avatarId, lambda: None)

    @implementer(ICredentialsChecker)
    class Anybody:
        credentialInterfaces = (IUsernamePassword,)

        def requestAvatarId(self, credentials):
            return credentials.username

    config = SMPPServerConfig(
        msgHandler=handle, systems={"shop": {"max_bindings": 4}}, inactivityTimerSecs=120, sessionInitTimerSecs=30,
        responseTimerSecs=30,
    )
    factory = SMPPServerFactory(config, auth_portal=Portal(Realm(), [Anybody()]))
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{port.getHost().port}", flush=True)
    reactor.run()


async def smpp34():
    import smpp34

    # The server takes no port 0: it gets one that was free a moment ago.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = smpp34.Server("127.0.0.1", port, system_id="smpp34")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    throttled = False
    for number in itertools.count(1):
        event = await server.next()
        if isinstance(event, smpp34.SubmitSmEvent):
            if event.short_message == b"throttle" and not throttled:
                throttled = True
                event.reject(smpp34.ESME_RTHROTTLED)
            else:
                event.accept(str(number))


if __name__ == "__main__":
    if sys.argv[1] == "smpp34":
        asyncio.run(smpp34())
    else:
        twisted()
