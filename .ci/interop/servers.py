"""An SMSC with smpp.twisted3 for our client: python servers.py

Prints "listening on ADDRESS:PORT", then accepts every message, but refuses the first one with the text "throttle" with
ESME_RTHROTTLED.
"""

import itertools
import logging

logging.disable(logging.CRITICAL)


def main():
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


if __name__ == "__main__":
    main()
