/** Maildirs with made-up mail, the same at every run: sizes as in real mailboxes, text and attachments. */
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What made-up mail looks like. */
export interface Shape {
  readonly folders: number;
  readonly mailsPerFolder: number;
  /** Mean bytes of a mail. */
  readonly meanSize: number;
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
const randomFrom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

const WORDS = (
  'the of and to in is that it was for on are with as be this have from or had by not but what all were when we there ' +
  'can an your which their said if do will each about how up out them then she many some so these would other into has ' +
  'meeting invoice project attached regards friday monday deadline server update request release draft version please'
).split(' ');

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const printText = (random: () => number, length: number): string => {
  const lines: string[] = [];
  let line = '';
  let written = 0;
  while (written < length) {
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? '';
    line = line === '' ? word : `${line} ${word}`;
    if (line.length < 68) continue;
    lines.push(line);
    written += line.length + 1;
    line = '';
  }
  return `${lines.join('\n')}\n`;
};

const printAttachment = (random: () => number, length: number): string => {
  const lines: string[] = [];
  for (let written = 0; written < length; written += 77) {
    let line = '';
    for (let index = 0; index < 76; index += 1) line += BASE64[Math.floor(random() * 64)] ?? '';
    lines.push(line);
  }
  return `${lines.join('\n')}\n`;
};

/** Nine of ten mails are text of about half the mean; the tenth carries the rest as an attachment. */
const printMail = (random: () => number, serial: number, meanSize: number): string => {
  const large = serial % 10 === 9;
  const size = (0.5 + random()) * meanSize * (large ? 5.5 : 0.5);
  const header =
    `Return-Path: <sender${serial % 97}@example.org>\nFrom: Sender ${serial % 97} <sender${serial % 97}@example.org>\n` +
    `To: reader@example.com\nSubject: ${printText(random, 40).replaceAll('\n', ' ').trim()}\n` +
    `Message-ID: <${serial}.${Math.floor(random() * 1e12)}@example.org>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n\n`;
  const rest = Math.max(0, size - header.length);
  return header + (large ? printText(random, 500) + printAttachment(random, rest - 500) : printText(random, rest));
};

/** The folder of mailbox number `index`; the first is INBOX. Ten to a parent, so that there is a tree. */
const folderName = (index: number, folders: number): string => {
  if (index === 0) return '.';
  return folders > 50 ? `.group${Math.floor(index / 10)}.folder${index}` : `.folder${index}`;
};

/** The file of one mail in the model; every fourth one is unseen. */
export const mailPath = (
  root: string,
  folder: number,
  shape: Shape,
  serial: number,
  size: number,
  lines: number,
): string => {
  const name = `${1_700_000_000 + serial}.M${serial}P1.bench,S=${size},W=${size + lines}`;
  return join(root, folderName(folder, shape.folders), 'cur', `${name}:2,${serial % 4 === 0 ? '' : 'S'}`);
};

const countLines = (text: string): number => text.split('\n').length - 1;

const writeMail = async (root: string, folder: number, shape: Shape, serial: number): Promise<void> => {
  const text = printMail(randomFrom(serial), serial, shape.meanSize);
  const path = mailPath(root, folder, shape, serial, text.length, countLines(text));
  await writeFile(path, text);
  const date = 1_600_000_000 + serial * 60;
  await utimes(path, date, date);
};

/** Makes the Maildir `root`. */
export const makeMaildir = async (root: string, shape: Shape): Promise<void> => {
  for (let folder = 0; folder < shape.folders; folder += 1) {
    const path = join(root, folderName(folder, shape.folders));
    for (const part of ['cur', 'new', 'tmp']) await mkdir(join(path, part), { recursive: true });
    if (folder > 0) await writeFile(join(path, 'maildirfolder'), '');
    const first = folder * shape.mailsPerFolder;
    for (let from = 0; from < shape.mailsPerFolder; from += 64) {
      const count = Math.min(64, shape.mailsPerFolder - from);
      await Promise.all(Array.from({ length: count }, (_, at) => writeMail(root, folder, shape, first + from + at)));
    }
  }
};

/** Ten more mails, spread over the folders, as a delivery would bring them. */
export const deliverTen = async (root: string, shape: Shape, round: number): Promise<void> => {
  for (let index = 0; index < 10; index += 1) {
    const folder = Math.floor((index * shape.folders) / 10);
    await writeMail(root, folder, shape, 10_000_000 + round * 10 + index);
  }
};
