// Tests our clients against a server of the npm package `smpp`. `SMPP` is the path of the command `smpp`,
// `INTEROP_PROGRAM` that of the example `interop`. `TLS` is a folder with key.pem, cert.pem and ca.pem: if it is set, every
// connection uses TLS.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { smpp, Peer, within } = require('./session.js');

const { SMPP, INTEROP_PROGRAM, TLS } = process.env;
const GSM = 'Price: £$@Ö[]{}€';
const EMOJI = 'Ж👋 ab';
const LONG = 'Each segment of a long text has a header, and none is cut within a €. '.repeat(5);

/** Starts a server that runs `serve` for each session. */
async function listen(serve) {
  const file = (name) => fs.readFileSync(path.join(TLS, name));
  const options = TLS ? { key: file('key.pem'), cert: file('cert.pem') } : {};
  const failures = [];
  const server = smpp.createServer(options, (session) => {
    serve(new Peer(session)).catch((error) => failures.push(error));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `${TLS ? 'smpps' : 'smpp'}://shop@localhost:${server.address().port}`;
  return { url, failures, close: () => server.close() };
}

/** Runs a program to its end. Returns its exit status and the JSON objects that it prints. */
async function run([program, ...first], args, password = 's3cret') {
  const trust = TLS ? ['--ca', path.join(TLS, 'ca.pem')] : [];
  const child = spawn(program, [...first, ...args, ...trust], {
    env: { ...process.env, SMPP_PASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  try {
    const status = await within(new Promise((resolve) => child.on('close', resolve)), `the end of ${program}`);
    assert.equal(stderr, '', `${program} writes to the standard error`);
    return { status, events: stdout.trim().split('\n').map((line) => JSON.parse(line)) };
  } finally {
    child.kill();
  }
}

/** Runs a program against a server; a failure of the server is thrown first. */
async function exchange(serve, command, args, password) {
  const server = await listen(serve);
  try {
    const result = await run(command, args(server.url), password);
    assert.deepEqual(server.failures, []);
    return result;
  } catch (error) {
    throw server.failures[0] ?? error;
  } finally {
    server.close();
    Peer.closeAll();
  }
}

/** Answers a bind: accepts it if the password is right. Returns whether it was. */
async function admit(peer, mode = 'bind_transceiver') {
  const bind = await peer.next(mode);
  assert.deepEqual([bind.system_id, bind.interface_version], ['shop', 0x34]);
  const admitted = bind.password === 's3cret';
  peer.session.send(bind.response(admitted ? { system_id: 'theirs' } : { command_status: smpp.ESME_RINVPASWD }));
  return admitted;
}

async function unbound(peer) {
  peer.session.send((await peer.next('unbind')).response());
  await peer.end('unbind');
  assert.deepEqual(peer.errors, []);
}

/** Returns the user data header and the text as they arrived. */
function octets(pdu) {
  const { udh, message } = pdu.short_message;
  return { header: udh ? Buffer.concat(udh).toString('hex') : '', message };
}

for (const options of [[], ['--blocking']]) {
  const command = [SMPP, 'send', ...options];
  const name = ['send', ...options].join(' ');

  /**
   * Sends a text, and returns the segments that the server received. Receipts are sent in reverse order, the first
   * before its response.
   */
  const send = async (text, count) => {
    const segments = [];
    const result = await exchange(
      async (peer) => {
        assert.ok(await admit(peer));
        for (let number = 1; number <= count; number += 1) {
          const pdu = await peer.next('submit_sm');
          segments.push(pdu);
          if (number === count) receipt(peer, pdu, number);
          peer.session.send(pdu.response({ message_id: `A${number}` }));
        }
        assert.equal((await peer.request('enquire_link')).command, 'enquire_link_resp');
        for (let number = count - 1; number >= 1; number -= 1) receipt(peer, segments[number - 1], number);
        for (let number = 1; number <= count; number += 1) {
          assert.equal((await peer.next('deliver_sm_resp')).command_status, 0);
        }
        await unbound(peer);
      },
      command,
      (url) => ['--url', url, '--to', '6591234567', '--text', text, '--json', '--timeout', '10'],
    );
    const ids = segments.map((_, index) => `A${index + 1}`);
    const of = (event) => result.events.filter((line) => line.event === event);
    assert.deepEqual(of('error'), []);
    assert.deepEqual(of('bound').map(({ smsc }) => smsc), ['theirs']);
    assert.deepEqual(of('accepted').map(({ message_id }) => message_id), ids);
    const receipts = of('receipt').map(({ message_id, state, final }) => [message_id, state, final]);
    assert.deepEqual(receipts.sort(), ids.map((id) => [id, 'DELIVERED', true]));
    assert.deepEqual([of('unbound').length, result.status], [1, 0]);
    for (const pdu of segments) {
      assert.deepEqual([pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi], ['8x8', 5, 0]);
      assert.deepEqual([pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi], ['6591234567', 1, 1]);
      assert.equal(pdu.registered_delivery, 1);
    }
    return segments;
  };

  const receipt = (peer, pdu, number) =>
    peer.session.deliver_sm({
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      esm_class: 4,
      short_message:
        `id:A${number} sub:001 dlvrd:001 submit date:2611250900 done date:2611250901 ` +
        'stat:DELIVRD err:000 text:',
    });

  test(`${name}: GSM text`, async () => {
    const [pdu] = await send(GSM, 1);
    assert.deepEqual([pdu.data_coding, pdu.esm_class, octets(pdu).message], [0, 0, GSM]);
  });

  test(`${name}: UCS-2 with an emoji`, async () => {
    const [pdu] = await send(EMOJI, 1);
    assert.deepEqual([pdu.data_coding, pdu.esm_class, octets(pdu).message], [8, 0, EMOJI]);
  });

  test(`${name}: a long text in segments, receipts in any order`, async () => {
    const segments = await send(LONG, 3);
    assert.deepEqual(segments.map((pdu) => pdu.esm_class), [0x40, 0x40, 0x40]);
    // The reference, in 16 bits, is the number of the message.
    assert.deepEqual(segments.map((pdu) => octets(pdu).header), ['080400010301', '080400010302', '080400010303']);
    assert.equal(segments.map((pdu) => octets(pdu).message).join(''), LONG);
  });

  test(`${name}: a wrong password`, async () => {
    const result = await exchange(
      async (peer) => {
        assert.ok(!(await admit(peer)));
        await peer.end('a refused bind');
      },
      command,
      (url) => ['--url', url, '--to', '6591234567', '--text', 'Hello', '--json'],
      'guessed',
    );
    const error = result.events.at(-1);
    assert.deepEqual([error.event, result.status], ['error', 1]);
    assert.match(error.error, /ESME_RINVPASWD/);
    assert.ok(!JSON.stringify(result.events).includes('guessed'), 'the output has the password');
  });

  test(`${name}: the SMSC unbinds`, async () => {
    const result = await exchange(
      async (peer) => {
        assert.ok(await admit(peer));
        peer.session.send((await peer.next('submit_sm')).response({ message_id: 'A1' }));
        assert.equal((await peer.request('unbind')).command, 'unbind_resp');
        await peer.end('unbind');
      },
      command,
      (url) => ['--url', url, '--to', '6591234567', '--text', 'Hello', '--json', '--timeout', '10'],
    );
    const errors = result.events.filter(({ event }) => event === 'error').map(({ error }) => error);
    assert.match(errors.join('\n'), /no receipt for message 1 segment 1\/1 \(A1\)/);
    assert.equal(result.status, 1);
  });

  if (TLS) {
    test(`${name}: a certificate for another host`, async () => {
      const server = await listen(async () => {});
      const result = await run(command, [
        ...['--url', server.url.replace('localhost', '127.0.0.1')],
        ...['--to', '6591234567', '--text', 'Hello', '--json'],
      ]);
      server.close();
      assert.deepEqual([result.events.at(-1).event, result.status], ['error', 1]);
      assert.match(result.events.at(-1).error, /certificate/);
    });
  }
}

test('interop: each mode of bind, messages in segments, an unbind by the SMSC, a fifth bind', async () => {
  const modes = ['bind_transmitter', 'bind_receiver', ...Array(5).fill('bind_transceiver')];
  const serve = async (peer) => {
    const mode = modes.shift();
    if (modes.length === 0) {
      const bind = await peer.next(mode);
      peer.session.send(bind.response({ command_status: smpp.ESME_RALYBND }));
      return peer.end('a refused bind');
    }
    assert.ok(await admit(peer, mode));
    if (mode !== 'bind_receiver') return unbound(peer);
    const deliver = (fields) =>
      peer.request('deliver_sm', { source_addr: '6591234567', destination_addr: '6580000000', ...fields });
    const header = (number) => Buffer.from([5, 0, 3, 9, 2, number]);
    const answers = [
      await deliver({ data_coding: 0, short_message: { udh: header(2), message: '{second}' } }),
      await deliver({ data_coding: 0, short_message: { udh: header(1), message: 'first € and ' } }),
      await deliver({ data_coding: 8, short_message: EMOJI }),
    ];
    const statuses = answers.map(({ command, command_status }) => [command, command_status]);
    assert.deepEqual(statuses, Array(3).fill(['deliver_sm_resp', 0]));
    assert.equal((await peer.request('unbind')).command, 'unbind_resp');
    return peer.end('unbind');
  };
  const { status, events } = await exchange(serve, [INTEROP_PROGRAM], (url) => ['esme', '--url', url]);
  const bound = (mode) => ({ event: 'bound', mode, smsc: 'theirs' });
  const message = { event: 'message', from: '6591234567', to: '6580000000' };
  assert.deepEqual(events, [
    bound('transmitter'),
    { event: 'alive' },
    { event: 'ended', reason: 'closed by unbind of this side' },
    bound('receiver'),
    { ...message, segments: 2, text: 'first € and {second}' },
    { ...message, segments: 1, text: EMOJI },
    { event: 'ended', reason: 'the peer unbound' },
    ...Array(4).fill(bound('transceiver')),
    { event: 'refused', held: 4, status: 'ESME_RALYBND' },
    ...Array(4).fill({ event: 'ended', reason: 'closed by unbind of this side' }),
  ]);
  assert.equal(status, 0);
});
