/** Both sides' lists of one mailbox become both sides' plans, and what is foreseen of the mailbox then. */
import { counted, ProtocolError, type Uid } from '@dsync/protocol';
import type { Attribute, HeldBack, MailFacts, PrivateFlags } from '@dsync/storage';

import { digestAfter } from '../mails/digest-after.ts';
import { eitherHeldBack } from '../mails/held-back.ts';
import { identityOf } from '../mails/identity.ts';
import type { MailMergeContext, MailPlan, MailSide } from '../mails/mail-plan.ts';
import { unchangedPlan } from '../mails/plan-builder.ts';
import { planMails } from '../mails/plan-mails.ts';
import { planSafely } from '../mails/plan-safely.ts';
import type { RefusedKeywords } from '../mails/refused-keywords.ts';
import { privateAfter, privateModseqs, type PrivateModseqs } from '../mails/private-flags.ts';
import { sideNumbers } from './announce-mailbox.ts';
import { everythingIn } from './changes-since.ts';
import { isFiltering } from './handshake.ts';
import type { ChangeCollector } from './mail-messages.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { heldBackIn } from './met-before.ts';
import type { Recognition } from './recognition.ts';
import { peerIsOurs, type Session } from './session.ts';
import { wholeListOf } from './tell-stretches.ts';
import { safeList, type ToldList } from './told-list.ts';

/** What the own side has besides its list. */
export interface OwnSide {
  readonly facts: ReadonlyMap<Uid, MailFacts> | null;
  readonly attributes: readonly Attribute[];
  readonly recognition: Recognition;
  /** With a common state: of all own mails. */
  readonly lookup: MailSide['lookup'];
}

/** What the merge came to. */
export type MergedLists =
  | {
      readonly kind: 'plan';
      readonly plan: MailPlan;
      readonly theirPlan: MailPlan;
      /** Whether both sides hold the same afterwards. */
      readonly equalAfter: boolean;
      /** Own private flags afterwards, if there are any. */
      readonly privateFlags: PrivateFlags | null;
      /** The own list as the peer is to be told it. */
      readonly told: ToldList;
      /** Which own mails are told under other UIDs than they have. */
      readonly moves: ReadonlyMap<Uid, Uid>;
      /** What only one side has then, with a Dovecot at the other end. */
      readonly apart: HeldBack | null;
    }
  /** The common state does not hold: the mailbox is left alone. */
  | { readonly kind: 'stale-state'; readonly plan: MailPlan; readonly reason: string };

/**
 * With a common state both lists hold changes only, so what the peer says of other mails is checked against all own ones.
 * @param refused keywords that it is not told, and that are left out here
 * @returns how to ask for an own mail; undefined: the own list is whole
 */
export async function lookupIn(
  { common, view }: MailboxTalk,
  refused: RefusedKeywords | null,
): Promise<MailSide['lookup']> {
  if (common === null) return undefined;
  const { mails } = await everythingIn(view);
  const byUid = new Map(mails.map((mail) => [mail.uid, refused?.hide(mail) ?? mail]));
  return (uid) => byUid.get(uid);
}

