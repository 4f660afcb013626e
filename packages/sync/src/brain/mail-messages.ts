/** Mail lists as messages and back. */
import type { MessageOf } from '@dsync/protocol';
import {
  ALL_FLAGS,
  guid128,
  isMailGuid,
  mailGuid,
  type MailGuid,
  type Modseq,
  ProtocolError,
  type Uid,
} from '@dsync/protocol';
import type { ExpungeRecord, MailboxChanges, MailFacts, MailRecord } from '@dsync/storage';

import type { HeaderHash } from '../mails/header-hash.ts';
import type { AnnouncedMail } from '../mails/identity.ts';
import type { FactsNeeded } from './handshake.ts';

/**
 * A side's change list in UID order. With a common state, mails up to its UID are flag changes, later ones saves.
 * @param facts received dates and sizes, sent along while a filter needs them
 * @param privateModseqs of private flags; null where there are none
 * @param hashes of headers, sent along where mails are recognised by these; a mail without one says that it has none
 */
export function* changeMessages(
  changes: MailboxChanges,
  commonUid: number,
  facts: ReadonlyMap<Uid, MailFacts> | null,
  privateModseqs: ReadonlyMap<Uid, Modseq> | null,
  hashes: ReadonlyMap<Uid, HeaderHash> | null,
): Generator<MessageOf<'mailChange'>> {
  const { mails, expunges } = changes;
  let e = 0;
  for (const mail of mails) {
    for (let x = expunges[e]; x !== undefined && x.uid < mail.uid; x = expunges[++e])
      yield expungeMessage(x, hashes === null);
    const message = mailMessage(mail, commonUid, facts, privateModseqs);
    yield hashes === null ? message : { ...message, headerHash: hashes.get(mail.uid)?.usual ?? '' };
  }
  for (let x = expunges[e]; x !== undefined; x = expunges[++e]) yield expungeMessage(x, hashes === null);
}

/**
 * With expunge records as a Dovecot makes and expects them, by the GUID's 128-bit form. A record with
 * another text it does not believe, or dies of it.
 */
export function withShortGuids(changes: MailboxChanges): MailboxChanges {
  return {
    ...changes,
    expunges: changes.expunges.map((record) =>
      record.guid === null ? record : { ...record, guid: guid128(record.guid) },
    ),
  };
}

function expungeMessage(record: ExpungeRecord, withGuid: boolean): MessageOf<'mailChange'> {
  const message = { kind: 'mailChange', type: 'e', uid: record.uid, modseq: record.modseq } as const;
  return record.guid === null || !withGuid ? message : { ...message, guid: record.guid };
}

function mailMessage(
  mail: MailRecord,
  commonUid: number,
  facts: ReadonlyMap<Uid, MailFacts> | null,
  privateModseqs: ReadonlyMap<Uid, Modseq> | null,
): MessageOf<'mailChange'> {
  const fact = facts?.get(mail.uid);
  const privateModseq = privateModseqs?.get(mail.uid);
  return {
    kind: 'mailChange',
    type: mail.uid <= commonUid ? 'f' : 's',
    uid: mail.uid,
    guid: mail.guid,
    modseq: mail.modseq,
    ...(privateModseq === undefined ? {} : { privateModseq }),
    ...(mail.addedFlags === 0 ? {} : { addFlags: mail.addedFlags }),
    ...(mail.removedFlags === 0 ? {} : { removeFlags: mail.removedFlags }),
    ...(mail.flags === 0 ? {} : { finalFlags: mail.flags }),
    ...(mail.keywords.length + mail.removedKeywords.length === 0 ? {} : { keywordChanges: keywordChanges(mail) }),
    ...(fact === undefined ? {} : { received: BigInt(fact.received), virtualSize: BigInt(fact.virtualSize) }),
  };
}

function keywordChanges(mail: MailRecord): string[] {
  const added = new Set(mail.addedKeywords.map((k) => k.toLowerCase()));
  const changes = mail.keywords.map((k) => (added.has(k.toLowerCase()) ? `&${k}` : `=${k}`));
  for (const k of mail.removedKeywords) changes.push(`-${k}`);
  return changes;
}

/** Collects a peer's change list, checking order and required fields as it comes. */
export class ChangeCollector {
  readonly mails: MailRecord[] = [];
  readonly expunges: ExpungeRecord[] = [];
  readonly facts = new Map<Uid, MailFacts>();
  readonly privateModseqs = new Map<Uid, Modseq>();
  /** Where mails are recognised by their headers: what was said of each of `mails` besides. */
  readonly announced: AnnouncedMail[] = [];
  #lastUid = 0;
  readonly #needs: FactsNeeded;
  readonly #byHeader: boolean;
  readonly #hasState: boolean;

