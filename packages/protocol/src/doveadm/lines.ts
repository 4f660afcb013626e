import { ProtocolError } from '../errors.ts';
import { oneLine } from '../text.ts';
import { MAX_DOVEADM_LINE } from './limits.ts';
import { joinTabFields, splitTabFields } from './tab-escape.ts';

/** What both roles of the doveadm layer say of themselves. */
export const DOVEADM_MAJOR = 1;

/**
 * The minor that both of our roles announce: packets since 1, STARTTLS since 2, log lines on demand since 3, the stream
 * format (multiplex.ts) since 4.
 */
export const DOVEADM_MINOR = 4;

/** The first minor whose clients say that they want log lines; older ones always get them. */
export const LOG_OPTION_MINOR = 3;

/** A line before the command that asks for log lines; it has no answer. */
const LOG_OPTION = '\t\tOPTION\tlog-passthrough';

/** Only for servers since `LOG_OPTION_MINOR`: Dovecot 2.3 takes it for a command that it does not know. */
export const printLogOption = (): string => `${LOG_OPTION}\n`;

/** An OPTION line (without its end): whether it asks for log lines. Null: it is another line. */
export function parseOptionLine(line: string): { readonly logs: boolean } | null {
  return line.startsWith('\t\tOPTION\t') ? { logs: line === LOG_OPTION } : null;
}

/** The names are reversed on purpose: each side announces whom it wants to meet. */
export type DoveadmService = 'doveadm-server' | 'doveadm-client';

/** With its end. A client's minor 0 asks for a session that is not multiplexed; the server tells no version then. */
export function printVersionLine(service: DoveadmService, minor: number): string {
  return `VERSION\t${service}\t${DOVEADM_MAJOR}\t${minor}\n`;
}

/**
 * The minor of a VERSION line (without its end), any number.
 * @throws {ProtocolError} `Incompatible` for another major or service, `Garbage` for anything else
 */
export function parseVersionLine(line: string, service: DoveadmService): number {
  const [word, name, major, minor, ...rest] = line.split('\t');
  if (
    word !== 'VERSION' ||
    rest.length > 0 ||
    major === undefined ||
    minor === undefined ||
    !/^[0-9]{1,9}$/.test(minor)
  ) {
    throw new ProtocolError('Garbage', 'the peer does not begin with a doveadm VERSION line');
  }
  if (name !== service || major !== String(DOVEADM_MAJOR)) {
    throw new ProtocolError(
      'Incompatible',
      `the peer wants ${JSON.stringify(name?.slice(0, 40))} ${major.slice(0, 10)}, not ${service} ${DOVEADM_MAJOR}`,
    );
  }
  return Number(minor);
}

/** The only user name of the doveadm layer. */
const DOVEADM_LOGIN = 'doveadm';

/** A client's login with its end: SASL PLAIN (RFC 4616) of the one user name that there is. */
export function printPlainLine(password: string): string {
  return `PLAIN\t${Buffer.from(`\0${DOVEADM_LOGIN}\0${password}`).toString('base64')}\n`;
}

/** Login and password of a PLAIN line (without its end); null if it is none. */
export function parsePlainLine(line: string): { readonly login: string; readonly password: Buffer } | null {
  const match = /^PLAIN\t([A-Za-z0-9+/]{4,}={0,2})$/.exec(line);
  if (match?.[1] === undefined) return null;
  const bytes = Buffer.from(match[1], 'base64');
  const first = bytes.indexOf(0);
  const second = bytes.indexOf(0, first + 1);
  if (first !== 0 || second < 0) return null;
  return { login: bytes.toString('utf8', first + 1, second), password: bytes.subarray(second + 1) };
}

/** Whether a login is the layer's user name. Whose mail is wanted says the command. */
export function isDoveadmLogin(login: string): boolean {
  return login === DOVEADM_LOGIN;
}

