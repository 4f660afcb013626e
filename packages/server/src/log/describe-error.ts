import { oneLine as cut, ProtocolError } from '@dsync/protocol';
import { SettingsError, UsageError } from '@dsync/settings';
import { StoreError } from '@dsync/storage';
import { SyncError } from '@dsync/sync';

/** An error as it is shown and as the process ends with it. */
export interface DescribedError {
  /** One line. */
  readonly message: string;
  readonly code: string;
  /** Exit status: 64 usage, 67 no such user, 68 no such host, 75 temporary, 77 permission, 78 configuration, 1 ours. */
  readonly exit: number;
}

/** Anything thrown, described. What is none of our own errors is a defect of ours: status 1. */
export function describeError(error: unknown): DescribedError {
  // What went wrong while something was closed counts for less than why it was closed.
  if (error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error)
    return describeError(error.suppressed);
  if (error instanceof SettingsError || error instanceof SyncError || error instanceof StoreError) {
    return { message: oneLine(error.message), code: error.code, exit: error.exit };
  }
  if (error instanceof UsageError) return { message: oneLine(error.message), code: 'Usage', exit: error.exit };
  if (error instanceof ProtocolError) return { message: oneLine(error.message), code: error.code, exit: 75 };
  if (error instanceof Error && 'exit' in error && typeof error.exit === 'number') {
    return {
      message: oneLine(error.message),
      code: 'code' in error ? String(error.code) : error.name,
      exit: error.exit,
    };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { message: oneLine(`internal error: ${message}`), code: 'Internal', exit: 1 };
}

/** Long enough for every message of ours with a path in it. */
const MAX_MESSAGE = 1000;

function oneLine(text: string): string {
  return cut(text, MAX_MESSAGE);
}
