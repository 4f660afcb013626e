import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';
import { FLAG } from '@dsync/protocol';

import { describeWith, sharedFolder } from '../../../../tests/support/needs.ts';
import { openMaildirStore, type MailStore } from '../../src/index.ts';
import { makeHome } from './dovecot.ts';

interface Manifest {
  readonly mailboxes: readonly {
    readonly name: string;
    readonly selectable: boolean;
    readonly status?: {
      readonly messages: number;
      readonly uidnext: number;
      readonly uidvalidity: number;
      readonly guid: string;
    };
    readonly messages?: readonly {
      readonly uid: number;
      readonly guid: string;
      readonly flags: readonly string[];
      readonly receivedUnix: number;
      readonly sizeVirtual: number;
      readonly sha256Crlf: string;
    }[];
  }[];
  readonly subscriptions: readonly string[];
  readonly deletedMailboxes: readonly { readonly name: string; readonly guid: string }[];
  readonly renamedMailboxes: readonly { readonly new: string }[];
}

function readManifest(file: string): Manifest {
  const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (!isManifest(value)) throw new Error(`${file} is no manifest`);
  return value;
}

/** Enough to tell it from another file; the test looks at every member. */
function isManifest(value: unknown): value is Manifest {
  return typeof value === 'object' && value !== null && 'mailboxes' in value && 'deletedMailboxes' in value;
}

const FLAGS = [
  ['\\Answered', FLAG.answered],
  ['\\Flagged', FLAG.flagged],
  ['\\Deleted', FLAG.deleted],
  ['\\Seen', FLAG.seen],
  ['\\Draft', FLAG.draft],
] as const;

describeWith(['vectors'], 'a store that Dovecot 2.3.19 made', () => {
  test.each([
    ['maildir-pp', (home: string) => ({ root: join(home, 'Maildir') })],
    [
      'maildir-fs',
      (home: string) => ({
        root: join(home, 'Maildir'),
        layout: 'fs' as const,
        indexDir: join(home, 'index'),
        control: join(home, 'control'),
      }),
    ],
  ])('%s is read as its manifest says', async (name, locations) => {
    const home = makeHome();
    execFileSync('tar', ['xf', join(sharedFolder, `vectors/stores/${name}.tar`), '-C', home, '--no-same-owner']);
    const manifest = readManifest(join(sharedFolder, `vectors/stores/${name}.json`));
    const before = contents(home);
    {
      await using store = await openMaildirStore({ ...locations(home), journal: 'auto', fsync: 'on' });
      const tree = await store.readTree();
      const wanted = manifest.mailboxes.filter(({ selectable }) => selectable);
      const found = tree.nodes.filter(({ mailbox }) => mailbox !== undefined);
      expect(found.map(({ path }) => path.join('/')).toSorted()).toEqual(
        wanted.map((mailbox) => mailbox.name).toSorted(),
      );
      expect(
        tree.nodes
          .filter(({ subscribed }) => subscribed)
          .map(({ path }) => path.join('/'))
          .toSorted(),
      ).toEqual([...manifest.subscriptions].toSorted());
      for (const { guid } of manifest.deletedMailboxes)
        expect(tree.deletions.mailboxes.map((deletion) => deletion.guid)).toContain(guid);
      for (const renamed of manifest.renamedMailboxes) {
        expect(tree.nodes.find(({ path }) => path.join('/') === renamed.new)?.renamedAt).toBeGreaterThan(1_700_000_000);
      }
      for (const mailbox of wanted)
        await expectMailbox(store, mailbox, tree.nodes.find(({ path }) => path.join('/') === mailbox.name)?.mailbox);
    }
    // Looking changes nothing.
    expect(contents(home)).toEqual(before);
  });
});

async function expectMailbox(
  store: MailStore,
  { status, messages = [] }: Manifest['mailboxes'][number],
  found: { readonly guid: Parameters<MailStore['openMailbox']>[0] } | undefined,
): Promise<void> {
  if (found === undefined) throw new Error('no such mailbox');
  expect(found).toMatchObject({
    guid: status?.guid,
    uidValidity: status?.uidvalidity,
    uidNext: status?.uidnext,
    messages: status?.messages,
  });
  await using mailbox = await store.openMailbox(found.guid);
  if (mailbox === null) throw new Error('it cannot be opened');
  const { mails } = await mailbox.changes();
  const facts = await mailbox.facts();
  expect(
    mails.map(({ uid, guid, flags, keywords }) => ({ uid, guid, flags: [...words(flags), ...keywords].toSorted() })),
  ).toEqual(
    messages.map(({ uid, guid, flags }) => ({
      uid,
      guid,
      flags: flags.filter((flag) => flag !== '\\Recent').toSorted(),
    })),
  );
  for (const { uid, guid } of mails) {
    const wanted = messages.find((message) => message.uid === uid);
    expect(facts.get(uid)).toEqual({ received: wanted?.receivedUnix, virtualSize: wanted?.sizeVirtual });
    await using content = await mailbox.read(uid, guid);
    if (!(content?.body instanceof Uint8Array)) throw new Error('not whole');
    const crlf = Buffer.from(content.body).toString('latin1').replace(/\r?\n/g, '\r\n');
    expect(createHash('sha256').update(crlf, 'latin1').digest('hex')).toBe(wanted?.sha256Crlf);
  }
}

function words(flags: number): string[] {
  return FLAGS.flatMap(([word, bit]) => ((flags & bit) === 0 ? [] : [word]));
}

function contents(home: string): string[] {
  const names = fs
    .readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.includes('dsync-journal'));
  return names.toSorted().map((name) => {
    const stat = fs.statSync(join(home, name));
    return stat.isFile()
      ? `${name} ${createHash('sha256')
          .update(fs.readFileSync(join(home, name)))
          .digest('hex')}`
      : name;
  });
}
