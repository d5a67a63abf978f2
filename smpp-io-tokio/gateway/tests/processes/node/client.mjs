// Publishes a message with the official client for Node, twice, and prints the events about it until its receipt.

import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";

const [server, account] = process.argv.slice(2);
const client = await connect({ servers: server });
const manager = await jetstreamManager(client);
const js = jetstream(client);
const message = { key: "node-1", from: "8x8", to: "+6591234568", text: "Hello from Node" };
for (let time = 0; time < 2; time++) {
  const stored = await js.publish(`sms.${account}.send.normal`, JSON.stringify(message), { msgID: message.key });
  console.log("published", stored.duplicate ? "again" : "once");
}
const stream = `SMS-${account}-EVENT`;
const { name } = await manager.consumers.add(stream, { ack_policy: "none" });
const consumer = await js.consumers.get(stream, name);
for await (const event of await consumer.consume()) {
  const kind = event.subject.split(".")[3];
  if (event.json().key === message.key) {
    console.log(kind);
  }
  if (kind === "receipt") {
    break;
  }
}
await client.close();
