/**
 * Keywords that a Dovecot does not take. Of a mail that is told with one it takes no keyword at all, so they are kept from it,
 * and stay here as they are.
 */
import type { Uid } from '@dsync/protocol';
import type { MailboxChanges, MailRecord } from '@dsync/storage';

import type { MailOperation, MailPlan } from './mail-plan.ts';

/** A Dovecot's `mail_max_keyword_length`, bytes, unless it is configured otherwise. */
export const MAX_KEYWORD_LENGTH = 50;

/** What is not told of own mails, and what has to be kept of them when the plan is carried out. */
export class RefusedKeywords {
  readonly #maxLength: number;
  /** In lower case. */
  readonly #known: ReadonlySet<string>;
  readonly #hidden = new Map<Uid, readonly string[]>();

  /**
   * @param maxLength of a keyword that the peer takes, bytes
   * @param theirs mails of the peer: what it has already it takes, whatever it looks like
   */
  constructor(maxLength: number, theirs: readonly MailRecord[] = []) {
    this.#maxLength = maxLength;
    this.#known = new Set(theirs.flatMap(({ keywords }) => keywords.map((keyword) => keyword.toLowerCase())));
  }

  /** The list as the peer can be told it; the same one if that is all of it. */
  hideIn(changes: MailboxChanges): MailboxChanges {
    const mails = changes.mails.map((mail) => this.hide(mail));
    return mails.some((mail, i) => mail !== changes.mails[i]) ? { ...changes, mails } : changes;
  }

  /** The mail as the peer can be told it. */
  hide(mail: MailRecord): MailRecord {
    const { keywords, addedKeywords, removedKeywords } = mail;
    if (keywords.length + addedKeywords.length + removedKeywords.length === 0) return mail;
    const hidden = keywords.filter((keyword) => !this.#takes(keyword));
    if (hidden.length > 0) this.#hidden.set(mail.uid, hidden);
    const taken = (names: readonly string[]): readonly string[] => names.filter((name) => this.#takes(name));
    const told = {
      keywords: taken(keywords),
      addedKeywords: taken(addedKeywords),
      removedKeywords: taken(removedKeywords),
    };
    const isWhole =
      told.keywords.length === keywords.length &&
      told.addedKeywords.length === addedKeywords.length &&
      told.removedKeywords.length === removedKeywords.length;
    return isWhole ? mail : { ...mail, ...told };
  }

  /** The own plan, which was made without them, so that none is lost. */
  keepIn(plan: MailPlan): MailPlan {
    if (this.#hidden.size === 0) return plan;
    return { ...plan, operations: plan.operations.map((operation) => this.#keep(operation)) };
  }

  #keep(operation: MailOperation): MailOperation {
    if (operation.op !== 'flag' && operation.op !== 'copy' && operation.op !== 'keep') return operation;
    const hidden = this.#hidden.get(operation.op === 'flag' ? operation.uid : operation.from) ?? [];
    return hidden.length === 0 ? operation : { ...operation, keywords: [...operation.keywords, ...hidden].toSorted() };
  }

  #takes(keyword: string): boolean {
    // IMAP's atoms (RFC 9051 `flag-keyword`), of 7 bits.
    const isUsual = /^[!#$&'+-[^-z|}~]+$/.test(keyword) && keyword.length <= this.#maxLength;
    return isUsual || this.#known.has(keyword.toLowerCase());
  }
}
