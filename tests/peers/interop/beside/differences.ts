/**
 * What ends otherwise with us than between two Dovecots, or says something, with the reason. Numbers in brackets are those
 * of docs/departures.md.
 */
import type { DovecotVersion } from '../../rig/dovecot-config.ts';
import type { DovecotIs } from '../ends.ts';
import type { Differences } from './seen.ts';

/** What does not end as with two Dovecots, and why that is right. */
export interface Difference {
  readonly why: string;
  /** `RUN: exit` and `RUN: SIDE MAILBOX` that differ; `again` is the run that should have nothing to do. */
  readonly parts?: Differences;
  /** What that run changes with us, which two Dovecots' run does as well where `parts` has nothing of it. */
  readonly restless?: readonly string[];
  /** Warnings and errors of ours and of the Dovecot with us. */
  readonly says?: readonly string[] | Readonly<Record<DovecotVersion, readonly string[]>>;
  /** What our report has for that run. */
  readonly planned?: readonly string[];
}

const DIES =
  'a Dovecot dies of an expunge of a mail that it does not have if a date filter is on; ours does not, and tells it none';
const diesAgain = (exit: '75' | 'killed'): Difference => ({ why: DIES, parts: { 'again: exit': ['0', exit] } });

const UNTIL_IS_LOST = 'a Dovecot that starts tells the bound of -t for that of -e, which is 0';
const untilIsLost: Difference = {
  why: `as with two Dovecots; ${UNTIL_IS_LOST}`,
  says: {
    '2.3': ['doveadm: Error: read failed: EOF', 'dsync-server: Error: handshake: a date filter of 0'],
    '2.4': ['dsync-local: Error: read failed: EOF', 'dsync-server: Error: handshake: a date filter of 0'],
  },
};
/** Nothing of this reaches a second Dovecot. */
const UNTIL = {
  '1: exit': ['0', '75'],
  '1: theirs Both': ['a2/1002: 1=b1 2=b2 3=b3 next=5', 'a2/1002: 1=b1 2=b2 3=b3 next=4'],
  '1: theirs Old': ['a4/1004: 1=d1 3=d3 next=4', 'a4/1004: 1=d1 2=d2 3=d3 next=4'],
  '1: theirs Theirs': ['b1/2001: 1=t1[\\Seen] 2=t2 3=f1 next=8', 'b1/2001: 1=t1 2=t2 next=3'],
  'again: exit': ['0', '75'],
} as const satisfies Differences;

const HELD_BACK =
  'in the next run a Dovecot expunges its own mails that the filter held back, or gives them new UIDs; with ours neither side does, and ours has no higher UIDNEXT for what it does not have (2)';

const LEFT_ALONE = 'an expunged mail that is outside the filter here is left alone (2)';
const leftAlone: Difference = {
  why: LEFT_ALONE,
  parts: { '1: ours Old': ['a4/1004: 1=d1 2=d2 3=d3 next=4', 'a4/1004: 1=d1 3=d3 next=4'] },
};

const BY_EITHER_NAME = 'a mailbox is selected if either side has it under such a name (7)';

const REMEMBERED =
  'a Dovecot remembers as common what a one-way run has left different, so that the destination loses a keyword of its own';
const remembered = (side: 'theirs' | 'ours'): Difference => ({
  why: REMEMBERED,
  parts: {
    [`2: ${side} INBOX`]: [
      'a1/1001: 1=m1[kwQ1 kwQ2 kwS1 kwS2] 4=m4 5=m5 6=s1a 7=s1b 8=s2a 9=s2b next=10',
      'a1/1001: 1=m1[kwQ2 kwS1 kwS2] 4=m4 5=m5 6=s1a 7=s1b 8=s2a 9=s2b next=10',
    ],
    [`3: ${side} INBOX`]: [
      'a1/1001: 1=m1[kwQ1 kwQ2 kwQ3 kwS1 kwS2 kwS3] 5=m5 6=s1a 7=s1b 8=s2a 9=s2b 10=s3a 11=s3b next=12',
      'a1/1001: 1=m1[kwQ2 kwQ3 kwS1 kwS2 kwS3] 5=m5 6=s1a 7=s1b 8=s2a 9=s2b 10=s3a 11=s3b next=12',
    ],
    [`4: ${side} INBOX`]: [
      'a1/1001: 1=m1[kwQ1 kwQ2 kwQ3 kwQ4 kwS1 kwS2 kwS3 kwS4] 6=s1a 7=s1b 8=s2a 9=s2b 10=s3a 11=s3b 12=s4a 13=s4b next=14',
      'a1/1001: 1=m1[kwQ2 kwQ3 kwQ4 kwS1 kwS2 kwS3 kwS4] 6=s1a 7=s1b 8=s2a 9=s2b 10=s3a 11=s3b 12=s4a 13=s4b next=14',
    ],
    [`5: ${side} INBOX`]: [
      'a1/1001: 1=m1[kwQ1 kwQ2 kwQ3 kwQ4 kwQ5 kwS1 kwS2 kwS3 kwS4 kwS5] 7=s1b 8=s2a 9=s2b 10=s3a 11=s3b 12=s4a 13=s4b 14=s5a 15=s5b next=16',
      'a1/1001: 1=m1[kwQ2 kwQ3 kwQ4 kwQ5 kwS1 kwS2 kwS3 kwS4 kwS5] 7=s1b 8=s2a 9=s2b 10=s3a 11=s3b 12=s4a 13=s4b 14=s5a 15=s5b next=16',
    ],
  },
});

