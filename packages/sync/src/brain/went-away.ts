import { asError } from '@dsync/protocol';
import { StoreError } from '@dsync/storage';

/**
 * An error of a run as who started it has to understand it. A mailbox that is missing now was there when the trees were
 * told: somebody has removed or renamed it meanwhile, which the next run will see.
 */
export function duringRun(error: unknown): unknown {
  if (!(error instanceof StoreError && error.code === 'NotFound')) return error;
  return new StoreError('Temporary', `${error.message}; removed or renamed during the run, which can be made again`, {
    cause: error,
  });
}

/** The same as the other side is told it. */
export function reasonOf(error: unknown): string {
  return asError(duringRun(error)).message;
}
