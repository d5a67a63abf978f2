// The npm package `smpp` in both roles, beyond client.js and server.js:
//
//   node burst.js client URL basic|burst|half-close|throttled    see clients.py
//   node burst.js server                                         see servers.py
'use strict';

const assert = require('node:assert/strict');
const { smpp, Peer } = require('./session.js');

const BURST = 1000;
const WINDOW = 100;

async function client(url, check) {
  const peer = await Peer.connect(url);
  const bound = await peer.request('bind_transceiver', { system_id: 'shop', password: 's3cret' });
  assert.equal(bound.command_status, 0);
  const submit = (registered_delivery) =>
    peer.request('submit_sm', {
      source_addr_ton: 5,
      source_addr: 'shop',
      dest_addr_ton: 1,
      dest_addr_npi: 1,
      destination_addr: '6591234567',
      registered_delivery,
      short_message: 'Hello',
    });
  if (check === 'burst') {
    const ids = new Set();
    let left = BURST;
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        const answer = await submit(0);
        assert.equal(answer.command_status, 0);
        ids.add(answer.message_id);
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, worker));
    assert.equal(ids.size, BURST);
  } else {
    const answer = await submit(check === 'basic' ? 1 : 0);
    assert.equal(answer.command_status, check === 'throttled' ? smpp.ESME_RTHROTTLED : 0);
    if (check === 'basic') {
      const receipt = await peer.next('deliver_sm');
      assert.ok(receipt.short_message.message.toString().startsWith(`id:${answer.message_id} `));
    }
  }
  if (check === 'half-close') return peer.end('half-close');
  assert.equal((await peer.request('unbind')).command_status, 0);
  await peer.end('unbind');
}

function server() {
  let number = 0;
  let throttled = false;
  const listener = smpp.createServer((session) => {
    session.on('error', () => {});
    for (const mode of ['bind_transceiver', 'bind_transmitter', 'bind_receiver', 'enquire_link']) {
      session.on(mode, (pdu) => session.send(pdu.response({ system_id: 'npm' })));
    }
    session.on('submit_sm', (pdu) => {
      const refused = pdu.short_message.message === 'throttle' && !throttled;
      throttled ||= refused;
      const fields = refused ? { command_status: smpp.ESME_RTHROTTLED } : { message_id: `${++number}` };
      session.send(pdu.response(fields));
    });
    session.on('unbind', (pdu) => {
      session.send(pdu.response());
      session.close();
    });
  });
  listener.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${listener.address().port}`));
}

const [role, url, check] = process.argv.slice(2);
if (role === 'server') server();
else client(url, check).then(() => process.exit(0));
