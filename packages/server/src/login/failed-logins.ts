import { FAILED_LOGIN_WINDOW_MS, MAX_FAILED_ADDRESSES, MAX_FAILED_LOGINS } from '../limits.ts';

/** Who guessed passwords lately, by address. */
export class FailedLogins {
  readonly #failures = new Map<string, number[]>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Whether an address has used up its guesses. */
  blocked(address: string): boolean {
    return this.#recent(address).length >= MAX_FAILED_LOGINS;
  }

  failed(address: string): void {
    const failures = [...this.#recent(address), this.#now()].slice(-MAX_FAILED_LOGINS);
    // Put at the end again, so that the first key is the address that has been quiet for longest.
    this.#failures.delete(address);
    this.#failures.set(address, failures);
    if (this.#failures.size <= MAX_FAILED_ADDRESSES) return;
    const oldest = this.#failures.keys().next();
    if (oldest.done !== true) this.#failures.delete(oldest.value);
  }

  succeeded(address: string): void {
    this.#failures.delete(address);
  }

  #recent(address: string): number[] {
    const since = this.#now() - FAILED_LOGIN_WINDOW_MS;
    return (this.#failures.get(address) ?? []).filter((time) => time > since);
  }
}
