/** What is fuzzed: readers of bytes that others wrote, each with well-made inputs to begin with. */
import { fuzzDoveadm, fuzzRecords, fuzzSession, fuzzText } from '../../packages/protocol/test-kit/fuzz.ts';
import { fuzzLogin } from '../../packages/server/test-kit/fuzz.ts';
import { fuzzConfig, fuzzExpansion } from '../../packages/settings/test-kit/fuzz.ts';
import {
  fuzzDovecotHistory,
  fuzzDovecotLog,
  fuzzJournalRows,
  fuzzKeywords,
  fuzzMailboxLog,
  fuzzNames,
  fuzzSubscriptions,
  fuzzUidlist,
} from '../../packages/storage/test-kit/fuzz.ts';
import { fuzzState } from '../../packages/sync/test-kit/fuzz.ts';
import type { Joints } from './mutate.ts';
import { FRAMES } from './native-joints.ts';
import { ownSessions, recordedSessions, recordedWires } from './seeds.ts';

/** One reader, and how it is tried. */
export interface Target {
  readonly name: string;
  /** Throws, or never ends, for what must not happen. */
  readonly run: (input: Buffer) => void | Promise<void>;
  readonly seeds: () => Promise<readonly Buffer[]>;
  /** Two bytes in front say how the others come. */
  readonly delivered: boolean;
  readonly joints?: Joints;
  /** Inputs in CI. */
  readonly inCi: number;
}

const texts =
  (...list: readonly string[]) =>
  async (): Promise<readonly Buffer[]> =>
    list.map((text) => Buffer.from(text));

/** What both ends say before a session, and packets as they come behind it. */
const opening = texts(
  'VERSION\tdoveadm-server\t1\t2\nPLAIN\tAGRvdmVhZG0AeA==\n\tanna\tdsync-server\t-uanna\n',
  'VERSION\tdoveadm-client\t1\t4\n-\n+\n\0\0\0\0\u0003\n+\nL\0\0\0\u0006\u0003warn\n\0\0\0\0\u0002ab',
);

/** The log of a Dovecot's index: a header, flags set and taken away, a keyword, all keywords taken away, an expunge. */
const HISTORY = Buffer.from(
  '0103280007000000010000000000000000000000000000000100000000000000010000000000000080808085040000000100' +
    '000009000000080000008080808504000000010000000900000000080000808080860004000000000400536f6d6501000000' +
    '03000000808080840008000001000000090000008080808491cd00100200000002000000',
  'hex',
);

