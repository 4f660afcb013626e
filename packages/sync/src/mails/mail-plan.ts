/** The data that the merge of one mailbox works on and makes. Everything here is a plain value. */
import type { MailGuid, Modseq, Uid } from '@dsync/protocol';
import type { ExpungeRecord, MailFacts, MailRecord } from '@dsync/storage';

import type { MailFilter, Mode } from '../options.ts';
import type { PrivateModseqs } from './private-flags.ts';

/** One side of a mailbox: its numbers, mails and remembered expunges (ascending UIDs). */
export interface MailSide {
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly messages: number;
  readonly highestModseq: Modseq;
  readonly firstRecentUid: number;
  /** Every mail; with a common state only what is new or changed since. */
  readonly mails: readonly MailRecord[];
  readonly expunges: readonly ExpungeRecord[];
  /** Where the mailbox has private flags: on both sides or on none. */
  readonly private?: PrivateModseqs;
  /** Of `mails`: those that only stand in for what is not there (plan-safely.ts), so that nothing can be copied from them. */
  readonly absent?: ReadonlySet<number>;
  /** By UID; needed while the filter has a date or size. */
  readonly facts?: ReadonlyMap<Uid, MailFacts>;
  /**
   * With a common state: any mail of this side, listed or not, as each side knows it of itself. With it, what the other
   * side says of an unlisted mail is checked against that mail, and changes that are none are left out.
   */
  readonly lookup?: (uid: Uid) => MailRecord | undefined;
}

/** By which rules one mailbox is merged. Both ends have the same, but for which side is local. */
export interface MailMergeContext {
  readonly mode: Mode;
  /** In backup and one-way: the side whose mails are the model. */
  readonly source: 'local' | 'remote';
  /** Whether the local side started the run; breaks ties of flags. */
  readonly localStarts: boolean;
  /** The common state that both lists were made from, if any. */
  readonly common: { readonly uid: number; readonly modseq: Modseq } | null;
  readonly filter: MailFilter;
  /**
   * What shows that a mail was expunged. `record`: only an expunge record. `position`: also that it is missing below the
   * highest common UID, as Dovecot concludes; both ends must use the same, so it is used with a Dovecot at the other end.
   */
  readonly evidence: 'record' | 'position';
  /** False: records with one identity may hold different bytes (header hashes), so none is copied in place of another. */
  readonly copies?: boolean;
}

/** Which rule made an operation; shown in the plan and the log. */
export type MailRule =
  | 'new-mail'
  | 'uid-conflict'
  | 'same-mail-other-uid'
  | 'missing-without-record'
  | 'expunged-there'
  | 'expunged-by-position'
  | 'not-in-source'
  | 'flags-merged'
  | 'flags-of-source'
  | 'rebuild';

/** What one side has to do to its own mails. UIDs `uid` and `to` are final. */
export type MailOperation =
  | {
      readonly op: 'save';
      readonly uid: Uid;
      readonly guid: MailGuid;
      readonly flags: number;
      readonly keywords: readonly string[];
      readonly modseq: Modseq;
      /** The other side's UID of the mail now. */
      readonly remoteUid: Uid;
      readonly rule: MailRule;
    }
  | {
      /** One more instance of a mail that this side has, or (in a rebuild) a mail kept. */
      readonly op: 'copy' | 'keep';
      readonly from: Uid;
      readonly uid: Uid;
      readonly guid: MailGuid;
      readonly flags: number;
      readonly keywords: readonly string[];
      readonly modseq: Modseq;
      readonly rule: MailRule;
    }
  | { readonly op: 'renumber'; readonly from: Uid; readonly to: Uid; readonly guid: MailGuid; readonly rule: MailRule }
  | {
      readonly op: 'flag';
      /** The mail's UID before renumbering. */
      readonly uid: Uid;
      readonly flags: number;
      readonly keywords: readonly string[];
      readonly modseq: Modseq;
      readonly rule: MailRule;
    }
  | {
      readonly op: 'expunge';
      readonly uid: Uid;
      /** null: the plan is made from a common state and does not know the mail; only for a side without `lookup`. */
      readonly guid: MailGuid | null;
      readonly rule: MailRule;
    };

/** What one side has to do. */
export interface MailPlan {
  /** The mailbox must be made anew (backup repair): then the operations are `keep`s and `save`s of its whole contents. */
  readonly rebuild: boolean;
  readonly operations: readonly MailOperation[];
  /** Numbers to end with; a side raises (or with `rebuild` sets) its own to these. */
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly highestModseq: Modseq;
  readonly firstRecentUid: number;
}

/** Both sides' plans, or why the common state cannot hold: then nothing is planned. */
export type MailMerge =
  | {
      readonly kind: 'plan';
      readonly local: MailPlan;
      readonly remote: MailPlan;
      /**
       * Whether both sides have the same mails with the same flags once both plans are carried out. If not (one-way, or
       * mails left alone by a filter), nothing may be remembered as common: the next run has to look at everything.
       */
      readonly equalAfter: boolean;
    }
  | {
      /** The common state does not hold: the mailbox must be compared in full. */
      readonly kind: 'stale-state';
      readonly reason: string;
    };
