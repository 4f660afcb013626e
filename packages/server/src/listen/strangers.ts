import { MAX_STRANGERS, MAX_STRANGERS_PER_ADDRESS } from '../limits.ts';

/** Connections of which it is not known yet who is there, by whatever names one. */
export class Strangers<Connection> {
  readonly #addresses = new Map<Connection, string>();

  /** Why an address gets no other one; null: it does. */
  refusal(address: string): string | null {
    const near = [...this.#addresses.values()].filter((other) => other === address).length;
    if (near >= MAX_STRANGERS_PER_ADDRESS) return `${near} connections from there have not logged in yet`;
    const all = this.#addresses.size;
    return all >= MAX_STRANGERS ? `${all} connections have not logged in yet` : null;
  }

  add(connection: Connection, address: string): void {
    this.#addresses.set(connection, address);
  }

  delete(connection: Connection): void {
    this.#addresses.delete(connection);
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#addresses.keys();
  }
}
