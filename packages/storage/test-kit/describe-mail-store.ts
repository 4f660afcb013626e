/** What a store must be able to do to be one. Every driver runs it. */
import { describe } from '@jest/globals';

import { historySuite } from './suite/history.ts';
import type { StoreFactory } from './suite/stage.ts';
import { transactionSuite } from './suite/transactions.ts';
import { treeSuite } from './suite/tree.ts';

/** Declares the tests, for a driver that keeps GUIDs, UIDs, modseqs, expunges and attributes. */
export function describeMailStore(name: string, factory: StoreFactory): void {
  describe(name, () => {
    describe('the tree', () => {
      treeSuite(factory);
    });
    describe('a transaction', () => {
      transactionSuite(factory);
    });
    describe('the history', () => {
      historySuite(factory);
    });
  });
}
