/** What threads are given to do, and what they say of it. */

/** Inputs to try. */
export interface Stretch {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Where the number of the input at hand is written. */
  readonly progress: Int32Array;
}

/** How a stretch ended. */
export interface Outcome {
  /** Of memory, as far as that was looked at. */
  readonly mostBytes: number;
  /** Of what went wrong at the input at hand; null: nothing did. */
  readonly stack: string | null;
}

/** A search for inputs that go new ways. */
export interface Search {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  /** Inputs that went a new way are kept here between searches. */
  readonly corpus: string;
  /** The length of the input at hand and its bytes. */
  readonly atHand: SharedArrayBuffer;
}

/** How far a search has come. */
export interface Progress {
  readonly inputs: number;
  readonly kept: number;
  readonly ways: number;
}

/** What a search has found. */
export interface Finding {
  readonly stack: string;
}

const has = <K extends string>(value: unknown, member: K): value is Readonly<Record<K, unknown>> =>
  typeof value === 'object' && value !== null && member in value;

// Both ends are ours: one member tells which message it is.
export const isStretch = (value: unknown): value is Stretch => has(value, 'progress');
export const isOutcome = (value: unknown): value is Outcome => has(value, 'mostBytes');
export const isSearch = (value: unknown): value is Search => has(value, 'atHand');
export const isProgress = (value: unknown): value is Progress => has(value, 'ways');
export const isFinding = (value: unknown): value is Finding => has(value, 'stack');
