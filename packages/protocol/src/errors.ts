/** Why a conversation cannot go on; `retry` tells whether the same run may succeed later. */
export const PROTOCOL_ERRORS = {
  /** A value outside its grammar or range. */
  BadValue: { retry: false },
  /** Bytes that are not of this protocol at all. */
  Garbage: { retry: false },
  /** A frame, list or text over its limit (limits.ts). */
  LimitExceeded: { retry: false },
  /** A known message at a place where it cannot stand. */
  Unexpected: { retry: false },
  /** A mail's bytes do not have the digest that was announced. */
  DigestMismatch: { retry: true },
  /** The other side closed before the conversation ended. */
  Closed: { retry: true },
  /** Nothing was read or written for the stall timeout. */
  Stalled: { retry: true },
  /** The other side says that it failed. */
  PeerFailed: { retry: true },
  /** The other side speaks no dialect that we share. */
  Incompatible: { retry: false },
} as const satisfies Record<string, { readonly retry: boolean }>;

/** What an error's `code` can be. */
export type ProtocolErrorCode = keyof typeof PROTOCOL_ERRORS;

/** An error of the conversation. `message` is one line, fit to be shown; never sent to the peer. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get retry(): boolean {
    return PROTOCOL_ERRORS[this.code].retry;
  }
}

/** What reading a peer's bytes threw, as the error that ends the session: `Garbage` if it is none of the protocol's. */
export function readingError(thrown: unknown): ProtocolError {
  if (thrown instanceof ProtocolError) return thrown;
  return new ProtocolError('Garbage', 'the peer cannot be understood', { cause: thrown });
}

/** What was thrown, as an Error; only a foreign program's fault throws anything else. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
