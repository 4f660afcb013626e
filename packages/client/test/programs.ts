import { spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The programs as users start them. */
export const DSYNC = join(ROOT, 'node_modules/.bin/dsync');
export const DSYNC_SERVER = join(ROOT, 'node_modules/.bin/dsync-server');

/** `doveadm_password` of every server here. */
export const PASSWORD = 'open sesame';

/** How a program ended; the status is null if a signal ended it. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, in `cwd` if that matters. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** A folder of its own, with the mail of users below `a` and `b`. */
export class Place implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'dsync-cli-'));

  constructor() {
    for (const side of ['a', 'b'])
      for (const user of ['u1', 'u2']) mkdirSync(join(this.folder, side, user), { recursive: true });
  }

  /** `-o` for one side’s mail. */
  mail(side: 'a' | 'b'): string {
    return `mail_location=maildir:${this.folder}/${side}/%u/Maildir`;
  }

  maildir(side: 'a' | 'b', user = 'u1'): string {
    return join(this.folder, side, user, 'Maildir');
  }

  /** Puts a mail where mail readers put it. */
  deliver(
    side: 'a' | 'b',
    name: string,
    options: { readonly flags?: string; readonly folder?: string; readonly user?: string; readonly body?: string } = {},
  ): void {
    const box = join(this.maildir(side, options.user), options.folder ?? '');
    for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(box, part), { recursive: true });
    const file = options.flags === undefined ? join(box, 'new', name) : join(box, 'cur', `${name}:2,${options.flags}`);
    writeFileSync(file, `Subject: ${name}\n\n${options.body ?? name}\n`);
  }

  /** The subjects of one mailbox, in the order of names, with flags. */
  subjects(side: 'a' | 'b', folder = '', user = 'u1'): string[] {
    const box = join(this.maildir(side, user), folder);
    if (!existsSync(box)) return [];
    return ['cur', 'new']
      .flatMap((part) =>
        readdirSync(join(box, part)).map((name) => {
          const subject = /^Subject: (.*)$/m.exec(readFileSync(join(box, part, name), 'utf8'))?.[1] ?? '?';
          return `${subject} ${/:2,(.*)$/.exec(name)?.[1] ?? ''}`.trim();
        }),
      )
      .toSorted();
  }

  /** Runs dsync with side `a` as the user's mail. */
  dsync(...words: readonly string[]): Promise<Outcome> {
    return run(DSYNC, ['-o', this.mail('a'), ...words]);
  }

  /** Runs `dsync sync` of u1's mail of both sides, in one process. */
  sync(...options: readonly string[]): Promise<Outcome> {
    return this.dsync('sync', '-u', 'u1', ...options, `maildir:${this.maildir('b')}`);
  }

  /** Runs `dsync sync` of side `a`'s mail with a server. */
  syncOver(
    destination: string,
    options: { readonly user?: string; readonly password?: string; readonly more?: readonly string[] } = {},
  ): Promise<Outcome> {
    const { user = 'u1', password = PASSWORD, more = [] } = options;
    return this.dsync('-o', `doveadm_password=${password}`, 'sync', '-u', user, ...more, destination);
  }

  /** The words that serve side `b` as a command. */
  serverOfB(user = 'u1'): readonly string[] {
    return [DSYNC_SERVER, '-o', this.mail('b'), '-u', user, 'dsync-server'];
  }

  /** Every file and folder of one side, with sizes: equal lists, nothing changed. */
  listing(side: 'a' | 'b'): string[] {
    const root = join(this.folder, side);
    return readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.includes('dsync-journal'))
      .map((name) => `${name} ${statSync(join(root, name)).isFile() ? statSync(join(root, name)).size : ''}`)
      .toSorted();
  }

  /** Whatever a change to one side, or to both, would leave otherwise: names, numbers, modes, sizes and times. */
  traces(side: 'a' | 'b' | ''): string[] {
    const root = join(this.folder, side);
    return ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })]
      .map((name) => {
        const { ino, mode, nlink, size, mtimeNs, ctimeNs } = lstatSync(join(root, name), { bigint: true });
        return [name, ino, mode.toString(8), nlink, size, mtimeNs, ctimeNs].join(' ');
      })
      .toSorted();
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A `dsync-server --listen` of its own. */
export class Server implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  #stderr: string;
  readonly #ended: Promise<number | null>;
  #wake: (() => void) | null = null;

  private constructor(child: ChildProcess, port: number, stderr: string, ended: Promise<number | null>) {
    this.child = child;
    this.port = port;
    this.#stderr = stderr;
    this.#ended = ended;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#wake?.();
    });
  }

  static async start(place: Place, listen: string, options: readonly string[] = []): Promise<Server> {
    const args = ['-o', place.mail('b'), '-o', `doveadm_password=${PASSWORD}`, ...options, '--listen', listen];
    const child = spawn(DSYNC_SERVER, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir() },
    });
    const ended = new Promise<number | null>((resolve) => {
      child.once('exit', (status) => resolve(status));
    });
    let text = '';
    await new Promise<void>((resolve, reject) => {
      const look = (chunk: Buffer): void => {
        text += chunk.toString();
        if (!/listening on .*\n/.test(text)) return;
        child.stderr.off('data', look);
        resolve();
      };
      child.stderr.on('data', look);
      child.once('error', reject);
      void ended.then((status) => reject(new Error(`the server ended with ${status}: ${text}`)));
    });
    return new Server(child, Number(/listening on .*:(\d+)/.exec(text)?.[1] ?? 0), text, ended);
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when the server has logged something like that, in so many lines. */
  async logs(pattern: RegExp, lines = 1): Promise<void> {
    while (this.#stderr.split('\n').filter((line) => pattern.test(line)).length < lines) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Asks it to end. @returns its exit status */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null) this.child.kill('SIGTERM');
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    await this.#ended;
  }
}
