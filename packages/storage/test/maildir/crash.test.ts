import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';
import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';

import { openMaildirStore, type Mailbox } from '../../src/index.ts';
import { makeHome } from './dovecot.ts';

const GUID = mailboxGuid('0123456789abcdef0123456789abcdef');
const CHILD = join(import.meta.dirname, 'crash-child.ts');

interface State {
  readonly mails: readonly {
    readonly uid: number;
    readonly guid: string;
    readonly flags: number;
    readonly keywords: readonly string[];
    readonly subject: string;
  }[];
  readonly expunges: readonly { readonly uid: number; readonly guid: string | null }[];
}

const OLD = ['old-1', 'old-2', 'old-3', 'old-4'];

async function makeStore(): Promise<string> {
  const root = join(makeHome(), 'Maildir');
  await using store = await openMaildirStore({
    root,
    journal: 'auto',
    fsync: 'on',
    create: true,
    hostname: 'host.example',
  });
  await store.createMailbox(['Box'], { guid: GUID, uidValidity: 1_700_000_000, createdAt: 0 });
  await using mailbox = await open(store);
  await mailbox.changes();
  await using transaction = await mailbox.begin();
  for (const [i, guid] of OLD.entries()) {
    await transaction.save(
      { uid: uid(i + 1), guid: mailGuid(guid), flags: 8, keywords: [], modseq: 1n, received: 1 },
      Buffer.from(`Subject: ${guid}\n\n`),
    );
  }
  transaction.update({ uidNext: 11 });
  await transaction.commit();
  return root;
}

async function open(store: Awaited<ReturnType<typeof openMaildirStore>>): Promise<Mailbox> {
  const mailbox = await store.openMailbox(GUID);
  if (mailbox === null) throw new Error('no mailbox');
  return mailbox;
}

async function stateOf(root: string): Promise<State> {
  await using store = await openMaildirStore({ root, journal: 'auto', fsync: 'on', hostname: 'host.example' });
  await store.readTree();
  await using mailbox = await open(store);
  const { mails, expunges } = await mailbox.changes();
  const read = mails.map(async (mail) => {
    await using content = await mailbox.read(mail.uid, mail.guid);
    const subject =
      content?.body instanceof Uint8Array ? Buffer.from(content.body).toString().split('\n', 1)[0] : undefined;
    return {
      uid: mail.uid,
      guid: mail.guid,
      flags: mail.flags,
      keywords: mail.keywords,
      subject: subject?.slice(9) ?? 'missing',
    };
  });
  return { mails: await Promise.all(read), expunges: expunges.map(({ uid: number, guid }) => ({ uid: number, guid })) };
}

function stop(
  root: string,
  at: number,
  how: 'renumber' | 'append' = 'renumber',
): { readonly signal: string | null; readonly said: string; readonly error: string } {
  const { signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', CHILD, root, GUID, String(at), how],
    {
      encoding: 'utf8',
    },
  );
  return { signal, said: stdout, error: stderr };
}

function strays(root: string): string[] {
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /tmp\/.|\.lock$|\.tmp$|\.dsync$/.test(name) && !name.startsWith('dsync-journal'));
}

const DONE: State = {
  mails: [
    { uid: 1, guid: 'old-1', flags: 8, keywords: [], subject: 'old-1' },
    { uid: 2, guid: 'old-2', flags: 2, keywords: ['$One'], subject: 'old-2' },
    { uid: 11, guid: 'new-1', flags: 0, keywords: [], subject: 'n1' },
    { uid: 12, guid: 'new-2', flags: 8, keywords: ['$Two'], subject: 'n2' },
    { uid: 13, guid: 'old-1', flags: 1, keywords: [], subject: 'old-1' },
    { uid: 14, guid: 'old-4', flags: 8, keywords: [], subject: 'old-4' },
  ],
  expunges: [
    { uid: 3, guid: 'old-3' },
    { uid: 4, guid: 'old-4' },
  ],
};

test('a commit that is not disturbed does everything', async () => {
  const root = await makeStore();
  const { signal, said, error } = stop(root, 0);
  expect({ signal, error }).toEqual({ signal: null, error: expect.not.stringContaining('Error') });
  expect(said).toBe('4 8');
  expect(await stateOf(root)).toEqual(DONE);
  expect(strays(root)).toEqual([]);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'killed at step %i, the new mails are all there or none, and no old one is lost',
  async (step) => {
    const root = await makeStore();
    expect(stop(root, step).signal).toBe('SIGKILL');
    const state = await stateOf(root);
    const guids = state.mails.map(({ guid }) => guid).toSorted();
    const before = [...OLD];
    const after = DONE.mails.map(({ guid }) => guid);
    const notYetExpunged = [...after, 'old-3'];
    expect([before, after, notYetExpunged].map((each) => each.toSorted())).toContainEqual(guids);
    for (const { guid, subject } of state.mails) expect(subject).toBe(guid.replace('new-', 'n'));
    expect(new Set(state.mails.map(({ uid: number }) => number)).size).toBe(state.mails.length);
    expect(strays(root)).toEqual([]);
    // A second look finds nothing more, and what is undone can be done again.
    expect(await stateOf(root)).toEqual(state);
    const isUndone = guids.length === before.length && !guids.includes('new-1');
    if (isUndone) stop(root, 0);
    expect(await stateOf(root)).toEqual(isUndone ? DONE : state);
  },
);

/** Enough that the uidlist is added to rather than written anew. */
const MANY = 2_100;

/** A store of many mails, whose files were there before. */
function makeLongStore(): string {
  const root = join(makeHome(), 'Maildir');
  const box = join(root, '.Box');
  for (const part of ['cur', 'new', 'tmp']) fs.mkdirSync(join(box, part), { recursive: true });
  let records = '';
  for (let n = 1; n <= MANY; n++) {
    fs.writeFileSync(join(box, `cur/old-${n}:2,S`), `Subject: old-${n}\n\n`);
    records += `${n} :old-${n}\n`;
  }
  fs.writeFileSync(join(box, 'dovecot-uidlist'), `3 V1700000000 N5001 G${GUID}\n${records}`);
  return root;
}

// Before the records are added, with them, and with some of the mails.
test.each([1, 2, 4])(
  'killed at step %i while a long uidlist is added to, the new mails are all there or none',
  async (step) => {
    const root = makeLongStore();
    await stateOf(root);
    expect(stop(root, step, 'append').signal).toBe('SIGKILL');
    const state = await stateOf(root);
    const old = Array.from({ length: MANY }, (_, n) => `old-${n + 1}`);
    const added = [...old, 'new-1', 'new-2', 'old-1'];
    const guids = state.mails.map(({ guid }) => guid).toSorted();
    expect([old, added, added.filter((guid) => guid !== 'old-3')].map((each) => each.toSorted())).toContainEqual(guids);
    for (const { guid, subject } of state.mails) expect(subject).toBe(guid.replace('new-', 'n'));
    expect(strays(root)).toEqual([]);
    expect(await stateOf(root)).toEqual(state);
    expect(stop(root, 0, 'append').signal).toBeNull();
  },
);
