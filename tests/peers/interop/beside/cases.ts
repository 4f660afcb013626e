/** What users have and do, and the runs that follow. */
import type { ScenarioMail, ScenarioMailbox, ScenarioState } from '../../../support/scenario.ts';
import type { Act } from './pairs.ts';

const guid = (text: string): string => text.padStart(32, '0');

const box = (digits: string, uidvalidity: number, messages: readonly Omit<ScenarioMail, 'uid'>[]): ScenarioMailbox => ({
  guid: guid(digits),
  uidvalidity,
  messages: messages.map((mail, index) => ({ ...mail, uid: index + 1 })),
});

const INBOX = box('a1', 1001, [
  { guid: 'm1' },
  { guid: 'm2', flags: ['\\Seen'] },
  { guid: 'm3', flags: ['\\Flagged'], keywords: ['kw1'] },
  { guid: 'm4' },
  { guid: 'm5' },
]);
const BOTH = box('a2', 1002, [{ guid: 'b1' }, { guid: 'b2' }, { guid: 'b3' }]);
const NAME = box('a5', 1005, [{ guid: 'e1' }]);
const BELOW = box('a3', 1003, [{ guid: 'c1' }]);
const OLD = box('a4', 1004, [{ guid: 'd1' }, { guid: 'd2' }, { guid: 'd3' }]);

const common = { INBOX, Both: BOTH, 'Both/below': BELOW, Old: OLD, Name: NAME };

/** What the Dovecot's account has at the beginning. */
export const THEIRS: ScenarioState = {
  mailboxes: { ...common, Theirs: box('b1', 2001, [{ guid: 't1' }, { guid: 't2' }]) },
  subscriptions: ['Theirs'],
};

/** What the account has that is ours in one of the pairs. */
export const OURS: ScenarioState = {
  mailboxes: { ...common, Ours: box('b2', 2002, [{ guid: 'o1' }, { guid: 'o2', keywords: ['kwO'] }]) },
  subscriptions: ['Ours'],
};

/** What users do, and the run that follows. */
export interface Round {
  readonly starting: readonly Act[];
  readonly other: readonly Act[];
  /** `$STATE` is what the run before has printed. */
  readonly verb: readonly string[];
}

/** A story of several runs. */
export interface Case {
  readonly name: string;
  readonly rounds: readonly Round[];
}

/** One side's day … */
const DAY: readonly Act[] = [
  { op: 'append', mailbox: 'INBOX', guid: 's6', flags: ['\\Answered'], keywords: ['kwS'] },
  { op: 'append', mailbox: 'INBOX', guid: 's7' },
  { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: ['\\Draft', 'kwS'] },
  { op: 'expunge', mailbox: 'INBOX', uid: 2 },
  { op: 'copy', mailbox: 'INBOX', uid: 3, to: 'Both' },
  { op: 'move', mailbox: 'Old', uid: 1, to: 'Both' },
  { op: 'create', mailbox: 'NewS', guid: guid('c1'), uidvalidity: 3001 },
  { op: 'append', mailbox: 'NewS', guid: 'n1' },
  { op: 'subscribe', mailbox: 'NewS' },
  { op: 'unsubscribe', mailbox: 'Ours' },
  { op: 'rename', mailbox: 'Name', to: 'Renamed' },
  { op: 'append', mailbox: 'Renamed', guid: 's8' },
  { op: 'append', mailbox: 'Both/below', guid: 's9' },
];
/** … and the other one's. In no mailbox are there equally many changes: two Dovecots would not see them. */
const OTHER_DAY: readonly Act[] = [
  { op: 'append', mailbox: 'INBOX', guid: 'q6' },
  { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: ['\\Answered'] },
  { op: 'flags_remove', mailbox: 'INBOX', uid: 3, flags: ['\\Flagged'] },
  { op: 'flags_add', mailbox: 'INBOX', uid: 2, flags: ['\\Flagged'] },
  { op: 'expunge', mailbox: 'INBOX', uid: 4 },
  { op: 'create', mailbox: 'NewQ', guid: guid('c2'), uidvalidity: 3002 },
  { op: 'append', mailbox: 'NewQ', guid: 'n2' },
  { op: 'subscribe', mailbox: 'NewQ' },
  { op: 'delete', mailbox: 'Ours' },
  { op: 'flags_add', mailbox: 'Both/below', uid: 1, flags: ['\\Seen', 'kwQ'] },
  { op: 'flags_add', mailbox: 'Name', uid: 1, flags: ['\\Seen'] },
];

