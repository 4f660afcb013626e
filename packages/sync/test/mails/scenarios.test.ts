/**
 * The recorded scenarios of one mailbox, at planner level: every sync that they do is planned in full or from the common
 * state of the sync before. Outcomes that repeat a defect of the original have the outcome that is right instead.
 */
import { mailGuid, uid as checkedUid } from '@dsync/protocol';
import { expect, test } from '@jest/globals';

import { describeWith } from '../../../../tests/support/needs.ts';
import {
  loadScenarios,
  type Scenario,
  type ScenarioMail,
  type ScenarioMailbox,
  type SideName,
  type Step,
  type SyncStep,
  type UserStep,
} from '../../../../tests/support/scenario.ts';
import type { MailMergeContext } from '../../src/mails/mail-plan.ts';
import type { MailFilter } from '../../src/options.ts';
import { ModelMailbox, splitFlags, type SeenMail } from './model-mailbox.ts';
import { sync, TWO_WAY } from './run-plan.ts';

const GROUPS = ['mail', 'flags', 'backup', 'oneway', 'filter', 'state'];
const STEPS = [
  'append',
  'expunge',
  'flags_add',
  'flags_remove',
  'flags_replace',
  'update',
  'select',
  'lose_history',
  'replace_mail',
  'tick',
  'sync',
];

const FULL = '1=m1 2=m2[\\Seen] 3=m3[\\Flagged,kw1]';
const FIVE = '1=m1 2=m2 3=m3 4=m4 5=m5';
const OLD_AND_NEW = '1=old1 2=new2[\\Flagged] 3=old3[\\Seen,work] 4=new4';

/** Where the recorded outcome is a defect: what both sides (or A and B) have in the end instead, and UIDVALIDITY. */
const INSTEAD: Readonly<Record<string, { readonly A: string; readonly B: string; readonly uidvalidity: number }>> = {
  // Equal numbers of changes are found.
  'mail-uid-conflict-default': both(`${FULL} 5=aa 6=zz`),
  'flags-union-default': both('1=m1[\\Flagged,\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged,kw1]'),
  'bk-dst-flags-equal-count': both('1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged,kw1]'),
  'ow-conflict-default': { A: `${FIVE} 6=src6`, B: `${FIVE} 7=dst6 8=src6`, uidvalidity: 1001 },
  // Nothing is expunged without a record.
  'mail-expunge-nolog-middle': both('1=m1 3=m3[\\Flagged,kw1] 4=m2[\\Seen]'),
  'mail-expunge-nolog-first': both('2=m2[\\Seen] 3=m3[\\Flagged,kw1] 4=m1'),
  'merge-into-gap': both('1=m1 3=m3[\\Flagged,kw1] 4=m2[\\Seen]'),
  'merge-head': both('2=m2[\\Seen] 3=m3[\\Flagged,kw1] 4=m1'),
  // Keywords have no case, the first one is no change, and flags of mails with two UIDs are merged.
  'kw-case': both('1=m1[kwx] 2=m2[\\Seen] 3=m3[\\Flagged,kw1]'),
  'more-remove-vs-add-other': both('1=m1 2=m2[\\Seen] 3=m3[kw2]'),
  'mismatch-flags': both('1=m1 5=b[\\Flagged,\\Seen,kwB]'),
  // A backup repairs itself in the same run.
  'bk-dst-expunged-middle': both('1=f1 2=f2 3=f3', 2000),
  'st-fail': both('1=f1 2=f2 3=f3', 2000),
  // A source keeps its UIDVALIDITY.
  'ow-uidv-dst': { A: '1=m1', B: '1=m1 2=m2', uidvalidity: 1001 },
  // Mails that a filter held back are not missing.
  'flt-t-then-sync': both('2=new2[\\Flagged] 4=new4 5=old1 6=old3[\\Seen,work]'),
  'flt-I-then-ow': { A: OLD_AND_NEW, B: '1=old1 4=new4 5=new2[\\Flagged] 6=old3[\\Seen,work]', uidvalidity: 1001 },
  // A state that does not hold is dropped, and changes of the other side alone are seen.
  'st-remote-only': both(`${FULL.replace('m1', 'm1[\\Seen]')} 4=p4`),
  'st-remote-only-then-local': both(`${FULL.replace('m1', 'm1[\\Seen]')} 4=p4`),
};