const overlooked = (side: 'theirs' | 'ours'): Difference => ({
  why: 'once the numbers of two Dovecots are equal by chance, so that a change waits for the next one (9)',
  parts: { [`3: ${side} Both`]: ['a2/1002: 1=b1[kwS1 kwS2 kwS3] 2=b2 3=b3 next=4', 'as before'] },
});

/** While the Dovecot serves. */
const SERVER: Readonly<Record<string, Difference>> = {
  'backup, a subscribed mailbox was renamed there': {
    why: 'as with two Dovecots; the subscription follows the mailbox on the Dovecot’s side, and back in the next run (17)',
    restless: ['theirs subscriptions'],
    planned: ['remote subscriptions 1'],
  },
  'backup, a mail was expunged there': {
    why: 'as with two Dovecots; a Dovecot deletes the mailbox and fails, and the next run brings it (4)',
    restless: ['theirs Old'],
    says: {
      '2.3': [
        "dsync: Warning: remote: doveadm: Deleting mailbox 'Old': UID=2 GUID=64320000000000000000000000000000 is missing locally",
        'dsync: Error: the other side failed and said no more',
        "doveadm: Warning: Deleting mailbox 'Old': UID=2 GUID=64320000000000000000000000000000 is missing locally",
      ],
      '2.4': [
        'dsync: Warning: remote: doveadm: brain S: Import mailbox Old: Deleting UID=2 GUID=64320000000000000000000000000000 is missing locally',
        'dsync: Error: the other side failed and said no more',
        'doveadm: Warning: brain S: Import mailbox Old: Deleting UID=2 GUID=64320000000000000000000000000000 is missing locally',
      ],
    },
    planned: ['remote saved 3', 'remote mailboxesCreated 1'],
  },
  'sync -1 -s, five runs': remembered('theirs'),
  'backup, five runs': overlooked('theirs'),
  'sync -s, the other side alone changed': {
    why: 'ours asks for what the other side has changed (10)',
    parts: {
      '2: ours Both': ['a2/1002: 1=b1 2=b2 3=b3 4=x1 next=5', 'as before'],
      '2: ours Old': ['a4/1004: 1=d1[kwOne] 2=d2 3=d3 next=4', 'as before'],
    },
  },
  'sync -m Name, renamed': {
    why: `${BY_EITHER_NAME}, so the Dovecot is told its new name and renames it`,
    parts: {
      '1: theirs Renamed': ['a5/1005: 1=e1 2=x1 next=3', 'none'],
      '1: theirs Name': ['none', 'a5/1005: 1=e1 2=x1 next=3'],
      '1: ours Renamed': ['a5/1005: 1=e1 2=x1 next=3', 'a5/1005: 1=e1 next=2'],
      '1: ours Name': ['none', 'a5/1005: 1=e1 2=x1 next=3'],
    },
  },
  'backup -m Name, renamed': {
    why: `${BY_EITHER_NAME}: the Dovecot renames it; one that is not told its new name deletes it`,
    parts: { '1: theirs Renamed': ['a5/1005: 1=e1 next=2', 'none'] },
  },
  'sync -x Name, renamed': {
    why: 'as with two Dovecots; the one that serves makes a second mailbox of the same GUID (7)',
    says: [
      'dsync: Warning: remote: doveadm: Mailbox Name has duplicate GUID with Renamed: 000000000000000000000000000000a5',
      'doveadm: Warning: Mailbox Name has duplicate GUID with Renamed: 000000000000000000000000000000a5',
    ],
  },
  'sync -t 2020-01-01': {
    why: `${HELD_BACK}, and two Dovecots die of that`,
    parts: {
      'again: exit': ['0', 'killed'],
    },
  },
  'sync -e 2020-01-01': {
    why: `${UNTIL_IS_LOST}, ours the right one`,
    parts: {
      ...UNTIL,
      '1: ours INBOX': [
        'a1/1001: 1=m1[kwQ] 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m4 5=m5 next=6',
        'a1/1001: 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m4 5=m5 next=6',
      ],
      '1: ours Ours': ['b2/2002: 1=o1 2=o2[kwO] 3=g1 next=4', 'b2/2002: 1=o1 2=o2[kwO] next=3'],
    },
  },
  'sync -I 10k': {
    why: HELD_BACK,
    parts: {
      'again: ours Theirs': [
        'as before',
        'b1/2001: 1=t1[\\Seen] 2=t2 3=f1 5=f3[\\Flagged] 6=f4[\\Answered kwF] 7=f5 next=8',
      ],
      'again: theirs Ours': [
        'as before',
        'b2/2002: 1=o1 2=o2[kwO] 3=g1 5=g3[\\Flagged] 6=g4[\\Answered kwF] 7=g5 next=8',
      ],
    },
  },
  'sync -O \\Flagged': {
    why: HELD_BACK,
    parts: {
      '1: ours Ours': [
        'b2/2002: 1=o1 2=o2[kwO] 5=g3[\\Flagged] next=6',
        'b2/2002: 1=o1 2=o2[kwO] 5=g3[\\Flagged] next=8',
      ],
      'again: ours Theirs': [
        'as before',
        'b1/2001: 1=t1[\\Seen] 2=t2 5=f3[\\Flagged] 8=f4[\\Answered kwF] 9=f5 next=10',
      ],
      'again: theirs Ours': ['as before', 'b2/2002: 1=o1 2=o2[kwO] 5=g3[\\Flagged] 8=g4[\\Answered kwF] 9=g5 next=10'],
    },
  },
  'sync -O -\\Flagged': {
    why: HELD_BACK,
    parts: {
      'again: ours Both': ['as before', 'a2/1002: 1=b1 2=b2 3=b3 5=m3[\\Flagged kw1] next=6'],
      'again: ours Theirs': ['as before', 'b1/2001: 1=t1[\\Seen] 2=t2 3=f1 4=f2 6=f4[\\Answered kwF] 7=f5 next=8'],
      'again: theirs Ours': ['as before', 'b2/2002: 1=o1 2=o2[kwO] 3=g1 4=g2 6=g4[\\Answered kwF] 7=g5 next=8'],
    },
  },
  'backup -e 2020-01-01': {
    why: `${UNTIL_IS_LOST}, ours the right one`,
    parts: {
      ...UNTIL,
      '1: theirs INBOX': [
        'a1/1001: 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m4 5=m5 next=6',
        'a1/1001: 1=m1[\\Deleted kwB] 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m4 5=m5 next=6',
      ],
    },
  },
  'sync -1 -e 2020-01-01': { why: `${UNTIL_IS_LOST}, ours the right one`, parts: UNTIL },
  'backup -t 2020-01-01': diesAgain('75'),
  'backup -R -t 2020-01-01': diesAgain('killed'),
  'sync -1 -t 2020-01-01': diesAgain('75'),
  'sync -1 -R -t 2020-01-01': diesAgain('killed'),
  'sync -1 -R -O \\Answered': leftAlone,
  'backup -t, after a mail was expunged everywhere': {
    why: DIES,
    parts: {
      '2: exit': ['0', '75'],
      '2: theirs Old': ['a4/1004: 1=d1 3=d3 5=f2 6=f3[\\Flagged] 7=f4[\\Answered kwF] 8=f5 next=9', 'as before'],
      'again: exit': ['0', '75'],
    },
  },
  'sync -1 -t 2020-01-01, the last mail was expunged': {
    why: `${DIES}: the mail stays there under a new UID`,
    parts: {
      '1: theirs Theirs': [
        'b1/2001: 1=t1 4=f2 5=f3[\\Flagged] 6=f4[\\Answered kwF] 7=f5 8=t2 next=9',
        'b1/2001: 1=t1 4=f2 5=f3[\\Flagged] 6=f4[\\Answered kwF] 7=f5 next=8',
      ],
      'again: exit': ['0', '75'],
    },
  },
};

