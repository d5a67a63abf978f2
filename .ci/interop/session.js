// Sessions of the npm package `smpp`, with promises that time out.
'use strict';

const smpp = require(process.env.SMPP_PACKAGE);

const TIMEOUT = 15000;

/** Fails if the promise takes too long; `what` names it in the error. */
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${TIMEOUT} ms`)), TIMEOUT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A queue from which a consumer takes items that match a condition. */
class Mailbox {
  constructor() {
    this.queued = [];
    this.waiting = [];
  }

  put(item) {
    const at = this.waiting.findIndex(({ wanted }) => wanted(item));
    if (at < 0) this.queued.push(item);
    else this.waiting.splice(at, 1)[0].resolve(item);
  }

  take(wanted, what) {
    const at = this.queued.findIndex(wanted);
    if (at >= 0) return Promise.resolve(this.queued.splice(at, 1)[0]);
    return within(new Promise((resolve) => this.waiting.push({ wanted, resolve })), what);
  }
}

/** A session with promises for requests, received PDUs and the end. */
class Peer {
  static open = new Set();

  constructor(session) {
    Peer.open.add(this);
    this.session = session;
    this.pdus = new Mailbox();
    this.closed = new Promise((resolve) => session.on('close', resolve));
    this.errors = [];
    session.on('error', (error) => this.errors.push(error.message));
    session.on('pdu', (pdu) => this.pdus.put(pdu));
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('deliver_sm', (pdu) => session.send(pdu.response()));
  }

  static connect(url) {
    let peer;
    const connected = new Promise((resolve) => {
      peer = new Peer(smpp.connect({ url: url.replace('smpps:', 'ssmpp:') }, resolve));
    });
    const failed = new Promise((_, reject) => peer.session.on('error', reject));
    return within(Promise.race([connected, failed]), `the connection to ${url}`).then(() => peer);
  }

  static closeAll() {
    for (const peer of Peer.open) peer.session.destroy();
    Peer.open.clear();
  }

  request(operation, fields = {}) {
    return within(new Promise((resolve) => this.session[operation](fields, resolve)), `${operation}_resp`);
  }

  /** Waits for the next PDU of this command, including one that has arrived already. */
  next(command) {
    return this.pdus.take((pdu) => pdu.command === command, command);
  }

  end(what) {
    return within(this.closed, `the end of the connection after ${what}`);
  }
}

module.exports = { smpp, Peer, Mailbox, within };
