/** What can go wrong with a store; `exit` is the process status that doveadm ends with for it (sysexits). */
export const STORE_ERRORS = {
  NotFound: { exit: 68 },
  AlreadyExists: { exit: 65 },
  NotEmpty: { exit: 65 },
  InvalidName: { exit: 65 },
  /** A file of the store is not what it must be, and repairing it would lose something. */
  Corrupt: { exit: 75 },
  Permission: { exit: 77 },
  DiskFull: { exit: 75 },
  Quota: { exit: 73 },
  Locked: { exit: 75 },
  Temporary: { exit: 75 },
} as const satisfies Record<string, { readonly exit: number }>;

/** What an error's `code` can be. */
export type StoreErrorCode = keyof typeof STORE_ERRORS;

/** An error of a store. `message` is one line that names what was wanted and of which mailbox or file. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get exit(): number {
    return STORE_ERRORS[this.code].exit;
  }

  /** Turns whatever a system call threw into a StoreError: ENOSPC, EDQUOT, EACCES, EPERM, EROFS, ENOENT, EEXIST, else Temporary. */
  static from(cause: unknown, what: string): StoreError {
    if (cause instanceof StoreError) return cause;
    // Not instanceof Error: under Jest the system's errors come from another realm.
    const errno = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
    const code: StoreErrorCode = ERRNO[errno] ?? 'Temporary';
    return new StoreError(code, `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

const ERRNO: Readonly<Record<string, StoreErrorCode>> = {
  ENOSPC: 'DiskFull',
  EDQUOT: 'Quota',
  EACCES: 'Permission',
  EPERM: 'Permission',
  EROFS: 'Permission',
  ENOENT: 'NotFound',
  ENOTDIR: 'NotFound',
  EEXIST: 'AlreadyExists',
  ENOTEMPTY: 'NotEmpty',
};

/** Whether a system call failed with one of these, for instance `ENOENT`. */
export function isErrno(cause: unknown, ...codes: readonly string[]): boolean {
  // Not instanceof Error: under Jest the system's errors come from another realm.
  return typeof cause === 'object' && cause !== null && 'code' in cause && codes.includes(String(cause.code));
}
