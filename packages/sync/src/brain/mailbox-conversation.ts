/**
 * The conversation about one mailbox, the same code for both ends (sync-semantics.md chapters 2 and 5,
 * dovecot-wire.md §5.2). The caller has exchanged the `mailbox` messages and opened and locked the mailbox.
 *
 *     send track:     attributes . changes . ------ requests . --- mails . ------------- state
 *                                             ^                 ^         |         ^
 *                                  peer's changes      peer's requests    +-> everything applied
 *     receive track:  attributes . changes . requests . mails . state
 *
 * The receive track never waits for the send track, so neither end can block the other by not reading. A source sends
 * no requests and receives no mails; a destination sends neither attributes nor changes nor mails (except in a dry run,
 * where both send their lists so that both plans can be shown, and nothing else; a Dovecot is asked as the source of a backup then, see dry-run.ts).
 */
import type { Body, Conversation, MessageOf, Uid, Modseq } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import {
  StoreError,
  type Attribute,
  type Mailbox,
  type MailboxChanges,
  type MailFacts,
  type MailRecord,
} from '@dsync/storage';

import { digestAfter } from '../mails/digest-after.ts';
import { type EqualStretches, isIn, withEqualMails } from '../mails/equal-stretches.ts';
import { identityOf } from '../mails/identity.ts';
import type { MailMergeContext, MailPlan, MailSide } from '../mails/mail-plan.ts';
import { planMails } from '../mails/plan-mails.ts';
import type { MailboxReport, MailCounts } from '../report.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import { attributeMessages, receiveAttribute } from './attribute-messages.ts';
import { appliedCounts, countMails, NO_MAILS } from './count-mails.ts';
import { allEnded, type Deferred, deferred } from './deferred.ts';
import { factsNeeded, needsFacts } from './handshake.ts';
import { ChangeCollector, changeMessages, expectKind, isKind, withShortGuids } from './mail-messages.ts';
import { MailExport } from './mail-export.ts';
import { MailImport } from './mail-import.ts';
import type { MailboxView } from './mailbox-view.ts';
import { planAttributes } from './merge-attributes.ts';
import { Recognition } from './recognition.ts';
import { peerIsOurs, type Session } from './session.ts';

export interface MailboxTalk {
  readonly conversation: Conversation;
  readonly view: MailboxView;
  /** The mailbox to change; null in a dry run. */
  readonly mailbox: Mailbox | null;
  readonly ours: MessageOf<'mailbox'>;
  readonly theirs: MessageOf<'mailbox'>;
  /** The common state of this mailbox, if both ends use one. */
  readonly common: MailboxSyncState | null;
  /** Own changes since the common state, or everything. */
  readonly changes: MailboxChanges;
  /** Neither side tells the mails in these; null: it tells all. */
  readonly equal: EqualStretches | null;
}

export interface MailboxOutcome {
  readonly report: MailboxReport;
  /** What is common now; null: do not trust, look at everything next time. */
  readonly state: MailboxSyncState | null;
  /** Why the common state does not hold. */
  readonly stale: string | null;
  /** HIGHESTMODSEQ on this side if the run had nothing else to do here. */
  readonly highestModseq: Modseq;
}

/**
 * Synchronises one mailbox.
 * @throws {ProtocolError} what the peer does wrong; {StoreError} what the own store cannot do
 */
export async function talkAboutMailbox(session: Session, talk: MailboxTalk): Promise<MailboxOutcome> {
  await using exchange = await Exchange.open(session, talk);
  return await exchange.run();
}

class Exchange implements AsyncDisposable {
  readonly #session: Session;
  readonly #talk: MailboxTalk;
  readonly #facts: ReadonlyMap<Uid, MailFacts> | null;
  readonly #attributes: readonly Attribute[];
  readonly #recognition: Recognition;
  readonly #sendsLists: boolean;
  readonly #receivesLists: boolean;
  readonly #sendsMails: boolean;
  readonly #receivesMails: boolean;
  /** The peer's whole change list has come and the merge is done. */
  readonly #planned = deferred<MailPlan>();
  /** Every request of the peer has come. */
  readonly #requested = deferred<readonly MessageOf<'mailRequest'>[]>();
  /** The mails that the peer asked for are sent. */
  readonly #sent = deferred<void>();
  /** Everything received is stored and committed. */
  readonly #applied = deferred<MailCounts>();
  readonly #peerState = deferred<MessageOf<'mailboxState'>>();
  #plan: MailPlan | null = null;
  /** Whether both sides hold the same afterwards; if not, nothing is common that a later run could start from. */
  #equalAfter = true;
  #import: MailImport | null = null;
  #plans: MailboxReport['plan'];
  #stale: string | null = null;
  /** Of a mailbox that was compared from a common state, when this side's plan is carried out. */
  #digest: string | undefined;
  #remoteCounts: MailCounts = NO_MAILS;

