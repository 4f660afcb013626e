import type { MailboxPath } from '@dsync/protocol';
import type { SyncObserver } from '@dsync/sync';

import { size } from './summary.ts';

/** Nothing is shown of a run that is shorter. */
const SHOW_AFTER_MS = 1_000;
const REDRAW_MS = 100;
const BAR = 24;

/**
 * One line on stderr that shows how far a run is. It is redrawn in place on a terminal; elsewhere (`always`) it is a line
 * of its own each second.
 */
export class Progress implements Disposable {
  readonly #out: NodeJS.WriteStream;
  readonly #started: number;
  readonly #showAfterMs: number;
  #last = 0;
  #shown = false;
  #mailbox = '';
  #index = 0;
  #total = 0;
  #mails = 0;
  #ofMails = 0;
  #bytes = 0;

  constructor(out: NodeJS.WriteStream, always: boolean, now: number = Date.now()) {
    this.#out = out;
    this.#started = now;
    this.#showAfterMs = always ? 0 : SHOW_AFTER_MS;
  }

  readonly observer: Pick<SyncObserver, 'mailboxStarted' | 'mailsReceived'> = {
    mailboxStarted: (path: MailboxPath, index: number, total: number) => {
      this.#mailbox = path.join('/');
      this.#index = index;
      this.#total = total;
      this.#mails = 0;
      this.#ofMails = 0;
      this.#draw();
    },
    mailsReceived: (path: MailboxPath, done: number, total: number, bytes: number) => {
      this.#mailbox = path.join('/');
      this.#mails = done;
      this.#ofMails = total;
      this.#bytes = bytes;
      this.#draw();
    },
  };

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
    const inside = this.#ofMails > 0 ? this.#mails / this.#ofMails : 0;
    const share = this.#total > 0 ? Math.min(1, (this.#index + inside) / this.#total) : 0;
    const full = Math.round(share * BAR);
    // oxlint-disable-next-line no-control-regex
    const name = this.#mailbox.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
    const mails = this.#ofMails > 0 ? `, mail ${this.#mails} of ${this.#ofMails} (${size(this.#bytes)})` : '';
    return `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ${String(Math.floor(share * 100)).padStart(3)} % mailbox ${this.#index + 1} of ${this.#total}: ${name}${mails}`;
  }

  [Symbol.dispose](): void {
    if (this.#shown && this.#out.isTTY) this.#out.write('\r\u001b[K');
  }
}
