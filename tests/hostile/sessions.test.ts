/** A peer that has logged in, or that was connected to, misbehaves within the session: as the programs' users see it. */
import { mailboxGuid, type Channel, type Message, uid } from '@dsync/protocol';
import { describe, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/maildir-side.ts';
import { guidOf } from '../support/mails.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { type Attack, playClient, playServer } from './attacker.ts';
import { flip, MARK } from './changed-byte.ts';
import { announcement } from './announcement.ts';
import { dsync, expectRefusal, startImpostor, startServer, syncedPair } from './programs.ts';

const GUID = mailboxGuid('a1'.padStart(32, '0'));

/** A line of Dovecot's text about a mailbox of this name. */
const nodeLine = (name: string): Buffer => Buffer.from(`N${name}\ty\t${GUID}\t7\t1\n`);

const says =
  (bytes: Buffer): Attack['run'] =>
  async (channel, carrier) => {
    carrier.write(bytes);
    for (;;) await channel.session.receive();
  };

/** Has the same INBOX and one mail more in it, and sends that when it is asked for. */
const offers =
  (role: 'master' | 'slave'): Attack['run'] =>
  async (channel) => {
    const inbox = await exchangeTrees(channel);
    const box = role === 'master' ? channel.openMailbox() : await channel.acceptMailbox();
    if (box === null) return;
    const theirs = role === 'master' ? null : await box.receive();
    const guid = theirs?.kind === 'mailbox' ? theirs.mailboxGuid : inbox;
    await box.send(announcement(guid, { uidValidity: 7, uidNext: 100, messages: 1 }));
    await box.send({ kind: 'listEnd' });
    await box.send({ kind: 'mailChange', type: 's', uid: uid(99), guid: guidOf('new'), modseq: 9n });
    await box.send({ kind: 'listEnd' });
    await box.send({ kind: 'listEnd' });
    await channel.flush();
    for (;;) if ((await box.receive()).kind === 'mailRequest') break;
    const mail: Message = { kind: 'mail', guid: guidOf('new'), uid: uid(99), received: 5, stream: true };
    await box.send(mail, Buffer.from(`${MARK}\n`));
    await channel.flush();
    for (;;) await box.receive();
  };

/** Tells the tree that it hears. @returns the GUID of the INBOX */
async function exchangeTrees(channel: Channel): Promise<typeof GUID> {
  let inbox = GUID;
  for (;;) {
    const message = await channel.session.receive();
    if (message.kind === 'treeNode' && message.path[0] === 'INBOX') inbox = message.mailboxGuid ?? inbox;
    // Equal but for the INBOX, which has more.
    if (message.kind === 'treeNode' && message.path[0] === 'INBOX')
      await channel.session.send({ ...message, uidNext: 100, highestModseq: 9n });
    else if (message.kind === 'treeNode' || message.kind === 'listEnd' || message.kind === 'mailboxDelete')
      await channel.session.send(message);
    if (message.kind === 'mailboxDelete') break;
  }
  await channel.flush();
  return inbox;
}

const ATTACKS: readonly (readonly [
  string,
  Pick<Attack, 'dialect' | 'change'>,
  (role: 'master' | 'slave') => Attack['run'],
  RegExp,
])[] = [
  [
    'a frame of 1 MiB and one byte',
    { dialect: 'native' },
    () => says(Buffer.from('0010000101', 'hex')),
    /frame of 1048577 bytes/,
  ],
  ['garbage in the session', { dialect: 'native' }, () => says(Buffer.alloc(5000, 0xc1)), /frame of/],
  ['a line of 9 MiB', { dialect: 'dovecot' }, () => says(Buffer.alloc(9 * 1024 * 1024, 'x')), /line of over/],
  ['a name with NUL', { dialect: 'dovecot' }, () => says(nodeLine('a\u00010b')), /NUL, CR or LF in the name/],
  ['a name with CR', { dialect: 'dovecot' }, () => says(nodeLine('a\u0001rb')), /NUL, CR or LF in the name/],
  [
    'a name of 5,000 characters',
    { dialect: 'dovecot' },
    () => says(nodeLine('x'.repeat(5000))),
    /mailbox name too long/,
  ],
  ['a mail with another digest', { dialect: 'native', change: flip }, offers, /other bytes than were sent/],
  ['silence', { dialect: 'native' }, () => () => new Promise(() => {}), /stalled/],
];

describe('a client whose server sends', () => {
  test.each(ATTACKS)('%s says so in one line and ends with 75', async (_what, how, runAs, message) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1');
    await using impostor = await startImpostor((socket) => void playServer(socket, { ...how, run: runAs('slave') }));
    await expectRefusal(
      pair,
      () => dsync(pair.near, ['sync', '-u', 'far', '-T', '1', `tcp:127.0.0.1:${impostor.port}`]),
      75,
      message,
    );
  });
});

describe('a server whose client sends', () => {
  test.each(ATTACKS)('%s logs it in one line and serves the next', async (_what, how, runAs, message) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1');
    await using server = await startServer(folder.path);
    const before = snapshotOf(pair.far);
    const logged = server.logs(/Error: /);
    const playing = playClient(server.port, 'far', { ...how, run: runAs('master') });
    await logged;
    expect(snapshotOf(pair.far)).toEqual(before);
    const errors = server
      .said()
      .split('\n')
      .filter((line) => line.includes('Error: '));
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect((await dsync(pair.near, ['sync', '-u', 'far', `tcp:127.0.0.1:${server.port}`])).status).toBe(0);
    void playing;
  });
});