function both(
  mails: string,
  uidvalidity = 1001,
): { readonly A: string; readonly B: string; readonly uidvalidity: number } {
  return { A: mails, B: mails, uidvalidity };
}

const scenarios = loadScenarios().filter(
  (s) => GROUPS.includes(s.group) && nameOf(s) !== null && s.steps.every(({ op }) => STEPS.includes(op)),
);

/** The one mailbox of a scenario that has only one. */
function nameOf({ initial, steps }: Scenario): string | null {
  const names = new Set([...Object.keys(initial.A?.mailboxes ?? {}), ...Object.keys(initial.B?.mailboxes ?? {})]);
  const acted = new Set(steps.flatMap((step) => ('mailbox' in step && step.mailbox !== undefined ? step.mailbox : [])));
  for (const name of acted) names.add(name);
  if (names.size === 2) names.delete('INBOX');
  const [name] = names;
  if (name === undefined || names.size > 1) return null;
  return [...acted].every((mailbox) => mailbox === name) ? name : null;
}

class World {
  readonly boxes: Readonly<Record<SideName, ModelMailbox>>;
  #common: MailMergeContext['common'] = null;
  #tracked = false;

  constructor(scenario: Scenario, name: string) {
    const [a, b] = [scenario.initial.A?.mailboxes[name], scenario.initial.B?.mailboxes[name]];
    const uidvalidity = a?.uidvalidity ?? b?.uidvalidity ?? 0;
    this.boxes = { A: makeBox(a, uidvalidity), B: makeBox(b, uidvalidity) };
  }

  do(step: Step): void {
    if (step.op === 'sync') this.#sync(step);
    else if (step.op !== 'tick') change(this.boxes[step.side], step);
  }

  #sync({ command, options, start }: SyncStep): void {
    const has = (option: string): boolean => options.includes(option);
    const mode = command === 'backup' ? 'backup' : has('-1') ? 'one-way' : 'two-way';
    const startsAtA = start === 'A';
    const source = startsAtA === has('-R') ? 'remote' : 'local';
    const state = options[options.indexOf('-s') + 1];
    const filter = filterOf(options);
    const usable =
      has('-s') && state === '$STATE' && !has('-f') && mode !== 'backup' && Object.keys(filter).length === 0;
    const { A, B } = this.boxes;
    if (!this.#tracked) for (const box of [A, B]) box.beginTracking();
    this.#tracked = true;
    const context: MailMergeContext = {
      ...TWO_WAY,
      mode,
      source,
      localStarts: startsAtA,
      common: usable ? this.#common : null,
      filter,
    };
    const { equalAfter } = sync(A, B, context);
    const modseq = A.highestModseq < B.highestModseq ? A.highestModseq : B.highestModseq;
    this.#common = equalAfter ? { uid: Math.min(A.uidNext, B.uidNext) - 1, modseq } : null;
  }
}

function makeBox(box: ScenarioMailbox | undefined, uidvalidity: number): ModelMailbox {
  const made = new ModelMailbox();
  made.uidValidity = box?.uidvalidity ?? uidvalidity;
  for (const { uid, guid, flags = [], keywords = [], date = 1_700_000_000, size = 0 } of box?.messages ?? []) {
    made.put(uid, guid, splitFlags(flags).flags, keywords, { received: date, virtualSize: size });
  }
  made.uidNext = box?.uidnext ?? made.uidNext;
  return made;
}