/** What a Dovecot can take back when it is the destination of a backup. */
const UNWANTED: readonly Act[] = [
  { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: ['\\Deleted', 'kwB'] },
  { op: 'flags_replace', mailbox: 'INBOX', uid: 3, flags: ['\\Seen'] },
  { op: 'create', mailbox: 'Extra', guid: guid('c3'), uidvalidity: 3003 },
  { op: 'append', mailbox: 'Extra', guid: 'e1' },
  { op: 'append', mailbox: 'Old', guid: 'e2' },
  { op: 'delete', mailbox: 'Theirs' },
  { op: 'subscribe', mailbox: 'Old' },
  { op: 'rename', mailbox: 'Both/below', to: 'Moved' },
];

const LONG_AGO = 979_000_000;
/** Mails that filters tell apart. */
const sorts = (prefix: string, mailbox: string): readonly Act[] => [
  { op: 'append', mailbox, guid: `${prefix}1`, date: LONG_AGO },
  { op: 'append', mailbox, guid: `${prefix}2`, size: 40_000 },
  { op: 'append', mailbox, guid: `${prefix}3`, flags: ['\\Flagged'] },
  { op: 'append', mailbox, guid: `${prefix}4`, flags: ['\\Answered'], keywords: ['kwF'] },
  { op: 'append', mailbox, guid: `${prefix}5` },
];
/** Old mails are flagged and expunged too. */
const SORTED: readonly Act[] = [
  ...sorts('f', 'Theirs'),
  { op: 'flags_add', mailbox: 'Theirs', uid: 1, flags: ['\\Seen'] },
  { op: 'expunge', mailbox: 'Old', uid: 2 },
  { op: 'copy', mailbox: 'INBOX', uid: 3, to: 'Both' },
];
const SORTED_TOO: readonly Act[] = [
  ...sorts('g', 'Ours'),
  { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: ['kwQ'] },
];
const FLAGGED: readonly Act[] = [{ op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: ['\\Deleted', 'kwB'] }];

/** One run. With `-R` it goes the other way, and so do the acts. */
const once = (name: string, verb: readonly string[], acts: readonly Act[], other: readonly Act[]): Case => {
  const round = verb.includes('-R') ? { starting: other, other: acts, verb } : { starting: acts, other, verb };
  return { name: `${verb.join(' ')}${name}`, rounds: [round] };
};
const words = (text: string): readonly string[] => text.split(' ');
const day = (text: string): Case => once('', words(text), DAY, OTHER_DAY);
const backup = (text: string): Case => once('', words(text), DAY, UNWANTED);
const filtered = (text: string): Case =>
  once('', words(text), SORTED, text.startsWith('backup') ? FLAGGED : SORTED_TOO);

/** A flag of one mail and nothing else in `Both`, new mail elsewhere. With `-s` each run goes on from the one before. */
const chain = (text: string, other: (round: number) => readonly Act[]): Case => ({
  name: `${text}, five runs`,
  rounds: [1, 2, 3, 4, 5].map((round) => ({
    starting: [
      { op: 'append', mailbox: 'INBOX', guid: `s${round}a` },
      { op: 'append', mailbox: 'INBOX', guid: `s${round}b` },
      { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: [`kwS${round}`] },
      { op: 'flags_add', mailbox: 'Both', uid: 1, flags: [`kwS${round}`] },
      { op: 'append', mailbox: 'Theirs', guid: `s${round}t` },
    ],
    other: other(round),
    verb: [...words(text), ...(text.endsWith('-s') ? [round === 1 ? '' : '$STATE'] : [])],
  })),
});

