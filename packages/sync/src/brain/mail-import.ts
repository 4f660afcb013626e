/**
 * Carries out one side's plan for one mailbox: takes the mails that were requested, then makes everything visible in
 * one commit. A large first copy is committed in blocks, so that an interrupted one goes on where it was.
 */
import type { Body, MailGuid, Received, Uid } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { Attribute, CommitResult, Mailbox, MailboxTransaction, NewMail } from '@dsync/storage';

import type { MailOperation, MailPlan } from '../mails/mail-plan.ts';
import type { MailCounts } from '../report.ts';

type SaveOperation = Extract<MailOperation, { op: 'save' }>;
type MailMessage = Extract<Received, { kind: 'mail' }>;

/** Mails after which a block is committed, when the plan allows blocks. Small enough to lose little work, large enough to share disk flushes. */
const BLOCK_MAILS = 5_000;
/** A block is at least this part of the mails before it: each commit looks at all that are there, so equal blocks would take the square of their number. */
const BLOCK_PART = 1 / 8;
const BLOCK_BYTES = 512 * 1024 * 1024;

/** What was really done, which is less than planned where others changed the mailbox meanwhile; `unexpected` says so. */
export interface ImportResult {
  readonly counts: MailCounts;
  readonly unexpected: readonly string[];
}

/** One mailbox's import. Disposing of it before `commit` leaves the blocks that were committed and nothing else. */
export class MailImport implements AsyncDisposable {
  readonly #mailbox: Mailbox;
  readonly #plan: MailPlan;
  readonly #attributes: readonly Attribute[];
  /** Saves that wait for their mail, by GUID or by the other side's UID, in plan order. */
  readonly #waiting = new Map<string | Uid, SaveOperation[]>();
  readonly #byUid: boolean;
  readonly #inBlocks: boolean;
  /** Final UIDs of all saves, ascending, and how many of the first of them have come. */
  readonly #finalUids: readonly Uid[];
  readonly #come = new Set<Uid>();
  #firstCome = 0;
  #transaction: MailboxTransaction;
  #blockMails = 0;
  #blockBytes = 0;
  readonly #results: CommitResult[] = [];
  /** The commit of the block before, which is under way while mails of the next one come. */
  #committing: Promise<void> = Promise.resolve();
  received = 0;
  bytes = 0;
  /** Mails that are to come. */
  readonly wanted: number;

  private constructor(
    mailbox: Mailbox,
    plan: MailPlan,
    attributes: readonly Attribute[],
    byUid: boolean,
    transaction: MailboxTransaction,
  ) {
    this.#byUid = byUid;
    this.#mailbox = mailbox;
    this.#plan = plan;
    this.#attributes = attributes;
    this.#transaction = transaction;
    const finalUids: Uid[] = [];
    for (const operation of plan.operations) {
      if (operation.op !== 'save') continue;
      finalUids.push(operation.uid);
      const key = byUid ? operation.remoteUid : operation.guid;
      const waiting = this.#waiting.get(key);
      if (waiting === undefined) this.#waiting.set(key, [operation]);
      else waiting.push(operation);
    }
    this.wanted = finalUids.length;
    this.#finalUids = finalUids.sort((a, b) => a - b);
    // UIDs only ever rise: a block may be committed only if nothing else wants a UID between its mails.
    this.#inBlocks =
      !plan.rebuild && plan.operations.every((o) => o.op === 'save' || o.op === 'flag' || o.op === 'expunge');
  }

  /** @param byUid mails are asked for and come by UID, since their GUIDs cannot be shared */
  static async begin(
    mailbox: Mailbox,
    plan: MailPlan,
    attributes: readonly Attribute[],
    byUid: boolean,
  ): Promise<MailImport> {
    return new MailImport(mailbox, plan, attributes, byUid, await beginFor(mailbox, plan));
  }

  get uidsChanged(): boolean {
    return this.#results.some((result) => result.uidsChanged);
  }

  /**
   * Stores one received mail under every UID that the plan has for it. Undefined: it is done already.
   * @throws {ProtocolError} what reading its bytes throws; {StoreError} what storing it throws
   */
  take(mail: MailMessage): Promise<void> | undefined {
    const operations = this.#byUid ? this.#claimByUid(mail.uid) : this.#claim(mail.guid, mail.uid);
    const [first] = operations;
    if (first === undefined) throw new ProtocolError('Unexpected', 'the peer sent a mail that nobody asked for');
    this.received += operations.length;
    for (const { uid } of operations) this.#come.add(uid);
    // Vanished at the other side since it was announced: the next run is told why.
    if (mail.body === undefined) return undefined;
    if (operations.length > 1) return this.#saveCopies(operations, mail, mail.body);
    const saving = this.#save(first, mail, mail.body);
    return saving === undefined && !this.#isBlockFull ? undefined : this.#commitBlock(saving);
  }

