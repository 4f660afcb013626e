/**
 * Where a recorded outcome repeats a known defect of the original, and how the same story ends here. Numbers are those of
 * the list of defects in docs/departures.md.
 */
import type { Outcome } from './play.ts';

/** An outcome that is right where the recorded one is not. */
export interface Departure extends Outcome {
  /** The defect that the recorded outcome shows. */
  readonly defect: string;
  /**
   * Only between two of ours: in Dovecot's text both ends have to conclude what a Dovecot would, so the story ends there as
   * recorded.
   */
  readonly native?: true;
  /** A Maildir has one spelling of a keyword for all of a mailbox, so letters count the same in either case. */
  readonly anyCase?: true;
}

/** By the scenario's id. */
export const DEPARTURES: Readonly<Record<string, Departure>> = {
  'mail-uid-conflict-default': {
    defect: '9: equally many changes on both sides are not found',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 5=aa 6=zz next=7'],
    B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] 5=aa 6=zz next=7'],
  },
  'mail-expunge-nolog-middle': {
    defect: '1: a mail is deleted without a record of its expunge',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 3=m3[\\Flagged kw1] 4=m2[\\Seen] next=5'],
    B: ['INBOX(a1/1001): 1=m1 3=m3[\\Flagged kw1] 4=m2[\\Seen] next=5'],
  },
  'mail-expunge-nolog-first': {
    defect: '1: a mail is deleted without a record of its expunge',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m1 next=5'],
    B: ['INBOX(a1/1001): 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m1 next=5'],
  },
  'flags-union-default': {
    defect: '9: equally many changes on both sides are not found',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1[\\Flagged \\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    B: ['INBOX(a1/1001): 1=m1[\\Flagged \\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
  },
  'kw-case': {
    defect: '12: keywords that differ only in case never become equal',
    anyCase: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1[KWX] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    B: ['INBOX(a1/1001): 1=m1[KWX] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
  },
  'mismatch-flags': {
    defect: '11: flags of a mail that had different UIDs are lost',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 5=b[\\Flagged \\Seen kwB] next=6'],
    B: ['INBOX(a1/1001): 1=m1 5=b[\\Flagged \\Seen kwB] next=6'],
  },
  'merge-into-gap': {
    defect: '1: a mail is deleted without a record of its expunge',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 3=m3[\\Flagged kw1] 4=m2[\\Seen] next=5'],
    B: ['INBOX(a1/1001): 1=m1 3=m3[\\Flagged kw1] 4=m2[\\Seen] next=5'],
  },
  'merge-head': {
    defect: '1: a mail is deleted without a record of its expunge',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m1 next=5'],
    B: ['INBOX(a1/1001): 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=m1 next=5'],
  },
  'tree-delete-recreate': {
    defect: '5: mails of a deleted mailbox come back when its name is used again',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1', 'foo(c9/3009): 1=r1 next=2'],
    B: ['INBOX(a1/1001): next=1', 'foo(c9/3009): 1=r1 next=2'],
  },
  'subs-and-rename': {
    defect: '17: the subscribed state travels with a renamed mailbox on one side',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1', 'bar(b0/2000): 1=foo.m1 next=2', 'subscribed foo'],
    B: ['INBOX(a1/1001): next=1', 'bar(b0/2000): 1=foo.m1 next=2', 'subscribed foo'],
  },
  'bk-dst-flags-equal-count': {
    defect: '9: equally many changes on both sides are not found',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    B: ['INBOX(a1/1001): 1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
  },
  'bk-dst-expunged-middle': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
  },
  'bk-dst-expunged-middle-2': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
  },
  'bk-dst-expunged-last': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
  },
  'bk-dst-expunged-inbox': {
    defect: '3: a backup empties an INBOX that cannot be deleted',
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
  },
  'bk-uid-conflict': {
    defect: '4: a backup deletes a mailbox with another mail under a UID and fails',
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 4=src4 5=src5 next=6'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 4=src4 5=src5 next=6'],
  },
  'bk-dst-dir': {
    defect: '15: extra empty directories stay in the destination of a backup',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1'],
    B: ['INBOX(a1/1001): next=1'],
  },
  'bk-R-expunged': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
  },
  'ow-conflict-default': {
    defect: '9: equally many changes on both sides are not found',
    native: true,
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2 3=m3 4=m4 5=m5 6=src6 next=7'],
    B: ['INBOX(a1/1001): 1=m1 2=m2 3=m3 4=m4 5=m5 7=dst6 8=src6 next=9'],
  },
  'ow-dst-rename': {
    defect: '13: a mailbox renamed in the destination gets no more mail',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=foo.m1 2=f2 next=3'],
    B: ['INBOX(a1/1001): next=1', 'bar(b0/2000): 1=foo.m1 2=f2 next=3'],
  },
  'ow-same-name-2': {
    defect: '13: -1 changes the UIDVALIDITY of the source',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1', 'foo(c1/3001): 1=x1 next=2'],
    B: ['INBOX(a1/1001): next=1', 'foo(c1/3001): 2=x1 3=y1 next=4'],
  },
  'ow-uidv-dst': {
    defect: '13: -1 changes the UIDVALIDITY of the source',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 next=2'],
    B: ['INBOX(a1/1001): 1=m1 2=m2 next=3'],
  },
  'flt-t-then-sync': {
    defect: '2: mails that a filter left out are expunged later',
    native: true,
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): 2=new2[\\Flagged] 4=new4 5=old1 6=old3[\\Seen work] next=7'],
    B: ['INBOX(a1/1001): 2=new2[\\Flagged] 4=new4 5=old1 6=old3[\\Seen work] next=7'],
  },
  'flt-t-then-backup': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0', '0', '0'],
    A: ['INBOX(a1/1001): 1=old1 2=new2[\\Flagged] 3=old3[\\Seen work] 4=new4 next=5'],
    B: ['INBOX(a1/1001): 1=old1 2=new2[\\Flagged] 3=old3[\\Seen work] 4=new4 next=5'],
  },
  'flt-I-then-ow': {
    defect: '2: mails that a filter left out never arrive',
    native: true,
    runs: ['0', '0'],
    A: ['INBOX(a1/1001): 1=old1 2=new2[\\Flagged] 3=old3[\\Seen work] 4=new4 next=5'],
    B: ['INBOX(a1/1001): 1=old1 4=new4 5=new2[\\Flagged] 6=old3[\\Seen work] next=7'],
  },
  'st-uidv-changed-A': {
    defect: 'the run fails where another run without the state is enough',
    runs: ['0 state', '2 empty', '0 state'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/9999): 1=f1 2=f2 3=f3 next=4'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/9999): 1=f1 2=f2 3=f3 next=4'],
  },
  'st-backup-lost': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0 state', '0 state', '0 state'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 4=f4 next=5'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 4=f4 next=5'],
  },
  'st-fail': {
    defect: '4: a backup deletes a mailbox that lacks a mail and fails',
    runs: ['0 state'],
    A: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
    B: ['INBOX(a1/1001): next=1', 'foo(b0/2000): 1=f1 2=f2 3=f3 next=4'],
  },
  'attr-both-later-A': {
    defect: 'the larger value of a metadata entry wins, not the later one',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4 /private/comment=A1'],
    B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4 /private/comment=A1'],
  },
  'attr-backup': {
    defect: '16: a backup leaves other metadata in the destination',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4 /private/comment=A1'],
    B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4 /private/comment=A1'],
  },
  'attr-backup-older': {
    defect: '16: a backup leaves other metadata in the destination',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4 /private/comment=A1'],
    B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4 /private/comment=A1'],
  },
  'attr-backup-extra': {
    defect: '16: a backup leaves other metadata in the destination',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
    B: ['INBOX(a1/1001): 1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] next=4'],
  },
  'st-remote-only': {
    defect: '10: changes on the other side alone are not found with a state',
    runs: ['0 state', '0 state', '0 state'],
    A: ['INBOX(a1/1001): 1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=p4 next=5'],
    B: ['INBOX(a1/1001): 1=m1[\\Seen] 2=m2[\\Seen] 3=m3[\\Flagged kw1] 4=p4 next=5'],
  },
  'ns-n-remote-missing': {
    defect: 'a run that is refused has already made a mailbox of the unknown namespace',
    runs: ['75'],
    A: ['Archive/x(c1/3001): next=1', 'INBOX(a1/1001): next=1', 'directory Archive'],
    B: ['INBOX(a1/1001): next=1'],
  },
  'more-remove-vs-add-other': {
    defect: '8: a keyword removed on one side comes back',
    runs: ['0'],
    A: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[kw2] next=4'],
    B: ['INBOX(a1/1001): 1=m1 2=m2[\\Seen] 3=m3[kw2] next=4'],
  },
  'more-delete-child-rename-parent': {
    defect: 'exit status 2 for a directory that was gone already',
    runs: ['0'],
    A: ['INBOX(a1/1001): next=1', 'bar(b0/2000): 1=foo.m1 next=2'],
    B: ['INBOX(a1/1001): next=1', 'bar(b0/2000): 1=foo.m1 next=2'],
  },
};
