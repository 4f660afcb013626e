/** The doveadm layer from the client's side: tolerant of every server since 2.2. */
import type { Duplex } from 'node:stream';

import {
  ChannelReader,
  DOVEADM_MINOR,
  joinStreams,
  LineInput,
  LOG_CHANNEL,
  LOG_OPTION_MINOR,
  LogLineReader,
  MAIN_CHANNEL,
  MAX_DOVEADM_LINE,
  parseReplyLine,
  parseVersionLine,
  printCommandLine,
  printLogOption,
  printPlainLine,
  printVersionLine,
  ProtocolError,
  type RemoteLogLine,
} from '@dsync/protocol';

import { TransportError } from './connection.ts';

/** Who logs in, and how. `timeoutMs` bounds each part of the opening; `onLog` gets the server's log lines. */
export interface LoginOptions {
  readonly user: string;
  /** Secret; null: none is set, which only a trusting server accepts. */
  readonly password: string | null;
  readonly debug: boolean;
  readonly verbose: boolean;
  readonly timeoutMs: number;
  readonly onLog: (line: RemoteLogLine) => void;
  /** Encrypts the connection after the server's greeting, proving who the server is, where that is asked for. */
  readonly startTls?: () => Promise<Duplex>;
}

/** Bytes of the opening; the server's log lines are among them. */
const MAX_OPENING = 256 * 1024;

type Decode = (chunk: Buffer) => readonly Buffer[];

/** The first minor whose servers know STARTTLS, as Dovecot 2.3.19 does. */
const STARTTLS_MINOR = 2;

/**
 * Logs in and asks for `dsync-server`.
 * @returns the session's bytes
 * @throws {TransportError} login failed (75), the server's refusal with its status (67, 64, …); {ProtocolError}
 */
export async function openSession(raw: Duplex, given: LoginOptions): Promise<Duplex> {
  // Why a session does not come about is often said twice, in a line of the log and in the answer.
  const held: RemoteLogLine[] = [];
  let isOpen = false;
  const options = { ...given, onLog: (line: RemoteLogLine) => (isOpen ? given.onLog(line) : void held.push(line)) };
  try {
    return await logInAndAsk(raw, options);
  } catch (error) {
    const said = error instanceof TransportError ? error.message : null;
    held.splice(0, held.length, ...held.filter(({ text }) => said === null || !text.endsWith(said)));
    throw error;
  } finally {
    isOpen = true;
    for (const line of held) given.onLog(line);
  }
}

async function logInAndAsk(raw: Duplex, options: LoginOptions): Promise<Duplex> {
  const limits = { maxLine: MAX_DOVEADM_LINE, maxBytes: MAX_OPENING, deadlineMs: options.timeoutMs };
  let stream = raw;
  stream.write(printVersionLine('doveadm-server', DOVEADM_MINOR));
  let input = new LineInput(stream, limits);
  try {
    const greeting = await greeted(input);
    if (options.startTls !== undefined) {
      mustOfferTls(greeting);
      stream.write('STARTTLS\n');
      // What came in clear text behind the greeting is nobody's word.
      if (input.release().length > 0) throw new ProtocolError('Garbage', 'clear text before STARTTLS');
      stream = await options.startTls();
      input = new LineInput(stream, limits);
    }
    // Inside TLS nothing is said again: the server waits for the password.
    if (!greeting.trusted) await logIn(stream, input, options, greeting);
    let decode = greeting.minor >= 1 ? demultiplexer(options) : null;
    const reread = (): LineInput =>
      new LineInput(stream, { ...limits, first: input.release(), ...(decode === null ? {} : { decode }) });
    input = reread();
    if (greeting.minor >= LOG_OPTION_MINOR) stream.write(printLogOption());
    stream.write(printCommandLine({ ...options, command: 'dsync-server', args: [`-u${options.user}`] }));
    let line = await input.line();
    // An old server that trusts us at once can send its VERSION line as late as here, still outside of packets.
    if (decode === null && line.startsWith('VERSION\t')) {
      if (parseVersionLine(line, 'doveadm-client') >= 1) decode = demultiplexer(options);
      input = reread();
      line = await input.line();
    }
    checkReply(line === '' ? await input.line() : line, options.user);
    return joinStreams(stream, stream, { first: input.release(), ...(decode === null ? {} : { decode }) });
  } catch (error) {
    input.release();
    throw error;
  }
}

/** What the server says of itself. */
interface Greeting {
  /** Old servers tell it as late as with the answer to the password. */
  minor: number;
  readonly trusted: boolean;
}

/** VERSION comes before the sign, after it, or never. */
async function greeted(input: LineInput): Promise<Greeting> {
  const greeting = { minor: 0 };
  const sign = await signLine(input, greeting).catch((error: unknown) => {
    // Without a word, as ours and Dovecot close it on whom they do not want to hear.
    if (!(error instanceof ProtocolError && error.code === 'Closed')) throw error;
    const why = 'too many connections or failed logins from here, or no doveadm server';
    throw new TransportError('Closed', `the server closed the connection at once: ${why}; its log may tell`, 75);
  });
  if (sign !== '+' && sign !== '-') throw new ProtocolError('Garbage', 'the server is no doveadm server');
  return { ...greeting, trusted: sign === '+' };
}

async function signLine(input: LineInput, greeting: { minor: number }): Promise<string> {
  const line = await input.line();
  if (!line.startsWith('VERSION\t')) return line;
  greeting.minor = parseVersionLine(line, 'doveadm-client');
  return await input.line();
}

/** Going on without encryption is never the answer. @throws {TransportError} */
function mustOfferTls({ minor, trusted }: Greeting): void {
  if (trusted || minor < STARTTLS_MINOR)
    throw new TransportError('NoStartTls', 'the server does not offer STARTTLS, which doveadm_ssl asks for', 75);
}

async function logIn(stream: Duplex, input: LineInput, options: LoginOptions, greeting: Greeting): Promise<void> {
  if (options.password === null) {
    throw new TransportError('LoginFailed', 'the server wants a password: set doveadm_password', 75);
  }
  stream.write(printPlainLine(options.password));
  if ((await signLine(input, greeting)) !== '+')
    throw new TransportError('LoginFailed', 'login failed: the server does not accept doveadm_password', 75);
}

function demultiplexer(options: LoginOptions): Decode {
  const channels = new ChannelReader();
  const logs = new LogLineReader();
  return (chunk) => {
    const main: Buffer[] = [];
    for (const { channel, data } of channels.push(chunk)) {
      if (channel === MAIN_CHANNEL) main.push(data);
      else if (channel === LOG_CHANNEL) for (const line of logs.push(data)) options.onLog(line);
    }
    return main;
  };
}

/** @throws {TransportError} unless the server has begun the session; {ProtocolError} */
function checkReply(line: string, user: string): void {
  const reply = parseReplyLine(line);
  if (reply === null) throw new ProtocolError('Garbage', 'the server’s answer to the command is not one of doveadm');
  if (reply.ok) return;
  throw new TransportError(
    reply.word === '' ? 'Refused' : reply.word,
    refusal(reply.word, reply.detail, user),
    reply.exit,
  );
}

/** What a server's word means for the person who asked. */
function refusal(word: string, detail: string, user: string): string {
  switch (word) {
    case 'NOUSER':
      return `User doesn't exist: ${user}`;
    case 'REFERRAL':
      return `the server sends ${user} to another one: ${detail}`;
    case 'EXPIRED':
      return 'the server refused the session: passed on by too many proxies, or too late (EXPIRED)';
    case '':
      return 'the server refused the session: it knows no dsync-server';
    default:
      return `the server refused the session: ${word}`;
  }
}
