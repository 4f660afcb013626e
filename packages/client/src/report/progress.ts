import type { MailboxPath } from '@dsync/protocol';
import type { SyncObserver } from '@dsync/sync';

import { size } from './summary.ts';

/** Nothing is shown of a run that is shorter. */
const SHOW_AFTER_MS = 1_000;
const REDRAW_MS = 100;
const BAR = 24;

/** What a terminal, or what stands in its place, has to be able to do. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

interface Part {
  readonly done: number;
  readonly total: number;
}

const NONE: Part = { done: 0, total: 0 };

/**
 * One line on stderr that shows how far a run is. It is redrawn in place on a terminal; elsewhere (`always`) it is a line
 * of its own each second.
 */
export class Progress implements Disposable {
  readonly #out: Screen;
  readonly #started: number;
  readonly #showAfterMs: number;
  #last = 0;
  #shown = false;
  #mailbox = '';
  #index = 0;
  #total = 0;
  /** Of the mailbox that is shown: mails that came and that went, and how many are to. */
  #come: Part = NONE;
  #gone: Part = NONE;
  #bytes = 0;

  constructor(out: Screen, always: boolean, now: number = Date.now()) {
    this.#out = out;
    this.#started = now;
    this.#showAfterMs = always ? 0 : SHOW_AFTER_MS;
  }

  readonly observer: Pick<SyncObserver, 'mailboxStarted' | 'mailsReceived' | 'mailsSent'> = {
    mailboxStarted: (path, index, total) => {
      this.#index = index;
      this.#total = total;
      this.#show(path);
      this.#draw();
    },
    mailsReceived: (path, done, total, bytes) => {
      this.#show(path);
      this.#come = { done, total };
      this.#bytes = bytes;
      this.#draw();
    },
    mailsSent: (path, done, total) => {
      this.#show(path);
      this.#gone = { done, total };
      this.#draw();
    },
  };

  #show(path: MailboxPath): void {
    const name = path.join('/');
    if (name === this.#mailbox) return;
    this.#mailbox = name;
    this.#come = NONE;
    this.#gone = NONE;
    this.#bytes = 0;
  }

  #draw(): void {
    const now = Date.now();
    const every = this.#out.isTTY ? REDRAW_MS : 1_000;
    if (now - this.#started < this.#showAfterMs || now - this.#last < every) return;
    this.#last = now;
    const line = this.#line();
    this.#shown = true;
    if (this.#out.isTTY) this.#out.write(`\r\u001b[K${line.slice(0, Math.max(20, (this.#out.columns ?? 80) - 1))}`);
    else this.#out.write(`${line}\n`);
  }

  #line(): string {
    const done = this.#come.done + this.#gone.done;
    const total = this.#come.total + this.#gone.total;
    const inside = total > 0 ? done / total : 0;
    const share = this.#total > 0 ? Math.min(1, (this.#index + inside) / this.#total) : 0;
    const full = Math.round(share * BAR);
    // oxlint-disable-next-line no-control-regex
    const name = this.#mailbox.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
    const bytes = this.#bytes > 0 ? ` (${size(this.#bytes)} received)` : '';
    const mails = total > 0 ? `, mail ${done} of ${total}${bytes}` : '';
    return `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ${String(Math.floor(share * 100)).padStart(3)} % mailbox ${this.#index + 1} of ${this.#total}: ${name}${mails}`;
  }

  [Symbol.dispose](): void {
    if (this.#shown && this.#out.isTTY) this.#out.write('\r\u001b[K');
  }
}