  private constructor(
    session: Session,
    talk: MailboxTalk,
    facts: ReadonlyMap<Uid, MailFacts> | null,
    attributes: readonly Attribute[],
    recognition: Recognition,
  ) {
    const { onlyAsks, rules } = session;
    const { localIs, dryRun } = rules;
    this.#recognition = recognition;
    this.#session = session;
    this.#talk = talk;
    this.#facts = facts;
    this.#attributes = attributes;
    this.#sendsLists = (localIs !== 'destination' || dryRun) && !onlyAsks;
    this.#receivesLists = localIs !== 'source' || dryRun;
    this.#sendsMails = localIs !== 'destination' && !dryRun;
    this.#receivesMails = localIs !== 'source' && !dryRun;
  }

  static async open(session: Session, talk: MailboxTalk): Promise<Exchange> {
    const { view, ours, theirs } = talk;
    const facts = needsFacts(session.rules.filter) ? await view.facts() : null;
    const recognition = new Recognition(session, view, identityOf(session.rules.localIs, ours, theirs));
    const changes = await recognition.prepare(talk.changes, theirs.messages);
    return new Exchange(session, { ...talk, changes }, facts, await view.attributes(), recognition);
  }

  async run(): Promise<MailboxOutcome> {
    await allEnded([this.#sendTrack(), this.#receiveTrack()], (reason) => {
      for (const waiting of [this.#planned, this.#requested, this.#sent, this.#applied, this.#peerState])
        waiting.reject(reason);
      // The other track may be waiting for the peer; nothing more can come of this session.
      void this.#session.channel.abort(reason instanceof Error ? reason.message : String(reason));
    });
    const local = await this.#applied.promise;
    const theirs = await this.#peerState.promise;
    const planned = this.#plans === undefined ? local : countMails(this.#plans.local);
    if (this.#digest !== undefined && theirs.digest !== undefined && theirs.digest !== this.#digest)
      this.#stale ??= 'both sides’ changes since then do not make them equal';
    return {
      report: this.#report(planned),
      state: this.#commonState(this.#ownState(local), theirs),
      stale: this.#stale,
      highestModseq: this.#leastModseq(),
    };
  }

  async #sendTrack(): Promise<void> {
    const { conversation, changes, common, equal } = this.#talk;
    if (this.#sendsLists) {
      const { rules, channel } = this.#session;
      for (const message of attributeMessages(this.#attributes, channel.peer.isDovecot))
        await conversation.send(message);
      await this.#end();
      // A Dovecot that a backup reverts, or that looks for dates, dies of an expunge in the list; that the mail is not in the
      // list tells it the same.
      const isDeadly = rules.mode === 'backup' || needsFacts(rules.filter);
      const keepsSilent = isDeadly && channel.peer.isDovecot && common === null;
      const told = keepsSilent ? { ...changes, expunges: [] } : peerIsOurs(channel) ? changes : withShortGuids(changes);
      const { hashes } = this.#recognition;
      for (const message of changeMessages(withoutEqual(told, equal), common?.lastCommonUid ?? 0, this.#facts, hashes))
        await conversation.send(message);
      await this.#end();
    }
    if (this.#receivesMails || this.#session.onlyAsks) {
      const plan = await this.#flushAndWait(this.#planned);
      if (this.#receivesMails) for (const request of this.#requests(plan)) await conversation.send(request);
      await this.#end();
    }
    if (this.#sendsMails) {
      const requests = await this.#flushAndWait(this.#requested);
      const mails = new MailExport(this.#talk.view, conversation, changes.mails, peerIsOurs(this.#session.channel));
      const { observer } = this.#session;
      await mails.send(requests, (done) => observer.mailsSent?.(this.#talk.view.path, done, requests.length));
      await this.#end();
    }
    this.#sent.resolve();
    const counts = await this.#flushAndWait(this.#applied);
    await conversation.send(this.#ownState(counts));
    await this.#session.channel.flush();
  }

  /** What the receive track waits for may be the answer to what is still queued here. */
  async #flushAndWait<T>(waiting: Deferred<T>): Promise<T> {
    await this.#session.channel.flush();
    return await waiting.promise;
  }

  async #receiveTrack(): Promise<void> {
    const { conversation } = this.#talk;
    if (this.#receivesLists) {
      const attributes: Attribute[] = [];
      for (let m = await conversation.receive(); !isKind(m, 'listEnd'); m = await conversation.receive()) {
        attributes.push(await receiveAttribute(expectKind(m, 'attribute', 'attributes of a mailbox')));
      }
      const theirs = new ChangeCollector(
        factsNeeded(this.#session.rules.filter),
        this.#recognition.byHeader,
        this.#talk.common !== null,
      );
      for (let m = await conversation.receive(); !isKind(m, 'listEnd'); m = await conversation.receive()) {
        theirs.add(expectKind(m, 'mailChange', 'changes of a mailbox'));
      }
      const lookup = await this.#lookup();
      const plan = await this.#merge(theirs, lookup);
      const changed = planAttributes(this.#attributes, attributes, {
        ...this.#session.rules,
        commonModseq: this.#talk.common?.lastCommonModseq ?? null,
      });
      if (this.#receivesMails && this.#talk.mailbox !== null) {
        this.#import = await MailImport.begin(this.#talk.mailbox, plan, changed, this.#recognition.byHeader);
      }
      this.#foreseeDigest(plan, changed, lookup);
      this.#plan = plan;
      this.#planned.resolve(plan);
    }
    if (this.#sendsMails) {
      const requests: MessageOf<'mailRequest'>[] = [];
      for (let m = await conversation.receive(); !isKind(m, 'listEnd'); m = await conversation.receive()) {
        requests.push(expectKind(m, 'mailRequest', 'requests for mails'));
      }
      this.#requested.resolve(requests);
      // What else a Dovecot does is known only to who has its list too.
      if (!this.#receivesLists && !peerIsOurs(this.#session.channel))
        this.#remoteCounts = { ...NO_MAILS, saved: requests.length };
    }
    if (this.#session.onlyAsks) expectKind(await conversation.receive(), 'listEnd', 'mails that nobody asked for');
    if (this.#import !== null) await this.#receiveMails(this.#import);
    else this.#applied.resolve(NO_MAILS);
    const state = expectKind(await conversation.receive(), 'mailboxState', 'end of a mailbox');
    if (state.mailboxGuid !== this.#talk.ours.mailboxGuid)
      throw new ProtocolError('Unexpected', 'the peer ended another mailbox than this one');
    if (state.changesDuringSync)
      this.#session.notes.unexpected.push('Remote notified that changes happened during sync');
    const [saved, copied, flagged, expunged, renumbered] = state.applied ?? [];
    if (renumbered !== undefined) {
      this.#remoteCounts = {
        saved: saved ?? 0,
        copied: copied ?? 0,
        flagged: flagged ?? 0,
        expunged: expunged ?? 0,
        renumbered,
      };
    }
    this.#peerState.resolve(state);
  }

  async #receiveMails(mails: MailImport): Promise<void> {
    const { conversation, view } = this.#talk;
    const { observer, notes } = this.#session;
    let gone = false;
    /** Undefined: the mailbox was deleted while the run went on; the next run finds the deletion. */
    const unlessGone = async <T>(work: Promise<T>): Promise<T | undefined> => {
      try {
        return await work;
      } catch (error) {
        if (!(await this.#isDeletedMeanwhile(error))) throw error;
        gone = true;
        return undefined;
      }
    };
    for (let m = await conversation.receive(); !isKind(m, 'listEnd'); m = await conversation.receive()) {
      const mail = expectKind(m, 'mail', 'mails');
      if (gone) await ignoreBody(mail.body);
      else await unlessGone(mails.take(mail));
      observer.mailsReceived?.(view.path, mails.received, mails.wanted, mails.bytes);
    }
    // The commit gives mails other UIDs; the peer's requests name the present ones. The peer never waits for our commit
    // before it has read all mails, so waiting for it here cannot block both.
    await this.#sent.promise;
    const result = gone ? undefined : await unlessGone(mails.commit());
    if (result === undefined) {
      this.#equalAfter = false;
      if (mails.wanted > 0) notes.unexpected.push(`Mailbox ${view.path.join('/')} was deleted meanwhile`);
    } else {
      notes.unexpected.push(...result.unexpected);
    }
    this.#applied.resolve(result?.counts ?? NO_MAILS);
  }

  async #isDeletedMeanwhile(error: unknown): Promise<boolean> {
    if (!(error instanceof StoreError) || error.code !== 'NotFound') return false;
    const still = await this.#session.store.openMailbox(this.#talk.ours.mailboxGuid);
    await still?.[Symbol.asyncDispose]();
    return still === null;
  }

  /** Both plans from both lists; a source that receives no lists has nothing to plan. */
  async #merge(theirs: ChangeCollector, lookup: Pick<MailSide, 'lookup'>): Promise<MailPlan> {
    const { rules, observer } = this.#session;
    const { view, ours, changes } = this.#talk;
    const local: MailSide = {
      ...sideNumbers(ours),
      ...changes,
      ...(this.#facts === null ? {} : { facts: this.#facts }),
      ...lookup,
    };
    const remote: MailSide = {
      ...sideNumbers(this.#talk.theirs),
      mails: this.#wholeListOf(theirs.mails),
      expunges: theirs.expunges,
      ...(this.#facts === null ? {} : { facts: theirs.facts }),
    };
    const identified = await this.#recognition.identify(local, remote, theirs);
    const merge = planMails(identified.local, identified.remote, this.#context());
    if (merge.kind === 'stale-state') {
      this.#stale = merge.reason;
      return unchanged(local);
    }
    this.#equalAfter = merge.equalAfter;
    const plan = identified.restore(merge.local, 'local');
    const theirPlan = identified.restore(merge.remote, 'remote');
    if (rules.dryRun) this.#plans = { local: plan.operations, remote: theirPlan.operations };
    if (!peerIsOurs(this.#session.channel)) this.#remoteCounts = countMails(theirPlan.operations);
    for (const operation of plan.operations) observer.mailOperation?.('local', view.path, operation);
    for (const operation of theirPlan.operations) observer.mailOperation?.('remote', view.path, operation);
    return plan;
  }

  #wholeListOf(told: readonly MailRecord[]): readonly MailRecord[] {
    const { equal, changes, theirs } = this.#talk;
    if (equal === null) return told;
    const twice = told.find(({ uid }) => isIn(equal, uid));
    if (twice !== undefined)
      throw new ProtocolError('BadValue', `the peer tells of UID ${twice.uid}, which both sides have alike`);
    return withEqualMails(told, changes.mails, equal, theirs.highestModseq);
  }

  /** With a common state both lists hold changes only, so what the peer says of other mails is checked against all own ones. */
  async #lookup(): Promise<Pick<MailSide, 'lookup'>> {
    const { common, view } = this.#talk;
    if (common === null) return {};
    const all = await view.changes(null);
    const byUid = new Map(all?.mails.map((mail) => [mail.uid, mail]));
    return { lookup: (uid) => byUid.get(uid) };
  }

  /** Both sides end the same way only in a merge of two ways that leaves nothing alone. */
  #foreseeDigest(plan: MailPlan, changed: readonly Attribute[], { lookup }: Pick<MailSide, 'lookup'>): void {
    const { ours, theirs } = this.#talk;
    const { mode, localIs } = this.#session.rules;
    const { digest } = ours;
    if (lookup === undefined || digest === undefined || !this.#equalAfter || this.#stale !== null) return;
    // Mails that are recognised by anything else have other GUIDs on each side.
    if (mode !== 'two-way' || identityOf(localIs, ours, theirs) !== 'guid') return;
    this.#digest = digestAfter({ digest, mail: lookup, attributes: this.#attributes }, plan.operations, changed);
  }

  #context(): MailMergeContext {
    const { rules, channel } = this.#session;
    const { common } = this.#talk;
    return {
      mode: rules.mode,
      source: rules.localIs === 'destination' ? 'remote' : 'local',
      localStarts: rules.role === 'master',
      common: common === null ? null : { uid: common.lastCommonUid, modseq: common.lastCommonModseq },
      filter: rules.filter,
      evidence: peerIsOurs(channel) ? 'record' : 'position',
      copies: !this.#recognition.byHeader,
    };
  }

  /** One request for each mail that has to come; a peer that sends by GUID gets each GUID once. */
  *#requests(plan: MailPlan): Generator<MessageOf<'mailRequest'>> {
    if (this.#recognition.byHeader) {
      for (const operation of plan.operations)
        if (operation.op === 'save') yield { kind: 'mailRequest', uid: operation.remoteUid };
      return;
    }
    const once = peerIsOurs(this.#session.channel) ? null : new Set<string>();
    for (const operation of plan.operations) {
      if (operation.op !== 'save' || once?.has(operation.guid)) continue;
      once?.add(operation.guid);
      yield { kind: 'mailRequest', guid: operation.guid, uid: operation.remoteUid };
    }
  }

  #leastModseq(): Modseq {
    const { highestModseq } = this.#talk.ours;
    const planned = this.#plan?.highestModseq ?? highestModseq;
    return planned > highestModseq ? planned : highestModseq;
  }

  /** What this side can say to be common now; the lower of both sides' values will count. */
  #ownState(counts: MailCounts): MessageOf<'mailboxState'> {
    const { ours, theirs } = this.#talk;
    const uidNext = this.#plan === null ? Math.max(ours.uidNext, theirs.uidNext) : this.#plan.uidNext;
    const isSource = this.#session.rules.localIs === 'source';
    // Without a common UID no modseq is common either: a Dovecot would take the one for the beginning of all changes.
    const nothingCommon = !this.#equalAfter;
    return {
      kind: 'mailboxState',
      mailboxGuid: ours.mailboxGuid,
      lastUidValidity: this.#stale === null ? (this.#plan?.uidValidity ?? ours.uidValidity) : 0,
      lastCommonUid: nothingCommon ? 0 : (isSource ? ours.uidNext : uidNext) - 1,
      // The modseq that the peer had before the run: changes that users make meanwhile must be looked at next time.
      lastCommonModseq: nothingCommon ? 0n : isSource ? ours.highestModseq : theirs.highestModseq,
      lastCommonPrivateModseq: 0n,
      messages: ours.messages + counts.saved + counts.copied - counts.expunged,
      ...(this.#stale !== null || this.#import?.uidsChanged ? { changesDuringSync: true } : {}),
      applied: appliedCounts(this.#plans === undefined ? counts : countMails(this.#plans.local)),
      ...(this.#digest === undefined ? {} : { digest: this.#digest }),
    };
  }

  #commonState(mine: MessageOf<'mailboxState'>, theirs: MessageOf<'mailboxState'>): MailboxSyncState | null {
    if (this.#stale !== null || theirs.lastUidValidity === 0) return null;
    const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);
    return {
      uidValidity: mine.lastUidValidity,
      lastCommonUid: Math.min(mine.lastCommonUid, theirs.lastCommonUid),
      lastCommonModseq: lower(mine.lastCommonModseq, theirs.lastCommonModseq),
      lastCommonPrivateModseq: lower(mine.lastCommonPrivateModseq, theirs.lastCommonPrivateModseq),
      messages: mine.messages ?? 0,
    };
  }

  #end(): Promise<void> {
    return this.#talk.conversation.send({ kind: 'listEnd' });
  }

  #report(local: MailCounts): MailboxReport {
    const { view, ours } = this.#talk;
    const report = { path: view.path, guid: ours.mailboxGuid, local, remote: this.#remoteCounts };
    return this.#plans === undefined ? report : { ...report, plan: this.#plans };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#import?.[Symbol.asyncDispose]();
  }
}

function withoutEqual(changes: MailboxChanges, equal: EqualStretches | null): MailboxChanges {
  return equal === null ? changes : { ...changes, mails: changes.mails.filter(({ uid }) => !isIn(equal, uid)) };
}

function sideNumbers(message: MessageOf<'mailbox'>): Omit<MailSide, 'mails' | 'expunges' | 'facts'> {
  const { uidValidity, uidNext, messages, highestModseq, firstRecentUid } = message;
  return { uidValidity, uidNext, messages, highestModseq, firstRecentUid };
}

/** Reads a body to its end, which must be done before the next message. */
async function ignoreBody(body: Body | undefined): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return;
  for await (const _chunk of body);
}

/** The plan of a side that must leave its mailbox alone. */
function unchanged(side: MailSide): MailPlan {
  const { uidValidity, uidNext, highestModseq, firstRecentUid } = side;
  return { rebuild: false, operations: [], uidValidity, uidNext, highestModseq, firstRecentUid };
}
