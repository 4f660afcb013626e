/** Messages as lines: the item letter, then the values in the order of the sender's header, 0x02 for an absent one. */
import { tabEscape, tabUnescape } from '../../doveadm/tab-escape.ts';
import { ProtocolError } from '../../errors.ts';
import { ALL_FLAGS } from '../../vocabulary.ts';
import { MESSAGES, type Field, type Kind, type Message, type MessageSpec } from '../../table.ts';
import { checkMessage } from './checks.ts';
import { TEXT_VALUES, type TextCodec } from './text-values.ts';
import { decodeText, encodeText } from './utf8.ts';

/** An absent field. A value that starts with it has one more in front. */
const NULL = '\u0002';

interface Column {
  readonly name: string;
  readonly required: boolean;
  readonly codec: TextCodec<unknown>;
}

interface Item {
  readonly kind: Kind;
  readonly code: string;
  /** In Dovecot's order. */
  readonly columns: readonly (Column & { readonly wire: string })[];
}

function itemOf(kind: Kind): Item {
  const spec: MessageSpec = MESSAGES[kind];
  const column =
    (required: boolean) =>
    ([name, { type, wire }]: [string, Field]) =>
      // A message is checked field by field against the table's types: the union of all codecs is enough here.
      ({ name, wire, required, codec: TEXT_VALUES[type] as TextCodec<unknown> });
  const optional = Object.entries(spec.optional).filter(([, field]) => field.native !== true);
  return {
    kind,
    code: spec.code,
    columns: [...Object.entries(spec.required).map(column(true)), ...optional.map(column(false))],
  };
}

const KINDS = Object.keys(MESSAGES).filter((name): name is Kind => name in MESSAGES);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
const ITEMS = Object.fromEntries(KINDS.map((kind) => [kind, itemOf(kind)])) as Readonly<Record<Kind, Item>>;

/** Error with the name of the field that it is about. */
function inField(error: unknown, kind: Kind, name: string): unknown {
  return error instanceof ProtocolError
    ? new ProtocolError(error.code, `${kind}.${name}: ${error.message}`, { cause: error })
    : error;
}

/**
 * A message as one line, its end included; fields of the native dialect alone are left out.
 * @throws {ProtocolError} `BadValue` for anything that a Dovecot cannot take (checks.ts, text-values.ts)
 */
export function printMessage(message: Message): Buffer {
  checkMessage(message);
  const { kind, code, columns } = ITEMS[message.kind];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
  const values = message as unknown as Readonly<Record<string, unknown>>;
  const fields: string[] = [];
  let used = 0;
  for (const { name, codec, required } of columns) {
    const value = values[name];
    if (value === undefined) {
      if (required) throw new ProtocolError('BadValue', `${kind}.${name} is missing`);
      fields.push(NULL);
      continue;
    }
    let text: string;
    try {
      text = codec.print(value);
    } catch (error) {
      throw inField(error, kind, name);
    }
    fields.push((text.startsWith(NULL) ? NULL : '') + tabEscape(text));
    used = fields.length;
  }
  fields.length = used;
  if (used === 1 && fields[0] === '')
    throw new ProtocolError('BadValue', `${kind}: a line cannot say that its first field alone is empty`);
  return encodeText(`${code}${fields.join('\t')}\n`);
}

/** Reads lines of one peer, whose header says what stands where. */
export class MessageParser {
  readonly #items = new Map<
    string,
    { readonly kind: Kind; readonly columns: readonly (Column | undefined)[]; readonly required: readonly string[] }
  >();
  readonly #minor: number;

  constructor(headers: ReadonlyMap<string, readonly string[]>, minor: number) {
    this.#minor = minor;
    for (const { kind, code, columns } of Object.values(ITEMS)) {
      const names = headers.get(code) ?? [];
      const required = columns.filter((c) => c.required).map((c) => c.name);
      this.#items.set(code, { kind, columns: names.map((name) => columns.find((c) => c.wire === name)), required });
    }
  }

  /**
   * @param line without its end, one character for each byte
   * @throws {ProtocolError} `Garbage` for an unknown item, `BadValue`, `LimitExceeded`
   */
  parse(line: string): Message {
    const item = this.#items.get(line.slice(0, 1));
    if (item === undefined) throw new ProtocolError('Garbage', `unknown item ${JSON.stringify(line.slice(0, 20))}`);
    const { kind, columns, required } = item;
    const message: Record<string, unknown> = { kind };
    // Of a done item only the letter counts.
    const values = line.length > 1 && columns.length > 0 ? line.slice(1).split('\t') : [];
    for (let i = 0; i < values.length && i < columns.length; i++) {
      const column = columns[i];
      const value = values[i];
      if (column === undefined || value === undefined || value === NULL) continue;
      try {
        message[column.name] = column.codec.parse(
          decodeText(tabUnescape(value.startsWith(NULL) ? value.slice(1) : value)),
        );
      } catch (error) {
        throw inField(error, kind, column.name);
      }
    }
    const missing = required.find((name) => message[name] === undefined);
    if (missing !== undefined) throw new ProtocolError('BadValue', `${kind}.${missing} is missing`);
    // Each field has passed the codec of its type, and no required one is missing.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
    const parsed = this.#normal(message as unknown as Message);
    checkMessage(parsed);
    return parsed;
  }

  /** Takes out what a Dovecot says and does not mean. */
  #normal(message: Message): Message {
    if (message.kind === 'mailbox' && this.#minor < 2 && message.haveGuids === true)
      return { ...message, haveSaveGuids: true };
    if (message.kind !== 'mailChange') return message;
    const { virtualSize, addFlags, removeFlags, finalFlags, ...rest } = message;
    return {
      ...rest,
      // \Recent does not travel.
      ...(addFlags !== undefined && { addFlags: addFlags & ALL_FLAGS }),
      ...(removeFlags !== undefined && { removeFlags: removeFlags & ALL_FLAGS }),
      ...(finalFlags !== undefined && { finalFlags: finalFlags & ALL_FLAGS }),
      // 2.3 writes all ones where it has not computed a size.
      ...(virtualSize !== undefined && virtualSize !== 0xffffffffffffffffn && { virtualSize }),
    };
  }
}