/** A command line: flags, extra fields (`x`, since 1.3), user, command, arguments. */
export interface DoveadmCommand {
  readonly debug: boolean;
  readonly verbose: boolean;
  readonly user: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** With its end; fields are escaped. There is never an extra field, which 2.3 does not know. */
export function printCommandLine(command: DoveadmCommand): string {
  const flags = `${command.debug ? 'D' : ''}${command.verbose ? 'v' : ''}`;
  return `${joinTabFields([flags, command.user, command.command, ...command.args])}\n`;
}

/** @throws {ProtocolError} `Garbage` for fewer than three fields or a flag that we do not know */
export function parseCommandLine(line: string): DoveadmCommand {
  const [flags = '', ...fields] = splitTabFields(line);
  if (!/^[Dvx]*$/.test(flags))
    throw new ProtocolError('Garbage', `unknown flags in a command line: ${JSON.stringify(flags.slice(0, 20))}`);
  const [user, command, ...args] = flags.includes('x') ? fields.slice(1) : fields;
  if (user === undefined || command === undefined)
    throw new ProtocolError('Garbage', 'a command line has at least three fields');
  return { debug: flags.includes('D'), verbose: flags.includes('v') || flags.includes('D'), user, command, args };
}

/** What a command's reply can say, in Dovecot 2.3 or 2.4, and the process status (sysexits) that it stands for. */
export const DOVEADM_REPLIES = {
  TEMPFAIL: 75,
  USAGE: 64,
  NOUSER: 67,
  NOPERM: 77,
  PROTOCOL: 76,
  DATAERR: 65,
  NOTFOUND: 68,
  CHANGED: 2,
  NOREPLICATE: 75,
  REFERRAL: 75,
  EXPIRED: 75,
  UNKNOWN: 75,
} as const satisfies Record<string, number>;

/** A word that a refusal of ours can have. */
export type DoveadmReplyWord = keyof typeof DOVEADM_REPLIES;

/** A server's answer. Of a refusal `exit` is a process status, never 0, and `word` may be one that we do not know. */
export type DoveadmReply =
  | { readonly ok: true }
  /** `detail`: what follows the word, as the host of a REFERRAL. */
  | { readonly ok: false; readonly word: string; readonly detail: string; readonly exit: number };

/** The second line of a reply: `+`, `-WORD …`, or of old servers `-NUMBER`. Null if it is none. */
export function parseReplyLine(line: string): DoveadmReply | null {
  if (line === '+') return { ok: true };
  if (!line.startsWith('-')) return null;
  const [word = '', ...more] = line.slice(1).split(/[ \t]/);
  const detail = oneLine(more.join(' '), 255);
  if (/^[0-9]{1,3}$/.test(word)) return { ok: false, word, detail, exit: exitOfNumber(Number(word)) };
  const known = Object.entries(DOVEADM_REPLIES).find(([name]) => name === word);
  return { ok: false, word: oneLine(word, 40), detail, exit: known?.[1] ?? 75 };
}

/** A refusal must never look like success, whatever number an old server gives. */
function exitOfNumber(number: number): number {
  return number === 0 || number > 255 ? 75 : number;
}

/** `null`: success. The reply's first line, the end of an empty result, is part of it. */
export function printReply(failure: DoveadmReplyWord | null): string {
  return failure === null ? '\n+\n' : `\n-${failure}\n`;
}

/** Splits bytes into lines. What follows a taken line stays and can be had with `rest`. */
export class LineBuffer {
  #pending: Buffer = Buffer.alloc(0);
  readonly #limit: number;

  constructor(limit: number = MAX_DOVEADM_LINE) {
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
  }

  /**
   * The next line without its end, or null until more has been pushed.
   * @throws {ProtocolError} `LimitExceeded` for a longer line, `Garbage` if it is not UTF-8
   */
  take(): string | null {
    const end = this.#pending.indexOf(0x0a);
    if (end > this.#limit || (end < 0 && this.#pending.length > this.#limit)) {
      throw new ProtocolError('LimitExceeded', `a line of more than ${this.#limit} bytes before the session`);
    }
    if (end < 0) return null;
    const bytes = this.#pending.subarray(0, end);
    this.#pending = this.#pending.subarray(end + 1);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new ProtocolError('Garbage', 'a line before the session is not UTF-8', { cause });
    }
  }

  get length(): number {
    return this.#pending.length;
  }

  /** Everything that has not been taken; the buffer is empty afterwards. */
  rest(): Buffer {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest;
  }
}
