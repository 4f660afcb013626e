/**
 * The main job on one machine: a TLS server, real-looking mail on both sides, a two-way run, changes on both sides,
 * another run, and the proof that both sides are equal. Needs Node alone; everything happens in a temporary folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { makeCertificates, writeCertificates } from '../certs/make-certificates.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, 'node_modules', '.bin');
const USER = 'anna';
const PASSWORD = 'demo-password';
const DEADLINE_MS = 30_000;

interface DemoMail {
  readonly folder: string;
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  /** Maildir flag letters; `a` is the folder's first keyword. */
  readonly flags: string;
  readonly daysAgo: number;
}

const SERVER_MAIL: readonly DemoMail[] = [
  {
    folder: '',
    from: 'Berta <berta@example.org>',
    subject: 'Lunch on Friday?',
    text: 'The place at the canal, at one?\n',
    flags: 'S',
    daysAgo: 9,
  },
  {
    folder: '',
    from: 'Shop <orders@example.com>',
    subject: 'Your order has been sent',
    text: 'It will arrive tomorrow.\n',
    flags: '',
    daysAgo: 2,
  },
  {
    folder: '.Projects.Bridge',
    from: 'Carl <carl@example.net>',
    subject: 'Drawings, second version',
    text: 'See the north pillar.\n',
    flags: 'FS',
    daysAgo: 20,
  },
  {
    folder: '.Projects.Bridge',
    from: 'Carl <carl@example.net>',
    subject: 'Re: Drawings',
    text: 'Agreed.\n',
    flags: 'RS',
    daysAgo: 19,
  },
  {
    folder: '.Entw&APw-rfe',
    from: 'Anna <anna@example.org>',
    subject: 'A letter not sent yet',
    text: 'Dear all,\n',
    flags: 'D',
    daysAgo: 1,
  },
];

const LAPTOP_MAIL: readonly DemoMail[] = [
  {
    folder: '.Sent',
    from: 'Anna <anna@example.org>',
    subject: 'Re: Lunch on Friday?',
    text: 'With pleasure.\n',
    flags: 'S',
    daysAgo: 8,
  },
  {
    folder: '.Archive.2025',
    from: 'Dora <dora@example.org>',
    subject: 'Photos of the summer',
    text: 'A long evening at the lake.\n'.repeat(2000),
    flags: 'Sa',
    daysAgo: 400,
  },
];

let serial = 0;

