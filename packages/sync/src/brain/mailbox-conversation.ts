/**
 * The conversation about one mailbox, the same code for both ends (docs/protocol.md, "Messages"). The caller has exchanged
 * the `mailbox` messages and opened and locked the mailbox.
 *
 *     send track:     attributes . changes . ------ requests . --- mails . ------------- state
 *                                             ^                 ^         |         ^
 *                                  peer's changes      peer's requests    +-> everything applied
 *     receive track:  attributes . changes . requests . mails . state
 *
 * The receive track never waits for the send track, so neither end can block the other by not reading. A source sends
 * no requests and receives no mails; a destination sends neither attributes nor changes nor mails (except in a dry run,
 * where both send their lists so that both plans can be shown, and nothing else; a Dovecot is asked as the source of a
 * backup then, see dry-run.ts).
 */
import type { MessageOf, Modseq, Uid } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { Attribute, HeldBack, MailboxChanges, MailFacts, PrivateFlags } from '@dsync/storage';

import { identityOf } from '../mails/identity.ts';
import type { MailPlan } from '../mails/mail-plan.ts';
import { changesSinceTheirs } from '../mails/own-since.ts';
import { largerModseq } from '../mails/plan-builder.ts';
import type { MailboxReport, MailCounts } from '../report.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import { attributeMessages, receiveAttribute } from './attribute-messages.ts';
import { countMails, NO_MAILS } from './count-mails.ts';
import { allEnded, type Deferred, deferred } from './deferred.ts';
import { commonState, ownState } from './end-states.ts';
import { factsNeeded, needsFacts } from './handshake.ts';
import { ChangeCollector, expectKind, isKind } from './mail-messages.ts';
import { MailExport } from './mail-export.ts';
import { MailImport } from './mail-import.ts';
import { requestsOf } from './mail-requests.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { planAttributes } from './merge-attributes.ts';
import { apartFromSource, expectApart, heldBackIn } from './met-before.ts';
import {
  foreseenDigest,
  lookupIn,
  type MergedLists,
  mergeLists,
  type OwnSide,
  privateFlagsAfter,
} from './merge-lists.ts';
import { receiveMails } from './receive-mails.ts';
import { Recognition } from './recognition.ts';
import { peerIsOurs, type Session } from './session.ts';
import { listMessages, mustHearFirst, type ToldList } from './told-list.ts';

/** What a conversation came to, for the report, the new state and the journal. */
export interface MailboxOutcome {
  readonly report: MailboxReport;
  /** What is common now; null: do not trust, look at everything next time. */
  readonly state: MailboxSyncState | null;
  /** Why the common state does not hold. */
  readonly stale: string | null;
  /** HIGHESTMODSEQ on this side if the run had nothing else to do here. */
  readonly highestModseq: Modseq;
  /** What is to be remembered of private flags; null: there are none, or it is not certain which mails have them. */
  readonly privateFlags: PrivateFlags | null;
  /** What only one side has now. */
  readonly apart: HeldBack | null;
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
  /** The own list as the peer is to be told it, if that depends on the peer's. */
  #list: ToldList | null = null;
  #moves: ReadonlyMap<Uid, Uid> = new Map();
  #apart: HeldBack | null;
  /** Whether both sides hold the same afterwards; if not, nothing is common that a later run could start from. */
  #equalAfter = true;
  #import: MailImport | null = null;
  #plans: MailboxReport['plan'];
  #stale: string | null = null;
  /** Of a mailbox that was compared from a common state, when this side's plan is carried out. */
  #digest: string | undefined;
  /** As this side will remember them; null: it has none, or there is no plan that could be carried out. */
  #privateFlags: PrivateFlags | null;
  #remoteCounts: MailCounts = NO_MAILS;
  /** What is told to have changed here. */
  #changes: MailboxChanges;

