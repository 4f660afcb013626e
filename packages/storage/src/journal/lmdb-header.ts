/**
 * Looks at the first pages of an lmdb file before lmdb does: it maps the file and believes what it finds, so a file
 * that is something else, or is cut short, ends the whole process and not just the call.
 *
 * Layout (format 2 of lmdb, little-endian): two pages that each hold a copy of the header, written in turn; at 24 magic,
 * version, address, map size; at 48 and 96 the roots of the two trees; at 144 the last page, at 152 the transaction.
 *
 * Read with synchronous calls, as are small things elsewhere at start-up: to load Node's asynchronous ones takes longer.
 */
import fs from 'node:fs';

import { isErrno } from '../errors.ts';

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_PAGE = 0x08;
const BRANCH_PAGE = 0x01;
const LEAF_PAGE = 0x02;
/** The tree of free pages: integer keys; the file is not a folder. */
const FREE_TREE_FLAGS = 0x4008;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
const MAX_DEPTH = 32;
const MAX_MAP = 1n << 46n;
const ATTEMPTS = 5;

interface Meta {
  readonly pageSize: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
  readonly roots: readonly bigint[];
}

/** What is wrong with the file, in a few words; null: nothing, or it is empty or absent and will be made. */
export async function lmdbDefect(file: string): Promise<string | null> {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    if (!fs.fstatSync(fd).isFile()) return 'not a file';
    let defect: string | null = null;
    // Another process may be writing the header at this moment.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      defect = look(fd);
      if (defect === null) return null;
      await new Promise((resolve) => setTimeout(resolve, attempt));
    }
    return defect;
  } finally {
    fs.closeSync(fd);
  }
}

function look(fd: number): string | null {
  const { size } = fs.fstatSync(fd);
  if (size === 0) return null;
  const first = readAt(fd, 0, 160);
  if (first.length < 160 || first.readUInt32LE(24) !== MAGIC) return 'not a journal';
  const version = first.readUInt32LE(28);
  if (version !== VERSION) return `version ${version} of the file format`;
  const pageSize = first.readUInt32LE(48);
  if (!(pageSize >= 512 && pageSize <= 65536 && (pageSize & (pageSize - 1)) === 0)) return 'damaged header';
  const second = readAt(fd, pageSize, 160);
  if (second.length < 160) return 'cut short';
  const metas = [parseMeta(first, 0, pageSize), parseMeta(second, 1, pageSize)];
  const [even, odd] = metas;
  if (!even || !odd) return 'damaged header';
  if (!follows(even.transaction, odd.transaction)) return 'damaged header';
  const newest = even.transaction > odd.transaction ? even : odd;
  if ((newest.lastPage + 1n) * BigInt(pageSize) > BigInt(size)) return 'cut short';
  for (const root of newest.roots) if (!isRoot(fd, root, newest)) return 'damaged header';
  return null;
}

function parseMeta(page: Buffer, index: number, pageSize: number): Meta | null {
  const transaction = page.readBigUInt64LE(152);
  const lastPage = page.readBigUInt64LE(144);
  const mapSize = page.readBigUInt64LE(40);
  const right =
    page.readBigUInt64LE(0) === BigInt(index) &&
    (page.readUInt16LE(18) & META_PAGE) !== 0 &&
    page.readUInt32LE(24) === MAGIC &&
    page.readUInt32LE(28) === VERSION &&
    page.readBigUInt64LE(32) === 0n &&
    mapSize <= MAX_MAP &&
    page.readUInt32LE(48) === pageSize &&
    page.readUInt16LE(52) === FREE_TREE_FLAGS &&
    page.readUInt16LE(54) <= MAX_DEPTH &&
    page.readUInt32LE(96) === 0 &&
    page.readUInt16LE(100) === 0 &&
    page.readUInt16LE(102) <= MAX_DEPTH &&
    lastPage >= 1n &&
    lastPage * BigInt(pageSize) < MAX_MAP;
  if (!right) return null;
  const roots = [page.readBigUInt64LE(88), page.readBigUInt64LE(136)].filter((root) => root !== NO_ROOT);
  return roots.every((root) => root > 1n && root <= lastPage) ? { pageSize, lastPage, transaction, roots } : null;
}

/** The two headers are written in turn, the even transactions to the first; a new file has 0 in both. */
function follows(even: bigint, odd: bigint): boolean {
  if (even === 0n && odd === 0n) return true;
  const distance = even > odd ? even - odd : odd - even;
  return even % 2n === 0n && (odd % 2n === 1n || odd === 0n) && distance === 1n;
}

function isRoot(fd: number, root: bigint, meta: Meta): boolean {
  const page = readAt(fd, Number(root) * meta.pageSize, 24);
  return (
    page.length === 24 &&
    page.readBigUInt64LE(0) === root &&
    page.readBigUInt64LE(8) <= meta.transaction &&
    (page.readUInt16LE(18) & (BRANCH_PAGE | LEAF_PAGE)) !== 0
  );
}

function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, length, position));
}
