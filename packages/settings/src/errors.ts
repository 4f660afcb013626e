/** What can be wrong with settings; `exit` is the process status. */
export const SETTINGS_ERRORS = {
  /** A line that is no setting, a section that does not end. */
  Syntax: { exit: 78 },
  /** A known setting with a value outside its grammar, or that is needed and missing. */
  BadValue: { exit: 78 },
  /** A file that cannot be read. */
  NotReadable: { exit: 78 },
  /** The user is not there. */
  NoSuchUser: { exit: 67 },
} as const satisfies Record<string, { readonly exit: number }>;

export type SettingsErrorCode = keyof typeof SETTINGS_ERRORS;

/** Where a setting was written, for messages. */
export type Origin =
  | { readonly kind: 'file'; readonly file: string; readonly line: number }
  | { readonly kind: 'option'; readonly text: string };

/** `FILE line N`, or `-o TEXT`. */
export function printOrigin(origin: Origin): string {
  return origin.kind === 'file' ? `${origin.file} line ${origin.line}` : `-o ${origin.text}`;
}

/** An error of the settings. `message` is one line that names the file and line, or the option. No value of a secret is in it. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly code: SettingsErrorCode;

  constructor(
    code: SettingsErrorCode,
    message: string,
    options?: { readonly origin?: Origin; readonly cause?: unknown },
  ) {
    super(options?.origin === undefined ? message : `${printOrigin(options.origin)}: ${message}`, options);
    this.code = code;
  }

  get exit(): number {
    return SETTINGS_ERRORS[this.code].exit;
  }
}

/** The error of a file that the system does not let us read. @param what names it, for people */
export function notReadable(what: string, cause: unknown, origin?: Origin): SettingsError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SettingsError('NotReadable', `cannot read ${what}: ${why}`, {
    cause,
    ...(origin === undefined ? {} : { origin }),
  });
}