  private constructor(
    session: Session,
    talk: MailboxTalk,
    facts: ReadonlyMap<Uid, MailFacts> | null,
    attributes: readonly Attribute[],
    recognition: Recognition,
  ) {
    const { onlyAsks, rules } = session;
    this.#privateFlags = privateFlagsAfter(talk, null, null);
    const { localIs, dryRun } = rules;
    this.#recognition = recognition;
    this.#session = session;
    this.#talk = talk;
    this.#changes = talk.changes;
    this.#facts = facts;
    this.#attributes = attributes;
    this.#sendsLists = (localIs !== 'destination' || dryRun) && !onlyAsks;
    this.#receivesLists = localIs !== 'source' || dryRun;
    this.#sendsMails = localIs !== 'destination' && !dryRun;
    this.#receivesMails = localIs !== 'source' && !dryRun;
    this.#apart = this.#receivesLists ? heldBackIn(session, talk) : apartFromSource(session, talk, facts);
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
    if (this.#digest !== undefined && theirs.digest !== undefined && theirs.digest !== this.#digest)
      this.#stale ??= 'both sides’ changes since then do not make them equal';
    return {
      report: this.#report(this.#toldOf(local)),
      state: commonState(this.#ownState(local), theirs, this.#stale !== null),
      stale: this.#stale,
      highestModseq: this.#leastModseq(),
      privateFlags: this.#import?.uidsChanged ? null : this.#privateFlags,
      apart: this.#apart,
    };
  }

  async #sendTrack(): Promise<void> {
    const { conversation, mayBeOlder } = this.#talk;
    if (this.#sendsLists) {
      const { isDovecot } = this.#session.channel.peer;
      for (const message of attributeMessages(this.#attributes, isDovecot)) await conversation.send(message);
      await this.#end();
      if (!this.#receivesLists) await expectApart(this.#session, this.#talk.ours.mailboxGuid, this.#apart);
      // The peer never waits for a list before it has sent its own.
      const waits = this.#receivesLists && mustHearFirst(this.#session, this.#talk);
      if (mayBeOlder || waits) await this.#flushAndWait(this.#planned);
      const own = this.#list ?? {
        changes: this.#changes,
        facts: this.#facts,
        hashes: this.#recognition.hashes,
      };
      for (const message of listMessages(this.#session, this.#talk, own)) await conversation.send(message);
      await this.#end();
    }
    if (this.#receivesMails || this.#session.onlyAsks) {
      const plan = await this.#flushAndWait(this.#planned);
      const how = { byHeader: this.#recognition.byHeader, eachByUid: peerIsOurs(this.#session.channel) };
      if (this.#receivesMails) for (const request of requestsOf(plan, how)) await conversation.send(request);
      await this.#end();
    }
    if (this.#sendsMails) {
      const requests = await this.#flushAndWait(this.#requested);
      const { observer, sending, channel } = this.#session;
      const offered = this.#changes.mails;
      const mails = new MailExport(this.#talk.view, conversation, offered, peerIsOurs(channel), this.#moves);
      await sending.run(() =>
        mails.send(requests, (done) => observer.mailsSent?.(this.#talk.view.path, done, requests.length)),
      );
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
      const own: OwnSide = {
        facts: this.#facts,
        attributes: this.#attributes,
        recognition: this.#recognition,
        lookup: await lookupIn(this.#talk),
      };
      const { changes, common, mayBeOlder } = this.#talk;
      if (mayBeOlder && common !== null) {
        const { highestModseq } = this.#talk.theirs;
        const mails = changesSinceTheirs(changes.mails, theirs.mails, common.lastCommonUid, highestModseq);
        this.#changes = { ...changes, mails };
      }
      const merged = await mergeLists(this.#session, { ...this.#talk, changes: this.#changes }, own, theirs);
      await this.#noteMerge(merged);
      const { plan } = merged;
      const changed = planAttributes(this.#attributes, attributes, {
        ...this.#session.rules,
        commonModseq: this.#talk.common?.lastCommonModseq ?? null,
      });
      if (this.#receivesMails && this.#talk.mailbox !== null) {
        this.#import = await MailImport.begin(this.#talk.mailbox, plan, changed, this.#recognition.byHeader);
      }
      this.#digest = foreseenDigest(this.#session, this.#talk, own, merged, changed);
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
    if (this.#import === null) this.#applied.resolve(NO_MAILS);
    else {
      const { counts, isWhole } = await receiveMails(this.#session, this.#talk, this.#import, this.#sent.promise);
      if (!isWhole) this.#equalAfter = false;
      this.#applied.resolve(counts);
    }
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

  async #noteMerge(merged: MergedLists): Promise<void> {
    if (merged.kind === 'stale-state') {
      this.#stale = merged.reason;
      this.#privateFlags = null;
      return;
    }
    const { plan, theirPlan, equalAfter, told, moves, apart } = merged;
    this.#apart = apart;
    this.#moves = moves;
    await expectApart(this.#session, this.#talk.ours.mailboxGuid, apart);
    this.#list = told;
    const { rules, observer, channel } = this.#session;
    const { path } = this.#talk.view;
    // Whether the state was one of this store is not known: the next run looks at all of the mailbox.
    this.#equalAfter = equalAfter && !this.#talk.mayBeOlder;
    this.#privateFlags = merged.privateFlags;
    if (rules.dryRun) this.#plans = { local: plan.operations, remote: theirPlan.operations };
    if (!peerIsOurs(channel)) this.#remoteCounts = countMails(theirPlan.operations);
    for (const operation of plan.operations) observer.mailOperation?.('local', path, operation);
    for (const operation of theirPlan.operations) observer.mailOperation?.('remote', path, operation);
  }

  #leastModseq(): Modseq {
    const { highestModseq } = this.#talk.ours;
    return largerModseq(highestModseq, this.#plan?.highestModseq ?? highestModseq);
  }

  /** Of a dry run: what it would have done. */
  #toldOf(done: MailCounts): MailCounts {
    return this.#plans === undefined ? done : countMails(this.#plans.local);
  }

  #ownState(done: MailCounts): MessageOf<'mailboxState'> {
    const { ours, theirs } = this.#talk;
    return ownState({
      ours,
      theirs,
      isSource: this.#session.rules.localIs === 'source',
      plan: this.#plan,
      done,
      told: this.#toldOf(done),
      isEqual: this.#equalAfter,
      isStale: this.#stale !== null,
      uidsChanged: this.#import?.uidsChanged ?? false,
      digest: this.#digest,
    });
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
