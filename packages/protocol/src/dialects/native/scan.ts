import { ProtocolError } from '../../errors.ts';
import { MAX_BATCH_VALUES, MAX_NESTING } from '../../limits.ts';

/**
 * Goes over msgpack bytes without building anything: exactly one value; only whole numbers, texts, raw bytes, true, nil
 * and lists of these; nesting and number of values bounded. Maps, floating point and extensions are nothing that we write,
 * and a decoder that never sees them can do nothing unexpected with them.
 * @throws {ProtocolError} `Garbage` or `LimitExceeded`
 */
export function scanMsgpack(bytes: Buffer): void {
  let at = 0;
  let values = 0;
  const open: number[] = [];
  do {
    if (at >= bytes.length) throw new ProtocolError('Garbage', 'record cut short');
    if (++values > MAX_BATCH_VALUES)
      throw new ProtocolError('LimitExceeded', `more than ${MAX_BATCH_VALUES} values in one frame`);
    const items = listLength(bytes, at);
    at = items >= 0 ? at + listHeader(bytes[at] ?? 0) : skipValue(bytes, at);
    if (at > bytes.length) throw new ProtocolError('Garbage', 'record cut short');
    if (items > bytes.length - at) throw new ProtocolError('Garbage', 'list longer than its frame');
    if (items > 0) {
      if (open.length >= MAX_NESTING)
        throw new ProtocolError('LimitExceeded', `lists nested deeper than ${MAX_NESTING}`);
      open.push(items);
    } else {
      closeLists(open);
    }
  } while (open.length > 0);
  if (at !== bytes.length) throw new ProtocolError('Garbage', 'bytes after the last record');
}

/** One value more is complete: ends each list that it was the last of. */
function closeLists(open: number[]): void {
  while (open.length > 0) {
    const left = (open.pop() ?? 1) - 1;
    if (left > 0) {
      open.push(left);
      return;
    }
  }
}

/** Number of elements if a list starts here, else -1. */
function listLength(bytes: Buffer, at: number): number {
  const tag = bytes[at] ?? 0;
  if (tag >= 0x90 && tag <= 0x9f) return tag & 0x0f;
  if (tag === 0xdc) return at + 3 <= bytes.length ? bytes.readUInt16BE(at + 1) : 0;
  if (tag === 0xdd) return at + 5 <= bytes.length ? bytes.readUInt32BE(at + 1) : 0;
  return -1;
}

function listHeader(tag: number): number {
  if (tag === 0xdc) return 3;
  return tag === 0xdd ? 5 : 1;
}

/** Where the value that starts at `at`, and is no list, ends; may lie beyond the end of `bytes`. */
function skipValue(bytes: Buffer, at: number): number {
  const tag = bytes[at] ?? 0;
  if (tag <= 0x7f) return at + 1;
  if (tag >= 0xa0 && tag <= 0xbf) return at + 1 + (tag & 0x1f);
  switch (tag) {
    case 0xc0:
    case 0xc3:
      return at + 1;
    case 0xcc:
      return at + 2;
    case 0xcd:
      return at + 3;
    case 0xce:
      return at + 5;
    case 0xcf:
    // msgpackr writes a bigint below 2^63 as a signed number; its sign is checked with the value.
    case 0xd3:
      return at + 9;
    case 0xc4:
    case 0xd9:
      return at + 2 + (bytes[at + 1] ?? 0);
    case 0xc5:
    case 0xda:
      return at + 3 + (at + 3 <= bytes.length ? bytes.readUInt16BE(at + 1) : 0);
    case 0xc6:
    case 0xdb:
      return at + 5 + (at + 5 <= bytes.length ? bytes.readUInt32BE(at + 1) : 0);
    default:
      throw new ProtocolError('Garbage', `no value of a record starts with byte ${tag.toString(16).padStart(2, '0')}`);
  }
}
