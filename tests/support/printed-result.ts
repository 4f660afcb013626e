/** What `--json` prints, read without trust in what is in it. */

type JsonObject = Readonly<Record<string, unknown>>;

/** Counts of what was done, by their names. */
export type Counts = Readonly<Record<string, number>>;

/** Nothing was done to the mails of a side. */
export const NO_MAILS = { saved: 0, copied: 0, flagged: 0, expunged: 0, renumbered: 0 };

/** Nothing was done to a side. */
export const NOTHING = {
  ...NO_MAILS,
  ...{ mailboxesCreated: 0, mailboxesRenamed: 0, mailboxesDeleted: 0, subscriptions: 0 },
};

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is Counts {
  return isObject(value) && Object.values(value).every((count) => typeof count === 'number');
}

/** @throws {Error} for anything but an object */
export function parseObject(text: string): JsonObject {
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new Error(`not a JSON object: ${text}`);
  return value;
}

/** The totals of a run that `--json` has printed. @throws {Error} for any other text */
export function totalsOf(text: string): { readonly local: Counts; readonly remote: Counts } {
  const { totals } = parseObject(text);
  if (!isObject(totals) || !isCounts(totals['local']) || !isCounts(totals['remote']))
    throw new Error(`no result of a run: ${text}`);
  return { local: totals['local'], remote: totals['remote'] };
}