/** While the Dovecot starts the runs. */
const CLIENT: Readonly<Record<string, Difference>> = {
  'backup, a subscribed mailbox was renamed there': {
    why: 'subscriptions belong to names (17)',
    parts: {
      '1: ours subscriptions': ['Theirs', 'Ours Theirs'],
      'again: ours subscriptions': ['as before', 'Theirs'],
    },
  },
  'backup, a mail was expunged there': {
    why: 'the mailbox is made anew within the run (4)',
    parts: {
      '1: exit': ['0', '75'],
      '1: ours Old': ['a4/1004: 1=d1 2=d2 3=d3 next=4', 'none'],
      'again: ours Old': ['as before', 'a4/1004: 1=d1 2=d2 3=d3 next=4'],
    },
  },
  'sync -1 -s, five runs': remembered('ours'),
  'backup, five runs': overlooked('ours'),
  'sync -s, the other side alone changed': {
    why: 'the state is below the Dovecot’s own numbers, so that it looks (10)',
    parts: {
      '2: theirs Both': ['a2/1002: 1=b1 2=b2 3=b3 4=x1 next=5', 'as before'],
      '2: theirs Old': ['a4/1004: 1=d1[kwOne] 2=d2 3=d3 next=4', 'as before'],
    },
  },
  'sync -x Name, renamed': {
    why: BY_EITHER_NAME,
    parts: {
      '1: theirs Renamed': ['a5/1005: 1=e1 2=x1 next=3', 'a5/1005: 1=e1 next=2'],
      '1: ours Renamed': ['a5/1005: 1=e1 2=x1 next=3', 'a5/1005: 1=e1 next=2'],
      '1: ours Name': ['none', 'a5/1005: 1=e1 2=x1 next=3'],
    },
  },
  'sync -t 2020-01-01': {
    why: `${HELD_BACK}, and two Dovecots die of that`,
    parts: {
      'again: exit': ['0', 'killed'],
    },
  },
  'sync -e 2020-01-01': untilIsLost,
  'sync -I 10k': {
    why: HELD_BACK,
    parts: {
      'again: ours Ours': [
        'as before',
        'b2/2002: 1=o1 2=o2[kwO] 3=g1 5=g3[\\Flagged] 6=g4[\\Answered kwF] 7=g5 next=8',
      ],
      'again: theirs Theirs': [
        'as before',
        'b1/2001: 1=t1[\\Seen] 2=t2 3=f1 5=f3[\\Flagged] 6=f4[\\Answered kwF] 7=f5 next=8',
      ],
    },
  },
  'sync -O \\Flagged': {
    why: `${LEFT_ALONE}; ${HELD_BACK}`,
    parts: {
      ...leftAlone.parts,
      '1: ours Theirs': [
        'b1/2001: 1=t1[\\Seen] 2=t2 5=f3[\\Flagged] next=6',
        'b1/2001: 1=t1[\\Seen] 2=t2 5=f3[\\Flagged] next=8',
      ],
      'again: ours Ours': ['as before', 'b2/2002: 1=o1 2=o2[kwO] 5=g3[\\Flagged] 8=g4[\\Answered kwF] 9=g5 next=10'],
      'again: theirs Theirs': [
        'as before',
        'b1/2001: 1=t1[\\Seen] 2=t2 5=f3[\\Flagged] 8=f4[\\Answered kwF] 9=f5 next=10',
      ],
    },
  },
  'sync -O -\\Flagged': {
    why: HELD_BACK,
    parts: {
      '1: ours Both': ['a2/1002: 1=b1 2=b2 3=b3 next=4', 'a2/1002: 1=b1 2=b2 3=b3 next=5'],
      'again: ours Ours': ['as before', 'b2/2002: 1=o1 2=o2[kwO] 3=g1 4=g2 6=g4[\\Answered kwF] 7=g5 next=8'],
      'again: theirs Both': ['as before', 'a2/1002: 1=b1 2=b2 3=b3 5=m3[\\Flagged kw1] next=6'],
      'again: theirs Theirs': ['as before', 'b1/2001: 1=t1[\\Seen] 2=t2 3=f1 4=f2 6=f4[\\Answered kwF] 7=f5 next=8'],
    },
  },
  'backup -e 2020-01-01': untilIsLost,
  'sync -1 -e 2020-01-01': untilIsLost,
  'backup -t 2020-01-01': diesAgain('75'),
  'backup -R -t 2020-01-01': diesAgain('killed'),
  'sync -1 -t 2020-01-01': diesAgain('75'),
  'sync -1 -R -t 2020-01-01': diesAgain('killed'),
  'sync -1 -O \\Answered': leftAlone,
  'backup -t, after a mail was expunged everywhere': {
    why: DIES,
    parts: {
      '2: exit': ['0', '75'],
      '2: ours Old': ['a4/1004: 1=d1 3=d3 5=f2 6=f3[\\Flagged] 7=f4[\\Answered kwF] 8=f5 next=9', 'as before'],
      'again: exit': ['0', '75'],
    },
  },
  'sync -1 -t 2020-01-01, the last mail was expunged': diesAgain('75'),
};

/** By what the Dovecot is, and by the name of the case. */
export const DIFFERENCES = { server: SERVER, client: CLIENT } as const satisfies Record<
  DovecotIs,
  Readonly<Record<string, Difference>>
>;
