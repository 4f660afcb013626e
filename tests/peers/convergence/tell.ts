/** What has to hold of a story between a Maildir of ours and a real Dovecot. */
import { isDeepStrictEqual } from 'node:util';

import { expect } from '@jest/globals';

import { comparable, expectNothingLostNorDoubled, type Story } from '../../convergence/tell.ts';
import type { SideSeen } from '../../support/read-side.ts';
import type { Dovecot } from '../rig/dovecot.ts';
import { type Ended, type Format, MixedTale } from './world.ts';

type Sides = Readonly<Record<'A' | 'B', SideSeen>>;

/** Mails, by mailbox and UID, that both ends have. */
const commonOf = ({ A, B }: Sides): ReadonlySet<string> => {
  const mailsOf = (seen: SideSeen): readonly string[] =>
    Object.values(seen.mailboxes).flatMap((box) => box.messages.map((mail) => `${box.guid} ${mail.uid} ${mail.body}`));
  const own = new Set(mailsOf(A));
  return new Set(mailsOf(B).filter((mail) => own.has(mail)));
};

/**
 * What both ends must have alike.
 * @param flagged whether the flags of this mail have to be so as well
 */
const alike = (seen: SideSeen, format: Format, flagged: (mail: string) => boolean = () => true): unknown => {
  const { mailboxes, subscriptions } = comparable(seen);
  // The other formats have room for 128 bits, not for the name of a file.
  const guidOf = (text: string): string => (format === 'Maildir' || !text.startsWith('1700000000') ? text : '');
  const boxes = Object.entries(mailboxes).map(([name, box]) => {
    const mails = box.messages.map((mail) => {
      const marks = flagged(`${box.guid} ${mail.uid} ${mail.body}`) ? [...mail.flags, ...mail.keywords] : ['…'];
      return [mail.uid, guidOf(mail.guid), ...marks, mail.date, mail.body].join(' ');
    });
    return { name, numbers: `${box.guid}/${box.uidvalidity} next ${box.uidnext}`, mails };
  });
  return { subscriptions, mailboxes: boxes.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
};

/** With a mail's subject for its GUID: those are what the ledger goes by. */
const bySubject = (seen: SideSeen): SideSeen => ({
  ...seen,
  mailboxes: Object.fromEntries(
    Object.entries(seen.mailboxes).map(([name, box]) => [
      name,
      { ...box, messages: box.messages.map((mail) => ({ ...mail, guid: mail.body?.split(' ')[0] ?? '' })) },
    ]),
  ),
});

const expectWell = ({ exit, error, report }: Ended): void => {
  const unexpected = report?.unexpected ?? [];
  expect({ exit, error, unexpected }).toEqual({ exit: 0, error: null, unexpected: [] });
};

/** From begin to end. @throws whatever does not hold, with what the Dovecot said */
export const tell = async (dovecot: Dovecot, format: Format, story: Story): Promise<void> => {
  await using tale = await MixedTale.begin(dovecot, format, story);
  try {
    await tellOn(tale, format, story);
  } catch (error) {
    const said = await tale.troubles();
    if (said.length === 0) throw error;
    throw new Error(`the Dovecot said ${said.join('\n')}`, { cause: error });
  }
};

const tellOn = async (tale: MixedTale, format: Format, story: Story): Promise<void> => {
  // At a first meeting equal numbers of a mailbox of the same GUID are believed, as between two Dovecots (9); so they meet before.
  if (story.sameInbox) expectWell(await tale.run('A', 'sync', 'changed'));
  for (const { acts, algorithm, start } of story.chapters) {
    await tale.act(acts);
    const common = commonOf(await tale.see());
    let ended = await tale.run(start, 'sync', algorithm);
    // A state that is of no use is said to be so, and the next run has none.
    if (algorithm === 'state' && ended.exit === 2 && ended.state === '')
      ended = await tale.run(start, 'sync', algorithm);
    expectWell(ended);
    // With a state a doveadm that starts looks only at mailboxes that have changed on its own side.
    if (algorithm === 'state' && start === 'B') expectWell(await tale.run(start, 'sync', 'changed'));
    const { A, B } = await tale.see();
    expect(alike(A, format, (mail) => common.has(mail))).toEqual(alike(B, format, (mail) => common.has(mail)));
    expectNothingLostNorDoubled(tale, bySubject(A));
    // A Dovecot merges no flags of a mail that had two UIDs; it takes ours the next time.
    if (isDeepStrictEqual(alike(A, format), alike(B, format))) continue;
    expectWell(await tale.run('A', 'sync', 'changed'));
    const later = await tale.see();
    expect(alike(later.A, format)).toEqual(alike(later.B, format));
  }
  const before = await tale.see();
  for (const start of ['A', 'B'] as const) {
    const again = await tale.run(start, 'sync', 'changed');
    expectWell(again);
    const { A, B } = await tale.see();
    expect([alike(A, format), alike(B, format)]).toEqual([alike(before.A, format), alike(before.B, format)]);
  }
};
