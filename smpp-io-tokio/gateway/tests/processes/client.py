"""Publishes a message with the official client for Python, twice, and prints the events about it until its receipt."""

import asyncio
import json
import sys

import nats


async def main(server, account):
    client = await nats.connect(server)
    jetstream = client.jetstream()
    message = {"key": "python-1", "from": "8x8", "to": "+6591234567", "text": "Hello from Python"}
    events = await jetstream.subscribe(f"sms.{account}.event.>")
    for _ in range(2):
        stored = await jetstream.publish(
            f"sms.{account}.send.normal",
            json.dumps(message).encode(),
            headers={"Nats-Msg-Id": message["key"]},
        )
        print("published", "again" if stored.duplicate else "once", flush=True)
    async for event in events.messages:
        await event.ack()
        content = json.loads(event.data)
        kind = event.subject.split(".")[3]
        if content.get("key") == message["key"]:
            print(kind, flush=True)
        if kind == "receipt":
            break
    await client.close()


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 30))
