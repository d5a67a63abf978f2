// Tests the client of the npm package `smpp` against our SMSC. `SMSC` is the URL of `smpp smsc`, `INTEROP` that of
// `interop smsc`.
'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { smpp, Peer } = require('./session.js');

const { SMSC, INTEROP } = process.env;
const GSM = 'Price: £$@Ö[]{}€';
// 3GPP TS 23.038 §6.2.1, an octet for each septet.
const GSM_OCTETS = '50726963653a200102005c1b3c1b3e1b281b291b65';
const LONG = 'Each segment of a long text has a header that says which segment it is. '.repeat(4);

async function bound(mode = 'bind_transceiver', url = SMSC) {
  const peer = await Peer.connect(url);
  const answer = await peer.request(mode, { system_id: 'shop', password: 's3cret', interface_version: 0x34 });
  assert.equal(answer.command_status, 0, `${mode} was refused`);
  return { peer, answer };
}

async function unbound(peer) {
  const answer = await peer.request('unbind');
  assert.deepEqual([answer.command, answer.command_status], ['unbind_resp', 0]);
  await peer.end('unbind');
  assert.deepEqual(peer.errors, []);
}

function submit(peer, fields) {
  return peer.request('submit_sm', {
    source_addr_ton: 5,
    source_addr: 'shop',
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    destination_addr: '6591234567',
    registered_delivery: 1,
    ...fields,
  });
}

/** Waits for the receipt of this id and checks its fields. Returns its text. */
async function receipt(peer, id) {
  const pdu = await peer.pdus.take(
    (pdu) => pdu.command === 'deliver_sm' && text(pdu).startsWith(`id:${id} `),
    `the receipt for ${id}`,
  );
  assert.equal(pdu.esm_class & 0x3c, 4, 'esm_class marks a receipt');
  assert.equal(pdu.message_state, 2, 'message_state is DELIVERED');
  assert.deepEqual([pdu.source_addr, pdu.destination_addr], ['6591234567', 'shop']);
  assert.match(text(pdu), / sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} stat:DELIVRD err:000 text:/i);
  return text(pdu).replace(/^.* text:/is, '');
}

function text(pdu) {
  return pdu.short_message.message.toString();
}

// A failed test must not hold a bind that the next test needs.
test.afterEach(() => Peer.closeAll());

for (const mode of ['bind_transmitter', 'bind_receiver', 'bind_transceiver']) {
  test(`${mode}: admitted, probed, unbound`, async () => {
    const { peer, answer } = await bound(mode);
    assert.equal(answer.command, `${mode}_resp`);
    assert.equal(answer.system_id, '8x8_demo');
    assert.equal(answer.sc_interface_version, 0x34);
    const alive = await peer.request('enquire_link');
    assert.deepEqual([alive.command, alive.command_status], ['enquire_link_resp', 0]);
    await unbound(peer);
  });
}

test('a wrong password, an unknown system_id: refused, and the connection ends', async () => {
  for (const [system_id, password, status] of [
    ['shop', 'guessed', smpp.ESME_RINVPASWD],
    ['unknown', 's3cret', smpp.ESME_RINVSYSID],
  ]) {
    const peer = await Peer.connect(SMSC);
    const answer = await peer.request('bind_transceiver', { system_id, password });
    assert.equal(answer.command_status, status);
    await peer.end('a refused bind');
  }
});

test('GSM text: octets arrive, the receipt matches the id', async () => {
  const { peer } = await bound();
  const answer = await submit(peer, { data_coding: 0, short_message: GSM });
  assert.equal(answer.command_status, 0);
  assert.match(answer.message_id, /^[0-9a-f-]{36}$/);
  assert.equal(await receipt(peer, answer.message_id), GSM);
  const raw = await submit(peer, { data_coding: 0, short_message: Buffer.from(GSM_OCTETS, 'hex') });
  assert.equal(await receipt(peer, raw.message_id), GSM);
  await unbound(peer);
});

test('UCS-2 with an emoji: counted as one character', async () => {
  const { peer } = await bound();
  const answer = await submit(peer, { data_coding: 8, short_message: 'Ж👋 ab' });
  assert.equal(answer.command_status, 0);
  // The receipt has the text in the GSM alphabet: a question mark for each character that it lacks.
  assert.equal(await receipt(peer, answer.message_id), '?? ab');
  await unbound(peer);
});

test('a long text in segments: each has an id and a receipt, whose text has no header', async () => {
  const { peer } = await bound();
  const segments = LONG.match(/.{1,153}/g);
  const answers = await Promise.all(
    segments.map((message, index) =>
      submit(peer, {
        data_coding: 0,
        short_message: { udh: Buffer.from([5, 0, 3, 7, segments.length, index + 1]), message },
      }),
    ),
  );
  assert.deepEqual(answers.map((answer) => answer.command_status), segments.map(() => 0));
  const ids = answers.map((answer) => answer.message_id);
  assert.equal(new Set(ids).size, segments.length, 'each segment has an id of its own');
  const texts = segments.map((segment) => segment.slice(0, 20));
  assert.deepEqual(await Promise.all(ids.map((id) => receipt(peer, id))), texts);
  await unbound(peer);
});

test('a request that cannot be served: a status, and the session stays bound', async () => {
  const { peer } = await bound();
  assert.equal((await submit(peer, { destination_addr: 'x' })).command_status, smpp.ESME_RINVDSTADR);
  const query = await peer.request('query_sm', { message_id: 'no such id' });
  assert.equal(query.command, 'query_sm_resp');
  assert.notEqual(query.command_status, 0, 'there is no such message');
  assert.equal((await peer.request('enquire_link')).command_status, 0);
  await unbound(peer);
});

test('a fifth bind: refused until one of the four has ended', async () => {
  const held = [];
  for (let count = 0; count < 4; count += 1) held.push((await bound()).peer);
  const fifth = await Peer.connect(SMSC);
  const answer = await fifth.request('bind_transceiver', { system_id: 'shop', password: 's3cret' });
  assert.equal(answer.command_status, smpp.ESME_RALYBND);
  await fifth.end('a refused bind');
  await unbound(held.pop());
  held.push((await bound()).peer);
  for (const peer of held) await unbound(peer);
});

test('the SMSC sends enquire_link, delivers messages in segments, and unbinds', async () => {
  const { peer } = await bound('bind_transceiver', INTEROP);
  await peer.next('enquire_link');
  const segments = [];
  for (let number = 1; number <= 2; number += 1) {
    const { short_message, esm_class } = await peer.next('deliver_sm');
    assert.equal(esm_class, 0x40);
    assert.equal(Buffer.concat(short_message.udh).toString('hex'), `000307020${number}`);
    segments.push(short_message.message);
  }
  assert.equal(segments.join(''), 'A long text for a phone comes in segments, with escapes: €[]{}. '.repeat(4));
  const emoji = await peer.next('deliver_sm');
  assert.deepEqual([emoji.data_coding, text(emoji)], [8, '👋 from a phone']);
  const unbind = await peer.next('unbind');
  peer.session.send(unbind.response());
  await peer.end('unbind');
  assert.deepEqual(peer.errors, []);
});
