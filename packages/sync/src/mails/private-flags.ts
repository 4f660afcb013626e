/**
 * Flags of a shared mailbox that each user has for himself. A Dovecot keeps them in an index of its own, with modseqs that
 * start anew there, and tells by its highest one that a mailbox has such flags. Ours are flags like any other; what is
 * remembered of the last meeting shows which of them users have changed since, and gives these changes modseqs that a
 * Dovecot can compare with its own.
 */
import { FLAG, type Modseq, type Uid } from '@dsync/protocol';
import type { MailboxChanges, PrivateFlags, PrivateMail } from '@dsync/storage';

import type { MailPlan } from './mail-plan.ts';
import { largerModseq, modseqAfter } from './plan-builder.ts';

/** The flags that a Dovecot keeps private where it keeps any. */
export const PRIVATE_FLAGS: number = FLAG.seen;

/** Modseqs of one side's private flags. */
export interface PrivateModseqs {
  readonly highestModseq: Modseq;
  /** A mail that is not in it has modseq 0. */
  readonly mails: ReadonlyMap<Uid, Modseq>;
}

/** Of a mail that was not met before it is not known who changed what: everybody else's word counts more. */
const NOT_MET = 1n;

/**
 * The flags as they are now, each change since the last meeting with a modseq of its own above all others.
 * @param before null: nothing is remembered
 * @param isWhole the list has every mail; else what is not in it is as it was
 */
export function observePrivate(
  before: PrivateFlags | null,
  uidValidity: number,
  { mails, expunges }: MailboxChanges,
  isWhole: boolean,
): PrivateFlags {
  const known = before?.uidValidity === uidValidity ? before : null;
  let highestModseq = known?.highestModseq ?? NOT_MET;
  const now = new Map(isWhole ? [] : known?.mails);
  for (const { uid } of expunges) now.delete(uid);
  for (const mail of mails) {
    const flags = mail.flags & PRIVATE_FLAGS;
    const then = known?.mails.get(mail.uid);
    if (then !== undefined && then.flags !== flags) highestModseq = modseqAfter(highestModseq);
    now.set(mail.uid, then?.flags === flags ? then : { flags, modseq: then === undefined ? NOT_MET : highestModseq });
  }
  return { uidValidity, highestModseq, mails: now };
}

/** What of private flags travels besides the flags themselves. */
export function privateModseqs({ highestModseq, mails }: PrivateFlags): PrivateModseqs {
  return { highestModseq, mails: new Map([...mails].map(([uid, { modseq }]) => [uid, modseq])) };
}

/**
 * What is to be remembered once both plans are carried out. Whatever is changed from then on at either side gets a higher
 * modseq than anything that was there before.
 * @param observed what the plan was made from
 */
export function privateAfter(
  observed: PrivateFlags,
  theirs: PrivateModseqs,
  plans: { readonly plan: MailPlan; readonly theirPlan: MailPlan } | null,
): PrivateFlags {
  if (plans === null) return { ...observed, highestModseq: largerModseq(observed.highestModseq, theirs.highestModseq) };
  const { plan, theirPlan } = plans;
  const mails = new Map<Uid, PrivateMail>(plan.rebuild ? [] : observed.mails);
  const changed = modseqAfter(observed.highestModseq);
  const told = (uid: Uid): Modseq => theirs.mails.get(uid) ?? NOT_MET;
  for (const operation of plan.operations) {
    const flags = 'flags' in operation ? operation.flags & PRIVATE_FLAGS : 0;
    switch (operation.op) {
      case 'flag': {
        const before = mails.get(operation.uid);
        if (before === undefined || before.flags === flags) break;
        mails.set(operation.uid, { flags, modseq: largerModseq(changed, told(operation.uid)) });
        break;
      }
      case 'save':
        mails.set(operation.uid, { flags, modseq: told(operation.remoteUid) });
        break;
      case 'copy':
      case 'keep':
        mails.set(operation.uid, { flags, modseq: observed.mails.get(operation.from)?.modseq ?? NOT_MET });
        break;
      case 'renumber': {
        const before = mails.get(operation.from);
        mails.delete(operation.from);
        if (before !== undefined) mails.set(operation.to, before);
        break;
      }
      case 'expunge':
        mails.delete(operation.uid);
        break;
      default:
        operation satisfies never;
    }
  }
  // A Dovecot raises its own for each of its changes, which it may count one by one.
  const changes = theirPlan.operations.filter(({ op }) => op === 'flag').length;
  let highestModseq = largerModseq(observed.highestModseq, theirs.highestModseq + BigInt(changes));
  for (const { modseq } of mails.values()) highestModseq = largerModseq(highestModseq, modseq);
  return { uidValidity: plan.uidValidity, highestModseq, mails };
}

/** Whether two records say the same. */
export function samePrivate(a: PrivateFlags, b: PrivateFlags): boolean {
  if (a.uidValidity !== b.uidValidity || a.highestModseq !== b.highestModseq || a.mails.size !== b.mails.size)
    return false;
  for (const [uid, { flags, modseq }] of a.mails) {
    const other = b.mails.get(uid);
    if (other?.flags !== flags || other.modseq !== modseq) return false;
  }
  return true;
}
