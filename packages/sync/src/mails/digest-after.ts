/**
 * The digest that a mailbox has once a plan is carried out. Two sides that started from a common state end with the same
 * one; if not, the state was not theirs: a history that was lost and has come to the same numbers again looks like it.
 */
import type { Uid } from '@dsync/protocol';
import {
  addToDigest,
  attributeDigest,
  mailDigest,
  printDigest,
  subtractFromDigest,
  type Attribute,
  type DigestedMail,
} from '@dsync/storage';

import type { MailOperation } from './mail-plan.ts';

/** A mailbox whose digest is known, from which the digest after a change follows without reading it all. */
export interface DigestedBox {
  /** As in `MailboxStatus`. */
  readonly digest: string;
  /** Any mail as it was when the digest was. */
  readonly mail: (uid: Uid) => DigestedMail | undefined;
  readonly attributes: readonly Attribute[];
}

/** Changes of attributes are whole entries. */
export function digestAfter(
  { digest, mail, attributes }: DigestedBox,
  operations: readonly MailOperation[],
  changed: readonly Attribute[],
): string {
  let sum = BigInt(`0x${digest}`);
  const touched = new Map<number, DigestedMail>();
  const now = (uid: Uid): DigestedMail | undefined => touched.get(uid) ?? mail(uid);
  const replace = (before: DigestedMail | undefined, after: DigestedMail | null): void => {
    if (before !== undefined) sum = subtractFromDigest(sum, mailDigest(before));
    if (after !== null) sum = addToDigest(sum, mailDigest(after));
  };
  for (const operation of operations) {
    switch (operation.op) {
      case 'save':
      case 'copy':
      case 'keep':
        replace(undefined, operation);
        break;
      case 'expunge':
        replace(now(operation.uid), null);
        break;
      case 'flag': {
        const before = now(operation.uid);
        if (before === undefined) break;
        const after = { ...before, flags: operation.flags, keywords: operation.keywords };
        replace(before, after);
        touched.set(operation.uid, after);
        break;
      }
      case 'renumber': {
        const before = now(operation.from);
        if (before !== undefined) replace(before, { ...before, uid: operation.to });
        break;
      }
      default:
        operation satisfies never;
    }
  }
  for (const { scope, key, value } of changed) {
    const before = attributes.find((attribute) => attribute.scope === scope && attribute.key === key)?.value ?? null;
    if (before !== null) sum = subtractFromDigest(sum, attributeDigest(scope, key, before));
    if (value !== null) sum = addToDigest(sum, attributeDigest(scope, key, value));
  }
  return printDigest(sum);
}