function change(box: ModelMailbox, step: UserStep): void {
  const { op, uid = 0, guid = '', flags: names = [], keywords = [], date = 1_700_000_000, size = 0 } = step;
  const { flags, keywords: more } = splitFlags([...names, ...keywords]);
  const mail = box.mails.get(checkedUid(uid || 1));
  switch (op) {
    case 'append':
      return box.append(guid, flags, more, { received: date, virtualSize: size });
    case 'expunge':
      return box.expunge(uid);
    case 'flags_add':
      return box.setFlags(uid, (mail?.flags ?? 0) | flags, [...(mail?.keywords ?? []), ...more]);
    case 'flags_remove':
      return box.setFlags(
        uid,
        (mail?.flags ?? 0) & ~flags,
        (mail?.keywords ?? []).filter((k) => !more.includes(k)),
      );
    case 'flags_replace':
      return box.setFlags(uid, flags, more);
    case 'update':
      box.uidNext = Math.max(box.uidNext, step.uidnext ?? 0);
      box.uidValidity = step.uidvalidity ?? box.uidValidity;
      return;
    case 'select':
      box.firstRecentUid = box.uidNext;
      return;
    case 'lose_history':
      return box.loseHistory();
    case 'replace_mail':
      if (mail !== undefined) box.mails.set(checkedUid(uid), { ...mail, guid: mailGuid(guid) });
      return;
    default:
      throw new Error(`no step ${op}`);
  }
}

function filterOf(options: readonly string[]): MailFilter {
  const value = (option: string): string | undefined =>
    options.includes(option) ? options[options.indexOf(option) + 1] : undefined;
  const date = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : /^\d+$/.test(text) ? Number(text) : new Date(`${text}T00:00:00`).getTime() / 1000;
  const [since, until, size, flag] = [date(value('-t')), date(value('-e')), value('-I'), value('-O')];
  return {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(size === undefined ? {} : { maxSize: size.endsWith('k') ? Number(size.slice(0, -1)) * 1024 : Number(size) }),
    ...(flag === undefined ? {} : { flag }),
  };
}

/** `1=m1 2=m2[\Seen,kw1]` */
function parseMails(text: string): readonly SeenMail[] {
  return text.split(' ').map((word) => {
    const [, uid = '', guid = '', flags = ''] = /^(\d+)=([^[]+)(?:\[(.*)\])?$/.exec(word) ?? [];
    return { uid: Number(uid), guid, ...lowered(splitFlags(flags.split(',').filter((flag) => flag !== ''))) };
  });
}

function seenOf(messages: readonly ScenarioMail[]): readonly SeenMail[] {
  return messages.map(({ uid, guid, flags = [], keywords = [] }) => ({
    uid,
    guid,
    flags: splitFlags(flags).flags,
    keywords: keywords.map((keyword) => keyword.toLowerCase()),
  }));
}

function lowered({ flags, keywords }: ReturnType<typeof splitFlags>): ReturnType<typeof splitFlags> {
  return { flags, keywords: keywords.map((keyword) => keyword.toLowerCase()) };
}

const ANY_UIDNEXT: unknown = expect.any(Number);

/** Mails, UIDVALIDITY and UIDNEXT at the end. */
function expectedEnd({ id, final }: Scenario, side: SideName, name: string): readonly unknown[] {
  const instead = INSTEAD[id];
  if (instead !== undefined) return [parseMails(instead[side]), instead.uidvalidity, ANY_UIDNEXT];
  const box = final[side].mailboxes[name];
  return [seenOf(box?.messages ?? []), box?.uidvalidity, box?.uidnext];
}

describeWith(['vectors'], 'recorded scenarios', () => {
  test.each(scenarios.map((s) => [s.id, s] as const))('%s', (_id, scenario) => {
    const name = nameOf(scenario) ?? '';
    const world = new World(scenario, name);
    for (const step of scenario.steps) world.do(step);
    for (const side of ['A', 'B'] as const) {
      const box = world.boxes[side];
      expect([box.seen(), box.uidValidity, box.uidNext]).toEqual(expectedEnd(scenario, side, name));
    }
  });

  test('only outcomes that are not normative are replaced', () => {
    const known = new Map(scenarios.map(({ id, normative }) => [id, normative]));
    for (const id of Object.keys(INSTEAD)) expect([id, known.get(id)]).toEqual([id, false]);
  });
});
