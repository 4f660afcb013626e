/** One side of a recorded session played by us: the other side's bytes come from the recording. */
import { Duplex } from 'node:stream';

import { type MailboxGuid, openChannel, type Received } from '@dsync/protocol';
import {
  type Algorithm,
  DEFAULT_OPTIONS,
  type MailboxSyncState,
  masterHandshake,
  runMaster,
  runSlave,
  slaveHandshake,
  type SyncOptions,
  type SyncState,
} from '@dsync/sync';

import { decode, dsyncBytes } from '../../packages/protocol/test-kit/captures.ts';
import { normal } from './normal.ts';
import { mailsIn, readSaid, recordedStore } from './recorded-store.ts';
import { partUnspoken, quietAnswer, type Unspoken, unchangedOf, unspokenMailboxes, withUnspoken } from './unspoken.ts';

/** The side that starts the run is the master. */
export type Role = 'master' | 'slave';

/** How a recorded session went with us in the place of one side. */
export interface Replayed {
  readonly ours: readonly Received[];
  /** What we said of mailboxes of which the recorded master said nothing. */
  readonly unspoken: readonly Received[];
  /** Why the session failed; null: it did not. */
  readonly error: unknown;
}

const HOST = 'us.example.test';
/** Much longer than any session here takes. */
const STALL_MS = 5_000;

/** What the recorded side of that role said. */
export function recordedMessages(name: string, role: Role): readonly Received[] {
  return decode(dsyncBytes(name, role === 'master' ? 'client-to-server' : 'server-to-client')).messages;
}

/** @param enough messages of ours, as `normal` counts them, after which the peer says its last words, or leaves if it has none */
export async function replay(name: string, role: Role, enough: number): Promise<Replayed> {
  const own = recordedMessages(name, role);
  const peerBytes = dsyncBytes(name, role === 'master' ? 'server-to-client' : 'client-to-server');
  const peer = decode(peerBytes).messages;
  const master = role === 'master' ? own : peer;
  const states = savedStates(master);
  const common = new Map([...states].map(([guid, state]) => [guid, state.lastCommonUid]));
  const [ownSaid, peerSaid] = [readSaid(own), readSaid(peer)];
  const unspoken: Unspoken = role === 'master' ? unspokenMailboxes(states, ownSaid) : new Map();
  const unchanged = unchangedOf(unspoken, peerSaid);
  await using store = await recordedStore(withUnspoken(ownSaid, unspoken), peerSaid, common, sampleMails());
  const carrier = new RecordedPeer(peerBytes, enough, unchanged);
  const error = await (
    role === 'master' ? playMaster(store, carrier, optionsOf(master, states)) : playSlave(store, carrier)
  ).catch((reason: unknown) => reason);
  const { rest, ofThem } = partUnspoken(decode(carrier.said()).messages, unchanged);
  return { ours: rest, unspoken: ofThem, error };
}

/** All captures began with the same mails, which the first one transfers. */
const sampleMails = (): ReturnType<typeof mailsIn> =>
  mailsIn(decode(dsyncBytes('01-first-sync', 'client-to-server')).messages);

async function playMaster(
  store: Parameters<typeof runMaster>[0],
  carrier: RecordedPeer,
  options: SyncOptions,
): Promise<null> {
  await using channel = await openChannel(carrier, {
    role: 'master',
    handshake: masterHandshake(options, HOST),
    dialect: 'dovecot',
    stallTimeoutMs: STALL_MS,
  });
  await runMaster(store, channel, options, {}, HOST);
  return null;
}

async function playSlave(store: Parameters<typeof runSlave>[0], carrier: RecordedPeer): Promise<null> {
  await using channel = await openChannel(carrier, {
    role: 'slave',
    handshake: slaveHandshake(HOST),
    dialect: 'dovecot',
    stallTimeoutMs: STALL_MS,
  });
  await runSlave(store, channel, {}, HOST);
  return null;
}

/** The end of a stream: it comes when the other side has said all that the recorded one had said. */
const LAST_WORDS = /\n(?:F[^\n]*\n)?X\n$/;
/** Where the answer about a mailbox begins. */
const ANSWER = /^B([0-9a-f]{32})\t/gm;

