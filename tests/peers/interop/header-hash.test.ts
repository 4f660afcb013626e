/**
 * A store of ours that keeps no GUIDs with a real Dovecot's Maildir: mails are recognised by their headers in every run,
 * and both ends have to see the same.
 */
import { spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';

import { expect, jest, test } from '@jest/globals';

import { FLAG, joinStreams, mailboxGuid, openChannel } from '@dsync/protocol';
import { createMemoryStore, type MemoryStore } from '@dsync/storage';
import {
  DEFAULT_OPTIONS,
  masterHandshake,
  runMaster,
  runSlave,
  slaveHandshake,
  type SyncOptions,
  type SyncState,
} from '@dsync/sync';

import { share } from '../../support/share.ts';
import { listenOnFreePort } from '../../support/sockets.ts';
import { type Dovecot, startDovecot, troubles } from '../rig/dovecot.ts';
import { ImapClient } from '../rig/imap.ts';
import { judgeAccount } from '../rig/judge.ts';
import { withEachVersion } from './each-version.ts';

jest.setTimeout(60_000);

const INBOX = ['INBOX'];
const USERS = Array.from({ length: 12 }, (_, i) => `h${i}`);

const text = (id: string): Buffer =>
  Buffer.from(
    id === ''
      ? 'Subject: none\r\n\r\nx\r\n'
      : `Date: Tue, 14 Nov 2023 ?\r\nMessage-ID:\r\n <${id}@example.org>\r\n\r\n${id}\r\n`,
  );

/** One user with an account at each end. */
interface Pair {
  readonly dovecot: Dovecot;
  readonly user: string;
  readonly store: MemoryStore;
  run(options?: Partial<SyncOptions>): Promise<SyncState | null>;
}

const HOST = 'test.example.org';

const weStart = async (
  dovecot: Dovecot,
  user: string,
  store: MemoryStore,
  options: SyncOptions,
): Promise<SyncState | null> => {
  const [program = '', ...args] = dovecot.doveadmCommand(['dsync-server', '-u', user]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const carrier = joinStreams(child.stdout, child.stdin);
  await using channel = await openChannel(carrier, { role: 'master', handshake: masterHandshake(options, HOST) });
  const report = await runMaster(store, channel, options, {}, HOST);
  expect(report.unexpected).toEqual([]);
  await channel.close();
  await closed;
  return report.state;
};

/** Bash connects a doveadm's command with this process, in a chroot too. */
const BRIDGE = 'exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & cat >&3; wait';

const theyStart = async (
  dovecot: Dovecot,
  user: string,
  store: MemoryStore,
  verb: readonly string[],
): Promise<null> => {
  const server = createServer();
  const port = await listenOnFreePort(server);
  const serve = async (): Promise<void> => {
    const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve));
    await using channel = await openChannel(socket, { role: 'slave', handshake: slaveHandshake(HOST) });
    const report = await runSlave(store, channel, {}, HOST);
    expect(report.unexpected).toEqual([]);
  };
  const serving = serve();
  serving.catch(() => undefined);
  const [command = '', ...options] = verb;
  const outcome = await dovecot.doveadm([command, ...options, '-u', user, 'bash', '-c', BRIDGE, String(port)]);
  server.close();
  expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: 0, stderr: '' });
  await serving;
  return null;
};

const withImap = async (pair: Pair, ...commands: readonly (string | Buffer)[]): Promise<void> => {
  await using imap = await ImapClient.login(pair.dovecot.imapPort, pair.user);
  await imap.command('SELECT INBOX');
  for (const command of commands) {
    if (typeof command === 'string') await imap.command(command);
    else await imap.command('APPEND INBOX', command);
  }
};

const OUR_INBOX = mailboxGuid('000000000000000000000000000000a1');

const ourMails = async (store: MemoryStore): Promise<readonly string[]> => {
  const tree = await store.readTree();
  const guid = tree.nodes.find(({ path }) => path[0] === 'INBOX')?.mailbox?.guid;
  await using mailbox = guid === undefined ? null : await store.openMailbox(guid);
  const lines: string[] = [];
  for (const mail of (await mailbox?.changes())?.mails ?? []) {
    await using content = (await mailbox?.read(mail.uid, mail.guid)) ?? null;
    const body = content?.body instanceof Uint8Array ? Buffer.from(content.body).toString() : '';
    const names = Object.entries(FLAG)
      .filter(([, bit]) => (mail.flags & bit) !== 0)
      .map(([name]) => name);
    lines.push(
      [
        mail.uid,
        body.trimEnd().split('\n').at(-1)?.trim(),
        ...[...names, ...mail.keywords].sort((a, b) => (a < b ? -1 : 1)),
      ].join(' '),
    );
  }
  return lines;
};

const theirMails = async ({ dovecot, user }: Pair): Promise<readonly string[]> => {
  await using imap = await ImapClient.login(dovecot.imapPort, user);
  await imap.command('EXAMINE INBOX');
  const fetched = await imap.command('UID FETCH 1:* (UID FLAGS BODY.PEEK[TEXT])');
  return fetched
    .filter(({ line }) => / FETCH \(/.test(line))
    .map(({ line, literals }) => {
      const flags = (/FLAGS \(([^)]*)\)/.exec(line)?.[1] ?? '')
        .split(' ')
        .filter((flag) => flag !== '' && flag !== '\\Recent');
      const plain = flags.map((flag) => (flag.startsWith('\\') ? flag.slice(1).toLowerCase() : flag));
      return [
        /UID (\d+)/.exec(line)?.[1],
        literals[0]?.toString().trim(),
        ...plain.sort((a, b) => (a < b ? -1 : 1)),
      ].join(' ');
    });
};

