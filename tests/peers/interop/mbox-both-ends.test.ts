/**
 * Mail that arrived at both ends, of which one is a Dovecot's mbox, so that it has to give mails of its own other UIDs: whatever
 * becomes of the run, no mail is lost and none doubled.
 */
import { expect, jest, test } from '@jest/globals';

import { sha256 } from '../rig/judge.ts';
import { judge, withImap } from './accounts.ts';
import { letLogsBe, shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const mail = (id: string): Buffer =>
  Buffer.from(
    `From: a@example.org\r\nDate: Tue, 14 Nov 2023 22:13:22 +0000\r\nMessage-ID: <${id}@example.org>\r\n\r\n${id}\r\n`,
  );
const NAMES = new Map(['t1', 't2', 't3', 't4', 'o1', 'o2', 'o3'].map((id) => [sha256(mail(id)), id]));

const append = (ends: Ends, name: string, ...ids: readonly string[]): Promise<void> =>
  withImap(ends, name, async (imap) => {
    for (const id of ids) await imap.command('APPEND INBOX "14-Nov-2023 22:13:23 +0000"', mail(id));
  });

/** UIDs with their mails. */
const inboxOf = async (ends: Ends, name: string): Promise<readonly [uid: number, id: string][]> => {
  const mails = (await judge(ends, name)).mailboxes['INBOX']?.mails ?? [];
  return mails.map(({ uid, sha256: sum }) => [uid, NAMES.get(sum) ?? '?']);
};

const idsOf = (inbox: Awaited<ReturnType<typeof inboxOf>>): string =>
  inbox
    .map(([, id]) => id)
    .toSorted()
    .join(' ');

/** Both inboxes after each of two runs, and after two more with new mail at both ends. */
const play = async (ends: Ends, pairing: Pairing): Promise<readonly string[]> => {
  const user = `both-${pairing.dovecotIs}`;
  await ends.addUser(user);
  await append(ends, user, 't1', 't2', 't3');
  await append(ends, ours(user), 'o1', 'o2');
  const seen: string[] = [];
  for (let run = 1; run <= 4; run += 1) {
    const { code } = await ends.sync(pairing, user, ['sync']);
    const [theirs, own] = [await inboxOf(ends, user), await inboxOf(ends, ours(user))];
    seen.push(code === 0 ? 'ok' : 'failed', idsOf(theirs), idsOf(own));
    // New mails have numbers on which the two need not agree at once.
    if (run % 2 === 0) seen.push(JSON.stringify(theirs) === JSON.stringify(own) ? 'alike' : 'different');
    if (run === 2) {
      await append(ends, user, 't4');
      await append(ends, ours(user), 'o3');
    }
  }
  return seen;
};

const ROLES = ['server', 'client'] as const;

function roles(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'mbox'),
    (started) => (ends = started),
    letLogsBe,
  );
  test.each(ROLES)('as %s', async (dovecotIs) => {
    expect(await play(ends, { version, dovecotIs, carrier: 'tcp' })).toEqual(EXPECTED[version]);
  });
}

/** After each run: its status, their inbox, ours; after every second one whether the two are alike. */
const EXPECTED: Readonly<Record<Pairing['version'], readonly string[]>> = {
  // Its mbox cannot renumber: it dies, and neither side is changed.
  '2.3': [
    ...['failed', 't1 t2 t3', 'o1 o2'],
    ...['failed', 't1 t2 t3', 'o1 o2', 'different'],
    ...['failed', 't1 t2 t3 t4', 'o1 o2 o3'],
    ...['failed', 't1 t2 t3 t4', 'o1 o2 o3', 'different'],
  ],
  // Its mbox may give mails other UIDs than were agreed on; the next run makes both alike.
  '2.4': [
    ...['ok', 'o1 o2 t1 t2 t3', 'o1 o2 t1 t2 t3'],
    ...['ok', 'o1 o2 t1 t2 t3', 'o1 o2 t1 t2 t3', 'alike'],
    ...['ok', 'o1 o2 o3 t1 t2 t3 t4', 'o1 o2 o3 t1 t2 t3 t4'],
    ...['ok', 'o1 o2 o3 t1 t2 t3 t4', 'o1 o2 o3 t1 t2 t3 t4', 'alike'],
  ],
};

withEachVersion(roles);
