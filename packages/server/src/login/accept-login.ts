/** The doveadm layer from the server's side, up to the command line. */
import type { Duplex } from 'node:stream';
import { TLSSocket, type SecureContext } from 'node:tls';
import { Socket } from 'node:net';

import {
  channelWriterFor,
  DOVEADM_MINOR,
  LineInput,
  LOG_OPTION_MINOR,
  parseCommandLine,
  parseOptionLine,
  parseVersionLine,
  printVersionLine,
  MAX_DOVEADM_LINE,
  type ChannelWriter,
  type DoveadmCommand,
  type LineInputOptions,
} from '@dsync/protocol';

import { FAILED_LOGIN_DELAY_MS, LINGER_MS, LOGIN_TIMEOUT_MS, MAX_LOGIN_BYTES } from '../limits.ts';
import type { FailedLogins } from './failed-logins.ts';
import { provesPassword } from './password.ts';

/** Whom a listener lets in. */
export interface LoginRules {
  readonly password: string | null;
  /** Who connects is trusted by the socket's permissions. */
  readonly trusted: boolean;
  /** For STARTTLS; null: none is configured, or the connection is encrypted already. */
  readonly startTls: SecureContext | null;
  /** The peer's address, or a word for a UNIX socket. */
  readonly address: string;
  /** It is on this machine. */
  readonly near: boolean;
  readonly failures: FailedLogins;
}

/** A peer that has logged in and asked for something. */
export interface LoggedIn {
  readonly stream: Duplex;
  readonly command: DoveadmCommand;
  /** How everything from us is written from now on. */
  readonly channels: ChannelWriter;
  /** It wants to see log lines. */
  readonly wantsLogs: boolean;
  readonly near: boolean;
  /** What came after the command line. */
  readonly rest: Buffer;
}

const limits = (maxBytes: number, deadlineMs: number): LineInputOptions => ({
  maxLine: MAX_DOVEADM_LINE,
  maxBytes,
  deadlineMs,
});

/**
 * Leads a peer through VERSION, STARTTLS, PLAIN and the command line.
 * @throws {ProtocolError} `Closed` when it goes away or is sent away (`LoginFailed` says which), `Garbage`, `Incompatible`,
 * `LimitExceeded`, `Stalled`; the stream is then to be destroyed
 */
export async function acceptLogin(stream: Duplex, rules: LoginRules): Promise<LoggedIn> {
  const deadline = Date.now() + LOGIN_TIMEOUT_MS;
  const left = (): number => Math.max(1, deadline - Date.now());
  let input = new LineInput(stream, limits(MAX_LOGIN_BYTES, left()));
  let from = stream;
  try {
    const minor = parseVersionLine(await input.line(), 'doveadm-server');
    const greeting = minor >= 1 ? printVersionLine('doveadm-client', DOVEADM_MINOR) : '';
    from.write(`${greeting}${rules.trusted ? '+' : '-'}\n`);
    if (!rules.trusted) {
      let line = await input.line();
      if (line === 'STARTTLS' && rules.startTls !== null && from instanceof Socket) {
        // What came behind the word is read by TLS and by nothing else: a client may begin at once, since it waits for no
        // answer, but nobody may smuggle lines in front of what is encrypted.
        const early = input.release();
        if (early.length > 0) from.unshift(early);
        from = new TLSSocket(from, { isServer: true, secureContext: rules.startTls });
        // Whoever reads or writes hears of an error; between two readers it must not end the program.
        from.on('error', () => undefined);
        input = new LineInput(from, limits(MAX_LOGIN_BYTES, left()));
        line = await input.line();
      }
      if (!provesPassword(line, rules.password)) await refuse(from, rules);
      rules.failures.succeeded(rules.address);
      from.write('+\n');
    }
    let line = await input.line();
    let wantsLogs = minor >= 1 && minor < LOG_OPTION_MINOR;
    // How many there may be is bounded by the bytes of a login.
    for (let option = parseOptionLine(line); option !== null; option = parseOptionLine(line)) {
      wantsLogs ||= option.logs && minor >= LOG_OPTION_MINOR;
      line = await input.line();
    }
    const command = parseCommandLine(line);
    return {
      stream: from,
      command,
      channels: channelWriterFor(minor),
      wantsLogs,
      near: rules.near,
      rest: input.release(),
    };
  } catch (error) {
    input.release();
    throw error;
  }
}

/** Says no, slowly. The answer carries no reason. */
async function refuse(stream: Duplex, rules: LoginRules): Promise<never> {
  rules.failures.failed(rules.address);
  await new Promise((resolve) => setTimeout(resolve, FAILED_LOGIN_DELAY_MS).unref());
  if (!stream.destroyed) stream.end('-\n');
  // Nobody watches this connection any more, so it may not stay for as long as the peer likes.
  setTimeout(() => stream.destroy(), LINGER_MS).unref();
  throw new LoginFailed(`login failed from ${rules.address}`);
}

/** The password was wrong, or not given. */
export class LoginFailed extends Error {
  override readonly name = 'LoginFailed';
}
