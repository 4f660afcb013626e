/**
 * Messages as records: the item letter's code, then the fields in the message table's order, required ones first. An
 * absent optional field is nil, absent ones at the end are left out. A receiver skips elements behind the fields that it
 * knows, so a message can get new optional fields at its end.
 */
import { Packr, Unpackr } from 'msgpackr';

import { ProtocolError } from '../../errors.ts';
import { MESSAGES, type Field, type Kind, type Message, type MessageSpec } from '../../table.ts';
import { VALUES, type Packed, type ValueCodec } from './values.ts';

interface FieldCodec {
  readonly name: string;
  readonly required: boolean;
  /** The field that says that bytes follow. */
  readonly body: boolean;
  readonly codec: ValueCodec<unknown>;
}

interface RecordCodec {
  readonly kind: Kind;
  readonly code: number;
  readonly fields: readonly FieldCodec[];
}

/** How a message's bytes travel: behind the records of the same batch, or as chunks that follow it. */
export type BodyNote =
  | { readonly inline: false }
  | { readonly inline: true; readonly length: number; readonly sha256: Uint8Array };

function recordCodec(kind: Kind): RecordCodec {
  const spec: MessageSpec = MESSAGES[kind];
  const field =
    (required: boolean) =>
    ([name, { type }]: [string, Field]): FieldCodec => ({
      name,
      required,
      body: name === 'stream' && (kind === 'mail' || kind === 'attribute'),
      // The table gives each name its type, and a record is checked field by field: the union of all codecs is enough here.
      codec: VALUES[type],
    });
  return {
    kind,
    code: spec.code.charCodeAt(0),
    fields: [...Object.entries(spec.required).map(field(true)), ...Object.entries(spec.optional).map(field(false))],
  };
}

const KINDS = Object.keys(MESSAGES).filter((name): name is Kind => name in MESSAGES);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
const BY_KIND = Object.fromEntries(KINDS.map((kind) => [kind, recordCodec(kind)])) as Readonly<
  Record<Kind, RecordCodec>
>;
const BY_CODE: ReadonlyMap<number, RecordCodec> = new Map(Object.values(BY_KIND).map((codec) => [codec.code, codec]));

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'bigint', mapsAsObjects: false });

function fieldError(error: unknown, kind: Kind, name: string): unknown {
  return error instanceof ProtocolError
    ? new ProtocolError(error.code, `${kind}.${name}: ${error.message}`, { cause: error })
    : error;
}

/**
 * A message as a record, and about how many bytes it takes.
 * @throws {ProtocolError} `BadValue` or `LimitExceeded` for what cannot be sent
 */
export function toRecord(
  message: Message,
  body: BodyNote | undefined,
): { readonly record: readonly Packed[]; readonly size: number } {
  const { code, fields, kind } = BY_KIND[message.kind];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
  const values = message as unknown as Readonly<Record<string, unknown>>;
  const record: Packed[] = [code];
  let size = 2;
  let used = 1;
  for (const { name, codec, required, body: isBody } of fields) {
    const value = values[name];
    if (value === undefined) {
      if (required) throw new ProtocolError('BadValue', `${kind}.${name} is missing`);
      record.push(null);
      size += 1;
      continue;
    }
    try {
      record.push(isBody ? packBody(body) : codec.pack(value));
    } catch (error) {
      throw fieldError(error, kind, name);
    }
    size += isBody ? 42 : codec.size(value);
    used = record.length;
  }
  record.length = used;
  return { record, size };
}

/** @throws {ProtocolError} `BadValue`, `LimitExceeded`, or `Garbage` for a record of no known message */
export function fromRecord(record: unknown): { readonly message: Message; readonly body: BodyNote | undefined } {
  if (!Array.isArray(record)) throw new ProtocolError('Garbage', 'record is no list');
  const elements: readonly unknown[] = record;
  const codec = typeof elements[0] === 'number' ? BY_CODE.get(elements[0]) : undefined;
  if (codec === undefined) throw new ProtocolError('Garbage', 'record of an unknown message');
  const message: Record<string, unknown> = { kind: codec.kind };
  let body: BodyNote | undefined;
  const { fields, kind } = codec;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i];
    const value = elements[i + 1];
    if (field === undefined) break;
    if (value === undefined || value === null) {
      if (field.required) throw new ProtocolError('BadValue', `${kind}.${field.name} is missing`);
      continue;
    }
    try {
      if (field.body) {
        body = unpackBody(value);
        message[field.name] = true;
      } else {
        message[field.name] = field.codec.unpack(value);
      }
    } catch (error) {
      throw fieldError(error, kind, field.name);
    }
  }
  // Every field of this kind has passed its codec, and no required one is missing.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
  return { message: message as unknown as Message, body };
}

function packBody(body: BodyNote | undefined): Packed {
  if (body === undefined) throw new ProtocolError('BadValue', 'announces bytes, but there are none');
  return body.inline ? [body.length, body.sha256] : true;
}

function unpackBody(value: unknown): BodyNote {
  if (value === true) return { inline: false };
  if (!Array.isArray(value)) throw new ProtocolError('BadValue', 'not a body');
  const elements: readonly unknown[] = value;
  const [length, sha256] = elements;
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0)
    throw new ProtocolError('BadValue', 'not a length');
  if (!(sha256 instanceof Uint8Array) || sha256.length !== 32) throw new ProtocolError('BadValue', 'not a SHA-256');
  return { inline: true, length, sha256 };
}

/** Records of one batch as msgpack bytes. */
export function packRecords(records: readonly (readonly Packed[])[]): Buffer {
  return packr.pack(records);
}

/** Msgpack bytes that `scanMsgpack` has passed, as unchecked records. */
export function unpackRecords(bytes: Buffer): unknown {
  try {
    const value: unknown = unpackr.unpack(bytes);
    return value;
  } catch (cause) {
    throw new ProtocolError('Garbage', 'records cannot be read', { cause });
  }
}