/** Says the recorded bytes: all at once, or what is about a mailbox when asked for it, where it is asked for others too. */
class RecordedPeer extends Duplex {
  readonly #heard: Buffer[] = [];
  readonly #enough: number;
  readonly #unchanged: Unspoken;
  readonly #inTurn: boolean;
  readonly #answers = new Map<string, Buffer>();
  readonly #last: Buffer | null;
  #ended = false;

  constructor(bytes: Buffer, enough: number, unchanged: Unspoken) {
    super({ allowHalfOpen: true });
    this.#enough = enough;
    this.#unchanged = unchanged;
    this.#inTurn = unchanged.size > 0;
    const text = bytes.toString('latin1');
    const last = LAST_WORDS.exec(text);
    const end = last === null ? bytes.length : last.index + 1;
    this.#last = last === null ? null : bytes.subarray(end);
    const starts = this.#inTurn ? [...text.matchAll(ANSWER)] : [];
    for (const [at, { index, 1: guid = '' }] of starts.entries())
      this.#answers.set(guid, bytes.subarray(index, starts[at + 1]?.index ?? end));
    this.push(bytes.subarray(0, starts[0]?.index ?? end));
  }

  said(): Buffer {
    return Buffer.concat(this.#heard);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#heard.push(chunk);
    done();
    if (this.#ended) return;
    const { messages } = decode(this.said());
    const asked = messages.flatMap((message) => (message.kind === 'mailbox' ? [message.mailboxGuid] : []));
    const known = !this.#inTurn || asked.every((guid) => this.#answer(guid));
    if (known && normal(partUnspoken(messages, this.#unchanged).rest).length < this.#enough) return;
    this.#ended = true;
    this.push(known ? this.#last : null);
  }

  /** Once for each mailbox. False: what the recorded slave would have said is not known. */
  #answer(guid: MailboxGuid): boolean {
    const numbers = this.#unchanged.get(guid);
    const answer = this.#answers.get(guid) ?? (numbers === undefined ? null : quietAnswer(numbers));
    if (answer === null) return false;
    if (answer.length > 0) this.push(answer);
    this.#answers.set(guid, Buffer.alloc(0));
    return true;
  }

  override _read(): void {}
}

/** The states that a master told before its tree. */
function savedStates(master: readonly Received[]): SyncState {
  const states = new Map<MailboxGuid, MailboxSyncState>();
  for (const message of master.slice(1)) {
    if (message.kind !== 'mailboxState') break;
    states.set(message.mailboxGuid, {
      uidValidity: message.lastUidValidity,
      lastCommonUid: message.lastCommonUid,
      lastCommonModseq: message.lastCommonModseq,
      lastCommonPrivateModseq: message.lastCommonPrivateModseq,
      messages: message.messages ?? 0,
    });
  }
  return states;
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = { f: 'full', c: 'changed', s: 'state' };

/** What the recorded master was asked to do. */
function optionsOf(master: readonly Received[], state: SyncState): SyncOptions {
  const [asked] = master;
  if (asked?.kind !== 'handshake') throw new Error('the recording begins with something else than a handshake');
  const oneSided = asked.backupReceive === true || asked.backupSend === true;
  const number = (value: bigint | undefined): number | undefined => (value === undefined ? undefined : Number(value));
  const [since, until, maxSize] = [asked.since, asked.until, asked.maxSize].map(number);
  return {
    ...DEFAULT_OPTIONS,
    mode: oneSided ? (asked.noBackupOverwrite ? 'one-way' : 'backup') : 'two-way',
    reverse: asked.backupSend === true,
    algorithm: ALGORITHMS[asked.algorithm ?? 'f'] ?? 'full',
    state: asked.algorithm === 's' ? state : null,
    selection: { ...DEFAULT_OPTIONS.selection, ...(asked.mailbox === undefined ? {} : { mailbox: asked.mailbox }) },
    filter: {
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(maxSize === undefined ? {} : { maxSize }),
      ...(asked.flagFilter === undefined ? {} : { flag: asked.flagFilter }),
    },
    lockTimeout: asked.lockTimeout ?? 0,
  };
}
