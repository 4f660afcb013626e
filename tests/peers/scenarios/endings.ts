/**
 * How recorded scenarios end between a Dovecot and us where that is not as recorded between two Dovecots. `server` and
 * `client` say what the Dovecot is; both versions end alike unless a line says otherwise.
 */
import { DEPARTURES } from '../../scenarios/departures.ts';
import { type Outcome, recordedOutcome } from '../../scenarios/play.ts';
import type { Scenario } from '../../support/scenario.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import type { DovecotIs } from './mixed-world.ts';

interface Ending {
  readonly why: string;
  /** `departure`: as between two of ours (tests/scenarios/departures.ts). */
  readonly end: 'departure' | Outcome | Readonly<Record<DovecotVersion, 'departure' | Outcome>>;
}

/** The Dovecot's own doing, which it does with another Dovecot as well. */
const OWN_INBOX =
  'a Maildir Dovecot that is the destination of a backup cannot delete its INBOX, and fails from then on (3)';
const OWN_DUPLICATE = 'a Maildir Dovecot duplicates a mail that arrives while it takes others';
const YIELDS = 'the Dovecot’s GUID and UIDVALIDITY are taken before it can see that they differ';
/** Ours alone decides: it starts the run, or it is the destination. */
const BETTER = 'we do not repeat the defect on our side';

/** Whether mails at one end are missing at the other for another reason than an expunge is not known at a first meeting. */
const KEPT =
  'a mail without a record of its expunge goes to the end that lacks it, and has its UID there with the next run (1)';

const better: Ending = { why: BETTER, end: 'departure' };
const kept: Ending = { why: KEPT, end: 'departure' };
const keptAs = (runs: readonly string[], A: readonly string[], B: readonly string[]): Ending => ({
  why: KEPT,
  end: { runs, A, B },
});
const same = (why: string, runs: readonly string[], lines: readonly string[]): Ending => ({
  why,
  end: { runs, A: lines, B: lines },
});

