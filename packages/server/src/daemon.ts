/** The server that stays: listeners, logins, sessions at once, its end. */
import { createSecureContext, type SecureContext } from 'node:tls';

import { ProtocolError } from '@dsync/protocol';
import type { Settings } from '@dsync/settings';

import { FAILED_LOGIN_WINDOW_MS, LINGER_MS, MAX_FAILED_LOGINS, MAX_SESSIONS } from './limits.ts';
import type { ListenAddress } from './listen/address.ts';
import { openListener, tlsOptions, type Incoming, type Listener } from './listen/listen.ts';
import { Strangers } from './listen/strangers.ts';
import { describeError } from './log/describe-error.ts';
import type { Log } from './log/log.ts';
import { acceptLogin, LoginFailed, type LoggedIn } from './login/accept-login.ts';
import { FailedLogins } from './login/failed-logins.ts';
import { putOff, serveCommand } from './session/doveadm-session.ts';

/** One server process: opens listeners, lets peers log in, serves their sessions at the same time. */
export class Daemon {
  #settings: Settings;
  readonly #log: Log;
  readonly #failures = new FailedLogins();
  #listeners: Listener[] = [];
  /** Connections that have not logged in yet. */
  readonly #strangers = new Strangers<Incoming>();
  readonly #sessions = new Map<Incoming, Promise<void>>();
  #startTls: SecureContext | null;

  constructor(settings: Settings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#startTls = startTlsOf(settings);
  }

  /**
   * Opens the listeners, all or none.
   * @returns their names, with the ports really used
   */
  async listen(addresses: readonly ListenAddress[]): Promise<readonly string[]> {
    try {
      for (const address of addresses) {
        this.#listeners.push(
          await openListener(
            address,
            this.#settings,
            (i) => this.#accept(i),
            (text) => this.#log.info(text),
          ),
        );
      }
    } catch (error) {
      await this.stopListening();
      throw error;
    }
    return this.#listeners.map((l) => l.name);
  }

  /** New settings for whoever comes from now on; sessions under way keep theirs. @throws {SettingsError} nothing has changed then */
  reload(settings: Settings): void {
    const startTls = startTlsOf(settings);
    for (const listener of this.#listeners) listener.reload(settings);
    this.#startTls = startTls;
    this.#settings = settings;
  }

  async stopListening(): Promise<void> {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) await listener.close();
    for (const { socket } of this.#strangers) socket.destroy();
  }

  /** Resolves when the last session under way has ended. */
  async sessionsEnded(): Promise<void> {
    while (this.#sessions.size > 0) await Promise.all(this.#sessions.values());
  }

  /** Cuts the sessions under way; their stores stay as each last commit left them. */
  abort(): void {
    for (const { socket } of this.#sessions.keys()) socket.destroy();
  }

  #accept(incoming: Incoming): void {
    const { socket, address } = incoming;
    socket.on('error', () => undefined);
    const reason = this.#failures.blocked(address)
      ? `${MAX_FAILED_LOGINS} failed logins within ${FAILED_LOGIN_WINDOW_MS / 60_000} minutes`
      : this.#strangers.refusal(address);
    if (reason !== null) {
      this.#log.warning(`connection from ${address} refused: ${reason}`);
      socket.destroy();
      return;
    }
    this.#strangers.add(incoming, address);
    void this.#welcome(incoming);
  }

  async #welcome(incoming: Incoming): Promise<void> {
    const { socket, address } = incoming;
    try {
      const login = await acceptLogin(socket, {
        password: this.#settings.doveadmPassword,
        trusted: incoming.trusted,
        startTls: incoming.encrypted ? null : this.#startTls,
        address,
        near: address === 'unix' || address === '::1' || /^(::ffff:)?127\./.test(address),
        failures: this.#failures,
      });
      const session = this.#serve(login);
      this.#sessions.set(incoming, session);
      this.#strangers.delete(incoming);
      await session;
    } catch (error) {
      if (error instanceof LoginFailed) this.#log.warning(error.message);
      else if (error instanceof ProtocolError) this.#log.info(`${address}: ${error.message}`);
      else this.#log.error(describeError(error).message);
      if (!(error instanceof LoginFailed)) socket.destroy();
    } finally {
      this.#strangers.delete(incoming);
      this.#sessions.delete(incoming);
    }
  }

  /** From the login to the end of the connection. */
  async #serve(login: LoggedIn): Promise<void> {
    if (this.#sessions.size < MAX_SESSIONS) {
      await serveCommand(this.#settings, login, this.#log);
    } else {
      putOff(login, this.#log, `${MAX_SESSIONS} sessions are under way, try again later`);
    }
    await closed(login);
  }
}

function startTlsOf(settings: Settings): SecureContext | null {
  const { tls } = settings;
  if (tls.enabled && tls.unreadable !== undefined) throw tls.unreadable;
  return tls.enabled && tls.cert !== undefined && tls.key !== undefined ? createSecureContext(tlsOptions(tls)) : null;
}

/** Gives a peer the time to read our last words. */
async function closed({ stream }: LoggedIn): Promise<void> {
  if (stream.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => stream.destroy(), LINGER_MS);
    stream.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    stream.resume();
    if (!stream.writableEnded) stream.end();
  });
}
