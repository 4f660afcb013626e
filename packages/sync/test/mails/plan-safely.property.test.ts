/**
 * Runs with a Dovecot, with filters and without, one after the other: what nobody has expunged is never lost, and in the end both
 * sides have it. The Dovecot is one by its rules: it goes by positions, and a filter keeps from it what comes, not what is gone.
 */
import { guid128 } from '@dsync/protocol';
import { describe, expect, jest } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import { mailTest } from '../../src/mails/filter.ts';
import { allHeldBack } from '../../src/mails/held-back.ts';
import { planMails } from '../../src/mails/plan-mails.ts';
import { planSafely } from '../../src/mails/plan-safely.ts';
import type { MailSide } from '../../src/mails/mail-plan.ts';
import type { MailFilter } from '../../src/options.ts';
import { applyEdits, edits, GUIDS, pairs } from './mail-arbitraries.ts';
import type { ModelMailbox } from './model-mailbox.ts';
import { TWO_WAY } from './run-plan.ts';

// Without time a property is cut short silently.
jest.setTimeout(300_000);

const RUNS = { numRuns: Number(process.env['DSYNC_PROPERTY_RUNS'] ?? 500) };

type Known = Parameters<typeof planSafely>[3];

/** One run in which both sides do what they conclude. @returns what is remembered of it */
function run(ours: ModelMailbox, dovecot: ModelMailbox, filter: MailFilter, known: Known, localStarts: boolean): Known {
  const context = { ...TWO_WAY, evidence: 'position', filter, localStarts } as const;
  const merge = planSafely(ours.side(), dovecot.side(), context, known);
  if (merge.kind !== 'plan') throw new Error(merge.reason);
  const told = ours.copy();
  for (const [from, to] of merge.moves) {
    const mail = told.mails.get(from);
    if (mail === undefined) throw new Error(`tells of UID ${from}, which is not there`);
    told.mails.delete(from);
    told.mails.set(to, mail);
  }
  const theirPlan = dovecotPlan(dovecot, { ...told.side(), mails: withAll(told, merge.standIns) }, context);
  const before = dovecot.copy();
  dovecot.apply(theirPlan, told);
  ours.apply(merge.local, before);
  return merge.apart;
}

const withAll = (box: ModelMailbox, more: MailSide['mails']): MailSide['mails'] =>
  [...box.records(), ...more].toSorted((a, b) => a.uid - b.uid);

function dovecotPlan(dovecot: ModelMailbox, told: MailSide, context: typeof TWO_WAY): ReturnType<typeof planOf> {
  const isInside = mailTest(context.filter, told);
  const mails = told.mails.filter((mail) => dovecot.mails.has(mail.uid) || isInside(mail));
  return planOf(dovecot.side(), { ...told, mails }, { ...context, filter: {}, localStarts: !context.localStarts });
}

function planOf(local: MailSide, remote: MailSide, context: typeof TWO_WAY): Parameters<ModelMailbox['apply']>[0] {
  const merge = planMails(local, remote, context);
  if (merge.kind !== 'plan') throw new Error(merge.reason);
  return merge.local;
}

const FILTERS: readonly MailFilter[] = [
  {},
  { flag: '\\Flagged' },
  { flag: '-\\Flagged' },
  { flag: '-\\Seen' },
  { flag: 'kw1' },
];

const rounds = (forgetful: boolean): fc.Arbitrary<readonly (readonly [...Edits, MailFilter])[]> =>
  fc.array(fc.tuple(edits({ forgetful }), edits({ forgetful }), fc.constantFrom(...FILTERS)), {
    minLength: 1,
    maxLength: 5,
  });
type Edits = readonly [Parameters<typeof applyEdits>[1], Parameters<typeof applyEdits>[1]];

/**
 * Notes which mails users expunge. New mails have GUIDs of their side: one that comes to both at once under one UID has been
 * brought there by others, of which this side knows nothing.
 */
function edit(box: ModelMailbox, side: string, list: Parameters<typeof applyEdits>[1], expunged: Set<string>): void {
  for (const each of list) {
    const one = each.op === 'append' ? { ...each, guid: `${side}-${each.guid}` } : each;
    const before = box.guids();
    applyEdits(box, [one]);
    const after = [...box.guids()];
    for (const guid of before) {
      const at = after.indexOf(guid);
      if (at < 0) expunged.add(guid);
      else after.splice(at, 1);
    }
  }
}

describe('with a Dovecot', () => {
  test.prop([pairs({ forgetful: false }), rounds(false), fc.boolean()], RUNS)(
    'nothing is lost, whatever is filtered and whatever is known, and both end with everything',
    (pair, story, localStarts) => {
      const [ours, dovecot] = [pair[0].copy(), pair[1].copy()];
      const expunged = new Set<string>();
      const all = new Set([...ours.guids(), ...dovecot.guids()]);
      let known: Known = allHeldBack(ours.uidValidity);
      // What the past of the pair had expunged is not known here.
      for (const box of pair)
        for (const record of box.expunges.values())
          for (const guid of GUIDS) if ([guid, guid128(guid)].includes(String(record.guid))) expunged.add(guid);
      for (const [here, there, filter] of story) {
        edit(ours, 'here', here, expunged);
        edit(dovecot, 'there', there, expunged);
        for (const guid of [...ours.guids(), ...dovecot.guids()]) all.add(guid);
        known = run(ours, dovecot, filter, known, localStarts);
        const now = new Set([...ours.guids(), ...dovecot.guids()]);
        expect([...all].filter((guid) => !now.has(guid) && !expunged.has(guid))).toEqual([]);
      }
      const wanted = [...all].filter((guid) => !expunged.has(guid)).toSorted();
      known = run(ours, dovecot, {}, known, localStarts);
      for (const box of [ours, dovecot]) expect(wanted.filter((guid) => !box.guids().includes(guid))).toEqual([]);
      known = run(ours, dovecot, {}, known, localStarts);
      run(ours, dovecot, {}, known, localStarts);
      expect(dovecot.guids()).toEqual(ours.guids());
    },
  );
});