const daily = (round: number): readonly Act[] => [
  { op: 'append', mailbox: 'INBOX', guid: `q${round}` },
  { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: [`kwQ${round}`] },
  { op: 'expunge', mailbox: 'INBOX', uid: [2, 3, 4, 5, 8][round - 1] ?? 0 },
  { op: 'append', mailbox: 'Both', guid: `q${round}b` },
];
const dailyFlags = (round: number): readonly Act[] => [
  { op: 'flags_add', mailbox: 'INBOX', uid: 1, flags: [`kwQ${round}`] },
  { op: 'expunge', mailbox: 'INBOX', uid: round + 1 },
];

const RENAMED: readonly Act[] = [{ op: 'rename', mailbox: 'Name', to: 'Renamed' }];
const NEW_IN_NAME: readonly Act[] = [{ op: 'append', mailbox: 'Name', guid: 'x1' }];

const FLAG_EACH: readonly Act[] = [
  { op: 'flags_add', mailbox: 'Old', uid: 1, flags: ['kwOne'] },
  { op: 'append', mailbox: 'Both', guid: 'x1' },
];
const FLAG_EACH_TOO: readonly Act[] = [
  { op: 'flags_add', mailbox: 'Old', uid: 2, flags: ['kwTwo'] },
  { op: 'append', mailbox: 'Both', guid: 'x2' },
];

/** Every mode, and what users do that tells it from the others. */
export const CASES: readonly Case[] = [
  day('sync'),
  day('sync -f'),
  once(', equally many changes', ['sync', '-f'], FLAG_EACH, FLAG_EACH_TOO),
  backup('backup'),
  backup('backup -R'),
  once(
    ', a subscribed mailbox was renamed there',
    ['backup'],
    [{ op: 'unsubscribe', mailbox: 'Ours' }],
    [{ op: 'rename', mailbox: 'Ours', to: 'Moved' }],
  ),
  once(', a mail was expunged there', ['backup'], [], [{ op: 'expunge', mailbox: 'Old', uid: 2 }]),
  day('sync -1'),
  day('sync -1 -R'),
  chain('sync -s', daily),
  chain('sync -1 -s', dailyFlags),
  chain('backup -s', () => []),
  chain('sync', () => []),
  chain('sync -1', () => []),
  chain('backup', () => []),
  {
    name: 'sync -s, the other side alone changed',
    rounds: [
      { starting: [], other: [], verb: ['sync', '-f', '-s', ''] },
      { starting: [], other: FLAG_EACH, verb: ['sync', '-s', '$STATE'] },
    ],
  },
  day('sync -m Both'),
  day('sync -m Both*'),
  day(`sync -g ${guid('a2')}`),
  day('sync -x Both'),
  day('sync -x INBOX -x Both*'),
  once(', renamed', ['sync', '-m', 'Name'], RENAMED, NEW_IN_NAME),
  once(', renamed', ['sync', '-x', 'Name'], RENAMED, NEW_IN_NAME),
  once(', renamed', ['backup', '-m', 'Name'], RENAMED, []),
  filtered('sync -t 2020-01-01'),
  filtered('sync -e 2020-01-01'),
  filtered('sync -I 10k'),
  filtered('sync -O \\Flagged'),
  filtered('sync -O -\\Flagged'),
  filtered('backup -t 2020-01-01'),
  filtered('backup -e 2020-01-01'),
  filtered('backup -I 10k'),
  filtered('backup -O -kwF'),
  filtered('backup -R -t 2020-01-01'),
  filtered('sync -1 -t 2020-01-01'),
  filtered('sync -1 -e 2020-01-01'),
  filtered('sync -1 -I 10k'),
  filtered('sync -1 -O \\Answered'),
  filtered('sync -1 -O -\\Answered'),
  filtered('sync -1 -R -t 2020-01-01'),
  filtered('sync -1 -R -O \\Answered'),
  {
    name: 'backup -t, after a mail was expunged everywhere',
    rounds: [
      { starting: [{ op: 'expunge', mailbox: 'Old', uid: 2 }], other: [], verb: ['backup'] },
      { starting: sorts('f', 'Old'), other: [], verb: ['backup', '-t', '2020-01-01'] },
    ],
  },
  once(
    ', the last mail was expunged',
    ['sync', '-1', '-t', '2020-01-01'],
    [...sorts('f', 'Theirs'), { op: 'expunge', mailbox: 'Theirs', uid: 2 }],
    [],
  ),
];