/** Every reader of foreign bytes. */
export const TARGETS: readonly Target[] = [
  {
    name: 'text-session',
    run: fuzzSession,
    seeds: async () => [...recordedSessions(), ...(await ownSessions('dovecot'))],
    delivered: true,
    inCi: 80_000,
  },
  {
    name: 'native-session',
    run: fuzzSession,
    seeds: () => ownSessions('native'),
    delivered: true,
    joints: FRAMES,
    inCi: 80_000,
  },
  {
    name: 'text',
    run: fuzzText,
    seeds: async () => [...recordedSessions(), ...(await ownSessions('dovecot'))],
    delivered: true,
    inCi: 80_000,
  },
  {
    name: 'frames',
    run: fuzzRecords,
    seeds: async () => {
      const sessions = await ownSessions('native');
      // The records of batches, too: behind length, type, conversation and their own length.
      return [...sessions, ...sessions.flatMap((s) => FRAMES.split(s).slice(1)).map((frame) => frame.subarray(13))];
    },
    delivered: true,
    joints: FRAMES,
    inCi: 100_000,
  },
  {
    name: 'doveadm',
    run: fuzzDoveadm,
    seeds: async () => [...recordedWires(), ...(await opening())],
    delivered: true,
    inCi: 30_000,
  },
  {
    name: 'login',
    run: fuzzLogin,
    seeds: texts(
      'VERSION\tdoveadm-server\t1\t4\n\tanna\tdsync-server\t-uanna\t-T600\nVERSION\tdsync\t3\t5\n',
      'VERSION\tdoveadm-server\t1\t0\nDx\t\tanna\tdsync-server\t-u\t\u0001t\n',
    ),
    delivered: false,
    inCi: 20_000,
  },
  {
    name: 'state',
    run: fuzzState,
    seeds: texts(
      'AAAAAA==',
      'AQAAAAAAAAAAAAAAAAAAAAAAAKLpAwAAAgAAAAUAAAAAAAAAAAAAAAAAAAAAAAAAosK1/g==',
      '\u0001\0\0\0' + 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr'.repeat(3),
    ),
    delivered: false,
    inCi: 20_000,
  },
  {
    name: 'uidlist',
    run: fuzzUidlist,
    seeds: texts(
      '3 V1700000000 N8 G0123456789abcdef0123456789abcdef\n1 :1700000001.M1P1.host,S=10,W=11\n3 Gabc S10 W11 :1700000002.M2P1.host\n7 P5 O3 :x\n',
      '1 1700000000 4\n1 1700000001.M1P1.host\n3 1700000002.M2P1.host:2,S\n',
    ),
    delivered: false,
    inCi: 20_000,
  },
  { name: 'keywords', run: fuzzKeywords, seeds: texts('0 $Label1\n1 todo\n25 last\n'), delivered: false, inCi: 10_000 },
  {
    name: 'subscriptions',
    run: fuzzSubscriptions,
    seeds: texts('V\t2\n\nINBOX\nWork\t2024\n&AOk-\n\u0001tx\n', 'INBOX\nWork.2024\n&AOk-\n'),
    delivered: false,
    inCi: 10_000,
  },
  {
    name: 'dovecot-history',
    run: fuzzDovecotHistory,
    seeds: async () => [HISTORY],
    delivered: false,
    inCi: 10_000,
  },
  {
    name: 'mailbox-log',
    run: fuzzMailboxLog,
    seeds: async () => [Buffer.alloc(72, 1), Buffer.alloc(50, 4)],
    delivered: false,
    inCi: 5_000,
  },
  {
    name: 'dovecot-log',
    run: fuzzDovecotLog,
    // A header, an expunge, the UIDVALIDITY.
    seeds: async () => [
      Buffer.from(
        `0103280011223344020000000000000000000000000000000100000000000000010000000000000080808087` +
          `90ed000007000000${'ab'.repeat(16)}80808084200000001800040001000000`,
        'hex',
      ),
    ],
    delivered: false,
    inCi: 10_000,
  },
  {
    name: 'names',
    run: fuzzNames,
    seeds: texts('1700000001.M1P1.host,S=10,W=11:2,FSab', '&AOk-&-x', 'R&AOk-sum&AOk-s', 'x:2,S,more:3,T'),
    delivered: false,
    inCi: 20_000,
  },
  {
    name: 'journal-rows',
    run: fuzzJournalRows,
    seeds: async () => [Buffer.from('\u0001aaaaaaaaaaaaaaaaaaaa\u0001\u0004INBOX'), Buffer.alloc(60, 2)],
    delivered: false,
    inCi: 20_000,
  },
  {
    name: 'config',
    run: fuzzConfig,
    seeds: texts(
      'mail_location = maildir:~/Maildir:LAYOUT=fs # where\nnamespace inbox {\n  separator = /\n  inbox = yes\n}\nssl = required\n',
      'mail_driver = maildir\nmail_path = /srv/%{user | domain}/%{user|username|lower}\nuserdb static {\n  fields {\n    home = /home/%u\n  }\n}\n',
      'protocol doveadm {\n doveadm_password = "a\\"b"\n}\nx = $mail_location\\\n  more\nplugin { a = b }\n',
    ),
    delivered: false,
    inCi: 15_000,
  },
  {
    name: 'expansion',
    run: fuzzExpansion,
    seeds: texts(
      'maildir:/srv/%d/%1.2n/Maildir:LAYOUT=fs:CONTROL=~/c',
      '%{user | username | lower}%%%Lu%{env:HOME}',
      '-D -o mail_location=maildir:~/x --debug --config=x',
      'namespace/inbox/separator=/',
    ),
    delivered: false,
    inCi: 20_000,
  },
];
