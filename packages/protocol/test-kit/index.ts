/** Generators for property tests: every message of the table, made from one arbitrary for each type of field. */
import fc from 'fast-check';

import {
  mailboxGuid,
  MESSAGES,
  uid,
  type FieldType,
  type FieldTypes,
  type Kind,
  type Message,
  type MessageOf,
  type MessageSpec,
} from '@dsync/protocol';

const hash = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const seconds = fc.oneof(fc.nat(), fc.maxSafeNat());
const text = fc.string({ unit: 'binary', maxLength: 40 });
const u32 = fc.oneof(fc.nat(10), fc.integer({ min: 0, max: 0xffffffff }));
const u64 = fc.oneof(fc.bigInt({ min: 0n, max: 10n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

/** Values of each type of field that both ends must be able to carry. */
export const FIELD_ARBITRARIES: { readonly [T in FieldType]: fc.Arbitrary<FieldTypes[T]> } = {
  text,
  textList: fc.array(text, { maxLength: 5 }),
  lines: fc.array(text, { maxLength: 5 }),
  flag: fc.constant(true as const),
  u32,
  u32List: fc.array(u32, { maxLength: 5 }),
  u64,
  hex64: u64,
  hex8: fc.integer({ min: 0, max: 0xff }),
  seconds,
  uid: fc.integer({ min: 1, max: 0xfffffffe }).map(uid),
  mailboxGuid: hash.filter((hex) => !/^0+$/.test(hex)).map(mailboxGuid),
  path: fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 }),
  timedHashes: fc.array(fc.record({ hash, time: seconds }), { maxLength: 5 }),
  existence: fc.constantFrom('y', 'n', 'd'),
  changeType: fc.constantFrom('s', 'f', 'e'),
  attributeType: fc.constantFrom('p', 's'),
  algorithm: fc.constantFrom('f', 'c', 's'),
};

/** All kinds of the table. */
export const KINDS: readonly Kind[] = Object.keys(MESSAGES).filter((name): name is Kind => name in MESSAGES);

/** Messages of one kind, with any of its optional fields there or not. */
export function messageOf<K extends Kind>(kind: K): fc.Arbitrary<MessageOf<K>> {
  const spec: MessageSpec = MESSAGES[kind];
  const entries = Object.entries({ ...spec.required, ...spec.optional });
  const model = Object.fromEntries(
    entries.map(([name, { type }]) => [name, FIELD_ARBITRARIES[type] as fc.Arbitrary<unknown>]),
  );
  return (
    fc
      .record(model, { requiredKeys: Object.keys(spec.required), noNullPrototype: true })
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
      .map((fields) => ({ kind, ...fields }) as MessageOf<K>)
  );
}

/** The same, for whoever deals with every kind alike. */
export function anyOf(kind: Kind): fc.Arbitrary<Message> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a message of one kind is a message
  return messageOf(kind) as fc.Arbitrary<Message>;
}

/** Any message. */
export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...KINDS.map(anyOf));
