/** Types of message fields: what a value is in memory. How each is written stands in the dialects. */
import type { MailboxGuid, MailboxPath, Uid } from './vocabulary.ts';

/** A deletion: 32 lower-case hex digits (a mailbox GUID or a name's hash) and Unix seconds. */
export interface TimedHash {
  readonly hash: string;
  readonly time: number;
}

/** The in-memory value of each field type. */
export interface FieldTypes {
  /** UTF-8 text, any characters. */
  readonly text: string;
  /** Texts, escaped twice on Dovecot's wire. */
  readonly textList: readonly string[];
  /** Texts joined by LF on Dovecot's wire. */
  readonly lines: readonly string[];
  /** Present means true; false is left out. */
  readonly flag: true;
  /** 0 … 2^32 − 1. */
  readonly u32: number;
  readonly u32List: readonly number[];
  /** 0 … 2^64 − 1. */
  readonly u64: bigint;
  /** The same, hexadecimal on Dovecot's wire. */
  readonly hex64: bigint;
  /** 0 … 255, hexadecimal on Dovecot's wire. */
  readonly hex8: number;
  /** Unix time in whole seconds, 0 … 2^53 − 1. */
  readonly seconds: number;
  readonly uid: Uid;
  readonly mailboxGuid: MailboxGuid;
  readonly path: MailboxPath;
  readonly timedHashes: readonly TimedHash[];
  /** `y` exists, `n` a filler or a mere subscription, `d` deleted. */
  readonly existence: 'y' | 'n' | 'd';
  /** `s` save, `f` flag change, `e` expunge. */
  readonly changeType: 's' | 'f' | 'e';
  /** `p` private, `s` shared. */
  readonly attributeType: 'p' | 's';
  /** `f` full, `c` changed, `s` state. */
  readonly algorithm: 'f' | 'c' | 's';
}

/** The name of a type of field. */
export type FieldType = keyof FieldTypes;

/** What a field of that type holds in memory. */
export type FieldValue<T extends FieldType> = FieldTypes[T];
