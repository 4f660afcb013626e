/** What can end a run; `exit` is the process status, doveadm's for the same (from sysexits.h). */
export const SYNC_ERRORS = {
  /** An option's value, or options that exclude each other. */
  Usage: { exit: 64 },
  NoSuchUser: { exit: 67 },
  NoSuchMailbox: { exit: 68 },
  /** The peer's data contradict themselves or the rules. */
  BadPeerData: { exit: 75 },
  /** No free UID is left in a mailbox. */
  UidsExhausted: { exit: 65 },
  NoSuchNamespace: { exit: 75 },
  Locked: { exit: 75 },
} as const satisfies Record<string, { readonly exit: number }>;

export type SyncErrorCode = keyof typeof SYNC_ERRORS;

/** An error of a run. `message` is one line, fit to be shown. */
export class SyncError extends Error {
  override readonly name = 'SyncError';
  readonly code: SyncErrorCode;

  constructor(code: SyncErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get exit(): number {
    return SYNC_ERRORS[this.code].exit;
  }
}