const expectSame = async (pair: Pair): Promise<readonly string[]> => {
  const theirs = await theirMails(pair);
  expect(await ourMails(pair.store)).toEqual(theirs);
  return theirs;
};

const deliver = async ({ store }: Pair, ...ids: readonly string[]): Promise<void> => {
  for (const id of ids) await store.user.append(INBOX, { body: text(id) });
};

type Story = (pair: Pair, starts: 'we' | 'they') => Promise<void>;

const STORIES: Readonly<Record<string, Story>> = {
  'mail of both, and a second run changes nothing': async (pair) => {
    await deliver(pair, 'both', 'ours', '');
    await withImap(pair, text('both'), text('theirs'));
    await pair.run();
    const merged = await expectSame(pair);
    expect(merged.map((line) => line.split(' ')[1] ?? '').sort((a, b) => (a < b ? -1 : 1))).toEqual([
      ...['both', 'ours', 'theirs', 'x'],
    ]);
    const before = await judgeAccount(pair.dovecot, pair.user);
    await pair.run();
    await pair.run({ algorithm: 'full' });
    await expectSame(pair);
    expect(await judgeAccount(pair.dovecot, pair.user)).toEqual(before);
  },
  'new mail, flags and expunges of both': async (pair) => {
    await deliver(pair, '1', '2', '3', '4');
    await pair.run();
    await pair.store.user.changeFlags(INBOX, 1, 'add', FLAG.seen, ['ours']);
    await pair.store.user.expunge(INBOX, 2);
    await withImap(
      pair,
      'UID STORE 1 +FLAGS.SILENT (\\Flagged theirs)',
      'UID STORE 3 +FLAGS.SILENT (\\Deleted)',
      'EXPUNGE',
      text('5'),
    );
    await pair.run();
    expect(await expectSame(pair)).toEqual(['1 1 flagged ours seen theirs', '4 4', '5 5']);
  },
  'a backup into Dovecot and one from it': async (pair, starts) => {
    await deliver(pair, '1', '2', '3');
    const [toDovecot, fromDovecot] = starts === 'we' ? [false, true] : [true, false];
    await pair.run({ mode: 'backup', reverse: toDovecot });
    expect(await expectSame(pair)).toEqual(['1 1', '2 2', '3 3']);
    await deliver(pair, '4');
    await pair.run({ mode: 'backup', reverse: toDovecot });
    expect(await expectSame(pair)).toEqual(['1 1', '2 2', '3 3', '4 4']);
    await deliver(pair, 'surplus');
    await pair.store.user.expunge(INBOX, 3);
    await pair.run({ mode: 'backup', reverse: fromDovecot });
    expect(await expectSame(pair)).toEqual(['1 1', '2 2', '3 3', '4 4']);
  },
};

withEachVersion(stories);

function stories(version: '2.3' | '2.4'): void {
  let dovecot: Dovecot;
  const users = USERS.values();
  share(
    () => startDovecot({ version, users: USERS }),
    (started) => (dovecot = started),
    async () => {
      try {
        expect(troubles(await dovecot.log())).toEqual([]);
      } finally {
        await dovecot.stop();
      }
    },
  );

  const makePair = async (starts: 'we' | 'they'): Promise<Pair> => {
    const user = users.next().value ?? '';
    const store = createMemoryStore({ keepsMailGuids: false });
    await store.user.place(INBOX, { guid: OUR_INBOX, uidValidity: 1001, mails: [] });
    const run = (options: Partial<SyncOptions> = {}): Promise<SyncState | null> => {
      const all = { ...DEFAULT_OPTIONS, ...options };
      if (starts === 'we') return weStart(dovecot, user, store, all);
      const verb = [
        all.mode === 'backup' ? 'backup' : 'sync',
        ...(all.reverse ? ['-R'] : []),
        ...(all.algorithm === 'full' ? ['-f'] : []),
      ];
      return theyStart(dovecot, user, store, verb);
    };
    return { dovecot, user, store, run };
  };

  const cases = (['we', 'they'] as const).flatMap((starts) =>
    Object.entries(STORIES).map(([name, story]) => ({ starts, name, story })),
  );
  test.each(cases)('$starts start: $name', async ({ starts, story }) => {
    await story(await makePair(starts), starts);
  });

  test('with the state of the run before, changes of both travel', async () => {
    const pair = await makePair('we');
    await deliver(pair, '1', '2', '3', '4');
    const state = await pair.run();
    await pair.store.user.changeFlags(INBOX, 1, 'add', FLAG.seen, ['ours']);
    await pair.store.user.expunge(INBOX, 2);
    await withImap(
      pair,
      'UID STORE 4 +FLAGS.SILENT (\\Flagged)',
      'UID STORE 3 +FLAGS.SILENT (\\Deleted)',
      'EXPUNGE',
      text('5'),
    );
    await deliver(pair, '6');
    await pair.run({ algorithm: 'state', state });
    const lines = await expectSame(pair);
    expect(lines.slice(0, 2)).toEqual(['1 1 ours seen', '4 4 flagged']);
    expect(new Set(lines.slice(2).map((line) => line.split(' ')[1]))).toEqual(new Set(['5', '6']));
  });
}