  /** @param hasState whether the list has only what has changed since a state that both ends know */
  constructor(needs: FactsNeeded, byHeader: boolean, hasState: boolean) {
    this.#needs = needs;
    this.#byHeader = byHeader;
    this.#hasState = hasState;
  }

  /** @throws {ProtocolError} `BadValue` for UIDs that do not ascend, a missing GUID, contradicting flags */
  add(message: MessageOf<'mailChange'>): void {
    const { uid } = message;
    if (uid <= this.#lastUid)
      throw new ProtocolError('BadValue', `the peer’s mail list is not in UID order at UID ${uid}`);
    this.#lastUid = uid;
    if (message.type === 'e') {
      this.expunges.push({ uid, guid: message.guid || null, modseq: message.modseq ?? 0n });
      return;
    }
    if (message.type === 'f' && !this.#hasState)
      throw new ProtocolError('BadValue', `the peer tells a change of UID ${uid} since a state that nobody named`);
    const guid = this.#guidOf(message);
    const { received, virtualSize } = message;
    if (this.#needs.date && received === undefined)
      throw new ProtocolError('BadValue', `the peer’s mail with UID ${uid} has no date for the filter`);
    if (this.#needs.size && virtualSize === undefined)
      throw new ProtocolError('BadValue', `the peer’s mail with UID ${uid} has no size for the filter`);
    // A Dovecot says no more than its filter asks for; what is not asked for is not looked at either.
    if (this.#needs.date || this.#needs.size)
      this.facts.set(uid, { received: Number(received ?? 0n), virtualSize: Number(virtualSize ?? 0n) });
    if (message.privateModseq !== undefined) this.privateModseqs.set(uid, message.privateModseq);
    this.mails.push({
      uid,
      guid,
      modseq: message.modseq ?? 0n,
      flags: (message.finalFlags ?? 0) & ALL_FLAGS,
      addedFlags: (message.addFlags ?? 0) & ALL_FLAGS,
      removedFlags: (message.removeFlags ?? 0) & ALL_FLAGS,
      ...keywordsOf(message),
    });
  }

  #guidOf({ uid, guid = '', headerHash }: MessageOf<'mailChange'>): MailGuid {
    if (!isMailGuid(guid) && !(guid === '' && this.#byHeader))
      throw new ProtocolError('BadValue', `the peer’s mail with UID ${uid} has no usable GUID`);
    if (!this.#byHeader) return mailGuid(guid);
    if (headerHash && !/^[0-9a-f]{32}$/.test(headerHash))
      throw new ProtocolError('BadValue', `the peer’s mail with UID ${uid} has no usable hash of its header`);
    this.announced.push({ uid, guid, headerHash });
    return mailGuid(guid || `uid-${uid}`);
  }
}

const NO_KEYWORDS = { keywords: [], addedKeywords: [], removedKeywords: [] } as const;

function keywordsOf(
  message: MessageOf<'mailChange'>,
): Pick<MailRecord, 'keywords' | 'addedKeywords' | 'removedKeywords'> {
  if (message.keywordChanges === undefined) return NO_KEYWORDS;
  const keywords: string[] = [];
  const addedKeywords: string[] = [];
  const removedKeywords: string[] = [];
  for (const change of message.keywordChanges) {
    const name = change.slice(1);
    if (!isKeyword(name))
      throw new ProtocolError('BadValue', `the peer’s mail with UID ${message.uid} has a keyword that is none`);
    switch (change.charAt(0)) {
      case '=':
        keywords.push(name);
        break;
      case '&':
        keywords.push(name);
        addedKeywords.push(name);
        break;
      case '+':
        // Somebody added it once; the mail does not have it any more.
        addedKeywords.push(name);
        break;
      case '-':
        removedKeywords.push(name);
        break;
      default:
        throw new ProtocolError(
          'BadValue',
          `the peer’s mail with UID ${message.uid} has a keyword change of no known kind`,
        );
    }
  }
  keywords.sort();
  return { keywords, addedKeywords, removedKeywords };
}

/**
 * What a store can have for a keyword. IMAP allows less (RFC 9051 `flag-keyword`), but a Maildir has what any program has
 * written into its list, and one such name must not keep all mail from being synchronised.
 */
function isKeyword(name: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return name.length > 0 && name.length <= 255 && !/^\\|[\s\u0000-\u0020\u007f]/.test(name);
}