  /** Does the rest of the plan and makes everything durable and visible. */
  async commit(): Promise<ImportResult> {
    if (this.#waiting.size > 0) {
      const [key] = this.#waiting.keys();
      throw new ProtocolError('Unexpected', `the peer didn't send mail ${this.#byUid ? 'UID' : 'GUID'}=${key}`);
    }
    await this.#committing;
    const transaction = this.#transaction;
    for (const operation of this.#plan.operations) this.#do(transaction, operation);
    for (const attribute of this.#attributes) transaction.setAttribute(attribute);
    const { uidValidity, uidNext, highestModseq, firstRecentUid } = this.#plan;
    transaction.update({ uidValidity, uidNext, highestModseq, firstRecentUid });
    this.#results.push(await transaction.commit());
    return { counts: this.#counts(), unexpected: this.uidsChanged ? ['UIDs changed due to UID conflicts'] : [] };
  }

  #claimByUid(uid: Uid | undefined): readonly SaveOperation[] {
    const claimed = uid === undefined ? [] : (this.#waiting.get(uid) ?? []);
    if (uid !== undefined) this.#waiting.delete(uid);
    return claimed;
  }

  #claim(guid: string, uid: Uid | undefined): readonly SaveOperation[] {
    const waiting = this.#waiting.get(guid) ?? [];
    const claimed = uid === undefined ? waiting : waiting.filter((operation) => operation.remoteUid === uid);
    const rest = waiting.filter((operation) => !claimed.includes(operation));
    if (rest.length === 0) this.#waiting.delete(guid);
    else this.#waiting.set(guid, rest);
    return claimed;
  }

  /** Only a mailbox that holds one mail several times comes here. */
  async #saveCopies(operations: readonly SaveOperation[], mail: MailMessage, body: Body): Promise<void> {
    const bytes = await whole(body);
    for (const operation of operations) await this.#save(operation, mail, bytes);
    await this.#commitBlock(undefined);
  }

  #save(operation: SaveOperation, mail: MailMessage, body: Body): Promise<void> | undefined {
    const newMail: NewMail = {
      ...placed(operation),
      received: mail.received ?? 0,
      ...(mail.saved === undefined ? {} : { saved: mail.saved }),
      // An empty UIDL means "none" on Dovecot's wire.
      ...(mail.pop3Uidl ? { pop3Uidl: mail.pop3Uidl } : {}),
      ...(mail.pop3Order === undefined ? {} : { pop3Order: mail.pop3Order }),
    };
    this.#blockMails += 1;
    if (!(body instanceof Uint8Array)) return this.#transaction.save(newMail, this.#counted(body));
    this.#count(body.length);
    return this.#transaction.save(newMail, body);
  }

  async *#counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      this.#count(chunk.length);
      yield chunk;
    }
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.#blockBytes += bytes;
  }

  get #isBlockFull(): boolean {
    const enough = Math.max(BLOCK_MAILS, (this.received - this.#blockMails) * BLOCK_PART);
    return this.#inBlocks && (this.#blockMails >= enough || this.#blockBytes >= BLOCK_BYTES);
  }

  /** @param saving what has to be waited for first */
  async #commitBlock(saving: Promise<void> | undefined): Promise<void> {
    await saving;
    if (!this.#isBlockFull || !this.#hasNoGap()) return;
    await this.#committing;
    this.#committing = this.#transaction.commit().then((result) => void this.#results.push(result));
    // It is awaited later, and then tells its error.
    this.#committing.catch(() => undefined);
    this.#transaction = await beginFor(this.#mailbox, this.#plan);
    this.#blockMails = 0;
    this.#blockBytes = 0;
  }

  /** Whether no mail is yet to come that has its place before one that is here; a Dovecot sends them in an order of its own. */
  #hasNoGap(): boolean {
    for (let uid = this.#finalUids[this.#firstCome]; uid !== undefined; uid = this.#finalUids[this.#firstCome]) {
      if (!this.#come.delete(uid)) break;
      this.#firstCome += 1;
    }
    return this.#come.size === 0;
  }

  #do(transaction: MailboxTransaction, operation: MailOperation): void {
    switch (operation.op) {
      case 'save':
        return;
      case 'copy':
        return transaction.copy(operation.from, placed(operation));
      case 'keep':
        return transaction.keep(operation.from, placed(operation));
      case 'renumber':
        return transaction.renumber(operation.from, operation.to);
      case 'flag':
        return transaction.setFlags(operation.uid, operation.flags, operation.keywords, operation.modseq);
      case 'expunge':
        // Only the other side's plan can be without a GUID; ours was made with the whole own list at hand.
        if (operation.guid !== null) transaction.expunge(operation.uid, operation.guid);
        return;
      default:
        operation satisfies never;
    }
  }

  #counts(): MailCounts {
    const sum = (key: keyof MailCounts): number => this.#results.reduce((total, result) => total + result[key], 0);
    return {
      saved: sum('saved'),
      copied: sum('copied'),
      flagged: sum('flagged'),
      expunged: sum('expunged'),
      renumbered: sum('renumbered'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transaction[Symbol.asyncDispose]();
    await this.#committing.catch(() => undefined);
  }
}

/** A transaction for the plan, or for one block of it. */
async function beginFor(mailbox: Mailbox, plan: MailPlan): Promise<MailboxTransaction> {
  const transaction = await mailbox.begin();
  if (plan.rebuild) transaction.rebuild({ guid: (await mailbox.status()).guid, uidValidity: plan.uidValidity });
  // A mail that a client has been shown goes to its place at once.
  transaction.update({ firstRecentUid: plan.firstRecentUid });
  return transaction;
}

function placed(operation: {
  readonly uid: Uid;
  readonly guid: MailGuid;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: bigint;
}): Omit<NewMail, 'received' | 'saved'> {
  const { uid, guid, flags, keywords, modseq } = operation;
  return { uid, guid, flags, keywords, modseq };
}

/** A body that is needed more than once. */
async function whole(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
