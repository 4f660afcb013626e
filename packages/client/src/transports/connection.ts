import type { Duplex } from 'node:stream';

/** A way to the other side, whatever it is made of. */
export interface Connection {
  /** The session's bytes, nothing else. */
  readonly carrier: Duplex;
  /** It crosses a network, where compressing pays. */
  readonly distant: boolean;
  /**
   * Ends the connection and waits, within bounds, for the other side's end.
   * @returns what is worth saying of that end (a remote command's exit status), or null
   * @throws what made the other side fail, where that is known (a second store in this process)
   */
  close(): Promise<string | null>;
}

/** A connection that could not be made. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: string;
  readonly exit: number;

  constructor(code: string, message: string, exit: number, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.exit = exit;
  }
}