/** @throws {ProtocolError} `BadValue` for a list that cannot be; {SyncError} */
export async function mergeLists(
  session: Session,
  talk: MailboxTalk,
  own: OwnSide,
  theirs: ChangeCollector,
): Promise<MergedLists> {
  const { facts, lookup, recognition } = own;
  const local: MailSide = {
    ...sideNumbers(talk.ours),
    ...talk.changes,
    ...(talk.privateFlags === null ? {} : { private: privateModseqs(talk.privateFlags) }),
    ...(facts === null ? {} : { facts }),
    ...(lookup === undefined ? {} : { lookup }),
  };
  const remote: MailSide = {
    ...sideNumbers(talk.theirs),
    mails: wholeListOf(theirs.mails, talk.changes.mails, talk),
    expunges: theirs.expunges,
    ...(talk.privateFlags === null ? {} : { private: theirPrivate(talk, theirs) }),
    ...(facts === null ? {} : { facts: theirs.facts }),
  };
  const identified = await recognition.identify(local, remote, theirs);
  const context = contextOf(session, talk, recognition);
  const known = heldBackIn(session, talk);
  checkTellsAll(session, talk, identified.remote);
  const merge = session.channel.peer.isDovecot
    ? planSafely(identified.local, identified.remote, context, known)
    : { ...planMails(identified.local, identified.remote, context), ...NOTHING_APART };
  if (merge.kind === 'stale-state') return { ...merge, plan: unchangedPlan(local) };
  const plan = identified.restore(merge.local, 'local');
  const theirPlan = identified.restore(merge.remote, 'remote');
  const privateFlags = privateFlagsAfter(talk, theirs, { plan, theirPlan });
  return {
    kind: 'plan',
    plan,
    theirPlan,
    equalAfter: merge.equalAfter,
    privateFlags,
    told: safeList({ changes: talk.changes, facts, hashes: recognition.hashes }, theirs, merge),
    moves: merge.moves,
    apart: talk.common === null ? merge.apart : eitherHeldBack(known, merge.apart),
  };
}

/**
 * Own private flags once the plans are carried out, if there are any.
 * @param theirs the peer's list; null: it tells none
 */
export function privateFlagsAfter(
  talk: MailboxTalk,
  theirs: ChangeCollector | null,
  plans: { readonly plan: MailPlan; readonly theirPlan: MailPlan } | null,
): PrivateFlags | null {
  return talk.privateFlags === null ? null : privateAfter(talk.privateFlags, theirPrivate(talk, theirs), plans);
}

/** As far as the peer has told them. */
function theirPrivate({ theirs }: MailboxTalk, told: ChangeCollector | null): PrivateModseqs {
  return { highestModseq: theirs.highestPrivateModseq, mails: told?.privateModseqs ?? new Map() };
}

const NOTHING_APART = { standIns: [], moves: new Map<Uid, Uid>(), apart: null };

/**
 * A Dovecot from 2.4.3 on does not tell of mails outside the filter. Nothing of ours can stand in for them then, and it would
 * expunge those that are not here.
 * @throws {ProtocolError} `BadValue`
 */
function checkTellsAll({ rules, channel }: Session, { common, view }: MailboxTalk, remote: MailSide): void {
  if (!channel.peer.isDovecot || rules.mode !== 'two-way' || !isFiltering(rules.filter) || common !== null) return;
  if (remote.mails.length >= remote.messages) return;
  const name = view.path.join('/');
  throw new ProtocolError(
    'BadValue',
    `the other side tells ${remote.mails.length} of its ${counted(remote.messages, 'mail')} in ${name}, and would expunge others: a filter can be used with it for backup and -1 only`,
  );
}

/**
 * The digest of the mailbox when the plan is carried out. Both sides end the same way only in a merge of two ways, from a
 * common state, that leaves nothing alone; else undefined.
 */
export function foreseenDigest(
  { rules }: Session,
  { ours, theirs }: MailboxTalk,
  { lookup, attributes }: OwnSide,
  merged: MergedLists,
  changed: readonly Attribute[],
): string | undefined {
  const { digest } = ours;
  if (lookup === undefined || digest === undefined || merged.kind !== 'plan' || !merged.equalAfter) return undefined;
  // Mails that are recognised by anything else have other GUIDs on each side.
  if (rules.mode !== 'two-way' || identityOf(rules.localIs, ours, theirs) !== 'guid') return undefined;
  return digestAfter({ digest, mail: lookup, attributes }, merged.plan.operations, changed);
}

function contextOf({ rules, channel }: Session, { common }: MailboxTalk, recognition: Recognition): MailMergeContext {
  return {
    mode: rules.mode,
    source: rules.localIs === 'destination' ? 'remote' : 'local',
    localStarts: rules.role === 'master',
    common: common === null ? null : { uid: common.lastCommonUid, modseq: common.lastCommonModseq },
    filter: rules.filter,
    evidence: peerIsOurs(channel) ? 'record' : 'position',
    copies: !recognition.byHeader,
  };
}
