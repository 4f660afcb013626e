/** New UIDs, one after the other. */
import { MAX_UID, type Uid, uid as checkedUid } from '@dsync/protocol';

import { SyncError } from '../errors.ts';

/** The UIDs from a UIDNEXT on. */
export class FreeUids {
  /** UIDNEXT once all that were taken are given. */
  next: number;

  constructor(uidNext: number) {
    this.next = uidNext;
  }

  /** @throws {SyncError} `UidsExhausted` for one above 0xfffffffe */
  take(): Uid {
    if (this.next > MAX_UID)
      throw new SyncError('UidsExhausted', 'no UID is left in a mailbox; its mails have to be copied into a new one');
    return checkedUid(this.next++);
  }
}
