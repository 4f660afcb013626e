/** What keeps two runs apart, and what happens where they meet all the same. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';
import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';

import { describeWith } from '../../../../tests/support/needs.ts';
import { takeDotlock } from '../../src/dotlock.ts';
import { createMemoryJournal, openMaildirStore } from '../../src/index.ts';
import { beginTracking } from '../../src/journal/observe.ts';
import { takeMailboxLock, takeUserLock } from '../../src/maildir/sync-lock.ts';
import { makeHome } from './dovecot.ts';

jest.setTimeout(30_000);

const BOX = mailboxGuid('a'.repeat(32));

describe('the lock of a user', () => {
  test('leaves nothing behind, and is taken by one at a time, whoever asks in this process', async () => {
    const home = makeHome();
    const first = await takeUserLock(home, 1000);
    await expect(takeUserLock(home, 20)).rejects.toMatchObject({
      code: 'Locked',
      exit: 75,
      message: `Couldn't lock .dovecot-sync.lock in the user's home: Timed out after 1 seconds (WRITE lock held by pid ${process.pid})`,
    });
    const second = takeUserLock(home, 10_000);
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    expect(fs.readdirSync(home)).toEqual([]);
  });

  test('is taken over at once where a killed run has left its file', async () => {
    const home = makeHome();
    const lock = join(home, '.dovecot-sync.lock');
    // The number of a process that lives: only a lock counts, not what is written.
    fs.writeFileSync(lock, '1\n');
    await using _taken = await takeUserLock(home, 1000);
    expect(fs.existsSync(lock)).toBe(true);
  });

  test('goes to who waits, though the file that was waited for is removed and made anew', async () => {
    const home = makeHome();
    const held: number[] = [];
    const work = async (): Promise<void> => {
      await using _lock = await takeUserLock(home, 20_000);
      held.push(1);
      expect(held).toHaveLength(1);
      await new Promise((resolve) => setImmediate(resolve));
      held.pop();
    };
    await Promise.all(Array.from({ length: 40 }, work));
    expect(fs.readdirSync(home)).toEqual([]);
  });

  test('meets the fcntl locks of other programs', async () => {
    const home = makeHome();
    const other = await holdWithFcntl(join(home, '.dovecot-sync.lock'));
    await expect(takeUserLock(home, 20)).rejects.toMatchObject({
      message: expect.stringContaining(`(WRITE lock held by pid ${other.pid})`),
    });
    const waiting = takeUserLock(home, 20_000);
    other.kill();
    await (await waiting)[Symbol.asyncDispose]();
  });
});

describeWith(['root'], 'a folder whose group its owner is not in', () => {
  test('is locked all the same, with the owner’s own group', async () => {
    const home = makeHome();
    const [owner, group] = [fs.statSync(home).uid, 4242];
    fs.chownSync(home, owner, group);
    const path = join(home, 'dovecot-uidlist.lock');
    process.setegid?.(owner);
    process.seteuid?.(owner);
    try {
      await using _lock = await takeDotlock(path, { host: 'h', timeoutMs: 0, what: 'it', uid: owner, gid: group });
      expect(fs.statSync(path)).toMatchObject({ uid: owner, gid: owner });
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
    expect(fs.readdirSync(home)).toEqual([]);
  });
});

describeWith(['root'], 'an index folder of its own that root makes for a lock', () => {
  test('belongs to the owner of the mail', async () => {
    const home = makeHome();
    const { uid: owner } = fs.statSync(home);
    {
      await using _lock = await takeMailboxLock(join(home, 'index/.Work/.dovecot-box-sync.lock'), 'Work', 1000);
    }
    expect(fs.statSync(join(home, 'index'))).toMatchObject({ uid: owner });
    expect(fs.statSync(join(home, 'index/.Work'))).toMatchObject({ uid: owner });
  });
});

/** Perl is on every Debian, and takes POSIX locks. */
async function holdWithFcntl(path: string): Promise<ChildProcess> {
  const text = `
    use Fcntl qw(F_SETLK F_WRLCK SEEK_SET O_RDWR O_CREAT);
    sysopen(my $file, $ARGV[0], O_RDWR | O_CREAT) or die;
    my $lock = pack("s s x4 q q l x4", F_WRLCK, SEEK_SET, 0, 0, 0);
    fcntl($file, F_SETLK, $lock) or die;
    syswrite(STDOUT, "held\\n");
    sleep 60;`;
  const child = spawn('perl', ['-e', text, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', () => reject(new Error('perl takes no fcntl lock')));
  });
  return child;
}

test('a commit meets another process that begins to keep track of the same mailbox', async () => {
  const journal = createMemoryJournal();
  const write = journal.write.bind(journal);
  let meanwhile: (() => Promise<void>) | null = null;
  journal.write = async (steps) => {
    const first = meanwhile;
    meanwhile = null;
    await first?.();
    await write(steps);
  };
  const root = join(makeHome(), 'Maildir');
  await using store = await openMaildirStore({ root, journal, fsync: 'on', create: true, hostname: 'host.example' });
  await store.createMailbox(['Box'], { guid: BOX, uidValidity: 7, createdAt: 0 });
  await store.readTree();
  await using mailbox = await store.openMailbox(BOX);
  await using transaction = await mailbox?.begin();
  const mail = { uid: uid(1), guid: mailGuid('one'), flags: 0, keywords: [], modseq: 1n, received: 1_600_000_000 };
  await transaction?.save(mail, Buffer.from('Subject: one\n\n'));
  meanwhile = async () => {
    const head = journal.head(BOX);
    if (head !== undefined) await write([{ head: beginTracking(head) }]);
  };
  expect(await transaction?.commit()).toMatchObject({ saved: 1 });
  expect(meanwhile).toBeNull();
  // A sync's own mail, not one that a user has added.
  expect(await mailbox?.changes()).toMatchObject({ mails: [{ uid: 1, guid: 'one', addedFlags: 0 }], expunges: [] });
});