const ENDINGS: Readonly<Record<string, Partial<Record<DovecotIs, Ending>>>> = {
  'mail-uid-conflict-default': {
    server: { why: 'our numbers differ from the Dovecot’s, so that it is looked at', end: 'departure' },
    client: { why: 'our numbers differ from the Dovecot’s, so that it is looked at', end: 'departure' },
  },
  'mail-expunge-nolog-middle': {
    server: keptAs(
      ['0'],
      ['INBOX(a1/1001): 1=m1 3=m3[\\Flagged kw1] 4=m2[\\Seen] next=5'],
      ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    ),
    client: kept,
  },
  'mail-expunge-nolog-first': {
    server: keptAs(
      ['0'],
      ['INBOX(a1/1001): 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m1 next=5'],
      ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    ),
    client: kept,
  },
  'merge-into-gap': {
    server: kept,
    client: keptAs(
      ['0'],
      ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
      ['INBOX(a1/1001): 1=m1 3=m3[\\Flagged kw1] 4=m2[\\Seen] next=5'],
    ),
  },
  'merge-head': {
    server: kept,
    client: keptAs(
      ['0'],
      ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
      ['INBOX(a1/1001): 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m1 next=5'],
    ),
  },
  'flt-t-then-sync': {
    server: kept,
    client: keptAs(
      ['0', '0'],
      ['INBOX(a1/1001): 1=old1 2=new2[\\Flagged] 3=old3[\\Seen work] 4=new4 next=5'],
      ['INBOX(a1/1001): 2=new2[\\Flagged] 4=new4 5=old1 6=old3[\\Seen work] next=7'],
    ),
  },
  'uidv-more-messages': {
    server: same(YIELDS, ['0'], ['INBOX(a1/2002): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4']),
  },
  'uidv-equal-messages': {
    client: same(YIELDS, ['0'], ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4']),
  },
  'uidv-equal-messages-2': {
    server: same(YIELDS, ['0'], ['INBOX(a1/2002): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4']),
  },
  'mismatch-flags': {
    server: {
      why: 'we merge the flags on our side (11)',
      end: {
        runs: ['0'],
        A: ['INBOX(a1/1001): 1=m1 5=b[\\Flagged \\Seen kwB] next=6'],
        B: ['INBOX(a1/1001): 1=m1 5=b[\\Flagged kwB] next=6'],
      },
    },
    client: {
      why: 'we merge the flags on our side (11)',
      end: {
        runs: ['0'],
        A: ['INBOX(a1/1001): 1=m1 5=b[\\Seen] next=6'],
        B: ['INBOX(a1/1001): 1=m1 5=b[\\Flagged \\Seen kwB] next=6'],
      },
    },
  },
  'tree-create-same-once': {
    client: same(YIELDS, ['0'], ['INBOX(a1/1001): next=1', 'foo(c1/3002): next=1']),
  },
  'tree-inbox-conflict-once': { client: same(YIELDS, ['0'], ['INBOX(a1/1001): 2=m1 3=n1 next=4']) },
  'tree-inbox-conflict-A': {
    server: same(YIELDS, ['0', '0'], ['INBOX(a2/1002): 2=m1 3=n1 next=4']),
    client: same(YIELDS, ['0', '0'], ['INBOX(a3/1001): 2=m1 3=n1 next=4']),
  },
  'tree-delete-recreate': { client: better },
  'subs-and-rename': { server: better },
  'bk-dst-extra-mail-inbox': {
    server: {
      why: OWN_INBOX,
      end: {
        runs: ['75'],
        A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
        B: ['INBOX(a1/1001): next=5'],
      },
    },
  },
  'bk-dst-expunged-middle': { client: better },
  'bk-dst-expunged-middle-2': { client: better },
  'bk-dst-expunged-last': { client: better },
  'bk-dst-expunged-inbox': {
    server: {
      why: OWN_INBOX,
      end: {
        runs: ['75', '75'],
        A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
        B: ['INBOX(a1/1001): next=4'],
      },
    },
    client: better,
  },
  'bk-uid-conflict': { client: better },
  'bk-dst-dir': { client: better },
  'bk-R-expunged': { server: better },
  'ow-conflict-default': {
    server: { why: 'our numbers differ from the Dovecot’s, so that it is looked at', end: 'departure' },
    client: { why: 'our numbers differ from the Dovecot’s, so that it is looked at', end: 'departure' },
  },
  'ow-dst-rename': { server: better, client: better },
  'ow-same-name-2': {
    server: {
      why: BETTER,
      end: {
        '2.3': 'departure',
        // The destination of a 2.4 keeps its UIDVALIDITY.
        '2.4': {
          runs: ['0'],
          A: ['INBOX(a1/1001): next=1', 'foo(c1/3001): 1=x1 next=2'],
          B: ['INBOX(a1/1001): next=1', 'foo(c1/3002): 2=x1 3=y1 next=4'],
        },
      },
    },
    client: better,
  },
  'ow-uidv-dst': {
    server: {
      why: 'the source is ours and keeps its UIDVALIDITY, and the Dovecot keeps its own',
      end: {
        runs: ['0'],
        A: ['INBOX(a1/1001): 1=m1 next=2'],
        B: ['INBOX(a1/2002): 1=m1 2=m2 next=3'],
      },
    },
    client: better,
  },
  'flt-e-exact-local': {
    client: {
      why: 'recorded inside one process: to another side a Dovecot sends 0 for the bound of -e',
      end: {
        runs: ['75'],
        A: ['INBOX(a1/1001): 1=old1 2=new2[\\Flagged] 3=old3[\\Seen work] 4=new4 next=5'],
        B: [],
      },
    },
  },
  'flt-t-then-backup': {
    server: {
      why: OWN_INBOX,
      end: {
        runs: ['0', '75', '75'],
        A: ['INBOX(a1/1001): 1=old1 2=new2[\\Flagged] 3=old3[\\Seen work] 4=new4 next=5'],
        B: ['INBOX(a1/1001): next=5'],
      },
    },
    client: better,
  },
  'st-uidv-changed-A': {
    server: {
      why: YIELDS,
      end: {
        runs: ['0 state', '2 empty', '0 state'],
        A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
        B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
      },
    },
  },
  'st-backup-lost': {
    server: same(
      'a run of ours that fails prints an empty state',
      ['0 state', '75 empty', '0 state'],
      ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 4=f4 next=5'],
    ),
    client: same(
      'what a changed destination has to get back is not in the changes that a Dovecot sends, so a run without the state is asked for',
      ['0 state', '2 empty', '0 state'],
      ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 4=f4 next=5'],
    ),
  },
  'st-fail': {
    server: {
      why: 'a run of ours that fails prints an empty state',
      end: {
        runs: ['75 empty'],
        A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
        B: ['INBOX(a1/1001): next=1'],
      },
    },
    client: better,
  },
  'attr-backup': { client: better },
  'attr-backup-older': { client: better },
  'attr-backup-extra': { client: better },
  'st-remote-only': { server: better },
  'ns-n-remote-missing': { server: better, client: better },
  'conc-new-dst-save': {
    server: same(
      OWN_DUPLICATE,
      ['2', '0'],
      ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 5=n4 6=race 7=duplicate next=8'],
    ),
  },
  'conc-new-dst-save-once': {
    server: {
      why: OWN_DUPLICATE,
      end: {
        runs: ['2'],
        A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=n4 next=5'],
        B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 5=n4 6=race 7=duplicate next=8'],
      },
    },
  },
  'more-remove-vs-add-other': { client: better },
  'more-delete-child-rename-parent': { server: better },
};

/** How a scenario has to end, and why not as recorded. */
export function endingOf(
  scenario: Scenario,
  version: DovecotVersion,
  dovecotIs: DovecotIs,
): Outcome & { readonly why?: string } {
  const ending = ENDINGS[scenario.id]?.[dovecotIs];
  if (ending === undefined) return recordedOutcome(scenario);
  const { why, end } = ending;
  const found = end === 'departure' || 'runs' in end ? end : end[version];
  if (found !== 'departure') return { why, ...found };
  const departure = DEPARTURES[scenario.id];
  if (departure === undefined) throw new Error(`${scenario.id} has no departure`);
  const { runs, A, B } = departure;
  return { why, runs, A, B };
}
