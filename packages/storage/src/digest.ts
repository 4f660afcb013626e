/**
 * A digest over a mailbox's contents that can be kept up to date mail by mail: the sum, modulo 2^128, of one hash for
 * each mail. Order does not matter, so adding and taking away are exact. It tells "equal" from "not equal" between
 * two honest stores; it is no proof against an attacker, and no decision to delete rests on it.
 */
import { hash as hashOnce } from 'node:crypto';

const MODULUS = 1n << 128n;

/** What of a mail counts: a change in any of these changes the digest. Keywords count without regard to case and order. */
export interface DigestedMail {
  readonly uid: number;
  readonly guid: string;
  readonly flags: number;
  readonly keywords: readonly string[];
}

/** The part of one mail; add it with `addToDigest`, take it away with `subtractFromDigest`. */
export function mailDigest(mail: DigestedMail): bigint {
  let text = `${mail.uid} ${mail.flags} ${mail.guid}`;
  if (mail.keywords.length > 0)
    text += ` ${mail.keywords
      .map((k) => k.toLowerCase())
      .toSorted()
      .join(' ')}`;
  return hash(text);
}

/** The part of one metadata entry. */
export function attributeDigest(scope: string, key: string, value: string): bigint {
  return hash(`\0${scope}\0${key}\0${value}`);
}

/** @param part of `mailDigest` or `attributeDigest` */
export function addToDigest(digest: bigint, part: bigint): bigint {
  return (digest + part) % MODULUS;
}

/** Takes away what `addToDigest` has added. */
export function subtractFromDigest(digest: bigint, part: bigint): bigint {
  return (digest + MODULUS - part) % MODULUS;
}

/** Written as 32 hex digits in `MailboxStatus.digest`. */
export function printDigest(digest: bigint): string {
  return digest.toString(16).padStart(32, '0');
}

function hash(text: string): bigint {
  const bytes = hashOnce('md5', text, 'buffer');
  return (bytes.readBigUInt64BE(0) << 64n) | bytes.readBigUInt64BE(8);
}
