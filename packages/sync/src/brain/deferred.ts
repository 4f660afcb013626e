/** A promise with its handles outside, for one track that waits for another. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** A rejection that nobody waits for yet does not end the process; whoever awaits `promise` later still gets it. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((ok, fail) => {
    resolve = ok;
    reject = fail;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/**
 * Waits for all of them to end, then throws the first failure that happened, so that no track is left running behind
 * a caller that has given up. `onFailure` is called at the first one, to wake the others.
 */
export async function allEnded(tracks: readonly Promise<void>[], onFailure: (reason: unknown) => void): Promise<void> {
  let failure: { readonly reason: unknown } | null = null;
  await Promise.all(
    tracks.map((track) =>
      track.catch((reason: unknown) => {
        if (failure !== null) return;
        failure = { reason };
        onFailure(reason);
      }),
    ),
  );
  const first = failure as { readonly reason: unknown } | null;
  if (first !== null) throw first.reason;
}