function deliver(root: string, mail: DemoMail): void {
  const folder = join(root, mail.folder);
  for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(folder, part), { recursive: true });
  if (mail.folder !== '') writeFileSync(join(folder, 'maildirfolder'), '');
  if (mail.flags.includes('a')) writeFileSync(join(folder, 'dovecot-keywords'), '0 $Family\n');
  const date = new Date(Date.now() - mail.daysAgo * 86_400_000);
  serial += 1;
  const text = [
    `From: ${mail.from}`,
    'To: Anna <anna@example.org>',
    `Subject: ${mail.subject}`,
    `Date: ${date.toUTCString()}`,
    `Message-ID: <demo.${serial}@example.org>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    mail.text,
  ].join('\n');
  const name = `${Math.floor(date.getTime() / 1000)}.M${serial}P${process.pid}.demo`;
  const file = mail.flags === '' ? join(folder, 'new', name) : join(folder, 'cur', `${name}:2,${mail.flags}`);
  writeFileSync(file, text);
  utimesSync(file, date, date);
}

/** Everything that a mail reader would see of a Maildir, as text that can be compared. */
function contents(root: string): string[] {
  const lines: string[] = [];
  const folders = ['', ...readdirSync(root).filter((name) => name.startsWith('.') && !name.startsWith('..'))];
  for (const folder of folders.toSorted()) {
    const path = join(root, folder);
    const uidlist = readFileSync(join(path, 'dovecot-uidlist'), 'utf8').split('\n');
    const uids = new Map(
      uidlist.slice(1).map((line) => [line.slice(line.indexOf(' :') + 2), line.split(' ')[0] ?? '']),
    );
    lines.push(
      `${folder === '' ? 'INBOX' : folder} ${/V\d+/.exec(uidlist[0] ?? '')?.[0]} ${/G[0-9a-f]+/.exec(uidlist[0] ?? '')?.[0]}`,
    );
    const mails: string[] = [];
    for (const part of ['cur', 'new']) {
      for (const name of readdirSync(join(path, part))) {
        const [base = '', flags = ''] = name.split(':2,');
        const digest = createHash('sha256')
          .update(readFileSync(join(path, part, name)))
          .digest('hex');
        mails.push(`  uid ${uids.get(base)} flags ${flags || '-'} sha256 ${digest}`);
      }
    }
    lines.push(...mails.toSorted());
  }
  return lines;
}

async function startServer(
  folder: string,
  mail: string,
): Promise<{ readonly process: ChildProcess; readonly port: number }> {
  const server = spawn(
    join(BIN, 'dsync-server'),
    [
      '-o',
      `mail_location=maildir:${mail}`,
      '-o',
      `doveadm_password=${PASSWORD}`,
      '-o',
      `ssl_cert=<${join(folder, 'certs', 'server.crt')}`,
      '-o',
      `ssl_key=<${join(folder, 'certs', 'server.key')}`,
      '--listen',
      'tcps:127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const lines = createInterface({ input: server.stderr });
  const timer = setTimeout(() => server.kill(), DEADLINE_MS);
  for await (const line of lines) {
    const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    clearTimeout(timer);
    lines.on('line', (text) => process.stderr.write(`server: ${text}\n`));
    return { process: server, port: Number(port) };
  }
  throw new Error('the server did not start');
}

async function dsync(args: readonly string[]): Promise<void> {
  process.stdout.write(
    `\n$ dsync ${args.map((arg) => (arg.includes(PASSWORD) ? 'doveadm_password=…' : arg)).join(' ')}\n`,
  );
  const child = spawn(join(BIN, 'dsync'), args, { stdio: 'inherit' });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
  if (status !== 0) throw new Error(`dsync ended with status ${status}`);
}

function proveEqual(a: string, b: string): void {
  const [left, right] = [contents(a), contents(b)];
  if (left.join('\n') !== right.join('\n')) {
    process.stdout.write(`${left.join('\n')}\n--- differs from ---\n${right.join('\n')}\n`);
    throw new Error('the two sides are not equal');
  }
  process.stdout.write(
    `equal on both sides: ${left.filter((line) => line.startsWith('  ')).length} mails in ${left.filter((line) => !line.startsWith('  ')).length} mailboxes,\n`,
  );
  process.stdout.write('names, UIDVALIDITYs, GUIDs, UIDs, flags and the SHA-256 of every mail\n');
}

/** What people do between two runs: read, answer, delete, receive. */
function changeBothSides(laptop: string, server: string): void {
  const inbox = join(server, 'cur');
  const [first] = readdirSync(inbox).filter((name) => name.endsWith(':2,S'));
  if (first !== undefined) renameSync(join(inbox, first), join(inbox, first.replace(/S$/, 'FS')));
  const drawings = join(laptop, '.Projects.Bridge', 'cur');
  const [gone] = readdirSync(drawings);
  if (gone !== undefined) unlinkSync(join(drawings, gone));
  deliver(laptop, {
    folder: '',
    from: 'Emil <emil@example.org>',
    subject: 'Tickets',
    text: 'Two, for Saturday.\n',
    flags: '',
    daysAgo: 0,
  });
  deliver(server, {
    folder: '',
    from: 'Frieda <frieda@example.org>',
    subject: 'Minutes',
    text: 'See below.\n',
    flags: '',
    daysAgo: 0,
  });
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'dsync-demo-'));
  let server: ChildProcess | null = null;
  try {
    writeCertificates(join(folder, 'certs'), makeCertificates());
    const onServer = join(folder, 'server', USER, 'Maildir');
    const onLaptop = join(folder, 'laptop', USER, 'Maildir');
    for (const mail of SERVER_MAIL) deliver(onServer, mail);
    for (const mail of LAPTOP_MAIL) deliver(onLaptop, mail);
    deliver(onLaptop, {
      folder: '',
      from: 'Gerd <gerd@example.org>',
      subject: 'Hello',
      text: 'Long time no see.\n',
      flags: 'S',
      daysAgo: 3,
    });

    const started = await startServer(folder, join(folder, 'server', '%u', 'Maildir'));
    server = started.process;
    const common = [
      '-o',
      `mail_location=maildir:${join(folder, 'laptop', '%u', 'Maildir')}`,
      '-o',
      `doveadm_password=${PASSWORD}`,
      '-o',
      `ssl_client_ca_file=${join(folder, 'certs', 'ca.crt')}`,
    ];
    const destination = `tcps:localhost:${started.port}`;
    await dsync([...common, '-v', 'sync', '-u', USER, destination]);
    proveEqual(onLaptop, onServer);

    process.stdout.write(
      '\nNow both sides change: a mail is flagged on the server, one expunged on the laptop, new ones arrive on both.\n',
    );
    changeBothSides(onLaptop, onServer);
    await dsync([...common, 'sync', '--dry-run', '-u', USER, destination]);
    await dsync([...common, '-v', 'sync', '-u', USER, destination]);
    proveEqual(onLaptop, onServer);
  } finally {
    if (server !== null && server.exitCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
