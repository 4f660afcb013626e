/** POP3 UIDLs and order numbers, which only the uidlist holds (its keys `P` and `O`). Read when first asked for. */
import type { Folder } from './folder.ts';

/** What the uidlist has of one mail. */
export interface Pop3Note {
  readonly pop3Uidl?: string;
  readonly pop3Order?: number;
}

const NOTHING: Pop3Note = {};
/** A line of the uidlist that has one, which most lists have not. */
const ANY_NOTE = /^\d+ (?:[^:\n]* )?[PO]/m;

/** Of one folder, as its uidlist was when first asked for. */
export class Pop3Notes {
  readonly #folder: Folder;
  #notes: ReadonlyMap<string, Pop3Note> | null = null;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  /** @throws {StoreError} */
  of(base: string): Pop3Note {
    this.#notes ??= this.#read();
    return this.#notes.get(base) ?? NOTHING;
  }

  #read(): ReadonlyMap<string, Pop3Note> {
    const notes = new Map<string, Pop3Note>();
    if (!this.#folder.uidlistHas(ANY_NOTE)) return notes;
    for (const { base, fields } of this.#folder.readUidlist()?.records ?? []) {
      const note = parseNote(fields, base);
      if (note !== null) notes.set(base, note);
    }
    return notes;
  }
}

/** An empty `P` means the base name. */
function parseNote(fields: string, base: string): Pop3Note | null {
  const match = /(?:^| )P(\S*)/.exec(fields);
  const order = /(?:^| )O(\d{1,10})(?: |$)/.exec(fields);
  if (match === null && order === null) return null;
  return {
    ...(match === null ? {} : { pop3Uidl: match[1] === '' ? base : (match[1] ?? base) }),
    ...(order === null ? {} : { pop3Order: Number(order[1]) }),
  };
}
